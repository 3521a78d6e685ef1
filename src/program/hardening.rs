//! What the process keeps the system from doing with its memory: no core dump holds a key, and no other process of the
//! same person may look in.

/// Best effort: a system that refuses still runs the program, as the threat model says.
#[cfg(target_os = "linux")]
pub(crate) fn keep_memory_private() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

    if let Err(error) = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }) {
        tracing::debug!(%error, "core dumps stay possible");
    }
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::debug!(%error, "others may look into the memory");
    }
}

/// Nothing that can be done here.
#[cfg(not(target_os = "linux"))]
pub(crate) fn keep_memory_private() {}
