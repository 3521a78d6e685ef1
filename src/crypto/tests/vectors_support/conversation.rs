//! Page 4: one session from its first message on, with every turn that a network can give it.

use std::collections::VecDeque;

use kinfolk_crypto::kdf::sha256;
use kinfolk_crypto::{
    DecryptError, LocalDevice, MemorySkippedKeys, ResponderPrekeys, Session, VerifiedBundle, VerifiedOneTimePrekey,
    initiate, respond,
};
use kinfolk_wire::envelope::{Payload, RatchetMessage};
use kinfolk_wire::time::{Span, Timestamp};
use serde_json::{Value, json};

use super::handshake::Prekeyed;
use super::{BEGINNING, Person, Transcript, hex};

const MESSAGES: usize = 300;
/// From here on each side speaks once without an answer for so long that offers and answers are repeated.
const MONOLOGUES: usize = 70;
const MONOLOGUE: usize = 30;

/// One of the two devices, and what is on its way to it.
struct Device {
    name: &'static str,
    session: Option<Session>,
    skipped: MemorySkippedKeys,
    coming: VecDeque<usize>,
}

impl Device {
    const fn new(name: &'static str, session: Option<Session>) -> Self {
        Self { name, session, skipped: MemorySkippedKeys::new(), coming: VecDeque::new() }
    }
}

struct World {
    rng: Transcript,
    anna: Person,
    bela: Prekeyed,
    devices: [Device; 2],
    messages: Vec<(Vec<u8>, Vec<u8>)>,
    events: Vec<Value>,
    now: Timestamp,
    overtaken: usize,
}

pub(crate) fn make() -> Value {
    let mut rng = Transcript::of("conversation");
    let anna = Person::new(&mut rng);
    let bela = Person::new(&mut rng);
    let bela = Prekeyed::new(&mut rng, bela);
    let bundle = VerifiedBundle::verify(&bela.bundle, &bela.person.chain, BEGINNING).unwrap();
    let one_time = VerifiedOneTimePrekey::verify(&bela.one_time_wire(), &bundle).unwrap();
    let ours = LocalDevice { identity: anna.chain.identity(), keys: &anna.keys };
    rng.drawn();
    let made = initiate(&mut rng, BEGINNING, ours, &bundle, Some(&one_time), None).unwrap();
    let drawn_to_initiate = rng.drawn();
    let devices = [Device::new("a", Some(made.session)), Device::new("b", None)];
    let mut world = World { rng, anna, bela, devices, messages: vec![], events: vec![], now: BEGINNING, overtaken: 0 };
    world.talk();
    assert!(world.overtaken >= 20, "only {} messages were overtaken", world.overtaken);
    json!({
        "initiator": world.anna.secrets(),
        "responder": world.bela.secrets(),
        "began": BEGINNING.as_millis(),
        "drawn_to_initiate": drawn_to_initiate,
        "events": world.events,
    })
}

/// A number below `below` that depends on `at` and on what it is for.
fn choice(at: usize, what: &str, below: usize) -> usize {
    let hash = sha256(&[b"schedule", &(at as u64).to_be_bytes(), what.as_bytes()]);
    usize::from(u16::from_be_bytes([hash[0], hash[1]])) % below
}

impl World {
    /// Bursts of one to six messages in turn, and two long ones; some arrive at once, some late, some never.
    fn talk(&mut self) {
        let (mut side, mut left) = (0, 3);
        let mut monologues = [false; 2];
        for at in 0..MESSAGES {
            if left == 0 {
                side = 1 - side;
                left = 1 + choice(at, "burst", 6);
                // The one who offers first, then the one who answers.
                if at >= MONOLOGUES && !monologues[side] && (side == 0 || monologues[0]) {
                    (left, monologues[side]) = (MONOLOGUE, true);
                }
                self.arrive(1 - side, choice(at, "backlog", 4));
                if self.devices[side].session.is_none() {
                    self.arrive(side, usize::MAX);
                }
            }
            left -= 1;
            // A day passes once, so that an epoch ends by its age.
            self.now = self.now.after(if at == 200 { Span::from_hours(25) } else { Span::from_secs(60) });
            let message = self.seal(side, at);
            match choice(at, "fate", 8) {
                0 if at > 3 => {}
                1 | 2 => self.devices[1 - side].coming.push_back(message),
                3 => self.devices[1 - side].coming.push_front(message),
                _ => {
                    self.open(1 - side, message);
                    if choice(at, "again", 10) == 0 {
                        self.refuse(1 - side, message, None);
                    }
                }
            }
            if choice(at, "altered", 12) == 0 {
                self.refuse(1 - side, message, Some(choice(at, "place", 1 << 16)));
            }
            self.arrive(1 - side, choice(at, "late", 5) / 4);
        }
        for side in [0, 1] {
            self.arrive(side, usize::MAX);
        }
    }

    fn arrive(&mut self, side: usize, count: usize) {
        for _ in 0..count {
            let Some(message) = self.devices[side].coming.pop_back() else { return };
            self.open(side, message);
        }
    }

    fn seal(&mut self, side: usize, at: usize) -> usize {
        let plaintext = format!("message {at}").repeat(1 + choice(at, "length", 40)).into_bytes();
        let device = &mut self.devices[side];
        let message = device.session.as_mut().unwrap().encrypt(&mut self.rng, self.now, &plaintext).unwrap();
        let number = self.messages.len();
        self.events.push(json!({
            "act": "seal",
            "by": device.name,
            "number": number,
            "now": self.now.as_millis(),
            "drawn": self.rng.drawn(),
            "plaintext": hex(&plaintext),
            "message": hex(&message),
        }));
        self.messages.push((message, plaintext));
        number
    }

    fn open(&mut self, side: usize, number: usize) {
        let (bytes, plaintext) = self.messages[number].clone();
        let device = &mut self.devices[side];
        let opened = match (&device.session, Payload::decode(&bytes).unwrap()) {
            (Some(session), payload) => {
                let opened = session.decrypt(self.now, &inner(payload), &device.skipped).unwrap();
                self.overtaken += opened.store.len();
                device.skipped.apply(opened.store, &opened.remove);
                (opened.session, opened.plaintext)
            }
            (None, Payload::Init(init)) => {
                let prekeys = ResponderPrekeys {
                    signed: &self.bela.signed,
                    last_resort: None,
                    one_time: Some(&self.bela.one_time),
                };
                let (local, theirs) = (self.bela.local(), &self.anna.chain.devices()[0]);
                let accepted =
                    respond(self.now, local, prekeys, self.anna.chain.identity(), theirs, None, &init).unwrap();
                self.overtaken += accepted.store.len();
                device.skipped.apply(accepted.store, &[]);
                (accepted.session, accepted.plaintext)
            }
            (None, Payload::Ratchet(_)) => panic!("a message without a session"),
        };
        assert_eq!(opened.1.as_slice(), plaintext, "message {number}");
        device.session = Some(opened.0);
        self.events.push(json!({
            "act": "open", "by": device.name, "number": number, "now": self.now.as_millis(),
        }));
    }

    /// A message that must not open: one that did before, or one of which a bit was changed.
    fn refuse(&mut self, side: usize, number: usize, place: Option<usize>) {
        let mut bytes = self.messages[number].0.clone();
        let device = &mut self.devices[side];
        let Some(session) = &device.session else { return };
        let (act, place) = match place {
            Some(place) => {
                // Behind the first byte and the header's length, and behind what stands in front of an Init.
                let ratchet = match Payload::decode(&bytes).unwrap() {
                    Payload::Ratchet(message) | Payload::Init(kinfolk_wire::envelope::InitMessage { message, .. }) => {
                        message.bytes.len()
                    }
                };
                let place = bytes.len() - ratchet + 3 + place % (ratchet - 3);
                bytes[place] ^= 1 << (place % 8);
                ("refuse altered", Some(place))
            }
            None => ("refuse again", None),
        };
        let payload = Payload::decode(&bytes).unwrap();
        let error = session.decrypt(self.now, &inner(payload), &device.skipped).unwrap_err();
        assert!(matches!(error, DecryptError::Unreadable | DecryptError::Duplicate), "{error}");
        self.events.push(json!({
            "act": act, "by": device.name, "number": number, "now": self.now.as_millis(), "place": place,
        }));
    }
}

fn inner(payload: Payload<'_>) -> RatchetMessage<'_> {
    match payload {
        Payload::Ratchet(message) => message,
        Payload::Init(init) => init.message,
    }
}
