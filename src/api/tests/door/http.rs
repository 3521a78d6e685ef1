//! HTTP by hand, so that a test can say exactly what goes over the socket.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

/// How long anything may take before a test has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// By lower-case name; of repeated ones the last.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    /// The code of a problem.
    pub(crate) fn code(&self) -> String {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "{self:?}");
        problem["code"].as_str().unwrap().to_owned()
    }
}

/// A request, headers and all.
#[derive(Debug, Clone)]
pub(crate) struct Knock {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Knock {
    pub(crate) fn new(method: &str, target: &str) -> Self {
        Self { method: method.into(), target: target.into(), headers: vec![], body: vec![] }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(crate) fn json(mut self, body: &str) -> Self {
        self.body = body.into();
        self.with("Content-Type", "application/json")
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\nConnection: close\r\n", self.method, self.target).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend(format!("{name}: {value}\r\n").bytes());
        }
        let stated = self.headers.iter().any(|(name, _)| {
            name.eq_ignore_ascii_case("content-length") || name.eq_ignore_ascii_case("transfer-encoding")
        });
        if !stated && !self.body.is_empty() {
            bytes.extend(format!("Content-Length: {}\r\n", self.body.len()).bytes());
        }
        bytes.extend(b"\r\n");
        bytes.extend(&self.body);
        bytes
    }

    pub(crate) async fn at(&self, address: &str) -> Answer {
        exchange(TcpStream::connect(address).await.unwrap(), &self.bytes()).await
    }

    pub(crate) async fn through(&self, socket: &str) -> Answer {
        exchange(UnixStream::connect(socket).await.unwrap(), &self.bytes()).await
    }
}

/// Sends bytes and reads to the end.
pub(crate) async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &[u8]) -> Answer {
    let all = async {
        // A door that has already answered may have closed: then the answer counts.
        drop(stream.write_all(request).await);
        let mut bytes = Vec::new();
        // After a refusal in the middle of a long body the rest is reset.
        drop(stream.read_to_end(&mut bytes).await);
        bytes
    };
    parse(&tokio::time::timeout(PATIENCE, all).await.expect("an answer in time"))
}

pub(crate) fn parse(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or_else(|| {
        panic!("no head of an answer in {:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(200)]))
    });
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.map(|line| line.split_once(": ").unwrap()).map(|(n, v)| (n.to_lowercase(), v.to_owned()));
    Answer { status, headers: headers.collect(), body: bytes[end + 4..].to_vec() }
}

/// A stream of server-sent events, read as it comes.
pub(crate) struct Listening {
    stream: UnixStream,
    bytes: Vec<u8>,
}

impl Listening {
    /// Asks for events and returns once the door has answered.
    pub(crate) async fn open(knock: &Knock, socket: &str) -> Self {
        let mut stream = UnixStream::connect(socket).await.unwrap();
        stream.write_all(&knock.bytes()).await.unwrap();
        let mut listening = Self { stream, bytes: vec![] };
        let head = listening.until(b"\r\n\r\n").await.expect("an answer");
        assert!(head.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&head));
        listening
    }

    async fn until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.bytes.windows(end.len()).position(|window| window == end) {
                let rest = self.bytes.split_off(at + end.len());
                return Some(std::mem::replace(&mut self.bytes, rest));
            }
            let mut piece = vec![0; 64 * 1024];
            let read = tokio::time::timeout(PATIENCE, self.stream.read(&mut piece)).await.expect("an event in time");
            match read {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.bytes.extend(&piece[..count]),
            }
        }
    }

    /// The next event with its id; nothing once the stream has ended. Chunk sizes stand between events and are
    /// stepped over, as an event is always one chunk.
    pub(crate) async fn next(&mut self) -> Option<(Option<u64>, Value)> {
        loop {
            let block = String::from_utf8(self.until(b"\n\n").await?).unwrap();
            let (mut id, mut data) = (None, None);
            for line in block.lines() {
                if let Some(number) = line.strip_prefix("id: ") {
                    id = Some(number.parse().unwrap());
                }
                if let Some(json) = line.strip_prefix("data: ") {
                    data = Some(serde_json::from_str(json).unwrap());
                }
            }
            if let Some(data) = data {
                return Some((id, data));
            }
        }
    }
}
