//! What a request brings, read within bounds.

use std::time::Duration;

use axum::body::HttpBody;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use crate::problem::Refused;

/// The longest body, in bytes: the longest text with every byte of it escaped, and room for the rest.
pub(crate) const BODY: usize = 256 * 1024;
/// How long a body may take to come.
const BODY_TIME: Duration = Duration::from_secs(10);

/// A body of JSON.
pub(crate) struct Wish<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Wish<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refused> {
        if !is_json(&request) {
            return Err(Refused::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not_json",
                "the body must be JSON, with Content-Type: application/json",
            ));
        }
        if request.body().size_hint().lower() > BODY as u64 {
            return Err(too_large());
        }
        let body = Limited::new(request.into_body(), BODY).collect();
        let bytes = match tokio::time::timeout(BODY_TIME, body).await {
            Ok(Ok(collected)) => collected.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(too_large()),
            Ok(Err(_)) => return Err(Refused::invalid("incomplete", "the body broke off")),
            Err(_) => {
                return Err(Refused::new(
                    StatusCode::REQUEST_TIMEOUT,
                    "too_slow",
                    format!("a body must come within {} seconds", BODY_TIME.as_secs()),
                ));
            }
        };
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            Refused::invalid("invalid_json", format!("the body is not what is expected here: {error}"))
        })
    }
}

fn too_large() -> Refused {
    Refused::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", format!("a body has at most {BODY} bytes"))
}

fn is_json(request: &Request) -> bool {
    let mut types = request.headers().get_all(header::CONTENT_TYPE).iter();
    let json = types.next().and_then(|value| value.to_str().ok()).is_some_and(|value| {
        let essence = value.split(';').next().unwrap_or(value).trim();
        essence.eq_ignore_ascii_case("application/json")
    });
    json && types.next().is_none()
}

/// What stands after the question mark.
pub(crate) struct Asked<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let query = Query::from_request_parts(parts, state).await;
        query.map(|Query(asked)| Self(asked)).map_err(|error| Refused::invalid("invalid_query", error.body_text()))
    }
}

/// The variable segments of the path.
pub(crate) struct Segments<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Segments<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let path = Path::from_request_parts(parts, state).await;
        path.map(|Path(segments)| Self(segments)).map_err(|error| Refused::invalid("invalid_path", error.body_text()))
    }
}
