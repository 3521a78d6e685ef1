//! The chain key, `CK`: gives a message key and then the next chain key, never the one before.

use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use super::message_key::MessageKey;
use crate::kdf::Prf;
use crate::secret::Key;

const MESSAGE_KEY: &[u8] = &[0x01];
const NEXT: &[u8] = &[0x02];

/// A chain key of one side. It wipes when dropped.
#[derive(Clone, Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) struct ChainKey<S> {
    key: Key,
    side: PhantomData<S>,
}

impl<S> ChainKey<S> {
    pub(crate) const fn new(key: Key) -> Self {
        Self { key, side: PhantomData }
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    #[cfg(test)]
    pub(crate) fn key(&self) -> Key {
        self.key.clone()
    }

    /// `mk = HMAC(CK, 0x01)`, `CK' = HMAC(CK, 0x02)`; the old chain key is wiped.
    pub(crate) fn advance(&mut self) -> MessageKey {
        let prf = Prf::new(self.key.as_bytes());
        let message_key = MessageKey::new(prf.clone().over(&[MESSAGE_KEY]));
        self.key = prf.over(&[NEXT]);
        message_key
    }
}
