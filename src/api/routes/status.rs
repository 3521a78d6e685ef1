use std::path::Path;

use axum::extract::State;
use kinfolk_engine::input::Command;
use kinfolk_rpc::Done;
use kinfolk_rpc::status::{Rename, Status};

use super::{Json, Reply, ask, carry_out};
use crate::Room;
use crate::convert;
use crate::extract::Wish;
use crate::problem::OrProblem;

/// Who this profile is and how its node is doing.
#[utoipa::path(get, path = "/v1/status", tag = "node", responses(
    (status = 200, body = Status),
    OrProblem,
))]
pub(crate) async fn status(State(room): State<Room>) -> Reply<Status> {
    let known = room.node().reachability().await?;
    let mut status = ask(&room, move |read| convert::status::status(read, known.as_ref())).await?;
    let profile = room.profile().clone();
    // Where the walk dies there is no figure.
    status.storage_bytes = tokio::task::spawn_blocking(move || bytes_under(&profile)).await.unwrap_or_default();
    Ok(Json(status))
}

/// What the files under a directory take on the disk, in bytes; what cannot be seen counts nothing.
fn bytes_under(dir: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(of) if of.is_dir() => bytes_under(&entry.path()),
        Ok(of) => on_disk(&of),
        Err(_) => 0,
    });
    sizes.sum()
}

/// The system counts in blocks of 512 bytes, whatever the disk's own are (POSIX, `stat`).
#[cfg(unix)]
fn on_disk(file: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::blocks(file).saturating_mul(512)
}

#[cfg(not(unix))]
fn on_disk(file: &std::fs::Metadata) -> u64 {
    file.len()
}

/// Call oneself something else.
#[utoipa::path(put, path = "/v1/name", tag = "node", request_body = Rename, responses(
    (status = 200, body = Done),
    OrProblem,
))]
pub(crate) async fn rename_self(State(room): State<Room>, Wish(wish): Wish<Rename>) -> Reply<Done> {
    carry_out(&room, Command::RenameSelf(convert::name(&wish.name)?)).await
}
