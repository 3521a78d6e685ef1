//! Tokens at the host: good once, for as long as their epoch is honoured.

use kinfolk_crypto::tokens::{TokenKey, TokenRequest};
use kinfolk_engine::store::{KeyMaterial, Serving};
use kinfolk_wire::mailbox::Token;

use super::*;

impl Inn {
    pub(super) fn epoch(&self) -> u32 {
        self.row::<Serving>(&Key::Serving).unwrap().epoch
    }

    fn token_key(&self, epoch: u32) -> Option<TokenKey> {
        self.row::<KeyMaterial>(&Key::TokenKey(epoch)).map(|row| TokenKey::from_bytes(row.as_slice()).unwrap())
    }

    /// Tokens under the present key, as somebody would have who was issued them.
    fn tokens(&mut self, count: usize) -> Vec<Token> {
        let key = self.token_key(self.epoch()).unwrap();
        under(&key, self.epoch(), &mut self.rng, count)
    }

    pub(super) fn with_tokens(&self, of: u64, bucket: Bucket, tokens: Vec<Token>) -> Deposit {
        Deposit { admission: Admission::Tokens(tokens), ..self.worked(of, bucket, 0) }
    }

    pub(super) fn spend(&mut self, of: u64, bucket: Bucket) -> Reply {
        let tokens = self.tokens(bucket.tokens());
        self.ask(&Request::Deposit(self.with_tokens(of, bucket, tokens)))
    }
}

fn under(key: &TokenKey, epoch: u32, rng: &mut ChaCha8Rng, count: usize) -> Vec<Token> {
    let (state, blinded) = TokenRequest::begin(rng, epoch, count).unwrap();
    let (evaluated, proof) = key.issue(rng, &blinded).unwrap();
    TokenRequest::finish(state.as_slice(), &key.public_key(), &evaluated, &proof).unwrap()
}

const REFUSED: Reply = Reply::Refused(Refused::Tokens);

#[test]
fn tokens_admit_blobs_of_every_size_and_are_counted_apart() {
    let mut inn = Inn::open(1 << 20, 60);
    for (of, bucket) in (0..).zip(Bucket::ALL) {
        assert_eq!(inn.spend(of, bucket), Reply::Done);
    }
    assert_eq!(inn.there(0..6), [0, 1, 2, 3, 4]);
    let bytes = Bucket::ALL.map(Bucket::bytes).iter().sum::<usize>();
    assert_eq!(inn.stored(), Stored { by_tokens: u64::try_from(bytes).unwrap(), by_work: 0, blobs: 5 });
    let spent = Bucket::ALL.map(Bucket::tokens).iter().sum::<usize>();
    assert_eq!(inn.table(Table::SpentToken).len(), spent);
}

#[test]
fn d05_a_token_is_good_once() {
    let mut inn = Inn::open(1 << 20, 0);
    let tokens = inn.tokens(1);
    let deposit = inn.with_tokens(1, Bucket::Line, tokens.clone());
    assert_eq!(inn.ask(&Request::Deposit(deposit.clone())), Reply::Done);
    assert_eq!(inn.ask(&Request::Deposit(deposit)), Reply::Done, "the same deposit spends nothing again");
    let other = inn.with_tokens(2, Bucket::Line, tokens);
    let (reply, made) = inn.ask_raw(Request::Deposit(other).encode());
    assert_eq!(Reply::decode(&reply), Ok(REFUSED));
    assert!(made.changes.is_empty());
    assert_eq!(inn.table(Table::SpentToken).len(), 1);
}

#[test]
fn d05_too_few_too_many_doubled_forged_and_foreign_tokens_are_refused_and_none_is_spent() {
    let mut inn = Inn::open(1 << 20, 0);
    let good = inn.tokens(5);
    let other_key = TokenKey::generate(&mut inn.rng);
    let foreign = under(&other_key, inn.epoch(), &mut inn.rng, 1)[0];
    let spent = inn.tokens(1)[0];
    assert_eq!(inn.ask(&Request::Deposit(inn.with_tokens(1, Bucket::Line, vec![spent]))), Reply::Done);
    let mut forged = good[3];
    forged.output[31] ^= 1;
    let renamed = Token { epoch: good[3].epoch + 1, ..good[3] };
    let before = Token { epoch: good[3].epoch - 1, ..good[3] };
    for last in [good[0], forged, foreign, spent, renamed, before] {
        let tokens = vec![good[0], good[1], good[2], last];
        assert_eq!(inn.ask(&Request::Deposit(inn.with_tokens(2, Bucket::Letter, tokens))), REFUSED, "{last:?}");
    }
    for count in [1, 3, 5] {
        let deposit = inn.with_tokens(2, Bucket::Letter, good[..count].to_vec());
        assert_eq!(inn.ask(&Request::Deposit(deposit)), REFUSED, "{count}");
    }
    assert_eq!(inn.table(Table::SpentToken).len(), 1);
    assert_eq!(inn.ask(&Request::Deposit(inn.with_tokens(2, Bucket::Letter, good[..4].to_vec()))), Reply::Done);
}

#[test]
fn d05_a_full_host_says_so_and_spends_nothing() {
    let mut inn = Inn::open(3 * 2_048, 0);
    for of in 0..3 {
        assert_eq!(inn.spend(of, Bucket::Page), Reply::Done);
    }
    let tokens = inn.tokens(1);
    let deposit = inn.with_tokens(4, Bucket::Line, tokens);
    assert_eq!(inn.ask(&Request::Deposit(deposit.clone())), Reply::Refused(Refused::Full));
    assert_eq!(inn.ask(&Request::Erase(vec![erasure(1)])), Reply::Done);
    assert_eq!(inn.ask(&Request::Deposit(deposit)), Reply::Done);
}

#[test]
fn tokens_are_honoured_in_two_epochs_of_fifteen_days_and_then_all_is_forgotten() {
    let mut inn = Inn::open(1 << 20, 0);
    let first = inn.epoch();
    let tokens = inn.tokens(3);
    assert_eq!(inn.ask(&Request::Deposit(inn.with_tokens(1, Bucket::Line, tokens[..1].to_vec()))), Reply::Done);
    inn.pass(Span::from_days(14));
    assert_eq!(inn.epoch(), first);
    inn.pass(Span::from_days(2));
    assert_eq!(inn.epoch(), first + 1);
    assert_eq!(inn.ask(&Request::Deposit(inn.with_tokens(2, Bucket::Line, tokens[1..2].to_vec()))), Reply::Done);
    assert_eq!(inn.ask(&Request::Deposit(inn.with_tokens(3, Bucket::Line, tokens[..1].to_vec()))), REFUSED);
    assert_eq!(inn.spend(4, Bucket::Line), Reply::Done);
    inn.pass(Span::from_days(15));
    assert_eq!(inn.epoch(), first + 2);
    assert_eq!(inn.ask(&Request::Deposit(inn.with_tokens(5, Bucket::Line, tokens[2..].to_vec()))), REFUSED);
    assert!(inn.token_key(first).is_none() && inn.token_key(first + 1).is_some());
    inn.pass(Span::from_hours(2));
    let spent: Vec<Key> = inn.table(Table::SpentToken).into_iter().map(|(key, _)| key).collect();
    assert!(matches!(spent[..], [Key::SpentToken(epoch, _)] if epoch == first + 1), "{spent:?}");
}

#[test]
fn g07_a_clock_that_jumps_ahead_for_an_hour_ends_no_epoch() {
    let mut inn = Inn::open(1 << 20, 0);
    inn.pass(Span::from_hours(2));
    let (right, first, tokens) = (inn.now, inn.epoch(), inn.tokens(1));
    inn.set_clock(right.after(Span::from_days(3_650)));
    inn.pass(Span::from_secs(50 * 60));
    inn.set_clock(right.after(Span::from_secs(50 * 60)));
    inn.pass(Span::from_days(3));
    assert_eq!(inn.epoch(), first);
    assert_eq!(inn.ask(&Request::Deposit(inn.with_tokens(1, Bucket::Line, tokens))), Reply::Done);
}

#[test]
fn g07_an_epoch_that_began_in_a_time_to_come_ends_all_the_same() {
    let mut inn = Inn::closed();
    let right = inn.now;
    inn.set_clock(right.after(Span::from_days(3_650)));
    inn.serve(Some(MailboxOffer { capacity: 1 << 20, work_bits: 0 }));
    let first = inn.epoch();
    inn.set_clock(right);
    inn.pass(Span::from_days(17));
    assert_eq!(inn.epoch(), first + 1);
}

#[test]
fn a_host_that_ends_and_begins_again_has_a_new_key_and_honours_the_one_before() {
    let mut inn = Inn::open(1 << 20, 0);
    let (first, tokens) = (inn.epoch(), inn.tokens(2));
    inn.serve(Some(MailboxOffer { capacity: 2 << 20, work_bits: 1 }));
    assert_eq!(inn.epoch(), first, "another offer is no new epoch");
    inn.serve(None);
    let deposit = inn.with_tokens(1, Bucket::Line, tokens[..1].to_vec());
    assert_eq!(inn.ask(&Request::Deposit(deposit.clone())), Reply::Refused(Refused::NotServing));
    inn.serve(Some(MailboxOffer { capacity: 1 << 20, work_bits: 0 }));
    assert_eq!(inn.epoch(), first + 1);
    assert_ne!(inn.token_key(first).unwrap().public_key(), inn.token_key(first + 1).unwrap().public_key());
    assert_eq!(inn.ask(&Request::Deposit(deposit)), Reply::Done);
}

#[test]
fn h09_of_a_token_the_host_keeps_its_nonce_and_nothing_before_it_is_spent() {
    let mut inn = Inn::open(1 << 20, 0);
    let tokens = inn.tokens(2);
    let contains = |inn: &Inn, what: &[u8]| {
        inn.store.iter().any(|(key, row)| {
            [key.encode(), row.encode().to_vec()].iter().any(|bytes| bytes.windows(what.len()).any(|w| w == what))
        })
    };
    for token in &tokens {
        assert!(!contains(&inn, &token.nonce) && !contains(&inn, &token.output));
    }
    for (of, token) in (1..).zip(&tokens) {
        assert_eq!(inn.ask(&Request::Deposit(inn.with_tokens(of, Bucket::Line, vec![*token]))), Reply::Done);
        assert!(contains(&inn, &token.nonce) && !contains(&inn, &token.output));
    }
    let rows: Vec<Vec<u8>> = inn.table(Table::SpentToken).iter().map(|(_, row)| row.encode().to_vec()).collect();
    assert_eq!(rows[0], rows[1], "nothing tells one from another but what its holder drew");
}
