//! Rows to try the store with, and profiles to keep them in.

use std::path::Path;

use kinfolk_engine::store::{
    Alarm, Changes, Counters, Key, KeyMaterial, Message, MessageState, Nothing, Profile, Read, Row, Scan,
};
use kinfolk_store::{Backend, Derivation, Options, Store, Unlock};
use kinfolk_wire::ids::{ConversationId, DeviceId, IdentityId, MessageId, PeerId, SessionId, SigchainHead};
use kinfolk_wire::name::Name;
use kinfolk_wire::sigchain::{SigchainBytes, Signed};
use kinfolk_wire::time::Timestamp;

pub(crate) const QUICK: Options = Options { derivation: Derivation::Least };

pub(crate) fn create(dir: &Path, backend: Backend) -> Store {
    kinfolk_store::create(dir, backend, Unlock::KeyFile, QUICK).unwrap()
}

pub(crate) fn open(dir: &Path) -> Store {
    kinfolk_store::open(dir, Unlock::KeyFile).unwrap()
}

pub(crate) fn conversation(number: u8) -> ConversationId {
    ConversationId::new([number; 32])
}

pub(crate) fn identity(number: u8) -> IdentityId {
    IdentityId::new([number; 32])
}

pub(crate) fn device(number: u8) -> DeviceId {
    DeviceId::new([number; 16])
}

pub(crate) fn peer(number: u8) -> PeerId {
    PeerId::new([number; 38])
}

pub(crate) fn session(number: u8) -> SessionId {
    SessionId::new([number; 32])
}

/// The key of a line: its number is its order and its id.
pub(crate) fn line(conversation_number: u8, number: u64) -> Key {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    Key::Message(conversation(conversation_number), number, identity(1), MessageId::new(id))
}

pub(crate) fn message(content: &[u8]) -> Row {
    Message { content: content.to_vec(), state: MessageState::Queued, at: Timestamp::from_millis(1) }.into()
}

pub(crate) fn secret(bytes: &[u8]) -> Row {
    KeyMaterial::new(bytes).into()
}

pub(crate) fn counters(number: u64) -> Row {
    Counters { last_request: number, ..Counters::default() }.into()
}

pub(crate) fn timer(due: u64, alarm: Alarm) -> (Key, Row) {
    (Key::Timer(Timestamp::from_millis(due), alarm), Nothing {}.into())
}

/// Bytes that differ from place to place, so that pieces cannot be mistaken for one another.
pub(crate) fn bytes(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    })
    .take(length)
    .collect()
}

pub(crate) fn put(store: &mut Store, rows: impl IntoIterator<Item = (Key, Row)>) {
    let mut changes = Changes::default();
    for (key, row) in rows {
        changes.put(key, row);
    }
    store.commit(&changes).unwrap();
}

pub(crate) fn delete(store: &mut Store, keys: impl IntoIterator<Item = Key>) {
    let mut changes = Changes::default();
    for key in keys {
        changes.delete(key);
    }
    store.commit(&changes).unwrap();
}

/// All lines of a conversation, in their order.
pub(crate) fn lines(read: &dyn Read, conversation_number: u8) -> Vec<(Key, Row)> {
    let mut scan = Scan::messages_back_from(conversation(conversation_number), u64::MAX, usize::MAX);
    scan.backwards = false;
    read.scan(&scan).unwrap().rows
}

/// The row that says whose a profile is.
pub(crate) fn profile() -> Row {
    Profile {
        identity: identity(1),
        name: Name::new("Anna").unwrap(),
        sigchain: SigchainBytes {
            genesis: Signed { payload: Vec::new(), signature: [0; 64], countersignature: None },
            entries: Vec::new(),
        },
        device_keys: KeyMaterial::new(b"device keys"),
        network_key: KeyMaterial::new(b"network key"),
        created_at: Timestamp::from_millis(1),
        peer: peer(1),
        device: device(1),
        head: SigchainHead::new([1; 32]),
        bundle: Vec::new(),
        bundle_made_at: Timestamp::from_millis(1),
        bundle_id: 1,
    }
    .into()
}
