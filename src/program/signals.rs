//! What ends a node from outside: SIGINT and SIGTERM.

use kinfolk_cli::Failure;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::failed;

/// Hears the signals from the moment it is made: none that comes later is lost, and none ends the process by itself.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Begins to hear. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`Failure`] where the system does not let them be heard.
    pub(crate) fn hear() -> Result<Self, Failure> {
        let hear = |kind| signal(kind).map_err(|error| failed("signals", format!("signals cannot be heard: {error}")));
        Ok(Self { interrupt: hear(SignalKind::interrupt())?, terminate: hear(SignalKind::terminate())? })
    }

    /// Returns when the process is told to stop, at once where it was told before.
    pub(crate) async fn stop(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
