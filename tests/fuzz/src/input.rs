//! A fuzzer's bytes, read as choices and then as a stream.

use resp_proto::Limits;

/// Takes choices off the front of the bytes; once they have run out, every choice is 0.
#[derive(Clone, Debug)]
pub struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    /// All of `data` is still to be taken.
    pub fn new(data: &'a [u8]) -> Self {
        Self { rest: data }
    }

    /// One byte.
    pub fn byte(&mut self) -> u8 {
        let Some((&byte, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        byte
    }

    /// Eight bytes as a number.
    pub fn word(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    /// At most `len` bytes.
    pub fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (bytes, rest) = self.rest.split_at(len.min(self.rest.len()));
        self.rest = rest;
        bytes
    }

    /// What is left.
    pub fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// Whether all has been taken.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The defaults behind an even byte, small limits behind an odd one.
    pub fn limits(&mut self) -> Limits {
        if self.byte() & 1 == 0 {
            return Limits::default();
        }
        let mut small = |below: u8| usize::from(self.byte() % below);
        Limits {
            depth: small(6),
            bulk: small(40),
            aggregate: small(10),
            frame: small(200),
            inline: small(40),
        }
    }

    /// How the stream is cut: behind a byte below 32 in pieces of one more than that, else in pieces
    /// of random lengths.
    pub fn cuts(&mut self) -> Cuts {
        let byte = self.byte();
        match byte {
            0..32 => Cuts { fixed: usize::from(byte) + 1, state: 0 },
            _ => Cuts { fixed: 0, state: u64::from(byte) },
        }
    }
}

/// Lengths of pieces, endless, none of them 0.
#[derive(Clone, Debug)]
pub struct Cuts {
    fixed: usize,
    state: u64,
}

impl Cuts {
    /// All pieces of this length.
    pub(crate) fn every(len: usize) -> Self {
        Self { fixed: len.max(1), state: 0 }
    }
}

impl Iterator for Cuts {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.fixed > 0 {
            return Some(self.fixed);
        }
        self.state = self.state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        // Mostly short, so that cuts fall inside headers, sometimes past several of them.
        let bits = (self.state >> 40) as usize;
        Some(if bits & 7 == 0 { bits >> 3 & 63 } else { bits >> 3 & 7 } + 1)
    }
}
