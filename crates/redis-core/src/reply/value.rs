//! The dynamic type: any reply as a tree.

use bytes::Bytes;
use resp_proto::Token;

use super::{FromReply, Len, ReplyReader};
use crate::error::{Error, Result};

/// How deep a tree may be nested.
const DEPTH: usize = 256;

/// Any reply.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing: RESP2's null bulk string and null array, RESP3's null.
    Null,
    /// A status such as `OK`.
    Status(Bytes),
    /// A string: bulk, verbatim or streamed.
    String(Bytes),
    /// An integer.
    Integer(i64),
    /// A double (RESP3).
    Double(f64),
    /// A boolean (RESP3).
    Boolean(bool),
    /// The digits of a number that may not fit any integer type (RESP3).
    BigNumber(Bytes),
    /// A list.
    Array(Vec<Value>),
    /// Pairs in the order sent (RESP3).
    Map(Vec<(Value, Value)>),
    /// A set in the order sent (RESP3).
    Set(Vec<Value>),
    /// An error inside a reply, such as one of a transaction's.
    Error(Error),
}

impl Value {
    fn read(reply: &mut ReplyReader<'_>, depth: usize) -> Result<Self> {
        if depth > DEPTH {
            return Err(Error::decode(format!("the reply is nested deeper than {DEPTH}")));
        }
        let token = reply.raw()?;
        Ok(match token {
            Token::Null => Self::Null,
            Token::Integer(n) => Self::Integer(n),
            Token::Double(n) => Self::Double(n),
            Token::Boolean(b) => Self::Boolean(b),
            Token::BigNumber(digits) => Self::BigNumber(reply.bytes(digits.into())),
            Token::SimpleString(text) => Self::Status(reply.bytes(text.into())),
            Token::SimpleError(text) | Token::BlobError(text) => Self::Error(Error::server(text)),
            Token::Array(len) => Self::Array(Self::read_list(reply, len, depth)?),
            Token::Push(len) => Self::Array(Self::read_list(reply, Some(len), depth)?),
            Token::Set(len) => Self::Set(Self::read_list(reply, len, depth)?),
            Token::Map(len) => {
                let mut pairs = Vec::with_capacity(reply.capacity(len));
                reply.each(len, |reply| {
                    let key = Self::read(reply, depth + 1)?;
                    pairs.push((key, Self::read(reply, depth + 1)?));
                    Ok(())
                })?;
                Self::Map(pairs)
            }
            token => match reply.string_of(token)? {
                Some(text) => Self::String(reply.bytes(text)),
                None => return Err(super::mismatch("a value", token)),
            },
        })
    }

    fn read_list(reply: &mut ReplyReader<'_>, len: Len, depth: usize) -> Result<Vec<Self>> {
        let mut list = Vec::with_capacity(reply.capacity(len));
        reply.each(len, |reply| {
            list.push(Self::read(reply, depth + 1)?);
            Ok(())
        })?;
        Ok(list)
    }

    /// The bytes, where it is a string or status.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Status(text) | Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The text, where it is a string or status in UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        self.as_bytes().and_then(|text| std::str::from_utf8(text).ok())
    }

    /// The number, where it is an integer.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(n) => Some(*n),
            _ => None,
        }
    }
}

impl FromReply for Value {
    const EXACT: bool = true;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        Self::read(reply, 0)
    }
}
