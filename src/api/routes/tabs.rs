use axum::extract::State;
use kinfolk_engine::input::Command;
use kinfolk_engine::query;
use kinfolk_node::{Answer, CommandError};
use kinfolk_rpc::tab::{OpenTab, PayTab, Tab, Tabs};
use kinfolk_rpc::wallet::Payment;
use kinfolk_wire::ids::IdentityId;
use kinfolk_wire::time::Span;

use super::wallet::PATIENCE;
use super::{Json, Reply, ask, unexpected};
use crate::Room;
use crate::convert;
use crate::extract::{Segments, Wish};
use crate::problem::{OrProblem, Refused};

/// For how many days a tab is unless somebody says otherwise.
const USUAL: u32 = 7;

/// Tabs, one's own and those that are for this person, the newest first.
#[utoipa::path(get, path = "/v1/wallet/tabs", operation_id = "tabs", tag = "wallet", responses(
    (status = 200, body = Tabs),
    OrProblem,
))]
pub(crate) async fn list(State(room): State<Room>) -> Reply<Tabs> {
    ask(&room, convert::tab::all).await.map(Json)
}

/// Put cash aside for a contact. Once that is final, they can be paid from it with nobody else reached, at no risk to them.
#[utoipa::path(post, path = "/v1/wallet/tabs", operation_id = "open_tab", tag = "wallet", request_body = OpenTab,
    responses(
        (status = 200, body = Tab),
        OrProblem,
    ))]
pub(crate) async fn open(State(room): State<Room>, Wish(wish): Wish<OpenTab>) -> Reply<Tab> {
    let OpenTab { contact, amount, currency, days } = wish;
    let contact = ask(&room, move |read| convert::wallet::contact(read, &contact)).await?;
    let lifetime = Span::from_days(days.unwrap_or(USUAL).into());
    let command = Command::OpenTab { contact, amount, currency: currency.clone(), lifetime };
    let answer = match room.node().command(command.clone()).await {
        Err(CommandError::Refused { code: "account_unknown" | "no_tab_key", .. }) => {
            learn_key(&room, contact, currency).await?;
            room.node().command(command).await
        }
        answer => answer,
    };
    told(&room, answer?).await
}

/// Asks a contact for the key by which they redeem, and waits a while for the answer.
async fn learn_key(room: &Room, contact: IdentityId, currency: String) -> Result<(), Refused> {
    let mut notices = room.node().subscribe();
    room.node().command(Command::AskAccount { contact, currency: currency.clone() }).await?;
    let id = ask(room, move |read| Ok(query::currency(read, &currency)?.id)).await?;
    let told = async {
        while !ask(room, move |read| Ok(query::has_tab_key(read, id, contact)?)).await? {
            drop(notices.recv().await);
        }
        Ok::<(), Refused>(())
    };
    // Without an answer it is refused for that again.
    tokio::time::timeout(PATIENCE, told).await.unwrap_or(Ok(()))
}

async fn told(room: &Room, answer: Answer) -> Reply<Tab> {
    match answer {
        Answer::Tab(tab) => ask(room, move |read| convert::tab::one(read, tab)).await.map(Json),
        other => Err(unexpected(&other)),
    }
}

/// One tab.
#[utoipa::path(get, path = "/v1/wallet/tabs/{tab}", operation_id = "tab", tag = "wallet",
    params(("tab" = String, Path, description = "Its name, or a unique beginning of it; or the contact whom it is for")),
    responses(
        (status = 200, body = Tab),
        OrProblem,
    ))]
pub(crate) async fn one(State(room): State<Room>, Segments(tab): Segments<String>) -> Reply<Tab> {
    let found = ask(&room, move |read| {
        let tab = convert::tab::meant(read, &tab)?;
        convert::tab::one(read, tab)
    });
    found.await.map(Json)
}

/// Pay by voucher of a tab. Nobody is asked for it; it is done when it is safe on the disk, and final when the payee has
/// redeemed it.
#[utoipa::path(post, path = "/v1/wallet/tabs/pay", operation_id = "pay_tab", tag = "wallet", request_body = PayTab,
    responses(
        (status = 200, body = Payment),
        OrProblem,
    ))]
pub(crate) async fn pay(State(room): State<Room>, Wish(wish): Wish<PayTab>) -> Reply<Payment> {
    let PayTab { tab, amount, memo } = wish;
    let memo = convert::wallet::memo(memo)?;
    let tab = ask(&room, move |read| convert::tab::meant(read, &tab)).await?;
    match room.node().command(Command::PayTab { tab, amount, memo }).await? {
        Answer::Payment(entry) => ask(&room, move |read| convert::wallet::one(read, entry)).await.map(Json),
        other => Err(unexpected(&other)),
    }
}

/// Redeem what a tab's vouchers have promised; only whom it is for can. It is done without being asked, before the tab
/// expires.
#[utoipa::path(post, path = "/v1/wallet/tabs/{tab}/redeem", operation_id = "redeem_tab", tag = "wallet",
    params(("tab" = String, Path, description = "Its name, or a unique beginning of it")),
    responses(
        (status = 200, body = Tab),
        OrProblem,
    ))]
pub(crate) async fn redeem(State(room): State<Room>, Segments(tab): Segments<String>) -> Reply<Tab> {
    let tab = ask(&room, move |read| convert::tab::meant(read, &tab)).await?;
    let answer = room.node().command(Command::RedeemTab(tab)).await?;
    told(&room, answer).await
}

/// End a tab: whom it is for at any time, who opened it once it has expired. What was paid from it is redeemed, the rest goes
/// back. It ends without being asked when it has expired.
#[utoipa::path(post, path = "/v1/wallet/tabs/{tab}/close", operation_id = "close_tab", tag = "wallet",
    params(("tab" = String, Path, description = "Its name, or a unique beginning of it; or the contact whom it is for")),
    responses(
        (status = 200, body = Tab),
        OrProblem,
    ))]
pub(crate) async fn close(State(room): State<Room>, Segments(tab): Segments<String>) -> Reply<Tab> {
    let tab = ask(&room, move |read| convert::tab::meant(read, &tab)).await?;
    let answer = room.node().command(Command::CloseTab(tab)).await?;
    told(&room, answer).await
}
