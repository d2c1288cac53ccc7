//! What a server says of its commands.

use std::collections::BTreeMap;

use redis_derive::FromReply;
use resp_proto::Token;

use crate::error::{Error, Result};
use crate::reply::{FromReply, ReplyReader, Value};

use super::key_flag::KeyFlag;
use super::record::{nested, record, skip};

/// What a server says of one of its commands.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CommandDetails {
    /// Its name, a subcommand as in `xgroup|create`.
    pub name: String,
    /// How many words it has, its name included; -n for n or more.
    pub arity: i64,
    /// What it does and needs, such as `write` and `fast`.
    pub flags: Vec<String>,
    /// Where the first key is, counted from the name; 0 where there is none.
    pub first_key: i64,
    /// Where the last key is, counted from the end where it is negative.
    pub last_key: i64,
    /// From one key to the next.
    pub key_step: i64,
    /// The ACL categories it is in, each behind its `@`.
    pub acl_categories: Vec<String>,
    /// Hints to proxies and cluster clients; 7.0 and newer.
    pub tips: Vec<String>,
    /// Where its keys are, and what it does with them; 7.0 and newer.
    pub key_specs: Vec<KeySpecDetails>,
    /// Its subcommands; 7.0 and newer.
    pub subcommands: Vec<CommandDetails>,
}

impl FromReply for CommandDetails {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let len = record(reply, "a command", 6)?;
        let mut details = Self {
            name: String::from_reply(reply)?,
            arity: i64::from_reply(reply)?,
            flags: Vec::from_reply(reply)?,
            first_key: i64::from_reply(reply)?,
            last_key: i64::from_reply(reply)?,
            key_step: i64::from_reply(reply)?,
            acl_categories: Vec::new(),
            tips: Vec::new(),
            key_specs: Vec::new(),
            subcommands: Vec::new(),
        };
        if len > 6 {
            details.acl_categories = Vec::from_reply(reply)?;
        }
        if len > 7 {
            details.tips = Vec::from_reply(reply)?;
        }
        if len > 8 {
            details.key_specs = Vec::from_reply(reply)?;
        }
        if len > 9 {
            details.subcommands = nested(reply)?;
        }
        skip(reply, len.saturating_sub(10))?;
        Ok(details)
    }
}

/// Where some keys of a command are, and what it does with them.
#[derive(Clone, Debug, PartialEq, FromReply)]
#[non_exhaustive]
pub struct KeySpecDetails {
    /// A remark of the server's authors.
    pub notes: Option<String>,
    /// What the command does with the keys.
    pub flags: Vec<KeyFlag>,
    /// Where the keys begin.
    pub begin_search: KeysBegin,
    /// Which arguments from there on are keys.
    pub find_keys: KeysFind,
    /// What newer servers tell too.
    #[redis(other)]
    pub other: BTreeMap<String, Value>,
}

/// Where keys begin.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeysBegin {
    /// At this argument, the name being 0.
    Index(i64),
    /// Behind a word.
    #[non_exhaustive]
    Keyword {
        /// The word.
        keyword: String,
        /// Where to begin to look for it; backwards from the end where it is negative.
        start_from: i64,
    },
    /// Only the server can tell.
    Unknown,
}

/// Which arguments are keys, from where keys begin.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeysFind {
    /// Some in a row.
    #[non_exhaustive]
    Range {
        /// The last one, counted from the first; from the end where it is negative.
        last_key: i64,
        /// From one key to the next.
        key_step: i64,
        /// Where the last key is -1: 2 for the first half, 3 for the first third, and so on.
        limit: i64,
    },
    /// As many as an argument says.
    #[non_exhaustive]
    Count {
        /// Where the number of keys is, counted from where keys begin.
        key_num_index: i64,
        /// Where the first key is, counted likewise.
        first_key: i64,
        /// From one key to the next.
        key_step: i64,
    },
    /// Only the server can tell.
    Unknown,
}

impl FromReply for KeysBegin {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let Rule { kind, spec } = Rule::from_reply(reply)?;
        match kind.as_str() {
            "index" => Ok(Self::Index(spec.number("index")?)),
            "keyword" => Ok(Self::Keyword {
                keyword: spec.text("keyword")?,
                start_from: spec.number("startfrom")?,
            }),
            _ => Ok(Self::Unknown),
        }
    }
}

impl FromReply for KeysFind {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let Rule { kind, spec } = Rule::from_reply(reply)?;
        match kind.as_str() {
            "range" => Ok(Self::Range {
                last_key: spec.number("lastkey")?,
                key_step: spec.number("keystep")?,
                limit: spec.number("limit")?,
            }),
            "keynum" => Ok(Self::Count {
                key_num_index: spec.number("keynumidx")?,
                first_key: spec.number("firstkey")?,
                key_step: spec.number("keystep")?,
            }),
            _ => Ok(Self::Unknown),
        }
    }
}

/// A rule of any kind.
#[derive(FromReply)]
struct Rule {
    #[redis(rename = "type")]
    kind: String,
    spec: Spec,
}

/// The numbers and words of a rule.
struct Spec(BTreeMap<String, Value>);

impl FromReply for Spec {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        // Without any, RESP2 and RESP3 agree on neither type.
        match reply.peek()? {
            Token::Null => reply.skip().map(|_| Self(BTreeMap::new())),
            _ => BTreeMap::from_reply(reply).map(Self),
        }
    }
}

impl Spec {
    fn number(&self, name: &str) -> Result<i64> {
        self.0.get(name).and_then(Value::as_integer).ok_or_else(|| lacks(name))
    }

    fn text(&self, name: &str) -> Result<String> {
        self.0.get(name).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| lacks(name))
    }
}

fn lacks(name: &str) -> Error {
    Error::decode(format!("a rule for finding keys has no `{name}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::decode;

    /// The frame in RESP2, or in RESP3 with maps and sets.
    fn frame(resp3: bool) -> Vec<u8> {
        let (map, set) = if resp3 { ("%", "~") } else { ("*", "*") };
        let pairs = |n: usize| if resp3 { n } else { 2 * n };
        let spec = format!(
            "{map}{three}\r\n$5\r\nflags\r\n{set}2\r\n+RO\r\n+access\r\n\
             $12\r\nbegin_search\r\n{map}{two}\r\n$4\r\ntype\r\n$7\r\nkeyword\r\n$4\r\nspec\r\n\
             {map}{two}\r\n$7\r\nkeyword\r\n$4\r\nKEYS\r\n$9\r\nstartfrom\r\n:-2\r\n\
             $9\r\nfind_keys\r\n{map}{two}\r\n$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n\
             {map}{three}\r\n$7\r\nlastkey\r\n:-1\r\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n",
            two = pairs(2),
            three = pairs(3),
        );
        let unknown = format!(
            "{map}{four}\r\n$5\r\nnotes\r\n$1\r\nx\r\n$5\r\nflags\r\n{set}1\r\n+OW\r\n\
             $12\r\nbegin_search\r\n{map}{two}\r\n$4\r\ntype\r\n$7\r\nunknown\r\n$4\r\nspec\r\n{map}0\r\n\
             $9\r\nfind_keys\r\n{map}{two}\r\n$4\r\ntype\r\n$7\r\nunknown\r\n$4\r\nspec\r\n{map}0\r\n",
            two = pairs(2),
            four = pairs(4),
        );
        format!(
            "*10\r\n$7\r\nmigrate\r\n:-6\r\n{set}1\r\n+write\r\n:3\r\n:3\r\n:1\r\n{set}1\r\n+@slow\r\n\
             {set}1\r\n$4\r\ntip1\r\n{set}2\r\n{spec}{unknown}\
             *1\r\n*6\r\n$5\r\nm|sub\r\n:2\r\n{set}0\r\n:0\r\n:0\r\n:0\r\n"
        )
        .into_bytes()
    }

    #[test]
    fn a_command_is_the_same_in_both_protocols() {
        let command = decode::<CommandDetails>(&frame(false)).unwrap();
        assert_eq!(decode::<CommandDetails>(&frame(true)).unwrap(), command);
        assert_eq!((&*command.name, command.arity), ("migrate", -6));
        assert_eq!((command.first_key, command.last_key, command.key_step), (3, 3, 1));
        assert_eq!((&*command.flags[0], &*command.acl_categories[0]), ("write", "@slow"));
        let [found, unknown] = &command.key_specs[..] else { panic!("two key specs") };
        let begin = KeysBegin::Keyword { keyword: "KEYS".into(), start_from: -2 };
        assert_eq!(found.begin_search, begin);
        assert_eq!(found.find_keys, KeysFind::Range { last_key: -1, key_step: 1, limit: 0 });
        assert_eq!(found.flags, [KeyFlag::ReadOnly, KeyFlag::Access]);
        assert_eq!(
            (&unknown.begin_search, unknown.notes.as_deref()),
            (&KeysBegin::Unknown, Some("x"))
        );
        assert_eq!(unknown.find_keys, KeysFind::Unknown);
        assert_eq!(command.subcommands[0].name, "m|sub");
    }

    #[test]
    fn redis_6_tells_less_and_newer_servers_may_tell_more() {
        let old = b"*7\r\n$3\r\nget\r\n:2\r\n*1\r\n+fast\r\n:1\r\n:1\r\n:1\r\n*1\r\n+@read\r\n";
        let command = decode::<CommandDetails>(old).unwrap();
        assert_eq!((command.acl_categories, command.key_specs), (vec!["@read".to_owned()], vec![]));
        let mut new = frame(true);
        new.splice(..3, b"*11".iter().copied());
        new.extend(b":1\r\n");
        let command = decode::<CommandDetails>(&frame(true)).unwrap();
        assert_eq!(decode::<CommandDetails>(&new).unwrap(), command);
        assert_eq!(decode::<Vec<Option<CommandDetails>>>(b"*1\r\n_\r\n").unwrap(), [None]);
    }

    #[test]
    fn subcommands_nested_without_end_are_refused() {
        let head = b"*10\r\n$1\r\na\r\n:1\r\n*0\r\n:0\r\n:0\r\n:0\r\n*0\r\n*0\r\n*0\r\n*1\r\n";
        let frame = [head.repeat(100_000), b":1\r\n".to_vec()].concat();
        assert!(decode::<CommandDetails>(&frame).is_err());
    }
}
