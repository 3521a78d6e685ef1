//! The official BIP-39 vectors in English (the list of trezor/python-mnemonic), those of 256 bits: entropy and its
//! words, through [`RecoveryPhrase`]. The seed that BIP-39 goes on to derive with PBKDF2 is not used by kinfolk.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says so by failing")]

use std::convert::Infallible;

use data_encoding::HEXLOWER;
use kinfolk_crypto::{PhraseError, RecoveryPhrase};
use rand_core::{TryCryptoRng, TryRng};

const VECTORS: [(&str, &str); 8] = [
    (
        "0000000000000000000000000000000000000000000000000000000000000000",
        "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon \
         abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon art",
    ),
    (
        "7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f",
        "legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth useful \
         legal winner thank year wave sausage worth title",
    ),
    (
        "8080808080808080808080808080808080808080808080808080808080808080",
        "letter advice cage absurd amount doctor acoustic avoid letter advice cage absurd amount doctor \
         acoustic avoid letter advice cage absurd amount doctor acoustic bless",
    ),
    (
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo vote",
    ),
    (
        "68a79eaca2324873eacc50cb9c6eca8cc68ea5d936f98787c60c7ebc74e6ce7c",
        "hamster diagram private dutch cause delay private meat slide toddler razor book happy fancy gospel \
         tennis maple dilemma loan word shrug inflict delay length",
    ),
    (
        "9f6a2878b2520799a44ef18bc7df394e7061a224d2c33cd015b157d746869863",
        "panda eyebrow bullet gorilla call smoke muffin taste mesh discover soft ostrich alcohol speed nation \
         flash devote level hobby quick inner drive ghost inside",
    ),
    (
        "066dca1a2bb7e8a1db2832148ce9933eea0f3ac9548d793112d9a95c9407efad",
        "all hour make first leader extend hole alien behind guard gospel lava path output census museum \
         junior mass reopen famous sing advance salt reform",
    ),
    (
        "f585c11aec520db57dd353c69554b21a89b20fb0650966fa0a9d6f74fd989d8f",
        "void come effort suffer camp survey warrior heavy shoot primary clutch crush open amazing screen \
         patrol group space point ten exist slush involve unfold",
    ),
];

/// Gives the bytes it was made of, once.
struct Given(Vec<u8>);

impl TryRng for Given {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        out.copy_from_slice(&self.0.drain(..out.len()).collect::<Vec<u8>>());
        Ok(())
    }
}

impl TryCryptoRng for Given {}

#[test]
fn a_phrase_of_given_entropy_has_the_words_of_bip_39() {
    for (entropy, words) in VECTORS {
        let mut chance = Given(HEXLOWER.decode(entropy.as_bytes()).unwrap());
        let phrase = RecoveryPhrase::generate(&mut chance);
        assert!(chance.0.is_empty());
        assert_eq!(phrase.words().join(" "), words);
        assert_eq!(RecoveryPhrase::from_words(words).unwrap().words().join(" "), words);
    }
}

/// The last word carries eight bits of checksum: of all the words that could stand there, one in 256 fits.
#[test]
fn a_phrase_with_another_last_word_fails_its_checksum() {
    for (_, words) in VECTORS {
        let (front, last) = words.rsplit_once(' ').unwrap();
        let other = if last == "abandon" { "zoo" } else { "abandon" };
        let exchanged = RecoveryPhrase::from_words(&format!("{front} {other}"));
        assert_eq!(exchanged.err(), Some(PhraseError::Checksum), "{words}");
    }
}
