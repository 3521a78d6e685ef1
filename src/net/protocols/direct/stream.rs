//! The task of one stream.
//!
//! One turn takes answers, takes frames to send while the window has room, writes, hands up, reads. Writing never waits
//! for reading and reading never for writing, so two nodes that both send as fast as they can do not block each other.
//! Only when the driver is behind is nothing more read: what came last must be handed up first.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use kinfolk_wire::codec::DecodeError;
use kinfolk_wire::direct::{Ack, Frame, FrameKind, Nack, Role};
use kinfolk_wire::ids::PeerId;
use kinfolk_wire::limits;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::{Instant, Sleep};

use super::window::{Inbound, Outbound, WindowError};
use crate::command::{Answer, Delivery, RequestId};
use crate::config::Deadlines;
use crate::event::Event;
use crate::protocols::framing::{FramingError, ReadError, Reader, Writer};
use crate::upward::{NobodyListens, Upward};

/// Turns without giving other tasks theirs.
const TURNS: usize = 32;
/// What a stream keeps for reading while nothing comes, and the least that is asked for at a time, in bytes.
const AT_REST: usize = 16 * 1024;

/// Whose stream it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About {
    pub(crate) peer: PeerId,
    /// The number of the stream in this run of the node.
    pub(crate) stream: u64,
    /// Ours.
    pub(crate) role: Role,
}

/// A frame that is to be sent.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) request: RequestId,
    pub(crate) kind: FrameKind,
    pub(crate) body: Vec<u8>,
    /// Its share of what may wait; given back when the body has left.
    pub(crate) _share: OwnedSemaphorePermit,
}

/// What comes to a stream from the actor. Both senders dropped: close.
pub(crate) struct Inlets {
    pub(crate) frames: mpsc::Receiver<Outgoing>,
    pub(crate) answers: mpsc::Receiver<Answer>,
}

/// Why a stream ended.
#[derive(Debug, thiserror::Error)]
enum Ending {
    #[error("closed here")]
    Closed,
    #[error("closed by the other side")]
    Left,
    #[error("idle")]
    Idle,
    #[error("{0} took too long")]
    Late(&'static str),
    #[error("broken: {0}")]
    Broken(std::io::Error),
    #[error("the other side broke the framing: {0}")]
    Framing(#[from] FramingError),
    #[error("the other side broke the counting: {0}")]
    Window(#[from] WindowError),
    #[error("the other side sent what cannot be read: {0}")]
    Unreadable(#[from] DecodeError),
    #[error("nobody listens here")]
    Unheard,
}

impl From<NobodyListens> for Ending {
    fn from(NobodyListens: NobodyListens) -> Self {
        Self::Unheard
    }
}

impl From<ReadError> for Ending {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Stream(error) => Self::Broken(error),
            ReadError::Framing(error) => Self::Framing(error),
        }
    }
}

/// One stream, from what follows its `Connected` to what its `Disconnected` follows.
pub(crate) struct Link<S> {
    about: About,
    io: S,
    inlets: Inlets,
    deadlines: Deadlines,
    reader: Reader,
    writer: Writer,
    outbound: Outbound,
    inbound: Inbound,
    upward: Upward,
    /// Since when it closes.
    closing: Option<Instant>,
    began: Instant,
    frame_began: Option<Instant>,
    write_moved: Instant,
    travelled: Instant,
    alarm: Pin<Box<Sleep>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    pub(crate) fn new(about: About, io: S, inlets: Inlets, deadlines: Deadlines, events: mpsc::Sender<Event>) -> Self {
        let now = Instant::now();
        Self {
            about,
            io,
            inlets,
            deadlines,
            reader: Reader::new(Frame::HEAD..=limits::FRAME, AT_REST),
            writer: Writer::default(),
            outbound: Outbound::default(),
            inbound: Inbound::default(),
            upward: Upward::new(events),
            closing: None,
            began: now,
            frame_began: None,
            write_moved: now,
            travelled: now,
            alarm: Box::pin(tokio::time::sleep_until(now + deadlines.idle_stream)),
        }
    }

    /// Runs to the end, once the driver has been told of the stream, and tells what became of every frame.
    pub(crate) async fn run(mut self, told: oneshot::Receiver<()>) {
        let About { peer, stream, .. } = self.about;
        told.await.ok();
        self.began = Instant::now();
        let ending = std::future::poll_fn(|cx| self.poll(cx)).await;
        tracing::debug!(?peer, stream, %ending, "stream ended");
        self.inlets.frames.close();
        self.inlets.answers.close();
        tokio::time::timeout(self.deadlines.close, close(&mut self.io, &ending)).await.ok();
        drop(self.io);
        for request in self.outbound.into_unanswered() {
            self.upward.push(Event::Lost { request, peer });
        }
        while let Some(Outgoing { request, .. }) = self.inlets.frames.recv().await {
            self.upward.push(Event::Lost { request, peer });
        }
        self.upward.drain().await;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ending> {
        for _ in 0..TURNS {
            match self.turn(cx) {
                Ok(true) => {}
                Ok(false) if self.closing.is_some() && self.writer.is_idle() => return Poll::Ready(Ending::Closed),
                Ok(false) => return self.poll_alarm(cx),
                Err(ending) => return Poll::Ready(ending),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Whether anything moved.
    fn turn(&mut self, cx: &mut Context<'_>) -> Result<bool, Ending> {
        self.take_answers(cx)?;
        self.take_frames(cx)?;
        let wrote = self.write(cx)?;
        let idle = self.upward.is_empty();
        let handed_up = self.upward.poll(cx)?.is_ready();
        let read = handed_up && self.read(cx)?;
        Ok(wrote || read || (handed_up && !idle))
    }

    fn take_answers(&mut self, cx: &mut Context<'_>) -> Result<(), Ending> {
        while self.writer.has_room() {
            match self.inlets.answers.poll_recv(cx) {
                Poll::Ready(Some(answer)) => self.answer(answer)?,
                Poll::Ready(None) => {
                    self.closing.get_or_insert_with(Instant::now);
                    break;
                }
                Poll::Pending => break,
            }
        }
        while self.writer.has_room()
            && let Some(ack) = self.inbound.take_ack()
        {
            self.put(FrameKind::Ack, ack.encode())?;
        }
        Ok(())
    }

    fn answer(&mut self, answer: Answer) -> Result<(), Ending> {
        let Delivery { sequence, .. } = answer.delivery;
        let wanted = match answer.refusal {
            None => self.inbound.taken(sequence),
            Some(_) => self.inbound.refused(sequence),
        };
        match answer.refusal {
            Some(code) if wanted => self.put(FrameKind::Nack, Nack { sequence, code }.encode())?,
            None if wanted => {}
            _ => tracing::debug!(stream = self.about.stream, sequence, "a frame was answered twice"),
        }
        Ok(())
    }

    fn put(&mut self, kind: FrameKind, body: Vec<u8>) -> Result<(), Ending> {
        let sequence = self.outbound.number();
        self.start_writing();
        self.writer.put(&Frame { kind, sequence, body }.encode()?);
        Ok(())
    }

    fn take_frames(&mut self, cx: &mut Context<'_>) -> Result<(), Ending> {
        while self.writer.has_room() && self.outbound.has_room() {
            let Poll::Ready(Some(Outgoing { request, kind, body, _share })) = self.inlets.frames.poll_recv(cx) else {
                break;
            };
            self.start_writing();
            let sequence = self.outbound.number_for(request, Instant::now());
            self.writer.put(&Frame { kind, sequence, body }.encode()?);
        }
        Ok(())
    }

    /// The time a write may take runs from the moment there is something to write.
    fn start_writing(&mut self) {
        if self.writer.is_idle() {
            self.write_moved = Instant::now();
        }
    }

    fn write(&mut self, cx: &mut Context<'_>) -> Result<bool, Ending> {
        match self.writer.poll_write(cx, &mut self.io) {
            Poll::Ready(Ok(true)) => {
                self.write_moved = Instant::now();
                self.travelled = self.write_moved;
                Ok(true)
            }
            Poll::Ready(Ok(false)) | Poll::Pending => Ok(false),
            Poll::Ready(Err(error)) => Err(Ending::Broken(error)),
        }
    }

    /// Takes in frames until one has something to hand up, or nothing more is there.
    fn read(&mut self, cx: &mut Context<'_>) -> Result<bool, Ending> {
        let mut moved = false;
        while self.upward.is_empty() {
            if let Some(frame) = self.reader.next()? {
                let frame = Frame::decode(frame)?;
                self.frame_began = None;
                self.received(frame)?;
                moved = true;
                continue;
            }
            match self.reader.poll_read(cx, &mut self.io)? {
                Poll::Ready(true) => {
                    self.travelled = Instant::now();
                    moved = true;
                }
                Poll::Ready(false) => return Err(Ending::Left),
                Poll::Pending => break,
            }
        }
        // The time a frame may take does not run while we are the ones who do not read.
        if self.reader.is_inside() && self.upward.is_empty() {
            self.frame_began.get_or_insert_with(Instant::now);
        } else {
            self.frame_began = None;
        }
        Ok(moved)
    }

    fn received(&mut self, Frame { kind, sequence, body }: Frame) -> Result<(), Ending> {
        let About { peer, stream, .. } = self.about;
        self.inbound.received(kind, sequence)?;
        match kind {
            FrameKind::Ack => {
                for request in self.outbound.acknowledged(&Ack::decode(&body)?)? {
                    self.upward.push(Event::Sent { request, peer });
                }
            }
            FrameKind::Nack => {
                let nack = Nack::decode(&body)?;
                if let Some(request) = self.outbound.refused(nack)? {
                    self.upward.push(Event::Refused { request, peer, code: nack.code });
                }
            }
            FrameKind::Hello | FrameKind::Payload | FrameKind::Knock | FrameKind::Prekeys | FrameKind::Chain => {
                let delivery = Delivery { peer, stream, sequence };
                self.upward.push(Event::Received { delivery, peer, kind, body });
            }
        }
        Ok(())
    }

    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> Poll<Ending> {
        let now = Instant::now();
        let (due, ending) = self.next_deadline();
        if due <= now {
            return Poll::Ready(ending);
        }
        // Deadlines mostly move away: the alarm is only set anew when it would ring too late, or has rung.
        if self.alarm.is_elapsed() || due < self.alarm.deadline() {
            self.alarm.as_mut().reset(due);
        }
        while self.alarm.as_mut().poll(cx).is_ready() {
            self.alarm.as_mut().reset(due);
        }
        Poll::Pending
    }

    fn next_deadline(&self) -> (Instant, Ending) {
        let Deadlines { first_frame, frame, write, acknowledgement, idle_stream, close, .. } = self.deadlines;
        let awaits_first = self.about.role == Role::Listener && !self.inbound.has_received();
        let reads = self.upward.is_empty();
        [
            (awaits_first && reads).then(|| (self.began + first_frame, Ending::Late("the first frame"))),
            self.frame_began.map(|began| (began + frame, Ending::Late("a frame"))),
            (!self.writer.is_idle()).then(|| (self.write_moved + write, Ending::Late("a write"))),
            self.outbound
                .oldest()
                .filter(|_| reads)
                .map(|oldest| (oldest + acknowledgement, Ending::Late("an acknowledgement"))),
            self.closing.map(|since| (since + close, Ending::Closed)),
        ]
        .into_iter()
        .flatten()
        .fold(
            (self.travelled + idle_stream, Ending::Idle),
            |first, next| {
                if next.0 < first.0 { next } else { first }
            },
        )
    }
}

/// Closes in good order where there is one: the connection may be closed right after, and would take with it what the
/// other side has not read, so its own end is waited for.
async fn close(io: &mut (impl AsyncRead + AsyncWrite + Unpin), ending: &Ending) {
    if !matches!(ending, Ending::Closed | Ending::Left | Ending::Idle) || io.close().await.is_err() {
        return;
    }
    let mut unread = [0; 1_024];
    while matches!(ending, Ending::Closed) && io.read(&mut unread).await.is_ok_and(|read| read > 0) {}
}
