//! What waits for a device that is not there goes to the hosts its person has named (docs/protocol/07-mailbox.md).

use kinfolk_wire::ids::DeviceId;
use kinfolk_wire::time::Span;

use crate::refusal::Refusal;
use crate::step::Step;

/// The longest wait before deposits are tried again.
pub(crate) const LONGEST_WAIT: Span = Span::from_secs(45 * 60);

/// It is time to deposit what waits for a device.
pub(crate) fn due(_step: &mut Step<'_>, _device: DeviceId) -> Result<(), Refusal> {
    Ok(())
}
