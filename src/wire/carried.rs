//! Bundles: envelopes that travel by hand, as a file or as lines of text (docs/protocol/08-bundle.md).
//!
//! A record is an envelope as it lies at a mailbox, sealed for a place whose host is [`BY_HAND`]. Each has a check of its
//! own, so that what is damaged loses itself and nothing else; the end has one over everything, so that a bundle that was
//! cut is known from one that is whole. The checks are against accidents: what holds against people is the seal.

use data_encoding::{BASE32_NOPAD, HEXUPPER};

use crate::codec::{DecodeError, Reader};
use crate::ids::{MailboxTag, PeerId};
use crate::mailbox::Bucket;

/// The host of every place in a bundle: no node has this id.
pub const BY_HAND: PeerId = PeerId::new(*b"kinfolk/1 carried by hand\0\0\0\0\0\0\0\0\0\0\0\0\0");

/// The longest bundle, in bytes.
pub const BUNDLE: usize = 96 << 20;
/// The most lines that a bundle is written as.
pub const LINES: usize = 64;
/// What every line begins with.
pub const LINE_SCHEME: &str = "KINFOLK-BUNDLE/1/";

const MAGIC: &[u8; 15] = b"\x89kinfolk bundle";
const VERSION: u8 = 1;
/// Magic, version, and the version again with every bit turned.
const HEAD: usize = MAGIC.len() + 2;
const RECORD: [u8; 4] = [0xf7, b'k', b'f', b'r'];
const END: [u8; 4] = [0xf7, b'k', b'f', b'e'];
/// What a record has beside its blob: marker, size class, day, tag, number, check.
const AROUND: usize = 4 + 1 + 4 + 16 + 8 + 4;
/// Marker, count, check of everything before, check of these.
const TAIL: usize = 4 + 4 + 4 + 4;
/// Bytes of a bundle in one line, so that its QR code has at most 49 modules a side.
const LINE: usize = 146;
/// Marks that are tried in vain before the rest is given up, beside one for each KiB.
const TRIES: usize = 1_024;
/// Stretches of damage that are told one by one.
const TOLD: usize = 8;

const WHAT: &str = "record of a bundle";

/// One envelope: `f7 6b 66 72 | size class u8 | day u32 | tag 16 | number 8 | blob | CRC-32 u32`.
#[derive(Clone, PartialEq, Eq)]
pub struct Carried {
    /// The day of its place, since the Unix epoch, by the clock of whoever sealed it.
    pub day: u32,
    /// The tag of its place.
    pub tag: MailboxTag,
    /// The number of its place, for the eyes of the two devices.
    pub number: [u8; 8],
    /// A sealed envelope; one of the [`Bucket`] sizes.
    pub blob: Vec<u8>,
}

impl std::fmt::Debug for Carried {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Carried").field("tag", &self.tag).field("bytes", &self.blob.len()).finish_non_exhaustive()
    }
}

impl Carried {
    /// Bytes that it takes in a bundle.
    #[must_use]
    pub const fn length(&self) -> usize {
        self.blob.len().saturating_add(AROUND)
    }

    /// Reads the record that stands in front. Says how many bytes a check was made over.
    fn read(bytes: &[u8]) -> (Result<Self, DecodeError>, usize) {
        let mut checked = 0;
        (Self::parse(bytes, &mut checked), checked)
    }

    fn parse(bytes: &[u8], checked: &mut usize) -> Result<Self, DecodeError> {
        let malformed = DecodeError::Malformed { what: WHAT };
        let mut r = Reader::new(WHAT, bytes);
        if r.array()? != RECORD {
            return Err(malformed);
        }
        let class = r.u8()?;
        let bucket = *Bucket::ALL.get(usize::from(class)).ok_or(malformed.clone())?;
        let (day, tag, number) = (r.u32()?, MailboxTag::new(r.array()?), r.array()?);
        let blob = r.take(bucket.bytes())?;
        let check = r.u32()?;
        *checked = bucket.bytes().saturating_add(AROUND);
        let covered = bytes.get(..checked.saturating_sub(4)).unwrap_or_default();
        if crc32(covered) != check {
            return Err(malformed);
        }
        Ok(Self { day, tag, number, blob: blob.to_vec() })
    }
}

/// Writes a bundle.
#[derive(Debug, Clone)]
pub struct BundleWriter {
    bytes: Vec<u8>,
    records: u32,
}

impl Default for BundleWriter {
    fn default() -> Self {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&[VERSION, !VERSION]);
        Self { bytes, records: 0 }
    }
}

impl BundleWriter {
    /// Adds a record, where there is room for it and its size is one of the five. Says whether it was added.
    pub fn push(&mut self, record: &Carried) -> bool {
        let class = Bucket::ALL.iter().position(|bucket| bucket.bytes() == record.blob.len());
        let Some(class) = class.and_then(|class| u8::try_from(class).ok()) else { return false };
        let begin = self.bytes.len();
        if begin.saturating_add(record.length()).saturating_add(TAIL) > BUNDLE {
            return false;
        }
        self.bytes.extend_from_slice(&RECORD);
        self.bytes.push(class);
        self.bytes.extend_from_slice(&record.day.to_be_bytes());
        self.bytes.extend_from_slice(record.tag.as_bytes());
        self.bytes.extend_from_slice(&record.number);
        self.bytes.extend_from_slice(&record.blob);
        let check = crc32(self.bytes.get(begin..).unwrap_or_default());
        self.bytes.extend_from_slice(&check.to_be_bytes());
        self.records = self.records.saturating_add(1);
        true
    }

    /// How many records it has.
    #[must_use]
    pub const fn records(&self) -> u32 {
        self.records
    }

    /// The bytes of the bundle.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        let begin = self.bytes.len();
        let whole = crc32(&self.bytes);
        self.bytes.extend_from_slice(&END);
        self.bytes.extend_from_slice(&self.records.to_be_bytes());
        self.bytes.extend_from_slice(&whole.to_be_bytes());
        let own = crc32(self.bytes.get(begin..).unwrap_or_default());
        self.bytes.extend_from_slice(&own.to_be_bytes());
        self.bytes
    }
}

/// What could be read of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bundle {
    /// The records that are as they were written.
    pub records: Vec<Carried>,
    /// Where it is damaged: from which byte to which, the first few stretches. Empty where it is whole.
    pub damage: Vec<(usize, usize)>,
    /// How many records are damaged or missing, as far as can be told; none where it is only the head or the end.
    pub damaged: u64,
}

/// Why bytes are no bundle of which anything could be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// It is something else.
    #[error("this is not a bundle of kinfolk")]
    Foreign,
    /// A newer program wrote it.
    #[error("this bundle is of version {found}, and this program reads version {VERSION}; a newer kinfolk reads it")]
    Newer {
        /// The version found.
        found: u8,
    },
    /// It is longer than any.
    #[error("this is longer than a bundle can be: {found} bytes, at most {BUNDLE}")]
    TooLong {
        /// Bytes.
        found: usize,
    },
    /// It is a bundle, and nothing in it is as it was written.
    #[error("this bundle is damaged as a whole; nothing in it could be read")]
    Unreadable,
    /// A line that is not as it was written.
    #[error("line {line} of the bundle is not as it was written; scan or type it again")]
    Line {
        /// Which of the lines given, from 1.
        line: usize,
    },
    /// Lines are missing.
    #[error("lines {missing} of the {of} of this bundle are missing")]
    Missing {
        /// Their numbers, the first few.
        missing: String,
        /// How many there are.
        of: usize,
    },
    /// The lines are of several bundles.
    #[error("line {line} is of another bundle than those before it; give the lines of one at a time")]
    Mixed {
        /// Which of the lines given, from 1.
        line: usize,
    },
}

impl Bundle {
    /// Reads a bundle, and of one that is damaged what is not.
    ///
    /// # Errors
    /// [`BundleError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, BundleError> {
        if bytes.len() > BUNDLE {
            return Err(BundleError::TooLong { found: bytes.len() });
        }
        let head = Head::of(bytes);
        if let Head::Newer(found) = head {
            return Err(BundleError::Newer { found });
        }
        let mut reading = Reading::of(bytes);
        match head {
            Head::Good => reading.at = HEAD,
            _ => reading.search(0),
        }
        let is_whole = reading.run() && matches!(head, Head::Good);
        let found = u64::try_from(reading.records.len()).unwrap_or(u64::MAX);
        if reading.records.is_empty() && !is_whole {
            let alike = bytes.iter().zip(MAGIC).filter(|(byte, magic)| byte == magic).count();
            let looks_like_one = alike.saturating_add(1) >= MAGIC.len();
            return Err(if looks_like_one { BundleError::Unreadable } else { BundleError::Foreign });
        }
        let stretches = u64::try_from(reading.damage.len()).unwrap_or(u64::MAX);
        let damaged = match reading.promised {
            _ if is_whole => 0,
            Some(promised) => u64::from(promised).saturating_sub(found),
            None => stretches.max(1),
        };
        reading.damage.truncate(TOLD);
        Ok(Self { records: reading.records, damage: reading.damage, damaged })
    }

    /// Whether nothing of it is damaged.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.damage.is_empty()
    }
}

enum Head {
    Good,
    Newer(u8),
    Bad,
}

impl Head {
    fn of(bytes: &[u8]) -> Self {
        let Some((magic, [version, again, ..])) = bytes.split_at_checked(MAGIC.len()) else { return Self::Bad };
        match *version {
            _ if magic != MAGIC || *version != !*again => Self::Bad,
            VERSION => Self::Good,
            found => Self::Newer(found),
        }
    }
}

struct Reading<'a> {
    bytes: &'a [u8],
    at: usize,
    records: Vec<Carried>,
    damage: Vec<(usize, usize)>,
    /// How many records the end says there are.
    promised: Option<u32>,
    /// What was paid for checks in vain, in KiB.
    tries: usize,
    /// How many bytes they were made over.
    checked: usize,
}

impl<'a> Reading<'a> {
    const fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, records: Vec::new(), damage: Vec::new(), promised: None, tries: 0, checked: 0 }
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Reads to the end. Says whether everything was as it was written.
    fn run(&mut self) -> bool {
        while !self.rest().is_empty() {
            if let (Ok(record), _) = Carried::read(self.rest()) {
                self.at = self.at.saturating_add(record.length());
                self.records.push(record);
            } else if let Some((promised, whole)) = read_end(self.rest()) {
                let before = self.bytes.get(..self.at).unwrap_or_default();
                let is_last = self.rest().len() == TAIL;
                self.promised = Some(promised);
                let is_whole = is_last && self.damage.is_empty() && crc32(before) == whole;
                self.at = self.at.saturating_add(TAIL);
                if is_whole && usize::try_from(promised) == Ok(self.records.len()) {
                    return true;
                }
                if is_last {
                    break;
                }
            } else {
                self.search(self.at.saturating_add(1));
            }
        }
        if self.damage.is_empty() || self.promised.is_none() && !self.reaches_the_end() {
            self.damage.push((self.bytes.len(), self.bytes.len()));
        }
        false
    }

    fn reaches_the_end(&self) -> bool {
        self.damage.last().is_some_and(|(_, until)| *until == self.bytes.len())
    }

    /// Goes on at the next mark behind which there is what it says; what was passed over is damaged.
    fn search(&mut self, from: usize) {
        let began = self.at;
        let most = TRIES.saturating_add(self.bytes.len() >> 10);
        let mut at = from;
        loop {
            let rest = self.bytes.get(at..).unwrap_or_default();
            let found = rest.windows(4).position(|four| four == RECORD || four == END);
            let Some(found) = found.filter(|_| self.tries < most) else {
                at = self.bytes.len();
                break;
            };
            at = at.saturating_add(found);
            let rest = self.bytes.get(at..).unwrap_or_default();
            let (record, checked) = Carried::read(rest);
            if record.is_ok() || read_end(rest).is_some() {
                break;
            }
            // What is checked in vain is paid for by its length, so that no file takes longer than its own.
            self.tries = self.tries.saturating_add(checked >> 10).saturating_add(1);
            self.checked = self.checked.saturating_add(checked);
            at = at.saturating_add(1);
        }
        self.at = at;
        self.damage.push((began, at));
    }
}

/// The end that stands in front: how many records there are, and the check of what is before.
fn read_end(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut r = Reader::new(WHAT, bytes.get(..TAIL)?);
    let marker: [u8; 4] = r.array().ok()?;
    let (records, whole, own) = (r.u32().ok()?, r.u32().ok()?, r.u32().ok()?);
    let is_good = marker == END && crc32(bytes.get(..TAIL.saturating_sub(4))?) == own;
    is_good.then_some((records, whole))
}

/// A bundle as lines of text, each for one QR code:
/// `KINFOLK-BUNDLE/1/number/of/CRC-32 of the bundle/base32/CRC-32 of the line up to here`. Nothing where it would take
/// more than [`LINES`].
#[must_use]
pub fn lines(bundle: &[u8]) -> Option<Vec<String>> {
    let of = bundle.len().div_ceil(LINE);
    if of > LINES {
        return None;
    }
    let name = HEXUPPER.encode(&crc32(bundle).to_be_bytes());
    let line = |(number, part): (usize, &[u8])| {
        let number = number.saturating_add(1);
        let text = format!("{LINE_SCHEME}{number}/{of}/{name}/{}/", BASE32_NOPAD.encode(part));
        let check = HEXUPPER.encode(&crc32(text.as_bytes()).to_be_bytes());
        text + &check
    };
    Some(bundle.chunks(LINE).enumerate().map(line).collect())
}

/// Whether bytes are meant as lines and not as the file.
#[must_use]
pub fn is_lines(bytes: &[u8]) -> bool {
    let text = bytes.trim_ascii_start();
    text.get(..LINE_SCHEME.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(LINE_SCHEME.as_bytes()))
}

/// The bundle that lines make up, in whatever order and case they come, and however often; empty ones are passed over.
///
/// # Errors
/// [`BundleError`].
pub fn from_lines(text: &str) -> Result<Vec<u8>, BundleError> {
    let mut parts: Vec<Option<Vec<u8>>> = Vec::new();
    let mut name = String::new();
    for (number, line) in text.lines().enumerate() {
        let number = number.saturating_add(1);
        let line: String = line.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_uppercase()).collect();
        if line.is_empty() {
            continue;
        }
        let part = Part::read(&line).ok_or(BundleError::Line { line: number })?;
        if parts.is_empty() {
            (parts, name) = (vec![None; part.of], part.name.to_owned());
        } else if name != part.name || parts.len() != part.of {
            return Err(BundleError::Mixed { line: number });
        }
        if let Some(place) = parts.get_mut(part.number.saturating_sub(1)) {
            *place = Some(part.bytes);
        }
    }
    if parts.is_empty() {
        return Err(BundleError::Foreign);
    }
    let of = parts.len();
    let gone = parts.iter().zip(1_usize..).filter(|(part, _)| part.is_none());
    let missing: Vec<String> = gone.map(|(_, number)| number.to_string()).collect();
    if missing.is_empty() {
        Ok(parts.into_iter().flatten().flatten().collect())
    } else {
        Err(BundleError::Missing { missing: missing.join(", "), of })
    }
}

struct Part<'a> {
    number: usize,
    of: usize,
    name: &'a str,
    bytes: Vec<u8>,
}

impl<'a> Part<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let (before, check) = line.rsplit_once('/')?;
        let covered = line.get(..before.len().checked_add(1)?)?;
        if check.len() != 8 || HEXUPPER.encode(&crc32(covered.as_bytes()).to_be_bytes()) != check {
            return None;
        }
        let mut fields = before.strip_prefix(LINE_SCHEME)?.split('/');
        let (number, of) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        let (name, bytes) = (fields.next()?, BASE32_NOPAD.decode(fields.next()?.as_bytes()).ok()?);
        let is_sound = (1..=of).contains(&number) && of <= LINES && bytes.len() <= LINE && fields.next().is_none();
        is_sound.then_some(Self { number, of, name, bytes })
    }
}

/// CRC-32 as in Ethernet and PNG (ISO 3309): polynomial 0xEDB88320, reflected.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32, byte: &u8| {
        let [low, ..] = sum.to_le_bytes();
        TABLE.get(usize::from(low ^ byte)).copied().unwrap_or_default() ^ (sum >> 8)
    };
    !bytes.iter().fold(u32::MAX, step)
}

const TABLE: [u32; 256] = table();

#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "made when the program is compiled")]
#[allow(clippy::cast_possible_truncation, reason = "there are 256 of them")]
const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0xEDB8_8320 } else { sum >> 1 };
            bit += 1;
        }
        table[byte] = sum;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests;
