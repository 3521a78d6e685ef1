//! Sealing a message.

use rand_core::CryptoRng;

use kinfolk_wire::envelope::{RATCHET, RatchetMessage};
use kinfolk_wire::limits;
use kinfolk_wire::time::Timestamp;

use super::{Session, State};
use crate::aead::TAG;
use crate::pad::{pad_into, padded_length};
use crate::ratchet::COUNTER_LIMIT;
use crate::ratchet::double_ratchet::TurnError;
use crate::ratchet::header::Header;
use crate::ratchet::message_key::MessageSecret;
use crate::secret::{SHALLOW, wiping_stack};

/// Why a message was not sealed. The session has not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncryptError {
    /// It is too long.
    #[error("a message has at most {limit} bytes, this one has {found}")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
        /// Its length in bytes.
        found: usize,
    },
    /// The session has sent all that it can, 2^31 messages; another one is to be started.
    #[error("this session can send no more; another one is to be started")]
    Spent,
}

impl From<TurnError> for EncryptError {
    /// No session that a handshake made comes here: it has their key, which the handshake checked, and a turn.
    fn from(_: TurnError) -> Self {
        Self::Spent
    }
}

impl Session {
    /// Seals a plaintext of at most [`limits::PLAINTEXT`] bytes into a whole payload: a message 0x11, or 0x12 with the
    /// handshake in front until the first reply has opened. The session advances: it is to be stored before the payload
    /// leaves the device.
    ///
    /// # Errors
    /// [`EncryptError`].
    pub fn encrypt<R: CryptoRng + ?Sized>(
        &mut self,
        rng: &mut R,
        now: Timestamp,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, EncryptError> {
        if plaintext.len() > limits::PLAINTEXT {
            return Err(EncryptError::TooLong { limit: limits::PLAINTEXT, found: plaintext.len() });
        }
        wiping_stack::<SHALLOW, _>(|| self.state.encrypt(rng, now, plaintext))
    }
}

impl State {
    fn encrypt<R: CryptoRng + ?Sized>(
        &mut self,
        rng: &mut R,
        now: Timestamp,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, EncryptError> {
        if self.sent >= COUNTER_LIMIT {
            return Err(EncryptError::Spent);
        }
        let ec = self.double.next_key(rng)?;
        let pq = self.post_quantum.next_key(rng, now);
        self.sent = self.sent.saturating_add(1);
        let secret = MessageSecret::mix(&ec.key, &pq.key);
        let header = Header {
            ratchet_key: ec.ratchet_key,
            previous: ec.previous,
            number: ec.number,
            pq_epoch: pq.epoch,
            pq_previous: pq.previous,
            pq_number: pq.number,
            offer: pq.offer,
            answer: pq.answer,
        };
        let header_key = self.double.send_header().ok_or(EncryptError::Spent)?;
        let mut nonce = [0; 24];
        rng.fill_bytes(&mut nonce);

        let sealed_header = header.length().saturating_add(TAG);
        let before_body = RatchetMessage::PREFIX.saturating_add(sealed_header);
        let mut associated = Vec::with_capacity(self.id.len().saturating_add(before_body));
        associated.extend_from_slice(&self.id);
        associated.push(RATCHET);
        associated.extend_from_slice(&u16::try_from(sealed_header).unwrap_or(u16::MAX).to_be_bytes());
        let mut header_bytes = Vec::with_capacity(sealed_header);
        header.encode_into(&mut header_bytes);
        let header_tag = header_key.seal(&nonce, &associated, &mut header_bytes);
        for part in [&nonce[..], &header_bytes, &header_tag] {
            associated.extend_from_slice(part);
        }

        let prefix = self.init_prefix.as_deref().unwrap_or_default();
        let padded = padded_length(plaintext.len());
        let length =
            [prefix.len(), before_body, padded, TAG].iter().fold(0_usize, |sum, part| sum.saturating_add(*part));
        let mut out = Vec::with_capacity(length);
        out.extend_from_slice(prefix);
        out.extend(associated.iter().skip(self.id.len()));
        pad_into(plaintext, &mut out);
        let body_start = prefix.len().saturating_add(before_body);
        let body_tag = secret.seal(&nonce, &associated, out.get_mut(body_start..).unwrap_or_default());
        out.extend_from_slice(&body_tag);
        Ok(out)
    }
}
