//! The side that was given the link.

use kinfolk_crypto::mailbox::Slot;
use kinfolk_wire::direct::Prekeys;
use kinfolk_wire::ids::{IdentityId, MailboxTag, PeerId};
use kinfolk_wire::mailbox::{Collect, Host, ROOM, Refused, Reply, Request, TAGS};
use kinfolk_wire::time::Span;

use super::PREKEY_PLACES;
use crate::effect::Work;
use crate::features::contacts::{asking, asking_row};
use crate::refusal::Refusal;
use crate::services::collect::{self, request_places};
use crate::services::deposit::MOST_WORK;
use crate::services::errands::{self, Group, Parcel, Payment};
use crate::step::Step;
use crate::store::{Asking, Errand, Hosts, Key, Post, RequestUnderWay};

/// How often the hosts are asked while the prekeys are not found, or too few have the request.
const VISIT: Span = Span::from_secs(15 * 60);
/// How often the request is left once more while nobody answers.
const LEAVE_AGAIN: Span = Span::from_days(2);
/// Hosts that must have the request, where there are as many.
const ENOUGH: usize = 2;
/// How many days back prekeys are looked for, and how many ahead: a host keeps nothing for longer, and clocks differ.
const DAYS_BACK: u32 = 30;
const DAYS_AHEAD: u32 = 2;

/// The maker of the link could not be reached: the hosts are asked, if it is time.
pub(crate) fn visit(step: &mut Step<'_>, asking: &mut Asking) -> Result<(), Refusal> {
    let is_left = asking.left_at.len() >= asking.mailboxes.len().min(ENOUGH);
    let wait = if is_left { LEAVE_AGAIN } else { VISIT };
    let is_due = asking.visited_at.is_none_or(|at| at > step.now || step.now.since(at) >= wait);
    if asking.mailboxes.is_empty() || asking.chain_taken || !is_due {
        return Ok(());
    }
    asking.visited_at = Some(step.now);
    if asking.chain.is_empty() {
        for host in asking.mailboxes.clone() {
            find_prekeys(step, asking, &host)?;
        }
    } else {
        leave_everywhere(step, asking)?;
    }
    Ok(())
}

/// The hosts at which the answer may be left, and what follows it: our own, else those of the link.
pub(crate) fn hosts_for_answer(step: &mut Step<'_>, asking: &Asking) -> Result<Vec<Host>, Refusal> {
    let own: Hosts = step.find(&Key::Hosts)?.unwrap_or_default();
    if !own.hosts.is_empty() {
        return Ok(own.hosts.into_iter().map(|own| own.host).collect());
    }
    if asking.mailboxes.is_empty() { Ok(Vec::new()) } else { collect::borrow(step, asking.device, &asking.mailboxes) }
}

/// The request that is made now names these.
pub(crate) fn told(step: &mut Step<'_>, asking: &Asking, hosts: &[PeerId]) -> Result<(), Refusal> {
    let post: Post = step.find(&Key::Post(asking.device))?.unwrap_or_default();
    step.put(Key::Post(asking.device), Post { knows_hosts: hosts.to_vec(), ..post });
    Ok(())
}

fn group(asking: &Asking) -> Group {
    Group::of(asking.device.as_bytes())
}

fn find_prekeys(step: &mut Step<'_>, asking: &Asking, host: &Host) -> Result<(), Refusal> {
    let today = errands::day(step.now);
    let key = asking::secret(asking)?.prekeys_key();
    let mut order: Vec<(u64, (u32, u64))> = Vec::with_capacity(TAGS);
    for day in today.saturating_sub(DAYS_BACK)..=today.saturating_add(DAYS_AHEAD) {
        for place in 0..PREKEY_PLACES {
            order.push((u64::from_be_bytes(step.random()), (day, place)));
        }
    }
    order.sort_unstable();
    order.truncate(TAGS);
    let places: Vec<(u32, u64)> = order.into_iter().map(|(_, place)| place).collect();
    let slots = places.iter().map(|(day, number)| Slot { host: host.peer, day: *day, number: *number });
    let mut tags: Vec<MailboxTag> = slots.map(|slot| key.tag(&slot)).collect();
    while tags.len() < TAGS {
        tags.push(MailboxTag::new(step.random()));
    }
    let errand = Errand::FindPrekeys { identity: asking.identity, attempt: asking.attempt, host: host.peer, places };
    let body = Request::Collect(Collect { room: ROOM, tags });
    errands::send(step, host, group(asking), errand, body, None)
}

/// The request of this attempt, where it is still under way and no stream has taken it.
fn under_way(step: &Step<'_>, identity: IdentityId, attempt: u32) -> Result<Option<Asking>, Refusal> {
    Ok(asking_row(step, identity)?.filter(|asking| asking.attempt == attempt && !asking.chain_taken))
}

/// A host has answered to a look for prekeys, or has not. The newest that are good make the request, which is left at
/// all hosts.
pub(crate) fn prekeys_found(
    step: &mut Step<'_>,
    identity: IdentityId,
    attempt: u32,
    host: PeerId,
    places: &[(u32, u64)],
    reply: Option<&Reply>,
) -> Result<(), Refusal> {
    let (Some(asking), Some(Reply::Found(found))) = (under_way(step, identity, attempt)?, reply) else {
        return Ok(());
    };
    if !asking.chain.is_empty() {
        return Ok(());
    }
    let key = asking::secret(&asking)?.prekeys_key();
    let opened = found.blobs.iter().filter_map(|(index, blob)| {
        let (day, number) = *places.get(usize::from(*index))?;
        let payload = key.open(&Slot { host, day, number }, blob).ok()?;
        Prekeys::decode(payload.as_slice()).ok()
    });
    let mut offered: Vec<Prekeys> = opened.collect();
    offered.sort_by_key(|prekeys| std::cmp::Reverse(prekeys.bundle.not_before));
    for prekeys in offered {
        if let Some(chain) = asking::make_chain_with(step, &asking, prekeys)? {
            let asking = Asking { chain, ..asking };
            step.put(Key::Asking(identity), asking.clone());
            return leave_everywhere(step, &asking);
        }
    }
    Ok(())
}

fn leave_everywhere(step: &mut Step<'_>, asking: &Asking) -> Result<(), Refusal> {
    let place = u64::from(asking.attempt) % request_places(asking.uses);
    for host in &asking.mailboxes {
        let Asking { identity, attempt, .. } = *asking;
        let left = RequestUnderWay { identity, attempt, host: host.peer, place, tried: 0, again: false };
        leave(step, asking, &left, Payment::work(step.now, host.work_bits))?;
    }
    Ok(())
}

fn leave(step: &mut Step<'_>, asking: &Asking, left: &RequestUnderWay, payment: Payment) -> Result<(), Refusal> {
    let Some(host) = asking.mailboxes.iter().find(|host| host.peer == left.host) else { return Ok(()) };
    let slot = Slot { host: host.peer, day: errands::day(step.now), number: left.place };
    let key = asking::secret(asking)?.requests_key();
    let Some(parcel) = Parcel::seal(&key, &slot, &asking.chain) else { return Ok(()) };
    parcel.leave(step, host, group(asking), Errand::LeaveRequest(*left), payment)
}

/// A host has answered to a request that was left there, or has not.
pub(crate) fn answered(step: &mut Step<'_>, left: &RequestUnderWay, reply: Option<&Reply>) -> Result<(), Refusal> {
    let Some(mut asking) = under_way(step, left.identity, left.attempt)? else { return Ok(()) };
    match reply {
        Some(Reply::Done) => {
            if !asking.left_at.contains(&left.host) {
                asking.left_at.push(left.host);
                step.put(Key::Asking(left.identity), asking);
            }
            Ok(())
        }
        Some(Reply::Refused(Refused::Work { bits, hour })) if !left.again && *bits <= MOST_WORK => {
            let work = Payment::Work(Work { hour: *hour, bits: *bits });
            leave(step, &asking, &RequestUnderWay { again: true, ..*left }, work)
        }
        // Somebody else who has the link was there before.
        Some(Reply::Refused(Refused::Taken)) if left.tried + 1 < request_places(asking.uses) => {
            let bits = asking.mailboxes.iter().find(|host| host.peer == left.host).map_or(0, |host| host.work_bits);
            let place = (left.place + 1) % request_places(asking.uses);
            let work = Payment::work(step.now, bits);
            leave(step, &asking, &RequestUnderWay { place, tried: left.tried + 1, again: false, ..*left }, work)
        }
        // It is tried again when the maker of the link is.
        _ => Ok(()),
    }
}
