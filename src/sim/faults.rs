//! What goes wrong, how often, and how often it did.

use std::collections::BTreeMap;

use rand_core::Rng;

/// The kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A frame or an acknowledgement never comes.
    Loss,
    /// It comes seconds late.
    Delay,
    /// It comes twice.
    Duplication,
    /// It is overtaken by the next one.
    Reordering,
    /// Two nodes cannot reach each other for a while.
    Partition,
    /// A connection breaks.
    Disconnection,
    /// A node dies before a batch is on disk.
    CrashBeforeCommit,
    /// A node dies when a batch is on disk and none of its effects has left.
    CrashBeforeEffects,
    /// A node dies in the middle of letting effects out.
    CrashAmidEffects,
    /// Somebody alters a payload on its way.
    Forgery,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Loss,
        Self::Delay,
        Self::Duplication,
        Self::Reordering,
        Self::Partition,
        Self::Disconnection,
        Self::CrashBeforeCommit,
        Self::CrashBeforeEffects,
        Self::CrashAmidEffects,
        Self::Forgery,
    ];
}

/// How likely each fault is in one world, in ten-thousandths for each chance it has.
#[derive(Debug, Clone)]
pub struct Weather {
    odds: BTreeMap<Fault, u32>,
    /// How often each fault came.
    pub injected: BTreeMap<Fault, u64>,
    calm: bool,
}

impl Weather {
    /// Draws a weather: each kind of fault is absent from some worlds and heavy in others.
    pub fn draw(rng: &mut impl Rng) -> Self {
        let odds = Fault::ALL
            .into_iter()
            .map(|fault| {
                let heavy = match fault {
                    Fault::Loss | Fault::Delay | Fault::Duplication | Fault::Reordering => 2_000,
                    Fault::Forgery => 500,
                    Fault::Disconnection => 300,
                    Fault::Partition => 200,
                    Fault::CrashBeforeCommit | Fault::CrashBeforeEffects | Fault::CrashAmidEffects => 150,
                };
                let odds = match rng.next_u32() % 4 {
                    0 => 0,
                    1 => heavy / 4,
                    2 => heavy / 2,
                    _ => heavy,
                };
                (fault, odds)
            })
            .collect();
        Self { odds, injected: BTreeMap::new(), calm: false }
    }

    /// From now on nothing goes wrong.
    pub fn calm_down(&mut self) {
        self.calm = true;
    }

    /// Whether a fault strikes now.
    pub fn strikes(&mut self, fault: Fault, rng: &mut impl Rng) -> bool {
        let odds = self.odds.get(&fault).copied().unwrap_or_default();
        let strikes = rng.next_u32() % 10_000 < odds && !self.calm;
        if strikes {
            *self.injected.entry(fault).or_default() += 1;
        }
        strikes
    }
}
