//! Logs: to standard error, silent unless asked for with `KINFOLK_LOG` (as in `KINFOLK_LOG=info`).

use tracing_subscriber::EnvFilter;

/// Begins to log.
pub(crate) fn begin() {
    let filter = EnvFilter::try_from_env("KINFOLK_LOG").unwrap_or_else(|_| EnvFilter::new("error"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
