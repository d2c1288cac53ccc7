//! What can be wrong with a peer's bytes, and where.
//!
//! Knows no state machine: a kind and an offset, small enough to be returned everywhere.

use core::fmt;

/// Bytes that are not RESP, or that exceed a [`Limits`](crate::Limits).
///
/// [`offset`](Self::offset) is the first byte that shows it: everything before it could still have
/// become a valid frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProtocolError {
    kind: ProtocolErrorKind,
    offset: usize,
}

/// Why bytes were refused.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolErrorKind {
    /// The byte does not begin any RESP value.
    UnknownType(u8),
    /// A length or count is not plain decimal digits: empty, signed (but for the null `-1` of `$`
    /// and `*`), with a leading zero, or with other bytes in it.
    InvalidLength,
    /// An integer is not an optional sign and digits, or does not fit 64 bits.
    InvalidInteger,
    /// A double is neither a decimal number nor `inf` or `nan`.
    InvalidDouble,
    /// A boolean is neither `t` nor `f`.
    InvalidBoolean,
    /// A big number is not an optional sign and digits.
    InvalidBigNumber,
    /// A verbatim string does not begin with three bytes of format and a colon.
    InvalidVerbatim,
    /// No `\r\n` where the value must end, or only one half of it inside a line.
    ExpectedCrlf,
    /// `.` outside a streamed aggregate, or after an attribute that still waits for its value.
    UnexpectedEnd,
    /// `;` outside a streamed string.
    UnexpectedChunk,
    /// Something other than `;` inside a streamed string.
    ExpectedChunk,
    /// A streamed map ended after a key.
    OddMap,
    /// Aggregates are nested deeper than the limit.
    TooDeep,
    /// A bulk string is longer than the limit.
    BulkTooLong,
    /// An aggregate announces more elements than the limit.
    AggregateTooLong,
    /// A frame is longer than the limit.
    FrameTooLong,
    /// The bytes end inside a value that was said to be complete.
    Truncated,
    /// An inline request is longer than the limit.
    InlineTooLong,
    /// An inline request has a quote that is not closed, or closed in the middle of an argument.
    UnbalancedQuotes,
    /// An argument of a request is not a bulk string.
    ExpectedBulk,
}

impl ProtocolError {
    #[cold]
    pub(crate) fn new(kind: ProtocolErrorKind, offset: usize) -> Self {
        Self { kind, offset }
    }

    /// The same error, `base` bytes further on.
    pub(crate) fn shifted(self, base: usize) -> Self {
        Self { offset: self.offset.saturating_add(base), ..self }
    }

    /// Why the bytes were refused.
    pub fn kind(&self) -> ProtocolErrorKind {
        self.kind
    }

    /// The first offending byte, counted from the start of the frame (or of the reader's slice).
    pub fn offset(&self) -> usize {
        self.offset
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: {}", self.offset, self.kind)
    }
}

impl core::error::Error for ProtocolError {}

impl fmt::Display for ProtocolErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownType(byte) => {
                return write!(f, "no RESP type begins with `{}`", byte.escape_ascii());
            }
            Self::InvalidLength => "a length is not plain decimal digits",
            Self::InvalidInteger => "an integer is not decimal digits that fit 64 bits",
            Self::InvalidDouble => "a double is not a decimal number, `inf` or `nan`",
            Self::InvalidBoolean => "a boolean is neither `t` nor `f`",
            Self::InvalidBigNumber => "a big number is not decimal digits",
            Self::InvalidVerbatim => "a verbatim string lacks its format and colon",
            Self::ExpectedCrlf => "expected `\\r\\n`",
            Self::UnexpectedEnd => "`.` ends no streamed aggregate here",
            Self::UnexpectedChunk => "`;` continues no streamed string here",
            Self::ExpectedChunk => "expected the next `;` of a streamed string",
            Self::OddMap => "a streamed map ends after a key",
            Self::TooDeep => "aggregates are nested deeper than the limit `depth`",
            Self::BulkTooLong => "a string is longer than the limit `bulk`",
            Self::AggregateTooLong => "an aggregate has more elements than the limit `aggregate`",
            Self::FrameTooLong => "a frame is longer than the limit `frame`",
            Self::Truncated => "the bytes end inside a value",
            Self::InlineTooLong => "an inline request is longer than the limit `inline`",
            Self::UnbalancedQuotes => "an inline request has unbalanced quotes",
            Self::ExpectedBulk => "an argument of a request is not a bulk string",
        })
    }
}
