//! The recovery phrase: BIP-39, English, 24 words.

use bip39::{Language, Mnemonic};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::kdf::{NO_SALT, derive};
use crate::label::Label;

/// How many words a phrase has.
const WORDS: usize = 24;

/// 256 bits of chance as 24 words: whoever has them is the person. They wipe when dropped.
pub struct RecoveryPhrase {
    entropy: Zeroizing<[u8; 32]>,
}

/// Why words are no recovery phrase.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PhraseError {
    /// There are more or fewer than 24.
    #[error("a recovery phrase has {WORDS} words, these are {found}")]
    Count {
        /// How many there are.
        found: usize,
    },
    /// One is not in the list. The word itself is not repeated: it may be nearly right.
    #[error("word {position} is not in the list of recovery words; check its spelling")]
    UnknownWord {
        /// Which one, counted from 1.
        position: usize,
    },
    /// All are in the list, but they do not belong together.
    #[error("these words do not make a recovery phrase; check their order, and that none was exchanged for another")]
    Checksum,
}

impl RecoveryPhrase {
    /// A new phrase.
    #[must_use]
    pub fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut entropy = Zeroizing::new([0; 32]);
        rng.fill_bytes(entropy.as_mut_slice());
        Self { entropy }
    }

    /// Reads words, apart by any white space, in upper or lower case.
    ///
    /// # Errors
    /// [`PhraseError`].
    pub fn from_words(words: &str) -> Result<Self, PhraseError> {
        let words = Zeroizing::new(words.to_lowercase());
        let found = words.split_whitespace().count();
        if found != WORDS {
            return Err(PhraseError::Count { found });
        }
        let mnemonic = Mnemonic::parse_in_normalized(Language::English, &words).map_err(|error| match error {
            bip39::Error::UnknownWord(at) => PhraseError::UnknownWord { position: at.saturating_add(1) },
            _ => PhraseError::Checksum,
        })?;
        let (bytes, _) = mnemonic.to_entropy_array();
        let bytes = Zeroizing::new(bytes);
        let entropy = bytes.first_chunk::<32>().ok_or(PhraseError::Checksum)?;
        Ok(Self { entropy: Zeroizing::new(*entropy) })
    }

    /// The 24 words, in order.
    #[must_use]
    pub fn words(&self) -> Vec<&'static str> {
        #[allow(clippy::expect_used, reason = "32 bytes are one of the five lengths of BIP-39")]
        let mnemonic =
            Mnemonic::from_entropy_in(Language::English, self.entropy.as_slice()).expect("32 bytes make 24 words");
        mnemonic.words().collect()
    }

    /// What all keys of this person's accounts in money are derived from: `HKDF-SHA256(entropy, "kinfolk/1 wallet")`.
    #[must_use]
    pub fn wallet_root(&self) -> Zeroizing<[u8; 32]> {
        let [root] = derive(&NO_SALT, self.entropy.as_slice(), &[Label::Wallet.as_bytes()]);
        Zeroizing::new(*root.as_bytes())
    }

    pub(crate) fn entropy(&self) -> &[u8; 32] {
        &self.entropy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_survives_its_words_however_they_are_written() {
        let phrase = RecoveryPhrase { entropy: Zeroizing::new([0x7f; 32]) };
        // The vector of BIP-39 for 32 bytes of 7f.
        let words = "legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth \
                     useful legal winner thank year wave sausage worth title";
        assert_eq!(phrase.words().join(" "), words);
        for written in [words.to_owned(), words.to_uppercase(), words.replace(' ', "\n\t ")] {
            assert_eq!(RecoveryPhrase::from_words(&written).unwrap().entropy(), phrase.entropy());
        }
    }

    #[test]
    fn wrong_words_are_named_by_their_place() {
        let phrase = RecoveryPhrase { entropy: Zeroizing::new([1; 32]) };
        let mut words = phrase.words();
        assert_eq!(RecoveryPhrase::from_words(&words[1..].join(" ")).err(), Some(PhraseError::Count { found: 23 }));
        words.swap(0, 22);
        assert_eq!(RecoveryPhrase::from_words(&words.join(" ")).err(), Some(PhraseError::Checksum));
        words[4] = "kinfolk";
        let error = RecoveryPhrase::from_words(&words.join(" ")).err();
        assert_eq!(error, Some(PhraseError::UnknownWord { position: 5 }));
        assert_eq!(RecoveryPhrase::from_words("").err(), Some(PhraseError::Count { found: 0 }));
    }
}
