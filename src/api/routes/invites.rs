use axum::extract::State;
use kinfolk_node::Answer;
use kinfolk_rpc::invite::{CreateInvite, Invite};

use super::{Json, Reply, unexpected};
use crate::Room;
use crate::convert;
use crate::extract::Wish;
use crate::problem::OrProblem;

/// Make a link for others to become contacts by.
#[utoipa::path(post, path = "/v1/invites", operation_id = "create_invite", tag = "contacts", request_body = CreateInvite, responses(
    (status = 200, body = Invite),
    OrProblem,
))]
pub(crate) async fn create(State(room): State<Room>, Wish(wish): Wish<CreateInvite>) -> Reply<Invite> {
    match room.node().command(convert::invite::wish(&wish)?).await? {
        Answer::Invite(link) => Ok(Json(Invite { link: link.to_string() })),
        other => Err(unexpected(&other)),
    }
}
