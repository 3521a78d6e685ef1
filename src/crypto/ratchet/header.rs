//! The header of a message, before it is sealed.

use kinfolk_wire::bundle::{KEM_CIPHERTEXT, KEM_KEY};
use kinfolk_wire::codec::{DecodeError, Reader};

use super::COUNTER_LIMIT;

/// The part of a header that is always there, in bytes.
const FIXED: usize = 32 + 5 * 4 + 1;
const OFFER: u8 = 1;
const ANSWER: u8 = 2;

/// An ML-KEM-768 key, on its way to the other side.
pub(crate) type Offer = Box<[u8; KEM_KEY]>;
/// An ML-KEM-768 ciphertext, on its way back.
pub(crate) type Answer = Box<[u8; KEM_CIPHERTEXT]>;

/// ```text
/// DHs 32 | PN u32 | N u32 | pq_epoch u32 | pq_pn u32 | pq_n u32 | flags u8 [| ek 1184 if flags & 1][| ct 1088 if flags & 2]
/// ```
pub(crate) struct Header {
    /// The sender's ratchet key.
    pub(crate) ratchet_key: [u8; 32],
    /// How many messages the sender's chain before this one had.
    pub(crate) previous: u32,
    /// The message's number in this chain, from 0.
    pub(crate) number: u32,
    /// The post-quantum epoch under which it was sent.
    pub(crate) pq_epoch: u32,
    /// How many messages the sender sent under the epoch before.
    pub(crate) pq_previous: u32,
    /// The message's number under this epoch, from 0.
    pub(crate) pq_number: u32,
    /// An ML-KEM-768 key for the next epoch.
    pub(crate) offer: Option<Offer>,
    /// The ciphertext that answers such a key.
    pub(crate) answer: Option<Answer>,
}

impl Header {
    pub(crate) fn length(&self) -> usize {
        let offer = self.offer.as_ref().map_or(0, |key| key.len());
        let answer = self.answer.as_ref().map_or(0, |ciphertext| ciphertext.len());
        FIXED.saturating_add(offer).saturating_add(answer)
    }

    pub(crate) fn encode_into(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.ratchet_key);
        for counter in [self.previous, self.number, self.pq_epoch, self.pq_previous, self.pq_number] {
            out.extend_from_slice(&counter.to_be_bytes());
        }
        out.push(self.offer.as_ref().map_or(0, |_| OFFER) | self.answer.as_ref().map_or(0, |_| ANSWER));
        if let Some(key) = &self.offer {
            out.extend_from_slice(key.as_slice());
        }
        if let Some(ciphertext) = &self.answer {
            out.extend_from_slice(ciphertext.as_slice());
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        const WHAT: &str = "ratchet header";
        let mut r = Reader::new(WHAT, bytes);
        let ratchet_key = r.array()?;
        let mut counters = [0; 5];
        for counter in &mut counters {
            *counter = r.u32()?;
            if *counter >= COUNTER_LIMIT {
                return Err(DecodeError::Malformed { what: WHAT });
            }
        }
        let [previous, number, pq_epoch, pq_previous, pq_number] = counters;
        let flags = r.u8()?;
        if flags & !(OFFER | ANSWER) != 0 {
            return Err(DecodeError::UnknownKind { what: WHAT, found: flags.into() });
        }
        let offer = (flags & OFFER != 0).then(|| r.array().map(Box::new)).transpose()?;
        let answer = (flags & ANSWER != 0).then(|| r.array().map(Box::new)).transpose()?;
        r.finish()?;
        Ok(Self { ratchet_key, previous, number, pq_epoch, pq_previous, pq_number, offer, answer })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(offer: bool, answer: bool) -> Header {
        Header {
            ratchet_key: [1; 32],
            previous: 2,
            number: 3,
            pq_epoch: 4,
            pq_previous: 5,
            pq_number: 6,
            offer: offer.then(|| Box::new([7; KEM_KEY])),
            answer: answer.then(|| Box::new([8; KEM_CIPHERTEXT])),
        }
    }

    fn encode(header: &Header) -> Vec<u8> {
        let mut out = Vec::new();
        header.encode_into(&mut out);
        assert_eq!(out.len(), header.length());
        out
    }

    #[test]
    fn a_header_survives_its_bytes_with_and_without_each_part() {
        for (offer, answer, length) in
            [(false, false, 53), (true, false, 1_237), (false, true, 1_141), (true, true, 2_325)]
        {
            let bytes = encode(&header(offer, answer));
            assert_eq!(bytes.len(), length);
            assert_eq!(encode(&Header::decode(&bytes).unwrap()), bytes);
            assert!(Header::decode(&bytes[..length - 1]).is_err());
            assert!(Header::decode(&[&bytes[..], &[0]].concat()).is_err());
        }
    }

    #[test]
    fn a_counter_at_the_limit_or_an_unknown_flag_is_refused() {
        for counter in 0..5 {
            let mut bytes = encode(&header(false, false));
            bytes[32 + counter * 4] = 0x7f;
            assert!(Header::decode(&bytes).is_ok());
            bytes[32 + counter * 4] = 0x80;
            assert!(Header::decode(&bytes).is_err());
        }
        let mut bytes = encode(&header(false, false));
        bytes[52] = 4;
        assert!(Header::decode(&bytes).is_err());
    }
}
