//! A profile with a row that cannot be read: what stands in other rows can be.

use kinfolk_api::Entrance;
use kinfolk_engine::store::{Changes, Counters, Key};
use kinfolk_node::NodeConfig;
use kinfolk_node::clock::SystemClock;
use kinfolk_node::entropy::SystemEntropy;
use kinfolk_store::Unlock;
use kinfolk_wire::ids::IdentityId;

use crate::world::{ANY_PORT, House, two_contacts};

/// The same house without a network, in which this row is not what it must be.
async fn with_damaged(house: House, key: Key) -> House {
    let dir = house.close().await;
    let profile = dir.path().join("profile");
    let mut store = kinfolk_store::open(&profile, Unlock::KeyFile).unwrap();
    let counters = Counters { last_request: 1, ..Counters::default() };
    let mut changes = Changes::default();
    changes.put(key, counters.into());
    store.commit(&changes).unwrap();
    store.close().unwrap();
    let store = kinfolk_store::open(&profile, Unlock::KeyFile).unwrap();
    let node = kinfolk_node::start(store, NodeConfig::default(), SystemClock, SystemEntropy).unwrap();
    let door = kinfolk_api::open(node.handle.clone(), &profile, Entrance::Announced(ANY_PORT)).await.unwrap();
    House { dir, node, door }
}

#[tokio::test]
async fn what_a_contact_said_can_be_read_though_the_contact_cannot() {
    let (al, bo) = two_contacts().await;
    let chat = al.get("/v1/contacts/Bo").await.json()["chat"].as_str().unwrap().to_owned();
    let id: IdentityId = al.get("/v1/contacts/Bo").await.json()["contact"].as_str().unwrap().parse().unwrap();
    let since = al.get("/v1/status").await.json()["seq"].as_u64().unwrap();
    bo.must("POST", "/v1/chats/Al/messages", "{\"text\":\"hello\"}").await;
    let heard = al.get(&format!("/v1/events?since={since}&wait=30")).await.json();
    assert!(!heard["events"].as_array().unwrap().is_empty(), "nothing came");
    bo.close().await;
    let seq = al.get("/v1/status").await.json()["seq"].as_u64().unwrap();

    let al = with_damaged(al, Key::Contact(id)).await;
    let page = al.get(&format!("/v1/chats/{chat}/messages")).await;
    assert_eq!(page.status, 200, "{page:?}");
    let line = &page.json()["messages"][0];
    assert_eq!((&line["text"], &line["from"]["name"]), (&"hello".into(), &id.to_string()[..8].into()));
    // The whole log is told, to its end.
    let mut next = 0;
    while next < seq {
        let page = al.get(&format!("/v1/events?since={next}&wait=0")).await.json();
        assert!(page["next"].as_u64().unwrap() > next, "the log ends at {next} of {seq}: {page}");
        next = page["next"].as_u64().unwrap();
    }
    assert_eq!(al.get("/v1/contacts").await.json()["contacts"], serde_json::json!([]));
    al.close().await;
}

#[tokio::test]
async fn the_lines_of_a_conversation_can_be_read_though_its_own_row_cannot() {
    let (al, bo) = two_contacts().await;
    let chat = bo.get("/v1/contacts/Al").await.json()["chat"].as_str().unwrap().to_owned();
    bo.must("POST", "/v1/chats/Al/messages", "{\"text\":\"hello\"}").await;
    al.close().await;
    let bo = with_damaged(bo, Key::Conversation(chat.parse().unwrap())).await;
    let page = bo.get(&format!("/v1/chats/{chat}/messages")).await;
    assert_eq!(page.status, 200, "{page:?}");
    assert_eq!(page.json()["messages"][0]["text"], "hello");
    let log = bo.get("/v1/events?since=0&wait=0").await;
    assert_eq!(log.status, 200, "{log:?}");
    assert!(log.json()["next"].as_u64().unwrap() > 0);
    bo.close().await;
}

#[tokio::test]
async fn what_a_profile_takes_is_what_its_files_take_on_the_disk() {
    let house = House::alone("Al").await;
    let taken = house.get("/v1/status").await.json()["storage_bytes"].as_u64().unwrap();
    assert!(taken > 4_096, "{taken}");
    // A file with a length and nothing in it.
    std::fs::File::create(house.profile().join("hollow")).unwrap().set_len(1 << 40).unwrap();
    let after = house.get("/v1/status").await.json()["storage_bytes"].as_u64().unwrap();
    assert!(after < taken + (64 << 20), "{after} after {taken}");
    house.close().await;
}
