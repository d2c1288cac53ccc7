//! Whether and when something expires.

use std::time::{Duration, SystemTime};

use super::time::at;
use crate::error::{Error, Result};
use crate::reply::{FromReply, ReplyReader};

/// How long a key still lives.
///
/// `PER_SECOND` says in what the server counts: 1 for seconds, 1000 for milliseconds. Values of either
/// are written the same: `Ttl::In(Duration::from_secs(5))`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use redis_core::decode;
/// use redis_core::types::Ttl;
///
/// assert_eq!(decode::<Ttl<1>>(b":5\r\n")?, Ttl::In(Duration::from_secs(5)));
/// assert_eq!(decode::<Ttl<1000>>(b":5\r\n")?, Ttl::In(Duration::from_millis(5)));
/// # Ok::<(), redis_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ttl<const PER_SECOND: u32 = 1000> {
    /// There is no such key.
    NoKey,
    /// It does not expire.
    Persistent,
    /// It expires after this time.
    In(Duration),
}

impl<const PER_SECOND: u32> Ttl<PER_SECOND> {
    /// The time that is left, where it expires.
    pub fn remaining(self) -> Option<Duration> {
        match self {
            Self::In(time) => Some(time),
            Self::NoKey | Self::Persistent => None,
        }
    }
}

impl<const PER_SECOND: u32> FromReply for Ttl<PER_SECOND> {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        Ok(match i64::from_reply(reply)? {
            -2 => Self::NoKey,
            -1 => Self::Persistent,
            count => Self::In(span(count, PER_SECOND)?),
        })
    }
}

/// When a key expires; `PER_SECOND` as for [`Ttl`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExpireTime<const PER_SECOND: u32 = 1000> {
    /// There is no such key.
    NoKey,
    /// It does not expire.
    Persistent,
    /// It expires at this time.
    At(SystemTime),
}

impl<const PER_SECOND: u32> FromReply for ExpireTime<PER_SECOND> {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        Ok(match i64::from_reply(reply)? {
            -2 => Self::NoKey,
            -1 => Self::Persistent,
            count => Self::At(at(span(count, PER_SECOND)?)?),
        })
    }
}

fn span(count: i64, per_second: u32) -> Result<Duration> {
    let span = u64::try_from(count).ok().map(Duration::from_secs);
    span.and_then(|span| span.checked_div(per_second))
        .ok_or_else(|| Error::decode(format!("expected an expiry, -1 or -2, got {count}")))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::reply::decode;

    #[test]
    fn no_key_and_no_expiry_are_told_apart() {
        assert_eq!(decode::<Ttl<1>>(b":-2\r\n").unwrap(), Ttl::NoKey);
        assert_eq!(decode::<Ttl>(b":-1\r\n").unwrap(), Ttl::Persistent);
        assert_eq!(decode::<ExpireTime<1>>(b":-2\r\n").unwrap(), ExpireTime::NoKey);
        assert_eq!(decode::<ExpireTime>(b":-1\r\n").unwrap(), ExpireTime::Persistent);
        assert!(decode::<Ttl>(b":-3\r\n").is_err());
    }

    #[test]
    fn the_unit_is_the_type_s() {
        assert_eq!(decode::<Ttl<1>>(b":0\r\n").unwrap(), Ttl::In(Duration::ZERO));
        let span = Duration::from_millis(99_500);
        assert_eq!(decode::<Ttl>(b":99500\r\n").unwrap().remaining(), Some(span));
        let at = UNIX_EPOCH + Duration::from_secs(2_000_000_000);
        assert_eq!(decode::<ExpireTime<1>>(b":2000000000\r\n").unwrap(), ExpireTime::At(at));
        assert_eq!(decode::<ExpireTime>(b":2000000000000\r\n").unwrap(), ExpireTime::At(at));
    }
}
