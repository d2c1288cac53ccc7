//! Finding where frames end, across any cuts of the byte stream.
//!
//! Owns the resumable state of one direction of one connection, and no bytes. Knows nothing of what
//! the values mean: see [`FrameReader`](crate::FrameReader) for that.
//!
//! Two readers share the state. `skip_complete` runs over values that are there as a whole and gives
//! up without a trace on anything unusual; `advance` takes one byte at a time from wherever it
//! stopped, and alone decides what an error is. So errors do not depend on how the bytes were cut.

use alloc::vec::Vec;

use crate::{
    error::{ProtocolError, ProtocolErrorKind},
    grammar::{Forms, Integer, Length, Text},
    level::{FRAME, Level, STREAMED, STREAMED_MAP, STREAMED_START},
    limits::Limits,
    number, skip,
};

/// Says where frames end; the caller keeps the bytes.
///
/// A frame is one reply or one push, together with the attributes in front of it. A push inside an
/// aggregate is an element like any other: servers send it so for a `SUBSCRIBE` inside `MULTI`.
/// Whatever a frame needs to be readable is checked here, so a [`FrameReader`](crate::FrameReader) over a scanned
/// frame never fails.
///
/// ```
/// use resp_proto::{Limits, Scanner};
///
/// let mut scanner = Scanner::new(Limits::default());
/// assert_eq!(scanner.scan(b"$5\r\nhel")?, None);
/// assert_eq!(scanner.scan(b"$5\r\nhello\r\n:1\r\n")?, Some(11));
/// assert_eq!(scanner.scan(b":1\r\n")?, Some(4));
/// # Ok::<(), resp_proto::ProtocolError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Scanner {
    limits: Limits,
    /// The next byte to look at; behind the input while a bulk's body is skipped.
    at: usize,
    state: State,
    /// What the innermost open aggregate still waits for (at the start: the frame itself).
    level: Level,
    /// The aggregates around it that wait for more than the one inside them.
    outer: Vec<Level>,
    /// Inside a streamed string: the bytes of its chunks so far.
    streamed: Option<usize>,
    /// How much input the last scan saw.
    seen: usize,
}

/// After so many bulk strings of one length more such are expected.
const EQUAL: u32 = 4;

#[derive(Clone, Copy, Debug)]
enum State {
    /// At the first byte of a value.
    Value,
    /// At the first byte of a streamed string's next chunk.
    Chunk,
    /// In the line of a simple string or error.
    Line,
    Integer(Integer),
    Text(Text),
    Length(Header, Length),
    /// Between `\r` and `\n` of a header.
    HeaderLf(Item),
    /// At the colon of a verbatim string whose body ends at `end`.
    Colon {
        end: usize,
    },
    /// At the `\r` after a body.
    BodyCr,
    BodyLf,
    Failed(ProtocolError),
}

/// A type whose header holds a length or a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Header {
    Bulk,
    BlobError,
    Verbatim,
    Chunk,
    Array,
    Set,
    Push,
    Map,
    Attribute,
}

/// What a complete header announces.
#[derive(Clone, Copy, Debug)]
enum Item {
    /// A value that is complete with its header.
    Leaf,
    Body {
        len: usize,
    },
    VerbatimBody {
        len: usize,
    },
    Aggregate {
        elements: u64,
    },
    Attribute {
        elements: u64,
    },
    StreamedAggregate {
        mark: u64,
    },
    StreamedString,
}

impl Scanner {
    /// A scanner at the start of a frame. Allocates nothing.
    pub fn new(limits: Limits) -> Self {
        // Leaves room for the marks of streamed aggregates.
        let aggregate = limits.aggregate.min(usize::MAX >> 5);
        Self {
            limits: Limits { aggregate, ..limits },
            at: 0,
            state: State::Value,
            level: FRAME,
            outer: Vec::new(),
            streamed: None,
            seen: 0,
        }
    }

    /// The length of the frame at the start of `input`, or `None` while it is incomplete.
    ///
    /// At every call until then, `input[0]` is the frame's first byte, and `input` holds at least
    /// what the last call saw; the scanner goes on where it stopped. After `Some(len)` it expects the
    /// next frame, which starts at `input[len..]`.
    ///
    /// # Errors
    ///
    /// As soon as the input holds a byte that no frame within the limits can have there, in whatever
    /// pieces it came. The same error is returned until [`reset`](Self::reset).
    #[inline]
    pub fn scan(&mut self, input: &[u8]) -> Result<Option<usize>, ProtocolError> {
        if self.at == 0
            && let Some(len) = skip::common_frame(input, &self.limits)
        {
            return Ok(Some(len));
        }
        self.scan_any(input)
    }

    /// Bytes still missing of a bulk string whose length is known, its `\r\n` included; 0 if unknown.
    ///
    /// A caller may read that many bytes straight into place before it scans again.
    pub fn read_hint(&self) -> usize {
        match self.state {
            State::Colon { end } => (end + 2).saturating_sub(self.seen),
            State::BodyCr => (self.at + 2).saturating_sub(self.seen),
            State::BodyLf => 1,
            _ => 0,
        }
    }

    /// Forgets everything: the next scan starts at a frame's first byte.
    pub fn reset(&mut self) {
        self.at = 0;
        self.state = State::Value;
        self.level = FRAME;
        self.outer.clear();
        self.streamed = None;
        self.seen = 0;
    }

    /// Scans what is inside a streamed string, for a reader that stands there.
    pub(crate) fn scan_chunk(&mut self, input: &[u8]) -> Result<Option<usize>, ProtocolError> {
        self.state = State::Chunk;
        self.streamed = Some(0);
        self.scan_any(input)
    }

    /// Scans the end of a streamed aggregate, for a reader that stands there.
    pub(crate) fn scan_end(&mut self, input: &[u8]) -> Result<Option<usize>, ProtocolError> {
        self.level.left = STREAMED | STREAMED_START;
        self.scan_any(input)
    }

    #[inline(never)]
    fn scan_any(&mut self, input: &[u8]) -> Result<Option<usize>, ProtocolError> {
        if let State::Failed(error) = self.state {
            return Err(error);
        }
        self.seen = input.len();
        // What lies beyond the limit is not looked at, so that a frame fails alike in any pieces.
        let window = &input[..input.len().min(self.limits.frame)];
        let result = match self.run(window) {
            Ok(false) if input.len() > window.len() => {
                Err(ProtocolError::new(ProtocolErrorKind::FrameTooLong, self.limits.frame))
            }
            result => result,
        };
        match result {
            Ok(true) => {
                let len = self.at;
                // Both are as at the start whenever a frame is complete: no level is open, and the
                // state is that before a value.
                self.at = 0;
                self.level = FRAME;
                Ok(Some(len))
            }
            Ok(false) => Ok(None),
            Err(error) => {
                self.at = usize::MAX;
                self.state = State::Failed(error);
                Err(error)
            }
        }
    }

    /// Reads on; whether the frame is complete.
    fn run(&mut self, input: &[u8]) -> Result<bool, ProtocolError> {
        loop {
            if let State::Value = self.state
                && self.skip_complete(input)
            {
                return Ok(true);
            }
            match self.advance(input)? {
                None => return Ok(false),
                Some(item) => {
                    if self.take(item) {
                        return Ok(true);
                    }
                }
            }
        }
    }

    /// Skips values that are there as a whole, headers of aggregates included; whether the frame is
    /// complete. Stops in front of anything incomplete, unusual or wrong.
    #[inline]
    fn skip_complete(&mut self, input: &[u8]) -> bool {
        let Limits { depth, bulk, aggregate, .. } = self.limits;
        let mut level = self.level;
        let mut rest = input.get(self.at..).unwrap_or_default();
        let complete = loop {
            // Runs of bulk strings, most of what servers send, in a loop of their own.
            let (mut last, mut equal) = (0, 0);
            while level.left > 0
                && let [b'$', tail @ ..] = rest
                && let Some(tail) = skip::bulk(tail, bulk)
            {
                let len = rest.len() - tail.len();
                level.left -= 1;
                // Counted without a branch: lengths that vary must not cost wrong guesses.
                equal = (equal + 1) * u32::from(len == last);
                last = len;
                if equal < EQUAL {
                    rest = tail;
                } else {
                    (rest, level.left) = skip::equal_bulks(rest, len, tail, level.left);
                    equal = 0;
                }
            }
            if level.left == 0 {
                match self.outer.pop() {
                    Some(outer) => level = outer,
                    None => break true,
                }
                continue;
            }
            let Some((&kind, tail)) = rest.split_first() else {
                break false;
            };
            match kind {
                b'*' | b'%' | b'~' | b'>' => {
                    let Some((count, tail)) = number::length(tail) else {
                        break false;
                    };
                    let width = if kind == b'%' { 2 } else { 1 };
                    if count > aggregate / width || (count > 0 && level.depth >= depth) {
                        break false;
                    }
                    rest = tail;
                    level.left -= 1;
                    if count > 0 {
                        if level.left > 0 {
                            self.outer.push(level);
                        }
                        level.left = (count * width) as u64;
                        level.depth += 1;
                    }
                }
                _ => {
                    let Some(tail) = skip::leaf(kind, tail, bulk) else {
                        break false;
                    };
                    rest = tail;
                    level.left -= 1;
                }
            }
        };
        self.level = level;
        self.at = input.len() - rest.len();
        complete
    }

    /// Reads byte by byte up to the end of the current header or value; `None` if the input ends first.
    fn advance(&mut self, input: &[u8]) -> Result<Option<Item>, ProtocolError> {
        while let Some(&byte) = input.get(self.at) {
            let at = self.at;
            let wrong = |kind| Err(ProtocolError::new(kind, at));
            self.state = match self.state {
                State::Value if byte == b'.' => match self.level.end_streamed() {
                    Ok(()) => State::Text(Text::Complete),
                    Err(kind) => return wrong(kind),
                },
                State::Value => match begin(byte) {
                    Ok(state) => state,
                    Err(kind) => return wrong(kind),
                },
                State::Chunk if byte == b';' => State::Length(Header::Chunk, Length::Empty),
                State::Chunk => return wrong(ProtocolErrorKind::ExpectedChunk),
                State::Line => {
                    match memchr::memchr2(b'\r', b'\n', &input[self.at..]) {
                        Some(end) => self.at += end,
                        None => {
                            self.at = input.len();
                            return Ok(None);
                        }
                    }
                    if input[self.at] == b'\n' {
                        return Err(ProtocolError::new(ProtocolErrorKind::ExpectedCrlf, self.at));
                    }
                    State::HeaderLf(Item::Leaf)
                }
                State::Integer(Integer::Digits { .. }) if byte == b'\r' => {
                    State::HeaderLf(Item::Leaf)
                }
                State::Integer(integer) => match integer.step(byte) {
                    Some(integer) => State::Integer(integer),
                    None => return wrong(ProtocolErrorKind::InvalidInteger),
                },
                State::Text(text) => match byte {
                    b'\r' if text.may_end() => State::HeaderLf(Item::Leaf),
                    _ => match text.step(byte) {
                        Ok(text) => State::Text(text),
                        Err(kind) => return wrong(kind),
                    },
                },
                State::Length(header, length) => match byte {
                    b'\r' => State::HeaderLf(self.announced(header, length)?),
                    _ => {
                        let (limit, exceeded) = self.longest(header);
                        match length.step(byte, header.forms()) {
                            Some(Length::Digits(count)) if count > limit => return wrong(exceeded),
                            Some(length) => State::Length(header, length),
                            None => return wrong(ProtocolErrorKind::InvalidLength),
                        }
                    }
                },
                State::HeaderLf(_) | State::BodyLf if byte != b'\n' => {
                    return wrong(ProtocolErrorKind::ExpectedCrlf);
                }
                State::HeaderLf(item) => {
                    self.at += 1;
                    self.state = State::Value;
                    return Ok(Some(item));
                }
                State::Colon { end } => {
                    if byte != b':' {
                        return wrong(ProtocolErrorKind::InvalidVerbatim);
                    }
                    self.at = end;
                    self.state = State::BodyCr;
                    continue;
                }
                State::BodyCr if byte == b'\r' => State::BodyLf,
                State::BodyCr => return wrong(ProtocolErrorKind::ExpectedCrlf),
                State::BodyLf => {
                    self.at += 1;
                    if self.streamed.is_some() {
                        self.state = State::Chunk;
                        continue;
                    }
                    self.state = State::Value;
                    return Ok(Some(Item::Leaf));
                }
                State::Failed(error) => return Err(error),
            };
            self.at += 1;
        }
        Ok(None)
    }

    /// What a header announces, checked at its `\r`.
    fn announced(&self, header: Header, length: Length) -> Result<Item, ProtocolError> {
        let wrong = |kind| Err(ProtocolError::new(kind, self.at));
        let count = match length {
            Length::Zero => 0,
            Length::Digits(count) => count,
            Length::MinusOne => return Ok(Item::Leaf),
            Length::Streamed => {
                return match header {
                    Header::Bulk => Ok(Item::StreamedString),
                    _ if self.level.depth >= self.limits.depth => wrong(ProtocolErrorKind::TooDeep),
                    Header::Map => Ok(Item::StreamedAggregate { mark: STREAMED | STREAMED_MAP }),
                    _ => Ok(Item::StreamedAggregate { mark: STREAMED }),
                };
            }
            Length::Empty | Length::Minus => return wrong(ProtocolErrorKind::InvalidLength),
        };
        let item = match header {
            Header::Chunk if count == 0 => Item::Leaf,
            Header::Bulk | Header::BlobError | Header::Chunk => Item::Body { len: count },
            Header::Verbatim if count < 4 => return wrong(ProtocolErrorKind::InvalidVerbatim),
            Header::Verbatim => Item::VerbatimBody { len: count },
            Header::Attribute => Item::Attribute { elements: 2 * count as u64 },
            _ if count == 0 => Item::Leaf,
            Header::Map => Item::Aggregate { elements: 2 * count as u64 },
            Header::Array | Header::Set | Header::Push => {
                Item::Aggregate { elements: count as u64 }
            }
        };
        match item {
            Item::Body { len } | Item::VerbatimBody { len } => {
                // The header's `\r\n`, the body and its own `\r\n`.
                let end = len.checked_add(4).and_then(|len| len.checked_add(self.at));
                if end.is_none_or(|end| end > self.limits.frame) {
                    return wrong(ProtocolErrorKind::FrameTooLong);
                }
            }
            Item::Aggregate { .. } | Item::Attribute { elements: 1.. }
                if self.level.depth >= self.limits.depth =>
            {
                return wrong(ProtocolErrorKind::TooDeep);
            }
            _ => {}
        }
        Ok(item)
    }

    /// Applies a complete header or value; whether the frame is complete.
    fn take(&mut self, item: Item) -> bool {
        match item {
            Item::Leaf => {
                self.streamed = None;
                return self.take_element();
            }
            Item::Body { len } => {
                if let Some(streamed) = &mut self.streamed {
                    *streamed += len;
                }
                self.at += len;
                self.state = State::BodyCr;
            }
            Item::VerbatimBody { len } => {
                self.state = State::Colon { end: self.at + len };
                self.at += 3;
            }
            Item::Aggregate { elements } => self.open(elements),
            Item::StreamedAggregate { mark } => self.open(mark | STREAMED_START),
            Item::Attribute { elements } => {
                if self.level.left & STREAMED != 0 {
                    // The element that the attribute belongs to must come: a level of its own
                    // cannot be ended by `.`.
                    self.level.left -= 1;
                    self.outer.push(self.level);
                    self.level.left = 1;
                }
                if elements > 0 {
                    self.outer.push(self.level);
                    self.level = Level { left: elements, depth: self.level.depth + 1 };
                }
            }
            Item::StreamedString => {
                self.streamed = Some(0);
                self.state = State::Chunk;
            }
        }
        false
    }

    /// The largest length or count that this header may have, and the error beyond it.
    fn longest(&self, header: Header) -> (usize, ProtocolErrorKind) {
        match header {
            Header::Bulk | Header::BlobError | Header::Verbatim | Header::Chunk => {
                let before = self.streamed.unwrap_or(0);
                (self.limits.bulk.saturating_sub(before), ProtocolErrorKind::BulkTooLong)
            }
            Header::Array | Header::Set | Header::Push => {
                (self.limits.aggregate, ProtocolErrorKind::AggregateTooLong)
            }
            Header::Map | Header::Attribute => {
                (self.limits.aggregate / 2, ProtocolErrorKind::AggregateTooLong)
            }
        }
    }

    fn open(&mut self, left: u64) {
        self.level.left -= 1;
        if self.level.left > 0 {
            self.outer.push(self.level);
        }
        self.level = Level { left, depth: self.level.depth + 1 };
    }

    /// Takes one element off the innermost aggregate; whether the frame is complete.
    fn take_element(&mut self) -> bool {
        self.level.left -= 1;
        if self.level.left > 0 {
            return false;
        }
        match self.outer.pop() {
            Some(outer) => {
                self.level = outer;
                false
            }
            None => true,
        }
    }
}

impl Header {
    /// What may stand where the length does.
    fn forms(self) -> Forms {
        Forms {
            null: matches!(self, Self::Bulk | Self::Array),
            streamed: matches!(self, Self::Bulk | Self::Array | Self::Set | Self::Map),
        }
    }
}

/// The state behind the first byte of a value.
fn begin(byte: u8) -> Result<State, ProtocolErrorKind> {
    let header = match byte {
        b'+' | b'-' => return Ok(State::Line),
        b':' => return Ok(State::Integer(Integer::Empty)),
        b'_' => return Ok(State::Text(Text::Complete)),
        b'#' => return Ok(State::Text(Text::Boolean)),
        b',' => return Ok(State::Text(Text::Double)),
        b'(' => return Ok(State::Text(Text::BigNumber)),
        b'$' => Header::Bulk,
        b'!' => Header::BlobError,
        b'=' => Header::Verbatim,
        b'*' => Header::Array,
        b'~' => Header::Set,
        b'>' => Header::Push,
        b'%' => Header::Map,
        b'|' => Header::Attribute,
        b';' => return Err(ProtocolErrorKind::UnexpectedChunk),
        _ => return Err(ProtocolErrorKind::UnknownType(byte)),
    };
    Ok(State::Length(header, Length::Empty))
}
