//! What became of keys that were to move to another server.

use crate::error::{Error, Result};
use crate::reply::{FromReply, ReplyReader};

/// What became of keys that were to move to another server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Migrated {
    /// Those that exist are there.
    Done,
    /// None of them exists.
    NoKey,
}

impl FromReply for Migrated {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        match &*reply.string()? {
            b"OK" => Ok(Self::Done),
            b"NOKEY" => Ok(Self::NoKey),
            _ => Err(Error::decode("expected `OK` or `NOKEY`, got another text")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::decode;

    #[test]
    fn no_key_is_no_success() {
        assert_eq!(decode::<Migrated>(b"+OK\r\n").unwrap(), Migrated::Done);
        assert_eq!(decode::<Migrated>(b"+NOKEY\r\n").unwrap(), Migrated::NoKey);
        assert!(decode::<Migrated>(b"+HUH\r\n").is_err());
    }
}
