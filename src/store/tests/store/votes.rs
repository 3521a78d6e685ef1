//! The votes of a witness on the disk: a real witness on them, and what happens to its files.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

use kinfolk_ledger::entry::{Body, Class, Ctl, Entry, Out, Position as Place};
use kinfolk_ledger::inception::Inception;
use kinfolk_ledger::message::{Reply, Request};
use kinfolk_ledger::policy::{Limits, LoadedPolicy, Witness as Named};
use kinfolk_ledger::vote::{Cert, Receipt};
use kinfolk_ledger::witness::{Shelf, ShelfError, Witness};
use kinfolk_store::{Backend, Store, Votes, VotesError};
use kinfolk_wire::ids::{AccountId, PeerId};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::money::{NOW, amount, body, first_position, issuer, policy_of};
use super::rows::*;
use super::skip::skip;
use super::small_disk::{fill_up, on_small_disk, place};

mod renewal;

/// A currency with one witness, and its issuer, who mints without end.
struct Mint {
    dir: PathBuf,
    store: Store,
    witness: Option<Witness<Votes>>,
    policy: LoadedPolicy,
    at: Place,
    rng: ChaCha20Rng,
}

impl Mint {
    fn new(dir: &Path) -> Self {
        let store = create(dir, Backend::Sled);
        assert!(!store.votes().exists());
        let mut witness = Witness::open(store.votes().create().unwrap()).unwrap();
        let mut policy = policy_of(1, 0);
        policy.witnesses = vec![Named { vk: witness.vk(), peer_id: PeerId::new([1; 38]) }];
        policy.limits = Limits { per_minute: u32::MAX, per_day: u32::MAX, ..policy.limits };
        let policy = policy.sign(&issuer()).load().unwrap();
        witness.serve(policy.signed()).unwrap();
        let at = first_position(&policy, policy.issuing_account());
        let rng = ChaCha20Rng::seed_from_u64(1);
        let mut mint = Self { dir: dir.to_path_buf(), store, witness: Some(witness), policy, at, rng };
        let inception = Inception::of_issuer(mint.policy.currency(), issuer().vk());
        let opening = mint.entry(Body { ctl: Some(Ctl::Open(inception)), ..body() });
        mint.settle(opening);
        mint
    }

    fn entry(&self, body: Body) -> Entry {
        Entry::sign(self.at, body, &issuer())
    }

    /// New money, of which the number tells one entry from another.
    fn minting(&self, number: u64) -> Entry {
        let outs = vec![Out::cash(AccountId::new([5; 32]), amount(number + 1))];
        self.entry(Body { ctl: Some(Ctl::Mint { class: Class::Free }), outs, ..body() })
    }

    fn ask(&mut self, request: Request) -> Reply {
        self.witness.as_mut().unwrap().answer(vec![request], NOW, &mut self.rng).unwrap().remove(0)
    }

    fn propose(&mut self, entry: &Entry) -> Reply {
        self.ask(Request::Propose { entry: entry.clone(), cited: vec![] })
    }

    fn settle(&mut self, entry: Entry) -> Receipt {
        self.try_settle(entry).unwrap()
    }

    /// The same, as far as the disk takes it.
    fn try_settle(&mut self, entry: Entry) -> Result<Receipt, ShelfError<VotesError>> {
        let propose = Request::Propose { entry: entry.clone(), cited: vec![] };
        let (witness, rng) = (self.witness.as_mut().unwrap(), &mut self.rng);
        let mut ask = |request| witness.answer(vec![request], NOW, rng).map(|mut said| said.remove(0));
        let Reply::Vote(vote) = ask(propose)? else { panic!("no vote") };
        let vote = vote.unverified(&self.policy).unwrap().verify().unwrap();
        let receipt = Receipt { cert: Cert::of(&[vote], &self.policy).unwrap(), entry };
        let next = self.at.seq + 1;
        assert_eq!(ask(Request::Commit { receipt: receipt.clone() })?, Reply::Ack { next });
        self.at = Place { seq: next, prev: receipt.entry.hash(), ..self.at };
        Ok(receipt)
    }

    fn next(&mut self) -> u64 {
        let (currency, chain) = (self.policy.currency(), self.policy.issuing_account());
        match self.ask(Request::Head { currency, chain }) {
            Reply::Head { next, .. } => next,
            other => panic!("{other:?}"),
        }
    }

    /// Lets go of the log as a killed process does.
    fn kill(&mut self) {
        drop(self.witness.take());
    }

    fn open(&mut self) -> Result<(), VotesError> {
        self.witness = Some(Witness::open(self.store.votes().open()?).unwrap());
        Ok(())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.join("witness").join(name)
    }

    fn length(&self) -> u64 {
        fs::metadata(self.file("log")).unwrap().len()
    }

    fn flip(&self, name: &str, at: u64) {
        let file = File::options().read(true).write(true).open(self.file(name)).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 1], at).unwrap();
    }
}

/// What is done to a witness and its files, and how it is called.
type Step<'a> = (&'static str, &'a dyn Fn(&mut Mint));

fn damage_of(opened: Result<(), VotesError>) -> String {
    match opened {
        Err(error @ (VotesError::Damaged { .. } | VotesError::Lost { .. })) => {
            let said = error.to_string();
            assert!(said.contains("witness/log") && said.contains("must not vote with that key again"), "{said}");
            said
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn i14_a_witness_that_is_killed_gives_the_same_answers_from_its_disk() {
    let dir = tempfile::tempdir().unwrap();
    let mut mint = Mint::new(dir.path());
    for number in 0..3 {
        let entry = mint.minting(number);
        mint.settle(entry);
    }
    let (one, other) = (mint.minting(10), mint.minting(11));
    let vote = mint.propose(&one);
    assert!(matches!(vote, Reply::Vote(_)));
    let first = one.signed_header().unwrap();
    let without_index = |mint: &Mint| fs::remove_dir_all(mint.file("index")).unwrap();
    let with_damaged_index = |mint: &Mint| {
        let db = fs::read(mint.file("index/db")).unwrap();
        fs::write(mint.file("index/db"), vec![0x5a; db.len()]).unwrap();
        fs::remove_file(mint.file("index/conf")).unwrap();
    };
    let settled = |mint: &mut Mint| mint.witness.as_mut().unwrap().settle().unwrap();
    let steps: [Step<'_>; 5] = [
        ("killed", &|mint| mint.kill()),
        ("settled and killed", &|mint| {
            settled(mint);
            mint.kill();
        }),
        ("settled and closed", &|mint| {
            settled(mint);
            mint.witness.take().unwrap().into_shelf().close().unwrap();
        }),
        ("without its index", &|mint| {
            mint.kill();
            without_index(mint);
        }),
        ("with a damaged index", &|mint| {
            settled(mint);
            mint.kill();
            with_damaged_index(mint);
        }),
    ];
    let length = mint.length();
    for (what, step) in steps {
        let vk = mint.witness.as_ref().unwrap().vk();
        step(&mut mint);
        mint.open().unwrap();
        assert_eq!(mint.witness.as_ref().unwrap().vk(), vk, "{what}");
        assert_eq!(mint.propose(&one), vote, "{what}");
        assert_eq!(mint.next(), 4, "{what}");
        assert_eq!(mint.length(), length, "{what}: nothing was written again");
        let status = mint.witness.as_ref().unwrap().status();
        assert_eq!((status.accounts, status.entries, status.votes), (1, 4, 5), "{what}");
    }
    assert_eq!(mint.propose(&other), Reply::Conflict { first });
}

#[test]
fn an_end_that_nobody_was_told_of_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let mut mint = Mint::new(dir.path());
    let entry = mint.minting(1);
    mint.settle(entry);
    let whole = mint.length();
    let bytes = fs::read(mint.file("log")).unwrap();
    let frame = &bytes[bytes.len() - 300..];
    // Zeros, noise, a frame of elsewhere, the beginning of one.
    for end in [vec![0; 5_000], vec![0xa5; 37], frame.to_vec(), b"kvot\0\0\0\x10".to_vec(), b"k".to_vec()] {
        mint.kill();
        fs::write(mint.file("log"), [&bytes[..], &end].concat()).unwrap();
        mint.open().unwrap();
        assert_eq!(mint.length(), whole);
        assert_eq!(mint.next(), 2);
    }
    let entry = mint.minting(2);
    mint.settle(entry);
    mint.kill();
    mint.open().unwrap();
    assert_eq!(mint.next(), 3);
}

#[test]
fn g03_what_was_acknowledged_and_is_not_whole_keeps_the_log_from_being_opened() {
    let dir = tempfile::tempdir().unwrap();
    let mut mint = Mint::new(dir.path());
    let begun = mint.length();
    for number in 0..4 {
        let entry = mint.minting(number);
        mint.settle(entry);
    }
    mint.kill();
    let (log, end) = (fs::read(mint.file("log")).unwrap(), mint.length());
    let mark = fs::read(mint.file("mark")).unwrap();
    let again = |mint: &Mint| {
        fs::write(mint.file("log"), &log).unwrap();
        fs::write(mint.file("mark"), &mark).unwrap();
    };
    // A bit of any line since the index was written, of the key, and of what says what this file is.
    for at in (begun..end).step_by(97).chain([end - 1, 60, 100]) {
        mint.flip("log", at);
        assert!(damage_of(mint.open()).contains("damaged at byte"), "byte {at}");
        again(&mint);
    }
    mint.flip("log", 3);
    assert!(matches!(mint.open(), Err(VotesError::Foreign { .. })));
    again(&mint);
    // An end that is gone, or that is of an older copy.
    for length in [end - 1, end - 700, begun] {
        fs::write(mint.file("log"), &log[..length as usize]).unwrap();
        assert!(damage_of(mint.open()).contains(&format!("has {length} bytes, and {end} were")));
        again(&mint);
    }
    // Without the mark the frames that come after it tell.
    fs::remove_file(mint.file("mark")).unwrap();
    mint.flip("log", begun + 200);
    assert!(damage_of(mint.open()).contains(&format!("damaged at byte {begun}")));
    again(&mint);
    // And without mark and end, the index does.
    mint.open().unwrap();
    mint.witness.as_mut().unwrap().settle().unwrap();
    mint.kill();
    fs::remove_file(mint.file("mark")).unwrap();
    fs::write(mint.file("log"), &log[..begun as usize]).unwrap();
    assert!(damage_of(mint.open()).contains(&format!("has {begun} bytes, and {end} were")));
    again(&mint);
    mint.open().unwrap();
    assert_eq!(mint.next(), 5);
}

#[test]
fn a_damaged_line_that_the_index_points_at_stops_the_witness_when_it_is_needed() {
    let dir = tempfile::tempdir().unwrap();
    let mut mint = Mint::new(dir.path());
    let begun = mint.length();
    let entry = mint.minting(0);
    let receipt = mint.settle(entry);
    mint.witness.as_mut().unwrap().settle().unwrap();
    mint.kill();
    mint.flip("log", begun + 30);
    mint.flip("log", mint.length() - 1);
    mint.open().unwrap();
    let request = Request::Commit { receipt };
    let refused = mint.witness.as_mut().unwrap().answer(vec![request], NOW, &mut mint.rng);
    assert!(matches!(refused, Err(ShelfError::Shelf(VotesError::Damaged { .. }))), "{refused:?}");
    let refused = mint.witness.as_mut().unwrap().answer(vec![Request::Witness], NOW, &mut mint.rng);
    assert!(matches!(refused, Err(ShelfError::Stopped)));
}

#[test]
fn a_log_is_open_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut mint = Mint::new(dir.path());
    let process = Some(std::process::id());
    assert!(matches!(mint.store.votes().open(), Err(VotesError::Busy { process: held, .. }) if held == process));
    assert!(matches!(mint.store.votes().create(), Err(VotesError::Busy { .. })));
    mint.kill();
    assert!(matches!(mint.store.votes().create(), Err(VotesError::Exists { .. })));
    mint.open().unwrap();
}

#[test]
fn a_lost_log_is_a_lost_key() {
    let dir = tempfile::tempdir().unwrap();
    let mut mint = Mint::new(dir.path());
    let vk = mint.witness.as_ref().unwrap().vk();
    mint.witness.as_mut().unwrap().settle().unwrap();
    mint.kill();
    fs::remove_file(mint.file("log")).unwrap();
    assert!(matches!(mint.open(), Err(VotesError::None { .. })));
    let mut witness = Witness::open(mint.store.votes().create().unwrap()).unwrap();
    assert_ne!(witness.vk(), vk);
    assert!(witness.status().currencies.is_empty(), "the index of the old log is not the new one's");
    assert!(witness.serve(mint.policy.signed()).is_err(), "the policy names the old key");
    // Lines of one log are none of another's.
    drop(witness);
    assert_eq!(mint.store.votes().open().unwrap().indexed().number(), mint.length());
}

#[test]
fn g05_nothing_of_an_entry_stands_in_the_files_and_nobody_else_may_read_them() {
    let dir = tempfile::tempdir().unwrap();
    let mut mint = Mint::new(dir.path());
    let entry = mint.minting(0);
    let receipt = mint.settle(entry);
    mint.witness.as_mut().unwrap().settle().unwrap();
    mint.kill();
    let header = receipt.entry.header();
    let writer = issuer().vk();
    let secrets = [header.chain.as_bytes(), header.currency.as_bytes(), header.body.as_bytes(), writer.as_bytes()];
    for name in ["log", "mark", "index/db"] {
        let bytes = fs::read(mint.file(name)).unwrap();
        for secret in secrets {
            assert!(!bytes.windows(16).any(|window| window == &secret[..16]), "{name}");
        }
    }
    for name in ["", "log", "mark", "lock", "index"] {
        let mode = fs::metadata(mint.file(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}: {mode:o}");
    }
}

#[test]
fn a_witness_and_its_votes_can_be_given_to_a_thread_of_their_own() {
    fn is_for_another_thread<T: Send + 'static>() {}
    is_for_another_thread::<Witness<Votes>>();
    is_for_another_thread::<kinfolk_store::VotesPlace>();
}

#[test]
fn g02_a_witness_on_a_full_disk_says_nothing_and_goes_on_where_it_was_when_there_is_space() {
    const TEST: &str = "votes::g02_a_witness_on_a_full_disk_says_nothing_and_goes_on_where_it_was_when_there_is_space";
    let Some(place) = place() else {
        return on_small_disk(TEST, "size=60m").unwrap_or_else(|reason| skip(TEST, &reason));
    };
    let mut mint = Mint::new(&place.join("full"));
    let filler = fill_up(&place);
    let refused = (0..10_000).find_map(|number| {
        let entry = mint.minting(number);
        mint.try_settle(entry).err()
    });
    let refused = refused.unwrap();
    assert!(matches!(&refused, ShelfError::Shelf(VotesError::Full { .. })), "{refused:?}");
    assert!(refused.to_string().contains("the disk is full"), "{refused}");
    let again = mint.witness.as_mut().unwrap().answer(vec![Request::Witness], NOW, &mut mint.rng);
    assert!(matches!(again, Err(ShelfError::Stopped)));
    mint.kill();
    fs::remove_file(filler).unwrap();
    mint.open().unwrap();
    assert_eq!(mint.next(), mint.at.seq, "what was acknowledged is there, and nothing else");
    let entry = mint.minting(77);
    let reply = mint.propose(&entry);
    // What could not be written whole binds nobody; a vote that could, and was not said, binds to its entry.
    assert!(matches!(reply, Reply::Vote(_) | Reply::Conflict { .. }), "{reply:?}");
}
