use kinfolk_rpc::mailbox::{MailboxState, MailboxStatus};
use kinfolk_rpc::status::{Reach, Status};

/// A node's state.
pub(crate) fn page(status: &Status) -> String {
    let reach = match status.reachability.state {
        Reach::Public => "public",
        Reach::Relayed => "relayed",
        Reach::Private => "private",
        Reach::Unknown => "unknown",
    };
    let mut page = String::new();
    let mut row = |label: &str, value: &str| page.push_str(&format!("{label:<13} {value}\n"));
    row("name", &status.display_name);
    row("identity", &status.identity);
    row("device", &status.device);
    row("reachability", &format!("{reach}: {}", status.reachability.why));
    for (number, address) in status.addresses.iter().enumerate() {
        row(if number == 0 { "addresses" } else { "" }, address);
    }
    row("node", &status.node);
    row("hash table", if status.hash_table.joined { "joined" } else { "nobody answers" });
    for node in &status.hash_table.tried {
        row("", &format!("tried {}: {}", node.address, node.reason));
    }
    row("contacts", &status.contacts.to_string());
    row("connected", &status.peers.to_string());
    row("to be sent", &status.outbox.to_string());
    row("mailboxes", &mailboxes(&status.mailboxes));
    row("on disk", &bytes(status.storage_bytes));
    row("version", &status.version);
    page
}

/// How many there are, and how many of them do not answer.
fn mailboxes(all: &[MailboxStatus]) -> String {
    match all.iter().filter(|mailbox| mailbox.state == MailboxState::Silent).count() {
        0 => all.len().to_string(),
        silent => format!("{} ({silent} silent)", all.len()),
    }
}

fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{}.{} kB", count / 1_000, count / 100 % 10),
        _ => format!("{}.{} MB", count / 1_000_000, count / 100_000 % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_down() {
        assert_eq!(
            [0, 999, 1_000, 1_999, 999_999, 1_000_000, 12_345_678].map(bytes),
            ["0 B", "999 B", "1.0 kB", "1.9 kB", "999.9 kB", "1.0 MB", "12.3 MB"]
        );
    }
}
