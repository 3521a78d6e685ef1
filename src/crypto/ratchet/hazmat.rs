//! The double ratchet bare, without header encryption and without the post-quantum ratchet beside it, from any state
//! and under any label. For tests that compare it with other implementations; never for messages.

use rand_core::CryptoRng;

use super::chain_key::ChainKey;
use super::double_ratchet::{DoubleRatchet, Receiving, Sending};
use super::header_key::HeaderKey;
use super::root_key::RootKey;
pub use super::root_key::RootLabel;
use crate::dh::KeyPair;
use crate::secret::Key;

/// A double ratchet under the label of another protocol.
pub struct BareRatchet<L>(DoubleRatchet<L>);

/// A message key that was taken to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// The ratchet key of the message.
    pub ratchet_key: [u8; 32],
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
            sending: Sending::Active {
                root: RootKey::new(Key::new(root)),
                own,
                header: unused(),
                chain: ChainKey::new(Key::new(chain)),
                next: 0,
                previous: 0,
                next_header: unused(),
            },
            receiving: None,
            next_receive_header: unused(),
        })
    }

    /// The side that receives on that chain.
    #[must_use]
    pub fn receiving(root: [u8; 32], chain: [u8; 32], their_key: [u8; 32]) -> Self {
        Self(DoubleRatchet {
            their_key,
            sending: Sending::Due { root: RootKey::new(Key::new(root)), next_header: unused(), previous: 0 },
            receiving: Some(Receiving { header: unused(), chain: ChainKey::new(Key::new(chain)), next: 0 }),
            next_receive_header: unused(),
        })
    }

    /// Takes the next key to send; if our step is due, its private key is the next 32 bytes of `rng`.
    pub fn send<R: CryptoRng + ?Sized>(&mut self, rng: &mut R) -> Option<Sent> {
        let sent = self.0.next_key(rng).ok()?;
        Some(Sent { ratchet_key: sent.ratchet_key, number: sent.number, message_key: *sent.key.as_bytes() })
    }

    /// The message keys from the next expected up to message `number` of the chain of `their_key`.
    pub fn receive(&mut self, their_key: &[u8; 32], number: u32) -> Option<Vec<[u8; 32]>> {
        let receiving = self.0.receiving().filter(|_| their_key == self.0.their_key());
        let (turn, mut chain, next) = match receiving {
            Some(receiving) => (None, receiving.chain.clone(), receiving.next),
            None => {
                let (turn, chain) = self.0.turn(their_key).ok()?;
                (Some(turn), chain, 0)
            }
        };
        let keys = (next..=number).map(|_| *chain.advance().as_bytes()).collect();
        let after = number.saturating_add(1);
        match turn {
            Some(turn) => {
                self.0.keep(turn, chain, after);
            }
            None => self.0.advance(chain, after),
        }
        Some(keys)
    }

    /// Root key and chain key while this side sends.
    #[must_use]
    pub fn sending_state(&self) -> Option<([u8; 32], [u8; 32])> {
        match &self.0.sending {
            Sending::Active { root, chain, .. } => Some((*root.as_bytes(), *chain.as_bytes())),
            Sending::Prekey { .. } | Sending::Due { .. } => None,
        }
    }
}

fn unused<S>() -> HeaderKey<S> {
    HeaderKey::new(Key::new([0; 32]))
}
