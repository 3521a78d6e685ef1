//! Tokens of other hosts: a stock of those of our own hosts, to be handed to contacts, and what contacts gave us to
//! deposit for them (docs/protocol/07-mailbox.md, 7.3).
//!
//! A host that is a contact issues tokens without seeing them, so that it cannot tell whose it is that a deposit spends.

use kinfolk_crypto::tokens::TokenRequest;
use kinfolk_wire::content::{Body, TokenShare, TokensIssued, TokensWanted};
use kinfolk_wire::ids::{DeviceId, GroupElement, PeerId};
use kinfolk_wire::limits;
use kinfolk_wire::mailbox::Token;
use kinfolk_wire::time::Span;

use super::host::is_honoured;
use super::{directory, outbox};
use crate::refusal::Refusal;
use crate::step::{Rejection, Step};
use crate::store::{Hosts, Key, KeyMaterial, Post, Purse, Scan, Table};

/// Tokens of one host below which more are asked for; as many are.
const STOCK: usize = limits::TOKENS_AT_ONCE;
/// Tokens of one host that are kept to deposit for one device.
const PURSE: usize = 2 * limits::TOKENS_AT_ONCE;
/// The wait before a host that is there and did not answer is asked again.
const UNANSWERED: Span = Span::from_hours(1);
/// The wait after it issued fewer than were asked for, or none that are good.
const REFUSED: Span = Span::from_days(1);

/// What is known of a host of ours that is a contact's node.
struct Source {
    peer: PeerId,
    epoch: u32,
    key: GroupElement,
}

impl Source {
    /// The host that a device is, where it serves us and we have named it.
    fn of(step: &Step<'_>, device: DeviceId) -> Result<Option<Self>, Refusal> {
        let post: Option<Post> = step.find(&Key::Post(device))?;
        let Some((host, (epoch, key))) = post.and_then(|post| post.serves.zip(post.token_key)) else { return Ok(None) };
        let is_ours = own_hosts(step)?.contains(&host.peer);
        Ok(is_ours.then_some(Self { peer: host.peer, epoch, key }))
    }

    fn stock(&self, step: &Step<'_>) -> Result<Purse, Refusal> {
        let mut stock: Purse = step.find(&Key::TokenStock(self.peer))?.unwrap_or_default();
        stock.tokens.retain(|token| is_honoured(token.epoch, self.epoch));
        Ok(stock)
    }
}

fn own_hosts(step: &Step<'_>) -> Result<Vec<PeerId>, Refusal> {
    let hosts: Hosts = step.find(&Key::Hosts)?.unwrap_or_default();
    Ok(hosts.hosts.into_iter().map(|own| own.host.peer).collect())
}

/// Asks a host for tokens, where the device is one of ours, is linked, and the stock is low. One that did not answer is
/// asked for the same once more.
pub(crate) fn want(step: &mut Step<'_>, device: DeviceId) -> Result<(), Refusal> {
    let Some(source) = Source::of(step, device)? else { return Ok(()) };
    let stock = source.stock(step)?;
    if stock.tokens.len() >= STOCK || !step.has(&Key::LinkOf(device))? {
        return Ok(());
    }
    let within = |wait: Span| stock.asked_at.is_some_and(|at| at <= step.now && step.now.since(at) < wait);
    let awaited = stock.awaited.as_ref().filter(|state| epoch_of(state) == Some(source.epoch));
    let (state, blinded) = match awaited {
        Some(_) if within(UNANSWERED) => return Ok(()),
        Some(state) => (state.clone(), TokenRequest::blinded(state.as_slice())),
        None if stock.awaited.is_none() && within(REFUSED) => return Ok(()),
        None => match TokenRequest::begin(step.rng, source.epoch, STOCK) {
            Ok((state, blinded)) => (KeyMaterial::new(state.as_slice()), blinded),
            Err(_) => return Ok(()),
        },
    };
    let asked_at = Some(step.now);
    step.put(Key::TokenStock(source.peer), Purse { tokens: stock.tokens, awaited: Some(state), asked_at });
    let (own, to) = (step.profile()?.identity, directory::device(step, device)?.identity);
    let body = Body::TokensWanted(TokensWanted { epoch: source.epoch, blinded });
    let content = outbox::aside(step, own, to, body);
    outbox::queue(step, device, &content, None)
}

fn epoch_of(state: &KeyMaterial) -> Option<u32> {
    TokenRequest::read(state.as_slice()).map(|(epoch, _)| epoch)
}

/// The same, for whichever device a host is.
pub(crate) fn want_of(step: &mut Step<'_>, host: PeerId) -> Result<(), Refusal> {
    match step.find::<DeviceId>(&Key::Peer(host))? {
        Some(device) => want(step, device),
        None => Ok(()),
    }
}

/// A host has issued tokens. They count where they are under the key that it told of, and are thrown away where not.
pub(crate) fn issued(step: &mut Step<'_>, device: DeviceId, issued: &TokensIssued) -> Result<(), Refusal> {
    let Some(source) = Source::of(step, device)? else {
        step.reject(Rejection::Misplaced);
        return Ok(());
    };
    let mut stock = source.stock(step)?;
    let awaited = stock.awaited.as_ref().map(|state| (state, TokenRequest::read(state.as_slice())));
    let Some((state, Some((epoch, wanted)))) = awaited else {
        step.reject(Rejection::Misplaced);
        return Ok(());
    };
    if (epoch, issued.epoch) != (source.epoch, source.epoch) {
        step.reject(Rejection::Misplaced);
        return Ok(());
    }
    match TokenRequest::finish(state.as_slice(), &source.key, &issued.evaluated, &issued.proof) {
        Ok(tokens) => {
            stock.asked_at = (tokens.len() < wanted).then_some(step.now);
            stock.add(tokens, STOCK + PURSE);
        }
        Err(_) => {
            step.reject(Rejection::Tokens);
            stock.asked_at = Some(step.now);
        }
    }
    stock.awaited = None;
    step.put(Key::TokenStock(source.peer), stock);
    Ok(())
}

/// Takes at most so many tokens of a host of ours out of the stock, for a contact; and asks for more where it is low.
pub(crate) fn share(step: &mut Step<'_>, host: PeerId, count: usize) -> Result<Vec<Token>, Refusal> {
    let Some(device) = step.find::<DeviceId>(&Key::Peer(host))? else { return Ok(Vec::new()) };
    let Some(source) = Source::of(step, device)?.filter(|source| source.peer == host) else { return Ok(Vec::new()) };
    let mut stock = source.stock(step)?;
    let shared = stock.tokens.split_off(stock.tokens.len().saturating_sub(count));
    step.put(Key::TokenStock(host), stock);
    want(step, device)?;
    Ok(shared)
}

/// Keeps what a contact gave to deposit for a device of theirs, where it is for one of the hosts that it named.
pub(crate) fn put(step: &mut Step<'_>, device: DeviceId, share: TokenShare) -> Result<(), Refusal> {
    let post: Option<Post> = step.find(&Key::Post(device))?;
    if !post.is_some_and(|post| post.hosts.iter().any(|host| host.peer == share.peer)) {
        step.reject(Rejection::Tokens);
        return Ok(());
    }
    let key = Key::Purse(device, share.peer);
    let mut purse: Purse = step.find(&key)?.unwrap_or_default();
    purse.add(share.tokens, PURSE);
    step.put(key, purse);
    Ok(())
}

/// Takes as many tokens as a deposit for a device at a host costs; nothing where there are fewer.
pub(crate) fn take(
    step: &mut Step<'_>,
    device: DeviceId,
    host: PeerId,
    count: usize,
) -> Result<Option<Vec<Token>>, Refusal> {
    let key = Key::Purse(device, host);
    let Some(mut purse) = step.find::<Purse>(&key)? else { return Ok(None) };
    let Some(left) = purse.tokens.len().checked_sub(count) else { return Ok(None) };
    let taken = purse.tokens.split_off(left);
    step.put(key, purse);
    Ok(Some(taken))
}

/// Forgets tokens of hosts that are named no longer, by us or by those whose they are.
pub(crate) fn housekeeping(step: &mut Step<'_>) -> Result<(), Refusal> {
    let ours = own_hosts(step)?;
    for (key, _) in step.scan(&Scan::all(Table::TokenStock, usize::MAX))?.rows {
        if matches!(key, Key::TokenStock(host) if !ours.contains(&host)) {
            step.delete(key);
        }
    }
    for (key, _) in step.scan(&Scan::all(Table::Purse, usize::MAX))?.rows {
        let Key::Purse(device, host) = key else { continue };
        let post: Option<Post> = step.find(&Key::Post(device))?;
        if !post.is_some_and(|post| post.hosts.iter().any(|named| named.peer == host)) {
            step.delete(key);
        }
    }
    Ok(())
}

impl Purse {
    /// Adds tokens, each once, the newest epoch last; lets go of what is over by then and of the oldest beyond a limit.
    fn add(&mut self, tokens: Vec<Token>, most: usize) {
        self.tokens.extend(tokens);
        self.tokens.sort_unstable();
        self.tokens.dedup_by_key(|token| (token.epoch, token.nonce));
        let newest = self.tokens.last().map_or(0, |token| token.epoch);
        self.tokens.retain(|token| is_honoured(token.epoch, newest));
        let beyond = self.tokens.len().saturating_sub(most);
        self.tokens.drain(..beyond);
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_crypto::tokens::TokenKey;
    use kinfolk_wire::mailbox::Host;
    use kinfolk_wire::time::Timestamp;
    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::store::{MemoryStore, OwnHost};

    const DEVICE: DeviceId = DeviceId::new([1; DeviceId::LENGTH]);

    fn peer(number: u8) -> PeerId {
        PeerId::new([number; PeerId::LENGTH])
    }

    fn host(number: u8) -> Host {
        Host { peer: peer(number), addresses: Vec::new(), work_bits: 20 }
    }

    fn token(epoch: u32, number: u8) -> Token {
        Token { epoch, nonce: [number; 16], output: [0; 32] }
    }

    fn tokens(epoch: u32, numbers: std::ops::RangeInclusive<u8>) -> Vec<Token> {
        numbers.map(|number| token(epoch, number)).collect()
    }

    /// A turn over a store in which the device has named one host, 5, and serves us as 6.
    fn in_a_turn<T>(act: impl FnOnce(&mut Step<'_>) -> Result<T, Refusal>) -> (T, Vec<Rejection>) {
        let (mut rng, store) = (ChaCha8Rng::seed_from_u64(1), MemoryStore::default());
        let mut step = Step::new(Timestamp::from_millis(1_800_000_000_000), &mut rng, &store);
        let key = TokenKey::generate(&mut ChaCha8Rng::seed_from_u64(2)).public_key();
        let post = Post { hosts: vec![host(5)], serves: Some(host(6)), token_key: Some((7, key)), ..Post::default() };
        step.put(Key::Post(DEVICE), post);
        step.put(Key::Peer(peer(6)), DEVICE);
        let own = OwnHost { host: host(6), added_at: step.now, answered_at: None, failures: 0, lies: 0 };
        step.put(Key::Hosts, Hosts { hosts: vec![own], ..Hosts::default() });
        let made = act(&mut step).unwrap();
        (made, step.finish().2)
    }

    #[test]
    fn what_a_contact_gave_is_taken_once_and_only_in_full() {
        in_a_turn(|step| {
            put(step, DEVICE, TokenShare { peer: peer(5), tokens: tokens(7, 1..=5) })?;
            // The same again, and more.
            put(step, DEVICE, TokenShare { peer: peer(5), tokens: tokens(7, 4..=6) })?;
            let first = take(step, DEVICE, peer(5), 4)?.unwrap();
            assert_eq!(take(step, DEVICE, peer(5), 4)?, None);
            let second = take(step, DEVICE, peer(5), 2)?.unwrap();
            let mut all = [first, second].concat();
            all.sort_unstable();
            assert_eq!(all, tokens(7, 1..=6));
            assert_eq!(take(step, DEVICE, peer(5), 1)?, None);
            assert_eq!(take(step, DEVICE, peer(6), 1)?, None);
            Ok(())
        });
    }

    #[test]
    fn tokens_for_a_host_that_was_not_named_are_thrown_away() {
        let ((), rejections) = in_a_turn(|step| {
            put(step, DEVICE, TokenShare { peer: peer(9), tokens: tokens(7, 1..=5) })?;
            put(step, DeviceId::new([2; 16]), TokenShare { peer: peer(5), tokens: tokens(7, 1..=5) })?;
            assert!(step.scan(&Scan::all(Table::Purse, 9))?.rows.is_empty());
            Ok(())
        });
        assert_eq!(rejections, [Rejection::Tokens; 2]);
    }

    #[test]
    fn a_purse_has_a_limit_and_the_newest_are_kept_and_taken_first() {
        in_a_turn(|step| {
            let many = |epoch: u32, from: u16| -> Vec<Token> {
                let nonce = |number: u16| {
                    let mut nonce = [0; 16];
                    nonce[..2].copy_from_slice(&number.to_be_bytes());
                    nonce
                };
                (from..from + 256).map(|number| Token { epoch, nonce: nonce(number), output: [0; 32] }).collect()
            };
            for (epoch, from) in [(7, 0), (8, 256), (8, 512)] {
                put(step, DEVICE, TokenShare { peer: peer(5), tokens: many(epoch, from) })?;
            }
            let purse: Purse = step.find(&Key::Purse(DEVICE, peer(5)))?.unwrap();
            assert_eq!(purse.tokens.len(), PURSE);
            assert!(purse.tokens.iter().all(|token| token.epoch == 8));
            put(step, DEVICE, TokenShare { peer: peer(5), tokens: vec![token(9, 1)] })?;
            assert_eq!(take(step, DEVICE, peer(5), 1)?, Some(vec![token(9, 1)]));
            put(step, DEVICE, TokenShare { peer: peer(5), tokens: vec![token(10, 2)] })?;
            assert_eq!(take(step, DEVICE, peer(5), 2)?, None, "those of two epochs before are over");
            Ok(())
        });
    }

    #[test]
    fn a_stock_is_shared_once_and_what_is_over_is_not() {
        in_a_turn(|step| {
            let old = [tokens(5, 90..=92), tokens(6, 1..=3), tokens(7, 4..=6), tokens(8, 80..=81)].concat();
            step.put(Key::TokenStock(peer(6)), Purse { tokens: old, ..Purse::default() });
            assert_eq!(share(step, peer(6), 2)?, tokens(7, 5..=6), "the newest of those that are honoured");
            let rest = share(step, peer(6), 100)?;
            assert_eq!(rest, [tokens(6, 1..=3), tokens(7, 4..=4)].concat());
            assert_eq!(share(step, peer(6), 100)?, []);
            assert_eq!(share(step, peer(5), 100)?, [], "a host that is none of ours");
            Ok(())
        });
    }

    #[test]
    fn tokens_of_hosts_that_are_named_no_longer_are_forgotten() {
        in_a_turn(|step| {
            for number in [5, 6, 9] {
                step.put(Key::TokenStock(peer(number)), Purse::default());
                step.put(Key::Purse(DEVICE, peer(number)), Purse::default());
            }
            step.put(Key::Purse(DeviceId::new([2; 16]), peer(5)), Purse::default());
            housekeeping(step)?;
            let left = |table| step.scan(&Scan::all(table, 9)).unwrap().rows.into_iter().map(|(key, _)| key);
            assert_eq!(left(Table::TokenStock).collect::<Vec<_>>(), [Key::TokenStock(peer(6))]);
            assert_eq!(left(Table::Purse).collect::<Vec<_>>(), [Key::Purse(DEVICE, peer(5))]);
            Ok(())
        });
    }

    #[test]
    fn a_host_that_is_not_there_is_not_asked() {
        in_a_turn(|step| {
            want(step, DEVICE)?;
            want_of(step, peer(6))?;
            want_of(step, peer(7))?;
            assert!(step.find::<Purse>(&Key::TokenStock(peer(6)))?.is_none());
            Ok(())
        });
    }
}
