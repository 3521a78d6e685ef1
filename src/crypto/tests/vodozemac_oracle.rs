//! The same ratchet, turned under Olm's label, gives byte for byte the keys of vodozemac's Olm sessions.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test says so by failing"
)]

use kinfolk_crypto::dh::KeyPair;
use kinfolk_crypto::ratchet::hazmat::{BareRatchet, RootLabel, Sent};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng, TryCryptoRng, TryRng};
use std::convert::Infallible;
use vodozemac::olm::{Account, Message, OlmMessage, RatchetPublicKey, Session, SessionConfig};

#[derive(Clone, Copy)]
enum Olm {}

impl RootLabel for Olm {
    const ROOT: &'static [u8] = b"OLM_RATCHET";
}

/// Gives the private ratchet key that vodozemac has drawn.
struct Drawn([u8; 32]);

impl TryRng for Drawn {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("a ratchet key is 32 bytes")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("a ratchet key is 32 bytes")
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        out.copy_from_slice(&self.0);
        Ok(())
    }
}

impl TryCryptoRng for Drawn {}

/// A message on its way, with the key that its sender's ratchets gave.
struct Flying {
    message: Message,
    sent: Sent,
}

struct Side {
    olm: Session,
    ours: BareRatchet<Olm>,
    /// Message keys that our ratchet has given and whose message has not come.
    waiting: Vec<([u8; 32], u32, [u8; 32])>,
    /// Their present chain, and the number of the next message on it.
    received: ([u8; 32], u32),
}

impl Side {
    /// Both take the next key to send, and must take the same.
    fn send(&mut self) -> Flying {
        let key = self.olm.next_message_key().unwrap();
        let state = self.olm.active_sending_state().unwrap();
        let sent = self.ours.send(&mut Drawn(*state.ratchet_key)).unwrap();
        assert_eq!(&sent.message_key, key.key());
        assert_eq!(RatchetPublicKey::from(sent.ratchet_key), key.ratchet_key());
        assert_eq!(u64::from(sent.number), key.index());
        assert_eq!(self.ours.sending_state(), Some((*state.root_key, *state.chain_key)));
        Flying { message: key.encrypt_truncated_mac(b"the text"), sent }
    }

    /// vodozemac opens it, and our ratchet gives the key it was sealed under.
    fn receive(&mut self, flying: &Flying) {
        let opened = self.olm.decrypt(&OlmMessage::Normal(flying.message.clone())).unwrap();
        assert_eq!(opened, b"the text");
        let Sent { ratchet_key, previous, number, message_key } = flying.sent;
        let waits = |(key, at, _): &([u8; 32], u32, [u8; 32])| (*key, *at) == (ratchet_key, number);
        if let Some(at) = self.waiting.iter().position(waits) {
            assert_eq!(self.waiting.remove(at).2, message_key);
            return;
        }
        let [owed, mut keys] = self.ours.receive(&ratchet_key, previous, number).unwrap();
        let (before, next) = self.received;
        let first = if before == ratchet_key { next } else { 0 };
        self.waiting.extend((next..).zip(owed).map(|(at, key)| (before, at, key)));
        assert_eq!(keys.pop(), Some(message_key));
        self.waiting.extend((first..).zip(keys).map(|(at, key)| (ratchet_key, at, key)));
        self.received = (ratchet_key, number + 1);
    }
}

fn sides() -> [Side; 2] {
    let (alice, mut bob) = (Account::new(), Account::new());
    let one_time = bob.generate_one_time_keys(1).created[0];
    let config = SessionConfig::version_1();
    let mut ours = alice.create_outbound_session(config, bob.identity_keys().curve25519, one_time).unwrap();
    let state = ours.active_sending_state().unwrap();
    let OlmMessage::PreKey(first) = ours.encrypt(b"first").unwrap() else { unreachable!("a first message") };
    let inbound = bob.create_inbound_session(config, alice.identity_keys().curve25519, &first).unwrap();

    let own = KeyPair::from_secret(*state.ratchet_key);
    let their_key = *own.public();
    let mut sending = BareRatchet::sending(*state.root_key, *state.chain_key, own);
    let mut receiving = BareRatchet::receiving(*state.root_key, *state.chain_key, their_key);
    let sent = sending.send(&mut Drawn([0; 32])).unwrap();
    assert_eq!(receiving.receive(&their_key, 0, 0).unwrap(), [vec![], vec![sent.message_key]]);
    let side = |olm, ours, received| Side { olm, ours, waiting: Vec::new(), received };
    [side(ours, sending, ([0; 32], 0)), side(inbound.session, receiving, (their_key, 1))]
}

#[test]
fn root_chain_and_message_keys_are_those_of_vodozemac_over_random_interleavings() {
    let mut steps = 0;
    for seed in 0..60 {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut sides = sides();
        let mut flying: [Vec<Flying>; 2] = [Vec::new(), Vec::new()];
        for _ in 0..80 {
            let choice = rng.next_u32();
            let side = usize::from(choice & 1 == 1);
            let other = 1 - side;
            // vodozemac keeps five chains: nothing is held back longer than a few turns.
            if choice & 6 != 0 && flying[side].len() < 6 {
                let message = sides[side].send();
                flying[side].push(message);
            } else {
                let mut batch = std::mem::take(&mut flying[other]);
                while !batch.is_empty() {
                    let at = usize::try_from(rng.next_u32()).unwrap() % batch.len();
                    let message = batch.remove(at);
                    sides[side].receive(&message);
                }
            }
            steps += 1;
        }
    }
    assert!(steps >= 4_000, "{steps}");
}

#[test]
fn another_label_gives_other_keys() {
    #[derive(Clone, Copy)]
    enum Other {}
    impl RootLabel for Other {
        const ROOT: &'static [u8] = b"OLM_RATCHEt";
    }
    let own = KeyPair::from_secret([1; 32]);
    let their_key = *KeyPair::from_secret([2; 32]).public();
    let mut olm = BareRatchet::<Olm>::sending([3; 32], [4; 32], own.clone());
    let mut other = BareRatchet::<Other>::sending([3; 32], [4; 32], own);
    assert_ne!(olm.receive(&their_key, 0, 0), other.receive(&their_key, 0, 0));
}
