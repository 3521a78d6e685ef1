//! Writers who signed two things: told to others, and heard of from them.

use super::desk::{Key, read_line, read_row};
use super::line::{Kept, Line};
use super::shelf::{RowKey, Shelf};
use super::{OpenError, ShelfError, Witness};
use crate::entry::Header;
use crate::equivocation::{EquivocationProof, GenuineProof};
use crate::gossip::{Exposure, Naming};
use crate::limits;
use crate::slot::held::Held;

/// How far back the handing over of a key is looked for. A key that signed more than these and then two things is exposed
/// to whoever asks, and not to everybody.
const LOOK_BACK: u64 = 4_096;

impl<S: Shelf> Witness<S> {
    /// The proofs against writers, the first of them being number `from`: at most [`limits::ENTRIES`].
    ///
    /// # Errors
    /// [`ShelfError`].
    pub fn proofs(&self, from: u64) -> Result<Vec<EquivocationProof>, ShelfError<S::Error>> {
        let numbers = (from..self.totals.proofs).take(limits::ENTRIES);
        let mut proofs = Vec::new();
        for number in numbers {
            let at = match self.proofs.get(&number) {
                Some(at) => *at,
                None => match self.shelf.row(&RowKey::Proof(number)).map_err(ShelfError::Shelf)? {
                    Some(bytes) => read_row(&bytes)?,
                    None => break,
                },
            };
            match read_line(&self.shelf, at)? {
                Line::Proof(proof) => proofs.push(proof),
                _ => return Err(OpenError::Inconsistent { at }.into()),
            }
        }
        Ok(proofs)
    }

    /// What others are to hear of writers, the proofs from number `from` on, as many as [`proofs`](Self::proofs) reads at a
    /// time; and the number of the next.
    ///
    /// # Errors
    /// [`ShelfError`].
    pub fn exposures(&mut self, from: u64) -> Result<(Vec<Exposure>, u64), ShelfError<S::Error>> {
        let (mut exposures, mut next) = (Vec::new(), from);
        for proof in self.proofs(from)? {
            next = next.saturating_add(1);
            if let EquivocationProof::Writer(one, _) = &proof
                && let Some(key) = self.key_entry(&one.header)?
            {
                let exposure = Exposure { proof, key };
                // A checkpoint of an account that very many paid is too long for everybody's ears.
                if exposure.encode().len() <= limits::GOSSIP {
                    exposures.push(exposure);
                }
            }
        }
        Ok((exposures, next))
    }

    /// Keeps a proof that others have brought, durably; whether it is the first against this writer.
    ///
    /// # Errors
    /// [`ShelfError`]: the witness must be opened anew.
    pub fn keep_proof(&mut self, proof: &GenuineProof) -> Result<bool, ShelfError<S::Error>> {
        if self.stopped {
            return Err(ShelfError::Stopped);
        }
        let EquivocationProof::Writer(one, _) = proof.proof() else { return Ok(false) };
        let key = (one.header.currency, one.header.chain);
        match self.desk(key)? {
            Some(desk) if desk.proof.is_none() => {}
            _ => return Ok(false),
        }
        self.write(vec![Held::new(Kept { line: Line::Proof(proof.proof().clone()), at: None }, ())])?;
        Ok(true)
    }

    /// The certified entry that says whose key signed this header.
    fn key_entry(&mut self, header: &Header) -> Result<Option<Naming>, ShelfError<S::Error>> {
        let key: Key = (header.currency, header.chain);
        if let Some(naming) = self.naming_entry(key, header)? {
            return Ok(Some(naming));
        }
        // That one was let go: the checkpoint after it says it as well.
        let named = self.base(key)?.and_then(|base| Naming::of_checkpoint(base.checkpoint()));
        Ok(named.filter(|naming| naming.key().is_some_and(|(_, key_seq)| key_seq == header.key_seq)))
    }

    fn naming_entry(&self, key: Key, header: &Header) -> Result<Option<Naming>, ShelfError<S::Error>> {
        if header.key_seq == 0 {
            return Ok(self.certified(key, 0)?.and_then(|certified| Naming::of(&certified.receipt())));
        }
        for seq in (header.seq.saturating_sub(LOOK_BACK)..header.seq).rev() {
            let Some(certified) = self.certified(key, seq)? else { return Ok(None) };
            let naming = Naming::of(&certified.receipt());
            if naming.as_ref().and_then(Naming::key).is_some_and(|(_, key_seq)| key_seq == header.key_seq) {
                return Ok(naming);
            }
        }
        Ok(None)
    }
}
