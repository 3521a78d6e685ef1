//! What two devices know of the envelopes that wait for one of them at a mailbox host: where each lies, how it may be
//! erased, and the seal around it; and the work by which a deposit without tokens is admitted
//! (docs/protocol/07-mailbox.md).
//!
//! All keys come from the pair root and not from the ratchet, so that mail finds its way when sessions are replaced.

use kinfolk_wire::ids::{DeviceId, MailboxTag, PeerId};
use kinfolk_wire::mailbox::{Bucket, Erasure, Stamp};

use crate::aead::{self, OpenError, TAG};
use crate::kdf::{self, Prf};
use crate::label::Label;
use crate::secret::{Key, SecretBytes};

/// The version byte of a seal between contacts.
const VERSION: u8 = 1;
const NONCE: usize = 24;
/// What a seal adds to a payload, without padding: version, nonce, tag, and the byte that ends the payload.
pub const SEAL: usize = 1 + NONCE + TAG + 1;

/// `K_dir`: what goes from one device to another. It wipes when dropped.
pub struct DirectionKey(Key);

/// One place at one host: where the envelope with a number lies if it is deposited on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot {
    /// The host's node.
    pub host: PeerId,
    /// Days since the Unix epoch, by the depositor's clock.
    pub day: u32,
    /// Counts what the one device deposits for the other, from 1.
    pub number: u64,
}

impl DirectionKey {
    /// The key of what `sender` leaves for `recipient`.
    #[must_use]
    pub fn new(pair_root: &[u8; 32], sender: DeviceId, recipient: DeviceId) -> Self {
        Self(Prf::new(pair_root).over(&[sender.as_bytes(), recipient.as_bytes()]))
    }

    /// The key of what whoever knows another secret leaves for whoever knows it too.
    pub(crate) const fn derived(key: Key) -> Self {
        Self(key)
    }

    /// The key itself, for vectors.
    #[must_use]
    pub fn to_bytes(&self) -> SecretBytes {
        SecretBytes::new(self.0.as_bytes().to_vec())
    }

    /// Where an envelope lies. Who does not have the key cannot tell two tags of one pair from two of others.
    #[must_use]
    pub fn tag(&self, slot: &Slot) -> MailboxTag {
        MailboxTag::new(self.at(Label::MailboxTag, slot))
    }

    /// The key that erases it, whose SHA-256 goes with the deposit.
    #[must_use]
    pub fn erasure(&self, slot: &Slot) -> Erasure {
        Erasure { tag: self.tag(slot), key: self.at(Label::MailboxErase, slot) }
    }

    /// The number of a slot as it stands beside its envelope where that is carried by hand, and back: XORed with
    /// `HMAC(K_dir, "kinfolk/1 carried number" | tag)[..8]`.
    #[must_use]
    pub fn mask(&self, tag: &MailboxTag, number: [u8; 8]) -> [u8; 8] {
        let parts = [Label::CarriedNumber.as_bytes(), tag.as_bytes()];
        let mask = Prf::new(self.0.as_bytes()).over(&parts);
        let mut out = number;
        mask.as_bytes().iter().zip(&mut out).for_each(|(from, to)| *to ^= *from);
        out
    }

    fn at(&self, label: Label, slot: &Slot) -> [u8; 16] {
        let numbers = (slot.day.to_be_bytes(), slot.number.to_be_bytes());
        let parts = [label.as_bytes(), slot.host.as_bytes(), &numbers.0, &numbers.1];
        let mut out = [0; 16];
        Prf::new(self.0.as_bytes()).over(&parts).as_bytes().iter().zip(&mut out).for_each(|(from, to)| *to = *from);
        out
    }

    /// Seals a payload to the smallest size that holds it: `0x01 | nonce 24 | XChaCha20-Poly1305(payload | 0x80 | 00 ..)`
    /// with the tag as associated data, under a key of its own for each number. Nothing where it is longer than any.
    ///
    /// The nonce is made of the tag and the payload by the pair's secret: what is sealed again for the same slot is the
    /// same blob, which a host knows as a repetition, and no nonce serves two payloads or two hosts.
    #[must_use]
    pub fn seal(&self, slot: &Slot, payload: &[u8]) -> Option<Vec<u8>> {
        let bucket = Bucket::holding(payload.len().checked_add(SEAL)?)?;
        let place = self.tag(slot);
        let parts = [Label::MailboxNonce.as_bytes(), place.as_bytes(), payload];
        let mut nonce = [0; NONCE];
        Prf::new(self.0.as_bytes()).over(&parts).as_bytes().iter().zip(&mut nonce).for_each(|(from, to)| *to = *from);
        let mut padded = Vec::with_capacity(bucket.bytes());
        padded.extend_from_slice(payload);
        padded.push(0x80);
        padded.resize(bucket.bytes().checked_sub(1 + NONCE + TAG)?, 0);
        let tag = aead::xseal(self.seal_key(slot).as_bytes(), &nonce, place.as_bytes(), &mut padded);
        Some([&[VERSION][..], &nonce, &padded, &tag].concat())
    }

    /// Opens what lay at a slot.
    ///
    /// # Errors
    /// [`OpenError`]: another slot, another pair, altered, or no seal at all.
    pub fn open(&self, slot: &Slot, blob: &[u8]) -> Result<SecretBytes, OpenError> {
        let (version, rest) = blob.split_first().ok_or(OpenError)?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE>().ok_or(OpenError)?;
        let (sealed, tag) = rest.split_last_chunk::<TAG>().ok_or(OpenError)?;
        if *version != VERSION {
            return Err(OpenError);
        }
        let mut payload = sealed.to_vec();
        aead::xopen(self.seal_key(slot).as_bytes(), nonce, self.tag(slot).as_bytes(), &mut payload, tag)?;
        let end = payload.iter().rposition(|byte| *byte != 0).ok_or(OpenError)?;
        if payload.get(end) != Some(&0x80) {
            return Err(OpenError);
        }
        payload.truncate(end);
        Ok(SecretBytes::new(payload))
    }

    fn seal_key(&self, slot: &Slot) -> Key {
        let [key] = kdf::derive(&[], self.0.as_bytes(), &[Label::MailboxSeal.as_bytes(), &slot.number.to_be_bytes()]);
        key
    }
}

/// How many leading zero bits a deposit of this size needs at a host that asks for `bits`: one more for each doubling
/// beyond what one token pays for.
#[must_use]
pub fn bits_for(bits: u8, bucket: Bucket) -> u8 {
    let doublings = u8::try_from(bucket.tokens().ilog2()).unwrap_or(u8::MAX);
    bits.saturating_add(doublings)
}

/// Whether a stamp shows that work of so many bits was done for this deposit: `SHA-256("kinfolk/1 work" | host | tag |
/// SHA-256(blob) | hour u32 | nonce u64)` begins with as many zero bits. Whether the hour is the present one is for the
/// host, who has a clock.
#[must_use]
pub fn is_stamped(host: &PeerId, tag: &MailboxTag, blob: &[u8], stamp: Stamp, bits: u8) -> bool {
    zero_bits(host, tag, &kdf::sha256(&[blob]), stamp) >= u32::from(bits)
}

/// Looks for a stamp; takes 2^`bits` hashes on average.
#[must_use]
pub fn stamp(host: &PeerId, tag: &MailboxTag, blob: &[u8], hour: u32, bits: u8) -> Option<Stamp> {
    let digest = kdf::sha256(&[blob]);
    let stamps = (0..=u64::MAX).map(|nonce| Stamp { hour, nonce });
    stamps.into_iter().find(|stamp| zero_bits(host, tag, &digest, *stamp) >= u32::from(bits))
}

fn zero_bits(host: &PeerId, tag: &MailboxTag, digest: &[u8; 32], stamp: Stamp) -> u32 {
    let (hour, nonce) = (stamp.hour.to_be_bytes(), stamp.nonce.to_be_bytes());
    let label = Label::MailboxWork.as_bytes();
    let hash = kdf::sha256(&[label, host.as_bytes(), tag.as_bytes(), digest, &hour, &nonce]);
    let zeros = hash.iter().take_while(|byte| **byte == 0).count();
    let rest = hash.get(zeros).map_or(0, |byte| byte.leading_zeros());
    u32::try_from(zeros).unwrap_or(u32::MAX).saturating_mul(8).saturating_add(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> DirectionKey {
        DirectionKey::new(&[1; 32], DeviceId::new([2; 16]), DeviceId::new([3; 16]))
    }

    fn slot() -> Slot {
        Slot { host: PeerId::new([4; 38]), day: 20_000, number: 1 }
    }

    #[test]
    fn a_payload_comes_back_from_its_slot_and_from_no_other() {
        for length in [0, 1, 470, 471, 2_006, 2_007, 60_000, 65_280] {
            let payload = vec![0x80; length];
            let blob = key().seal(&slot(), &payload).unwrap();
            assert_eq!(blob.len(), Bucket::holding(length + SEAL).unwrap().bytes());
            assert_eq!(key().open(&slot(), &blob).unwrap().as_slice(), payload);
            let others = [
                Slot { number: 2, ..slot() },
                Slot { day: 20_001, ..slot() },
                Slot { host: PeerId::new([5; 38]), ..slot() },
            ];
            for other in others {
                assert_eq!(key().open(&other, &blob), Err(OpenError));
            }
            let back = DirectionKey::new(&[1; 32], DeviceId::new([3; 16]), DeviceId::new([2; 16]));
            assert_eq!(back.open(&slot(), &blob), Err(OpenError));
        }
        assert!(key().seal(&slot(), &vec![0; 65_536 - SEAL + 1]).is_none());
    }

    #[test]
    fn a_seal_that_was_altered_anywhere_does_not_open() {
        let blob = key().seal(&slot(), b"a line").unwrap();
        for at in 0..blob.len() {
            let mut altered = blob.clone();
            altered[at] ^= 1;
            assert_eq!(key().open(&slot(), &altered), Err(OpenError), "{at}");
        }
        for cut in 0..60 {
            assert_eq!(key().open(&slot(), &blob[..cut]), Err(OpenError), "{cut}");
        }
    }

    #[test]
    fn h09_tags_erasure_keys_and_blobs_of_one_pair_share_nothing() {
        let slots = (1..50)
            .flat_map(|number| (20_000..20_004).map(move |day| Slot { host: PeerId::new([4; 38]), day, number }));
        let mut seen = std::collections::BTreeSet::new();
        for slot in slots {
            let Erasure { tag, key } = key().erasure(&slot);
            assert!(seen.insert(*tag.as_bytes()), "{slot:?}");
            assert!(seen.insert(key), "{slot:?}");
        }
    }

    #[test]
    fn what_is_sealed_again_is_the_same_and_no_nonce_serves_two() {
        let one = key().seal(&slot(), b"a line").unwrap();
        assert_eq!(key().seal(&slot(), b"a line").unwrap(), one);
        let elsewhere = Slot { host: PeerId::new([5; 38]), ..slot() };
        let others = [key().seal(&slot(), b"A line"), key().seal(&elsewhere, b"a line")];
        for other in others {
            assert_ne!(other.unwrap()[1..25], one[1..25]);
        }
    }

    #[test]
    fn h09_a_number_is_hidden_by_its_tag_and_shows_to_the_pair() {
        let numbers = [1, 2, 3, u64::MAX].map(|number| Slot { number, ..slot() });
        let hidden = numbers.map(|slot| key().mask(&key().tag(&slot), slot.number.to_be_bytes()));
        for (slot, hidden) in numbers.iter().zip(hidden) {
            assert_eq!(key().mask(&key().tag(slot), hidden), slot.number.to_be_bytes());
            let back = DirectionKey::new(&[1; 32], DeviceId::new([3; 16]), DeviceId::new([2; 16]));
            assert_ne!(back.mask(&key().tag(slot), hidden), slot.number.to_be_bytes());
        }
        // Numbers in a row do not begin alike.
        assert_ne!(hidden[0][..2], hidden[1][..2]);
        assert_ne!(hidden[1][..2], hidden[2][..2]);
    }

    #[test]
    fn a_stamp_holds_for_its_deposit_alone() {
        let (host, tag, blob) = (slot().host, key().tag(&slot()), vec![7; 512]);
        let found = stamp(&host, &tag, &blob, 498_000, 12).unwrap();
        assert!(is_stamped(&host, &tag, &blob, found, 12));
        let other_hour = Stamp { hour: found.hour + 1, ..found };
        assert!(!is_stamped(&PeerId::new([9; 38]), &tag, &blob, found, 12));
        assert!(!is_stamped(&host, &MailboxTag::new([0; 16]), &blob, found, 12));
        assert!(!is_stamped(&host, &tag, &[8; 512], found, 12));
        assert!(!is_stamped(&host, &tag, &blob, other_hour, 12));
        assert!(!is_stamped(&host, &tag, &blob, found, 64));
    }

    #[test]
    fn greater_blobs_cost_more_work() {
        assert_eq!(Bucket::ALL.map(|bucket| bits_for(20, bucket)), [20, 20, 22, 24, 25]);
    }
}
