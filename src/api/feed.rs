//! Events without loss and without doubles.
//!
//! The log is the truth; a notice of a numbered event only says that there is more of it. So a feed subscribes first,
//! then reads the log after the last number it has given, and reads on whenever a notice names a higher one or says
//! that notices were missed. Events that are kept in no log are passed on as they come.

use std::collections::VecDeque;

use futures::Stream;
use kinfolk_engine::Event;
use kinfolk_engine::event::Notice;
use kinfolk_engine::query;
use kinfolk_node::{Handle, Stopped};
use kinfolk_rpc::event as rpc;
use tokio::sync::{broadcast, watch};

use crate::Room;
use crate::convert;

/// How many events are read from the log at once.
pub(crate) const PAGE: usize = 256;

/// The events after a number, as they happen.
pub(crate) struct Feed {
    node: Handle,
    notices: broadcast::Receiver<Notice>,
    closing: watch::Receiver<bool>,
    /// The number of the last event in `ready`, or given before.
    last: u64,
    /// Whether the log may hold more after `last`.
    behind: bool,
    /// An event that is kept in no log, before it is put in words.
    fleeting: Option<Event>,
    ready: VecDeque<rpc::Event>,
}

impl Feed {
    /// The events after number `since`, or from now.
    pub(crate) async fn open(room: &Room, since: Option<u64>) -> Result<Self, Stopped> {
        let notices = room.node().subscribe();
        let last = match since {
            Some(since) => since,
            // A log that cannot be read has given no number either.
            None => room.node().query(|read| query::last_event(read).unwrap_or_default()).await?,
        };
        Ok(Self {
            node: room.node().clone(),
            notices,
            closing: room.closing(),
            last,
            behind: since.is_some(),
            fleeting: None,
            ready: VecDeque::new(),
        })
    }

    /// The number after which the next numbered event comes, once all that is ready is taken.
    pub(crate) const fn last(&self) -> u64 {
        self.last
    }

    /// What can be had without waiting for something to happen.
    pub(crate) async fn at_once(&mut self) -> Vec<rpc::Event> {
        if self.ready.is_empty() && self.behind {
            self.catch_up().await;
        }
        self.ready.drain(..).collect()
    }

    /// The next event; nothing once the node or the door has stopped. May be dropped while it waits and called again:
    /// nothing is lost by that.
    pub(crate) async fn next(&mut self) -> Option<rpc::Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.behind {
                self.catch_up().await?;
            } else if let Some(event) = self.fleeting.clone() {
                let what = self.node.query(move |read| convert::event::what(read, &event)).await.ok()?;
                self.fleeting = None;
                self.ready.extend(what.ok().flatten().map(|what| rpc::Event { seq: None, what }));
            } else {
                self.wait().await?;
            }
        }
    }

    async fn wait(&mut self) -> Option<()> {
        if *self.closing.borrow() {
            return None;
        }
        let notice = tokio::select! {
            notice = self.notices.recv() => notice,
            _ = self.closing.changed() => return None,
        };
        match notice {
            Ok(Notice { sequence: Some(sequence), .. }) => self.behind = sequence > self.last,
            Ok(Notice { sequence: None, event }) => self.fleeting = Some(event),
            Err(broadcast::error::RecvError::Lagged(_)) => self.behind = true,
            Err(broadcast::error::RecvError::Closed) => return None,
        }
        Some(())
    }

    /// Reads a page of the log. Changes nothing before it is there.
    async fn catch_up(&mut self) -> Option<()> {
        let since = self.last;
        match self.node.query(move |read| convert::event::page(read, since, PAGE)).await.ok()? {
            Ok(page) => {
                self.last = page.last;
                self.behind = page.more;
                self.ready.extend(page.events);
                Some(())
            }
            Err(error) => {
                tracing::warn!(%error, "the log of events cannot be read; a stream of them ends");
                None
            }
        }
    }

    /// The feed as a stream.
    pub(crate) fn into_stream(self) -> impl Stream<Item = Option<rpc::Event>> {
        futures::stream::unfold(self, |mut feed| async move {
            match tokio::time::timeout(PULSE, feed.next()).await {
                Ok(Some(event)) => Some((Some(event), feed)),
                Ok(None) => None,
                Err(_) => Some((None, feed)),
            }
        })
    }
}

/// How often a stream shows that it is alive.
const PULSE: std::time::Duration = std::time::Duration::from_secs(15);
