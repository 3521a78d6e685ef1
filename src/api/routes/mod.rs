//! The handlers: read the request into real types, ask the node, reply.

pub(crate) mod bundles;
pub(crate) mod contacts;
pub(crate) mod events;
pub(crate) mod invites;
pub(crate) mod invoices;
pub(crate) mod mailboxes;
pub(crate) mod merchants;
pub(crate) mod messages;
pub(crate) mod status;
pub(crate) mod stickers;
pub(crate) mod tabs;
pub(crate) mod wallet;

use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use kinfolk_engine::input::Command;
use kinfolk_engine::store::Read;
use kinfolk_node::Answer;
use kinfolk_rpc::{Done, route};
use serde::Serialize;

use crate::Room;
use crate::guard::{Hosts, guard};
use crate::problem::Refused;

/// Everything the door answers, behind its guard.
pub(crate) fn router(room: &Room, hosts: Hosts) -> Router {
    Router::new()
        .route(route::STATUS, get(status::status))
        .route(route::OWN_NAME, put(status::rename_self))
        .route(route::EVENTS, get(events::events))
        .route(route::INVITES, post(invites::create))
        .route(route::CONTACTS, get(contacts::list).post(contacts::add))
        .route(route::CONTACT, get(contacts::one).delete(contacts::remove))
        .route(route::ACCEPT, post(contacts::accept))
        .route(route::DECLINE, post(contacts::decline))
        .route(route::BLOCK, post(contacts::block))
        .route(route::UNBLOCK, post(contacts::unblock))
        .route(route::NAME, put(contacts::rename))
        .route(route::SAFETY_NUMBER, get(contacts::safety_number))
        .route(route::VERIFIED, put(contacts::set_verified))
        .route(route::MESSAGES, get(messages::list).post(messages::send))
        .route(route::MESSAGE, get(messages::one))
        .route(route::SEEN, put(messages::mark_seen))
        .route(route::READ_RECEIPTS, put(messages::allow_read_receipts))
        .route(route::MAILBOXES, get(mailboxes::overview))
        .route(route::MAILBOX_HOSTS, post(mailboxes::add))
        .route(route::MAILBOX_HOST, delete(mailboxes::remove))
        .route(route::MAILBOX_SERVING, get(mailboxes::serving).put(mailboxes::serve).delete(mailboxes::stop_serving))
        .route(route::BUNDLE_EXPORT, post(bundles::export))
        .route(route::BUNDLE_EXPORTED, post(bundles::exported))
        .route(route::BUNDLE_IMPORT, post(bundles::import))
        .route(route::CURRENCIES, get(wallet::currencies).post(wallet::create))
        .route(route::ACCEPT_CURRENCY, post(wallet::accept))
        .route(route::CURRENCY, get(wallet::currency))
        .route(route::RECOVERY, get(wallet::recovery).post(wallet::recover))
        .route(route::BALANCES, get(wallet::balances))
        .route(route::MINT, post(wallet::mint))
        .route(route::PAYMENTS, get(wallet::payments).post(wallet::pay))
        .route(route::PAYMENT, get(wallet::payment))
        .route(route::REFUND, post(wallet::refund))
        .route(route::RECEIPT, get(wallet::receipt))
        .route(route::INVOICES, get(invoices::list).post(invoices::create))
        .route(route::INVOICE, get(invoices::one))
        .route(route::PAY_INVOICE, post(invoices::pay))
        .route(route::TABS, get(tabs::list).post(tabs::open))
        .route(route::TAB, get(tabs::one))
        .route(route::PAY_TAB, post(tabs::pay))
        .route(route::REDEEM_TAB, post(tabs::redeem))
        .route(route::CLOSE_TAB, post(tabs::close))
        .route(route::MERCHANTS, get(merchants::list).post(merchants::register))
        .route(route::CERTIFY_MERCHANT, post(merchants::certify))
        .route(route::WITNESS, get(wallet::witness).post(wallet::serve))
        .route(route::STICKERS, get(stickers::list))
        .route(route::STICKER, get(stickers::picture))
        .route(route::OPENAPI, get(crate::openapi::served))
        .fallback(async || Refused::new(StatusCode::NOT_FOUND, "no_such_route", "there is nothing at this path"))
        .method_not_allowed_fallback(async || {
            Refused::new(StatusCode::METHOD_NOT_ALLOWED, "no_such_method", "this path has no such method")
        })
        .with_state(room.clone())
        .layer(middleware::from_fn_with_state((room.clone(), hosts), guard))
}

/// An answer as JSON.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response(),
            Err(error) => {
                Refused::new(StatusCode::INTERNAL_SERVER_ERROR, "not_written", error.to_string()).into_response()
            }
        }
    }
}

/// What a handler gives.
pub(crate) type Reply<T> = Result<Json<T>, Refused>;

/// Has a command carried out that has nothing more to say.
pub(crate) async fn carry_out(room: &Room, command: Command) -> Reply<Done> {
    match room.node().command(command).await? {
        Answer::Done => Ok(Json(Done::new())),
        other => Err(unexpected(&other)),
    }
}

/// Asks the node's store.
pub(crate) async fn ask<T: Send + 'static>(
    room: &Room,
    question: impl FnOnce(&dyn Read) -> Result<T, Refused> + Send + 'static,
) -> Result<T, Refused> {
    room.node().query(question).await?
}

/// The node answered another question than was asked.
pub(crate) fn unexpected(answer: &Answer) -> Refused {
    tracing::error!(?answer, "the node answered another question than was asked");
    Refused::new(StatusCode::INTERNAL_SERVER_ERROR, "confused", "the node gave an answer that does not fit")
}
