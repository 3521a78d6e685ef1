//! A length of four bytes, then as many bytes. The length is checked before anything is kept, and what is kept grows
//! with what has come, not with what was announced.

use std::io;
use std::time::Duration;

use futures::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::{StreamProtocol, request_response};

use super::To;

/// Reads and writes questions and answers.
#[derive(Debug, Clone)]
pub(crate) struct Codec {
    /// Whose sizes count.
    to: To,
    /// How long a question may take, from its first byte to its last.
    patience: Duration,
}

impl Codec {
    pub(crate) const fn new(to: To, patience: Duration) -> Self {
        Self { to, patience }
    }
}

impl request_response::Codec for Codec {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = Vec<u8>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        let reading = tokio::time::timeout(self.patience, read(io, self.to.question()));
        reading.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    /// The host may think as long as the visit lasts, which bounds this as well.
    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        read(io, self.to.answer()).await
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, body: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write(io, &body, self.to.question()).await
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, body: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write(io, &body, self.to.answer()).await
    }
}

async fn read<T: AsyncRead + Unpin + Send>(io: &mut T, limit: usize) -> io::Result<Vec<u8>> {
    let mut prefix = [0; 4];
    io.read_exact(&mut prefix).await?;
    let announced = u32::from_be_bytes(prefix);
    let length = usize::try_from(announced).ok().filter(|length| *length <= limit).ok_or_else(too_long)?;
    let mut body = Vec::new();
    io.take(announced.into()).read_to_end(&mut body).await?;
    if body.len() == length { Ok(body) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

async fn write<T: AsyncWrite + Unpin + Send>(io: &mut T, body: &[u8], limit: usize) -> io::Result<()> {
    let length = u32::try_from(body.len()).ok().filter(|_| body.len() <= limit).ok_or_else(too_long)?;
    io.write_all(&length.to_be_bytes()).await?;
    io.write_all(body).await?;
    io.flush().await
}

fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "longer than the protocol allows")
}

#[cfg(test)]
mod tests {
    use futures::io::Cursor;
    use kinfolk_wire::mailbox::REQUEST;

    use super::*;

    #[tokio::test]
    async fn what_is_written_is_read_and_nothing_behind_it() {
        for length in [0, 1, 500, REQUEST] {
            let body = vec![7; length];
            let mut io = Cursor::new(Vec::new());
            write(&mut io, &body, REQUEST).await.unwrap();
            io.get_mut().extend_from_slice(b"more");
            io.set_position(0);
            assert_eq!(read(&mut io, REQUEST).await.unwrap(), body);
            assert_eq!(io.position(), u64::try_from(length).unwrap() + 4);
        }
    }

    #[tokio::test]
    async fn d01_a_length_over_the_limit_is_refused_before_a_byte_is_read() {
        for announced in [REQUEST + 1, u32::MAX as usize] {
            let mut bytes = u32::try_from(announced).unwrap().to_be_bytes().to_vec();
            bytes.resize(4 + REQUEST + 1, 0);
            let mut io = Cursor::new(bytes);
            assert_eq!(read(&mut io, REQUEST).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
            assert_eq!(io.position(), 4);
        }
        let mut out = Cursor::new(Vec::new());
        assert!(write(&mut out, &vec![0; REQUEST + 1], REQUEST).await.is_err());
        assert!(out.get_ref().is_empty(), "nothing of it leaves");
    }

    #[tokio::test]
    async fn d01_a_body_that_ends_early_is_refused() {
        for bytes in [&[][..], &[0, 0], &[0, 0, 0, 9, 1, 2]] {
            let refused = read(&mut Cursor::new(bytes), REQUEST).await.unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::UnexpectedEof);
        }
    }
}
