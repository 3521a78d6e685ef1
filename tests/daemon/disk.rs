//! A disk that runs full or fails under a node, and a node that may open no more files.
//!
//! What was acknowledged stays and arrives once; what was refused is neither kept nor shown, and the refusal says what
//! to do; the node lives on, and sends again when the fault is over.

use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;

use crate::home::{Home, Running, befriend, lines, wait_for};
use crate::skip::skip;
use crate::small_disk::{fill_up, has, on_small_disk, place};

/// How often each text is shown in a conversation.
fn shown(home: &Home, with: &str) -> BTreeMap<String, u32> {
    let mut texts = BTreeMap::new();
    for message in home.json(&["history", with, "--last", "500"]) {
        *texts.entry(message["text"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    texts
}

fn each_once(texts: &[String]) -> BTreeMap<String, u32> {
    texts.iter().map(|text| (text.clone(), 1)).collect()
}

/// Sends a text; the code and the words of the refusal where it is refused.
fn send(home: &Home, to: &str, text: &str) -> Result<(), (String, String)> {
    let output = home.run(&["--json", "send", to, text]);
    if output.status.success() {
        return Ok(());
    }
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let error = lines(&output.stderr).pop().unwrap();
    let word = |name: &str| error["error"][name].as_str().unwrap().to_owned();
    Err((word("code"), word("message")))
}

/// Sends long texts until one is refused; those that are not are `said`.
fn send_until_refused(home: &Home, said: &mut Vec<String>) -> (String, String) {
    for _ in 0..2_000 {
        let text = format!("{} {}", said.len(), "x".repeat(20_000));
        if let Err(refusal) = send(home, "Ben", &text) {
            return refusal;
        }
        said.push(text);
    }
    panic!("nothing is refused");
}

fn lives(running: &mut Running) {
    assert!(running.child.try_wait().unwrap().is_none(), "the node has ended");
}

#[test]
fn g02_a_node_on_a_full_disk_keeps_short_lines_refuses_long_ones_loses_nothing_and_goes_on_when_there_is_space() {
    const TEST: &str = "disk::g02_a_node_on_a_full_disk_keeps_short_lines_refuses_long_ones_loses_nothing_and_goes_on_when_there_is_space";
    let Some(place) = place() else {
        return on_small_disk(TEST, "size=64m").unwrap_or_else(|reason| skip(TEST, &reason));
    };
    let (anna, ben) = (Home::at(place.join("anna"), "Anna"), Home::new("Ben"));
    let (mut anna_runs, _ben_runs) = (anna.start(0), ben.start(0));
    let port = anna_runs.port();
    befriend(&anna, &ben);
    let mut said: Vec<String> = (0..5).map(|number| format!("before {number}")).collect();
    for text in &said {
        send(&anna, "Ben", text).unwrap();
    }
    wait_for(&ben, "what was said before", |ben| shown(ben, "Anna") == each_once(&said));

    let filler = fill_up(&place);
    let (code, words) = send_until_refused(&anna, &mut said);
    println!("{} long texts were taken out of the reserve", said.len() - 5);
    assert_eq!(code, "disk_full", "{words}");
    assert!(words.contains("free some space and try again"), "{words}");
    lives(&mut anna_runs);
    assert_eq!(anna.json(&["contacts"]).len(), 1);
    assert_eq!(shown(&anna, "Ben"), each_once(&said), "a refused text is shown, or an acknowledged one is not");

    // Short lines are kept out of the reserve, long after longer ones are refused.
    for number in 0..100 {
        let text = format!("kept {number}");
        send(&anna, "Ben", &text).unwrap();
        said.push(text);
    }

    // What is sent to the full node waits at its sender.
    let heard = vec![format!("hear this {}", "y".repeat(20_000))];
    send(&ben, "Anna", &heard[0]).unwrap();
    assert_eq!(send_until_refused(&anna, &mut said).0, "disk_full");
    lives(&mut anna_runs);

    fs::remove_file(filler).unwrap();
    send(&anna, "Ben", "there is space").unwrap();
    said.push("there is space".to_owned());
    wait_for(&ben, "everything that was acknowledged", |ben| {
        shown(ben, "Anna").keys().filter(|text| said.contains(text)).count() == said.len()
    });
    wait_for(&anna, "what waited", |anna| shown(anna, "Ben").contains_key(&heard[0]));
    let all = [said, heard].concat();
    assert_eq!(shown(&ben, "Anna"), each_once(&all));
    assert_eq!(shown(&anna, "Ben"), each_once(&all));
    lives(&mut anna_runs);

    anna_runs.kill();
    let _again = anna.start(port);
    assert_eq!(shown(&anna, "Ben"), each_once(&all));
}

#[test]
fn g02_a_node_that_is_started_on_a_full_disk_runs_or_says_so_and_loses_nothing() {
    const TEST: &str = "disk::g02_a_node_that_is_started_on_a_full_disk_runs_or_says_so_and_loses_nothing";
    let Some(place) = place() else {
        return on_small_disk(TEST, "size=64m").unwrap_or_else(|reason| skip(TEST, &reason));
    };
    let (anna, ben) = (Home::at(place.join("anna"), "Anna"), Home::new("Ben"));
    let (anna_runs, _ben_runs) = (anna.start(0), ben.start(0));
    let port = anna_runs.port();
    befriend(&anna, &ben);
    let mut said = vec!["before".to_owned()];
    send(&anna, "Ben", &said[0]).unwrap();
    anna_runs.kill();
    let filler = fill_up(&place);
    let output = anna.run(&["--json", "history", "Ben"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(lines(&output.stdout)[0]["text"], "before");
    let started = std::panic::catch_unwind(|| anna.start(port));
    let _runs = match started {
        Ok(mut runs) => {
            assert_eq!(send_until_refused(&anna, &mut said).0, "disk_full");
            lives(&mut runs);
            assert_eq!(shown(&anna, "Ben"), each_once(&said));
            fs::remove_file(filler).unwrap();
            runs
        }
        Err(panic) => {
            let words = panic.downcast_ref::<String>().unwrap();
            assert!(words.contains("\"disk_full\""), "{words}");
            fs::remove_file(filler).unwrap();
            anna.start(port)
        }
    };
    send(&anna, "Ben", "after").unwrap();
    said.push("after".to_owned());
    wait_for(&ben, "all of it", |ben| shown(ben, "Anna").len() == said.len());
    assert_eq!(shown(&ben, "Anna"), each_once(&said));
    assert_eq!(shown(&anna, "Ben"), each_once(&said));
}

#[test]
fn g02_a_node_that_is_started_on_a_full_disk_reaches_its_contacts_when_there_is_space() {
    const TEST: &str = "disk::g02_a_node_that_is_started_on_a_full_disk_reaches_its_contacts_when_there_is_space";
    let Some(place) = place() else {
        return on_small_disk(TEST, "size=64m").unwrap_or_else(|reason| skip(TEST, &reason));
    };
    let (anna, ben) = (Home::at(place.join("anna"), "Anna"), Home::new("Ben"));
    let (mut anna_runs, ben_runs) = (anna.start(0), ben.start(0));
    let port = ben_runs.port();
    befriend(&anna, &ben);
    let filler = fill_up(&place);
    let mut said = Vec::new();
    send_until_refused(&anna, &mut said);
    ben_runs.kill();
    anna_runs.child.kill().unwrap();
    anna_runs.child.wait().unwrap();
    // Room for the files of the door, and for nothing else. She is elsewhere now, so that only she can find him.
    let length = filler.metadata().unwrap().len();
    fs::File::options().write(true).open(&filler).unwrap().set_len(length - (16 << 10)).unwrap();
    let mut anna_runs = anna.start(0);
    lives(&mut anna_runs);
    fs::remove_file(filler).unwrap();
    let _ben_runs = ben.start(port);
    wait_for(&anna, "Ben", |anna| anna.json(&["contacts"])[0]["online"] == true);
    wait_for(&ben, "what was said", |ben| shown(ben, "Anna") == each_once(&said));
}

#[test]
fn g02_a_node_whose_disk_fails_refuses_or_keeps_each_message_and_lives_on() {
    const TEST: &str = "disk::g02_a_node_whose_disk_fails_refuses_or_keeps_each_message_and_lives_on";
    if !has("strace") || !rustix::process::geteuid().is_root() {
        return skip(
            TEST,
            "calls can be made to fail by strace only, and by file only for root: no other looks in here",
        );
    }
    let (anna, ben) = (Home::new("Anna"), Home::new("Ben"));
    let (anna_runs, _ben_runs) = (anna.start(0), ben.start(0));
    let port = anna_runs.port();
    befriend(&anna, &ben);
    anna_runs.interrupt();
    for (call, when) in [("fdatasync", "10..14"), ("fdatasync", "20")] {
        let trace = tempfile::NamedTempFile::new().unwrap();
        let (database, inject) = (anna.dir.join("store/rows/db"), format!("inject={call}:error=EIO:when={when}"));
        let wrapper = ["strace", "-f", "-qq", "-o", trace.path().to_str().unwrap(), "-P", database.to_str().unwrap()];
        let traced = format!("trace={call}");
        let wrapper = [&wrapper[..], &["-e", &traced, "-e", &inject]].concat();
        let mut anna_runs = anna.start_under(&wrapper, port);
        let (mut said, mut refused) = (Vec::new(), 0);
        for number in 0..60u32 {
            let text = format!("{when} {number}");
            match send(&anna, "Ben", &text) {
                Ok(()) => said.push(text),
                Err((code, words)) => {
                    assert_eq!(code, "store_failed", "{words}");
                    assert!(words.contains("try again"), "{words}");
                    refused += 1;
                }
            }
        }
        lives(&mut anna_runs);
        let injected = fs::read_to_string(trace.path()).unwrap().matches("(INJECTED)").count();
        println!("{call} at {when}: {injected} calls failed, {refused} of 60 refused");
        assert!(injected > 0, "{call} never failed");
        let last = said.last().unwrap().clone();
        assert_eq!(last, format!("{when} 59"), "the node did not go on");
        let ours = |shown: BTreeMap<String, u32>| -> BTreeMap<String, u32> {
            shown.into_iter().filter(|(text, _)| text.starts_with(&format!("{when} "))).collect()
        };
        wait_for(&ben, "everything that was acknowledged", |ben| ours(shown(ben, "Anna")).len() >= said.len());
        assert_eq!(ours(shown(&ben, "Anna")), each_once(&said));
        assert_eq!(ours(shown(&anna, "Ben")), each_once(&said));
        // strace keeps the signals that it is sent to itself.
        let node = fs::read_to_string(anna.dir.join("lock")).unwrap().trim().parse().unwrap();
        let node = rustix::process::Pid::from_raw(node).unwrap();
        rustix::process::kill_process(node, rustix::process::Signal::TERM).unwrap();
        assert!(anna_runs.child.wait().unwrap().success());
        let mut complaints = String::new();
        std::io::Read::read_to_string(&mut anna_runs.child.stderr.take().unwrap(), &mut complaints).unwrap();
        assert!(!complaints.contains("panicked"), "{complaints}");
        let again = anna.start(port);
        assert_eq!(ours(shown(&anna, "Ben")), each_once(&said));
        again.interrupt();
    }
}

#[test]
fn g02_a_node_that_may_open_no_more_files_lives_on_and_sends_when_it_may() {
    let (anna, ben) = (Home::new("Anna"), Home::new("Ben"));
    let few = ["sh", "-c", "ulimit -n 80 && exec \"$0\" \"$@\""];
    let (mut anna_runs, _ben_runs) = (anna.start_under(&few, 0), ben.start(0));
    befriend(&anna, &ben);
    send(&anna, "Ben", "before").unwrap();
    let door = anna_runs.ready["api"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned();
    let door: SocketAddr = door.parse().unwrap();
    let held: Vec<TcpStream> = (0..120).map_while(|_| TcpStream::connect(door).ok()).collect();
    wait_until_full(&anna_runs, 80);
    send(&ben, "Anna", "heard with no file left").unwrap();
    lives(&mut anna_runs);
    drop(held);
    send(&anna, "Ben", "after").unwrap();
    wait_for(&ben, "both", |ben| shown(ben, "Anna").len() == 3);
    wait_for(&anna, "what was sent meanwhile", |anna| shown(anna, "Ben").len() == 3);
    lives(&mut anna_runs);
}

/// Waits until the process has as many files open as it may.
fn wait_until_full(running: &Running, most: usize) {
    let begun = std::time::Instant::now();
    let files = PathBuf::from(format!("/proc/{}/fd", running.child.id()));
    // The system lets only its administrator look there: a process of ours cannot be looked into.
    while fs::read_dir(&files).is_ok_and(|open| open.count() < most) {
        assert!(begun.elapsed().as_secs() < 60, "the node does not open that many files");
        std::thread::yield_now();
    }
}
