//! What a command does with a key.

use bytes::Bytes;
use redis_derive::FromReply;

use crate::error::Result;
use crate::reply::{FromReply, ReplyReader};

use super::record::{record, skip};

/// What a command does with a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, FromReply)]
#[redis(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KeyFlag {
    /// `RW`: reads and changes the value.
    #[redis(rename = "RW")]
    ReadWrite,
    /// `RO`: only reads it.
    #[redis(rename = "RO")]
    ReadOnly,
    /// `OW`: replaces it without reading.
    #[redis(rename = "OW")]
    Overwrite,
    /// `RM`: deletes the key.
    #[redis(rename = "RM")]
    Remove,
    /// `access`: user data of the value may be returned or copied.
    Access,
    /// `update`: user data of the value may be changed.
    Update,
    /// `insert`: data may be added, none is changed.
    Insert,
    /// `delete`: data may be removed from the value.
    Delete,
    /// `not_key`: it is no key, but decides the slot like one.
    NotKey,
    /// `incomplete`: not all such keys can be found.
    Incomplete,
    /// `variable_flags`: other flags may hold, depending on the arguments.
    VariableFlags,
    /// Another one, by the server's name of it.
    #[redis(other)]
    Other(String),
}

/// A key of a command, and what the command does with it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyAccess {
    /// The key.
    pub key: Bytes,
    /// What the command does with it.
    pub flags: Vec<KeyFlag>,
}

impl FromReply for KeyAccess {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let len = record(reply, "a key and its flags", 2)?;
        let access = Self { key: Bytes::from_reply(reply)?, flags: Vec::from_reply(reply)? };
        skip(reply, len - 2)?;
        Ok(access)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::decode;

    #[test]
    fn flags_are_a_list_or_a_set() {
        let resp2 = b"*1\r\n*2\r\n$1\r\na\r\n*3\r\n+RW\r\n+access\r\n+shiny\r\n";
        let resp3 = b"*1\r\n*2\r\n$1\r\na\r\n~3\r\n+RW\r\n+access\r\n+shiny\r\n";
        let keys = decode::<Vec<KeyAccess>>(resp2).unwrap();
        assert_eq!(decode::<Vec<KeyAccess>>(resp3).unwrap(), keys);
        assert_eq!(keys[0].key, "a");
        let shiny = KeyFlag::Other("shiny".into());
        assert_eq!(keys[0].flags, [KeyFlag::ReadWrite, KeyFlag::Access, shiny]);
    }
}
