//! What the tests of mailboxes and of witnesses have in common: how a node asks and is asked, a host that is not ours, and
//! questions in raw bytes.

use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{AsyncReadExt, AsyncWriteExt, FutureExt, StreamExt};
use kinfolk_net::{AskFailure, AskId, Command, Event, InquiryId, RequestId};
use kinfolk_wire::invite::Address;
use libp2p::{PeerId, Stream, StreamProtocol};

use crate::raw::{Raw, write};
use crate::support::{Node, PATIENCE, address};

/// Long for a machine, short for a person.
pub(crate) const SHORT: Duration = Duration::from_millis(300);

/// Who can be asked, and where.
pub(crate) trait Place {
    fn place(&self) -> (kinfolk_wire::ids::PeerId, Vec<Address>);
}

impl Place for (kinfolk_wire::ids::PeerId, Vec<Address>) {
    fn place(&self) -> Self {
        self.clone()
    }
}

impl Place for Node {
    fn place(&self) -> (kinfolk_wire::ids::PeerId, Vec<Address>) {
        (self.peer, vec![self.address.clone()])
    }
}

impl Place for Host {
    fn place(&self) -> (kinfolk_wire::ids::PeerId, Vec<Address>) {
        (self.raw.peer, vec![address(&self.raw.address.to_string())])
    }
}

impl Node {
    /// Asks a mailbox.
    pub(crate) fn ask(&mut self, host: &impl Place, body: &[u8], group: u64) -> RequestId {
        let (request, (host, addresses)) = (self.request(), host.place());
        self.command(Command::Ask { request, host, addresses, body: body.to_vec(), group });
        request
    }

    /// Asks a witness.
    pub(crate) fn inquire(&mut self, witness: &impl Place, body: &[u8], group: u64) -> RequestId {
        let (request, (host, addresses)) = (self.request(), witness.place());
        self.command(Command::Inquire { request, host, addresses, group, body: body.to_vec() });
        request
    }

    /// What became of a question.
    pub(crate) async fn told(&mut self, of: RequestId) -> Result<Vec<u8>, AskFailure> {
        self.until("an answer", |event| match event {
            Event::Answered { request, body } | Event::Replied { request, body } if request == of => Some(Ok(body)),
            Event::Unanswered { request, reason } | Event::Unreplied { request, reason } if request == of => {
                Some(Err(reason))
            }
            _ => None,
        })
        .await
    }

    /// What became of so many questions, in the order in which it was told.
    pub(crate) async fn all_told(&mut self, count: usize) -> Vec<(RequestId, Result<Vec<u8>, AskFailure>)> {
        let mut told = Vec::new();
        while told.len() < count {
            let next = self.until("an answer", |event| match event {
                Event::Answered { request, body } | Event::Replied { request, body } => Some((request, Ok(body))),
                Event::Unanswered { request, reason } | Event::Unreplied { request, reason } => {
                    Some((request, Err(reason)))
                }
                _ => None,
            });
            told.push(next.await);
        }
        told
    }

    /// The next question to this node as a mailbox.
    pub(crate) async fn asked(&mut self) -> (AskId, Vec<u8>) {
        self.until("to be asked", |event| match event {
            Event::Asked { ask, body } => Some((ask, body)),
            Event::Connected { .. } | Event::Inquiry { .. } => panic!("{event:?}"),
            _ => None,
        })
        .await
    }

    /// The next question to this node as a witness.
    pub(crate) async fn inquiry(&mut self) -> (InquiryId, Vec<u8>) {
        self.until("to be asked as a witness", |event| match event {
            Event::Inquiry { inquiry, body } => Some((inquiry, body)),
            Event::Connected { .. } | Event::Asked { .. } => panic!("{event:?}"),
            _ => None,
        })
        .await
    }

    /// The next so many, none of which is answered meanwhile.
    pub(crate) async fn inquiries(&mut self, count: usize) -> Vec<(InquiryId, Vec<u8>)> {
        let mut heard = Vec::new();
        while heard.len() < count {
            heard.push(self.inquiry().await);
        }
        heard
    }

    /// Nothing more is asked of this node as a witness for a moment.
    pub(crate) async fn is_left_alone(&mut self) {
        assert!(tokio::time::timeout(SHORT, self.inquiry()).await.is_err(), "another at a time");
    }

    pub(crate) fn answer(&self, ask: AskId, body: &[u8]) {
        self.command(Command::Answer { ask, body: body.to_vec() });
    }

    pub(crate) fn reply(&self, inquiry: InquiryId, body: &[u8]) {
        self.command(Command::Reply { inquiry, body: body.to_vec() });
    }
}

/// Somebody who asks, on a substream that is open, and what they asked; nothing where they left.
type Question = (PeerId, Stream, Option<Vec<u8>>);

/// A host that records who comes, and says whatever bytes it is told to.
pub(crate) struct Host {
    pub(crate) raw: Raw,
    opened: libp2p_stream::IncomingStreams,
    questions: FuturesUnordered<BoxFuture<'static, Question>>,
}

impl Host {
    pub(crate) async fn start(number: u8, protocol: &'static str) -> Self {
        let raw = Raw::start(number).await;
        let opened = raw.control().accept(StreamProtocol::new(protocol)).unwrap();
        Self { raw, opened, questions: FuturesUnordered::new() }
    }

    /// Whoever asks next, and what; the stream is left open for the answer.
    pub(crate) async fn asked(&mut self) -> (PeerId, Stream, Vec<u8>) {
        let asked = async {
            loop {
                tokio::select! {
                    Some((peer, stream)) = self.opened.next() => self.listen(peer, stream),
                    Some(question) = self.questions.next() => {
                        if let (peer, stream, Some(body)) = question {
                            return (peer, stream, body);
                        }
                    }
                }
            }
        };
        tokio::time::timeout(PATIENCE, asked).await.expect("nothing was asked")
    }

    /// Hears what is asked next on a stream.
    pub(crate) fn listen(&self, peer: PeerId, mut stream: Stream) {
        let question = async move {
            let body = next_body(&mut stream).await;
            (peer, stream, body)
        };
        self.questions.push(question.boxed());
    }

    /// Answers the next question, and hears what follows it; says who asked.
    pub(crate) async fn answer(&mut self, body: &[u8]) -> PeerId {
        let (peer, mut stream, _) = self.asked().await;
        assert!(write(&mut stream, &framed(body)).await);
        self.listen(peer, stream);
        peer
    }
}

/// Gives an answer, and no more.
pub(crate) async fn say(mut stream: Stream, body: &[u8]) {
    assert!(write(&mut stream, &framed(body)).await);
    stream.close().await.ok();
}

pub(crate) fn framed(body: &[u8]) -> Vec<u8> {
    [&u32::try_from(body.len()).unwrap().to_be_bytes(), body].concat()
}

/// The bytes of several bodies, one behind the other.
pub(crate) fn all_framed(bodies: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    bodies.into_iter().flat_map(|body| framed(&body)).collect()
}

/// The next body; nothing where the stream ends.
pub(crate) async fn read(stream: &mut Stream) -> Option<Vec<u8>> {
    tokio::time::timeout(PATIENCE, next_body(stream)).await.expect("nothing came")
}

async fn next_body(stream: &mut Stream) -> Option<Vec<u8>> {
    let mut prefix = [0; 4];
    stream.read_exact(&mut prefix).await.ok()?;
    let mut body = vec![0; u32::from_be_bytes(prefix) as usize];
    stream.read_exact(&mut body).await.ok()?;
    Some(body)
}

impl Raw {
    /// A stream for questions, if one is to be had.
    pub(crate) async fn question(&self, node: kinfolk_wire::ids::PeerId, protocol: &'static str) -> Option<Stream> {
        let peer = PeerId::from_bytes(node.as_bytes()).unwrap();
        self.control().open_stream(peer, StreamProtocol::new(protocol)).await.ok()
    }

    /// Asks, and says what comes back; nothing where the stream is closed.
    pub(crate) async fn ask(
        &self,
        node: kinfolk_wire::ids::PeerId,
        protocol: &'static str,
        body: &[u8],
    ) -> Option<Vec<u8>> {
        let mut stream = self.question(node, protocol).await?;
        if !write(&mut stream, &framed(body)).await {
            return None;
        }
        read(&mut stream).await
    }

    /// Opens stream after stream with a question on each, as long as there are any; holds them open.
    pub(crate) async fn flood(&self, node: &Node, protocol: &'static str, count: usize) -> Vec<Stream> {
        let mut streams = Vec::new();
        for _ in 0..count {
            let Some(mut stream) = self.question(node.peer, protocol).await else { break };
            write(&mut stream, &framed(b"flood")).await;
            streams.push(stream);
        }
        streams
    }
}
