//! Recovering a slot: the request of the recovery quorum, and what a witness reports (docs/protocol/11-ledger.md,
//! section 7).

use kinfolk_wire::codec::{DecodeError, from_cbor_canonical, to_cbor};
use kinfolk_wire::ids::{EntryHash, Signature, Vk};
use minicbor::{Decode, Encode};

use crate::domain::Domain;
use crate::entry::SignedHeader;
use crate::escrow::{Opening, Proposer, Tab};
use crate::inception::{Inception, Recovery};
use crate::limits;
use crate::policy::LoadedPolicy;
use crate::signature::{SecretKey, Unverified};
use crate::signatures::Signatures;
use crate::slot::pick::{Pick, pick};
use crate::slot::{CLOSING, Lock, Report};
use crate::vote::{CertError, PrepCert, SlotId};

/// Asks a witness to take part in a ballot and to say what it did before.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Recover {
    /// Of which slot.
    #[n(0)]
    pub slot: SlotId,
    /// Which ballot, from 1.
    #[n(1)]
    pub ballot: u32,
    /// How the account begins, where the witness may never have heard of it.
    #[n(2)]
    pub inception: Option<Inception>,
    /// By the account's recovery quorum; of an escrow chain by whom the ballot belongs to, under that place.
    #[n(3)]
    pub sigs: Signatures,
    /// What an escrow chain is, where the witness may have no entry of it.
    #[n(4)]
    pub opening: Option<Opening>,
}

/// A request that the recovery quorum does stand behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenuineRecover(Recover);

impl GenuineRecover {
    /// The request.
    #[must_use]
    pub const fn request(&self) -> &Recover {
        &self.0
    }
}

impl Recover {
    /// Signs a request: each key with its place in [`Recovery::keys`].
    #[must_use]
    pub fn sign(slot: SlotId, ballot: u32, inception: Option<Inception>, keys: &[(u8, &SecretKey)]) -> Self {
        let message = Self::message(&slot, ballot);
        let sigs = keys.iter().map(|(place, key)| (*place, key.sign(Domain::Recover, &message)));
        Self { slot, ballot, inception, sigs: Signatures::new(sigs), opening: None }
    }

    /// Signs a request for a ballot of an escrow chain, with the key of whom the ballot belongs to.
    #[must_use]
    pub fn propose(slot: SlotId, ballot: u32, opening: Option<Opening>, key: &SecretKey) -> Self {
        let place = Proposer::of(ballot).place();
        Self { opening, ..Self::sign(slot, ballot, None, &[(place, key)]) }
    }

    /// Reads a request.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        from_cbor_canonical("recover", bytes, limits::MESSAGE)
    }

    /// The bytes on the wire.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        to_cbor(self)
    }

    /// The request as far as the quorum's signatures are genuine; nothing if they are too few or of nobody.
    #[must_use]
    pub fn unverified(self, recovery: &Recovery) -> Option<Unverified<GenuineRecover>> {
        let message = Self::message(&self.slot, self.ballot);
        let signed = recovery.signed(Unverified::new(()), Domain::Recover, &message, &self.sigs)?;
        Some(signed.map(|()| GenuineRecover(self)))
    }

    /// The request as far as whom the ballot of a tab belongs to has signed it; nothing if somebody else did.
    #[must_use]
    pub fn unverified_of(self, tab: &Tab) -> Option<Unverified<GenuineRecover>> {
        let message = Self::message(&self.slot, self.ballot);
        let mut sigs = self.sigs.iter();
        let (place, signature) = sigs.next().map(|(place, signature)| (place, *signature))?;
        if sigs.next().is_some() || place != Proposer::of(self.ballot).place() {
            return None;
        }
        drop(sigs);
        let key = tab.proposer(self.ballot);
        Some(Unverified::new(GenuineRecover(self)).signed(key, Domain::Recover, &message, &signature))
    }

    fn message(slot: &SlotId, ballot: u32) -> Vec<u8> {
        to_cbor(&(slot, ballot))
    }
}

/// What a witness says it did in a slot before it promised a ballot.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Findings {
    /// Of which slot.
    #[n(0)]
    pub slot: SlotId,
    /// What it promised; [`CLOSING`] in the report of an epoch that it closed.
    #[n(1)]
    pub ballot: u32,
    /// Its fast vote, as the writer signed it: nobody reports an entry that its writer did not make.
    #[n(2)]
    pub v0: Option<SignedHeader>,
    /// Its last commit vote.
    #[n(3)]
    pub lock: Option<Lock<EntryHash, PrepCert>>,
}

/// Findings that a witness may sign: its promise is on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct ReleasableReport(pub(crate) Findings);

impl ReleasableReport {
    /// What will be said.
    #[must_use]
    pub const fn findings(&self) -> &Findings {
        &self.0
    }

    /// Signs them as the witness at this place of the policy.
    #[must_use]
    pub fn sign(self, witness: u8, key: &SecretKey) -> SignedReport {
        let signature = key.sign(Domain::Report, &to_cbor(&self.0));
        SignedReport { findings: self.0, witness, signature }
    }
}

/// Findings and who says them.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SignedReport {
    /// What is said.
    #[n(0)]
    pub findings: Findings,
    /// The witness's place in the policy.
    #[n(1)]
    pub witness: u8,
    /// Their signature.
    #[n(2)]
    pub signature: Signature,
}

/// A report whose every signature was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenuineReport(SignedReport);

/// Why something is no report, whoever signed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// The policy has no such witness.
    #[error("the policy has no witness {witness}")]
    UnknownWitness {
        /// The place.
        witness: u8,
    },
    /// It reports a vote of another slot.
    #[error("the report is about an entry of another place")]
    Elsewhere,
    /// Its lock has no certificate that proves it.
    #[error("the reported lock is not proved: {0}")]
    Lock(#[from] CertError),
}

impl SignedReport {
    /// Reads a report.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        from_cbor_canonical("report", bytes, limits::MESSAGE)
    }

    /// The bytes on the wire.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        to_cbor(self)
    }

    /// The report as far as the signatures of its witness, of the entry's writer and of its lock are genuine.
    ///
    /// # Errors
    /// [`ReportError`].
    pub fn unverified(self, writer: &Vk, policy: &LoadedPolicy) -> Result<Unverified<GenuineReport>, ReportError> {
        let key = policy.witness(self.witness).ok_or(ReportError::UnknownWitness { witness: self.witness })?;
        let Findings { slot, v0, lock, .. } = &self.findings;
        let bytes = to_cbor(&self.findings);
        let mut signed = Unverified::new(()).signed(key, Domain::Report, &bytes, &self.signature);
        if let Some(header) = v0 {
            if !slot.takes(&header.header) {
                return Err(ReportError::Elsewhere);
            }
            signed = signed.and(&header.unverified(writer));
        }
        if let Some(Lock { ballot, entry, proof }) = lock {
            if proof.ballot != *ballot || proof.entry != *entry {
                return Err(ReportError::Elsewhere);
            }
            signed = proof.signed_into(signed, *slot, policy)?;
        }
        Ok(signed.map(|()| GenuineReport(self)))
    }
}

impl SignedReport {
    /// A closing report, for a chain that stands at this place here, as far as its signatures are genuine. What it says of a
    /// place before that is of no consequence, and not looked at.
    ///
    /// # Errors
    /// [`ReportError`], also for a report that is none of an epoch's end.
    pub fn closing(
        self,
        place: u64,
        writer: &Vk,
        policy: &LoadedPolicy,
    ) -> Result<Unverified<GenuineReport>, ReportError> {
        let slot = self.findings.slot;
        if self.findings.ballot != CLOSING || slot.currency != policy.currency() || slot.epoch != policy.epoch() {
            return Err(ReportError::Elsewhere);
        }
        if slot.seq >= place {
            return self.unverified(writer, policy);
        }
        let key = policy.witness(self.witness).ok_or(ReportError::UnknownWitness { witness: self.witness })?;
        let bytes = to_cbor(&self.findings);
        let signature = self.signature;
        Ok(Unverified::new(GenuineReport(self)).signed(key, Domain::Report, &bytes, &signature))
    }

    /// What it says, of a report that was verified before it was written down here.
    pub(crate) const fn verified_before(self) -> GenuineReport {
        GenuineReport(self)
    }
}

impl GenuineReport {
    /// What is said.
    #[must_use]
    pub const fn findings(&self) -> &Findings {
        &self.0.findings
    }

    /// Who says it.
    #[must_use]
    pub const fn witness(&self) -> u8 {
        self.0.witness
    }

    /// It as it travels.
    #[must_use]
    pub const fn signed(&self) -> &SignedReport {
        &self.0
    }

    /// Whether it is a closing report.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.0.findings.ballot == CLOSING
    }

    pub(crate) fn report(&self) -> Report<EntryHash, PrepCert> {
        let Findings { v0, lock, .. } = &self.0.findings;
        Report { v0: v0.map(|signed| signed.header.hash()), lock: lock.clone() }
    }
}

/// What reports of one ballot admit, of each witness the last; as a witness judges it when it is asked to prepare.
#[must_use]
pub fn admitted(reports: &[GenuineReport], policy: &LoadedPolicy) -> Pick<EntryHash> {
    let by_witness = reports.iter().map(|report| (report.witness(), report.report())).collect();
    pick(policy.quorum(), &by_witness)
}

#[cfg(test)]
mod tests;
