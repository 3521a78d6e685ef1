//! The double ratchet: whose turn it is, and on which chains the two sides send.
//!
//! Our step is put off until there is something to send: then its ratchet key is fresh, and opening a message needs no
//! randomness.

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};

use super::chain_key::ChainKey;
use super::header_key::HeaderKey;
use super::message_key::MessageKey;
use super::root_key::{RootKey, RootLabel, Step};
use super::side::{Ours, Theirs};
use crate::dh::{KeyPair, LowOrderKey};
use crate::secret::Key;

/// One side's double ratchet. Its field order is part of the stored form of a session.
#[derive(Clone, Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) struct DoubleRatchet<L> {
    /// `DHr`.
    pub(super) their_key: [u8; 32],
    pub(super) sending: Sending<L>,
    pub(super) receiving: Option<Box<Receiving>>,
    /// `NHKr`.
    pub(super) next_receive_header: HeaderKey<Theirs>,
}

/// Each on the heap by itself: in one place for all of them, what a shorter one leaves free holds whatever bytes were
/// copied with it, and nothing wipes those.
#[derive(Clone, Serialize, Deserialize)]
#[serde(bound = "")]
pub(super) enum Sending<L> {
    /// The responder before the first message: its signed prekey stands for a ratchet key.
    Prekey(Box<Prekey<L>>),
    /// Our newest ratchet key is out, and its chain in use.
    Active(Box<Active<L>>),
    /// They have answered our newest ratchet key; before we send, we make another.
    Due(Box<Due<L>>),
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(bound = "")]
pub(super) struct Prekey<L> {
    root: RootKey<Ours, L>,
    own: KeyPair,
    next_header: HeaderKey<Ours>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(bound = "")]
pub(super) struct Active<L> {
    pub(super) root: RootKey<Ours, L>,
    pub(super) own: KeyPair,
    pub(super) header: HeaderKey<Ours>,
    pub(super) chain: ChainKey<Ours>,
    pub(super) next: u32,
    pub(super) previous: u32,
    pub(super) next_header: HeaderKey<Ours>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(bound = "")]
pub(super) struct Due<L> {
    pub(super) root: RootKey<Theirs, L>,
    pub(super) next_header: HeaderKey<Ours>,
    pub(super) previous: u32,
}

/// Their chain, as far as we have received it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Receiving {
    /// `HKr`.
    pub(crate) header: HeaderKey<Theirs>,
    pub(crate) chain: ChainKey<Theirs>,
    /// The number of the next message.
    pub(crate) next: u32,
}

/// What a message to be sent takes from this ratchet.
pub(crate) struct SendKey {
    pub(crate) ratchet_key: [u8; 32],
    pub(crate) previous: u32,
    pub(crate) number: u32,
    pub(crate) key: MessageKey,
}

/// Their step, computed aside.
pub(crate) struct Turn<L> {
    their_key: [u8; 32],
    root: RootKey<Theirs, L>,
    next_header: HeaderKey<Theirs>,
}

/// Why the ratchet does not turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TurnError {
    /// It is not that side's turn: no honest device sends such a message.
    NotTheirTurn,
    /// Nothing was received yet, so there is no chain to send on.
    NotOurTurn,
    /// Their ratchet key is of low order.
    LowOrder,
}

impl From<LowOrderKey> for TurnError {
    fn from(LowOrderKey: LowOrderKey) -> Self {
        Self::LowOrder
    }
}

impl<L: RootLabel> DoubleRatchet<L> {
    /// The initiator's: `DHr` is their signed prekey, and ours is the first step, taken here.
    pub(crate) fn initiate<R: CryptoRng + ?Sized>(
        rng: &mut R,
        root: &Key,
        send_header: &Key,
        receive_header: &Key,
        their_prekey: &[u8; 32],
    ) -> Result<Self, LowOrderKey> {
        let mut ratchet = Self {
            their_key: *their_prekey,
            sending: Sending::Due(Box::new(Due {
                root: RootKey::new(root.clone()),
                next_header: HeaderKey::new(send_header.clone()),
                previous: 0,
            })),
            receiving: None,
            next_receive_header: HeaderKey::new(receive_header.clone()),
        };
        ratchet.step(rng)?;
        Ok(ratchet)
    }

    /// The responder's: theirs is the first step.
    pub(crate) fn respond(root: &Key, send_header: &Key, receive_header: &Key, prekey: KeyPair) -> Self {
        Self {
            their_key: [0; 32],
            sending: Sending::Prekey(Box::new(Prekey {
                root: RootKey::new(root.clone()),
                own: prekey,
                next_header: HeaderKey::new(send_header.clone()),
            })),
            receiving: None,
            next_receive_header: HeaderKey::new(receive_header.clone()),
        }
    }

    /// The key of the next message, after our step if it is due. An error changes nothing.
    ///
    /// # Errors
    /// [`TurnError::NotOurTurn`], [`TurnError::LowOrder`].
    pub(crate) fn next_key<R: CryptoRng + ?Sized>(&mut self, rng: &mut R) -> Result<SendKey, TurnError> {
        self.step(rng)?;
        match &mut self.sending {
            Sending::Active(active) => {
                let number = active.next;
                active.next = number.saturating_add(1);
                let key = active.chain.advance();
                Ok(SendKey { ratchet_key: *active.own.public(), previous: active.previous, number, key })
            }
            Sending::Prekey(_) | Sending::Due(_) => Err(TurnError::NotOurTurn),
        }
    }

    fn step<R: CryptoRng + ?Sized>(&mut self, rng: &mut R) -> Result<(), LowOrderKey> {
        let Sending::Due(due) = &self.sending else {
            return Ok(());
        };
        let own = KeyPair::generate(rng);
        let Step { root, chain, next_header: after } = due.root.send(&own, &self.their_key)?;
        self.sending = Sending::Active(Box::new(Active {
            root,
            own,
            header: due.next_header.clone(),
            chain,
            next: 0,
            previous: due.previous,
            next_header: after,
        }));
        Ok(())
    }

    /// Their step with a new ratchet key, and the chain it begins, computed aside.
    ///
    /// # Errors
    /// [`TurnError::NotTheirTurn`], [`TurnError::LowOrder`].
    pub(crate) fn turn(&self, their_key: &[u8; 32]) -> Result<(Turn<L>, ChainKey<Theirs>), TurnError> {
        let (root, own) = match &self.sending {
            Sending::Prekey(prekey) => (&prekey.root, &prekey.own),
            Sending::Active(active) => (&active.root, &active.own),
            Sending::Due(_) => return Err(TurnError::NotTheirTurn),
        };
        let Step { root, chain, next_header } = root.receive(own, their_key)?;
        Ok((Turn { their_key: *their_key, root, next_header }, chain))
    }

    /// Keeps their step, with its chain advanced to `next`. Our ratchet key has served and is wiped. Returns the header
    /// key of their chain before: messages of it may still come.
    pub(crate) fn keep(&mut self, turn: Turn<L>, chain: ChainKey<Theirs>, next: u32) -> Option<HeaderKey<Theirs>> {
        let (next_header, previous) = match &self.sending {
            Sending::Prekey(prekey) => (prekey.next_header.clone(), 0),
            Sending::Active(active) => (active.next_header.clone(), active.next),
            Sending::Due(due) => (due.next_header.clone(), due.previous),
        };
        let header = std::mem::replace(&mut self.next_receive_header, turn.next_header);
        self.their_key = turn.their_key;
        self.sending = Sending::Due(Box::new(Due { root: turn.root, next_header, previous }));
        self.receiving.replace(Box::new(Receiving { header, chain, next })).map(|before| before.header.clone())
    }

    /// Keeps their present chain, advanced to `next`.
    pub(crate) fn advance(&mut self, chain: ChainKey<Theirs>, next: u32) {
        if let Some(receiving) = &mut self.receiving {
            receiving.chain = chain;
            receiving.next = next;
        }
    }

    /// `HKs`, once something was sent.
    pub(crate) const fn send_header(&self) -> Option<&HeaderKey<Ours>> {
        match &self.sending {
            Sending::Active(active) => Some(&active.header),
            Sending::Prekey(_) | Sending::Due(_) => None,
        }
    }

    pub(crate) fn receiving(&self) -> Option<&Receiving> {
        self.receiving.as_deref()
    }

    pub(crate) const fn next_receive_header(&self) -> &HeaderKey<Theirs> {
        &self.next_receive_header
    }

    /// All keys that are secret.
    #[cfg(test)]
    pub(crate) fn secrets(&self) -> Vec<Key> {
        // It never grows, so no copy of a key is left behind.
        let mut secrets = Vec::with_capacity(16);
        let mut add = |key: &[u8; 32]| secrets.push(Key::new(*key));
        add(self.next_receive_header.as_bytes());
        match &self.sending {
            Sending::Prekey(it) => {
                [it.root.as_bytes(), it.own.secret(), it.next_header.as_bytes()].into_iter().for_each(add);
            }
            Sending::Active(it) => {
                let keys = [it.root.as_bytes(), it.own.secret(), it.header.as_bytes(), it.chain.as_bytes()];
                keys.into_iter().chain([it.next_header.as_bytes()]).for_each(add);
            }
            Sending::Due(it) => [it.root.as_bytes(), it.next_header.as_bytes()].into_iter().for_each(add),
        }
        if let Some(receiving) = &self.receiving {
            secrets.extend([receiving.header.as_bytes(), receiving.chain.as_bytes()].map(|key| Key::new(*key)));
        }
        secrets
    }

    pub(crate) const fn their_key(&self) -> &[u8; 32] {
        &self.their_key
    }
}
