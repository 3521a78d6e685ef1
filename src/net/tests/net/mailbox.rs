//! Questions to mailboxes: asked as nobody in particular, answered by whoever is asked, bounded on both sides.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use kinfolk_net::{AskFailure, AskId, Command, Event, RequestId};
use kinfolk_wire::invite::Address;
use kinfolk_wire::mailbox::{PROTOCOL, REPLY, REQUEST, Refused, Reply};
use libp2p::{PeerId, Stream, StreamProtocol};

use crate::raw::{Raw, ended, write};
use crate::support::{BOTH, Node, Over, PATIENCE, address, seed};

/// Long for a machine, short for a person.
const SHORT: Duration = Duration::from_millis(300);

impl Node {
    fn ask_at(&mut self, host: kinfolk_wire::ids::PeerId, at: Vec<Address>, body: &[u8], group: u64) -> RequestId {
        let request = self.request();
        self.command(Command::Ask { request, host, addresses: at, body: body.to_vec(), group });
        request
    }

    fn ask(&mut self, host: &Self, body: &[u8], group: u64) -> RequestId {
        self.ask_at(host.peer, vec![host.address.clone()], body, group)
    }

    fn ask_raw(&mut self, host: &Raw, body: &[u8], group: u64) -> RequestId {
        self.ask_at(host.peer, vec![address(&host.address.to_string())], body, group)
    }

    async fn asked(&mut self) -> (AskId, Vec<u8>) {
        self.until("to be asked", |event| match event {
            Event::Asked { ask, body } => Some((ask, body)),
            Event::Connected { .. } => panic!("whoever asks opens no other stream"),
            _ => None,
        })
        .await
    }

    /// What became of a question.
    async fn told(&mut self, of: RequestId) -> Result<Vec<u8>, AskFailure> {
        self.until("an answer", |event| match event {
            Event::Answered { request, body } if request == of => Some(Ok(body)),
            Event::Unanswered { request, reason } if request == of => Some(Err(reason)),
            _ => None,
        })
        .await
    }
}

/// A host that records who comes, and says whatever bytes it is told to.
struct Host {
    raw: Raw,
    questions: libp2p_stream::IncomingStreams,
}

impl Host {
    async fn start(number: u8) -> Self {
        let raw = Raw::start(number).await;
        let questions = raw.questions();
        Self { raw, questions }
    }

    /// Whoever asks next, and what; the stream is left open for the answer.
    async fn asked(&mut self) -> (PeerId, Stream, Vec<u8>) {
        let (peer, mut stream) = tokio::time::timeout(PATIENCE, self.questions.next()).await.unwrap().unwrap();
        let body = read(&mut stream).await.unwrap();
        (peer, stream, body)
    }

    /// Answers the next question; says who asked.
    async fn answer(&mut self, body: &[u8]) -> PeerId {
        let (peer, mut stream, _) = self.asked().await;
        assert!(write(&mut stream, &framed(body)).await);
        stream.close().await.ok();
        peer
    }
}

fn framed(body: &[u8]) -> Vec<u8> {
    [&u32::try_from(body.len()).unwrap().to_be_bytes(), body].concat()
}

async fn read(stream: &mut Stream) -> Option<Vec<u8>> {
    let reading = async {
        let mut prefix = [0; 4];
        stream.read_exact(&mut prefix).await.ok()?;
        let mut body = vec![0; u32::from_be_bytes(prefix) as usize];
        stream.read_exact(&mut body).await.ok()?;
        Some(body)
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("nothing came")
}

impl Raw {
    fn questions(&self) -> libp2p_stream::IncomingStreams {
        self.control().accept(StreamProtocol::new(PROTOCOL)).unwrap()
    }

    /// A stream for one question, if one is to be had.
    async fn question(&self, node: &Node) -> Option<Stream> {
        let peer = PeerId::from_bytes(node.peer.as_bytes()).unwrap();
        self.control().open_stream(peer, StreamProtocol::new(PROTOCOL)).await.ok()
    }

    /// Asks, and says what comes back; nothing where the stream is closed.
    async fn ask(&self, node: &Node, body: &[u8]) -> Option<Vec<u8>> {
        let mut stream = self.question(node).await?;
        if !write(&mut stream, &framed(body)).await {
            return None;
        }
        read(&mut stream).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_and_its_answer_arrive_whole_over_both_transports() {
    for over in BOTH {
        let (mut host, mut node) = (Node::start(seed(1), over).await, Node::start(seed(2), over).await);
        for (length, reply) in [(1, 0), (500, 6), (REQUEST, REPLY)] {
            let (body, reply) = (vec![2; length], vec![9; reply]);
            let request = node.ask(&host, &body, 1);
            let (ask, heard) = host.asked().await;
            assert_eq!(heard, body);
            host.command(Command::Answer { ask, body: reply.clone() });
            assert_eq!(node.told(request).await, Ok(reply));
        }
    }
}
