//! Ids: fixed arrays of bytes, one type each, written as lower-case hex.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;

/// A text that is not the hex form of the id it was read as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} hexadecimal digits for {what}, found {found:?}")]
pub struct ParseIdError {
    /// The name of the id's type.
    pub what: &'static str,
    /// How many hexadecimal digits it has.
    pub expected: usize,
    /// What was read, cut to 80 characters.
    pub found: String,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $length:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $length]);

        impl $name {
            /// Length in bytes.
            pub const LENGTH: usize = $length;

            /// The id with these bytes.
            #[must_use]
            pub const fn new(bytes: [u8; $length]) -> Self {
                Self(bytes)
            }

            /// The bytes of the id.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $length] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&HEXLOWER.encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let hex = HEXLOWER.encode(&self.0);
                write!(f, "{}({}..)", stringify!($name), hex.get(..8).unwrap_or(&hex))
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                HEXLOWER
                    .decode(text.as_bytes())
                    .ok()
                    .and_then(|bytes| <[u8; $length]>::try_from(bytes).ok())
                    .map(Self)
                    .ok_or_else(|| ParseIdError {
                        what: stringify!($name),
                        expected: $length * 2,
                        found: text.chars().take(80).collect(),
                    })
            }
        }

        impl<C> minicbor::Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                e: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                e.bytes(&self.0)?.ok()
            }
        }

        impl<'b, C> minicbor::Decode<'b, C> for $name {
            fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
                <[u8; $length]>::try_from(d.bytes()?)
                    .map(Self)
                    .map_err(|_| minicbor::decode::Error::message(concat!("wrong length for ", stringify!($name))))
            }
        }
    };
}

id!(
    /// A person: SHA-256 of the genesis of their sigchain.
    IdentityId, 32
);
id!(
    /// One device of a person; random, certified in the sigchain.
    DeviceId, 16
);
id!(
    /// A conversation. Between two people it follows from their identities (docs/protocol/05-content.md).
    ConversationId, 32
);
id!(
    /// A message; random, unique together with its conversation and its sender.
    MessageId, 16
);
id!(
    /// A ratchet session: 32 bytes that both sides derive from the handshake (`SID`).
    SessionId, 32
);
id!(
    /// An invite, as both sides know it: derived from the invite's secret, which never travels.
    InviteId, 16
);
id!(
    /// The newest entry of a sigchain: SHA-256 of that entry, or of the genesis where there is none.
    SigchainHead, 32
);
id!(
    /// The first bytes of a [`SigchainHead`], enough to notice that the other side has an old one.
    HeadPrefix, 8
);
id!(
    /// The first 16 bytes of SHA-256 over a payload, by which one that did not open is named.
    PayloadDigest, 16
);
id!(
    /// Where an envelope lies at a mailbox host: made from a pair's secret, used once, and random to everybody else.
    MailboxTag, 16
);
id!(
    /// Where an address record lies in the hash table: made from a pair's secret and the day, and random to everybody
    /// else.
    RecordKey, 32
);
id!(
    /// A point of the prime-order group ristretto255, compressed (RFC 9496).
    GroupElement, 32
);
id!(
    /// A currency of the ledger: the hash of its first policy.
    CurrencyId, 32
);
id!(
    /// A chain of the ledger: the hash of its inception.
    AccountId, 32
);
id!(
    /// An entry of a chain of the ledger: the hash of its header.
    EntryHash, 32
);
id!(
    /// What an entry of the ledger does, as its header names it: the hash of its body.
    BodyHash, 32
);
id!(
    /// A policy, as the one after it names it.
    PolicyHash, 32
);
id!(
    /// The state of a chain of the ledger.
    StateHash, 32
);
id!(
    /// A key that is promised and not yet shown.
    KeyHash, 32
);
id!(
    /// An invoice or a memo, as a payment names it.
    NoteHash, 32
);
id!(
    /// An Ed25519 key that verifies what the ledger's people, witnesses and issuers sign (`Vk`).
    Vk, 32
);
id!(
    /// An Ed25519 signature.
    Signature, 64
);
id!(
    /// A node on the network: the multihash form of its Ed25519 network key, as libp2p writes it.
    PeerId, 38
);

impl SigchainHead {
    /// The prefix that is sent in messages.
    #[must_use]
    pub const fn prefix(&self) -> HeadPrefix {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        HeadPrefix([a, b, c, d, e, f, g, h])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_text() {
        let id = MessageId::new([0xab; 16]);
        assert_eq!(id.to_string(), "ab".repeat(16));
        assert_eq!(id.to_string().parse::<MessageId>(), Ok(id));
    }

    #[test]
    fn a_text_of_another_length_or_alphabet_is_refused() {
        for text in ["", "ab", &"AB".repeat(16), &"zz".repeat(16), &"ab".repeat(17)] {
            assert!(text.parse::<MessageId>().is_err(), "{text}");
        }
    }

    #[test]
    fn debug_shows_only_the_beginning() {
        assert_eq!(format!("{:?}", DeviceId::new([1; 16])), "DeviceId(01010101..)");
    }
}
