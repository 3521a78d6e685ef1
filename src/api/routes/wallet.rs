use std::time::Duration;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use kinfolk_engine::Event;
use kinfolk_engine::input::{Command, Words};
use kinfolk_engine::query;
use kinfolk_node::clock::{Clock, SystemClock};
use kinfolk_node::{Answer, CommandError};
use kinfolk_rpc::wallet::{
    AcceptCurrency, Balances, Class, CreateCurrency, Currencies, Currency, Mint, Pay, Payment, Payments,
    RecoverAccount, Recovery, ServeCurrency, WitnessStatus,
};
use kinfolk_wire::ids::{EntryHash, IdentityId};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Json, Reply, ask, unexpected};
use crate::Room;
use crate::convert;
use crate::extract::{Asked, Segments, Wish};
use crate::problem::{OrProblem, Refused};

/// How long others are given to answer a question on which a request stands.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// How many payments there are to a page unless asked otherwise, and at most.
pub(super) const USUAL: usize = 50;
const MOST: usize = 1_000;

/// The currencies that this person takes or was told of.
#[utoipa::path(get, path = "/v1/wallet/currencies", operation_id = "currencies", tag = "wallet", responses(
    (status = 200, body = Currencies),
    OrProblem,
))]
pub(crate) async fn currencies(State(room): State<Room>) -> Reply<Currencies> {
    ask(&room, convert::wallet::currencies).await.map(Json)
}

/// Make a currency. Its witnesses are asked for their keys, and must be there.
#[utoipa::path(post, path = "/v1/wallet/currencies", operation_id = "create_currency", tag = "wallet",
    request_body = CreateCurrency,
    responses(
        (status = 200, body = Currency),
        OrProblem,
    ))]
pub(crate) async fn create(State(room): State<Room>, Wish(wish): Wish<CreateCurrency>) -> Reply<Currency> {
    let (new, nodes) = ask(&room, move |read| convert::wallet::wanted(read, wish)).await?;
    let mut notices = room.node().subscribe();
    room.node().command(Command::AskWitnessKeys(new.witnesses.clone())).await?;
    let all_answered = async {
        loop {
            let nodes = nodes.clone();
            let waits = ask(&room, move |read| {
                let mut waits = false;
                for (_, peer) in nodes {
                    let key = query::witness_key(read, peer)?;
                    waits |= key.is_some_and(|key| key.vk.is_none() && !key.failed);
                }
                Ok(waits)
            });
            if !waits.await? {
                return Ok::<(), Refused>(());
            }
            // Notices that were missed are a reason to look as well.
            drop(notices.recv().await);
        }
    };
    // Who has not answered by then is named by the refusal that follows.
    if let Ok(answered) = tokio::time::timeout(PATIENCE, all_answered).await {
        answered?;
    }
    match room.node().command(Command::CreateCurrency(new)).await? {
        Answer::Currency(id) => shown(&room, id.to_string()).await,
        other => Err(unexpected(&other)),
    }
}

async fn shown(room: &Room, which: String) -> Reply<Currency> {
    ask(room, move |read| Ok(convert::wallet::currency(&query::currency(read, &which)?))).await.map(Json)
}

/// Take a currency.
#[utoipa::path(post, path = "/v1/wallet/accept", operation_id = "accept_currency", tag = "wallet",
    request_body = AcceptCurrency,
    responses(
        (status = 200, body = Currency),
        OrProblem,
    ))]
pub(crate) async fn accept(State(room): State<Room>, Wish(wish): Wish<AcceptCurrency>) -> Reply<Currency> {
    match room.node().command(Command::AcceptCurrency(wish.currency)).await? {
        Answer::Currency(id) => shown(&room, id.to_string()).await,
        other => Err(unexpected(&other)),
    }
}

/// One currency.
#[utoipa::path(get, path = "/v1/wallet/currencies/{currency}", operation_id = "currency", tag = "wallet",
    params(("currency" = String, Path, description = "Its code, its id, or a unique beginning of it")),
    responses(
        (status = 200, body = Currency),
        OrProblem,
    ))]
pub(crate) async fn currency(State(room): State<Room>, Segments(which): Segments<String>) -> Reply<Currency> {
    shown(&room, which).await
}

/// Bring back this person's account in a currency, whose phone is lost. It goes on by itself until it is done.
#[utoipa::path(post, path = "/v1/wallet/currencies/{currency}/recovery", operation_id = "recover_account", tag = "wallet",
    params(("currency" = String, Path, description = "Its code, its id, or a unique beginning of it")),
    request_body = RecoverAccount,
    responses(
        (status = 200, body = Recovery),
        OrProblem,
    ))]
pub(crate) async fn recover(
    State(room): State<Room>,
    Segments(currency): Segments<String>,
    Wish(wish): Wish<RecoverAccount>,
) -> Reply<Recovery> {
    let words = Words::read(wish.words)?;
    match room.node().command(Command::RecoverAccount { currency, words }).await? {
        Answer::Currency(id) => recovery(State(room), Segments(id.to_string())).await,
        other => Err(unexpected(&other)),
    }
}

/// How far that is.
#[utoipa::path(get, path = "/v1/wallet/currencies/{currency}/recovery", operation_id = "recovery", tag = "wallet",
    params(("currency" = String, Path, description = "Its code, its id, or a unique beginning of it")),
    responses(
        (status = 200, body = Recovery),
        OrProblem,
    ))]
pub(crate) async fn recovery(State(room): State<Room>, Segments(which): Segments<String>) -> Reply<Recovery> {
    ask(&room, move |read| convert::wallet::recovery(read, &which)).await.map(Json)
}

/// What there is, by currency and class.
#[utoipa::path(get, path = "/v1/wallet/balances", operation_id = "balances", tag = "wallet", responses(
    (status = 200, body = Balances),
    OrProblem,
))]
pub(crate) async fn balances(State(room): State<Room>) -> Reply<Balances> {
    ask(&room, convert::wallet::balances).await.map(Json)
}

/// Make money; only who made the currency can.
#[utoipa::path(post, path = "/v1/wallet/mint", operation_id = "mint", tag = "wallet", request_body = Mint,
    responses(
        (status = 200, body = Payment),
        OrProblem,
    ))]
pub(crate) async fn mint(State(room): State<Room>, Wish(wish): Wish<Mint>) -> Reply<Payment> {
    let Mint { currency, amount, to, class } = wish;
    let to = match to {
        Some(to) => Some(ask(&room, move |read| convert::wallet::contact(read, &to)).await?),
        None => None,
    };
    let command = Command::Mint { currency: currency.clone(), amount, to, card: class == Class::Card };
    let entry = signed(&room, command, to, currency).await?;
    ask(&room, move |read| convert::wallet::one(read, entry)).await.map(Json)
}

/// Has something signed. Where it is not known where a contact's money goes, they are asked first.
async fn signed(
    room: &Room,
    command: Command,
    contact: Option<IdentityId>,
    currency: String,
) -> Result<EntryHash, Refused> {
    let mut notices = room.node().subscribe();
    let answer = match (room.node().command(command.clone()).await, contact) {
        (Err(CommandError::Refused { code: "account_unknown", .. }), Some(contact)) => {
            room.node().command(Command::AskAccount { contact, currency: currency.clone() }).await?;
            let id = ask(room, move |read| Ok(query::currency(read, &currency)?.id)).await?;
            let told = async {
                while !ask(room, move |read| Ok(query::is_payable(read, id, contact)?)).await? {
                    drop(notices.recv().await);
                }
                Ok::<(), Refused>(())
            };
            // Without an answer it is refused for that again.
            if let Ok(told) = tokio::time::timeout(PATIENCE, told).await {
                told?;
            }
            room.node().command(command).await
        }
        // A contact may have become a merchant, or renewed what lets them take card money.
        (Err(CommandError::Refused { code: "not_enough" | "certificate_over", .. }), Some(contact))
            if matches!(command, Command::Pay { .. }) && card_may_do(room, currency.clone(), contact).await? =>
        {
            room.node().command(Command::AskAccount { contact, currency }).await?;
            let told = async {
                // What was missed may have been the answer.
                while notices.recv().await.is_ok_and(|notice| notice.event != Event::PayeeKnown(contact)) {}
            };
            let _is_told = tokio::time::timeout(PATIENCE, told).await;
            room.node().command(command).await
        }
        (answer, _) => answer,
    };
    match answer? {
        Answer::Payment(entry) => Ok(entry),
        other => Err(unexpected(&other)),
    }
}

/// Whether there is card money that a contact is not known to take.
async fn card_may_do(room: &Room, currency: String, contact: IdentityId) -> Result<bool, Refused> {
    let found = ask(room, move |read| {
        let id = query::currency(read, &currency)?.id;
        Ok(query::has_card(read, id)? && !query::takes_card(read, id, contact, SystemClock.now())?)
    });
    found.await
}

/// Which payments.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Only those of this currency: its code or id.
    currency: Option<String>,
    /// How many, the newest ones, 1 to 1,000; 50 unless said.
    last: Option<usize>,
}

/// How many there are to a page, where there can be so many.
pub(super) fn checked(last: usize) -> Result<usize, Refused> {
    let wrong = || Refused::invalid("invalid_query", format!("last: expected 1 to {MOST}, found {last}"));
    (1..=MOST).contains(&last).then_some(last).ok_or_else(wrong)
}

/// Payments that went and came, the newest first.
#[utoipa::path(get, path = "/v1/wallet/payments", operation_id = "payments", tag = "wallet", params(Which),
    responses(
        (status = 200, body = Payments),
        OrProblem,
    ))]
pub(crate) async fn payments(State(room): State<Room>, Asked(which): Asked<Which>) -> Reply<Payments> {
    let last = checked(which.last.unwrap_or(USUAL))?;
    ask(&room, move |read| convert::wallet::page(read, which.currency.as_deref(), last)).await.map(Json)
}

/// Pay a contact. It is done when it is signed and safe on the disk; it is final when a quorum of witnesses has voted.
#[utoipa::path(post, path = "/v1/wallet/payments", operation_id = "pay", tag = "wallet", request_body = Pay,
    responses(
        (status = 200, body = Payment),
        OrProblem,
    ))]
pub(crate) async fn pay(State(room): State<Room>, Wish(wish): Wish<Pay>) -> Reply<Payment> {
    let Pay { contact, amount, currency, memo } = wish;
    let memo = convert::wallet::memo(memo)?;
    let contact = ask(&room, move |read| convert::wallet::contact(read, &contact)).await?;
    let command = Command::Pay { contact, amount, currency: currency.clone(), memo };
    let entry = signed(&room, command, Some(contact), currency).await?;
    ask(&room, move |read| convert::wallet::one(read, entry)).await.map(Json)
}

/// One payment.
#[utoipa::path(get, path = "/v1/wallet/payments/{entry}", operation_id = "payment", tag = "wallet",
    params(("entry" = String, Path, description = "Its entry, or a unique beginning of it")),
    responses(
        (status = 200, body = Payment),
        OrProblem,
    ))]
pub(crate) async fn payment(State(room): State<Room>, Segments(entry): Segments<String>) -> Reply<Payment> {
    let found = ask(&room, move |read| {
        let entry = convert::wallet::entry(read, &entry)?;
        convert::wallet::one(read, entry)
    });
    found.await.map(Json)
}

/// Pay back what came, as far as that was not done already.
#[utoipa::path(post, path = "/v1/wallet/payments/{entry}/refund", operation_id = "refund", tag = "wallet",
    params(("entry" = String, Path, description = "The entry of what came, or a unique beginning of it")),
    responses(
        (status = 200, body = Payment),
        OrProblem,
    ))]
pub(crate) async fn refund(State(room): State<Room>, Segments(entry): Segments<String>) -> Reply<Payment> {
    let entry = ask(&room, move |read| convert::wallet::entry(read, &entry)).await?;
    match room.node().command(Command::Refund(entry)).await? {
        Answer::Payment(entry) => ask(&room, move |read| convert::wallet::one(read, entry)).await.map(Json),
        other => Err(unexpected(&other)),
    }
}

/// What proves a payment to anybody, as a file.
#[utoipa::path(get, path = "/v1/wallet/payments/{entry}/receipt", operation_id = "payment_receipt", tag = "wallet",
    params(("entry" = String, Path, description = "Its entry, or a unique beginning of it")),
    responses(
        (status = 200, content_type = "application/octet-stream", body = Vec<u8>, description = "The file"),
        OrProblem,
    ))]
pub(crate) async fn receipt(State(room): State<Room>, Segments(entry): Segments<String>) -> Result<Response, Refused> {
    let file = ask(&room, move |read| {
        let entry = convert::wallet::entry(read, &entry)?;
        convert::wallet::one(read, entry)?;
        query::receipt(read, entry)?.map(|file| file.encode()).ok_or_else(convert::wallet::not_final)
    });
    Ok(([(header::CONTENT_TYPE, kinfolk_rpc::bundle::FILE)], file.await?).into_response())
}

/// This node as a witness.
#[utoipa::path(get, path = "/v1/witness", operation_id = "witness", tag = "witness", responses(
    (status = 200, body = WitnessStatus),
    OrProblem,
))]
pub(crate) async fn witness(State(room): State<Room>) -> Reply<WitnessStatus> {
    let status = room.node().witness_status().await?;
    Ok(Json(convert::wallet::witness_status(status.as_ref())))
}

/// Witness a currency from now on: one whose policy names this node.
#[utoipa::path(post, path = "/v1/witness", operation_id = "serve_currency", tag = "witness",
    request_body = ServeCurrency,
    responses(
        (status = 200, body = WitnessStatus),
        OrProblem,
    ))]
pub(crate) async fn serve(State(room): State<Room>, Wish(wish): Wish<ServeCurrency>) -> Reply<WitnessStatus> {
    let policy = ask(&room, move |read| Ok(query::policy_of(read, &wish.currency)?)).await?;
    room.node().serve_currency(policy).await?;
    witness(State(room)).await
}
