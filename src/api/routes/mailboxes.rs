use axum::extract::State;
use kinfolk_engine::input::Command;
use kinfolk_node::Answer;
use kinfolk_rpc::Done;
use kinfolk_rpc::mailbox::{AddMailbox, MailboxAdded, Mailboxes, Serve, Serving};

use super::{Json, Reply, ask, carry_out, unexpected};
use crate::Room;
use crate::convert;
use crate::extract::{Segments, Wish};
use crate::problem::OrProblem;

/// This person's mailboxes, and this node as one.
#[utoipa::path(get, path = "/v1/mailboxes", operation_id = "mailboxes", tag = "mailboxes", responses(
    (status = 200, body = Mailboxes),
    OrProblem,
))]
pub(crate) async fn overview(State(room): State<Room>) -> Reply<Mailboxes> {
    ask(&room, convert::mailbox::overview).await.map(Json)
}

/// Name a node that keeps what is for this person while they are away.
#[utoipa::path(post, path = "/v1/mailboxes/hosts", operation_id = "add_mailbox", tag = "mailboxes",
    request_body = AddMailbox,
    responses(
        (status = 200, body = MailboxAdded),
        OrProblem,
    ))]
pub(crate) async fn add(State(room): State<Room>, Wish(wish): Wish<AddMailbox>) -> Reply<MailboxAdded> {
    let choice = ask(&room, move |read| convert::mailbox::choice(read, &wish)).await?;
    match room.node().command(Command::AddMailbox(choice)).await? {
        Answer::Host(host) => ask(&room, move |read| convert::mailbox::added(read, &host)).await.map(Json),
        other => Err(unexpected(&other)),
    }
}

/// Name one no longer.
#[utoipa::path(delete, path = "/v1/mailboxes/hosts/{mailbox}", operation_id = "remove_mailbox", tag = "mailboxes",
    params(("mailbox" = String, Path, description = "The id of a node or a unique beginning of it, or a contact")),
    responses(
        (status = 200, body = Done),
        OrProblem,
    ))]
pub(crate) async fn remove(State(room): State<Room>, Segments(mailbox): Segments<String>) -> Reply<Done> {
    let peer = ask(&room, move |read| convert::mailbox::find(read, &mailbox)).await?;
    carry_out(&room, Command::RemoveMailbox(peer)).await
}

/// What this node keeps for others, while it serves as a mailbox.
#[utoipa::path(get, path = "/v1/mailboxes/serving", operation_id = "serving", tag = "mailboxes", responses(
    (status = 200, body = Serving),
    OrProblem,
))]
pub(crate) async fn serving(State(room): State<Room>) -> Reply<Serving> {
    ask(&room, convert::mailbox::serving_now).await.map(Json)
}

/// Serve as a mailbox from now on, or change what is offered.
#[utoipa::path(put, path = "/v1/mailboxes/serving", operation_id = "serve", tag = "mailboxes", request_body = Serve,
    responses(
        (status = 200, body = Serving),
        OrProblem,
    ))]
pub(crate) async fn serve(State(room): State<Room>, Wish(wish): Wish<Serve>) -> Reply<Serving> {
    let offer = convert::mailbox::offer(&wish)?;
    match room.node().command(Command::ServeMailbox(Some(offer))).await? {
        Answer::Host(_) => ask(&room, convert::mailbox::serving_now).await.map(Json),
        other => Err(unexpected(&other)),
    }
}

/// Serve as a mailbox no longer.
#[utoipa::path(delete, path = "/v1/mailboxes/serving", operation_id = "stop_serving", tag = "mailboxes", responses(
    (status = 200, body = Done),
    OrProblem,
))]
pub(crate) async fn stop_serving(State(room): State<Room>) -> Reply<Done> {
    carry_out(&room, Command::ServeMailbox(None)).await
}
