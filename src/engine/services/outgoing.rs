//! What the engine asked the network to carry, by the number under which the network tells what became of it.

/// Requests that are no outbox items carry this bit, then what they are, and in the lower half which of them.
const CONTROL: u64 = 1 << 63;
const KIND: u32 = 32;

/// What a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outgoing {
    /// An outbox item.
    Outbox(u64),
    /// A hello.
    Hello,
    /// A knock of this attempt to become a contact.
    Knock(u32),
    /// The chain that follows it.
    Chain(u32),
    /// Prekeys that answer a knock.
    PrekeysForKnock,
    /// The bundle with this signed prekey.
    Prekeys(u32),
}

impl Outgoing {
    pub(crate) const fn number(self) -> u64 {
        let (kind, which) = match self {
            Self::Outbox(number) => return number,
            Self::Hello => (1, 0),
            Self::Knock(attempt) => (2, attempt),
            Self::Chain(attempt) => (3, attempt),
            Self::PrekeysForKnock => (4, 0),
            Self::Prekeys(bundle) => (5, bundle),
        };
        CONTROL | kind << KIND | which as u64
    }

    /// What has this number; nothing where the engine gives no such number.
    pub(crate) fn of(number: u64) -> Option<Self> {
        if number & CONTROL == 0 {
            return Some(Self::Outbox(number));
        }
        let which = u32::try_from(number & u64::from(u32::MAX)).ok()?;
        match (number & !CONTROL) >> KIND {
            1 => Some(Self::Hello),
            2 => Some(Self::Knock(which)),
            3 => Some(Self::Chain(which)),
            4 => Some(Self::PrekeysForKnock),
            5 => Some(Self::Prekeys(which)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_what_its_number_says_and_no_two_share_one() {
        let all = [0, 1, u32::MAX].map(|which| {
            let item = Outgoing::Outbox(u64::from(which) << 31);
            [item, Outgoing::Hello, Outgoing::Knock(which), Outgoing::Chain(which), Outgoing::PrekeysForKnock]
                .into_iter()
                .chain([Outgoing::Prekeys(which)])
        });
        let mut seen = std::collections::BTreeMap::new();
        for request in all.into_iter().flatten() {
            assert_eq!(Outgoing::of(request.number()), Some(request));
            assert_eq!(*seen.entry(request.number()).or_insert(request), request);
        }
        assert_eq!(Outgoing::of(CONTROL), None);
        assert_eq!(Outgoing::of(u64::MAX), None);
    }
}
