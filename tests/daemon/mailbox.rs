//! Mailboxes as people use them: a third node keeps what is for one who is away.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::home::{Home, Running, wait_for};

/// How long anything may take that no event tells of.
const PATIENCE: Duration = Duration::from_secs(90);

/// Looks again and again until something is so. Each look is a process of its own, which takes its time.
pub(crate) fn look_until(what: &str, so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
    }
}

/// Makes two people contacts, whose nodes run and who know others already.
pub(crate) fn introduce(one: &Home, other: &Home) {
    let link = one.json(&["invite", "--once"])[0]["link"].as_str().unwrap().to_owned();
    let added = other.json(&["add", &link])[0]["contact"].as_str().unwrap().to_owned();
    let own = other.json(&["status"])[0]["identity"].as_str().unwrap().to_owned();
    let knows = |home: &Home, id: &str| {
        home.json(&["contacts"]).iter().any(|contact| contact["contact"] == id && contact["state"] == "accepted")
    };
    wait_for(other, "the yes", |home| knows(home, &added));
    wait_for(one, "the contact", |home| knows(home, &own));
}

/// Names a contact's node as a mailbox, as soon as it is known that they serve.
fn name_mailbox(home: &Home, contact: &str) -> Value {
    wait_for(home, "the mailbox", |home| home.run(&["mailbox", "add", contact]).status.success());
    home.json(&["mailbox", "add", contact]).remove(0)
}

pub(crate) fn outbox_is_empty(home: &Home) -> bool {
    home.json(&["status"])[0]["outbox"] == 0
}

fn state(home: &Home, contact: &str) -> String {
    home.json(&["history", contact, "--last", "1"])[0]["state"].as_str().unwrap().to_owned()
}

/// Anna and Ben, who know each other, and Eve, whom both know, with the link of her mailbox.
fn three() -> ([Home; 3], [Running; 3]) {
    let homes = ["Anna", "Ben", "Eve"].map(Home::new);
    let running = [0, 1, 2].map(|at: usize| homes[at].start(0));
    let [anna, ben, eve] = &homes;
    introduce(anna, ben);
    introduce(eve, anna);
    introduce(eve, ben);
    (homes, running)
}

#[test]
fn mailboxes_are_served_named_listed_and_named_no_longer() {
    let ([anna, ben, eve], [_anna_runs, _ben_runs, eve_runs]) = three();
    assert_eq!(anna.error(&["mailbox", "add", "Eve"]), ("not_serving".to_owned(), 1));
    assert_eq!(eve.error(&["mailbox", "status"]), ("not_serving".to_owned(), 1));
    let serving = &eve.json(&["mailbox", "serve", "--capacity", "64MiB", "--work-bits", "8"])[0];
    assert!(serving["link"].as_str().unwrap().starts_with("kinfolk-mailbox:"));
    let peer = serving["peer"].as_str().unwrap();
    assert_eq!((&serving["capacity_bytes"], &serving["work_bits"]), (&json!(67_108_864), &json!(8)));
    assert_eq!((&serving["stored_bytes"], &serving["stored_messages"]), (&json!(0), &json!(0)));
    assert_eq!(&eve.json(&["mailbox", "status"])[0], serving);
    assert_eq!(eve.error(&["mailbox", "add", serving["link"].as_str().unwrap()]), ("own_mailbox".to_owned(), 1));

    let added = name_mailbox(&anna, "Eve");
    assert_eq!((&added["peer"], &added["name"]), (&json!(peer), &json!("Eve")));
    // By the link it is the same one.
    assert_eq!(ben.json(&["mailbox", "add", serving["link"].as_str().unwrap()])[0], {
        let contact = ben.json(&["contacts"]).into_iter().find(|contact| contact["name"] == "Eve").unwrap();
        json!({"peer": peer, "contact": contact["contact"], "name": "Eve", "display_name": contact["display_name"]})
    });
    let listed = anna.json(&["mailbox", "list"]);
    assert_eq!(listed.len(), 1);
    for field in ["peer", "contact", "name", "state", "added_at", "answered_at", "failures"] {
        assert!(listed[0].get(field).is_some(), "{field}");
    }
    assert_eq!((&listed[0]["peer"], &listed[0]["name"]), (&json!(peer), &json!("Eve")));
    let status = &anna.json(&["status"])[0]["mailboxes"];
    assert_eq!((&status[0]["peer"], &status[0]["contact"]), (&json!(peer), &listed[0]["contact"]));
    assert!(status[0]["state"].is_string());

    assert_eq!(anna.json(&["mailbox", "remove", "Eve"]), [json!({"ok": true})]);
    assert_eq!(ben.json(&["mailbox", "remove", &peer[12..20]]), [json!({"ok": true})]);
    for home in [&anna, &ben] {
        assert!(home.json(&["mailbox", "list"]).is_empty());
        assert_eq!(home.json(&["status"])[0]["mailboxes"], json!([]));
    }
    assert_eq!(eve.json(&["mailbox", "serve", "--stop"]), [json!({"ok": true})]);
    wait_for(&anna, "the end of it", |anna| !anna.run(&["mailbox", "add", "Eve"]).status.success());
    assert_eq!(anna.error(&["mailbox", "add", "Eve"]).0, "not_serving");
    // What was named is listed while no node runs.
    eve_runs.interrupt();
    assert!(eve.json(&["mailbox", "list"]).is_empty());
    assert_eq!(eve.error(&["mailbox", "status"]), ("no_node".to_owned(), 3));
}

#[test]
fn what_is_wrong_with_a_mailbox_has_a_name_and_an_exit() {
    let ((anna, _anna_runs), (_ben, _ben_runs)) = crate::home::friends();
    let eve = Home::new("Eve");
    let _eve_runs = eve.start(0);
    let link = eve.json(&["mailbox", "serve"])[0]["link"].as_str().unwrap().to_owned();
    let invite = anna.json(&["invite"])[0]["link"].as_str().unwrap().to_owned();
    let long = format!("{link}{}", "A".repeat(2_000));
    let altered = format!("{}!{}", &link[..40], &link[41..]);
    let table: &[(&[&str], &str, i32)] = &[
        (&["mailbox"], "wrong_usage", 2),
        (&["mailbox", "add"], "wrong_usage", 2),
        (&["mailbox", "add", ""], "wrong_usage", 2),
        (&["mailbox", "remove"], "wrong_usage", 2),
        (&["mailbox", "serve", "--capacity", "much"], "wrong_usage", 2),
        (&["mailbox", "serve", "--capacity", "1023KiB"], "wrong_usage", 2),
        (&["mailbox", "serve", "--capacity", "1025GiB"], "wrong_usage", 2),
        (&["mailbox", "serve", "--work-bits", "0"], "wrong_usage", 2),
        (&["mailbox", "serve", "--work-bits", "23"], "wrong_usage", 2),
        (&["mailbox", "serve", "--stop", "--capacity", "1GiB"], "wrong_usage", 2),
        (&["mailbox", "status"], "not_serving", 1),
        (&["mailbox", "add", "Nobody"], "unknown_contact", 1),
        (&["mailbox", "add", "Ben"], "not_serving", 1),
        (&["mailbox", "add", &link[..60]], "invalid_mailbox_link", 1),
        (&["mailbox", "add", &altered], "invalid_mailbox_link", 1),
        (&["mailbox", "add", &long], "invalid_mailbox_link", 1),
        (&["mailbox", "add", "kinfolk-mailbox:"], "invalid_mailbox_link", 1),
        (&["mailbox", "add", &invite], "invalid_mailbox_link", 1),
        (&["mailbox", "add", "https://example.org/"], "invalid_mailbox_link", 1),
        (&["mailbox", "remove", "Ben"], "unknown_mailbox", 1),
        (&["mailbox", "remove", "Nobody"], "unknown_mailbox", 1),
        (&["mailbox", "remove", "0024080112"], "unknown_mailbox", 1),
    ];
    for (number, (arguments, code, exit)) in table.iter().enumerate() {
        let (found, words, ended) = anna.refusal(arguments);
        assert_eq!((found.as_str(), ended), (*code, *exit), "{number}: {arguments:?}: {words}");
        // For people the same with a word on what to do.
        let said = anna.run(arguments);
        let said = String::from_utf8_lossy(&said.stderr).into_owned();
        assert!(said.lines().count() > 1, "{number}: {arguments:?}: {said}");
    }
    assert!(anna.json(&["mailbox", "list"]).is_empty());
    assert_eq!(anna.json(&["mailbox", "add", &link]).len(), 1, "the link itself is good");
}

#[test]
fn people_who_are_never_there_together_talk_through_a_third() {
    let ([anna, ben, eve], [anna_runs, ben_runs, _eve_runs]) = three();
    let serving = eve.json(&["mailbox", "serve", "--work-bits", "8"]).remove(0);
    // Ben's for what Anna says, Anna's for what Ben answers.
    name_mailbox(&ben, "Eve");
    name_mailbox(&anna, "Eve");
    for home in [&anna, &ben, &eve] {
        look_until("everybody to know", || outbox_is_empty(home));
    }
    let [anna_port, ben_port] = [&anna_runs, &ben_runs].map(Running::port);
    ben_runs.interrupt();

    // Anna is there, Ben is not.
    let arguments = ["send", "Ben", "See you at noon", "--wait", "sent", "--timeout", "60s"];
    let sent = anna.json(&arguments).remove(0);
    let custody = json!([{"peer": serving["peer"], "name": "Eve", "display_name": "\u{2068}Eve\u{2069}"}]);
    assert_eq!((&sent["state"], &sent["custody"]), (&json!("sent"), &custody));
    let line = anna.json(&["history", "Ben"]).remove(0);
    assert_eq!((&line["state"], &line["custody"]), (&json!("sent"), &custody));
    let said = anna.run(&["history", "Ben"]);
    assert!(String::from_utf8_lossy(&said.stdout).contains("you (sent, kept by \u{2068}Eve\u{2069}): "));
    assert_ne!(eve.json(&["mailbox", "status"])[0]["stored_messages"], 0);
    anna_runs.interrupt();

    // Ben is there, Anna is not.
    let ben_runs = ben.start(ben_port);
    wait_for(&ben, "the message", |ben| !ben.json(&["history", "Anna"]).is_empty());
    let received = ben.json(&["history", "Anna"]).remove(0);
    assert_eq!((&received["text"], &received["message"]), (&json!("See you at noon"), &sent["message"]));
    assert_eq!(received["state"], "received");
    assert_eq!(ben.json(&["mailbox", "list"])[0]["state"], "answering");
    look_until("the receipt to be kept for Anna", || outbox_is_empty(&ben));
    ben_runs.interrupt();

    // Anna is there, Ben is not.
    let _anna_runs = anna.start(anna_port);
    wait_for(&anna, "the receipt", |anna| state(anna, "Ben") == "delivered");
    assert_eq!(anna.json(&["history", "Ben"])[0].get("custody"), None, "Ben has it");
    assert_eq!(ben.json(&["history", "Anna"]).len(), 1, "said once");
}

#[test]
fn two_who_are_never_there_together_become_contacts() {
    let eve = Home::new("Eve");
    let _eve_runs = eve.start(0);
    let host = eve.json(&["mailbox", "serve", "--work-bits", "8"])[0]["link"].as_str().unwrap().to_owned();
    let (anna, ben) = (Home::new("Anna"), Home::new("Ben"));

    let anna_runs = anna.start(0);
    anna.json(&["mailbox", "add", &host]);
    let link = anna.json(&["invite", "--once"])[0]["link"].as_str().unwrap().to_owned();
    let stored = |count: u64| {
        look_until("what is left at Eve's", || eve.json(&["mailbox", "status"])[0]["stored_messages"] == count);
    };
    stored(1);
    anna_runs.interrupt();

    let ben_runs = ben.start(0);
    let anna_id = ben.json(&["add", &link])[0]["contact"].as_str().unwrap().to_owned();
    stored(2);
    let state = |home: &Home, id: &str| {
        let contacts = home.json(&["contacts"]);
        contacts.iter().find(|contact| contact["contact"] == id).map(|contact| contact["state"].clone())
    };
    assert_eq!(state(&ben, &anna_id), Some(json!("requested")));
    let ben_id = ben.json(&["status"])[0]["identity"].as_str().unwrap().to_owned();
    ben_runs.interrupt();

    let anna_runs = anna.start(0);
    wait_for(&anna, "Ben", |anna| state(anna, &ben_id) == Some(json!("accepted")));
    anna.json(&["send", "Ben", "welcome", "--wait", "sent", "--timeout", "60s"]);
    wait_for(&anna, "the yes to leave", outbox_is_empty);
    anna_runs.interrupt();

    let _ben_runs = ben.start(0);
    wait_for(&ben, "the yes", |ben| state(ben, &anna_id) == Some(json!("accepted")));
    look_until("the line", || ben.json(&["history", "Anna"]).iter().any(|line| line["text"] == "welcome"));
}
