//! What hosts are asked to do. Whoever asks keeps an [`Errand`] under the number of the request, by which the outcome is
//! known.

use kinfolk_crypto::kdf::sha256;
use kinfolk_crypto::mailbox::{DirectionKey, Slot};
use kinfolk_wire::mailbox::{Admission, Bucket, Deposit, Host, LIFETIME_HOURS, Request, Stamp, Token};
use kinfolk_wire::time::{Span, Timestamp};

use crate::effect::{Effect, RequestId, Work};
use crate::refusal::Refusal;
use crate::step::Step;
use crate::store::{Errand, Key};

/// Requests of one group may be seen to come from one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Group(pub(crate) u64);

impl Group {
    /// What fetches this person's mail.
    pub(crate) const OWN_MAIL: Self = Self(0);

    /// What has to do with one device or person, by their id, and with nothing else.
    pub(crate) fn of(id: &[u8; 16]) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = *id;
        Self(u64::from_be_bytes([a, b, c, d, e, f, g, h]) | 1)
    }
}

/// Asks a host.
pub(crate) fn send(
    step: &mut Step<'_>,
    host: &Host,
    group: Group,
    errand: Errand,
    body: Request,
    work: Option<Work>,
) -> Result<(), Refusal> {
    let request = step.next_request()?;
    step.put(Key::Errand(request), errand);
    step.effect(Effect::Ask {
        request: RequestId(request),
        host: host.peer,
        addresses: host.addresses.clone(),
        group: group.0,
        body,
        work,
    });
    Ok(())
}

/// What admits a deposit.
pub(crate) enum Payment {
    /// Tokens of the host.
    Tokens(Vec<Token>),
    /// Work, which is done on the way out.
    Work(Work),
}

impl Payment {
    /// The work that a host wants, or says it wants, at this hour.
    pub(crate) fn work(now: Timestamp, bits: u8) -> Self {
        Self::Work(Work { hour: hour(now), bits })
    }
}

/// Something sealed for a slot.
pub(crate) struct Parcel {
    deposit: Deposit,
}

impl Parcel {
    /// Seals it; nothing where no blob is large enough.
    pub(crate) fn seal(key: &DirectionKey, slot: &Slot, payload: &[u8]) -> Option<Self> {
        let blob = key.seal(slot, payload)?;
        let erasure = key.erasure(slot);
        let (tag, erasure) = (erasure.tag, sha256(&[&erasure.key]));
        let admission = Admission::Tokens(Vec::new());
        Some(Self { deposit: Deposit { tag, lifetime: LIFETIME_HOURS, erasure, admission, blob } })
    }

    /// How many tokens a host wants for it.
    pub(crate) fn price(&self) -> usize {
        Bucket::of(self.deposit.blob.len()).map_or(usize::MAX, Bucket::tokens)
    }

    /// Leaves it at a host.
    pub(crate) fn leave(
        self,
        step: &mut Step<'_>,
        host: &Host,
        group: Group,
        errand: Errand,
        payment: Payment,
    ) -> Result<(), Refusal> {
        let (admission, work) = match payment {
            Payment::Tokens(tokens) => (Admission::Tokens(tokens), None),
            Payment::Work(work) => (Admission::Work(Stamp { hour: work.hour, nonce: 0 }), Some(work)),
        };
        let deposit = Deposit { admission, ..self.deposit };
        send(step, host, group, errand, Request::Deposit(deposit), work)
    }
}

/// Days since the epoch.
pub(crate) fn day(now: Timestamp) -> u32 {
    u32::try_from(now.as_millis() / Span::from_days(1).as_millis()).unwrap_or(u32::MAX)
}

/// Hours since the epoch.
fn hour(now: Timestamp) -> u32 {
    u32::try_from(now.as_millis() / Span::from_hours(1).as_millis()).unwrap_or(u32::MAX)
}
