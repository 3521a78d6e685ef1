use axum::http::StatusCode;
use kinfolk_engine::query;
use kinfolk_engine::store::{Profile, Read};
use kinfolk_node::Reachability;
use kinfolk_rpc::status as rpc;
use kinfolk_wire::ids::IdentityId;

use super::reach::reachability;
use crate::problem::Refused;

/// How the node is doing; what the profile takes on the disk is for the caller to fill in.
pub(crate) fn status(read: &dyn Read, known: Option<&Reachability>) -> Result<rpc::Status, Refused> {
    let profile = profile(read)?;
    let addresses: Vec<String> = query::listening(read)?.addresses.iter().map(ToString::to_string).collect();
    Ok(rpc::Status {
        identity: profile.identity.to_string(),
        device: profile.device.to_string(),
        name: profile.name.as_str().to_owned(),
        display_name: profile.name.isolated(),
        reachability: reachability(&addresses, known),
        addresses,
        peers: query::peers(read)?.len() as u64,
        contacts: query::contacts(read)?.len() as u64,
        outbox: query::outbox_len(read)? as u64,
        mailboxes: super::mailbox::states(read)?,
        storage_bytes: 0,
        seq: query::last_event(read)?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

/// Who this profile is.
pub(crate) fn own_identity(read: &dyn Read) -> Result<IdentityId, Refused> {
    Ok(profile(read)?.identity)
}

fn profile(read: &dyn Read) -> Result<Profile, Refused> {
    query::profile(read)?.ok_or_else(|| {
        Refused::new(StatusCode::CONFLICT, "no_profile", "this profile has not been set up; run `kinfolk init`")
    })
}
