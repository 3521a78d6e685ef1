use kinfolk_client::Client;
use kinfolk_rpc::message::{Message, MessageState};

use crate::failure::Failure;
use crate::screen::Screen;
use crate::show;

/// How many lines are asked for at once.
const PAGE: usize = 200;

/// Prints the newest lines of a conversation, oldest first.
pub(super) async fn history(
    chat: &str,
    last: u32,
    before: Option<&str>,
    seen: bool,
    client: &Client,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let wanted = usize::try_from(last).unwrap_or(usize::MAX);
    let mut pages: Vec<Vec<Message>> = Vec::new();
    let (mut found, mut damaged) = (0, 0);
    let mut before = before.map(str::to_owned);
    loop {
        let page = client.messages(chat, PAGE.min(wanted - found), before.as_deref()).await?;
        found += page.messages.len();
        damaged += page.damaged;
        pages.push(page.messages);
        before = page.next;
        if before.is_none() || found >= wanted {
            break;
        }
    }
    let lines: Vec<Message> = pages.into_iter().rev().flatten().collect();
    for message in &lines {
        screen.tell(message, || show::message::line_of_chat(message))?;
    }
    if damaged > 0 {
        let lines = if damaged == 1 { "1 line" } else { &format!("{damaged} lines") };
        screen.warn("store_damaged", &format!("{lines} here could not be read: the store is damaged there"))?;
    }
    if let Some(older) = before {
        screen.note(&format!("(For older lines: --before {older})"))?;
    }
    let newest = lines.iter().rev().find(|message| message.state == MessageState::Received);
    if let Some(newest) = newest.filter(|_| seen || screen.person_at().is_some()) {
        client.mark_seen(chat, newest.message.clone()).await?;
    }
    Ok(())
}
