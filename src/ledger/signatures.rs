//! Signatures of some of a list of known keys: a bit for each key that signed, and the signatures in that order.

use kinfolk_wire::codec::bounded_bytes;
use kinfolk_wire::ids::Signature;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

use crate::quorum::WITNESSES;

/// Who signed, and what they signed with; no signer twice, and none beyond the 31st.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Signatures {
    signers: u32,
    signatures: Vec<Signature>,
}

impl Signatures {
    /// Those of these signers; of two by one signer, the last.
    #[must_use]
    pub fn new(signatures: impl IntoIterator<Item = (u8, Signature)>) -> Self {
        let by_signer: std::collections::BTreeMap<u8, Signature> =
            signatures.into_iter().filter(|(signer, _)| usize::from(*signer) < WITNESSES).collect();
        let signers = by_signer.keys().fold(0, |bits, signer| bits | bit(*signer));
        Self { signers, signatures: by_signer.into_values().collect() }
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.signatures.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.signatures.is_empty()
    }

    /// Each signer's place in the list of keys, ascending, and the signature.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &Signature)> {
        let signers = (0..32_u8).filter(|signer| self.signers & bit(*signer) != 0);
        signers.zip(&self.signatures)
    }
}

fn bit(signer: u8) -> u32 {
    1_u32.checked_shl(u32::from(signer)).unwrap_or_default()
}

impl<C> Encode<C> for Signatures {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        let bytes: Vec<u8> = self.signatures.iter().flat_map(|signature| *signature.as_bytes()).collect();
        e.array(2)?.u32(self.signers)?.bytes(&bytes)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Signatures {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        if d.array()? != Some(2) {
            return Err(decode::Error::message("not a list of signatures"));
        }
        let signers = d.u32()?;
        let bytes = bounded_bytes(d, WITNESSES.saturating_mul(Signature::LENGTH))?;
        let (signatures, rest) = bytes.as_chunks::<{ Signature::LENGTH }>();
        let as_many = usize::try_from(signers.count_ones()).is_ok_and(|count| count == signatures.len());
        if !rest.is_empty() || !as_many || signers >= bit(31) {
            return Err(decode::Error::message("not as many signatures as signers"));
        }
        Ok(Self { signers, signatures: signatures.iter().copied().map(Signature::new).collect() })
    }
}
