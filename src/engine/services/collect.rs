//! Mail is fetched from the hosts that this person has named (docs/protocol/07-mailbox.md).

use kinfolk_wire::time::Span;

use crate::refusal::Refusal;
use crate::step::Step;

/// The longest wait before the hosts are asked again.
pub(crate) const LONGEST_WAIT: Span = Span::from_secs(20 * 60);

/// It is time to ask for mail.
pub(crate) fn poll(_step: &mut Step<'_>) -> Result<(), Refusal> {
    Ok(())
}
