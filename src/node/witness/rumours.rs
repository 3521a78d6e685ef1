//! Gossip about the currencies that are followed here: what is said of them, and what becomes of what is heard.
//!
//! Whatever comes is checked whole against the policy before it is passed on, and is passed on once: a head if it is
//! further than any that was heard of its chain, a proof if it is the first against its key. Everything else goes no
//! further. What is passed on and said in a second stays below what any node takes from another, so that nobody is thought
//! to flood who only passes on.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use kinfolk_ledger::equivocation::{EquivocationProof, GenuineProof};
use kinfolk_ledger::gossip::{About, Exposure, Head};
use kinfolk_ledger::policy::Policies;
use kinfolk_net::{Command, CommandSender, Topic, Verdict};
use kinfolk_wire::ids::{AccountId, CurrencyId};

/// Chains whose heads are known, and keys of which a proof is: the newest of each.
const KNOWN: usize = 65_536;
/// Heads and proofs that are said or passed on at once, and in a second.
const HEADS: (u32, u32) = (64, 16);
const PROOFS: (u32, u32) = (64, 8);
const SECOND: Duration = Duration::from_secs(1);

/// What was heard, and is genuine and new.
#[derive(Debug)]
pub(super) enum Heard {
    /// It goes no further, or this far only.
    Nothing(Verdict),
    /// Somebody signed two things.
    Proof(Box<GenuineProof>),
}

/// What is followed, and what was heard and said of it.
#[derive(Debug)]
pub(super) struct Rumours {
    followed: BTreeMap<CurrencyId, Policies>,
    topics: BTreeMap<Topic, (CurrencyId, About)>,
    /// Topics of which the network has not been told.
    untold: Vec<Topic>,
    heads: Latest<(CurrencyId, AccountId)>,
    proofs: Latest<(CurrencyId, AccountId, u32)>,
    heads_left: Measure,
    proofs_left: Measure,
}

impl Rumours {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            followed: BTreeMap::new(),
            topics: BTreeMap::new(),
            untold: Vec::new(),
            heads: Latest::default(),
            proofs: Latest::default(),
            heads_left: Measure::new(HEADS, now),
            proofs_left: Measure::new(PROOFS, now),
        }
    }

    /// Follows a currency from now on.
    pub(super) fn follow(&mut self, policies: &Policies) {
        let currency = policies.currency();
        if self.followed.insert(currency, policies.clone()).is_some() {
            return;
        }
        for about in About::ALL {
            if let Some(topic) = Topic::new(&about.topic(currency)) {
                self.topics.insert(topic.clone(), (currency, about));
                self.untold.push(topic);
            }
        }
    }

    /// Tells the network what is followed, as far as it has room.
    pub(super) fn tell(&mut self, network: Option<&CommandSender>) {
        let Some(network) = network else { return };
        self.untold.retain(|topic| network.try_send(Command::Follow { topic: topic.clone(), follows: true }).is_err());
    }

    /// What is to be said of an entry that was committed here; nothing if others were further already.
    pub(super) fn head(&mut self, head: &Head, now: Instant) -> Option<Command> {
        let header = &head.header;
        let topic = Topic::new(&About::Heads.topic(header.currency))?;
        let is_news = self.heads.is_news(&(header.currency, header.chain), header.seq);
        if !is_news || !self.heads_left.take(now) {
            return None;
        }
        self.heads.note((header.currency, header.chain), header.seq);
        Some(Command::Gossip { topic, message: head.encode() })
    }

    /// What is to be said of a writer who signed two things.
    pub(super) fn exposure(&mut self, exposure: &Exposure, now: Instant) -> Option<Command> {
        let key = key_of(&exposure.proof)?;
        let topic = Topic::new(&About::Proofs.topic(key.0))?;
        if !self.proofs.is_news(&key, 0) || !self.proofs_left.take(now) {
            return None;
        }
        self.proofs.note(key, 0);
        Some(Command::Gossip { topic, message: exposure.encode() })
    }

    /// Checks what was heard.
    pub(super) fn hear(&mut self, topic: &Topic, message: &[u8], now: Instant) -> Heard {
        let Some((currency, about)) = self.topics.get(topic).copied() else { return Heard::Nothing(Verdict::Ignore) };
        let heard = match about {
            About::Heads => self.hear_head(currency, message, now).map(Heard::Nothing),
            About::Proofs => self.hear_exposure(currency, message, now),
        };
        heard.unwrap_or(Heard::Nothing(Verdict::Reject))
    }

    /// Nothing if it is no head of this currency.
    fn hear_head(&mut self, currency: CurrencyId, message: &[u8], now: Instant) -> Option<Verdict> {
        let head = Head::decode(message).ok()?;
        let (chain, seq) = (head.header.chain, head.header.seq);
        if !self.heads.is_news(&(currency, chain), seq) {
            return Some(Verdict::Ignore);
        }
        // What witnesses of a policy that is not known here have signed, others can check.
        let Some(policy) = self.followed.get(&currency)?.at(head.cert.epoch) else { return Some(Verdict::Ignore) };
        head.unverified(policy).ok()?.verify().ok()?;
        if !self.heads_left.take(now) {
            return Some(Verdict::Ignore);
        }
        self.heads.note((currency, chain), seq);
        Some(Verdict::Accept)
    }

    /// Nothing if it is no proof against a writer of this currency.
    fn hear_exposure(&mut self, currency: CurrencyId, message: &[u8], now: Instant) -> Option<Heard> {
        let exposure = Exposure::decode(message).ok()?;
        let key = key_of(&exposure.proof)?;
        if !self.proofs.is_news(&key, 0) {
            return Some(Heard::Nothing(Verdict::Ignore));
        }
        let Some(policy) = self.followed.get(&currency)?.at(exposure.key.cert.epoch) else {
            return Some(Heard::Nothing(Verdict::Ignore));
        };
        let genuine = exposure.unverified(policy).ok()?.verify().ok()?;
        if !self.proofs_left.take(now) {
            return Some(Heard::Nothing(Verdict::Ignore));
        }
        self.proofs.note(key, 0);
        Some(Heard::Proof(Box::new(genuine)))
    }
}

fn key_of(proof: &EquivocationProof) -> Option<(CurrencyId, AccountId, u32)> {
    match proof {
        EquivocationProof::Writer(one, _) => Some((one.header.currency, one.header.chain, one.header.key_seq)),
        EquivocationProof::Witness(..) => None,
    }
}

/// How far each was heard of; the ones that were noted first are forgotten first.
#[derive(Debug)]
struct Latest<K> {
    numbers: BTreeMap<K, u64>,
    order: VecDeque<K>,
}

impl<K> Default for Latest<K> {
    fn default() -> Self {
        Self { numbers: BTreeMap::new(), order: VecDeque::new() }
    }
}

impl<K: Ord + Copy> Latest<K> {
    fn is_news(&self, key: &K, number: u64) -> bool {
        self.numbers.get(key).is_none_or(|known| *known < number)
    }

    fn note(&mut self, key: K, number: u64) {
        if self.numbers.insert(key, number).is_some() {
            return;
        }
        self.order.push_back(key);
        if self.order.len() > KNOWN
            && let Some(oldest) = self.order.pop_front()
        {
            self.numbers.remove(&oldest);
        }
    }
}

/// So many at once, and so many a second after that.
#[derive(Debug)]
struct Measure {
    most: u32,
    each_second: u32,
    left: u32,
    filled: Instant,
}

impl Measure {
    const fn new((most, each_second): (u32, u32), now: Instant) -> Self {
        Self { most, each_second, left: most, filled: now }
    }

    fn take(&mut self, now: Instant) -> bool {
        while self.left < self.most && now.saturating_duration_since(self.filled) >= SECOND {
            self.left = self.left.saturating_add(self.each_second).min(self.most);
            self.filled += SECOND;
        }
        if self.left == self.most {
            self.filled = now;
        }
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }
}
