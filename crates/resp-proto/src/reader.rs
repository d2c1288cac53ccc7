//! Walking over the values of complete frames.
//!
//! Reads token after token and keeps no structure: that aggregates are as long as they say and that
//! lengths are within limits, the [`Scanner`](crate::Scanner) has checked.

use crate::{
    error::{ProtocolError, ProtocolErrorKind},
    grammar::Text,
    limits::Limits,
    line, number,
    scanner::Scanner,
    skip,
    token::Token,
};

/// Reads the tokens of one frame, or of several in a row.
///
/// A slice and nothing more: it allocates nothing, never recurses, and is cheap to clone. Over scanned
/// frames no method fails except at their end; over arbitrary bytes it gives errors and never panics.
///
/// ```
/// use resp_proto::{FrameReader, Token};
///
/// let mut reader = FrameReader::new(b"*2\r\n$1\r\na\r\n:7\r\n");
/// assert_eq!(reader.next_token()?, Some(Token::Array(Some(2))));
/// assert_eq!(reader.next_token()?, Some(Token::BulkString(b"a")));
/// assert_eq!(reader.next_token()?, Some(Token::Integer(7)));
/// assert_eq!(reader.next_token()?, None);
/// # Ok::<(), resp_proto::ProtocolError>(())
/// ```
#[derive(Clone, Debug)]
pub struct FrameReader<'a> {
    rest: &'a [u8],
    /// How long the slice was at the start.
    len: usize,
}

impl<'a> FrameReader<'a> {
    /// A reader at the start of `frame`, which may hold several frames.
    #[inline]
    pub fn new(frame: &'a [u8]) -> Self {
        Self { rest: frame, len: frame.len() }
    }

    /// The next token, or `None` at the end.
    ///
    /// # Errors
    ///
    /// When the bytes here are not a token, or end inside it: never within scanned frames. The reader
    /// stays where it is.
    #[inline(always)] // Small: all but short bulk strings is read out of line.
    pub fn next_token(&mut self) -> Result<Option<Token<'a>>, ProtocolError> {
        let (token, rest) = match *self.rest {
            [] => return Ok(None),
            [b'$', ref tail @ ..] if let Some((body, rest)) = small_body(tail) => {
                (Token::BulkString(body), rest)
            }
            // By value, so that a loop over tokens keeps its position in registers.
            [b':', ref tail @ ..] => {
                let (value, len) = integer(tail);
                match tail.get(len..) {
                    Some(rest) if len > 0 => (Token::Integer(value), rest),
                    _ => return Err(self.clone().explain()),
                }
            }
            _ => self.clone().any_token()?,
        };
        self.rest = rest;
        Ok(Some(token))
    }

    /// Takes the next value if it is a bulk string of less than 100 bytes, the commonest reply, without
    /// going through a [`Token`]. `None` says nothing of what else comes next.
    #[inline]
    pub fn next_short_bulk(&mut self) -> Option<&'a [u8]> {
        let [b'$', tail @ ..] = self.rest else { return None };
        let (body, rest) = small_body(tail)?;
        self.rest = rest;
        Some(body)
    }

    /// The next token that is not part of an attribute, or `None` at the end.
    ///
    /// # Errors
    ///
    /// As [`next_token`](Self::next_token); also when the bytes end inside an attribute.
    #[inline]
    pub fn next_data(&mut self) -> Result<Option<Token<'a>>, ProtocolError> {
        loop {
            match self.next_token()? {
                Some(Token::Attribute(pairs)) => self.rest = self.clone().behind(pairs)?,
                token => return Ok(token),
            }
        }
    }

    /// What [`next_data`](Self::next_data) would give, without moving.
    ///
    /// # Errors
    ///
    /// As [`next_data`](Self::next_data).
    #[inline]
    pub fn peek_data(&self) -> Result<Option<Token<'a>>, ProtocolError> {
        self.clone().next_data()
    }

    /// Skips one whole value, with the attributes in front of it and inside it; gives its bytes.
    ///
    /// # Errors
    ///
    /// As [`next_token`](Self::next_token); also when the bytes end before the value does, or none is
    /// left. How far the reader came then is not specified.
    pub fn skip_value(&mut self) -> Result<&'a [u8], ProtocolError> {
        let start = self.rest;
        let len = match skip::common_frame(start, &Limits::NONE) {
            Some(len) => len,
            None => {
                self.skip(1)?;
                start.len() - self.rest.len()
            }
        };
        let (value, rest) = start.split_at(len);
        self.rest = rest;
        Ok(value)
    }

    /// The bytes not yet read.
    #[inline]
    pub fn remaining(&self) -> &'a [u8] {
        self.rest
    }

    /// How many bytes have been read.
    #[inline]
    pub fn position(&self) -> usize {
        self.len - self.rest.len()
    }

    /// Whether all bytes have been read.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Skips this many values.
    fn skip(&mut self, values: usize) -> Result<(), ProtocolError> {
        let mut missing = values;
        // Inside something streamed only ends matter; elements there are not counted.
        let mut streams = 0usize;
        while missing > 0 || streams > 0 {
            let Some(token) = self.next_token()? else {
                return Err(self.error(ProtocolErrorKind::Truncated, self.len));
            };
            let (taken, added) = match token {
                Token::Array(Some(count)) | Token::Set(Some(count)) | Token::Push(count) => {
                    (1, count)
                }
                Token::Map(Some(pairs)) => (1, 2 * pairs),
                Token::Attribute(pairs) => (0, 2 * pairs),
                Token::Array(None)
                | Token::Map(None)
                | Token::Set(None)
                | Token::StreamedString => {
                    if streams == 0 {
                        missing -= 1;
                    }
                    streams += 1;
                    continue;
                }
                Token::End if streams == 0 => {
                    return Err(self.error(ProtocolErrorKind::UnexpectedEnd, self.position()));
                }
                Token::End => {
                    streams -= 1;
                    continue;
                }
                _ => (1, 0),
            };
            if streams == 0 {
                // More than can be in memory: the bytes will end first.
                missing = (missing - taken).saturating_add(added);
            }
        }
        Ok(())
    }

    #[inline(never)]
    fn any_token(self) -> Result<(Token<'a>, &'a [u8]), ProtocolError> {
        match self.rest.split_first().and_then(|(&kind, tail)| token(kind, tail)) {
            Some(found) => Ok(found),
            None => Err(self.explain()),
        }
    }

    /// What follows an attribute of this many pairs.
    #[inline(never)]
    fn behind(mut self, pairs: usize) -> Result<&'a [u8], ProtocolError> {
        self.skip(2 * pairs)?;
        Ok(self.rest)
    }

    /// What is wrong here: the scanner, which alone tells errors apart, looks at the same bytes.
    #[cold]
    #[inline(never)]
    fn explain(self) -> ProtocolError {
        let truncated = self.error(ProtocolErrorKind::Truncated, self.len);
        let mut scanner = Scanner::new(Limits::NONE);
        let scanned = match self.rest {
            [b';', ..] => scanner.scan_chunk(self.rest),
            [b'.', ..] => scanner.scan_end(self.rest),
            _ => scanner.scan(self.rest),
        };
        scanned.map_or_else(|error| error.shifted(self.position()), |_| truncated)
    }

    #[cold]
    fn error(&self, kind: ProtocolErrorKind, offset: usize) -> ProtocolError {
        ProtocolError::new(kind, offset)
    }
}

/// Whether a scanned frame answers a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// A value that answers a request.
    Reply,
    /// A simple or blob error that answers a request.
    Error,
    /// A push, which answers nothing.
    Push,
}

/// What a scanned frame is, whatever attributes are in front of it.
///
/// Bytes that are no frame are called a reply.
///
/// ```
/// use resp_proto::{FrameKind, frame_kind};
///
/// assert_eq!(frame_kind(b"+OK\r\n"), FrameKind::Reply);
/// assert_eq!(frame_kind(b"-ERR no\r\n"), FrameKind::Error);
/// assert_eq!(frame_kind(b"|1\r\n+a\r\n+b\r\n>0\r\n"), FrameKind::Push);
/// ```
#[inline]
pub fn frame_kind(frame: &[u8]) -> FrameKind {
    match frame.first() {
        Some(b'-' | b'!') => FrameKind::Error,
        Some(b'>') => FrameKind::Push,
        Some(b'|') => kind_behind_attributes(frame),
        _ => FrameKind::Reply,
    }
}

#[cold]
fn kind_behind_attributes(frame: &[u8]) -> FrameKind {
    match FrameReader::new(frame).next_data() {
        Ok(Some(Token::SimpleError(_) | Token::BlobError(_))) => FrameKind::Error,
        Ok(Some(Token::Push(_))) => FrameKind::Push,
        _ => FrameKind::Reply,
    }
}

/// The integer behind a colon, and its length with its `\r\n`; a length of zero when anything is wrong.
#[inline(never)] // Apart, with all it gives in registers.
fn integer(tail: &[u8]) -> (i64, usize) {
    match number::integer(tail) {
        Some((value, rest)) => (value, tail.len() - rest.len()),
        None => (0, 0),
    }
}

/// The token that begins with this byte, not being an integer; `None` when anything is wrong with it.
#[inline(always)]
fn token(kind: u8, tail: &[u8]) -> Option<(Token<'_>, &[u8])> {
    Some(match kind {
        b'*' => counted(tail, Token::Array)?,
        b'%' => counted(tail, Token::Map).filter(|(token, _)| match token {
            Token::Map(Some(pairs)) => *pairs <= usize::MAX / 2,
            _ => true,
        })?,
        b'$' => match body(tail) {
            Some((body, rest)) => (Token::BulkString(body), rest),
            None => match tail {
                [b'-', b'1', b'\r', b'\n', rest @ ..] => (Token::Null, rest),
                [b'?', b'\r', b'\n', rest @ ..] => (Token::StreamedString, rest),
                _ => return None,
            },
        },
        b'+' => {
            let (text, rest) = line::line(tail)?;
            (Token::SimpleString(text), rest)
        }
        b'-' => {
            let (text, rest) = line::line(tail)?;
            (Token::SimpleError(text), rest)
        }
        b'_' => (Token::Null, tail.strip_prefix(b"\r\n")?),
        b'#' => match tail {
            [b't', b'\r', b'\n', rest @ ..] => (Token::Boolean(true), rest),
            [b'f', b'\r', b'\n', rest @ ..] => (Token::Boolean(false), rest),
            _ => return None,
        },
        b',' => {
            let (text, rest) = Text::Double.line(tail)?;
            let value = core::str::from_utf8(text).ok()?.parse().ok()?;
            (Token::Double(value), rest)
        }
        b'~' => counted(tail, Token::Set)?,
        b'>' => {
            let (count, rest) = number::length(tail)?;
            (Token::Push(count), rest)
        }
        b'|' => {
            let (pairs, rest) = number::length(tail)?;
            if pairs > usize::MAX / 2 {
                return None;
            }
            (Token::Attribute(pairs), rest)
        }
        b'(' => {
            let (digits, rest) = Text::BigNumber.line(tail)?;
            (Token::BigNumber(digits), rest)
        }
        b'!' => {
            let (text, rest) = body(tail)?;
            (Token::BlobError(text), rest)
        }
        b'=' => match body(tail)? {
            (&[a, b, c, b':', ref text @ ..], rest) => {
                (Token::Verbatim { format: [a, b, c], text }, rest)
            }
            _ => return None,
        },
        b';' => match tail {
            [b'0', b'\r', b'\n', rest @ ..] => (Token::End, rest),
            _ => {
                let (chunk, rest) = body(tail)?;
                (Token::Chunk(chunk), rest)
            }
        },
        b'.' => (Token::End, tail.strip_prefix(b"\r\n")?),
        _ => return None,
    })
}

/// The header of an aggregate that may be streamed; an array may also be null.
#[inline(always)]
fn counted<'a>(
    tail: &'a [u8],
    token: fn(Option<usize>) -> Token<'a>,
) -> Option<(Token<'a>, &'a [u8])> {
    if let Some((count, rest)) = number::length(tail) {
        return Some((token(Some(count)), rest));
    }
    match tail {
        [b'?', b'\r', b'\n', rest @ ..] => Some((token(None), rest)),
        [b'-', b'1', b'\r', b'\n', rest @ ..] if matches!(token(None), Token::Array(_)) => {
            Some((Token::Null, rest))
        }
        _ => None,
    }
}

/// A length, its `\r\n`, as many bytes and another `\r\n`; gives the bytes and what follows.
#[inline(always)]
fn body(tail: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, body) = number::length(tail)?;
    let (body, rest) = body.split_at_checked(len)?;
    Some((body, number::crlf(rest)?))
}

/// The same for lengths of one or two digits, small enough to be inlined everywhere.
#[inline(always)]
fn small_body(tail: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, body) = number::short_length(tail)?;
    let (body, rest) = body.split_at_checked(len)?;
    Some((body, number::crlf(rest)?))
}
