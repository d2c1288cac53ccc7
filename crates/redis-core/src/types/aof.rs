//! Who has written to its append-only file.

use crate::error::Result;
use crate::reply::{FromReply, ReplyReader};

/// How many append-only files hold the connection's last write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct AofAcks {
    /// 1 where the server itself has it on disk, else 0.
    pub local: u64,
    /// How many replicas have it on disk.
    pub replicas: u64,
}

impl FromReply for AofAcks {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let (local, replicas) = <(u64, u64)>::from_reply(reply)?;
        Ok(Self { local, replicas })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::decode;

    #[test]
    fn the_server_itself_comes_first() {
        let acks = decode::<AofAcks>(b"*2\r\n:1\r\n:0\r\n").unwrap();
        assert_eq!(acks, AofAcks { local: 1, replicas: 0 });
    }
}
