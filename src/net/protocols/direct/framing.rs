//! Bytes into frames and back.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::io::{AsyncRead, AsyncWrite};
use kinfolk_wire::codec::DecodeError;
use kinfolk_wire::direct::Frame;
use kinfolk_wire::limits;

/// Bytes of the length prefix.
const PREFIX: usize = 4;
/// What a stream at rest keeps for reading, and the least that is asked for at a time.
const AT_REST: usize = 16 * 1024;
/// No more frames are put into the write buffer once it holds this much; one frame may go over.
const FULL: usize = 64 * 1024;

/// Why the bytes are no frames.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FramingError {
    #[error("a frame has {least} to {most} bytes, this one announces {found}", least = Frame::HEAD, most = limits::FRAME)]
    Length { found: u32 },
    #[error(transparent)]
    Frame(#[from] DecodeError),
    #[error("the stream ended inside a frame")]
    Truncated,
}

/// What has been read and is not yet a frame. Never more than one frame and one read.
#[derive(Debug)]
pub(crate) struct FrameReader {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl FrameReader {
    pub(crate) fn new() -> Self {
        Self { bytes: vec![0; AT_REST], start: 0, end: 0 }
    }

    /// Whether a frame has begun and not ended.
    pub(crate) fn is_inside_frame(&self) -> bool {
        self.start < self.end
    }

    /// The next whole frame, if it is there.
    ///
    /// # Errors
    /// [`FramingError`]; the length is judged before anything is allocated for it.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, FramingError> {
        let held = self.bytes.get(self.start..self.end).unwrap_or_default();
        let Some((prefix, rest)) = held.split_first_chunk::<PREFIX>() else {
            return Ok(None);
        };
        let length = length(*prefix)?;
        let Some(frame) = rest.get(..length) else {
            return Ok(None);
        };
        let frame = Frame::decode(frame)?;
        self.start += PREFIX + length;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            self.bytes.truncate(AT_REST);
            self.bytes.shrink_to(AT_REST);
        }
        Ok(Some(frame))
    }

    /// Reads once. `Ok(false)` at the end of the stream.
    ///
    /// # Errors
    /// [`FramingError::Truncated`] where the end comes inside a frame, else what the stream says.
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
            Poll::Ready(Ok(0)) if self.is_inside_frame() => Poll::Ready(Err(FramingError::Truncated.into())),
            Poll::Ready(Ok(0)) => Poll::Ready(Ok(false)),
            Poll::Ready(Ok(read)) => {
                self.end += read;
                Poll::Ready(Ok(true))
            }
        }
    }

    /// Makes place for the rest of the frame that has begun, and for one read.
    fn make_room(&mut self) {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let announced = self
            .bytes
            .get(..self.end)
            .and_then(|held| held.first_chunk::<PREFIX>())
            .and_then(|prefix| length(*prefix).ok())
            .map_or(0, |length| PREFIX + length);
        let wanted = announced.max(self.end + 1).max(AT_REST);
        if self.bytes.len() < wanted {
            self.bytes.resize(wanted, 0);
        }
    }
}

/// Why nothing more can be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error(transparent)]
    Stream(std::io::Error),
    #[error(transparent)]
    Framing(#[from] FramingError),
}

fn length(prefix: [u8; PREFIX]) -> Result<usize, FramingError> {
    let found = u32::from_be_bytes(prefix);
    usize::try_from(found)
        .ok()
        .filter(|length| (Frame::HEAD..=limits::FRAME).contains(length))
        .ok_or(FramingError::Length { found })
}

/// Frames on their way out.
#[derive(Debug, Default)]
pub(crate) struct FrameWriter {
    bytes: Vec<u8>,
    start: usize,
    unflushed: bool,
}

impl FrameWriter {
    /// Whether another frame may be put in.
    pub(crate) fn has_room(&self) -> bool {
        self.bytes.len() - self.start < FULL
    }

    /// Whether everything has left.
    pub(crate) fn is_idle(&self) -> bool {
        self.start == self.bytes.len() && !self.unflushed
    }

    /// Puts a frame in.
    ///
    /// # Errors
    /// [`DecodeError::TooLong`] for a body that fits no frame.
    pub(crate) fn put(&mut self, frame: &Frame) -> Result<(), DecodeError> {
        self.bytes.extend_from_slice(&frame.encode()?);
        Ok(())
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
    use kinfolk_wire::direct::FrameKind;

    use super::*;

    /// Everything a stream of these bytes says, read `at_once` bytes at a time.
    fn read(bytes: &[u8], at_once: usize) -> Result<Vec<Frame>, String> {
        let mut reader = FrameReader::new();
        let mut frames = Vec::new();
        for chunk in bytes.chunks(at_once).chain([&[][..]]) {
            let mut stream = Cursor::new(chunk);
            loop {
                let more = block_on(std::future::poll_fn(|cx| reader.poll_read(cx, &mut stream)));
                match more {
                    Ok(true) => {}
                    Ok(false) => break,
                    // An empty chunk in the middle of a frame is not the end of the stream unless it is the last.
                    Err(ReadError::Framing(FramingError::Truncated)) if !chunk.is_empty() => break,
                    Err(error) => return Err(error.to_string()),
                }
                while let Some(frame) = reader.next().map_err(|error| error.to_string())? {
                    frames.push(frame);
                }
            }
        }
        Ok(frames)
    }

    fn frames() -> Vec<Frame> {
        [0, 1, 300, limits::FRAME - Frame::HEAD, 7, AT_REST, AT_REST - 13]
            .into_iter()
            .zip(1..)
            .map(|(length, sequence)| Frame { kind: FrameKind::Payload, sequence, body: vec![0x5a; length] })
            .collect()
    }

    #[test]
    fn frames_survive_being_cut_anywhere() {
        let bytes: Vec<u8> = frames().iter().flat_map(|frame| frame.encode().unwrap()).collect();
        for at_once in [1, 3, 4, 5, 13, 1_000, AT_REST, bytes.len()] {
            assert_eq!(read(&bytes, at_once), Ok(frames()), "{at_once}");
        }
    }

    #[test]
    fn d01_a_length_that_no_frame_has_is_refused_before_it_is_allocated() {
        for found in [0, 1, 8, 65_537, 1 << 24, u32::MAX] {
            let mut reader = FrameReader::new();
            let mut bytes = found.to_be_bytes().to_vec();
            bytes.extend([0; 64]);
            let mut stream = Cursor::new(bytes);
            assert!(matches!(block_on(std::future::poll_fn(|cx| reader.poll_read(cx, &mut stream))), Ok(true)));
            assert_eq!(reader.next(), Err(FramingError::Length { found }));
            assert_eq!(reader.bytes.capacity(), AT_REST);
        }
    }

    #[test]
    fn d01_a_frame_that_stops_short_is_refused() {
        let bytes = frames()[2].encode().unwrap();
        for cut in 1..bytes.len() {
            assert_eq!(read(&bytes[..cut], 17), Err(FramingError::Truncated.to_string()), "{cut}");
        }
    }

    #[test]
    fn d01_an_unknown_kind_is_refused() {
        for kind in [0, 8, 9, 0x11, 0xff] {
            let mut bytes = frames()[1].encode().unwrap();
            bytes[PREFIX] = kind;
            assert!(read(&bytes, 100).unwrap_err().contains("is unknown"), "{kind}");
        }
    }

    #[test]
    fn a_reader_at_rest_keeps_little() {
        let mut reader = FrameReader::new();
        let mut stream = Cursor::new(frames()[3].encode().unwrap());
        while let Ok(true) = block_on(std::future::poll_fn(|cx| reader.poll_read(cx, &mut stream))) {
            if reader.next().unwrap().is_some() {
                break;
            }
        }
        assert!(reader.bytes.capacity() <= AT_REST, "{}", reader.bytes.capacity());
    }

    #[test]
    fn a_writer_is_full_before_it_is_large() {
        let mut writer = FrameWriter::default();
        let frame = Frame { kind: FrameKind::Payload, sequence: 1, body: vec![0; limits::FRAME - Frame::HEAD] };
        while writer.has_room() {
            writer.put(&frame).unwrap();
        }
        assert!(writer.bytes.len() < FULL + PREFIX + limits::FRAME);
        let mut out = Cursor::new(Vec::new());
        assert!(block_on(std::future::poll_fn(|cx| writer.poll_write(cx, &mut out))).unwrap());
        assert!(writer.is_idle() && writer.has_room());
        assert_eq!(out.into_inner(), frame.encode().unwrap());
    }
}
