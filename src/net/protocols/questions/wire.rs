//! A stream without a network, for tests: what was put in is read, what is written is kept, and each write is counted.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use futures::io::{AsyncRead, AsyncWrite};

/// One end; clones are the same end.
#[derive(Debug, Clone, Default)]
pub(super) struct Wire(Arc<Mutex<Ends>>);

#[derive(Debug, Default)]
pub(super) struct Ends {
    pub(super) incoming: VecDeque<u8>,
    /// Nothing more comes in.
    pub(super) is_over: bool,
    /// How much is taken out; nothing is any more where this is zero.
    pub(super) takes: Option<usize>,
    pub(super) outgoing: Vec<u8>,
    pub(super) writes: usize,
    pub(super) flushes: usize,
    pub(super) is_closed: bool,
}

impl Wire {
    pub(super) fn ends(&self) -> MutexGuard<'_, Ends> {
        self.0.lock().unwrap()
    }

    /// Writes and flushes so far.
    pub(super) fn moves(&self) -> (usize, usize) {
        let ends = self.ends();
        (ends.writes, ends.flushes)
    }

    /// Puts bodies in, each behind its length.
    pub(super) fn says(&self, bodies: &[&[u8]]) {
        for body in bodies {
            let length = u32::try_from(body.len()).unwrap();
            self.ends().incoming.extend(length.to_be_bytes().iter().chain(*body));
        }
    }

    /// The bodies that were written since the last time.
    pub(super) fn heard(&self) -> Vec<Vec<u8>> {
        let mut bytes = std::mem::take(&mut self.ends().outgoing);
        let mut bodies = Vec::new();
        while let Some(prefix) = bytes.first_chunk::<4>() {
            let length = usize::try_from(u32::from_be_bytes(*prefix)).unwrap();
            bodies.push(bytes.drain(..4 + length).skip(4).collect());
        }
        assert!(bytes.is_empty());
        bodies
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut ends = self.ends();
        if ends.incoming.is_empty() {
            return if ends.is_over { Poll::Ready(Ok(0)) } else { Poll::Pending };
        }
        let read = room.len().min(ends.incoming.len());
        for (place, byte) in room.iter_mut().zip(ends.incoming.drain(..read)) {
            *place = byte;
        }
        Poll::Ready(Ok(read))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut ends = self.ends();
        let written = ends.takes.unwrap_or(usize::MAX).min(bytes.len());
        if written == 0 {
            return Poll::Pending;
        }
        ends.takes = ends.takes.map(|takes| takes - written);
        ends.writes += 1;
        ends.outgoing.extend_from_slice(&bytes[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.ends().flushes += 1;
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.ends().is_closed = true;
        Poll::Ready(Ok(()))
    }
}
