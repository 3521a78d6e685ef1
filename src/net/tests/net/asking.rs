//! What the tests of mailboxes and of witnesses have in common: a host that is not ours, and questions in raw bytes.

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::{PeerId, Stream, StreamProtocol};

use crate::raw::{Raw, write};
use crate::support::PATIENCE;

/// A host that records who comes, and says whatever bytes it is told to.
pub(crate) struct Host {
    pub(crate) raw: Raw,
    questions: libp2p_stream::IncomingStreams,
}

impl Host {
    pub(crate) async fn start(number: u8, protocol: &'static str) -> Self {
        let raw = Raw::start(number).await;
        let questions = raw.control().accept(StreamProtocol::new(protocol)).unwrap();
        Self { raw, questions }
    }

    /// Whoever asks next, and what; the stream is left open for the answer.
    pub(crate) async fn asked(&mut self) -> (PeerId, Stream, Vec<u8>) {
        let (peer, mut stream) = tokio::time::timeout(PATIENCE, self.questions.next()).await.unwrap().unwrap();
        let body = read(&mut stream).await.unwrap();
        (peer, stream, body)
    }

    /// Answers the next question; says who asked.
    pub(crate) async fn answer(&mut self, body: &[u8]) -> PeerId {
        let (peer, stream, _) = self.asked().await;
        say(stream, body).await;
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

pub(crate) async fn read(stream: &mut Stream) -> Option<Vec<u8>> {
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
    /// A stream for one question, if one is to be had.
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
}
