//! Beginning and answering a session, beside the primitives that either takes, and beside vodozemac's Olm, which has
//! neither signatures nor ML-KEM; and the two ML-KEM-768 that could be had.
//!
//! `cargo bench -p kinfolk-crypto --bench handshake`; for newer processors also with `RUSTFLAGS=-Ctarget-cpu=x86-64-v3`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    dead_code,
    reason = "a bench prints, and stops where something fails; each uses a part of what they share"
)]

#[path = "support/mod.rs"]
mod support;

use std::hint::black_box;

use kinfolk_crypto::kem::{Kem, KemPrivate, MlKem768};
use ml_kem::Decapsulate;
use support::{Figure, Person, TEXT, act, measure, rng};
use vodozemac::olm::{Account, OlmMessage, SessionConfig};
use x25519_dalek::{PublicKey, StaticSecret};

fn main() {
    println!("CPU time of one thread, median of 5 rounds (least .. most)\n");
    let primitives = Primitives::new();
    let (anna, bela) = (Person::new(1), Person::new(2));
    let (_, first) = anna.begin(&mut rng(3), &bela);
    let mut draws = rng(4);
    let config = SessionConfig::version_1();
    let olm_anna = Account::new();
    let (mut olm_bela, olm_key, olm_first) = olm_first(&olm_anna);
    let olm_stored = serde_json::to_string(&olm_bela.pickle()).unwrap();

    let mut acts = vec![
        act("begin: verify bundle and one-time pair, first message", 500, || {
            black_box(anna.begin(&mut draws, &bela));
        }),
        act("answer: session and first message", 500, || {
            black_box(bela.answer(&anna, &first));
        }),
        act("Olm: begin and first message", 500, || {
            let mut session = olm_anna.create_outbound_session(config, olm_bela_key(&olm_first), olm_key).unwrap();
            black_box(session.encrypt(TEXT).unwrap());
        }),
        act("Olm: answer, and a copy of the account", 500, || {
            olm_bela = Account::from_pickle(serde_json::from_str(&olm_stored).unwrap());
            let OlmMessage::PreKey(first) = &olm_first.1 else { panic!("a first message") };
            black_box(olm_bela.create_inbound_session(config, olm_anna.curve25519_key(), first).unwrap());
        }),
        act("Olm: the copy alone", 500, || {
            black_box(Account::from_pickle(serde_json::from_str(&olm_stored).unwrap()));
        }),
    ];
    let first_primitive = acts.len();
    acts.extend(primitives.acts());
    let figures = measure(acts);
    let [dh, keygen, verify, kem_expand, encapsulate, decapsulate, .., kdf, small] = &figures[first_primitive..] else {
        panic!("the primitives")
    };

    println!("primitives");
    figures[first_primitive..].iter().for_each(Figure::print);
    println!();
    // Four agreements and the ratchet's first, two pairs drawn, two signatures checked.
    let begin = [(5.0, dh), (2.0, keygen), (2.0, verify), (1.0, encapsulate), (1.0, kdf), (1.0, small)];
    figures[0].beside(&Figure::sum("  its primitives, added up", &begin), Some(1.25));
    // Four agreements and the ratchet's first; the private key of the KEM is expanded from its seed.
    let answer = [(5.0, dh), (1.0, kem_expand), (1.0, decapsulate), (1.0, kdf), (1.0, small)];
    figures[1].beside(&Figure::sum("  its primitives, added up", &answer), Some(1.25));

    figures[0].beside(&figures[2], None);
    let olm_answer = Figure::sum("Olm: answer", &[(1.0, &figures[3]), (-1.0, &figures[4])]);
    figures[1].beside(&olm_answer, None);
    println!(
        "a second holds {:.0} beginnings and {:.0} answers; the first message has {} bytes, Olm's {}\n",
        1e6 / figures[0].median(),
        1e6 / figures[1].median(),
        first.len(),
        olm_first.1.to_parts().1.len()
    );

    println!("ML-KEM-768: libcrux beside ml-kem");
    let at = first_primitive + 3;
    for step in 0..3 {
        figures[at + step].beside(&figures[at + 3 + step], None);
    }
    let kem = Figure::sum("of a beginning, ML-KEM is", &[(1.0, encapsulate)]);
    kem.beside(&figures[0], None);
    let kem = Figure::sum("of an answer, ML-KEM is", &[(1.0, kem_expand), (1.0, decapsulate)]);
    kem.beside(&figures[1], None);
}

fn olm_first(
    anna: &Account,
) -> (Account, vodozemac::Curve25519PublicKey, (vodozemac::Curve25519PublicKey, OlmMessage)) {
    let mut bela = Account::new();
    bela.generate_one_time_keys(1);
    let one_time = *bela.one_time_keys().values().next().unwrap();
    let identity = bela.curve25519_key();
    let mut session = anna.create_outbound_session(SessionConfig::version_1(), identity, one_time).unwrap();
    let message = session.encrypt(TEXT).unwrap();
    (bela, one_time, (identity, message))
}

fn olm_bela_key(first: &(vodozemac::Curve25519PublicKey, OlmMessage)) -> vodozemac::Curve25519PublicKey {
    first.0
}

/// What is measured of the crates themselves.
struct Primitives {
    secret: [u8; 32],
    public: [u8; 32],
    verifying_key: [u8; 32],
    signed: Vec<u8>,
    signature: [u8; 64],
    seed: [u8; 64],
    kem_public: [u8; 1_184],
    ciphertext: [u8; 1_088],
}

impl Primitives {
    fn new() -> Self {
        let signing_key = ed25519_dalek::SigningKey::from_bytes(&[3; 32]);
        let signed = vec![7; 1_400];
        let seed = [5; 64];
        let private = MlKem768::expand(&seed);
        Self {
            secret: [1; 32],
            public: PublicKey::from(&StaticSecret::from([2; 32])).to_bytes(),
            verifying_key: signing_key.verifying_key().to_bytes(),
            signature: ed25519_dalek::Signer::sign(&signing_key, &signed).to_bytes(),
            signed,
            seed,
            kem_public: *private.public(),
            ciphertext: *MlKem768::encapsulate(private.public(), [6; 32]).0,
        }
    }

    fn acts(&self) -> Vec<support::Act<'_>> {
        use kinfolk_crypto::{aead, kdf};
        use libcrux_ml_kem::mlkem768;

        let theirs = ml_kem::DecapsulationKey768::from_seed(self.seed.into());
        let for_theirs = theirs.clone();
        vec![
            act("X25519 agreement", 1_000, || {
                black_box(StaticSecret::from(self.secret).diffie_hellman(&PublicKey::from(self.public)));
            }),
            act("X25519 pair from its private key", 1_000, || {
                black_box(PublicKey::from(&StaticSecret::from(self.secret)));
            }),
            act("Ed25519 strict verification of 1,400 bytes", 1_000, || {
                let key = ed25519_dalek::VerifyingKey::from_bytes(&self.verifying_key).unwrap();
                let signature = ed25519_dalek::Signature::from_bytes(&self.signature);
                key.verify_strict(black_box(&self.signed), &signature).unwrap();
            }),
            act("ML-KEM-768 expansion of a seed, libcrux", 1_000, || {
                black_box(mlkem768::generate_key_pair(self.seed));
            }),
            act("ML-KEM-768 encapsulation, libcrux", 1_000, || {
                black_box(mlkem768::encapsulate(&(&self.kem_public).into(), [6; 32]));
            }),
            {
                let private = mlkem768::generate_key_pair(self.seed).into_parts().0;
                act("ML-KEM-768 decapsulation, libcrux", 1_000, move || {
                    black_box(mlkem768::decapsulate(&private, &(&self.ciphertext).into()));
                })
            },
            act("ML-KEM-768 expansion of a seed, ml-kem", 200, || {
                black_box(ml_kem::DecapsulationKey768::from_seed(self.seed.into()));
            }),
            act("ML-KEM-768 encapsulation, ml-kem", 200, move || {
                black_box(for_theirs.encapsulation_key().encapsulate_deterministic(&[6; 32].into()));
            }),
            act("ML-KEM-768 decapsulation, ml-kem", 200, move || {
                black_box(theirs.decapsulate_slice(&self.ciphertext).unwrap());
            }),
            act("transcript hash and HKDF of a handshake, root and PQ", 1_000, || {
                black_box(kdf::sha256(&[black_box(&[1; 2_900])]));
                let mut keys = [0; 192];
                kdf::hkdf(&[0; 32], &[2; 192], &[&[3; 47]], &mut keys).unwrap();
                kdf::hkdf(&[0; 32], &[2; 32], &[&[3; 17]], &mut keys[..96]).unwrap();
                kdf::hkdf(&[0; 32], &[2; 32], &[&[3; 14]], &mut keys[..96]).unwrap();
                black_box(keys);
            }),
            act("keys, header and body of one message of 256 bytes", 1_000, || {
                for _ in 0..2 {
                    black_box(kdf::hmac(&[1; 32], &[&[1]]));
                    black_box(kdf::hmac(&[1; 32], &[&[2]]));
                }
                let mut keys = [0; 44];
                kdf::hkdf(&[1; 32], &[2; 32], &[&[3; 37]], &mut keys).unwrap();
                let mut header = [0; 53];
                black_box(aead::xseal(&[1; 32], &[2; 24], &[3; 35], &mut header));
                let mut body = [0; 320];
                black_box(aead::seal(&[1; 32], &[2; 12], &[3; 128], &mut body));
            }),
        ]
    }
}
