//! What becomes of single fields of hashes that get or lose an expiry.

use resp_proto::Token;

use crate::error::Result;
use crate::reply::{FromReply, ReplyReader, mismatch};

/// What became of a field that was to get an expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FieldExpiry {
    /// There is no such field.
    Missing,
    /// It is as before, for a condition did not hold.
    Unchanged,
    /// It has the expiry.
    Set,
    /// It was deleted at once, for the expiry is in the past.
    Deleted,
    /// A number that this crate does not know.
    Other(i64),
}

impl FromReply for FieldExpiry {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        match reply.token()? {
            Token::Integer(-2) => Ok(Self::Missing),
            Token::Integer(0) => Ok(Self::Unchanged),
            Token::Integer(1) => Ok(Self::Set),
            Token::Integer(2) => Ok(Self::Deleted),
            Token::Integer(other) => Ok(Self::Other(other)),
            token => Err(mismatch("what became of a field's expiry", token)),
        }
    }
}

/// What became of a field that was to lose its expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FieldPersist {
    /// There is no such field.
    Missing,
    /// It is as before, for it had no expiry.
    Unchanged,
    /// Its expiry was removed.
    Removed,
    /// A number that this crate does not know.
    Other(i64),
}

impl FromReply for FieldPersist {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        match reply.token()? {
            Token::Integer(-2) => Ok(Self::Missing),
            Token::Integer(-1) => Ok(Self::Unchanged),
            Token::Integer(1) => Ok(Self::Removed),
            Token::Integer(other) => Ok(Self::Other(other)),
            token => Err(mismatch("what became of a field's expiry", token)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::decode;

    #[test]
    fn each_field_tells_what_became_of_it() {
        use FieldExpiry::{Deleted, Missing, Other, Set, Unchanged};
        let all = decode::<Vec<FieldExpiry>>(b"*5\r\n:-2\r\n:0\r\n:1\r\n:2\r\n:7\r\n").unwrap();
        assert_eq!(all, [Missing, Unchanged, Set, Deleted, Other(7)]);
        assert!(decode::<FieldExpiry>(b"$1\r\n1\r\n").is_err());
        let all = decode::<Vec<FieldPersist>>(b"*4\r\n:-2\r\n:-1\r\n:1\r\n:7\r\n").unwrap();
        let expected = [
            FieldPersist::Missing,
            FieldPersist::Unchanged,
            FieldPersist::Removed,
            FieldPersist::Other(7),
        ];
        assert_eq!(all, expected);
    }
}
