//! What both benches of keys share: time, rounds, and two people with a session.
//!
//! Time is CPU time of this thread, so that other work on the machine shows in the spread and not in the median. What is
//! compared runs in turns, slice by slice, in one process.

use kinfolk_crypto::{
    DeviceKeys, LastResortSecret, LocalDevice, MemorySkippedKeys, OneTimePrekeySecret, RecoveryKey, RecoveryPhrase,
    ResponderPrekeys, Session, Sigchain, SignedPrekeySecret, VerifiedBundle, VerifiedOneTimePrekey, initiate, respond,
    sign_bundle, sign_one_time_prekey,
};
use kinfolk_wire::bundle::{OneTimePrekey, PrekeyBundle, PrekeyId};
use kinfolk_wire::envelope::{InitMessage, Payload, RatchetMessage};
use kinfolk_wire::time::{Span, Timestamp};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use rustix::time::{ClockId, clock_gettime};

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);
/// A text of ordinary length.
pub(crate) const TEXT: [u8; 256] = [b'k'; 256];

const ROUNDS: usize = 5;
const SLICES: usize = 10;

pub(crate) fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

fn cpu_nanos() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 * 1e9 + now.tv_nsec as f64
}

/// Microseconds for one act, one figure for each round.
pub(crate) struct Figure {
    pub(crate) name: String,
    rounds: Vec<f64>,
}

impl Figure {
    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.rounds.clone();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    }

    fn show(&self) -> String {
        let least = self.rounds.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.rounds.iter().copied().fold(0.0, f64::max);
        format!("{:<58} {:>9.2} us  ({least:.2} .. {most:.2})", self.name, self.median())
    }

    pub(crate) fn print(&self) {
        println!("{}", self.show());
    }

    /// Adds up figures of the same rounds.
    pub(crate) fn sum(name: &str, parts: &[(f64, &Figure)]) -> Self {
        let rounds = (0..ROUNDS).map(|round| parts.iter().map(|(count, part)| count * part.rounds[round]).sum());
        Self { name: name.to_owned(), rounds: rounds.collect() }
    }

    /// Prints how long this takes beside another of the same rounds, and whether the goal is met.
    pub(crate) fn beside(&self, other: &Self, goal: Option<f64>) {
        let mut ratios: Vec<f64> = self.rounds.iter().zip(&other.rounds).map(|(ours, theirs)| ours / theirs).collect();
        ratios.sort_by(f64::total_cmp);
        let (median, least, most) = (ratios[ROUNDS / 2], ratios[0], ratios[ROUNDS - 1]);
        let verdict = match goal {
            Some(goal) if median <= goal => format!("  goal <= {goal}: met"),
            Some(goal) => format!("  goal <= {goal}: MISSED"),
            None => String::new(),
        };
        println!("{}\n{}", self.show(), other.show());
        println!("{:<58} {median:>9.2} x   ({least:.2} .. {most:.2}){verdict}\n", "  ratio");
    }
}

/// An act that is measured: its name, how often it is done in a round, and the act.
pub(crate) struct Act<'a> {
    name: &'static str,
    times: usize,
    act: Box<dyn FnMut() + 'a>,
}

pub(crate) fn act<'a>(name: &'static str, times: usize, act: impl FnMut() + 'a) -> Act<'a> {
    Act { name, times: times.max(SLICES), act: Box::new(act) }
}

/// Measures acts in turns.
pub(crate) fn measure(mut acts: Vec<Act<'_>>) -> Vec<Figure> {
    let mut figures: Vec<Figure> =
        acts.iter().map(|act| Figure { name: act.name.to_owned(), rounds: Vec::new() }).collect();
    for act in &mut acts {
        for _ in 0..act.times / SLICES {
            (act.act)();
        }
    }
    for _ in 0..ROUNDS {
        let mut spent = vec![0.0; acts.len()];
        for _ in 0..SLICES {
            for (act, spent) in acts.iter_mut().zip(&mut spent) {
                let began = cpu_nanos();
                for _ in 0..act.times / SLICES {
                    (act.act)();
                }
                *spent += cpu_nanos() - began;
            }
        }
        for ((act, spent), figure) in acts.iter().zip(spent).zip(&mut figures) {
            figure.rounds.push(spent / 1e3 / (act.times / SLICES * SLICES) as f64);
        }
    }
    figures
}

/// A person with one device and its prekeys.
pub(crate) struct Person {
    pub(crate) keys: DeviceKeys,
    pub(crate) chain: Sigchain,
    pub(crate) signed: SignedPrekeySecret,
    pub(crate) last_resort: LastResortSecret,
    pub(crate) one_time: OneTimePrekeySecret,
    pub(crate) bundle: PrekeyBundle,
    pub(crate) one_time_wire: OneTimePrekey,
}

impl Person {
    pub(crate) fn new(seed: u8) -> Self {
        let rng = &mut rng(seed);
        let phrase = RecoveryPhrase::generate(rng);
        let keys = DeviceKeys::generate(rng);
        let chain = Sigchain::found(&RecoveryKey::from_phrase(&phrase), &keys, Vec::new(), NOW);
        let signed = SignedPrekeySecret::generate(PrekeyId(1), rng);
        let last_resort = LastResortSecret::generate(PrekeyId(2), rng);
        let one_time = OneTimePrekeySecret::generate(PrekeyId(3), rng);
        let until = NOW.after(Span::from_days(37));
        let bundle = sign_bundle(&keys, chain.identity(), &signed, &last_resort, NOW, until, chain.head());
        let one_time_wire = sign_one_time_prekey(&keys, &one_time);
        Self { keys, chain, signed, last_resort, one_time, bundle, one_time_wire }
    }

    pub(crate) fn local(&self) -> LocalDevice<'_> {
        LocalDevice { identity: self.chain.identity(), keys: &self.keys }
    }

    /// Everything that beginning a session takes, from the bytes that came to the first message.
    pub(crate) fn begin(&self, rng: &mut ChaCha20Rng, with: &Self) -> (Session, Vec<u8>) {
        let bundle = VerifiedBundle::verify(&with.bundle, &with.chain, NOW).unwrap();
        let one_time = VerifiedOneTimePrekey::verify(&with.one_time_wire, &bundle).unwrap();
        let mut session = initiate(rng, NOW, self.local(), &bundle, Some(&one_time), None).unwrap().session;
        let message = session.encrypt(rng, NOW, &TEXT).unwrap();
        (session, message)
    }

    /// Everything that answering it takes.
    pub(crate) fn answer(&self, from: &Self, message: &[u8]) -> Session {
        let init = InitMessage::decode(message).unwrap();
        let prekeys = ResponderPrekeys {
            signed: &self.signed,
            last_resort: Some(&self.last_resort),
            one_time: Some(&self.one_time),
        };
        let their_device = &from.chain.devices()[0];
        let accepted = respond(NOW, self.local(), prekeys, from.chain.identity(), their_device, None, &init).unwrap();
        assert_eq!(accepted.plaintext.as_slice(), TEXT);
        accepted.session
    }
}

/// Two sessions of which each has heard the other.
pub(crate) fn pair(rng: &mut ChaCha20Rng) -> (Session, Session) {
    let (anna, bela) = (Person::new(1), Person::new(2));
    let (mut a, message) = anna.begin(rng, &bela);
    let mut b = bela.answer(&anna, &message);
    deliver(rng, &mut b, &mut a);
    (a, b)
}

pub(crate) fn open(session: &Session, message: &[u8]) -> Session {
    let message: RatchetMessage<'_> = match Payload::decode(message).unwrap() {
        Payload::Ratchet(message) => message,
        Payload::Init(init) => init.message,
    };
    let opened = session.decrypt(NOW, &message, &MemorySkippedKeys::new()).unwrap();
    assert_eq!(opened.plaintext.len(), TEXT.len());
    opened.session
}

/// One message from one session to the other.
pub(crate) fn deliver(rng: &mut ChaCha20Rng, from: &mut Session, to: &mut Session) {
    let message = from.encrypt(rng, NOW, &TEXT).unwrap();
    *to = open(to, &message);
}
