//! `bundle`: what is typed.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

/// What is asked of a node about bundles.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Bundle {
    #[allow(missing_docs, reason = "clap would take it for help")]
    Export(Export),
    /// Take what came by hand
    ///
    /// What is for you appears among your messages; what is for others is kept for 30 days and goes into your next
    /// bundle of --all or --carry. Importing twice harms nothing.
    Import {
        /// The file; - reads the file, or the lines of QR codes in any order, from standard input
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
}

/// Write what waits for a contact into a file, to be carried to them by hand
///
/// The messages are sealed: whoever finds the file learns neither from whom nor for whom they are. They still wait here
/// as well, and go another way where one is quicker.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(override_usage = "kinfolk bundle export CONTACT FILE\n       kinfolk bundle export --all FILE\n       \
                      kinfolk bundle export --carry FILE\n       kinfolk bundle export CONTACT --qr")]
pub struct Export {
    /// A contact's name, id, or the beginning of one; then the file
    #[arg(value_name = "CONTACT|FILE", num_args = 1..=2, required = true, value_hint = ValueHint::FilePath)]
    pub places: Vec<String>,
    /// What waits for all contacts, and what you carry for others
    #[arg(long, conflicts_with_all = ["carry", "qr"])]
    pub all: bool,
    /// Only what you carry for others
    #[arg(long, conflicts_with = "qr")]
    pub carry: bool,
    /// Show the message that was said last as QR codes and as lines of text
    #[arg(long, conflicts_with = "force")]
    pub qr: bool,
    /// Write over a file that is there
    #[arg(long)]
    pub force: bool,
}

/// What an export is for, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) contact: Option<String>,
    /// The file; nothing where it is shown.
    pub(crate) file: Option<PathBuf>,
}

impl Export {
    /// What was meant; nothing where it makes no sense.
    pub(crate) fn plan(&self) -> Option<Plan> {
        match (self.places.as_slice(), self.all || self.carry, self.qr) {
            ([file], true, false) => Some(Plan { contact: None, file: Some(file.into()) }),
            ([contact, file], false, false) => Some(Plan { contact: Some(contact.clone()), file: Some(file.into()) }),
            ([contact], false, true) => Some(Plan { contact: Some(contact.clone()), file: None }),
            _ => None,
        }
        .filter(|_| self.places.iter().all(|place| !place.is_empty()))
    }
}
