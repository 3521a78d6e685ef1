//! Entries: what an account's writer signs, one after the other (docs/protocol/11-ledger.md, section 4).
//!
//! A [`Header`] is all that strangers see; the [`Body`] has the money and goes to witnesses and payees. The hash of the
//! header names the entry: no signature is in it, so that nobody makes a second name of one entry by altering one (E5).

use kinfolk_wire::codec::{self, DecodeError, Reader, from_cbor_canonical, to_cbor};
use kinfolk_wire::ids::{AccountId, BodyHash, CurrencyId, EntryHash, KeyHash, NoteHash, Signature, StateHash, Vk};
use kinfolk_wire::time::Timestamp;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

use crate::amount::Amount;
use crate::domain::Domain;
use crate::escrow::{Proposer, Tab, TabEntry, Terms};
use crate::inception::{Inception, Recovery};
use crate::limits;
use crate::signature::{SecretKey, Unverified};
use crate::signatures::Signatures;

/// The version of headers that this program writes and reads.
pub const VERSION: u8 = 1;

/// Where an entry stands in its chain, and the hash of what it does. On the wire a layout of [`Header::LENGTH`] bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The currency.
    pub currency: CurrencyId,
    /// The policy in force.
    pub epoch: u32,
    /// The account.
    pub chain: AccountId,
    /// Counts its entries from 0.
    pub seq: u64,
    /// The entry before; zeros for the first.
    pub prev: EntryHash,
    /// Counts its writers from 0: by which of them it is.
    pub key_seq: u32,
    /// What it does.
    pub body: BodyHash,
}

impl Header {
    /// Bytes of a header.
    pub const LENGTH: usize = 145;
    /// What stands before the first entry.
    pub const NOTHING_BEFORE: EntryHash = EntryHash::new([0; 32]);

    /// The layout.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        [
            &[VERSION][..],
            self.currency.as_bytes(),
            &self.epoch.to_be_bytes(),
            self.chain.as_bytes(),
            &self.seq.to_be_bytes(),
            self.prev.as_bytes(),
            &self.key_seq.to_be_bytes(),
            self.body.as_bytes(),
        ]
        .concat()
    }

    /// Reads the layout.
    ///
    /// # Errors
    /// [`DecodeError`], also for an unknown version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("header", bytes);
        let version = reader.u8()?;
        if version != VERSION {
            return Err(DecodeError::UnknownVersion { what: "header", found: version.into() });
        }
        let header = Self {
            currency: CurrencyId::new(reader.array()?),
            epoch: reader.u32()?,
            chain: AccountId::new(reader.array()?),
            seq: reader.u64()?,
            prev: EntryHash::new(reader.array()?),
            key_seq: reader.u32()?,
            body: BodyHash::new(reader.array()?),
        };
        reader.finish()?;
        Ok(header)
    }

    /// The name of the entry.
    #[must_use]
    pub fn hash(&self) -> EntryHash {
        EntryHash::new(Domain::Entry.hash(&self.to_bytes()))
    }

    /// Where it stands.
    #[must_use]
    pub const fn position(&self) -> Position {
        let Self { currency, epoch, chain, seq, prev, key_seq, body: _ } = *self;
        Position { currency, epoch, chain, seq, prev, key_seq }
    }
}

impl<C> Encode<C> for Header {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        e.bytes(&self.to_bytes())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Header {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        Self::from_bytes(d.bytes()?).map_err(|_| decode::Error::message("not a header"))
    }
}

/// What an entry does.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Body {
    /// When its writer made it, by their clock; for display, and never far ahead.
    #[n(0)]
    pub ts: Timestamp,
    /// Random, so that nobody who has the header finds the amount by trying amounts.
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub blind: [u8; 16],
    /// What came in and is taken now: ascending, at most [`limits::CLAIMS`].
    #[n(2)]
    #[cbor(decode_with = "decode_claims")]
    pub claims: Vec<Claim>,
    /// What goes out, at most [`limits::OUTS`].
    #[n(3)]
    #[cbor(decode_with = "decode_outs")]
    pub outs: Vec<Out>,
    /// What else it does.
    #[n(4)]
    pub ctl: Option<Ctl>,
    /// The hash of a memo and its salt, which travel beside it ([`memo_hash`](crate::receipt_file::memo_hash)).
    #[n(5)]
    pub memo_hash: Option<NoteHash>,
}

fn decode_claims<C>(d: &mut Decoder<'_>, c: &mut C) -> Result<Vec<Claim>, decode::Error> {
    codec::bounded_list(d, c, limits::CLAIMS)
}

fn decode_outs<C>(d: &mut Decoder<'_>, c: &mut C) -> Result<Vec<Out>, decode::Error> {
    codec::bounded_list(d, c, limits::OUTS)
}

impl Body {
    /// What a header names it by.
    #[must_use]
    pub fn hash(&self) -> BodyHash {
        BodyHash::new(Domain::Body.hash(&to_cbor(self)))
    }
}

/// What money may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Class {
    /// Cash: goes anywhere.
    #[n(0)]
    Free,
    /// From a card: goes to merchants that the issuer certified, and is cash once they claim it.
    #[n(1)]
    Card,
}

/// Names one output: the entry it is in, and its place there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(array)]
pub struct OutRef {
    /// The payer's chain.
    #[n(0)]
    pub chain: AccountId,
    /// The entry's place in it.
    #[n(1)]
    pub seq: u64,
    /// The output's place in the entry, less than [`limits::OUTS`].
    #[n(2)]
    pub idx: u8,
}

/// Takes what an output brought. It repeats the output's amount, so that a chain's balances follow from the chain alone;
/// witnesses compare it with the output before they vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(array)]
pub struct Claim {
    /// The output.
    #[n(0)]
    pub out: OutRef,
    /// The class that it is once claimed, see [`Out::class_once_claimed`].
    #[n(1)]
    pub class: Class,
    /// The output's amount.
    #[n(2)]
    pub amt: Amount,
}

/// Money on its way to one account, which alone can claim it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Out {
    /// Who can claim it.
    #[n(0)]
    pub to: Destination,
    /// As what it is paid.
    #[n(1)]
    pub class: Class,
    /// How much.
    #[n(2)]
    pub amt: Amount,
    /// Of what it is a refund.
    #[n(3)]
    pub refund_of: Option<OutRef>,
    /// The hash of the invoice that it pays.
    #[n(4)]
    pub invoice: Option<NoteHash>,
    /// What lets the payee take card money.
    #[n(5)]
    pub merchant: Option<MerchantCert>,
}

impl Out {
    /// A plain payment in cash.
    #[must_use]
    pub const fn cash(to: AccountId, amt: Amount) -> Self {
        let to = Destination::Account(to);
        Self { to, class: Class::Free, amt, refund_of: None, invoice: None, merchant: None }
    }

    /// What it is to whoever claims it: a merchant's card money is cash, everybody else's is what it was.
    #[must_use]
    pub const fn class_once_claimed(&self) -> Class {
        if self.merchant.is_some() { Class::Free } else { self.class }
    }

    /// What the payer pays it from: a refund always from cash, since a merchant has nothing else.
    #[must_use]
    pub const fn from_class(&self) -> Class {
        if self.refund_of.is_some() { Class::Free } else { self.class }
    }
}

/// Where an output goes. Another kind than these is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Destination {
    /// To an account.
    #[n(0)]
    Account(#[n(0)] AccountId),
    /// To a chain of its own, on these terms.
    #[n(1)]
    Escrow(#[n(0)] Terms),
}

/// The issuer's word that an account is a merchant's, which stands in an output to that account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct MerchantCert {
    /// Until when, by the witnesses' clocks.
    #[n(0)]
    pub expires: Timestamp,
    /// The issuer's signature over currency, account and expiry.
    #[n(1)]
    pub signature: Signature,
}

impl MerchantCert {
    /// Certifies an account.
    #[must_use]
    pub fn sign(issuer: &SecretKey, currency: CurrencyId, account: AccountId, expires: Timestamp) -> Self {
        let signature = issuer.sign(Domain::Merchant, &Self::message(currency, account, expires));
        Self { expires, signature }
    }

    /// The certificate of this account, as far as its issuer's signature is genuine.
    pub fn unverified(self, issuer: &Vk, currency: CurrencyId, account: AccountId) -> Unverified<Self> {
        let message = Self::message(currency, account, self.expires);
        Unverified::new(self).signed(issuer, Domain::Merchant, &message, &self.signature)
    }

    fn message(currency: CurrencyId, account: AccountId, expires: Timestamp) -> Vec<u8> {
        [&currency.as_bytes()[..], account.as_bytes(), &expires.as_millis().to_be_bytes()].concat()
    }
}

/// What an entry does beside moving money.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Ctl {
    /// Begins the chain; in its first entry and no other.
    #[n(0)]
    Open(#[n(0)] Inception),
    /// Hands the account to another key.
    #[n(1)]
    Rotate {
        /// The writer from the next entry on.
        #[n(0)]
        writer: Vk,
        /// The hash of the one after it.
        #[n(1)]
        next: KeyHash,
    },
    /// The outputs of this entry are new money of this class; by the issuer only.
    #[n(2)]
    Mint {
        /// The class.
        #[n(0)]
        class: Class,
    },
    /// Cash of the issuer's account ends here; by the issuer only.
    #[n(3)]
    Burn {
        /// How much.
        #[n(0)]
        amt: Amount,
    },
    /// The state before this entry has this hash: whoever has both needs nothing older. It may move money as well.
    #[n(4)]
    Checkpoint {
        /// The hash of that state.
        #[n(0)]
        state_root: StateHash,
    },
    /// Does something with a tab; in entries of its chain and no other.
    #[n(5)]
    Tab(#[n(0)] TabEntry),
}

/// Who stands behind an entry.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Approval {
    /// The account's writer.
    #[n(0)]
    Writer(#[n(0)] Signature),
    /// The recovery quorum, which may rotate the key and nothing else.
    #[n(1)]
    Recovery(#[n(0)] Signatures),
}

/// A header, its approval and its body, which belong together: the header names the body's hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    parts: Parts,
    hash: EntryHash,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
struct Parts {
    #[n(0)]
    header: Header,
    #[n(1)]
    approval: Approval,
    #[n(2)]
    body: Body,
}

/// Where an entry is to stand: everything of a header but the hash of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The currency.
    pub currency: CurrencyId,
    /// The policy in force.
    pub epoch: u32,
    /// The account.
    pub chain: AccountId,
    /// Counts its entries from 0.
    pub seq: u64,
    /// The entry before.
    pub prev: EntryHash,
    /// Counts its writers from 0.
    pub key_seq: u32,
}

impl Position {
    fn header(self, body: &Body) -> Header {
        let Self { currency, epoch, chain, seq, prev, key_seq } = self;
        Header { currency, epoch, chain, seq, prev, key_seq, body: body.hash() }
    }
}

impl Entry {
    /// Signs a body as the writer of a chain.
    ///
    /// Whoever signs two for one place loses the account to the proof of it: the first must be on the disk before it
    /// leaves.
    #[must_use]
    pub fn sign(at: Position, body: Body, writer: &SecretKey) -> Self {
        let header = at.header(&body);
        let approval = Approval::Writer(writer.sign(Domain::Entry, &header.to_bytes()));
        Self::new(Parts { header, approval, body })
    }

    /// Signs a body as the recovery quorum: each key with its place in [`Recovery::keys`].
    #[must_use]
    pub fn sign_as_recovery(at: Position, body: Body, keys: &[(u8, &SecretKey)]) -> Self {
        let header = at.header(&body);
        let bytes = header.to_bytes();
        let signatures = keys.iter().map(|(place, key)| (*place, key.sign(Domain::Entry, &bytes)));
        let approval = Approval::Recovery(Signatures::new(signatures));
        Self::new(Parts { header, approval, body })
    }

    fn new(parts: Parts) -> Self {
        let hash = parts.header.hash();
        Self { parts, hash }
    }

    /// Reads an entry of at most [`limits::BODY`] bytes and its header.
    ///
    /// # Errors
    /// [`DecodeError`], also where header and body do not belong together.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        from_cbor_canonical("entry", bytes, limits::BODY)
    }

    /// The bytes on the wire.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        to_cbor(self)
    }

    /// Where it stands.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.parts.header
    }

    /// Who stands behind it.
    #[must_use]
    pub const fn approval(&self) -> &Approval {
        &self.parts.approval
    }

    /// What it does.
    #[must_use]
    pub const fn body(&self) -> &Body {
        &self.parts.body
    }

    /// Its name.
    #[must_use]
    pub const fn hash(&self) -> EntryHash {
        self.hash
    }

    /// Its header with its writer's signature, if that is who approved it.
    #[must_use]
    pub const fn signed_header(&self) -> Option<SignedHeader> {
        match &self.parts.approval {
            Approval::Writer(signature) => Some(SignedHeader { header: self.parts.header, signature: *signature }),
            Approval::Recovery(_) => None,
        }
    }

    /// The entry as far as the signatures of its approval are genuine and, for a recovery, enough.
    ///
    /// Nothing if the recovery quorum did not sign in sufficient number, or with a key that it has not.
    #[must_use]
    pub fn approved_by(self, writer: &Vk, recovery: &Recovery) -> Option<Unverified<ApprovedEntry>> {
        let bytes = self.parts.header.to_bytes();
        let approval = self.parts.approval.clone();
        let entry = Unverified::new(ApprovedEntry(self));
        match approval {
            Approval::Writer(signature) => Some(entry.signed(writer, Domain::Entry, &bytes, &signature)),
            Approval::Recovery(signatures) => recovery.signed(entry, Domain::Entry, &bytes, &signatures),
        }
    }

    /// The entry of a tab as far as the signatures of its proposer and of its voucher are genuine; nothing if it is none
    /// of a tab, or of no proposer.
    #[must_use]
    pub fn approved_by_proposer(self, tab: &Tab) -> Option<Unverified<ApprovedEntry>> {
        let (Approval::Writer(signature), Some(Ctl::Tab(done))) = (&self.parts.approval, &self.parts.body.ctl) else {
            return None;
        };
        let key = tab.key(Proposer::at(self.parts.header.key_seq)?);
        let (bytes, signature, voucher) = (self.parts.header.to_bytes(), *signature, done.act.voucher().copied());
        let entry = Unverified::new(ApprovedEntry(self)).signed(key, Domain::Entry, &bytes, &signature);
        Some(match voucher {
            Some(voucher) => entry.and(&voucher.unverified(&tab.voucher_key)),
            None => entry,
        })
    }
}

impl Recovery {
    /// Adds the quorum's signatures to what is to be verified; nothing if there are too few, or one of nobody.
    pub(crate) fn signed<T>(
        &self,
        value: Unverified<T>,
        domain: Domain,
        bytes: &[u8],
        signatures: &Signatures,
    ) -> Option<Unverified<T>> {
        if self.k == 0 || signatures.len() < usize::from(self.k) {
            return None;
        }
        signatures.iter().try_fold(value, |value, (place, signature)| {
            let key = self.keys.get(usize::from(place))?;
            Some(value.signed(key, domain, bytes, signature))
        })
    }
}

impl<C> Encode<C> for Entry {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, c: &mut C) -> Result<(), encode::Error<W::Error>> {
        self.parts.encode(e, c)
    }
}

impl<'b, C> Decode<'b, C> for Entry {
    fn decode(d: &mut Decoder<'b>, c: &mut C) -> Result<Self, decode::Error> {
        let parts = Parts::decode(d, c)?;
        if parts.body.hash() != parts.header.body {
            return Err(decode::Error::message("header and body do not belong together"));
        }
        Ok(Self::new(parts))
    }
}

/// A header and its writer's signature: what is gossiped, and what two of make a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SignedHeader {
    /// The header.
    #[n(0)]
    pub header: Header,
    /// By the writer that the header's `key_seq` names.
    #[n(1)]
    pub signature: Signature,
}

impl SignedHeader {
    /// The header as far as it is this writer's.
    pub fn unverified(self, writer: &Vk) -> Unverified<Self> {
        Unverified::new(self).signed(writer, Domain::Entry, &self.header.to_bytes(), &self.signature)
    }
}

/// An entry whose approval was verified: its writer, or its recovery quorum, does stand behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovedEntry(Entry);

impl ApprovedEntry {
    /// The entry.
    #[must_use]
    pub const fn entry(&self) -> &Entry {
        &self.0
    }

    /// The entry itself.
    #[must_use]
    pub fn into_entry(self) -> Entry {
        self.0
    }
}
