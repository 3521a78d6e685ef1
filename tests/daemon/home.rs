//! A profile in a directory of its own, and the processes that work on it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

pub(crate) struct Home {
    _place: Option<tempfile::TempDir>,
    pub(crate) dir: PathBuf,
}

/// A node that runs. Dropping it kills the process.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) ready: Value,
    /// What it prints later; nobody reads it, and it is none the worse for that.
    pub(crate) out: Option<BufReader<ChildStdout>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        // A process that has ended already needs no killing.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

pub(crate) fn binary() -> Command {
    binary_under(&[])
}

/// The binary as another program starts it.
fn binary_under(wrapper: &[&str]) -> Command {
    let words = [wrapper, &[env!("CARGO_BIN_EXE_kinfolk")]].concat();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).env_remove("KINFOLK_DATA").env_remove("KINFOLK_PASSPHRASE").stdin(Stdio::null());
    command
}

impl Home {
    /// A directory with no profile yet.
    pub(crate) fn empty() -> Self {
        let place = tempfile::tempdir().unwrap();
        Self { dir: place.path().join("profile"), _place: Some(place) }
    }

    /// A directory of the test's choice with no profile yet.
    pub(crate) const fn empty_at(dir: PathBuf) -> Self {
        Self { dir, _place: None }
    }

    /// A profile in a place of the test's choice.
    pub(crate) fn at(dir: PathBuf, name: &str) -> Self {
        let home = Self::empty_at(dir);
        home.json(&["init", "--name", name]);
        home
    }

    /// A profile.
    pub(crate) fn new(name: &str) -> Self {
        let home = Self::empty();
        home.json(&["init", "--name", name]);
        home
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        binary().arg("--data").arg(&self.dir).args(arguments).output().unwrap()
    }

    /// The lines of JSON that a command prints, which must succeed.
    pub(crate) fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let output = self.run(&[&["--json"], arguments].concat());
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        lines(&output.stdout)
    }

    /// The code of the error and the exit status of a command that must fail.
    pub(crate) fn error(&self, arguments: &[&str]) -> (String, i32) {
        let (code, _, exit) = self.refusal(arguments);
        (code, exit)
    }

    /// The same, with the words of the error between the two.
    pub(crate) fn refusal(&self, arguments: &[&str]) -> (String, String, i32) {
        let output = self.run(&[&["--json"], arguments].concat());
        assert!(!output.status.success(), "{arguments:?} succeeded");
        assert!(output.stdout.is_empty(), "{arguments:?} printed {}", String::from_utf8_lossy(&output.stdout));
        let said = lines(&output.stderr);
        let error = &said.last().unwrap_or_else(|| panic!("{arguments:?} said nothing"))["error"];
        let message = error["message"].as_str().unwrap();
        assert!(message.len() > 5, "{error}");
        (error["code"].as_str().unwrap().to_owned(), message.to_owned(), output.status.code().unwrap())
    }

    /// Starts the node on loopback, at `port` or any.
    pub(crate) fn start(&self, port: u16) -> Running {
        self.start_under(&[], port)
    }

    /// The same, with another program to start it.
    pub(crate) fn start_under(&self, wrapper: &[&str], port: u16) -> Running {
        self.start_at(wrapper, &["--no-upnp", "--listen", &format!("/ip4/127.0.0.1/udp/{port}/quic-v1")])
    }

    /// The same, with options of the test's choice.
    pub(crate) fn start_at(&self, wrapper: &[&str], options: &[&str]) -> Running {
        start_under(wrapper, &self.dir, options)
    }
}

pub(crate) fn lines(bytes: &[u8]) -> Vec<Value> {
    bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| {
            serde_json::from_slice(line).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(line)))
        })
        .collect()
}

pub(crate) fn start(dir: &Path, arguments: &[&str]) -> Running {
    start_under(&[], dir, &[&["--no-upnp"], arguments].concat())
}

fn start_under(wrapper: &[&str], dir: &Path, arguments: &[&str]) -> Running {
    let mut command = binary_under(wrapper);
    command.arg("--data").arg(dir).args(["--json", "run", "--no-mdns"]).args(arguments);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    out.read_line(&mut first).unwrap();
    if first.is_empty() {
        let output = child.wait_with_output().unwrap();
        panic!("the node did not start: {}", String::from_utf8_lossy(&output.stderr));
    }
    Running { child, ready: serde_json::from_str(&first).unwrap(), out: Some(out) }
}

impl Running {
    /// The UDP port it listens on.
    pub(crate) fn port(&self) -> u16 {
        let address = self.ready["addresses"][0].as_str().unwrap();
        address.split('/').nth(4).unwrap().parse().unwrap()
    }

    /// Ends it as a person does.
    pub(crate) fn interrupt(mut self) {
        terminate(&self.child);
        let ended = within(&mut self.child, Duration::from_secs(30)).expect("it does not end");
        assert!(ended.success(), "{ended}");
    }

    /// Ends it as a power cut does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

pub(crate) fn terminate(child: &Child) {
    let id = rustix::process::Pid::from_raw(child.id().cast_signed()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
}

/// How a process ends, where it does so in time; one that does not is killed.
pub(crate) fn within(child: &mut Child, patience: Duration) -> Option<ExitStatus> {
    let id = rustix::process::Pid::from_raw(child.id().cast_signed()).unwrap();
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    std::thread::scope(|scope| {
        scope.spawn(move || tell.send(child.wait().unwrap()));
        let ended = told.recv_timeout(patience).ok();
        if ended.is_none() {
            rustix::process::kill_process(id, rustix::process::Signal::KILL).unwrap();
        }
        ended
    })
}

/// Two people who are contacts, their nodes running.
pub(crate) fn friends() -> ((Home, Running), (Home, Running)) {
    let (anna, ben) = (Home::new("Anna"), Home::new("Ben"));
    let (anna_runs, ben_runs) = (anna.start(0), ben.start(0));
    befriend(&anna, &ben);
    ((anna, anna_runs), (ben, ben_runs))
}

/// Makes two people contacts, whose nodes run.
pub(crate) fn befriend(anna: &Home, ben: &Home) {
    let link = anna.json(&["invite", "--once"])[0]["link"].as_str().unwrap().to_owned();
    ben.json(&["add", &link]);
    // A first word waits for the contact: it can be sent once both have agreed.
    wait_for(ben, "contact_changed", accepted);
    wait_for(anna, "contact_added", accepted);
}

fn accepted(home: &Home) -> bool {
    home.json(&["contacts"]).first().is_some_and(|contact| contact["state"] == "accepted")
}

/// Waits until something is so, looking again whenever the node tells of an event.
pub(crate) fn wait_for(home: &Home, what: &str, so: impl Fn(&Home) -> bool) {
    if so(home) {
        return;
    }
    let mut watch = binary()
        .arg("--data")
        .arg(&home.dir)
        .args(["--json", "watch", "--since", "0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let told = BufReader::new(watch.stdout.take().unwrap());
    let mut found = false;
    for line in told.lines() {
        assert!(!line.unwrap().is_empty());
        if so(home) {
            found = true;
            break;
        }
    }
    watch.kill().unwrap();
    watch.wait().unwrap();
    assert!(found, "waited in vain for {what}");
}

/// Waits until an invite that lives for one second has expired, by the clock that decides it.
pub(crate) fn wait_for_expiry() {
    let begun = std::time::SystemTime::now();
    while begun.elapsed().is_ok_and(|passed| passed.as_millis() < 1_100) {
        std::thread::yield_now();
    }
}
