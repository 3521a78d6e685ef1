//! The chance that turns are given: one generator for each turn, seeded by the system.
//!
//! A fresh seed for each turn means that a copied or restored machine does not draw the same numbers twice, and that a
//! system without randomness to give refuses the turn instead of weakening it.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

/// The system has no randomness to give.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no randomness ({reason}); nothing was sent or kept")]
pub struct NoEntropy {
    /// What the system said.
    pub reason: String,
}

/// Gives seeds.
pub trait Entropy: Send + 'static {
    /// 32 fresh random bytes.
    ///
    /// # Errors
    /// [`NoEntropy`].
    fn seed(&mut self) -> Result<[u8; 32], NoEntropy>;

    /// A generator for one turn.
    ///
    /// # Errors
    /// [`NoEntropy`].
    fn generator(&mut self) -> Result<ChaCha20Rng, NoEntropy> {
        self.seed().map(ChaCha20Rng::from_seed)
    }
}

/// The operating system's generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn seed(&mut self) -> Result<[u8; 32], NoEntropy> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| NoEntropy { reason: error.to_string() })?;
        Ok(seed)
    }
}
