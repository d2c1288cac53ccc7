//! Replies as Rust values, decoded straight from the frame they arrived in.
//!
//! Owns the conversions and what each accepts under RESP2 and RESP3. Knows nothing of the command that
//! was sent. The rules: null goes into `Option` only, text that is a number goes into numbers, and
//! nothing else is coerced.

mod convert;
mod holders;
#[cfg(feature = "json")]
mod json;
mod value;

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use resp_proto::{FrameReader, Token};

#[cfg(feature = "json")]
pub use self::json::Json;
pub use self::value::Value;

use crate::error::{Error, Result};

/// A `Bytes` reply shorter than this is copied, so that it does not keep a whole read buffer alive.
const PIN: usize = 512;

/// A type that a reply decodes to.
///
/// | type | decodes from |
/// | --- | --- |
/// | `String`, `Vec<u8>`, `Bytes` | a string; `String` wants UTF-8 |
/// | integers, `NonZero` | an integer, or a string of its digits; what does not fit is an error |
/// | `f32`, `f64` | a double, an integer that it can hold, or a string of a number |
/// | `bool` | a boolean, or `1` and `0` as integer or string |
/// | `char`, `IpAddr`, `SocketAddr` | a string that reads as one |
/// | `Option<T>` | null, or a `T` |
/// | `Vec`, `VecDeque`, `HashSet`, `BTreeSet`, `[T; N]` | a list or set; of `u8` also a string |
/// | `HashMap`, `BTreeMap`, a list of pairs | a map, a flat list of keys and values, or a list of pairs |
/// | tuples of up to 16 | a list of exactly as many values |
/// | `Box`, `Rc`, `Arc`, `Cow` | what they hold, `str` and slices included |
/// | `Result<T>` | a `T`, or an error in its place: `Vec<Result<T>>` keeps the other elements |
/// | `()` | anything but an error |
/// | [`Value`] | anything |
/// | structs and enums that derive `FromReply` | a map of their fields, a word |
///
/// `Duration` and `SystemTime` are none: a reply is a bare number, of seconds, milliseconds or microseconds
/// by its command. Decode to the number, or give a derived struct's field a `with`.
///
/// # Examples
///
/// ```
/// use redis_core::{FromReply, ReplyReader, Result, decode};
///
/// struct Celsius(f64);
///
/// impl FromReply for Celsius {
///     fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
///         f64::from_reply(reply).map(Celsius)
///     }
/// }
///
/// assert_eq!(decode::<Celsius>(b"$4\r\n21.5\r\n")?.0, 21.5);
/// # Ok::<(), redis_core::Error>(())
/// ```
pub trait FromReply: Sized {
    /// Takes exactly one value from the reader.
    ///
    /// # Errors
    ///
    /// The server's error where the value is one; `Decode` where it is of another type.
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self>;

    /// That it takes exactly one value whenever it succeeds is not only said but known: a reader of many
    /// replies need not look for the end of each.
    #[doc(hidden)]
    const EXACT: bool = false;

    /// Takes one value that is a list of such. Types whose lists have a second shape override it.
    #[doc(hidden)]
    fn list_from_reply(reply: &mut ReplyReader<'_>) -> Result<Vec<Self>> {
        let len = reply.list()?;
        let mut list = Vec::with_capacity(reply.capacity(len));
        reply.each(len, |reply| {
            list.push(Self::from_reply(reply)?);
            Ok(())
        })?;
        Ok(list)
    }
}

/// Decodes one whole reply frame.
///
/// # Errors
///
/// The server's error where the reply is one; `Decode` where it is not an `R`.
pub fn decode<R: FromReply>(frame: &[u8]) -> Result<R> {
    ReplyReader::new(frame).whole()
}

/// Decodes one whole reply frame; large `Bytes` in the result share its memory.
///
/// # Errors
///
/// As [`decode`].
pub fn decode_shared<R: FromReply>(frame: &Bytes) -> Result<R> {
    ReplyReader::shared(frame, frame).whole()
}

/// The length of an aggregate: known, or streamed until its end mark.
pub type Len = Option<usize>;

/// A pull reader over one reply.
#[derive(Clone, Debug)]
pub struct ReplyReader<'a> {
    frame: FrameReader<'a>,
    /// The memory that the frame is part of.
    memory: Option<&'a Bytes>,
}

impl<'a> ReplyReader<'a> {
    /// Reads from borrowed bytes: every `Bytes` in the result is a copy.
    #[inline]
    pub fn new(frame: &'a [u8]) -> Self {
        Self { frame: FrameReader::new(frame), memory: None }
    }

    /// Reads from a part of `memory`, which large `Bytes` in the result share.
    #[inline]
    pub fn shared(frame: &'a [u8], memory: &'a Bytes) -> Self {
        Self { frame: FrameReader::new(frame), memory: Some(memory) }
    }

    #[inline]
    fn whole<R: FromReply>(mut self) -> Result<R> {
        self.fail_on_error()?;
        R::from_reply(&mut self)
    }

    /// The server's error, if that is what comes next.
    #[inline]
    pub(crate) fn fail_on_error(&self) -> Result<()> {
        match self.frame.remaining().first() {
            Some(b'-' | b'!' | b'|') => match self.peek()? {
                Token::SimpleError(text) | Token::BlobError(text) => Err(Error::server(text)),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// The next token that is not an attribute.
    ///
    /// # Errors
    ///
    /// The server's error where the token is one; `Decode` at the end of the reply.
    #[inline]
    pub fn token(&mut self) -> Result<Token<'a>> {
        match self.raw()? {
            Token::SimpleError(text) | Token::BlobError(text) => Err(Error::server(text)),
            token => Ok(token),
        }
    }

    /// As [`token`](Self::token), with errors as tokens.
    pub(crate) fn raw(&mut self) -> Result<Token<'a>> {
        self.frame.next_data()?.ok_or_else(at_end)
    }

    /// The next token that is not an attribute, without taking it.
    ///
    /// # Errors
    ///
    /// `Decode` at the end of the reply.
    #[inline]
    pub fn peek(&self) -> Result<Token<'a>> {
        self.frame.peek_data()?.ok_or_else(at_end)
    }

    /// Takes one value, whatever it is, and gives its bytes.
    ///
    /// # Errors
    ///
    /// `Decode` at the end of the reply.
    pub fn skip(&mut self) -> Result<&'a [u8]> {
        if self.frame.is_empty() {
            return Err(at_end());
        }
        Ok(self.frame.skip_value()?)
    }

    /// What is not read.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.frame.remaining()
    }

    /// Whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.frame.is_empty()
    }

    /// Takes one string: bulk, simple, verbatim or streamed.
    ///
    /// # Errors
    ///
    /// The server's error where the value is one; `Decode` where it is something else.
    #[inline]
    pub fn string(&mut self) -> Result<Cow<'a, [u8]>> {
        if let Some(text) = self.frame.next_short_bulk() {
            return Ok(Cow::Borrowed(text));
        }
        let token = self.token()?;
        self.string_of(token)?.ok_or_else(|| mismatch("a string", token))
    }

    /// The string that starts with `token`, if one does.
    #[inline]
    pub(crate) fn string_of(&mut self, token: Token<'a>) -> Result<Option<Cow<'a, [u8]>>> {
        Ok(match token {
            Token::BulkString(text) | Token::SimpleString(text) | Token::Verbatim { text, .. } => {
                Some(Cow::Borrowed(text))
            }
            Token::StreamedString => {
                let mut text = Vec::new();
                while let Token::Chunk(chunk) = self.token()? {
                    text.extend_from_slice(chunk);
                }
                Some(Cow::Owned(text))
            }
            _ => None,
        })
    }

    /// Starts a list: an array, set or push. Its values follow; see [`each`](Self::each).
    ///
    /// # Errors
    ///
    /// The server's error where the value is one; `Decode` where it is something else.
    pub fn list(&mut self) -> Result<Len> {
        match self.token()? {
            Token::Array(len) | Token::Set(len) => Ok(len),
            Token::Push(len) => Ok(Some(len)),
            token => Err(mismatch("a list", token)),
        }
    }

    /// Starts a list of exactly `n` values.
    pub(crate) fn tuple(&mut self, n: usize) -> Result<()> {
        match self.list()? {
            Some(len) if len == n => Ok(()),
            Some(len) => Err(Error::decode(format!("expected a list of {n} values, got {len}"))),
            None => {
                Err(Error::decode(format!("expected a list of {n} values, got a streamed one")))
            }
        }
    }

    /// Calls `take` for each value of an aggregate that was started. It must take exactly one value.
    ///
    /// # Errors
    ///
    /// What `take` returns.
    pub fn each(&mut self, len: Len, mut take: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        match len {
            Some(len) => (0..len).try_for_each(|_| take(self)),
            None => {
                while self.peek()? != Token::End {
                    take(self)?;
                }
                self.token().map(drop)
            }
        }
    }

    /// Calls `take` for each pair of a map, which RESP2 sends as a flat list of twice as many values, and
    /// some commands as a list of pairs. It must take exactly two values.
    ///
    /// # Errors
    ///
    /// The server's error where the value is one; `Decode` where it is something else or a value has no
    /// partner; what `take` returns.
    pub fn pairs(&mut self, mut take: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        let token = self.token()?;
        let (len, divisor) = match token {
            Token::Map(len) => (len, 1),
            Token::Array(len) | Token::Set(len) => (len, 2),
            _ => return Err(mismatch("a map or a list of pairs", token)),
        };
        if len == Some(0) {
            return Ok(());
        }
        if divisor == 2 && matches!(self.peek()?, Token::Array(Some(2))) {
            return self.each(len, |reply| {
                match reply.token()? {
                    Token::Array(Some(2)) => {}
                    token => return Err(mismatch("a pair", token)),
                }
                take(reply)
            });
        }
        if let Some(len) = len
            && len % divisor != 0
        {
            return Err(Error::decode(format!("expected pairs, got a list of {len} values")));
        }
        self.each(len.map(|len| len / divisor), take)
    }

    /// How much to reserve for an aggregate: never more than the bytes at hand can hold.
    pub fn capacity(&self, len: Len) -> usize {
        len.unwrap_or(0).min(self.frame.remaining().len() / 3)
    }

    /// The text as `Bytes`: shared with the reply's memory where that pays, else copied.
    #[inline]
    pub fn bytes(&self, text: Cow<'a, [u8]>) -> Bytes {
        match (text, self.memory) {
            (Cow::Borrowed(text), Some(memory)) if text.len() >= PIN => memory.slice_ref(text),
            (Cow::Borrowed(text), _) => Bytes::copy_from_slice(text),
            (Cow::Owned(text), _) => Bytes::from(text),
        }
    }
}

fn at_end() -> Error {
    Error::decode("the reply has fewer values than the type")
}

/// The error for a value of another type.
pub(crate) fn mismatch(expected: &str, got: Token<'_>) -> Error {
    if got == Token::Null {
        return Error::decode(format!("expected {expected}, got null: decode to an `Option`"));
    }
    Error::decode(format!("expected {expected}, got {}", Shown(got)))
}

/// Names a token's type, and its length or number: never a string's content.
struct Shown<'a>(Token<'a>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Token::Null => f.write_str("null"),
            Token::SimpleString(text) => {
                write!(f, "the status `{}`", String::from_utf8_lossy(text))
            }
            Token::SimpleError(_) | Token::BlobError(_) => f.write_str("an error"),
            Token::Integer(n) => write!(f, "the integer {n}"),
            Token::Double(n) => write!(f, "the double {n}"),
            Token::Boolean(b) => write!(f, "the boolean {b}"),
            Token::BigNumber(_) => f.write_str("a big number"),
            Token::BulkString(text) | Token::Verbatim { text, .. } => {
                write!(f, "a string of {} bytes", text.len())
            }
            Token::StreamedString | Token::Chunk(_) => f.write_str("a string"),
            Token::Array(len) => write!(f, "a list of {}", Counted(len)),
            Token::Map(len) => write!(f, "a map of {}", Counted(len)),
            Token::Set(len) => write!(f, "a set of {}", Counted(len)),
            Token::Push(len) => write!(f, "a push of {len}"),
            Token::End => f.write_str("the end of a list"),
            _ => f.write_str("something else"),
        }
    }
}

struct Counted(Len);

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(len) => write!(f, "{len}"),
            None => f.write_str("unknown length"),
        }
    }
}
