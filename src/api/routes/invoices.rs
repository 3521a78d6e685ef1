use axum::extract::State;
use kinfolk_engine::input::Command;
use kinfolk_engine::query;
use kinfolk_node::Answer;
use kinfolk_rpc::invoice::{CreateInvoice, Invoice, Invoices, PayInvoice};
use kinfolk_rpc::wallet::Payment;
use serde::Deserialize;
use utoipa::IntoParams;

use super::wallet::{USUAL, checked};
use super::{Json, Reply, ask, unexpected};
use crate::Room;
use crate::convert;
use crate::extract::{Asked, Segments, Wish};
use crate::problem::OrProblem;

/// How many.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct HowMany {
    /// How many, the newest ones, 1 to 1,000; 50 unless said.
    last: Option<usize>,
}

/// Invoices, one's own and those that came, the newest first.
#[utoipa::path(get, path = "/v1/wallet/invoices", operation_id = "invoices", tag = "wallet", params(HowMany),
    responses(
        (status = 200, body = Invoices),
        OrProblem,
    ))]
pub(crate) async fn list(State(room): State<Room>, Asked(which): Asked<HowMany>) -> Reply<Invoices> {
    let last = checked(which.last.unwrap_or(USUAL))?;
    ask(&room, move |read| convert::invoice::page(read, last)).await.map(Json)
}

/// Make an invoice. With a contact it is a line of the conversation with them; its link brings it to others.
#[utoipa::path(post, path = "/v1/wallet/invoices", operation_id = "create_invoice", tag = "wallet",
    request_body = CreateInvoice,
    responses(
        (status = 200, body = Invoice),
        OrProblem,
    ))]
pub(crate) async fn create(State(room): State<Room>, Wish(wish): Wish<CreateInvoice>) -> Reply<Invoice> {
    let new = ask(&room, move |read| convert::invoice::wanted(read, wish)).await?;
    match room.node().command(Command::CreateInvoice(new)).await? {
        Answer::Invoice(id) => ask(&room, move |read| convert::invoice::one(read, id)).await.map(Json),
        other => Err(unexpected(&other)),
    }
}

/// One invoice.
#[utoipa::path(get, path = "/v1/wallet/invoices/{invoice}", operation_id = "invoice", tag = "wallet",
    params(("invoice" = String, Path, description = "Its name, or a unique beginning of it")),
    responses(
        (status = 200, body = Invoice),
        OrProblem,
    ))]
pub(crate) async fn one(State(room): State<Room>, Segments(invoice): Segments<String>) -> Reply<Invoice> {
    let found = ask(&room, move |read| {
        let id = query::invoice_named(read, &invoice)?;
        convert::invoice::one(read, id)
    });
    found.await.map(Json)
}

/// Pay an invoice, once. It is done when it is signed and safe on the disk; it is final when a quorum of witnesses has
/// voted.
#[utoipa::path(post, path = "/v1/wallet/invoices/pay", operation_id = "pay_invoice", tag = "wallet",
    request_body = PayInvoice,
    responses(
        (status = 200, body = Payment),
        OrProblem,
    ))]
pub(crate) async fn pay(State(room): State<Room>, Wish(wish): Wish<PayInvoice>) -> Reply<Payment> {
    match room.node().command(Command::PayInvoice(wish.invoice)).await? {
        Answer::Payment(entry) => ask(&room, move |read| convert::wallet::one(read, entry)).await.map(Json),
        other => Err(unexpected(&other)),
    }
}
