//! Walking through the keys of a whole cluster, a page at a time (Valkey 9.1).

use crate::command::{Arg, ToArg, Written};
use crate::error::Result;
use crate::reply::{FromReply, ReplyReader};

/// Where a walk through a cluster goes on. It is also what routes the next command: it belongs to the slot
/// that is walked through.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClusterCursor(String);

impl ClusterCursor {
    /// Whether the walk is complete, as the cursor of its last page says.
    pub fn is_done(&self) -> bool {
        self.0 == "0"
    }
}

/// Where every walk begins.
impl Default for ClusterCursor {
    fn default() -> Self {
        Self("0".to_owned())
    }
}

impl ToArg for ClusterCursor {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        arg.bytes(self.0.as_bytes())
    }
}

impl FromReply for ClusterCursor {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        String::from_reply(reply).map(Self)
    }
}

/// A page of a walk through a cluster, and where the next one begins.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ClusterScanPage<K> {
    /// What to ask for the next page with; the walk is complete when it [is done](ClusterCursor::is_done).
    pub cursor: ClusterCursor,
    /// The keys of this page: any number, also none, and some of them may come again on other pages.
    pub keys: Vec<K>,
}

impl<K: FromReply> FromReply for ClusterScanPage<K> {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let (cursor, keys) = FromReply::from_reply(reply)?;
        Ok(Self { cursor, keys })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::decode;

    #[test]
    fn page_has_a_cursor_and_keys() {
        let page: ClusterScanPage<String> =
            decode(b"*2\r\n$9\r\n0-{06S}-0\r\n*1\r\n$1\r\na\r\n").unwrap();
        assert!(!page.cursor.is_done());
        assert_eq!(page.keys, ["a"]);
        let last: ClusterScanPage<String> = decode(b"*2\r\n$1\r\n0\r\n*0\r\n").unwrap();
        assert!(last.cursor.is_done() && last.cursor == ClusterCursor::default());
    }
}
