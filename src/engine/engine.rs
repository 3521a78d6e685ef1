//! Routing: which service or feature an input is for. One line each; what one feature causes in another passes here.
//!
//! `payloads` is what contacts have sealed, `arrivals` what comes by mailboxes and by hand, `alarms` what is due.

mod alarms;
mod arrivals;
mod payloads;

use kinfolk_crypto::identity::{DeviceKeys, RecoveryKey, RecoveryPhrase, Sigchain};
use kinfolk_ledger::entry::Class;
use kinfolk_ledger::receipt_file::invoice_hash;
use kinfolk_wire::carried::Carried;
use kinfolk_wire::content::Body;
use kinfolk_wire::direct::{FrameKind, NackCode};
use kinfolk_wire::ids::{AccountId, CurrencyId, EntryHash, IdentityId, NoteHash, PeerId};
use kinfolk_wire::invite::{Address, InviteLink};
use kinfolk_wire::mailbox::Host;
use kinfolk_wire::name::Name;
use kinfolk_wire::time::Timestamp;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::effect::Effect;
use crate::event::{Event, MessagePlace};
use crate::features::contacts::{self, answering, asking};
use crate::features::wallet::keys::Words;
use crate::features::wallet::{carrying, currencies, invoices, merchants, orders, recovering, settling, tabs};
use crate::features::{conversations, mailboxes};
use crate::input::{Command, Delivery, Input, Mark, Report};
use crate::refusal::Refusal;
use crate::services::outbox::Departure;
use crate::services::outgoing::Outgoing;
use crate::services::{by_hand, collect, directory, finding, flow, host, links, outbox, prekeys, tokens};
use crate::step::{Rejection, Step};
use crate::store::{
    Alarm, Changes, ContactState, Key, KeyMaterial, Listening, MessageState, Profile, Read, ReadError, Scan, Wallet,
};

/// What a turn came to.
#[derive(Debug)]
pub struct Turn {
    /// To be committed, before anything else is done.
    pub changes: Changes,
    /// To be done once they are.
    pub effects: Vec<Effect>,
    /// What the caller of a command is told.
    pub answer: Answer,
    /// What was thrown away.
    pub rejections: Vec<Rejection>,
}

/// What the caller of a command is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is done.
    Done,
    /// A link.
    Invite(InviteLink),
    /// How far it has come with a person.
    Contact(IdentityId, ContactState),
    /// A line, and how far it has come.
    Message(MessagePlace, MessageState),
    /// A mailbox host.
    Host(Host),
    /// A currency.
    Currency(CurrencyId),
    /// An invoice.
    Invoice(NoteHash),
    /// A tab.
    Tab(AccountId),
    /// What was signed: a payment, a refund, new money.
    Payment(EntryHash),
    /// A page of a bundle.
    Bundle {
        /// Envelopes.
        records: Vec<Carried>,
        /// How many of them are carried for others.
        carried: usize,
        /// Where the next page begins, where there is one.
        next: Option<Mark>,
    },
    /// Where to go on noting that a bundle is on its way, where there is more.
    Exported(Option<Mark>),
    /// What became of records that came by hand.
    Imported(Imported),
}

/// What became of records that came by hand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imported {
    /// For this device, and new.
    pub taken: u64,
    /// There already, or this device's own, or from somebody who is not heard.
    pub known: u64,
    /// For others: kept, to be carried onwards.
    pub carried: u64,
    /// For others, and too old to be carried.
    pub expired: u64,
    /// For this device, and altered or not to be opened.
    pub damaged: u64,
}

/// A profile that was just made.
pub struct Founded {
    /// To be committed to an empty store.
    pub changes: Changes,
    /// Who it is.
    pub profile: Profile,
    /// The 24 words of the recovery phrase. They are kept nowhere.
    pub phrase: Vec<Zeroizing<String>>,
}

/// Makes a profile: an identity under a recovery phrase, one device, the first prekeys. The network key is the Ed25519
/// seed of the node whose id is `peer`.
///
/// # Errors
/// [`Refusal`] where the keys just made cannot be used, which does not happen.
pub fn found(
    now: Timestamp,
    rng: &mut dyn CryptoRng,
    name: Name,
    phrase: Option<RecoveryPhrase>,
    network_key: &[u8; 32],
    peer: PeerId,
) -> Result<Founded, Refusal> {
    let is_restored = phrase.is_some();
    let phrase = phrase.unwrap_or_else(|| RecoveryPhrase::generate(rng));
    let recovery = RecoveryKey::from_phrase(&phrase);
    let keys = DeviceKeys::generate(rng);
    let chain = Sigchain::found(&recovery, &keys, Vec::new(), now);
    let mut profile = Profile {
        identity: chain.identity(),
        name,
        sigchain: chain.to_wire(),
        device_keys: KeyMaterial::new(keys.to_bytes().as_slice()),
        network_key: KeyMaterial::new(network_key.as_slice()),
        created_at: now,
        peer,
        device: keys.device(),
        head: chain.head(),
        bundle: Vec::new(),
        bundle_made_at: now,
        bundle_id: 0,
    };
    let empty = crate::store::MemoryStore::default();
    let mut step = Step::new(now, rng, &empty);
    prekeys::rotate(&mut step, &mut profile)?;
    let set = if is_restored { Wallet::another_set(&mut step) } else { 0 };
    step.put(Key::Wallet, Wallet::of(&Words::of(&phrase).root, set, is_restored));
    step.set_alarm(Alarm::Housekeeping, None, now.after(alarms::HOUSEKEEPING));
    let (changes, _, _) = step.finish();
    let words = phrase.words().into_iter().map(|word| Zeroizing::new(word.to_owned())).collect();
    Ok(Founded { changes, profile, phrase: words })
}

/// One turn: what happened goes in, what is to be kept and done comes out.
///
/// # Errors
/// [`Refusal`]: nothing is kept and nothing is done. A frame that was being handled is to be refused for later.
pub fn turn(now: Timestamp, rng: &mut dyn CryptoRng, read: &dyn Read, input: Input) -> Result<Turn, Refusal> {
    let mut step = Step::new(now, rng, read);
    let answer = match input {
        Input::Started => started(&mut step).map(|()| Answer::Done)?,
        Input::Wake => alarms::wake(&mut step).map(|()| Answer::Done)?,
        Input::Command(command) => handle(&mut step, command)?,
        Input::Network(report) => hear(&mut step, report).map(|()| Answer::Done)?,
    };
    let (changes, effects, rejections) = step.finish();
    Ok(Turn { changes, effects, answer, rejections })
}

/// When [`Input::Wake`] is due next, by what is stored.
///
/// # Errors
/// [`ReadError`].
pub fn next_wakeup(read: &dyn Read) -> Result<Option<Timestamp>, ReadError> {
    let first = read.scan(&Scan::timers_until(Timestamp::from_millis(u64::MAX), 1))?;
    Ok(first.rows.first().and_then(|(key, _)| if let Key::Timer(due, _) = key { Some(*due) } else { None }))
}

fn started(step: &mut Step<'_>) -> Result<(), Refusal> {
    step.profile()?;
    links::dial_everybody(step)?;
    asking::try_all(step)?;
    finding::start(step)?;
    collect::poll_now(step)?;
    settling::start(step)?;
    recovering::start(step)?;
    tabs::asking::start(step)?;
    carrying::start(step)?;
    alarms::notice_clock_set_back(step)
}

fn handle(step: &mut Step<'_>, command: Command) -> Result<Answer, Refusal> {
    let done = |()| Answer::Done;
    match command {
        Command::CreateInvite { uses, lifetime, admission } => {
            answering::create_invite(step, uses, lifetime, admission).map(Answer::Invite)
        }
        Command::AddContact { link, name } => {
            asking::ask(step, &link, name).map(|(identity, state)| Answer::Contact(identity, state))
        }
        Command::AcceptContact(identity) => answering::accept(step, identity).map(done),
        Command::DeclineContact(identity) => answering::decline(step, identity).map(done),
        Command::RenameContact(identity, name) => contacts::rename(step, identity, name).map(done),
        Command::MarkVerified(identity, verified) => contacts::mark_verified(step, identity, verified).map(done),
        Command::Block(identity) => contacts::block(step, identity, true).map(done),
        Command::Unblock(identity) => contacts::block(step, identity, false).map(done),
        Command::RemoveContact(identity) => {
            let gone = contacts::remove(step, identity)?;
            settle(step, &gone).map(done)
        }
        Command::SendMessage { id, conversation, body } => {
            conversations::send(step, id, conversation, body).map(|(place, state)| Answer::Message(place, state))
        }
        Command::MarkRead(conversation, message) => conversations::mark_read(step, conversation, message).map(done),
        Command::AllowReadReceipts(conversation, allowed) => {
            conversations::allow_read_receipts(step, conversation, allowed).map(done)
        }
        Command::RenameSelf(name) => {
            let profile = step.profile()?;
            step.put(Key::Profile, Profile { name, ..profile });
            Ok(Answer::Done)
        }
        Command::ServeMailbox(offer) => {
            mailboxes::serve(step, offer).map(|host| host.map_or(Answer::Done, Answer::Host))
        }
        Command::AddMailbox(choice) => {
            let host = mailboxes::add(step, choice)?;
            tokens::want_of(step, host.peer)?;
            Ok(Answer::Host(host))
        }
        Command::RemoveMailbox(host) => mailboxes::remove(step, host).map(done),
        Command::ExportBundle { cargo, after } => {
            let page = by_hand::export(step, cargo, after)?;
            Ok(Answer::Bundle { records: page.records, carried: page.carried, next: page.next })
        }
        Command::BundleExported { cargo, after } => {
            let (gone, next) = by_hand::exported(step, cargo, after)?;
            settle(step, &gone).map(|()| Answer::Exported(next))
        }
        Command::AskWitnessKeys(choices) => currencies::ask_keys(step, &choices).map(done),
        Command::CreateCurrency(new) => currencies::create(step, &new).map(Answer::Currency),
        Command::AcceptCurrency(which) => currencies::accept(step, &which).map(Answer::Currency),
        Command::RecoverAccount { currency, words } => recovering::begin(step, &currency, &words).map(Answer::Currency),
        Command::Mint { currency, amount, to, card } => {
            let class = if card { Class::Card } else { Class::Free };
            orders::mint(step, &currency, &amount, to, class).map(Answer::Payment)
        }
        Command::AskAccount { contact, currency } => orders::ask_account(step, contact, &currency).map(done),
        Command::Pay { contact, amount, currency, memo } => {
            orders::pay(step, contact, &amount, &currency, memo).map(Answer::Payment)
        }
        Command::RegisterMerchant { currency, issuer } => {
            merchants::register(step, &currency, issuer).map(Answer::Currency)
        }
        Command::CertifyMerchant { contact, currency, lifetime } => {
            merchants::certify(step, contact, &currency, lifetime).map(Answer::Currency)
        }
        Command::Refund(entry) => orders::refund(step, entry).map(Answer::Payment),
        Command::CreateInvoice(new) => {
            let contact = new.contact;
            let invoice = invoices::make(step, new)?;
            if let Some(contact) = contact {
                conversations::say_to(step, contact, Body::PaymentRequest(invoice.clone()))?;
            }
            Ok(Answer::Invoice(invoice_hash(&invoice)))
        }
        Command::PayInvoice(which) => invoices::pay(step, &which).map(Answer::Payment),
        Command::OpenTab { contact, amount, currency, lifetime } => {
            tabs::open(step, contact, &amount, &currency, lifetime).map(Answer::Tab)
        }
        Command::PayTab { tab, amount, memo } => {
            let paid = tabs::pay(step, tab, &amount, memo)?;
            conversations::say_to(step, paid.contact, Body::TabPayment(paid.payment))?;
            Ok(Answer::Payment(paid.entry))
        }
        Command::RedeemTab(tab) => tabs::end(step, tab, false).map(|()| Answer::Tab(tab)),
        Command::CloseTab(tab) => tabs::end(step, tab, true).map(|()| Answer::Tab(tab)),
        Command::ImportBundle(records) => arrivals::import(step, records).map(Answer::Imported),
    }
}

fn hear(step: &mut Step<'_>, report: Report) -> Result<(), Refusal> {
    match report {
        Report::Listening(address) => listening(step, &address, true),
        Report::NotListening(address) => listening(step, &address, false),
        Report::Connected { peer, role, address } => {
            links::connected(step, peer, role, address)?;
            asking::knock(step, peer)
        }
        Report::Disconnected(peer) => {
            links::disconnected(step, peer)?;
            asking::dial_failed(step, peer)
        }
        Report::DialFailed(peer) => {
            links::dial_failed(step, peer)?;
            asking::dial_failed(step, peer)
        }
        Report::Discovered { peer, addresses } => {
            links::discovered(step, peer, &addresses)?;
            asking::discovered(step, peer, &addresses)
        }
        Report::Received { delivery, kind, body } => receive(step, delivery, kind, &body),
        Report::Joined => finding::joined(step),
        Report::NotJoined(tried) => finding::not_joined(step, tried),
        Report::Published(request, copies) => finding::published(step, request, copies),
        Report::Found(request, values) => finding::found(step, request, &values),
        Report::Asked { ask, body } => host::asked(step, ask, &body),
        Report::Answered(request, body) => arrivals::answered(step, request, Some(&body)),
        Report::Unanswered(request) => arrivals::answered(step, request, None),
        Report::Replied(request, body) => {
            let finals = settling::replied(step, request, body.as_deref())?;
            finals.into_iter().try_for_each(|done| payloads::hand_over(step, done))
        }
        Report::Sent(peer, request) => match Outgoing::of(request.0) {
            Some(Outgoing::Outbox(number)) => {
                let gone = outbox::taken(step, peer, number)?;
                settle(step, gone.as_slice())
            }
            Some(Outgoing::Chain(attempt)) => asking::chain_taken(step, peer, attempt),
            Some(Outgoing::Prekeys(bundle)) => links::prekeys_taken(step, peer, bundle),
            Some(Outgoing::Hello | Outgoing::Knock(_) | Outgoing::PrekeysForKnock) | None => Ok(()),
        },
        Report::Refused(peer, request, code) => match Outgoing::of(request.0) {
            Some(Outgoing::Outbox(number)) => outbox::not_taken(step, peer, number, code),
            Some(Outgoing::Knock(attempt) | Outgoing::Chain(attempt)) => asking::refused(step, peer, attempt, code),
            Some(Outgoing::Hello) => links::hello_refused(step, peer),
            Some(Outgoing::PrekeysForKnock | Outgoing::Prekeys(_)) | None => Ok(()),
        },
        Report::Lost(peer, request) => match Outgoing::of(request.0) {
            Some(Outgoing::Outbox(number)) => outbox::not_taken(step, peer, number, NackCode::Later),
            _ => Ok(()),
        },
    }
}

/// Where this node can be reached has changed: contacts that are linked are told, the others when they are.
fn listening(step: &mut Step<'_>, address: &Address, there: bool) -> Result<(), Refusal> {
    let mut listening: Listening = step.find(&Key::Listening)?.unwrap_or_default();
    if listening.addresses.contains(address) == there {
        return Ok(());
    }
    listening.addresses.retain(|known| known != address);
    if there {
        listening.addresses.push(address.clone());
    }
    step.put(Key::Listening, listening);
    step.mention(Event::Listening);
    finding::moved(step)?;
    for contact in directory::connected_contacts(step)? {
        for device in contact.devices {
            if step.has(&Key::LinkOf(device))? {
                contacts::linked(step, device)?;
            }
            mailboxes::tell(step, device)?;
        }
    }
    Ok(())
}

fn receive(step: &mut Step<'_>, delivery: Delivery, kind: FrameKind, body: &[u8]) -> Result<(), Refusal> {
    match kind {
        FrameKind::Hello => {
            if let Some(device) = links::hello(step, delivery, body)? {
                contacts::linked(step, device)?;
                mailboxes::tell(step, device)?;
                tokens::want(step, device)?;
                settling::witness_came(step, delivery.peer)?;
                recovering::witness_came(step, delivery.peer)?;
                tabs::asking::witness_came(step, delivery.peer)?;
                carrying::witness_came(step, delivery.peer)?;
                outbox::repeat_to_linked(step, device)?;
                flow::flow(step, device)?;
            }
            Ok(())
        }
        FrameKind::Payload => payloads::received(step, delivery, body),
        FrameKind::Knock => answering::knock(step, delivery, body),
        FrameKind::Prekeys => match directory::asking_of(step, delivery.peer)? {
            Some(asked) if !asked.chain_taken => asking::prekeys(step, asked, delivery, body),
            _ => links::prekeys_offered(step, delivery, body),
        },
        FrameKind::Chain => answering::chain(step, delivery, body),
        // The network keeps these to itself.
        FrameKind::Ack | FrameKind::Nack => Ok(()),
    }
}

fn settle(step: &mut Step<'_>, gone: &[Departure]) -> Result<(), Refusal> {
    gone.iter().try_for_each(|departure| conversations::departed(step, departure))
}
