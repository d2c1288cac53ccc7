//! The keys that cost the most.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use redis_derive::FromReply;

use crate::command::{Args, One, ToArgs};
use crate::error::{Error, Result};
use crate::reply::{FromReply, ReplyReader, Value};

use super::time::{at_millis, micros, millis};

/// What is measured of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HotKeysMetrics {
    /// The time commands take.
    Cpu,
    /// The bytes they move.
    Net,
    /// Both.
    CpuAndNet,
}

/// Writes how many there are, then each.
impl ToArgs<One> for HotKeysMetrics {
    fn to_args(self, args: &mut Args) {
        let words: &[&str] = match self {
            Self::Cpu => &["CPU"],
            Self::Net => &["NET"],
            Self::CpuAndNet => &["CPU", "NET"],
        };
        args.push(words.len());
        words.iter().for_each(|word| args.push(word));
    }
}

/// The keys that cost the most while a node measured them.
#[derive(Clone, Debug, PartialEq, FromReply)]
#[redis(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct HotKeys {
    /// Whether it still measures.
    pub tracking_active: bool,
    /// One in so many commands is measured.
    pub sample_ratio: u64,
    /// The slots that are measured.
    #[redis(with = slots)]
    pub selected_slots: Vec<RangeInclusive<u16>>,
    /// The time of all commands.
    #[redis(rename = "all-commands-all-slots-us", with = maybe_micros)]
    pub all_commands_all_slots: Option<Duration>,
    /// The time of the measured commands on the selected slots.
    #[redis(rename = "sampled-commands-selected-slots-us", with = maybe_micros)]
    pub sampled_commands_selected_slots: Option<Duration>,
    /// The time of all commands on the selected slots.
    #[redis(rename = "all-commands-selected-slots-us", with = maybe_micros)]
    pub all_commands_selected_slots: Option<Duration>,
    /// The bytes of all commands.
    pub net_bytes_all_commands_all_slots: Option<u64>,
    /// The bytes of the measured commands on the selected slots.
    pub net_bytes_sampled_commands_selected_slots: Option<u64>,
    /// The bytes of all commands on the selected slots.
    pub net_bytes_all_commands_selected_slots: Option<u64>,
    /// When it began, to the millisecond.
    #[redis(rename = "collection-start-time-unix-ms", with = at_millis)]
    pub collection_start: SystemTime,
    /// How long it took so far, to the millisecond.
    #[redis(rename = "collection-duration-ms", with = millis)]
    pub collection_duration: Duration,
    /// The time that the server spent in its own code.
    #[redis(rename = "total-cpu-time-user-ms", with = maybe_millis)]
    pub total_cpu_time_user: Option<Duration>,
    /// The time that it spent in the system's.
    #[redis(rename = "total-cpu-time-sys-ms", with = maybe_millis)]
    pub total_cpu_time_sys: Option<Duration>,
    /// The bytes that it moved.
    pub total_net_bytes: Option<u64>,
    /// The keys whose commands took the most time, where that was measured.
    #[redis(rename = "by-cpu-time-us", with = by_time)]
    pub by_cpu_time: Option<Vec<(Bytes, Duration)>>,
    /// The keys whose commands moved the most bytes, where that was measured.
    pub by_net_bytes: Option<Vec<(Bytes, u64)>>,
    /// What newer servers tell too.
    #[redis(other)]
    pub other: BTreeMap<String, Value>,
}

fn maybe_micros(reply: &mut ReplyReader<'_>) -> Result<Option<Duration>> {
    micros(reply).map(Some)
}

fn maybe_millis(reply: &mut ReplyReader<'_>) -> Result<Option<Duration>> {
    millis(reply).map(Some)
}

/// Slots by themselves, and first and last of those in a row.
fn slots(reply: &mut ReplyReader<'_>) -> Result<Vec<RangeInclusive<u16>>> {
    let ranges = Vec::<Vec<u64>>::from_reply(reply)?;
    let slot = |n: &u64| u16::try_from(*n).ok();
    let range = |range: Vec<u64>| match &range[..] {
        [first, .., last] => Some(slot(first)?..=slot(last)?),
        [only] => Some(slot(only)?..=slot(only)?),
        [] => None,
    };
    let ranges: Option<Vec<_>> = ranges.into_iter().map(range).collect();
    ranges.ok_or_else(|| Error::decode("the selected slots are no ranges of slots"))
}

fn by_time(reply: &mut ReplyReader<'_>) -> Result<Option<Vec<(Bytes, Duration)>>> {
    let keys = Vec::<(Bytes, u64)>::from_reply(reply)?;
    Ok(Some(keys.into_iter().map(|(key, time)| (key, Duration::from_micros(time))).collect()))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::command::Cmd;
    use crate::reply::decode;

    fn frame(map: &str) -> Vec<u8> {
        format!(
            "*1\r\n{map}\r\n$15\r\ntracking-active\r\n:0\r\n$12\r\nsample-ratio\r\n:2\r\n\
             $14\r\nselected-slots\r\n*2\r\n*2\r\n:0\r\n:16383\r\n*1\r\n:5\r\n\
             $25\r\nall-commands-all-slots-us\r\n:160\r\n\
             $29\r\ncollection-start-time-unix-ms\r\n:1795345398735\r\n\
             $22\r\ncollection-duration-ms\r\n:12\r\n\
             $14\r\nby-cpu-time-us\r\n*4\r\n$4\r\nhot0\r\n:31\r\n$4\r\nhot2\r\n:25\r\n"
        )
        .into_bytes()
    }

    #[test]
    fn hot_keys_are_the_same_in_both_protocols() {
        let nodes = decode::<Option<Vec<HotKeys>>>(&frame("*14")).unwrap().unwrap();
        assert_eq!(decode::<Option<Vec<HotKeys>>>(&frame("%7")).unwrap().unwrap(), nodes);
        let hot = &nodes[0];
        assert_eq!((hot.tracking_active, hot.sample_ratio), (false, 2));
        assert_eq!(hot.selected_slots, [0..=16383, 5..=5]);
        assert_eq!(hot.all_commands_all_slots, Some(Duration::from_micros(160)));
        assert_eq!(hot.collection_start, UNIX_EPOCH + Duration::from_millis(1_795_345_398_735));
        let by_time = [("hot0", 31), ("hot2", 25)];
        let by_time = by_time.map(|(key, n)| (Bytes::from(key), Duration::from_micros(n)));
        assert_eq!(hot.by_cpu_time.as_deref(), Some(&by_time[..]));
        assert_eq!((&hot.by_net_bytes, hot.total_net_bytes), (&None, None));
        assert_eq!(decode::<Option<Vec<HotKeys>>>(b"*-1\r\n").unwrap(), None);
    }

    #[test]
    fn metrics_are_counted() {
        let words = |metrics| {
            let mut args = Cmd::<()>::raw("X").arguments().clone();
            ToArgs::<One>::to_args(metrics, &mut args);
            args.iter()
                .skip(1)
                .map(|word| String::from_utf8_lossy(word).into_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(words(HotKeysMetrics::Net), ["1", "NET"]);
        assert_eq!(words(HotKeysMetrics::CpuAndNet), ["2", "CPU", "NET"]);
    }
}
