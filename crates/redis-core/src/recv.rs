//! Bytes that were read: where the next read goes, and what is framed already.
//!
//! Owns the memory that replies are decoded from. A sync driver decodes in place and starts over; an
//! async one takes framed bytes out as a shared piece, without copying them. Room for what a peer
//! announces grows with what has arrived, never ahead of it by more than a factor.

use bytes::{Bytes, BytesMut};

/// The size of the first chunk, and of every one while replies are small.
const SMALL: usize = 16 * 1024;

/// The size of chunks while reads fill them.
const LARGE: usize = 64 * 1024;

/// With less room than this a new chunk is made.
const ROOM: usize = 4 * 1024;

/// A large reply gets this many times the room of what has arrived of it.
const AHEAD: usize = 4;

/// A read buffer.
#[derive(Debug, Default)]
pub struct RecvBuffer {
    /// Initialized to its whole length; the first `filled` bytes were read.
    chunk: BytesMut,
    filled: usize,
    large: bool,
}

impl RecvBuffer {
    /// Where the next read goes. `hint` is how many bytes are known to be missing of a large reply.
    pub fn space(&mut self, hint: usize) -> &mut [u8] {
        let room = self.chunk.len() - self.filled;
        let wanted = hint.min(AHEAD * self.filled.max(SMALL));
        if room < ROOM.max(wanted) {
            self.grow(wanted);
        }
        &mut self.chunk[self.filled..]
    }

    fn grow(&mut self, wanted: usize) {
        let usual = if self.large { LARGE } else { SMALL };
        // At least twice what is kept, so that copying it is paid for by what arrives.
        let room = wanted.max(ROOM).max(self.filled);
        let size = (self.filled + room).max(usual);
        if self.filled == 0 && self.chunk.try_reclaim(size - self.chunk.len()) {
            // Nobody holds what was taken out of it.
            return self.chunk.resize(size, 0);
        }
        let mut chunk = BytesMut::zeroed(size);
        chunk[..self.filled].copy_from_slice(self.data());
        self.chunk = chunk;
    }

    /// `n` bytes were read into the space.
    pub fn advance(&mut self, n: usize) {
        assert!(n <= self.chunk.len() - self.filled, "more was read than there was room for");
        self.filled += n;
        self.large |= n >= SMALL / 2;
    }

    /// What was read and is not consumed.
    pub fn data(&self) -> &[u8] {
        &self.chunk[..self.filled]
    }

    /// Takes the first `n` bytes out, sharing their memory.
    pub fn take(&mut self, n: usize) -> Bytes {
        self.filled -= n;
        self.chunk.split_to(n).freeze()
    }

    /// Forgets the first `n` bytes; their memory is used again.
    pub fn consume(&mut self, n: usize) {
        self.chunk.copy_within(n..self.filled, 0);
        self.filled -= n;
        if self.filled == 0 && self.chunk.len() > 4 * LARGE {
            self.chunk = BytesMut::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(buffer: &mut RecvBuffer, bytes: &[u8], hint: usize) {
        buffer.space(hint)[..bytes.len()].copy_from_slice(bytes);
        buffer.advance(bytes.len());
    }

    #[test]
    fn bytes_survive_taking_consuming_and_growing() {
        let mut buffer = RecvBuffer::default();
        let mut expected = Vec::new();
        for n in 0..2000usize {
            let bytes = vec![n as u8; n % 700];
            read(&mut buffer, &bytes, if n % 97 == 0 { 100_000 } else { 0 });
            expected.extend(&bytes);
            let gone = expected.len() * (n % 4) / 4;
            if n % 2 == 0 {
                assert_eq!(buffer.take(gone), expected[..gone]);
            } else {
                buffer.consume(gone);
            }
            expected.drain(..gone);
            assert_eq!(buffer.data(), expected);
        }
    }

    #[test]
    fn an_announced_length_reserves_no_more_than_a_multiple_of_what_arrived() {
        let mut buffer = RecvBuffer::default();
        read(&mut buffer, b"$9000000000\r\n", 0);
        assert!(buffer.space(9_000_000_000).len() <= (AHEAD + 1) * SMALL);
        read(&mut buffer, &[0; 60_000], 9_000_000_000);
        assert!(buffer.space(9_000_000_000).len() <= (AHEAD + 1) * 61_000);
    }

    #[test]
    fn taken_bytes_are_not_copied() {
        let mut buffer = RecvBuffer::default();
        read(&mut buffer, b"hello", 0);
        let at = buffer.data().as_ptr();
        assert_eq!(buffer.take(5).as_ptr(), at);
    }
}
