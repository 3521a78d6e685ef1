//! The tasks of all open streams, and the way to each.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::io::{AsyncRead, AsyncWrite};
use kinfolk_wire::direct::{Frame, FrameKind};
use kinfolk_wire::ids::PeerId;
use kinfolk_wire::limits;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::{JoinError, JoinSet};

use super::stream::{About, Inlets, Link, Outgoing};
use crate::command::{Answer, RequestId};
use crate::config::{Deadlines, Limits};
use crate::event::Event;

/// What a waiting frame costs beside its body, in bytes.
const OVERHEAD: u32 = 64;

/// A stream's task is over; everything about it has been handed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) peer: PeerId,
    pub(crate) stream: u64,
}

/// Why a frame was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// No stream, or too much waits on it.
    Lost,
    /// No stream would take it: a kind the network sends by itself, or a body over the limit.
    Unsendable,
}

/// The streams of this node.
pub(crate) struct Links {
    limits: Limits,
    deadlines: Deadlines,
    inlets: BTreeMap<u64, Inlet>,
    tasks: JoinSet<Ended>,
}

struct Inlet {
    frames: mpsc::Sender<Outgoing>,
    answers: mpsc::Sender<Answer>,
    shares: Arc<Semaphore>,
    /// Whether anything but a payload was handed in: a hello, a knock, an answer to one.
    introduced: bool,
}

impl Links {
    pub(crate) fn new(limits: Limits, deadlines: Deadlines) -> Self {
        Self { limits, deadlines, inlets: BTreeMap::new(), tasks: JoinSet::new() }
    }

    /// Starts the task of a stream. It holds still until `told` says that the driver knows of it, or is dropped.
    pub(crate) fn start<S>(&mut self, about: About, io: S, events: mpsc::Sender<Event>, told: oneshot::Receiver<()>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (frames_tx, frames) = mpsc::channel(self.limits.queued_frames.max(1));
        let (answers_tx, answers) = mpsc::channel(limits::STREAM_WINDOW as usize);
        let shares = usize::try_from(self.limits.queued_bytes).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        let (peer, stream) = (about.peer, about.stream);
        let inlet = Inlet {
            frames: frames_tx,
            answers: answers_tx,
            shares: Arc::new(Semaphore::new(shares)),
            introduced: false,
        };
        self.inlets.insert(stream, inlet);
        let link = Link::new(about, io, Inlets { frames, answers }, self.deadlines, events);
        self.tasks.spawn(async move {
            link.run(told).await;
            Ended { peer, stream }
        });
    }

    /// Hands a frame to a stream; it takes it or says at once that it does not.
    ///
    /// A payload is lost on a stream on which we have said nothing before: the other side would refuse it from
    /// somebody it does not know, and whoever sent it meant the stream that this one has replaced.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub(crate) fn send(
        &mut self,
        stream: Option<u64>,
        request: RequestId,
        kind: FrameKind,
        body: Vec<u8>,
    ) -> Result<(), NotTaken> {
        if matches!(kind, FrameKind::Ack | FrameKind::Nack) || body.len() > limits::FRAME - Frame::HEAD {
            tracing::error!(?kind, bytes = body.len(), "the network was handed a frame that cannot be sent");
            return Err(NotTaken::Unsendable);
        }
        let inlet = stream.and_then(|stream| self.inlets.get_mut(&stream)).ok_or(NotTaken::Lost)?;
        if kind == FrameKind::Payload && !inlet.introduced {
            return Err(NotTaken::Lost);
        }
        let cost = u32::try_from(body.len()).map_err(|_| NotTaken::Unsendable)?.saturating_add(OVERHEAD);
        let share = Arc::clone(&inlet.shares).try_acquire_many_owned(cost).map_err(|_| NotTaken::Lost)?;
        let outgoing = Outgoing { request, kind, body, _share: share };
        inlet.frames.try_send(outgoing).map_err(|_| NotTaken::Lost)?;
        inlet.introduced = true;
        Ok(())
    }

    /// Hands an answer to the stream whose frame it answers; passed over if that is gone.
    pub(crate) fn answer(&self, answer: Answer) {
        let gone = match self.inlets.get(&answer.delivery.stream) {
            Some(inlet) => inlet.answers.try_send(answer).is_err(),
            None => true,
        };
        if gone {
            tracing::debug!(stream = answer.delivery.stream, "an answer came too late");
        }
    }

    /// Lets a stream close: what was handed to it still leaves, for a moment.
    pub(crate) fn close(&mut self, stream: u64) {
        self.inlets.remove(&stream);
    }

    /// Lets all streams close.
    pub(crate) fn close_all(&mut self) {
        self.inlets.clear();
    }

    /// Whether a stream takes nothing more, though its task may not have told everything yet.
    pub(crate) fn is_over(&self, stream: u64) -> bool {
        self.inlets.get(&stream).is_none_or(|inlet| inlet.frames.is_closed())
    }

    /// Whether any task runs.
    pub(crate) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// The next task that is over; never, if there is none.
    ///
    /// # Errors
    /// [`JoinError`] if it panicked.
    pub(crate) async fn ended(&mut self) -> Result<Ended, JoinError> {
        match self.tasks.join_next().await {
            Some(Ok(ended)) => {
                self.inlets.remove(&ended.stream);
                Ok(ended)
            }
            Some(Err(error)) => Err(error),
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use kinfolk_wire::direct::Role;
    use tokio::sync::mpsc::Receiver;

    use super::*;

    /// A stream on which nothing ever comes, or whose reading is a bug.
    struct Silence {
        panics: bool,
    }

    impl AsyncRead for Silence {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut [u8]) -> Poll<std::io::Result<usize>> {
            assert!(!self.panics, "a bug");
            Poll::Pending
        }
    }

    impl AsyncWrite for Silence {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<std::io::Result<usize>> {
            Poll::Pending
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
            Poll::Pending
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
            Poll::Pending
        }
    }

    const PEER: PeerId = PeerId::new([2; 38]);

    fn links(limits: Limits, panics: bool) -> (Links, Receiver<Event>) {
        let mut links = Links::new(limits, Deadlines { close: std::time::Duration::ZERO, ..Deadlines::default() });
        let (events_tx, events) = mpsc::channel(8);
        let (_, told) = oneshot::channel();
        links.start(About { peer: PEER, stream: 1, role: Role::Dialer }, Silence { panics }, events_tx, told);
        (links, events)
    }

    fn send(links: &mut Links, number: u64, kind: FrameKind, bytes: usize) -> Result<(), NotTaken> {
        links.send(Some(1), RequestId(number), kind, vec![0; bytes])
    }

    #[tokio::test]
    async fn g08_the_crash_of_a_stream_surfaces() {
        let (mut links, _events) = links(Limits::default(), true);
        assert!(links.ended().await.unwrap_err().is_panic());
    }

    #[tokio::test]
    async fn what_waits_for_one_stream_is_bounded_in_bytes_and_in_frames() {
        let (mut narrow, _events) = links(Limits { queued_bytes: 1_000, ..Limits::default() }, false);
        assert_eq!(send(&mut narrow, 1, FrameKind::Hello, 500), Ok(()));
        assert_eq!(send(&mut narrow, 2, FrameKind::Hello, 500), Err(NotTaken::Lost));
        assert_eq!(send(&mut narrow, 3, FrameKind::Hello, 300), Ok(()));
        let (mut short, _events) = links(Limits { queued_frames: 2, ..Limits::default() }, false);
        let taken: Vec<_> = (1..=3).map(|number| send(&mut short, number, FrameKind::Hello, 0)).collect();
        assert_eq!(taken, [Ok(()), Ok(()), Err(NotTaken::Lost)]);
    }

    #[tokio::test]
    async fn every_frame_of_a_stream_that_closes_is_reported_lost() {
        let (mut links, mut events) = links(Limits::default(), false);
        for number in 1..=20 {
            assert_eq!(send(&mut links, number, FrameKind::Hello, 10_000), Ok(()));
        }
        links.close(1);
        let mut lost = Vec::new();
        let ended = tokio::select! {
            ended = links.ended() => ended,
            () = async { loop {
                if let Some(event) = events.recv().await {
                    lost.push(event);
                }
            } } => unreachable!(),
        };
        assert_eq!(ended.unwrap(), Ended { peer: PEER, stream: 1 });
        while let Ok(event) = events.try_recv() {
            lost.push(event);
        }
        let expected: Vec<_> = (1..=20).map(|number| Event::Lost { request: RequestId(number), peer: PEER }).collect();
        assert_eq!(lost, expected);
    }
}
