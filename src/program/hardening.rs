//! What the process keeps the system from doing with its memory: no core dump holds a key, and no other process of the
//! same person may look in.

/// Best effort: a system that refuses still runs the program, as the threat model says.
#[cfg(target_os = "linux")]
pub(crate) fn keep_memory_private() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

    // Neither has anything to do next where it fails.
    drop(setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).is_ok());
    drop(set_dumpable_behavior(DumpableBehavior::NotDumpable).is_ok());
}

/// Nothing that can be done here.
#[cfg(not(target_os = "linux"))]
pub(crate) fn keep_memory_private() {}
