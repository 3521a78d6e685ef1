//! What commands print and how they end.

use kinfolk_cli::{Exit, Screen, execute};
use kinfolk_client::Client;
use kinfolk_rpc::event::{Event, What};
use kinfolk_rpc::mailbox::Custodian;
use kinfolk_rpc::message::{Message, MessagePage, MessageState};
use kinfolk_rpc::{Done, contact::ContactPage, invite::Invite};

use crate::door::{After, Door, Says};
use crate::sample::{self, BO, CHAT, MESSAGE};
use crate::{Paper, carry_out, talk_of};

fn changed(state: MessageState) -> Event {
    kept(state, vec![])
}

fn kept(state: MessageState, custody: Vec<Custodian>) -> Event {
    Event { seq: Some(1), what: What::MessageChanged { message: MESSAGE.into(), chat: CHAT.into(), state, custody } }
}

fn sending(state: MessageState, events: &[Event], after: After) -> Door {
    Door::open()
        .says("GET /v1/events", Says::events(events, after))
        .says("POST /v1/chats/Bo/messages", Says::ok(&sample::sent(state)))
}

fn line(state: &str) -> String {
    format!("{{\"message\":\"{MESSAGE}\",\"chat\":\"{CHAT}\",\"state\":\"{state}\"}}\n")
}

#[tokio::test]
async fn send_without_waiting_ends_when_it_is_queued() {
    let door = sending(MessageState::Queued, &[], After::End);
    let outcome = carry_out("--json send Bo hello", &door, None).await;
    assert_eq!((outcome.exit, outcome.out, outcome.err), (Exit::Done, line("queued"), String::new()));
    assert_eq!(door.asked(), [("POST /v1/chats/Bo/messages".to_owned(), "{\"text\":\"hello\"}".to_owned())]);
}

#[tokio::test]
async fn people_are_told_whether_what_they_said_is_on_its_way_or_waits() {
    let online = sending(MessageState::Queued, &[], After::End).says("GET /v1/contacts/Bo", Says::ok(&sample::bo()));
    assert!(carry_out("send Bo hello", &online, None).await.out.starts_with("On its way"));
    let away = kinfolk_rpc::contact::Contact { online: false, ..sample::bo() };
    let away = sending(MessageState::Queued, &[], After::End).says("GET /v1/contacts/Bo", Says::ok(&away));
    let waits = "Queued: it is sent as soon as they can be reached.\n";
    assert_eq!(carry_out("send Bo hello", &away, None).await.out, waits);
    // A conversation whose contact is not known by that name.
    let unknown = sending(MessageState::Queued, &[], After::End);
    assert_eq!(carry_out("send Bo hello", &unknown, None).await.out, waits);
}

#[tokio::test]
async fn people_are_told_that_the_mailboxes_of_a_contact_are_full() {
    let full = kinfolk_rpc::contact::Contact { online: false, mailbox_full: true, ..sample::bo() };
    let page = kinfolk_rpc::contact::ContactPage { contacts: vec![full.clone()], next: None, seq: 1 };
    let door = sending(MessageState::Queued, &[], After::Silence)
        .says("GET /v1/contacts/Bo", Says::ok(&full))
        .says("GET /v1/contacts", Says::ok(&page));
    let said = carry_out("send Bo hello", &door, None).await.out;
    assert_eq!(said, "Queued: their mailboxes are full. It goes when there is room, or when they are online.\n");
    assert!(carry_out("contacts", &door, None).await.out.contains("(their mailboxes are full)"));
    let door = sending(MessageState::Queued, &[], After::Silence).says("GET /v1/contacts/Bo", Says::ok(&full));
    let pause = async {
        while door.asked().len() < 2 {
            tokio::task::yield_now().await;
        }
        tokio::time::pause();
    };
    let (outcome, ()) = tokio::join!(carry_out("--json send Bo hello --wait sent --timeout 2s", &door, None), pause);
    assert_eq!(outcome.exit, Exit::TimedOut);
    assert!(outcome.err.starts_with("{\"error\":{\"code\":\"mailbox_full\",\"message\":\"their mailboxes are full"));
}

#[tokio::test]
async fn send_listens_before_it_sends_and_waits_for_its_own_message() {
    let other =
        What::MessageChanged { message: "0".repeat(32), chat: CHAT.into(), state: MessageState::Read, custody: vec![] };
    let events = [Event { seq: Some(1), what: other }, changed(MessageState::Sent), changed(MessageState::Delivered)];
    let door = sending(MessageState::Queued, &events, After::Silence);
    let outcome = carry_out("--json send Bo hello --wait delivered --timeout 60s", &door, None).await;
    assert_eq!((outcome.exit, outcome.out), (Exit::Done, line("delivered")));
    let asked: Vec<String> = door.asked().into_iter().map(|(line, _)| line).collect();
    assert_eq!(asked, ["GET /v1/events", "POST /v1/chats/Bo/messages"]);
}

#[tokio::test]
async fn a_message_that_is_there_already_is_not_waited_for() {
    let door = sending(MessageState::Read, &[], After::Silence);
    let line = format!("--json send Bo hello --id {MESSAGE} --wait delivered --timeout 60s");
    assert_eq!(carry_out(&line, &door, None).await.exit, Exit::Done);
    assert!(door.asked()[1].1.contains(MESSAGE));
}

#[tokio::test]
async fn waiting_too_long_ends_with_4_and_says_how_far_it_came() {
    let door = sending(MessageState::Queued, &[changed(MessageState::Sent)], After::Silence);
    // Once all that the door has to say is said, time passes as soon as there is nothing else to do.
    let pause = async {
        while door.asked().len() < 2 {
            tokio::task::yield_now().await;
        }
        tokio::time::pause();
    };
    let (outcome, ()) = tokio::join!(carry_out("--json send Bo hello --wait read --timeout 2s", &door, None), pause);
    assert_eq!((outcome.exit, outcome.out), (Exit::TimedOut, line("sent")));
    let message = "the message is sent and was not read within 2000 ms";
    assert_eq!(outcome.err, format!("{{\"error\":{{\"code\":\"timed_out\",\"message\":\"{message}\"}}}}\n"));
}

#[tokio::test]
async fn a_payment_that_finds_no_quorum_ends_with_4_and_says_whom_it_waits_for() {
    let waiting = sample::waiting();
    let door = Door::open()
        .says("GET /v1/events", Says::events(&[], After::Silence))
        .says("POST /v1/wallet/payments", Says::ok(&waiting))
        .says(&format!("GET /v1/wallet/payments/{}", waiting.entry), Says::ok(&waiting));
    let pause = async {
        while door.asked().len() < 2 {
            tokio::task::yield_now().await;
        }
        tokio::time::pause();
    };
    let line = "--json wallet pay Bo 12.50 MANGO --wait final --timeout 2s";
    let (outcome, ()) = tokio::join!(carry_out(line, &door, None), pause);
    assert_eq!(outcome.exit, Exit::TimedOut);
    assert!(outcome.out.contains("\"state\":\"voting\",\"quorum\":{\"have\":1,\"need\":2}"), "{}", outcome.out);
    assert!(outcome.err.contains("1 of 2 votes: Eve did not answer") && outcome.err.contains("do not pay again"));
    // Without --wait it is done once it is signed.
    let outcome = carry_out("wallet pay Bo 12.50 MANGO", &door, None).await;
    assert_eq!(outcome.exit, Exit::Done);
    assert!(outcome.out.contains("1 of 2 votes"), "{}", outcome.out);
}

#[tokio::test]
async fn a_payment_without_witnesses_is_waited_for_as_any_other_and_says_who_has_it_at_risk() {
    use kinfolk_rpc::wallet::{Payment, PaymentKind, PaymentState};
    let at_risk = Payment { state: PaymentState::Unwitnessed, ..sample::waiting() };
    let kept_back = Payment { kept_back: Some("over the cap `payment`".into()), ..sample::waiting() };
    for (payment, state, words) in [
        (&at_risk, "\"state\":\"unwitnessed\"", "sees it as at risk"),
        (&kept_back, "\"kept_back\":\"over the cap `payment`\"", "does not have it before: over the cap `payment`"),
    ] {
        let door = Door::open()
            .says("GET /v1/events", Says::events(&[], After::Silence))
            .says("POST /v1/wallet/payments", Says::ok(payment))
            .says(&format!("GET /v1/wallet/payments/{}", payment.entry), Says::ok(payment));
        let pause = async {
            while door.asked().len() < 2 {
                tokio::task::yield_now().await;
            }
            tokio::time::pause();
        };
        let line = "--json wallet pay Bo 12.50 MANGO --wait final --timeout 2s";
        let (outcome, ()) = tokio::join!(carry_out(line, &door, None), pause);
        tokio::time::resume();
        assert_eq!(outcome.exit, Exit::TimedOut, "it is not final");
        assert!(outcome.out.contains(state) && outcome.err.contains(words), "{}{}", outcome.out, outcome.err);
    }
    let outcome = carry_out(
        "wallet pay Bo 12.50 MANGO",
        &Door::open().says("POST /v1/wallet/payments", Says::ok(&at_risk)),
        None,
    )
    .await;
    assert!(outcome.out.contains("at risk: unwitnessed, 1 of 2 votes"), "{}", outcome.out);
    let came = Payment { kind: PaymentKind::Received, state: PaymentState::Refused, ..sample::waiting() };
    let proven = Payment { proof: Some("00".into()), ..came.clone() };
    for (payment, words) in [(came, "another entry stands in its place"), (proven, "signed another payment")] {
        let payments = kinfolk_rpc::wallet::Payments { payments: vec![payment] };
        let door = Door::open().says("GET /v1/wallet/payments?last=20", Says::ok(&payments));
        let outcome = carry_out("wallet history", &door, None).await;
        assert!(outcome.out.contains(words), "{}", outcome.out);
    }
}

#[tokio::test]
async fn a_payment_that_becomes_final_is_waited_for_and_no_longer() {
    let done = Event { seq: Some(1), what: What::PaymentChanged(sample::payment()) };
    let door = Door::open()
        .says("GET /v1/events", Says::events(&[done], After::Silence))
        .says("POST /v1/wallet/payments", Says::ok(&sample::waiting()));
    let outcome = carry_out("--json wallet pay Bo 12.50 MANGO --wait final --timeout 60s", &door, None).await;
    assert_eq!(outcome.exit, Exit::Done);
    assert!(outcome.out.contains("\"state\":\"final\""), "{}", outcome.out);
}

#[tokio::test]
async fn people_who_add_somebody_that_answers_at_once_are_told_the_answer() {
    use kinfolk_rpc::contact::{Added, Contact, ContactState};
    let added = |state| Added {
        contact: BO.into(),
        name: "Bo".into(),
        display_name: sample::isolated("Bo"),
        state,
        warning: None,
    };
    let asked = Contact { state: ContactState::Requested, ..sample::bo() };
    for (answer, words) in [(ContactState::Accepted, "is your contact"), (ContactState::Declined, "has declined")] {
        let other = Contact { contact: "0".repeat(64), state: answer, ..sample::bo() };
        let changed = [other, Contact { state: answer, ..sample::bo() }].map(What::ContactChanged);
        let events = changed.map(|what| Event { seq: Some(1), what });
        let door = Door::open()
            .says("POST /v1/contacts", Says::ok(&added(ContactState::Requested)))
            .says(&format!("GET /v1/contacts/{BO}"), Says::ok(&asked))
            .says("GET /v1/events", Says::events(&events, After::Silence));
        let people = carry_out(&format!("add {}", sample::LINK), &door, None).await.out;
        assert!(people.contains(words), "{people}");
        let json = carry_out(&format!("--json add {}", sample::LINK), &door, None).await.out;
        assert!(json.contains("\"state\":\"requested\""), "a program is told at once: {json}");
    }
    // Whoever has answered before is not waited for, and a stream that ends is no failure.
    let door = Door::open()
        .says("POST /v1/contacts", Says::ok(&added(ContactState::Requested)))
        .says(&format!("GET /v1/contacts/{BO}"), Says::ok(&sample::bo()))
        .says("GET /v1/events", Says::events(&[], After::Silence));
    assert!(carry_out(&format!("add {}", sample::LINK), &door, None).await.out.contains("is your contact"));
    let door = Door::open()
        .says("POST /v1/contacts", Says::ok(&added(ContactState::Requested)))
        .says(&format!("GET /v1/contacts/{BO}"), Says::ok(&asked))
        .says("GET /v1/events", Says::events(&[], After::End));
    let outcome = carry_out(&format!("add {}", sample::LINK), &door, None).await;
    assert_eq!(outcome.exit, Exit::Done);
    assert!(outcome.out.contains("has been asked"), "{}", outcome.out);
}

#[tokio::test]
async fn a_message_given_up_ends_with_1() {
    let door = sending(MessageState::Queued, &[changed(MessageState::NotDelivered)], After::Silence);
    let outcome = carry_out("--json send Bo hello --wait sent --timeout 60s", &door, None).await;
    assert_eq!((outcome.exit, outcome.out), (Exit::Refused, line("not_delivered")));
    assert!(outcome.err.contains("\"code\":\"not_delivered\""));
}

#[tokio::test]
async fn a_node_that_stops_while_one_waits_ends_with_3() {
    let door = sending(MessageState::Queued, &[changed(MessageState::Sent)], After::End);
    let outcome = carry_out("--json send Bo hello --wait read --timeout 60s", &door, None).await;
    assert_eq!((outcome.exit, outcome.out), (Exit::NoNode, line("sent")));
    assert!(outcome.err.contains("\"code\":\"node_stopped\""));
}

#[tokio::test]
async fn events_that_were_missed_are_made_up_for_by_looking() {
    let reset = Event { seq: Some(9), what: What::Reset };
    let target = format!("GET /v1/chats/{CHAT}/messages/{MESSAGE}");
    let door = sending(MessageState::Queued, &[reset], After::Silence)
        .says(&target, Says::ok(&sample::text("hello", MessageState::Delivered)));
    let outcome = carry_out("--json send Bo hello --wait delivered --timeout 60s", &door, None).await;
    assert_eq!((outcome.exit, outcome.out), (Exit::Done, line("delivered")));
}

#[tokio::test]
async fn what_the_node_refuses_is_told_in_both_forms() {
    let refusal = || Says::no(404, "unknown_contact", "there is no contact \"Zoe\"");
    let door = Door::open().says("POST /v1/contacts/Zoe/block", refusal());
    let json = carry_out("--json block Zoe", &door, None).await;
    assert_eq!((json.exit, json.out.as_str()), (Exit::Refused, ""));
    let expected = "{\"error\":{\"code\":\"unknown_contact\",\"message\":\"there is no contact \\\"Zoe\\\"\"}}\n";
    assert_eq!(json.err, expected);
    let people = carry_out("block Zoe", &door, None).await;
    assert_eq!(people.err, "error: there is no contact \"Zoe\"\n  see who is there with: kinfolk contacts\n");
}

#[tokio::test]
async fn without_a_node_every_command_ends_with_3() {
    let door = Door::open();
    std::fs::remove_file(door.profile().join("door.sock")).unwrap();
    for line in ["status", "contacts", "send Bo hi", "watch", "history Bo", "invite", "stickers"] {
        let outcome = carry_out(&format!("--json {line}"), &door, None).await;
        assert_eq!((outcome.exit, outcome.out.as_str()), (Exit::NoNode, ""), "{line}");
        assert!(outcome.err.contains("\"code\":\"no_node\""), "{line}: {}", outcome.err);
    }
    std::fs::remove_file(door.profile().join("door.json")).unwrap();
    let outcome = carry_out("status", &door, None).await;
    assert_eq!(outcome.err, "error: no node is running for this profile\n  start it with: kinfolk run\n");
    std::fs::write(door.profile().join("door.json"), "{").unwrap();
    assert_eq!(carry_out("status", &door, None).await.exit, Exit::Refused);
}

#[tokio::test]
async fn history_is_gathered_page_by_page_and_printed_oldest_first() {
    let said = |number: usize| {
        let mut message = sample::text(&number.to_string(), MessageState::Received);
        message.message = format!("{number:032}");
        message
    };
    let page = |numbers: std::ops::Range<usize>, next: Option<usize>, damaged| MessagePage {
        messages: numbers.map(said).collect(),
        next: next.map(|number| format!("{number:032}")),
        damaged,
        seq: 1,
    };
    let older = format!("GET /v1/chats/Bo/messages?last=50&before={:032}", 50);
    let door = Door::open()
        .says("GET /v1/chats/Bo/messages?last=200", Says::ok(&page(50..250, Some(50), 1)))
        .says(&older, Says::ok(&page(0..50, Some(0), 2)));
    let outcome = carry_out("--json history Bo --last 250", &door, None).await;
    assert_eq!(outcome.exit, Exit::Done);
    let texts: Vec<String> = outcome
        .out
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["text"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(texts, (0..250).map(|number| number.to_string()).collect::<Vec<_>>());
    assert!(
        outcome.err.starts_with("{\"warning\":{\"code\":\"store_damaged\",\"message\":\"3 lines"),
        "{}",
        outcome.err
    );
}

#[tokio::test]
async fn history_says_where_lines_are_missing() {
    let after = |missing_before| Message { missing_before, ..sample::text("hi", MessageState::Received) };
    let door = Door::open().says(
        "GET /v1/chats/Bo/messages?last=20",
        Says::ok(&sample::page(vec![after(0), after(1), after(7), after(0)])),
    );
    let lines: Vec<String> = carry_out("history Bo", &door, None).await.out.lines().map(str::to_owned).collect();
    assert_eq!(lines[1], "[a line was said here that has not come; it is said again until it does]");
    assert_eq!(lines[3], "[7 lines were said here that have not come; they are said again until they do]");
    assert_eq!([&lines[0], &lines[2], &lines[4], &lines[5]], [&lines[0]; 4]);
    let machine = carry_out("--json history Bo", &door, None).await.out;
    let gaps: Vec<Option<u64>> = machine
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["missing_before"].as_u64())
        .collect();
    assert_eq!(gaps, [None, Some(1), Some(7), None]);
}

#[tokio::test]
async fn what_a_person_saw_on_a_terminal_counts_as_seen_and_what_a_program_read_does_not() {
    let seen = "PUT /v1/chats/Bo/seen";
    for (line, width, marked) in [
        ("history Bo", Some(80), true),
        ("history Bo", None, false),
        ("--json history Bo", Some(80), false),
        ("--json history Bo --seen", None, true),
    ] {
        let lines = vec![sample::text("hi", MessageState::Received), sample::place()];
        let door = Door::open()
            .says("GET /v1/chats/Bo/messages?last=20", Says::ok(&sample::page(lines)))
            .says(seen, Says::ok(&Done::new()));
        assert_eq!(carry_out(line, &door, width).await.exit, Exit::Done);
        let asked: Vec<_> = door.asked().into_iter().filter(|(line, _)| line == seen).collect();
        let expected = vec![(seen.to_owned(), format!("{{\"message\":\"{MESSAGE}\"}}"))];
        assert_eq!(asked, if marked { expected } else { vec![] }, "{line}");
    }
}

#[tokio::test]
async fn b01_a_name_that_can_be_taken_for_a_contacts_is_warned_about_wherever_it_is_shown() {
    use kinfolk_rpc::contact::{Added, Contact, ContactPage, ContactState};
    let warning = sample::like_bo();
    let said = format!("Careful: {}", warning.message);
    let imitator = Contact {
        contact: sample::ANNA.into(),
        name: "B\u{43e}".into(),
        display_name: sample::isolated("B\u{43e}"),
        warning: Some(warning.clone()),
        ..sample::bo()
    };
    let added = Added {
        contact: imitator.contact.clone(),
        name: imitator.name.clone(),
        display_name: imitator.display_name.clone(),
        state: ContactState::Requested,
        warning: Some(warning.clone()),
    };
    let page = ContactPage { contacts: vec![sample::bo(), imitator.clone()], next: None, seq: 1 };
    let event = Event { seq: Some(1), what: What::ContactAdded(imitator) };
    let door = Door::open()
        .says("POST /v1/contacts", Says::ok(&added))
        .says("GET /v1/contacts", Says::ok(&page))
        .says("GET /v1/events", Says::events(&[event], After::End));
    for line in [&format!("add {}", sample::LINK), "contacts", "watch"] {
        let people = carry_out(line, &door, None).await.out;
        assert_eq!(people.matches(&said).count(), 1, "{line}: {people}");
        let json = carry_out(&format!("--json {line}"), &door, None).await.out;
        let mut warnings = json.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let found = warnings.find_map(|value| value.get("warning").cloned()).unwrap();
        assert_eq!(found["kind"], "like_contact", "{line}");
        assert_eq!((found["contact"].as_str(), found["message"].as_str()), (Some(BO), Some(warning.message.as_str())));
    }
}

#[tokio::test]
async fn b06_what_others_wrote_cannot_steer_the_terminal() {
    let mut message = sample::text("a\u{1b}]0;owned\u{7}\nb\u{9b}2J\u{202e}c", MessageState::Received);
    message.from.display_name = sample::isolated("<U+202E>oB");
    let door = Door::open()
        .says("GET /v1/chats/Bo/messages?last=20", Says::ok(&sample::page(vec![message.clone()])))
        .says("GET /v1/events", Says::events(&[Event { seq: Some(1), what: What::MessageAdded(message) }], After::End));
    for line in ["history Bo", "watch"] {
        let out = carry_out(line, &door, None).await.out;
        assert!(out.chars().all(|c| c == '\n' || !c.is_control()), "{out:?}");
        assert!(
            out.contains("\u{2068}a<U+001B>]0;owned<U+0007>\u{2069}\n    \u{2068}b<U+009B>2J\u{202e}c\u{2069}\n"),
            "{out:?}"
        );
    }
}

#[tokio::test]
async fn contacts_are_listed_to_the_last_page() {
    let page = |name: &str, next: Option<&str>| {
        let mut contact = sample::bo();
        contact.name = name.to_owned();
        ContactPage { contacts: vec![contact], next: next.map(str::to_owned), seq: 1 }
    };
    let door = Door::open()
        .says("GET /v1/contacts", Says::ok(&page("one", Some("x/y"))))
        .says("GET /v1/contacts?after=x%2Fy", Says::ok(&page("two", None)));
    let outcome = carry_out("--json contacts", &door, None).await;
    assert_eq!(outcome.out.lines().count(), 2);
    assert!(outcome.out.contains("\"two\""));
}

#[tokio::test]
async fn a_name_with_every_kind_of_character_reaches_the_door_as_one_segment() {
    let door = Door::open().says("POST /v1/contacts/%2E%2E/block", Says::ok(&Done::new()));
    assert_eq!(carry_out("block ..", &door, None).await.exit, Exit::Done);
    let door = Door::open().says("POST /v1/contacts/a%2Fb%3Fc%23%E5%AE%B6/block", Says::ok(&Done::new()));
    assert_eq!(carry_out("block a/b?c#家", &door, None).await.exit, Exit::Done);
}

#[tokio::test]
async fn an_invite_is_a_picture_only_where_a_person_can_see_it() {
    let door = Door::open().says("POST /v1/invites", Says::ok(&Invite { link: sample::LINK.into() }));
    let plain = format!("{}\n", sample::LINK);
    assert_eq!(carry_out("invite", &door, None).await.out, plain);
    assert_eq!(
        carry_out("--json invite --qr", &door, Some(80)).await.out,
        format!("{{\"link\":\"{}\"}}\n", sample::LINK)
    );
    let terminal = carry_out("invite", &door, Some(80)).await.out;
    assert!(terminal.contains('█') && terminal.ends_with(&plain));
    let narrow = carry_out("invite", &door, Some(10)).await;
    assert_eq!(narrow.out, plain);
    assert!(narrow.err.contains("columns"));
    assert!(carry_out("invite --qr", &door, None).await.out.contains('█'));
    let asked = door.asked();
    assert_eq!(asked[0].1, "{\"uses\":\"many\",\"expires_in_ms\":604800000,\"admission\":\"accept\"}");
    carry_out("invite --once --ask --expires 30m", &door, None).await;
    assert_eq!(door.asked()[5].1, "{\"uses\":\"once\",\"expires_in_ms\":1800000,\"admission\":\"ask\"}");
}

#[tokio::test]
async fn verify_marks_only_when_told_to() {
    let number = kinfolk_rpc::contact::SafetyNumber { safety_number: ["12345"; 12].join(" "), verified: false };
    let door = Door::open()
        .says("GET /v1/contacts/Bo/safety-number", Says::ok(&number))
        .says("PUT /v1/contacts/Bo/verified", Says::ok(&Done::new()));
    let outcome = carry_out("verify Bo", &door, None).await;
    assert_eq!(outcome.out.lines().filter(|line| line.starts_with("  12345 12345 12345 12345")).count(), 3);
    assert_eq!(door.asked().len(), 1);
    carry_out("verify Bo --mark", &door, None).await;
    assert_eq!(door.asked()[1].1, "{\"verified\":true}");
    carry_out("verify Bo --unmark", &door, None).await;
    assert_eq!(door.asked()[3].1, "{\"verified\":false}");
}

#[tokio::test]
async fn watch_resumes_where_it_is_told_and_ends_with_3_when_the_node_does() {
    let door = Door::open().says("GET /v1/events?since=8", Says::events(&sample::events()[2..], After::End));
    let outcome = carry_out("--json watch --since 8", &door, None).await;
    assert_eq!(outcome.exit, Exit::NoNode);
    assert_eq!(outcome.out.lines().count(), sample::events().len() - 2);
    assert!(outcome.out.starts_with("{\"seq\":9,\"event\":\"message_added\",\"message\":"));
}

#[tokio::test]
async fn a_reader_that_has_gone_is_no_failure() {
    struct Gone;
    impl std::io::Write for Gone {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let door = Door::open().says("GET /v1/events", Says::events(&sample::events(), After::Silence));
    let (talk, form) = talk_of("--json watch");
    let err = Paper::default();
    let mut screen = Screen::new(form, Gone, err.clone(), None);
    let result = execute(&talk, &Client::open(door.profile()).await.unwrap(), &mut screen).await;
    assert_eq!((screen.finish(result), err.text()), (Exit::Done, String::new()));
}

#[tokio::test]
async fn every_act_on_a_contact_asks_for_that_act() {
    for (line, target, body) in [
        ("accept Bo", "POST /v1/contacts/Bo/accept", ""),
        ("decline Bo", "POST /v1/contacts/Bo/decline", ""),
        ("block Bo", "POST /v1/contacts/Bo/block", ""),
        ("unblock Bo", "POST /v1/contacts/Bo/unblock", ""),
        ("remove Bo", "DELETE /v1/contacts/Bo", ""),
        ("rename Bo Bob", "PUT /v1/contacts/Bo/name", "{\"name\":\"Bob\"}"),
        ("receipts Bo on", "PUT /v1/chats/Bo/read-receipts", "{\"allowed\":true}"),
        ("receipts Bo off", "PUT /v1/chats/Bo/read-receipts", "{\"allowed\":false}"),
    ] {
        let door = Door::open().says(target, Says::ok(&Done::new()));
        let outcome = carry_out(&format!("--json {line}"), &door, None).await;
        assert_eq!((outcome.exit, outcome.out.as_str()), (Exit::Done, "{\"ok\":true}\n"), "{line}");
        assert_eq!(door.asked(), [(target.to_owned(), body.to_owned())]);
    }
    let added = kinfolk_rpc::contact::Added {
        contact: BO.into(),
        name: "Bo".into(),
        display_name: sample::isolated("Bo"),
        state: kinfolk_rpc::contact::ContactState::Requested,
        warning: None,
    };
    let door = Door::open().says("POST /v1/contacts", Says::ok(&added));
    carry_out(&format!("add {} --name Bobby", sample::LINK), &door, None).await;
    assert_eq!(door.asked()[0].1, format!("{{\"link\":\"{}\",\"name\":\"Bobby\"}}", sample::LINK));
}

#[tokio::test]
async fn every_act_on_mailboxes_asks_for_that_act() {
    let (host, serving) = ("POST /v1/mailboxes/hosts", "PUT /v1/mailboxes/serving");
    for (line, target, body) in [
        ("mailbox add Eve", host, "{\"contact\":\"Eve\"}".to_owned()),
        (&format!("mailbox add {}", sample::MAILBOX_LINK), host, format!("{{\"link\":\"{}\"}}", sample::MAILBOX_LINK)),
        // Not what it should be, and the door says so.
        (&format!("mailbox add {}", sample::LINK), host, format!("{{\"link\":\"{}\"}}", sample::LINK)),
        ("mailbox remove Eve", "DELETE /v1/mailboxes/hosts/Eve", String::new()),
        ("mailbox serve", serving, "{}".to_owned()),
        (
            "mailbox serve --capacity 64MiB --work-bits 18",
            serving,
            "{\"capacity_bytes\":67108864,\"work_bits\":18}".to_owned(),
        ),
        ("mailbox serve --stop", "DELETE /v1/mailboxes/serving", String::new()),
        ("mailbox status", "GET /v1/mailboxes/serving", String::new()),
        ("mailbox list", "GET /v1/mailboxes", String::new()),
    ] {
        let says = match target {
            "POST /v1/mailboxes/hosts" => Says::ok(&sample::mailbox_added()),
            "GET /v1/mailboxes" => Says::ok(&sample::mailboxes()),
            "GET /v1/mailboxes/serving" | "PUT /v1/mailboxes/serving" => Says::ok(&sample::serving()),
            _ => Says::ok(&Done::new()),
        };
        let door = Door::open().says(target, says);
        let outcome = carry_out(&format!("--json {line}"), &door, None).await;
        assert_eq!((outcome.exit, outcome.err.as_str()), (Exit::Done, ""), "{line}");
        assert_eq!(door.asked(), [(target.to_owned(), body)], "{line}");
        assert_eq!(outcome.out.lines().count(), if line == "mailbox list" { 2 } else { 1 }, "{line}");
    }
}

#[tokio::test]
async fn people_see_who_keeps_a_message_and_programs_do_too() {
    use kinfolk_rpc::message::Message;
    let words = "kept by \u{2068}Eve\u{2069} and 1 other";
    let line = Message { custody: sample::custody(), ..sample::text("hi", MessageState::Sent) };
    let door = Door::open()
        .says("GET /v1/chats/Bo/messages?last=20", Says::ok(&sample::page(vec![line])))
        .says("GET /v1/events", Says::events(&[kept(MessageState::Sent, sample::custody())], After::End));
    for (line, said) in [("history Bo", format!("you (sent, {words}): ")), ("watch", format!(" is sent ({words})\n"))] {
        let people = carry_out(line, &door, None).await.out;
        assert!(people.contains(&said), "{line}: {people}");
        let json = carry_out(&format!("--json {line}"), &door, None).await.out;
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((value["custody"][0]["name"].as_str(), value["custody"][1]["name"].as_str()), (Some("Eve"), None));
        assert_eq!(value["custody"][1]["peer"], sample::OTHER_NODE);
    }
    let door = sending(MessageState::Queued, &[kept(MessageState::Sent, sample::custody())], After::Silence);
    let outcome = carry_out("send Bo hello --wait sent --timeout 60s", &door, None).await;
    assert_eq!((outcome.exit, outcome.out), (Exit::Done, format!("Sent ({words}).\n")));
    let door = sending(
        MessageState::Queued,
        &[kept(MessageState::Sent, sample::custody()), changed(MessageState::Delivered)],
        After::Silence,
    );
    let outcome = carry_out("send Bo hello --wait delivered --timeout 60s", &door, None).await;
    assert_eq!((outcome.exit, outcome.out.as_str()), (Exit::Done, "Delivered.\n"), "it is nobody else's any more");
}

#[tokio::test]
async fn mailboxes_are_listed_for_people_with_what_waits_and_what_is_kept() {
    use kinfolk_rpc::mailbox::Mailboxes;
    let empty = Mailboxes { mailboxes: vec![], serving: Some(sample::serving()), waiting: 1 };
    let door = Door::open()
        .says("GET /v1/mailboxes", Says::ok(&sample::mailboxes()))
        .says("GET /v1/mailboxes", Says::ok(&empty));
    let page = carry_out("mailbox list", &door, None).await.out;
    assert_eq!(
        page,
        "5ab39e0c  answering   since 2026-11-29 12:00:00Z  answered 2026-11-30 12:00:00Z  \u{2068}Eve\u{2069}\n\
         91c4d83f  silent      since 2026-11-29 12:00:00Z  answered never                 -  (asked 3 times since)\n\
         At the mailboxes of others lie 2 messages of yours.\n"
    );
    let page = carry_out("mailbox list", &door, None).await.out;
    assert!(page.starts_with("None yet."), "{page}");
    assert!(page.contains("This node keeps 31 messages (160 KiB) for others.\n"), "{page}");
    assert!(page.ends_with("At the mailboxes of others lies 1 message of yours.\n"), "{page}");
}

#[tokio::test]
async fn what_a_mailbox_is_refused_with_says_what_to_do() {
    for (code, detail, next) in [
        ("invalid_mailbox_link", "this link is damaged", "ask for it again; it is printed by: kinfolk mailbox serve"),
        (
            "not_serving",
            "Eve does not serve as a mailbox; they begin with `kinfolk mailbox serve`",
            "they begin with `kinfolk mailbox serve`",
        ),
        ("too_many_mailboxes", "you have 5", "name one no longer with: kinfolk mailbox remove PEER"),
        (
            "own_mailbox",
            "this node cannot be its own mailbox",
            "name a node that stays on, as in: kinfolk mailbox add CONTACT",
        ),
    ] {
        let door = Door::open().says("POST /v1/mailboxes/hosts", Says::no(409, code, detail));
        let outcome = carry_out("mailbox add Eve", &door, None).await;
        assert_eq!((outcome.exit, outcome.out.as_str()), (Exit::Refused, ""), "{code}");
        let what = detail.split("; ").next().unwrap();
        assert_eq!(outcome.err, format!("error: {what}\n  {next}\n"), "{code}");
    }
}

fn bundles() -> Door {
    Door::open()
        .says("POST /v1/bundles/export", Says::Bundle(b"\x89kinfolk bundle and more".to_vec(), 3, 2))
        .says("POST /v1/bundles/exported", Says::ok(&Done::new()))
}

#[tokio::test]
async fn a_bundle_is_written_whole_for_its_owner_alone_and_only_then_on_its_way() {
    use std::os::unix::fs::PermissionsExt;
    let (door, place) = (bundles(), tempfile::tempdir().unwrap());
    let file = place.path().join("stick");
    let outcome = carry_out(&format!("--json bundle export --all {}", file.display()), &door, None).await;
    let json = format!("{{\"file\":\"{}\",\"messages\":3,\"bytes\":24,\"carried\":2}}\n", file.display());
    assert_eq!((outcome.exit, outcome.out, outcome.err), (Exit::Done, json, String::new()));
    assert_eq!(std::fs::read(&file).unwrap(), b"\x89kinfolk bundle and more");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let asked = |door: &Door| door.asked().into_iter().map(|(line, _)| line).collect::<Vec<_>>();
    assert_eq!(asked(&door), ["POST /v1/bundles/export", "POST /v1/bundles/exported"]);
    assert_eq!(door.asked()[0].1, "{}");
    // What is there already is not written over unless that is wished.
    std::fs::write(&file, "dear").unwrap();
    let door = bundles();
    let outcome = carry_out(&format!("--json bundle export Bo {}", file.display()), &door, None).await;
    assert!(outcome.exit == Exit::Refused && outcome.err.contains("\"file_exists\""), "{outcome:?}");
    assert_eq!((std::fs::read(&file).unwrap().as_slice(), asked(&door)), (&b"dear"[..], Vec::<String>::new()));
    let outcome = carry_out(&format!("bundle export Bo {} --force", file.display()), &door, None).await;
    assert!(outcome.out.starts_with("Wrote 3 messages and 2 of others into "), "{outcome:?}");
    assert_eq!(door.asked()[1].1, "{\"contact\":\"Bo\"}");
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1, "no draft is left");
}

#[tokio::test]
async fn an_export_that_is_refused_or_cannot_be_written_leaves_no_file_and_nothing_is_on_its_way() {
    let place = tempfile::tempdir().unwrap();
    let door = Door::open().says("POST /v1/bundles/export", Says::no(409, "nothing_to_export", "nothing waits"));
    let outcome = carry_out(&format!("bundle export Bo {}/stick", place.path().display()), &door, None).await;
    assert_eq!((outcome.exit, outcome.out.as_str()), (Exit::Refused, ""));
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
    let door = bundles();
    let outcome = carry_out(&format!("--json bundle export Bo {}/no/stick", place.path().display()), &door, None).await;
    assert!(outcome.exit == Exit::Refused && outcome.err.contains("\"bundle_file\""), "{outcome:?}");
    assert_eq!(door.asked(), []);
}

#[tokio::test]
async fn codes_are_drawn_with_their_lines_and_given_to_programs_as_lines() {
    let lines = "KINFOLK-BUNDLE/1/1/2/AAAA0000/ABCD/01234567\nKINFOLK-BUNDLE/1/2/2/AAAA0000/EFGH/89ABCDEF\n";
    let door = || {
        let says = Says::Bundle(lines.as_bytes().to_vec(), 1, 0);
        Door::open().says("POST /v1/bundles/export", says).says("POST /v1/bundles/exported", Says::ok(&Done::new()))
    };
    let people = carry_out("bundle export Bo --qr", &door(), Some(80)).await;
    assert!(people.out.contains("1 of 2\n") && people.out.contains('█') && people.out.ends_with(lines), "{people:?}");
    let narrow = carry_out("bundle export Bo --qr", &door(), Some(10)).await;
    assert!(narrow.out == lines && narrow.err.contains("columns"), "{narrow:?}");
    let asked = door();
    let programs = carry_out("--json bundle export Bo --qr", &asked, None).await;
    let all: Vec<&str> = lines.lines().collect();
    assert_eq!(
        programs.out,
        format!("{{\"lines\":[\"{}\",\"{}\"],\"messages\":1,\"bytes\":88,\"carried\":0}}\n", all[0], all[1])
    );
    assert_eq!(asked.asked()[0].1, "{\"contact\":\"Bo\",\"newest\":true}");
}

#[tokio::test]
async fn an_import_tells_what_became_of_it_and_where_it_is_damaged() {
    use kinfolk_rpc::bundle::{ImportedBundle, Stretch};
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("stick");
    std::fs::write(&file, "a bundle").unwrap();
    let damage = vec![Stretch { from: 17, until: 566 }];
    let found = ImportedBundle { taken: 2, known: 1, carried: 4, damaged: 1, damage, ..ImportedBundle::default() };
    let door = Door::open().says("POST /v1/bundles/import", Says::ok(&found));
    let outcome = carry_out(&format!("--json bundle import {}", file.display()), &door, None).await;
    let json = "{\"taken\":2,\"known\":1,\"carried\":4,\"damaged\":1,\"damage\":[{\"from\":17,\"until\":566}]}\n";
    assert_eq!((outcome.exit, outcome.out.as_str()), (Exit::Done, json));
    assert!(outcome.err.contains("\"damaged_bundle\"") && outcome.err.contains("from byte 17 to 566"), "{outcome:?}");
    assert_eq!(door.asked(), [("POST /v1/bundles/import".to_owned(), "a bundle".to_owned())]);
    let people = carry_out(&format!("bundle import {}", file.display()), &door, None).await;
    assert!(people.out.starts_with("Took 2 messages; see them with: kinfolk history"), "{people:?}");
    let nowhere = carry_out("--json bundle import no/such/file", &door, None).await;
    assert!(nowhere.exit == Exit::Refused && nowhere.err.contains("\"bundle_file\""), "{nowhere:?}");
}
