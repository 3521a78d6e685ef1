//! Votes and certificates (docs/protocol/11-ledger.md, sections 5 and 6).
//!
//! A witness says a [`Statement`] of one slot; signed it is a [`Vote`]. Votes of a quorum for one entry are a [`Cert`]
//! (phase fast or commit), which makes the entry final, or a [`PrepCert`] (phase prepare), on which it may be locked.

use kinfolk_wire::codec::{DecodeError, Reader, from_cbor_canonical, to_cbor};
use kinfolk_wire::ids::{AccountId, CurrencyId, EntryHash, Signature};
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};
use rand_core::CryptoRng;

use crate::domain::Domain;
use crate::entry::{Entry, Header};
use crate::limits;
use crate::policy::{LoadedPolicy, Policies};
use crate::signature::{SecretKey, Unverified, verify_batch};
use crate::signatures::Signatures;

/// One place of one chain under one policy: what the witnesses agree upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(array)]
pub struct SlotId {
    /// The currency.
    #[n(0)]
    pub currency: CurrencyId,
    /// The policy in force.
    #[n(1)]
    pub epoch: u32,
    /// The chain.
    #[n(2)]
    pub chain: AccountId,
    /// The place.
    #[n(3)]
    pub seq: u64,
}

impl SlotId {
    /// Where an entry with this header stands.
    #[must_use]
    pub const fn of(header: &Header) -> Self {
        Self { currency: header.currency, epoch: header.epoch, chain: header.chain, seq: header.seq }
    }

    /// The same place under the policy of another epoch.
    #[must_use]
    pub const fn in_epoch(self, epoch: u32) -> Self {
        Self { epoch, ..self }
    }

    /// Whether an entry with this header may be voted for here: it stands at this place, and names this epoch or one before.
    #[must_use]
    pub fn takes(&self, header: &Header) -> bool {
        Self::of(header).in_epoch(self.epoch) == *self && header.epoch <= self.epoch
    }
}

/// What a vote is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Ballot 0: the entry that the witness saw first.
    Fast,
    /// A later ballot: the entry that the reports admit.
    Prepare,
    /// A later ballot: the entry that a quorum prepared.
    Commit,
}

impl Phase {
    /// All of them, each at the place of its byte.
    pub const ALL: [Self; 3] = [Self::Fast, Self::Prepare, Self::Commit];

    const fn byte(self) -> u8 {
        match self {
            Self::Fast => 0,
            Self::Prepare => 1,
            Self::Commit => 2,
        }
    }
}

/// What a vote says. On the wire a layout of [`Statement::LENGTH`] bytes, which is what is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statement {
    /// Of which slot.
    pub slot: SlotId,
    /// In which ballot.
    pub ballot: u32,
    /// In which phase.
    pub phase: Phase,
    /// For which entry.
    pub entry: EntryHash,
}

impl Statement {
    /// The fast vote for an entry in the epoch that its header names.
    #[must_use]
    pub const fn fast(entry: &Entry) -> Self {
        Self { slot: SlotId::of(entry.header()), ballot: 0, phase: Phase::Fast, entry: entry.hash() }
    }

    /// Bytes of a statement.
    pub const LENGTH: usize = 113;

    /// The layout.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        [
            &self.slot.currency.as_bytes()[..],
            &self.slot.epoch.to_be_bytes(),
            self.slot.chain.as_bytes(),
            &self.slot.seq.to_be_bytes(),
            &self.ballot.to_be_bytes(),
            &[self.phase.byte()],
            self.entry.as_bytes(),
        ]
        .concat()
    }

    /// Reads the layout.
    ///
    /// # Errors
    /// [`DecodeError`], also for a phase that there is not, or not in that ballot.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("vote", bytes);
        let slot = SlotId {
            currency: CurrencyId::new(reader.array()?),
            epoch: reader.u32()?,
            chain: AccountId::new(reader.array()?),
            seq: reader.u64()?,
        };
        let ballot = reader.u32()?;
        let phase = reader.u8()?;
        let phase = Phase::ALL
            .get(usize::from(phase))
            .copied()
            .ok_or(DecodeError::UnknownKind { what: "phase of a vote", found: phase.into() })?;
        let entry = EntryHash::new(reader.array()?);
        reader.finish()?;
        if (phase == Phase::Fast) != (ballot == 0) {
            return Err(DecodeError::Malformed { what: "vote" });
        }
        Ok(Self { slot, ballot, phase, entry })
    }
}

impl<C> Encode<C> for Statement {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        e.bytes(&self.to_bytes())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Statement {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        Self::from_bytes(d.bytes()?).map_err(|_| decode::Error::message("not a vote"))
    }
}

/// A statement that a witness may sign: the slot machine made it, and its record is on the disk. Nothing else makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Releasable(pub(crate) Statement);

impl Releasable {
    /// What will be said.
    #[must_use]
    pub const fn statement(&self) -> &Statement {
        &self.0
    }

    /// Signs it as the witness at this place of the policy.
    #[must_use]
    pub fn sign(self, witness: u8, key: &SecretKey) -> Vote {
        Vote { statement: self.0, witness, signature: key.sign(Domain::Vote, &self.0.to_bytes()) }
    }
}

/// A statement and who says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Vote {
    /// What is said.
    #[n(0)]
    pub statement: Statement,
    /// The witness's place in the policy.
    #[n(1)]
    pub witness: u8,
    /// Their signature.
    #[n(2)]
    pub signature: Signature,
}

impl Vote {
    /// Reads a vote.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        from_cbor_canonical("vote", bytes, limits::MESSAGE)
    }

    /// The bytes on the wire.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        to_cbor(self)
    }

    /// The vote as far as its witness's signature is genuine; nothing if the policy has no such witness, currency or
    /// epoch.
    #[must_use]
    pub fn unverified(self, policy: &LoadedPolicy) -> Option<Unverified<GenuineVote>> {
        let slot = self.statement.slot;
        let key = policy.witness(self.witness)?;
        let here = slot.currency == policy.currency() && slot.epoch == policy.epoch();
        let bytes = self.statement.to_bytes();
        here.then(|| Unverified::new(GenuineVote(self)).signed(key, Domain::Vote, &bytes, &self.signature))
    }
}

/// A vote whose signature was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GenuineVote(Vote);

impl GenuineVote {
    /// The vote.
    #[must_use]
    pub const fn vote(&self) -> &Vote {
        &self.0
    }
}

/// Whether a certificate is of ballot 0 or of a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Mode {
    /// Votes of phase fast, ballot 0.
    #[n(0)]
    Fast,
    /// Votes of phase commit, a later ballot.
    #[n(1)]
    Ordered,
}

/// A quorum's votes for one entry: it is final.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Cert {
    /// Of which kind the votes are.
    #[n(0)]
    pub mode: Mode,
    /// The policy in force.
    #[n(1)]
    pub epoch: u32,
    /// The ballot; 0 exactly where the mode is fast.
    #[n(2)]
    pub ballot: u32,
    /// The entry.
    #[n(3)]
    pub entry: EntryHash,
    /// The witnesses' signatures over their statements.
    #[n(4)]
    pub sigs: Signatures,
}

/// What votes come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gathered {
    /// The certificate; nothing as in [`Cert::of`].
    pub cert: Option<Cert>,
    /// Places of the witnesses whose votes are not genuine.
    pub forged: Vec<u8>,
}

/// A quorum's prepare votes for one entry in one ballot: it may be locked.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct PrepCert {
    /// The ballot, from 1.
    #[n(0)]
    pub ballot: u32,
    /// The entry.
    #[n(1)]
    pub entry: EntryHash,
    /// The witnesses' signatures over their statements.
    #[n(2)]
    pub sigs: Signatures,
}

/// Why votes make no certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertError {
    /// Not of this currency and epoch.
    #[error("the certificate is of another currency or epoch")]
    Elsewhere,
    /// Not of this entry.
    #[error("the certificate is of another entry")]
    OtherEntry,
    /// A ballot that its kind of votes does not have.
    #[error("the certificate's ballot and mode do not fit")]
    Ballot,
    /// Too few.
    #[error("{needed} witnesses must have signed, {found} have")]
    TooFew {
        /// How many signed.
        found: usize,
        /// The quorum.
        needed: usize,
    },
    /// A signer that the policy does not have.
    #[error("the policy has no witness {witness}")]
    UnknownWitness {
        /// The place.
        witness: u8,
    },
}

impl Cert {
    /// Reads a certificate.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        from_cbor_canonical("certificate", bytes, limits::MESSAGE)
    }

    /// The bytes on the wire.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        to_cbor(self)
    }

    /// The certificate of votes for one statement, by different witnesses; nothing if they are fewer than a quorum, of
    /// different statements, or of phase prepare.
    #[must_use]
    pub fn of(votes: &[GenuineVote], policy: &LoadedPolicy) -> Option<Self> {
        let (statement, sigs) = gather(votes, policy)?;
        let mode = match statement.phase {
            Phase::Fast => Mode::Fast,
            Phase::Commit => Mode::Ordered,
            Phase::Prepare => return None,
        };
        Some(Self { mode, epoch: policy.epoch(), ballot: statement.ballot, entry: statement.entry, sigs })
    }

    /// Verifies votes together, which costs less than one by one, and makes the certificate of those that are genuine.
    pub fn gather(votes: &[Vote], policy: &LoadedPolicy, rng: &mut impl CryptoRng) -> Gathered {
        let (mut forged, mut unverified) = (Vec::new(), Vec::new());
        for vote in votes {
            match vote.unverified(policy) {
                Some(genuine) => unverified.push((vote.witness, genuine)),
                None => forged.push(vote.witness),
            }
        }
        let (witnesses, unverified): (Vec<_>, Vec<_>) = unverified.into_iter().unzip();
        let mut genuine = Vec::new();
        for (witness, verified) in witnesses.into_iter().zip(verify_batch(unverified, rng)) {
            match verified {
                Ok(vote) => genuine.push(vote),
                Err(_) => forged.push(witness),
            }
        }
        Gathered { cert: Self::of(&genuine, policy), forged }
    }

    /// The entry as far as this certificate's signatures are genuine.
    ///
    /// # Errors
    /// [`CertError`] if it is not this entry's, whoever signed.
    pub fn attach(self, entry: Entry, policy: &LoadedPolicy) -> Result<Unverified<CertifiedEntry>, CertError> {
        let (header, cert) = (*entry.header(), self.clone());
        self.over(&header, policy, CertifiedEntry { entry, cert })
    }

    /// A value that stands on this certificate of an entry with this header.
    pub(crate) fn over<T>(self, header: &Header, policy: &LoadedPolicy, value: T) -> Result<Unverified<T>, CertError> {
        // An entry is certified in the epoch that its header names or in a later one.
        if header.currency != policy.currency() || header.epoch > policy.epoch() || self.epoch != policy.epoch() {
            return Err(CertError::Elsewhere);
        }
        if self.entry != header.hash() {
            return Err(CertError::OtherEntry);
        }
        let phase = match (self.mode, self.ballot) {
            (Mode::Fast, 0) => Phase::Fast,
            (Mode::Ordered, 1..) => Phase::Commit,
            _ => return Err(CertError::Ballot),
        };
        let slot = SlotId::of(header).in_epoch(self.epoch);
        let statement = Statement { slot, ballot: self.ballot, phase, entry: self.entry };
        by_quorum(Unverified::new(value), &statement, &self.sigs, policy)
    }
}

impl PrepCert {
    /// The certificate of prepare votes; nothing as in [`Cert::of`].
    #[must_use]
    pub fn of(votes: &[GenuineVote], policy: &LoadedPolicy) -> Option<Self> {
        let (statement, sigs) = gather(votes, policy)?;
        let Statement { phase: Phase::Prepare, ballot, entry, .. } = statement else { return None };
        Some(Self { ballot, entry, sigs })
    }

    /// The certificate as far as its signatures are genuine prepare votes of this slot.
    ///
    /// # Errors
    /// [`CertError`], whoever signed.
    pub fn unverified(self, slot: SlotId, policy: &LoadedPolicy) -> Result<Unverified<GenuinePrepCert>, CertError> {
        let signed = self.signed_into(Unverified::new(()), slot, policy)?;
        Ok(signed.map(|()| GenuinePrepCert { slot, cert: self }))
    }

    /// Adds its signatures to what is to be verified.
    pub(crate) fn signed_into<T>(
        &self,
        value: Unverified<T>,
        slot: SlotId,
        policy: &LoadedPolicy,
    ) -> Result<Unverified<T>, CertError> {
        if slot.currency != policy.currency() || slot.epoch != policy.epoch() {
            return Err(CertError::Elsewhere);
        }
        if self.ballot == 0 {
            return Err(CertError::Ballot);
        }
        let statement = Statement { slot, ballot: self.ballot, phase: Phase::Prepare, entry: self.entry };
        by_quorum(value, &statement, &self.sigs, policy)
    }
}

fn gather(votes: &[GenuineVote], policy: &LoadedPolicy) -> Option<(Statement, Signatures)> {
    let statement = votes.first()?.0.statement;
    if votes.iter().any(|vote| vote.0.statement != statement) {
        return None;
    }
    let sigs = Signatures::new(votes.iter().map(|vote| (vote.0.witness, vote.0.signature)));
    (sigs.len() >= policy.quorum().q()).then_some((statement, sigs))
}

fn by_quorum<T>(
    value: Unverified<T>,
    statement: &Statement,
    sigs: &Signatures,
    policy: &LoadedPolicy,
) -> Result<Unverified<T>, CertError> {
    let needed = policy.quorum().q();
    if sigs.len() < needed {
        return Err(CertError::TooFew { found: sigs.len(), needed });
    }
    let bytes = statement.to_bytes();
    sigs.iter().try_fold(value, |value, (witness, signature)| {
        let key = policy.witness(witness).ok_or(CertError::UnknownWitness { witness })?;
        Ok(value.signed(key, Domain::Vote, &bytes, signature))
    })
}

/// A prepare certificate whose signatures were verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenuinePrepCert {
    pub(crate) slot: SlotId,
    pub(crate) cert: PrepCert,
}

impl GenuinePrepCert {
    /// The certificate.
    #[must_use]
    pub const fn cert(&self) -> &PrepCert {
        &self.cert
    }
}

/// An entry whose certificate was verified: final. Together with the policy it is a receipt that needs nobody's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertifiedEntry {
    entry: Entry,
    cert: Cert,
}

impl CertifiedEntry {
    /// The entry.
    #[must_use]
    pub const fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Its certificate.
    #[must_use]
    pub const fn cert(&self) -> &Cert {
        &self.cert
    }

    /// Both, as they travel: what [`Receipt::verify`] makes one of again.
    #[must_use]
    pub fn receipt(&self) -> Receipt {
        Receipt { entry: self.entry.clone(), cert: self.cert.clone() }
    }
}

/// An entry and its certificate as they travel, and as they are kept in a file.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Receipt {
    /// The entry.
    #[n(0)]
    pub entry: Entry,
    /// Its certificate.
    #[n(1)]
    pub cert: Cert,
}

impl Receipt {
    /// Reads a receipt of at most [`limits::MESSAGE`] bytes.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        from_cbor_canonical("receipt", bytes, limits::MESSAGE)
    }

    /// The bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        to_cbor(self)
    }

    /// The certified entry, of a receipt that was verified before it was written down here.
    pub(crate) fn verified_before(self) -> CertifiedEntry {
        CertifiedEntry { entry: self.entry, cert: self.cert }
    }

    /// The certified entry, as far as the signatures are genuine, where the policy of its certificate's epoch is known.
    ///
    /// # Errors
    /// [`CertError`].
    pub fn verify_among(self, policies: &Policies) -> Result<Unverified<CertifiedEntry>, CertError> {
        let policy = policies.at(self.cert.epoch).ok_or(CertError::Elsewhere)?;
        self.verify(policy)
    }

    /// The certified entry, as far as the signatures are genuine.
    ///
    /// # Errors
    /// [`CertError`].
    pub fn verify(self, policy: &LoadedPolicy) -> Result<Unverified<CertifiedEntry>, CertError> {
        self.cert.attach(self.entry, policy)
    }
}
