//! A key as it is sealed beside its row.

use kinfolk_crypto::SkippedKeyId;
use kinfolk_wire::codec::{self, DecodeError};
use kinfolk_wire::ids::{
    AccountId, ConversationId, CurrencyId, DeviceId, EntryHash, IdentityId, InviteId, MailboxTag, MessageId, NoteHash,
    PayloadDigest, PeerId, SessionId,
};
use kinfolk_wire::time::Timestamp;
use minicbor::{Decode, Encode};

use super::{Alarm, Key, PrekeyKind};

#[derive(Encode, Decode)]
enum KeyBytes {
    #[n(1)]
    Profile,
    #[n(2)]
    Counters,
    #[n(3)]
    Prekey(#[n(0)] PrekeyKind, #[n(1)] u32),
    #[n(4)]
    Contact(#[n(0)] IdentityId),
    #[n(5)]
    Device(#[n(0)] DeviceId),
    #[n(6)]
    Peer(#[n(0)] PeerId),
    #[n(7)]
    Invite(#[n(0)] InviteId),
    #[n(8)]
    Asking(#[n(0)] IdentityId),
    #[n(9)]
    Session(#[n(0)] DeviceId, #[n(1)] SessionId),
    #[n(10)]
    SkippedKey(
        #[n(0)] SessionId,
        #[n(1)]
        #[cbor(with = "minicbor::bytes")]
        [u8; SkippedKeyId::LENGTH],
    ),
    #[n(11)]
    AcceptedInit(
        #[n(0)]
        #[cbor(with = "minicbor::bytes")]
        [u8; 16],
    ),
    #[n(12)]
    Conversation(#[n(0)] ConversationId),
    #[n(13)]
    Message(#[n(0)] ConversationId, #[n(1)] u64, #[n(2)] IdentityId, #[n(3)] MessageId),
    #[n(14)]
    MessagePlace(#[n(0)] ConversationId, #[n(1)] IdentityId, #[n(2)] MessageId),
    #[n(15)]
    Outbox(#[n(0)] DeviceId, #[n(1)] u64),
    #[n(16)]
    Unreceipted(#[n(0)] DeviceId, #[n(1)] MessageId),
    #[n(17)]
    Opened(#[n(0)] u64, #[n(1)] DeviceId, #[n(2)] PayloadDigest),
    #[n(18)]
    PendingReceipts(#[n(0)] IdentityId),
    #[n(19)]
    Timer(#[n(0)] Timestamp, #[n(1)] Alarm),
    #[n(20)]
    Events(#[n(0)] u64),
    #[n(21)]
    Link(#[n(0)] PeerId),
    #[n(22)]
    LinkOf(#[n(0)] DeviceId),
    #[n(23)]
    Listening,
    #[n(24)]
    Knocks,
    #[n(25)]
    Serving,
    #[n(26)]
    Stored,
    #[n(27)]
    Deposit(#[n(0)] MailboxTag),
    #[n(28)]
    DepositExpiry(#[n(0)] u64, #[n(1)] MailboxTag),
    #[n(29)]
    SpentToken(
        #[n(0)] u32,
        #[n(1)]
        #[cbor(with = "minicbor::bytes")]
        [u8; 16],
    ),
    #[n(30)]
    TokenKey(#[n(0)] u32),
    #[n(31)]
    TokensIssued(#[n(0)] IdentityId),
    #[n(32)]
    Hosts,
    #[n(33)]
    Post(#[n(0)] DeviceId),
    #[n(34)]
    Purse(#[n(0)] DeviceId, #[n(1)] PeerId),
    #[n(35)]
    TokenStock(#[n(0)] PeerId),
    #[n(36)]
    Errand(#[n(0)] u64),
    #[n(37)]
    Carried(#[n(0)] u64),
    #[n(38)]
    CarriedPlace(#[n(0)] MailboxTag),
    #[n(39)]
    Carriage,
    #[n(50)]
    Finding(#[n(0)] DeviceId),
    #[n(51)]
    HashTable,
    #[n(52)]
    Search(#[n(0)] u64),
    #[n(53)]
    Currency(#[n(0)] CurrencyId),
    #[n(54)]
    Account(#[n(0)] CurrencyId),
    #[n(55)]
    OwnEntry(#[n(0)] CurrencyId, #[n(1)] u64),
    #[n(56)]
    Movement(#[n(0)] CurrencyId, #[n(1)] u64),
    #[n(57)]
    MovementPlace(#[n(0)] EntryHash),
    #[n(58)]
    Unclaimed(#[n(0)] CurrencyId, #[n(1)] u64),
    #[n(59)]
    Payee(#[n(0)] CurrencyId, #[n(1)] IdentityId),
    #[n(60)]
    Standing(#[n(0)] CurrencyId, #[n(1)] u8),
    #[n(61)]
    Inquiry(#[n(0)] u64),
    #[n(62)]
    WitnessKey(#[n(0)] PeerId),
    #[n(64)]
    Invoice(#[n(0)] NoteHash),
    #[n(84)]
    Tab(#[n(0)] AccountId),
    #[n(85)]
    TabTalk(#[n(0)] AccountId),
    #[n(88)]
    Merchant(#[n(0)] CurrencyId, #[n(1)] IdentityId),
    #[n(89)]
    Told(#[n(0)] CurrencyId, #[n(1)] IdentityId),
    #[n(70)]
    Wallet,
    #[n(71)]
    Recovering(#[n(0)] CurrencyId),
    #[n(72)]
    Recoverer(#[n(0)] CurrencyId, #[n(1)] u8),
    #[n(80)]
    Promised(#[n(0)] CurrencyId, #[n(1)] u64),
    #[n(81)]
    Footing(#[n(0)] CurrencyId, #[n(1)] u64),
    #[n(82)]
    Payer(#[n(0)] AccountId),
    #[n(92)]
    OwnCheckpoint(#[n(0)] CurrencyId),
}

pub(super) fn encode(key: &Key) -> Vec<u8> {
    codec::to_cbor(&match *key {
        Key::Profile => KeyBytes::Profile,
        Key::Counters => KeyBytes::Counters,
        Key::Prekey(kind, id) => KeyBytes::Prekey(kind, id),
        Key::Contact(id) => KeyBytes::Contact(id),
        Key::Device(id) => KeyBytes::Device(id),
        Key::Peer(id) => KeyBytes::Peer(id),
        Key::Invite(id) => KeyBytes::Invite(id),
        Key::Asking(id) => KeyBytes::Asking(id),
        Key::Session(device, session) => KeyBytes::Session(device, session),
        Key::SkippedKey(session, id) => KeyBytes::SkippedKey(session, id.to_bytes()),
        Key::AcceptedInit(digest) => KeyBytes::AcceptedInit(digest),
        Key::Conversation(id) => KeyBytes::Conversation(id),
        Key::Message(conversation, lamport, sender, id) => KeyBytes::Message(conversation, lamport, sender, id),
        Key::MessagePlace(conversation, sender, id) => KeyBytes::MessagePlace(conversation, sender, id),
        Key::Outbox(device, number) => KeyBytes::Outbox(device, number),
        Key::Unreceipted(device, id) => KeyBytes::Unreceipted(device, id),
        Key::Opened(day, device, digest) => KeyBytes::Opened(day, device, digest),
        Key::PendingReceipts(id) => KeyBytes::PendingReceipts(id),
        Key::Timer(due, alarm) => KeyBytes::Timer(due, alarm),
        Key::Events(number) => KeyBytes::Events(number),
        Key::Link(peer) => KeyBytes::Link(peer),
        Key::LinkOf(device) => KeyBytes::LinkOf(device),
        Key::Listening => KeyBytes::Listening,
        Key::Knocks => KeyBytes::Knocks,
        Key::Serving => KeyBytes::Serving,
        Key::Stored => KeyBytes::Stored,
        Key::Deposit(tag) => KeyBytes::Deposit(tag),
        Key::DepositExpiry(hour, tag) => KeyBytes::DepositExpiry(hour, tag),
        Key::SpentToken(epoch, nonce) => KeyBytes::SpentToken(epoch, nonce),
        Key::TokenKey(epoch) => KeyBytes::TokenKey(epoch),
        Key::TokensIssued(id) => KeyBytes::TokensIssued(id),
        Key::Hosts => KeyBytes::Hosts,
        Key::Post(id) => KeyBytes::Post(id),
        Key::Purse(device, host) => KeyBytes::Purse(device, host),
        Key::TokenStock(host) => KeyBytes::TokenStock(host),
        Key::Errand(number) => KeyBytes::Errand(number),
        Key::Carried(number) => KeyBytes::Carried(number),
        Key::CarriedPlace(tag) => KeyBytes::CarriedPlace(tag),
        Key::Carriage => KeyBytes::Carriage,
        Key::Finding(id) => KeyBytes::Finding(id),
        Key::HashTable => KeyBytes::HashTable,
        Key::Search(number) => KeyBytes::Search(number),
        Key::Currency(currency) => KeyBytes::Currency(currency),
        Key::Account(currency) => KeyBytes::Account(currency),
        Key::OwnEntry(currency, number) => KeyBytes::OwnEntry(currency, number),
        Key::Movement(currency, number) => KeyBytes::Movement(currency, number),
        Key::MovementPlace(entry) => KeyBytes::MovementPlace(entry),
        Key::Invoice(invoice) => KeyBytes::Invoice(invoice),
        Key::Unclaimed(currency, number) => KeyBytes::Unclaimed(currency, number),
        Key::Payee(currency, contact) => KeyBytes::Payee(currency, contact),
        Key::Merchant(currency, who) => KeyBytes::Merchant(currency, who),
        Key::Told(currency, contact) => KeyBytes::Told(currency, contact),
        Key::Standing(currency, witness) => KeyBytes::Standing(currency, witness),
        Key::Inquiry(number) => KeyBytes::Inquiry(number),
        Key::WitnessKey(peer) => KeyBytes::WitnessKey(peer),
        Key::Tab(tab) => KeyBytes::Tab(tab),
        Key::TabTalk(tab) => KeyBytes::TabTalk(tab),
        Key::Promised(currency, number) => KeyBytes::Promised(currency, number),
        Key::Footing(currency, number) => KeyBytes::Footing(currency, number),
        Key::Payer(account) => KeyBytes::Payer(account),
        Key::Wallet => KeyBytes::Wallet,
        Key::Recovering(currency) => KeyBytes::Recovering(currency),
        Key::OwnCheckpoint(currency) => KeyBytes::OwnCheckpoint(currency),
        Key::Recoverer(currency, witness) => KeyBytes::Recoverer(currency, witness),
    })
}

pub(super) fn decode(bytes: &[u8]) -> Result<Key, DecodeError> {
    Ok(match codec::from_cbor_canonical("key of a row", bytes, 256)? {
        KeyBytes::Profile => Key::Profile,
        KeyBytes::Counters => Key::Counters,
        KeyBytes::Prekey(kind, id) => Key::Prekey(kind, id),
        KeyBytes::Contact(id) => Key::Contact(id),
        KeyBytes::Device(id) => Key::Device(id),
        KeyBytes::Peer(id) => Key::Peer(id),
        KeyBytes::Invite(id) => Key::Invite(id),
        KeyBytes::Asking(id) => Key::Asking(id),
        KeyBytes::Session(device, session) => Key::Session(device, session),
        KeyBytes::SkippedKey(session, id) => Key::SkippedKey(session, SkippedKeyId::from_bytes(id)),
        KeyBytes::AcceptedInit(digest) => Key::AcceptedInit(digest),
        KeyBytes::Conversation(id) => Key::Conversation(id),
        KeyBytes::Message(conversation, lamport, sender, id) => Key::Message(conversation, lamport, sender, id),
        KeyBytes::MessagePlace(conversation, sender, id) => Key::MessagePlace(conversation, sender, id),
        KeyBytes::Outbox(device, number) => Key::Outbox(device, number),
        KeyBytes::Unreceipted(device, id) => Key::Unreceipted(device, id),
        KeyBytes::Opened(day, device, digest) => Key::Opened(day, device, digest),
        KeyBytes::PendingReceipts(id) => Key::PendingReceipts(id),
        KeyBytes::Timer(due, alarm) => Key::Timer(due, alarm),
        KeyBytes::Events(number) => Key::Events(number),
        KeyBytes::Link(peer) => Key::Link(peer),
        KeyBytes::LinkOf(device) => Key::LinkOf(device),
        KeyBytes::Listening => Key::Listening,
        KeyBytes::Knocks => Key::Knocks,
        KeyBytes::Serving => Key::Serving,
        KeyBytes::Stored => Key::Stored,
        KeyBytes::Deposit(tag) => Key::Deposit(tag),
        KeyBytes::DepositExpiry(hour, tag) => Key::DepositExpiry(hour, tag),
        KeyBytes::SpentToken(epoch, nonce) => Key::SpentToken(epoch, nonce),
        KeyBytes::TokenKey(epoch) => Key::TokenKey(epoch),
        KeyBytes::TokensIssued(id) => Key::TokensIssued(id),
        KeyBytes::Hosts => Key::Hosts,
        KeyBytes::Post(id) => Key::Post(id),
        KeyBytes::Purse(device, host) => Key::Purse(device, host),
        KeyBytes::TokenStock(host) => Key::TokenStock(host),
        KeyBytes::Errand(number) => Key::Errand(number),
        KeyBytes::Carried(number) => Key::Carried(number),
        KeyBytes::CarriedPlace(tag) => Key::CarriedPlace(tag),
        KeyBytes::Carriage => Key::Carriage,
        KeyBytes::Finding(id) => Key::Finding(id),
        KeyBytes::HashTable => Key::HashTable,
        KeyBytes::Search(number) => Key::Search(number),
        KeyBytes::Currency(currency) => Key::Currency(currency),
        KeyBytes::Account(currency) => Key::Account(currency),
        KeyBytes::OwnEntry(currency, number) => Key::OwnEntry(currency, number),
        KeyBytes::Movement(currency, number) => Key::Movement(currency, number),
        KeyBytes::MovementPlace(entry) => Key::MovementPlace(entry),
        KeyBytes::Invoice(invoice) => Key::Invoice(invoice),
        KeyBytes::Unclaimed(currency, number) => Key::Unclaimed(currency, number),
        KeyBytes::Payee(currency, contact) => Key::Payee(currency, contact),
        KeyBytes::Merchant(currency, who) => Key::Merchant(currency, who),
        KeyBytes::Told(currency, contact) => Key::Told(currency, contact),
        KeyBytes::Standing(currency, witness) => Key::Standing(currency, witness),
        KeyBytes::Inquiry(number) => Key::Inquiry(number),
        KeyBytes::WitnessKey(peer) => Key::WitnessKey(peer),
        KeyBytes::Tab(tab) => Key::Tab(tab),
        KeyBytes::TabTalk(tab) => Key::TabTalk(tab),
        KeyBytes::Promised(currency, number) => Key::Promised(currency, number),
        KeyBytes::Footing(currency, number) => Key::Footing(currency, number),
        KeyBytes::Payer(account) => Key::Payer(account),
        KeyBytes::Wallet => Key::Wallet,
        KeyBytes::Recovering(currency) => Key::Recovering(currency),
        KeyBytes::OwnCheckpoint(currency) => Key::OwnCheckpoint(currency),
        KeyBytes::Recoverer(currency, witness) => Key::Recoverer(currency, witness),
    })
}
