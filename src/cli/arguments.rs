//! The command line as it is typed: first stage, everything that clap can tell. Help, completions and manual pages all
//! come from here.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum, ValueHint};
use kinfolk_rpc::message::MessageState;

use crate::bundle::Bundle;
use crate::mailbox::Mailbox;
use crate::rescue::Rescue;
use crate::span::{parse_lifetime, parse_span};
use crate::wallet::{Wallet, Witness};

/// kinfolk: talk to people you know, end to end encrypted, with no server.
///
/// Each profile is one device of one person. `kinfolk run` runs its node; the other commands talk to the node that
/// runs. Start with `kinfolk init`, then `kinfolk run`, then `kinfolk invite` for a link that somebody you know can
/// `kinfolk add`.
#[derive(Debug, Parser)]
#[command(
    name = "kinfolk",
    version,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 no node is running for this profile, \
                  4 timed out."
)]
pub(crate) struct Arguments {
    #[command(flatten, next_help_heading = "For every command")]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Args)]
pub(crate) struct Globals {
    /// The profile directory [default: kinfolk/ in the directory where your system keeps programs' data]
    #[arg(long, global = true, env = "KINFOLK_DATA", hide_env_values = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) data: Option<PathBuf>,
    /// Print one JSON object a line instead of text for people
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Read the profile's passphrase from the first line of this file [else: KINFOLK_PASSPHRASE, else asked for]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Init(Init),
    Run(Run),
    #[command(flatten)]
    Talk(Talk),
    Rescue(Rescue),
    /// Print a completion script for your shell
    ///
    /// For bash: `kinfolk completions bash > ~/.local/share/bash-completion/completions/kinfolk`.
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Write the manual pages into a directory
    Man {
        /// The directory; it is made if it is not there
        #[arg(value_hint = ValueHint::DirPath)]
        dir: PathBuf,
    },
}

/// Set up a profile: a new identity and its 24 recovery words
///
/// Write the words down on paper: they are shown this once, and they alone bring your identity back if the device is
/// lost.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Init {
    /// What you want to be called by others
    #[arg(long)]
    pub name: Option<String>,
    /// Bring an identity back: read its 24 recovery words from this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub restore_phrase: Option<PathBuf>,
    /// Read settings from this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
}

/// Run the node of a profile until it is interrupted
///
/// Sets up the profile first where there is none yet. Prints where it can be reached, then what happens.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Run {
    /// Listen here (repeatable; default: all interfaces, QUIC and TCP, on a port that
    /// follows from the node's id, or any free one where that is taken)
    #[arg(long, value_name = "MULTIADDR")]
    pub listen: Vec<String>,
    /// Know this node from the start (repeatable)
    #[arg(long, value_name = "MULTIADDR")]
    pub bootstrap: Vec<String>,
    /// Do not look for contacts on the local network
    #[arg(long)]
    pub no_mdns: bool,
    /// Do not relay for contacts that cannot be reached from outside
    #[arg(long)]
    pub no_relay: bool,
    /// Do not ask the router to map ports to this node (UPnP)
    #[arg(long)]
    pub no_upnp: bool,
    /// Treat these addresses, as in 127.0.0.0/8, as parts of the open internet: for networks cut off from it (repeatable)
    #[arg(long, value_name = "RANGE", hide = true)]
    pub also_global: Vec<String>,
    /// Answer questions to the hash table, in which contacts leave for each other where they are: for a node that
    /// stays on and is reached from outside
    #[arg(long)]
    pub dht_server: bool,
    /// Take nodes at private addresses into the hash table too: for a network that is not the Internet
    #[arg(long)]
    pub dht_private: bool,
    /// Where the local API listens, on the loopback interface only [default: any free port of 127.0.0.1]
    #[arg(long, value_name = "IP:PORT", value_parser = parse_loopback)]
    pub api: Option<SocketAddr>,
    /// Read settings from this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
}

/// What is asked of a node that runs.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Talk {
    /// Show who you are and how the node is doing
    Status,
    /// Make a link by which others become your contacts
    ///
    /// Give the link only to people you want to hear from: who has it can write to you until it expires.
    Invite {
        /// The link works for one person only
        #[arg(long)]
        once: bool,
        /// How long the link works, as in 30m, 12h or 7d; 366d at most
        #[arg(long, value_name = "TIME", default_value = "7d", value_parser = parse_lifetime)]
        expires: Duration,
        /// Show it as a QR code even where that is not a terminal
        #[arg(long)]
        qr: bool,
        /// Ask you before somebody who comes with it becomes a contact
        #[arg(long)]
        ask: bool,
    },
    /// Become a contact of the person who gave you a link
    Add {
        /// The link: kinfolk:...
        #[arg(value_parser = non_empty)]
        link: String,
        /// What to call them [default: what they call themselves]
        #[arg(long)]
        name: Option<String>,
    },
    /// Let somebody who asked become a contact
    Accept(Whom),
    /// Turn away somebody who asked to become a contact
    Decline(Whom),
    /// List your contacts
    Contacts,
    /// Call a contact something else
    Rename {
        #[command(flatten)]
        #[allow(missing_docs, reason = "clap would take it for help")]
        whom: Whom,
        /// The new name
        name: String,
    },
    /// Show the safety number you share with a contact, to compare by another way
    ///
    /// Both of you see the same 60 digits. Compare them when you meet or by voice; if they are equal, nobody stands
    /// between you.
    Verify {
        #[command(flatten)]
        #[allow(missing_docs, reason = "clap would take it for help")]
        whom: Whom,
        /// Note that you have compared it and it is the same
        #[arg(long)]
        mark: bool,
        /// Take that back
        #[arg(long, conflicts_with = "mark")]
        unmark: bool,
    },
    /// Hear nothing more from a contact
    Block(Whom),
    /// Hear a blocked contact again
    Unblock(Whom),
    /// Forget a contact; what was said stays
    Remove(Whom),
    #[allow(missing_docs, reason = "clap would take it for help")]
    Send(Send),
    /// Show what was said
    ///
    /// On a terminal, what is shown counts as seen.
    History {
        #[command(flatten)]
        #[allow(missing_docs, reason = "clap would take it for help")]
        place: Where,
        /// How many lines, the newest ones
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
        last: u32,
        /// Only lines before the message with this id
        #[arg(long, value_name = "ID", value_parser = non_empty)]
        before: Option<String>,
        /// Note that you have seen what is shown
        #[arg(long)]
        seen: bool,
    },
    /// Choose whether a contact is told what you have read; off until you choose
    Receipts {
        #[command(flatten)]
        #[allow(missing_docs, reason = "clap would take it for help")]
        place: Where,
        /// Whether they are
        choice: OnOff,
    },
    /// Print what happens, as it happens
    Watch {
        /// Begin after the event with this number [default: with what happens from now on]
        #[arg(long, value_name = "SEQ")]
        since: Option<u64>,
    },
    /// Mailboxes: nodes that keep messages for people who are away
    #[command(subcommand)]
    Mailbox(Mailbox),
    /// Bundles: messages that are carried by hand
    #[command(subcommand)]
    Bundle(Bundle),
    /// Money: pay and be paid
    #[command(subcommand)]
    Wallet(Wallet),
    /// Witness: vote for payments in a currency
    #[command(subcommand)]
    Witness(Witness),
    /// List the stickers you can send
    Stickers,
}

/// Say something
///
/// Without --wait it is done as soon as the message is safe on this device's disk; the node delivers it when it can.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(
    override_usage = "kinfolk send [OPTIONS] CHAT TEXT\n       kinfolk send [OPTIONS] CHAT --sticker PACK/ID\n       \
                      kinfolk send [OPTIONS] CHAT --location LAT,LON[,METRES]"
)]
#[command(group = ArgGroup::new("content").required(true).multiple(false).args(["text", "sticker", "location"]))]
pub struct Send {
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would take it for help")]
    pub place: Where,
    /// What to say; - reads it from standard input
    pub text: Option<String>,
    /// Send a sticker; `kinfolk stickers` lists them
    #[arg(long, value_name = "PACK/ID")]
    pub sticker: Option<String>,
    /// Send a place: degrees north, degrees east, and how far off it may be in metres
    #[arg(long, value_name = "LAT,LON[,METRES]", allow_hyphen_values = true)]
    pub location: Option<String>,
    /// Send it under this id of 32 hexadecimal digits: sent twice under one id, it is said once
    #[arg(long, value_name = "ID", value_parser = non_empty)]
    pub id: Option<String>,
    /// Wait until it has come this far
    #[arg(long, value_name = "STATE")]
    pub wait: Option<Goal>,
    /// How long to wait, as in 500ms, 10s or 5m
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_span)]
    pub timeout: Duration,
}

/// Names a contact.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Whom {
    /// A contact's name, id, or the beginning of one
    #[arg(value_parser = non_empty)]
    pub contact: String,
}

/// Names a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Where {
    /// A contact's name or id, a conversation's id, or the beginning of one
    #[arg(value_parser = non_empty)]
    pub chat: String,
}

/// How far a message is to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Goal {
    /// Somebody has taken custody of it
    Sent,
    /// It is on a disk of theirs
    Delivered,
    /// They have seen it, and say so
    Read,
}

impl Goal {
    /// Whether a message in this state has come as far.
    #[must_use]
    pub fn is_reached(self, state: MessageState) -> bool {
        let least = match self {
            Self::Sent => MessageState::Sent,
            Self::Delivered => MessageState::Delivered,
            Self::Read => MessageState::Read,
        };
        (least..=MessageState::Read).contains(&state)
    }
}

/// A choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnOff {
    /// Yes
    On,
    /// No
    Off,
}

fn non_empty(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("it cannot be empty".to_owned()) } else { Ok(text.to_owned()) }
}

fn parse_loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|_| "expected IP:PORT, as in 127.0.0.1:7000".to_owned())?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err("the local API is for this machine only; use 127.0.0.1 or [::1]".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definitions_are_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn everything_has_help() {
        fn check(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} {}", command.get_name(), argument.get_id());
            }
            command.get_subcommands().for_each(check);
        }
        check(&Arguments::command());
    }

    #[test]
    fn a_goal_is_reached_by_its_state_and_what_follows_but_not_by_failure() {
        use MessageState::{Delivered, NotDelivered, Queued, Read, Received, Sent};
        let reached = |goal: Goal| [Queued, Sent, Delivered, Read, NotDelivered, Received].map(|s| goal.is_reached(s));
        assert_eq!(reached(Goal::Sent), [false, true, true, true, false, false]);
        assert_eq!(reached(Goal::Delivered), [false, false, true, true, false, false]);
        assert_eq!(reached(Goal::Read), [false, false, false, true, false, false]);
    }

    #[test]
    fn a_link_lives_a_year_at_most() {
        assert_eq!(parse_lifetime("366d"), Ok(Duration::from_secs(366 * 86_400)));
        for longer in ["367d", "400d", "53w", "8785h"] {
            assert!(parse_lifetime(longer).unwrap_err().contains("366 days"), "{longer}");
        }
    }

    #[test]
    fn f03_the_api_is_only_offered_to_this_machine() {
        assert!(parse_loopback("127.0.0.1:0").is_ok());
        assert!(parse_loopback("[::1]:7000").is_ok());
        for elsewhere in ["0.0.0.0:7000", "192.168.1.2:7000", "[::]:7000", "7000", "localhost:7000"] {
            assert!(parse_loopback(elsewhere).is_err(), "{elsewhere}");
        }
    }
}
