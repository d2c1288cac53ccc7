//! What the server's latency monitor saw.

use std::time::{Duration, SystemTime};

use redis_derive::FromReply;

use crate::error::Result;
use crate::reply::{FromReply, ReplyReader};

use super::record::{record, skip};
use super::time::{at_seconds, millis};

/// The latest spike of an event that the latency monitor watches.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LatencyEvent {
    /// The event, such as `command` or `fork`.
    pub event: String,
    /// When it was last slow, to the second.
    pub time: SystemTime,
    /// How long it took then, to the millisecond.
    pub latest: Duration,
    /// The longest it ever took.
    pub max: Duration,
    /// All its spikes together; Valkey 8.1 and newer.
    pub sum: Option<Duration>,
    /// How many spikes there were; Valkey 8.1 and newer.
    pub count: Option<u64>,
}

impl FromReply for LatencyEvent {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let len = record(reply, "a latency event", 4)?;
        let event = String::from_reply(reply)?;
        let time = at_seconds(reply)?;
        let latest = millis(reply)?;
        let max = millis(reply)?;
        let sum = if len > 4 { Some(millis(reply)?) } else { None };
        let count = if len > 5 { Some(u64::from_reply(reply)?) } else { None };
        skip(reply, len.saturating_sub(6))?;
        Ok(Self { event, time, latest, max, sum, count })
    }
}

/// One spike of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LatencySample {
    /// When it was slow, to the second.
    pub time: SystemTime,
    /// How long it took, to the millisecond.
    pub latency: Duration,
}

impl FromReply for LatencySample {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let len = record(reply, "a latency sample", 2)?;
        let sample = Self { time: at_seconds(reply)?, latency: millis(reply)? };
        skip(reply, len - 2)?;
        Ok(sample)
    }
}

/// How long the calls of a command took.
#[derive(Clone, Debug, PartialEq, FromReply)]
#[non_exhaustive]
pub struct CommandLatency {
    /// How many calls there were.
    pub calls: u64,
    /// Upper bounds, and how many calls took no longer, in ascending order.
    #[redis(rename = "histogram_usec", with = buckets)]
    pub histogram: Vec<(Duration, u64)>,
}

fn buckets(reply: &mut ReplyReader<'_>) -> Result<Vec<(Duration, u64)>> {
    let buckets = Vec::<(u64, u64)>::from_reply(reply)?;
    Ok(buckets.into_iter().map(|(bound, count)| (Duration::from_micros(bound), count)).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::reply::decode;

    #[test]
    fn valkey_counts_the_spikes_too() {
        let redis =
            decode::<LatencyEvent>(b"*4\r\n$4\r\nfork\r\n:1795345351\r\n:1\r\n:10\r\n").unwrap();
        assert_eq!(redis.time, UNIX_EPOCH + Duration::from_secs(1_795_345_351));
        assert_eq!((redis.latest.as_millis(), redis.max.as_millis()), (1, 10));
        assert_eq!((&*redis.event, redis.sum, redis.count), ("fork", None, None));
        let valkey = decode::<LatencyEvent>(
            b"*6\r\n$4\r\nfork\r\n:1795345351\r\n:1\r\n:10\r\n:11\r\n:2\r\n",
        );
        let both = (Some(Duration::from_millis(11)), Some(2));
        let valkey = valkey.unwrap();
        assert_eq!((valkey.sum, valkey.count), both);
    }

    #[test]
    fn histograms_are_the_same_in_both_protocols() {
        type Histograms = BTreeMap<String, CommandLatency>;
        let resp2: Histograms = decode(
            b"*2\r\n$3\r\nset\r\n*4\r\n$5\r\ncalls\r\n:2\r\n$14\r\nhistogram_usec\r\n\
              *4\r\n:8\r\n:1\r\n:33\r\n:2\r\n",
        )
        .unwrap();
        let resp3: Histograms = decode(
            b"%1\r\n$3\r\nset\r\n%2\r\n$5\r\ncalls\r\n:2\r\n$14\r\nhistogram_usec\r\n\
              %2\r\n:8\r\n:1\r\n:33\r\n:2\r\n",
        )
        .unwrap();
        assert_eq!(resp2, resp3);
        let of = |n, count| (Duration::from_micros(n), count);
        assert_eq!(resp2["set"].histogram, [of(8, 1), of(33, 2)]);
        assert_eq!(decode::<Histograms>(b"*0\r\n").unwrap(), BTreeMap::new());
    }
}
