//! What is for others is kept for a while, and goes into the next bundle.

use kinfolk_wire::carried::Carried;
use kinfolk_wire::time::Timestamp;

use super::Page;
use crate::input::Mark;
use crate::refusal::Refusal;
use crate::services::errands;
use crate::step::Step;
use crate::store::{Carriage, CarriedFor, CarriedPlace, Key, Row, Scan, Table};

/// Bytes of blobs that are kept for others; where there would be more, the oldest go.
const ROOM: u64 = 64 << 20;
/// For how many days, counted from when it came, and from the day that is written on it.
const DAYS: u32 = 30;
/// Records that are looked at together where the oldest are to go.
const AT_ONCE: usize = 32;

/// What became of a record.
pub(super) enum Taken {
    /// It is kept.
    New,
    /// It was there already.
    Known,
    /// It is too old, or of a day that is too far off.
    Expired,
}

/// What is kept for others, while records are put to it.
pub(super) struct Shelf(Carriage);

impl Shelf {
    pub(super) fn open(step: &Step<'_>) -> Result<Self, Refusal> {
        Ok(Self(step.find(&Key::Carriage)?.unwrap_or_default()))
    }

    pub(super) fn take(&mut self, step: &mut Step<'_>, record: Carried) -> Result<Taken, Refusal> {
        if !is_of_now(record.day, step.now) {
            return Ok(Taken::Expired);
        }
        if step.has(&Key::CarriedPlace(record.tag))? {
            return Ok(Taken::Known);
        }
        self.0.last = self.0.last.saturating_add(1);
        self.0.records = self.0.records.saturating_add(1);
        self.0.bytes = self.0.bytes.saturating_add(bytes_of(&record.blob));
        step.put(Key::CarriedPlace(record.tag), CarriedPlace { sequence: self.0.last });
        let Carried { day, tag, number, blob } = record;
        step.put(Key::Carried(self.0.last), CarriedFor { tag, day, number, blob, since: step.now });
        Ok(Taken::New)
    }

    /// Makes room, and notes how much there is.
    pub(super) fn close(mut self, step: &mut Step<'_>) -> Result<(), Refusal> {
        while self.0.bytes > ROOM {
            let oldest = oldest(step)?;
            if oldest.is_empty() {
                break;
            }
            for (key, row) in oldest {
                if self.0.bytes > ROOM {
                    self.forget(step, key, &row);
                }
            }
        }
        if step.find::<Carriage>(&Key::Carriage)?.unwrap_or_default() != self.0 {
            step.put(Key::Carriage, self.0);
        }
        Ok(())
    }

    fn forget(&mut self, step: &mut Step<'_>, key: Key, row: &CarriedFor) {
        step.delete(key);
        step.delete(Key::CarriedPlace(row.tag));
        self.0.records = self.0.records.saturating_sub(1);
        self.0.bytes = self.0.bytes.saturating_sub(bytes_of(&row.blob));
    }
}

/// Adds what is carried for others to a page, after what has this number.
pub(super) fn export(step: &Step<'_>, after: u64, page: &mut Page) -> Result<(), Refusal> {
    let scan = Scan::carried_after(after, super::PAGE);
    let found = step.scan(&scan)?.rows;
    let (mut last, mut is_more) = (after, found.len() >= scan.limit);
    for (key, row) in found {
        let (Key::Carried(sequence), Row::CarriedFor(row)) = (key, row) else { continue };
        if page.is_full() {
            is_more = true;
            break;
        }
        last = sequence;
        if is_of_now(row.day, step.now) {
            page.push(Carried { day: row.day, tag: row.tag, number: row.number, blob: row.blob });
            page.carried += 1;
        }
    }
    page.next = is_more.then_some(Mark::Carried(last));
    Ok(())
}

/// Throws away what had been kept long enough by then, and what is of a day that is long past.
pub(crate) fn housekeeping(step: &mut Step<'_>, by: Timestamp) -> Result<(), Refusal> {
    let mut shelf = Shelf::open(step)?;
    let (was, now) = (errands::day(by), errands::day(step.now));
    // A clock that was ahead when it came must not keep it for ever.
    let is_old = |since: u32| was.saturating_sub(since) > DAYS || since.saturating_sub(now) > DAYS;
    while shelf.0.records > 0 {
        let old: Vec<_> = oldest(step)?.into_iter().take_while(|(_, row)| is_old(errands::day(row.since))).collect();
        if old.is_empty() {
            break;
        }
        old.iter().for_each(|(key, row)| shelf.forget(step, *key, row));
    }
    shelf.close(step)
}

/// The records that have been here longest.
fn oldest(step: &Step<'_>) -> Result<Vec<(Key, CarriedFor)>, Refusal> {
    let found = step.scan(&Scan::all(Table::Carried, AT_ONCE))?.rows.into_iter();
    Ok(found.filter_map(|(key, row)| if let Row::CarriedFor(row) = row { Some((key, row)) } else { None }).collect())
}

/// Whether something of this day may still be waited for, by clocks that differ.
fn is_of_now(day: u32, now: Timestamp) -> bool {
    day.abs_diff(errands::day(now)) <= DAYS
}

fn bytes_of(blob: &[u8]) -> u64 {
    u64::try_from(blob.len()).unwrap_or(u64::MAX)
}
