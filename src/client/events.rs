use std::collections::VecDeque;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use kinfolk_rpc::event::Event;

use crate::ClientError;
use crate::connection::Connection;
use crate::sse::Parser;

/// What happens, as it happens. The stream ends when the node stops or dies.
#[derive(Debug)]
pub struct Events {
    _connection: Connection,
    body: Incoming,
    parser: Parser,
    ready: VecDeque<Vec<u8>>,
}

impl Events {
    pub(crate) fn new(connection: Connection, body: Incoming) -> Self {
        Self { _connection: connection, body, parser: Parser::default(), ready: VecDeque::new() }
    }

    /// The next event; nothing once the node is gone. May be dropped while it waits: no event is lost by that.
    ///
    /// # Errors
    /// [`ClientError::Broken`].
    pub async fn next(&mut self) -> Result<Option<Event>, ClientError> {
        loop {
            if let Some(data) = self.ready.pop_front() {
                return serde_json::from_slice(&data)
                    .map(Some)
                    .map_err(|error| ClientError::Broken(format!("an event could not be read ({error})")));
            }
            // A stream that breaks off is a node that died: for the reader the same as one that stopped.
            let Some(Ok(frame)) = self.body.frame().await else { return Ok(None) };
            if let Some(bytes) = frame.data_ref() {
                let events = self.parser.push(bytes).map_err(|error| ClientError::Broken(error.to_string()))?;
                self.ready.extend(events);
            }
        }
    }
}
