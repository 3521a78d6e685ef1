//! Tokens between a host and those whom it serves: issued unseen, checked, not without end, and to contacts alone.

use kinfolk_crypto::tokens::{TokenKey, TokenRequest};
use kinfolk_engine::input::{Command, MailboxChoice, MailboxOffer, Report};
use kinfolk_engine::store::{Changes, Key, KeyMaterial, Post, Purse, Row, Serving, Table, TokensIssuedTo};
use kinfolk_engine::{Effect, Input, Rejection, Turn};
use kinfolk_wire::content::{Body, TokensIssued, TokensWanted};
use kinfolk_wire::direct::FrameKind;
use kinfolk_wire::ids::GroupElement;
use kinfolk_wire::mailbox::{Admission, Bucket, Deposit, Reply, Request, Token};
use kinfolk_wire::time::Span;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use crate::town::{Town, peer};

const ANNA: usize = 0;
const BEA: usize = 1;
const CORA: usize = 2;

/// Friends of whom Anna serves, and the others know.
fn friends(count: usize) -> Town {
    let mut town = Town::of_friends(count);
    let offer = MailboxOffer { capacity: 1 << 20, work_bits: 4 };
    town.input(ANNA, Input::Command(Command::ServeMailbox(Some(offer))));
    town.pass(Span::from_secs(5));
    town
}

/// Somebody names Anna's node.
fn name(town: &mut Town, who: usize) {
    let anna = town.people[ANNA].identity;
    town.input(who, Input::Command(Command::AddMailbox(MailboxChoice::Contact(anna))));
    town.pass(Span::from_secs(5));
}

fn stock(town: &Town, who: usize) -> Purse {
    town.row(who, &Key::TokenStock(peer(ANNA))).unwrap_or_default()
}

fn epoch(town: &Town) -> u32 {
    town.row::<Serving>(ANNA, &Key::Serving).unwrap().epoch
}

fn key(town: &Town, epoch: u32) -> TokenKey {
    TokenKey::from_bytes(town.row::<KeyMaterial>(ANNA, &Key::TokenKey(epoch)).unwrap().as_slice()).unwrap()
}

fn issued(town: &Town, to: usize) -> Vec<(u32, u32)> {
    town.row::<TokensIssuedTo>(ANNA, &Key::TokensIssued(town.people[to].identity)).unwrap_or_default().issued
}

fn put(town: &mut Town, who: usize, key: Key, row: impl Into<Row>) {
    let mut changes = Changes::default();
    changes.put(key, row.into());
    town.people[who].store.commit(&changes);
}

/// A body comes from somebody, as a program of theirs that keeps to no rule could send it.
fn hear(town: &mut Town, who: usize, from: usize, body: Body) -> Turn {
    let content = town.content(from, who, 0, body);
    let payload = town.forge(from, who, &content);
    town.receive(who, peer(from), FrameKind::Payload, payload)
}

fn wanted(epoch: u32, count: usize) -> TokensWanted {
    let (_, blinded) = TokenRequest::begin(&mut ChaCha8Rng::seed_from_u64(4), epoch, count).unwrap();
    TokensWanted { epoch, blinded }
}

#[test]
fn who_names_a_host_that_is_a_contact_has_its_tokens_soon() {
    let mut town = friends(2);
    name(&mut town, BEA);
    let Purse { tokens, awaited, asked_at } = stock(&town, BEA);
    assert_eq!((tokens.len(), awaited, asked_at), (256, None, None));
    let key = key(&town, epoch(&town));
    assert!(tokens.iter().all(|token| token.epoch == epoch(&town) && key.holds(token)));
    assert_eq!(issued(&town, BEA), [(epoch(&town), 256)]);
    // Enough is enough.
    town.pass(Span::from_days(3));
    assert_eq!(issued(&town, BEA), [(epoch(&town), 256)]);
}

#[test]
fn who_has_not_named_a_host_asks_it_for_nothing() {
    let mut town = friends(2);
    town.pass(Span::from_days(1));
    assert_eq!((stock(&town, BEA), issued(&town, BEA)), (Purse::default(), vec![]));
}

#[test]
fn h09_tokens_under_another_key_than_was_announced_are_thrown_away_and_it_is_counted() {
    let mut town = friends(2);
    let (epoch, good) = (epoch(&town), key(&town, epoch(&town)));
    let marked = TokenKey::generate(&mut ChaCha8Rng::seed_from_u64(6));
    put(&mut town, ANNA, Key::TokenKey(epoch), KeyMaterial::new(marked.to_bytes().as_slice()));
    let anna = town.people[ANNA].identity;
    town.input(BEA, Input::Command(Command::AddMailbox(MailboxChoice::Contact(anna))));
    let mut rejections = Vec::new();
    let end = town.now.after(Span::from_secs(5));
    while let Some((who, report)) = town.reports.pop_front() {
        rejections.extend(town.input(who, Input::Network(report)).rejections.into_iter().map(|why| (who, why)));
        assert!(town.now < end);
    }
    assert_eq!(rejections, [(BEA, Rejection::Tokens)]);
    assert_eq!(stock(&town, BEA).tokens, []);
    // It is asked again, but not at once.
    put(&mut town, ANNA, Key::TokenKey(epoch), KeyMaterial::new(good.to_bytes().as_slice()));
    town.pass(Span::from_hours(20));
    assert_eq!(stock(&town, BEA).tokens, []);
    town.pass(Span::from_hours(6));
    assert_eq!(stock(&town, BEA).tokens.len(), 256);
}

#[test]
fn tokens_that_nobody_asked_for_or_of_another_epoch_are_not_kept() {
    let mut town = friends(3);
    name(&mut town, BEA);
    let before = stock(&town, BEA);
    let (state, blinded) = TokenRequest::begin(&mut ChaCha8Rng::seed_from_u64(4), epoch(&town), 3).unwrap();
    let (evaluated, proof) = key(&town, epoch(&town)).issue(&mut ChaCha8Rng::seed_from_u64(5), &blinded).unwrap();
    let unasked = TokensIssued { epoch: epoch(&town), evaluated, proof };
    for from in [ANNA, CORA] {
        let made = hear(&mut town, BEA, from, Body::TokensIssued(unasked.clone()));
        assert_eq!(made.rejections, [Rejection::Misplaced]);
        assert_eq!(stock(&town, BEA), before);
    }
    let awaited = Purse { awaited: Some(KeyMaterial::new(state.as_slice())), asked_at: None, ..Purse::default() };
    put(&mut town, BEA, Key::TokenStock(peer(ANNA)), awaited.clone());
    let other_epoch = TokensIssued { epoch: epoch(&town) + 1, ..unasked.clone() };
    assert_eq!(hear(&mut town, BEA, ANNA, Body::TokensIssued(other_epoch)).rejections, [Rejection::Misplaced]);
    assert_eq!(stock(&town, BEA), awaited);
    assert_eq!(hear(&mut town, BEA, ANNA, Body::TokensIssued(unasked)).rejections, []);
    assert_eq!(stock(&town, BEA).tokens.len(), 3);
}

#[test]
fn d05_a_contact_is_issued_fifty_thousand_tokens_and_no_more_until_an_epoch_is_over() {
    let mut town = friends(2);
    let first = epoch(&town);
    let bea = Key::TokensIssued(town.people[BEA].identity);
    put(&mut town, ANNA, bea, TokensIssuedTo { issued: vec![(first - 1, 30_000), (first, 19_900)] });
    name(&mut town, BEA);
    assert_eq!(stock(&town, BEA).tokens.len(), 100);
    assert_eq!(issued(&town, BEA), [(first - 1, 30_000), (first, 20_000)]);
    town.pass(Span::from_days(3));
    assert_eq!(stock(&town, BEA).tokens.len(), 100);
    town.pass(Span::from_days(15));
    assert_eq!(epoch(&town), first + 1);
    assert_eq!(issued(&town, BEA), [(first, 20_000), (first + 1, 256)]);
    assert_eq!(stock(&town, BEA).tokens.len(), 356);
}

#[test]
fn d05_tokens_are_issued_to_contacts_under_the_present_key_while_one_serves() {
    let mut town = friends(2);
    let now = epoch(&town);
    for wrong in [wanted(now - 1, 3), wanted(now + 1, 3)] {
        assert_eq!(hear(&mut town, ANNA, BEA, Body::TokensWanted(wrong)).rejections, [Rejection::Misplaced]);
    }
    let mut no_points = wanted(now, 3);
    no_points.blinded[2] = GroupElement::new([0xff; 32]);
    assert_eq!(hear(&mut town, ANNA, BEA, Body::TokensWanted(no_points)).rejections, [Rejection::Tokens]);
    assert_eq!(issued(&town, BEA), []);
    let made = hear(&mut town, ANNA, BEA, Body::TokensWanted(wanted(now, 3)));
    assert_eq!((made.rejections, issued(&town, BEA)), (vec![], vec![(now, 3)]));
    town.input(ANNA, Input::Command(Command::ServeMailbox(None)));
    let made = hear(&mut town, ANNA, BEA, Body::TokensWanted(wanted(now, 3)));
    assert_eq!((made.rejections, issued(&town, BEA)), (vec![Rejection::Misplaced], vec![(now, 3)]));
}

#[test]
fn a_host_that_does_not_answer_is_asked_for_the_same_after_an_hour() {
    let mut town = friends(2);
    let serving: Serving = town.row(ANNA, &Key::Serving).unwrap();
    // She does not know the epoch that is wanted.
    put(&mut town, ANNA, Key::Serving, Serving { epoch: serving.epoch + 9, ..serving.clone() });
    name(&mut town, BEA);
    let asked = stock(&town, BEA);
    assert!(asked.awaited.is_some() && asked.tokens.is_empty());
    put(&mut town, ANNA, Key::Serving, serving);
    town.pass(Span::from_secs(50 * 60));
    name(&mut town, BEA);
    assert_eq!(stock(&town, BEA), asked, "not within the hour");
    town.pass(Span::from_hours(2));
    let tokens = stock(&town, BEA).tokens;
    assert_eq!(tokens.len(), 256);
    let (state, key) = (asked.awaited.unwrap(), key(&town, epoch(&town)));
    let (evaluated, proof) = key.issue(&mut town.rng, &TokenRequest::blinded(state.as_slice())).unwrap();
    let mut same = TokenRequest::finish(state.as_slice(), &key.public_key(), &evaluated, &proof).unwrap();
    same.sort_unstable();
    assert_eq!(tokens, same);
}

#[test]
fn a_stock_is_renewed_when_its_epoch_is_over_and_contacts_learn_the_new_key() {
    let mut town = friends(2);
    name(&mut town, BEA);
    let first = epoch(&town);
    town.pass(Span::from_days(33));
    assert_eq!(epoch(&town), first + 2);
    let device = town.profile(ANNA).device;
    let post: Post = town.row(BEA, &Key::Post(device)).unwrap();
    assert_eq!(post.token_key, Some((first + 2, key(&town, first + 2).public_key())));
    let tokens = stock(&town, BEA).tokens;
    assert_eq!(tokens.len(), 256);
    assert!(tokens.iter().all(|token| token.epoch == first + 2 && key(&town, first + 2).holds(token)));
    assert_eq!(issued(&town, BEA), [(first + 2, 256)]);
}

#[test]
fn h09_what_two_owners_spend_is_alike_to_the_host() {
    let mut town = friends(3);
    for who in [BEA, CORA] {
        name(&mut town, who);
    }
    let of = |town: &Town, who: usize| -> Token { stock(town, who).tokens[0] };
    let (of_bea, of_cora) = (of(&town, BEA), of(&town, CORA));
    let contains = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).any(|window| window == what);
    let dump = |town: &Town, table: Option<Table>| -> Vec<Vec<u8>> {
        let rows = town.kept(ANNA).0.into_iter().filter(|(key, _)| table.is_none_or(|table| key.table() == table));
        rows.flat_map(|(key, row)| [key.encode(), row.encode().to_vec()]).collect()
    };
    for token in [of_bea, of_cora] {
        assert!(
            dump(&town, None).iter().all(|bytes| !contains(bytes, &token.nonce) && !contains(bytes, &token.output))
        );
    }
    // Deposits come from nobody in particular, of the same size and on the same day.
    for (number, token) in [(0xd1, of_bea), (0xd2, of_cora)] {
        let request = Request::Deposit(Deposit {
            tag: kinfolk_wire::ids::MailboxTag::new([number; 16]),
            lifetime: 24,
            erasure: [number; 32],
            admission: Admission::Tokens(vec![token]),
            blob: vec![number; Bucket::Line.bytes()],
        });
        let ask = kinfolk_engine::input::AskId(u64::from(number));
        let made = town.input(ANNA, Input::Network(Report::Asked { ask, body: request.encode() }));
        let [Effect::Answer(_, reply)] = &made.effects[..] else { panic!("{:?}", made.effects) };
        assert_eq!(Reply::decode(reply), Ok(Reply::Done));
        assert_eq!(made.changes.len(), 4, "the blob, its time, the sum, the token");
    }
    for table in [Table::Deposit, Table::DepositExpiry, Table::Stored, Table::SpentToken] {
        let rows = dump(&town, Some(table));
        assert!(!rows.is_empty());
        for who in [ANNA, BEA, CORA] {
            let profile = town.profile(who);
            let names = [profile.identity.as_bytes().as_slice(), profile.device.as_bytes(), profile.peer.as_bytes()];
            assert!(names.iter().all(|name| rows.iter().all(|bytes| !contains(bytes, name))), "{table:?}");
        }
        let conversation = town.conversation(BEA, CORA);
        assert!(rows.iter().all(|bytes| !contains(bytes, conversation.as_bytes())), "{table:?}");
    }
}
