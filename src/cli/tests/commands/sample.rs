//! People and messages for examples.

use kinfolk_cli::{Initialised, Ready, ReceiptOutput, Rescued, UnlockedBy, VerifiedReceipt};
use kinfolk_rpc::contact::{Contact, ContactState, NameWarning, NameWarningKind};
use kinfolk_rpc::event::{Event, What};
use kinfolk_rpc::invoice::{Invoice, InvoiceState};
use kinfolk_rpc::mailbox::{
    CAPACITY, Custodian, Mailbox, MailboxAdded, MailboxState, MailboxStatus, Mailboxes, Serving, WORK_BITS,
};
use kinfolk_rpc::merchant::{Merchant, MerchantState};
use kinfolk_rpc::message::{Kind, Location, Message, MessagePage, MessageState, Sender, Sent};
use kinfolk_rpc::status::{HashTable, Reach, Reachability, Status, Tried};
use kinfolk_rpc::tab::{Tab, TabState};
use kinfolk_rpc::wallet::{
    Balance, Balances, Class, Currency, CurrencyState, Payment, PaymentClass, PaymentKind, PaymentState, Recovery,
    RecoveryState, Votes, Witness, WitnessStatus, Witnessed,
};

pub(crate) const ANNA: &str = "3f6c1d0e9a4b27f85c3e1a90d7b246f8e05c9d3a1b7f42608ce5d194a07b3f62";
pub(crate) const BO: &str = "b07e52c9814d3fa6097be1c5d2f8403a6e91bd7c05f2a8349d6e1b70c4835fa9";
pub(crate) const CHAT: &str = "c8d94b1f60a2e7357b9c0d8f4e1a26b35f7092c8e4d1a6b0973f5c2e8d40b716";
pub(crate) const MESSAGE: &str = "5e0c7a91d3b8462f9a10c4e7b25d8f36";
pub(crate) const NOON: u64 = 1_796_040_000_000;
pub(crate) const EVE: &str = "7d20f58e3b9146ac0d57e2f8b3c96a1458fe07d29b6c3140ea85d7126f94b3c8";
pub(crate) const EVES_NODE: &str = "0024080112205ab39e0c41d7826f93e5b80a17cd264fb05e3917c8ad62f4801b7e95d3c6a20f";
pub(crate) const OTHER_NODE: &str = "00240801122091c4d83fb20a6e57f81d3409bce675a2e9068b4f13d7c05a96fe7821bd40c35e";
pub(crate) const MAILBOX_LINK: &str = "kinfolk-mailbox:owBYJgAkCAES";
pub(crate) const LINK: &str = "kinfolk:glkBPqkAAQEBAlgg";

pub(crate) fn isolated(name: &str) -> String {
    format!("\u{2068}{name}\u{2069}")
}

pub(crate) fn sender(identity: &str, name: &str) -> Sender {
    Sender { identity: identity.into(), name: name.into(), display_name: isolated(name) }
}

pub(crate) fn bo() -> Contact {
    Contact {
        contact: BO.into(),
        name: "Bo".into(),
        display_name: isolated("Bo"),
        chat: CHAT.into(),
        state: ContactState::Accepted,
        verified: false,
        blocked: false,
        online: true,
        last_seen: Some(NOON),
        devices: vec!["d4a17c903be25f68d4a17c903be25f68".into()],
        unread: 1,
        mailbox_full: false,
        warning: None,
    }
}

/// What is said of somebody whose name can be taken for Bo's.
pub(crate) fn like_bo() -> NameWarning {
    NameWarning {
        kind: NameWarningKind::LikeContact,
        contact: Some(BO.into()),
        message: format!("this name can be taken for that of another contact, {} ({:.8})", isolated("Bo"), BO),
    }
}

pub(crate) fn text(text: &str, state: MessageState) -> Message {
    let from = if state == MessageState::Received { sender(BO, "Bo") } else { sender(ANNA, "Anna") };
    Message {
        message: MESSAGE.into(),
        chat: CHAT.into(),
        from,
        at: NOON,
        kind: Kind::Text,
        text: Some(text.into()),
        sticker: None,
        location: None,
        money: None,
        reactions: vec![],
        state,
        custody: vec![],
        missing_before: 0,
    }
}

pub(crate) const ENTRY: &str = "e41c7f02a9d35b8860f1c2d3940b7e5a1f68c03d92b5e7a4460d1f8c3b72a95e";
pub(crate) const INVOICE: &str = "7d2e90c4b1583fa6027e6d9c0b5a48f13c8e7d62a90f41b5d3067c8e2f9b1a40";
pub(crate) const TAB: &str = "9b27c0e6f1d84a35b06e92d7c8f1405a3e6b7d90c1f2a8457d3e0b96c4f8a172";
pub(crate) const MANGO: &str = "120db77b5e3f40c19a8d6e27b01c94f3d85a2e60b7f91c34d2a8065e9fb3c18b";

fn witness(peer: &str, name: &str) -> Witness {
    Witness {
        peer: peer.into(),
        key: "9475c6cf1b0de28a43f5907bd61e82c4f30a95d7b8c16e24f09d3a5b7c80e1f2".into(),
        name: Some(name.into()),
        display_name: Some(isolated(name)),
        trouble: None,
    }
}

pub(crate) fn currency() -> Currency {
    Currency {
        currency: MANGO.into(),
        code: "MANGO".into(),
        decimals: 2,
        witnesses: vec![witness(EVES_NODE, "Eve"), witness(OTHER_NODE, "Bo")],
        quorum: 2,
        faults: 0,
        max_supply: "1000000.00".into(),
        issuer: true,
        state: CurrencyState::Accepted,
        offered_by: None,
        account: Some("21ef364f7a90c1d25e83b64f0d9c7a18e2b53f60c4d7918ab3e05f2c6d94e375".into()),
        minted: Some("500.00".into()),
        unsearched: false,
        stopped: None,
        link: "kinfolk:currency/ogBZ".into(),
    }
}

/// Bo's account is brought back.
pub(crate) fn recovery() -> Recovery {
    Recovery {
        currency: MANGO.into(),
        code: "MANGO".into(),
        state: RecoveryState::Done,
        account: Some("21ef364f7a90c1d25e83b64f0d9c7a18e2b53f60c4d7918ab3e05f2c6d94e375".into()),
        need: 2,
        answered: Vec::new(),
        waits_for: Vec::new(),
        completed: 1,
        stuck: None,
    }
}

pub(crate) fn balances() -> Balances {
    let balance = |class, amount: &str, pending: &str| Balance {
        currency: MANGO.into(),
        code: "MANGO".into(),
        class,
        amount: amount.into(),
        pending: pending.into(),
        at_risk: None,
    };
    Balances { balances: vec![balance(Class::Cash, "487.50", "12.50"), balance(Class::Card, "20.00", "0.00")] }
}

/// Anna has paid Bo.
pub(crate) fn payment() -> Payment {
    Payment {
        entry: ENTRY.into(),
        at: NOON,
        kind: PaymentKind::Paid,
        amount: "12.50".into(),
        currency: MANGO.into(),
        code: "MANGO".into(),
        class: PaymentClass::Cash,
        card: None,
        from: Some(sender(ANNA, "Anna")),
        to: Some(sender(BO, "Bo")),
        memo: Some("bread".into()),
        state: PaymentState::Final,
        quorum: Votes { have: 2, need: 2 },
        kept_back: None,
        proof: None,
        waits_for: vec![],
        refund_of: None,
        invoice: None,
        tab: None,
    }
}

/// Bo asks Anna for money.
pub(crate) fn invoice() -> Invoice {
    Invoice {
        invoice: INVOICE.into(),
        link: "kinfolk:invoice/ogBZ".into(),
        at: NOON,
        amount: "12.50".into(),
        currency: MANGO.into(),
        code: "MANGO".into(),
        from: Some(sender(BO, "Bo")),
        to: Some(sender(ANNA, "Anna")),
        memo: Some("bread".into()),
        expires: NOON + 30 * 86_400_000,
        state: InvoiceState::Open,
        entry: None,
    }
}

/// Anna's for Bo.
pub(crate) fn tab() -> Tab {
    Tab {
        tab: TAB.into(),
        from: Some(sender(ANNA, "Anna")),
        to: Some(sender(BO, "Bo")),
        currency: MANGO.into(),
        code: "MANGO".into(),
        amount: "20.00".into(),
        paid: "7.50".into(),
        redeemed: "0.00".into(),
        left: "12.50".into(),
        at: NOON,
        expires: NOON + 7 * 86_400_000,
        state: TabState::Open,
    }
}

/// Bo, who takes card money in Anna's currency, and asks for it to be renewed.
pub(crate) fn merchant() -> Merchant {
    Merchant {
        currency: MANGO.into(),
        code: "MANGO".into(),
        merchant: sender(BO, "Bo"),
        issuer: sender(ANNA, "Anna"),
        account: "3f441b84c0d95a7e12f8630b4d9ce5a17086f2bd439e5c1a70d8b36f24ea66b7".into(),
        state: MerchantState::Certified,
        asked: Some(NOON),
        expires: Some(NOON + 30 * 86_400_000),
    }
}

/// The same before Eve has voted.
pub(crate) fn waiting() -> Payment {
    let silent = Witness { trouble: Some("did not answer".into()), ..witness(EVES_NODE, "Eve") };
    let quorum = Votes { have: 1, need: 2 };
    Payment { state: PaymentState::Voting, quorum, waits_for: vec![silent], ..payment() }
}

pub(crate) fn refund() -> Payment {
    let entry = "07b3d9f215c84e6aa0935d7be1f4628c3d90b7a5f1e2c8460d9b3f7a5c1e8042";
    let kind = PaymentKind::Refunded;
    Payment { entry: entry.into(), kind, memo: None, refund_of: Some(ENTRY.into()), ..payment() }
}

pub(crate) fn minted() -> Payment {
    let entry = "b5e0917c3d4af8261c9d7e50a3b8f4621d0e9c7b5a3f8d16e2c4907b8f5a1d3c";
    let own = || Some(sender(ANNA, "Anna"));
    let kind = PaymentKind::Minted;
    Payment { entry: entry.into(), kind, amount: "500.00".into(), to: own(), from: own(), memo: None, ..payment() }
}

pub(crate) fn witness_status() -> WitnessStatus {
    WitnessStatus {
        key: Some("9475c6cf1b0de28a43f5907bd61e82c4f30a95d7b8c16e24f09d3a5b7c80e1f2".into()),
        currencies: vec![Witnessed {
            currency: MANGO.into(),
            code: "MANGO".into(),
            place: 1,
            witnesses: 2,
            quorum: 2,
            broken: false,
        }],
        accounts: 3,
        entries: 40,
        votes: 41,
        conflicts: 0,
        put_off: 0,
        log_bytes: 65_536,
        compacted: None,
        stopped: None,
    }
}

pub(crate) fn receipt() -> VerifiedReceipt {
    VerifiedReceipt {
        valid: true,
        entry: ENTRY.into(),
        at: NOON,
        outputs: vec![ReceiptOutput {
            to: "3f441b84c0d9527ea16b83f05e2d94c7b8a1603fd5e7294c0b9a6e83f7d166b7".into(),
            amount: "12.50".into(),
            class: "cash",
        }],
        currency: MANGO.into(),
        code: "MANGO".into(),
        issuer: "fa4834140c9d7b2e5a81f36d0e94c7b25d1f8a60b3e7c94a2f5d80e6b1c397da".into(),
        from: "21ef364f7a90c1d25e83b64f0d9c7a18e2b53f60c4d7918ab3e05f2c6d94e375".into(),
        memo: Some("bread".into()),
        votes: 2,
        quorum: 2,
    }
}

pub(crate) fn place() -> Message {
    let location =
        Location { geo: "geo:47.3769,8.5417;u=20".into(), lat: 47.3769, lon: 8.5417, accuracy_m: Some(20.0) };
    Message {
        message: "77b1e40d9c52f8a3061de5b98c74f20a".into(),
        at: NOON + 60_000,
        kind: Kind::Location,
        text: None,
        location: Some(location),
        ..text("", MessageState::Read)
    }
}

pub(crate) fn page(messages: Vec<Message>) -> MessagePage {
    MessagePage { messages, next: None, damaged: 0, seq: 12 }
}

pub(crate) fn sent(state: MessageState) -> Sent {
    Sent { message: MESSAGE.into(), chat: CHAT.into(), state, custody: vec![] }
}

/// Nobody of it was reached.
pub(crate) fn hash_table() -> HashTable {
    let tried = Tried {
        address: "/ip4/192.0.2.7/udp/4001/quic-v1/p2p/12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf".into(),
        reason: "nobody answered at any of the addresses".into(),
    };
    HashTable { joined: false, tried: vec![tried] }
}

pub(crate) fn status() -> Status {
    Status {
        identity: ANNA.into(),
        device: "0a1b2c3d4e5f60718293a4b5c6d7e8f9".into(),
        name: "Anna".into(),
        display_name: isolated("Anna"),
        addresses: vec!["/ip4/192.168.1.20/udp/20417/quic-v1".into()],
        node: "12D3KooWBmAwcd4PJNJvfV89HwE48nwkRmAgo8Vy3uQEyNNHBox2".into(),
        reachability: Reachability {
            state: Reach::Private,
            why: "it listens on addresses of this machine and its local network only".into(),
        },
        hash_table: hash_table(),
        peers: 1,
        contacts: 1,
        outbox: 0,
        mailboxes: vec![MailboxStatus {
            peer: EVES_NODE.into(),
            contact: Some(EVE.into()),
            state: MailboxState::Answering,
        }],
        storage_bytes: 12_345_678,
        seq: 12,
        version: "0.1.0".into(),
    }
}

/// Two mailboxes: a contact's, and one that has not answered of late.
pub(crate) fn mailboxes() -> Mailboxes {
    let eves = Mailbox {
        peer: EVES_NODE.into(),
        contact: Some(EVE.into()),
        name: Some("Eve".into()),
        display_name: Some(isolated("Eve")),
        state: MailboxState::Answering,
        added_at: NOON - 86_400_000,
        answered_at: Some(NOON),
        failures: 0,
    };
    let other = Mailbox {
        peer: OTHER_NODE.into(),
        contact: None,
        name: None,
        display_name: None,
        state: MailboxState::Silent,
        answered_at: None,
        failures: 3,
        ..eves.clone()
    };
    Mailboxes { mailboxes: vec![eves, other], serving: None, waiting: 2 }
}

pub(crate) fn mailbox_added() -> MailboxAdded {
    MailboxAdded {
        peer: EVES_NODE.into(),
        contact: Some(EVE.into()),
        name: Some("Eve".into()),
        display_name: Some(isolated("Eve")),
    }
}

pub(crate) fn serving() -> Serving {
    Serving {
        peer: OTHER_NODE.into(),
        link: MAILBOX_LINK.into(),
        capacity_bytes: CAPACITY,
        work_bits: WORK_BITS,
        stored_bytes: 163_840,
        stored_messages: 31,
    }
}

/// Eve's node and one of somebody unknown.
pub(crate) fn custody() -> Vec<Custodian> {
    let eve = Custodian { peer: EVES_NODE.into(), name: Some("Eve".into()), display_name: Some(isolated("Eve")) };
    vec![eve, Custodian { peer: OTHER_NODE.into(), name: None, display_name: None }]
}

pub(crate) fn initialised() -> Initialised {
    let words = "legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth useful legal \
                 winner thank year wave sausage worth title";
    Initialised {
        identity: ANNA.into(),
        device: "0a1b2c3d4e5f60718293a4b5c6d7e8f9".into(),
        name: "Anna".into(),
        recovery_phrase: words.split_whitespace().map(str::to_owned).collect(),
        unlocked_by: UnlockedBy::Passphrase,
    }
}

pub(crate) fn ready() -> Ready {
    Ready {
        identity: ANNA.into(),
        device: "0a1b2c3d4e5f60718293a4b5c6d7e8f9".into(),
        addresses: vec!["/ip4/192.168.1.20/udp/20417/quic-v1".into()],
        api: "http://127.0.0.1:41729".into(),
    }
}

pub(crate) fn rescued() -> Rescued {
    Rescued { listed: 1_190, raw: 7, damaged: 2, expected: Some(1_200) }
}

/// One of each kind.
pub(crate) fn events() -> Vec<Event> {
    let named = || (BO.to_owned(), "Bo".to_owned(), isolated("Bo"));
    let (contact, name, display_name) = named();
    let numbered = |seq, what| Event { seq: Some(seq), what };
    vec![
        numbered(7, What::ContactAdded(Contact { state: ContactState::Requested, online: false, unread: 0, ..bo() })),
        numbered(8, What::ContactChanged(Contact { unread: 0, ..bo() })),
        numbered(9, What::MessageAdded(text("Good morning", MessageState::Received))),
        numbered(
            10,
            What::MessageChanged {
                message: MESSAGE.into(),
                chat: CHAT.into(),
                state: MessageState::Delivered,
                custody: vec![],
            },
        ),
        numbered(
            11,
            What::SessionReset { contact: contact.clone(), name: name.clone(), display_name: display_name.clone() },
        ),
        numbered(12, What::MessageDamaged { message: MESSAGE.into(), chat: CHAT.into() }),
        numbered(13, What::ContactRemoved { contact: contact.clone() }),
        Event { seq: None, what: What::PeerOnline { contact, name, display_name, online: true } },
        numbered(14, What::MailboxDropped(custody().remove(0))),
        Event { seq: None, what: What::HashTable(hash_table()) },
        Event { seq: None, what: What::HashTable(HashTable { joined: true, tried: vec![] }) },
        numbered(15, What::PaymentChanged(payment())),
        numbered(16, What::CurrencyChanged(currency())),
        numbered(17, What::InvoiceChanged(invoice())),
        numbered(18, What::MerchantChanged(merchant())),
        numbered(9_000, What::Reset),
    ]
}
