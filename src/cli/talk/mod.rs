//! The commands that are asked of a node, each to its end.

mod bundle;
mod history;
mod invite;
mod link;
mod mailbox;
mod send;
mod tab;
mod wallet;

use std::time::Duration;

use kinfolk_client::Client;
use kinfolk_rpc::Done;
use kinfolk_rpc::contact::ContactState::{Accepted, Asking, Declined, Removed, Requested};
use kinfolk_rpc::contact::{AddContact, Contact};
use kinfolk_rpc::event::What;

use crate::arguments::{OnOff, Talk};
use crate::failure::Failure;
use crate::screen::{Form, Screen};
use crate::show;

/// How long a person waits for the answer to their request: whoever is there answers at once.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// Asks a node for what was typed, and prints the outcome.
///
/// # Errors
/// [`Failure`], which [`Screen::finish`] prints.
pub async fn execute(talk: &Talk, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
    match talk {
        Talk::Status => {
            let status = client.status().await?;
            screen.tell(&status, || show::status::page(&status))
        }
        Talk::Invite { once, expires, qr, ask } => {
            invite::invite(&invite::wish(*once, *expires, *ask), *qr, client, screen).await
        }
        Talk::Add { link, name } => add(link, name.as_ref(), client, screen).await,
        Talk::Accept(whom) => done(client.accept(&whom.contact).await?, "They are your contact now.", screen),
        Talk::Decline(whom) => done(client.decline(&whom.contact).await?, "They have been turned away.", screen),
        Talk::Contacts => {
            let contacts = client.contacts().await?;
            if screen.form() == Form::People {
                return screen.write(&show::contact::list(&contacts));
            }
            contacts.iter().try_for_each(|contact| screen.tell(contact, String::new))
        }
        Talk::Rename { whom, name } => done(client.rename(&whom.contact, name.clone()).await?, "Renamed.", screen),
        Talk::Verify { whom, mark, unmark } => verify(&whom.contact, *mark, *unmark, client, screen).await,
        Talk::Block(whom) => done(client.block(&whom.contact).await?, "Blocked.", screen),
        Talk::Unblock(whom) => done(client.unblock(&whom.contact).await?, "No longer blocked.", screen),
        Talk::Remove(whom) => done(client.remove(&whom.contact).await?, "Removed.", screen),
        Talk::Send(send) => send::send(send, client, screen).await,
        Talk::History { place, last, before, seen } => {
            history::history(&place.chat, *last, before.as_deref(), *seen, client, screen).await
        }
        Talk::Receipts { place, choice } => {
            let answer = client.allow_read_receipts(&place.chat, *choice == OnOff::On).await?;
            let text = match choice {
                OnOff::On => "They are told what you have read.",
                OnOff::Off => "They are not told what you have read.",
            };
            done(answer, text, screen)
        }
        Talk::Watch { since } => {
            let mut events = client.events(*since).await?;
            screen.note("Waiting for what happens; interrupt (Ctrl-C) to stop.")?;
            screen.follow(&mut events).await?;
            Err(Failure::node_stopped())
        }
        Talk::Bundle(asked) => bundle::bundle(asked, client, screen).await,
        Talk::Mailbox(asked) => mailbox::mailbox(asked, client, screen).await,
        Talk::Wallet(asked) => wallet::wallet(asked, client, screen).await,
        Talk::Witness(asked) => wallet::witness(asked, client, screen).await,
        Talk::Stickers => {
            let list = client.stickers().await?;
            list.stickers.iter().try_for_each(|sticker| {
                screen.tell(sticker, || format!("{:24}  {}  {}", sticker.sticker, sticker.emoji, sticker.description))
            })
        }
    }
}

fn done(answer: Done, text: &str, screen: &mut Screen) -> Result<(), Failure> {
    screen.tell(&answer, || text.to_owned())
}

async fn add(link: &str, name: Option<&String>, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
    let mut added = client.add_contact(&AddContact { link: link.to_owned(), name: name.cloned() }).await?;
    // Only people wait, so that what they type next can be said. Without an answer it comes later.
    if screen.form() == Form::People
        && added.state == Requested
        && let Ok(Ok(contact)) = tokio::time::timeout(ANSWER_WITHIN, answered(&added.contact, client)).await
    {
        (added.state, added.display_name) = (contact.state, contact.display_name);
    }
    screen.tell(&added, || {
        let name = &added.display_name;
        let said = match added.state {
            Accepted => {
                format!("{name} is your contact. Say hello: kinfolk send {} hello", show::short(&added.contact))
            }
            Requested | Asking => format!("{name} has been asked. When they have accepted, kinfolk contacts shows it."),
            Declined | Removed => format!("{name} has declined."),
        };
        said + &show::contact::warning(added.warning.as_ref())
    })
}

/// Waits until somebody who was asked has answered.
async fn answered(contact: &str, client: &Client) -> Result<Contact, Failure> {
    let mut events = client.events(None).await?;
    let mut asked = client.contact(contact).await?;
    while asked.state == Requested {
        let event = events.next().await?.ok_or_else(Failure::node_stopped)?;
        match event.what {
            What::ContactChanged(changed) if changed.contact == asked.contact => asked = changed,
            What::Reset => asked = client.contact(contact).await?,
            _ => {}
        }
    }
    Ok(asked)
}

async fn verify(contact: &str, mark: bool, unmark: bool, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
    if mark || unmark {
        client.set_verified(contact, mark).await?;
    }
    let number = client.safety_number(contact).await?;
    screen.tell(&number, || {
        let groups: Vec<&str> = number.safety_number.split(' ').collect();
        let mut page: String = groups.chunks(4).map(|row| format!("  {}\n", row.join(" "))).collect();
        page.push_str(if number.verified {
            "You have compared it: verified.\n"
        } else {
            "Compare it with theirs when you meet or by voice. If it is the same: kinfolk verify CONTACT --mark\n"
        });
        page
    })
}
