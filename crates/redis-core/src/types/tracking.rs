//! Client-side caching as the server sees it.

use std::collections::BTreeMap;

use bytes::Bytes;
use redis_derive::FromReply;

use crate::error::{Error, Result};
use crate::reply::{FromReply, ReplyReader, Value};

/// How the server tracks the keys that a connection reads.
#[derive(Clone, Debug, PartialEq, FromReply)]
#[non_exhaustive]
pub struct TrackingInfo {
    /// How tracking is set up.
    pub flags: Vec<TrackingFlag>,
    /// Where notices of changed keys go.
    pub redirect: TrackingRedirect,
    /// The prefixes of the keys that are broadcast.
    pub prefixes: Vec<Bytes>,
    /// What newer servers tell too.
    #[redis(other)]
    pub other: BTreeMap<String, Value>,
}

/// A property of tracking.
#[derive(Clone, Debug, PartialEq, Eq, Hash, FromReply)]
#[redis(rename_all = "lowercase")]
#[non_exhaustive]
pub enum TrackingFlag {
    /// Keys are not tracked.
    Off,
    /// Keys are tracked.
    On,
    /// All keys with the prefixes are announced, read or not.
    #[redis(rename = "bcast")]
    Broadcast,
    /// Keys are tracked only after `CLIENT CACHING YES`.
    OptIn,
    /// Keys are tracked unless after `CLIENT CACHING NO`.
    OptOut,
    /// The next command's keys are tracked.
    #[redis(rename = "caching-yes")]
    CachingYes,
    /// The next command's keys are not tracked.
    #[redis(rename = "caching-no")]
    CachingNo,
    /// The connection's own changes are not announced to it.
    NoLoop,
    /// The connection that notices went to is gone.
    #[redis(rename = "broken_redirect")]
    BrokenRedirect,
    /// Another one, by the server's name of it.
    #[redis(other)]
    Other(String),
}

/// Where notices of changed keys go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TrackingRedirect {
    /// Nowhere: keys are not tracked.
    Off,
    /// To the connection that reads the keys.
    Here,
    /// To the connection with this id.
    To(u64),
}

impl FromReply for TrackingRedirect {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let id = i64::from_reply(reply)?;
        match u64::try_from(id) {
            Ok(0) => Ok(Self::Here),
            Ok(id) => Ok(Self::To(id)),
            Err(_) if id == -1 => Ok(Self::Off),
            Err(_) => Err(Error::decode(format!("expected the id of a connection, got {id}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::decode;

    #[test]
    fn tracking_is_the_same_in_both_protocols() {
        let resp2 =
            b"*6\r\n$5\r\nflags\r\n*2\r\n$2\r\non\r\n$5\r\nbcast\r\n$8\r\nredirect\r\n:7\r\n\
            $8\r\nprefixes\r\n*1\r\n$2\r\na:\r\n";
        let resp3 =
            b"%3\r\n$5\r\nflags\r\n~2\r\n$2\r\non\r\n$5\r\nbcast\r\n$8\r\nredirect\r\n:7\r\n\
            $8\r\nprefixes\r\n*1\r\n$2\r\na:\r\n";
        let info = decode::<TrackingInfo>(resp2).unwrap();
        assert_eq!(decode::<TrackingInfo>(resp3).unwrap(), info);
        assert_eq!(info.flags, [TrackingFlag::On, TrackingFlag::Broadcast]);
        assert_eq!(info.redirect, TrackingRedirect::To(7));
        assert_eq!(info.prefixes, ["a:"]);
    }

    #[test]
    fn off_and_here_are_no_ids() {
        assert_eq!(decode::<TrackingRedirect>(b":-1\r\n").unwrap(), TrackingRedirect::Off);
        assert_eq!(decode::<TrackingRedirect>(b":0\r\n").unwrap(), TrackingRedirect::Here);
        assert!(decode::<TrackingRedirect>(b":-2\r\n").is_err());
    }
}
