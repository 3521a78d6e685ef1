//! Amounts of money, in the currency's smallest unit.

use std::fmt;

use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

/// The largest amount and the largest supply: 2^53 - 1, which every reader of JSON can represent, and of which no sum
/// of a few thousand overflows a `u64`.
pub const MAX: u64 = (1 << 53) - 1;

/// An amount that changes hands: 1 to [`MAX`] smallest units.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(u64);

/// A number that is no [`Amount`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an amount is 1 to {MAX} smallest units, this is {found}")]
pub struct AmountError {
    /// The number.
    pub found: u64,
}

impl Amount {
    /// The largest.
    pub const MAX: Self = Self(MAX);

    /// This many smallest units.
    ///
    /// # Errors
    /// [`AmountError`] for nothing and for more than [`MAX`].
    pub const fn new(units: u64) -> Result<Self, AmountError> {
        if units == 0 || units > MAX { Err(AmountError { found: units }) } else { Ok(Self(units)) }
    }

    /// Smallest units.
    #[must_use]
    pub const fn units(self) -> u64 {
        self.0
    }

    /// The sum, or nothing if it is more than [`MAX`].
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).and_then(|sum| Self::new(sum).ok())
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} units", self.0)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl<C> Encode<C> for Amount {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        e.u64(self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Amount {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        Self::new(d.u64()?).map_err(|_| decode::Error::message("not an amount"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e02_nothing_and_too_much_are_no_amounts() {
        for units in [0, MAX + 1, u64::MAX] {
            assert_eq!(Amount::new(units), Err(AmountError { found: units }));
        }
        assert_eq!(Amount::new(1).map(Amount::units), Ok(1));
        assert_eq!(Amount::new(MAX), Ok(Amount::MAX));
        assert_eq!(Amount::MAX.plus(Amount(1)), None);
    }

    #[test]
    fn e02_negative_fractional_and_textual_amounts_do_not_decode() {
        for bytes in [&[0x20][..], &[0x00], &[0x61, b'1'], &[0xf9, 0x3c, 0x00], &[0x1b, 0, 0x20, 0, 0, 0, 0, 0, 0]] {
            assert!(minicbor::decode::<Amount>(bytes).is_err(), "{bytes:02x?}");
        }
    }
}
