//! `rescue`: what is typed, and what is printed.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};
use serde::Serialize;

use crate::failure::Failure;
use crate::screen::Screen;
use crate::show;

/// Save what can be read of a damaged profile into a new one
///
/// No node may run on the profile, which is not changed. The new one opens with the same passphrase, or with a key file
/// of its own; run it with --data NEWDIR, and do not run the old one again.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Rescue {
    /// The directory of the new profile, empty or not there yet; on another disk if this one fails
    #[arg(value_name = "NEWDIR", value_hint = ValueHint::DirPath)]
    pub dir: PathBuf,
    /// Save the rest, too, where what was committed last is lost
    #[arg(long)]
    pub accept_loss: bool,
    /// The database of the new profile [default: that of the old one]
    #[arg(long, value_name = "NAME")]
    pub store: Option<Database>,
}

/// The databases a profile can stand on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Database {
    /// sled
    Sled,
    /// redb
    Redb,
}

/// What a rescue saved, counted in rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rescued {
    /// Rows that the database lists.
    pub listed: u64,
    /// Rows found in the raw bytes of its files beyond those, or newer than those.
    pub raw: u64,
    /// Rows, or stretches of them, that the database lists and that cannot be read.
    pub damaged: u64,
    /// How many rows there should be, where that is known.
    pub expected: Option<u64>,
}

impl Screen {
    /// Prints the outcome of `rescue` into a directory.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be written.
    pub fn rescued(&mut self, rescued: &Rescued, dir: &std::path::Path) -> Result<(), Failure> {
        self.tell(rescued, || show::rescue::rescued(rescued, dir))
    }
}
