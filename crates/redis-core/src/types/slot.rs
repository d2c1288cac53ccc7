//! Ranges of cluster slots, and what a node counts of a slot.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use crate::command::{Arg, Args, One, ToArg, ToArgs, Written};
use crate::error::{Error, Result};
use crate::reply::{FromReply, ReplyReader};

/// Slots from `start` to `end`, both included.
///
/// # Examples
///
/// ```
/// use redis_core::types::SlotRange;
///
/// let range: SlotRange = (0..=99).into();
/// assert_eq!((range.to_string(), range.len()), ("0-99".to_owned(), 100));
/// assert!(range.contains(99) && "7".parse() == Ok(SlotRange::from(7)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::len_without_is_empty, reason = "a range that the server names is never empty")]
pub struct SlotRange {
    /// The first slot.
    pub start: u16,
    /// The last slot.
    pub end: u16,
}

impl SlotRange {
    /// How many slots these are.
    pub fn len(self) -> usize {
        RangeInclusive::from(self).len()
    }

    /// Whether the slot is one of them.
    pub fn contains(self, slot: u16) -> bool {
        (self.start..=self.end).contains(&slot)
    }

    /// Ranges as servers list them in one text: `0-10 20`.
    pub(super) fn list(text: &str) -> Result<Vec<Self>> {
        text.split_ascii_whitespace().map(str::parse).collect()
    }
}

/// A single slot.
impl From<u16> for SlotRange {
    fn from(slot: u16) -> Self {
        Self { start: slot, end: slot }
    }
}

impl From<RangeInclusive<u16>> for SlotRange {
    fn from(range: RangeInclusive<u16>) -> Self {
        Self { start: *range.start(), end: *range.end() }
    }
}

impl From<(u16, u16)> for SlotRange {
    fn from((start, end): (u16, u16)) -> Self {
        Self { start, end }
    }
}

impl From<SlotRange> for RangeInclusive<u16> {
    fn from(range: SlotRange) -> Self {
        range.start..=range.end
    }
}

/// `5`, or `0-10`.
impl fmt::Display for SlotRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.start == self.end {
            write!(f, "{}", self.start)
        } else {
            write!(f, "{}-{}", self.start, self.end)
        }
    }
}

impl FromStr for SlotRange {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (start, end) = text.split_once('-').unwrap_or((text, text));
        match (start.parse(), end.parse()) {
            (Ok(start), Ok(end)) => Ok(Self { start, end }),
            _ => Err(Error::decode(format!("`{text}` is no slot and no range of slots"))),
        }
    }
}

/// Two arguments: the first slot and the last.
impl ToArgs<One> for SlotRange {
    fn to_args(self, args: &mut Args) {
        args.push(self.start);
        args.push(self.end);
    }
}

/// What `CLUSTER SLOT-STATS` counts of one slot.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SlotStats {
    /// The slot.
    pub slot: u16,
    /// How many keys it has.
    pub key_count: u64,
    /// Processor time that its commands took.
    pub cpu: Option<Duration>,
    /// Memory of its keys, in bytes.
    pub memory_bytes: Option<u64>,
    /// Bytes that came in for it.
    pub network_bytes_in: Option<u64>,
    /// Bytes that went out for it.
    pub network_bytes_out: Option<u64>,
    /// What else the server counts.
    pub other: BTreeMap<String, u64>,
}

impl FromReply for SlotStats {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let (slot, mut counts): (u16, BTreeMap<String, u64>) = FromReply::from_reply(reply)?;
        Ok(Self {
            slot,
            key_count: counts
                .remove("key-count")
                .ok_or_else(|| Error::decode("the reply has no field `key-count`"))?,
            cpu: counts.remove("cpu-usec").map(Duration::from_micros),
            memory_bytes: counts.remove("memory-bytes"),
            network_bytes_in: counts.remove("network-bytes-in"),
            network_bytes_out: counts.remove("network-bytes-out"),
            other: counts,
        })
    }
}

/// What `CLUSTER SLOT-STATS` can sort by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SlotMetric {
    /// How many keys.
    KeyCount,
    /// Processor time.
    Cpu,
    /// Memory of the keys; Redis alone counts it.
    Memory,
    /// Bytes that came in.
    NetworkIn,
    /// Bytes that went out.
    NetworkOut,
}

impl ToArg for SlotMetric {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        arg.bytes(match self {
            Self::KeyCount => b"KEY-COUNT",
            Self::Cpu => b"CPU-USEC",
            Self::Memory => b"MEMORY-BYTES",
            Self::NetworkIn => b"NETWORK-BYTES-IN",
            Self::NetworkOut => b"NETWORK-BYTES-OUT",
        })
    }
}

/// What `CLUSTER SETSLOT` makes of a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlotState {
    /// It comes from the node with this id.
    Importing(String),
    /// It goes to the node with this id.
    Migrating(String),
    /// It belongs to the node with this id.
    Node(String),
    /// It neither comes nor goes.
    Stable,
}

/// `IMPORTING id`, `MIGRATING id`, `NODE id` or `STABLE`.
impl ToArgs<One> for SlotState {
    fn to_args(self, args: &mut Args) {
        let (word, id) = match self {
            Self::Importing(id) => ("IMPORTING", id),
            Self::Migrating(id) => ("MIGRATING", id),
            Self::Node(id) => ("NODE", id),
            Self::Stable => return args.push("STABLE"),
        };
        args.push(word);
        args.push(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::decode;

    #[test]
    fn ranges_read_back_from_their_text() {
        for (text, range) in [("5", SlotRange::from(5)), ("0-16383", (0, 16383).into())] {
            assert_eq!(text.parse::<SlotRange>().unwrap(), range);
            assert_eq!(range.to_string(), text);
        }
        assert_eq!(SlotRange::list("0-10 20 ").unwrap(), [(0, 10).into(), 20.into()]);
        for wrong in ["", "x", "1-", "-1", "1-2-3", "70000"] {
            let error = wrong.parse::<SlotRange>().unwrap_err();
            assert_eq!(error.message(), format!("`{wrong}` is no slot and no range of slots"));
        }
    }

    #[test]
    fn slots_of_servers_are_one_number_or_two() {
        let mut args = Args::default();
        SlotRange::from(3..=4).to_args(&mut args);
        SlotState::Migrating("id".into()).to_args(&mut args);
        SlotState::Stable.to_args(&mut args);
        let words: Vec<_> = args.iter().collect();
        assert_eq!(words, [&b"3"[..], b"4", b"MIGRATING", b"id", b"STABLE"]);
    }

    #[test]
    fn counts_of_a_slot_are_the_same_in_both_protocols() {
        let expected = SlotStats {
            slot: 4576,
            key_count: 1,
            cpu: Some(Duration::from_micros(347)),
            memory_bytes: None,
            network_bytes_in: Some(28),
            network_bytes_out: None,
            other: BTreeMap::from([("new".into(), 33)]),
        };
        let fields = "$9\r\nkey-count\r\n:1\r\n$8\r\ncpu-usec\r\n:347\r\n$16\r\nnetwork-bytes-in\r\n:28\r\n$3\r\nnew\r\n:33\r\n";
        for map in ["*8", "%4"] {
            let frame = format!("*1\r\n*2\r\n:4576\r\n{map}\r\n{fields}");
            let stats: Vec<SlotStats> = decode(frame.as_bytes()).unwrap();
            assert_eq!(stats.first(), Some(&expected));
        }
        let error = decode::<SlotStats>(b"*2\r\n:1\r\n*0\r\n").unwrap_err();
        assert_eq!(error.message(), "the reply has no field `key-count`");
    }
}
