//! Replies and pushes, written in the protocol that the client chose.
//!
//! One call a type; what RESP2 lacks is written as servers write it for RESP2 clients.

use crate::{
    header::header,
    number::{Decimal, DoubleText},
    sink::Sink,
};

/// The version of the protocol that a connection speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// What every connection starts with.
    #[default]
    Resp2,
    /// What `HELLO 3` switches to.
    Resp3,
}

/// Writes replies and pushes into a [`Sink`].
///
/// Aggregates are a call with their count, and then their elements.
///
/// ```
/// use resp_proto::{Protocol, ReplyEncoder};
///
/// let mut out = Vec::new();
/// for protocol in [Protocol::Resp2, Protocol::Resp3] {
///     ReplyEncoder::new(&mut out, protocol).map(1).simple_string(b"proto").null();
/// }
/// assert_eq!(out, b"*2\r\n+proto\r\n$-1\r\n%1\r\n+proto\r\n_\r\n");
/// ```
#[derive(Debug)]
pub struct ReplyEncoder<'a, S> {
    out: &'a mut S,
    protocol: Protocol,
}

impl<'a, S: Sink> ReplyEncoder<'a, S> {
    /// An encoder that appends to `out`.
    pub fn new(out: &'a mut S, protocol: Protocol) -> Self {
        Self { out, protocol }
    }

    /// Writes a line of text, such as `OK`; line endings inside it become spaces.
    pub fn simple_string(&mut self, text: &[u8]) -> &mut Self {
        self.line(b'+', text)
    }

    /// Writes an error, its code first; line endings inside it become spaces.
    pub fn simple_error(&mut self, text: &[u8]) -> &mut Self {
        self.line(b'-', text)
    }

    /// Writes an error of any bytes, its code first. RESP2: a simple error.
    pub fn blob_error(&mut self, text: &[u8]) -> &mut Self {
        match self.protocol {
            Protocol::Resp2 => self.simple_error(text),
            Protocol::Resp3 => self.blob(b'!', text),
        }
    }

    /// Writes an integer.
    pub fn integer(&mut self, value: i64) -> &mut Self {
        if let Ok(value) = usize::try_from(value) {
            header(self.out, b':', value);
            return self;
        }
        self.text(b':', Decimal::signed(value).as_bytes())
    }

    /// Writes a bulk string.
    pub fn bulk(&mut self, bytes: &[u8]) -> &mut Self {
        self.blob(b'$', bytes)
    }

    /// Writes a null. RESP2: a null bulk string, `$-1`.
    pub fn null(&mut self) -> &mut Self {
        self.out.put(match self.protocol {
            Protocol::Resp2 => b"$-1\r\n",
            Protocol::Resp3 => b"_\r\n",
        });
        self
    }

    /// Writes a null where an array is expected. RESP2: a null array, `*-1`.
    pub fn null_array(&mut self) -> &mut Self {
        self.out.put(match self.protocol {
            Protocol::Resp2 => b"*-1\r\n",
            Protocol::Resp3 => b"_\r\n",
        });
        self
    }

    /// Writes a boolean. RESP2: the integer 1 or 0.
    pub fn boolean(&mut self, value: bool) -> &mut Self {
        self.out.put(match (self.protocol, value) {
            (Protocol::Resp2, false) => b":0\r\n",
            (Protocol::Resp2, true) => b":1\r\n",
            (Protocol::Resp3, false) => b"#f\r\n",
            (Protocol::Resp3, true) => b"#t\r\n",
        });
        self
    }

    /// Writes a double as the shortest text that reads back as the same. RESP2: a bulk string of it.
    pub fn double(&mut self, value: f64) -> &mut Self {
        let text = DoubleText::new(value);
        match self.protocol {
            Protocol::Resp2 => self.bulk(text.as_bytes()),
            Protocol::Resp3 => self.text(b',', text.as_bytes()),
        }
    }

    /// Writes a number of any size, given as decimal digits perhaps after a sign. RESP2: a bulk string.
    ///
    /// With debug assertions, panics on anything else.
    pub fn big_number(&mut self, digits: &[u8]) -> &mut Self {
        debug_assert!(
            match digits {
                [b'+' | b'-', digits @ ..] | digits =>
                    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit),
            },
            "a big number is decimal digits"
        );
        match self.protocol {
            Protocol::Resp2 => self.bulk(digits),
            Protocol::Resp3 => self.text(b'(', digits),
        }
    }

    /// Writes text with its format, such as `txt` or `mkd`. RESP2: a bulk string of the text.
    pub fn verbatim(&mut self, format: [u8; 3], text: &[u8]) -> &mut Self {
        if self.protocol == Protocol::Resp2 {
            return self.bulk(text);
        }
        header(self.out, b'=', text.len() + 4);
        let [a, b, c] = format;
        self.out.put(&[a, b, c, b':']);
        self.out.put(text);
        self.out.put(b"\r\n");
        self
    }

    /// Starts an array: this many values follow.
    pub fn array(&mut self, elements: usize) -> &mut Self {
        header(self.out, b'*', elements);
        self
    }

    /// Starts a map: this many pairs follow. RESP2: an array of twice as many values.
    pub fn map(&mut self, pairs: usize) -> &mut Self {
        match self.protocol {
            Protocol::Resp2 => header(self.out, b'*', 2 * pairs),
            Protocol::Resp3 => header(self.out, b'%', pairs),
        }
        self
    }

    /// Starts a set: this many values follow. RESP2: an array.
    pub fn set(&mut self, elements: usize) -> &mut Self {
        self.resp3_aggregate(b'~', elements)
    }

    /// Starts a push: this many values follow. RESP2: an array.
    pub fn push(&mut self, elements: usize) -> &mut Self {
        self.resp3_aggregate(b'>', elements)
    }

    /// Writes facts beside the value that comes next: this many pairs, that `write` writes. RESP2: nothing,
    /// and `write` is not called.
    ///
    /// ```
    /// use resp_proto::{Protocol, ReplyEncoder};
    ///
    /// let mut out = Vec::new();
    /// for protocol in [Protocol::Resp2, Protocol::Resp3] {
    ///     let mut reply = ReplyEncoder::new(&mut out, protocol);
    ///     reply.attribute(1, |reply| {
    ///         reply.simple_string(b"ttl").integer(60);
    ///     });
    ///     reply.bulk(b"value");
    /// }
    /// assert_eq!(out, b"$5\r\nvalue\r\n|1\r\n+ttl\r\n:60\r\n$5\r\nvalue\r\n");
    /// ```
    pub fn attribute(&mut self, pairs: usize, write: impl FnOnce(&mut Self)) -> &mut Self {
        if self.protocol == Protocol::Resp3 {
            header(self.out, b'|', pairs);
            write(self);
        }
        self
    }

    /// Writes a string in pieces, as a server does that has only some of it at a time. Empty pieces are
    /// left out. RESP2: a bulk string of all of them.
    ///
    /// There is no such call for aggregates: RESP2 can't say that the count is unknown.
    pub fn streamed_string(&mut self, pieces: &[&[u8]]) -> &mut Self {
        if self.protocol == Protocol::Resp2 {
            header(self.out, b'$', pieces.iter().map(|piece| piece.len()).sum());
            pieces.iter().for_each(|piece| self.out.put(piece));
            self.out.put(b"\r\n");
            return self;
        }
        self.out.put(b"$?\r\n");
        for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
            self.blob(b';', piece);
        }
        self.out.put(b";0\r\n");
        self
    }

    /// The protocol written.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    fn resp3_aggregate(&mut self, kind: u8, elements: usize) -> &mut Self {
        let kind = if self.protocol == Protocol::Resp3 { kind } else { b'*' };
        header(self.out, kind, elements);
        self
    }

    fn blob(&mut self, kind: u8, bytes: &[u8]) -> &mut Self {
        header(self.out, kind, bytes.len());
        self.out.put(bytes);
        self.out.put(b"\r\n");
        self
    }

    fn text(&mut self, kind: u8, text: &[u8]) -> &mut Self {
        self.out.put(&[kind]);
        self.out.put(text);
        self.out.put(b"\r\n");
        self
    }

    fn line(&mut self, kind: u8, mut text: &[u8]) -> &mut Self {
        self.out.put(&[kind]);
        while let Some(end) = memchr::memchr2(b'\r', b'\n', text) {
            self.out.put(&text[..end]);
            self.out.put(b" ");
            text = &text[end + 1..];
        }
        self.out.put(text);
        self.out.put(b"\r\n");
        self
    }
}
