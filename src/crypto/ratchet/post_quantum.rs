//! The post-quantum ratchet: whole ML-KEM-768 keys, now and then (docs/protocol/04-ratchet.md, "The post-quantum
//! ratchet").
//!
//! Epoch `e` has a root and one chain for each direction. For odd `e + 1` the initiator offers a key, for even the
//! responder. Who offers sends under `e + 1` once the answer is there; who answers can receive under `e + 1` from then
//! on, but goes on sending under `e` until a message under `e + 1` has come, so that a lost answer blocks nothing.
//! Offers and answers ride in headers and are acted upon only after the body has opened.
//!
//! Invariant: the epoch we send under is the newest, or the one before while our answer is on its way; so is the epoch
//! we receive under.

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use kinfolk_wire::bundle::{KEM_CIPHERTEXT, KEM_KEY};
use kinfolk_wire::time::{Span, Timestamp};

use super::chain_key::ChainKey;
use super::header::{Answer, Header, Offer};
use super::message_key::MessageKey;
use super::side::{Ours, Theirs};
use super::walk::Walk;
use crate::kdf::{NO_SALT, derive, sha256};
use crate::kem::{Kem, KemPrivate, MlKem768, SEED};
use crate::label::Label;
use crate::secret::Key;
use crate::stored;

/// After this many messages of both sides an epoch is replaced.
pub(crate) const EPOCH_MESSAGES: u32 = 64;
/// After this long an epoch is replaced.
pub(crate) const EPOCH_AGE: Span = Span::from_hours(24);
/// An offer or answer rides on this many messages in a row..
const EAGER: u32 = 4;
/// ..and then on every so many-th, until it is known to have arrived.
const REPEAT: u32 = 8;

/// Which side of the handshake this device was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Party {
    Initiator,
    Responder,
}

impl Party {
    const fn offers(self, epoch: u32) -> bool {
        match self {
            Self::Initiator => !epoch.is_multiple_of(2),
            Self::Responder => epoch.is_multiple_of(2),
        }
    }
}

/// One side's post-quantum ratchet. Its field order is part of the stored form of a session.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct PostQuantum {
    party: Party,
    /// `PQroot` of the newest epoch.
    root: Key,
    epoch: u32,
    sending: EpochChain<Ours>,
    /// How many messages were sent under the epoch before.
    previous: u32,
    receiving: EpochChain<Theirs>,
    /// Their chain under the epoch after `receiving`, until a message comes under it.
    upcoming: Option<Box<ChainKey<Theirs>>>,
    exchange: Exchange,
    /// Messages of both sides since the newest epoch began.
    messages: u32,
    /// When it began, in milliseconds since the Unix epoch.
    since: u64,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(bound = "")]
struct EpochChain<S> {
    epoch: u32,
    chain: ChainKey<S>,
    /// The number of the next message under this epoch.
    next: u32,
}

/// On the way to the epoch after the newest. Keys are on the heap: a state without them then has no room where any could
/// be left.
#[derive(Clone, Serialize, Deserialize)]
enum Exchange {
    /// Nothing has begun.
    Idle,
    /// We offer a key. Of the private key the seed `d | z` is kept; the public one is kept whole, since expanding it
    /// anew for every eighth message would cost more than all else that sealing takes.
    Offering {
        seed: Box<[Key; 2]>,
        #[serde(with = "stored")]
        key: Offer,
        sent: u32,
    },
    /// They have offered a key, which we answer when we send next.
    Asked {
        #[serde(with = "stored")]
        key: Offer,
    },
    /// We have answered: the newest epoch is the one we go on to send under.
    Answering {
        #[serde(with = "stored")]
        ciphertext: Answer,
        chain: Box<ChainKey<Ours>>,
        sent: u32,
    },
}

/// What a message to be sent takes from this ratchet.
pub(crate) struct PqSendKey {
    pub(crate) epoch: u32,
    pub(crate) previous: u32,
    pub(crate) number: u32,
    pub(crate) key: MessageKey,
    pub(crate) offer: Option<Offer>,
    pub(crate) answer: Option<Answer>,
}

impl PostQuantum {
    /// Epoch 0: `PQroot_0 | CK_A>B | CK_B>A = HKDF(salt = 0*32, ikm = PQ0, "kinfolk/1 pq init", 96)`.
    pub(crate) fn new(party: Party, secret: &Key, now: Timestamp) -> Self {
        let [root, from_initiator, from_responder] = derive(&NO_SALT, secret.as_bytes(), &[Label::PqInit.as_bytes()]);
        let (ours, theirs) = assign(party, from_initiator, from_responder);
        Self {
            party,
            root,
            epoch: 0,
            sending: EpochChain { epoch: 0, chain: ours, next: 0 },
            previous: 0,
            receiving: EpochChain { epoch: 0, chain: theirs, next: 0 },
            upcoming: None,
            exchange: Exchange::Idle,
            messages: 0,
            since: now.as_millis(),
        }
    }

    /// The key of the next message, and what is to ride in its header. Randomness is drawn for an offer (64 bytes) or
    /// an answer (32 bytes) that begins here.
    pub(crate) fn next_key<R: CryptoRng + ?Sized>(&mut self, rng: &mut R, now: Timestamp) -> PqSendKey {
        self.answer_if_asked(rng, now);
        self.offer_if_due(rng, now);
        self.messages = self.messages.saturating_add(1);
        let (offer, answer) = self.riders();
        let number = self.sending.next;
        self.sending.next = number.saturating_add(1);
        PqSendKey {
            epoch: self.sending.epoch,
            previous: self.previous,
            number,
            key: self.sending.chain.advance(),
            offer,
            answer,
        }
    }

    fn answer_if_asked<R: CryptoRng + ?Sized>(&mut self, rng: &mut R, now: Timestamp) {
        let Exchange::Asked { key } = &self.exchange else {
            return;
        };
        let mut randomness = Zeroizing::new([0; 32]);
        rng.fill_bytes(randomness.as_mut_slice());
        let (ciphertext, shared) = MlKem768::encapsulate(key, *randomness);
        let (ours, theirs) = next_epoch(self.party, &self.root, self.epoch, &shared, key, &ciphertext).enter(self, now);
        self.upcoming = Some(Box::new(theirs));
        self.exchange = Exchange::Answering { ciphertext, chain: Box::new(ours), sent: 0 };
    }

    fn offer_if_due<R: CryptoRng + ?Sized>(&mut self, rng: &mut R, now: Timestamp) {
        let idle = matches!(self.exchange, Exchange::Idle);
        let old = now.since(Timestamp::from_millis(self.since)) >= EPOCH_AGE;
        let due = self.messages >= EPOCH_MESSAGES || old;
        if idle && due && self.party.offers(self.epoch.saturating_add(1)) {
            let mut seed = Zeroizing::new([[0; 32]; 2]);
            rng.fill_bytes(seed.as_flattened_mut());
            let seed = Box::new(seed.map(Key::new));
            let key = Box::new(*expand(&seed).public());
            self.exchange = Exchange::Offering { seed, key, sent: 0 };
        }
    }

    fn riders(&mut self) -> (Option<Offer>, Option<Answer>) {
        match &mut self.exchange {
            Exchange::Offering { key, sent, .. } => (rides(sent).then(|| key.clone()), None),
            Exchange::Answering { ciphertext, sent, .. } => (None, rides(sent).then(|| ciphertext.clone())),
            Exchange::Idle | Exchange::Asked { .. } => (None, None),
        }
    }

    /// The walk to a message that has not been received, over the end of an epoch if it must be; `received` is the
    /// ordinal after the last received. Nothing if the header's counters contradict each other.
    pub(crate) fn walk(&self, header: &Header, received: u32, ordinal: u32) -> Option<Walk> {
        let base = received.checked_sub(self.receiving.next)?;
        if header.pq_epoch == self.receiving.epoch {
            let same = base.checked_add(header.pq_number)? == ordinal;
            return same.then(|| Walk::along(self.receiving.chain.clone()));
        }
        let upcoming = self.upcoming.as_ref()?;
        let end = base.checked_add(header.pq_previous)?;
        let same = header.pq_epoch == self.receiving.epoch.checked_add(1)?
            && (received..=ordinal).contains(&end)
            && end.checked_add(header.pq_number)? == ordinal;
        same.then(|| Walk::across(self.receiving.chain.clone(), end, ChainKey::clone(upcoming)))
    }

    /// Keeps the chain on which a walk ended, once the message has opened. The first message under the epoch of our
    /// answer is the sign to send under it too.
    pub(crate) fn keep(&mut self, header: &Header, chain: ChainKey<Theirs>) {
        if header.pq_epoch != self.receiving.epoch {
            self.upcoming = None;
            if let Exchange::Answering { chain, .. } = &self.exchange {
                // Cloned and dropped: moved, it would stay where it was.
                self.send_under(ChainKey::clone(chain));
            }
            self.exchange = Exchange::Idle;
        }
        self.receiving = EpochChain { epoch: header.pq_epoch, chain, next: header.pq_number.saturating_add(1) };
    }

    /// Acts upon what rode in the header of a message, once it has opened.
    pub(crate) fn opened(&mut self, header: &Header, now: Timestamp) {
        self.messages = self.messages.saturating_add(1);
        if header.pq_epoch != self.epoch {
            return;
        }
        match (&self.exchange, &header.offer, &header.answer) {
            (Exchange::Idle, Some(key), _)
                if !self.party.offers(self.epoch.saturating_add(1)) && MlKem768::is_valid(key) =>
            {
                self.exchange = Exchange::Asked { key: key.clone() };
            }
            (Exchange::Offering { seed, .. }, _, Some(ciphertext)) => {
                let private = expand(seed);
                let shared = private.decapsulate(ciphertext);
                let next = next_epoch(self.party, &self.root, self.epoch, &shared, private.public(), ciphertext);
                let (ours, theirs) = next.enter(self, now);
                self.upcoming = Some(Box::new(theirs));
                self.exchange = Exchange::Idle;
                self.send_under(ours);
            }
            _ => {}
        }
    }

    #[cfg(test)]
    pub(crate) const fn epoch(&self) -> u32 {
        self.epoch
    }

    #[cfg(test)]
    pub(crate) const fn root(&self) -> &[u8; 32] {
        self.root.as_bytes()
    }

    /// All keys that are secret: the root, the chain to send on, the chain to receive on, and those of an exchange.
    #[cfg(test)]
    pub(crate) fn secrets(&self) -> Vec<Key> {
        // It never grows, so no copy of a key is left behind.
        let mut secrets = Vec::with_capacity(16);
        secrets.extend([self.root.clone(), self.sending.chain.key(), self.receiving.chain.key()]);
        secrets.extend(self.upcoming.as_deref().map(ChainKey::key));
        match &self.exchange {
            Exchange::Offering { seed, .. } => secrets.extend(seed.iter().cloned()),
            Exchange::Answering { chain, .. } => secrets.push(chain.key()),
            Exchange::Idle | Exchange::Asked { .. } => {}
        }
        secrets
    }

    /// The same counters over other keys: all that is public of this ratchet.
    #[cfg(test)]
    pub(crate) fn without_keys(&self) -> Self {
        let mut copy = self.clone();
        copy.receiving.chain = ChainKey::new(Key::new([0; 32]));
        copy.upcoming = copy.upcoming.map(|_| Box::new(ChainKey::new(Key::new([0; 32]))));
        copy
    }

    /// Sends under the newest epoch from now on.
    fn send_under(&mut self, chain: ChainKey<Ours>) {
        self.previous = self.sending.next;
        self.sending = EpochChain { epoch: self.epoch, chain, next: 0 };
    }
}

struct NextEpoch {
    root: Key,
    ours: ChainKey<Ours>,
    theirs: ChainKey<Theirs>,
}

impl NextEpoch {
    fn enter(self, ratchet: &mut PostQuantum, now: Timestamp) -> (ChainKey<Ours>, ChainKey<Theirs>) {
        ratchet.root = self.root;
        ratchet.epoch = ratchet.epoch.saturating_add(1);
        ratchet.messages = 0;
        ratchet.since = now.as_millis();
        (self.ours, self.theirs)
    }
}

/// `PQroot', CK_A>B, CK_B>A = HKDF(salt = PQroot, ikm = ss, "kinfolk/1 pq" | u32(e + 1) | SHA256(ek | ct), 96)`.
fn next_epoch(
    party: Party,
    root: &Key,
    epoch: u32,
    shared: &[u8; 32],
    key: &[u8; KEM_KEY],
    ciphertext: &[u8; KEM_CIPHERTEXT],
) -> NextEpoch {
    let number = epoch.saturating_add(1).to_be_bytes();
    let exchanged = sha256(&[key, ciphertext]);
    let [root, from_initiator, from_responder] =
        derive(root.as_bytes(), shared, &[Label::PqStep.as_bytes(), &number, &exchanged]);
    let (ours, theirs) = assign(party, from_initiator, from_responder);
    NextEpoch { root, ours, theirs }
}

fn assign(party: Party, from_initiator: Key, from_responder: Key) -> (ChainKey<Ours>, ChainKey<Theirs>) {
    match party {
        Party::Initiator => (ChainKey::new(from_initiator), ChainKey::new(from_responder)),
        Party::Responder => (ChainKey::new(from_responder), ChainKey::new(from_initiator)),
    }
}

fn expand(seed: &[Key; 2]) -> <MlKem768 as Kem>::Private {
    let mut bytes = Zeroizing::new([0; SEED]);
    for (chunk, half) in bytes.chunks_exact_mut(32).zip(seed) {
        chunk.copy_from_slice(half.as_bytes());
    }
    MlKem768::expand(&bytes)
}

/// Whether an offer or answer rides on the next message, the `sent`-th since it began.
fn rides(sent: &mut u32) -> bool {
    let number = *sent;
    *sent = number.saturating_add(1);
    number < EAGER || number % REPEAT == EAGER.saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_rides_on_four_messages_and_then_on_every_eighth() {
        let mut sent = 0;
        let riding: Vec<u32> = (1..=30).filter(|_| rides(&mut sent)).collect();
        assert_eq!(riding, [1, 2, 3, 4, 12, 20, 28]);
    }

    #[test]
    fn the_sides_take_turns_in_offering() {
        for epoch in 1..10 {
            assert_ne!(Party::Initiator.offers(epoch), Party::Responder.offers(epoch));
        }
        assert!(Party::Initiator.offers(1));
    }
}
