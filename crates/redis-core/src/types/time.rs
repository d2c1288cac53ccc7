//! Spans and points in time, in the units that servers count them in.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use resp_proto::Token;

use crate::error::{Error, Result};
use crate::reply::{FromReply, ReplyReader};

/// A point in time by the server's clock.
///
/// Decodes from whole seconds since 1970, and from a list of them and the microseconds on top.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
///
/// use redis_core::decode;
/// use redis_core::types::ServerTime;
///
/// let time: ServerTime = decode(b"*2\r\n$2\r\n10\r\n$3\r\n500\r\n")?;
/// assert_eq!(time.0, UNIX_EPOCH + Duration::from_micros(10_000_500));
/// # Ok::<(), redis_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerTime(pub SystemTime);

impl FromReply for ServerTime {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        if !matches!(reply.peek()?, Token::Array(_)) {
            return at_seconds(reply).map(Self);
        }
        let (seconds, micros) = <(u64, u64)>::from_reply(reply)?;
        let time = at(Duration::from_secs(seconds))?.checked_add(Duration::from_micros(micros));
        time.map(Self).ok_or_else(too_far)
    }
}

impl From<ServerTime> for SystemTime {
    fn from(time: ServerTime) -> Self {
        time.0
    }
}

/// A time span that the server tells in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seconds(pub Duration);

impl FromReply for Seconds {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        u64::from_reply(reply).map(|seconds| Self(Duration::from_secs(seconds)))
    }
}

impl From<Seconds> for Duration {
    fn from(seconds: Seconds) -> Self {
        seconds.0
    }
}

/// Seconds with decimals.
pub(super) fn fractional_seconds(reply: &mut ReplyReader<'_>) -> Result<Duration> {
    let seconds = f64::from_reply(reply)?;
    Duration::try_from_secs_f64(seconds)
        .map_err(|error| Error::decode("a time span is negative or too long").with_source(error))
}

/// Whole milliseconds.
pub(super) fn millis(reply: &mut ReplyReader<'_>) -> Result<Duration> {
    u64::from_reply(reply).map(Duration::from_millis)
}

/// Whole microseconds.
pub(super) fn micros(reply: &mut ReplyReader<'_>) -> Result<Duration> {
    u64::from_reply(reply).map(Duration::from_micros)
}

/// Whole seconds since 1970.
pub(super) fn at_seconds(reply: &mut ReplyReader<'_>) -> Result<SystemTime> {
    at(Duration::from_secs(u64::from_reply(reply)?))
}

/// Whole milliseconds since 1970.
pub(super) fn at_millis(reply: &mut ReplyReader<'_>) -> Result<SystemTime> {
    at(millis(reply)?)
}

/// The time so long after the beginning of 1970.
pub(super) fn at(since_1970: Duration) -> Result<SystemTime> {
    UNIX_EPOCH.checked_add(since_1970).ok_or_else(too_far)
}

fn too_far() -> Error {
    Error::decode("a point in time is too far in the future")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::decode;

    #[test]
    fn server_time_is_seconds_or_seconds_and_microseconds() {
        let seconds = UNIX_EPOCH + Duration::from_secs(1_795_345_319);
        assert_eq!(decode::<ServerTime>(b":1795345319\r\n").unwrap().0, seconds);
        let both = decode::<ServerTime>(b"*2\r\n$10\r\n1795345319\r\n$6\r\n180844\r\n").unwrap();
        assert_eq!(both.0, seconds + Duration::from_micros(180_844));
        assert!(decode::<ServerTime>(b"*2\r\n$20\r\n18446744073709551615\r\n$1\r\n0\r\n").is_err());
        assert!(decode::<ServerTime>(b":-1\r\n").is_err());
    }

    #[test]
    fn a_fractional_span_must_be_a_span() {
        let read = |frame: &[u8]| fractional_seconds(&mut ReplyReader::new(frame));
        assert_eq!(read(b"$21\r\n0.0060000000000000001\r\n").unwrap(), Duration::from_millis(6));
        assert_eq!(read(b",0.003\r\n").unwrap(), Duration::from_millis(3));
        assert!(read(b",-1\r\n").is_err() && read(b",inf\r\n").is_err());
    }
}
