//! A door that answers what the test says and remembers what it was asked.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};

use kinfolk_rpc::event::Event;
use kinfolk_rpc::problem::Problem;
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// The token of every such door.
const TOKEN: &str = "a-token-of-the-test";

/// What it answers.
#[derive(Clone)]
pub(crate) enum Says {
    /// JSON, with this status.
    Json(u16, String),
    /// A bundle, with the headers that say what is in it.
    Bundle(Vec<u8>, u64, u64),
    /// Events; then the stream ends, or stays open in silence.
    Events(Vec<String>, After),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    End,
    Silence,
}

impl Says {
    pub(crate) fn ok(value: &impl Serialize) -> Self {
        Self::Json(200, serde_json::to_string(value).unwrap())
    }

    pub(crate) fn no(status: u16, code: &str, detail: &str) -> Self {
        let problem = Problem {
            kind: "about:blank".into(),
            title: "Refused".into(),
            status,
            code: code.into(),
            detail: detail.into(),
        };
        Self::Json(status, serde_json::to_string(&problem).unwrap())
    }

    pub(crate) fn events(events: &[Event], after: After) -> Self {
        Self::Events(events.iter().map(|event| serde_json::to_string(event).unwrap()).collect(), after)
    }
}

type Script = Arc<Mutex<Vec<(String, VecDeque<Says>)>>>;

/// A door over a profile directory of its own.
pub(crate) struct Door {
    profile: tempfile::TempDir,
    script: Script,
    asked: Arc<Mutex<Vec<(String, String)>>>,
}

impl Door {
    pub(crate) fn open() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let socket = profile.path().join("door.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let door = serde_json::json!({"url": null, "token": TOKEN, "socket": socket});
        std::fs::write(profile.path().join("door.json"), door.to_string()).unwrap();
        let this = Self { profile, script: Script::default(), asked: Arc::default() };
        let (script, asked) = (this.script.clone(), this.asked.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, script.clone(), asked.clone()));
            }
        });
        this
    }

    pub(crate) fn profile(&self) -> &Path {
        self.profile.path()
    }

    /// What it says to `METHOD /path?query`; where it is asked again, what was added next, and then the last again.
    pub(crate) fn says(self, to: &str, says: Says) -> Self {
        let mut script = self.script.lock().unwrap();
        match script.iter_mut().find(|(known, _)| known == to) {
            Some((_, answers)) => answers.push_back(says),
            None => script.push((to.to_owned(), VecDeque::from([says]))),
        }
        drop(script);
        self
    }

    /// What it was asked, in order: `METHOD /path?query` and the body.
    pub(crate) fn asked(&self) -> Vec<(String, String)> {
        self.asked.lock().unwrap().clone()
    }
}

async fn answer(mut stream: UnixStream, script: Script, asked: Arc<Mutex<Vec<(String, String)>>>) {
    let Some((line, body)) = request(&mut stream).await else { return };
    asked.lock().unwrap().push((line.clone(), body));
    let says = {
        let mut script = script.lock().unwrap();
        let answers = script.iter_mut().find(|(known, _)| *known == line).map(|(_, answers)| answers);
        answers.and_then(|answers| if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() })
    };
    match says.unwrap_or_else(|| Says::no(404, "unscripted", &line)) {
        Says::Json(status, json) => {
            let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{json}", json.len());
            stream.write_all(head.as_bytes()).await.unwrap();
        }
        Says::Bundle(bytes, messages, carried) => {
            let length = bytes.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\nkinfolk-messages: {messages}\r\nkinfolk-carried: {carried}\r\nContent-Length: {length}\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&bytes).await.unwrap();
        }
        Says::Events(events, after) => {
            let mut text = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: hello\n\n".to_owned();
            for event in events {
                text.push_str(&format!("data: {event}\n\n"));
            }
            stream.write_all(text.as_bytes()).await.unwrap();
            if after == After::Silence {
                std::future::pending::<()>().await;
            }
        }
    }
}

/// Reads a request and holds it to what every request must carry. A connection without one was only a knock.
async fn request(stream: &mut UnixStream) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break String::from_utf8(bytes.drain(..at + 4).collect()).unwrap();
        }
        if stream.read_buf(&mut bytes).await.unwrap() == 0 {
            return None;
        }
    };
    let lower = head.to_lowercase();
    assert!(lower.contains(&format!("authorization: bearer {TOKEN}\r\n")), "{head}");
    assert!(lower.contains("\r\nhost: localhost\r\n"), "{head}");
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
    let kind = if lower.contains("/bundles/import ") { "application/octet-stream" } else { "application/json" };
    assert!(length == 0 || lower.contains(&format!("content-type: {kind}\r\n")), "{head}");
    while bytes.len() < length {
        stream.read_buf(&mut bytes).await.unwrap();
    }
    let line = head.lines().next().unwrap().strip_suffix(" HTTP/1.1").unwrap().to_owned();
    Some((line, String::from_utf8_lossy(&bytes).into_owned()))
}
