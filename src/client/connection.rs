use std::io::ErrorKind;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Method, Request, Response, header};
use hyper_util::rt::TokioIo;
use kinfolk_rpc::door::Door;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::ClientError;

/// One HTTP connection to the door; closed when dropped.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
    /// What the requests on it name as their host.
    host: String,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connection {
    /// Connects by the socket, or else by the loopback interface.
    pub(crate) async fn open(door: &Door) -> Result<Self, ClientError> {
        #[cfg(unix)]
        if let Some(socket) = &door.socket {
            let stream = tokio::net::UnixStream::connect(socket).await.map_err(|error| unreachable_door(&error))?;
            return Self::over(stream, "localhost".to_owned()).await;
        }
        let host = door.url.as_deref().and_then(|url| url.strip_prefix("http://")).ok_or(ClientError::NoNode)?;
        let stream = TcpStream::connect(host).await.map_err(|error| unreachable_door(&error))?;
        Self::over(stream, host.to_owned()).await
    }

    async fn over(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        host: String,
    ) -> Result<Self, ClientError> {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // How the connection ends is told to the request that is under way on it.
        let driver = tokio::spawn(async move { drop(connection.await) });
        Ok(Self { sender, driver, host })
    }

    /// Sends one request.
    pub(crate) async fn send(
        &mut self,
        door: &Door,
        method: Method,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
    ) -> Result<Response<Incoming>, ClientError> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, &self.host)
            .header(header::AUTHORIZATION, format!("Bearer {}", door.token));
        if let Some((kind, _)) = &body {
            request = request.header(header::CONTENT_TYPE, *kind);
        }
        let request = request
            .body(Full::new(Bytes::from(body.map(|(_, bytes)| bytes).unwrap_or_default())))
            .map_err(|error| ClientError::Broken(error.to_string()))?;
        self.sender.send_request(request).await.map_err(broken)
    }
}

fn unreachable_door(error: &std::io::Error) -> ClientError {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => ClientError::NoNode,
        _ => ClientError::Broken(error.to_string()),
    }
}

fn broken(error: hyper::Error) -> ClientError {
    ClientError::Broken(error.to_string())
}
