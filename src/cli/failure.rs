//! What went wrong, for people and for programs.

use kinfolk_client::ClientError;

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It is done: 0.
    Done,
    /// It was refused, or failed: 1.
    Refused,
    /// It was not called as it must be: 2.
    WrongUsage,
    /// No node is running for this profile: 3.
    NoNode,
    /// It took too long: 4.
    TimedOut,
}

impl Exit {
    /// The number that the process ends with.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Refused => 1,
            Self::WrongUsage => 2,
            Self::NoNode => 3,
            Self::TimedOut => 4,
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// How the process ends.
    pub exit: Exit,
    /// For programs: stable, in snake_case.
    pub code: String,
    /// For people.
    pub message: String,
}

impl Failure {
    /// A failure.
    #[must_use]
    pub fn new(exit: Exit, code: &str, message: impl Into<String>) -> Self {
        Self { exit, code: code.to_owned(), message: message.into() }
    }

    /// The node went away in the middle of a command.
    #[must_use]
    pub fn node_stopped() -> Self {
        Self::new(Exit::NoNode, "node_stopped", "the node has stopped")
    }

    /// Whoever read the output has gone, which is no failure at all.
    pub(crate) fn is_unheard(&self) -> bool {
        self.code == UNHEARD
    }

    /// What happened, and what the person can do about it. Where the message itself ends with a command to use, that is
    /// the second half.
    pub(crate) fn in_two(&self) -> (&str, Option<&str>) {
        match self.message.rsplit_once("; ") {
            Some((what, next)) if next.contains("`kinfolk ") => (what, Some(next)),
            _ => (&self.message, self.next_step()),
        }
    }

    /// What the person can do about a failure with this code, where that is known.
    fn next_step(&self) -> Option<&'static str> {
        Some(match self.code.as_str() {
            "no_node" | "node_stopped" => "start it with: kinfolk run",
            "no_profile" => "set it up with: kinfolk init",
            "door_file" => "stop the node and start it again with: kinfolk run",
            "broken" => "see whether the node still runs with: kinfolk status",
            "unknown_contact" | "unknown_chat" => "see who is there with: kinfolk contacts",
            "unknown_mailbox" => "see which there are with: kinfolk mailbox list",
            "nothing_to_export" => "what they have not receipted is exported; see it with: kinfolk history CONTACT",
            "too_long_for_qr" => "write it into a file with: kinfolk bundle export CONTACT FILE",
            "file_exists" => "choose another name, or write over it with --force",
            "no_space" => "free some space there or choose another place; nothing counts as on its way",
            "not_a_bundle" | "damaged_bundle" => "ask for it again; it is written by: kinfolk bundle export",
            "newer_bundle" => "install a newer version of kinfolk",
            "bundle_lines_missing" => "give all lines at once, in any order",
            "ambiguous_mailbox" => "use more of the node's id",
            "not_serving" => "a node begins to with: kinfolk mailbox serve",
            "too_many_mailboxes" => "name one no longer with: kinfolk mailbox remove PEER",
            "own_mailbox" => "name a node that stays on, as in: kinfolk mailbox add CONTACT",
            "invalid_mailbox_link" => "ask for it again; it is printed by: kinfolk mailbox serve",
            "ambiguous_contact" => "use more of the id, or the whole name",
            "unknown_message" => "see the ids with: kinfolk --json history CHAT",
            "unknown_sticker" | "invalid_sticker" => "see which there are with: kinfolk stickers",
            "invalid_link" | "invalid_invite" | "invite_expired" => {
                "ask the person for a new link; they make one with: kinfolk invite"
            }
            "own_invite" => "send the link to the person you want to talk to; they use it with: kinfolk add LINK",
            "not_accepted" => "wait until they have; kinfolk watch tells",
            "declined" => "ask them for a new invite by another way",
            "blocked" => "hear them again with: kinfolk unblock CONTACT",
            "not_asking" => "see who asked with: kinfolk contacts",
            "invalid_location" => "write it as LAT,LON or LAT,LON,METRES, as in 47.3769,8.5417,20",
            "invalid_name" => "choose a name of 1 to 64 characters",
            "invalid_text" => "write 1 to 32768 bytes, or - to read them from standard input",
            "too_large" => "send it in parts",
            "id_taken" => "choose another id, or leave --id out",
            "invalid_id" => "an id has 32 hexadecimal digits, in lower case",
            "not_delivered" => "see whether they are still a contact with: kinfolk contacts",
            "mailbox_full" => {
                "ask them to fetch their mail, or to name another mailbox; their state is shown by: kinfolk contacts"
            }
            "timed_out" => "the node goes on trying; see how far it has come with: kinfolk history CHAT",
            "not_final" => "see how far it has come with: kinfolk wallet history",
            "account_frozen" => "the proof is shown by: kinfolk wallet currency show CURRENCY",
            "witness_silent" => "see whether they are there with: kinfolk contacts",
            "disk_full" => "free some space and try again; nothing that was sent or received is lost",
            "store_damaged" | "store_inconsistent" => {
                "stop the node and save what can be read with: kinfolk rescue NEWDIR"
            }
            "no_randomness" => "wait until the system has gathered some, and try again",
            "commits_lost" => "save the rest with: kinfolk rescue NEWDIR --accept-loss",
            "store_failed" => "check the disk and its free space, then start the node again",
            "wrong_passphrase" => "try again; the passphrase is the one given at kinfolk init",
            "needs_passphrase" | "passphrase_file" | "empty_passphrase" | "passphrases_differ" => {
                "give it with --passphrase-file FILE, in KINFOLK_PASSPHRASE, or on a terminal"
            }
            "profile_exists" => "use it with: kinfolk run",
            "foreign_profile" => "choose another directory with --data DIR",
            "newer_profile" => "install a newer version of kinfolk",
            "already_running" => "talk to it with the other commands, or stop it first",
            "address_in_use" | "invalid_address" => {
                "choose another with --listen, as in /ip4/0.0.0.0/udp/0/quic-v1 for any free port"
            }
            "config_file" => "see in docs/guide/cli.md what it may hold, or leave --config out",
            "phrase_file" | "invalid_phrase" => {
                "the file holds the 24 words of kinfolk init, with a space between them"
            }
            _ => return None,
        })
    }
}

const UNHEARD: &str = "unheard";

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let message = error.to_string();
        match error {
            ClientError::NoNode => Self::new(Exit::NoNode, "no_node", message),
            ClientError::DoorFile { .. } => Self::new(Exit::Refused, "door_file", message),
            ClientError::Refused(problem) if problem.code == "node_stopped" => Self::node_stopped(),
            ClientError::Refused(problem) => Self::new(Exit::Refused, &problem.code, problem.detail),
            ClientError::TimedOut { .. } => Self::new(Exit::TimedOut, "timed_out", message),
            ClientError::Broken(_) => Self::new(Exit::Refused, "broken", message),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            Self::new(Exit::Done, UNHEARD, "")
        } else {
            Self::new(Exit::Refused, "output", format!("the output could not be written: {error}"))
        }
    }
}
