//! What the driver asks of the network, and the way in.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kinfolk_wire::direct::{FrameKind, NackCode};
use kinfolk_wire::ids::{PeerId, RecordKey};
use kinfolk_wire::invite::Address;
use tokio::sync::{Notify, mpsc};

use crate::protocols::questions::To;

/// Names one request; the caller chooses it and the outcome repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// Names one received frame, so that it can be answered. One answer each; a second one, or one for a stream that is
/// gone, is passed over: the other side sends again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Delivery {
    /// Who sent it.
    pub peer: PeerId,
    /// The stream it came on; a number of this run of the node.
    pub stream: u64,
    /// The frame's own number.
    pub sequence: u64,
}

/// Names one question that somebody asked this node as a mailbox, so that it can be answered; a number of this run of
/// the node. One answer each; a second one, or one that comes too late, is passed over: the other side asks again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(pub u64);

/// The same for a question that somebody asked this node as a witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InquiryId(pub u64);

/// Names one gossiped message, so that it can be judged; a number of this run of the node. One verdict each, within five
/// seconds; a second one, or one that comes too late, is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GossipId(pub u64);

/// What gossip is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic(String);

impl Topic {
    /// Bytes of the longest.
    pub const LONGEST: usize = 128;
    const PREFIX: &'static str = "/kinfolk/gossip/1/";

    /// A topic of this name: lower-case letters, digits, `-` and `/`, so that it is at most [`Self::LONGEST`] bytes with
    /// what is put before it.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        Self::read(&format!("{}{name}", Self::PREFIX))
    }

    /// A topic as it is on the wire.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let name = text.strip_prefix(Self::PREFIX)?;
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'/');
        let fits = !name.is_empty() && text.len() <= Self::LONGEST && name.bytes().all(is_plain);
        fits.then(|| Self(text.to_owned()))
    }

    /// As it is on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What becomes of a gossiped message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Others are to hear it.
    Accept,
    /// It is of no use, and nobody's fault.
    Ignore,
    /// It is what nobody may say: it counts against who brought it.
    Reject,
}

/// What the driver asks.
#[derive(Clone, PartialEq, Eq)]
pub enum Command {
    /// Reach a node at addresses that a contact, an invite or the person themselves vouches for, so that private and
    /// loopback ones are dialled too. Ends in [`Event::Connected`](crate::Event::Connected) or
    /// [`Event::DialFailed`](crate::Event::DialFailed).
    Dial {
        /// Repeated by a failure.
        request: RequestId,
        /// Who must answer there.
        peer: PeerId,
        /// At most [`limits::ADDRESSES`](kinfolk_wire::limits::ADDRESSES); what is over is not tried.
        addresses: Vec<Address>,
    },
    /// Send one frame on the stream to a connected node. Ends in [`Event::Sent`](crate::Event::Sent),
    /// [`Event::Refused`](crate::Event::Refused) or [`Event::Lost`](crate::Event::Lost).
    Send {
        /// Repeated by the outcome.
        request: RequestId,
        /// To whom.
        peer: PeerId,
        /// Any kind but `Ack` and `Nack`.
        kind: FrameKind,
        /// At most [`limits::FRAME`](kinfolk_wire::limits::FRAME) bytes less the frame's head.
        body: Vec<u8>,
    },
    /// What this frame brought is committed and synced.
    Acknowledge {
        /// Which.
        delivery: Delivery,
    },
    /// This frame is not taken.
    Refuse {
        /// Which.
        delivery: Delivery,
        /// Why.
        code: NackCode,
    },
    /// Ask a mailbox host at addresses that somebody vouches for, as nobody in particular: under a network identity that
    /// is made for it and thrown away. Ends in [`Event::Answered`](crate::Event::Answered) or
    /// [`Event::Unanswered`](crate::Event::Unanswered).
    Ask {
        /// Repeated by the outcome.
        request: RequestId,
        /// Who must answer there.
        host: PeerId,
        /// At most [`limits::ADDRESSES`](kinfolk_wire::limits::ADDRESSES); what is over is not tried.
        addresses: Vec<Address>,
        /// At most [`mailbox::REQUEST`](kinfolk_wire::mailbox::REQUEST) bytes.
        body: Vec<u8>,
        /// What the host may see on one connection. Questions of one group to one host may share an identity, of two
        /// groups never.
        group: u64,
    },
    /// Answer a question that somebody asked this node as a mailbox.
    Answer {
        /// Which.
        ask: AskId,
        /// At most [`mailbox::REPLY`](kinfolk_wire::mailbox::REPLY) bytes.
        body: Vec<u8>,
    },
    /// Ask a witness, in the same way. Several questions of one group may be under way at a time, and what was asked later
    /// may be heard earlier. Ends in [`Event::Replied`](crate::Event::Replied) or
    /// [`Event::Unreplied`](crate::Event::Unreplied).
    Inquire {
        /// Repeated by the outcome.
        request: RequestId,
        /// Who must answer there.
        host: PeerId,
        /// At most [`limits::ADDRESSES`](kinfolk_wire::limits::ADDRESSES); what is over is not tried.
        addresses: Vec<Address>,
        /// What the witness may see on one connection, as with [`Command::Ask`].
        group: u64,
        /// At most [`ledger::MESSAGE`](kinfolk_wire::ledger::MESSAGE) bytes.
        body: Vec<u8>,
    },
    /// Answer a question that somebody asked this node as a witness.
    Reply {
        /// Which.
        inquiry: InquiryId,
        /// At most [`ledger::MESSAGE`](kinfolk_wire::ledger::MESSAGE) bytes.
        body: Vec<u8>,
    },
    /// This node is a contact's device, or no longer one. Contacts may have this node relay for them, are asked to
    /// relay for it, and may try to reach it through a router from both sides at once.
    Contact {
        /// Which node.
        peer: PeerId,
        /// Whether it is one.
        is_one: bool,
    },
    /// Put a value into the distributed hash table. Ends in [`Event::Published`](crate::Event::Published).
    Publish {
        /// Repeated by the outcome.
        request: RequestId,
        /// Under which key.
        key: RecordKey,
        /// One of [`SIZES`](kinfolk_wire::address_record::SIZES) bytes; others keep nothing else.
        value: Vec<u8>,
        /// For how long.
        lifetime: Duration,
    },
    /// Look for what lies in the distributed hash table. Ends in [`Event::Found`](crate::Event::Found).
    Find {
        /// Repeated by the outcome.
        request: RequestId,
        /// Under which key.
        key: RecordKey,
    },
    /// A contact is this node: where it serves the distributed hash table, it is one to begin with.
    Introduce {
        /// Which.
        peer: PeerId,
        /// Where it says it is; at most [`limits::ADDRESSES`](kinfolk_wire::limits::ADDRESSES).
        addresses: Vec<Address>,
    },
    /// Hear what is gossiped about a topic, or no longer.
    Follow {
        /// Which.
        topic: Topic,
        /// Whether to hear it.
        follows: bool,
    },
    /// Tell everybody who follows a topic. A hint, which may be lost.
    Gossip {
        /// Which.
        topic: Topic,
        /// At most 8 KiB.
        message: Vec<u8>,
    },
    /// Judge what was heard ([`Event::Gossiped`](crate::Event::Gossiped)); until then nobody hears it from this node.
    Judge {
        /// Which.
        gossip: GossipId,
        /// What becomes of it.
        verdict: Verdict,
    },
    /// Close the stream and every connection to a node; answers given before this one still leave.
    Disconnect {
        /// To whom.
        peer: PeerId,
    },
    /// Close everything and end the task.
    Shutdown,
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dial { request, peer, addresses } => f
                .debug_struct("Dial")
                .field("request", request)
                .field("peer", peer)
                .field("addresses", &addresses.len())
                .finish(),
            Self::Send { request, peer, kind, body } => f
                .debug_struct("Send")
                .field("request", request)
                .field("peer", peer)
                .field("kind", kind)
                .field("bytes", &body.len())
                .finish(),
            Self::Acknowledge { delivery } => f.debug_struct("Acknowledge").field("delivery", delivery).finish(),
            Self::Refuse { delivery, code } => {
                f.debug_struct("Refuse").field("delivery", delivery).field("code", code).finish()
            }
            Self::Ask { request, host, addresses, body, group } => f
                .debug_struct("Ask")
                .field("request", request)
                .field("host", host)
                .field("addresses", &addresses.len())
                .field("bytes", &body.len())
                .field("group", group)
                .finish(),
            Self::Answer { ask, body } => {
                f.debug_struct("Answer").field("ask", ask).field("bytes", &body.len()).finish()
            }
            Self::Inquire { request, host, addresses, group, body } => f
                .debug_struct("Inquire")
                .field("request", request)
                .field("host", host)
                .field("addresses", &addresses.len())
                .field("group", group)
                .field("bytes", &body.len())
                .finish(),
            Self::Reply { inquiry, body } => {
                f.debug_struct("Reply").field("inquiry", inquiry).field("bytes", &body.len()).finish()
            }
            Self::Contact { peer, is_one } => {
                f.debug_struct("Contact").field("peer", peer).field("is_one", is_one).finish()
            }
            Self::Publish { request, value, .. } => {
                f.debug_struct("Publish").field("request", request).field("bytes", &value.len()).finish()
            }
            Self::Find { request, .. } => f.debug_struct("Find").field("request", request).finish(),
            Self::Introduce { peer, addresses } => {
                f.debug_struct("Introduce").field("peer", peer).field("addresses", &addresses.len()).finish()
            }
            Self::Follow { topic, follows } => {
                f.debug_struct("Follow").field("topic", topic).field("follows", follows).finish()
            }
            Self::Gossip { topic, message } => {
                f.debug_struct("Gossip").field("topic", topic).field("bytes", &message.len()).finish()
            }
            Self::Judge { gossip, verdict } => {
                f.debug_struct("Judge").field("gossip", gossip).field("verdict", verdict).finish()
            }
            Self::Disconnect { peer } => f.debug_struct("Disconnect").field("peer", peer).finish(),
            Self::Shutdown => f.write_str("Shutdown"),
        }
    }
}

/// Why a command was not taken. It is given back, so nothing is lost.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The network is behind; leave the row due and try again after its next events.
    #[error("the network is busy; the command was not taken")]
    Full(Command),
    /// The network has stopped.
    #[error("the network has stopped")]
    Stopped(Command),
}

/// The way in: a lane for what is to be sent, two for answers, which never wait behind it, and a bell for the end.
#[derive(Debug, Clone)]
pub struct CommandSender {
    work: mpsc::Sender<Command>,
    answers: mpsc::Sender<Answer>,
    replies: mpsc::Sender<Said>,
    shutdown: Arc<Notify>,
}

/// What the driver says about a frame it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) delivery: Delivery,
    /// `None`: taken.
    pub(crate) refusal: Option<NackCode>,
}

/// What the driver says to somebody who asked this node.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said {
    /// As what it was asked.
    pub(crate) to: To,
    /// Which of those questions.
    pub(crate) number: u64,
    pub(crate) body: Vec<u8>,
}

/// The network's ends of the lanes.
pub(crate) struct CommandReceiver {
    pub(crate) work: mpsc::Receiver<Command>,
    pub(crate) answers: mpsc::Receiver<Answer>,
    pub(crate) replies: mpsc::Receiver<Said>,
    pub(crate) shutdown: Arc<Notify>,
}

/// Makes the lanes; capacities are counts of commands.
pub(crate) fn lanes(work: usize, answers: usize, replies: usize) -> (CommandSender, CommandReceiver) {
    let (work_tx, work_rx) = mpsc::channel(work);
    let (answers_tx, answers_rx) = mpsc::channel(answers);
    let (replies_tx, replies_rx) = mpsc::channel(replies);
    let shutdown = Arc::new(Notify::new());
    (
        CommandSender { work: work_tx, answers: answers_tx, replies: replies_tx, shutdown: Arc::clone(&shutdown) },
        CommandReceiver { work: work_rx, answers: answers_rx, replies: replies_rx, shutdown },
    )
}

impl CommandSender {
    /// Hands a command over; never waits. There is always room for an answer to each frame and each question that was
    /// delivered, and for [`Command::Shutdown`].
    ///
    /// # Errors
    /// [`CommandError`], with the command.
    pub fn try_send(&self, command: Command) -> Result<(), CommandError> {
        match command {
            Command::Acknowledge { delivery } => self.answer(Answer { delivery, refusal: None }),
            Command::Refuse { delivery, code } => self.answer(Answer { delivery, refusal: Some(code) }),
            Command::Answer { ask, body } => self.say(Said { to: To::Mailbox, number: ask.0, body }),
            Command::Reply { inquiry, body } => self.say(Said { to: To::Witness, number: inquiry.0, body }),
            Command::Shutdown => {
                self.shutdown.notify_one();
                Ok(())
            }
            work @ (Command::Dial { .. }
            | Command::Send { .. }
            | Command::Ask { .. }
            | Command::Inquire { .. }
            | Command::Contact { .. }
            | Command::Publish { .. }
            | Command::Find { .. }
            | Command::Introduce { .. }
            | Command::Follow { .. }
            | Command::Gossip { .. }
            | Command::Judge { .. }
            | Command::Disconnect { .. }) => self.work.try_send(work).map_err(|error| match error {
                mpsc::error::TrySendError::Full(command) => CommandError::Full(command),
                mpsc::error::TrySendError::Closed(command) => CommandError::Stopped(command),
            }),
        }
    }

    fn say(&self, said: Said) -> Result<(), CommandError> {
        self.replies.try_send(said).map_err(|error| match error {
            mpsc::error::TrySendError::Full(said) => CommandError::Full(said.into()),
            mpsc::error::TrySendError::Closed(said) => CommandError::Stopped(said.into()),
        })
    }

    fn answer(&self, answer: Answer) -> Result<(), CommandError> {
        self.answers.try_send(answer).map_err(|error| match error {
            mpsc::error::TrySendError::Full(answer) => CommandError::Full(answer.into()),
            mpsc::error::TrySendError::Closed(answer) => CommandError::Stopped(answer.into()),
        })
    }
}

impl From<Answer> for Command {
    fn from(Answer { delivery, refusal }: Answer) -> Self {
        match refusal {
            None => Self::Acknowledge { delivery },
            Some(code) => Self::Refuse { delivery, code },
        }
    }
}

impl From<Said> for Command {
    fn from(Said { to, number, body }: Said) -> Self {
        match to {
            To::Mailbox => Self::Answer { ask: AskId(number), body },
            To::Witness => Self::Reply { inquiry: InquiryId(number), body },
        }
    }
}
