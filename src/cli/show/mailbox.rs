use kinfolk_rpc::mailbox::{BY_HAND, Custodian, Mailbox, MailboxAdded, MailboxState, Mailboxes, Serving};

use super::time::moment;
use crate::size::binary_size;

/// What every node's id begins with.
const PREFIX: usize = 12;

/// The part of a node's id that tells it from others: enough to name it by.
pub(crate) fn short_peer(peer: &str) -> &str {
    peer.get(PREFIX..PREFIX + 8).unwrap_or(peer)
}

/// Mailboxes, one a line. The name comes last: its width on a screen is anybody's guess.
pub(crate) fn list(known: &Mailboxes) -> String {
    let mut page: String = known.mailboxes.iter().map(|mailbox| format!("{}\n", line(mailbox))).collect();
    if page.is_empty() {
        page.push_str("None yet. Name a contact whose node stays on with: kinfolk mailbox add CONTACT\n");
    }
    if let Some(serving) = &known.serving {
        page.push_str(&format!("This node keeps {} for others.\n", kept(serving)));
    }
    if known.waiting > 0 {
        page.push_str(&format!("At the mailboxes of others {} of yours.\n", lie(known.waiting)));
    }
    page
}

fn line(mailbox: &Mailbox) -> String {
    let answered = mailbox.answered_at.map_or_else(|| "never".to_owned(), moment);
    let whose = mailbox.display_name.as_deref().unwrap_or("-");
    let missed = match (mailbox.state, mailbox.failures) {
        (MailboxState::Silent, times) => format!("  (asked {times} times since)"),
        _ => String::new(),
    };
    let (id, how, since) = (short_peer(&mailbox.peer), standing(mailbox.state), moment(mailbox.added_at));
    format!("{id:8}  {how:10}  since {since}  answered {answered:20}  {whose}{missed}")
}

/// How a mailbox does.
const fn standing(state: MailboxState) -> &'static str {
    match state {
        MailboxState::New => "new",
        MailboxState::Answering => "answering",
        MailboxState::Silent => "silent",
        MailboxState::Unreliable => "unreliable",
    }
}

/// A mailbox that was named.
pub(crate) fn added(added: &MailboxAdded) -> String {
    let whose = match &added.display_name {
        Some(name) => format!("{name}'s node"),
        None => format!("The node {}", short_peer(&added.peer)),
    };
    format!("{whose} keeps what is for you while you are away. Your contacts learn of it.")
}

/// This node as a mailbox.
pub(crate) fn serving(serving: &Serving) -> String {
    format!(
        "This node serves as a mailbox and keeps {}, {} at the most.\n\
         Your contacts name it by your name. To whoever else may use it, for {} bits of work a message, give:\n{}\n",
        kept(serving),
        binary_size(serving.capacity_bytes),
        serving.work_bits,
        serving.link
    )
}

fn kept(serving: &Serving) -> String {
    let messages = if serving.stored_messages == 1 { "message" } else { "messages" };
    format!("{} {messages} ({})", serving.stored_messages, binary_size(serving.stored_bytes))
}

fn lie(messages: u64) -> String {
    if messages == 1 { "lies 1 message".to_owned() } else { format!("lie {messages} messages") }
}

/// Who keeps a message, between these two; nothing where nobody does.
pub(crate) fn custody(before: &str, custody: &[Custodian], after: &str) -> String {
    let (by_hand, nodes): (Vec<Custodian>, Vec<Custodian>) =
        custody.iter().cloned().partition(|one| one.peer == BY_HAND);
    match (by_hand.is_empty(), nodes.is_empty()) {
        (true, _) => kept_by(before, &nodes, after),
        (false, true) => format!("{before}carried by hand{after}"),
        (false, false) => kept_by(before, &nodes, &format!(" and carried by hand{after}")),
    }
}

fn kept_by(before: &str, custody: &[Custodian], after: &str) -> String {
    let named = custody.iter().find_map(|one| one.display_name.as_deref());
    let (first, others) = match (named, custody.len()) {
        (_, 0) => return String::new(),
        (Some(name), all) => (name.to_owned(), all - 1),
        (None, 1) => ("a mailbox".to_owned(), 0),
        (None, all) => (format!("{all} mailboxes"), 0),
    };
    match others {
        0 => format!("{before}kept by {first}{after}"),
        1 => format!("{before}kept by {first} and 1 other{after}"),
        others => format!("{before}kept by {first} and {others} others{after}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(names: &[Option<&str>]) -> String {
        let one = |name: &Option<&str>| Custodian {
            peer: "00".repeat(38),
            name: name.map(str::to_owned),
            display_name: name.map(str::to_owned),
        };
        custody(" (", &names.iter().map(one).collect::<Vec<_>>(), ")")
    }

    #[test]
    fn custody_names_whom_the_person_knows_and_counts_the_others() {
        assert_eq!(by(&[]), "");
        assert_eq!(by(&[None]), " (kept by a mailbox)");
        assert_eq!(by(&[None, None, None]), " (kept by 3 mailboxes)");
        assert_eq!(by(&[Some("Eve")]), " (kept by Eve)");
        assert_eq!(by(&[None, Some("Eve")]), " (kept by Eve and 1 other)");
        assert_eq!(by(&[Some("Eve"), Some("Bo"), None]), " (kept by Eve and 2 others)");
    }

    #[test]
    fn what_is_carried_by_hand_is_said_so() {
        let one = |peer: &str, name: Option<&str>| Custodian {
            peer: peer.to_owned(),
            name: name.map(str::to_owned),
            display_name: name.map(str::to_owned),
        };
        let (hand, eve, other) = (one(BY_HAND, None), one("00", Some("Eve")), one("01", None));
        assert_eq!(custody(" (", std::slice::from_ref(&hand), ")"), " (carried by hand)");
        assert_eq!(custody(", ", &[other.clone(), hand.clone()], ""), ", kept by a mailbox and carried by hand");
        let all = custody(", ", &[hand, eve, other], "");
        assert_eq!(all, ", kept by Eve and 1 other and carried by hand");
    }

    #[test]
    fn two_nodes_are_told_apart_by_the_part_that_is_shown() {
        let id = |byte: &str| format!("002408011220{}", byte.repeat(32));
        assert_eq!(short_peer(&id("ab")), "abababab");
        assert_eq!(short_peer("short"), "short");
    }
}
