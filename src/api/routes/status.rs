use std::path::Path;

use axum::extract::State;
use kinfolk_engine::input::Command;
use kinfolk_rpc::Done;
use kinfolk_rpc::problem::Problem;
use kinfolk_rpc::status::{Rename, Status};

use super::{Json, Reply, ask, carry_out};
use crate::Room;
use crate::convert;
use crate::extract::Wish;

/// Who this profile is and how its node is doing.
#[utoipa::path(get, path = "/v1/status", tag = "node", responses(
    (status = 200, body = Status),
    (status = "default", body = Problem, content_type = "application/problem+json", description = "Refused"),
))]
pub(crate) async fn status(State(room): State<Room>) -> Reply<Status> {
    let mut status = ask(&room, convert::status::status).await?;
    let profile = room.profile().clone();
    // Where the walk dies there is no figure.
    status.storage_bytes = tokio::task::spawn_blocking(move || size_of(&profile)).await.unwrap_or_default();
    Ok(Json(status))
}

/// The bytes of all files under a directory; what cannot be seen counts nothing.
fn size_of(dir: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(of) if of.is_dir() => size_of(&entry.path()),
        Ok(of) if of.is_file() => of.len(),
        _ => 0,
    });
    sizes.sum()
}

/// Call oneself something else.
#[utoipa::path(put, path = "/v1/name", tag = "node", request_body = Rename, responses(
    (status = 200, body = Done),
    (status = "default", body = Problem, content_type = "application/problem+json", description = "Refused"),
))]
pub(crate) async fn rename_self(State(room): State<Room>, Wish(wish): Wish<Rename>) -> Reply<Done> {
    carry_out(&room, Command::RenameSelf(convert::name(&wish.name)?)).await
}
