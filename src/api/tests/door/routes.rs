//! What each route does, over two real nodes or one.

use kinfolk_wire::carried::{BundleWriter, Carried};
use kinfolk_wire::ids::MailboxTag;
use serde_json::json;

use crate::http::PATIENCE;
use crate::world::{House, two_contacts};

async fn until(house: &House, target: &str, wanted: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
    let mut next = 0;
    let found = async {
        loop {
            let now = house.get(target).await.json();
            if wanted(&now) {
                return now;
            }
            let page = house.get(&format!("/v1/events?since={next}&wait=5")).await.json();
            next = page["next"].as_u64().unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("{target} did not come to what was wanted"))
}

#[tokio::test]
async fn two_people_become_contacts_and_talk() {
    let (al, bo) = two_contacts().await;
    let sent = bo.must("POST", "/v1/chats/Al/messages", "{\"text\":\"hello\"}").await;
    bo.must("POST", "/v1/chats/Al/messages", "{\"sticker\":\"kin/hello\"}").await;
    bo.must("POST", "/v1/chats/Al/messages", "{\"location\":\"47.3769,8.5417,20\"}").await;
    assert_eq!(sent["state"], "queued");

    let three = |page: &serde_json::Value| page["messages"].as_array().is_some_and(|lines| lines.len() == 3);
    let page = until(&al, "/v1/chats/Bo/messages", three).await;
    let lines = page["messages"].as_array().unwrap();
    assert_eq!(lines[0]["message"], sent["message"]);
    assert_eq!(lines[0]["text"], "hello");
    assert_eq!(lines[0]["state"], "received");
    assert_eq!(lines[0]["from"]["name"], "Bo");
    assert_eq!(lines[0]["from"]["display_name"], "\u{2068}Bo\u{2069}");
    assert_eq!(lines[1]["sticker"], "kin/hello");
    let place = json!({"geo": "geo:47.3769,8.5417;u=20", "lat": 47.3769, "lon": 8.5417, "accuracy_m": 20.0});
    assert_eq!(lines[2]["location"], place);
    assert_eq!(page["damaged"], 0);

    let id = sent["message"].as_str().unwrap();
    until(&bo, &format!("/v1/chats/Al/messages/{id}"), |line| line["state"] == "delivered").await;
    let contact = al.get("/v1/contacts/Bo").await.json();
    assert_eq!(
        (&contact["unread"], &contact["online"], &contact["state"]),
        (&json!(3), &json!(true), &json!("accepted"))
    );

    // Read receipts are a choice.
    al.must("PUT", "/v1/chats/Bo/read-receipts", "{\"allowed\":true}").await;
    let last = lines[2]["message"].as_str().unwrap();
    al.must("PUT", "/v1/chats/Bo/seen", &format!("{{\"message\":\"{last}\"}}")).await;
    assert_eq!(al.get("/v1/contacts/Bo").await.json()["unread"], 0);
    until(&bo, &format!("/v1/chats/Al/messages/{id}"), |line| line["state"] == "read").await;

    let numbers =
        [al.get("/v1/contacts/Bo/safety-number").await.json(), bo.get("/v1/contacts/Al/safety-number").await.json()];
    assert_eq!(numbers[0], numbers[1]);
    let groups: Vec<&str> = numbers[0]["safety_number"].as_str().unwrap().split(' ').collect();
    assert!(groups.len() == 12 && groups.iter().all(|group| group.len() == 5), "{groups:?}");
    al.must("PUT", "/v1/contacts/Bo/verified", "{\"verified\":true}").await;
    assert_eq!(al.get("/v1/contacts/Bo/safety-number").await.json()["verified"], true);

    let status = al.get("/v1/status").await.json();
    assert_eq!(
        (&status["peers"], &status["contacts"], &status["reachability"]["state"]),
        (&json!(1), &json!(1), &json!("private"))
    );
    assert!(status["storage_bytes"].as_u64().unwrap() > 0);
    al.close().await;
    bo.close().await;
}

#[tokio::test]
async fn a_message_sent_twice_under_one_id_is_said_once() {
    let (al, bo) = two_contacts().await;
    let id = "00112233445566778899aabbccddeeff";
    let wish = format!("{{\"message\":\"{id}\",\"text\":\"once\"}}");
    for _ in 0..3 {
        assert_eq!(bo.must("POST", "/v1/chats/Al/messages", &wish).await["message"], id);
    }
    assert_eq!(bo.get("/v1/chats/Al/messages").await.json()["messages"].as_array().unwrap().len(), 1);
    let other = bo.ask("POST", "/v1/chats/Al/messages", &wish.replace("once", "twice")).await;
    assert_eq!((other.status, other.code()), (409, "id_taken".to_owned()));
    al.close().await;
    bo.close().await;
}

#[tokio::test]
async fn a_conversation_is_read_page_by_page_without_gap_or_overlap() {
    let (al, bo) = two_contacts().await;
    for number in 0..25 {
        bo.must("POST", "/v1/chats/Al/messages", &format!("{{\"text\":\"{number}\"}}")).await;
    }
    let (mut texts, mut before) = (vec![], String::new());
    loop {
        let page = bo.get(&format!("/v1/chats/Al/messages?last=7{before}")).await.json();
        let lines = page["messages"].as_array().unwrap().clone();
        assert!(lines.len() == 7 || page.get("next").is_none());
        texts.splice(0..0, lines.iter().map(|line| line["text"].as_str().unwrap().to_owned()));
        match page.get("next") {
            Some(next) => before = format!("&before={}", next.as_str().unwrap()),
            None => break,
        }
    }
    assert_eq!(texts, (0..25).map(|number| number.to_string()).collect::<Vec<_>>());
    al.close().await;
    bo.close().await;
}

#[tokio::test]
async fn a_contact_is_found_by_every_name_it_has() {
    let (house, bo) = House::with_a_contact().await;
    let chat = house.get("/v1/contacts/Bo").await.json()["chat"].as_str().unwrap().to_owned();
    for name in ["Bo", "bo", &bo, &bo[..8], &chat, &chat[..12]] {
        assert_eq!(house.get(&format!("/v1/contacts/{name}")).await.json()["contact"], bo.as_str(), "{name}");
    }
    house.must("PUT", "/v1/contacts/Bo/name", "{\"name\":\"Bo B./家\"}").await;
    let answer = house.get("/v1/contacts/Bo%20B.%2F%E5%AE%B6").await;
    assert_eq!(answer.json()["name"], "Bo B./家");
    let unknown = house.get("/v1/contacts/Bo").await;
    assert_eq!((unknown.status, unknown.code()), (404, "unknown_contact".to_owned()));
    house.close().await;
}

#[tokio::test]
async fn two_contacts_of_one_name_are_told_apart_by_their_ids() {
    let (house, bo) = House::with_a_contact().await;
    let link = House::link_of_a_stranger().await;
    let other = house.must("POST", "/v1/contacts", &format!("{{\"link\":\"{link}\"}}")).await;
    let answer = house.get("/v1/contacts/Bo").await;
    assert_eq!((answer.status, answer.code()), (409, "ambiguous_contact".to_owned()));
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    for id in [&bo, other["contact"].as_str().unwrap()] {
        assert!(detail.contains(&id[..8]), "{detail}");
    }
    let page = house.get("/v1/contacts?limit=1").await.json();
    let next = page["next"].as_str().unwrap();
    let second = house.get(&format!("/v1/contacts?limit=1&after={next}")).await.json();
    assert_ne!(page["contacts"][0]["contact"], second["contacts"][0]["contact"]);
    assert_eq!(second.get("next"), None);
    house.close().await;
}

#[tokio::test]
async fn b01_a_name_that_can_be_taken_for_a_contacts_is_warned_about() {
    let (house, bo) = House::with_a_contact().await;
    assert_eq!(house.get("/v1/contacts/Bo").await.json().get("warning"), None);
    let link = House::link_of_a_stranger().await;
    let added = house.must("POST", "/v1/contacts", &format!("{{\"link\":\"{link}\",\"name\":\"B\u{43e}\"}}")).await;
    let other = added["contact"].as_str().unwrap();
    for (who, of) in [(other, &*bo), (&*bo, other)] {
        let found = house.get(&format!("/v1/contacts/{who}")).await.json()["warning"].clone();
        assert_eq!((found["kind"].as_str(), found["contact"].as_str()), (Some("like_contact"), Some(of)));
        assert!(found["message"].as_str().unwrap().contains(&of[..8]), "{found}");
        let page = house.get("/v1/contacts").await.json();
        let listed = page["contacts"].as_array().unwrap().iter().find(|contact| contact["contact"] == who).unwrap();
        assert_eq!(listed["warning"], found);
    }
    assert_eq!(added["warning"]["kind"], "like_contact");
    let events = house.get("/v1/events?since=0&wait=0").await.json();
    let told = events["events"].as_array().unwrap().iter().find(|event| event["contact"] == other).unwrap();
    assert_eq!(told["warning"]["contact"], bo.as_str());
    // Whose number was compared is not doubted for the sake of whose was not.
    house.must("PUT", &format!("/v1/contacts/{bo}/verified"), "{\"verified\":true}").await;
    assert_eq!(house.get(&format!("/v1/contacts/{bo}")).await.json().get("warning"), None);
    house.must("PUT", &format!("/v1/contacts/{other}/name"), "{\"name\":\"AL\"}").await;
    let found = house.get(&format!("/v1/contacts/{other}")).await.json()["warning"].clone();
    assert_eq!((found["kind"].as_str(), found.get("contact")), (Some("like_own_name"), None));
    house.close().await;
}

#[tokio::test]
async fn b06_a_contact_that_calls_itself_the_id_of_another_is_not_taken_for_them() {
    let (house, bo) = House::with_a_contact().await;
    let link = House::link_of_a_stranger().await;
    let mallory = house.must("POST", "/v1/contacts", &format!("{{\"link\":\"{link}\",\"name\":\"{bo}\"}}")).await;
    assert_eq!(house.get(&format!("/v1/contacts/{bo}")).await.json()["contact"], bo.as_str());
    let chat = house.get(&format!("/v1/contacts/{bo}")).await.json()["chat"].as_str().unwrap().to_owned();
    let mallory = mallory["contact"].as_str().unwrap();
    house.must("PUT", &format!("/v1/contacts/{mallory}/name"), &format!("{{\"name\":\"{chat}\"}}")).await;
    assert_eq!(house.get(&format!("/v1/contacts/{mallory}")).await.json()["name"], chat.as_str());
    assert_eq!(house.get(&format!("/v1/contacts/{chat}")).await.json()["contact"], bo.as_str());
    house.close().await;
}

#[tokio::test]
async fn what_cannot_be_done_says_why() {
    let (house, _) = House::with_a_contact().await;
    let own = house.must("POST", "/v1/invites", "{\"uses\":\"once\"}").await["link"].as_str().unwrap().to_owned();
    let mailbox = mailbox_link(1).0;
    let long = format!("{mailbox}{}", "A".repeat(1_400));
    let cases = [
        ("POST", "/v1/contacts", format!("{{\"link\":\"{own}\"}}"), 422, "own_invite"),
        ("POST", "/v1/contacts", "{\"link\":\"https://example.com\"}".to_owned(), 400, "invalid_link"),
        ("POST", "/v1/contacts", format!("{{\"link\":\"{}\"}}", &own[..100]), 400, "invalid_link"),
        ("POST", "/v1/contacts", format!("{{\"link\":\"{own}\",\"name\":\" \"}}"), 400, "invalid_name"),
        ("POST", "/v1/invites", "{\"expires_in_ms\":0}".to_owned(), 400, "invalid_expiry"),
        ("POST", "/v1/invites", "{\"expires_in_ms\":99999999999999}".to_owned(), 400, "invalid_expiry"),
        ("POST", "/v1/invites", "{\"uses\":\"twice\"}".to_owned(), 400, "invalid_json"),
        ("POST", "/v1/chats/Bo/messages", "{\"text\":\"hi\"}".to_owned(), 409, "not_accepted"),
        ("POST", "/v1/chats/Bo/messages", "{\"text\":\"\"}".to_owned(), 400, "invalid_text"),
        ("POST", "/v1/chats/Bo/messages", "{}".to_owned(), 400, "invalid_content"),
        (
            "POST",
            "/v1/chats/Bo/messages",
            "{\"text\":\"a\",\"sticker\":\"kin/hello\"}".to_owned(),
            400,
            "invalid_content",
        ),
        ("POST", "/v1/chats/Bo/messages", "{\"text\":\"a\",\"message\":\"x\"}".to_owned(), 400, "invalid_id"),
        ("POST", "/v1/chats/Bo/messages", "{\"location\":\"200,0\"}".to_owned(), 400, "invalid_location"),
        ("POST", "/v1/chats/Zoe/messages", "{\"text\":\"hi\"}".to_owned(), 404, "unknown_contact"),
        ("PUT", "/v1/chats/Bo/seen", format!("{{\"message\":\"{}\"}}", "0".repeat(32)), 409, "not_accepted"),
        ("POST", "/v1/contacts/Bo/accept", "{}".to_owned(), 409, "not_asking"),
        ("PUT", "/v1/name", "{\"name\":\"\"}".to_owned(), 400, "invalid_name"),
        ("POST", "/v1/mailboxes/hosts", "{}".to_owned(), 400, "invalid_mailbox"),
        ("POST", "/v1/mailboxes/hosts", "{\"contact\":\"Bo\",\"link\":\"x\"}".to_owned(), 400, "invalid_mailbox"),
        ("POST", "/v1/mailboxes/hosts", "{\"contact\":\"Zoe\"}".to_owned(), 404, "unknown_contact"),
        ("POST", "/v1/mailboxes/hosts", "{\"contact\":\"Bo\"}".to_owned(), 409, "not_serving"),
        ("POST", "/v1/mailboxes/hosts", format!("{{\"link\":\"{own}\"}}"), 400, "invalid_mailbox_link"),
        ("POST", "/v1/mailboxes/hosts", format!("{{\"link\":\"{}\"}}", &mailbox[..40]), 400, "invalid_mailbox_link"),
        ("POST", "/v1/mailboxes/hosts", format!("{{\"link\":\"{long}\"}}"), 400, "invalid_mailbox_link"),
        (
            "POST",
            "/v1/mailboxes/hosts",
            format!("{{\"link\":\"{}\"}}", mailbox_link_for(1, 23).0),
            400,
            "invalid_mailbox_link",
        ),
        ("DELETE", "/v1/mailboxes/hosts/Zoe", String::new(), 404, "unknown_mailbox"),
        ("DELETE", "/v1/mailboxes/hosts/Bo", String::new(), 404, "unknown_mailbox"),
        ("PUT", "/v1/mailboxes/serving", "{\"capacity_bytes\":1048575}".to_owned(), 400, "invalid_capacity"),
        ("PUT", "/v1/mailboxes/serving", "{\"capacity_bytes\":-1}".to_owned(), 400, "invalid_json"),
        ("PUT", "/v1/mailboxes/serving", "{\"work_bits\":23}".to_owned(), 400, "invalid_work_bits"),
        ("PUT", "/v1/mailboxes/serving", "{\"work_bits\":256}".to_owned(), 400, "invalid_json"),
    ];
    for (method, target, body, status, code) in cases {
        let answer = house.ask(method, target, &body).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{method} {target} {body}");
    }
    for (target, code) in [
        ("/v1/chats/Bo/messages?last=0", "invalid_query"),
        ("/v1/chats/Bo/messages?last=501", "invalid_query"),
        ("/v1/chats/Bo/messages?lsat=5", "invalid_query"),
        ("/v1/contacts?limit=x", "invalid_query"),
        ("/v1/contacts?after=x", "invalid_cursor"),
        ("/v1/events?wait=61&since=0", "invalid_query"),
        ("/v1/contacts/%ff", "invalid_path"),
    ] {
        let answer = house.get(target).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, code), "{target}");
    }
    house.close().await;
}

#[tokio::test]
async fn the_longest_text_passes_and_one_byte_more_does_not() {
    let (al, bo) = two_contacts().await;
    // Every byte of it escaped: six times its size on the way.
    let longest = "\\u0001".repeat(32_768);
    bo.must("POST", "/v1/chats/Al/messages", &format!("{{\"text\":\"{longest}\"}}")).await;
    let answer = bo.ask("POST", "/v1/chats/Al/messages", &format!("{{\"text\":\"{longest}a\"}}")).await;
    assert_eq!((answer.status, answer.code()), (413, "invalid_text".to_owned()));
    assert!(answer.json()["detail"].as_str().unwrap().contains("32768"));
    al.close().await;
    bo.close().await;
}

#[tokio::test]
async fn what_was_said_outlives_the_contact() {
    let (al, bo) = two_contacts().await;
    bo.must("POST", "/v1/chats/Al/messages", "{\"text\":\"before\"}").await;
    let chat = bo.get("/v1/contacts/Al").await.json()["chat"].as_str().unwrap().to_owned();
    bo.must("DELETE", "/v1/contacts/Al", "").await;
    assert_eq!(bo.get("/v1/contacts").await.json()["contacts"], json!([]));
    assert_eq!(bo.get("/v1/chats/Al/messages").await.status, 404);
    let page = bo.get(&format!("/v1/chats/{chat}/messages")).await.json();
    assert_eq!(page["messages"][0]["text"], "before");
    al.close().await;
    bo.close().await;
}

#[tokio::test]
async fn stickers_are_listed_and_their_pictures_given() {
    let house = House::alone("Al").await;
    let list = house.get("/v1/stickers").await.json();
    let stickers = list["stickers"].as_array().unwrap();
    assert!(!stickers.is_empty());
    for sticker in stickers {
        let answer = house.get(&format!("/v1/stickers/{}", sticker["sticker"].as_str().unwrap())).await;
        assert_eq!(answer.status, 200, "{sticker}");
        assert_eq!(answer.headers["content-type"], "image/png");
        assert!(answer.body.starts_with(b"\x89PNG"));
        assert_eq!(answer.headers["content-length"], answer.body.len().to_string());
    }
    let unknown = house.get("/v1/stickers/kin/nobody").await;
    assert_eq!((unknown.status, unknown.code()), (404, "unknown_sticker".to_owned()));
    house.close().await;
}

#[tokio::test]
async fn a_name_that_would_reorder_the_screen_is_given_raw_and_contained() {
    let (house, bo) = House::with_a_contact().await;
    house.must("PUT", &format!("/v1/contacts/{bo}/name"), "{\"name\":\"\\u202egpj.exe\"}").await;
    let contact = house.get(&format!("/v1/contacts/{bo}")).await.json();
    assert_eq!(contact["name"], "\u{202e}gpj.exe");
    assert_eq!(contact["display_name"], "\u{2068}<U+202E>gpj.exe\u{2069}");
    house.close().await;
}

/// A link to a node with a key of this byte, repeated.
fn mailbox_link(byte: u8) -> (String, String) {
    mailbox_link_for(byte, 12)
}

fn mailbox_link_for(byte: u8, work_bits: u8) -> (String, String) {
    let mut id = [byte; 38];
    id[..6].copy_from_slice(&[0, 0x24, 8, 1, 0x12, 0x20]);
    let peer = kinfolk_wire::ids::PeerId::new(id);
    let host = kinfolk_wire::mailbox::Host { peer, addresses: vec![], work_bits };
    (host.link(), peer.to_string())
}

#[tokio::test]
async fn a_node_serves_as_a_mailbox_changes_what_it_offers_and_ends_it() {
    let house = House::alone("Al").await;
    let none = json!({"mailboxes": [], "serving": null, "waiting": 0});
    assert_eq!(house.get("/v1/mailboxes").await.json(), none);
    let answer = house.get("/v1/mailboxes/serving").await;
    assert_eq!((answer.status, answer.code()), (409, "not_serving".to_owned()));
    let serving = house.must("PUT", "/v1/mailboxes/serving", "{}").await;
    assert_eq!((&serving["capacity_bytes"], &serving["work_bits"]), (&json!(1_073_741_824), &json!(20)));
    assert_eq!((&serving["stored_bytes"], &serving["stored_messages"]), (&json!(0), &json!(0)));
    let host = kinfolk_wire::mailbox::Host::from_link(serving["link"].as_str().unwrap()).unwrap();
    assert_eq!((host.peer.to_string().as_str(), host.work_bits), (serving["peer"].as_str().unwrap(), 20));
    let changed = "{\"capacity_bytes\":1048576,\"work_bits\":12}";
    let serving = house.must("PUT", "/v1/mailboxes/serving", changed).await;
    assert_eq!((&serving["capacity_bytes"], &serving["work_bits"]), (&json!(1_048_576), &json!(12)));
    assert_eq!(house.get("/v1/mailboxes/serving").await.json(), serving);
    assert_eq!(house.get("/v1/mailboxes").await.json()["serving"], serving);
    let own = serving["link"].as_str().unwrap();
    let answer = house.ask("POST", "/v1/mailboxes/hosts", &format!("{{\"link\":\"{own}\"}}")).await;
    assert_eq!((answer.status, answer.code()), (422, "own_mailbox".to_owned()));
    for _ in 0..2 {
        assert_eq!(house.must("DELETE", "/v1/mailboxes/serving", "").await, json!({"ok": true}));
    }
    assert_eq!(house.get("/v1/mailboxes").await.json(), none);
    house.close().await;
}

#[tokio::test]
async fn five_mailboxes_are_named_by_links_and_named_no_longer() {
    let house = House::alone("Al").await;
    let links: Vec<(String, String)> = (1..=6).map(mailbox_link).collect();
    let add = |link: &str| format!("{{\"link\":\" {link}\\n\"}}");
    for (link, peer) in &links[..5] {
        let added = house.must("POST", "/v1/mailboxes/hosts", &add(link)).await;
        assert_eq!(added, json!({"peer": peer, "contact": null, "name": null, "display_name": null}));
    }
    let answer = house.ask("POST", "/v1/mailboxes/hosts", &add(&links[5].0)).await;
    assert_eq!((answer.status, answer.code()), (409, "too_many_mailboxes".to_owned()));
    assert!(answer.json()["detail"].as_str().unwrap().contains("5 mailboxes"));
    // One that is named already is no sixth.
    house.must("POST", "/v1/mailboxes/hosts", &add(&links[4].0)).await;
    let listed = house.get("/v1/mailboxes").await.json()["mailboxes"].clone();
    let peers: Vec<&str> = listed.as_array().unwrap().iter().map(|one| one["peer"].as_str().unwrap()).collect();
    assert_eq!(peers, links[..5].iter().map(|(_, peer)| peer.as_str()).collect::<Vec<_>>());
    assert_eq!((&listed[0]["state"], &listed[0]["answered_at"]), (&json!("new"), &json!(null)));
    assert!(listed[0]["added_at"].as_u64().unwrap() > 1_700_000_000_000);
    let status = house.get("/v1/status").await.json()["mailboxes"].clone();
    assert_eq!(status.as_array().unwrap().len(), 5);
    assert_eq!(status[0], json!({"peer": peers[0], "contact": null, "state": "new"}));
    // By the whole id, and by what tells it from others.
    for name in [&links[0].1[..], &links[1].1[12..20], &links[2].1[..20]] {
        house.must("DELETE", &format!("/v1/mailboxes/hosts/{name}"), "").await;
        let answer = house.ask("DELETE", &format!("/v1/mailboxes/hosts/{name}"), "").await;
        assert_eq!((answer.status, answer.code()), (404, "unknown_mailbox".to_owned()), "{name}");
    }
    assert_eq!(house.get("/v1/mailboxes").await.json()["mailboxes"].as_array().unwrap().len(), 2);
    house.close().await;
}

#[tokio::test]
async fn a_contact_who_serves_is_named_by_their_name() {
    let (al, bo) = two_contacts().await;
    let by_name = "{\"contact\":\"Al\"}";
    let answer = bo.ask("POST", "/v1/mailboxes/hosts", by_name).await;
    assert_eq!((answer.status, answer.code()), (409, "not_serving".to_owned()));
    assert!(answer.json()["detail"].as_str().unwrap().contains("kinfolk mailbox serve"));
    let since = bo.get("/v1/status").await.json()["seq"].as_u64().unwrap();
    let serving = al.must("PUT", "/v1/mailboxes/serving", "{}").await;
    // That they serve is told as a change of the contact.
    let told = bo.get(&format!("/v1/events?since={since}&wait=30")).await.json();
    assert_eq!(told["events"][0]["event"], "contact_changed", "{told}");
    let added = bo.must("POST", "/v1/mailboxes/hosts", by_name).await;
    assert_eq!((&added["peer"], &added["name"]), (&serving["peer"], &json!("Al")));
    assert_eq!(added["display_name"], "\u{2068}Al\u{2069}");
    assert_eq!(added["contact"].as_str().unwrap().len(), 64);
    let listed = bo.get("/v1/mailboxes").await.json()["mailboxes"][0].clone();
    for field in ["peer", "contact", "name", "display_name"] {
        assert_eq!(listed[field], added[field], "{field}");
    }
    bo.must("DELETE", "/v1/mailboxes/hosts/Al", "").await;
    assert_eq!(bo.get("/v1/mailboxes").await.json()["mailboxes"], json!([]));
    al.close().await;
    bo.close().await;
}

#[tokio::test]
async fn after_the_node_has_stopped_the_door_says_so() {
    let house = House::alone("Al").await;
    house.node.handle.stop().await;
    let answer = house.get("/v1/status").await;
    assert_eq!((answer.status, answer.code()), (503, "node_stopped".to_owned()));
    house.door.close().await;
}

/// A bundle of one record that is for nobody here.
fn foreign_bundle() -> Vec<u8> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let mut writer = BundleWriter::default();
    let day = u32::try_from(now / 86_400).unwrap();
    writer.push(&Carried { day, tag: MailboxTag::new([7; 16]), number: [8; 8], blob: vec![9; 512] });
    writer.finish()
}

#[tokio::test]
async fn a_bundle_for_others_is_kept_and_given_on_as_it_came() {
    let house = House::alone("Al").await;
    let bundle = foreign_bundle();
    let import = |bytes: &[u8]| {
        let mut knock = house.local("POST", "/v1/bundles/import").with("Content-Type", "application/octet-stream");
        knock.body = bytes.to_vec();
        knock
    };
    let nothing = house.ask("POST", "/v1/bundles/export", "{}").await;
    assert_eq!((nothing.status, nothing.code()), (409, "nothing_to_export".to_owned()));
    for carried in [json!({"taken": 0, "known": 0, "carried": 1, "damaged": 0}), {
        json!({"taken": 0, "known": 1, "carried": 0, "damaged": 0})
    }] {
        assert_eq!(import(&bundle).through(house.socket()).await.json(), carried);
    }
    for wish in ["{}", "{\"carried\":true}"] {
        let exported = house.ask("POST", "/v1/bundles/export", wish).await;
        assert_eq!((exported.status, &exported.body), (200, &bundle));
        assert_eq!(exported.headers["content-type"], "application/octet-stream");
        assert_eq!((&*exported.headers["kinfolk-messages"], &*exported.headers["kinfolk-carried"]), ("0", "1"));
        assert_eq!(house.must("POST", "/v1/bundles/exported", wish).await, json!({"ok": true}));
    }
    let mut cut = bundle.clone();
    cut.truncate(bundle.len() - 3);
    let damaged = import(&cut).through(house.socket()).await.json();
    assert_eq!((&damaged["known"], &damaged["damaged"]), (&json!(1), &json!(1)), "{damaged}");
    assert_eq!(damaged["damage"][0]["until"], cut.len());
    house.close().await;
}

#[tokio::test]
async fn d02_what_is_no_bundle_is_told_and_too_much_is_not_read() {
    let house = House::alone("Al").await;
    let import = |kind: &str, bytes: Vec<u8>| {
        let mut knock = house.local("POST", "/v1/bundles/import").with("Content-Type", kind);
        knock.body = bytes;
        knock
    };
    let octets = "application/octet-stream";
    for (knock, status, code) in [
        (import(octets, b"hello".to_vec()), 422, "not_a_bundle"),
        (import(octets, b"\x89kinfolk bundle\x07\xf8".to_vec()), 422, "newer_bundle"),
        (import(octets, foreign_bundle()[..300].to_vec()), 422, "damaged_bundle"),
        (import(octets, b"KINFOLK-BUNDLE/1/1/2/x".to_vec()), 422, "bundle_line"),
        (import("application/json", foreign_bundle()), 415, "not_octets"),
        (import(octets, vec![]).with("Content-Length", "200000000"), 413, "too_large"),
        (house.local("POST", "/v1/bundles/export").json("{\"newest\":true}"), 400, "invalid_bundle_wish"),
        (house.local("POST", "/v1/bundles/export").json("{\"contact\":\"Zoe\"}"), 404, "unknown_contact"),
    ] {
        let answer = knock.through(house.socket()).await;
        assert_eq!((answer.status, answer.code()), (status, code.to_owned()), "{:?}", knock.headers);
    }
    house.close().await;
}
