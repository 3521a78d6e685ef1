//! What stands in logs at their most talkative: everything that was done, and nothing that was said, named or known.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use kinfolk::engine::query;
use kinfolk::engine::store::{Read, Row, Scan, Table};
use kinfolk::store::{Unlock, open};
use serde_json::Value;

use crate::home::{self, Home, Running, wait_for};

const PASSPHRASE: &str = "seven-herons-cross-the-marsh";
const NAMES: [&str; 3] = ["Quirinia-Vostok", "Baldomero-Ixtapa", "Nickname-Zephyrine"];
const TEXTS: [&str; 3] = ["the-lighthouse-burns-at-noon", "bring-no-lanterns", "after-the-restart-come-alone"];
const UNKNOWN: &str = "Nobody-Oberon";
const PLACE: &str = "47.918273,8.645362";

/// Two profiles and all that their programs wrote to standard error.
struct Scene {
    place: tempfile::TempDir,
    homes: [Home; 2],
    logs: usize,
}

impl Scene {
    fn begin() -> (Self, Vec<String>) {
        let homes = [Home::empty(), Home::empty()];
        let mut scene = Self { place: tempfile::tempdir().unwrap(), homes, logs: 0 };
        let mut secrets = Vec::new();
        for who in [0, 1] {
            let made = scene.says(who, &["init", "--name", NAMES[who]]);
            let words: Vec<&str> =
                made["recovery_phrase"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            assert_eq!(words.len(), 24);
            // A word alone may stand anywhere; two in their order say something.
            secrets.extend(words.windows(2).map(|pair| pair.join(" ")));
            secrets.extend(words.windows(2).map(|pair| pair.join("\", \"")));
        }
        (scene, secrets)
    }

    fn log(&mut self) -> PathBuf {
        self.logs += 1;
        self.place.path().join(format!("{}.log", self.logs))
    }

    fn command(&mut self, who: usize, arguments: &[&str]) -> std::process::Command {
        let log = File::create(self.log()).unwrap();
        let mut command = home::binary();
        command.env("KINFOLK_LOG", "trace").env("RUST_BACKTRACE", "1").env("KINFOLK_PASSPHRASE", PASSPHRASE);
        command.arg("--data").arg(&self.homes[who].dir).arg("--json").args(arguments).stderr(log);
        command
    }

    /// What a command prints, if anything.
    fn says(&mut self, who: usize, arguments: &[&str]) -> Value {
        let output = self.command(who, arguments).output().unwrap();
        home::lines(&output.stdout).pop().unwrap_or_default()
    }

    fn runs(&mut self, who: usize) -> Running {
        let arguments =
            ["run", "--no-mdns", "--listen", "/ip4/127.0.0.1/udp/0/quic-v1", "--listen", "/ip4/127.0.0.1/tcp/0"];
        let mut child = self.command(who, &arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        out.read_line(&mut first).unwrap();
        std::thread::spawn(move || drop(std::io::copy(&mut out, &mut std::io::sink())));
        Running { child, ready: serde_json::from_str(&first).unwrap(), out: None }
    }

    /// Everything that was logged: not the errors that a command prints for the person who typed it.
    fn logged(&self) -> String {
        let files = (1..=self.logs).map(|number| self.place.path().join(format!("{number}.log")));
        let all: Vec<String> =
            files.map(|file| String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned()).collect();
        let lines = all.iter().flat_map(|file| file.lines()).filter(|line| !line.starts_with("{\"error\":"));
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// How bytes may stand in a log: in hexadecimal, as a list of numbers, in the alphabets of base64.
fn forms(bytes: &[u8]) -> Vec<String> {
    const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let list: Vec<String> = bytes.iter().map(u8::to_string).collect();
    let base64 = |last: [char; 2]| -> String {
        let digit = |value: u32| match value {
            62 => last[0],
            63 => last[1],
            value => char::from(BASE64[usize::try_from(value).unwrap()]),
        };
        let groups = bytes.as_chunks::<3>().0.iter();
        groups
            .flat_map(|[a, b, c]| {
                let all = u32::from(*a) << 16 | u32::from(*b) << 8 | u32::from(*c);
                [18, 12, 6, 0].map(|shift| digit(all >> shift & 63))
            })
            .collect()
    };
    vec![hex.to_uppercase(), hex, list.join(", "), base64(['+', '/']), base64(['-', '_'])]
}

/// The parts of a secret, so that a piece of it is found as well: 12 bytes each.
fn pieces(secret: &[u8]) -> Vec<String> {
    let parts = [0, secret.len().saturating_sub(12) / 2, secret.len().saturating_sub(12)];
    let parts = parts.iter().filter_map(|at| secret.get(*at..at + 12));
    // Runs of one byte are no secret.
    parts.filter(|part| part.iter().any(|byte| *byte != part[0])).flat_map(forms).collect()
}

/// What a profile holds that is nobody else's: keys, sessions, ids in full.
fn secrets_of(dir: &Path) -> Vec<String> {
    let store = open(dir, Unlock::Passphrase(PASSPHRASE)).unwrap();
    let own = query::profile(&store).unwrap().unwrap();
    let mut secrets = pieces(own.device_keys.as_slice());
    secrets.extend(pieces(own.network_key.as_slice()));
    let mut seen = 0;
    for table in [Table::Prekey, Table::Session, Table::SkippedKey, Table::Device, Table::Invite] {
        for (_, row) in store.scan(&Scan::all(table, 1_000)).unwrap().rows {
            seen += 1;
            match row {
                Row::Prekey(prekey) => secrets.extend(pieces(prekey.secret.as_slice())),
                Row::KeyMaterial(key) => secrets.extend(pieces(key.as_slice())),
                Row::Invite(invite) => secrets.extend(pieces(invite.secret.as_slice())),
                Row::Device(device) => {
                    secrets.extend(device.pair_root.iter().flat_map(|root| pieces(root.as_slice())));
                    secrets.extend(pieces(device.device.as_bytes()));
                }
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(seen >= 4, "{seen} rows with secrets");
    secrets.extend(pieces(own.identity.as_bytes()));
    secrets.extend(pieces(own.device.as_bytes()));
    for contact in query::contacts(&store).unwrap() {
        secrets.extend(pieces(contact.conversation.as_bytes()));
        for line in query::history(&store, contact.conversation, None, 100).unwrap().lines {
            secrets.extend(pieces(line.place.id.as_bytes()));
        }
    }
    secrets
}

#[test]
fn g05_logs_at_their_most_talkative_hold_no_word_name_key_or_id() {
    let (mut scene, mut secrets) = Scene::begin();
    let (anna, ben) = (scene.runs(0), scene.runs(1));
    let link = scene.says(0, &["invite", "--once"])["link"].as_str().unwrap().to_owned();
    let link_for_many = scene.says(0, &["invite"])["link"].as_str().unwrap().to_owned();
    scene.says(1, &["add", &link, "--name", NAMES[2]]);
    let accepted = |home: &Home| home.json(&["contacts"]).first().is_some_and(|contact| contact["state"] == "accepted");
    wait_for(&scene.homes[1], "contact_changed", accepted);
    wait_for(&scene.homes[0], "contact_added", accepted);
    let delivered = |said: Value| assert_eq!(said["state"], "delivered", "{said}");
    delivered(scene.says(0, &["send", NAMES[1], TEXTS[0], "--wait", "delivered"]));
    delivered(scene.says(1, &["send", NAMES[2], TEXTS[1], "--wait", "delivered"]));
    delivered(scene.says(1, &["send", NAMES[2], "--location", PLACE, "--wait", "delivered"]));
    let ben_is = NAMES[1];
    for words in [
        &["send", UNKNOWN, TEXTS[0]][..],
        &["add", &link_for_many],
        &["verify", UNKNOWN],
        &["verify", ben_is, "--mark"],
        &["block", ben_is],
        &["send", ben_is, TEXTS[0]],
        &["unblock", ben_is],
        &["history", ben_is],
    ] {
        scene.says(0, words);
    }
    for dir in [0, 1].map(|who| scene.homes[who].dir.clone()) {
        let door: Value = serde_json::from_slice(&std::fs::read(dir.join("door.json")).unwrap()).unwrap();
        secrets.push(door["token"].as_str().unwrap().to_owned());
    }
    ben.kill();
    let ben = scene.runs(1);
    delivered(scene.says(1, &["send", NAMES[2], TEXTS[2], "--wait", "delivered"]));
    anna.interrupt();
    ben.interrupt();

    secrets.extend(NAMES.iter().chain(&TEXTS).chain(&[PASSPHRASE, UNKNOWN]).map(|text| (*text).to_owned()));
    secrets.extend(PLACE.split(',').map(str::to_owned));
    for link in [&link, &link_for_many] {
        let text = link.strip_prefix("kinfolk:").unwrap();
        secrets.extend(text.as_bytes().chunks_exact(24).map(|part| String::from_utf8_lossy(part).into_owned()));
    }
    for who in [0, 1] {
        secrets.extend(secrets_of(&scene.homes[who].dir));
    }
    let logged = scene.logged();
    for said in [" TRACE ", " DEBUG ", "kinfolk_net", "libp2p"] {
        assert!(logged.contains(said), "nothing was logged by {said}: {} bytes", logged.len());
    }
    let loud =
        |line: &&str| [" INFO kinfolk", " WARN kinfolk", "ERROR kinfolk"].iter().any(|level| line.contains(level));
    for line in logged.lines().filter(loud) {
        assert!(!["/ip4/", "/ip6/", "12D3KooW", "PeerId("].iter().any(|place| line.contains(place)), "{line}");
    }
    assert!(secrets.iter().all(|secret| secret.len() >= 7), "too short to be looked for");
    let found: Vec<&String> = secrets.iter().filter(|secret| logged.contains(secret.as_str())).collect();
    let told: Vec<String> = found
        .iter()
        .map(|secret| {
            let line = logged.lines().find(|line| line.contains(secret.as_str())).unwrap_or_default();
            format!("{secret}: {line:.300}")
        })
        .collect();
    assert!(found.is_empty(), "{} of {}: {told:#?}", found.len(), secrets.len());
}

#[test]
fn a_secret_is_known_in_every_form_that_a_log_may_show_it_in() {
    let secret: Vec<u8> = (10..42).map(|n: u8| n.wrapping_mul(37)).collect();
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let shown = [format!("{secret:?}"), hex.clone(), hex.to_uppercase(), format!("key={hex}, more")];
    for log in shown {
        assert!(pieces(&secret).iter().any(|piece| log.contains(piece)), "{log}");
    }
    assert!(pieces(b"Many hands make light work.").contains(&"TWFueSBoYW5kcyBt".to_owned()));
}
