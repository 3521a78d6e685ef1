//! The time that turns are given. Tests give another.

use std::time::{SystemTime, UNIX_EPOCH};

use kinfolk_wire::time::Timestamp;

/// Says what time it is.
pub trait Clock: Send + 'static {
    /// Milliseconds since the Unix epoch.
    fn now(&self) -> Timestamp;
}

/// The system's clock. A clock before the epoch is taken for the epoch.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}
