use kinfolk_engine::input::{Admission, Command};
use kinfolk_rpc::invite as rpc;
use kinfolk_wire::invite::Uses;
use kinfolk_wire::time::Span;

use super::lifetime;
use crate::problem::Refused;

/// How long a link is honoured unless somebody says otherwise.
const USUAL: Span = Span::from_days(7);

/// The wish for a link.
pub(crate) fn wish(wish: &rpc::CreateInvite) -> Result<Command, Refused> {
    let lifetime = lifetime(wish.expires_in_ms, USUAL)?;
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
