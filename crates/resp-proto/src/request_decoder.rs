//! Requests out of a server's input, across any cuts of the byte stream.
//!
//! Owns where it stopped and the ranges of the arguments so far; the bytes stay in the caller's
//! buffer until the request is complete. Knows no commands.

use alloc::vec::Vec;
use core::ops::Range;

use bytes::{Buf, Bytes, BytesMut};

use crate::{
    error::{ProtocolError, ProtocolErrorKind},
    grammar::{Forms, Length},
    inline,
    limits::Limits,
    number,
};

/// Takes requests off the front of a buffer: arrays of bulk strings, or inline lines.
///
/// Empty requests (`*0`, `*-1`, blank lines) are skipped: servers do not answer them.
///
/// ```
/// use bytes::BytesMut;
/// use resp_proto::{Limits, RequestDecoder};
///
/// let mut input = BytesMut::from("*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n*0\r\nset k 'a b'\r\n*1\r\n$4\r\nPI");
/// let mut decoder = RequestDecoder::new(Limits::default());
/// let mut args = Vec::new();
/// assert!(decoder.decode(&mut input, &mut args)?);
/// assert_eq!(args, ["GET", "key"]);
/// assert!(decoder.decode(&mut input, &mut args)?);
/// assert_eq!(args, ["set", "k", "a b"]);
/// assert!(!decoder.decode(&mut input, &mut args)?);
/// # Ok::<(), resp_proto::ProtocolError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RequestDecoder {
    limits: Limits,
    /// The next byte to look at; behind the input while a body is skipped.
    at: usize,
    state: State,
    /// Arguments still to come.
    missing: usize,
    args: Vec<Range<usize>>,
    /// How much input the last call left.
    seen: usize,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Start,
    Inline,
    Count(Length),
    CountLf(usize),
    Arg,
    Len(Length),
    LenLf(usize),
    BodyCr,
    BodyLf,
    Failed(ProtocolError),
}

/// What the start of the buffer turned out to be.
enum Found {
    Request,
    /// A line of this length, without its ending.
    Line(usize),
    Nothing,
}

const COUNT: Forms = Forms { null: true, streamed: false };
const LEN: Forms = Forms { null: false, streamed: false };

impl RequestDecoder {
    /// A decoder at the start of a request. Allocates nothing.
    pub fn new(limits: Limits) -> Self {
        Self { limits, at: 0, state: State::Start, missing: 0, args: Vec::new(), seen: 0 }
    }

    /// Takes the next complete request off the front of `input` and puts its arguments into `args`,
    /// in place of what was there; `false` while it is incomplete.
    ///
    /// The buffer must be the same at every call, only appended to in between. The arguments share
    /// its memory, but for those of inline requests that have quotes.
    ///
    /// # Errors
    ///
    /// As soon as the input holds a byte that no request within the limits can have there, quotes
    /// excepted: those are looked at once the line is complete. Offsets count from the start of the
    /// request. The same error is returned until [`reset`](Self::reset): a server answers it and closes
    /// the connection.
    pub fn decode(
        &mut self,
        input: &mut BytesMut,
        args: &mut Vec<Bytes>,
    ) -> Result<bool, ProtocolError> {
        args.clear();
        if let State::Failed(error) = self.state {
            return Err(error);
        }
        let result = self.next_request(input, args);
        self.seen = input.len();
        if let Err(error) = result {
            args.clear();
            self.state = State::Failed(error);
        }
        result
    }

    /// Bytes still missing of an argument whose length is known, its `\r\n` included; 0 if unknown.
    pub fn read_hint(&self) -> usize {
        match self.state {
            State::BodyCr => (self.at + 2).saturating_sub(self.seen),
            State::BodyLf => 1,
            _ => 0,
        }
    }

    /// Forgets everything: the next call expects a request's first byte.
    pub fn reset(&mut self) {
        self.at = 0;
        self.state = State::Start;
        self.missing = 0;
        self.args.clear();
        self.seen = 0;
    }

    fn next_request(
        &mut self,
        input: &mut BytesMut,
        args: &mut Vec<Bytes>,
    ) -> Result<bool, ProtocolError> {
        loop {
            // What lies beyond the limit is not looked at, so that a request fails alike in any pieces.
            let window = &input[..input.len().min(self.limits.frame)];
            match self.advance(window)? {
                None if input.len() > window.len() => {
                    let kind = ProtocolErrorKind::FrameTooLong;
                    return Err(ProtocolError::new(kind, self.limits.frame));
                }
                None => return Ok(false),
                Some(Found::Request) => {
                    let request = input.split_to(self.at).freeze();
                    args.extend(self.args.drain(..).map(|arg| request.slice(arg)));
                }
                Some(Found::Line(len)) => {
                    let line = input.split_to(self.at).freeze().slice(..len);
                    inline::split(&line, args).map_err(|offset| {
                        ProtocolError::new(ProtocolErrorKind::UnbalancedQuotes, offset)
                    })?;
                }
                Some(Found::Nothing) => input.advance(self.at),
            }
            self.at = 0;
            self.state = State::Start;
            if !args.is_empty() {
                return Ok(true);
            }
        }
    }

    /// Reads on to the end of the request; `None` if the input ends first.
    fn advance(&mut self, input: &[u8]) -> Result<Option<Found>, ProtocolError> {
        loop {
            if let State::Arg = self.state {
                self.take_complete_args(input);
                if self.missing == 0 {
                    return Ok(Some(Found::Request));
                }
            }
            let Some(&byte) = input.get(self.at) else {
                return Ok(None);
            };
            let at = self.at;
            let wrong = |kind| Err(ProtocolError::new(kind, at));
            self.state = match self.state {
                State::Start if byte == b'*' => State::Count(Length::Empty),
                State::Start => {
                    self.state = State::Inline;
                    continue;
                }
                State::Inline => return self.line(input),
                State::Count(length) => match (byte, length) {
                    (b'\r', Length::Zero | Length::MinusOne) => State::CountLf(0),
                    (b'\r', Length::Digits(count)) => State::CountLf(count),
                    _ => match length.step(byte, COUNT) {
                        Some(Length::Digits(count)) if count > self.limits.aggregate => {
                            return wrong(ProtocolErrorKind::AggregateTooLong);
                        }
                        Some(length) => State::Count(length),
                        None => return wrong(ProtocolErrorKind::InvalidLength),
                    },
                },
                State::CountLf(_) | State::LenLf(_) | State::BodyLf if byte != b'\n' => {
                    return wrong(ProtocolErrorKind::ExpectedCrlf);
                }
                State::CountLf(0) => {
                    self.at += 1;
                    return Ok(Some(Found::Nothing));
                }
                State::CountLf(count) => {
                    self.missing = count;
                    State::Arg
                }
                State::Arg if byte == b'$' => State::Len(Length::Empty),
                State::Arg => return wrong(ProtocolErrorKind::ExpectedBulk),
                State::Len(length) => match (byte, length) {
                    (b'\r', Length::Zero) => State::LenLf(0),
                    (b'\r', Length::Digits(len)) => State::LenLf(len),
                    _ => match length.step(byte, LEN) {
                        Some(Length::Digits(len)) if len > self.limits.bulk => {
                            return wrong(ProtocolErrorKind::BulkTooLong);
                        }
                        Some(length) => State::Len(length),
                        None => return wrong(ProtocolErrorKind::InvalidLength),
                    },
                },
                State::LenLf(len) => {
                    // The body and its `\r\n`, behind this byte.
                    let end = len.checked_add(3).and_then(|len| len.checked_add(at));
                    if end.is_none_or(|end| end > self.limits.frame) {
                        return wrong(ProtocolErrorKind::FrameTooLong);
                    }
                    self.args.push(at + 1..at + 1 + len);
                    self.at = at + 1 + len;
                    self.state = State::BodyCr;
                    continue;
                }
                State::BodyCr if byte == b'\r' => State::BodyLf,
                State::BodyCr => return wrong(ProtocolErrorKind::ExpectedCrlf),
                State::BodyLf => {
                    self.missing -= 1;
                    State::Arg
                }
                State::Failed(error) => return Err(error),
            };
            self.at += 1;
        }
    }

    /// Takes the arguments that are there as a whole; stops in front of anything unusual.
    fn take_complete_args(&mut self, input: &[u8]) {
        while self.missing > 0
            && let Some([b'$', tail @ ..]) = input.get(self.at..)
            && let Some((len, body)) = number::length(tail)
            && len <= self.limits.bulk
            && let Some((_, rest)) = body.split_at_checked(len)
            && let Some(rest) = number::crlf(rest)
        {
            let start = input.len() - body.len();
            self.args.push(start..start + len);
            self.at = input.len() - rest.len();
            self.missing -= 1;
        }
    }

    /// Looks for the end of an inline line, from where the last search stopped.
    fn line(&mut self, input: &[u8]) -> Result<Option<Found>, ProtocolError> {
        // The longest line and its ending.
        let longest = self.limits.inline.saturating_add(2);
        let window = &input[..input.len().min(longest)];
        let end = memchr::memchr(b'\n', &window[self.at..]).map(|end| self.at + end);
        let line = end.map(|end| window[..end].strip_suffix(b"\r").unwrap_or(&window[..end]).len());
        match (line, end) {
            (Some(len), Some(end)) if len <= self.limits.inline => {
                self.at = end + 1;
                Ok(Some(Found::Line(len)))
            }
            (None, _) if window.len() < longest => {
                self.at = window.len();
                Ok(None)
            }
            _ => Err(ProtocolError::new(ProtocolErrorKind::InlineTooLong, longest - 1)),
        }
    }
}
