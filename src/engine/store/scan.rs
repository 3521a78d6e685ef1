//! Ranges of records.

use kinfolk_wire::ids::{ConversationId, CurrencyId, DeviceId, SessionId};
use kinfolk_wire::time::Timestamp;

use super::key::name;
use super::{Events, Key, Segment, Table};

/// A question for many rows of one table: those under a prefix, within bounds of the number that follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// The table.
    pub table: Table,
    /// The first segments of the keys.
    pub prefix: Vec<Segment>,
    /// The least value of the [`Segment::Order`] after the prefix.
    pub from: u64,
    /// Its greatest value.
    pub until: u64,
    /// Greatest first.
    pub backwards: bool,
    /// At most this many rows.
    pub limit: usize,
}

impl Scan {
    /// All rows of a table, at most `limit`.
    #[must_use]
    pub const fn all(table: Table, limit: usize) -> Self {
        Self { table, prefix: Vec::new(), from: 0, until: u64::MAX, backwards: false, limit }
    }

    /// Rows under a prefix, in ascending order.
    #[must_use]
    pub const fn under(table: Table, prefix: Vec<Segment>, limit: usize) -> Self {
        Self { table, prefix, from: 0, until: u64::MAX, backwards: false, limit }
    }

    /// The lines of a conversation up to an order number, newest first.
    #[must_use]
    pub fn messages_back_from(conversation: ConversationId, until: u64, limit: usize) -> Self {
        let prefix = vec![name(conversation.as_bytes(), 16)];
        Self { table: Table::Message, prefix, from: 0, until, backwards: true, limit }
    }

    /// What waits for a device after a number, oldest first.
    #[must_use]
    pub fn outbox_after(device: DeviceId, number: u64, limit: usize) -> Self {
        let prefix = vec![name(device.as_bytes(), 16)];
        Self { table: Table::Outbox, prefix, from: number.saturating_add(1), until: u64::MAX, backwards: false, limit }
    }

    /// Timers due by a moment, earliest first.
    #[must_use]
    pub const fn timers_until(due: Timestamp, limit: usize) -> Self {
        Self { table: Table::Timer, prefix: Vec::new(), from: 0, until: due.as_millis(), backwards: false, limit }
    }

    /// The rows of the log in which events after a number stand, in order; rows for at least `limit` of them.
    #[must_use]
    pub const fn events_after(sequence: u64, limit: usize) -> Self {
        let from = Events::row_of(sequence.saturating_add(1));
        let limit = (limit / Events::IN_A_ROW).saturating_add(2);
        Self { table: Table::Event, prefix: Vec::new(), from, until: u64::MAX, backwards: false, limit }
    }

    /// What opened on days from one to another, both included.
    #[must_use]
    pub const fn opened_between(from: u64, until: u64, limit: usize) -> Self {
        Self { table: Table::Opened, prefix: Vec::new(), from, until, backwards: false, limit }
    }

    /// What a host keeps that goes by an hour, the first to go first.
    #[must_use]
    pub const fn deposits_until(hour: u64, limit: usize) -> Self {
        Self { table: Table::DepositExpiry, prefix: Vec::new(), from: 0, until: hour, backwards: false, limit }
    }

    /// What is carried for others after a number, in the order in which it came.
    #[must_use]
    pub const fn carried_after(number: u64, limit: usize) -> Self {
        let from = number.saturating_add(1);
        Self { table: Table::Carried, prefix: Vec::new(), from, until: u64::MAX, backwards: false, limit }
    }

    /// Movements of a currency of which the money is still to be claimed, the oldest first.
    #[must_use]
    pub fn unclaimed(currency: CurrencyId, limit: usize) -> Self {
        Self::under(Table::Unclaimed, vec![name(currency.as_bytes(), 16)], limit)
    }

    /// Who are merchants of a currency, or want to be.
    #[must_use]
    pub fn merchants(currency: CurrencyId, limit: usize) -> Self {
        Self::under(Table::Merchant, vec![name(currency.as_bytes(), 16)], limit)
    }

    /// Who was told where payments in a currency go.
    #[must_use]
    pub fn told(currency: CurrencyId, limit: usize) -> Self {
        Self::under(Table::Told, vec![name(currency.as_bytes(), 16)], limit)
    }

    /// Movements of a currency, the newest first.
    #[must_use]
    pub fn movements(currency: CurrencyId, limit: usize) -> Self {
        Self { backwards: true, ..Self::under(Table::Movement, vec![name(currency.as_bytes(), 16)], limit) }
    }

    /// What was promised in a currency, the oldest first.
    #[must_use]
    pub fn promised(currency: CurrencyId) -> Self {
        Self::under(Table::Promised, vec![name(currency.as_bytes(), 16)], usize::MAX)
    }

    /// The lines that a device has not receipted.
    #[must_use]
    pub fn unreceipted(device: DeviceId, limit: usize) -> Self {
        Self::under(Table::Unreceipted, vec![name(device.as_bytes(), 16)], limit)
    }

    /// The skipped keys of a session, oldest first.
    #[must_use]
    pub fn skipped_keys(session: SessionId, limit: usize) -> Self {
        Self::under(Table::SkippedKey, vec![name(session.as_bytes(), 16)], limit)
    }

    /// The number by which a matching key is ordered, or nothing where the key does not match.
    #[must_use]
    pub fn place(&self, key: &Key) -> Option<u64> {
        if key.table() != self.table {
            return None;
        }
        let segments = key.segments();
        if !segments.starts_with(&self.prefix) {
            return None;
        }
        let order = match segments.get(self.prefix.len()) {
            Some(Segment::Order(order)) => *order,
            Some(Segment::Name { .. }) | None => 0,
        };
        (self.from..=self.until).contains(&order).then_some(order)
    }
}
