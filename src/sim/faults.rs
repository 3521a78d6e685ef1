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
    /// Somebody alters a payload on its way.
    Forgery,
    /// A batch waits for the disk, and takes in what comes meanwhile.
    SlowDisk,
    /// A batch is not taken by the disk.
    CommitFails,
    /// A node dies before a batch is on disk.
    CrashBeforeCommit,
    /// A node dies when a batch is on disk and none of its effects has left.
    CrashBeforeEffects,
    /// A node dies in the middle of letting effects out.
    CrashAmidEffects,
    /// A node that starts again is somewhere else.
    Move,
    /// A node that starts again has an older copy of its store.
    Rollback,
    /// Somebody sets a clock, by up to three days.
    ClockJump,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Loss,
        Self::Delay,
        Self::Duplication,
        Self::Reordering,
        Self::Partition,
        Self::Disconnection,
        Self::Forgery,
        Self::SlowDisk,
        Self::CommitFails,
        Self::CrashBeforeCommit,
        Self::CrashBeforeEffects,
        Self::CrashAmidEffects,
        Self::Move,
        Self::Rollback,
        Self::ClockJump,
    ];

    /// How likely it is where it is heavy, in ten-thousandths for each chance it has.
    const fn heavy(self) -> u32 {
        match self {
            Self::Loss | Self::Delay | Self::Duplication | Self::Reordering => 2_000,
            Self::Forgery | Self::SlowDisk => 500,
            Self::Partition | Self::Disconnection => 200,
            Self::CommitFails | Self::CrashBeforeCommit | Self::CrashBeforeEffects | Self::CrashAmidEffects => 150,
            Self::Move => 4_000,
            Self::Rollback => 7_000,
            Self::ClockJump => 1_500,
        }
    }
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
    /// Draws a weather: each kind of fault is absent from some worlds and heavy in others. It is calm until it is told
    /// to [`rage`](Self::rage).
    pub fn draw(rng: &mut impl Rng) -> Self {
        let odds = Fault::ALL
            .into_iter()
            .map(|fault| {
                let odds = match rng.next_u32() % 4 {
                    0 => 0,
                    1 => fault.heavy() / 4,
                    2 => fault.heavy() / 2,
                    _ => fault.heavy(),
                };
                (fault, odds)
            })
            .collect();
        Self { odds, injected: BTreeMap::new(), calm: true }
    }

    /// Keeps a kind of fault out of this world.
    pub fn without(&mut self, fault: Fault) {
        self.odds.remove(&fault);
    }

    /// Whether nothing goes wrong now.
    #[must_use]
    pub const fn is_calm(&self) -> bool {
        self.calm
    }

    /// From now on things go wrong.
    pub const fn rage(&mut self) {
        self.calm = false;
    }

    /// From now on nothing goes wrong.
    pub const fn calm_down(&mut self) {
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

    /// Whether a fault has struck in this world.
    #[must_use]
    pub fn has_struck(&self, fault: Fault) -> bool {
        self.injected.contains_key(&fault)
    }
}
