//! Network namespaces, and what is done inside one. Each is removed, with the processes in it, when it is dropped; what
//! a test that was killed has left is swept away before the next one begins.

use std::fs::File;
use std::io::Write;
use std::net::{SocketAddrV4, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// How the names of all our namespaces begin; the process and a number follow.
const PREFIX: &str = "kinfolk-lab-";
/// Where the system keeps the names of namespaces.
const NAMES: &str = "/run/netns";

/// A network namespace: interfaces, routes and rules of its own.
#[derive(Debug)]
pub(crate) struct Space {
    name: String,
}

impl Drop for Space {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

impl Space {
    /// One with nothing in it but a loopback interface that is up.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn new() -> Result<Self, String> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{number}", std::process::id());
        run(&["ip", "netns", "add", &name], "")?;
        let space = Self { name };
        space.shell("for all in all default; do echo 1 > /proc/sys/net/ipv6/conf/$all/disable_ipv6; done; true")?;
        space.ip("link set lo up")?;
        Ok(space)
    }

    /// What a command is started with so that it runs in here.
    pub(crate) fn wrapper(&self) -> [&str; 4] {
        ["ip", "netns", "exec", &self.name]
    }

    /// Runs `ip` with these words, for this namespace.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn ip(&self, words: &str) -> Result<(), String> {
        let arguments: Vec<&str> = ["ip", "-n", &self.name].into_iter().chain(words.split(' ')).collect();
        run(&arguments, "")
    }

    /// Runs a line of shell in here.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn shell(&self, script: &str) -> Result<(), String> {
        run(&[&self.wrapper()[..], &["sh", "-ec", script]].concat(), "")
    }

    /// Adds rules of nftables.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn rules(&self, rules: &str) -> Result<(), String> {
        run(&[&self.wrapper()[..], &["nft", "-f", "-"]].concat(), rules)
    }

    /// A cable between an interface in here and one in another namespace.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn cable(&self, own: &str, other: &Self, others: &str) -> Result<(), String> {
        let (here, there) = (&self.name, &other.name);
        // Room for the envelope of a slow line, so that what is inside still has the usual 1,500 bytes.
        run(
            &[
                "ip", "link", "add", own, "mtu", "1600", "netns", here, "type", "veth", "peer", "name", others, "mtu",
                "1600", "netns", there,
            ],
            "",
        )?;
        self.ip(&format!("link set {own} up"))?;
        other.ip(&format!("link set {others} up"))
    }

    /// Lets packets through from one interface to another.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn forward(&self) -> Result<(), String> {
        self.shell("echo 1 > /proc/sys/net/ipv4/ip_forward")
    }

    /// A socket of this process that is in this namespace.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn socket(&self, at: SocketAddrV4) -> Result<UdpSocket, String> {
        let path = Path::new(NAMES).join(&self.name);
        // A thread enters the namespace, and ends there; its socket stays.
        let made = std::thread::spawn(move || {
            let space = File::open(path)?;
            move_into_link_name_space(std::os::fd::AsFd::as_fd(&space), Some(LinkNameSpaceType::Network))?;
            UdpSocket::bind(at)
        });
        made.join().map_err(|_| "the thread of a socket panicked".to_owned())?.map_err(|error| error.to_string())
    }
}

/// Runs a command to its end.
fn run(words: &[&str], input: &str) -> Result<(), String> {
    let failed = |what: &dyn std::fmt::Display| format!("{}: {what}", words.join(" "));
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| failed(&error))?;
    // A command that ends before it has read everything says why.
    child.stdin.take().map(|mut pipe| pipe.write_all(input.as_bytes()));
    let output = child.wait_with_output().map_err(|error| failed(&error))?;
    if output.status.success() {
        return Ok(());
    }
    Err(failed(&String::from_utf8_lossy(&output.stderr).trim()))
}

/// Ends what runs in a namespace and removes it. Nobody could do anything about it where that fails.
fn remove(name: &str) {
    let inside = Command::new("ip").args(["netns", "pids", name]).output().map(|output| output.stdout);
    let inside = String::from_utf8(inside.unwrap_or_default()).unwrap_or_default();
    for process in inside.lines().filter_map(|line| line.trim().parse().ok()).filter_map(Pid::from_raw) {
        kill_process(process, Signal::KILL).ok();
    }
    run(&["ip", "netns", "del", name], "").ok();
}

/// Removes the namespaces of processes that have ended without doing so themselves.
pub(crate) fn sweep() {
    let Ok(names) = std::fs::read_dir(NAMES) else { return };
    for name in names.filter_map(Result::ok).map(|entry| entry.file_name().to_string_lossy().into_owned()) {
        let Some(process) = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()) else { continue };
        if !Path::new("/proc").join(process).exists() {
            remove(&name);
        }
    }
}
