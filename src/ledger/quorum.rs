//! How many witnesses make a quorum.

/// The most witnesses a currency may have: one bit each in 31 of a `u32`.
pub const WITNESSES: usize = kinfolk_wire::limits::WITNESSES;

/// The sizes that agreement rests on: `n` witnesses of which at most `f` are faulty, quorum `q = n - f`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Quorum {
    n: u8,
    f: u8,
    q: u8,
}

/// A number of witnesses that cannot bear that many faulty ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{found} witnesses with {faults} of them faulty: at least {needed} and at most {WITNESSES} are needed")]
pub struct QuorumError {
    /// How many witnesses there are.
    pub found: usize,
    /// How many of them may be faulty.
    pub faults: u8,
    /// `3f + 1`.
    pub needed: usize,
}

impl Quorum {
    /// `n` witnesses that bear `f` faulty ones.
    ///
    /// # Errors
    /// [`QuorumError`] unless `3f + 1 <= n <= 31`.
    pub fn new(n: usize, f: u8) -> Result<Self, QuorumError> {
        let needed = usize::from(f).saturating_mul(3).saturating_add(1);
        let error = QuorumError { found: n, faults: f, needed };
        if n < needed || n > WITNESSES {
            return Err(error);
        }
        let n = u8::try_from(n).map_err(|_| error)?;
        Ok(Self { n, f, q: n.saturating_sub(f) })
    }

    /// Witnesses.
    #[must_use]
    pub const fn n(self) -> usize {
        self.n as usize
    }

    /// Witnesses that may be faulty.
    #[must_use]
    pub const fn f(self) -> usize {
        self.f as usize
    }

    /// Votes that make a certificate.
    #[must_use]
    pub const fn q(self) -> usize {
        self.q as usize
    }

    /// A quorum that is one too small, which the model must find out.
    #[cfg(test)]
    pub(crate) const fn one_too_small(self) -> Self {
        Self { q: self.q.saturating_sub(1), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_two_quorums_share_a_correct_witness() {
        for n in 1..=WITNESSES {
            for f in 0..=10 {
                let Ok(quorum) = Quorum::new(n, f) else {
                    assert!(n < 3 * usize::from(f) + 1);
                    continue;
                };
                assert!(2 * quorum.q() - quorum.n() > quorum.f());
                assert!(quorum.q() <= quorum.n() - quorum.f(), "a quorum answers while f are silent");
            }
        }
        assert!(Quorum::new(0, 0).is_err() && Quorum::new(32, 0).is_err() && Quorum::new(3, 1).is_err());
    }
}
