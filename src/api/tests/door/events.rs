//! Events: nothing lost, nothing doubled, whatever happens to the reader.

use kinfolk_engine::input::Command;
use kinfolk_wire::ids::IdentityId;

use crate::http::Listening;
use crate::world::{House, two_contacts};

async fn listen(house: &House, target: &str, last: Option<u64>) -> Listening {
    let mut knock = house.local("GET", target);
    if let Some(last) = last {
        knock = knock.with("Last-Event-ID", &last.to_string());
    }
    Listening::open(&knock, house.socket()).await
}

/// Makes `count` numbered events, as fast as the node can.
async fn stir(house: &House, contact: IdentityId, count: usize) {
    let turns = (0..count).map(|number| {
        let node = house.node.handle.clone();
        tokio::spawn(async move { node.command(Command::MarkVerified(contact, number % 2 == 0)).await })
    });
    for turn in turns.collect::<Vec<_>>() {
        turn.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_stream_that_breaks_off_again_and_again_misses_no_message_and_doubles_none() {
    const MESSAGES: usize = 120;
    let (al, bo) = two_contacts().await;
    let mut last = al.get("/v1/status").await.json()["seq"].as_u64().unwrap();
    let talk = async {
        for number in 0..MESSAGES {
            bo.must("POST", "/v1/chats/Al/messages", &format!("{{\"text\":\"{number}\"}}")).await;
        }
    };
    let hear = async {
        let (mut texts, mut patience) = (vec![], 1);
        while texts.len() < MESSAGES {
            let mut stream = listen(&al, "/v1/events", Some(last)).await;
            for _ in 0..patience {
                let (id, event) = stream.next().await.expect("the stream goes on");
                let Some(id) = id else { continue };
                assert!(id > last, "{id} after {last}");
                last = id;
                if event["event"] == "message_added" {
                    texts.push(event["text"].as_str().unwrap().to_owned());
                }
                if texts.len() == MESSAGES {
                    break;
                }
            }
            patience = patience % 13 + 1;
        }
        texts
    };
    let ((), mut texts) = tokio::join!(talk, hear);
    texts.sort_by_key(|text| text.parse::<usize>().unwrap());
    assert_eq!(texts, (0..MESSAGES).map(|number| number.to_string()).collect::<Vec<_>>());
    al.close().await;
    bo.close().await;
}

#[tokio::test]
async fn a_reader_that_falls_far_behind_misses_nothing() {
    const EVENTS: usize = 6_000;
    let (house, bo) = House::with_a_contact().await;
    let before = house.get("/v1/status").await.json()["seq"].as_u64().unwrap();
    let mut stream = listen(&house, "/v1/events", None).await;
    // More than the node keeps for a slow reader, and than fits the socket.
    stir(&house, bo.parse().unwrap(), EVENTS).await;
    for number in 1..=EVENTS as u64 {
        let (id, event) = stream.next().await.unwrap();
        assert_eq!((id, event["event"].as_str()), (Some(before + number), Some("contact_changed")));
    }
    house.close().await;
}

#[tokio::test]
async fn a_stream_opened_now_begins_now() {
    let (house, bo) = House::with_a_contact().await;
    let mut stream = listen(&house, "/v1/events", None).await;
    let seq = house.get("/v1/status").await.json()["seq"].as_u64().unwrap();
    stir(&house, bo.parse().unwrap(), 1).await;
    assert_eq!(stream.next().await.unwrap().0, Some(seq + 1));
    house.close().await;
}

#[tokio::test]
async fn a_list_and_the_stream_after_it_leave_no_gap() {
    let (house, bo) = House::with_a_contact().await;
    let bo: IdentityId = bo.parse().unwrap();
    for _ in 0..20 {
        let (page, ()) = tokio::join!(house.get("/v1/contacts"), stir(&house, bo, 3));
        let page = page.json();
        let mut verified = page["contacts"][0]["verified"].clone();
        let mut next = page["seq"].as_u64().unwrap();
        loop {
            let events = house.get(&format!("/v1/events?since={next}&wait=0")).await.json();
            for event in events["events"].as_array().unwrap() {
                verified = event["verified"].clone();
            }
            if events["next"] == next {
                break;
            }
            next = events["next"].as_u64().unwrap();
        }
        assert_eq!(verified, house.get("/v1/contacts").await.json()["contacts"][0]["verified"]);
    }
    house.close().await;
}

#[tokio::test]
async fn a_number_that_the_log_has_not_reached_gives_a_reset() {
    let (house, _) = House::with_a_contact().await;
    let seq = house.get("/v1/status").await.json()["seq"].as_u64().unwrap();
    for since in [seq + 1, 1_000_000, u64::MAX] {
        let page = house.get(&format!("/v1/events?since={since}&wait=0")).await.json();
        assert_eq!(page, serde_json::json!({"events": [{"seq": seq, "event": "reset"}], "next": seq}));
        let mut stream = listen(&house, &format!("/v1/events?since={since}"), None).await;
        assert_eq!(stream.next().await.unwrap(), (Some(seq), serde_json::json!({"seq": seq, "event": "reset"})));
    }
    house.close().await;
}

#[tokio::test]
async fn a_log_that_no_longer_goes_back_gives_a_reset_and_goes_on() {
    // More events than the log keeps.
    let (house, bo) = House::with_a_contact().await;
    let bo: IdentityId = bo.parse().unwrap();
    stir(&house, bo, 20_500).await;
    let seq = house.get("/v1/status").await.json()["seq"].as_u64().unwrap();
    let mut stream = listen(&house, "/v1/events", Some(1)).await;
    assert_eq!(stream.next().await.unwrap(), (Some(seq), serde_json::json!({"seq": seq, "event": "reset"})));
    stir(&house, bo, 1).await;
    assert_eq!(stream.next().await.unwrap().0, Some(seq + 1));
    let page = house.get(&format!("/v1/events?since={}&wait=0", seq - 19_000)).await.json();
    assert_eq!(page["events"][0]["seq"], seq - 19_000 + 1, "what is still there is given");
    house.close().await;
}

#[tokio::test]
async fn a_long_poll_waits_for_what_happens_and_no_longer_than_asked() {
    let (house, bo) = House::with_a_contact().await;
    let seq = house.get("/v1/status").await.json()["seq"].as_u64().unwrap();
    let poll = async { house.get(&format!("/v1/events?since={seq}&wait=30")).await.json() };
    let (page, ()) = tokio::join!(poll, stir(&house, bo.parse().unwrap(), 1));
    assert_eq!((page["events"][0]["seq"].as_u64(), page["next"].as_u64()), (Some(seq + 1), Some(seq + 1)));
    let nothing = house.get(&format!("/v1/events?since={}&wait=1", seq + 1)).await.json();
    assert_eq!(nothing, serde_json::json!({"events": [], "next": seq + 1}));
    house.close().await;
}

#[tokio::test]
async fn closing_the_door_ends_its_streams() {
    let house = House::alone("Al").await;
    let mut stream = listen(&house, "/v1/events", None).await;
    let (ended, _) = tokio::join!(stream.next(), house.close());
    assert_eq!(ended, None);
}

#[tokio::test]
async fn coming_and_going_is_told_without_a_number() {
    let (al, bo) = two_contacts().await;
    let mut stream = listen(&al, "/v1/events", None).await;
    bo.close().await;
    loop {
        let (id, event) = stream.next().await.unwrap();
        if event["event"] == "peer_online" && event["online"] == false {
            assert_eq!((id, event["name"].as_str()), (None, Some("Bo")));
            break;
        }
    }
    al.close().await;
}
