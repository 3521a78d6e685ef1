//! Questions that change nothing: what a face shows. Each is a plain function over the store.

mod invoices;
mod mailboxes;
mod merchants;
mod tabs;
mod wallet;

pub use invoices::{InvoiceState, InvoiceView, invoice, invoice_name, invoice_named, invoices};
pub use mailboxes::{HostView, ServingView, custody, mailbox_hosts, serving};
pub use merchants::{MerchantView, has_card, merchants, takes_card};
pub use tabs::{TabState, TabView, has_tab_key, tab, tab_for, tab_named, tab_payment_of, tabs};
pub use wallet::{
    BalanceView, CurrencyView, PaymentState, PaymentView, RecoveryView, WitnessView, amount_text, balances, currencies,
    currency, entry_of, is_payable, payment, payments, payments_named, policy_of, proof, receipt, recovery, sum_text,
    witness_key, witness_peer,
};

use kinfolk_wire::content::{Body, Content};
use kinfolk_wire::ids::{ConversationId, DeviceId, IdentityId, MessageId, PeerId};
use kinfolk_wire::name::Name;
use kinfolk_wire::time::Timestamp;

use crate::event::{Event, MessagePlace};
use crate::lookalikes::{Lookalikes, NameWarning};
use crate::store::{
    Contact, ContactState, Conversation, Counters, Events, HashTable, Key, Listening, Message, MessageState,
    OutboxItem, Post, Profile, Read, ReadError, Record, Row, Scan, Scanned, Table,
};

/// How many contacts there may be.
pub const CONTACTS: usize = 10_000;

const OUTBOX_PAGE: usize = 64;

pub(crate) fn find<T: Record>(read: &dyn Read, key: &Key) -> Result<Option<T>, ReadError> {
    match read.get(key)? {
        Some(row) => T::of(row).map(Some).ok_or_else(|| ReadError::Damaged {
            table: key.table(),
            reason: "a row of another kind than its key".to_owned(),
        }),
        None => Ok(None),
    }
}

/// Who this profile is; nothing before it is set up.
///
/// # Errors
/// [`ReadError`].
pub fn profile(read: &dyn Read) -> Result<Option<Profile>, ReadError> {
    find(read, &Key::Profile)
}

/// A contact as a face shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactView {
    /// Who.
    pub identity: IdentityId,
    /// The conversation with them.
    pub conversation: ConversationId,
    /// What they are called here.
    pub name: Name,
    /// How far it has come.
    pub state: ContactState,
    /// Whether the safety number was compared.
    pub verified: bool,
    /// Whether nothing more is heard from them.
    pub blocked: bool,
    /// Whether a device of theirs is connected.
    pub online: bool,
    /// When one last was.
    pub last_seen: Option<Timestamp>,
    /// Their devices.
    pub devices: Vec<DeviceId>,
    /// Lines of theirs not yet seen.
    pub unread: u64,
    /// Whether a mailbox of theirs last said that it has no room, so that what is for them waits here.
    pub mailbox_full: bool,
    /// Whose name theirs can be taken for, if anybody's.
    pub warning: Option<NameWarning>,
}

/// All contacts but the removed ones, in the order of their names.
///
/// # Errors
/// [`ReadError`].
pub fn contacts(read: &dyn Read) -> Result<Vec<ContactView>, ReadError> {
    let people = People::of(read)?;
    let views: Result<Vec<ContactView>, ReadError> = people.contacts.iter().map(|known| people.view(known)).collect();
    let mut views = views?;
    views.sort_by(|a, b| (&a.name, a.identity).cmp(&(&b.name, b.identity)));
    Ok(views)
}

/// One contact, unless removed. Who asks for several has them from [`People`].
///
/// # Errors
/// [`ReadError`].
pub fn contact(read: &dyn Read, identity: IdentityId) -> Result<Option<ContactView>, ReadError> {
    match find::<Contact>(read, &Key::Contact(identity))? {
        Some(contact) if contact.state != ContactState::Removed => People::of(read)?.view(&contact).map(Some),
        _ => Ok(None),
    }
}

/// All contacts but the removed ones, read once.
pub struct People<'a> {
    read: &'a dyn Read,
    own: IdentityId,
    contacts: Vec<Contact>,
    lookalikes: Lookalikes,
}

impl<'a> People<'a> {
    /// Reads them.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn of(read: &'a dyn Read) -> Result<Self, ReadError> {
        let own = profile(read)?;
        let found =
            read.scan(&Scan::all(Table::Contact, CONTACTS))?.rows.into_iter().filter_map(|(_, row)| match row {
                Row::Contact(contact) if contact.state != ContactState::Removed => Some(contact),
                _ => None,
            });
        let contacts: Vec<Contact> = found.collect();
        let lookalikes = Lookalikes::of(own.as_ref(), &contacts);
        let own = own.map_or(IdentityId::new([0; 32]), |own| own.identity);
        Ok(Self { read, own, contacts, lookalikes })
    }

    /// One of them.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn contact(&self, identity: IdentityId) -> Result<Option<ContactView>, ReadError> {
        self.contacts.iter().find(|contact| contact.identity == identity).map(|known| self.view(known)).transpose()
    }

    fn view(&self, contact: &Contact) -> Result<ContactView, ReadError> {
        view(self.read, &self.own, contact.clone(), self.lookalikes.warning(contact))
    }
}

fn own_identity(read: &dyn Read) -> Result<IdentityId, ReadError> {
    Ok(profile(read)?.map_or(IdentityId::new([0; 32]), |profile| profile.identity))
}

fn view(
    read: &dyn Read,
    own: &IdentityId,
    contact: Contact,
    warning: Option<NameWarning>,
) -> Result<ContactView, ReadError> {
    let conversation = kinfolk_crypto::identity::conversation_id(own, &contact.identity);
    let (mut online, mut mailbox_full) = (false, false);
    for device in &contact.devices {
        online |= read.get(&Key::LinkOf(*device))?.is_some();
        mailbox_full |= find::<Post>(read, &Key::Post(*device))?.is_some_and(|post| post.is_full);
    }
    let unread = find::<Conversation>(read, &Key::Conversation(conversation))?.map_or(0, |c| c.unread);
    Ok(ContactView {
        identity: contact.identity,
        conversation,
        name: contact.name,
        state: contact.state,
        verified: contact.verified,
        blocked: contact.blocked,
        online,
        last_seen: contact.last_seen,
        devices: contact.devices,
        unread,
        mailbox_full: mailbox_full && !online,
        warning,
    })
}

/// Why a text names no contact.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// Nobody is called that.
    #[error("there is no contact {0:?}; `kinfolk contacts` lists them")]
    Unknown(String),
    /// Several are.
    #[error("{text:?} could be any of: {}", candidates.join(", "))]
    Ambiguous {
        /// What was asked for.
        text: String,
        /// Each as `name (beginning of the id)`.
        candidates: Vec<String>,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] ReadError),
}

/// Finds the contact that an id, a unique beginning of one (4 characters at least), or a unique name names. The id of
/// the conversation with a contact serves as well. A whole id goes before everything; a name that is the beginning of
/// another's id makes both candidates, so that nobody receives by their name what was meant for somebody else.
///
/// # Errors
/// [`ResolveError`].
pub fn resolve(read: &dyn Read, text: &str) -> Result<ContactView, ResolveError> {
    let all = contacts(read)?;
    let lower = text.to_lowercase();
    let ids = |c: &ContactView| [c.identity.to_string(), c.conversation.to_string()];
    if let Some(whole) = all.iter().find(|c| ids(c).contains(&lower)) {
        return Ok(whole.clone());
    }
    let exact = all.iter().any(|c| c.name.as_str() == text);
    let found: Vec<&ContactView> = all
        .iter()
        .filter(|c| {
            let named = if exact { c.name.as_str() == text } else { c.name.as_str().to_lowercase() == lower };
            named || (lower.len() >= 4 && ids(c).iter().any(|id| id.starts_with(&lower)))
        })
        .collect();
    match found.as_slice() {
        [] => Err(ResolveError::Unknown(text.chars().take(80).collect())),
        [one] => Ok((*one).clone()),
        several => Err(ResolveError::Ambiguous {
            text: text.chars().take(80).collect(),
            candidates: several.iter().map(|c| format!("{} ({:.8})", c.name, c.identity.to_string())).collect(),
        }),
    }
}

/// A line of a conversation as a face shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where it stands.
    pub place: MessagePlace,
    /// When it was said, by its sender's clock.
    pub sent_at: Timestamp,
    /// When it was written here or came here.
    pub at: Timestamp,
    /// What was said.
    pub body: Body,
    /// How far it has come.
    pub state: MessageState,
    /// Lines that were said after the one before it and have not come, at the least.
    ///
    /// A line's order is one more than the highest that its sender had seen, so each lower one is that of a line
    /// (docs/protocol/05-content.md, 5.3). Where none has it here, one is missing.
    pub missing_before: u64,
}

/// One line.
///
/// # Errors
/// [`ReadError`], also where what was kept is not a content.
pub fn line(read: &dyn Read, place: MessagePlace) -> Result<Option<Line>, ReadError> {
    let key = Key::Message(place.conversation, place.lamport, place.sender, place.id);
    let Some(message) = find::<Message>(read, &key)? else { return Ok(None) };
    let mut line = read_line(place, &message)?;
    let before = read.scan(&Scan::messages_back_from(place.conversation, place.lamport.saturating_sub(1), 1))?.rows;
    line.missing_before = missing(before.first().map_or(0, |(key, _)| order(key)), place.lamport);
    Ok(Some(line))
}

/// How many orders lie between two; none before the first line, where others may have been taken away with a contact.
const fn missing(before: u64, order: u64) -> u64 {
    if before == 0 { 0 } else { order.saturating_sub(before).saturating_sub(1) }
}

const fn order(key: &Key) -> u64 {
    if let Key::Message(_, lamport, ..) = key { *lamport } else { 0 }
}

fn read_line(place: MessagePlace, message: &Message) -> Result<Line, ReadError> {
    let content = Content::decode(&message.content)
        .map_err(|error| ReadError::Damaged { table: Table::Message, reason: error.to_string() })?;
    let Content { sent_at, body, .. } = content;
    Ok(Line { place, sent_at, at: message.at, body, state: message.state, missing_before: 0 })
}

/// A page of a conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Oldest first.
    pub lines: Vec<Line>,
    /// How many lines could not be read because the store is damaged there.
    pub damaged: usize,
}

/// The last `last` lines of a conversation, or those before the line `before`. In the order that every device shows:
/// (lamport, sender, id).
///
/// # Errors
/// [`ReadError`].
pub fn history(
    read: &dyn Read,
    conversation: ConversationId,
    before: Option<MessagePlace>,
    last: usize,
) -> Result<Page, ReadError> {
    let until = before.map_or(u64::MAX, |place| place.lamport);
    // Lines with one order number come unsorted, so the group that a page ends in is read to its end.
    let mut limit = last.saturating_add(16);
    loop {
        let scanned = read.scan(&Scan::messages_back_from(conversation, until, limit))?;
        let whole = scanned.rows.len() < limit;
        let mut damaged = scanned.damaged;
        let mut lines = Vec::with_capacity(scanned.rows.len());
        for (key, row) in scanned.rows {
            if let (Key::Message(conversation, lamport, sender, id), Row::Message(message)) = (key, row) {
                let place = MessagePlace { conversation, lamport, sender, id };
                match read_line(place, &message) {
                    Ok(line) => lines.push(line),
                    Err(ReadError::Damaged { .. }) => damaged += 1,
                    Err(error) => return Err(error),
                }
            }
        }
        lines.sort_by_key(|line| (line.place.lamport, line.place.sender, line.place.id));
        let mut known = 0;
        if !whole && let Some(first) = lines.first().map(|line| line.place.lamport) {
            lines.retain(|line| line.place.lamport != first);
            known = first;
        }
        for line in &mut lines {
            line.missing_before = missing(known, line.place.lamport);
            known = line.place.lamport;
        }
        if let Some(before) = before {
            lines.retain(|line| {
                (line.place.lamport, line.place.sender, line.place.id) < (before.lamport, before.sender, before.id)
            });
        }
        if whole || lines.len() >= last {
            lines.drain(..lines.len().saturating_sub(last));
            return Ok(Page { lines, damaged });
        }
        limit = limit.saturating_mul(2);
    }
}

/// Where the line with this id stands in a conversation, whoever of the two said it.
///
/// # Errors
/// [`ReadError`].
pub fn place_of(
    read: &dyn Read,
    conversation: ConversationId,
    id: MessageId,
) -> Result<Option<MessagePlace>, ReadError> {
    let own = own_identity(read)?;
    let other = find::<Conversation>(read, &Key::Conversation(conversation))?.map(|c| c.contact);
    for sender in std::iter::once(own).chain(other) {
        if let Some(place) = find(read, &Key::MessagePlace(conversation, sender, id))? {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

/// The events after a number, at most `limit`. Where the log no longer goes back that far, [`EventPage::gap`] is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPage {
    /// Number and event, in order.
    pub events: Vec<(u64, Event)>,
    /// Whether events between the asked number and the first one here are gone.
    pub gap: bool,
}

/// The log after `sequence`.
///
/// # Errors
/// [`ReadError`].
pub fn events_after(read: &dyn Read, sequence: u64, limit: usize) -> Result<EventPage, ReadError> {
    let events: Vec<(u64, Event)> = read
        .scan(&Scan::events_after(sequence, limit))?
        .rows
        .into_iter()
        .filter_map(|(_, row)| Events::of(row))
        .flat_map(Events::numbered)
        .filter(|(number, _)| *number > sequence)
        .take(limit)
        .collect();
    let first_wanted = sequence.saturating_add(1);
    let gap = match events.first() {
        Some((first, _)) => *first > first_wanted,
        None => last_event(read)? > sequence,
    };
    Ok(EventPage { events, gap })
}

/// The number of the newest event; 0 before there is one.
///
/// # Errors
/// [`ReadError`].
pub fn last_event(read: &dyn Read) -> Result<u64, ReadError> {
    Ok(find::<Counters>(read, &Key::Counters)?.map_or(0, |counters| counters.last_event))
}

/// Where this node can be reached now.
///
/// # Errors
/// [`ReadError`].
pub fn listening(read: &dyn Read) -> Result<Listening, ReadError> {
    Ok(find(read, &Key::Listening)?.unwrap_or_default())
}

/// Whether there is a node of the hash table to ask, and which were tried in vain.
///
/// # Errors
/// [`ReadError`].
pub fn hash_table(read: &dyn Read) -> Result<HashTable, ReadError> {
    Ok(find(read, &Key::HashTable)?.unwrap_or_default())
}

/// How many peers are connected.
///
/// # Errors
/// [`ReadError`].
pub fn peers(read: &dyn Read) -> Result<Vec<PeerId>, ReadError> {
    let links = read.scan(&Scan::all(Table::Link, CONTACTS))?;
    Ok(links
        .rows
        .into_iter()
        .filter_map(|(key, _)| if let Key::Link(peer) = key { Some(peer) } else { None })
        .collect())
}

/// How many payloads wait to be taken by somebody, their device or a host; receipts that still gather are one.
///
/// # Errors
/// [`ReadError`].
pub fn outbox_len(read: &dyn Read) -> Result<usize, ReadError> {
    let mut waiting = 0;
    for (key, row) in read.scan(&Scan::all(Table::Contact, CONTACTS))?.rows {
        let (Key::Contact(contact_id), Row::Contact(contact)) = (key, row) else { continue };
        waiting += usize::from(read.get(&Key::PendingReceipts(contact_id))?.is_some());
        for device in contact.devices {
            let mut after = Some(0);
            while let Some(number) = after {
                let page = outbox_page(|scan| read.scan(scan), device, number)?;
                after = page.last().map(|(number, _)| *number);
                let in_custody =
                    |item: &OutboxItem| item.custody.as_ref().is_some_and(|custody| !custody.hosts.is_empty());
                waiting += page.iter().filter(|(_, item)| !in_custody(item)).count();
            }
        }
    }
    Ok(waiting)
}

/// What waits for a device after a number, some at a time: a payload may have 64 KiB, and there may be many.
pub(crate) fn outbox_page(
    scan: impl FnOnce(&Scan) -> Result<Scanned, ReadError>,
    device: DeviceId,
    after: u64,
) -> Result<Vec<(u64, OutboxItem)>, ReadError> {
    let found = scan(&Scan::outbox_after(device, after, OUTBOX_PAGE))?.rows.into_iter();
    let items = found.filter_map(|found| match found {
        (Key::Outbox(_, number), Row::OutboxItem(item)) => Some((number, item)),
        _ => None,
    });
    Ok(items.collect())
}
