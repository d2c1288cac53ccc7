//! What the server knows of a stream, its groups and their consumers.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use redis_derive::FromReply;
use resp_proto::Token;

use super::time::{at, at_millis, millis};
use super::{StreamEntry, StreamId};
use crate::error::Result;
use crate::reply::{FromReply, ReplyReader, Value};

/// What the server knows of a stream. `T` is what the fields of its entries decode to.
#[derive(Clone, Debug, PartialEq, FromReply)]
#[redis(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct StreamInfo<T> {
    /// How many entries it has.
    pub length: u64,
    /// Keys of the radix tree that holds it.
    pub radix_tree_keys: u64,
    /// Nodes of the radix tree that holds it.
    pub radix_tree_nodes: u64,
    /// The highest id that an entry was given.
    pub last_generated_id: StreamId,
    /// The highest id that was deleted; since Redis 7.0.
    pub max_deleted_entry_id: Option<StreamId>,
    /// How many entries were ever added; since Redis 7.0.
    pub entries_added: Option<u64>,
    /// The lowest id, as recorded; since Redis 7.0.
    pub recorded_first_entry_id: Option<StreamId>,
    /// How long ids of messages are remembered that are to be added once; since Redis 8.6.
    #[redis(default, with = optional_seconds)]
    pub idmp_duration: Option<Duration>,
    /// How many ids of messages are remembered for each producer; since Redis 8.6.
    pub idmp_maxsize: Option<u64>,
    /// How many producers are remembered; since Redis 8.6.
    pub pids_tracked: Option<u64>,
    /// How many ids of messages are remembered; since Redis 8.6.
    pub iids_tracked: Option<u64>,
    /// How many entries were added with an id of the message; since Redis 8.6.
    pub iids_added: Option<u64>,
    /// How many entries were not added because the message was already there; since Redis 8.6.
    pub iids_duplicates: Option<u64>,
    /// How many consumer groups it has.
    pub groups: u64,
    /// Its first entry.
    pub first_entry: Option<StreamEntry<T>>,
    /// Its last entry.
    pub last_entry: Option<StreamEntry<T>>,
    /// What this crate does not know.
    #[redis(other)]
    pub other: BTreeMap<String, Value>,
}

/// Everything that the server knows of a stream. `T` is what the fields of its entries decode to.
#[derive(Clone, Debug, PartialEq, FromReply)]
#[redis(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct StreamInfoFull<T> {
    /// How many entries it has.
    pub length: u64,
    /// Keys of the radix tree that holds it.
    pub radix_tree_keys: u64,
    /// Nodes of the radix tree that holds it.
    pub radix_tree_nodes: u64,
    /// The highest id that an entry was given.
    pub last_generated_id: StreamId,
    /// The highest id that was deleted; since Redis 7.0.
    pub max_deleted_entry_id: Option<StreamId>,
    /// How many entries were ever added; since Redis 7.0.
    pub entries_added: Option<u64>,
    /// The lowest id, as recorded; since Redis 7.0.
    pub recorded_first_entry_id: Option<StreamId>,
    /// How long ids of messages are remembered that are to be added once; since Redis 8.6.
    #[redis(default, with = optional_seconds)]
    pub idmp_duration: Option<Duration>,
    /// How many ids of messages are remembered for each producer; since Redis 8.6.
    pub idmp_maxsize: Option<u64>,
    /// How many producers are remembered; since Redis 8.6.
    pub pids_tracked: Option<u64>,
    /// How many ids of messages are remembered; since Redis 8.6.
    pub iids_tracked: Option<u64>,
    /// How many entries were added with an id of the message; since Redis 8.6.
    pub iids_added: Option<u64>,
    /// How many entries were not added because the message was already there; since Redis 8.6.
    pub iids_duplicates: Option<u64>,
    /// Its first entries.
    pub entries: Vec<StreamEntry<T>>,
    /// Its consumer groups.
    pub groups: Vec<GroupInfoFull>,
    /// What this crate does not know.
    #[redis(other)]
    pub other: BTreeMap<String, Value>,
}

/// What the server knows of a consumer group.
#[derive(Clone, Debug, PartialEq, FromReply)]
#[redis(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct GroupInfo {
    /// Its name.
    pub name: String,
    /// How many consumers it has.
    pub consumers: u64,
    /// How many entries were given to a consumer and not acknowledged.
    pub pending: u64,
    /// The last entry that was given to a consumer.
    pub last_delivered_id: StreamId,
    /// How many entries were given to consumers, where that is known; since Redis 7.0.
    pub entries_read: Option<u64>,
    /// How many entries are left to be given, where that is known; since Redis 7.0.
    pub lag: Option<u64>,
    /// What this crate does not know.
    #[redis(other)]
    pub other: BTreeMap<String, Value>,
}

/// Everything that the server knows of a consumer group.
#[derive(Clone, Debug, PartialEq, FromReply)]
#[redis(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct GroupInfoFull {
    /// Its name.
    pub name: String,
    /// The last entry that was given to a consumer.
    pub last_delivered_id: StreamId,
    /// How many entries were given to consumers, where that is known; since Redis 7.0.
    pub entries_read: Option<u64>,
    /// How many entries are left to be given, where that is known; since Redis 7.0.
    pub lag: Option<u64>,
    /// How many entries were given to a consumer and not acknowledged.
    pub pel_count: u64,
    /// The first of those entries.
    pub pending: Vec<GroupPending>,
    /// Its consumers.
    pub consumers: Vec<ConsumerInfoFull>,
    /// What this crate does not know.
    #[redis(other)]
    pub other: BTreeMap<String, Value>,
}

/// What the server knows of a consumer.
#[derive(Clone, Debug, PartialEq, FromReply)]
#[redis(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct ConsumerInfo {
    /// Its name.
    pub name: String,
    /// How many entries it was given and has not acknowledged.
    pub pending: u64,
    /// How long ago it last asked for something.
    #[redis(with = millis)]
    pub idle: Duration,
    /// How long ago it last got something, if ever; since Redis 7.2.
    #[redis(default, with = optional_millis)]
    pub inactive: Option<Duration>,
    /// What this crate does not know.
    #[redis(other)]
    pub other: BTreeMap<String, Value>,
}

/// Everything that the server knows of a consumer.
#[derive(Clone, Debug, PartialEq, FromReply)]
#[redis(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct ConsumerInfoFull {
    /// Its name.
    pub name: String,
    /// When it last asked for something.
    #[redis(with = at_millis)]
    pub seen_time: SystemTime,
    /// When it last got something, if ever; since Redis 7.2.
    #[redis(default, with = optional_at_millis)]
    pub active_time: Option<SystemTime>,
    /// How many entries it was given and has not acknowledged.
    pub pel_count: u64,
    /// The first of those entries.
    pub pending: Vec<ConsumerPending>,
    /// What this crate does not know.
    #[redis(other)]
    pub other: BTreeMap<String, Value>,
}

/// One entry that a consumer of the group was given and has not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupPending {
    /// The entry's id.
    pub id: StreamId,
    /// The consumer that has it.
    pub consumer: String,
    /// When it was last given to a consumer.
    pub delivery_time: SystemTime,
    /// How often it was given to a consumer.
    pub deliveries: u64,
}

impl FromReply for GroupPending {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let (id, consumer, time, deliveries) = FromReply::from_reply(reply)?;
        let delivery_time = at(Duration::from_millis(time))?;
        Ok(Self { id, consumer, delivery_time, deliveries })
    }
}

/// One entry that the consumer was given and has not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsumerPending {
    /// The entry's id.
    pub id: StreamId,
    /// When it was last given to a consumer.
    pub delivery_time: SystemTime,
    /// How often it was given to a consumer.
    pub deliveries: u64,
}

impl FromReply for ConsumerPending {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let (id, time, deliveries) = FromReply::from_reply(reply)?;
        Ok(Self { id, delivery_time: at(Duration::from_millis(time))?, deliveries })
    }
}

/// Whole seconds.
fn optional_seconds(reply: &mut ReplyReader<'_>) -> Result<Option<Duration>> {
    Ok(Option::<u64>::from_reply(reply)?.map(Duration::from_secs))
}

/// Whole milliseconds; a negative number stands for never.
fn optional_millis(reply: &mut ReplyReader<'_>) -> Result<Option<Duration>> {
    if never(reply)? { Ok(None) } else { millis(reply).map(Some) }
}

/// Whole milliseconds since 1970; a negative number stands for never.
fn optional_at_millis(reply: &mut ReplyReader<'_>) -> Result<Option<SystemTime>> {
    if never(reply)? { Ok(None) } else { at_millis(reply).map(Some) }
}

/// Takes what comes next if it is a null or a negative number.
fn never(reply: &mut ReplyReader<'_>) -> Result<bool> {
    let never = matches!(reply.peek()?, Token::Null | Token::Integer(..0));
    if never {
        reply.skip()?;
    }
    Ok(never)
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::reply::decode;

    type Fields = Vec<(String, String)>;

    /// Replies with `{n}` for a map of `n` pairs, in the two protocols.
    fn decoded<T: FromReply + PartialEq + std::fmt::Debug>(frame: &str) -> T {
        let (mut resp2, mut resp3) = (String::new(), String::new());
        for (at, part) in frame.split('{').enumerate() {
            let (pairs, rest) = part.split_once('}').unwrap_or(("", part));
            if at > 0 {
                let pairs: usize = pairs.parse().unwrap();
                resp2 += &format!("*{}\r\n", 2 * pairs);
                resp3 += &format!("%{pairs}\r\n");
            }
            resp2 += &rest.replace("NULL", "$-1\r\n");
            resp3 += &rest.replace("NULL", "_\r\n");
        }
        let value = decode::<T>(resp2.as_bytes()).unwrap();
        assert_eq!(decode::<T>(resp3.as_bytes()).unwrap(), value);
        value
    }

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn stream_of_redis_8_6() {
        let info: StreamInfo<Fields> = decoded(
            "{16}$6\r\nlength\r\n:4\r\n$15\r\nradix-tree-keys\r\n:1\r\n$16\r\nradix-tree-nodes\r\n:2\r\n\
             $17\r\nlast-generated-id\r\n$3\r\n4-1\r\n$20\r\nmax-deleted-entry-id\r\n$3\r\n3-1\r\n\
             $13\r\nentries-added\r\n:5\r\n$23\r\nrecorded-first-entry-id\r\n$3\r\n1-1\r\n\
             $13\r\nidmp-duration\r\n:100\r\n$12\r\nidmp-maxsize\r\n:50\r\n$12\r\npids-tracked\r\n:1\r\n\
             $12\r\niids-tracked\r\n:2\r\n$10\r\niids-added\r\n:3\r\n$15\r\niids-duplicates\r\n:4\r\n\
             $6\r\ngroups\r\n:1\r\n$11\r\nfirst-entry\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n\
             $10\r\nlast-entry\r\n*2\r\n$3\r\n4-1\r\n*2\r\n$1\r\nc\r\n$1\r\nd\r\n",
        );
        assert_eq!((info.length, info.radix_tree_keys, info.radix_tree_nodes), (4, 1, 2));
        assert_eq!(info.last_generated_id, StreamId::new(4, 1));
        assert_eq!(info.max_deleted_entry_id, Some(StreamId::new(3, 1)));
        assert_eq!(info.recorded_first_entry_id, Some(StreamId::new(1, 1)));
        assert_eq!(info.idmp_duration, Some(Duration::from_secs(100)));
        assert_eq!((info.entries_added, info.idmp_maxsize), (Some(5), Some(50)));
        assert_eq!((info.pids_tracked, info.iids_tracked), (Some(1), Some(2)));
        assert_eq!((info.iids_added, info.iids_duplicates), (Some(3), Some(4)));
        let fields = |field: &str, value: &str| vec![(field.to_owned(), value.to_owned())];
        assert_eq!(info.first_entry.map(|entry| entry.fields), Some(fields("a", "1")));
        assert_eq!(info.last_entry.map(|entry| entry.fields), Some(fields("c", "d")));
        assert_eq!((info.groups, info.other.len()), (1, 0));
    }

    #[test]
    fn empty_stream_of_redis_6_2() {
        let info: StreamInfo<Fields> = decoded(
            "{8}$6\r\nlength\r\n:0\r\n$15\r\nradix-tree-keys\r\n:0\r\n$16\r\nradix-tree-nodes\r\n:1\r\n\
             $17\r\nlast-generated-id\r\n$3\r\n4-1\r\n$6\r\ngroups\r\n:1\r\n$11\r\nfirst-entry\r\nNULL\
             $10\r\nlast-entry\r\nNULL$6\r\nlatest\r\n:7\r\n",
        );
        assert_eq!((info.length, info.entries_added, info.idmp_duration), (0, None, None));
        assert_eq!((info.first_entry, info.last_entry), (None, None));
        assert_eq!(info.other["latest"], Value::Integer(7));
        let error = decode::<StreamInfo<Fields>>(b"*2\r\n$6\r\nlength\r\n:0\r\n").unwrap_err();
        assert_eq!(error.to_string(), "the reply has no field `radix-tree-keys`");
    }

    #[test]
    fn everything_of_a_stream() {
        let info: StreamInfoFull<Fields> = decoded(
            "{9}$6\r\nlength\r\n:4\r\n$15\r\nradix-tree-keys\r\n:1\r\n$16\r\nradix-tree-nodes\r\n:2\r\n\
             $17\r\nlast-generated-id\r\n$3\r\n4-1\r\n$20\r\nmax-deleted-entry-id\r\n$3\r\n3-1\r\n\
             $13\r\nentries-added\r\n:5\r\n$23\r\nrecorded-first-entry-id\r\n$3\r\n1-1\r\n\
             $7\r\nentries\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n$6\r\ngroups\r\n*1\r\n\
             {7}$4\r\nname\r\n$1\r\ng\r\n$17\r\nlast-delivered-id\r\n$3\r\n4-1\r\n$12\r\nentries-read\r\nNULL\
             $3\r\nlag\r\n:0\r\n$9\r\npel-count\r\n:4\r\n\
             $7\r\npending\r\n*1\r\n*4\r\n$3\r\n1-1\r\n$1\r\nc\r\n:1795345329639\r\n:3\r\n\
             $9\r\nconsumers\r\n*2\r\n{5}$4\r\nname\r\n$1\r\nc\r\n$9\r\nseen-time\r\n:1795345329640\r\n\
             $11\r\nactive-time\r\n:1795345329639\r\n$9\r\npel-count\r\n:4\r\n\
             $7\r\npending\r\n*1\r\n*3\r\n$3\r\n1-1\r\n:1795345329639\r\n:3\r\n\
             {5}$4\r\nname\r\n$4\r\nidle\r\n$9\r\nseen-time\r\n:1795345329639\r\n$11\r\nactive-time\r\n:-1\r\n\
             $9\r\npel-count\r\n:0\r\n$7\r\npending\r\n*0\r\n",
        );
        assert_eq!((info.length, info.entries.len(), info.idmp_maxsize), (4, 1, None));
        let time = UNIX_EPOCH + millis(1_795_345_329_639);
        let id = StreamId::new(1, 1);
        let group = &info.groups[0];
        assert_eq!((group.name.as_str(), group.pel_count), ("g", 4));
        assert_eq!((group.entries_read, group.lag), (None, Some(0)));
        let consumer = "c".to_owned();
        let pending = GroupPending { id, consumer, delivery_time: time, deliveries: 3 };
        assert_eq!(group.pending, [pending]);
        let [busy, idle] = group.consumers.as_slice() else { panic!("{group:?}") };
        assert_eq!((busy.seen_time, busy.active_time), (time + millis(1), Some(time)));
        assert_eq!(busy.pending, [ConsumerPending { id, delivery_time: time, deliveries: 3 }]);
        assert_eq!((idle.name.as_str(), idle.active_time, idle.pel_count), ("idle", None, 0));
    }

    #[test]
    fn groups_and_consumers_in_short() {
        let groups: Vec<GroupInfo> = decoded(
            "*1\r\n{6}$4\r\nname\r\n$1\r\ng\r\n$9\r\nconsumers\r\n:2\r\n$7\r\npending\r\n:4\r\n\
             $17\r\nlast-delivered-id\r\n$3\r\n4-1\r\n$12\r\nentries-read\r\n:5\r\n$3\r\nlag\r\nNULL",
        );
        assert_eq!((groups[0].consumers, groups[0].pending), (2, 4));
        assert_eq!((groups[0].entries_read, groups[0].lag), (Some(5), None));
        let consumers: Vec<ConsumerInfo> = decoded(
            "*3\r\n{4}$4\r\nname\r\n$1\r\nc\r\n$7\r\npending\r\n:4\r\n$4\r\nidle\r\n:5\r\n$8\r\ninactive\r\n:7\r\n\
             {4}$4\r\nname\r\n$1\r\nd\r\n$7\r\npending\r\n:0\r\n$4\r\nidle\r\n:1\r\n$8\r\ninactive\r\n:-1\r\n\
             {3}$4\r\nname\r\n$1\r\ne\r\n$7\r\npending\r\n:0\r\n$4\r\nidle\r\n:1\r\n",
        );
        assert_eq!((consumers[0].idle, consumers[0].inactive), (millis(5), Some(millis(7))));
        assert_eq!((consumers[1].inactive, consumers[2].inactive), (None, None));
    }
}
