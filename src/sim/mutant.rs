//! Faults planted in an engine or its driver, for the simulator to catch.

use kinfolk_engine::store::{Alarm, Change, Changes, Key, MessageState, Row, Table};
use kinfolk_engine::{Effect, Rejection, Turn};

/// One planted fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutant {
    /// The driver acknowledges a frame before its batch is on disk.
    AcknowledgeBeforeCommit,
    /// The driver sends payloads, receipts among them, before their batch is on disk.
    SendBeforeCommit,
    /// The engine does not remember which messages it has shown.
    DuplicateShown,
    /// A message that does not open moves the ratchet all the same.
    RatchetMovedUnchecked,
    /// The engine never sets the alarm for receipts.
    LostReceiptTimer,
    /// The engine never sets the alarm for dialling again.
    LostDialTimer,
    /// An item leaves the outbox when it is sent and not when it is taken.
    OutboxEmptiedOnSend,
    /// The session is not kept after something was sealed on it.
    SealedSessionForgotten,
    /// A skipped key is not kept.
    SkippedKeysForgotten,
    /// What does not open is acknowledged.
    UnopenedAcknowledged,
    /// The order number of a conversation never rises.
    OrderForgotten,
    /// An acknowledgement by the other node counts as delivered to the person.
    SentShownAsDelivered,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::AcknowledgeBeforeCommit,
        Self::SendBeforeCommit,
        Self::DuplicateShown,
        Self::RatchetMovedUnchecked,
        Self::LostReceiptTimer,
        Self::LostDialTimer,
        Self::OutboxEmptiedOnSend,
        Self::SealedSessionForgotten,
        Self::SkippedKeysForgotten,
        Self::UnopenedAcknowledged,
        Self::OrderForgotten,
        Self::SentShownAsDelivered,
    ];

    /// Whether an effect leaves before the batch it belongs to is on disk.
    #[must_use]
    pub fn jumps_the_commit(self, effect: &Effect) -> bool {
        match (self, effect) {
            (Self::AcknowledgeBeforeCommit, Effect::Acknowledge(_)) => true,
            (Self::SendBeforeCommit, Effect::Send { .. }) => true,
            _ => false,
        }
    }

    /// Alters what an honest turn came to. `sessions` are the session rows as they were.
    pub fn alter(self, turn: &mut Turn) {
        match self {
            Self::AcknowledgeBeforeCommit | Self::SendBeforeCommit => {}
            Self::DuplicateShown => drop_puts(&mut turn.changes, |key| {
                matches!(key, Key::MessagePlace(..)) || key.table() == Table::Opened
            }),
            Self::RatchetMovedUnchecked => {
                if turn.rejections.contains(&Rejection::Undecryptable) {
                    forget_first_session(&mut turn.changes);
                }
            }
            Self::LostReceiptTimer => {
                drop_puts(&mut turn.changes, |key| matches!(key, Key::Timer(_, Alarm::Receipts(_))));
            }
            Self::LostDialTimer => {
                drop_puts(&mut turn.changes, |key| {
                    matches!(key, Key::Timer(_, Alarm::Dial(_) | Alarm::Ask(_)))
                });
            }
            Self::OutboxEmptiedOnSend => {
                let sent: Vec<u64> = turn
                    .effects
                    .iter()
                    .filter_map(|effect| if let Effect::Send { request, .. } = effect { Some(request.0) } else { None })
                    .collect();
                drop_puts(&mut turn.changes, |key| matches!(key, Key::Outbox(_, number) if sent.contains(number)));
            }
            Self::SealedSessionForgotten => {
                let sealed = turn.changes.iter().any(|(key, _)| matches!(key, Key::Message(..)))
                    && turn.changes.iter().any(|(key, _)| matches!(key, Key::Outbox(..)));
                if sealed {
                    drop_puts(&mut turn.changes, |key| key.table() == Table::Session);
                }
            }
            Self::SkippedKeysForgotten => {
                drop_puts(&mut turn.changes, |key| key.table() == Table::SkippedKey);
            }
            Self::UnopenedAcknowledged => {
                for effect in &mut turn.effects {
                    if let Effect::Refuse(delivery, kinfolk_wire::direct::NackCode::Undecryptable) = effect {
                        *effect = Effect::Acknowledge(*delivery);
                    }
                }
            }
            Self::OrderForgotten => {
                for_each_row(&mut turn.changes, |row| {
                    if let Row::Conversation(conversation) = row {
                        conversation.lamport = 0;
                    }
                });
            }
            Self::SentShownAsDelivered => for_each_row(&mut turn.changes, |row| {
                if let Row::Message(message) = row
                    && message.state == MessageState::Sent
                {
                    message.state = MessageState::Delivered;
                }
            }),
        }
    }
}

fn drop_puts(changes: &mut Changes, dropped: impl Fn(&Key) -> bool) {
    let kept = std::mem::take(changes);
    for (key, change) in &kept {
        match change {
            Change::Put(row) if !dropped(key) => changes.put(*key, row.clone()),
            Change::Put(_) => {}
            Change::Delete => changes.delete(*key),
        }
    }
}

fn for_each_row(changes: &mut Changes, mut alter: impl FnMut(&mut Row)) {
    let kept = std::mem::take(changes);
    for (key, change) in &kept {
        match change {
            Change::Put(row) => {
                let mut row = row.clone();
                alter(&mut row);
                changes.put(*key, row);
            }
            Change::Delete => changes.delete(*key),
        }
    }
}

/// What a ratchet that has moved for nothing comes to: the session that was active opens nothing any more.
fn forget_first_session(changes: &mut Changes) {
    let devices: Vec<(Key, Row)> = changes
        .iter()
        .filter_map(|(key, change)| match change {
            Change::Put(row @ Row::Device(_)) => Some((*key, row.clone())),
            _ => None,
        })
        .collect();
    for (key, row) in devices {
        if let Row::Device(mut device) = row {
            device.sessions.clear();
            changes.put(key, device.into());
        }
    }
}
