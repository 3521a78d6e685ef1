//! What is said inside the seal (docs/protocol/05-content.md).
//!
//! A [`Plaintext`] is what one ratchet message carries: what the sender knows of both sigchains, and one [`Content`].
//! A content is addressed (conversation, id, order) and has a [`Body`] of one kind. A kind this program does not know
//! is kept as it came ([`Body::Unknown`]) and shown as such, never guessed.

mod invoice;
mod location;
mod mailboxes;
mod merchant;
mod money;
mod receipt;
mod sticker;
mod tab;
mod text;

pub use invoice::{INVOICE_SCHEME, Invoice, InvoiceLinkError, SignedInvoice};
pub use location::{Coordinate, GeoUri, GeoUriError};
pub(crate) use mailboxes::decode_hosts;
pub use mailboxes::{Mailboxes, Serving, TokenShare, TokensIssued, TokensWanted};
pub use merchant::{MerchantCertificate, MerchantCertified, MerchantWanted};
pub use money::{AccountWanted, CURRENCY_SCHEME, CurrencyCard, CurrencyLinkError, Memo, PayTo, Payment, Promise, Sum};
pub use receipt::Receipt;
pub use sticker::{StickerId, StickerIdError};
pub use tab::{TabPayment, TabSettled};
pub use text::{Text, TextError};

use minicbor::{Decode, Encode};

use crate::codec::{self, DecodeError};
use crate::ids::{ConversationId, HeadPrefix, InviteId, MessageId, PayloadDigest, PeerId, SigchainHead};
use crate::invite::Address;
use crate::limits;
use crate::mailbox::Host;
use crate::name::Name;
use crate::time::Timestamp;

/// What one ratchet message carries.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Plaintext {
    /// The sender's newest sigchain entry.
    #[n(0)]
    pub sender_head: SigchainHead,
    /// What the sender believes to be the recipient's newest.
    #[n(1)]
    pub recipient_head: HeadPrefix,
    /// The highest mailbox number received from the recipient's device, where mailboxes are used.
    #[n(2)]
    pub mailbox_seen: Option<u64>,
    /// The encoded [`Content`], at most [`limits::PLAINTEXT`] bytes.
    #[n(3)]
    #[cbor(encode_with = "minicbor::bytes::encode", decode_with = "decode_content")]
    pub content: Vec<u8>,
}

fn decode_content<C>(d: &mut minicbor::Decoder<'_>, _: &mut C) -> Result<Vec<u8>, minicbor::decode::Error> {
    codec::bounded_bytes(d, limits::PLAINTEXT)
}

impl Plaintext {
    /// Reads a plaintext.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::from_cbor("plaintext", bytes, limits::PLAINTEXT)
    }

    /// The bytes that are padded and sealed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        codec::to_cbor(self)
    }
}

/// One thing said in one conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Its id; random.
    pub id: MessageId,
    /// Where it was said.
    pub conversation: ConversationId,
    /// When, by the sender's clock; for display only.
    pub sent_at: Timestamp,
    /// 1 + the highest number its sender had seen in this conversation; 0 in a body that is not shown.
    pub lamport: u64,
    /// What.
    pub body: Body,
}

/// The kinds of content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// A text.
    Text(Text),
    /// A sticker.
    Sticker(StickerId),
    /// A place.
    Location(GeoUri),
    /// Money that was paid.
    Payment(Payment),
    /// Money that is asked for.
    PaymentRequest(SignedInvoice),
    /// What has arrived, what has been read.
    Receipt(Receipt),
    /// First contact: may I talk to you?
    Request(Request),
    /// First contact: yes.
    Accept(Accept),
    /// First contact: no.
    Decline,
    /// These did not open; here is a new session, send them again.
    NeedReinit(NeedReinit),
    /// Where the sender's device can be reached from now on.
    Reach(Reach),
    /// Where to leave what is for the sender while they are away.
    Mailboxes(Mailboxes),
    /// The sender serves as a mailbox for the recipient.
    Serving(Serving),
    /// Asks for tokens of the recipient's mailbox.
    TokensWanted(TokensWanted),
    /// Gives them.
    TokensIssued(TokensIssued),
    /// The recipient is to witness a currency, or may want it.
    Currency(CurrencyCard),
    /// Asks where payments to the recipient go.
    AccountWanted(AccountWanted),
    /// Says where payments to the sender go.
    PayTo(PayTo),
    /// Money that was paid by a voucher of a tab.
    TabPayment(TabPayment),
    /// An entry of a tab is certified.
    TabSettled(TabSettled),
    /// Asks the issuer of a currency to certify the sender as a merchant.
    MerchantWanted(MerchantWanted),
    /// The recipient is certified as a merchant.
    MerchantCertified(MerchantCertified),
    /// Money that the sender has signed away, and that is not certified yet.
    Promise(Promise),
    /// A kind that a newer program knows.
    Unknown {
        /// Its number.
        kind: u16,
        /// Its bytes.
        body: Vec<u8>,
    },
}

/// First contact: may I talk to you?
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Request {
    /// What the asker calls themselves.
    #[n(0)]
    pub name: Name,
    /// The invite they came by.
    #[n(1)]
    pub invite: InviteId,
    /// Where their device can be reached for the answer.
    #[n(2)]
    pub reach: Reach,
    /// Hosts at which the answer may be left for it; at most [`limits::MAILBOX_HOSTS`].
    #[n(3)]
    #[cbor(decode_with = "decode_hosts")]
    pub mailboxes: Vec<Host>,
}

/// Where a device can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Reach {
    /// Its node on the network.
    #[n(0)]
    pub peer: PeerId,
    /// Multiaddrs; at most [`limits::ADDRESSES`].
    #[n(1)]
    #[cbor(decode_with = "decode_addresses")]
    pub addresses: Vec<Address>,
}

pub(crate) fn decode_addresses<C>(
    d: &mut minicbor::Decoder<'_>,
    c: &mut C,
) -> Result<Vec<Address>, minicbor::decode::Error> {
    codec::bounded_list(d, c, limits::ADDRESSES)
}

/// First contact: yes.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Accept {
    /// What the accepting person calls themselves.
    #[n(0)]
    pub name: Name,
}

/// A session that lost its way.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct NeedReinit {
    /// The payloads that did not open; at most [`limits::REINIT_DIGESTS`].
    #[n(0)]
    #[cbor(decode_with = "decode_digests")]
    pub digests: Vec<PayloadDigest>,
}

fn decode_digests<C>(d: &mut minicbor::Decoder<'_>, c: &mut C) -> Result<Vec<PayloadDigest>, minicbor::decode::Error> {
    codec::bounded_list(d, c, limits::REINIT_DIGESTS)
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct ContentBytes {
    #[n(0)]
    id: MessageId,
    #[n(1)]
    conversation: ConversationId,
    #[n(2)]
    sent_at: Timestamp,
    #[n(3)]
    lamport: u64,
    #[n(4)]
    kind: u16,
    #[n(5)]
    #[cbor(encode_with = "minicbor::bytes::encode", decode_with = "decode_content")]
    body: Vec<u8>,
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct Nothing {}

impl Body {
    const TEXT: u16 = 1;
    const STICKER: u16 = 2;
    const LOCATION: u16 = 3;
    const PAYMENT: u16 = 4;
    const PAYMENT_REQUEST: u16 = 5;
    const RECEIPT: u16 = 16;
    const REQUEST: u16 = 32;
    const ACCEPT: u16 = 33;
    const DECLINE: u16 = 34;
    const NEED_REINIT: u16 = 35;
    const REACH: u16 = 36;
    const MAILBOXES: u16 = 37;
    const SERVING: u16 = 38;
    const TOKENS_WANTED: u16 = 39;
    const TOKENS_ISSUED: u16 = 40;
    const CURRENCY: u16 = 41;
    const ACCOUNT_WANTED: u16 = 42;
    const PAY_TO: u16 = 43;
    const TAB_PAYMENT: u16 = 45;
    const TAB_SETTLED: u16 = 46;
    const MERCHANT_WANTED: u16 = 48;
    const MERCHANT_CERTIFIED: u16 = 49;
    const PROMISE: u16 = 44;

    /// Whether it is a line in a conversation (and so has an order and is receipted), or a word between nodes.
    /// An unknown kind below 16 is a line: kinds 1 to 15 are kept for lines, and what is unknown from 48 upwards is one.
    #[must_use]
    pub const fn is_shown(&self) -> bool {
        match self {
            Self::Text(_)
            | Self::Sticker(_)
            | Self::Location(_)
            | Self::Payment(_)
            | Self::PaymentRequest(_)
            | Self::TabPayment(_) => true,
            Self::Unknown { kind, .. } => *kind < 16 || *kind >= 48,
            Self::Receipt(_)
            | Self::Request(_)
            | Self::Accept(_)
            | Self::Decline
            | Self::NeedReinit(_)
            | Self::Reach(_)
            | Self::Mailboxes(_)
            | Self::Serving(_)
            | Self::TokensWanted(_)
            | Self::TokensIssued(_)
            | Self::Currency(_)
            | Self::AccountWanted(_)
            | Self::PayTo(_)
            | Self::TabSettled(_) => false,
            Self::Promise(_) | Self::MerchantWanted(_) | Self::MerchantCertified(_) => false,
        }
    }

    fn encode(&self) -> (u16, Vec<u8>) {
        match self {
            Self::Text(text) => (Self::TEXT, codec::to_cbor(text)),
            Self::Sticker(sticker) => (Self::STICKER, codec::to_cbor(sticker)),
            Self::Location(place) => (Self::LOCATION, codec::to_cbor(place)),
            Self::Payment(payment) => (Self::PAYMENT, codec::to_cbor(payment)),
            Self::PaymentRequest(request) => (Self::PAYMENT_REQUEST, codec::to_cbor(request)),
            Self::Receipt(receipt) => (Self::RECEIPT, codec::to_cbor(receipt)),
            Self::Request(request) => (Self::REQUEST, codec::to_cbor(request)),
            Self::Accept(accept) => (Self::ACCEPT, codec::to_cbor(accept)),
            Self::Decline => (Self::DECLINE, codec::to_cbor(&Nothing {})),
            Self::NeedReinit(need) => (Self::NEED_REINIT, codec::to_cbor(need)),
            Self::Reach(reach) => (Self::REACH, codec::to_cbor(reach)),
            Self::Mailboxes(mailboxes) => (Self::MAILBOXES, codec::to_cbor(mailboxes)),
            Self::Serving(serving) => (Self::SERVING, codec::to_cbor(serving)),
            Self::TokensWanted(wanted) => (Self::TOKENS_WANTED, codec::to_cbor(wanted)),
            Self::TokensIssued(issued) => (Self::TOKENS_ISSUED, codec::to_cbor(issued)),
            Self::Currency(card) => (Self::CURRENCY, codec::to_cbor(card)),
            Self::AccountWanted(wanted) => (Self::ACCOUNT_WANTED, codec::to_cbor(wanted)),
            Self::PayTo(pay_to) => (Self::PAY_TO, codec::to_cbor(pay_to)),
            Self::TabPayment(payment) => (Self::TAB_PAYMENT, codec::to_cbor(payment)),
            Self::TabSettled(settled) => (Self::TAB_SETTLED, codec::to_cbor(settled)),
            Self::MerchantWanted(wanted) => (Self::MERCHANT_WANTED, codec::to_cbor(wanted)),
            Self::MerchantCertified(certified) => (Self::MERCHANT_CERTIFIED, codec::to_cbor(certified)),
            Self::Promise(promise) => (Self::PROMISE, codec::to_cbor(promise)),
            Self::Unknown { kind, body } => (*kind, body.clone()),
        }
    }

    fn decode(kind: u16, body: Vec<u8>) -> Result<Self, DecodeError> {
        const MAX: usize = limits::PLAINTEXT;
        Ok(match kind {
            Self::TEXT => Self::Text(codec::from_cbor("text", &body, MAX)?),
            Self::STICKER => Self::Sticker(codec::from_cbor("sticker", &body, MAX)?),
            Self::LOCATION => Self::Location(codec::from_cbor("location", &body, MAX)?),
            Self::PAYMENT => Self::Payment(codec::from_cbor("payment", &body, MAX)?),
            Self::PAYMENT_REQUEST => Self::PaymentRequest(codec::from_cbor("payment request", &body, MAX)?),
            Self::RECEIPT => Self::Receipt(codec::from_cbor("receipt", &body, MAX)?),
            Self::REQUEST => Self::Request(codec::from_cbor("request", &body, MAX)?),
            Self::ACCEPT => Self::Accept(codec::from_cbor("accept", &body, MAX)?),
            Self::DECLINE => {
                codec::from_cbor::<Nothing>("decline", &body, MAX)?;
                Self::Decline
            }
            Self::NEED_REINIT => Self::NeedReinit(codec::from_cbor("need reinit", &body, MAX)?),
            Self::REACH => Self::Reach(codec::from_cbor("reach", &body, MAX)?),
            Self::MAILBOXES => Self::Mailboxes(codec::from_cbor("mailboxes", &body, MAX)?),
            Self::SERVING => Self::Serving(codec::from_cbor("serving", &body, MAX)?),
            Self::TOKENS_WANTED => Self::TokensWanted(codec::from_cbor("tokens wanted", &body, MAX)?),
            Self::TOKENS_ISSUED => Self::TokensIssued(codec::from_cbor("tokens issued", &body, MAX)?),
            Self::CURRENCY => Self::Currency(codec::from_cbor("currency", &body, MAX)?),
            Self::ACCOUNT_WANTED => Self::AccountWanted(codec::from_cbor("account wanted", &body, MAX)?),
            Self::PAY_TO => Self::PayTo(codec::from_cbor("pay to", &body, MAX)?),
            Self::TAB_PAYMENT => Self::TabPayment(codec::from_cbor("tab payment", &body, MAX)?),
            Self::TAB_SETTLED => Self::TabSettled(codec::from_cbor("tab settled", &body, MAX)?),
            Self::MERCHANT_WANTED => Self::MerchantWanted(codec::from_cbor("merchant wanted", &body, MAX)?),
            Self::MERCHANT_CERTIFIED => Self::MerchantCertified(codec::from_cbor("merchant certified", &body, MAX)?),
            Self::PROMISE => Self::Promise(codec::from_cbor("promise", &body, MAX)?),
            kind => Self::Unknown { kind, body },
        })
    }
}

impl Content {
    /// Reads a content.
    ///
    /// # Errors
    /// [`DecodeError`]; a kind that is not known is no error.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let raw: ContentBytes = codec::from_cbor("content", bytes, limits::PLAINTEXT)?;
        Ok(Self {
            id: raw.id,
            conversation: raw.conversation,
            sent_at: raw.sent_at,
            lamport: raw.lamport,
            body: Body::decode(raw.kind, raw.body)?,
        })
    }

    /// The bytes inside a [`Plaintext`].
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (kind, body) = self.body.encode();
        codec::to_cbor(&ContentBytes {
            id: self.id,
            conversation: self.conversation,
            sent_at: self.sent_at,
            lamport: self.lamport,
            kind,
            body,
        })
    }
}
