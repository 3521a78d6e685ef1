//! Faults planted in an engine or its driver, for the simulator to catch.

use kinfolk_engine::event::{Event, MessagePlace, Notice};
use kinfolk_engine::input::{Delivery, Report};
use kinfolk_engine::store::{Alarm, Change, Changes, Key, MessageState, Overlay, Read, Row, Scan, Table};
use kinfolk_engine::{Effect, Input, Rejection, Turn, turn};
use kinfolk_wire::direct::{FrameKind, NackCode};
use kinfolk_wire::time::{Span, Timestamp};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

/// One planted fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutant {
    /// The driver acknowledges a frame before its batch is on disk.
    AcknowledgeBeforeCommit,
    /// The driver sends payloads before their batch is on disk.
    SendBeforeCommit,
    /// A line is receipted in the turn that receives it, and the receipt leaves before that is on disk.
    ReceiptBeforeCommit,
    /// The caller is told that it is done before it is on disk.
    AnswerBeforeCommit,
    /// The engine does not remember which lines it has shown.
    DuplicateShown,
    /// The ratchet moves before the tag of the body is checked.
    RatchetMovedUnchecked,
    /// The engine never sets the alarm for receipts.
    LostReceiptTimer,
    /// The engine never sets the alarm for dialling again.
    LostDialTimer,
    /// The engine never sets the alarm for links that owe acknowledgements.
    LostStallTimer,
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
    /// A line is shown as sent when it leaves and not when it is taken.
    ShownAsSentEarly,
    /// A link for one person is never spent.
    InviteNeverSpent,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::AcknowledgeBeforeCommit,
        Self::SendBeforeCommit,
        Self::ReceiptBeforeCommit,
        Self::AnswerBeforeCommit,
        Self::DuplicateShown,
        Self::RatchetMovedUnchecked,
        Self::LostReceiptTimer,
        Self::LostDialTimer,
        Self::LostStallTimer,
        Self::OutboxEmptiedOnSend,
        Self::SealedSessionForgotten,
        Self::SkippedKeysForgotten,
        Self::UnopenedAcknowledged,
        Self::OrderForgotten,
        Self::ShownAsSentEarly,
        Self::InviteNeverSpent,
    ];

    /// Whether an effect leaves before the batch it belongs to is on disk; `of_frame` where a frame caused it.
    #[must_use]
    pub const fn jumps_the_commit(self, effect: &Effect, of_frame: bool) -> bool {
        match self {
            Self::AcknowledgeBeforeCommit => matches!(effect, Effect::Acknowledge(_)),
            Self::SendBeforeCommit => matches!(effect, Effect::Send { .. }),
            Self::ReceiptBeforeCommit => of_frame && matches!(effect, Effect::Send { .. }),
            _ => false,
        }
    }

    /// Alters what an honest turn came to. `genuine` is the payload that the turn was about, as it was before somebody
    /// altered it on its way.
    pub fn alter(self, made: &mut Turn, base: &dyn Read, now: Timestamp, genuine: Option<(Delivery, Vec<u8>)>) {
        match self {
            Self::AcknowledgeBeforeCommit | Self::SendBeforeCommit | Self::AnswerBeforeCommit => {}
            Self::ReceiptBeforeCommit => receipt_at_once(made, base, now),
            Self::DuplicateShown => forget_shown(&mut made.changes),
            Self::RatchetMovedUnchecked => {
                if let Some((delivery, body)) = genuine
                    && made.rejections.contains(&Rejection::Undecryptable)
                {
                    move_ratchet(made, base, now, delivery, body);
                }
            }
            Self::LostReceiptTimer => {
                drop_puts(&mut made.changes, |key| matches!(key, Key::Timer(_, Alarm::Receipts(_))));
            }
            Self::LostDialTimer => {
                drop_puts(&mut made.changes, |key| matches!(key, Key::Timer(_, Alarm::Dial(_) | Alarm::Ask(_))));
            }
            Self::LostStallTimer => {
                drop_puts(&mut made.changes, |key| matches!(key, Key::Timer(_, Alarm::LinkStalled(_))));
            }
            Self::OutboxEmptiedOnSend => {
                for (key, _) in sent_items(made, base) {
                    made.changes.delete(key);
                }
            }
            Self::SealedSessionForgotten => {
                if made.changes.iter().any(|(key, _)| key.table() == Table::Outbox) {
                    drop_puts(&mut made.changes, |key| {
                        key.table() == Table::Session && base.get(key).is_ok_and(|row| row.is_some())
                    });
                }
            }
            Self::SkippedKeysForgotten => drop_puts(&mut made.changes, |key| key.table() == Table::SkippedKey),
            Self::UnopenedAcknowledged => {
                for effect in &mut made.effects {
                    if let Effect::Refuse(delivery, NackCode::Undecryptable) = effect {
                        *effect = Effect::Acknowledge(*delivery);
                    }
                }
            }
            Self::OrderForgotten => for_each_row(&mut made.changes, |row| {
                if let Row::Conversation(conversation) = row {
                    conversation.lamport = 0;
                }
            }),
            Self::ShownAsSentEarly => show_as_sent(made, base),
            Self::InviteNeverSpent => for_each_row(&mut made.changes, |row| {
                if let Row::Invite(invite) = row {
                    invite.spent_by = None;
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

/// Drops the places of lines that came, so that the next copy is new again. Lines of ours keep theirs.
fn forget_shown(changes: &mut Changes) {
    let received: Vec<_> = changes
        .iter()
        .filter_map(|(key, change)| match (key, change) {
            (Key::Message(conversation, _, sender, id), Change::Put(Row::Message(message)))
                if message.state == MessageState::Received =>
            {
                Some(Key::MessagePlace(*conversation, *sender, *id))
            }
            _ => None,
        })
        .collect();
    drop_puts(changes, |key| received.contains(key));
}

/// The state that the session would have if the payload had been the genuine one.
fn move_ratchet(made: &mut Turn, base: &dyn Read, now: Timestamp, delivery: Delivery, body: Vec<u8>) {
    let report = Report::Received { delivery, kind: FrameKind::Payload, body };
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let Ok(unchecked) = turn(now, &mut rng, base, Input::Network(report)) else { return };
    for (key, change) in &unchecked.changes {
        match (key.table(), change) {
            (Table::Session | Table::SkippedKey, Change::Put(row)) => made.changes.put(*key, row.clone()),
            (Table::SkippedKey, Change::Delete) => made.changes.delete(*key),
            _ => {}
        }
    }
}

/// Does at once what the alarm for receipts would do later.
fn receipt_at_once(made: &mut Turn, base: &dyn Read, now: Timestamp) {
    if !made
        .changes
        .iter()
        .any(|(key, change)| key.table() == Table::PendingReceipts && matches!(change, Change::Put(_)))
    {
        return;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(now.as_millis());
    let after = now.after(Span::from_millis(100));
    let over = Overlay { base, changes: &made.changes };
    if let Ok(receipts) = turn(after, &mut rng, &over, Input::Wake) {
        made.changes.extend(receipts.changes);
        made.effects.extend(receipts.effects);
    }
}

/// The outbox items that a turn sends.
fn sent_items(made: &Turn, base: &dyn Read) -> Vec<(Key, Row)> {
    let sent: Vec<u64> = made
        .effects
        .iter()
        .filter_map(|effect| if let Effect::Send { request, .. } = effect { Some(request.0) } else { None })
        .collect();
    let over = Overlay { base, changes: &made.changes };
    let waiting = over.scan(&Scan::all(Table::Outbox, usize::MAX)).unwrap_or_default().rows;
    waiting.into_iter().filter(|(key, _)| matches!(key, Key::Outbox(_, number) if sent.contains(number))).collect()
}

fn show_as_sent(made: &mut Turn, base: &dyn Read) {
    let places: Vec<MessagePlace> = sent_items(made, base)
        .into_iter()
        .filter_map(|(_, row)| if let Row::OutboxItem(item) = row { item.line } else { None })
        .collect();
    for place in places {
        let event = Event::MessageChanged(place, MessageState::Sent);
        made.effects.push(Effect::Notify(Notice { sequence: None, event }));
    }
}
