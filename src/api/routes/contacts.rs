use axum::extract::State;
use kinfolk_engine::input::Command;
use kinfolk_engine::query::ContactView;
use kinfolk_node::Answer;
use kinfolk_rpc::Done;
use kinfolk_rpc::contact::{AddContact, Added, Contact, ContactPage, SafetyNumber, SetVerified};
use kinfolk_rpc::status::Rename;
use kinfolk_wire::ids::IdentityId;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Json, Reply, ask, carry_out, unexpected};
use crate::Room;
use crate::convert;
use crate::extract::{Asked, Segments, Wish};
use crate::problem::{OrProblem, Refused};

/// How many contacts a page has unless asked otherwise, and at most.
const PAGE: usize = 500;

/// Which contacts.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// What the page before gave as `next`.
    after: Option<String>,
    /// How many at most, 1 to 500; 500 unless said.
    limit: Option<usize>,
}

async fn find(room: &Room, contact: String) -> Result<ContactView, Refused> {
    ask(room, move |read| convert::contact::named(read, &contact)).await
}

async fn do_to(room: &Room, contact: String, command: impl FnOnce(IdentityId) -> Command) -> Reply<Done> {
    let view = find(room, contact).await?;
    carry_out(room, command(view.identity)).await
}

/// The contacts, in the order of their names.
#[utoipa::path(get, path = "/v1/contacts", operation_id = "contacts", tag = "contacts", params(Which), responses(
    (status = 200, body = ContactPage),
    OrProblem,
))]
pub(crate) async fn list(State(room): State<Room>, Asked(which): Asked<Which>) -> Reply<ContactPage> {
    let limit = which.limit.unwrap_or(PAGE);
    if !(1..=PAGE).contains(&limit) {
        return Err(Refused::invalid("invalid_query", format!("limit: expected 1 to {PAGE}, found {limit}")));
    }
    ask(&room, move |read| convert::contact::page(read, which.after.as_deref(), limit)).await.map(Json)
}

/// Ask the person who made a link to become a contact.
#[utoipa::path(post, path = "/v1/contacts", operation_id = "add_contact", tag = "contacts", request_body = AddContact, responses(
    (status = 200, body = Added),
    OrProblem,
))]
pub(crate) async fn add(State(room): State<Room>, Wish(wish): Wish<AddContact>) -> Reply<Added> {
    let link = convert::contact::link(&wish.link)?;
    let name = wish.name.as_deref().map(convert::name).transpose()?;
    match room.node().command(Command::AddContact { link, name }).await? {
        Answer::Contact(identity, state) => {
            let view = find(&room, identity.to_string()).await?;
            Ok(Json(convert::contact::added(&view, state)))
        }
        other => Err(unexpected(&other)),
    }
}

/// One contact.
#[utoipa::path(get, path = "/v1/contacts/{contact}", operation_id = "contact", tag = "contacts",
    params(("contact" = String, Path, description = "An id, a unique beginning of one, or a unique name")),
    responses(
        (status = 200, body = Contact),
        OrProblem,
    ))]
pub(crate) async fn one(State(room): State<Room>, Segments(contact): Segments<String>) -> Reply<Contact> {
    Ok(Json(convert::contact::contact(&find(&room, contact).await?)))
}

/// Forget a contact and what is waiting for them; what was said stays.
#[utoipa::path(delete, path = "/v1/contacts/{contact}", operation_id = "remove_contact", tag = "contacts",
    params(("contact" = String, Path, description = "An id, a unique beginning of one, or a unique name")),
    responses(
        (status = 200, body = Done),
        OrProblem,
    ))]
pub(crate) async fn remove(State(room): State<Room>, Segments(contact): Segments<String>) -> Reply<Done> {
    do_to(&room, contact, Command::RemoveContact).await
}

/// Say yes to somebody who asked.
#[utoipa::path(post, path = "/v1/contacts/{contact}/accept", operation_id = "accept_contact", tag = "contacts",
    params(("contact" = String, Path, description = "An id, a unique beginning of one, or a unique name")),
    responses(
        (status = 200, body = Done),
        OrProblem,
    ))]
pub(crate) async fn accept(State(room): State<Room>, Segments(contact): Segments<String>) -> Reply<Done> {
    do_to(&room, contact, Command::AcceptContact).await
}

/// Say no to somebody who asked.
#[utoipa::path(post, path = "/v1/contacts/{contact}/decline", operation_id = "decline_contact", tag = "contacts",
    params(("contact" = String, Path, description = "An id, a unique beginning of one, or a unique name")),
    responses(
        (status = 200, body = Done),
        OrProblem,
    ))]
pub(crate) async fn decline(State(room): State<Room>, Segments(contact): Segments<String>) -> Reply<Done> {
    do_to(&room, contact, Command::DeclineContact).await
}

/// Hear nothing more from a contact.
#[utoipa::path(post, path = "/v1/contacts/{contact}/block", operation_id = "block_contact", tag = "contacts",
    params(("contact" = String, Path, description = "An id, a unique beginning of one, or a unique name")),
    responses(
        (status = 200, body = Done),
        OrProblem,
    ))]
pub(crate) async fn block(State(room): State<Room>, Segments(contact): Segments<String>) -> Reply<Done> {
    do_to(&room, contact, Command::Block).await
}

/// Hear a blocked contact again.
#[utoipa::path(post, path = "/v1/contacts/{contact}/unblock", operation_id = "unblock_contact", tag = "contacts",
    params(("contact" = String, Path, description = "An id, a unique beginning of one, or a unique name")),
    responses(
        (status = 200, body = Done),
        OrProblem,
    ))]
pub(crate) async fn unblock(State(room): State<Room>, Segments(contact): Segments<String>) -> Reply<Done> {
    do_to(&room, contact, Command::Unblock).await
}

/// Call a contact something else here.
#[utoipa::path(put, path = "/v1/contacts/{contact}/name", operation_id = "rename_contact", tag = "contacts",
    params(("contact" = String, Path, description = "An id, a unique beginning of one, or a unique name")),
    request_body = Rename,
    responses(
        (status = 200, body = Done),
        OrProblem,
    ))]
pub(crate) async fn rename(
    State(room): State<Room>,
    Segments(contact): Segments<String>,
    Wish(wish): Wish<Rename>,
) -> Reply<Done> {
    let name = convert::name(&wish.name)?;
    do_to(&room, contact, |identity| Command::RenameContact(identity, name)).await
}

/// The safety number with a contact: the same on both sides, if nobody stands between.
#[utoipa::path(get, path = "/v1/contacts/{contact}/safety-number", tag = "contacts",
    params(("contact" = String, Path, description = "An id, a unique beginning of one, or a unique name")),
    responses(
        (status = 200, body = SafetyNumber),
        OrProblem,
    ))]
pub(crate) async fn safety_number(
    State(room): State<Room>,
    Segments(contact): Segments<String>,
) -> Reply<SafetyNumber> {
    let (own, view) = ask(&room, move |read| {
        let view = convert::contact::named(read, &contact)?;
        Ok((convert::status::own_identity(read)?, view))
    })
    .await?;
    Ok(Json(convert::contact::safety_number(&own, &view)))
}

/// Note whether the safety number was compared and is the same.
#[utoipa::path(put, path = "/v1/contacts/{contact}/verified", tag = "contacts",
    params(("contact" = String, Path, description = "An id, a unique beginning of one, or a unique name")),
    request_body = SetVerified,
    responses(
        (status = 200, body = Done),
        OrProblem,
    ))]
pub(crate) async fn set_verified(
    State(room): State<Room>,
    Segments(contact): Segments<String>,
    Wish(wish): Wish<SetVerified>,
) -> Reply<Done> {
    do_to(&room, contact, |identity| Command::MarkVerified(identity, wish.verified)).await
}
