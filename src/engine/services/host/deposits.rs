//! What lies at this host: taken against work or tokens, given out to whoever knows the tag, erased by whoever knows the
//! key, thrown away in time.
//!
//! A turn that takes a deposit writes three rows, and one for each token: the blob, its place in the index of what goes
//! when, and the sum, which all turns of a batch share.

use kinfolk_crypto::kdf::sha256;
use kinfolk_crypto::mailbox::{bits_for, is_stamped};
use kinfolk_wire::ids::MailboxTag;
use kinfolk_wire::mailbox::{
    Admission, Bucket, Collect, Deposit, Erasure, Found, LIFETIME_HOURS, Refused, Reply, Stamp,
};
use kinfolk_wire::time::{Span, Timestamp};
use subtle::ConstantTimeEq;

use super::tokens;
use crate::refusal::Refusal;
use crate::step::Step;
use crate::store::{Deposited, Key, Nothing, Scan, Serving, Stored, Table};

/// One part in so many of what is kept may be admitted by work alone.
const WORK_SHARE: u64 = 8;
/// The greatest blob that is admitted by work alone: larger than any first message.
const BY_WORK: Bucket = Bucket::Letter;
/// What is counted for a blob that was erased, until it goes: about what its rows take. Otherwise whoever deposits and
/// erases could fill a disk.
const TOMBSTONE: u64 = 128;
/// Deposits that one turn throws away or dates anew, and their bytes.
const PAGE: usize = 4_096;
const PAGE_BYTES: usize = 16 << 20;

/// Hours since the epoch.
pub(super) const fn hour(at: Timestamp) -> u64 {
    at.as_millis() / Span::from_hours(1).as_millis()
}

/// The hour at which something goes that is to be kept for so many hours from now: a begun hour does not count.
fn expiry(now: Timestamp, lifetime: u16) -> u64 {
    hour(now).saturating_add(u64::from(lifetime)).saturating_add(1)
}

/// Takes a deposit. The same one again is done already and costs nothing, also when it has been erased since; another
/// under its tag is refused, so that whoever used a tag twice learns of it.
pub(super) fn deposit(step: &mut Step<'_>, deposit: Deposit) -> Result<Reply, Refusal> {
    let key = Key::Deposit(deposit.tag);
    if let Some(there) = step.find::<Deposited>(&key)? {
        let is_known =
            if there.blob.is_empty() { there.erasure == sha256(&[&deposit.blob]) } else { there.blob == deposit.blob };
        return Ok(if is_known { Reply::Done } else { Reply::Refused(Refused::Taken) });
    }
    let Some(serving) = step.find::<Serving>(&Key::Serving)? else {
        return Ok(Reply::Refused(Refused::NotServing));
    };
    let mut stored: Stored = step.find(&Key::Stored)?.unwrap_or_default();
    let by_work = match admit(step, &serving, &stored, &deposit)? {
        Ok(by_work) => by_work,
        Err(why) => return Ok(Reply::Refused(why)),
    };
    stored.add(by_work, bytes_of(&deposit.blob));
    stored.blobs = stored.blobs.saturating_add(1);
    let expires = expiry(step.now, deposit.lifetime);
    let row = Deposited { blob: deposit.blob, erasure: deposit.erasure, expires, by_work };
    step.put(key, row);
    step.put(Key::DepositExpiry(expires, deposit.tag), Nothing {});
    step.put(Key::Stored, stored);
    Ok(Reply::Done)
}

/// Whether there is room and the admission is good. Says whether it is by work alone.
fn admit(
    step: &mut Step<'_>,
    serving: &Serving,
    stored: &Stored,
    deposit: &Deposit,
) -> Result<Result<bool, Refused>, Refusal> {
    let (Some(bucket), size) = (deposit.bucket(), bytes_of(&deposit.blob)) else { return Ok(Err(Refused::Malformed)) };
    let all = stored.by_tokens.saturating_add(stored.by_work).saturating_add(size);
    let share = serving.capacity / WORK_SHARE;
    match &deposit.admission {
        _ if all > serving.capacity => Ok(Err(Refused::Full)),
        Admission::Tokens(tokens) => {
            let are_good = tokens::spend(step, serving, bucket, tokens)?;
            Ok(if are_good { Ok(false) } else { Err(Refused::Tokens) })
        }
        Admission::Work(_) if bucket > BY_WORK || stored.by_work.saturating_add(size) > share => Ok(Err(Refused::Full)),
        Admission::Work(stamp) => {
            // Told without what the size adds, as it is in every card.
            let bits = serving.work_bits.saturating_add(crowding(stored.by_work, share));
            let (host, wanted) = (step.profile()?.peer, bits_for(bits, bucket));
            let is_good = is_of_now(step.now, *stamp) && is_stamped(&host, &deposit.tag, &deposit.blob, *stamp, wanted);
            let hour = u32::try_from(hour(step.now)).unwrap_or(u32::MAX);
            Ok(if is_good { Ok(true) } else { Err(Refused::Work { bits, hour }) })
        }
    }
}

/// Whether a stamp is of the present hour or of one beside it.
fn is_of_now(now: Timestamp, stamp: Stamp) -> bool {
    hour(now).abs_diff(stamp.hour.into()) <= 1
}

/// How many more bits are wanted: one for each begun eighth of the share above its half.
fn crowding(used: u64, share: u64) -> u8 {
    let above = used.saturating_sub(share / 2);
    let eighths = above.saturating_mul(8).div_ceil(share.max(1));
    u8::try_from(eighths).unwrap_or(u8::MAX)
}

/// What lies under tags, in their order, as much as there is room for. What cannot be read is as if it were not there.
pub(super) fn collect(step: &Step<'_>, collect: &Collect) -> Result<Found, Refusal> {
    let mut found = Found::default();
    let mut space = Found::space(collect.room);
    for (index, tag) in (0..=u8::MAX).zip(&collect.tags) {
        let there = match step.find::<Deposited>(&Key::Deposit(*tag)) {
            Err(refusal) if !refusal.is_damage() => return Err(refusal),
            there => there.ok().flatten(),
        };
        let Some((blob, bucket)) = there.and_then(|there| Bucket::of(there.blob.len()).map(|of| (there.blob, of)))
        else {
            continue;
        };
        match space.checked_sub(Found::cost(bucket)) {
            Some(left) => {
                space = left;
                found.blobs.push((index, blob));
            }
            None => found.more = true,
        }
    }
    Ok(found)
}

/// Erases what lies under tags where the keys are theirs, and leaves what says that it was there.
pub(super) fn erase(step: &mut Step<'_>, erasures: &[Erasure]) -> Result<(), Refusal> {
    for Erasure { tag, key } in erasures {
        let Some(there) = step.find::<Deposited>(&Key::Deposit(*tag))? else { continue };
        let is_theirs: bool = sha256(&[key]).ct_eq(&there.erasure).into();
        if !is_theirs || there.blob.is_empty() {
            continue;
        }
        let mut stored: Stored = step.find(&Key::Stored)?.unwrap_or_default();
        stored.subtract(there.by_work, bytes_of(&there.blob));
        stored.add(there.by_work, TOMBSTONE);
        stored.blobs = stored.blobs.saturating_sub(1);
        step.put(Key::Stored, stored);
        let tombstone = Deposited { erasure: sha256(&[&there.blob]), blob: Vec::new(), ..there };
        step.put(Key::Deposit(*tag), tombstone);
    }
    Ok(())
}

/// Throws away what goes by an hour. Says whether there is more.
pub(super) fn throw_away(step: &mut Step<'_>, hour: u64) -> Result<bool, Refusal> {
    page(step, &Scan::deposits_until(hour, PAGE), |step, tag, there| {
        let mut stored: Stored = step.find(&Key::Stored)?.unwrap_or_default();
        if there.blob.is_empty() {
            stored.subtract(there.by_work, TOMBSTONE);
        } else {
            stored.subtract(there.by_work, bytes_of(&there.blob));
            stored.blobs = stored.blobs.saturating_sub(1);
        }
        step.put(Key::Stored, stored);
        step.delete(Key::Deposit(tag));
        Ok(())
    })
}

/// Dates anew what is kept for longer than anything can be.
pub(super) fn bring_back(step: &mut Step<'_>) -> Result<bool, Refusal> {
    let latest = expiry(step.now, LIFETIME_HOURS);
    let beyond = Scan { from: latest.saturating_add(1), ..Scan::all(Table::DepositExpiry, PAGE) };
    page(step, &beyond, |step, tag, there| {
        step.put(Key::Deposit(tag), Deposited { expires: latest, ..there });
        step.put(Key::DepositExpiry(latest, tag), Nothing {});
        Ok(())
    })
}

/// Takes what a scan of the index finds out of it, and acts on each deposit, until that is enough for one turn. Says
/// whether there is more.
fn page(
    step: &mut Step<'_>,
    scan: &Scan,
    mut act: impl FnMut(&mut Step<'_>, MailboxTag, Deposited) -> Result<(), Refusal>,
) -> Result<bool, Refusal> {
    let found = step.scan(scan)?.rows;
    let mut more = found.len() >= scan.limit;
    let mut bytes = 0;
    for (key, _) in found {
        let Key::DepositExpiry(_, tag) = key else { continue };
        if bytes >= PAGE_BYTES {
            more = true;
            break;
        }
        step.delete(key);
        match step.find::<Deposited>(&Key::Deposit(tag)) {
            Ok(Some(there)) => {
                bytes += there.blob.len();
                act(step, tag, there)?;
            }
            Ok(None) => {}
            // Nobody can have it any more; how much room it took is not known.
            Err(refusal) if refusal.is_damage() => step.delete(Key::Deposit(tag)),
            Err(refusal) => return Err(refusal),
        }
    }
    Ok(more)
}

fn bytes_of(blob: &[u8]) -> u64 {
    u64::try_from(blob.len()).unwrap_or(u64::MAX)
}

impl Stored {
    const fn of(&mut self, by_work: bool) -> &mut u64 {
        if by_work { &mut self.by_work } else { &mut self.by_tokens }
    }

    fn add(&mut self, by_work: bool, bytes: u64) {
        let sum = self.of(by_work);
        *sum = sum.saturating_add(bytes);
    }

    fn subtract(&mut self, by_work: bool, bytes: u64) {
        let sum = self.of(by_work);
        *sum = sum.saturating_sub(bytes);
    }
}
