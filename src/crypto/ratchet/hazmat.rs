//! The double ratchet bare, without header encryption and without the post-quantum ratchet beside it, from any state
//! and under any label. For tests that compare it with other implementations; never for messages.

use rand_core::CryptoRng;

use super::chain_key::ChainKey;
use super::double_ratchet::{Active, DoubleRatchet, Due, Receiving, Sending};
use super::header_key::HeaderKey;
use super::root_key::RootKey;
pub use super::root_key::RootLabel;
use super::side::Theirs;
use crate::dh::KeyPair;
use crate::secret::Key;

/// A double ratchet under the label of another protocol.
pub struct BareRatchet<L>(DoubleRatchet<L>);

/// A message key that was taken to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// The ratchet key of the message.
    pub ratchet_key: [u8; 32],
    /// How many messages the chain before had.
    pub previous: u32,
    /// Its number in the chain, from 0.
    pub number: u32,
    /// Its message key.
    pub message_key: [u8; 32],
}

impl<L: RootLabel> BareRatchet<L> {
    /// The side that sends: its first chain is `chain`, under `own`.
    #[must_use]
    pub fn sending(root: [u8; 32], chain: [u8; 32], own: KeyPair) -> Self {
        Self(DoubleRatchet {
            their_key: [0; 32],
            sending: Sending::Active(Box::new(Active {
                root: RootKey::new(Key::new(root)),
                own,
                header: unused(),
                chain: ChainKey::new(Key::new(chain)),
                next: 0,
                previous: 0,
                next_header: unused(),
            })),
            receiving: None,
            next_receive_header: unused(),
        })
    }

    /// The side that receives on that chain.
    #[must_use]
    pub fn receiving(root: [u8; 32], chain: [u8; 32], their_key: [u8; 32]) -> Self {
        Self(DoubleRatchet {
            their_key,
            sending: Sending::Due(Box::new(Due {
                root: RootKey::new(Key::new(root)),
                next_header: unused(),
                previous: 0,
            })),
            receiving: Some(Box::new(Receiving { header: unused(), chain: ChainKey::new(Key::new(chain)), next: 0 })),
            next_receive_header: unused(),
        })
    }

    /// Takes the next key to send; if our step is due, its private key is the next 32 bytes of `rng`.
    pub fn send<R: CryptoRng + ?Sized>(&mut self, rng: &mut R) -> Option<Sent> {
        let sent = self.0.next_key(rng).ok()?;
        let message_key = *sent.key.as_bytes();
        Some(Sent { ratchet_key: sent.ratchet_key, previous: sent.previous, number: sent.number, message_key })
    }

    /// The message keys up to message `number` of the chain of `their_key`: first those that the chain before still
    /// owes, if this one is new and that had `previous` messages, then those of this one.
    pub fn receive(&mut self, their_key: &[u8; 32], previous: u32, number: u32) -> Option<[Vec<[u8; 32]>; 2]> {
        let after = number.saturating_add(1);
        if their_key == self.0.their_key() && self.0.receiving().is_some() {
            let (keys, chain) = self.rest(after)?;
            self.0.advance(chain, after);
            return Some([Vec::new(), keys]);
        }
        let owed = self.rest(previous).map(|(keys, _)| keys).unwrap_or_default();
        let (turn, mut chain) = self.0.turn(their_key).ok()?;
        let keys = (0..after).map(|_| *chain.advance().as_bytes()).collect();
        self.0.keep(turn, chain, after);
        Some([owed, keys])
    }

    fn rest(&self, until: u32) -> Option<(Vec<[u8; 32]>, ChainKey<Theirs>)> {
        let receiving = self.0.receiving()?;
        let mut chain = receiving.chain.clone();
        Some(((receiving.next..until).map(|_| *chain.advance().as_bytes()).collect(), chain))
    }

    /// Root key and chain key while this side sends.
    #[must_use]
    pub fn sending_state(&self) -> Option<([u8; 32], [u8; 32])> {
        match &self.0.sending {
            Sending::Active(active) => Some((*active.root.as_bytes(), *active.chain.as_bytes())),
            Sending::Prekey(_) | Sending::Due(_) => None,
        }
    }
}

fn unused<S>() -> HeaderKey<S> {
    HeaderKey::new(Key::new([0; 32]))
}
