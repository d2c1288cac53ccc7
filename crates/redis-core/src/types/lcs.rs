//! Where two values have their longest common subsequence.

use std::ops::RangeInclusive;

use redis_derive::FromReply;

use crate::error::{Error, Result};
use crate::reply::{FromReply, ReplyReader};

/// Where two values have their longest common subsequence.
#[derive(Clone, Debug, PartialEq, Eq, FromReply)]
#[non_exhaustive]
pub struct LcsMatches {
    /// The subsequence's length in bytes.
    pub len: u64,
    /// The parts that both have, from the end to the beginning.
    pub matches: Vec<LcsMatch>,
}

/// One part of two values' longest common subsequence.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LcsMatch {
    /// The bytes of the first value.
    pub first: RangeInclusive<u64>,
    /// The bytes of the second value.
    pub second: RangeInclusive<u64>,
    /// How many bytes it has, where that was asked for.
    pub len: Option<u64>,
}

impl FromReply for LcsMatch {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let parts = reply.list()?;
        if !matches!(parts, Some(2 | 3)) {
            return Err(Error::decode("expected the 2 or 3 parts of a match"));
        }
        Ok(Self {
            first: range(reply)?,
            second: range(reply)?,
            len: if parts == Some(3) { Some(u64::from_reply(reply)?) } else { None },
        })
    }
}

fn range(reply: &mut ReplyReader<'_>) -> Result<RangeInclusive<u64>> {
    let (first, last) = <(u64, u64)>::from_reply(reply)?;
    Ok(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::decode;

    #[test]
    fn matches_are_the_same_in_both_protocols() {
        let rest = "$7\r\nmatches\r\n*2\r\n*2\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n\
                    *3\r\n*2\r\n:2\r\n:3\r\n*2\r\n:0\r\n:1\r\n:2\r\n$3\r\nlen\r\n:6\r\n";
        let matches = vec![
            LcsMatch { first: 4..=7, second: 5..=8, len: None },
            LcsMatch { first: 2..=3, second: 0..=1, len: Some(2) },
        ];
        for start in ["*4\r\n", "%2\r\n"] {
            let frame = format!("{start}{rest}");
            let expected = LcsMatches { len: 6, matches: matches.clone() };
            assert_eq!(decode::<LcsMatches>(frame.as_bytes()).unwrap(), expected);
        }
        let error = decode::<LcsMatches>(b"%1\r\n$7\r\nmatches\r\n*0\r\n").unwrap_err();
        assert_eq!(error.to_string(), "the reply has no field `len`");
    }
}
