//! The way up: events that wait, in order, for a place in the bounded channel to the driver.
//!
//! The actor and every stream have one each. Whoever holds it stops taking in more while it is not empty; so what it
//! holds is what one turn brought. A place that is being waited for is kept over turns, so that nobody is overtaken for
//! ever.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::{SendError, TrySendError};

use crate::event::Event;

type Place = Pin<Box<dyn Future<Output = Result<mpsc::OwnedPermit<Event>, SendError<()>>> + Send>>;

/// The driver no longer listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NobodyListens;

/// Events on their way up.
pub(crate) struct Upward {
    events: mpsc::Sender<Event>,
    waiting: VecDeque<Event>,
    place: Option<Place>,
}

impl Upward {
    pub(crate) fn new(events: mpsc::Sender<Event>) -> Self {
        Self { events, waiting: VecDeque::new(), place: None }
    }

    pub(crate) fn push(&mut self, event: Event) {
        self.waiting.push_back(event);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Another way up to the same driver.
    pub(crate) fn sender(&self) -> mpsc::Sender<Event> {
        self.events.clone()
    }

    /// Hands up all that waits; ready when nothing waits any more.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), NobodyListens>> {
        while !self.waiting.is_empty() {
            let mut place = match self.place.take() {
                Some(place) => place,
                None => match self.events.try_reserve() {
                    Ok(permit) => {
                        if let Some(event) = self.waiting.pop_front() {
                            permit.send(event);
                        }
                        continue;
                    }
                    Err(TrySendError::Full(())) => Box::pin(self.events.clone().reserve_owned()),
                    Err(TrySendError::Closed(())) => return Poll::Ready(Err(NobodyListens)),
                },
            };
            match place.as_mut().poll(cx) {
                Poll::Ready(Ok(permit)) => {
                    if let Some(event) = self.waiting.pop_front() {
                        permit.send(event);
                    }
                }
                Poll::Ready(Err(_)) => return Poll::Ready(Err(NobodyListens)),
                Poll::Pending => {
                    self.place = Some(place);
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Waits until everything is handed up; `false` if nobody listens any more.
    pub(crate) async fn drain(&mut self) -> bool {
        std::future::poll_fn(|cx| self.poll(cx)).await.is_ok()
    }
}
