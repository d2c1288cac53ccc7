//! Entries of streams, and what consumer groups know of them.

use std::time::Duration;

use resp_proto::Token;

use super::StreamId;
use crate::error::{Error, Result};
use crate::reply::{FromReply, ReplyReader, mismatch};

/// One entry of a stream.
///
/// `T` is what its fields and values decode to: a map, a list of pairs, a struct. A group's list of
/// pending entries also names deleted ones, whose fields are null: read it as `StreamEntry<Option<..>>`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct StreamEntry<T> {
    /// Its id.
    pub id: StreamId,
    /// Its fields and their values.
    pub fields: T,
}

impl<T: FromReply> FromReply for StreamEntry<T> {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let (id, fields) = FromReply::from_reply(reply)?;
        Ok(Self { id, fields })
    }

    /// Redis 6.2 sends null for entries that were claimed after they had been deleted: later servers leave
    /// them out, as this does.
    fn list_from_reply(reply: &mut ReplyReader<'_>) -> Result<Vec<Self>> {
        let len = reply.list()?;
        let mut list = Vec::with_capacity(reply.capacity(len));
        reply.each(len, |reply| {
            list.extend(Option::<Self>::from_reply(reply)?);
            Ok(())
        })?;
        Ok(list)
    }
}

/// Entries by the key of their stream.
pub type StreamEntries<K, T> = Vec<(K, Vec<StreamEntry<T>>)>;

/// One entry that a group gave to a consumer, which may have claimed it from another.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DeliveredEntry<T> {
    /// Its id.
    pub id: StreamId,
    /// Its fields and their values.
    pub fields: T,
    /// How long ago it was given to a consumer before this; zero for a new one.
    pub idle: Duration,
    /// How often it was given to a consumer before this; 0 for a new one.
    pub deliveries: u64,
}

impl<T: FromReply> FromReply for DeliveredEntry<T> {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let (id, fields, idle, deliveries) = FromReply::from_reply(reply)?;
        Ok(Self { id, fields, idle: Duration::from_millis(idle), deliveries })
    }
}

/// Delivered entries by the key of their stream.
pub type DeliveredEntries<K, T> = Vec<(K, Vec<DeliveredEntry<T>>)>;

/// What was claimed of a group's pending entries, and where to go on.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct AutoClaimed<E> {
    /// Where the next call goes on; none when all pending entries were looked at.
    pub next: Option<StreamId>,
    /// The entries, or their ids, that the consumer has now.
    pub claimed: Vec<E>,
    /// Ids of pending entries that no longer exist and were forgotten; always empty on Redis 6.2.
    pub deleted: Vec<StreamId>,
}

impl<E: FromReply> FromReply for AutoClaimed<E> {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let parts = reply.list()?;
        if !matches!(parts, Some(2 | 3)) {
            return Err(Error::decode("expected the 2 or 3 parts of what was claimed"));
        }
        Ok(Self {
            next: Some(StreamId::from_reply(reply)?).filter(|next| *next != StreamId::MIN),
            claimed: Vec::from_reply(reply)?,
            deleted: if parts == Some(3) { Vec::from_reply(reply)? } else { Vec::new() },
        })
    }
}

/// A group's pending entries in short.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PendingSummary {
    /// How many there are.
    pub count: u64,
    /// The lowest id among them.
    pub first: Option<StreamId>,
    /// The highest id among them.
    pub last: Option<StreamId>,
    /// The consumers that have some, and how many each.
    pub consumers: Vec<(String, u64)>,
}

impl FromReply for PendingSummary {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let (count, first, last, consumers) = FromReply::from_reply(reply)?;
        let consumers: Option<_> = consumers;
        Ok(Self { count, first, last, consumers: consumers.unwrap_or_default() })
    }
}

/// One pending entry: given to a consumer that has not acknowledged it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PendingEntry {
    /// Its id.
    pub id: StreamId,
    /// The consumer that has it.
    pub consumer: String,
    /// How long ago it was given to that consumer.
    pub idle: Duration,
    /// How often it was given to a consumer.
    pub deliveries: u64,
}

impl FromReply for PendingEntry {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let (id, consumer, idle, deliveries) = FromReply::from_reply(reply)?;
        Ok(Self { id, consumer, idle: Duration::from_millis(idle), deliveries })
    }
}

/// What became of one entry that was to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EntryDeletion {
    /// It was deleted.
    Deleted,
    /// There is no such entry; when acknowledging, none that is pending.
    NotFound,
    /// It was kept: a consumer group has not acknowledged it, or not come so far.
    Kept,
    /// A number that this crate does not know.
    Other(i64),
}

impl FromReply for EntryDeletion {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        match reply.token()? {
            Token::Integer(1) => Ok(Self::Deleted),
            Token::Integer(-1) => Ok(Self::NotFound),
            Token::Integer(2) => Ok(Self::Kept),
            Token::Integer(other) => Ok(Self::Other(other)),
            token => Err(mismatch("what became of an entry", token)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::error::ErrorKind;
    use crate::reply::decode;

    type Fields = BTreeMap<String, String>;

    fn id(ms: u64, seq: u64) -> StreamId {
        StreamId::new(ms, seq)
    }

    fn fields<const N: usize>(pairs: [(&str, &str); N]) -> Fields {
        pairs.map(|(field, value)| (field.to_owned(), value.to_owned())).into()
    }

    #[test]
    fn read_entries_are_the_same_in_both_protocols() {
        let expected: StreamEntries<String, Fields> = vec![(
            "s".to_owned(),
            vec![StreamEntry { id: id(1, 1), fields: fields([("a", "1"), ("b", "2")]) }],
        )];
        for frame in [
            &b"*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*4\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\n2\r\n"[..],
            b"%1\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*4\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\n2\r\n",
        ] {
            assert_eq!(decode::<Option<StreamEntries<_, _>>>(frame).unwrap().as_ref(), Some(&expected));
        }
        for frame in [&b"*-1\r\n"[..], b"_\r\n"] {
            assert_eq!(decode::<Option<StreamEntries<String, Fields>>>(frame).unwrap(), None);
        }
    }

    #[test]
    fn deleted_entries_have_no_fields_or_are_left_out() {
        for frame in [&b"*1\r\n*2\r\n$3\r\n1-2\r\n*-1\r\n"[..], b"*1\r\n*2\r\n$3\r\n1-2\r\n_\r\n"] {
            let expected = vec![StreamEntry { id: id(1, 2), fields: None }];
            assert_eq!(decode::<Vec<StreamEntry<Option<Fields>>>>(frame).unwrap(), expected);
            let error = decode::<Vec<StreamEntry<Fields>>>(frame).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Decode);
        }
        let frame = b"*2\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n$-1\r\n";
        let expected = vec![StreamEntry { id: id(1, 1), fields: fields([("a", "1")]) }];
        assert_eq!(decode::<Vec<StreamEntry<Fields>>>(frame).unwrap(), expected);
    }

    #[test]
    fn delivered_entries_tell_how_often() {
        let frame = b"*4\r\n$3\r\n1-1\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n:7\r\n:2\r\n";
        let expected = DeliveredEntry {
            id: id(1, 1),
            fields: fields([("a", "1")]),
            idle: Duration::from_millis(7),
            deliveries: 2,
        };
        assert_eq!(decode::<DeliveredEntry<Fields>>(frame).unwrap(), expected);
    }

    #[test]
    fn claims_of_every_server_are_read() {
        let old = b"*2\r\n$3\r\n0-0\r\n*1\r\n$3\r\n1-1\r\n";
        let expected = AutoClaimed { next: None, claimed: vec![id(1, 1)], deleted: vec![] };
        assert_eq!(decode::<AutoClaimed<StreamId>>(old).unwrap(), expected);
        let new = b"*3\r\n$3\r\n1-2\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n*1\r\n$3\r\n1-0\r\n";
        let expected = AutoClaimed {
            next: Some(id(1, 2)),
            claimed: vec![StreamEntry { id: id(1, 1), fields: fields([("a", "1")]) }],
            deleted: vec![id(1, 0)],
        };
        assert_eq!(decode::<AutoClaimed<StreamEntry<Fields>>>(new).unwrap(), expected);
        assert!(decode::<AutoClaimed<StreamId>>(b"*1\r\n$3\r\n0-0\r\n").is_err());
    }

    #[test]
    fn pending_entries_in_short_and_in_full() {
        for frame in [&b"*4\r\n:0\r\n$-1\r\n$-1\r\n*-1\r\n"[..], b"*4\r\n:0\r\n_\r\n_\r\n_\r\n"] {
            let expected = PendingSummary { count: 0, first: None, last: None, consumers: vec![] };
            assert_eq!(decode::<PendingSummary>(frame).unwrap(), expected);
        }
        let frame = b"*4\r\n:4\r\n$3\r\n1-1\r\n$3\r\n4-1\r\n*1\r\n*2\r\n$1\r\nc\r\n$1\r\n4\r\n";
        let expected = PendingSummary {
            count: 4,
            first: Some(id(1, 1)),
            last: Some(id(4, 1)),
            consumers: vec![("c".to_owned(), 4)],
        };
        assert_eq!(decode::<PendingSummary>(frame).unwrap(), expected);
        let frame = b"*1\r\n*4\r\n$3\r\n1-1\r\n$1\r\nc\r\n:15\r\n:3\r\n";
        let idle = Duration::from_millis(15);
        let expected = PendingEntry { id: id(1, 1), consumer: "c".to_owned(), idle, deliveries: 3 };
        assert_eq!(decode::<Vec<PendingEntry>>(frame).unwrap(), [expected]);
    }

    #[test]
    fn numbers_of_a_later_server_are_kept() {
        use EntryDeletion::{Deleted, Kept, NotFound, Other};
        let all = decode::<Vec<EntryDeletion>>(b"*4\r\n:1\r\n:-1\r\n:2\r\n:9\r\n").unwrap();
        assert_eq!(all, [Deleted, NotFound, Kept, Other(9)]);
    }
}
