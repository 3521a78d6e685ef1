//! The vault: the data key of a profile, wrapped in slots.
//!
//! Each slot opens with another secret, so that a passphrase can change without a row being sealed again.
//!
//! ```text
//! vault = "kinfolk vault\n" | version u8 | slots u8 | slot... | BLAKE3 of all before, 16 bytes
//! slot  = kind u8 | KiB u32 | passes u32 | lanes u32 | salt 32 | nonce 24 | commitment 32 | sealed data key 32 | tag 16
//! ```
//!
//! A secret gives a root: Argon2id of a passphrase, or BLAKE3 of a key file, both salted. From the root come the key
//! that seals the data key and the *commitment*, which tells a wrong secret from a damaged slot and ties the slot to
//! one key. The hash at the end finds accidents; it keeps no one out, the seals do.

use kinfolk_crypto::aead::{self, TAG};
use kinfolk_wire::codec::{DecodeError, Reader};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::passphrase::{Cost, DeriveError, SALT};
use crate::seal::{DataKey, NONCE, NoRandomness, random};

const MAGIC: &[u8; 14] = b"kinfolk vault\n";
const VERSION: u8 = 1;
const CHECK: usize = 16;
const COMMITMENT: usize = 32;
const WRAPPED: usize = 32 + TAG;
/// The most slots, which bounds the file.
const SLOTS: u8 = 8;
/// The longest vault in bytes.
pub(crate) const LONGEST: usize =
    MAGIC.len() + 2 + SLOTS as usize * (1 + Cost::LENGTH + SALT + NONCE + COMMITMENT + WRAPPED) + CHECK;

/// What opens a slot. Kinds that this program does not know are kept and never tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind(u8);

impl Kind {
    pub(crate) const PASSPHRASE: Self = Self(1);
    pub(crate) const KEY_FILE: Self = Self(2);
}

/// A secret that opens a slot.
pub(crate) enum Secret<'a> {
    Passphrase(&'a [u8]),
    KeyFile(&'a [u8; 32]),
}

impl Secret<'_> {
    const fn kind(&self) -> Kind {
        match self {
            Self::Passphrase(_) => Kind::PASSPHRASE,
            Self::KeyFile(_) => Kind::KEY_FILE,
        }
    }

    fn root(&self, cost: Cost, salt: &[u8; SALT]) -> Result<Zeroizing<[u8; 32]>, DeriveError> {
        Ok(Zeroizing::new(match self {
            Self::Passphrase(passphrase) => {
                blake3::derive_key("kinfolk vault 1: passphrase", cost.derive(passphrase, salt)?.as_slice())
            }
            Self::KeyFile(key) => {
                let mut material = [key.as_slice(), salt].concat();
                let root = blake3::derive_key("kinfolk vault 1: key file", &material);
                material.zeroize();
                root
            }
        }))
    }
}

/// The file as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Vault {
    slots: Vec<Slot>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Slot {
    kind: Kind,
    cost: Cost,
    salt: [u8; SALT],
    nonce: [u8; NONCE],
    commitment: [u8; COMMITMENT],
    wrapped: [u8; WRAPPED],
}

/// Why a vault does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnlockError {
    #[error("it has no slot for this kind of secret")]
    NoSlot,
    #[error("the secret is another one")]
    WrongSecret,
    #[error("the slot is damaged")]
    Damaged,
    #[error(transparent)]
    Derive(#[from] DeriveError),
}

/// Why a slot could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WrapError {
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    #[error(transparent)]
    Derive(#[from] DeriveError),
    #[error("the vault has no room for another slot")]
    NoRoom,
}

impl Vault {
    pub(crate) const fn new() -> Self {
        Self { slots: Vec::new() }
    }

    pub(crate) fn has(&self, kind: Kind) -> bool {
        self.slots.iter().any(|slot| slot.kind == kind)
    }

    /// Wraps the data key under a secret, in the place of any slot of that kind.
    pub(crate) fn set(&mut self, secret: &Secret<'_>, cost: Cost, key: &DataKey) -> Result<(), WrapError> {
        let slot = Slot::wrap(secret, cost, key)?;
        self.remove(slot.kind);
        if self.slots.len() >= SLOTS.into() {
            return Err(WrapError::NoRoom);
        }
        self.slots.push(slot);
        Ok(())
    }

    pub(crate) fn remove(&mut self, kind: Kind) {
        self.slots.retain(|slot| slot.kind != kind);
    }

    pub(crate) fn unlock(&self, secret: &Secret<'_>) -> Result<DataKey, UnlockError> {
        let slot = self.slots.iter().find(|slot| slot.kind == secret.kind()).ok_or(UnlockError::NoSlot)?;
        slot.unwrap(secret)
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.push(VERSION);
        out.push(u8::try_from(self.slots.len()).unwrap_or(SLOTS));
        for slot in &self.slots {
            out.extend_from_slice(&slot.head());
            out.extend_from_slice(&slot.nonce);
            out.extend_from_slice(&slot.commitment);
            out.extend_from_slice(&slot.wrapped);
        }
        let check = check(&out);
        out.extend_from_slice(&check);
        out
    }

    pub(crate) fn read(bytes: &[u8]) -> Result<Self, DecodeError> {
        const WHAT: &str = "vault";
        let malformed = DecodeError::Malformed { what: WHAT };
        let (body, tail) = bytes.split_last_chunk::<CHECK>().ok_or_else(|| malformed.clone())?;
        let mut reader = Reader::new(WHAT, body);
        if reader.array()? != *MAGIC || check(body) != *tail {
            return Err(malformed);
        }
        let version = reader.u8()?;
        if version != VERSION {
            return Err(DecodeError::UnknownVersion { what: WHAT, found: version.into() });
        }
        let count = reader.u8()?;
        if count > SLOTS {
            return Err(DecodeError::TooLong { what: WHAT, limit: SLOTS.into(), found: count.into() });
        }
        let mut slots = Vec::new();
        for _ in 0..count {
            slots.push(Slot::read(&mut reader)?);
        }
        if reader.rest().is_empty() { Ok(Self { slots }) } else { Err(malformed) }
    }
}

fn check(bytes: &[u8]) -> [u8; CHECK] {
    blake3::hash(bytes).as_bytes().first_chunk().copied().unwrap_or_default()
}

impl Slot {
    fn wrap(secret: &Secret<'_>, cost: Cost, key: &DataKey) -> Result<Self, WrapError> {
        let (mut salt, mut nonce) = ([0; SALT], [0; NONCE]);
        random(&mut salt)?;
        random(&mut nonce)?;
        let root = secret.root(cost, &salt)?;
        let commitment = commitment(&root);
        let mut slot = Self { kind: secret.kind(), cost, salt, nonce, commitment, wrapped: [0; WRAPPED] };
        let mut sealed = Zeroizing::new(key.0);
        let tag = aead::xseal(&wrapping(&root), &nonce, &slot.head(), sealed.as_mut_slice());
        for (to, from) in slot.wrapped.iter_mut().zip(sealed.iter().chain(&tag)) {
            *to = *from;
        }
        Ok(slot)
    }

    fn unwrap(&self, secret: &Secret<'_>) -> Result<DataKey, UnlockError> {
        let root = secret.root(self.cost, &self.salt)?;
        let right: bool = commitment(&root).as_slice().ct_eq(self.commitment.as_slice()).into();
        if !right {
            return Err(UnlockError::WrongSecret);
        }
        let (sealed, tag) = self.wrapped.split_last_chunk::<TAG>().ok_or(UnlockError::Damaged)?;
        let mut key = DataKey(sealed.try_into().map_err(|_| UnlockError::Damaged)?);
        aead::xopen(&wrapping(&root), &self.nonce, &self.head(), &mut key.0, tag).map_err(|_| UnlockError::Damaged)?;
        Ok(key)
    }

    /// What is bound to the seal beside the key itself.
    fn head(&self) -> Vec<u8> {
        [&[self.kind.0], self.cost.write().as_slice(), self.salt.as_slice()].concat()
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            kind: Kind(reader.u8()?),
            cost: Cost::read(reader)?,
            salt: reader.array()?,
            nonce: reader.array()?,
            commitment: reader.array()?,
            wrapped: reader.array()?,
        })
    }
}

fn wrapping(root: &[u8; 32]) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(blake3::derive_key("kinfolk vault 1: wrapping", root))
}

fn commitment(root: &[u8; 32]) -> [u8; COMMITMENT] {
    blake3::derive_key("kinfolk vault 1: commitment", root)
}

#[cfg(test)]
mod tests {
    use super::super::passphrase::Derivation;
    use super::*;

    fn vault(secret: &Secret<'_>) -> Vault {
        let mut vault = Vault::new();
        vault.set(secret, Cost::choose(Derivation::Least), &DataKey([7; 32])).unwrap();
        vault
    }

    #[test]
    fn each_secret_opens_its_own_slot() {
        let mut vault = vault(&Secret::Passphrase(b"open sesame"));
        vault.set(&Secret::KeyFile(&[3; 32]), Cost::choose(Derivation::Least), &DataKey([7; 32])).unwrap();
        let vault = Vault::read(&vault.write()).unwrap();
        assert_eq!(vault.unlock(&Secret::Passphrase(b"open sesame")).unwrap().0, [7; 32]);
        assert_eq!(vault.unlock(&Secret::KeyFile(&[3; 32])).unwrap().0, [7; 32]);
        assert_eq!(vault.unlock(&Secret::KeyFile(&[4; 32])).err(), Some(UnlockError::WrongSecret));
        assert!(vault.write().len() <= LONGEST);
    }

    #[test]
    fn g04_a_passphrase_of_one_byte_costs_as_much_as_a_long_one() {
        let cost = |passphrase: &[u8]| {
            let vault = Vault::read(&vault(&Secret::Passphrase(passphrase)).write()).unwrap();
            vault.slots.iter().map(|slot| slot.cost).collect::<Vec<_>>()
        };
        let least = Cost { kib: 64 << 10, passes: 3, lanes: 1 };
        assert_eq!(cost(b"a"), [least]);
        assert_eq!(cost(&[b'a'; 200]), [least]);
        assert_eq!(cost(b""), [least]);
    }

    #[test]
    fn g04_a_wrong_passphrase_is_called_wrong() {
        let vault = vault(&Secret::Passphrase(b"open sesame"));
        for wrong in [&b"open sesamf"[..], b"", b"o", b"open sesame\0"] {
            assert_eq!(vault.unlock(&Secret::Passphrase(wrong)).err(), Some(UnlockError::WrongSecret));
        }
        assert_eq!(vault.unlock(&Secret::KeyFile(&[0; 32])).err(), Some(UnlockError::NoSlot));
    }

    #[test]
    fn g04_no_byte_of_a_vault_can_change_unnoticed() {
        let bytes = vault(&Secret::KeyFile(&[3; 32])).write();
        for index in 0..bytes.len() {
            let mut other = bytes.clone();
            other[index] ^= 1;
            assert!(Vault::read(&other).is_err(), "byte {index}, an accident");
            let end = other.len() - CHECK;
            let fresh = check(&other[..end]);
            other[end..].copy_from_slice(&fresh);
            let opened = Vault::read(&other).map(|vault| vault.unlock(&Secret::KeyFile(&[3; 32])));
            let as_it_was = index >= end;
            assert_eq!(matches!(opened, Ok(Ok(_))), as_it_was, "byte {index}, on purpose");
        }
        for end in 0..bytes.len() {
            assert!(Vault::read(&bytes[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn g04_two_vaults_of_one_secret_share_no_salt_nonce_or_seal() {
        let (one, two) = (vault(&Secret::KeyFile(&[3; 32])), vault(&Secret::KeyFile(&[3; 32])));
        let (one, two) = (&one.slots[0], &two.slots[0]);
        assert!(one.salt != two.salt && one.nonce != two.nonce);
        assert!(one.wrapped != two.wrapped && one.commitment != two.commitment);
    }

    #[test]
    fn a_slot_of_an_unknown_kind_is_kept() {
        let mut vault = vault(&Secret::KeyFile(&[3; 32]));
        let mut later = vault.slots[0].clone();
        later.kind = Kind(77);
        vault.slots.push(later);
        let mut vault = Vault::read(&vault.write()).unwrap();
        vault.set(&Secret::KeyFile(&[5; 32]), Cost::choose(Derivation::Least), &DataKey([7; 32])).unwrap();
        assert!(vault.has(Kind(77)) && vault.slots.len() == 2);
    }

    #[test]
    fn a_vault_of_a_newer_program_is_refused_by_its_version() {
        let mut bytes = vault(&Secret::KeyFile(&[3; 32])).write();
        bytes[MAGIC.len()] = 2;
        let end = bytes.len() - CHECK;
        let fresh = check(&bytes[..end]);
        bytes[end..].copy_from_slice(&fresh);
        assert_eq!(Vault::read(&bytes), Err(DecodeError::UnknownVersion { what: "vault", found: 2 }));
    }
}
