use kinfolk_engine::input::{Admission, Command};
use kinfolk_rpc::invite as rpc;
use kinfolk_wire::invite::Uses;
use kinfolk_wire::time::Span;

use crate::problem::Refused;

/// How long a link is honoured unless somebody says otherwise.
const USUAL: Span = Span::from_days(7);
/// The longest a link may be honoured.
const LONGEST: Span = Span::from_days(366);

/// The wish for a link.
pub(crate) fn wish(wish: &rpc::CreateInvite) -> Result<Command, Refused> {
    let lifetime = wish.expires_in_ms.map_or(USUAL, Span::from_millis);
    if lifetime == Span::ZERO || lifetime > LONGEST {
        return Err(Refused::invalid(
            "invalid_expiry",
            format!("expires_in_ms: expected 1 to {} (366 days)", LONGEST.as_millis()),
        ));
    }
    Ok(Command::CreateInvite {
        uses: match wish.uses {
            rpc::Uses::Once => Uses::Once,
            rpc::Uses::Many => Uses::Many,
        },
        lifetime,
        admission: match wish.admission {
            rpc::Admission::Accept => Admission::Accept,
            rpc::Admission::Ask => Admission::Ask,
        },
    })
}
