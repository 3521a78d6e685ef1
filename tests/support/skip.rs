//! How a test says that it cannot run here. Any crate's tests take it in with
//! `#[path = "../../../tests/support/skip.rs"] mod skip;`, as deep as they stand.

use std::io::Write;

/// Says on standard error that a test is skipped, and why; adds the same line to the file that `KINFOLK_SKIP_LOG`
/// names, because a passing test's output is not shown. The caller returns afterwards.
///
/// # Panics
/// If the log is named and cannot be written: a skipped test must be counted.
#[allow(
    clippy::print_stderr,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a skipped test must be seen, by whichever tests take this in"
)]
pub fn skip(test: &str, reason: &str) {
    let line = format!("skipped: {test}: {reason}\n");
    eprint!("{line}");
    if let Some(log) = std::env::var_os("KINFOLK_SKIP_LOG") {
        // One write of one line to a file opened for appending: tests of many processes do not mix their lines.
        std::fs::OpenOptions::new().create(true).append(true).open(log).unwrap().write_all(line.as_bytes()).unwrap();
    }
}
