//! What waits for contacts travels by hand (docs/protocol/08-bundle.md): out into a bundle, in from one, and onwards
//! where it is for others.
//!
//! An envelope in a bundle is one at a mailbox whose host is nobody, under the number that it has for all hosts. It
//! stays in the outbox: a link or a mailbox may be quicker, and whoever gets it twice knows it.

mod carry;
mod import;

pub(crate) use carry::housekeeping;
pub(crate) use import::{Came, Sorted, settle, sort};

use kinfolk_crypto::PairRoot;
use kinfolk_crypto::mailbox::{DirectionKey, Slot};
use kinfolk_wire::carried::{BY_HAND, Carried};
use kinfolk_wire::ids::DeviceId;

use super::{deposit, directory, errands, outbox};
use crate::input::{Cargo, Mark};
use crate::refusal::Refusal;
use crate::services::outbox::Departure;
use crate::step::Step;
use crate::store::{Contact, Key, OutboxItem, Post, Row, Scan};

/// Records of one page.
const PAGE: usize = 256;
/// Bytes of blobs in one page, at most one blob more.
const PAGE_BYTES: usize = 4 << 20;
/// Items that are marked in one turn.
const MARKED_AT_ONCE: usize = 1_024;
/// Lines in the custody of mailboxes that go into one bundle as well, for each device.
const TAKEN_BACK: usize = 1_024;

/// A page of a bundle.
#[derive(Default)]
pub(crate) struct Page {
    /// Envelopes.
    pub(crate) records: Vec<Carried>,
    /// How many of them are of others.
    pub(crate) carried: usize,
    /// Where the next page begins, where there is one.
    pub(crate) next: Option<Mark>,
    bytes: usize,
}

impl Page {
    fn is_full(&self) -> bool {
        self.records.len() >= PAGE || self.bytes >= PAGE_BYTES
    }

    fn push(&mut self, record: Carried) {
        self.bytes = self.bytes.saturating_add(record.blob.len());
        self.records.push(record);
    }
}

/// A page of what is to be carried by hand.
pub(crate) fn export(step: &mut Step<'_>, cargo: Cargo, after: Option<Mark>) -> Result<Page, Refusal> {
    let mut page = Page::default();
    let (first, mut number, mut carried) = match after {
        None => (None, 0, 0),
        Some(Mark::Outbox(device, number)) => (Some(device), number, 0),
        Some(Mark::Carried(sequence)) => (None, 0, sequence),
    };
    if !matches!(after, Some(Mark::Carried(_))) {
        for device in devices(step, cargo)? {
            if first.is_some_and(|first| device < first) {
                continue;
            }
            if first != Some(device) {
                number = 0;
                if !matches!(cargo, Cargo::Newest(_)) {
                    outbox::repeat_custody(step, device, TAKEN_BACK)?;
                }
            }
            if let Some(last) = export_to(step, device, number, cargo, &mut page)? {
                page.next = Some(Mark::Outbox(device, last));
                return Ok(page);
            }
        }
        carried = 0;
    }
    if matches!(cargo, Cargo::Everything | Cargo::Others) {
        carry::export(step, carried, &mut page)?;
    }
    Ok(page)
}

/// The devices for which something is exported, in order.
fn devices(step: &Step<'_>, cargo: Cargo) -> Result<Vec<DeviceId>, Refusal> {
    let contacts: Vec<Contact> = match cargo {
        Cargo::Contact(identity) | Cargo::Newest(identity) => {
            let contact = directory::contact(step, identity)?;
            if contact.blocked {
                return Err(Refusal::Blocked(contact.name.to_string()));
            }
            if !directory::is_open(&contact) {
                return Err(Refusal::NotAccepted(contact.name.to_string()));
            }
            vec![contact]
        }
        Cargo::Everything => directory::connected_contacts(step)?,
        Cargo::Others => Vec::new(),
    };
    let mut devices: Vec<DeviceId> = contacts.into_iter().flat_map(|contact| contact.devices).collect();
    devices.sort_unstable();
    Ok(devices)
}

/// Adds what waits for a device after a number. Says after which the next page goes on, where this one is full.
fn export_to(
    step: &mut Step<'_>,
    device: DeviceId,
    after: u64,
    cargo: Cargo,
    page: &mut Page,
) -> Result<Option<u64>, Refusal> {
    let Some(row) = directory::readable_device(step, device)? else { return Ok(None) };
    let root = row.pair_root.and_then(|root| PairRoot::from_bytes(root.as_slice()).ok());
    let Some(root) = root else { return Ok(None) };
    let key = root.direction_key(step.profile()?.device, device);
    let found = match cargo {
        Cargo::Newest(_) => newest_line(step, device)?,
        _ => step.scan(&Scan::outbox_after(device, after, PAGE))?.rows,
    };
    let (mut last, mut is_more) = (after, found.len() >= PAGE);
    let mut post: Post = step.find(&Key::Post(device))?.unwrap_or_default();
    for (key_of_row, row) in found {
        let (Key::Outbox(_, number), Row::OutboxItem(mut item)) = (key_of_row, row) else { continue };
        if page.is_full() {
            is_more = true;
            break;
        }
        last = number;
        if deposit::has_arrived(step, &item)? {
            outbox::remove(step, key_of_row)?;
            continue;
        }
        if let Some(record) = seal(step, &key, &mut post, &mut item) {
            page.push(record);
            step.put(key_of_row, item);
        }
    }
    step.put(Key::Post(device), post);
    Ok(is_more.then_some(last))
}

/// The line for a device that was said last, of those that wait; else of those in the custody of mailboxes.
fn newest_line(step: &mut Step<'_>, device: DeviceId) -> Result<Vec<(Key, Row)>, Refusal> {
    let order = |row: &Row| if let Row::OutboxItem(item) = row { item.line.map(|line| line.lamport) } else { None };
    let scan = Scan { backwards: true, ..Scan::outbox_after(device, 0, PAGE) };
    let newest = |step: &Step<'_>| {
        let found = step.scan(&scan)?.rows.into_iter().filter(|(_, row)| order(row).is_some());
        Ok::<_, Refusal>(found.max_by_key(|(_, row)| order(row)))
    };
    if let Some(newest) = newest(step)? {
        return Ok(vec![newest]);
    }
    outbox::repeat_custody(step, device, 1)?;
    Ok(newest(step)?.into_iter().collect())
}

/// Seals an item for the day; nothing where it fits no blob.
fn seal(step: &Step<'_>, key: &DirectionKey, post: &mut Post, item: &mut OutboxItem) -> Option<Carried> {
    let custody = item.custody.get_or_insert_default();
    let day = errands::day(step.now);
    let number = deposit::number(post, custody, day);
    let slot = Slot { host: BY_HAND, day, number };
    let blob = key.seal(&slot, &item.payload)?;
    custody.is_bundled = true;
    let tag = key.tag(&slot);
    Some(Carried { day: slot.day, tag, number: key.mask(&tag, number.to_be_bytes()), blob })
}

/// A bundle is written: what went into it is on its way. Says which lines are, and where to go on.
pub(crate) fn exported(
    step: &mut Step<'_>,
    cargo: Cargo,
    after: Option<Mark>,
) -> Result<(Vec<Departure>, Option<Mark>), Refusal> {
    let (first, mut number) = match after {
        Some(Mark::Outbox(device, number)) => (Some(device), number),
        _ => (None, 0),
    };
    let (mut gone, mut room) = (Vec::new(), MARKED_AT_ONCE);
    for device in devices(step, cargo)? {
        if first.is_some_and(|first| device < first) {
            continue;
        }
        if first != Some(device) {
            number = 0;
        }
        let found = step.scan(&Scan::outbox_after(device, number, room))?.rows;
        room = room.saturating_sub(found.len());
        for (key, row) in found {
            let (Key::Outbox(_, item), Row::OutboxItem(mut row)) = (key, row) else { continue };
            number = item;
            let Some(custody) = row.custody.as_mut().filter(|custody| custody.is_bundled) else { continue };
            custody.is_bundled = false;
            if let Some(line) = row.line {
                outbox::note_custody(step, device, line, &row.payload, vec![BY_HAND])?;
                gone.push(Departure::Taken(line));
            }
            step.put(key, row);
        }
        if room == 0 {
            return Ok((gone, Some(Mark::Outbox(device, number))));
        }
    }
    Ok((gone, None))
}
