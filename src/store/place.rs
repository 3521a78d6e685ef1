//! Where a row stands: the bytes of its stored key.
//!
//! ```text
//! table u8 | segment...      a name: the first bytes of BLAKE3 keyed with the names' key over table | position | name
//!                            an order: u64 big-endian
//! ```
//!
//! The same name in two tables, or at two positions, leaves different bytes. Table 0x00 is the store's own, 0xfe holds
//! the further pieces of long rows.

use kinfolk_engine::store::{Key, Scan, Segment, Table};

use crate::backend::{KeyRange, successor};

/// The store's own table.
pub(crate) const META: u8 = 0x00;
/// The table of further pieces.
pub(crate) const PIECES: u8 = 0xfe;

/// The stored key of a row.
pub(crate) fn of(names: &[u8; 32], key: &Key) -> Vec<u8> {
    under(names, key.table(), &key.segments())
}

/// The stored keys that a scan is about.
pub(crate) fn range(names: &[u8; 32], scan: &Scan) -> KeyRange {
    let prefix = under(names, scan.table, &scan.prefix);
    // Bounds are of an order; where none are set, the prefix may also be followed by a name or by nothing.
    if scan.from == 0 && scan.until == u64::MAX {
        return KeyRange::under(&prefix);
    }
    let from = [prefix.as_slice(), &scan.from.to_be_bytes()].concat();
    let last = [prefix.as_slice(), &scan.until.to_be_bytes()].concat();
    KeyRange { from, until: successor(&last) }
}

fn under(names: &[u8; 32], table: Table, segments: &[Segment]) -> Vec<u8> {
    let mut out = vec![table.number()];
    for (position, segment) in (0u8..).zip(segments) {
        match segment {
            Segment::Name { bytes, width } => {
                let mut hasher = blake3::Hasher::new_keyed(names);
                hasher.update(&[table.number(), position]).update(bytes);
                out.extend(hasher.finalize().as_bytes().iter().take(*width));
            }
            Segment::Order(order) => out.extend_from_slice(&order.to_be_bytes()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use kinfolk_engine::store::{Alarm, PrekeyKind};
    use kinfolk_wire::ids::{ConversationId, DeviceId, IdentityId, InviteId, MessageId, PayloadDigest, SessionId};
    use kinfolk_wire::time::Timestamp;

    const NAMES: [u8; 32] = [9; 32];

    fn keys() -> Vec<Key> {
        let (identity, device) = (IdentityId::new([1; 32]), DeviceId::new([1; 16]));
        let (conversation, session) = (ConversationId::new([1; 32]), SessionId::new([1; 32]));
        let message = MessageId::new([1; 16]);
        vec![
            Key::Profile,
            Key::Counters,
            Key::Prekey(PrekeyKind::OneTime, 4),
            Key::Contact(identity),
            Key::Device(device),
            Key::Invite(InviteId::new([1; 16])),
            Key::Asking(identity),
            Key::Session(device, session),
            Key::AcceptedInit([1; 16]),
            Key::Conversation(conversation),
            Key::Message(conversation, 7, identity, message),
            Key::MessagePlace(conversation, identity, message),
            Key::Outbox(device, 5),
            Key::Unreceipted(device, message),
            Key::Opened(19_000, device, PayloadDigest::new([1; 16])),
            Key::PendingReceipts(identity),
            Key::Timer(Timestamp::from_millis(8), Alarm::Housekeeping),
            Key::Events(3),
        ]
    }

    #[test]
    fn no_table_has_a_number_of_the_stores_own() {
        assert!(keys().iter().all(|key| ![META, PIECES].contains(&key.table().number())));
    }

    #[test]
    fn g05_no_name_and_no_two_like_hashes_of_it_stand_in_stored_keys() {
        let mut seen = Vec::new();
        for key in keys() {
            let at = of(&NAMES, &key);
            assert!(!at.windows(4).any(|window| window == [1; 4]), "{key:?}");
            for window in at.windows(8).filter(|window| window.iter().filter(|byte| **byte == 0).count() < 3) {
                assert!(!seen.contains(&window.to_vec()), "{key:?}");
            }
            seen.extend(at.windows(8).map(<[u8]>::to_vec));
        }
    }

    #[test]
    fn another_profile_blinds_the_same_name_otherwise() {
        let key = Key::Contact(IdentityId::new([1; 32]));
        assert_ne!(of(&NAMES, &key), of(&[8; 32], &key));
    }

    #[test]
    fn keys_of_a_prefix_stand_in_the_order_of_their_numbers() {
        let device = DeviceId::new([1; 16]);
        let places: Vec<Vec<u8>> =
            [0, 1, 255, 256, u64::MAX].iter().map(|number| of(&NAMES, &Key::Outbox(device, *number))).collect();
        assert!(places.is_sorted());
    }
}
