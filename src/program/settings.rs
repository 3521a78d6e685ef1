//! The settings file of `--config FILE`, for `init` and `run`. `docs/guide/cli.md` shows it to people.

use std::path::Path;

use kinfolk_cli::Failure;
use kinfolk_store::Backend;
use serde::Deserialize;

use super::failed;

/// What the file may say. What the command line says goes first.
///
/// ```toml
/// store = "sled"                                # or "redb"; counts when the profile is made
/// listen = ["/ip4/0.0.0.0/udp/4001/quic-v1"]
/// bootstrap = []
/// mdns = true
/// relay = true                                  # for contacts, where this node can be reached from outside
/// over_relays = true                            # be reached over contacts that relay, where it cannot
/// punch = true                                  # try to go straight where two nodes meet over a relay
/// upnp = true                                   # ask the router to map ports
/// api = "127.0.0.1:0"
/// ```
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// The back-end of a profile that is made.
    pub(crate) store: Option<String>,
    /// Where to listen, as multiaddrs.
    #[serde(default)]
    pub(crate) listen: Vec<String>,
    /// Nodes to begin with, as multiaddrs.
    #[serde(default)]
    pub(crate) bootstrap: Vec<String>,
    /// Whether to look for contacts on the local network.
    pub(crate) mdns: Option<bool>,
    /// Whether to relay for contacts.
    pub(crate) relay: Option<bool>,
    /// Whether to be reached over contacts that relay.
    pub(crate) over_relays: Option<bool>,
    /// Whether to try to go straight from a relay.
    pub(crate) punch: Option<bool>,
    /// Whether to ask the router to map ports.
    pub(crate) upnp: Option<bool>,
    /// Where the local API listens.
    pub(crate) api: Option<std::net::SocketAddr>,
}

impl Settings {
    /// The back-end for a profile that is made.
    ///
    /// # Errors
    /// [`Failure`] where the file names one that there is not.
    pub(crate) fn backend(&self) -> Result<Backend, Failure> {
        self.store.as_deref().map_or(Ok(Backend::Sled), |name| {
            name.parse::<Backend>().map_err(|error| failed("config_file", error.to_string()))
        })
    }

    /// Reads the file; without one, nothing is set.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be read or says something unknown.
    pub(crate) fn read(file: Option<&Path>) -> Result<Self, Failure> {
        let Some(file) = file else { return Ok(Self::default()) };
        let text = std::fs::read_to_string(file)
            .map_err(|error| failed("config_file", format!("{} cannot be read: {error}", file.display())))?;
        toml::from_str(&text).map_err(|error| failed("config_file", format!("{}: {}", file.display(), error.message())))
    }
}
