//! The JSON of every shape, letter by letter: what other people's programs read.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
use kinfolk_rpc::Done;
use kinfolk_rpc::bundle::{ExportBundle, ImportedBundle, Stretch};
use kinfolk_rpc::contact::{
    AddContact, Added, Contact, ContactPage, ContactState, NameWarning, NameWarningKind, SafetyNumber, SetVerified,
};
use kinfolk_rpc::door::Door;
use kinfolk_rpc::event::{Event, EventPage, What};
use kinfolk_rpc::invite::{Admission, CreateInvite, Invite, Uses};
use kinfolk_rpc::invoice::{CreateInvoice, Invoice, InvoiceState, Invoices, PayInvoice};
use kinfolk_rpc::mailbox::{
    AddMailbox, Custodian, Mailbox, MailboxAdded, MailboxState, MailboxStatus, Mailboxes, Serve, Serving,
};
use kinfolk_rpc::merchant::{CertifyMerchant, Merchant, MerchantState, Merchants, RegisterMerchant};
use kinfolk_rpc::message::{
    AllowReadReceipts, Kind, Location, MarkSeen, Message, MessagePage, MessageState, Money, Reaction, SendMessage,
    Sender, Sent,
};
use kinfolk_rpc::problem::Problem;
use kinfolk_rpc::status::{HashTable, Reach, Reachability, Rename, Status, Tried};
use kinfolk_rpc::sticker::{Sticker, StickerList};
use kinfolk_rpc::tab::{OpenTab, PayTab, Tab, TabState, Tabs};
use kinfolk_rpc::wallet::{
    AcceptCurrency, Balance, Balances, Class, CreateCurrency, Currency, CurrencyState, LogCompacted, Mint, Pay,
    Payment, PaymentClass, PaymentKind, PaymentState, ServeCurrency, Stopped, Votes, Witness, WitnessStatus, Witnessed,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Holds a shape to its JSON in both directions.
fn reads_and_writes<T>(value: &T, json: &str)
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    assert_eq!(serde_json::to_string(value).unwrap(), json);
    assert_eq!(&serde_json::from_str::<T>(json).unwrap(), value);
}

fn bo() -> Sender {
    Sender { identity: "b0".repeat(32), name: "Bo".into(), display_name: "\u{2068}Bo\u{2069}".into() }
}

const BO: &str = "{\"identity\":\"b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0\",\"name\":\"Bo\",\
                  \"display_name\":\"\u{2068}Bo\u{2069}\"}";

fn text() -> Message {
    Message {
        message: "01".repeat(16),
        chat: "c0".repeat(32),
        from: bo(),
        at: 1_790_000_000_000,
        kind: Kind::Text,
        text: Some("hello".into()),
        sticker: None,
        location: None,
        money: None,
        reactions: vec![],
        state: MessageState::Received,
        custody: vec![],
        missing_before: 0,
    }
}

fn text_json() -> String {
    format!(
        "\"message\":\"{}\",\"chat\":\"{}\",\"from\":{BO},\"at\":1790000000000,\"kind\":\"text\",\"text\":\"hello\",\
         \"reactions\":[],\"state\":\"received\"",
        "01".repeat(16),
        "c0".repeat(32)
    )
}

fn custody() -> Vec<Custodian> {
    let known = Custodian { peer: "e0".into(), name: Some("Eve".into()), display_name: Some("E".into()) };
    vec![known, Custodian { peer: "f0".into(), name: None, display_name: None }]
}

const CUSTODY: &str = "[{\"peer\":\"e0\",\"name\":\"Eve\",\"display_name\":\"E\"},\
                       {\"peer\":\"f0\",\"name\":null,\"display_name\":null}]";

fn contact() -> Contact {
    Contact {
        contact: "b0".into(),
        name: "Bo".into(),
        display_name: "\u{2068}Bo\u{2069}".into(),
        chat: "c0".into(),
        state: ContactState::Accepted,
        verified: false,
        blocked: false,
        online: true,
        last_seen: None,
        devices: vec!["d0".into()],
        unread: 2,
        mailbox_full: false,
        warning: None,
    }
}

const CONTACT: &str = "\"contact\":\"b0\",\"name\":\"Bo\",\"display_name\":\"\u{2068}Bo\u{2069}\",\"chat\":\"c0\",\
                       \"state\":\"accepted\",\"verified\":false,\"blocked\":false,\"online\":true,\"last_seen\":null,\
                       \"devices\":[\"d0\"],\"unread\":2";

#[test]
fn a_contact_whose_mailboxes_are_full() {
    let full = Contact { mailbox_full: true, ..contact() };
    reads_and_writes(&full, &format!("{{{CONTACT},\"mailbox_full\":true}}"));
}

#[test]
fn messages() {
    reads_and_writes(&text(), &format!("{{{}}}", text_json()));
    let sticker = Message {
        kind: Kind::Sticker,
        text: None,
        sticker: Some("p/s".into()),
        reactions: vec![Reaction { emoji: "👍".into(), from: bo() }],
        message: "m".into(),
        chat: "c".into(),
        state: MessageState::NotDelivered,
        ..text()
    };
    reads_and_writes(
        &sticker,
        &format!(
            "{{\"message\":\"m\",\"chat\":\"c\",\"from\":{BO},\"at\":1790000000000,\"kind\":\"sticker\",\"sticker\":\"p/s\",\
             \"reactions\":[{{\"emoji\":\"👍\",\"from\":{BO}}}],\"state\":\"not_delivered\"}}"
        ),
    );
    let place = Location { geo: "geo:47.5,8;u=10".into(), lat: 47.5, lon: 8.0, accuracy_m: Some(10.0) };
    reads_and_writes(&place, "{\"geo\":\"geo:47.5,8;u=10\",\"lat\":47.5,\"lon\":8.0,\"accuracy_m\":10.0}");
    reads_and_writes(
        &Location { accuracy_m: None, ..place },
        "{\"geo\":\"geo:47.5,8;u=10\",\"lat\":47.5,\"lon\":8.0,\"accuracy_m\":null}",
    );
    reads_and_writes(
        &MessagePage { messages: vec![text()], next: Some("n".into()), damaged: 1, seq: 9 },
        &format!("{{\"messages\":[{{{}}}],\"next\":\"n\",\"damaged\":1,\"seq\":9}}", text_json()),
    );
    reads_and_writes(
        &MessagePage { messages: vec![], next: None, damaged: 0, seq: 9 },
        "{\"messages\":[],\"damaged\":0,\"seq\":9}",
    );
    reads_and_writes(
        &Sent { message: "m".into(), chat: "c".into(), state: MessageState::Queued, custody: vec![] },
        "{\"message\":\"m\",\"chat\":\"c\",\"state\":\"queued\"}",
    );
    reads_and_writes(
        &Sent { message: "m".into(), chat: "c".into(), state: MessageState::Sent, custody: custody() },
        &format!("{{\"message\":\"m\",\"chat\":\"c\",\"state\":\"sent\",\"custody\":{CUSTODY}}}"),
    );
    reads_and_writes(&Message { missing_before: 3, ..text() }, &format!("{{{},\"missing_before\":3}}", text_json()));
    reads_and_writes(
        &Message { message: "m".into(), chat: "c".into(), state: MessageState::Sent, custody: custody(), ..text() },
        &format!(
            "{{\"message\":\"m\",\"chat\":\"c\",\"from\":{BO},\"at\":1790000000000,\"kind\":\"text\",\"text\":\"hello\",\
             \"reactions\":[],\"state\":\"sent\",\"custody\":{CUSTODY}}}"
        ),
    );
    reads_and_writes(
        &SendMessage { message: Some("m".into()), text: Some("t".into()), ..SendMessage::default() },
        "{\"message\":\"m\",\"text\":\"t\"}",
    );
    reads_and_writes(&SendMessage { sticker: Some("p/s".into()), ..SendMessage::default() }, "{\"sticker\":\"p/s\"}");
    reads_and_writes(&SendMessage { location: Some("1,2".into()), ..SendMessage::default() }, "{\"location\":\"1,2\"}");
    reads_and_writes(&MarkSeen { message: "m".into() }, "{\"message\":\"m\"}");
    reads_and_writes(&AllowReadReceipts { allowed: true }, "{\"allowed\":true}");
}

fn names(values: &[impl Serialize]) -> String {
    let names: Vec<String> = values.iter().map(|value| serde_json::to_string(value).unwrap()).collect();
    names.join(" ")
}

#[test]
fn every_state_and_kind_has_its_name() {
    let states = [
        MessageState::Queued,
        MessageState::Sent,
        MessageState::Delivered,
        MessageState::Read,
        MessageState::NotDelivered,
        MessageState::Received,
    ];
    let kinds = [Kind::Text, Kind::Sticker, Kind::Location, Kind::Payment, Kind::PaymentRequest, Kind::Unknown];
    let contacts = [
        ContactState::Requested,
        ContactState::Asking,
        ContactState::Accepted,
        ContactState::Declined,
        ContactState::Removed,
    ];
    let mailboxes = [MailboxState::New, MailboxState::Answering, MailboxState::Silent, MailboxState::Unreliable];
    let reach = [Reach::Public, Reach::Relayed, Reach::Private, Reach::Unknown];
    let all =
        [names(&states), names(&kinds), names(&contacts), names(&reach), names(&mailboxes)].join("\n").replace('"', "");
    assert_eq!(
        all,
        "queued sent delivered read not_delivered received\ntext sticker location payment payment_request unknown\n\
         requested asking accepted declined removed\npublic relayed private unknown\n\
         new answering silent unreliable"
    );
}

#[test]
fn contacts() {
    reads_and_writes(&contact(), &format!("{{{CONTACT}}}"));
    reads_and_writes(
        &ContactPage { contacts: vec![contact()], next: None, seq: 3 },
        &format!("{{\"contacts\":[{{{CONTACT}}}],\"seq\":3}}"),
    );
    reads_and_writes(
        &ContactPage { contacts: vec![], next: Some("n".into()), seq: 3 },
        "{\"contacts\":[],\"next\":\"n\",\"seq\":3}",
    );
    reads_and_writes(&AddContact { link: "kinfolk:x".into(), name: None }, "{\"link\":\"kinfolk:x\"}");
    reads_and_writes(
        &AddContact { link: "kinfolk:x".into(), name: Some("Bo".into()) },
        "{\"link\":\"kinfolk:x\",\"name\":\"Bo\"}",
    );
    reads_and_writes(
        &Added {
            contact: "b0".into(),
            name: "Bo".into(),
            display_name: "B".into(),
            state: ContactState::Requested,
            warning: Some(NameWarning { kind: NameWarningKind::LikeOwnName, contact: None, message: "w".into() }),
        },
        "{\"contact\":\"b0\",\"name\":\"Bo\",\"display_name\":\"B\",\"state\":\"requested\",\
         \"warning\":{\"kind\":\"like_own_name\",\"message\":\"w\"}}",
    );
    reads_and_writes(
        &SafetyNumber { safety_number: "12345 67890".into(), verified: false },
        "{\"safety_number\":\"12345 67890\",\"verified\":false}",
    );
    reads_and_writes(&SetVerified { verified: true }, "{\"verified\":true}");
}

#[test]
fn invites() {
    reads_and_writes(
        &CreateInvite { uses: Uses::Once, expires_in_ms: Some(1), admission: Admission::Ask },
        "{\"uses\":\"once\",\"expires_in_ms\":1,\"admission\":\"ask\"}",
    );
    assert_eq!(
        serde_json::from_str::<CreateInvite>("{}").unwrap(),
        CreateInvite { uses: Uses::Many, expires_in_ms: None, admission: Admission::Accept }
    );
    reads_and_writes(&Invite { link: "kinfolk:x".into() }, "{\"link\":\"kinfolk:x\"}");
}

#[test]
fn mailboxes() {
    let mailbox = Mailbox {
        peer: "e0".into(),
        contact: Some("e1".into()),
        name: Some("Eve".into()),
        display_name: Some("E".into()),
        state: MailboxState::Answering,
        added_at: 1,
        answered_at: Some(2),
        failures: 0,
    };
    let mailbox_json = "{\"peer\":\"e0\",\"contact\":\"e1\",\"name\":\"Eve\",\"display_name\":\"E\",\
                        \"state\":\"answering\",\"added_at\":1,\"answered_at\":2,\"failures\":0}";
    reads_and_writes(&mailbox, mailbox_json);
    reads_and_writes(
        &Mailbox {
            contact: None,
            name: None,
            display_name: None,
            answered_at: None,
            failures: 3,
            state: MailboxState::Silent,
            ..mailbox.clone()
        },
        "{\"peer\":\"e0\",\"contact\":null,\"name\":null,\"display_name\":null,\"state\":\"silent\",\"added_at\":1,\
         \"answered_at\":null,\"failures\":3}",
    );
    let serving = Serving {
        peer: "a0".into(),
        link: "kinfolk-mailbox:x".into(),
        capacity_bytes: 1_048_576,
        work_bits: 20,
        stored_bytes: 512,
        stored_messages: 1,
    };
    let serving_json = "{\"peer\":\"a0\",\"link\":\"kinfolk-mailbox:x\",\"capacity_bytes\":1048576,\"work_bits\":20,\
                        \"stored_bytes\":512,\"stored_messages\":1}";
    reads_and_writes(&serving, serving_json);
    reads_and_writes(
        &Mailboxes { mailboxes: vec![mailbox], serving: Some(serving), waiting: 4 },
        &format!("{{\"mailboxes\":[{mailbox_json}],\"serving\":{serving_json},\"waiting\":4}}"),
    );
    reads_and_writes(
        &Mailboxes { mailboxes: vec![], serving: None, waiting: 0 },
        "{\"mailboxes\":[],\"serving\":null,\"waiting\":0}",
    );
    reads_and_writes(&AddMailbox { contact: Some("Eve".into()), link: None }, "{\"contact\":\"Eve\"}");
    reads_and_writes(
        &AddMailbox { contact: None, link: Some("kinfolk-mailbox:x".into()) },
        "{\"link\":\"kinfolk-mailbox:x\"}",
    );
    reads_and_writes(
        &MailboxAdded { peer: "e0".into(), contact: None, name: None, display_name: None },
        "{\"peer\":\"e0\",\"contact\":null,\"name\":null,\"display_name\":null}",
    );
    reads_and_writes(&Serve::default(), "{}");
    reads_and_writes(&Serve { capacity_bytes: Some(1), work_bits: Some(2) }, "{\"capacity_bytes\":1,\"work_bits\":2}");
}

fn untold() -> HashTable {
    HashTable { joined: false, tried: vec![Tried { address: "/a".into(), reason: "r".into() }] }
}

#[test]
fn the_node() {
    reads_and_writes(
        &Status {
            identity: "a0".into(),
            device: "d0".into(),
            name: "Al".into(),
            display_name: "A".into(),
            addresses: vec!["/ip4/127.0.0.1/udp/1/quic-v1".into()],
            node: "n0".into(),
            reachability: Reachability { state: Reach::Private, why: "w".into() },
            hash_table: untold(),
            peers: 1,
            contacts: 2,
            outbox: 3,
            mailboxes: vec![MailboxStatus { peer: "e0".into(), contact: None, state: MailboxState::New }],
            storage_bytes: 4,
            seq: 5,
            version: "0.1.0".into(),
        },
        "{\"identity\":\"a0\",\"device\":\"d0\",\"name\":\"Al\",\"display_name\":\"A\",\
         \"addresses\":[\"/ip4/127.0.0.1/udp/1/quic-v1\"],\"node\":\"n0\",\"reachability\":{\"state\":\"private\",\"why\":\"w\"},\
         \"hash_table\":{\"joined\":false,\"tried\":[{\"address\":\"/a\",\"reason\":\"r\"}]},\
         \"peers\":1,\"contacts\":2,\"outbox\":3,\"mailboxes\":[{\"peer\":\"e0\",\"contact\":null,\"state\":\"new\"}],\"storage_bytes\":4,\"seq\":5,\"version\":\"0.1.0\"}",
    );
    reads_and_writes(&Rename { name: "Bo".into() }, "{\"name\":\"Bo\"}");
    reads_and_writes(&Done::new(), "{\"ok\":true}");
    reads_and_writes(
        &Door { url: Some("http://127.0.0.1:1".into()), token: "t".into(), socket: None },
        "{\"url\":\"http://127.0.0.1:1\",\"token\":\"t\",\"socket\":null}",
    );
    reads_and_writes(
        &Problem {
            kind: "about:blank".into(),
            title: "Not Found".into(),
            status: 404,
            code: "unknown_contact".into(),
            detail: "d".into(),
        },
        "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,\"code\":\"unknown_contact\",\"detail\":\"d\"}",
    );
    reads_and_writes(
        &StickerList {
            stickers: vec![Sticker {
                sticker: "p/s".into(),
                pack: "P".into(),
                emoji: "👋".into(),
                description: "a hand".into(),
            }],
        },
        "{\"stickers\":[{\"sticker\":\"p/s\",\"pack\":\"P\",\"emoji\":\"👋\",\"description\":\"a hand\"}]}",
    );
}

#[test]
fn events() {
    let chat = || "c".to_owned();
    let named = || ("b0".to_owned(), "Bo".to_owned(), "B".to_owned());
    let (contact_id, name, display_name) = named();
    let cases = [
        (Some(1), What::MessageAdded(text()), format!("{{\"seq\":1,\"event\":\"message_added\",{}}}", text_json())),
        (
            Some(2),
            What::MessageChanged { message: "m".into(), chat: chat(), state: MessageState::Read, custody: vec![] },
            "{\"seq\":2,\"event\":\"message_changed\",\"message\":\"m\",\"chat\":\"c\",\"state\":\"read\"}".into(),
        ),
        (
            Some(3),
            What::MessageDamaged { message: "m".into(), chat: chat() },
            "{\"seq\":3,\"event\":\"message_damaged\",\"message\":\"m\",\"chat\":\"c\"}".into(),
        ),
        (Some(4), What::ContactAdded(contact()), format!("{{\"seq\":4,\"event\":\"contact_added\",{CONTACT}}}")),
        (Some(5), What::ContactChanged(contact()), format!("{{\"seq\":5,\"event\":\"contact_changed\",{CONTACT}}}")),
        (
            Some(6),
            What::ContactRemoved { contact: "b0".into() },
            "{\"seq\":6,\"event\":\"contact_removed\",\"contact\":\"b0\"}".into(),
        ),
        (
            Some(7),
            What::SessionReset { contact: contact_id.clone(), name: name.clone(), display_name: display_name.clone() },
            "{\"seq\":7,\"event\":\"session_reset\",\"contact\":\"b0\",\"name\":\"Bo\",\"display_name\":\"B\"}".into(),
        ),
        (
            None,
            What::PeerOnline { contact: contact_id, name, display_name, online: true },
            "{\"event\":\"peer_online\",\"contact\":\"b0\",\"name\":\"Bo\",\"display_name\":\"B\",\"online\":true}"
                .into(),
        ),
        (
            Some(8),
            What::MailboxDropped(custody().remove(1)),
            "{\"seq\":8,\"event\":\"mailbox_dropped\",\"peer\":\"f0\",\"name\":null,\"display_name\":null}".into(),
        ),
        (
            Some(10),
            What::PaymentChanged(payment()),
            format!("{{\"seq\":10,\"event\":\"payment_changed\",{}", &payment_json()[1..]),
        ),
        (
            Some(12),
            What::InvoiceChanged(invoice()),
            format!("{{\"seq\":12,\"event\":\"invoice_changed\",{}", &invoice_json()[1..]),
        ),
        (
            Some(13),
            What::MerchantChanged(merchant()),
            format!("{{\"seq\":13,\"event\":\"merchant_changed\",{}", &merchant_json()[1..]),
        ),
        (
            Some(11),
            What::CurrencyChanged(currency()),
            format!("{{\"seq\":11,\"event\":\"currency_changed\",{}", &CURRENCY[1..]),
        ),
        (
            None,
            What::HashTable(untold()),
            "{\"event\":\"hash_table\",\"joined\":false,\"tried\":[{\"address\":\"/a\",\"reason\":\"r\"}]}".into(),
        ),
        (Some(9), What::Reset, "{\"seq\":9,\"event\":\"reset\"}".into()),
    ];
    let kept =
        What::MessageChanged { message: "m".into(), chat: chat(), state: MessageState::Sent, custody: custody() };
    reads_and_writes(
        &Event { seq: Some(2), what: kept },
        &format!(
            "{{\"seq\":2,\"event\":\"message_changed\",\"message\":\"m\",\"chat\":\"c\",\"state\":\"sent\",\
             \"custody\":{CUSTODY}}}"
        ),
    );
    assert_eq!(cases.each_ref().map(|(_, what, _)| what.name()), What::NAMES);
    for (seq, what, json) in cases {
        assert!(json.contains(&format!("\"event\":\"{}\"", what.name())));
        reads_and_writes(&Event { seq, what }, &json);
    }
    reads_and_writes(
        &EventPage { events: vec![Event { seq: Some(1), what: What::Reset }], next: 1 },
        "{\"events\":[{\"seq\":1,\"event\":\"reset\"}],\"next\":1}",
    );
}

#[test]
fn f03_the_token_is_not_printed_with_the_door() {
    let door = Door { url: None, token: "very-secret".into(), socket: None };
    assert!(!format!("{door:?}").contains("very-secret"));
}

#[test]
fn a_wish_with_a_field_that_does_not_exist_is_refused_and_an_answer_with_one_is_read() {
    assert!(serde_json::from_str::<SendMessage>("{\"text\":\"t\",\"colour\":\"red\"}").is_err());
    assert!(serde_json::from_str::<AddContact>("{\"link\":\"x\",\"nmae\":\"Bo\"}").is_err());
    assert!(serde_json::from_str::<AddMailbox>("{\"contatc\":\"Eve\"}").is_err());
    assert!(serde_json::from_str::<Serve>("{\"capacity\":1}").is_err());
    assert!(serde_json::from_str::<Sent>("{\"message\":\"m\",\"chat\":\"c\",\"state\":\"sent\",\"new\":1}").is_ok());
}

#[test]
fn bundles() {
    reads_and_writes(&ExportBundle::default(), "{}");
    let newest = ExportBundle { contact: Some("Bo".into()), newest: true, carried: false };
    reads_and_writes(&newest, "{\"contact\":\"Bo\",\"newest\":true}");
    reads_and_writes(&ExportBundle { carried: true, ..ExportBundle::default() }, "{\"carried\":true}");
    assert!(serde_json::from_str::<ExportBundle>("{\"everything\":true}").is_err());
    let whole = ImportedBundle { taken: 3, known: 1, carried: 2, ..ImportedBundle::default() };
    reads_and_writes(&whole, "{\"taken\":3,\"known\":1,\"carried\":2,\"damaged\":0}");
    let damaged = ImportedBundle { damaged: 1, expired: 4, damage: vec![Stretch { from: 1, until: 2 }], ..whole };
    let json =
        "{\"taken\":3,\"known\":1,\"carried\":2,\"damaged\":1,\"expired\":4,\"damage\":[{\"from\":1,\"until\":2}]}";
    reads_and_writes(&damaged, json);
}

fn witness() -> Witness {
    let (name, display_name) = (Some("Eve".to_owned()), Some("E".to_owned()));
    Witness { peer: "e0".into(), key: "e1".into(), name, display_name, trouble: None }
}

const WITNESS: &str = "{\"peer\":\"e0\",\"key\":\"e1\",\"name\":\"Eve\",\"display_name\":\"E\"}";

fn payment() -> Payment {
    Payment {
        entry: "aa".into(),
        at: 7,
        kind: PaymentKind::Paid,
        amount: "12.50".into(),
        currency: "cc".into(),
        code: "MANGO".into(),
        class: PaymentClass::Cash,
        card: None,
        from: Some(bo()),
        to: None,
        memo: Some("m".into()),
        state: PaymentState::Voting,
        quorum: Votes { have: 1, need: 3 },
        kept_back: Some("why".into()),
        proof: Some("00".into()),
        waits_for: vec![Witness { trouble: Some("did not answer".into()), ..witness() }],
        refund_of: Some("ab".into()),
        invoice: Some("ad".into()),
        tab: None,
    }
}

fn invoice() -> Invoice {
    Invoice {
        invoice: "ad".into(),
        link: "kinfolk:invoice/A".into(),
        at: 7,
        amount: "12.50".into(),
        currency: "cc".into(),
        code: "MANGO".into(),
        from: None,
        to: Some(bo()),
        memo: None,
        expires: 9,
        state: InvoiceState::Paying,
        entry: Some("aa".into()),
    }
}

fn invoice_json() -> String {
    format!(
        "{{\"invoice\":\"ad\",\"link\":\"kinfolk:invoice/A\",\"at\":7,\"amount\":\"12.50\",\"currency\":\"cc\",\
         \"code\":\"MANGO\",\"from\":null,\"to\":{BO},\"memo\":null,\"expires\":9,\"state\":\"paying\",\
         \"entry\":\"aa\"}}"
    )
}

#[test]
fn an_invoice_is_what_other_programs_expect() {
    reads_and_writes(&invoice(), &invoice_json());
    reads_and_writes(&Invoices { invoices: vec![invoice()] }, &format!("{{\"invoices\":[{}]}}", invoice_json()));
    let states = [InvoiceState::Open, InvoiceState::Expired, InvoiceState::Paying, InvoiceState::Paid];
    assert_eq!(names(&states).replace('"', ""), "open expired paying paid");
    let wish: CreateInvoice = serde_json::from_str("{\"amount\":\"1\",\"currency\":\"MANGO\"}").unwrap();
    assert_eq!((wish.contact, wish.memo, wish.expires_in_ms), (None, None, None));
    reads_and_writes(&PayInvoice { invoice: "ad".into() }, "{\"invoice\":\"ad\"}");
}

#[test]
fn a_tab_is_what_other_programs_expect() {
    let tab = Tab {
        tab: "ab".into(),
        from: None,
        to: None,
        currency: "cc".into(),
        code: "A".into(),
        amount: "5.00".into(),
        paid: "2.00".into(),
        redeemed: "1.00".into(),
        left: "3.00".into(),
        at: 7,
        expires: 8,
        state: TabState::Settling,
    };
    let json = "{\"tab\":\"ab\",\"from\":null,\"to\":null,\"currency\":\"cc\",\"code\":\"A\",\"amount\":\"5.00\",\
         \"paid\":\"2.00\",\"redeemed\":\"1.00\",\"left\":\"3.00\",\"at\":7,\"expires\":8,\"state\":\"settling\"}";
    reads_and_writes(&tab, json);
    reads_and_writes(&Tabs { tabs: vec![tab] }, &format!("{{\"tabs\":[{json}]}}"));
    let states = [TabState::Opening, TabState::Open, TabState::Settling, TabState::Expired, TabState::Closed];
    assert_eq!(names(&states).replace('"', ""), "opening open settling expired closed");
    let wish: OpenTab = serde_json::from_str("{\"contact\":\"Bo\",\"amount\":\"1\",\"currency\":\"MANGO\"}").unwrap();
    assert_eq!(wish.days, None);
    let pay = PayTab { tab: "Bo".into(), amount: "1".into(), memo: None };
    reads_and_writes(&pay, "{\"tab\":\"Bo\",\"amount\":\"1\"}");
}

fn merchant() -> Merchant {
    Merchant {
        currency: "cc".into(),
        code: "MANGO".into(),
        merchant: bo(),
        issuer: bo(),
        account: "dd".into(),
        state: MerchantState::Asked,
        asked: Some(7),
        expires: Some(9),
    }
}

fn merchant_json() -> String {
    format!(
        "{{\"currency\":\"cc\",\"code\":\"MANGO\",\"merchant\":{BO},\"issuer\":{BO},\"account\":\"dd\",\
         \"state\":\"asked\",\"asked\":7,\"expires\":9}}"
    )
}

#[test]
fn a_merchant_is_what_other_programs_expect() {
    reads_and_writes(&Merchants { merchants: vec![merchant()] }, &format!("{{\"merchants\":[{}]}}", merchant_json()));
    let states = [MerchantState::Asked, MerchantState::Certified, MerchantState::Expired];
    assert_eq!(names(&states).replace('"', ""), "asked certified expired");
    reads_and_writes(&RegisterMerchant { currency: "A".into(), issuer: None }, "{\"currency\":\"A\"}");
    reads_and_writes(
        &CertifyMerchant { contact: "Bo".into(), currency: "A".into(), days: Some(30) },
        "{\"contact\":\"Bo\",\"currency\":\"A\",\"days\":30}",
    );
    let both = Payment { class: PaymentClass::Both, card: Some("2.50".into()), ..payment() };
    let written = payment_json().replace("\"class\":\"cash\"", "\"class\":\"both\",\"card\":\"2.50\"");
    reads_and_writes(&both, &written);
    let classes = [PaymentClass::Cash, PaymentClass::Card, PaymentClass::Both];
    assert_eq!(names(&classes).replace('"', ""), "cash card both");
}

fn payment_json() -> String {
    format!(
        "{{\"entry\":\"aa\",\"at\":7,\"kind\":\"paid\",\"amount\":\"12.50\",\"currency\":\"cc\",\"code\":\"MANGO\",\
         \"class\":\"cash\",\"from\":{BO},\"to\":null,\"memo\":\"m\",\"state\":\"voting\",\"quorum\":{{\"have\":1,\"need\":3}},\
         \"kept_back\":\"why\",\"proof\":\"00\",\
         \"waits_for\":[{{\"peer\":\"e0\",\"key\":\"e1\",\"name\":\"Eve\",\"display_name\":\"E\",\
         \"trouble\":\"did not answer\"}}],\"refund_of\":\"ab\",\"invoice\":\"ad\"}}"
    )
}

fn currency() -> Currency {
    Currency {
        currency: "cc".into(),
        code: "MANGO".into(),
        decimals: 2,
        witnesses: vec![],
        quorum: 3,
        faults: 1,
        max_supply: "9.00".into(),
        issuer: false,
        state: CurrencyState::Offered,
        offered_by: Some("Bo".into()),
        account: None,
        minted: None,
        unsearched: false,
        stopped: None,
        link: "l".into(),
    }
}

const CURRENCY: &str = "{\"currency\":\"cc\",\"code\":\"MANGO\",\"decimals\":2,\"witnesses\":[],\"quorum\":3,\"faults\":1,\
                        \"max_supply\":\"9.00\",\"issuer\":false,\"state\":\"offered\",\"offered_by\":\"Bo\",\
                        \"link\":\"l\"}";

#[test]
fn money() {
    reads_and_writes(&payment(), &payment_json());
    reads_and_writes(&currency(), CURRENCY);
    let mine = Currency {
        account: Some("ac".into()),
        minted: Some("1.00".into()),
        unsearched: false,
        stopped: Some(Stopped { reason: "frozen".into(), proof: Some("00".into()) }),
        witnesses: vec![witness()],
        ..currency()
    };
    let json = serde_json::to_string(&mine).unwrap();
    assert!(json.contains(&format!("\"witnesses\":[{WITNESS}]")), "{json}");
    assert!(
        json.contains("\"account\":\"ac\",\"minted\":\"1.00\",\"stopped\":{\"reason\":\"frozen\",\"proof\":\"00\"}")
    );
    let balance = Balance {
        currency: "cc".into(),
        code: "MANGO".into(),
        class: Class::Card,
        amount: "1.00".into(),
        pending: "0.00".into(),
        at_risk: Some("2.00".into()),
    };
    reads_and_writes(
        &Balances { balances: vec![balance] },
        "{\"balances\":[{\"currency\":\"cc\",\"code\":\"MANGO\",\"class\":\"card\",\"amount\":\"1.00\",\
         \"pending\":\"0.00\",\"at_risk\":\"2.00\"}]}",
    );
    reads_and_writes(
        &CreateCurrency { code: "A".into(), decimals: 2, witnesses: vec!["Bo".into()], ..CreateCurrency::default() },
        "{\"code\":\"A\",\"decimals\":2,\"witnesses\":[\"Bo\"]}",
    );
    reads_and_writes(&AcceptCurrency { currency: "l".into() }, "{\"currency\":\"l\"}");
    reads_and_writes(&ServeCurrency { currency: "l".into() }, "{\"currency\":\"l\"}");
    reads_and_writes(
        &Mint { currency: "A".into(), amount: "1".into(), to: Some("Bo".into()), class: Class::Cash },
        "{\"currency\":\"A\",\"amount\":\"1\",\"to\":\"Bo\",\"class\":\"cash\"}",
    );
    reads_and_writes(
        &Pay { contact: "Bo".into(), amount: "1".into(), currency: "A".into(), memo: None },
        "{\"contact\":\"Bo\",\"amount\":\"1\",\"currency\":\"A\"}",
    );
    let witnessed =
        Witnessed { currency: "cc".into(), code: "A".into(), place: 0, witnesses: 4, quorum: 3, broken: false };
    reads_and_writes(
        &WitnessStatus {
            key: None,
            currencies: vec![witnessed],
            accounts: 1,
            entries: 2,
            votes: 3,
            conflicts: 4,
            put_off: 5,
            log_bytes: 6,
            compacted: Some(LogCompacted { at: 7, before_bytes: 8, after_bytes: 6, dropped: 1 }),
            stopped: None,
        },
        "{\"key\":null,\"currencies\":[{\"currency\":\"cc\",\"code\":\"A\",\"place\":0,\"witnesses\":4,\"quorum\":3,\
         \"broken\":false}],\"accounts\":1,\"entries\":2,\"votes\":3,\"conflicts\":4,\"put_off\":5,\"log_bytes\":6,\
         \"compacted\":{\"at\":7,\"before_bytes\":8,\"after_bytes\":6,\"dropped\":1}}",
    );
    let paid = Money {
        amount: "1.00".into(),
        currency: "cc".into(),
        code: "A".into(),
        memo: None,
        entry: Some("aa".into()),
        invoice: None,
        tab: None,
    };
    reads_and_writes(&paid, "{\"amount\":\"1.00\",\"currency\":\"cc\",\"code\":\"A\",\"memo\":null,\"entry\":\"aa\"}");
    reads_and_writes(
        &Money { entry: None, invoice: Some("ad".into()), ..paid },
        "{\"amount\":\"1.00\",\"currency\":\"cc\",\"code\":\"A\",\"memo\":null,\"entry\":null,\"invoice\":\"ad\"}",
    );
    use PaymentKind::{Minted, Paid, Received, RefundReceived, Refunded, TabOpened, TabRedeemed, TabReturned};
    let kinds = [Paid, Received, Minted, Refunded, RefundReceived, TabOpened, TabRedeemed, TabReturned];
    assert_eq!(
        names(&kinds).replace('"', ""),
        "paid received minted refunded refund_received tab_opened tab_redeemed tab_returned"
    );
    assert_eq!(
        names(&[
            PaymentState::Tab,
            PaymentState::Unwitnessed,
            PaymentState::Voting,
            PaymentState::Refused,
            PaymentState::Final
        ])
        .replace('"', ""),
        "tab unwitnessed voting refused final"
    );
}
