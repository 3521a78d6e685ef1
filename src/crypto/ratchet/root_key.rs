//! The root key, `RK`: each Diffie-Hellman step mixes a new shared secret into it.

use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use super::chain_key::ChainKey;
use super::header_key::HeaderKey;
use super::side::{Ours, Theirs};
use crate::dh::{KeyPair, LowOrderKey};
use crate::kdf::derive;
use crate::label::Label;
use crate::secret::Key;

/// The label of the root step: a parameter, so that a test can turn the same ratchet under another protocol's label and
/// compare it with that protocol byte for byte.
pub trait RootLabel: Clone {
    /// The HKDF info.
    const ROOT: &'static [u8];
}

/// Our own label.
#[derive(Clone, Copy)]
pub(crate) enum Kinfolk {}

impl RootLabel for Kinfolk {
    const ROOT: &'static [u8] = Label::Root.as_bytes();
}

/// A root key after a step of side `S`: the next step is the other side's. It wipes when dropped.
#[derive(Clone, Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) struct RootKey<S, L> {
    key: Key,
    side: PhantomData<(S, L)>,
}

/// What a step gives: the next root, a chain, and the header key of the chain after that one.
pub(crate) struct Step<S, L> {
    pub(crate) root: RootKey<S, L>,
    pub(crate) chain: ChainKey<S>,
    pub(crate) next_header: HeaderKey<S>,
}

impl<S, L> RootKey<S, L> {
    pub(crate) const fn new(key: Key) -> Self {
        Self { key, side: PhantomData }
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }
}

impl<L: RootLabel> RootKey<Theirs, L> {
    /// Our step, with our new ratchet key.
    pub(crate) fn send(&self, own: &KeyPair, their_key: &[u8; 32]) -> Result<Step<Ours, L>, LowOrderKey> {
        step::<_, L>(&self.key, own, their_key)
    }
}

impl<L: RootLabel> RootKey<Ours, L> {
    /// Their step, with their new ratchet key.
    pub(crate) fn receive(&self, own: &KeyPair, their_key: &[u8; 32]) -> Result<Step<Theirs, L>, LowOrderKey> {
        step::<_, L>(&self.key, own, their_key)
    }
}

/// `(RK', CK, NHK) = HKDF(salt = RK, ikm = DH, label, 96)`.
fn step<S, L: RootLabel>(root: &Key, own: &KeyPair, their_key: &[u8; 32]) -> Result<Step<S, L>, LowOrderKey> {
    let shared = own.agree(their_key)?;
    let [root, chain, header] = derive(root.as_bytes(), shared.as_bytes(), &[L::ROOT]);
    Ok(Step { root: RootKey::new(root), chain: ChainKey::new(chain), next_header: HeaderKey::new(header) })
}
