//! What a request brings, read within bounds.

use std::time::Duration;

use axum::body::HttpBody;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use kinfolk_rpc::bundle;
use serde::de::DeserializeOwned;

use crate::problem::Refused;

/// The longest body, in bytes: the longest text with every byte of it escaped, and room for the rest.
pub(crate) const BODY: usize = 256 * 1024;
/// How long a body may take to come.
const BODY_TIME: Duration = Duration::from_secs(10);
/// How long a bundle may take to come.
const BUNDLE_TIME: Duration = Duration::from_secs(60);

/// A body of JSON.
pub(crate) struct Wish<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Wish<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refused> {
        if !is_of_type(&request, "application/json") {
            return Err(Refused::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not_json",
                "the body must be JSON, with Content-Type: application/json",
            ));
        }
        let bytes = read(request, BODY, BODY_TIME).await?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            Refused::invalid("invalid_json", format!("the body is not what is expected here: {error}"))
        })
    }
}

/// A bundle, as a file or as lines.
pub(crate) struct Bytes(pub(crate) hyper::body::Bytes);

impl<S: Sync> FromRequest<S> for Bytes {
    type Rejection = Refused;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refused> {
        if !is_of_type(&request, bundle::FILE) {
            return Err(Refused::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not_octets",
                "the body must be a bundle, with Content-Type: application/octet-stream",
            ));
        }
        read(request, bundle::LIMIT, BUNDLE_TIME).await.map(Self)
    }
}

/// Reads a body that has a length and a time.
async fn read(request: Request, limit: usize, time: Duration) -> Result<hyper::body::Bytes, Refused> {
    let too_large =
        || Refused::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", format!("a body has at most {limit} bytes"));
    if request.body().size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    match tokio::time::timeout(time, Limited::new(request.into_body(), limit).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Refused::invalid("incomplete", "the body broke off")),
        Err(_) => Err(Refused::new(
            StatusCode::REQUEST_TIMEOUT,
            "too_slow",
            format!("a body must come within {} seconds", time.as_secs()),
        )),
    }
}

fn is_of_type(request: &Request, wanted: &str) -> bool {
    let mut types = request.headers().get_all(header::CONTENT_TYPE).iter();
    let is_it = types.next().and_then(|value| value.to_str().ok()).is_some_and(|value| {
        let essence = value.split(';').next().unwrap_or(value).trim();
        essence.eq_ignore_ascii_case(wanted)
    });
    is_it && types.next().is_none()
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
