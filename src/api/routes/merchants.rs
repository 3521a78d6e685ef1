use axum::extract::State;
use kinfolk_engine::input::Command;
use kinfolk_node::Answer;
use kinfolk_rpc::merchant::{CertifyMerchant, Merchant, Merchants, RegisterMerchant};
use kinfolk_wire::time::Span;

use super::{Json, Reply, ask, unexpected};
use crate::Room;
use crate::convert;
use crate::extract::Wish;
use crate::problem::OrProblem;

/// For how many days a merchant is certified unless somebody says otherwise.
const USUAL: u32 = 365;

/// This person as a merchant, and the merchants of the currencies that they issue; those who wait for an answer first.
#[utoipa::path(get, path = "/v1/wallet/merchants", operation_id = "merchants", tag = "wallet", responses(
    (status = 200, body = Merchants),
    OrProblem,
))]
pub(crate) async fn list(State(room): State<Room>) -> Reply<Merchants> {
    ask(&room, convert::merchant::all).await.map(Json)
}

/// Ask the issuer of a currency for a certificate, which lets contacts pay this person with card money.
#[utoipa::path(post, path = "/v1/wallet/merchants", operation_id = "register_merchant", tag = "wallet",
    request_body = RegisterMerchant,
    responses(
        (status = 200, body = Merchant),
        OrProblem,
    ))]
pub(crate) async fn register(State(room): State<Room>, Wish(wish): Wish<RegisterMerchant>) -> Reply<Merchant> {
    let RegisterMerchant { currency, issuer } = wish;
    let issuer = match issuer {
        Some(issuer) => Some(ask(&room, move |read| convert::wallet::contact(read, &issuer)).await?),
        None => None,
    };
    match room.node().command(Command::RegisterMerchant { currency, issuer }).await? {
        Answer::Currency(id) => ask(&room, move |read| convert::merchant::one(read, id, None)).await.map(Json),
        other => Err(unexpected(&other)),
    }
}

/// Let a contact, who has asked for it, take card money in a currency of this person's.
#[utoipa::path(post, path = "/v1/wallet/merchants/certify", operation_id = "certify_merchant", tag = "wallet",
    request_body = CertifyMerchant,
    responses(
        (status = 200, body = Merchant),
        OrProblem,
    ))]
pub(crate) async fn certify(State(room): State<Room>, Wish(wish): Wish<CertifyMerchant>) -> Reply<Merchant> {
    let CertifyMerchant { contact, currency, days } = wish;
    let contact = ask(&room, move |read| convert::wallet::contact(read, &contact)).await?;
    let lifetime = Span::from_days(days.unwrap_or(USUAL).into());
    match room.node().command(Command::CertifyMerchant { contact, currency, lifetime }).await? {
        Answer::Currency(id) => ask(&room, move |read| convert::merchant::one(read, id, Some(contact))).await.map(Json),
        other => Err(unexpected(&other)),
    }
}
