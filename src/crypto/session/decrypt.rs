//! Opening a message: header, key, body; only then is anything kept.

use zeroize::Zeroizing;

use kinfolk_wire::envelope::RatchetMessage;
use kinfolk_wire::time::Timestamp;

use super::{Session, State};
use crate::pad::content_length;
use crate::ratchet::chain_key::ChainKey;
use crate::ratchet::double_ratchet::{Turn, TurnError};
use crate::ratchet::header::Header;
use crate::ratchet::message_key::MessageSecret;
use crate::ratchet::root_key::Kinfolk;
use crate::ratchet::side::Theirs;
use crate::ratchet::skipped::{SkippedKey, SkippedKeyId, SkippedKeys};
use crate::ratchet::walk::Walk;
use crate::ratchet::{COUNTER_LIMIT, MAX_JUMP, MAX_SKIPPED};
use crate::secret::{SHALLOW, SecretBytes, wiping_stack};

/// What opening a message gives. All of it belongs into one commit.
#[derive(Debug)]
pub struct Decrypted {
    /// The session after this message, to be kept instead of the one before.
    pub session: Session,
    /// What the message says.
    pub plaintext: SecretBytes,
    /// Keys of messages that this one has overtaken, oldest first: to be stored under this session.
    pub store: Vec<SkippedKey>,
    /// Stored keys that were used or are given up: to be deleted.
    pub remove: Vec<SkippedKeyId>,
}

/// Why a message did not open. Nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecryptError {
    /// No key of this session opens it: it is of another session, was altered, or is so old that its key was given up.
    #[error("the message does not open in this session")]
    Unreadable,
    /// It was opened before.
    #[error("the message was opened before")]
    Duplicate,
    /// More messages are missing before it than the session bridges.
    #[error("{found} messages are missing before this one, a session bridges at most {limit}")]
    TooFarAhead {
        /// How many are missing in one chain.
        found: u32,
        /// How many may be.
        limit: u32,
    },
    /// Its header opens, but contradicts itself or what was received before: the other device was set back to an older
    /// copy of itself, or its program is wrong.
    #[error("the message contradicts what came before it")]
    Malformed,
}

/// Under which header key a header has opened.
enum Chain {
    Present,
    Next,
    Replaced { base: u32, length: u32 },
}

/// A message that is further than all before.
struct Ahead {
    ordinal: u32,
    double: Walk,
    turn: Option<Turn<Kinfolk>>,
    post_quantum: Walk,
}

impl Session {
    /// Opens a message 0x11; of a message 0x12 whose session this is, the message inside. `skipped` are the keys that
    /// are stored for this session.
    ///
    /// # Errors
    /// [`DecryptError`].
    pub fn decrypt(
        &self,
        now: Timestamp,
        message: &RatchetMessage<'_>,
        skipped: &dyn SkippedKeys,
    ) -> Result<Decrypted, DecryptError> {
        wiping_stack::<SHALLOW, _>(|| self.state.decrypt(now, message, skipped))
    }
}

/// A message with its associated data: `SID`, then everything before the body.
struct Sealed<'a> {
    message: &'a RatchetMessage<'a>,
    associated: Vec<u8>,
}

impl<'a> Sealed<'a> {
    fn new(session: &[u8; 32], message: &'a RatchetMessage<'a>) -> Self {
        Self { message, associated: [session, message.before_body()].concat() }
    }

    /// `SID | 0x11 | u16`.
    fn header_associated(&self) -> &[u8] {
        self.associated.get(..32 + 3).unwrap_or_default()
    }

    fn open_body(&self, secret: &MessageSecret) -> Result<SecretBytes, DecryptError> {
        let (ciphertext, tag) = self.message.sealed_body.split_last_chunk().ok_or(DecryptError::Unreadable)?;
        let mut body = Zeroizing::new(ciphertext.to_vec());
        secret
            .open(self.message.header_nonce, &self.associated, &mut body, tag)
            .map_err(|_| DecryptError::Unreadable)?;
        let length = content_length(&body).map_err(|_| DecryptError::Malformed)?;
        body.truncate(length);
        Ok(SecretBytes::new(std::mem::take(&mut *body)))
    }
}

impl State {
    fn decrypt(
        &self,
        now: Timestamp,
        message: &RatchetMessage<'_>,
        skipped: &dyn SkippedKeys,
    ) -> Result<Decrypted, DecryptError> {
        let sealed = Sealed::new(&self.id, message);
        let (header, chain) = self.open_header(&sealed)?;
        let ordinal = self.ordinal(&header, &chain)?;
        if ordinal < self.received {
            self.open_overtaken(now, &sealed, &header, ordinal, skipped)
        } else {
            self.open_ahead(now, &sealed, &header, ordinal, &chain, skipped)
        }
    }

    fn open_header(&self, sealed: &Sealed<'_>) -> Result<(Header, Chain), DecryptError> {
        let present = self.double.receiving().map(|receiving| (&receiving.header, Chain::Present));
        let next = (self.double.next_receive_header(), Chain::Next);
        let replaced = self.backlog.headers().map(|(key, base, length)| (key, Chain::Replaced { base, length }));
        for (key, chain) in present.into_iter().chain([next]).chain(replaced) {
            let nonce = sealed.message.header_nonce;
            if let Some(bytes) = key.open(nonce, sealed.header_associated(), sealed.message.sealed_header) {
                let header = Header::decode(&bytes).map_err(|_| DecryptError::Malformed)?;
                return Ok((header, chain));
            }
        }
        Err(DecryptError::Unreadable)
    }

    /// The place of a message among all that the other device has sent, checked against the limits before anything is
    /// derived.
    fn ordinal(&self, header: &Header, chain: &Chain) -> Result<u32, DecryptError> {
        let next = self.double.receiving().map_or(0, |receiving| receiving.next);
        let ordinal = match chain {
            Chain::Present => {
                check_jump(header.number.saturating_sub(next))?;
                (header.ratchet_key == *self.double.their_key())
                    .then(|| self.received.checked_sub(next)?.checked_add(header.number))
            }
            Chain::Next => {
                let rest = header.previous.checked_sub(next).ok_or(DecryptError::Malformed)?;
                check_jump(rest)?;
                check_jump(header.number)?;
                Some(self.received.checked_add(rest).and_then(|base| base.checked_add(header.number)))
            }
            Chain::Replaced { base, length } => (header.number < *length).then(|| base.checked_add(header.number)),
        };
        ordinal.flatten().filter(|ordinal| *ordinal < COUNTER_LIMIT).ok_or(DecryptError::Malformed)
    }

    fn open_overtaken(
        &self,
        now: Timestamp,
        sealed: &Sealed<'_>,
        header: &Header,
        ordinal: u32,
        skipped: &dyn SkippedKeys,
    ) -> Result<Decrypted, DecryptError> {
        let id = SkippedKeyId::new(ordinal);
        let gone = if self.backlog.is_forgotten(ordinal) { DecryptError::Unreadable } else { DecryptError::Duplicate };
        let key = skipped.find(&id).ok_or(gone)?;
        let secret = MessageSecret::from_bytes(&key).ok_or(DecryptError::Unreadable)?;
        let plaintext = sealed.open_body(&secret)?;

        let mut state = self.clone();
        state.opened(header, now);
        let remove = state.backlog.settle(Some(id), now, skipped);
        Ok(Decrypted { session: Session { state: Box::new(state) }, plaintext, store: Vec::new(), remove })
    }

    fn open_ahead(
        &self,
        now: Timestamp,
        sealed: &Sealed<'_>,
        header: &Header,
        ordinal: u32,
        chain: &Chain,
        skipped: &dyn SkippedKeys,
    ) -> Result<Decrypted, DecryptError> {
        let mut ahead = self.ahead(header, ordinal, chain)?;
        let (store, secret) = ahead.derive(self.received);
        let plaintext = sealed.open_body(&secret)?;

        let mut state = self.clone();
        state.keep(ahead, header);
        state.backlog.add(&store, now);
        state.opened(header, now);
        let remove = state.backlog.settle(None, now, skipped);
        Ok(Decrypted { session: Session { state: Box::new(state) }, plaintext, store, remove })
    }

    /// The way to a message that is further than all before, computed aside.
    fn ahead(&self, header: &Header, ordinal: u32, chain: &Chain) -> Result<Ahead, DecryptError> {
        let post_quantum = self.post_quantum.walk(header, self.received, ordinal).ok_or(DecryptError::Malformed)?;
        let receiving = self.double.receiving();
        let (double, turn) = match (chain, receiving) {
            (Chain::Present, Some(receiving)) => (Walk::along(receiving.chain.clone()), None),
            (Chain::Next, receiving) => {
                let (turn, chain) = self.double.turn(&header.ratchet_key).map_err(|error| match error {
                    // They have answered a ratchet key that this copy of our state has not made.
                    TurnError::NotTheirTurn | TurnError::NotOurTurn => DecryptError::Unreadable,
                    TurnError::LowOrder => DecryptError::Malformed,
                })?;
                let end = ordinal.checked_sub(header.number).ok_or(DecryptError::Malformed)?;
                let walk = match receiving {
                    Some(receiving) => Walk::across(receiving.chain.clone(), end, chain),
                    None if end == self.received => Walk::along(chain),
                    None => return Err(DecryptError::Malformed),
                };
                (walk, Some(turn))
            }
            (Chain::Present, None) | (Chain::Replaced { .. }, _) => return Err(DecryptError::Malformed),
        };
        Ok(Ahead { ordinal, double, turn, post_quantum })
    }

    fn keep(&mut self, ahead: Ahead, header: &Header) {
        let next = header.number.saturating_add(1);
        let chain: ChainKey<Theirs> = ahead.double.into_last();
        match ahead.turn {
            Some(turn) => {
                let received = self.double.receiving().map_or(0, |receiving| receiving.next);
                let base = self.received.saturating_sub(received);
                if let Some(before) = self.double.keep(turn, chain, next) {
                    self.backlog.replace_chain(before, base, header.previous);
                }
            }
            None => self.double.advance(chain, next),
        }
        self.post_quantum.keep(header, ahead.post_quantum.into_last());
        self.received = ahead.ordinal.saturating_add(1);
    }

    fn opened(&mut self, header: &Header, now: Timestamp) {
        self.init_prefix = None;
        self.post_quantum.opened(header, now);
    }
}

impl Ahead {
    /// The keys of the messages that are overtaken, of which the newest are kept, and that of the message itself.
    fn derive(&mut self, received: u32) -> (Vec<SkippedKey>, MessageSecret) {
        let missing = self.ordinal.saturating_sub(received);
        let mut store = Vec::with_capacity(usize::try_from(missing.min(MAX_SKIPPED)).unwrap_or_default());
        for ordinal in received..self.ordinal {
            let secret = self.next_secret(ordinal);
            if self.ordinal.saturating_sub(ordinal) <= MAX_SKIPPED {
                store.push(SkippedKey { id: SkippedKeyId::new(ordinal), key: secret.to_bytes() });
            }
        }
        let secret = self.next_secret(self.ordinal);
        (store, secret)
    }

    fn next_secret(&mut self, ordinal: u32) -> MessageSecret {
        let ec = self.double.next_key(ordinal);
        let pq = self.post_quantum.next_key(ordinal);
        MessageSecret::mix(&ec, &pq)
    }
}

const fn check_jump(found: u32) -> Result<(), DecryptError> {
    if found > MAX_JUMP { Err(DecryptError::TooFarAhead { found, limit: MAX_JUMP }) } else { Ok(()) }
}
