use kinfolk_rpc::message::{Kind, Message, MessageState};

use super::mailbox::custody;
use super::short;
use super::text::contained;
use super::time::moment;

/// A line of a conversation.
pub(crate) fn line(message: &Message) -> String {
    let when = moment(message.at);
    match message.state {
        MessageState::Received => format!("{when}  {}: {}", message.from.display_name, said(message)),
        state => {
            format!("{when}  you ({}{}): {}", progress(state), custody(", ", &message.custody, ""), said(message))
        }
    }
}

/// The same in its conversation, behind a word on lines that are missing before it.
pub(crate) fn line_of_chat(message: &Message) -> String {
    let missing = match message.missing_before {
        0 => return line(message),
        1 => "a line was said here that has not come; it is said again until it does".to_owned(),
        several => format!("{several} lines were said here that have not come; they are said again until they do"),
    };
    format!("[{missing}]\n{}", line(message))
}

/// The same among the lines of other conversations.
pub(crate) fn line_in_chat(message: &Message) -> String {
    match message.state {
        MessageState::Received => line(message),
        _ => format!("{}  you, in {}: {}", moment(message.at), short(&message.chat), said(message)),
    }
}

/// How far a message has come.
pub(crate) const fn progress(state: MessageState) -> &'static str {
    match state {
        MessageState::Queued => "queued",
        MessageState::Sent => "sent",
        MessageState::Delivered => "delivered",
        MessageState::Read => "read",
        MessageState::NotDelivered => "not delivered",
        MessageState::Received => "received",
    }
}

fn said(message: &Message) -> String {
    match (message.kind, &message.text, &message.sticker, &message.location) {
        (Kind::Text, Some(text), ..) => contained(text),
        (Kind::Sticker, _, Some(sticker), _) => format!("[sticker {}]", contained(sticker)),
        (Kind::Location, _, _, Some(place)) => match place.accuracy_m {
            Some(metres) => format!("[place {}, {}, within {metres} m]", place.lat, place.lon),
            None => format!("[place {}, {}]", place.lat, place.lon),
        },
        (Kind::Payment | Kind::PaymentRequest, ..) if message.money.is_some() => money(message),
        _ => "[something that only a newer version of kinfolk can show]".to_owned(),
    }
}

fn money(message: &Message) -> String {
    let Some(money) = &message.money else { return String::new() };
    let (amount, code) = (&money.amount, contained(&money.code));
    let memo = money.memo.as_ref().map(|memo| format!(": {}", contained(memo))).unwrap_or_default();
    match (&money.entry, message.kind) {
        (Some(entry), Kind::Payment) if money.tab.is_some() => {
            let tab = money.tab.as_deref().map(short).unwrap_or_default();
            format!("[paid {amount} {code} by tab {tab}, entry {}]{memo}", short(entry))
        }
        (Some(entry), Kind::Payment) => format!("[paid {amount} {code}, final, entry {}]{memo}", short(entry)),
        _ => {
            let invoice = money.invoice.as_ref().map(|id| format!(", invoice {}", short(id))).unwrap_or_default();
            format!("[asks for {amount} {code}{invoice}]{memo}")
        }
    }
}
