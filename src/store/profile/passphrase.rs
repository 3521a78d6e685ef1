//! From a passphrase to a key: Argon2id (RFC 9106), about a second of it, never less than 64 MiB and 3 passes.

use std::time::{Duration, Instant};

use allocator_api2::alloc::System;
use allocator_api2::vec::Vec as VecOf;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use kinfolk_wire::codec::{DecodeError, Reader};
use zeroize::{Zeroize, Zeroizing};

pub(crate) const SALT: usize = 32;

const MIB: u32 = 1_024;
const LEAST_KIB: u32 = 64 * MIB;
const LEAST_PASSES: u32 = 3;
/// What calibration takes at most, so that a phone can open the profile too.
const CALIBRATED_KIB: u32 = 256 * MIB;
const CALIBRATED_PASSES: u32 = 24;
const AIM: Duration = Duration::from_secs(1);
/// What a vault may ask for: one that asks for more is not ours.
const MOST_KIB: u32 = 1_024 * MIB;
const MOST_PASSES: u32 = 64;
const MOST_LANES: u32 = 4;
const MOST_WORK_KIB: u64 = 16 * 1_024 * MIB as u64;

/// How dear the way from a passphrase to the key is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Derivation {
    /// About a second on this machine.
    #[default]
    Calibrated,
    /// The least there is: 64 MiB and 3 passes.
    Least,
}

/// Parameters of one derivation, as a vault keeps them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cost {
    pub(crate) kib: u32,
    pub(crate) passes: u32,
    pub(crate) lanes: u32,
}

/// The memory for a derivation cannot be had, or the parameters are not ones of Argon2.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the key cannot be derived from the passphrase with {} MiB and {} passes", .cost.kib / MIB, .cost.passes)]
pub(crate) struct DeriveError {
    cost: Cost,
}

impl Cost {
    pub(crate) const LENGTH: usize = 12;
    const LEAST: Self = Self { kib: LEAST_KIB, passes: LEAST_PASSES, lanes: 1 };

    pub(crate) fn choose(derivation: Derivation) -> Self {
        match derivation {
            Derivation::Least => Self::LEAST,
            Derivation::Calibrated => {
                let started = Instant::now();
                match Self::LEAST.derive(b"calibration", &[0; SALT]) {
                    Ok(_) => Self::for_speed(started.elapsed()),
                    Err(_) => Self::LEAST,
                }
            }
        }
    }

    /// More memory first, which is what costs an attacker most; then more passes.
    fn for_speed(least_takes: Duration) -> Self {
        let times = u32::try_from(AIM.as_micros() / least_takes.as_micros().max(1)).unwrap_or(u32::MAX).max(1);
        let doublings = times.ilog2().min((CALIBRATED_KIB / LEAST_KIB).ilog2());
        let passes = LEAST_PASSES.saturating_mul(times >> doublings).min(CALIBRATED_PASSES);
        Self { kib: LEAST_KIB << doublings, passes, lanes: 1 }
    }

    pub(crate) fn write(self) -> [u8; Self::LENGTH] {
        let mut out = [0; Self::LENGTH];
        for (to, number) in out.chunks_exact_mut(4).zip([self.kib, self.passes, self.lanes]) {
            to.copy_from_slice(&number.to_be_bytes());
        }
        out
    }

    /// Reads parameters and refuses those outside the bounds, before anything is spent on them.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let cost = Self { kib: reader.u32()?, passes: reader.u32()?, lanes: reader.u32()? };
        let work = u64::from(cost.kib).saturating_mul(cost.passes.into());
        let bounds = (LEAST_KIB..=MOST_KIB).contains(&cost.kib)
            && (LEAST_PASSES..=MOST_PASSES).contains(&cost.passes)
            && (1..=MOST_LANES).contains(&cost.lanes)
            && work <= MOST_WORK_KIB;
        if bounds { Ok(cost) } else { Err(DecodeError::Malformed { what: "cost of a derivation" }) }
    }

    pub(crate) fn derive(self, passphrase: &[u8], salt: &[u8; SALT]) -> Result<Zeroizing<[u8; 32]>, DeriveError> {
        let failed = || DeriveError { cost: self };
        let mut key = Zeroizing::new([0; 32]);
        let params = Params::new(self.kib, self.passes, self.lanes, Some(key.len())).map_err(|_| failed())?;
        // From the system itself: an allocator may keep a hundred megabytes for a node that never needs them again.
        let mut memory = VecOf::new_in(System);
        memory.try_reserve_exact(params.block_count()).map_err(|_| failed())?;
        memory.resize(params.block_count(), Block::new());
        let derived = Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into_with_memory(
            passphrase,
            salt,
            key.as_mut_slice(),
            memory.as_mut_slice(),
        );
        memory.iter_mut().for_each(Zeroize::zeroize);
        derived.map_err(|_| failed())?;
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cost: Cost) -> Result<Cost, DecodeError> {
        Cost::read(&mut Reader::new("cost", &cost.write()))
    }

    #[test]
    fn a_fast_machine_takes_more_memory_and_a_slow_one_never_less_than_the_least() {
        assert_eq!(Cost::for_speed(Duration::from_secs(5)), Cost::LEAST);
        assert_eq!(Cost::for_speed(Duration::from_millis(500)).kib, 128 * MIB);
        let fast = Cost::for_speed(Duration::from_millis(50));
        assert_eq!((fast.kib, fast.passes), (256 * MIB, 15));
        assert_eq!(Cost::for_speed(Duration::ZERO).passes, CALIBRATED_PASSES);
        for millis in 1..2_000 {
            let cost = Cost::for_speed(Duration::from_millis(millis));
            assert_eq!(read(cost), Ok(cost), "what is chosen can be read, at {millis} ms");
        }
    }

    #[test]
    fn g04_a_vault_cannot_ask_for_more_or_less_than_the_bounds() {
        let least = Cost::LEAST;
        for cost in [
            Cost { kib: 100 * 1_024 * MIB, ..least },
            Cost { kib: LEAST_KIB - 1, ..least },
            Cost { passes: 2, ..least },
            Cost { passes: u32::MAX, ..least },
            Cost { lanes: 0, ..least },
            Cost { lanes: 200, ..least },
            Cost { kib: MOST_KIB, passes: MOST_PASSES, lanes: 1 },
        ] {
            assert!(read(cost).is_err(), "{cost:?}");
        }
    }

    #[test]
    fn the_derivation_is_argon2id_of_rfc_9106() {
        // Computed with the reference implementation in C: t = 3, m = 65536 KiB, p = 1, a salt of 32 bytes 's'.
        let key = Cost::LEAST.derive(b"correct horse", &[b's'; SALT]).unwrap();
        let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "c7a483a19149efb9c64356991610de704573a7218a48074a43e57304c163e778");
    }
}
