use std::io::Read;

use kinfolk_client::{Client, Events};
use kinfolk_rpc::contact::Contact;
use kinfolk_rpc::event::What;
use kinfolk_rpc::message::{MessageState, SendMessage, Sent};

use crate::arguments::{Goal, Send};
use crate::failure::{Exit, Failure};
use crate::screen::{Form, Screen};
use crate::show;

/// The longest text that is read from standard input, in bytes; the node refuses shorter ones by its own limit.
const INPUT: u64 = 1024 * 1024;

/// Says something, and waits where that is wished.
pub(super) async fn send(send: &Send, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
    let wish = SendMessage {
        message: send.id.clone(),
        text: send.text.as_deref().map(typed_or_read).transpose()?,
        sticker: send.sticker.clone(),
        location: send.location.clone(),
    };
    let Some(goal) = send.wait else {
        let sent = client.send(&send.place.chat, &wish).await?;
        // Only people are told, so that only they wait for the answer; without one it is not known.
        let contact = match screen.form() {
            Form::People => client.contact(&send.place.chat).await.ok(),
            Form::Json => None,
        };
        return tell(&sent, contact.as_ref(), screen);
    };
    // Before it is sent: from here on nothing that happens to it is missed.
    let mut events = client.events(None).await?;
    let mut sent = client.send(&send.place.chat, &wish).await?;
    let reached = tokio::time::timeout(send.timeout, until(goal, &mut sent, &mut events, client)).await;
    tell(&sent, None, screen)?;
    match reached {
        Ok(Ok(())) if goal.is_reached(sent.state) => Ok(()),
        Ok(Ok(())) => Err(Failure::new(Exit::Refused, "not_delivered", "the message was given up")),
        Ok(Err(failure)) => Err(failure),
        Err(_) if client.contact(&send.place.chat).await.is_ok_and(|one| one.mailbox_full) => Err(Failure::new(
            Exit::TimedOut,
            "mailbox_full",
            "their mailboxes are full: the message stays here, and goes when there is room or when they are online",
        )),
        Err(_) => Err(Failure::new(
            Exit::TimedOut,
            "timed_out",
            format!(
                "the message is {} and was not {} within {} ms",
                show::message::progress(sent.state),
                match goal {
                    Goal::Sent => "sent",
                    Goal::Delivered => "delivered",
                    Goal::Read => "read",
                },
                send.timeout.as_millis()
            ),
        )),
    }
}

/// Follows a message until it has come far enough or is given up.
async fn until(goal: Goal, sent: &mut Sent, events: &mut Events, client: &Client) -> Result<(), Failure> {
    while !goal.is_reached(sent.state) && sent.state != MessageState::NotDelivered {
        let event = events.next().await?.ok_or_else(Failure::node_stopped)?;
        match event.what {
            What::MessageChanged { message, chat, state, custody } if message == sent.message && chat == sent.chat => {
                (sent.state, sent.custody) = (state, custody);
            }
            What::Reset => {
                let line = client.message(&sent.chat, &sent.message).await?;
                (sent.state, sent.custody) = (line.state, line.custody);
            }
            _ => {}
        }
    }
    Ok(())
}

fn tell(sent: &Sent, to: Option<&Contact>, screen: &mut Screen) -> Result<(), Failure> {
    screen.tell(sent, || match sent.state {
        MessageState::Queued if to.is_some_and(|contact| contact.mailbox_full) => {
            "Queued: their mailboxes are full. It goes when there is room, or when they are online.".to_owned()
        }
        MessageState::Queued if to.is_some_and(|contact| contact.online) => "On its way: kinfolk history shows when it has arrived.".to_owned(),
        MessageState::Queued => "Queued: it is sent as soon as they can be reached.".to_owned(),
        MessageState::Sent => format!("Sent{}.", show::mailbox::custody(" (", &sent.custody, ")")),
        MessageState::Delivered => "Delivered.".to_owned(),
        MessageState::Read => "Read.".to_owned(),
        MessageState::NotDelivered => "Not delivered.".to_owned(),
        MessageState::Received => "Received.".to_owned(),
    })
}

/// A text as it was typed, or what standard input holds without its last line break.
fn typed_or_read(text: &str) -> Result<String, Failure> {
    if text == "-" { read_text(std::io::stdin().lock()) } else { Ok(text.to_owned()) }
}

fn read_text(input: impl Read) -> Result<String, Failure> {
    let refused = |code: &str, message: String| Failure::new(Exit::Refused, code, message);
    let mut bytes = Vec::new();
    input
        .take(INPUT + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| refused("input", format!("standard input could not be read: {error}")))?;
    if bytes.len() as u64 > INPUT {
        return Err(refused("invalid_text", format!("standard input holds more than {INPUT} bytes")));
    }
    let mut text =
        String::from_utf8(bytes).map_err(|_| refused("input", "standard input is not UTF-8 text".to_owned()))?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_break_at_the_end_is_not_part_of_the_text() {
        for (input, text) in [("hi", "hi"), ("hi\n", "hi"), ("hi\r\n", "hi"), ("hi\n\n", "hi\n"), ("", ""), ("\n", "")]
        {
            assert_eq!(read_text(input.as_bytes()).as_deref(), Ok(text), "{input:?}");
        }
    }

    #[test]
    fn input_that_is_no_text_or_no_end_is_refused() {
        assert_eq!(read_text(&[0xff][..]).unwrap_err().code, "input");
        assert_eq!(read_text(std::io::repeat(b'a')).unwrap_err().code, "invalid_text");
    }
}
