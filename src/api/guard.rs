//! Who may knock. Every request passes here first, whatever its route, and every answer leaves with the same headers.
//!
//! A page of the web that the person visits can make their browser send requests to this machine. It cannot set the
//! `Host` of a name that it rebound to 127.0.0.1 (421), cannot hide its `Origin` (403), cannot forge `Sec-Fetch-Site`
//! (403), and does not know the token (401).

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::Room;
use crate::problem::Refused;

/// The names by which one entrance may be called.
#[derive(Clone, Debug)]
pub(crate) struct Hosts(Vec<String>);

impl Hosts {
    /// Those of the loopback interface at a port.
    pub(crate) fn at(port: u16) -> Self {
        Self(["127.0.0.1", "localhost", "[::1]", "node.localhost"].map(|name| format!("{name}:{port}")).to_vec())
    }

    /// That of the Unix socket.
    pub(crate) fn of_socket() -> Self {
        Self(vec!["localhost".to_owned()])
    }

    fn include(&self, host: &str) -> bool {
        self.0.iter().any(|known| known.eq_ignore_ascii_case(host))
    }
}

/// Lets a request pass or turns it away, and dresses the answer.
pub(crate) async fn guard(State((room, hosts)): State<(Room, Hosts)>, request: Request, next: Next) -> Response {
    let answer = match check(&room, &hosts, &request) {
        Ok(()) => next.run(request).await,
        Err(refused) => refused.into_response(),
    };
    dress(answer)
}

fn check(room: &Room, hosts: &Hosts, request: &Request) -> Result<(), Refused> {
    let host = the_host(request).filter(|host| hosts.include(host)).ok_or_else(|| {
        Refused::new(StatusCode::MISDIRECTED_REQUEST, "wrong_host", "this door is not called by that name")
    })?;
    let headers = request.headers();
    let foreign = |code, what| Err(Refused::new(StatusCode::FORBIDDEN, code, what));
    let own_origin = format!("http://{host}");
    if headers
        .get_all(header::ORIGIN)
        .iter()
        .any(|origin| !origin.as_bytes().eq_ignore_ascii_case(own_origin.as_bytes()))
    {
        return foreign("foreign_origin", "requests of other sites are not answered");
    }
    let mut sites = headers.get_all("sec-fetch-site").iter();
    if sites.any(|site| site != "same-origin" && site != "none") {
        return foreign("foreign_site", "requests of other sites are not answered");
    }
    if !bearer(headers).is_some_and(|token| room.token().is(token)) {
        return Err(Refused::new(
            StatusCode::UNAUTHORIZED,
            "no_token",
            "send the token of door.json as Authorization: Bearer TOKEN",
        ));
    }
    Ok(())
}

/// The one host that a request names, in its target or its header; nothing where it names none or several.
fn the_host(request: &Request) -> Option<String> {
    let mut named = request.headers().get_all(header::HOST).iter();
    let host = named.next().and_then(|host| host.to_str().ok())?;
    if named.next().is_some() {
        return None;
    }
    match request.uri().authority() {
        Some(target) if !target.as_str().eq_ignore_ascii_case(host) => None,
        _ => Some(host.to_owned()),
    }
}

/// The one bearer token of a request (RFC 6750 section 2.1).
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let value = given.next()?.as_bytes();
    if given.next().is_some() {
        return None;
    }
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
}

fn dress(mut answer: Response) -> Response {
    const HEADERS: [(HeaderName, &str); 7] = [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
             require-trusted-types-for 'script'; trusted-types 'none'",
        ),
    ];
    let unauthorized = answer.status() == StatusCode::UNAUTHORIZED;
    let headers = answer.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if unauthorized {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    answer
}
