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
    /// One smallest unit.
    pub const LEAST: Self = Self(1);
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

    /// Reads an amount as people write it in a currency of so many decimals: digits, and a point where there are any
    /// decimals to name.
    ///
    /// # Errors
    /// [`AmountTextError`], which names what is allowed.
    pub fn from_text(text: &str, decimals: u8) -> Result<Self, AmountTextError> {
        let malformed = || AmountTextError::Malformed { decimals };
        let (whole, part) = match text.split_once('.') {
            Some((whole, part)) if !part.is_empty() => (whole, part),
            Some(_) => return Err(malformed()),
            None => (text, ""),
        };
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(part) {
            return Err(malformed());
        }
        if part.len() > usize::from(decimals) {
            return Err(AmountTextError::Decimals { found: part.len(), decimals });
        }
        let too_much = || AmountTextError::Range { most: in_text(MAX, decimals) };
        let missing = usize::from(decimals).saturating_sub(part.len());
        let mut units = 0_u64;
        for digit in whole.bytes().chain(part.bytes()).chain(std::iter::repeat_n(b'0', missing)) {
            let digit = u64::from(digit.saturating_sub(b'0'));
            units = units.checked_mul(10).and_then(|units| units.checked_add(digit)).ok_or_else(too_much)?;
        }
        if units == 0 {
            return Err(AmountTextError::Zero { least: in_text(1, decimals) });
        }
        Self::new(units).map_err(|_| too_much())
    }

    /// As people write it.
    #[must_use]
    pub fn to_text(self, decimals: u8) -> String {
        in_text(self.0, decimals)
    }

    /// The sum, or nothing if it is more than [`MAX`].
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).and_then(|sum| Self::new(sum).ok())
    }
}

/// Smallest units as people write them in a currency of so many decimals, all of which are written.
#[must_use]
pub fn in_text(units: u64, decimals: u8) -> String {
    let width = usize::from(decimals).saturating_add(1);
    let digits = format!("{units:0>width$}");
    match digits.split_at_checked(digits.len().saturating_sub(usize::from(decimals))) {
        Some((whole, part)) if !part.is_empty() => format!("{whole}.{part}"),
        _ => digits,
    }
}

/// A text that is no amount of a currency.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmountTextError {
    /// Something else than digits and one point.
    #[error(
        "an amount is digits and, where the currency has decimals, a point: such as {}; no sign, no exponent",
        in_text(1_250, *decimals)
    )]
    Malformed {
        /// The currency's decimals.
        decimals: u8,
    },
    /// More decimals than the currency has.
    #[error("the currency has {decimals} decimals, this amount has {found}")]
    Decimals {
        /// How many it has.
        found: usize,
        /// How many the currency has.
        decimals: u8,
    },
    /// Nothing.
    #[error("the least amount is {least}")]
    Zero {
        /// One smallest unit.
        least: String,
    },
    /// More than any amount.
    #[error("the largest amount is {most}")]
    Range {
        /// The largest.
        most: String,
    },
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

    #[test]
    fn an_amount_is_written_and_read_with_the_currencys_decimals() {
        for (text, decimals, units, again) in [
            ("12.50", 2, 1_250, "12.50"),
            ("12.5", 2, 1_250, "12.50"),
            ("12", 2, 1_200, "12.00"),
            ("0.01", 2, 1, "0.01"),
            ("007", 0, 7, "7"),
            ("0.000000001", 9, 1, "0.000000001"),
            ("90071992547409.91", 2, MAX, "90071992547409.91"),
        ] {
            let amount = Amount::from_text(text, decimals).unwrap();
            assert_eq!((amount.units(), amount.to_text(decimals)), (units, again.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_is_refused_with_the_limit_named() {
        let refused = |text, decimals| Amount::from_text(text, decimals).unwrap_err();
        for text in ["", ".", "1.", ".5", "-1", "+1", "1e3", "1,5", "1.2.3", " 1", "1 ", "0x10", "१"] {
            assert_eq!(refused(text, 2), AmountTextError::Malformed { decimals: 2 }, "{text}");
        }
        assert_eq!(refused("1.234", 2), AmountTextError::Decimals { found: 3, decimals: 2 });
        assert_eq!(refused("1.0", 0), AmountTextError::Decimals { found: 1, decimals: 0 });
        assert_eq!(refused("0.00", 2), AmountTextError::Zero { least: "0.01".to_owned() });
        let most = AmountTextError::Range { most: "90071992547409.91".to_owned() };
        for text in ["90071992547409.92", "18446744073709551616", "99999999999999999999999999"] {
            assert_eq!(refused(text, 2), most, "{text}");
        }
        assert!(refused("-1", 2).to_string().contains("12.50"));
    }
}
