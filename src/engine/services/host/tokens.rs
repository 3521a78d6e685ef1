//! Tokens by which those whom this node serves are admitted: issued to contacts without seeing them, and spent once
//! (docs/protocol/07-mailbox.md, 7.3).
//!
//! A key issues for one epoch; what was issued under it is honoured in that and the next. Epochs count up by one.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use kinfolk_crypto::tokens::TokenKey;
use kinfolk_wire::content::{Body, TokensIssued, TokensWanted};
use kinfolk_wire::ids::{DeviceId, GroupElement, IdentityId};
use kinfolk_wire::mailbox::{Bucket, Token};
use kinfolk_wire::time::{Span, Timestamp};

use crate::refusal::Refusal;
use crate::services::{directory, outbox};
use crate::step::{Rejection, Step};
use crate::store::{Key, KeyMaterial, Nothing, Row, Scan, Serving, Table, TokensIssuedTo};

/// How long one key issues tokens.
const EPOCH: Span = Span::from_days(15);
/// Tokens that one contact is issued under the keys that are honoured.
const TO_ONE: u32 = 50_000;
/// What is dated further ahead than this was made before the clock was set back.
const AHEAD: Span = Span::from_days(1);
/// The first epoch is numbered by the day, where that is not beyond all days.
const FIRST_AT_MOST: u64 = 1 << 31;
/// Tokens that one turn forgets to have been spent.
const PAGE: usize = 4_096;

/// Whether tokens of one epoch are honoured in another.
pub(crate) fn is_honoured(epoch: u32, present: u32) -> bool {
    present.checked_sub(epoch).is_some_and(|age| age <= 1)
}

/// Draws the key of the next epoch and lets go of those that are no longer honoured. Says which epoch it is.
pub(super) fn next_epoch(step: &mut Step<'_>) -> Result<u32, Refusal> {
    let known = epochs(step)?;
    let epoch = match known.last() {
        Some(last) => last.saturating_add(1),
        None => first_epoch(step.now),
    };
    let key = TokenKey::generate(step.rng);
    step.put(Key::TokenKey(epoch), KeyMaterial::new(key.to_bytes().as_slice()));
    for old in known.into_iter().filter(|old| !is_honoured(*old, epoch)) {
        step.delete(Key::TokenKey(old));
    }
    Ok(epoch)
}

fn first_epoch(now: Timestamp) -> u32 {
    let day = now.as_millis() / Span::from_days(1).as_millis();
    u32::try_from(day.min(FIRST_AT_MOST)).unwrap_or_default()
}

/// The epochs of which there are keys, the newest last.
fn epochs(step: &Step<'_>) -> Result<Vec<u32>, Refusal> {
    let rows = step.scan(&Scan::all(Table::TokenKey, usize::MAX))?.rows;
    Ok(rows
        .into_iter()
        .filter_map(|(key, _)| if let Key::TokenKey(epoch) = key { Some(epoch) } else { None })
        .collect())
}

fn key_of(step: &Step<'_>, epoch: u32) -> Result<Option<TokenKey>, Refusal> {
    let row: Option<KeyMaterial> = step.find(&Key::TokenKey(epoch))?;
    row.map(|row| TokenKey::from_bytes(row.as_slice()).map_err(|_| Refusal::Inconsistent("a token key"))).transpose()
}

/// The public half of the key of an epoch; zeros where there is none.
pub(crate) fn token_key(step: &Step<'_>, epoch: u32) -> Result<GroupElement, Refusal> {
    let key = key_of(step, epoch)?;
    Ok(key.map_or(GroupElement::new([0; GroupElement::LENGTH]), |key| key.public_key()))
}

/// A contact wants tokens: as many are issued as it has left, under the present key.
pub(crate) fn tokens_wanted(
    step: &mut Step<'_>,
    device: DeviceId,
    from: IdentityId,
    wanted: &TokensWanted,
) -> Result<(), Refusal> {
    let is_open = directory::is_open(&directory::contact(step, from)?);
    let serving: Option<Serving> = step.find(&Key::Serving)?;
    let Some(serving) = serving.filter(|serving| is_open && serving.epoch == wanted.epoch) else {
        step.reject(Rejection::Misplaced);
        return Ok(());
    };
    let Some(key) = key_of(step, serving.epoch)? else {
        return Err(Refusal::Inconsistent("a mailbox host has no token key"));
    };
    let mut account: TokensIssuedTo = step.find(&Key::TokensIssued(from))?.unwrap_or_default();
    account.issued.retain(|(epoch, _)| is_honoured(*epoch, serving.epoch));
    let had = account.issued.iter().fold(0_u32, |sum, (_, count)| sum.saturating_add(*count));
    let left = usize::try_from(TO_ONE.saturating_sub(had)).unwrap_or_default();
    let blinded = wanted.blinded.get(..left).unwrap_or(&wanted.blinded);
    let Ok((evaluated, proof)) = key.issue(step.rng, blinded) else {
        step.reject(Rejection::Tokens);
        return Ok(());
    };
    let count = u32::try_from(evaluated.len()).unwrap_or(u32::MAX);
    match account.issued.last_mut() {
        Some((epoch, issued)) if *epoch == serving.epoch => *issued = issued.saturating_add(count),
        _ => account.issued.push((serving.epoch, count)),
    }
    step.put(Key::TokensIssued(from), account);
    let own = step.profile()?.identity;
    let body = Body::TokensIssued(TokensIssued { epoch: serving.epoch, evaluated, proof });
    let content = outbox::aside(step, own, from, body);
    outbox::queue(step, device, &content, None)
}

/// Spends tokens for a blob, where they are as many as it costs, each another, and good. Says whether they were.
pub(super) fn spend(step: &mut Step<'_>, serving: &Serving, bucket: Bucket, tokens: &[Token]) -> Result<bool, Refusal> {
    let nonces: BTreeSet<&[u8; 16]> = tokens.iter().map(|token| &token.nonce).collect();
    if tokens.len() != bucket.tokens() || nonces.len() != tokens.len() {
        return Ok(false);
    }
    let mut keys = BTreeMap::new();
    for token in tokens {
        if !is_honoured(token.epoch, serving.epoch) || step.has(&Key::SpentToken(token.epoch, token.nonce))? {
            return Ok(false);
        }
        let key = match keys.entry(token.epoch) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(key_of(step, token.epoch)?),
        };
        if !key.as_ref().is_some_and(|key| key.holds(token)) {
            return Ok(false);
        }
    }
    for token in tokens {
        step.put(Key::SpentToken(token.epoch, token.nonce), Nothing {});
    }
    Ok(true)
}

/// Begins the next epoch when it is time, as it was by then.
pub(super) fn housekeeping(step: &mut Step<'_>, by: Timestamp) -> Result<(), Refusal> {
    let Some(serving) = step.find::<Serving>(&Key::Serving)? else { return Ok(()) };
    let now = step.now;
    if by.since(serving.epoch_since) >= EPOCH {
        let epoch = next_epoch(step)?;
        step.put(Key::Serving, Serving { epoch, epoch_since: now, ..serving });
    } else if serving.epoch_since > now.after(AHEAD) {
        step.put(Key::Serving, Serving { epoch_since: now, ..serving });
    }
    Ok(())
}

/// Forgets which tokens were spent, and issued to whom, under keys that are no longer honoured. Says whether there is more.
pub(super) fn forget(step: &mut Step<'_>) -> Result<bool, Refusal> {
    let Some(oldest) = epochs(step)?.first().copied() else { return Ok(false) };
    let Some(until) = oldest.checked_sub(1) else { return Ok(false) };
    let over = Scan { until: until.into(), ..Scan::all(Table::SpentToken, PAGE) };
    let spent = step.scan(&over)?.rows;
    let more = spent.len() >= PAGE;
    for (key, _) in spent {
        step.delete(key);
    }
    for (key, row) in step.scan(&Scan::all(Table::TokensIssued, usize::MAX))?.rows {
        let Row::TokensIssuedTo(account) = row else { continue };
        if account.issued.iter().all(|(epoch, _)| *epoch < oldest) {
            step.delete(key);
        }
    }
    Ok(more)
}
