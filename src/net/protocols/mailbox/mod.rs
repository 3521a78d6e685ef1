//! `/kinfolk/mailbox/1` (docs/protocol/07-mailbox.md): one question and one answer on a substream of its own.
//!
//! | file | what it holds |
//! |---|---|
//! | [`codec`] | a length of four bytes, then the bytes; limits before memory |
//! | [`desk`] | the questions of others that wait for their answers; no I/O, no clock of its own |
//! | [`visits`] | our own questions: which visit performs which, and how many there are |
//! | [`visit`] | one visit to a host, under an identity that is made for it and thrown away |
//!
//! **Two swarms.** Others are answered in the node's own swarm, which asks nothing. What this node asks, it asks as
//! nobody in particular: from a swarm that has a fresh key, a socket of its own and no other protocol. A host that also
//! knows this node sees two strangers.
//!
//! What a body says is not looked at here, but for the first byte of a question: deposits are counted.

mod codec;
mod desk;
mod visit;
mod visits;

use kinfolk_wire::mailbox::PROTOCOL;
use libp2p::StreamProtocol;
use libp2p::request_response::{self, ProtocolSupport};

use crate::config::Deadlines;
use crate::filtered::Filtered;

pub(crate) use codec::Codec;
pub(crate) use desk::{Desk, Taken};
pub(crate) use visits::{Ask, Visits};

/// Questions of one connection that are being read, wait or are being answered.
const AT_ONCE: usize = 4;

pub(crate) type Questions = request_response::Behaviour<Codec>;
/// Where the answer to a question goes.
pub(crate) type Channel = request_response::ResponseChannel<Vec<u8>>;

/// The part of the node's own swarm: it answers, and has no address to offer for a dial.
pub(crate) fn answering(deadlines: &Deadlines) -> Filtered<Questions> {
    let whole = deadlines.frame + deadlines.answer + deadlines.write;
    Filtered::new(questions(deadlines, ProtocolSupport::Inbound, whole), |_| false)
}

/// All that the swarm of a visit speaks.
fn asking(deadlines: &Deadlines) -> Questions {
    questions(deadlines, ProtocolSupport::Outbound, deadlines.visit)
}

fn questions(deadlines: &Deadlines, support: ProtocolSupport, whole: std::time::Duration) -> Questions {
    let config = request_response::Config::default().with_request_timeout(whole).with_max_concurrent_streams(AT_ONCE);
    let protocol = (StreamProtocol::new(PROTOCOL), support);
    request_response::Behaviour::with_codec(Codec::new(deadlines.frame), [protocol], config)
}
