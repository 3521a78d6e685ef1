//! Every other command: asked of the node that runs, or where none does and none is needed, of one started for it alone
//! without a network.

use kinfolk_api::Entrance;
use kinfolk_cli::{Failure, Parsed, Screen, Talk, execute};
use kinfolk_client::{Client, ClientError};
use kinfolk_node::NodeConfig;
use kinfolk_node::clock::SystemClock;
use kinfolk_node::entropy::SystemEntropy;

use super::{failed, no_door, profile, running};

/// Carries out a command.
pub(crate) async fn talk(parsed: &Parsed, talk: &Talk, screen: &mut Screen) -> Result<(), Failure> {
    match Client::open(&parsed.profile).await {
        Ok(client) => execute(talk, &client, screen).await,
        Err(ClientError::NoNode) if talk.works_offline() && kinfolk_store::exists(&parsed.profile) => {
            offline(parsed, talk, screen).await
        }
        Err(ClientError::NoNode) if !kinfolk_store::exists(&parsed.profile) => {
            let message = format!("there is no profile in {}; make one with `kinfolk init`", parsed.profile.display());
            Err(Failure::new(kinfolk_cli::Exit::NoNode, "no_profile", message))
        }
        Err(error) => Err(error.into()),
    }
}

async fn offline(parsed: &Parsed, talk: &Talk, screen: &mut Screen) -> Result<(), Failure> {
    let store = profile::open(parsed, &profile::passphrase(parsed)?)?;
    let node = kinfolk_node::start(store, NodeConfig::default(), SystemClock, SystemEntropy)
        .map_err(|error| failed("not_started", error.to_string()))?;
    let told = match kinfolk_api::open(node.handle.clone(), &parsed.profile, Entrance::Private).await {
        Ok(door) => {
            let told = execute(talk, &Client::new(door.door().clone()), screen).await;
            door.close().await;
            told
        }
        Err(error) => Err(no_door(&error)),
    };
    running::stop(node).await?;
    told
}
