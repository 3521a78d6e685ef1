//! Every size and count that the protocol has, each with its reason. Bytes unless the name says otherwise.

use crate::time::Span;

/// A text message: a long letter, and it still fits one payload with its padding.
pub const TEXT: usize = 32_768;
/// A name a person gives themselves or somebody else, in bytes.
pub const NAME: usize = 256;
/// The same name in grapheme clusters: what a person would count.
pub const NAME_GRAPHEMES: usize = 64;
/// Marks upon one grapheme cluster of a name: emoji of two people take six, no script of the living needs more.
pub const NAME_MARKS: usize = 8;
/// A sticker's pack or id.
pub const STICKER_ID: usize = 64;
/// A `geo:` URI.
pub const GEO_URI: usize = 128;

/// A frame of `/kinfolk/direct/1`, after its length prefix.
pub const FRAME: usize = 65_536;
/// What is inside a frame or a blob: a message 0x11 or 0x12.
pub const PAYLOAD: usize = 65_280;
/// The plaintext of a ratchet message before padding, so that the padded message fits [`PAYLOAD`] with an `Init` and
/// both post-quantum parts in its header in front of it.
pub const PLAINTEXT: usize = 57_344;
/// The longest header of a ratchet message, sealed: fixed part, ML-KEM key, ML-KEM ciphertext, tag.
pub const SEALED_HEADER: usize = 53 + 1_184 + 1_088 + 16;

/// A `kinfolk:` link, in characters: what a QR code of moderate size still carries.
pub const INVITE_LINK: usize = 1_400;
/// Addresses in an invite or a record.
pub const ADDRESSES: usize = 8;
/// One address, as text.
pub const ADDRESS: usize = 256;

/// Entries of a sigchain: one person's devices over a life.
pub const SIGCHAIN_ENTRIES: usize = 1_024;
/// A genesis or an entry of a sigchain.
pub const SIGCHAIN_ENTRY: usize = 1_024;
/// Parents an entry may name.
pub const PARENTS: usize = 16;
/// An encrypted device name.
pub const SEALED_NAME: usize = 320;
/// Devices of one person.
pub const DEVICES: usize = 16;

/// Ids in one receipt: a batch.
pub const RECEIPT_IDS: usize = 256;
/// Digests in one request to start a session anew.
pub const REINIT_DIGESTS: usize = 64;
/// Ranges in one acknowledgement.
pub const ACK_RANGES: usize = 64;
/// Frames that may wait for their acknowledgement on one stream.
pub const STREAM_WINDOW: u32 = 1_024;

/// Hosts that a person may name for what is sent to them.
pub const MAILBOX_HOSTS: usize = 5;
/// Hosts that an envelope goes to.
pub const MAILBOX_COPIES: usize = 3;
/// Tokens handed over in one message.
pub const TOKENS_AT_ONCE: usize = 256;

/// Nesting of CBOR that is still read; ours goes to 4.
pub const CBOR_DEPTH: usize = 16;

/// How far a lamport number may jump in one message: far beyond any honest conversation, far from the end of u64.
pub const LAMPORT_JUMP: u64 = 1 << 32;

/// How long the outbox tries before it says "not delivered".
pub const OUTBOX_LIFETIME: Span = Span::from_days(30);

/// A signed policy of a currency, bytes.
pub const POLICY: usize = 4_096;
/// Witnesses of a currency.
pub const WITNESSES: usize = 31;
/// A link to a currency, characters: a policy and the addresses of its witnesses.
pub const CURRENCY_LINK: usize = 49_152;
/// What an invoice says, bytes: with its signature a link of it fits a QR code that a phone reads from a screen.
pub const INVOICE: usize = 700;
/// What an invoice is for, bytes.
pub const INVOICE_MEMO: usize = 400;
/// A link to an invoice, characters.
pub const INVOICE_LINK: usize = 1_200;
/// An entry of the ledger with its certificate, bytes.
pub const LEDGER_RECEIPT: usize = 20_480;
/// A voucher of a tab as the ledger encodes it, bytes.
pub const TAB_VOUCHER: usize = 256;
/// A payment that is not certified yet, and what lets its payee judge it, as the ledger encodes it.
pub const PROMISE: usize = 49_152;
