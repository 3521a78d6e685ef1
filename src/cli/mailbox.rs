//! `mailbox`: what is typed.

use clap::{Args, Subcommand};
use kinfolk_rpc::mailbox::{LEAST_CAPACITY, MOST_CAPACITY, MOST_WORK_BITS, SCHEME};

use crate::size::{binary_size, parse_size};

/// What is asked of a node about mailboxes.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Mailbox {
    /// List the nodes that keep what is for you while you are away
    List,
    /// Name a node that keeps what is for you while you are away
    ///
    /// Your contacts learn of it and leave there, sealed, what they cannot hand you. A contact serves once they have run
    /// `kinfolk mailbox serve`; a node of somebody else's has a link. You can name five; three of them get a copy of
    /// everything.
    Add {
        /// A contact whose node serves as a mailbox, or a link: kinfolk-mailbox:...
        #[arg(value_name = "CONTACT|LINK", value_parser = non_empty)]
        mailbox: String,
    },
    /// Name a node no longer
    ///
    /// Your contacts learn that, too. What still lies there is not asked for any more.
    Remove {
        /// The node's id, the beginning of one, or the contact whose node it is
        #[arg(value_name = "PEER|CONTACT", value_parser = non_empty)]
        mailbox: String,
    },
    #[allow(missing_docs, reason = "clap would take it for help")]
    Serve(Serve),
    /// Show what this node keeps for others
    Status,
}

/// Keep, on this node, what is for others while they are away
///
/// Your contacts can name this node as their mailbox, and so can whoever has the link that this prints. It keeps sealed
/// messages of which it learns neither who left them nor for whom. Asked again, it changes what is offered.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Serve {
    /// How much it keeps at the most, as in 64MiB or 1GiB [default: 1GiB]
    #[arg(long, value_name = "SIZE", value_parser = parse_capacity)]
    pub capacity: Option<u64>,
    /// How much work strangers do for each message, in bits: one more doubles it, 22 at most [default: 20]
    #[arg(long, value_name = "BITS", value_parser = clap::value_parser!(u8).range(1..=i64::from(MOST_WORK_BITS)))]
    pub work_bits: Option<u8>,
    /// Serve no longer
    #[arg(long, conflicts_with_all = ["capacity", "work_bits"])]
    pub stop: bool,
}

/// Whether a text is meant as a link and not as a contact.
pub(crate) fn is_link(text: &str) -> bool {
    let text = text.trim_start();
    text.starts_with(SCHEME) || text.starts_with("kinfolk:") || text.contains("://")
}

fn non_empty(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("it cannot be empty".to_owned()) } else { Ok(text.to_owned()) }
}

fn parse_capacity(text: &str) -> Result<u64, String> {
    let bytes = parse_size(text)?;
    if (LEAST_CAPACITY..=MOST_CAPACITY).contains(&bytes) {
        Ok(bytes)
    } else {
        Err(format!("a mailbox keeps {} to {}", binary_size(LEAST_CAPACITY), binary_size(MOST_CAPACITY)))
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_rpc::mailbox::{CAPACITY, WORK_BITS};

    use super::*;

    #[test]
    fn the_help_names_the_defaults_of_the_door() {
        assert_eq!((CAPACITY, binary_size(CAPACITY).as_str(), WORK_BITS, MOST_WORK_BITS), (1 << 30, "1 GiB", 20, 22));
    }

    #[test]
    fn a_link_is_told_from_a_contact() {
        for link in ["kinfolk-mailbox:AAAA", " kinfolk-mailbox:AAAA", "kinfolk:AAAA", "https://example.org/"] {
            assert!(is_link(link), "{link}");
        }
        for contact in ["Bo", "kinfolk", "Bo: the second", "b07e52c9", "mailbox"] {
            assert!(!is_link(contact), "{contact}");
        }
    }

    #[test]
    fn a_capacity_has_its_bounds() {
        assert_eq!((parse_capacity("1MiB"), parse_capacity("1TiB")), (Ok(1 << 20), Ok(1 << 40)));
        for beyond in ["0", "1048575", "2TiB", "1025GiB"] {
            assert_eq!(parse_capacity(beyond), Err("a mailbox keeps 1 MiB to 1 TiB".to_owned()), "{beyond}");
        }
    }
}
