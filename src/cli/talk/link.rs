//! A link for another person: in words, and as a picture where somebody can see one.

use serde::Serialize;

use crate::failure::Failure;
use crate::screen::{Form, Screen};
use crate::show::qr::{self, NoPicture};

/// Prints what has a link: on a terminal, or where it is wished, with a picture of the link above the words.
pub(super) fn tell(
    what: &impl Serialize,
    link: &str,
    qr: bool,
    screen: &mut Screen,
    words: impl FnOnce() -> String,
) -> Result<(), Failure> {
    let width = screen.person_at();
    let picture = (screen.form() == Form::People && (qr || width.is_some())).then(|| qr::picture(link, width));
    if let Some(Ok(picture)) = &picture {
        screen.write(&format!("{picture}\n"))?;
    }
    screen.tell(what, words)?;
    match picture {
        Some(Err(NoPicture::TooNarrow(columns))) => {
            screen.note(&format!("(A QR code of this link needs a terminal of {columns} columns.)"))
        }
        Some(Err(NoPicture::TooLong)) => screen.note("(This link is too long for a QR code.)"),
        Some(Ok(_)) | None => Ok(()),
    }
}
