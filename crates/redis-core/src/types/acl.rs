//! Users, what they may do, and what was refused to them.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use redis_derive::FromReply;
use resp_proto::Token;

use crate::error::{Error, Result};
use crate::reply::{FromReply, ReplyReader, Value};

use super::client_info::ClientInfo;
use super::record::utf8;
use super::time::{at_millis, fractional_seconds};

/// A user, and what it may do.
#[derive(Clone, Debug, PartialEq, FromReply)]
#[non_exhaustive]
pub struct AclUser {
    /// Properties such as `on`, `off` and `nopass`.
    pub flags: Vec<String>,
    /// The SHA-256 of each password, in hexadecimal.
    pub passwords: Vec<String>,
    /// The rules of commands, such as `-@all +get`.
    pub commands: String,
    /// The patterns of keys, each behind its `~`, `%R~` or `%W~`.
    #[redis(with = key_patterns)]
    pub keys: Vec<Bytes>,
    /// The patterns of channels, each behind its `&`.
    #[redis(with = channel_patterns)]
    pub channels: Vec<Bytes>,
    /// The databases; Valkey 9.1 and newer.
    pub databases: Option<AclDatabases>,
    /// Sets of rules that allow more, each by itself; 7.0 and newer.
    #[redis(default)]
    pub selectors: Vec<AclSelector>,
    /// What newer servers tell too.
    #[redis(other)]
    pub other: BTreeMap<String, Value>,
}

impl AclUser {
    /// Whether one can authenticate as this user.
    pub fn is_on(&self) -> bool {
        self.flags.iter().any(|flag| flag == "on")
    }
}

/// A set of rules that allows a user more.
#[derive(Clone, Debug, PartialEq, FromReply)]
#[non_exhaustive]
pub struct AclSelector {
    /// The rules of commands, such as `-@all +set`.
    pub commands: String,
    /// The patterns of keys, each behind its `~`, `%R~` or `%W~`.
    #[redis(with = key_patterns)]
    pub keys: Vec<Bytes>,
    /// The patterns of channels, each behind its `&`.
    #[redis(with = channel_patterns)]
    pub channels: Vec<Bytes>,
    /// The databases; Valkey 9.1 and newer.
    pub databases: Option<AclDatabases>,
    /// What newer servers tell too.
    #[redis(other)]
    pub other: BTreeMap<String, Value>,
}

/// The databases that a user may use.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AclDatabases {
    /// All.
    All,
    /// These.
    Only(Vec<u64>),
}

impl FromReply for AclDatabases {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let text = utf8(reply.string()?)?;
        let list = match text.as_str() {
            "alldbs" => return Ok(Self::All),
            "" => return Ok(Self::Only(Vec::new())),
            text => text.strip_prefix("db="),
        };
        list.and_then(|list| list.split(',').map(|db| db.parse().ok()).collect())
            .map(Self::Only)
            .ok_or_else(|| Error::decode(format!("`{text}` is no list of databases")))
    }
}

fn key_patterns(reply: &mut ReplyReader<'_>) -> Result<Vec<Bytes>> {
    patterns(reply, b'~')
}

fn channel_patterns(reply: &mut ReplyReader<'_>) -> Result<Vec<Bytes>> {
    patterns(reply, b'&')
}

/// Patterns behind their marks with spaces between; Redis 6 sends a list without the marks.
fn patterns(reply: &mut ReplyReader<'_>, mark: u8) -> Result<Vec<Bytes>> {
    if let Token::Array(_) | Token::Set(_) = reply.peek()? {
        let patterns = Vec::<Bytes>::from_reply(reply)?;
        let marked = |pattern: Bytes| [&[mark], &pattern[..]].concat().into();
        return Ok(patterns.into_iter().map(marked).collect());
    }
    let text = Bytes::from_reply(reply)?;
    let patterns = text.split(|&byte| byte == b' ').filter(|pattern| !pattern.is_empty());
    Ok(patterns.map(Bytes::copy_from_slice).collect())
}

/// Whether a user may run a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AclVerdict {
    /// It may.
    Allowed,
    /// It may not, for the reason that the server tells.
    Denied(String),
}

impl FromReply for AclVerdict {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let text = utf8(reply.string()?)?;
        Ok(if text == "OK" { Self::Allowed } else { Self::Denied(text) })
    }
}

/// Something that was refused to a user; the same within a minute is one entry.
#[derive(Clone, Debug, PartialEq, FromReply)]
#[redis(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct AclLogEntry {
    /// How often it was refused.
    pub count: u64,
    /// What the user lacked.
    pub reason: AclReason,
    /// Where the command came from.
    pub context: AclContext,
    /// The command, key or channel that was refused.
    pub object: Bytes,
    /// The user.
    pub username: String,
    /// How long it is ago, to the millisecond.
    #[redis(rename = "age-seconds", with = fractional_seconds)]
    pub age: Duration,
    /// The connection at that time.
    pub client_info: ClientInfo,
    /// The entry's number; 7.2 and newer.
    pub entry_id: Option<u64>,
    /// When it was first refused; 7.2 and newer.
    #[redis(rename = "timestamp-created", default, with = maybe_at_millis)]
    pub created: Option<SystemTime>,
    /// When it was last refused; 7.2 and newer.
    #[redis(rename = "timestamp-last-updated", default, with = maybe_at_millis)]
    pub last_updated: Option<SystemTime>,
    /// What newer servers tell too.
    #[redis(other)]
    pub other: BTreeMap<String, Value>,
}

fn maybe_at_millis(reply: &mut ReplyReader<'_>) -> Result<Option<SystemTime>> {
    at_millis(reply).map(Some)
}

/// What a user lacked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, FromReply)]
#[redis(rename_all = "lowercase")]
#[non_exhaustive]
pub enum AclReason {
    /// The right credentials.
    Auth,
    /// Permission for the command.
    Command,
    /// Permission for the key.
    Key,
    /// Permission for the channel.
    Channel,
    /// Permission for the database.
    Database,
    /// Another thing, by the server's name of it.
    #[redis(other)]
    Other(String),
}

/// Where a refused command came from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, FromReply)]
#[redis(rename_all = "lowercase")]
#[non_exhaustive]
pub enum AclContext {
    /// From the connection itself.
    TopLevel,
    /// From a transaction.
    Multi,
    /// From a script.
    Lua,
    /// From a script of any engine; Valkey 8.1 and newer.
    Script,
    /// From a module.
    Module,
    /// From elsewhere, by the server's name of it.
    #[redis(other)]
    Other(String),
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::reply::decode;

    /// A user of Redis 7.0 and newer in RESP2, or in RESP3 with maps and sets.
    fn user(resp3: bool) -> Vec<u8> {
        let (map, set) = if resp3 { ("%", "~") } else { ("*", "*") };
        let pairs = |n: usize| format!("{map}{}", if resp3 { n } else { 2 * n });
        let rules = "$8\r\ncommands\r\n$10\r\n-@all +get\r\n$4\r\nkeys\r\n$9\r\n~a* %R~b*\r\n";
        format!(
            "{}\r\n$5\r\nflags\r\n{set}1\r\n+on\r\n$9\r\npasswords\r\n*1\r\n$2\r\n30\r\n{rules}\
             $8\r\nchannels\r\n$3\r\n&c*\r\n$9\r\ndatabases\r\n$6\r\ndb=0,1\r\n$9\r\nselectors\r\n*1\r\n\
             {}\r\n{rules}$8\r\nchannels\r\n$0\r\n\r\n$9\r\ndatabases\r\n$6\r\nalldbs\r\n",
            pairs(7),
            pairs(4),
        )
        .into_bytes()
    }

    #[test]
    fn a_user_is_the_same_in_both_protocols() {
        let user2 = decode::<Option<AclUser>>(&user(false)).unwrap().unwrap();
        assert_eq!(decode::<Option<AclUser>>(&user(true)).unwrap().unwrap(), user2);
        assert!(user2.is_on());
        assert_eq!((&*user2.passwords[0], &*user2.commands), ("30", "-@all +get"));
        assert_eq!(
            (&user2.keys[..], &user2.channels[..]),
            (&["~a*", "%R~b*"].map(Bytes::from)[..], &["&c*"].map(Bytes::from)[..])
        );
        assert_eq!(user2.databases, Some(AclDatabases::Only(vec![0, 1])));
        let selector = &user2.selectors[0];
        assert_eq!((selector.keys.len(), selector.channels.len()), (2, 0));
        assert_eq!(selector.databases, Some(AclDatabases::All));
        assert_eq!(decode::<Option<AclUser>>(b"_\r\n").unwrap(), None);
    }

    #[test]
    fn redis_6_lists_patterns_without_their_marks() {
        let user = decode::<AclUser>(
            b"*10\r\n$5\r\nflags\r\n*2\r\n+off\r\n+nopass\r\n$9\r\npasswords\r\n*0\r\n$8\r\ncommands\r\n\
              $6\r\n+@all \r\n$4\r\nkeys\r\n*2\r\n$1\r\n*\r\n$2\r\na*\r\n$8\r\nchannels\r\n*1\r\n$1\r\n*\r\n",
        )
        .unwrap();
        assert_eq!(user.keys, ["~*", "~a*"].map(Bytes::from));
        assert_eq!(user.channels, ["&*"].map(Bytes::from));
        assert!(!user.is_on());
        assert_eq!((user.databases, user.selectors), (None, vec![]));
    }

    #[test]
    fn a_verdict_is_yes_or_the_reason_for_no() {
        assert_eq!(decode::<AclVerdict>(b"+OK\r\n").unwrap(), AclVerdict::Allowed);
        let denied = AclVerdict::Denied("no permissions".into());
        assert_eq!(decode::<AclVerdict>(b"$14\r\nno permissions\r\n").unwrap(), denied);
    }

    #[test]
    fn log_entries_are_the_same_in_both_protocols() {
        let client = "id=9 addr=127.0.0.1:43598 fd=8 name= age=0 idle=0 flags=N db=0 sub=0 psub=0 multi=-1 \
            qbuf=26 qbuf-free=0 obl=0 oll=0 omem=0 events=r cmd=get user=u redir=-1";
        let frame = |head: &str, age: &str, more: &str| {
            format!(
                "*1\r\n{head}\r\n$5\r\ncount\r\n:2\r\n$6\r\nreason\r\n$3\r\nkey\r\n$7\r\ncontext\r\n\
                 $8\r\ntoplevel\r\n$6\r\nobject\r\n$1\r\nq\r\n$8\r\nusername\r\n$1\r\nu\r\n\
                 $11\r\nage-seconds\r\n{age}$11\r\nclient-info\r\n${}\r\n{client}\r\n{more}",
                client.len()
            )
        };
        let more = "$8\r\nentry-id\r\n:3\r\n$17\r\ntimestamp-created\r\n:1795345350141\r\n\
            $22\r\ntimestamp-last-updated\r\n:1795345350142\r\n";
        let resp2 = frame("*20", "$5\r\n0.003\r\n", more);
        let resp3 = frame("%10", ",0.003\r\n", more);
        let log = decode::<Vec<AclLogEntry>>(resp2.as_bytes()).unwrap();
        assert_eq!(decode::<Vec<AclLogEntry>>(resp3.as_bytes()).unwrap(), log);
        let entry = &log[0];
        assert_eq!((&entry.reason, &entry.context), (&AclReason::Key, &AclContext::TopLevel));
        assert_eq!(
            (entry.count, entry.age, entry.entry_id),
            (2, Duration::from_millis(3), Some(3))
        );
        assert_eq!(entry.created, Some(UNIX_EPOCH + Duration::from_millis(1_795_345_350_141)));
        assert_eq!(entry.client_info.user.as_deref(), Some("u"));
        let old = frame("%7", ",0.003\r\n", "");
        let log = decode::<Vec<AclLogEntry>>(old.as_bytes()).unwrap();
        assert_eq!((log[0].entry_id, log[0].created), (None, None));
    }
}
