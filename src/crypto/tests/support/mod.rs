//! Two people with one device each, and the ways in which tests let them talk.
#![allow(dead_code, reason = "each test binary uses its own part of this")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says so by failing")]

use kinfolk_crypto::{
    Accepted, DecryptError, DeviceKeys, HandshakeError, Initiated, LastResortSecret, LocalDevice, MemorySkippedKeys,
    OneTimePrekeySecret, RecoveryKey, RecoveryPhrase, ResponderPrekeys, SecretBytes, Session, Sigchain,
    SignedPrekeySecret, VerifiedBundle, VerifiedOneTimePrekey, initiate, respond, sign_bundle, sign_one_time_prekey,
};
use kinfolk_wire::bundle::{OneTimePrekey, PrekeyBundle, PrekeyId};
use kinfolk_wire::envelope::{InitMessage, Payload, RatchetMessage};
use kinfolk_wire::ids::InviteId;
use kinfolk_wire::sigchain::DeviceCertificate;
use kinfolk_wire::time::{Span, Timestamp};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// A person with one device and its prekeys.
pub(crate) struct Person {
    pub(crate) keys: DeviceKeys,
    pub(crate) chain: Sigchain,
    pub(crate) signed: SignedPrekeySecret,
    pub(crate) last_resort: LastResortSecret,
    pub(crate) one_time: OneTimePrekeySecret,
}

impl Person {
    pub(crate) fn new(rng: &mut ChaCha20Rng) -> Self {
        let recovery = RecoveryKey::from_phrase(&RecoveryPhrase::generate(rng));
        let keys = DeviceKeys::generate(rng);
        let chain = Sigchain::found(&recovery, &keys, vec![1, 2, 3], NOW);
        Self {
            keys,
            chain,
            signed: SignedPrekeySecret::generate(PrekeyId(7), rng),
            last_resort: LastResortSecret::generate(PrekeyId(8), rng),
            one_time: OneTimePrekeySecret::generate(PrekeyId(9), rng),
        }
    }

    pub(crate) fn local(&self) -> LocalDevice<'_> {
        LocalDevice { identity: self.chain.identity(), keys: &self.keys }
    }

    pub(crate) fn certificate(&self) -> &DeviceCertificate {
        &self.chain.devices()[0]
    }

    pub(crate) fn bundle(&self) -> PrekeyBundle {
        let (from, to) = (NOW.before(Span::from_days(1)), NOW.after(Span::from_days(7)));
        sign_bundle(&self.keys, self.chain.identity(), &self.signed, &self.last_resort, from, to, self.chain.head())
    }

    pub(crate) fn verified(&self) -> VerifiedBundle {
        VerifiedBundle::verify(&self.bundle(), &self.chain, NOW).unwrap()
    }

    pub(crate) fn one_time_wire(&self) -> OneTimePrekey {
        sign_one_time_prekey(&self.keys, &self.one_time)
    }

    pub(crate) fn verified_one_time(&self) -> VerifiedOneTimePrekey {
        VerifiedOneTimePrekey::verify(&self.one_time_wire(), &self.verified()).unwrap()
    }

    /// Begins a session with another person, with their one-time pair or without.
    pub(crate) fn begin(
        &self,
        rng: &mut ChaCha20Rng,
        with: &Self,
        one_time: bool,
        invite: Option<InviteId>,
    ) -> Initiated {
        let one_time = one_time.then(|| with.verified_one_time());
        initiate(rng, NOW, self.local(), &with.verified(), one_time.as_ref(), invite).unwrap()
    }

    /// Answers with all prekeys there are.
    pub(crate) fn answer(
        &self,
        from: &Self,
        payload: &[u8],
        invite: Option<InviteId>,
    ) -> Result<Accepted, HandshakeError> {
        let prekeys = ResponderPrekeys {
            signed: &self.signed,
            last_resort: Some(&self.last_resort),
            one_time: Some(&self.one_time),
        };
        let init = InitMessage::decode(payload).unwrap();
        respond(NOW, self.local(), prekeys, from.chain.identity(), from.certificate(), invite, &init)
    }
}

/// One end of a session with the keys that its device stores.
pub(crate) struct End {
    pub(crate) session: Session,
    pub(crate) skipped: MemorySkippedKeys,
}

impl End {
    pub(crate) fn new(session: Session) -> Self {
        Self { session, skipped: MemorySkippedKeys::new() }
    }

    pub(crate) fn send(&mut self, rng: &mut ChaCha20Rng, text: &[u8]) -> Vec<u8> {
        self.send_at(rng, NOW, text)
    }

    pub(crate) fn send_at(&mut self, rng: &mut ChaCha20Rng, now: Timestamp, text: &[u8]) -> Vec<u8> {
        self.session.encrypt(rng, now, text).unwrap()
    }

    pub(crate) fn receive(&mut self, payload: &[u8]) -> Result<SecretBytes, DecryptError> {
        self.receive_at(NOW, payload)
    }

    pub(crate) fn receive_at(&mut self, now: Timestamp, payload: &[u8]) -> Result<SecretBytes, DecryptError> {
        let opened = self.session.decrypt(now, &message(payload), &self.skipped)?;
        self.session = opened.session;
        self.skipped.apply(opened.store, &opened.remove);
        Ok(opened.plaintext)
    }

    /// As after a restart: from its stored bytes.
    pub(crate) fn restart(&mut self) {
        self.session = Session::from_bytes(self.session.to_bytes().as_slice()).unwrap();
    }
}

/// No skipped keys.
pub(crate) fn none() -> MemorySkippedKeys {
    MemorySkippedKeys::new()
}

/// The ratchet message of a payload, with or without a handshake in front.
pub(crate) fn message(payload: &[u8]) -> RatchetMessage<'_> {
    match Payload::decode(payload).unwrap() {
        Payload::Ratchet(message) => message,
        Payload::Init(init) => init.message,
    }
}

/// Alice and Bob after Alice's first message has opened.
pub(crate) fn talking(rng: &mut ChaCha20Rng) -> (End, End) {
    let (alice, bob) = (Person::new(rng), Person::new(rng));
    let mut ours = End::new(alice.begin(rng, &bob, true, None).session);
    let first = ours.send(rng, b"hello");
    let accepted = bob.answer(&alice, &first, None).unwrap();
    assert_eq!(accepted.plaintext.as_slice(), b"hello");
    (ours, End::new(accepted.session))
}
