use crate::startup::{Initialised, Ready, UnlockedBy};

use super::text::contained;

/// The outcome of `init`.
pub(crate) fn initialised(profile: &Initialised) -> String {
    let mut page = format!("You are {}.\n\n", contained(&profile.name));
    page.push_str(&format!("identity  {}\ndevice    {}\n\n", profile.identity, profile.device));
    page.push_str("Write these 24 words on paper. They alone bring your identity back, and are not shown again:\n\n");
    for (row, words) in profile.recovery_phrase.chunks(4).enumerate() {
        for (column, word) in words.iter().enumerate() {
            page.push_str(&format!("  {:2} {word:<10}", row * 4 + column + 1));
        }
        page.push('\n');
    }
    if profile.unlocked_by == UnlockedBy::KeyFile {
        page.push_str(
            "\nNo passphrase was given: the key of this profile is in a file beside it, which only you can read.\n\
             Whoever copies the whole directory can open it.\n",
        );
    }
    page.push_str("\nNext: kinfolk run\n");
    page
}

/// The beginning of `run`.
pub(crate) fn ready(ready: &Ready) -> String {
    let mut page = format!("Ready as {}\n", ready.identity);
    for address in &ready.addresses {
        page.push_str(&format!("  listening on {address}\n"));
    }
    page.push_str(&format!("  local API at {}\n", ready.api));
    page.push_str("In another terminal: kinfolk invite. Interrupt (Ctrl-C) to stop.\n");
    page
}
