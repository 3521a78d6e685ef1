//! Worlds: witnesses as they are, on disks that lose what was not synced, people who pay, and a network that loses,
//! repeats and mixes up. Some writers are *twins*, two copies with one key that know nothing of one another, and so are
//! as many witnesses as may be faulty. All of a world follows from its seed.
//!
//! Checked is what was said, by everybody to anybody, whether somebody made a certificate of it or not: one certified entry
//! a place, and money conserved among all of them (I1 to I4, I10); that witnesses have what is certified and nothing else
//! (I11); and that once the network is whole again, everybody who is no twin and was not recovered gets their payment
//! certified (T4).
//!
//! In some worlds the issuer changes the witnesses on the way, or signs two policies for one epoch; then an entry that was
//! certified before the change, by votes that nobody has put together yet, is the only one that is certified after it.
//!
//! `KINFOLK_SIM_WORLDS=N` plays so many worlds, `KINFOLK_SIM_SEED=N` begins with that one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use kinfolk_ledger::entry::{Body, Claim, Ctl, Destination, Entry, Out, OutRef, Position};
use kinfolk_ledger::message::{Reason, Reply, Request};
use kinfolk_ledger::policy::{LoadedPolicy, Policies};
use kinfolk_ledger::recovery::{Recover, SignedReport};
use kinfolk_ledger::signature::{SecretKey, key_hash};
use kinfolk_ledger::slot::Report;
use kinfolk_ledger::slot::pick::{Pick, pick};
use kinfolk_ledger::vote::{Cert, GenuineVote, Phase, PrepCert, Receipt, SlotId, Vote};
use kinfolk_ledger::witness::{CompactError, Witness};
use kinfolk_wire::ids::{AccountId, EntryHash, KeyHash, Vk};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::support::shelf::{DiskFailed, Failure, PaperShelf};
use super::support::*;

mod change;
mod checks;
mod friends;
mod writers;

const WORLDS: u64 = 2_000;
const USERS: u8 = 3;
/// What everybody begins with.
const BEGIN: u64 = 1_000;
/// Payments that a writer makes at most before the end.
const PAYMENTS: u32 = 3;

/// What is wrong with every witness of a world, so that the checks can be seen to find it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mutant {
    None,
    /// Its log says that it is on the disk when it is not.
    AnswersBeforeTheLog,
    /// After a restart the last lines of its log are gone.
    Forgets,
}

/// Witnesses and people after the beginning, which is the same in all worlds of a size.
struct Begin {
    policy: LoadedPolicy,
    shelves: Vec<PaperShelf>,
    certified: Vec<Receipt>,
    people: Vec<Person>,
}

/// Somebody's keys, which are dear to make.
struct Person {
    chain: AccountId,
    writer: SecretKey,
    friends: Vec<(u8, SecretKey)>,
    new_writer: Vk,
    next_writer: KeyHash,
}

impl Begin {
    fn of(n: u8) -> &'static Self {
        static BEGINS: OnceLock<Vec<Begin>> = OnceLock::new();
        let begins = BEGINS.get_or_init(|| (4..=7).map(Self::new).collect());
        &begins[usize::from(n) - 4]
    }

    fn new(n: u8) -> Self {
        let mut town = Town::new(n, (n - 1) / 3);
        town.open_issuer();
        for user in 0..USERS {
            town.rich(user, BEGIN);
        }
        let certified: Vec<_> = town.certified.values().map(|certified| certified.receipt()).collect();
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let shelves = (0..n)
            .map(|at| {
                let mut witness = Witness::open(PaperShelf::new(key(2, at))).unwrap();
                witness.serve(town.policy.signed()).unwrap();
                // In their order, chain by chain, none waits for another: what is cited is not asked again.
                witness.catch_up(certified.clone(), NOW, &mut rng).unwrap();
                witness.settle().unwrap();
                witness.into_shelf()
            })
            .collect();
        let people = (0..USERS).map(|user| Person {
            chain: town.chain(user),
            writer: key(10, user),
            friends: friends(&town.policy, user).into_iter().take(2).collect(),
            new_writer: key(30, user).vk(),
            next_writer: key_hash(&key(31, user).vk()),
        });
        let people = people.collect();
        Self { policy: town.policy, shelves, certified, people }
    }
}

/// One copy of somebody's wallet.
struct Writer {
    user: u8,
    at: Position,
    balance: u64,
    pending: Option<Entry>,
    cited: Vec<Receipt>,
    votes: BTreeMap<(u32, u8), Vote>,
    chain: Vec<Receipt>,
    incoming: Vec<Receipt>,
    /// What came in before, claimed or not.
    known: BTreeSet<EntryHash>,
    paid: u32,
    /// Something else than it signed stands at its place, or somebody recovered the account.
    stopped: bool,
}

/// The friends of one of them, who recover the account.
struct Friends {
    user: u8,
    ballot: u32,
    slot: SlotId,
    reports: BTreeMap<u8, SignedReport>,
    entry: Option<Entry>,
    prepared: BTreeMap<u8, Vote>,
    locked: bool,
    committed: BTreeMap<u8, Vote>,
    done: Option<Receipt>,
}

#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "a test's messages")]
enum Message {
    Ask { from: usize, witness: usize, request: Request },
    Tell { to: usize, witness: usize, reply: Reply },
    Pay { to: usize, receipt: Receipt },
}

struct World {
    seed: u64,
    rng: ChaCha20Rng,
    begin: &'static Begin,
    mutant: Mutant,
    /// Two of them where one is a pair of twins.
    witnesses: Vec<Vec<Option<Witness<PaperShelf>>>>,
    writers: Vec<Writer>,
    friends: Option<Friends>,
    /// The policies that are in force, one after the other, and those that the issuer wants to be next.
    policies: Policies,
    proposals: Vec<change::Proposal>,
    /// What witnesses said last of chains in the first epoch.
    closings: BTreeMap<AccountId, BTreeMap<u8, SignedReport>>,
    queue: Vec<Message>,
    /// Who does not reach which witness.
    parted: BTreeSet<(usize, usize)>,
    healed: bool,
    /// Everything that anybody signed.
    entries: BTreeMap<EntryHash, (Entry, Vec<Receipt>)>,
    /// What witnesses said, by what they said it of.
    said: BTreeMap<(SlotId, u32, Phase, EntryHash), BTreeSet<u8>>,
    /// What a quorum said, whether anybody knows or not.
    certified: BTreeMap<(AccountId, u64), EntryHash>,
    counts: Counts,
}

/// What happened in some worlds, to see that it did.
#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    certified: u64,
    ordered: u64,
    conflicts: u64,
    crashes: u64,
    compacted: u64,
    lost_appends: u64,
    changes: u64,
    crossed: u64,
    over_a_change: u64,
}

type Checked<T> = Result<T, String>;

impl World {
    fn new(seed: u64, mutant: Mutant) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let n = 4 + (rng.next_u32() % 4) as u8;
        let begin = Begin::of(n);
        let f = begin.policy.quorum().f();
        // As many pairs of twins as may be faulty, or fewer; none where every witness is a mutant.
        let twins = if mutant == Mutant::None { rng.next_u32() as usize % (f + 1) } else { 0 };
        let first_twin = rng.next_u32() as usize % usize::from(n);
        let is_twin = |at: usize| (at + usize::from(n) - first_twin) % usize::from(n) < twins;
        let witnesses = begin.shelves.iter().enumerate().map(|(at, shelf)| {
            let copies = if is_twin(at) { 2 } else { 1 };
            (0..copies).map(|_| Some(Witness::open(shelf.clone()).unwrap())).collect()
        });
        let newcomer = Witness::open(PaperShelf::new(key(2, n))).unwrap();
        let witnesses = witnesses.chain([vec![Some(newcomer)]]).collect();
        // One of three is a pair of twins in two worlds of three.
        let twin = (rng.next_u32() % 3 > 0).then_some((rng.next_u32() % u32::from(USERS)) as u8);
        let users = (0..USERS).chain(twin);
        let writers = users.map(|user| {
            let chain = begin.people[usize::from(user)].chain;
            let opened = begin.certified.iter().find(|receipt| receipt.entry.header().chain == chain).unwrap();
            let at = Position { seq: 1, prev: opened.entry.hash(), ..first_position(&begin.policy, chain) };
            Writer {
                user,
                at,
                balance: BEGIN,
                pending: None,
                cited: vec![],
                votes: BTreeMap::new(),
                chain: vec![opened.clone()],
                incoming: vec![],
                known: BTreeSet::new(),
                paid: 0,
                stopped: false,
            }
        });
        let writers = writers.collect();
        let mut world = Self {
            seed,
            rng,
            begin,
            mutant,
            witnesses,
            writers,
            friends: None,
            policies: Policies::from(begin.policy.clone()),
            proposals: vec![],
            closings: BTreeMap::new(),
            queue: vec![],
            parted: BTreeSet::new(),
            healed: false,
            entries: BTreeMap::new(),
            said: BTreeMap::new(),
            certified: BTreeMap::new(),
            counts: Counts::default(),
        };
        for receipt in &begin.certified {
            let header = receipt.entry.header();
            world.certified.insert((header.chain, header.seq), receipt.entry.hash());
            world.entries.insert(receipt.entry.hash(), (receipt.entry.clone(), vec![]));
        }
        world
    }

    fn below(&mut self, limit: usize) -> usize {
        self.rng.next_u32() as usize % limit.max(1)
    }

    fn one_in(&mut self, chance: usize) -> bool {
        self.below(chance) == 0
    }

    fn n(&self) -> usize {
        self.witnesses.len()
    }

    fn q(&self) -> usize {
        self.begin.policy.quorum().q()
    }

    fn is_twin(&self, user: u8) -> bool {
        self.writers.iter().filter(|writer| writer.user == user).count() > 1
    }

    fn chain(&self, user: u8) -> AccountId {
        self.begin.people[usize::from(user)].chain
    }

    /// The number under which friends ask.
    fn friends_number(&self) -> usize {
        self.writers.len()
    }

    fn run(mut self) -> Checked<Counts> {
        for _ in 0..150 {
            match self.below(100) {
                0..72 => self.deliver()?,
                72..88 => {
                    let writer = self.below(self.writers.len());
                    self.act(writer);
                }
                88..91 => {
                    let (who, witness) = (self.below(self.friends_number() + 2), self.below(self.n()));
                    self.parted.insert((who, witness));
                }
                91..93 => self.parted.clear(),
                93..97 => {
                    let witness = self.below(self.n());
                    self.crash(witness)?;
                }
                // Witnesses are changed in one world of ten.
                99 if self.seed.is_multiple_of(10) => self.change(),
                _ => self.recover(),
            }
        }
        self.heal()?;
        self.check_money()?;
        self.check_witnesses()?;
        self.counts.certified += self.certified.len() as u64 - self.begin.certified.len() as u64;
        Ok(self.counts)
    }

    /// Sends to every witness.
    fn broadcast(&mut self, from: usize, request: &Request) {
        for witness in 0..self.n() {
            self.queue.push(Message::Ask { from, witness, request: request.clone() });
        }
    }

    fn deliver(&mut self) -> Checked<()> {
        if self.queue.is_empty() {
            return Ok(());
        }
        let at = if self.healed { 0 } else { self.below(self.queue.len()) };
        let message = if !self.healed && self.one_in(12) {
            self.queue[at].clone()
        } else if self.healed {
            self.queue.remove(at)
        } else {
            self.queue.swap_remove(at)
        };
        if !self.healed && self.one_in(15) {
            return Ok(());
        }
        match message {
            Message::Ask { from, witness, request } => {
                let mut batch = vec![(from, request)];
                // What waits for the same witness, it takes together.
                while !self.healed && self.one_in(2) {
                    let also = self.queue.iter().position(
                        |message| matches!(message, Message::Ask { witness: other, .. } if *other == witness),
                    );
                    match also.map(|at| self.queue.swap_remove(at)) {
                        Some(Message::Ask { from, request, .. }) => batch.push((from, request)),
                        _ => break,
                    }
                }
                batch.retain(|(from, _)| self.healed || !self.parted.contains(&(*from, witness)));
                self.ask(witness, batch)
            }
            Message::Tell { to, reply, .. } if to == self.issuer_number() => self.issuer_hears(&reply),
            Message::Tell { to, witness, reply } if to == self.friends_number() => self.friends_hear(witness, reply),
            Message::Tell { to, witness, reply } => self.hear(to, witness, reply),
            Message::Pay { to, receipt } => {
                let writer = &mut self.writers[to];
                if writer.known.insert(receipt.entry.hash()) {
                    writer.incoming.push(receipt);
                }
                Ok(())
            }
        }
    }

    /// A batch of questions to one witness, of which a pair of twins takes some here, some there.
    fn ask(&mut self, at: usize, batch: Vec<(usize, Request)>) -> Checked<()> {
        let copies = self.witnesses[at].len();
        for copy in 0..copies {
            let stray = self.one_in(5);
            let mine = |from: usize| copies == 1 || (from % 2 == copy) != stray;
            let (from, requests): (Vec<_>, Vec<_>) = batch.iter().filter(|(from, _)| mine(*from)).cloned().unzip();
            if requests.is_empty() {
                continue;
            }
            let fails = !self.healed && self.one_in(25);
            let kept = self.below(3);
            if fails || self.mutant == Mutant::AnswersBeforeTheLog {
                let mut shelf = self.witnesses[at][copy].take().unwrap().into_shelf();
                let failure = if fails { Failure::Told { kept } } else { Failure::Untold };
                shelf.next_append = Some(failure);
                self.witnesses[at][copy] = Some(Witness::open(shelf).map_err(|error| error.to_string())?);
            }
            let witness = self.witnesses[at][copy].as_mut().unwrap();
            let Ok(replies) = witness.answer(requests, NOW, &mut self.rng) else {
                self.counts.lost_appends += 1;
                self.restart(at, copy)?;
                continue;
            };
            // The log has it, and the answers never leave.
            if !self.healed && self.one_in(25) {
                self.restart(at, copy)?;
                continue;
            }
            for (to, reply) in from.into_iter().zip(replies) {
                self.note(&reply)?;
                self.queue.push(Message::Tell { to, witness: at, reply });
            }
        }
        Ok(())
    }

    fn crash(&mut self, at: usize) -> Checked<()> {
        for copy in 0..self.witnesses[at].len() {
            self.restart(at, copy)?;
        }
        Ok(())
    }

    fn restart(&mut self, at: usize, copy: usize) -> Checked<()> {
        self.counts.crashes += 1;
        let mut witness = self.witnesses[at][copy].take().unwrap();
        if self.one_in(3) && self.mutant == Mutant::None && !witness.status().stopped {
            witness.settle().map_err(|error| error.to_string())?;
        }
        if self.mutant == Mutant::None && !witness.status().stopped && self.one_in(4) {
            witness = self.compact(witness).map_err(|error| error.to_string())?;
        }
        let shelf = witness.into_shelf();
        let shelf = match self.mutant {
            // The newcomer's first lines are what it serves.
            Mutant::Forgets if at < self.begin.shelves.len() => shelf.forgetting(2),
            _ => shelf.restarted(),
        };
        let shelf = if self.one_in(8) { shelf.without_index() } else { shelf };
        self.witnesses[at][copy] = Some(Witness::open(shelf).map_err(|error| error.to_string())?);
        Ok(())
    }

    /// Writes its log anew, unless the power goes before it has come to the end.
    fn compact(&mut self, mut witness: Witness<PaperShelf>) -> Result<Witness<PaperShelf>, CompactError<DiskFailed>> {
        let mut compaction = witness.compact().map_err(CompactError::InUse)?;
        while !witness.compact_some(&mut compaction, 1 + self.rng.next_u32() as usize % 8)? {
            if self.one_in(32) {
                return Ok(witness);
            }
        }
        witness.finish_compaction(&mut compaction, NOW).map_err(CompactError::InUse)?;
        self.counts.compacted += 1;
        witness.compacted(compaction).map_err(CompactError::InUse)
    }

    /// Notes what a witness said: from then on it cannot be taken back.
    fn note(&mut self, reply: &Reply) -> Checked<()> {
        let Reply::Vote(vote) = reply else { return Ok(()) };
        let statement = vote.statement;
        let said = self.said.entry((statement.slot, statement.ballot, statement.phase, statement.entry)).or_default();
        said.insert(vote.witness);
        let enough = said.len() >= self.begin.policy.quorum().q();
        if enough && statement.phase != Phase::Prepare {
            let place = (statement.slot.chain, statement.slot.seq);
            let entry = self.entries.get(&statement.entry).map(|(entry, _)| entry.header().epoch);
            self.counts.over_a_change += u64::from(entry.is_some_and(|epoch| epoch < statement.slot.epoch));
            let stands = *self.certified.entry(place).or_insert(statement.entry);
            if stands != statement.entry {
                return Err(format!("two entries are certified at place {} of {}", place.1, place.0));
            }
        }
        Ok(())
    }

    fn genuine(&self, votes: &[Vote]) -> Checked<Vec<GenuineVote>> {
        let genuine = votes.iter().map(|vote| {
            let policy = self.policies.at(vote.statement.slot.epoch)?;
            vote.unverified(policy).and_then(|vote| vote.verify().ok())
        });
        genuine.collect::<Option<_>>().ok_or_else(|| "a witness's signature is not genuine".to_owned())
    }

    /// The network is whole, nobody crashes any more: everybody who did nothing wrong gets what they wait for.
    fn heal(&mut self) -> Checked<()> {
        self.healed = true;
        self.parted.clear();
        for _ in 0..3 {
            if !self.proposals.is_empty() {
                self.change();
            }
            while !self.queue.is_empty() {
                self.deliver()?;
            }
        }
        for round in 0..6 {
            for number in 0..self.writers.len() {
                // Who is told of a conflict four times has heard it.
                if round == 0 || !self.is_twin(self.writers[number].user) {
                    self.propose(number);
                }
            }
            while !self.queue.is_empty() {
                self.deliver()?;
            }
        }
        let recovered = self.friends.as_ref().map(|friends| friends.user);
        for writer in &self.writers {
            let is_correct = !self.is_twin(writer.user) && recovered != Some(writer.user) && !self.is_stuck();
            if is_correct && (writer.pending.is_some() || writer.stopped) {
                return Err(format!("user {} did nothing wrong and waits for ever", writer.user));
            }
        }
        // Whoever has receipts brings them to all.
        let mut receipts: Vec<_> = self.writers.iter().flat_map(|writer| writer.chain.clone()).collect();
        receipts.extend(self.friends.as_ref().and_then(|friends| friends.done.clone()));
        receipts.sort_by_key(|receipt| receipt.entry.header().seq);
        for receipt in &receipts {
            self.broadcast(0, &Request::Commit { receipt: receipt.clone() });
        }
        while !self.queue.is_empty() {
            self.deliver()?;
        }
        Ok(())
    }
}

fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|number| number.parse().ok())
}

/// Plays worlds, a half on each of two threads; what happened in them, or the first that went wrong.
fn play(first: u64, worlds: u64, mutant: Mutant) -> Result<Counts, (u64, String)> {
    let half = |odd: u64| {
        let mut all = Counts::default();
        for seed in (first..first + worlds).filter(|seed| seed % 2 == odd) {
            let world = World::new(seed, mutant);
            let seed = world.seed;
            let counts = world.run().map_err(|what| (seed, what))?;
            all.certified += counts.certified;
            all.ordered += counts.ordered;
            all.conflicts += counts.conflicts;
            all.crashes += counts.crashes;
            all.compacted += counts.compacted;
            all.lost_appends += counts.lost_appends;
            all.changes += counts.changes;
            all.crossed += counts.crossed;
            all.over_a_change += counts.over_a_change;
        }
        Ok::<_, (u64, String)>(all)
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| half(1));
        let (one, other) = (half(0), other.join().unwrap());
        let (one, other) = match (one, other) {
            (Ok(one), Ok(other)) => (one, other),
            (Err(one), Err(other)) => return Err(if one.0 < other.0 { one } else { other }),
            (Err(error), _) | (_, Err(error)) => return Err(error),
        };
        Ok(Counts {
            certified: one.certified + other.certified,
            ordered: one.ordered + other.ordered,
            conflicts: one.conflicts + other.conflicts,
            crashes: one.crashes + other.crashes,
            compacted: one.compacted + other.compacted,
            lost_appends: one.lost_appends + other.lost_appends,
            changes: one.changes + other.changes,
            crossed: one.crossed + other.crossed,
            over_a_change: one.over_a_change + other.over_a_change,
        })
    })
}

#[test]
fn e01_e10_in_no_world_are_two_entries_of_a_place_certified_or_money_made_or_the_honest_kept_waiting() {
    let (first, worlds) = (asked("KINFOLK_SIM_SEED").unwrap_or(1), asked("KINFOLK_SIM_WORLDS").unwrap_or(WORLDS));
    match play(first, worlds, Mutant::None) {
        Ok(counts) => {
            println!("{worlds} worlds from seed {first}: {counts:?}");
            if worlds >= 500 {
                assert!(counts.certified > worlds && counts.ordered > worlds / 50 && counts.conflicts > worlds / 10);
                assert!(counts.crashes > worlds && counts.lost_appends > worlds / 10 && counts.compacted > worlds / 8);
                assert!(
                    counts.changes > worlds / 40 && counts.crossed > worlds / 3 && counts.over_a_change > worlds / 20
                );
            }
        }
        Err((seed, what)) => panic!("seed {seed}: {what}"),
    }
}

#[test]
fn e10_witnesses_that_answer_before_the_log_are_found_out() {
    let found = play(1, 400, Mutant::AnswersBeforeTheLog).unwrap_err();
    println!("seed {}: {}", found.0, found.1);
}

#[test]
fn e10_witnesses_that_forget_are_found_out() {
    let found = play(1, 400, Mutant::Forgets).unwrap_err();
    println!("seed {}: {}", found.0, found.1);
}
