//! Walking through a collection, a page at a time.

use crate::command::{Arg, ToArg, Written};
use crate::error::Result;
use crate::reply::{FromReply, ReplyReader};

/// Where a walk goes on: only the server knows what it means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Cursor(u64);

impl Cursor {
    /// Where every walk begins.
    pub const START: Self = Self(0);

    /// Whether the walk is complete, as the cursor of its last page says.
    pub fn is_done(self) -> bool {
        self.0 == 0
    }
}

impl FromReply for Cursor {
    const EXACT: bool = true;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        u64::from_reply(reply).map(Self)
    }
}

impl ToArg for Cursor {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        arg.unsigned(self.0)
    }
}

/// A page of a walk, and where the next one begins.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ScanPage<T> {
    /// What to ask for the next page with; the walk is complete when it [is done](Cursor::is_done).
    pub cursor: Cursor,
    /// What this page has: any number, also none, and some of it may come again on other pages.
    pub items: Vec<T>,
}

impl<T: FromReply> FromReply for ScanPage<T> {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let (cursor, items) = <(Cursor, Vec<T>)>::from_reply(reply)?;
        Ok(Self { cursor, items })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::decode;

    #[test]
    fn a_page_has_a_cursor_and_items_or_pairs() {
        let page: ScanPage<String> =
            decode(b"*2\r\n$20\r\n18446744073709551615\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n").unwrap();
        assert_eq!((page.cursor, page.cursor.is_done()), (Cursor(u64::MAX), false));
        assert_eq!(page.items, ["a", "b"]);
        let page: ScanPage<(String, i64)> =
            decode(b"*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n").unwrap();
        assert_eq!((page.cursor.is_done(), page.items), (true, vec![("a".to_owned(), 1)]));
        assert!(decode::<ScanPage<String>>(b"*1\r\n$1\r\n0\r\n").is_err());
    }
}
