//! Commands that the server found worth remembering.

use std::time::{Duration, SystemTime};

use bytes::Bytes;

use crate::error::Result;
use crate::reply::{FromReply, ReplyReader};

use super::record::{not_empty, record, skip};
use super::time::{at_seconds, micros};

/// A command that took long.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlowlogEntry {
    /// Its number, counted up since the server started.
    pub id: u64,
    /// When it ran, to the second.
    pub time: SystemTime,
    /// How long it took, to the microsecond.
    pub duration: Duration,
    /// Its words; the server shortens what is long.
    pub args: Vec<Bytes>,
    /// Where its connection came from, such as `127.0.0.1:50000`.
    pub client_addr: Option<String>,
    /// Its connection's name.
    pub client_name: Option<String>,
}

/// A command that took long, or that moved much data.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommandLogEntry {
    /// Its number, counted up since the server started.
    pub id: u64,
    /// When it ran, to the second.
    pub time: SystemTime,
    /// Microseconds in the log of slow commands, bytes in the logs of large requests and replies.
    pub amount: u64,
    /// Its words; the server shortens what is long.
    pub args: Vec<Bytes>,
    /// Where its connection came from, such as `127.0.0.1:50000`.
    pub client_addr: Option<String>,
    /// Its connection's name.
    pub client_name: Option<String>,
}

impl FromReply for SlowlogEntry {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let len = record(reply, "an entry of the slow log", 4)?;
        let id = u64::from_reply(reply)?;
        let time = at_seconds(reply)?;
        let duration = micros(reply)?;
        let args = Vec::from_reply(reply)?;
        let client_addr = if len > 4 { not_empty(reply)? } else { None };
        let client_name = if len > 5 { not_empty(reply)? } else { None };
        skip(reply, len.saturating_sub(6))?;
        Ok(Self { id, time, duration, args, client_addr, client_name })
    }
}

impl FromReply for CommandLogEntry {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let len = record(reply, "an entry of the command log", 6)?;
        let entry = Self {
            id: u64::from_reply(reply)?,
            time: at_seconds(reply)?,
            amount: u64::from_reply(reply)?,
            args: Vec::from_reply(reply)?,
            client_addr: not_empty(reply)?,
            client_name: not_empty(reply)?,
        };
        skip(reply, len - 6)?;
        Ok(entry)
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::reply::decode;

    const ENTRY: &[u8] = b"*6\r\n:23\r\n:1795345320\r\n:12\r\n*2\r\n$6\r\nMODULE\r\n$4\r\nLIST\r\n\
        $15\r\n127.0.0.1:43672\r\n$0\r\n\r\n";

    #[test]
    fn an_entry_tells_when_how_long_and_whose() {
        let entry = decode::<SlowlogEntry>(ENTRY).unwrap();
        assert_eq!(entry.time, UNIX_EPOCH + Duration::from_secs(1_795_345_320));
        assert_eq!((entry.id, entry.duration), (23, Duration::from_micros(12)));
        assert_eq!(entry.args, ["MODULE", "LIST"]);
        assert_eq!(entry.client_addr.as_deref(), Some("127.0.0.1:43672"));
        assert_eq!(entry.client_name, None);
        let entry = decode::<CommandLogEntry>(ENTRY).unwrap();
        assert_eq!((entry.id, entry.amount), (23, 12));
    }

    #[test]
    fn an_entry_may_have_more_values_or_lack_the_client() {
        let more = [b"*7", &ENTRY[2..], b":1\r\n"].concat();
        let whole = decode::<SlowlogEntry>(ENTRY).unwrap();
        assert_eq!(decode::<SlowlogEntry>(&more).unwrap(), whole);
        let short = decode::<SlowlogEntry>(b"*4\r\n:1\r\n:2\r\n:3\r\n*0\r\n").unwrap();
        assert_eq!((short.client_addr, short.client_name), (None, None));
        assert!(decode::<SlowlogEntry>(b"*3\r\n:1\r\n:2\r\n:3\r\n").is_err());
    }
}
