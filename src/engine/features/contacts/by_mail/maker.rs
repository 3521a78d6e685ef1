//! The side that made the link.

use kinfolk_crypto::invite::InviteSecret;
use kinfolk_crypto::mailbox::Slot;
use kinfolk_wire::bundle::{OneTimePrekey, PrekeyBundle};
use kinfolk_wire::direct::{Chain, Prekeys};
use kinfolk_wire::ids::InviteId;
use kinfolk_wire::invite::Uses;
use kinfolk_wire::limits;
use kinfolk_wire::mailbox::{Host, Refused, Reply};
use kinfolk_wire::time::Span;

use super::PREKEY_PLACES;
use crate::effect::Work;
use crate::features::contacts::answering;
use crate::refusal::Refusal;
use crate::services::deposit::MOST_WORK;
use crate::services::errands::{self, Group, Parcel, Payment};
use crate::services::prekeys;
use crate::step::{Rejection, Step};
use crate::store::{
    Errand, Hosts, InviteRow, Key, LeftPrekeys, PrekeyKind, PrekeysUnderWay, Profile, Row, Scan, Table,
};

/// After so long prekeys are left once more: hosts keep nothing for longer than 30 days.
const LEAVE_AGAIN: Span = Span::from_days(20);
/// Invites that are looked at.
const MOST_INVITES: usize = 10_000;

/// The hosts that a link names.
pub(crate) fn hosts_for_link(step: &Step<'_>) -> Result<Vec<Host>, Refusal> {
    let hosts: Hosts = step.find(&Key::Hosts)?.unwrap_or_default();
    Ok(hosts.hosts.into_iter().map(|own| own.host).take(limits::MAILBOX_COPIES).collect())
}

/// Leaves prekeys for all invites that want them.
pub(crate) fn leave_all(step: &mut Step<'_>) -> Result<(), Refusal> {
    for (key, row) in step.scan(&Scan::all(Table::Invite, MOST_INVITES))?.rows {
        if let (Key::Invite(id), Row::Invite(_)) = (key, row) {
            step.contain(|step| leave_prekeys(step, id))?;
        }
    }
    Ok(())
}

/// Leaves prekeys for whoever comes by an invite, at the hosts it names that do not have the present ones.
pub(crate) fn leave_prekeys(step: &mut Step<'_>, id: InviteId) -> Result<(), Refusal> {
    let Some(invite) = step.find::<InviteRow>(&Key::Invite(id))? else { return Ok(()) };
    let profile = step.profile()?;
    if invite.expires_at <= step.now || invite.spent_by.is_some() {
        return Ok(());
    }
    for host in &invite.mailboxes {
        let is_there = |left: &LeftPrekeys| {
            left.host == host.peer && left.bundle == profile.bundle_id && step.now.since(left.at) < LEAVE_AGAIN
        };
        if !invite.left.iter().any(is_there) {
            let left =
                PrekeysUnderWay { invite: id, host: host.peer, place: 0, bundle: profile.bundle_id, again: false };
            let work = Payment::work(step.now, host.work_bits);
            leave(step, &profile, &left, work)?;
        }
    }
    Ok(())
}

fn leave(step: &mut Step<'_>, profile: &Profile, left: &PrekeysUnderWay, payment: Payment) -> Result<(), Refusal> {
    let Some(mut row) = step.find::<InviteRow>(&Key::Invite(left.invite))? else { return Ok(()) };
    let Some(host) = row.mailboxes.iter().find(|host| host.peer == left.host).cloned() else { return Ok(()) };
    let secret = <[u8; 16]>::try_from(row.secret.as_slice()).map(InviteSecret::new);
    let secret = secret.map_err(|_| Refusal::Inconsistent("the secret of an invite"))?;
    let one_time = one_time(step, profile, &mut row)?;
    step.put(Key::Invite(left.invite), row);
    let bundle = PrekeyBundle::decode(&profile.bundle).map_err(|_| Refusal::Inconsistent("our own prekeys"))?;
    let prekeys = Prekeys { sigchain: profile.sigchain.clone(), bundle, one_time };
    let slot = Slot { host: host.peer, day: errands::day(step.now), number: left.place };
    let Some(parcel) = Parcel::seal(&secret.prekeys_key(), &slot, &prekeys.encode()) else { return Ok(()) };
    parcel.leave(step, &host, Group::of(left.invite.as_bytes()), Errand::LeavePrekeys(*left), payment)
}

/// The one-time pair that lies with the prekeys: one, where one person may come.
fn one_time(step: &mut Step<'_>, profile: &Profile, row: &mut InviteRow) -> Result<Option<OneTimePrekey>, Refusal> {
    if row.uses != Uses::Once {
        return Ok(None);
    }
    if let Ok(known) = OneTimePrekey::decode(&row.one_time)
        && prekeys::find(step, PrekeyKind::OneTime, known.id)?.is_some()
    {
        return Ok(Some(known));
    }
    let fresh = prekeys::hand_out(step, profile)?;
    row.one_time = fresh.as_ref().map(OneTimePrekey::encode).unwrap_or_default();
    Ok(fresh)
}

/// A host has answered to prekeys that were left there, or has not.
pub(crate) fn answered(step: &mut Step<'_>, left: &PrekeysUnderWay, reply: Option<&Reply>) -> Result<(), Refusal> {
    let profile = step.profile()?;
    match reply {
        Some(Reply::Done) => {
            let Some(mut row) = step.find::<InviteRow>(&Key::Invite(left.invite))? else { return Ok(()) };
            row.left.retain(|known| known.host != left.host);
            row.left.push(LeftPrekeys { host: left.host, at: step.now, bundle: left.bundle });
            step.put(Key::Invite(left.invite), row);
            Ok(())
        }
        Some(Reply::Refused(Refused::Work { bits, hour })) if !left.again && *bits <= MOST_WORK => {
            let work = Payment::Work(Work { hour: *hour, bits: *bits });
            leave(step, &profile, &PrekeysUnderWay { again: true, ..*left }, work)
        }
        Some(Reply::Refused(Refused::Taken)) if left.place + 1 < PREKEY_PLACES => {
            let Some(row) = step.find::<InviteRow>(&Key::Invite(left.invite))? else { return Ok(()) };
            let bits = row.mailboxes.iter().find(|host| host.peer == left.host).map_or(0, |host| host.work_bits);
            let work = Payment::work(step.now, bits);
            leave(step, &profile, &PrekeysUnderWay { place: left.place + 1, again: false, ..*left }, work)
        }
        // It is tried again within the hour.
        _ => Ok(()),
    }
}

/// A request was left at a host. Where it lay proves that the invite is known there.
pub(crate) fn requested(step: &mut Step<'_>, invite: InviteId, request: &[u8]) -> Result<(), Refusal> {
    let taken = match Chain::decode(request) {
        Ok(chain) if chain.invite == invite => answering::take_chain(step, None, chain)?,
        Ok(_) | Err(_) => false,
    };
    if !taken {
        step.reject(Rejection::Chain);
    }
    Ok(())
}
