//! Escrow chains: money that more than one may move (docs/protocol/11-ledger.md, the section on escrow chains).
//!
//! An output of an account may go to [`Terms`] and not to an account. What it funds is a chain of its own, whose id is
//! the hash of the terms and of the output ([`Opening::chain`]): so it is funded once, by this output and no other, and
//! nobody else can claim that. Several may propose its entries, so none of them is anybody's alone to order: there is
//! no ballot 0, and each place is agreed upon by the ballots of [`slot`](crate::slot). Ballot `b` belongs to one of the
//! [`proposers`](Tab::proposer), ballot 1 needs no promise before it, and every certificate is of mode ordered. What an
//! entry of the chain pays out is claimed like any other output.
//!
//! The only terms yet are a *tab's*: the payer puts cash aside for one payee, and then pays by [`Voucher`], each for a
//! greater sum in all, with nobody but the payee reached.
//!
//! | entry | whose | when | outputs |
//! |---|---|---|---|
//! | [`TabAct::Redeem`] | the payee's | before it expires | what the voucher has more than was redeemed, to the payee |
//! | [`TabAct::Close`] | the payee's | at any time | the same, if there is a voucher; the rest to the payer; the last |
//! | [`TabAct::Close`] | the payer's | after it expired | the same |
//!
//! # Why the payee loses nothing
//!
//! Who holds the funding entry's certificate and a voucher, and knows the policy, knows without asking anybody:
//!
//! 1. *The money is there.* The funding output is certified, so its amount has left the payer's balance; only the chain
//!    of its terms can claim it, and that follows from the output itself.
//! 2. *Nobody else takes it before it expires.* What is certified was prepared by a quorum, of which `q - f`, one at least,
//!    are correct; and until the expiry a correct witness, whose clock is wrong by [`limits::CLOCKS`] at most, prepares
//!    only what the payee's key signed. So what the chain paid out by then is what the payee redeemed.
//! 3. *What the voucher promises is redeemed once.* An entry pays the voucher's sum less what was redeemed: by growing
//!    sums, which the state of the chain keeps, so that a voucher which was lost, repeated or overtaken costs nobody
//!    anything. The last voucher is all that the payee need keep.
//! 4. *It goes through.* Ballot 1 is the payee's, needs no promises, and the payer opens no other before the expiry:
//!    one entry, asked of each witness as often as it takes, is certified as soon as a quorum has answered twice.
//!
//! So what the vouchers come to, up to the cap, is the payee's once they redeem before the expiry, with a margin for
//! clocks ([`limits::CLOCKS`]) and for a quorum to be reached. An honest payer's close pays the last voucher all the
//! same.
//!
//! # Why the payer has the rest
//!
//! After the expiry the payee opens no ballot any more, and before it none above [`limits::PAYEE_BALLOTS`], so that the
//! payer has higher ones, which nobody overtakes. The reports of a quorum bind the payer's ballot to what may have been
//! certified already, as in every recovery: that is a redeem or a close of the payee's, which the payer completes, and
//! then closes at the next place. The close pays the voucher that it names, which the payer signed, and all that is
//! left to the account that funded the tab. A payee who is gone for ever keeps nothing from the payer but time.
//!
//! # Why there are no two outcomes
//!
//! Clocks decide only what a correct witness prepares, each by its own. Whether redeem or close stands at a place is
//! decided by [`slot`](crate::slot) alone, whose argument needs no clock: with ballot 1 as the lowest there is, nothing
//! can have been certified below it, so it needs no reports; above it everything is as ever. No fast vote is ever given
//! here, and a report of one is refused, so that nobody binds a ballot to an entry by claiming one. Each entry is
//! judged on the state after the one before, so that all outputs of the chain together are what funded it, and no more.

pub mod holding;

use kinfolk_crypto::sign::is_admissible;
use kinfolk_wire::codec::{DecodeError, from_cbor_canonical, to_cbor};
use kinfolk_wire::ids::{AccountId, CurrencyId, EntryHash, NoteHash, Signature, Vk};
use kinfolk_wire::time::{Span, Timestamp};
use minicbor::{Decode, Encode};

use crate::amount::Amount;
use crate::chain::Invalid;
use crate::domain::Domain;
use crate::entry::{Approval, Body, Claim, Class, Ctl, Destination, Entry, Header, Out, OutRef, Position};
use crate::limits;
use crate::policy::LoadedPolicy;
use crate::signature::{SecretKey, Unverified};

/// On which terms money is put aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Terms {
    /// For one payee, who is paid by voucher.
    #[n(0)]
    Tab(#[n(0)] Tab),
}

/// The terms of a tab. What is left goes back to the account that funds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Tab {
    /// Who is paid.
    #[n(0)]
    pub payee: AccountId,
    /// The payee's key, which redeems.
    #[n(1)]
    pub redeemer: Vk,
    /// The payer's key, which signs vouchers, and what ends the tab.
    #[n(2)]
    pub voucher_key: Vk,
    /// Until when the payee can redeem, by the witnesses' clocks; at most [`limits::TAB`] after the entry that funds
    /// it.
    #[n(3)]
    pub expires: Timestamp,
    /// The epoch of the header that funds it: the first in which there can be an entry of its chain.
    #[n(4)]
    pub epoch: u32,
}

/// Who of the two proposes. As a number it is the place in the list of proposers, which an entry of an escrow chain has
/// as its `key_seq`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Proposer {
    /// The payer: even ballots.
    Payer,
    /// The payee: odd ballots, the first among them.
    Payee,
}

impl Proposer {
    /// Whose a ballot is.
    #[must_use]
    pub const fn of(ballot: u32) -> Self {
        if ballot & 1 == 0 { Self::Payer } else { Self::Payee }
    }

    /// The place in the list of proposers.
    #[must_use]
    pub const fn place(self) -> u8 {
        match self {
            Self::Payer => 0,
            Self::Payee => 1,
        }
    }

    pub(crate) fn at(place: u32) -> Option<Self> {
        [Self::Payer, Self::Payee].into_iter().find(|proposer| u32::from(proposer.place()) == place)
    }
}

impl Tab {
    /// The key of a proposer.
    #[must_use]
    pub const fn key(&self, proposer: Proposer) -> &Vk {
        match proposer {
            Proposer::Payer => &self.voucher_key,
            Proposer::Payee => &self.redeemer,
        }
    }

    /// The key of whom a ballot belongs to.
    #[must_use]
    pub const fn proposer(&self, ballot: u32) -> &Vk {
        self.key(Proposer::of(ballot))
    }

    /// Whether it has expired by a witness's clock, however wrong the clock is.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        now >= self.expires.after(limits::CLOCKS)
    }

    /// Whether an entry with this header and time may fund it, of an account that is not the payee's.
    pub(crate) fn check(&self, header: &Header, body: &Body) -> Result<(), TabInvalid> {
        if self.payee == header.chain {
            return Err(TabInvalid::ToItself);
        }
        if self.epoch != header.epoch {
            return Err(TabInvalid::Epoch);
        }
        if !is_admissible(self.redeemer.as_bytes()) || !is_admissible(self.voucher_key.as_bytes()) {
            return Err(TabInvalid::WeakKey);
        }
        if self.expires <= body.ts || self.expires > body.ts.after(limits::TAB) {
            return Err(TabInvalid::Expires { most: limits::TAB });
        }
        Ok(())
    }
}

/// What an escrow chain is: its terms, and the output that funds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Opening {
    /// The terms.
    #[n(0)]
    pub terms: Terms,
    /// The output to them.
    #[n(1)]
    pub funding: OutRef,
}

impl Opening {
    /// The id of the chain.
    #[must_use]
    pub fn chain(&self) -> AccountId {
        AccountId::new(Domain::Escrow.hash(&to_cbor(self)))
    }

    /// What the output of this place of an entry opens, if it goes to terms.
    #[must_use]
    pub fn of(entry: &Entry, idx: u8) -> Option<Self> {
        let Destination::Escrow(terms) = entry.body().outs.get(usize::from(idx))?.to else { return None };
        let Header { chain, seq, .. } = *entry.header();
        Some(Self { terms, funding: OutRef { chain, seq, idx } })
    }

    /// The terms, of a tab.
    #[must_use]
    pub const fn tab(&self) -> &Tab {
        let Terms::Tab(tab) = &self.terms;
        tab
    }
}

/// A payer's promise: so much in all is the payee's, of this tab.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Voucher {
    /// The tab's chain.
    #[n(0)]
    pub tab: AccountId,
    /// All that was paid by voucher, this payment included.
    #[n(1)]
    pub total: Amount,
    /// The hash of the memo of this payment, which travels beside it.
    #[n(2)]
    pub memo_hash: Option<NoteHash>,
    /// By the tab's voucher key.
    #[n(3)]
    pub signature: Signature,
}

impl Voucher {
    /// Signs a voucher. Each must be for more than those before it.
    #[must_use]
    pub fn sign(tab: AccountId, total: Amount, memo_hash: Option<NoteHash>, key: &SecretKey) -> Self {
        let signature = key.sign(Domain::Voucher, &to_cbor(&(tab, total, memo_hash)));
        Self { tab, total, memo_hash, signature }
    }

    /// Reads a voucher.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        from_cbor_canonical("voucher", bytes, limits::VOUCHER)
    }

    /// The bytes on the wire.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        to_cbor(self)
    }

    /// What a payment by this voucher is called by both sides, where other payments have the hash of their entry.
    #[must_use]
    pub fn name(&self) -> EntryHash {
        EntryHash::new(Domain::Voucher.hash(&self.encode()))
    }

    /// The voucher as far as it is signed by this key.
    pub fn unverified(self, key: &Vk) -> Unverified<Self> {
        let bytes = to_cbor(&(self.tab, self.total, self.memo_hash));
        let signature = self.signature;
        Unverified::new(self).signed(key, Domain::Voucher, &bytes, &signature)
    }
}

/// What an entry of a tab does.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct TabEntry {
    /// What the chain is; in its first entry and no other.
    #[n(0)]
    pub opening: Option<Opening>,
    /// What is done.
    #[n(1)]
    pub act: TabAct,
}

/// What is done with a tab.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum TabAct {
    /// The payee takes what the voucher has more than was redeemed.
    #[n(0)]
    Redeem(#[n(0)] Voucher),
    /// The tab ends: what the voucher has more goes to the payee, the rest to the payer.
    #[n(1)]
    Close(#[n(0)] Option<Voucher>),
}

impl TabAct {
    /// The voucher that it cites.
    #[must_use]
    pub const fn voucher(&self) -> Option<&Voucher> {
        match self {
            Self::Redeem(voucher) | Self::Close(Some(voucher)) => Some(voucher),
            Self::Close(None) => None,
        }
    }
}

/// Why an output may not go to a tab, or an entry of a tab may not stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TabInvalid {
    /// For oneself.
    #[error("a tab is for another account than the one that funds it")]
    ToItself,
    /// Of another epoch.
    #[error("a tab's terms name the epoch of the entry that funds it")]
    Epoch,
    /// A key that nobody made.
    #[error("a key of the tab is not one that somebody could have made")]
    WeakKey,
    /// For too long, or over already.
    #[error("a tab expires after it is funded, and at most {} days later", .most.as_millis() / 86_400_000)]
    Expires {
        /// The longest.
        most: Span,
    },
    /// Not cash, or with something that only payments have.
    #[error("a tab is funded with plain cash")]
    NotCash,
    /// An entry of an account that is none of an escrow chain, or the other way round.
    #[error("the entry is not one of an escrow chain")]
    Chain,
    /// The first entry says what the chain is, claims what funds it, and no other does.
    #[error("the first entry of a tab opens it with what funds it, and no other does")]
    Opening,
    /// Not by a proposer whose act that is.
    #[error("that is not this proposer's to do")]
    Proposer,
    /// It is closed.
    #[error("the tab is closed")]
    Closed,
    /// A voucher of another tab.
    #[error("the voucher is of another tab")]
    Voucher,
    /// A voucher for no more than was redeemed.
    #[error("the voucher is for {total} in all, and {redeemed} were redeemed already")]
    Redeemed {
        /// The voucher's.
        total: u64,
        /// What was.
        redeemed: u64,
    },
    /// A voucher for more than there is.
    #[error("the voucher is for {total}, the tab was funded with {funded}")]
    OverCap {
        /// The voucher's.
        total: u64,
        /// What there was.
        funded: u64,
    },
    /// Other outputs than those that follow from the voucher.
    #[error("the outputs are not those that follow from the voucher")]
    Outs,
}

/// A tab after some of its entries.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct TabState {
    #[n(0)]
    currency: CurrencyId,
    #[n(1)]
    chain: AccountId,
    #[n(2)]
    seq: u64,
    #[n(3)]
    head: EntryHash,
    #[n(4)]
    opening: Opening,
    /// What funded it.
    #[n(5)]
    funded: Amount,
    #[n(6)]
    redeemed: u64,
    #[n(7)]
    closed: bool,
}

/// What an entry will do to a tab that it was tried on.
#[derive(Debug, Clone)]
pub struct TabChange {
    head: EntryHash,
    seq: u64,
    redeemed: u64,
    closed: bool,
}

impl TabState {
    /// A tab before its first entry, funded with so much.
    #[must_use]
    pub fn new(currency: CurrencyId, opening: Opening, funded: Amount) -> Self {
        let (chain, head) = (opening.chain(), Header::NOTHING_BEFORE);
        Self { currency, chain, seq: 0, head, opening, funded, redeemed: 0, closed: false }
    }

    /// The tab before its first entry, as that entry opens it.
    ///
    /// # Errors
    /// [`Invalid`] if it opens another, or nothing.
    pub fn before(entry: &Entry, policy: &LoadedPolicy) -> Result<Self, Invalid> {
        let Some(Ctl::Tab(TabEntry { opening: Some(opening), .. })) = entry.body().ctl else {
            return Err(TabInvalid::Opening.into());
        };
        let [claim] = entry.body().claims[..] else { return Err(TabInvalid::Opening.into()) };
        let state = Self::new(policy.currency(), opening, claim.amt);
        if entry.header().chain != state.chain {
            return Err(TabInvalid::Chain.into());
        }
        Ok(state)
    }

    /// Tries an entry at the next place: everything that can be judged by this chain alone.
    ///
    /// # Errors
    /// [`Invalid`].
    pub fn try_entry(&self, entry: &Entry, policy: &LoadedPolicy) -> Result<TabChange, Invalid> {
        let (header, body) = (entry.header(), entry.body());
        self.check_place(header, policy)?;
        let Some(Ctl::Tab(TabEntry { opening, act })) = &body.ctl else { return Err(TabInvalid::Chain.into()) };
        let (first, opens) = (self.opening_of_first(), (*opening, &body.claims[..]));
        let is_opening = opens == (first.map(|(opening, _)| opening), first.as_ref().map_or(&[], |(_, claim)| claim));
        if !is_opening || body.memo_hash.is_some() {
            return Err(TabInvalid::Opening.into());
        }
        let is_writers = matches!(entry.approval(), Approval::Writer(_));
        match (Proposer::at(header.key_seq), act) {
            (Some(Proposer::Payee), _) | (Some(Proposer::Payer), TabAct::Close(_)) if is_writers => {}
            _ => return Err(TabInvalid::Proposer.into()),
        }
        if self.closed {
            return Err(TabInvalid::Closed.into());
        }
        let redeemed = self.redeemed_after(act)?;
        if body.outs != self.outs(act, redeemed) {
            return Err(TabInvalid::Outs.into());
        }
        let closed = matches!(act, TabAct::Close(_)) || redeemed == self.funded.units();
        Ok(TabChange { head: entry.hash(), seq: self.seq.checked_add(1).ok_or(Invalid::Exhausted)?, redeemed, closed })
    }

    /// Does what was tried.
    pub const fn apply(&mut self, change: &TabChange) {
        let TabChange { head, seq, redeemed, closed } = *change;
        (self.head, self.seq, self.redeemed, self.closed) = (head, seq, redeemed, closed);
    }

    fn check_place(&self, header: &Header, policy: &LoadedPolicy) -> Result<(), Invalid> {
        if header.currency != self.currency || header.currency != policy.currency() {
            return Err(Invalid::Currency);
        }
        let first = self.opening.tab().epoch;
        if header.epoch != policy.epoch() || header.epoch < first {
            return Err(Invalid::Epoch { expected: policy.epoch().max(first), found: header.epoch });
        }
        if header.chain != self.chain {
            return Err(Invalid::Chain);
        }
        if header.seq != self.seq {
            return Err(Invalid::Seq { expected: self.seq, found: header.seq });
        }
        if header.prev != self.head {
            return Err(Invalid::Prev);
        }
        Ok(())
    }

    /// What the next entry says of the beginning, where it is the first.
    fn opening_of_first(&self) -> Option<(Opening, [Claim; 1])> {
        let claim = Claim { out: self.opening.funding, class: Class::Free, amt: self.funded };
        (self.seq == 0).then_some((self.opening, [claim]))
    }

    fn redeemed_after(&self, act: &TabAct) -> Result<u64, TabInvalid> {
        let Some(voucher) = act.voucher() else { return Ok(self.redeemed) };
        let (total, redeemed, funded) = (voucher.total.units(), self.redeemed, self.funded.units());
        if voucher.tab != self.chain {
            return Err(TabInvalid::Voucher);
        }
        // A close may name the voucher that was redeemed last.
        if total < redeemed || (total == redeemed && matches!(act, TabAct::Redeem(_))) {
            return Err(TabInvalid::Redeemed { total, redeemed });
        }
        if total > funded { Err(TabInvalid::OverCap { total, funded }) } else { Ok(total) }
    }

    /// The outputs that follow from what is done: the payee's first.
    fn outs(&self, act: &TabAct, redeemed: u64) -> Vec<Out> {
        let to_payee = redeemed.saturating_sub(self.redeemed);
        let to_payer = match act {
            TabAct::Redeem(_) => 0,
            TabAct::Close(_) => self.funded.units().saturating_sub(redeemed),
        };
        let outs = [(self.opening.tab().payee, to_payee), (self.opening.funding.chain, to_payer)];
        // Of nothing there is no amount, and no output.
        outs.into_iter().filter_map(|(to, units)| Amount::new(units).ok().map(|amt| Out::cash(to, amt))).collect()
    }

    /// Signs what is done as the next entry of the chain.
    ///
    /// # Errors
    /// [`Invalid`] if it may not stand there.
    pub fn sign(&self, by: Proposer, act: TabAct, at: Stamp<'_>, key: &SecretKey) -> Result<Entry, Invalid> {
        let redeemed = self.redeemed_after(&act)?;
        let outs = self.outs(&act, redeemed);
        let (opening, claims) =
            self.opening_of_first().map_or((None, Vec::new()), |(opening, claim)| (Some(opening), claim.to_vec()));
        let ctl = Some(Ctl::Tab(TabEntry { opening, act }));
        let body = Body { ts: at.now, blind: at.blind, claims, outs, ctl, memo_hash: None };
        let position = Position {
            currency: self.currency,
            epoch: at.policy.epoch(),
            chain: self.chain,
            seq: self.seq,
            prev: self.head,
            key_seq: by.place().into(),
        };
        let entry = Entry::sign(position, body, key);
        self.try_entry(&entry, at.policy)?;
        Ok(entry)
    }

    /// The chain.
    #[must_use]
    pub const fn chain(&self) -> AccountId {
        self.chain
    }

    /// The place of the next entry.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        self.seq
    }

    /// The last entry; zeros before the first.
    #[must_use]
    pub const fn head(&self) -> EntryHash {
        self.head
    }

    /// What the chain is.
    #[must_use]
    pub const fn opening(&self) -> &Opening {
        &self.opening
    }

    /// What funded it.
    #[must_use]
    pub const fn funded(&self) -> Amount {
        self.funded
    }

    /// What was redeemed, in smallest units.
    #[must_use]
    pub const fn redeemed(&self) -> u64 {
        self.redeemed
    }

    /// Whether it has ended: by a close, or because all of it was redeemed.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// What is still in it, in smallest units.
    #[must_use]
    pub const fn left(&self) -> u64 {
        if self.closed { 0 } else { self.funded.units().saturating_sub(self.redeemed) }
    }
}

/// When an entry of a tab is made, under which policy, and random bytes.
#[derive(Debug, Clone, Copy)]
pub struct Stamp<'a> {
    /// By the maker's clock.
    pub now: Timestamp,
    /// Random.
    pub blind: [u8; 16],
    /// The policy in force.
    pub policy: &'a LoadedPolicy,
}
