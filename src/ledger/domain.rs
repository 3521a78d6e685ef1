//! Every domain string of the ledger in one place: what is hashed or signed for one use is never one for another.
//!
//! Hashes are BLAKE3 in its key derivation mode with the string as context; signatures are over the string and then the
//! bytes. No string begins another, nor does one begin a label of `kinfolk-crypto` or the other way round.

use std::fmt;

/// What bytes are hashed or signed for (docs/protocol/11-ledger.md lists them).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Domain {
    /// Hashes and signs a policy.
    Policy,
    /// Signs what a witness says of the policy after its own.
    Succeed,
    /// Hashes an inception: the id of an account.
    Inception,
    /// Hashes a key that is promised.
    Key,
    /// Hashes and signs a header: the hash of an entry.
    Entry,
    /// Hashes a body.
    Body,
    /// Hashes the state of a chain.
    State,
    /// Signs a vote.
    Vote,
    /// Signs a report.
    Report,
    /// Signs a request to recover a slot.
    Recover,
    /// Signs a merchant's certificate.
    Merchant,
    /// Hashes the salt and the words of a memo.
    Memo,
    /// Hashes an invoice: its name.
    Invoice,
    /// Hashes what an escrow chain is: its id.
    Escrow,
    /// Signs a voucher.
    Voucher,
}

impl Domain {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Policy,
        Self::Succeed,
        Self::Inception,
        Self::Key,
        Self::Entry,
        Self::Body,
        Self::State,
        Self::Vote,
        Self::Report,
        Self::Recover,
        Self::Merchant,
        Self::Memo,
        Self::Invoice,
        Self::Escrow,
        Self::Voucher,
    ];

    /// The string.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "kinfolk.ledger.v1.policy",
            Self::Succeed => "kinfolk.ledger.v1.succeed",
            Self::Inception => "kinfolk.ledger.v1.inception",
            Self::Key => "kinfolk.ledger.v1.key",
            Self::Entry => "kinfolk.ledger.v1.entry",
            Self::Body => "kinfolk.ledger.v1.body",
            Self::State => "kinfolk.ledger.v1.state",
            Self::Vote => "kinfolk.ledger.v1.vote",
            Self::Report => "kinfolk.ledger.v1.report",
            Self::Recover => "kinfolk.ledger.v1.recover",
            Self::Merchant => "kinfolk.ledger.v1.merchant",
            Self::Memo => "kinfolk.ledger.v1.memo",
            Self::Invoice => "kinfolk.ledger.v1.invoice",
            Self::Escrow => "kinfolk.ledger.v1.escrow",
            Self::Voucher => "kinfolk.ledger.v1.voucher",
        }
    }

    /// BLAKE3-256 of bytes in this domain.
    #[must_use]
    pub fn hash(self, bytes: &[u8]) -> [u8; 32] {
        blake3::derive_key(self.as_str(), bytes)
    }

    /// What is signed: the string, then the bytes.
    pub(crate) fn message(self, bytes: &[u8]) -> Vec<u8> {
        [self.as_str().as_bytes(), bytes].concat()
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_crypto::label::Label;

    use super::*;

    #[test]
    fn e03_no_domain_begins_another_or_a_label_of_the_messenger() {
        for one in Domain::ALL {
            for other in Domain::ALL {
                assert!(one == other || !other.as_str().starts_with(one.as_str()), "{one} begins {other}");
            }
            for label in Label::ALL {
                let (one, label) = (one.as_str().as_bytes(), label.as_bytes());
                assert!(!one.starts_with(label) && !label.starts_with(one));
            }
        }
    }
}
