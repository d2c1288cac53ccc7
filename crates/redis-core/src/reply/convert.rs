//! `FromReply` for the types of the standard library and `Bytes`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, Hash};
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use bytes::Bytes;
use resp_proto::Token;

use super::{FromReply, ReplyReader, mismatch};
use crate::error::{Error, Result};

/// Accepts anything but an error.
impl FromReply for () {
    const EXACT: bool = true;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        reply.fail_on_error()?;
        reply.skip().map(drop)
    }
}

impl<T: FromReply> FromReply for Option<T> {
    const EXACT: bool = T::EXACT;

    #[inline]
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        // Most often the first bytes tell that it is not null.
        let some = matches!(reply.rest(), [b'$', b'0'..=b'9', ..] | [b':' | b'+', ..]);
        if !some && reply.peek()? == Token::Null {
            reply.token()?;
            return Ok(None);
        }
        T::from_reply(reply).map(Some)
    }
}

impl FromReply for Bytes {
    const EXACT: bool = true;

    #[inline]
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let text = reply.string()?;
        Ok(reply.bytes(text))
    }
}

impl FromReply for String {
    const EXACT: bool = true;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        String::from_utf8(reply.string()?.into_owned()).map_err(|error| {
            Error::decode("the string is not UTF-8: decode to `Vec<u8>` or `Bytes`")
                .with_source(error)
        })
    }
}

impl<T: FromReply> FromReply for Vec<T> {
    const EXACT: bool = T::EXACT;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        T::list_from_reply(reply)
    }
}

impl<T: FromReply> FromReply for VecDeque<T> {
    const EXACT: bool = T::EXACT;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        T::list_from_reply(reply).map(Self::from)
    }
}

/// A list of exactly so many; of bytes a string of exactly so many.
impl<T: FromReply, const N: usize> FromReply for [T; N] {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let list = T::list_from_reply(reply)?;
        list.try_into().map_err(|list: Vec<T>| {
            Error::decode(format!("expected a list of {N} values, got {}", list.len()))
        })
    }
}

/// `1` and `0`, as integer or text, and RESP3 booleans.
impl FromReply for bool {
    const EXACT: bool = true;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let token = reply.token()?;
        match token {
            Token::Boolean(value) => Ok(value),
            Token::Integer(0) | Token::BulkString(b"0") => Ok(false),
            Token::Integer(1) | Token::BulkString(b"1") => Ok(true),
            token => Err(mismatch("a boolean, 0 or 1", token)),
        }
    }
}

/// A string of exactly one.
impl FromReply for char {
    const EXACT: bool = true;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        parsed(reply, "a character")
    }
}

impl FromReply for IpAddr {
    const EXACT: bool = true;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        parsed(reply, "an IP address")
    }
}

impl FromReply for SocketAddr {
    const EXACT: bool = true;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        parsed(reply, "an IP address and port")
    }
}

/// A string, parsed.
fn parsed<T: FromStr>(reply: &mut ReplyReader<'_>, what: &str) -> Result<T> {
    std::str::from_utf8(&reply.string()?)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| Error::decode(format!("expected text that is {what}")))
}

/// The integer that comes next: as such, as its decimal text, or as a big number that fits.
fn integer<T: FromStr + TryFrom<i64>>(reply: &mut ReplyReader<'_>, range: &str) -> Result<T> {
    let token = reply.token()?;
    let text = match token {
        Token::Integer(n) => {
            return T::try_from(n)
                .map_err(|_| Error::decode(format!("the integer {n} does not fit {range}")));
        }
        Token::BigNumber(digits) => Cow::Borrowed(digits),
        token => reply.string_of(token)?.ok_or_else(|| mismatch("an integer", token))?,
    };
    std::str::from_utf8(&text)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| Error::decode(format!("expected text that is an integer within {range}")))
}

/// The number that comes next: as double, as integer, or as its text.
fn float(reply: &mut ReplyReader<'_>) -> Result<f64> {
    let token = reply.token()?;
    let text = match token {
        Token::Double(n) => return Ok(n),
        // Beyond 2^53 not every integer has a double of its own.
        Token::Integer(n) if n.unsigned_abs() <= 1 << 53 => return Ok(n as f64),
        token => reply.string_of(token)?.ok_or_else(|| mismatch("a number", token))?,
    };
    std::str::from_utf8(&text)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| Error::decode("expected text that is a number"))
}

impl FromReply for i8 {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        integer(reply, "i8")
    }
}

impl FromReply for i16 {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        integer(reply, "i16")
    }
}

impl FromReply for i32 {
    const EXACT: bool = true;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        integer(reply, "i32")
    }
}

impl FromReply for i64 {
    const EXACT: bool = true;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        integer(reply, "i64")
    }
}

impl FromReply for i128 {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        integer(reply, "i128")
    }
}

impl FromReply for isize {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        integer(reply, "isize")
    }
}

/// A list of them is also what a string decodes to.
impl FromReply for u8 {
    const EXACT: bool = true;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        integer(reply, "u8")
    }

    #[inline]
    fn list_from_reply(reply: &mut ReplyReader<'_>) -> Result<Vec<Self>> {
        reply.string().map(Cow::into_owned)
    }
}

impl FromReply for u16 {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        integer(reply, "u16")
    }
}

impl FromReply for u32 {
    const EXACT: bool = true;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        integer(reply, "u32")
    }
}

impl FromReply for u64 {
    const EXACT: bool = true;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        integer(reply, "u64")
    }
}

impl FromReply for u128 {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let token = reply.peek()?;
        let value: i128 = match token {
            Token::Integer(n) => {
                reply.token()?;
                n.into()
            }
            _ => {
                let text = match reply.token()? {
                    Token::BigNumber(digits) => Cow::Borrowed(digits),
                    token => {
                        reply.string_of(token)?.ok_or_else(|| mismatch("an integer", token))?
                    }
                };
                return std::str::from_utf8(&text)
                    .ok()
                    .and_then(|text| text.parse().ok())
                    .ok_or_else(|| Error::decode("expected text that is an integer within u128"));
            }
        };
        u128::try_from(value)
            .map_err(|_| Error::decode(format!("the integer {value} does not fit u128")))
    }
}

impl FromReply for usize {
    const EXACT: bool = true;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        integer(reply, "usize")
    }
}

impl FromReply for f64 {
    const EXACT: bool = true;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        float(reply)
    }
}

/// The nearest `f32`, as `as` converts.
impl FromReply for f32 {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        float(reply).map(|value| value as f32)
    }
}

/// A list of pairs is also what a map, or a flat list of twice as many values, decodes to.
impl<A: FromReply, B: FromReply> FromReply for (A, B) {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        reply.tuple(2)?;
        Ok((A::from_reply(reply)?, B::from_reply(reply)?))
    }

    fn list_from_reply(reply: &mut ReplyReader<'_>) -> Result<Vec<Self>> {
        let mut list = Vec::new();
        reply.pairs(|reply| {
            list.push((A::from_reply(reply)?, B::from_reply(reply)?));
            Ok(())
        })?;
        Ok(list)
    }
}

impl<K: FromReply + Eq + Hash, V: FromReply, S: BuildHasher + Default> FromReply
    for HashMap<K, V, S>
{
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let mut map = Self::default();
        reply.pairs(|reply| {
            map.insert(K::from_reply(reply)?, V::from_reply(reply)?);
            Ok(())
        })?;
        Ok(map)
    }
}

impl<K: FromReply + Ord, V: FromReply> FromReply for BTreeMap<K, V> {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let mut map = Self::new();
        reply.pairs(|reply| {
            map.insert(K::from_reply(reply)?, V::from_reply(reply)?);
            Ok(())
        })?;
        Ok(map)
    }
}

impl<T: FromReply + Eq + Hash, S: BuildHasher + Default> FromReply for HashSet<T, S> {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        T::list_from_reply(reply).map(|list| list.into_iter().collect())
    }
}

impl<T: FromReply + Ord> FromReply for BTreeSet<T> {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        T::list_from_reply(reply).map(|list| list.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::reply::{Value, decode, decode_shared};

    fn kind<R: FromReply>(frame: &[u8]) -> ErrorKind {
        match decode::<R>(frame) {
            Ok(_) => panic!("{:?} decoded", String::from_utf8_lossy(frame)),
            Err(error) => error.kind(),
        }
    }

    #[test]
    fn null_goes_into_option_alone() {
        for null in [&b"_\r\n"[..], b"$-1\r\n", b"*-1\r\n"] {
            assert_eq!(decode::<Option<String>>(null).unwrap(), None);
            assert_eq!(decode::<Option<Vec<i64>>>(null).unwrap(), None);
            assert_eq!(kind::<String>(null), ErrorKind::Decode);
            assert_eq!(kind::<i64>(null), ErrorKind::Decode);
            assert_eq!(kind::<Vec<i64>>(null), ErrorKind::Decode);
            assert_eq!(kind::<bool>(null), ErrorKind::Decode);
        }
    }

    #[test]
    fn integers_report_what_does_not_fit() {
        assert_eq!(decode::<i64>(b":-5\r\n").unwrap(), -5);
        assert_eq!(decode::<u64>(b"$2\r\n42\r\n").unwrap(), 42);
        assert_eq!(
            decode::<i128>(b"(170141183460469231731687303715884105727\r\n").unwrap(),
            i128::MAX
        );
        assert_eq!(
            decode::<u128>(b"(340282366920938463463374607431768211455\r\n").unwrap(),
            u128::MAX
        );
        let error = decode::<u8>(b":300\r\n").unwrap_err();
        assert_eq!(error.to_string(), "the integer 300 does not fit u8");
        assert_eq!(kind::<u64>(b":-1\r\n"), ErrorKind::Decode);
        assert_eq!(kind::<i64>(b"$3\r\n1.5\r\n"), ErrorKind::Decode);
        assert_eq!(kind::<i64>(b"+OK\r\n"), ErrorKind::Decode);
    }

    #[test]
    fn doubles_are_the_same_in_both_protocols() {
        for frame in [&b",1.5\r\n"[..], b"$3\r\n1.5\r\n"] {
            assert_eq!(decode::<f64>(frame).unwrap(), 1.5);
        }
        for frame in [&b",-inf\r\n"[..], b"$4\r\n-inf\r\n"] {
            assert_eq!(decode::<f64>(frame).unwrap(), f64::NEG_INFINITY);
        }
        assert_eq!(kind::<f64>(b":9007199254740993\r\n"), ErrorKind::Decode);
    }

    #[test]
    fn maps_and_pairs_are_the_same_in_both_protocols() {
        for frame in [
            &b"%2\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n:2\r\n"[..],
            b"*4\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n:2\r\n",
            b"*2\r\n*2\r\n$1\r\na\r\n:1\r\n*2\r\n$1\r\nb\r\n:2\r\n",
            b"%?\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n:2\r\n.\r\n",
            b"|1\r\n+ttl\r\n:3\r\n%2\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n:2\r\n",
        ] {
            let expected = vec![("a".to_owned(), 1), ("b".to_owned(), 2)];
            assert_eq!(decode::<Vec<(String, i64)>>(frame).unwrap(), expected);
            let map = decode::<BTreeMap<String, i64>>(frame).unwrap();
            assert_eq!(map.into_iter().collect::<Vec<_>>(), expected);
        }
        assert_eq!(kind::<HashMap<String, String>>(b"*1\r\n$1\r\na\r\n"), ErrorKind::Decode);
    }

    #[test]
    fn strings_decode_from_every_string_type() {
        for frame in [
            &b"+abc\r\n"[..],
            b"$3\r\nabc\r\n",
            b"=7\r\ntxt:abc\r\n",
            b"$?\r\n;1\r\na\r\n;2\r\nbc\r\n;0\r\n",
        ] {
            assert_eq!(decode::<String>(frame).unwrap(), "abc");
            assert_eq!(decode::<Vec<u8>>(frame).unwrap(), b"abc");
            assert_eq!(decode::<Bytes>(frame).unwrap(), "abc");
        }
        assert_eq!(kind::<String>(b"$1\r\n\xff\r\n"), ErrorKind::Decode);
        assert_eq!(kind::<String>(b":1\r\n"), ErrorKind::Decode);
    }

    #[test]
    fn errors_are_errors_at_any_depth_but_values_in_a_tree() {
        assert_eq!(decode::<()>(b"-ERR no\r\n").unwrap_err().code(), Some("ERR"));
        assert_eq!(decode::<Value>(b"-ERR no\r\n").unwrap_err().code(), Some("ERR"));
        assert_eq!(
            decode::<String>(b"|1\r\n+a\r\n+b\r\n-ERR no\r\n").unwrap_err().code(),
            Some("ERR")
        );
        assert_eq!(decode::<Vec<i64>>(b"*2\r\n:1\r\n-ERR no\r\n").unwrap_err().code(), Some("ERR"));
        let tree = decode::<Value>(b"*2\r\n:1\r\n-ERR no\r\n").unwrap();
        assert_eq!(
            tree,
            Value::Array(vec![Value::Integer(1), Value::Error(Error::server(b"ERR no"))])
        );
    }

    #[test]
    fn large_bytes_share_the_reply_and_small_ones_do_not() {
        let mut frame = b"*2\r\n$1000\r\n".to_vec();
        frame.extend([b'x'; 1000]);
        frame.extend(b"\r\n$1\r\ny\r\n");
        let frame = Bytes::from(frame);
        let (large, small): (Bytes, Bytes) = decode_shared(&frame).unwrap();
        assert_eq!(large.as_ptr(), frame[11..].as_ptr());
        assert_eq!(&small[..], b"y");
        assert!(!frame.as_ptr_range().contains(&small.as_ptr()));
    }

    #[test]
    fn tuples_want_their_exact_length() {
        assert_eq!(decode::<(i64, String)>(b"*2\r\n:1\r\n+a\r\n").unwrap(), (1, "a".into()));
        assert_eq!(kind::<(i64, String)>(b"*3\r\n:1\r\n+a\r\n+b\r\n"), ErrorKind::Decode);
        assert_eq!(decode::<[i64; 2]>(b"*2\r\n:1\r\n:2\r\n").unwrap(), [1, 2]);
        assert_eq!(kind::<[i64; 3]>(b"*2\r\n:1\r\n:2\r\n"), ErrorKind::Decode);
        assert_eq!(decode::<[u8; 3]>(b"$3\r\nabc\r\n").unwrap(), *b"abc");
        assert_eq!(kind::<[u8; 2]>(b"$3\r\nabc\r\n"), ErrorKind::Decode);
        let twelve = [&b"*12\r\n"[..], &b":1\r\n".repeat(12)].concat();
        type Twelve = (u8, u8, u8, u8, u8, u8, u8, u8, u8, u8, u8, u8);
        assert_eq!(decode::<Twelve>(&twelve).unwrap(), (1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1));
        assert_eq!(
            kind::<(u8, u8, u8, u8, u8, u8, u8, u8, u8, u8, u8)>(&twelve),
            ErrorKind::Decode
        );
    }

    #[test]
    fn text_is_parsed_where_it_has_one_meaning() {
        assert_eq!(decode::<char>(b"$2\r\n\xc3\xa9\r\n").unwrap(), '\u{e9}');
        assert_eq!(kind::<char>(b"+ab\r\n"), ErrorKind::Decode);
        assert_eq!(decode::<IpAddr>(b"+::1\r\n").unwrap().to_string(), "::1");
        assert_eq!(kind::<IpAddr>(b"+localhost\r\n"), ErrorKind::Decode);
        let addr = decode::<SocketAddr>(b"$14\r\n127.0.0.1:6379\r\n").unwrap();
        assert_eq!(addr.to_string(), "127.0.0.1:6379");
        let list = decode::<VecDeque<i64>>(b"*2\r\n:1\r\n:2\r\n").unwrap();
        assert_eq!(list, [1, 2]);
    }

    #[test]
    fn value_refuses_what_is_nested_too_deep() {
        let frame = [b"*1\r\n".repeat(2000), b":1\r\n".to_vec()].concat();
        assert_eq!(kind::<Value>(&frame), ErrorKind::Decode);
    }
}
