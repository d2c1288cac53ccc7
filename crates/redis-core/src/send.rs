//! Bytes on their way to a socket: small ones gathered, large ones by reference.
//!
//! Owns order and bookkeeping of unsent bytes. Knows nothing of what they mean.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::ops::Range;

use bytes::{Buf, Bytes};
use resp_proto::Sink;

/// The most slices one [`Transmit`] carries.
const SLICES: usize = 16;

/// A gathering chunk that has grown past this is not kept for reuse.
const KEEP: usize = 256 * 1024;

/// Unsent bytes in order, as a queue of chunks.
#[derive(Debug, Default)]
pub struct SendBuffer {
    chunks: VecDeque<Chunk>,
    /// Bytes of the first chunk that are gone already.
    sent: usize,
    len: usize,
    /// An emptied chunk, kept for its capacity.
    spare: Vec<u8>,
}

#[derive(Debug)]
enum Chunk {
    Owned(Vec<u8>),
    Shared(Bytes),
}

impl Chunk {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Owned(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

impl Sink for SendBuffer {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.put_all([bytes]);
    }
}

impl SendBuffer {
    /// Appends several pieces.
    #[inline]
    pub fn put_all<const N: usize>(&mut self, pieces: [&[u8]; N]) {
        let len = pieces.iter().map(|piece| piece.len()).sum::<usize>();
        self.len += len;
        if let Some(Chunk::Owned(chunk)) = self.chunks.back_mut() {
            chunk.reserve(len);
            pieces.iter().for_each(|piece| chunk.extend_from_slice(piece));
        } else if len > 0 {
            let mut chunk = std::mem::take(&mut self.spare);
            chunk.reserve(len);
            pieces.iter().for_each(|piece| chunk.extend_from_slice(piece));
            self.chunks.push_back(Chunk::Owned(chunk));
        }
    }

    /// Makes room for this many bytes to be gathered, where nothing is yet.
    pub(crate) fn reserve(&mut self, len: usize) {
        if self.chunks.is_empty() {
            self.spare.reserve(len);
        }
    }

    /// Appends bytes without copying them.
    pub fn push_shared(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.len += bytes.len();
            self.chunks.push_back(Chunk::Shared(bytes));
        }
    }

    /// Moves everything from `other` to the end of this one. Both keep their capacity.
    pub fn append(&mut self, other: &mut Self) {
        if self.is_empty() {
            self.recycle_all();
            std::mem::swap(self, other);
            if other.spare.capacity() < self.spare.capacity() {
                std::mem::swap(&mut other.spare, &mut self.spare);
            }
            return;
        }
        if other.sent > 0 {
            let sent = std::mem::take(&mut other.sent);
            match other.chunks.front_mut() {
                Some(Chunk::Owned(bytes)) => drop(bytes.drain(..sent)),
                Some(Chunk::Shared(bytes)) => bytes.advance(sent),
                None => {}
            }
        }
        self.len += std::mem::take(&mut other.len);
        self.chunks.append(&mut other.chunks);
    }

    /// Forgets the first `n` bytes: they are sent.
    ///
    /// # Panics
    ///
    /// When `n` is more than there is, which is a bug of the caller.
    pub fn advance(&mut self, n: usize) {
        assert!(n <= self.len, "advanced {n} of {} bytes", self.len);
        self.len -= n;
        self.sent += n;
        while let Some(front) = self.chunks.front() {
            let size = front.bytes().len();
            if self.sent < size {
                break;
            }
            self.sent -= size;
            if let Some(chunk) = self.chunks.pop_front() {
                self.recycle(chunk);
            }
        }
    }

    /// Takes back bytes that are not sent, by their distance from the first unsent one.
    ///
    /// # Panics
    ///
    /// When the range ends behind the last byte, which is a bug of the caller.
    pub fn remove(&mut self, range: Range<usize>) {
        assert!(range.end <= self.len, "removed {range:?} of {} bytes", self.len);
        self.len -= range.len();
        let Range { mut start, mut end } = range;
        start += self.sent;
        end += self.sent;
        let mut at = 0;
        while start < end && at < self.chunks.len() {
            let size = self.chunks[at].bytes().len();
            if start >= size {
                start -= size;
                end -= size;
                at += 1;
                continue;
            }
            let until = end.min(size);
            end -= until - start;
            match &mut self.chunks[at] {
                Chunk::Owned(bytes) => drop(bytes.drain(start..until)),
                Chunk::Shared(bytes) => {
                    let tail = bytes.split_off(until);
                    bytes.truncate(start);
                    if !tail.is_empty() {
                        self.chunks.insert(at + 1, Chunk::Shared(tail));
                    }
                }
            }
            if self.chunks[at].bytes().is_empty() {
                self.chunks.remove(at);
            }
        }
        // What was sent of the first chunk may now be all that is left of it.
        self.advance(0);
    }

    /// Moves everything out as shared pieces.
    pub(crate) fn drain_into(&mut self, parts: &mut Vec<Bytes>) {
        let sent = std::mem::take(&mut self.sent);
        self.len = 0;
        let first = parts.len();
        parts.extend(self.chunks.drain(..).map(|chunk| match chunk {
            Chunk::Owned(bytes) => Bytes::from(bytes),
            Chunk::Shared(bytes) => bytes,
        }));
        if let Some(part) = parts.get_mut(first) {
            part.advance(sent);
        }
    }

    /// The unsent bytes as shared pieces, without copying them. They stay here too.
    pub fn share(&mut self) -> Vec<Bytes> {
        let mut sent = self.sent;
        let share = |chunk: &mut Chunk| {
            if let Chunk::Owned(bytes) = chunk {
                *chunk = Chunk::Shared(std::mem::take(bytes).into());
            }
            match chunk {
                Chunk::Shared(bytes) => bytes.slice(std::mem::take(&mut sent)..),
                Chunk::Owned(_) => Bytes::new(),
            }
        };
        self.chunks.iter_mut().map(share).collect()
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        self.len = 0;
        self.recycle_all();
    }

    fn recycle_all(&mut self) {
        self.sent = 0;
        while let Some(chunk) = self.chunks.pop_front() {
            self.recycle(chunk);
        }
    }

    fn recycle(&mut self, chunk: Chunk) {
        if let Chunk::Owned(mut bytes) = chunk
            && bytes.capacity() > self.spare.capacity()
            && bytes.capacity() <= KEEP
        {
            bytes.clear();
            self.spare = bytes;
        }
    }

    /// The next bytes to send, if any.
    pub fn transmit(&self) -> Option<Transmit<'_>> {
        (!self.is_empty()).then(|| {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let mut count = 0;
            for (to, from) in slices.iter_mut().zip(self.slices()) {
                *to = IoSlice::new(from);
                count += 1;
            }
            Transmit { slices, count }
        })
    }

    /// The unsent bytes, piece by piece.
    pub fn slices(&self) -> impl Iterator<Item = &[u8]> {
        let mut sent = self.sent;
        self.chunks.iter().map(move |chunk| &chunk.bytes()[std::mem::take(&mut sent)..])
    }

    /// Unsent bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing waits to be sent.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The unsent bytes in one piece, for tests and small messages.
    pub fn to_vec(&self) -> Vec<u8> {
        self.slices().flatten().copied().collect()
    }
}

/// Bytes to write to the socket now. Say how many were taken by `handle_transmitted`.
#[derive(Debug)]
pub struct Transmit<'a> {
    slices: [IoSlice<'a>; SLICES],
    count: usize,
}

impl<'a> Transmit<'a> {
    /// The pieces in order, for a vectored write. Never empty.
    pub fn slices(&self) -> &[IoSlice<'a>] {
        &self.slices[..self.count]
    }

    /// Bytes in all pieces together.
    pub fn len(&self) -> usize {
        self.slices().iter().map(|slice| slice.len()).sum()
    }

    /// Whether there is nothing to write; never so for a transmit that was handed out.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Put(Vec<u8>),
        Share(Vec<u8>),
        Append(Vec<u8>, Vec<u8>),
        Advance(prop::sample::Index),
        Remove(prop::sample::Index, prop::sample::Index),
    }

    fn step() -> impl Strategy<Value = Step> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..20);
        prop_oneof![
            bytes().prop_map(Step::Put),
            bytes().prop_map(Step::Share),
            (bytes(), bytes()).prop_map(|(a, b)| Step::Append(a, b)),
            any::<prop::sample::Index>().prop_map(Step::Advance),
            any::<(prop::sample::Index, prop::sample::Index)>()
                .prop_map(|(a, b)| Step::Remove(a, b)),
        ]
    }

    proptest! {
        #[test]
        fn behaves_like_one_flat_buffer(steps in prop::collection::vec(step(), 0..60)) {
            let mut buffer = SendBuffer::default();
            let mut model = Vec::new();
            for step in steps {
                match step {
                    Step::Put(bytes) => { buffer.put(&bytes); model.extend(bytes); }
                    Step::Share(bytes) => { model.extend(&bytes); buffer.push_shared(bytes.into()); }
                    Step::Append(a, b) => {
                        let mut other = SendBuffer::default();
                        other.put(&a);
                        other.push_shared(b.clone().into());
                        let gone = a.len() / 2;
                        other.advance(gone);
                        buffer.append(&mut other);
                        prop_assert!(other.is_empty());
                        model.extend(&a[gone..]);
                        model.extend(b);
                    }
                    Step::Advance(index) => {
                        let n = index.index(model.len() + 1);
                        buffer.advance(n);
                        model.drain(..n);
                    }
                    Step::Remove(a, b) => {
                        let (a, b) = (a.index(model.len() + 1), b.index(model.len() + 1));
                        let range = a.min(b)..a.max(b);
                        buffer.remove(range.clone());
                        model.drain(range);
                    }
                }
                prop_assert_eq!(buffer.to_vec(), &model[..]);
                prop_assert_eq!(buffer.len(), model.len());
                let transmitted = buffer.transmit().map_or(0, |transmit| transmit.len());
                prop_assert_eq!(transmitted == 0, model.is_empty());
            }
        }
    }
}
