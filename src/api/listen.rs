//! Takes connections and serves each in a task of its own, bounded in number, in time and in size.

use std::io;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Connections at a time and listener; more wait at the door. A person's programs on one machine are few.
const CONNECTIONS: usize = 256;
/// How long the head of a request may take to come.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// The longest head of a request, in bytes.
const HEAD: usize = 32 * 1024;
/// How long connections may take to end once the door closes.
const FAREWELL: Duration = Duration::from_secs(2);
/// The pause after the system refused a connection, as when it is out of file descriptors.
const BREATH: Duration = Duration::from_millis(100);

/// Where connections come from.
pub(crate) trait Listener: Send + 'static {
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    fn accept(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

impl Listener for TcpListener {
    type Stream = tokio::net::TcpStream;

    async fn accept(&self) -> io::Result<Self::Stream> {
        let (stream, _) = Self::accept(self).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

#[cfg(unix)]
impl Listener for UnixListener {
    type Stream = tokio::net::UnixStream;

    async fn accept(&self) -> io::Result<Self::Stream> {
        Ok(Self::accept(self).await?.0)
    }
}

/// Takes connections until the door closes, then waits for those under way.
pub(crate) async fn listen<L: Listener>(listener: L, router: Router, mut closing: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            // The room holds the sender's other end as long as the door is open, so an error is an end as well.
            _ = closing.changed() => break,
            stream = listener.accept(), if connections.len() < CONNECTIONS => match stream {
                Ok(stream) => drop(connections.spawn(serve(stream, router.clone(), closing.clone()))),
                Err(error) => {
                    tracing::warn!(%error, "a connection was refused by the system");
                    tokio::time::sleep(BREATH).await;
                }
            },
            Some(ended) = connections.join_next() => note(ended),
        }
    }
    drop(listener);
    let rest = async {
        while let Some(ended) = connections.join_next().await {
            note(ended)
        }
    };
    if tokio::time::timeout(FAREWELL, rest).await.is_err() {
        connections.shutdown().await;
    }
}

fn note(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection to the door died of a fault");
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    router: Router,
    mut closing: watch::Receiver<bool>,
) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = closing.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // The other side hung up or spoke no HTTP, which is its own affair.
        tracing::debug!(%error, "a connection to the door broke off");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn ask(at: std::net::SocketAddr, path: &str) -> String {
        let mut stream = tokio::net::TcpStream::connect(at).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        // A connection that dies is closed without an answer, or reset.
        drop(stream.read_to_string(&mut answer).await);
        answer
    }

    #[tokio::test]
    async fn g08_a_connection_that_dies_of_a_fault_takes_no_other_with_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let broken = async || -> &'static str { panic!("a bug") };
        let router = Router::new().route("/broken", get(broken)).route("/", get(async || "still here"));
        let (close, closing) = watch::channel(false);
        let door = tokio::spawn(listen(listener, router, closing));
        let mut before = tokio::net::TcpStream::connect(at).await.unwrap();
        for _ in 0..3 {
            assert_eq!(ask(at, "/broken").await, "");
            assert!(ask(at, "/").await.ends_with("still here"));
        }
        before.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        before.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("still here"), "one that was open before is served on");
        close.send(true).unwrap();
        door.await.unwrap();
    }
}
