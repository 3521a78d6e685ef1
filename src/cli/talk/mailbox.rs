use kinfolk_client::Client;
use kinfolk_rpc::mailbox::{AddMailbox, Serve};

use super::done;
use crate::failure::Failure;
use crate::mailbox::{Mailbox, is_link};
use crate::screen::{Form, Screen};
use crate::show;

/// Asks a node about mailboxes, and prints the outcome.
pub(super) async fn mailbox(asked: &Mailbox, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
    match asked {
        Mailbox::List => {
            let known = client.mailboxes().await?;
            if screen.form() == Form::People {
                return screen.write(&show::mailbox::list(&known));
            }
            known.mailboxes.iter().try_for_each(|mailbox| screen.tell(mailbox, String::new))
        }
        Mailbox::Add { mailbox } => {
            let named = || Some(mailbox.clone());
            let wish = if is_link(mailbox) {
                AddMailbox { link: named(), contact: None }
            } else {
                AddMailbox { contact: named(), link: None }
            };
            let added = client.add_mailbox(&wish).await?;
            screen.tell(&added, || show::mailbox::added(&added))
        }
        Mailbox::Remove { mailbox } => {
            done(client.remove_mailbox(mailbox).await?, "Nothing more is left there for you.", screen)
        }
        Mailbox::Serve(serve) if serve.stop => {
            done(client.stop_serving().await?, "This node no longer serves as a mailbox.", screen)
        }
        Mailbox::Serve(serve) => {
            let wish = Serve { capacity_bytes: serve.capacity, work_bits: serve.work_bits };
            let serving = client.serve(&wish).await?;
            screen.tell(&serving, || show::mailbox::serving(&serving))
        }
        Mailbox::Status => {
            let serving = client.serving().await?;
            screen.tell(&serving, || show::mailbox::serving(&serving))
        }
    }
}
