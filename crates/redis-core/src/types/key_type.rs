//! The types of values.

use redis_derive::{FromReply, ToArg};

/// The type of a key's value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, FromReply, ToArg)]
#[redis(rename_all = "lowercase")]
#[non_exhaustive]
pub enum KeyType {
    /// There is no such key.
    None,
    /// A string.
    String,
    /// A list.
    List,
    /// A set.
    Set,
    /// A sorted set.
    #[redis(rename = "zset")]
    SortedSet,
    /// A hash.
    Hash,
    /// A stream.
    Stream,
    /// A vector set.
    VectorSet,
    /// Another type, such as a module's, by the server's name of it.
    #[redis(other)]
    Other(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Cmd;
    use crate::reply::decode;

    #[test]
    fn types_have_the_server_s_names() {
        assert_eq!(decode::<KeyType>(b"+zset\r\n").unwrap(), KeyType::SortedSet);
        assert_eq!(decode::<KeyType>(b"+none\r\n").unwrap(), KeyType::None);
        assert_eq!(decode::<KeyType>(b"+vectorset\r\n").unwrap(), KeyType::VectorSet);
        assert_eq!(decode::<KeyType>(b"+x-y\r\n").unwrap(), KeyType::Other("x-y".into()));
        let cmd = Cmd::<()>::raw("X").arg(KeyType::SortedSet).arg(KeyType::Other("x-y".into()));
        assert_eq!(cmd.words().collect::<Vec<_>>(), [&b"X"[..], b"zset", b"x-y"]);
    }
}
