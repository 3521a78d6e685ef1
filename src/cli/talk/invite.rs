use std::time::Duration;

use kinfolk_client::Client;
use kinfolk_rpc::invite::{Admission, CreateInvite, Uses};

use crate::failure::Failure;
use crate::screen::{Form, Screen};
use crate::show::qr::{self, NoPicture};

/// What is asked of the door.
pub(super) fn wish(once: bool, expires: Duration, ask: bool) -> CreateInvite {
    CreateInvite {
        uses: if once { Uses::Once } else { Uses::Many },
        expires_in_ms: Some(u64::try_from(expires.as_millis()).unwrap_or(u64::MAX)),
        admission: if ask { Admission::Ask } else { Admission::Accept },
    }
}

/// Makes a link, and a picture of it where a person can see one.
pub(super) async fn invite(wish: &CreateInvite, qr: bool, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
    let invite = client.create_invite(wish).await?;
    let width = screen.person_at();
    let picture = (screen.form() == Form::People && (qr || width.is_some())).then(|| qr::picture(&invite.link, width));
    if let Some(Ok(picture)) = &picture {
        screen.write(&format!("{picture}\n"))?;
    }
    screen.tell(&invite, || invite.link.clone())?;
    match picture {
        Some(Err(NoPicture::TooNarrow(columns))) => {
            screen.note(&format!("(A QR code of this link needs a terminal of {columns} columns.)"))
        }
        Some(Err(NoPicture::TooLong)) => screen.note("(This link is too long for a QR code.)"),
        Some(Ok(_)) | None => Ok(()),
    }
}
