//! What a home's router does that lets others in where it is asked to: the daemon that most of them run, miniupnpd.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::space::Space;

/// The program, and how a person gets it.
const PROGRAM: &str = "miniupnpd";
pub(crate) const MISSING: &str = "miniupnpd is not installed (apt-get install miniupnpd-nftables)";

/// Chains for the daemon's own rules, where its documentation puts them.
const CHAINS: &str = "
    table inet upnp {
        chain forward { type filter hook forward priority 0; jump mapped_forward; }
        chain prerouting { type nat hook prerouting priority -100; jump mapped; }
        chain postrouting { type nat hook postrouting priority 100; jump mapped_back; }
        chain mapped_forward { }
        chain mapped { }
        chain mapped_back { }
    }";
const SETTINGS: &str = "
    ext_ifname=wan
    listening_ip=lan
    enable_upnp=yes
    enable_natpmp=no
    secure_mode=yes
    uuid=6b1f2a7e-4c1d-4b52-9d0e-3a5f8c7e1d20
    upnp_table_name=upnp
    upnp_nat_table_name=upnp
    upnp_forward_chain=mapped_forward
    upnp_nat_chain=mapped
    upnp_nat_postrouting_chain=mapped_back
    allow 1024-65535 0.0.0.0/0 1024-65535
    deny 0-65535 0.0.0.0/0 0-65535
";
/// What the daemon says when it can be asked, but for the moment that it takes to open its sockets for those who look
/// for it: less than a node takes to start.
const LISTENS: &str = "HTTP listening";

/// The daemon, in the namespace of a router.
#[derive(Debug)]
pub(crate) struct Mapper {
    daemon: Child,
    _settings: TempDir,
}

impl Mapper {
    /// Starts one, and waits until it listens.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn start(router: &Space) -> Result<Self, String> {
        router.rules(CHAINS)?;
        let failed = |error: std::io::Error| format!("{PROGRAM}: {error}");
        let settings = tempfile::tempdir().map_err(failed)?;
        let file = settings.path().join("conf");
        let trimmed: Vec<&str> = SETTINGS.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        std::fs::write(&file, trimmed.join("\n") + "\n").map_err(failed)?;
        let [ip, words @ ..] = router.wrapper();
        let mut command = Command::new(ip);
        command.args(words).args([PROGRAM, "-d", "-f"]).arg(&file).arg("-P").arg(settings.path().join("pid"));
        let mut daemon = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().map_err(failed)?;
        let mut said = BufReader::new(daemon.stderr.take().ok_or("no pipe")?).lines().map_while(Result::ok);
        let listens = said.any(|line| line.contains(LISTENS));
        // Whoever does not listen to it any more stops it.
        std::thread::spawn(move || said.for_each(drop));
        let mapper = Self { daemon, _settings: settings };
        if listens { Ok(mapper) } else { Err(format!("{PROGRAM} does not listen")) }
    }

    /// Whether there is such a program here.
    pub(crate) fn is_there() -> bool {
        Command::new(PROGRAM).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
    }
}

impl Drop for Mapper {
    fn drop(&mut self) {
        self.daemon.kill().ok();
        self.daemon.wait().ok();
    }
}
