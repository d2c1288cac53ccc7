//! `FromReply` for types that hold another: pointers, numbers that are not zero, and results.

use std::borrow::Cow;
use std::num::NonZero;
use std::rc::Rc;
use std::sync::Arc;

use super::{FromReply, ReplyReader};
use crate::error::{Error, Result};

/// A `T`, or what it failed with in its place: the server's error, or that it is no `T`. Always takes exactly one value,
/// so that a `Vec<Result<T>>` has the others in their places.
///
/// A reply that is an error as a whole stays the error of its command.
impl<T: FromReply> FromReply for Result<T> {
    const EXACT: bool = true;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let mut value = reply.clone();
        reply.skip()?;
        Ok(value.fail_on_error().and_then(|()| T::from_reply(&mut value)))
    }
}

impl<T: FromReply> FromReply for Box<T> {
    const EXACT: bool = T::EXACT;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        T::from_reply(reply).map(Self::new)
    }
}

impl FromReply for Box<str> {
    const EXACT: bool = true;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        String::from_reply(reply).map(Self::from)
    }
}

impl<T: FromReply> FromReply for Box<[T]> {
    const EXACT: bool = T::EXACT;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        T::list_from_reply(reply).map(Self::from)
    }
}

impl<T: FromReply> FromReply for Rc<T> {
    const EXACT: bool = T::EXACT;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        T::from_reply(reply).map(Self::new)
    }
}

impl FromReply for Rc<str> {
    const EXACT: bool = true;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        String::from_reply(reply).map(Self::from)
    }
}

impl<T: FromReply> FromReply for Rc<[T]> {
    const EXACT: bool = T::EXACT;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        T::list_from_reply(reply).map(Self::from)
    }
}

impl<T: FromReply> FromReply for Arc<T> {
    const EXACT: bool = T::EXACT;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        T::from_reply(reply).map(Self::new)
    }
}

impl FromReply for Arc<str> {
    const EXACT: bool = true;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        String::from_reply(reply).map(Self::from)
    }
}

impl<T: FromReply> FromReply for Arc<[T]> {
    const EXACT: bool = T::EXACT;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        T::list_from_reply(reply).map(Self::from)
    }
}

/// Always owned: a reply lives shorter than what it decodes to.
impl<T: ToOwned<Owned: FromReply> + ?Sized> FromReply for Cow<'_, T> {
    const EXACT: bool = T::Owned::EXACT;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        T::Owned::from_reply(reply).map(Self::Owned)
    }
}

fn non_zero<T: FromReply, N: TryFrom<T>>(reply: &mut ReplyReader<'_>) -> Result<N> {
    N::try_from(T::from_reply(reply)?)
        .map_err(|_| Error::decode("expected an integer other than 0, got 0"))
}

impl FromReply for NonZero<i8> {
    const EXACT: bool = true;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        non_zero::<i8, _>(reply)
    }
}

impl FromReply for NonZero<i16> {
    const EXACT: bool = true;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        non_zero::<i16, _>(reply)
    }
}

impl FromReply for NonZero<i32> {
    const EXACT: bool = true;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        non_zero::<i32, _>(reply)
    }
}

impl FromReply for NonZero<i64> {
    const EXACT: bool = true;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        non_zero::<i64, _>(reply)
    }
}

impl FromReply for NonZero<i128> {
    const EXACT: bool = true;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        non_zero::<i128, _>(reply)
    }
}

impl FromReply for NonZero<isize> {
    const EXACT: bool = true;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        non_zero::<isize, _>(reply)
    }
}

impl FromReply for NonZero<u8> {
    const EXACT: bool = true;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        non_zero::<u8, _>(reply)
    }
}

impl FromReply for NonZero<u16> {
    const EXACT: bool = true;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        non_zero::<u16, _>(reply)
    }
}

impl FromReply for NonZero<u32> {
    const EXACT: bool = true;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        non_zero::<u32, _>(reply)
    }
}

impl FromReply for NonZero<u64> {
    const EXACT: bool = true;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        non_zero::<u64, _>(reply)
    }
}

impl FromReply for NonZero<u128> {
    const EXACT: bool = true;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        non_zero::<u128, _>(reply)
    }
}

impl FromReply for NonZero<usize> {
    const EXACT: bool = true;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        non_zero::<usize, _>(reply)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::reply::{Value, decode};

    #[test]
    fn errors_in_a_list_keep_their_places() {
        let frame = b"*4\r\n:1\r\n-ERR no\r\n*2\r\n:1\r\n-ERR inside\r\n:4\r\n";
        let list = decode::<Vec<Result<i64>>>(frame).unwrap();
        assert_eq!(list.len(), 4);
        assert_eq!(list[0], Ok(1));
        assert_eq!(list[1].as_ref().unwrap_err().code(), Some("ERR"));
        assert_eq!(list[2].as_ref().unwrap_err().kind(), ErrorKind::Decode);
        assert_eq!(list[3], Ok(4));
        let list = decode::<Vec<Result<Vec<i64>>>>(b"*2\r\n*1\r\n-ERR inside\r\n*1\r\n:1\r\n");
        assert_eq!(list.unwrap()[1], Ok(vec![1]));
        let list = decode::<Vec<Result<()>>>(b"*2\r\n-ERR no\r\n+OK\r\n").unwrap();
        assert_eq!(list[0].as_ref().unwrap_err().code(), Some("ERR"));
        let list = decode::<Vec<Result<Value>>>(b"*2\r\n-ERR no\r\n+OK\r\n").unwrap();
        assert_eq!(list[0].as_ref().unwrap_err().code(), Some("ERR"));
        assert_eq!(decode::<Result<i64>>(b"-ERR no\r\n").unwrap_err().code(), Some("ERR"));
        assert!(decode::<Vec<Result<i64>>>(b"*2\r\n:1\r\n").is_err());
    }

    #[test]
    fn pointers_hold_what_they_point_to() {
        let text = b"$3\r\nabc\r\n";
        assert_eq!(&*decode::<Box<str>>(text).unwrap(), "abc");
        assert_eq!(&*decode::<Rc<str>>(text).unwrap(), "abc");
        assert_eq!(&*decode::<Arc<str>>(text).unwrap(), "abc");
        assert_eq!(&*decode::<Cow<'_, str>>(text).unwrap(), "abc");
        assert_eq!(&*decode::<Box<[u8]>>(text).unwrap(), b"abc");
        assert_eq!(&*decode::<Arc<[u8]>>(text).unwrap(), b"abc");
        assert_eq!(&*decode::<Cow<'_, [u8]>>(text).unwrap(), b"abc");
        assert_eq!(**decode::<Box<String>>(text).unwrap(), *"abc");
        let list = b"*2\r\n:1\r\n:2\r\n";
        assert_eq!(*decode::<Box<[i64]>>(list).unwrap(), [1, 2]);
        assert_eq!(*decode::<Rc<Vec<i64>>>(list).unwrap(), [1, 2]);
        assert_eq!(decode::<Box<str>>(b"_\r\n").unwrap_err().kind(), ErrorKind::Decode);
    }

    #[test]
    fn zero_does_not_fit_what_is_not_zero() {
        assert_eq!(decode::<NonZero<u64>>(b":7\r\n").unwrap().get(), 7);
        assert_eq!(decode::<NonZero<i8>>(b"$2\r\n-7\r\n").unwrap().get(), -7);
        for frame in [&b":0\r\n"[..], b"$1\r\n0\r\n", b":256\r\n"] {
            assert_eq!(decode::<NonZero<u8>>(frame).unwrap_err().kind(), ErrorKind::Decode);
        }
    }
}
