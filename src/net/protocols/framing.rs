//! A length of four bytes, then as many: bytes into bodies and back, for every protocol that frames so.
//!
//! The length is judged before anything is kept, and what is kept grows with what has come, not with what was announced.

use std::ops::RangeInclusive;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::io::{AsyncRead, AsyncWrite};

/// Bytes of the length prefix.
pub(crate) const PREFIX: usize = 4;
/// Nothing more is put into the write buffer once it holds this much; one body may go over.
const FULL: usize = 64 * 1024;

/// Why the bytes are no bodies.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FramingError {
    #[error("a body has {least} to {most} bytes, this one announces {found}")]
    Length { least: usize, most: usize, found: u32 },
    #[error("the stream ended inside a body")]
    Truncated,
}

/// Why nothing more can be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error(transparent)]
    Stream(std::io::Error),
    #[error(transparent)]
    Framing(#[from] FramingError),
}

/// What has been read and was not taken. Never more than one body and one read.
#[derive(Debug)]
pub(crate) struct Reader {
    /// How long a body may be.
    lengths: RangeInclusive<usize>,
    /// What is kept while nothing has come, and the least that is asked for at a time.
    at_rest: usize,
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Reader {
    /// A reader of bodies of these lengths, which keeps so many bytes at rest.
    pub(crate) fn new(lengths: RangeInclusive<usize>, at_rest: usize) -> Self {
        Self { lengths, at_rest, bytes: vec![0; at_rest], start: 0, end: 0 }
    }

    /// Whether a body has begun and was not taken.
    pub(crate) const fn is_inside(&self) -> bool {
        self.start < self.end
    }

    /// The next whole body, if it is there.
    ///
    /// # Errors
    /// [`FramingError::Length`], before anything is allocated for it.
    pub(crate) fn next(&mut self) -> Result<Option<&[u8]>, FramingError> {
        let held = self.bytes.get(self.start..self.end).unwrap_or_default();
        let Some((prefix, rest)) = held.split_first_chunk::<PREFIX>() else {
            return Ok(None);
        };
        let length = self.length(*prefix)?;
        if rest.len() < length {
            return Ok(None);
        }
        let body = self.start + PREFIX;
        self.start = body + length;
        Ok(self.bytes.get(body..self.start))
    }

    /// Reads once. `Ok(false)` at the end of the stream.
    ///
    /// # Errors
    /// [`FramingError::Truncated`] where the end comes inside a body, else what the stream says.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut (impl AsyncRead + Unpin),
    ) -> Poll<Result<bool, ReadError>> {
        self.make_room();
        let room = self.bytes.get_mut(self.end..).unwrap_or_default();
        match Pin::new(stream).poll_read(cx, room) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Err(ReadError::Stream(error))),
            Poll::Ready(Ok(0)) if self.is_inside() => Poll::Ready(Err(FramingError::Truncated.into())),
            Poll::Ready(Ok(0)) => Poll::Ready(Ok(false)),
            Poll::Ready(Ok(read)) => {
                self.end += read;
                Poll::Ready(Ok(true))
            }
        }
    }

    /// Makes place for more: at most twice what has come of a body that has begun, and no more than the body.
    fn make_room(&mut self) {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.end == 0 && self.bytes.len() > self.at_rest {
            self.bytes.truncate(self.at_rest);
            self.bytes.shrink_to(self.at_rest);
        }
        let held = self.bytes.get(..self.end).unwrap_or_default();
        let announced = held.first_chunk::<PREFIX>().and_then(|prefix| self.length(*prefix).ok());
        let whole = announced.map_or(0, |length| PREFIX + length);
        let wanted = whole.min(self.end * 2).max(self.end + 1).max(self.at_rest);
        if self.bytes.len() < wanted {
            self.bytes.resize(wanted, 0);
        }
    }

    fn length(&self, prefix: [u8; PREFIX]) -> Result<usize, FramingError> {
        let found = u32::from_be_bytes(prefix);
        let (least, most) = (*self.lengths.start(), *self.lengths.end());
        let length = usize::try_from(found).ok().filter(|length| self.lengths.contains(length));
        length.ok_or(FramingError::Length { least, most, found })
    }
}

/// Bytes on their way out.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
    start: usize,
    unflushed: bool,
}

impl Writer {
    /// Whether more may be put in.
    pub(crate) const fn has_room(&self) -> bool {
        self.left() < FULL
    }

    /// Whether everything has left.
    pub(crate) const fn is_idle(&self) -> bool {
        self.left() == 0 && !self.unflushed
    }

    /// Bytes that have not left.
    pub(crate) const fn left(&self) -> usize {
        self.bytes.len().saturating_sub(self.start)
    }

    /// Puts bytes in as they are.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Puts a body in behind its length.
    pub(crate) fn put_body(&mut self, body: &[u8]) {
        // Nothing of ours comes near it; a length that is cut would be the next body's trouble.
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        self.put(&length.to_be_bytes());
        self.put(body);
    }

    /// Writes and flushes all there is; ready with whether anything moved, or pending with nothing moved.
    ///
    /// # Errors
    /// What the stream says.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut (impl AsyncWrite + Unpin),
    ) -> Poll<std::io::Result<bool>> {
        let mut moved = false;
        while let Some(rest) = self.bytes.get(self.start..).filter(|rest| !rest.is_empty()) {
            match Pin::new(&mut *stream).poll_write(cx, rest) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => {
                    self.start += written;
                    (moved, self.unflushed) = (true, true);
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.drop_written();
                    return if moved { Poll::Ready(Ok(true)) } else { Poll::Pending };
                }
            }
        }
        self.drop_written();
        if self.unflushed {
            match Pin::new(stream).poll_flush(cx) {
                Poll::Ready(Ok(())) => (moved, self.unflushed) = (true, false),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return if moved { Poll::Ready(Ok(true)) } else { Poll::Pending },
            }
        }
        Poll::Ready(Ok(moved))
    }

    fn drop_written(&mut self) {
        if self.start == self.bytes.len() {
            self.bytes.clear();
            self.bytes.shrink_to(FULL);
        } else if self.start >= FULL {
            self.bytes.drain(..self.start);
        } else {
            return;
        }
        self.start = 0;
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use futures::io::Cursor;

    use super::*;

    const LONGEST: usize = 65_536;
    const AT_REST: usize = 16 * 1024;

    fn reader() -> Reader {
        Reader::new(9..=LONGEST, AT_REST)
    }

    /// Everything a stream of these bytes says, read `at_once` bytes at a time.
    fn read(bytes: &[u8], at_once: usize) -> Result<Vec<Vec<u8>>, String> {
        let mut reader = reader();
        let mut bodies = Vec::new();
        for chunk in bytes.chunks(at_once).chain([&[][..]]) {
            let mut stream = Cursor::new(chunk);
            loop {
                let more = block_on(std::future::poll_fn(|cx| reader.poll_read(cx, &mut stream)));
                match more {
                    Ok(true) => {}
                    Ok(false) => break,
                    // An empty chunk in the middle of a body is not the end of the stream unless it is the last.
                    Err(ReadError::Framing(FramingError::Truncated)) if !chunk.is_empty() => break,
                    Err(error) => return Err(error.to_string()),
                }
                while let Some(body) = reader.next().map_err(|error| error.to_string())? {
                    bodies.push(body.to_vec());
                }
            }
        }
        Ok(bodies)
    }

    fn bodies() -> Vec<Vec<u8>> {
        [9, 10, 300, LONGEST, 16, AT_REST, AT_REST - PREFIX].into_iter().map(|length| vec![0x5a; length]).collect()
    }

    fn written(bodies: &[Vec<u8>]) -> Vec<u8> {
        let mut writer = Writer::default();
        bodies.iter().for_each(|body| writer.put_body(body));
        let mut out = Cursor::new(Vec::new());
        assert!(block_on(std::future::poll_fn(|cx| writer.poll_write(cx, &mut out))).unwrap());
        assert!(writer.is_idle());
        out.into_inner()
    }

    #[test]
    fn bodies_survive_being_cut_anywhere() {
        let bytes = written(&bodies());
        for at_once in [1, 3, 4, 5, 13, 1_000, AT_REST, bytes.len()] {
            assert_eq!(read(&bytes, at_once), Ok(bodies()), "{at_once}");
        }
    }

    #[test]
    fn d01_a_length_that_no_body_has_is_refused_before_it_is_allocated() {
        for found in [0, 1, 8, 65_537, 1 << 24, u32::MAX] {
            let mut reader = reader();
            let mut bytes = found.to_be_bytes().to_vec();
            bytes.extend([0; 64]);
            let mut stream = Cursor::new(bytes);
            assert!(matches!(block_on(std::future::poll_fn(|cx| reader.poll_read(cx, &mut stream))), Ok(true)));
            assert_eq!(reader.next(), Err(FramingError::Length { least: 9, most: LONGEST, found }));
            assert_eq!(reader.bytes.capacity(), AT_REST);
        }
    }

    #[test]
    fn d01_a_body_that_stops_short_is_refused() {
        let bytes = written(&bodies()[2..3]);
        for cut in 1..bytes.len() {
            assert_eq!(read(&bytes[..cut], 17), Err(FramingError::Truncated.to_string()), "{cut}");
        }
    }

    #[test]
    fn d01_what_is_kept_grows_with_what_has_come() {
        let mut reader = Reader::new(0..=LONGEST, 64);
        let bytes = written(&bodies()[3..4]);
        let mut has_come = 0;
        for chunk in bytes.chunks(100) {
            let mut stream = Cursor::new(chunk);
            while let Ok(true) = block_on(std::future::poll_fn(|cx| reader.poll_read(cx, &mut stream))) {}
            has_come += chunk.len();
            assert!(reader.bytes.capacity() <= 4 * has_come, "{} for {has_come}", reader.bytes.capacity());
        }
        assert_eq!(reader.next().unwrap().map(<[u8]>::len), Some(LONGEST));
    }

    #[test]
    fn a_reader_at_rest_keeps_little() {
        let mut reader = reader();
        let mut stream = Cursor::new(written(&bodies()[3..4]));
        while let Ok(true) = block_on(std::future::poll_fn(|cx| reader.poll_read(cx, &mut stream))) {
            reader.next().unwrap();
        }
        assert!(reader.bytes.capacity() <= AT_REST, "{}", reader.bytes.capacity());
    }

    #[test]
    fn a_writer_is_full_before_it_is_large() {
        let mut writer = Writer::default();
        while writer.has_room() {
            writer.put_body(&[0; LONGEST]);
        }
        assert!(writer.bytes.len() < FULL + PREFIX + LONGEST);
        let mut out = Cursor::new(Vec::new());
        assert!(block_on(std::future::poll_fn(|cx| writer.poll_write(cx, &mut out))).unwrap());
        assert!(writer.is_idle() && writer.has_room());
    }
}
