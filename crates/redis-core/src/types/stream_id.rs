//! What names an entry of a stream.

use std::fmt;
use std::str::FromStr;

use super::short::short;
use crate::command::{Arg, ToArg, Written};
use crate::error::{Error, Result};
use crate::reply::{FromReply, ReplyReader};

/// The id of a stream's entry: milliseconds, most often since 1970, and a number among those of the same
/// millisecond.
///
/// # Examples
///
/// ```
/// use redis_core::types::StreamId;
///
/// let id: StreamId = "1526919030474-55".parse()?;
/// assert_eq!(id, StreamId::new(1526919030474, 55));
/// assert!(id < StreamId::new(1526919030475, 0));
/// # Ok::<(), redis_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// Milliseconds.
    pub ms: u64,
    /// Number among the ids of the same millisecond.
    pub seq: u64,
}

impl StreamId {
    /// `0-0`, which is before every entry: no entry has it.
    pub const MIN: Self = Self::new(0, 0);
    /// The highest id there can be.
    pub const MAX: Self = Self::new(u64::MAX, u64::MAX);

    /// The id of these milliseconds and this number.
    pub const fn new(ms: u64, seq: u64) -> Self {
        Self { ms, seq }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

impl FromStr for StreamId {
    type Err = Error;

    /// Reads `ms-seq`, or `ms` alone, which means `ms-0`.
    fn from_str(text: &str) -> Result<Self> {
        let (ms, seq) = text.split_once('-').unwrap_or((text, "0"));
        let number = |digits: &str| digits.parse().ok().filter(|_| !digits.starts_with('+'));
        match (number(ms), number(seq)) {
            (Some(ms), Some(seq)) => Ok(Self { ms, seq }),
            _ => Err(Error::decode("expected a stream id such as `1526919030474-55`")),
        }
    }
}

impl From<(u64, u64)> for StreamId {
    fn from((ms, seq): (u64, u64)) -> Self {
        Self { ms, seq }
    }
}

impl ToArg for StreamId {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        short(arg, format_args!("{self}"))
    }
}

impl FromReply for StreamId {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        // What is not UTF-8 is no id either.
        std::str::from_utf8(&reply.string()?).unwrap_or_default().parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cmd;
    use crate::error::ErrorKind;
    use crate::reply::decode;

    #[test]
    fn id_reads_back_what_it_shows() {
        for id in [StreamId::MIN, StreamId::new(15, 3), StreamId::MAX] {
            assert_eq!(id.to_string().parse::<StreamId>().unwrap(), id);
        }
        assert_eq!("7".parse::<StreamId>().unwrap(), StreamId::new(7, 0));
        assert_eq!(decode::<StreamId>(b"$3\r\n1-2\r\n").unwrap(), StreamId::new(1, 2));
        assert_eq!(decode::<StreamId>(b"$1\r\n\xff\r\n").unwrap_err().kind(), ErrorKind::Decode);
        let cmd = Cmd::<()>::raw("X").arg(StreamId::MAX);
        assert_eq!(cmd.words().last(), Some(StreamId::MAX.to_string().as_bytes()));
    }

    #[test]
    fn ids_are_in_the_order_of_the_stream() {
        assert!(StreamId::new(9, 9) < StreamId::new(10, 0));
        assert!(StreamId::new(1, 9) < StreamId::new(1, 10));
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in ["", "-", "*", "1-", "-1", "1-2-3", "+1-1", "1-+1", "a-1", "1-*"] {
            let error = text.parse::<StreamId>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Decode, "{text}");
        }
    }
}
