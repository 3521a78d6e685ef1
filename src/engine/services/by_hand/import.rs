//! What came by hand: told apart by whom it is from and for.

use kinfolk_crypto::PairRoot;
use kinfolk_crypto::mailbox::{DirectionKey, Slot};
use kinfolk_crypto::secret::SecretBytes;
use kinfolk_wire::carried::{BY_HAND, Carried};
use kinfolk_wire::ids::DeviceId;
use subtle::ConstantTimeEq;

use super::carry;
use crate::refusal::Refusal;
use crate::services::collect::{self, Envelope};
use crate::services::directory;
use crate::step::Step;
use crate::store::{AskedSlot, ContactState, Key, Post, Row, Scan, Table};

/// Numbers are smaller by far; one that is not was hidden by another pair.
const GREATEST: u64 = 1 << 48;

/// What became of records.
pub(crate) struct Sorted {
    /// For this device, and from whom it wants to hear; in the order of their numbers.
    pub(crate) envelopes: Vec<Envelope>,
    /// Of this device's own, or there already, or from somebody who is not heard.
    pub(crate) known: u64,
    /// Kept to be carried onwards.
    pub(crate) carried: u64,
    /// Neither for this device nor to be carried: too old.
    pub(crate) expired: u64,
    /// Under a place of a pair, and not sealed by it.
    pub(crate) damaged: u64,
}

/// What became of an envelope.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Came {
    /// It is new.
    New,
    /// It had come before.
    Again,
    /// It does not open.
    Unopened,
}

/// The keys of one device of somebody's.
struct Pair {
    device: DeviceId,
    /// Whether they are heard.
    is_heard: bool,
    from: DirectionKey,
    to: DirectionKey,
}

/// Sorts records; keeps those for others.
pub(crate) fn sort(step: &mut Step<'_>, records: Vec<Carried>) -> Result<Sorted, Refusal> {
    let pairs = pairs(step)?;
    let mut sorted = Sorted { envelopes: Vec::new(), known: 0, carried: 0, expired: 0, damaged: 0 };
    let mut shelf = carry::Shelf::open(step)?;
    for record in records {
        match whose(&pairs, &record) {
            Some((_, None)) => sorted.known += 1,
            Some((pair, Some(slot))) => match pair.from.open(&slot, &record.blob) {
                Ok(_) if !pair.is_heard => sorted.known += 1,
                Ok(payload) => sorted.envelopes.push(envelope(pair.device, slot, payload)),
                Err(_) => sorted.damaged += 1,
            },
            None => match shelf.take(step, record)? {
                carry::Taken::New => sorted.carried += 1,
                carry::Taken::Known => sorted.known += 1,
                carry::Taken::Expired => sorted.expired += 1,
            },
        }
    }
    shelf.close(step)?;
    sorted.envelopes.sort_by_key(|envelope| (envelope.slot.device, envelope.slot.number));
    Ok(sorted)
}

const fn envelope(device: DeviceId, slot: Slot, payload: SecretBytes) -> Envelope {
    Envelope { slot: AskedSlot { device, day: slot.day, number: slot.number }, payload }
}

/// All with whom this device shares a root, the blocked and the removed too: what they say is not for others to carry.
fn pairs(step: &Step<'_>) -> Result<Vec<Pair>, Refusal> {
    let own = step.profile()?.device;
    let mut pairs = Vec::new();
    for (_, row) in step.scan(&Scan::all(Table::Contact, crate::query::CONTACTS))?.rows {
        let Row::Contact(contact) = row else { continue };
        let is_heard = !contact.blocked && contact.state != ContactState::Removed;
        for device in contact.devices {
            let row = directory::readable_device(step, device)?;
            let root = row.and_then(|row| row.pair_root);
            let root = root.and_then(|root| PairRoot::from_bytes(root.as_slice()).ok());
            let Some(root) = root else { continue };
            let (from, to) = (root.direction_key(device, own), root.direction_key(own, device));
            pairs.push(Pair { device, is_heard, from, to });
        }
    }
    Ok(pairs)
}

/// The pair whose place a record is under, and the place where it is from the other side.
fn whose<'a>(pairs: &'a [Pair], record: &Carried) -> Option<(&'a Pair, Option<Slot>)> {
    pairs.iter().find_map(|pair| match (slot(&pair.from, record), slot(&pair.to, record)) {
        (Some(slot), _) => Some((pair, Some(slot))),
        (None, Some(_)) => Some((pair, None)),
        (None, None) => None,
    })
}

fn slot(key: &DirectionKey, record: &Carried) -> Option<Slot> {
    let number = u64::from_be_bytes(key.mask(&record.tag, record.number));
    let slot = Slot { host: BY_HAND, day: record.day, number };
    let is_ours: bool = key.tag(&slot).as_bytes().ct_eq(record.tag.as_bytes()).into();
    (number < GREATEST && is_ours).then_some(slot)
}

/// Notes that an envelope has come, whatever it came to, and says what that is to whoever brought it.
pub(crate) fn settle(step: &mut Step<'_>, slot: AskedSlot, came: Came) -> Result<Came, Refusal> {
    let key = Key::Post(slot.device);
    let mut post: Post = step.find(&key)?.unwrap_or_default();
    let is_new = collect::mark_by_hand(&mut post, slot.number);
    step.put(key, post);
    // What came long ago is no longer known by its digest, and does not open twice.
    Ok(if came == Came::Unopened && !is_new { Came::Again } else { came })
}
