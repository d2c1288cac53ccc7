//! Frames that wait, as they came: a copy of their bytes in chunks, which are given back as they are read.
//!
//! They are turned into messages when the reader takes them. That is cheaper than to hold messages, in time and in
//! memory, and those that are dropped cost nothing more.

use std::collections::VecDeque;

/// The size of a chunk, unless a single frame is larger.
const CHUNK: usize = 16 * 1024;

/// What a frame takes beside its bytes.
const ENTRY: usize = size_of::<Entry>();

#[derive(Debug, Default)]
pub(super) struct Spool {
    entries: VecDeque<Entry>,
    chunks: VecDeque<Vec<u8>>,
    /// Where the oldest frame begins in the first chunk.
    start: usize,
    /// The memory of the frames.
    bytes: usize,
    /// An emptied chunk, for its capacity.
    spare: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    position: u64,
    len: usize,
}

impl Spool {
    /// How much memory it would take with this frame.
    #[inline]
    pub(super) fn bytes_with(&self, frame: &[u8]) -> usize {
        self.bytes + frame.len() + ENTRY
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    #[inline]
    pub(super) fn push(&mut self, position: u64, frame: &[u8]) {
        self.bytes = self.bytes_with(frame);
        self.entries.push_back(Entry { position, len: frame.len() });
        match self.chunks.back_mut() {
            Some(chunk) if chunk.len() + frame.len() <= chunk.capacity() => {
                chunk.extend_from_slice(frame);
            }
            _ => self.push_chunk(frame),
        }
    }

    #[cold]
    fn push_chunk(&mut self, frame: &[u8]) {
        let mut chunk = std::mem::take(&mut self.spare);
        chunk.reserve_exact(CHUNK.max(frame.len()));
        chunk.extend_from_slice(frame);
        self.chunks.push_back(chunk);
    }

    /// The position of the oldest.
    #[inline]
    pub(super) fn first(&self) -> Option<u64> {
        self.entries.front().map(|entry| entry.position)
    }

    /// The position of the latest.
    pub(super) fn last(&self) -> Option<u64> {
        self.entries.back().map(|entry| entry.position)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes the oldest: its position, and what `read` makes of it.
    #[inline]
    pub(super) fn pop<T>(&mut self, read: impl FnOnce(&[u8]) -> T) -> Option<(u64, T)> {
        let Entry { position, len } = self.entries.pop_front()?;
        let end = self.start + len;
        let chunk = self.chunks.front()?;
        let result = read(&chunk[self.start..end]);
        self.bytes -= len + ENTRY;
        self.start = end;
        if end == chunk.len() {
            self.pop_chunk();
        }
        Some((position, result))
    }

    fn pop_chunk(&mut self) {
        self.start = 0;
        if let Some(mut chunk) = self.chunks.pop_front()
            && chunk.capacity() == CHUNK
        {
            chunk.clear();
            self.spare = chunk;
        }
    }
}
