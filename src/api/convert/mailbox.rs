use axum::http::StatusCode;
use kinfolk_engine::input::{MailboxChoice, MailboxOffer};
use kinfolk_engine::query::{self, HostView, ServingView};
use kinfolk_engine::store::{Key, Read, ReadError, Row, Scan, Table, Unreceipted};
use kinfolk_rpc::mailbox as rpc;
use kinfolk_wire::carried::BY_HAND;
use kinfolk_wire::ids::PeerId;
use kinfolk_wire::mailbox::{Host, HostLinkError};

use super::contact::named;
use super::message::Names;
use crate::problem::Refused;

/// How many lines that nobody has receipted are counted at the most.
const COUNTED: usize = 100_000;
/// What every id of a node begins with, in hexadecimal digits: it says what kind of key follows.
const PREFIX: usize = 12;
/// The least of an id that names a node.
const LEAST: usize = 4;

/// Everything about mailboxes.
pub(crate) fn overview(read: &dyn Read) -> Result<rpc::Mailboxes, Refused> {
    let mut names = Names::of(read)?;
    let hosts = query::mailbox_hosts(read)?;
    Ok(rpc::Mailboxes {
        mailboxes: hosts.iter().map(|host| mailbox(host, &mut names)).collect::<Result<_, _>>()?,
        serving: query::serving(read)?.as_ref().map(serving),
        waiting: waiting(read)?,
    })
}

/// The same for the status of the node.
pub(crate) fn states(read: &dyn Read) -> Result<Vec<rpc::MailboxStatus>, ReadError> {
    let status = |view: HostView| rpc::MailboxStatus {
        peer: view.host.peer.to_string(),
        contact: view.contact.map(|contact| contact.to_string()),
        state: state(&view),
    };
    Ok(query::mailbox_hosts(read)?.into_iter().map(status).collect())
}

fn mailbox(view: &HostView, names: &mut Names<'_>) -> Result<rpc::Mailbox, ReadError> {
    let contact = view.contact.map(|contact| names.sender(contact)).transpose()?;
    Ok(rpc::Mailbox {
        peer: view.host.peer.to_string(),
        contact: contact.as_ref().map(|contact| contact.identity.clone()),
        name: contact.as_ref().map(|contact| contact.name.clone()),
        display_name: contact.map(|contact| contact.display_name),
        state: state(view),
        added_at: view.added_at.as_millis(),
        answered_at: view.answered_at.map(kinfolk_wire::time::Timestamp::as_millis),
        failures: view.failures,
    })
}

const fn state(view: &HostView) -> rpc::MailboxState {
    match (view.failures, view.lies, view.answered_at) {
        (1.., ..) => rpc::MailboxState::Silent,
        (_, 1.., _) => rpc::MailboxState::Unreliable,
        (.., Some(_)) => rpc::MailboxState::Answering,
        (.., None) => rpc::MailboxState::New,
    }
}

/// Lines of ours that lie at mailboxes.
fn waiting(read: &dyn Read) -> Result<u64, ReadError> {
    let found = read.scan(&Scan::all(Table::Unreceipted, COUNTED))?.rows.into_iter();
    let mut lines: Vec<_> = found
        .filter_map(|(_, row)| match row {
            Row::Unreceipted(Unreceipted { line, custody: Some(hosts), .. })
                if hosts.iter().any(|host| *host != BY_HAND) =>
            {
                Some(line)
            }
            _ => None,
        })
        .map(|line| (line.conversation, line.id))
        .collect();
    // One for each device of theirs.
    lines.sort_unstable();
    lines.dedup();
    Ok(lines.len() as u64)
}

/// What this node keeps for others.
pub(crate) fn serving(view: &ServingView) -> rpc::Serving {
    rpc::Serving {
        peer: view.host.peer.to_string(),
        link: view.host.link(),
        capacity_bytes: view.capacity,
        work_bits: view.host.work_bits,
        stored_bytes: view.stored_bytes,
        stored_messages: view.stored_blobs,
    }
}

/// What this node keeps for others, where it does.
pub(crate) fn serving_now(read: &dyn Read) -> Result<rpc::Serving, Refused> {
    query::serving(read)?.as_ref().map(serving).ok_or_else(|| {
        let detail = "this node does not serve as a mailbox; begin with `kinfolk mailbox serve`";
        Refused::new(StatusCode::CONFLICT, "not_serving", detail)
    })
}

/// What is to be offered.
pub(crate) fn offer(wish: &rpc::Serve) -> Result<MailboxOffer, Refused> {
    let capacity = wish.capacity_bytes.unwrap_or(rpc::CAPACITY);
    if !(rpc::LEAST_CAPACITY..=rpc::MOST_CAPACITY).contains(&capacity) {
        let (least, most) = (rpc::LEAST_CAPACITY, rpc::MOST_CAPACITY);
        let detail = format!("capacity_bytes: expected {least} (1 MiB) to {most} (1 TiB), found {capacity}");
        return Err(Refused::invalid("invalid_capacity", detail));
    }
    let work_bits = wish.work_bits.unwrap_or(rpc::WORK_BITS);
    if !(1..=rpc::MOST_WORK_BITS).contains(&work_bits) {
        let detail = format!("work_bits: expected 1 to {}, found {work_bits}", rpc::MOST_WORK_BITS);
        return Err(Refused::invalid("invalid_work_bits", detail));
    }
    Ok(MailboxOffer { capacity, work_bits })
}

/// Which mailbox is meant.
pub(crate) fn choice(read: &dyn Read, wish: &rpc::AddMailbox) -> Result<MailboxChoice, Refused> {
    match (&wish.contact, &wish.link) {
        (Some(contact), None) => Ok(MailboxChoice::Contact(named(read, contact)?.identity)),
        (None, Some(link)) => host(link).map(MailboxChoice::Host),
        _ => Err(Refused::invalid("invalid_mailbox", "expected exactly one of contact and link")),
    }
}

/// The node of a link as it was pasted.
fn host(link: &str) -> Result<Host, Refused> {
    let refused = |detail: String| Refused::invalid("invalid_mailbox_link", detail);
    let host = Host::from_link(link).map_err(|error: HostLinkError| refused(error.to_string()))?;
    if host.work_bits > rpc::MOST_WORK_BITS {
        let (bits, most) = (host.work_bits, rpc::MOST_WORK_BITS);
        return Err(refused(format!(
            "this mailbox asks for more work than others will do ({bits} bits, at most {most})"
        )));
    }
    Ok(host)
}

/// A mailbox that was named.
pub(crate) fn added(read: &dyn Read, host: &Host) -> Result<rpc::MailboxAdded, Refused> {
    let custodian = custodian(read, host.peer, &mut Names::of(read)?)?;
    let contact = owner(read, host.peer)?.map(|contact| contact.to_string());
    Ok(rpc::MailboxAdded { peer: custodian.peer, contact, name: custodian.name, display_name: custodian.display_name })
}

/// The mailbox that a text names: its node's id, a beginning of it (with or without what all such ids begin with), or the
/// contact whose node it is. A whole id goes before everything.
pub(crate) fn find(read: &dyn Read, text: &str) -> Result<PeerId, Refused> {
    let unknown = || {
        let detail = format!("{:?} is none of your mailboxes; `kinfolk mailbox list` shows them", shortened(text));
        Refused::new(StatusCode::NOT_FOUND, "unknown_mailbox", detail)
    };
    let hosts = query::mailbox_hosts(read)?;
    let lower = text.to_lowercase();
    if let Some(whole) = hosts.iter().find(|view| view.host.peer.to_string() == lower) {
        return Ok(whole.host.peer);
    }
    let contact = match named(read, text) {
        Ok(contact) => Some(contact.identity),
        Err(refused) if refused.code == "unknown_contact" => None,
        Err(refused) => return Err(refused),
    };
    let begins = |id: &str| {
        let key = id.get(PREFIX..).unwrap_or_default();
        (lower.len() >= LEAST && key.starts_with(&lower)) || (lower.len() >= PREFIX + LEAST && id.starts_with(&lower))
    };
    let is_meant = |view: &&HostView| {
        begins(&view.host.peer.to_string()) || contact.is_some_and(|contact| view.contact == Some(contact))
    };
    let found: Vec<PeerId> = hosts.iter().filter(is_meant).map(|view| view.host.peer).collect();
    match found.as_slice() {
        [] => Err(unknown()),
        [one] => Ok(*one),
        several => {
            let ids: Vec<String> = several.iter().map(ToString::to_string).collect();
            let detail = format!("{:?} could be any of: {}", shortened(text), ids.join(", "));
            Err(Refused::new(StatusCode::CONFLICT, "ambiguous_mailbox", detail))
        }
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

/// Who keeps something: a node, and the contact whose it is where that is known.
pub(crate) fn custodian(read: &dyn Read, peer: PeerId, names: &mut Names<'_>) -> Result<rpc::Custodian, ReadError> {
    let contact = owner(read, peer)?.map(|contact| names.sender(contact)).transpose()?;
    let (name, display_name) = contact.map(|contact| (contact.name, contact.display_name)).unzip();
    Ok(rpc::Custodian { peer: peer.to_string(), name, display_name })
}

/// The person whose node this is: oneself, or a contact.
fn owner(read: &dyn Read, peer: PeerId) -> Result<Option<kinfolk_wire::ids::IdentityId>, ReadError> {
    if let Some(profile) = query::profile(read)?.filter(|profile| profile.peer == peer) {
        return Ok(Some(profile.identity));
    }
    // Who keeps it can be told where the row of the person is damaged: by the node alone.
    let read = |key: Key| match read.get(&key) {
        Err(ReadError::Damaged { .. }) => Ok(None),
        found => found,
    };
    let Some(Row::DeviceId(device)) = read(Key::Peer(peer))? else { return Ok(None) };
    let Some(Row::Device(device)) = read(Key::Device(device))? else { return Ok(None) };
    Ok(Some(device.identity))
}

#[cfg(test)]
mod tests {
    use kinfolk_engine::event::MessagePlace;
    use kinfolk_engine::store::{
        Changes, Contact, ContactState, Conversation, Device, Hosts, MemoryStore, MessageState, OwnHost,
    };
    use kinfolk_wire::ids::{ConversationId, DeviceId, IdentityId, MessageId, PayloadDigest, SigchainHead};
    use kinfolk_wire::name::Name;
    use kinfolk_wire::time::Timestamp;

    use super::*;

    const BO: IdentityId = IdentityId::new([0xb0; 32]);
    const EVE: IdentityId = IdentityId::new([0xe0; 32]);
    const LINE: MessagePlace = MessagePlace {
        conversation: ConversationId::new([0xc0; 32]),
        lamport: 1,
        sender: IdentityId::new([0xa0; 32]),
        id: MessageId::new([1; 16]),
    };

    /// The node with a key of this byte, repeated.
    fn peer(byte: u8) -> PeerId {
        let mut id = [byte; 38];
        id[..6].copy_from_slice(&[0, 0x24, 8, 1, 0x12, 0x20]);
        PeerId::new(id)
    }

    fn contact(identity: IdentityId, name: &str, devices: &[u8]) -> Contact {
        Contact {
            identity,
            name: Name::new(name).unwrap(),
            own_name: None,
            state: ContactState::Accepted,
            blocked: false,
            verified: false,
            sigchain: None,
            devices: devices.iter().map(|byte| DeviceId::new([*byte; 16])).collect(),
            added_at: Timestamp::from_millis(1),
            last_seen: None,
            invite: None,
            head: SigchainHead::new([0; 32]),
        }
    }

    fn host(byte: u8) -> OwnHost {
        OwnHost {
            host: Host { peer: peer(byte), addresses: vec![], work_bits: 20 },
            added_at: Timestamp::from_millis(5),
            answered_at: None,
            failures: 0,
            lies: 0,
        }
    }

    /// Bo has two devices; Eve has two nodes, 7 and 8. Both of those and 9, which is nobody's, are mailboxes.
    fn store(custody: [Option<Vec<PeerId>>; 2]) -> MemoryStore {
        let mut rows: Vec<(Key, Row)> = vec![
            (Key::Contact(BO), contact(BO, "Bo", &[1, 2]).into()),
            (Key::Contact(EVE), contact(EVE, "Eve", &[7, 8]).into()),
            (Key::Hosts, Hosts { hosts: vec![host(7), host(8), host(9)], ..Hosts::default() }.into()),
        ];
        let conversation =
            Conversation { contact: BO, lamport: 1, unread: 0, read_until: None, read_receipts: false, late: vec![] };
        rows.push((Key::Conversation(LINE.conversation), conversation.into()));
        for (device, custody) in [1, 2].into_iter().zip(custody) {
            let device = DeviceId::new([device; 16]);
            let row = Unreceipted { line: LINE, digest: PayloadDigest::new([1; 16]), custody, since: None, repeats: 0 };
            rows.push((Key::Unreceipted(device, LINE.id), row.into()));
        }
        for byte in [7, 8] {
            let device = DeviceId::new([byte; 16]);
            rows.push((Key::Peer(peer(byte)), device.into()));
            rows.push((Key::Device(device), eves(device).into()));
        }
        let mut store = MemoryStore::default();
        let mut changes = Changes::default();
        rows.into_iter().for_each(|(key, row)| changes.put(key, row));
        store.commit(&changes);
        store
    }

    fn eves(device: DeviceId) -> Device {
        Device {
            device,
            identity: EVE,
            peer: None,
            addresses: vec![],
            bundle: vec![],
            pair_root: None,
            pair_session: None,
            sessions: vec![],
            unopened: vec![],
            reinit_asked_at: None,
            reinits_in_a_row: 0,
            failed_dials: 0,
            knows_prekey: 0,
            dial_at: None,
            knows_addresses: vec![],
            reset_told_at: None,
        }
    }

    #[test]
    fn custody_is_told_of_a_line_that_is_sent_and_names_whose_node_it_is() {
        let store = store([Some(vec![peer(9), peer(7)]), Some(vec![peer(7)])]);
        let mut names = Names::of(&store).unwrap();
        let kept = names.custody(LINE, MessageState::Sent).unwrap();
        let told: Vec<_> = kept.iter().map(|one| (one.peer.as_str(), one.name.as_deref())).collect();
        let (eves, nobodys) = (peer(7).to_string(), peer(9).to_string());
        assert_eq!(told, [(eves.as_str(), Some("Eve")), (nobodys.as_str(), None)]);
        for other in [MessageState::Queued, MessageState::Delivered, MessageState::Read, MessageState::NotDelivered] {
            assert_eq!(names.custody(LINE, other).unwrap(), [], "{other:?}");
        }
        assert_eq!(waiting(&store).unwrap(), 1, "one line, whatever the number of their devices");
    }

    #[test]
    fn a_line_that_its_device_took_itself_waits_nowhere() {
        let store = store([None, Some(vec![])]);
        assert_eq!(Names::of(&store).unwrap().custody(LINE, MessageState::Sent).unwrap(), []);
        assert_eq!(waiting(&store).unwrap(), 0);
    }

    #[test]
    fn a_mailbox_is_found_by_its_id_a_beginning_or_whose_it_is() {
        let store = store([None, None]);
        let whole = peer(9).to_string();
        for text in [&whole, &whole.to_uppercase(), &whole[..16], &whole[12..16], &whole[12..]] {
            assert_eq!(find(&store, text), Ok(peer(9)), "{text}");
        }
        let code = |text: &str| find(&store, text).unwrap_err().code;
        // All ids begin so.
        for text in ["0024", &whole[..12], &whole[..15], "090", "Bo", "Nobody", ""] {
            assert_eq!(code(text), "unknown_mailbox", "{text}");
        }
        assert_eq!(code("Eve"), "ambiguous_mailbox", "she has two");
        let refused = find(&store, "Eve").unwrap_err();
        assert!(refused.detail.contains(&peer(7).to_string()) && refused.detail.contains(&peer(8).to_string()));
    }

    #[test]
    fn a_mailbox_says_how_it_does() {
        let of = |failures, lies, answered: Option<u64>| {
            let answered_at = answered.map(Timestamp::from_millis);
            let OwnHost { host, added_at, .. } = host(7);
            state(&HostView { host, contact: None, added_at, answered_at, failures, lies })
        };
        assert_eq!(of(0, 0, None), rpc::MailboxState::New);
        assert_eq!(of(0, 0, Some(1)), rpc::MailboxState::Answering);
        assert_eq!(of(1, 0, Some(1)), rpc::MailboxState::Silent);
        assert_eq!(of(1, 1, None), rpc::MailboxState::Silent);
        assert_eq!(of(0, 1, Some(1)), rpc::MailboxState::Unreliable);
    }

    #[test]
    fn an_offer_has_its_bounds() {
        let wish = |capacity_bytes, work_bits| offer(&rpc::Serve { capacity_bytes, work_bits });
        assert_eq!(wish(None, None), Ok(MailboxOffer { capacity: 1 << 30, work_bits: 20 }));
        assert_eq!(wish(Some(1 << 20), Some(1)), Ok(MailboxOffer { capacity: 1 << 20, work_bits: 1 }));
        assert_eq!(wish(Some(1 << 40), Some(22)), Ok(MailboxOffer { capacity: 1 << 40, work_bits: 22 }));
        for beyond in [0, (1 << 20) - 1, (1 << 40) + 1, u64::MAX] {
            assert_eq!(wish(Some(beyond), None).unwrap_err().code, "invalid_capacity", "{beyond}");
        }
        for beyond in [0, 23, 255] {
            assert_eq!(wish(None, Some(beyond)).unwrap_err().code, "invalid_work_bits", "{beyond}");
        }
    }
}
