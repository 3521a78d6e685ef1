//! Keys as numbers, so that there is a way from one to another in halves.

/// The first 48 bytes of a key, big-endian: longer than any stored key but its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Number([u64; 6]);

impl Number {
    pub(super) const BITS: usize = 384;
    pub(super) const GREATEST: Self = Self([u64::MAX; 6]);

    pub(super) fn of(key: &[u8]) -> Self {
        let mut bytes = key.iter().copied().chain(std::iter::repeat(0));
        Self(std::array::from_fn(|_| {
            (0..8).fold(0, |limb: u64, _| limb << 8 | u64::from(bytes.next().unwrap_or_default()))
        }))
    }

    pub(super) fn key(self) -> Vec<u8> {
        self.0.iter().flat_map(|limb| limb.to_be_bytes()).collect()
    }

    /// 2 to the power of `bit` more.
    pub(super) fn up(self, bit: usize) -> Option<Self> {
        let (sum, over) = self.add(Self::power(bit));
        (!over).then_some(sum)
    }

    /// 2 to the power of `bit` less.
    pub(super) fn down(self, bit: usize) -> Option<Self> {
        let mut under = false;
        let mut out = [0; 6];
        for ((to, from), power) in out.iter_mut().zip(self.0).zip(Self::power(bit).0).rev() {
            let (less, first) = from.overflowing_sub(power);
            let (less, second) = less.overflowing_sub(u64::from(under));
            *to = less;
            under = first || second;
        }
        (!under).then_some(Self(out))
    }

    /// The middle between two, or the lower one where nothing is between.
    pub(super) fn middle(self, other: Self) -> Self {
        let (sum, mut carry) = self.add(other);
        Self(sum.0.map(|limb| {
            let half = limb >> 1 | u64::from(carry) << 63;
            carry = limb & 1 == 1;
            half
        }))
    }

    fn power(bit: usize) -> Self {
        Self(std::array::from_fn(|index| if 5usize.checked_sub(bit / 64) == Some(index) { 1 << (bit % 64) } else { 0 }))
    }

    fn add(self, other: Self) -> (Self, bool) {
        let mut over = false;
        let mut out = [0; 6];
        for ((to, one), two) in out.iter_mut().zip(self.0).zip(other.0).rev() {
            let (more, first) = one.overflowing_add(two);
            let (more, second) = more.overflowing_add(u64::from(over));
            *to = more;
            over = first || second;
        }
        (Self(out), over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_as_keys_do() {
        let keys: [&[u8]; 6] = [b"", b"a", b"a\0b", b"ab", b"b", &[0xff; 60]];
        assert!(keys.windows(2).all(|pair| Number::of(pair[0]) < Number::of(pair[1])));
        assert_eq!(Number::of(b"some key").key()[..8], *b"some key");
        assert_eq!(Number::of(&[0xff; 60]), Number::GREATEST);
    }

    #[test]
    fn steps_and_middles_carry() {
        let low = Number::of(&[1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        // Bit 312 is the lowest of the ninth byte from the front.
        assert_eq!(low.up(312), Some(Number::of(&[2])));
        assert_eq!(Number::of(&[2]).down(312), Some(low));
        assert_eq!(low.up(0).unwrap().down(0), Some(low));
        assert_eq!(Number::GREATEST.up(0), None);
        assert_eq!(Number::of(b"").down(0), None);
        let (one, two) = (Number::of(&[0x10]), Number::of(&[0xf0]));
        assert_eq!(one.middle(two), Number::of(&[0x80]));
        assert_eq!(two.middle(Number::GREATEST), Number::GREATEST.middle(two));
        assert!(two.middle(Number::GREATEST) > two);
        assert_eq!(one.middle(one.up(0).unwrap()), one);
    }
}
