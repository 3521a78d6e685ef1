//! Completions and manual pages, from the same definitions as the arguments.

use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap_complete::Shell;
use kinfolk_rpc::Done;

use crate::arguments::Arguments;
use crate::failure::{Exit, Failure};
use crate::screen::Screen;

/// What can be written without a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Paper {
    /// A completion script.
    Completions(Shell),
    /// The manual pages, into a directory.
    Manual(PathBuf),
}

impl Paper {
    /// Writes it.
    ///
    /// # Errors
    /// [`Failure`] where that is not possible.
    pub fn write(&self, screen: &mut Screen) -> Result<(), Failure> {
        match self {
            Self::Completions(shell) => {
                let mut script = Vec::new();
                clap_complete::generate(*shell, &mut Arguments::command(), "kinfolk", &mut script);
                screen.write(&String::from_utf8_lossy(&script))
            }
            Self::Manual(dir) => {
                std::fs::create_dir_all(dir)
                    .and_then(|()| clap_mangen::generate_to(Arguments::command(), dir))
                    .map_err(|error| unwritable(dir, &error))?;
                screen.tell(&Done::new(), || format!("The manual is in {}: man -l {0}/kinfolk.1", dir.display()))
            }
        }
    }
}

fn unwritable(dir: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Refused, "output", format!("{} cannot be written to: {error}", dir.display()))
}
