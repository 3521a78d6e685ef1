//! How a line stands in the log.
//!
//! ```text
//! file  = "kinfolk witness log 1\n" | id 16, random | frame ...
//! frame = "kvot" | length u32 | start u64 | check 8 | nonce 24 | sealed line | tag 16
//! ```
//!
//! `length` is that of the line, `start` is where the batch began that wrote it: everything before was on the disk by
//! then. `check` is a keyed hash of id, place, length and start, so that the head of a frame is known wherever it is
//! searched for. The line is sealed with XChaCha20-Poly1305, with id, place and start as associated
//! data: it opens nowhere else, and in no other log. A nonce is 16 bytes that are random for each batch, and the place.

use kinfolk_crypto::aead::{self, TAG};
use kinfolk_ledger::limits;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::seal::{NONCE, NoRandomness, random};

pub(super) const MAGIC: &[u8; 22] = b"kinfolk witness log 1\n";
pub(super) const ID: usize = 16;
/// Where the first frame stands.
pub(super) const BEGIN: u64 = 22 + 16;
pub(super) const MARK: &[u8; 4] = b"kvot";
/// Bytes before the sealed line.
pub(super) const HEAD: usize = 4 + 4 + 8 + CHECK;
const CHECK: usize = 8;
/// Bytes of a frame beside its line.
pub(super) const OVERHEAD: usize = HEAD + NONCE + TAG;
/// The longest line.
pub(super) const LONGEST: usize = limits::MESSAGE;
const FORMAT: &[u8] = b"kinfolk witness line 1";

/// What lines are sealed and known by.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(super) struct FrameKeys {
    lines: [u8; 32],
    heads: [u8; 32],
    marks: [u8; 32],
    #[zeroize(skip)]
    id: [u8; ID],
}

/// What the nonces of one batch begin with: random, so that no nonce comes twice, even where an end is cut off and
/// others are written in its place.
pub(super) struct BatchNonce([u8; 16]);

impl BatchNonce {
    pub(super) fn random() -> Result<Self, NoRandomness> {
        let mut bytes = [0; 16];
        random(&mut bytes)?;
        Ok(Self(bytes))
    }

    fn at(&self, at: u64) -> [u8; NONCE] {
        let mut nonce = [0; NONCE];
        let (begin, end) = nonce.split_at_mut(self.0.len());
        begin.copy_from_slice(&self.0);
        end.copy_from_slice(&at.to_be_bytes());
        nonce
    }
}

/// The head of a frame, where it belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// Bytes of the line.
    pub(super) length: usize,
    /// Where its batch began.
    pub(super) start: u64,
}

impl Head {
    /// Bytes of the whole frame.
    pub(super) const fn frame(self) -> usize {
        self.length.saturating_add(OVERHEAD)
    }
}

impl FrameKeys {
    pub(super) fn of(key: &[u8; 32], id: [u8; ID]) -> Self {
        Self {
            lines: blake3::derive_key("kinfolk witness 1: lines", key),
            heads: blake3::derive_key("kinfolk witness 1: heads", key),
            marks: blake3::derive_key("kinfolk witness 1: mark", key),
            id,
        }
    }

    pub(super) const fn id(&self) -> &[u8; ID] {
        &self.id
    }

    /// Adds the frame of a line that will stand at `at`, of a batch that begins at `start`.
    pub(super) fn seal(&self, into: &mut Vec<u8>, batch: &BatchNonce, at: u64, start: u64, line: &[u8]) {
        let nonce = batch.at(at);
        let length = u32::try_from(line.len()).unwrap_or(u32::MAX);
        into.extend_from_slice(MARK);
        into.extend_from_slice(&length.to_be_bytes());
        into.extend_from_slice(&start.to_be_bytes());
        into.extend_from_slice(&self.check(at, length, start));
        into.extend_from_slice(&nonce);
        let begin = into.len();
        into.extend_from_slice(line);
        if let Some(buffer) = into.get_mut(begin..) {
            let tag = aead::xseal(&self.lines, &nonce, &self.associated(at, start), buffer);
            into.extend_from_slice(&tag);
        }
    }

    /// The head of the frame at `at`, if these bytes begin with one.
    pub(super) fn head(&self, at: u64, bytes: &[u8]) -> Option<Head> {
        let (mark, rest) = bytes.split_first_chunk::<4>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (start, rest) = rest.split_first_chunk::<8>()?;
        let (check, _) = rest.split_first_chunk::<CHECK>()?;
        let (length, start) = (u32::from_be_bytes(*length), u64::from_be_bytes(*start));
        let genuine: bool = self.check(at, length, start).ct_eq(check).into();
        let length = usize::try_from(length).ok().filter(|length| *length <= LONGEST)?;
        (mark == MARK && genuine && start <= at).then_some(Head { length, start })
    }

    /// The line of the frame at `at`, if these bytes are that frame, whole and as it was written.
    pub(super) fn open(&self, at: u64, frame: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let head = self.head(at, frame)?;
        let sealed = frame.get(HEAD..head.frame())?;
        let (nonce, rest) = sealed.split_first_chunk::<NONCE>()?;
        let (ciphertext, tag) = rest.split_last_chunk::<TAG>()?;
        let mut line = Zeroizing::new(ciphertext.to_vec());
        aead::xopen(&self.lines, nonce, &self.associated(at, head.start), &mut line, tag).ok()?;
        Some(line)
    }

    /// What proves that this end was marked.
    pub(super) fn mark(&self, end: u64) -> [u8; 32] {
        self.mark_of(&self.id, end)
    }

    /// What proves that this end of the log with that id was marked.
    pub(super) fn mark_of(&self, id: &[u8; ID], end: u64) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.marks);
        *hasher.update(id).update(&end.to_be_bytes()).finalize().as_bytes()
    }

    /// The same keys for another log.
    pub(super) fn with_id(&self, id: [u8; ID]) -> Self {
        Self { id, ..self.clone() }
    }

    fn check(&self, at: u64, length: u32, start: u64) -> [u8; CHECK] {
        let mut hasher = blake3::Hasher::new_keyed(&self.heads);
        hasher.update(&self.id).update(&at.to_be_bytes()).update(&length.to_be_bytes()).update(&start.to_be_bytes());
        hasher.finalize().as_bytes().first_chunk().copied().unwrap_or_default()
    }

    fn associated(&self, at: u64, start: u64) -> Vec<u8> {
        [FORMAT, &self.id, &at.to_be_bytes(), &start.to_be_bytes()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g03_a_line_opens_at_its_place_in_its_log_and_no_bit_of_its_frame_may_change() {
        let keys = FrameKeys::of(&[7; 32], [1; ID]);
        let mut frame = Vec::new();
        keys.seal(&mut frame, &BatchNonce::random().unwrap(), 100, 90, b"a line");
        assert_eq!(frame.len(), 6 + OVERHEAD);
        assert_eq!(**keys.open(100, &frame).unwrap(), *b"a line");
        assert_eq!(keys.head(100, &frame), Some(Head { length: 6, start: 90 }));
        assert!(keys.open(101, &frame).is_none() && keys.head(101, &frame).is_none());
        for other in [FrameKeys::of(&[7; 32], [2; ID]), FrameKeys::of(&[8; 32], [1; ID])] {
            assert!(other.open(100, &frame).is_none() && other.head(100, &frame).is_none());
        }
        for bit in 0..frame.len() * 8 {
            let mut flipped = frame.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(keys.open(100, &flipped).is_none(), "bit {bit}");
        }
        assert!(keys.open(100, &frame[..frame.len() - 1]).is_none());
        assert!(!frame.windows(6).any(|window| window == b"a line"));
    }
}
