//! Keyspace notifications: what happens to keys, as messages.
//!
//! Owns the names of the channels and how their messages are read. The server publishes them only where its
//! `notify-keyspace-events` says so; `KEA` is all of them but for missed and new keys.

use std::fmt;

use bytes::Bytes;

use crate::pubsub::Message;

/// Something that happened to a key.
///
/// # Examples
///
/// ```
/// use redis_core::keyspace::{self, KeyEvent, Notification};
/// # use redis_core::pubsub::{Message, MessageData, MessageKind};
/// # let message = Message {
/// #     kind: MessageKind::PMessage,
/// #     channel: "__keyevent@0__:expired".into(),
/// #     pattern: Some("__keyevent@*__:*".into()),
/// #     data: MessageData::Payload("session:1".into()),
/// # };
/// // pubsub.psubscribe(keyspace::events(None, None)); and of each message:
/// if let Some(Notification { database, key, event }) = Notification::read(&message) {
///     assert_eq!((database, &key[..], event), (0, &b"session:1"[..], KeyEvent::Expired));
/// }
/// assert_eq!(keyspace::events(None, None), "__keyevent@*__:*");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// The database of the key.
    pub database: u32,
    /// The key.
    pub key: Bytes,
    /// What happened to it.
    pub event: KeyEvent,
}

impl Notification {
    /// Reads a message of one of these channels; none for any other message.
    pub fn read(message: &Message) -> Option<Self> {
        let payload = message.payload()?;
        let rest = message.channel.strip_prefix(b"__key")?;
        let (by_key, rest) = match rest.strip_prefix(b"space@") {
            Some(rest) => (true, rest),
            None => (false, rest.strip_prefix(b"event@")?),
        };
        let digits = rest.iter().position(|byte| !byte.is_ascii_digit())?;
        let database = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
        let name = rest[digits..].strip_prefix(b"__:")?;
        let (key, event) = if by_key { (name, payload) } else { (payload, name) };
        Some(Self { database, key: Bytes::copy_from_slice(key), event: KeyEvent::from_name(event) })
    }
}

/// The pattern of the messages that say of keys what happened to them: of the keys that match `keys`, as the
/// server matches patterns, or of all; in one database, or in all.
pub fn keys(database: Option<u32>, keys: Option<&str>) -> String {
    channel("space", database, keys)
}

/// The pattern of the messages that say of an event to which key it happened: of this event, or of all; in
/// one database, or in all.
pub fn events(database: Option<u32>, event: Option<&KeyEvent>) -> String {
    channel("event", database, event.map(KeyEvent::name))
}

fn channel(kind: &str, database: Option<u32>, name: Option<&str>) -> String {
    let name = name.unwrap_or("*");
    match database {
        Some(database) => format!("__key{kind}@{database}__:{name}"),
        None => format!("__key{kind}@*__:{name}"),
    }
}

/// What can happen to a key, named as the server names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(missing_docs, reason = "they are the names of commands and of what these do")]
pub enum KeyEvent {
    Append,
    CopyTo,
    Del,
    /// Removed to make room.
    Evicted,
    /// Given a time to live.
    Expire,
    /// Removed at the end of its time.
    Expired,
    HDel,
    /// Fields were given a time to live.
    HExpire,
    /// Fields were removed at the end of their time.
    HExpired,
    HIncrBy,
    HIncrByFloat,
    HPersist,
    HSet,
    IncrBy,
    IncrByFloat,
    /// Asked for and not there.
    KeyMiss,
    LInsert,
    LPop,
    LPush,
    LRem,
    LSet,
    LTrim,
    MoveFrom,
    MoveTo,
    /// Made.
    New,
    Persist,
    RenameFrom,
    RenameTo,
    Restore,
    RPop,
    RPush,
    SAdd,
    Set,
    SetRange,
    SortStore,
    SPop,
    SRem,
    XAdd,
    XDel,
    XTrim,
    ZAdd,
    ZIncr,
    ZRem,
    /// Any other, by its name.
    Other(String),
}

const NAMES: [(&str, KeyEvent); 43] = [
    ("append", KeyEvent::Append),
    ("copy_to", KeyEvent::CopyTo),
    ("del", KeyEvent::Del),
    ("evicted", KeyEvent::Evicted),
    ("expire", KeyEvent::Expire),
    ("expired", KeyEvent::Expired),
    ("hdel", KeyEvent::HDel),
    ("hexpire", KeyEvent::HExpire),
    ("hexpired", KeyEvent::HExpired),
    ("hincrby", KeyEvent::HIncrBy),
    ("hincrbyfloat", KeyEvent::HIncrByFloat),
    ("hpersist", KeyEvent::HPersist),
    ("hset", KeyEvent::HSet),
    ("incrby", KeyEvent::IncrBy),
    ("incrbyfloat", KeyEvent::IncrByFloat),
    ("keymiss", KeyEvent::KeyMiss),
    ("linsert", KeyEvent::LInsert),
    ("lpop", KeyEvent::LPop),
    ("lpush", KeyEvent::LPush),
    ("lrem", KeyEvent::LRem),
    ("lset", KeyEvent::LSet),
    ("ltrim", KeyEvent::LTrim),
    ("move_from", KeyEvent::MoveFrom),
    ("move_to", KeyEvent::MoveTo),
    ("new", KeyEvent::New),
    ("persist", KeyEvent::Persist),
    ("rename_from", KeyEvent::RenameFrom),
    ("rename_to", KeyEvent::RenameTo),
    ("restore", KeyEvent::Restore),
    ("rpop", KeyEvent::RPop),
    ("rpush", KeyEvent::RPush),
    ("sadd", KeyEvent::SAdd),
    ("set", KeyEvent::Set),
    ("setrange", KeyEvent::SetRange),
    ("sortstore", KeyEvent::SortStore),
    ("spop", KeyEvent::SPop),
    ("srem", KeyEvent::SRem),
    ("xadd", KeyEvent::XAdd),
    ("xdel", KeyEvent::XDel),
    ("xtrim", KeyEvent::XTrim),
    ("zadd", KeyEvent::ZAdd),
    ("zincr", KeyEvent::ZIncr),
    ("zrem", KeyEvent::ZRem),
];

impl KeyEvent {
    fn from_name(name: &[u8]) -> Self {
        match NAMES.iter().find(|(known, _)| known.as_bytes() == name) {
            Some((_, event)) => event.clone(),
            None => Self::Other(String::from_utf8_lossy(name).into_owned()),
        }
    }

    /// The server's name of it.
    pub fn name(&self) -> &str {
        match self {
            Self::Other(name) => name,
            event => NAMES
                .iter()
                .find_map(|(name, known)| (known == event).then_some(*name))
                .expect("every event but others has a name"),
        }
    }
}

impl fmt::Display for KeyEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pubsub::{MessageData, MessageKind};

    fn message(channel: &'static [u8], payload: &'static str) -> Message {
        Message {
            kind: MessageKind::PMessage,
            channel: Bytes::from_static(channel),
            pattern: None,
            data: MessageData::Payload(payload.into()),
        }
    }

    #[test]
    fn both_kinds_of_messages_say_the_same() {
        let event = KeyEvent::RenameTo;
        let of_key = Notification::read(&message(b"__keyspace@12__:a:__:b", "rename_to")).unwrap();
        let expected = Notification { database: 12, key: "a:__:b".into(), event };
        assert_eq!(of_key, expected);
        let of_event = Notification::read(&message(b"__keyevent@12__:rename_to", "a:__:b"));
        assert_eq!(of_event.unwrap(), expected);
        let bytes = Notification::read(&message(b"__keyspace@0__:\xff\0", "flew")).unwrap();
        assert_eq!((&bytes.key[..], bytes.event), (&b"\xff\0"[..], KeyEvent::Other("flew".into())));
    }

    #[test]
    fn other_channels_are_no_notifications() {
        for channel in [
            &b""[..],
            b"news",
            b"__keyspace@0__",
            b"__keyspace@__:k",
            b"__keyspace@x__:k",
            b"__keyspace@99999999999__:k",
            b"__keything@0__:k",
        ] {
            assert_eq!(Notification::read(&message(channel, "set")), None);
        }
        let mut confirmation = message(b"__keyspace@0__:k", "");
        confirmation.data = MessageData::Count(1);
        assert_eq!(Notification::read(&confirmation), None);
    }

    #[test]
    fn patterns_name_databases_keys_and_events() {
        assert_eq!(keys(Some(3), Some("user:*")), "__keyspace@3__:user:*");
        assert_eq!(keys(None, None), "__keyspace@*__:*");
        assert_eq!(events(Some(0), Some(&KeyEvent::Expired)), "__keyevent@0__:expired");
        assert_eq!(events(None, Some(&KeyEvent::Other("x".into()))), "__keyevent@*__:x");
    }

    #[test]
    fn every_event_has_one_name() {
        for (name, event) in &NAMES {
            assert_eq!(event.name(), *name);
            assert_eq!(KeyEvent::from_name(name.as_bytes()), *event);
        }
        assert!(NAMES.is_sorted_by_key(|(name, _)| *name));
    }
}
