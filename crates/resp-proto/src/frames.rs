//! Frames as owned `Bytes`, for those who want them one by one.
//!
//! A `Bytes` per frame costs more than finding it; drivers that care freeze a whole chunk and keep ranges.

use bytes::{Bytes, BytesMut};

use crate::{error::ProtocolError, limits::Limits, scanner::Scanner};

/// Takes complete frames off the front of a buffer.
///
/// ```
/// use bytes::BytesMut;
/// use resp_proto::{Frames, Limits};
///
/// let mut frames = Frames::new(Limits::default());
/// let mut buffer = BytesMut::from("+OK\r\n:1\r\n$5\r\nhel");
/// assert_eq!(frames.next_frame(&mut buffer)?.as_deref(), Some(&b"+OK\r\n"[..]));
/// assert_eq!(frames.next_frame(&mut buffer)?.as_deref(), Some(&b":1\r\n"[..]));
/// assert_eq!(frames.next_frame(&mut buffer)?, None);
/// buffer.extend_from_slice(b"lo\r\n");
/// assert_eq!(frames.next_frame(&mut buffer)?.as_deref(), Some(&b"$5\r\nhello\r\n"[..]));
/// # Ok::<(), resp_proto::ProtocolError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Frames {
    scanner: Scanner,
}

impl Frames {
    /// Starts at the first byte of a frame.
    pub fn new(limits: Limits) -> Self {
        Self { scanner: Scanner::new(limits) }
    }

    /// Splits the next complete frame off the front of `buffer`, without copying; `None` while it is
    /// incomplete.
    ///
    /// The buffer must be the same at every call, only appended to in between.
    ///
    /// # Errors
    ///
    /// As [`Scanner::scan`].
    pub fn next_frame(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, ProtocolError> {
        let len = self.scanner.scan(buffer)?;
        Ok(len.map(|len| buffer.split_to(len).freeze()))
    }

    /// As [`Scanner::read_hint`].
    pub fn read_hint(&self) -> usize {
        self.scanner.read_hint()
    }
}
