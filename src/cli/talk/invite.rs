use std::time::Duration;

use kinfolk_client::Client;
use kinfolk_rpc::invite::{Admission, CreateInvite, Uses};

use super::link;
use crate::failure::Failure;
use crate::screen::Screen;

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
    link::tell(&invite, &invite.link, qr, screen, || invite.link.clone())
}
