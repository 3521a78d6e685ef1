//! The description of the door, generated from its handlers and shapes. `docs/openapi.json` is a copy of it.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::problem::{OrProblem, Refused};
use crate::routes::{
    bundles, contacts, events, invites, invoices, mailboxes, merchants, messages, status, stickers, tabs, wallet,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "kinfolk: the local door",
        description = "The API of a kinfolk node for the programs of the person it belongs to, on the same machine: \
                       on the loopback interface and on a Unix socket, both told in `door.json` of the profile.\n\n\
                       Every request carries the token of `door.json` as `Authorization: Bearer TOKEN`. A body is JSON \
                       with `Content-Type: application/json`, at most 256 KiB; that of a \
                       bundle is the bundle, with `application/octet-stream`, at most 96 MiB. Ids are lower-case hexadecimal text, \
                       times milliseconds since the Unix epoch. What goes wrong is told as RFC 9457 does, with a \
                       `code` for programs. Within version 1 fields may be added; ignore those you do not know.",
    ),
    paths(
        status::status,
        status::rename_self,
        events::events,
        invites::create,
        contacts::list,
        contacts::add,
        contacts::one,
        contacts::remove,
        contacts::accept,
        contacts::decline,
        contacts::block,
        contacts::unblock,
        contacts::rename,
        contacts::safety_number,
        contacts::set_verified,
        messages::list,
        messages::send,
        messages::one,
        messages::mark_seen,
        messages::allow_read_receipts,
        mailboxes::overview,
        mailboxes::add,
        mailboxes::remove,
        mailboxes::serving,
        mailboxes::serve,
        mailboxes::stop_serving,
        bundles::export,
        bundles::exported,
        bundles::import,
        wallet::currencies,
        wallet::create,
        wallet::accept,
        wallet::currency,
        wallet::recover,
        wallet::recovery,
        wallet::balances,
        wallet::mint,
        wallet::payments,
        wallet::pay,
        wallet::payment,
        wallet::refund,
        wallet::receipt,
        invoices::list,
        invoices::create,
        invoices::one,
        invoices::pay,
        tabs::list,
        tabs::open,
        tabs::one,
        tabs::pay,
        tabs::redeem,
        tabs::close,
        merchants::list,
        merchants::register,
        merchants::certify,
        wallet::witness,
        wallet::serve,
        stickers::list,
        stickers::picture,
        served,
    ),
    components(schemas(kinfolk_rpc::problem::Problem)),
    modifiers(&Bearer),
    security(("token" = [])),
)]
struct Description;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        openapi.components.get_or_insert_default().add_security_scheme("token", scheme);
    }
}

/// The OpenAPI 3.1 document of the door, as indented JSON.
///
/// # Errors
/// Where it cannot be written as JSON, which does not happen.
pub fn document() -> Result<String, serde_json::Error> {
    let mut text = Description::openapi().to_pretty_json()?;
    text.push('\n');
    Ok(text)
}

/// This interface, described as OpenAPI 3.1.
#[utoipa::path(get, path = "/v1/openapi.json", operation_id = "openapi", tag = "node", responses(
    (status = 200, content_type = "application/json", body = Object, description = "The document"),
    OrProblem,
))]
pub(crate) async fn served() -> Result<Response, Refused> {
    let text = document().map_err(|error| {
        Refused::new(axum::http::StatusCode::INTERNAL_SERVER_ERROR, "not_written", error.to_string())
    })?;
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}
