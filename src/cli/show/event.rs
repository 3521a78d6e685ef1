use kinfolk_rpc::event::{Event, What};

use super::contact::{standing, warning};
use super::mailbox::{custody, short_peer};
use super::message::{line_in_chat, progress};
use super::short;

/// An event in one line; nothing for those that a person need not see.
pub(crate) fn line(event: &Event) -> String {
    match &event.what {
        What::MessageAdded(message) => line_in_chat(message),
        What::MessageChanged { message, state, custody: by, .. } => {
            format!("  {} is {}{}", short(message), progress(*state), custody(" (", by, ")"))
        }
        What::MessageDamaged { message, .. } => {
            format!("  {} can no longer be read: the store is damaged there", short(message))
        }
        What::ContactAdded(contact) | What::ContactChanged(contact) => {
            let verified = if contact.verified { ", verified" } else { "" };
            let warning = warning(contact.warning.as_ref());
            let (name, id) = (&contact.display_name, short(&contact.contact));
            format!("  {name} ({id}): {}{verified}{warning}", standing(contact))
        }
        What::ContactRemoved { contact } => format!("  {} is removed", short(contact)),
        What::SessionReset { display_name, .. } => {
            format!(
                "  the session with {display_name} was started anew; compare safety numbers if you did not expect it"
            )
        }
        What::PeerOnline { display_name, online, .. } => {
            format!("  {display_name} is {}", if *online { "online" } else { "gone" })
        }
        What::MailboxDropped(mailbox) => {
            let whose = mailbox.display_name.as_deref().unwrap_or("nobody you know");
            let peer = short_peer(&mailbox.peer);
            format!("  the mailbox {peer} (of {whose}) gave what nobody had left there, and is yours no longer")
        }
        What::InvoiceChanged(invoice) => format!("  {}", super::invoice::line(invoice)),
        What::MerchantChanged(merchant) => format!("  {}", super::merchant::line(merchant)),
        What::PaymentChanged(payment) => format!("  {}", super::wallet::line(payment)),
        What::CurrencyChanged(currency) => {
            format!("  {}", super::wallet::currencies(std::slice::from_ref(currency)).trim_end())
        }
        What::HashTable(table) if table.joined => "  a node of the hash table answers".to_owned(),
        What::HashTable(table) => {
            let tried = table.tried.iter().map(|node| format!("\n    tried {}: {}", node.address, node.reason));
            format!(
                "  no node of the hash table answers; contacts who moved are not found there{}",
                tried.collect::<String>()
            )
        }
        What::Reset => "  events are missing here; see kinfolk history and kinfolk contacts".to_owned(),
    }
}
