//! Tests on a small disk of their own, or under other limits of the system: the test runs again, alone, in a process
//! that has them. Taken in as `skip.rs` is, beside it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Where the process with the limits is told its place.
pub(crate) const PLACE: &str = "KINFOLK_TEST_PLACE";
/// How a shell says that a limit cannot be had here.
const CANNOT: i32 = 77;
/// How the harness of tests says that one failed.
const FAILED: i32 = 101;

/// Where this process is the one with the limits: the directory to work in.
pub(crate) fn place() -> Option<PathBuf> {
    std::env::var_os(PLACE).map(PathBuf::from)
}

/// What this very test is run with again.
fn again(command: &mut Command, test: &str, place: &Path) -> Output {
    command.arg(std::env::current_exe().unwrap()).args(["--exact", test, "--nocapture"]);
    command.env(PLACE, place).env("TMPDIR", place.parent().unwrap()).output().unwrap()
}

/// Whether the test ran and held; panics where it ran and failed.
fn ran(test: &str, output: &Output) -> bool {
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (said(&output.stdout), said(&output.stderr));
    match output.status.code() {
        Some(0) => {
            print!("{out}");
            assert!(out.contains("1 passed"), "{test} is not the name of this test:\n{out}");
            true
        }
        Some(code) if code != FAILED && !out.contains("running 1 test") => false,
        code => panic!("{test} failed in the process with limits ({code:?}):\n{out}\n{err}"),
    }
}

/// Runs a test again on a tmpfs with these options, such as `size=24m`, mounted where [`place`] says. Returns why it
/// cannot be had here, where it cannot.
pub(crate) fn on_small_disk(test: &str, options: &str) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("small");
    std::fs::create_dir(&place).unwrap();
    let mount = format!("mount -t tmpfs -o {options} tmpfs \"$0\" || exit {CANNOT}; exec \"$@\"");
    for namespaces in ["-Urm", "-m"].iter().filter(|_| has("unshare")) {
        let mut command = Command::new("unshare");
        command.args([namespaces, "sh", "-c", &mount]).arg(&place);
        if ran(test, &again(&mut command, test, &place)) {
            return Ok(());
        }
    }
    Err("no file system can be mounted here, neither in a user namespace nor as root".to_owned())
}

/// Takes all the space there is in a place, with a file whose path it returns.
pub(crate) fn fill_up(place: &Path) -> PathBuf {
    let path = place.join("filler");
    let mut file = std::fs::File::create(&path).unwrap();
    for size in [1 << 20, 4_096, 1] {
        while file.write_all(&vec![1; size]).is_ok() {}
    }
    path
}

/// Runs a test again with at most so many open files in a process.
#[allow(dead_code, reason = "not everybody who takes this in limits files")]
pub(crate) fn with_open_files(test: &str, most: u32) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("few");
    std::fs::create_dir(&place).unwrap();
    let limit = format!("ulimit -n {most} || exit {CANNOT}; exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &limit]);
    if ran(test, &again(&mut command, test, &place)) { Ok(()) } else { Err("no limit can be set".to_owned()) }
}

/// Whether there is a program of this name.
pub(crate) fn has(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}
