use axum::extract::State;
use kinfolk_engine::input::Command;
use kinfolk_node::Answer;
use kinfolk_rpc::Done;
use kinfolk_rpc::message::{AllowReadReceipts, MarkSeen, Message, MessagePage, SendMessage, Sent};
use kinfolk_wire::ids::ConversationId;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Json, Reply, ask, carry_out, unexpected};
use crate::Room;
use crate::convert;
use crate::extract::{Asked, Segments, Wish};
use crate::problem::{OrProblem, Refused};

/// How many lines a page has unless asked otherwise.
const USUAL: usize = 50;
/// How many lines a page has at most.
const MOST: usize = 500;

/// Which lines.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Only lines before the message with this id: what the page before gave as `next`.
    before: Option<String>,
    /// How many, the newest ones, 1 to 500; 50 unless said.
    last: Option<usize>,
}

async fn find(room: &Room, chat: String) -> Result<ConversationId, Refused> {
    ask(room, move |read| convert::message::conversation(read, &chat)).await
}

/// The lines of a conversation, oldest first.
#[utoipa::path(get, path = "/v1/chats/{chat}/messages", operation_id = "messages", tag = "messages",
    params(("chat" = String, Path, description = "A contact or the id of a conversation"), Which),
    responses(
        (status = 200, body = MessagePage),
        OrProblem,
    ))]
pub(crate) async fn list(
    State(room): State<Room>,
    Segments(chat): Segments<String>,
    Asked(which): Asked<Which>,
) -> Reply<MessagePage> {
    let last = which.last.unwrap_or(USUAL);
    if !(1..=MOST).contains(&last) {
        return Err(Refused::invalid("invalid_query", format!("last: expected 1 to {MOST}, found {last}")));
    }
    let page = ask(&room, move |read| {
        let conversation = convert::message::conversation(read, &chat)?;
        let before = which.before.map(|id| convert::message::place(read, conversation, &id)).transpose()?;
        convert::message::page(read, conversation, before, last)
    });
    page.await.map(Json)
}

/// Say something.
#[utoipa::path(post, path = "/v1/chats/{chat}/messages", operation_id = "send_message", tag = "messages",
    params(("chat" = String, Path, description = "A contact or the id of a conversation")),
    request_body = SendMessage,
    responses(
        (status = 200, body = Sent),
        OrProblem,
    ))]
pub(crate) async fn send(
    State(room): State<Room>,
    Segments(chat): Segments<String>,
    Wish(wish): Wish<SendMessage>,
) -> Reply<Sent> {
    let id = wish.message.as_deref().map(convert::message_id).transpose()?;
    let body = convert::message::body(&wish)?;
    let conversation = find(&room, chat).await?;
    match room.node().command(Command::SendMessage { id, conversation, body }).await? {
        Answer::Message(place, state) => {
            ask(&room, move |read| convert::message::sent(read, place, state)).await.map(Json)
        }
        other => Err(unexpected(&other)),
    }
}

/// One line.
#[utoipa::path(get, path = "/v1/chats/{chat}/messages/{message}", operation_id = "message", tag = "messages",
    params(
        ("chat" = String, Path, description = "A contact or the id of a conversation"),
        ("message" = String, Path, description = "The id of the message"),
    ),
    responses(
        (status = 200, body = Message),
        OrProblem,
    ))]
pub(crate) async fn one(
    State(room): State<Room>,
    Segments((chat, message)): Segments<(String, String)>,
) -> Reply<Message> {
    let line = ask(&room, move |read| {
        let conversation = convert::message::conversation(read, &chat)?;
        convert::message::one(read, convert::message::place(read, conversation, &message)?)
    });
    line.await.map(Json)
}

/// Note that the person has seen a conversation up to a line.
#[utoipa::path(put, path = "/v1/chats/{chat}/seen", tag = "messages",
    params(("chat" = String, Path, description = "A contact or the id of a conversation")),
    request_body = MarkSeen,
    responses(
        (status = 200, body = Done),
        OrProblem,
    ))]
pub(crate) async fn mark_seen(
    State(room): State<Room>,
    Segments(chat): Segments<String>,
    Wish(wish): Wish<MarkSeen>,
) -> Reply<Done> {
    let message = convert::message_id(&wish.message)?;
    let conversation = find(&room, chat).await?;
    carry_out(&room, Command::MarkRead(conversation, message)).await
}

/// Choose whether the other side is told what has been read.
#[utoipa::path(put, path = "/v1/chats/{chat}/read-receipts", tag = "messages",
    params(("chat" = String, Path, description = "A contact or the id of a conversation")),
    request_body = AllowReadReceipts,
    responses(
        (status = 200, body = Done),
        OrProblem,
    ))]
pub(crate) async fn allow_read_receipts(
    State(room): State<Room>,
    Segments(chat): Segments<String>,
    Wish(wish): Wish<AllowReadReceipts>,
) -> Reply<Done> {
    let conversation = find(&room, chat).await?;
    carry_out(&room, Command::AllowReadReceipts(conversation, wish.allowed)).await
}
