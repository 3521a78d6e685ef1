//! The protocols of one question and one answer, each pair on a substream of its own: `/kinfolk/mailbox/1`
//! (docs/protocol/07-mailbox.md) and `/kinfolk/ledger/1` (docs/protocol/11-ledger.md).
//!
//! | file | what it holds |
//! |---|---|
//! | [`codec`] | a length of four bytes, then the bytes; limits before memory |
//! | [`desk`] | the questions of others that wait for their answers; no I/O, no clock of its own |
//! | [`visits`] | our own questions: which visit performs which, and how many there are |
//! | [`visit`] | one visit, under an identity that is made for it and thrown away |
//!
//! **Two swarms.** Others are answered in the node's own swarm, which asks nothing. What this node asks, it asks as
//! nobody in particular: from a swarm that has a fresh key, a socket of its own and no other protocol. Whoever is asked
//! and also knows this node sees two strangers.
//!
//! What a body says is not looked at here, but for the first byte of a question to a mailbox: deposits are counted.

mod codec;
mod desk;
mod visit;
mod visits;

use std::time::Duration;

use kinfolk_wire::{ledger, mailbox};
use libp2p::StreamProtocol;
use libp2p::request_response::{self, ProtocolSupport};

use crate::command::{AskId, InquiryId, RequestId};
use crate::config::{Deadlines, Limits};
use crate::event::{AskFailure, Event};
use crate::filtered::Filtered;

pub(crate) use codec::Codec;
pub(crate) use desk::{Desk, Taken};
pub(crate) use visits::{Ask, Visits};

pub(crate) type Questions = request_response::Behaviour<Codec>;
/// Where the answer to a question goes.
pub(crate) type Channel = request_response::ResponseChannel<Vec<u8>>;

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

/// The part of the node's own swarm: it answers, and has no address to offer for a dial.
pub(crate) fn answering(to: To, deadlines: &Deadlines) -> Filtered<Questions> {
    let whole = deadlines.frame + deadlines.answer + deadlines.write;
    Filtered::new(questions(to, deadlines, ProtocolSupport::Inbound, whole, to.heard_at_once()), |_| false)
}

/// All that the swarm of a visit speaks.
fn asking(to: To, deadlines: &Deadlines) -> Questions {
    questions(to, deadlines, ProtocolSupport::Outbound, to.patience(deadlines), to.asked_at_once())
}

fn questions(to: To, deadlines: &Deadlines, support: ProtocolSupport, whole: Duration, at_once: usize) -> Questions {
    let config = request_response::Config::default().with_request_timeout(whole).with_max_concurrent_streams(at_once);
    let protocol = (StreamProtocol::new(to.protocol()), support);
    request_response::Behaviour::with_codec(Codec::new(to, deadlines.frame), [protocol], config)
}
