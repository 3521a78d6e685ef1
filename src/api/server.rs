//! Opens the door, tells where it is, and shuts it.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use kinfolk_node::Handle;
use kinfolk_rpc::door::{self, Door};
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::Room;
use crate::guard::Hosts;
use crate::listen::listen;
use crate::routes::router;
use crate::token::Token;

/// Who may find the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entrance {
    /// The person's programs: on this address of the loopback interface and on a Unix socket, told in `door.json`.
    Announced(SocketAddr),
    /// Only the process that opens it: on a Unix socket (or, where there are none, a free port) told nowhere.
    Private,
}

/// Why a door does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address is not of the loopback interface.
    #[error("the local API is for this machine only and cannot listen on {0}; use 127.0.0.1 or [::1]")]
    NotLoopback(SocketAddr),
    /// The address cannot be had.
    #[error("the local API cannot listen on {address}: {reason}; choose another port with --api")]
    Address {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        reason: io::Error,
    },
    /// A file of the door cannot be made.
    #[error("{} cannot be made: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// The system has no randomness to give.
    #[error("the system has no randomness to give: {0}")]
    Randomness(getrandom::Error),
}

/// A door that is open. Dropped without [`close`](Self::close) it shuts at once; where the process is killed its files
/// stay behind, and the next start clears them.
#[derive(Debug)]
pub struct OpenDoor {
    door: Door,
    closing: watch::Sender<bool>,
    listeners: Vec<JoinHandle<()>>,
    files: Vec<PathBuf>,
}

impl OpenDoor {
    /// How to find it: what `door.json` says, where it is announced.
    #[must_use]
    pub const fn door(&self) -> &Door {
        &self.door
    }

    /// Where it listens on the loopback interface, as `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        self.door.url.as_deref()
    }

    /// Closes it: its files go, event streams end, requests under way have two seconds to finish.
    pub async fn close(mut self) {
        self.remove_files();
        self.closing.send_replace(true);
        for listener in std::mem::take(&mut self.listeners) {
            if let Err(error) = listener.await {
                tracing::error!(%error, "a listener of the door had died");
            }
        }
    }
}

impl OpenDoor {
    fn remove_files(&mut self) {
        for file in self.files.drain(..) {
            if let Err(error) = std::fs::remove_file(file) {
                tracing::warn!(%error, "a file of the door stays behind");
            }
        }
    }
}

impl Drop for OpenDoor {
    fn drop(&mut self) {
        self.remove_files();
    }
}

/// Opens the door of a node whose profile is in this directory. Must be called inside a tokio runtime.
///
/// # Errors
/// [`OpenError`].
pub async fn open(node: Handle, profile: &Path, entrance: Entrance) -> Result<OpenDoor, OpenError> {
    let token = Token::draw().map_err(OpenError::Randomness)?;
    let (closing, closed) = watch::channel(false);
    let room = Room::new(node, profile.to_owned(), token.clone(), closed.clone());
    let mut open = OpenDoor {
        door: Door { url: None, token: token.reveal().to_owned(), socket: None },
        closing,
        listeners: Vec::new(),
        files: Vec::new(),
    };
    #[cfg(unix)]
    if let Some((path, listener)) = bind_socket(&profile.join(socket_name(entrance)))? {
        open.door.socket = path.to_str().map(str::to_owned);
        open.files.push(path);
        open.listeners.push(tokio::spawn(listen(listener, router(&room, Hosts::of_socket()), closed.clone())));
    }
    let address = match entrance {
        Entrance::Announced(address) => Some(address),
        Entrance::Private if open.door.socket.is_none() => Some(SocketAddr::from(([127, 0, 0, 1], 0))),
        Entrance::Private => None,
    };
    if let Some(address) = address {
        let (local, listener) = bind_tcp(address).await?;
        open.door.url = Some(format!("http://{local}"));
        open.listeners.push(tokio::spawn(listen(listener, router(&room, Hosts::at(local.port())), closed)));
    }
    if let Entrance::Announced(_) = entrance {
        let path = profile.join(door::FILE);
        announce(&open.door, &path).map_err(|reason| OpenError::File { path: path.clone(), reason })?;
        open.files.push(path);
    }
    Ok(open)
}

#[cfg(unix)]
const fn socket_name(entrance: Entrance) -> &'static str {
    match entrance {
        Entrance::Announced(_) => door::SOCKET,
        Entrance::Private => "private.sock",
    }
}

/// Listens on a Unix socket that only its owner may use; nothing where its path is longer than the system allows.
#[cfg(unix)]
fn bind_socket(path: &Path) -> Result<Option<(PathBuf, UnixListener)>, OpenError> {
    use std::os::unix::fs::PermissionsExt;

    let failed = |reason| OpenError::File { path: path.to_owned(), reason };
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let listener = match UnixListener::bind(path) {
        Ok(listener) => listener,
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(Some((path.to_owned(), listener)))
}

async fn bind_tcp(address: SocketAddr) -> Result<(SocketAddr, TcpListener), OpenError> {
    if !address.ip().is_loopback() {
        return Err(OpenError::NotLoopback(address));
    }
    let failed = |reason| OpenError::Address { address, reason };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    Ok((listener.local_addr().map_err(failed)?, listener))
}

/// Writes `door.json` whole or not at all, for its owner's eyes only.
fn announce(door: &Door, path: &Path) -> io::Result<()> {
    use std::io::Write;

    let draft = path.with_extension("json.new");
    match std::fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    serde_json::to_writer(&file, door)?;
    file.write_all(b"\n")?;
    drop(file);
    std::fs::rename(&draft, path)
}
