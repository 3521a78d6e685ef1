//! The protocols of questions and answers: `/kinfolk/mailbox/1` (docs/protocol/07-mailbox.md) and `/kinfolk/ledger/1`
//! (docs/protocol/11-ledger.md). A substream carries any number of questions, one behind the other, and their answers in
//! the same order.
//!
//! | file | what it holds |
//! |---|---|
//! | [`behaviour`] | opens and takes substreams inside the swarm |
//! | [`hearings`] | the connections on which somebody asks this node: a task for each, and the way to it |
//! | [`hearing`] | that task: what is read, waits, and is answered; every bound and every deadline |
//! | [`visits`] | our own questions: which visit performs which, and how many there are |
//! | [`visit`] | one visit, under an identity that is made for it and thrown away |
//! | [`asking`] | its substream |
//!
//! **Two swarms.** Others are answered in the node's own swarm, which asks nothing. What this node asks, it asks as
//! nobody in particular: from a swarm that has a fresh key, a socket of its own and no other protocol. Whoever is asked
//! and also knows this node sees two strangers.
//!
//! **Past the swarm.** A substream, once it is open, belongs to a task, which reads and writes it by itself: a question
//! goes from there straight to the driver, and wakes neither the swarm nor its many behaviours.
//!
//! What a body says is not looked at here, but for the first byte of a question to a mailbox: deposits are counted.

mod asking;
mod behaviour;
mod hearing;
mod hearings;
mod visit;
mod visits;
#[cfg(test)]
mod wire;

use std::time::Duration;

use kinfolk_wire::{ledger, mailbox};

use crate::command::{AskId, InquiryId, RequestId};
use crate::config::{Deadlines, Limits};
use crate::event::{AskFailure, Event};

pub(crate) use behaviour::{Behaviour, Outcome};
pub(crate) use hearings::Hearings;
pub(crate) use visits::{Ask, Visits};

/// A question of somebody's, among all that this node is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Number {
    /// The task of the connection on which it came.
    hearing: u32,
    /// Which question of that. Only a few are in hand at a time, so none is taken for another when it comes around.
    question: u32,
}

impl From<Number> for u64 {
    fn from(Number { hearing, question }: Number) -> Self {
        Self::from(hearing) << 32 | Self::from(question)
    }
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        let [a, b, c, d, e, f, g, h] = number.to_be_bytes();
        Self { hearing: u32::from_be_bytes([a, b, c, d]), question: u32::from_be_bytes([e, f, g, h]) }
    }
}

/// Whom a question is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum To {
    /// A node that keeps what is for those who are away.
    Mailbox,
    /// A node that votes on the entries of a ledger.
    Witness,
}

impl To {
    const fn protocol(self) -> &'static str {
        match self {
            Self::Mailbox => mailbox::PROTOCOL,
            Self::Witness => ledger::PROTOCOL,
        }
    }

    /// Bytes of the longest question.
    pub(crate) const fn question(self) -> usize {
        match self {
            Self::Mailbox => mailbox::REQUEST,
            Self::Witness => ledger::MESSAGE,
        }
    }

    /// Bytes of the longest answer.
    const fn answer(self) -> usize {
        match self {
            Self::Mailbox => mailbox::REPLY,
            Self::Witness => ledger::MESSAGE,
        }
    }

    /// Questions of one connection that are being read, wait or are being answered.
    ///
    /// Who asks a mailbox asks one thing after the other. Who asks a witness has entries of an account to hand in while
    /// the next is voted on; at all places of all connections, full of the longest questions, that is 192 MiB.
    const fn heard_at_once(self) -> usize {
        match self {
            Self::Mailbox => 4,
            Self::Witness => 16,
        }
    }

    /// Questions of ours on one connection. Fewer than are heard, because a place there is free only a moment after
    /// its answer is here.
    const fn asked_at_once(self) -> usize {
        match self {
            Self::Mailbox => 1,
            Self::Witness => 8,
        }
    }

    /// Questions of ours under way, on all connections together. A payment asks up to 31 witnesses at a time.
    const fn under_way(self) -> usize {
        match self {
            Self::Mailbox => 8,
            Self::Witness => 256,
        }
    }

    /// Connections that wait for more of their group. With 31 witnesses, those of two accounts.
    const fn lingering(self) -> usize {
        match self {
            Self::Mailbox => 8,
            Self::Witness => 64,
        }
    }

    /// How long they wait: a host serves many with few places; of a witness the next payment is asked soon.
    const fn linger(self, deadlines: &Deadlines) -> Duration {
        match self {
            Self::Mailbox => deadlines.linger,
            Self::Witness => deadlines.stay,
        }
    }

    /// How long a question of ours may take, from the dial to the last byte of its answer.
    const fn patience(self, deadlines: &Deadlines) -> Duration {
        match self {
            Self::Mailbox => deadlines.visit,
            Self::Witness => deadlines.inquiry,
        }
    }

    /// Questions of others in hand, on all connections together.
    const fn in_hand(self, limits: &Limits) -> usize {
        match self {
            Self::Mailbox => limits.asks,
            Self::Witness => limits.inquiries,
        }
    }

    /// Questions of ours that may wait.
    const fn queued(self, limits: &Limits) -> usize {
        match self {
            Self::Mailbox => limits.queued_asks,
            Self::Witness => limits.queued_inquiries,
        }
    }

    /// Somebody has asked.
    const fn asked(self, number: u64, body: Vec<u8>) -> Event {
        match self {
            Self::Mailbox => Event::Asked { ask: AskId(number), body },
            Self::Witness => Event::Inquiry { inquiry: InquiryId(number), body },
        }
    }

    /// What became of a question of ours.
    fn told(self, request: RequestId, outcome: Result<Vec<u8>, AskFailure>) -> Event {
        match (self, outcome) {
            (Self::Mailbox, Ok(body)) => Event::Answered { request, body },
            (Self::Mailbox, Err(reason)) => Event::Unanswered { request, reason },
            (Self::Witness, Ok(body)) => Event::Replied { request, body },
            (Self::Witness, Err(reason)) => Event::Unreplied { request, reason },
        }
    }
}
