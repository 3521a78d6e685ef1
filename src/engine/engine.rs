//! Routing: which service or feature an input is for. One line each; what one feature causes in another passes here.

use std::collections::BTreeSet;

use kinfolk_crypto::identity::{DeviceKeys, RecoveryKey, RecoveryPhrase, Sigchain};
use kinfolk_wire::carried::Carried;
use kinfolk_wire::content::{Body, Content};
use kinfolk_wire::direct::{FrameKind, NackCode};
use kinfolk_wire::ids::{DeviceId, IdentityId, PayloadDigest, PeerId};
use kinfolk_wire::invite::{Address, InviteLink};
use kinfolk_wire::mailbox::{Host, Reply};
use kinfolk_wire::name::Name;
use kinfolk_wire::time::{Span, Timestamp};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::effect::{Effect, RequestId};
use crate::event::{Event, MessagePlace};
use crate::features::contacts::{self, answering, asking};
use crate::features::{conversations, mailboxes};
use crate::input::{Command, Delivery, Input, Mark, Report};
use crate::refusal::Refusal;
use crate::services::by_hand::{self, Came, Sorted};
use crate::services::collect::Envelope;
use crate::services::outbox::Departure;
use crate::services::outgoing::Outgoing;
use crate::services::sessions::Opening;
use crate::services::{collect, deposit, directory, flow, healing, host, links, outbox, prekeys, sessions, tokens};
use crate::step::{Rejection, Step};
use crate::store::{
    Alarm, Changes, ContactState, Errand, Key, KeyMaterial, Link, Listening, MessageState, Profile, Read, ReadError,
    Scan, Table,
};

/// How often what is old is looked for.
const HOUSEKEEPING: Span = Span::from_hours(1);
/// How many alarms one turn answers; the rest wait for the next.
const ALARMS: usize = 64;

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
    step.set_alarm(Alarm::Housekeeping, None, now.after(HOUSEKEEPING));
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
        Input::Wake => wake(&mut step).map(|()| Answer::Done)?,
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
    collect::poll_now(step)?;
    notice_clock_set_back(step)
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
        Command::ImportBundle(records) => import(step, records).map(Answer::Imported),
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
        Report::Asked { ask, body } => host::asked(step, ask, &body),
        Report::Answered(request, body) => answered(step, request, Some(&body)),
        Report::Unanswered(request) => answered(step, request, None),
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
                outbox::repeat_custody(step, device, outbox::REPEATED_AT_ONCE)?;
                flow::flow(step, device)?;
            }
            Ok(())
        }
        FrameKind::Payload => payload(step, delivery, body),
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

fn payload(step: &mut Step<'_>, delivery: Delivery, body: &[u8]) -> Result<(), Refusal> {
    let link: Option<Link> = step.find(&Key::Link(delivery.peer))?;
    let Some(device) = link.and_then(|link| link.device) else {
        step.reject(Rejection::Stranger);
        step.refuse(delivery, NackCode::Later);
        return Ok(());
    };
    let from = directory::device(step, device)?.identity;
    let contact = directory::contact(step, from)?;
    if contact.blocked {
        step.reject(Rejection::Stranger);
        step.refuse(delivery, NackCode::Refused);
        return Ok(());
    }
    match sessions::open(step, device, body)? {
        Opening::Content(content, digest) => {
            opened(step, Some(delivery.peer), device, from, *content, digest)?;
            step.acknowledge(delivery);
        }
        Opening::Malformed => {
            step.reject(Rejection::Malformed);
            step.acknowledge(delivery);
        }
        Opening::Again(row) => {
            conversations::received_again(step, from, &row)?;
            step.acknowledge(delivery);
        }
        Opening::Failed(digest) => {
            step.reject(Rejection::Undecryptable);
            healing::failed(step, device, digest)?;
            step.refuse(delivery, NackCode::Undecryptable);
        }
    }
    Ok(())
}

fn opened(
    step: &mut Step<'_>,
    peer: Option<PeerId>,
    device: DeviceId,
    from: IdentityId,
    content: Content,
    digest: PayloadDigest,
) -> Result<(), Refusal> {
    match content.body {
        Body::Receipt(receipt) => conversations::receipt(step, device, from, content.conversation, &receipt),
        Body::NeedReinit(need) => healing::asked(step, device, &need),
        Body::Reach(reach) => contacts::reached(step, peer, device, reach),
        Body::Request(_) | Body::Accept(_) | Body::Decline => {
            contacts::heard(step, from, content.body)?;
            mailboxes::tell(step, device)
        }
        Body::Mailboxes(mailboxes) => mailboxes::heard_of_hosts(step, device, mailboxes),
        Body::Serving(serving) => {
            mailboxes::heard_of_serving(step, device, serving)?;
            tokens::want(step, device)
        }
        Body::TokensWanted(wanted) => host::tokens_wanted(step, device, from, &wanted),
        Body::TokensIssued(issued) => {
            tokens::issued(step, device, &issued)?;
            mailboxes::tell_everybody(step)
        }
        Body::Text(_) | Body::Sticker(_) | Body::Location(_) | Body::Unknown { .. } if content.body.is_shown() => {
            // A line may overtake the yes that came before it, but nobody speaks who was not let in.
            if contacts::may_speak(step, from)? {
                conversations::receive(step, device, from, &content, digest)
            } else {
                step.reject(Rejection::Misplaced);
                Ok(())
            }
        }
        _ => Ok(()),
    }
}

/// What a host was asked has an outcome: its reply, or none.
fn answered(step: &mut Step<'_>, request: RequestId, body: Option<&[u8]>) -> Result<(), Refusal> {
    let key = Key::Errand(request.0);
    let Some(errand) = step.find::<Errand>(&key)? else { return Ok(()) };
    step.delete(key);
    let reply = body.and_then(|body| Reply::decode(body).ok());
    match errand {
        Errand::Deposit { device, item, host, line, again } => {
            let outcome = deposit::Outcome { device, item, host, line, again };
            let gone = deposit::answered(step, &outcome, reply.as_ref())?;
            settle(step, gone.as_slice())
        }
        Errand::Collect { host, slots, room } => {
            let look = collect::answered(step, host, &slots, room, reply.as_ref())?;
            let mut taken = Vec::new();
            for Envelope { slot, payload } in &look.envelopes {
                if step.contain(|step| collected(step, slot.device, payload.as_slice()).map(|_| ()))? {
                    taken.push(*slot);
                }
            }
            let dropped = collect::dealt_with(step, host, &look, &taken)?;
            for device in taken.iter().map(|slot| slot.device).collect::<BTreeSet<_>>() {
                step.contain(|step| mailboxes::tell(step, device))?;
            }
            if dropped { mailboxes::dropped(step, host) } else { Ok(()) }
        }
        Errand::Erase { .. } => Ok(()),
    }
}

/// Something that a contact's device left for this one. Where it lay proves the two devices, as a hello does.
fn collected(step: &mut Step<'_>, device: DeviceId, payload: &[u8]) -> Result<Came, Refusal> {
    let (came, digest) = open(step, device, payload)?;
    if let Some(digest) = digest {
        healing::failed(step, device, digest)?;
    }
    Ok(came)
}

/// The same, but for what is done about something that does not open: its digest is given back.
fn open(step: &mut Step<'_>, device: DeviceId, payload: &[u8]) -> Result<(Came, Option<PayloadDigest>), Refusal> {
    let from = directory::device(step, device)?.identity;
    match sessions::open(step, device, payload)? {
        Opening::Content(content, digest) => {
            opened(step, None, device, from, *content, digest).map(|()| (Came::New, None))
        }
        Opening::Malformed => {
            step.reject(Rejection::Malformed);
            Ok((Came::New, None))
        }
        Opening::Again(row) => conversations::received_again(step, from, &row).map(|()| (Came::Again, None)),
        Opening::Failed(digest) => {
            step.reject(Rejection::Undecryptable);
            Ok((Came::Unopened, Some(digest)))
        }
    }
}

/// Takes what came by hand.
fn import(step: &mut Step<'_>, mut records: Vec<Carried>) -> Result<Imported, Refusal> {
    records.truncate(Command::RECORDS);
    let sorted = by_hand::sort(step, records)?;
    let Sorted { known, carried, expired, damaged, .. } = sorted;
    let mut tally = Imported { taken: 0, known, carried, expired, damaged };
    let mut from = BTreeSet::new();
    for envelope in sorted.envelopes {
        let mut came = Came::Unopened;
        from.insert(envelope.slot.device);
        step.contain(|step| {
            let (opened, digest) = open(step, envelope.slot.device, envelope.payload.as_slice())?;
            came = by_hand::settle(step, envelope.slot, opened)?;
            match digest {
                Some(digest) if came == Came::Unopened => healing::failed(step, envelope.slot.device, digest),
                _ => Ok(()),
            }
        })?;
        match came {
            Came::New => tally.taken += 1,
            Came::Again => tally.known += 1,
            Came::Unopened => tally.damaged += 1,
        }
    }
    for device in from {
        step.contain(|step| mailboxes::tell(step, device))?;
    }
    Ok(tally)
}

fn settle(step: &mut Step<'_>, gone: &[Departure]) -> Result<(), Refusal> {
    gone.iter().try_for_each(|departure| conversations::departed(step, departure))
}

fn wake(step: &mut Step<'_>) -> Result<(), Refusal> {
    let due = step.scan(&Scan::timers_until(step.now, ALARMS))?;
    for (key, _) in due.rows {
        ring(step, key)?;
    }
    notice_clock_set_back(step)
}

/// An alarm rings. Where a record that it needs is damaged it rings again later, and the others ring now.
fn ring(step: &mut Step<'_>, key: Key) -> Result<(), Refusal> {
    let Key::Timer(_, alarm) = key else { return Ok(()) };
    step.delete(key);
    if !step.contain(|step| carry_out(step, alarm))? {
        step.set_alarm(alarm, None, step.now.after(longest_wait(alarm)));
    }
    Ok(())
}

fn carry_out(step: &mut Step<'_>, alarm: Alarm) -> Result<(), Refusal> {
    match alarm {
        Alarm::Dial(device) => links::dial(step, device),
        Alarm::Ask(identity) => asking::try_now(step, identity),
        Alarm::Receipts(contact) => conversations::send_receipts(step, contact),
        Alarm::LinkStalled(peer) => flow::look_after(step, peer),
        Alarm::Deposit(device) => deposit::due(step, device),
        Alarm::Poll => collect::poll(step),
        Alarm::ThrowAway(hour) => host::throw_away(step, hour),
        Alarm::Housekeeping => housekeeping(step),
    }
}

/// The longest wait that an alarm is ever set for.
const fn longest_wait(alarm: Alarm) -> Span {
    match alarm {
        Alarm::Dial(_) | Alarm::Ask(_) => links::LONGEST_WAIT,
        Alarm::Receipts(_) => conversations::RECEIPT_DELAY,
        Alarm::LinkStalled(_) => flow::LONGEST_WAIT,
        Alarm::Deposit(_) => deposit::LONGEST_WAIT,
        Alarm::Poll => collect::LONGEST_WAIT,
        Alarm::ThrowAway(_) => host::THROW_AWAY_NEXT,
        Alarm::Housekeeping => HOUSEKEEPING,
    }
}

/// Alarms that are further off than they are ever set for were set before the clock was turned back. They ring now.
/// Housekeeping is the last of all, so that its alarm tells whether to look at the others.
fn notice_clock_set_back(step: &mut Step<'_>) -> Result<(), Refusal> {
    let last = Scan { backwards: true, ..Scan::all(Table::Timer, 1) };
    let is_impossible = |now: Timestamp, key: &Key| match key {
        Key::Timer(due, alarm) => *due > now.after(longest_wait(*alarm)),
        _ => false,
    };
    if !step.scan(&last)?.rows.iter().any(|(key, _)| is_impossible(step.now, key)) {
        return Ok(());
    }
    for (key, _) in step.scan(&Scan::all(Table::Timer, usize::MAX))?.rows {
        if is_impossible(step.now, &key) && step.has(&key)? {
            ring(step, key)?;
        }
    }
    Ok(())
}

/// What is to be done every hour.
///
/// How old a thing is that is to be forgotten is told by the clock of the time before: a clock that is set ahead for less
/// than an hour destroys nothing, and what waited while the node was not there has an hour to be taken.
fn housekeeping(step: &mut Step<'_>) -> Result<(), Refusal> {
    let by = step.note_housekeeping()?;
    if prekeys::housekeeping(step, by)? {
        sessions::forget_answered(step)?;
    }
    for contact in directory::connected_contacts(step)? {
        for device in contact.devices {
            step.contain(|step| {
                links::offer_prekeys(step, device)?;
                if step.has(&Key::LinkOf(device))? {
                    mailboxes::tell(step, device)?;
                    tokens::want(step, device)?;
                }
                outbox::repeat_unreceipted(step, device, by)
            })?;
        }
    }
    sessions::housekeeping(step, by)?;
    answering::housekeeping(step, by)?;
    step.contain(|step| host::housekeeping(step, by))?;
    step.contain(tokens::housekeeping)?;
    step.contain(|step| by_hand::housekeeping(step, by))?;
    let gone = outbox::housekeeping(step, by)?;
    settle(step, &gone)?;
    step.set_alarm(Alarm::Housekeeping, None, step.now.after(HOUSEKEEPING));
    Ok(())
}
