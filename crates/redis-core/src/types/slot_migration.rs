//! Slots on their way between nodes: the migrations of Valkey 9.0 and of Redis 8.4, the links they take,
//! and the epochs that settle who owns a slot.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use redis_derive::FromReply;

use super::SlotRange;
use super::text::{Refused, word};
use super::time::{at, at_millis, at_seconds, millis};
use crate::command::{Args, One, ToArgs};
use crate::error::{Error, Result};
use crate::reply::{FromReply, ReplyReader, Value};

/// A migration as Valkey tells of it: an element of the reply of `CLUSTER GETSLOTMIGRATIONS`.
#[derive(Clone, Debug, PartialEq, FromReply)]
#[non_exhaustive]
pub struct SlotMigration {
    /// Its name: 40 hexadecimal digits, the same on both nodes.
    pub name: String,
    /// Which way the slots go, seen from the node that replied.
    pub operation: MigrationOperation,
    /// The slots.
    #[redis(with = ranges)]
    pub slot_ranges: Vec<SlotRange>,
    /// The id of the node that gets the slots.
    pub target_node: String,
    /// The id of the node that gives them.
    pub source_node: String,
    /// When it began.
    #[redis(with = at_seconds)]
    pub create_time: SystemTime,
    /// When its state last changed.
    #[redis(with = at_seconds)]
    pub last_update_time: SystemTime,
    /// When the other node last answered.
    #[redis(with = at_seconds)]
    pub last_ack_time: SystemTime,
    /// How far it is, in the server's words: `success`, `failed`, `canceled` when it is over.
    pub state: String,
    /// Why it failed; else empty.
    pub message: String,
    /// Memory that the snapshot took as a copy, in bytes.
    pub cow_size: Option<u64>,
    /// Bytes that are still to be sent.
    pub remaining_repl_size: Option<u64>,
    /// What else the server tells.
    #[redis(other)]
    pub other: BTreeMap<String, Value>,
}

/// A migration as Redis tells of it: an element of the reply of `CLUSTER MIGRATION STATUS`.
#[derive(Clone, Debug, PartialEq, FromReply)]
#[non_exhaustive]
pub struct MigrationTask {
    /// Its id: 40 hexadecimal digits, the same on both nodes.
    pub id: String,
    /// The slots.
    #[redis(with = ranges)]
    pub slots: Vec<SlotRange>,
    /// The id of the node that gives the slots.
    pub source: String,
    /// The id of the node that gets them.
    pub dest: String,
    /// Which way the slots go, seen from the node that replied.
    pub operation: MigrationOperation,
    /// How far it is, in the server's words: `completed`, `failed`, `canceled` when it is over.
    pub state: String,
    /// Why an attempt failed; else empty.
    pub last_error: String,
    /// How many attempts failed.
    pub retries: u64,
    /// When it was asked for.
    #[redis(with = at_millis_or_never)]
    pub create_time: Option<SystemTime>,
    /// When it began.
    #[redis(with = at_millis_or_never)]
    pub start_time: Option<SystemTime>,
    /// When it was over.
    #[redis(with = at_millis_or_never)]
    pub end_time: Option<SystemTime>,
    /// For how long writes to the slots had to wait.
    #[redis(rename = "write_pause_ms", with = millis)]
    pub write_pause: Duration,
    /// What else the server tells.
    #[redis(other)]
    pub other: BTreeMap<String, Value>,
}

/// `0-10 20`.
fn ranges(reply: &mut ReplyReader<'_>) -> Result<Vec<SlotRange>> {
    SlotRange::list(&String::from_reply(reply)?)
}

/// `-1` is never.
/// Milliseconds since 1970; -1 is never.
fn at_millis_or_never(reply: &mut ReplyReader<'_>) -> Result<Option<SystemTime>> {
    let millis = u64::try_from(i64::from_reply(reply)?).ok();
    millis.map(|millis| at(Duration::from_millis(millis))).transpose()
}

/// Which way slots go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MigrationOperation {
    /// To the node that replied.
    Import,
    /// From it.
    Export,
    /// A word of a newer server.
    Other(String),
}

impl From<&str> for MigrationOperation {
    fn from(word: &str) -> Self {
        match word {
            "IMPORT" | "import" => Self::Import,
            "EXPORT" | "export" | "migrate" => Self::Export,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl FromReply for MigrationOperation {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        word(reply)
    }
}

/// Slots and the node that gets them, for `CLUSTER MIGRATESLOTS`.
///
/// # Examples
///
/// ```
/// use redis_core::types::SlotMove;
///
/// let node = "25f2ed304f6361269f735bda713303b4392bb212";
/// let moved = SlotMove::to(node, [(0..=10).into(), 20.into()]);
/// assert_eq!(moved.slots.len(), 2);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotMove {
    /// The slots.
    pub slots: Vec<SlotRange>,
    /// The id of the node that gets them.
    pub node: String,
}

impl SlotMove {
    /// Moves `slots` to the node with this id.
    pub fn to(node: impl Into<String>, slots: impl IntoIterator<Item = SlotRange>) -> Self {
        Self { slots: slots.into_iter().collect(), node: node.into() }
    }
}

/// `SLOTSRANGE start end [start end ..] NODE id`.
impl ToArgs<One> for SlotMove {
    fn to_args(self, args: &mut Args) {
        args.push("SLOTSRANGE");
        if self.slots.is_empty() {
            args.push(Refused("a move needs at least one range of slots"));
        }
        self.slots.into_iter().for_each(|range| range.to_args(args));
        args.push("NODE");
        args.push(self.node);
    }
}

/// Which of Redis' migrations are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MigrationTasks {
    /// The one with this id.
    Id(String),
    /// All of them.
    All,
}

/// `ID id`, or `ALL`.
impl ToArgs<One> for MigrationTasks {
    fn to_args(self, args: &mut Args) {
        match self {
            Self::Id(id) => {
                args.push("ID");
                args.push(id);
            }
            Self::All => args.push("ALL"),
        }
    }
}

/// One direction of the connection between two nodes: an element of the reply of `CLUSTER LINKS`.
#[derive(Clone, Debug, PartialEq, FromReply)]
#[redis(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct ClusterLink {
    /// Who opened it.
    pub direction: LinkDirection,
    /// The other node's id.
    pub node: String,
    /// When it was opened.
    #[redis(with = at_millis)]
    pub create_time: SystemTime,
    /// What it is watched for: `r` to read, `w` to write.
    pub events: String,
    /// The size of its send buffer, in bytes.
    pub send_buffer_allocated: u64,
    /// How much of that is used, in bytes.
    pub send_buffer_used: u64,
    /// What else the server tells.
    #[redis(other)]
    pub other: BTreeMap<String, Value>,
}

/// Which node opened a [`ClusterLink`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, FromReply)]
#[redis(rename_all = "lowercase")]
#[non_exhaustive]
pub enum LinkDirection {
    /// The one that replied.
    To,
    /// The other one.
    From,
    /// A word of a newer server.
    #[redis(other)]
    Other(String),
}

/// What `CLUSTER BUMPEPOCH` did: the node's epoch, and whether that is a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochBump {
    /// The node's epoch, as it is now.
    pub epoch: u64,
    /// Whether it is greater than before; else it was the greatest already.
    pub is_new: bool,
}

/// `BUMPED 1`, or `STILL 1`.
impl FromReply for EpochBump {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let text = String::from_reply(reply)?;
        let (is_new, epoch) = match text.split_once(' ') {
            Some(("BUMPED", epoch)) => (true, epoch),
            Some(("STILL", epoch)) => (false, epoch),
            _ => return Err(Error::decode(format!("expected an epoch, got `{text}`"))),
        };
        match epoch.parse() {
            Ok(epoch) => Ok(Self { epoch, is_new }),
            Err(_) => Err(Error::decode(format!("expected an epoch, got `{text}`"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::reply::decode;

    /// A frame of a map, under RESP2 and RESP3.
    fn map(fields: &[(&str, &str)]) -> [String; 2] {
        let body: String = fields
            .iter()
            .map(|(name, value)| format!("${}\r\n{name}\r\n{value}\r\n", name.len()))
            .collect();
        [format!("*{}\r\n{body}", 2 * fields.len()), format!("%{}\r\n{body}", fields.len())]
    }

    #[test]
    fn migrations_of_valkey_are_the_same_in_both_protocols() {
        let frames = map(&[
            ("name", "$2\r\n53"),
            ("operation", "$6\r\nEXPORT"),
            ("slot_ranges", "$10\r\n0-10 20-20"),
            ("target_node", "$2\r\n25"),
            ("source_node", "$2\r\n68"),
            ("create_time", ":1795345434"),
            ("last_update_time", ":1795345435"),
            ("last_ack_time", ":1795345436"),
            ("state", "$7\r\nsuccess"),
            ("message", "$0\r\n"),
            ("cow_size", ":0"),
            ("remaining_repl_size", ":7"),
        ]);
        for frame in frames {
            let migration: SlotMigration = decode(frame.as_bytes()).unwrap();
            assert_eq!((&*migration.name, migration.operation), ("53", MigrationOperation::Export));
            assert_eq!(migration.slot_ranges, [(0, 10).into(), 20.into()]);
            assert_eq!((&*migration.target_node, &*migration.source_node), ("25", "68"));
            assert_eq!(
                migration.create_time,
                UNIX_EPOCH + Duration::from_millis(1_795_345_434_000)
            );
            assert_eq!((&*migration.state, &*migration.message), ("success", ""));
            assert_eq!((migration.cow_size, migration.remaining_repl_size), (Some(0), Some(7)));
        }
    }

    #[test]
    fn migrations_of_redis_are_the_same_in_both_protocols() {
        let frames = map(&[
            ("id", "$2\r\n3f"),
            ("slots", "$10\r\n0-10 20-20"),
            ("source", "$2\r\n0b"),
            ("dest", "$2\r\n79"),
            ("operation", "$6\r\nimport"),
            ("state", "$15\r\ninit-rdbchannel"),
            ("last_error", "$0\r\n"),
            ("retries", ":0"),
            ("create_time", ":1795345420430"),
            ("start_time", ":1795345420430"),
            ("end_time", ":-1"),
            ("write_pause_ms", ":3"),
        ]);
        for frame in frames {
            let task: MigrationTask = decode(frame.as_bytes()).unwrap();
            assert_eq!((&*task.id, task.operation), ("3f", MigrationOperation::Import));
            assert_eq!(task.slots, [(0, 10).into(), 20.into()]);
            assert_eq!(
                (task.start_time, task.end_time),
                (Some(UNIX_EPOCH + Duration::from_millis(1_795_345_420_430)), None)
            );
            assert_eq!(task.write_pause, Duration::from_millis(3));
        }
    }

    #[test]
    fn links_are_the_same_in_both_protocols() {
        let frames = map(&[
            ("direction", "$4\r\nfrom"),
            ("node", "$2\r\n87"),
            ("create-time", ":1795345406379"),
            ("events", "$1\r\nr"),
            ("send-buffer-allocated", ":48"),
            ("send-buffer-used", ":0"),
        ]);
        for frame in frames {
            let link: ClusterLink = decode(frame.as_bytes()).unwrap();
            assert_eq!(
                (link.direction, &*link.node, &*link.events),
                (LinkDirection::From, "87", "r")
            );
            assert_eq!(link.create_time, UNIX_EPOCH + Duration::from_millis(1_795_345_406_379));
            assert_eq!((link.send_buffer_allocated, link.send_buffer_used), (48, 0));
        }
    }

    #[test]
    fn epochs_are_bumped_or_still_the_same() {
        let bumped = decode::<EpochBump>(b"+BUMPED 7\r\n").unwrap();
        assert_eq!(bumped, EpochBump { epoch: 7, is_new: true });
        assert!(!decode::<EpochBump>(b"+STILL 7\r\n").unwrap().is_new);
        for wrong in [&b"+OK\r\n"[..], b"+BUMPED x\r\n"] {
            assert!(
                decode::<EpochBump>(wrong).unwrap_err().message().starts_with("expected an epoch")
            );
        }
    }
}
