//! Every label of the protocol in one place, so that no two uses of a key can be mistaken for each other.
//!
//! Labels of signatures stand in front of what is signed and are prefix-free: none begins another, so a signature made
//! for one use is never one for another, whatever bytes follow. Labels of key derivations are the beginning of an HKDF
//! info or of a MAC's input.

/// What a key is used for (docs/protocol/01-encoding.md lists them).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Label {
    /// Signs a genesis, by the recovery key.
    Genesis,
    /// Signs a sigchain entry, by its author.
    Entry,
    /// Signs a sigchain entry, by the device that it introduces.
    NewDevice,
    /// Signs a prekey bundle.
    Bundle,
    /// Signs a one-time prekey.
    OneTimePrekey,
    /// Signs an invite.
    Invite,
    /// Signs an invoice.
    Invoice,
    /// Signs a hello on a stream.
    Hello,
    /// Names a device by its keys.
    DeviceId,
    /// Derives the recovery signing key from the phrase.
    RecoverySign,
    /// Derives the nonce of the genesis from the phrase.
    RecoveryNonce,
    /// Derives the root of the wallet's keys from the phrase.
    Wallet,
    /// Derives the keys of a session from a handshake.
    Handshake,
    /// Derives root, chain and header key at a Diffie-Hellman step.
    Root,
    /// Derives the first post-quantum root and chains.
    PqInit,
    /// Derives the next post-quantum root and chains.
    PqStep,
    /// Derives key and nonce of one message.
    Message,
    /// Names an invite without showing its secret.
    InviteId,
    /// Shows that an invite's secret is known.
    Knock,
    /// Names the conversation of two people.
    Conversation,
    /// Derives a safety number.
    Safety,
    /// Names a place at a mailbox host.
    MailboxTag,
    /// Derives the key that erases what lies there.
    MailboxErase,
    /// Derives the key of the seal around an envelope at a host.
    MailboxSeal,
    /// Derives the nonce of that seal.
    MailboxNonce,
    /// Work that was done for a deposit.
    MailboxWork,
    /// Hides the number of an envelope that is carried by hand.
    CarriedNumber,
    /// Derives the key of the prekeys that the maker of an invite leaves at hosts.
    MeetPrekeys,
    /// Derives the key of the requests that are left there for them.
    MeetRequests,
    /// Signs an address record.
    AddressRecord,
    /// Names the place of an address record in the hash table.
    Rendezvous,
    /// Derives the key of the seal around it.
    RecordSeal,
    /// Derives the nonce of that seal.
    RecordNonce,
}

impl Label {
    /// All of them.
    pub const ALL: [Self; 33] = [
        Self::Genesis,
        Self::Entry,
        Self::NewDevice,
        Self::Bundle,
        Self::OneTimePrekey,
        Self::Invite,
        Self::Invoice,
        Self::Hello,
        Self::DeviceId,
        Self::RecoverySign,
        Self::RecoveryNonce,
        Self::Wallet,
        Self::Handshake,
        Self::Root,
        Self::PqInit,
        Self::PqStep,
        Self::Message,
        Self::InviteId,
        Self::Knock,
        Self::Conversation,
        Self::Safety,
        Self::MailboxTag,
        Self::MailboxErase,
        Self::MailboxSeal,
        Self::MailboxNonce,
        Self::MailboxWork,
        Self::CarriedNumber,
        Self::MeetPrekeys,
        Self::MeetRequests,
        Self::AddressRecord,
        Self::Rendezvous,
        Self::RecordSeal,
        Self::RecordNonce,
    ];

    /// Those that sign.
    pub const SIGNATURES: [Self; 9] = [
        Self::Genesis,
        Self::Entry,
        Self::NewDevice,
        Self::Bundle,
        Self::OneTimePrekey,
        Self::Invite,
        Self::Invoice,
        Self::Hello,
        Self::AddressRecord,
    ];

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::Genesis => b"kinfolk/1 genesis",
            Self::Entry => b"kinfolk/1 entry",
            Self::NewDevice => b"kinfolk/1 device",
            Self::Bundle => b"kinfolk/1 bundle",
            Self::OneTimePrekey => b"kinfolk/1 otk",
            Self::Invite => b"kinfolk/1 invite",
            Self::Invoice => b"kinfolk/1 invoice",
            Self::Hello => b"kinfolk/1 hello",
            Self::DeviceId => b"kinfolk/1 dev id",
            Self::RecoverySign => b"kinfolk/1 recovery sign",
            Self::RecoveryNonce => b"kinfolk/1 recovery nonce",
            Self::Wallet => b"kinfolk/1 wallet",
            Self::Handshake => b"kinfolk/1 pqxdh",
            Self::Root => b"kinfolk/1 root",
            Self::PqInit => b"kinfolk/1 pq init",
            Self::PqStep => b"kinfolk/1 pq",
            Self::Message => b"kinfolk/1 msg",
            Self::InviteId => b"kinfolk/1 id",
            Self::Knock => b"kinfolk/1 knock",
            Self::Conversation => b"kinfolk/1 chat",
            Self::Safety => b"kinfolk/1 safety",
            Self::MailboxTag => b"kinfolk/1 tag",
            Self::MailboxErase => b"kinfolk/1 erase",
            Self::MailboxSeal => b"kinfolk/1 seal",
            Self::MailboxNonce => b"kinfolk/1 nonce",
            Self::MailboxWork => b"kinfolk/1 work",
            Self::CarriedNumber => b"kinfolk/1 carried number",
            Self::MeetPrekeys => b"kinfolk/1 meet prekeys",
            Self::MeetRequests => b"kinfolk/1 meet requests",
            Self::AddressRecord => b"kinfolk/1 address record",
            Self::Rendezvous => b"kinfolk/1 rendezvous",
            Self::RecordSeal => b"kinfolk/1 record seal",
            Self::RecordNonce => b"kinfolk/1 record nonce",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_labels_are_the_same() {
        let mut all = Label::ALL.map(Label::as_bytes);
        all.sort_unstable();
        assert!(all.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn a09_no_signature_label_begins_another_label() {
        for one in Label::SIGNATURES {
            for other in Label::ALL {
                assert!(one == other || !other.as_bytes().starts_with(one.as_bytes()), "{one:?} begins {other:?}");
            }
        }
    }
}
