use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use kinfolk_rpc::event::{Event, EventPage, LAST_EVENT_ID};
use serde::Deserialize;
use utoipa::IntoParams;

use super::Json;
use crate::Room;
use crate::extract::Asked;
use crate::feed::Feed;
use crate::problem::{OrProblem, Refused};

/// The longest long poll, in seconds.
const LONGEST: u64 = 60;

/// Which events, and how.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Those after this number; from now on unless said. The header `Last-Event-ID` goes before it.
    since: Option<u64>,
    /// Answer at once with what there is, as JSON, or wait this many seconds for something, 0 to 60.
    wait: Option<u64>,
}

/// What happens: a stream of server-sent events, or with `wait` a long poll.
///
/// Numbered events carry their number as the id of the server-sent event; a stream is resumed after one by
/// `Last-Event-ID` or `since`. Where the log no longer goes back so far, a `reset` event comes first. Events without a
/// number are for those who listen now.
#[utoipa::path(get, path = "/v1/events", tag = "events",
    params(Which, ("last-event-id" = Option<u64>, Header, description = "The number after which to go on")),
    responses(
        (status = 200, content((Event = "text/event-stream"), (EventPage = "application/json")),
            description = "The events; as JSON where `wait` is given"),
        OrProblem,
    ))]
pub(crate) async fn events(
    State(room): State<Room>,
    headers: HeaderMap,
    Asked(which): Asked<Which>,
) -> Result<Response, Refused> {
    let since = resumed(&headers)?.or(which.since);
    let mut feed = Feed::open(&room, since).await?;
    let Some(wait) = which.wait else {
        let lines = feed.into_stream().map(|event| Ok::<_, Infallible>(written(event.as_ref())));
        return Ok(([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(lines)).into_response());
    };
    if wait > LONGEST {
        return Err(Refused::invalid("invalid_query", format!("wait: expected 0 to {LONGEST} seconds, found {wait}")));
    }
    let mut events = feed.at_once().await;
    if events.is_empty() && wait > 0 {
        // Time running out is an answer too: nothing has happened.
        let first = tokio::time::timeout(Duration::from_secs(wait), feed.next()).await;
        events.extend(first.ok().flatten());
        events.extend(feed.at_once().await);
    }
    Ok(Json(EventPage { events, next: feed.last() }).into_response())
}

fn resumed(headers: &HeaderMap) -> Result<Option<u64>, Refused> {
    let Some(value) = headers.get(LAST_EVENT_ID) else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    number.map(Some).ok_or_else(|| Refused::invalid("invalid_query", "Last-Event-ID: expected the number of an event"))
}

/// An event on the stream, or the comment that shows that it is alive.
fn written(event: Option<&Event>) -> Bytes {
    let Some(event) = event else { return Bytes::from_static(b":\n\n") };
    let Ok(json) = serde_json::to_string(event) else { return Bytes::new() };
    let id = event.seq.map(|seq| format!("id: {seq}\n")).unwrap_or_default();
    Bytes::from(format!("{id}event: {}\ndata: {json}\n\n", event.what.name()))
}

#[cfg(test)]
mod tests {
    use kinfolk_rpc::event::What;

    use super::*;

    #[test]
    fn only_a_numbered_event_has_an_id() {
        let reset = Event { seq: Some(7), what: What::Reset };
        assert_eq!(written(Some(&reset)), "id: 7\nevent: reset\ndata: {\"seq\":7,\"event\":\"reset\"}\n\n");
        let fleeting = Event { seq: None, what: What::ContactRemoved { contact: "c".into() } };
        assert_eq!(
            written(Some(&fleeting)),
            "event: contact_removed\ndata: {\"event\":\"contact_removed\",\"contact\":\"c\"}\n\n"
        );
        assert_eq!(written(None), ":\n\n");
    }
}
