//! A log that is written anew, on a real disk.

use kinfolk_ledger::chain::ChainState;
use kinfolk_ledger::witness::Renewable;

use super::*;

impl Mint {
    /// The issuer's checkpoint, certified.
    fn checkpoint(&mut self, state: &ChainState) {
        let state_root = state.root();
        let entry = self.entry(Body { ctl: Some(Ctl::Checkpoint { state_root }), ..body() });
        self.settle(entry);
    }

    /// So many entries and a checkpoint after them.
    fn story(dir: &Path, entries: u64) -> Self {
        let mut mint = Self::new(dir);
        let inception = Inception::of_issuer(mint.policy.currency(), issuer().vk());
        let at = first_position(&mint.policy, mint.policy.issuing_account());
        let opening = Entry::sign(at, Body { ctl: Some(Ctl::Open(inception)), ..body() }, &issuer());
        let mut state = ChainState::before(&opening, &mint.policy).unwrap();
        let run = |state: &mut ChainState, entry: &Entry, policy: &LoadedPolicy| {
            let change = state.try_entry(entry, policy).unwrap();
            state.apply(change, entry.body());
        };
        run(&mut state, &opening, &mint.policy);
        for number in 0..entries {
            let entry = mint.minting(number);
            run(&mut state, &entry, &mint.policy);
            mint.settle(entry);
        }
        mint.checkpoint(&state);
        mint
    }

    fn compact(&mut self) {
        let mut witness = self.witness.take().unwrap();
        let mut compaction = witness.compact().unwrap();
        while !witness.compact_some(&mut compaction, 16).unwrap() {}
        witness.finish_compaction(&mut compaction, NOW).unwrap();
        self.witness = Some(witness.compacted(compaction).unwrap());
    }

    fn indices(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.file("")).unwrap().map(|entry| entry.unwrap().path());
        let mut found: Vec<_> = entries.filter(|path| path.is_dir()).collect();
        found.sort();
        found
    }
}

#[test]
fn i14_a_log_that_was_written_anew_is_shorter_and_has_the_same_key_and_votes() {
    let dir = tempfile::tempdir().unwrap();
    let mut mint = Mint::story(dir.path(), 60);
    let (one, other) = (mint.minting(100), mint.minting(101));
    let vote = mint.propose(&one);
    let (vk, length, next) = (mint.witness.as_ref().unwrap().vk(), mint.length(), mint.next());
    for round in 0..3 {
        mint.compact();
        assert!(mint.length() * 10 < length, "{} of {length} bytes", mint.length());
        assert_eq!(mint.indices().len(), 1, "the old index is gone");
        assert!(!mint.file("log.new").exists());
        match round {
            0 => {}
            1 => mint.witness.as_mut().unwrap().settle().unwrap(),
            _ => fs::remove_dir_all(&mint.indices()[0]).unwrap(),
        }
        mint.kill();
        mint.open().unwrap();
        assert_eq!(mint.witness.as_ref().unwrap().vk(), vk);
        assert_eq!(mint.next(), next);
        assert_eq!(mint.propose(&one), vote);
        assert_eq!(mint.propose(&other), Reply::Conflict { first: one.signed_header().unwrap() });
        let status = mint.witness.as_ref().unwrap().status();
        assert_eq!((status.accounts, status.entries, status.votes), (1, 62, 63));
    }
    let entry = mint.minting(100);
    mint.settle(entry);
}

#[test]
fn g03_an_older_copy_of_a_log_that_was_written_anew_is_not_opened() {
    let dir = tempfile::tempdir().unwrap();
    let mut mint = Mint::story(dir.path(), 5);
    let older = fs::read(mint.file("log")).unwrap();
    mint.compact();
    let entry = mint.minting(50);
    mint.settle(entry);
    mint.kill();
    let newer = fs::read(mint.file("log")).unwrap();
    fs::write(mint.file("log"), &older).unwrap();
    let refused = mint.open().unwrap_err();
    assert!(matches!(refused, VotesError::Older { .. }), "{refused}");
    assert!(refused.to_string().contains("must not vote with that key again"), "{refused}");
    fs::write(mint.file("log"), &newer).unwrap();
    mint.open().unwrap();
    assert_eq!(mint.next(), mint.at.seq);
    // The end of it is guarded as that of any other.
    mint.kill();
    fs::write(mint.file("log"), &newer[..newer.len() - 1]).unwrap();
    damage_of(mint.open());
}

#[test]
fn what_is_left_of_a_log_that_was_never_finished_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let mut mint = Mint::story(dir.path(), 30);
    let (length, next) = (mint.length(), mint.next());
    for is_killed in [true, false] {
        let witness = mint.witness.as_mut().unwrap();
        let mut compaction = witness.compact().unwrap();
        witness.compact_some(&mut compaction, 40).unwrap();
        assert!(mint.file("log.new").exists() && mint.indices().len() == 2);
        if is_killed {
            drop(compaction);
            mint.kill();
            mint.open().unwrap();
        } else {
            compaction.give_up();
        }
        assert!(!mint.file("log.new").exists());
        assert_eq!((mint.length(), mint.next(), mint.indices().len()), (length, next, 1));
    }
    // Nor is it ever read.
    fs::write(mint.file("log.new"), b"anything").unwrap();
    mint.kill();
    mint.open().unwrap();
    assert!(!mint.file("log.new").exists());
    mint.compact();
    assert_eq!(mint.next(), next);
}

#[test]
fn lines_that_are_copied_stand_in_the_new_log_as_in_any() {
    let dir = tempfile::tempdir().unwrap();
    let store = create(dir.path(), Backend::Sled);
    let mut votes = store.votes().create().unwrap();
    votes.append(&[b"old".to_vec()]).unwrap();
    let key = votes.key().vk();
    let mut fresh = votes.beside().unwrap();
    let at = fresh.copy(&[b"one".to_vec(), b"two".to_vec()]).unwrap();
    fresh.finish().unwrap();
    assert_eq!(votes.line(votes.first()).unwrap(), b"old");
    fresh.replace(votes).unwrap();
    assert!(matches!(store.votes().open(), Err(VotesError::Busy { .. })), "the lock goes with it");
    let more = fresh.append(&[b"three".to_vec()]).unwrap();
    drop(fresh);
    let votes = store.votes().open().unwrap();
    assert_eq!(votes.key().vk(), key);
    assert_eq!((votes.first(), votes.line(at[1]).unwrap()), (at[0], b"two".to_vec()));
    assert_eq!(votes.line(more[0]).unwrap(), b"three");
}
