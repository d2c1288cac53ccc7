//! Walking through all pages of a `SCAN`, `HSCAN`, `SSCAN` or `ZSCAN`.
//!
//! Owns which page is asked for next. Knows nothing of connections: an adapter runs the commands.

use std::vec::IntoIter;

use crate::command::{Cmd, Command};
use crate::error::{Error, ErrorKind, Result};
use crate::reply::FromReply;
use crate::types::{Cursor, ScanPage};

/// The commands that page by a cursor, and where among their arguments it stands.
const CURSORS: [(&str, usize); 4] = [("SCAN", 0), ("HSCAN", 1), ("SSCAN", 1), ("ZSCAN", 1)];

/// A walk that fetches a page when the items of the one before are used up.
///
/// ```
/// use redis_core::scan::{Next, Scan};
/// use redis_core::{cmd, decode, types::Cursor};
///
/// let mut scan = Scan::new(cmd::scan::<String>(Cursor::START).count(2));
/// let Next::Ask(page) = scan.next_step() else { panic!("nothing is known yet") };
/// assert_eq!(page.words().collect::<Vec<_>>(), [&b"SCAN"[..], b"0", b"COUNT", b"2"]);
///
/// scan.handle_page(decode(b"*2\r\n$2\r\n17\r\n*1\r\n$1\r\na\r\n"))?;
/// assert!(matches!(scan.next_step(), Next::Item(item) if item == "a"));
/// let Next::Ask(page) = scan.next_step() else { panic!("the walk goes on") };
/// assert_eq!(page.words().nth(1), Some(&b"17"[..]));
///
/// scan.handle_page(decode(b"*2\r\n$1\r\n0\r\n*0\r\n"))?;
/// assert!(matches!(scan.next_step(), Next::Done));
/// # Ok::<(), redis_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Scan<T> {
    /// Asks for the next page; none behind the last one, and behind an error.
    command: Option<Cmd<ScanPage<T>>>,
    items: IntoIter<T>,
}

/// What a walk needs or has.
#[derive(Debug)]
pub enum Next<T> {
    /// The next item.
    Item(T),
    /// Run this command and tell [`Scan::handle_page`] what came of it.
    Ask(Cmd<ScanPage<T>>),
    /// That was all.
    Done,
}

impl<T: FromReply> Scan<T> {
    /// A walk that begins with this page.
    pub fn new(first: impl Command<Reply = ScanPage<T>>) -> Self {
        Self { command: Some(first.into_cmd()), items: Vec::new().into_iter() }
    }

    /// What comes next.
    pub fn next_step(&mut self) -> Next<T> {
        match (self.items.next(), &self.command) {
            (Some(item), _) => Next::Item(item),
            (None, Some(command)) => Next::Ask(command.clone()),
            (None, None) => Next::Done,
        }
    }

    /// Takes the page that [`Next::Ask`] asked for. An error ends the walk.
    ///
    /// # Errors
    ///
    /// The one handed in; `InvalidRequest` where the command is no scan.
    pub fn handle_page(&mut self, page: Result<ScanPage<T>>) -> Result<()> {
        let Some(command) = self.command.take() else { return page.map(drop) };
        let ScanPage { cursor, items } = page?;
        if !cursor.is_done() {
            self.command = Some(at(&command, cursor)?);
        }
        self.items = items.into_iter();
        Ok(())
    }
}

/// The same command with another cursor.
fn at<T>(command: &Cmd<ScanPage<T>>, cursor: Cursor) -> Result<Cmd<ScanPage<T>>> {
    let info = command.info();
    let Some((_, position)) = CURSORS.iter().find(|(name, _)| *name == info.name) else {
        return Err(Error::new(
            ErrorKind::InvalidRequest,
            format!("{} is no scan: use SCAN, HSCAN, SSCAN or ZSCAN", info.name),
        ));
    };
    let mut next = Cmd::new(info);
    for (index, word) in command.words().skip(usize::from(info.words)).enumerate() {
        next = match index {
            _ if index == *position => next.arg(cursor),
            0 => next.key(word),
            _ => next.arg(word),
        };
    }
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode;

    fn asked<T: FromReply>(scan: &mut Scan<T>) -> String {
        match scan.next_step() {
            Next::Ask(cmd) => {
                let words: Vec<_> = cmd.words().map(String::from_utf8_lossy).collect();
                words.join(" ")
            }
            _ => panic!("nothing is asked"),
        }
    }

    #[test]
    fn keyed_walk_keeps_its_key_and_options_and_takes_the_next_cursor() {
        let first = Cmd::<ScanPage<String>>::raw("SSCAN").arg("k").arg("0").arg("MATCH").arg("0");
        let mut scan = Scan::new(first);
        assert_eq!(asked(&mut scan), "SSCAN k 0 MATCH 0");
        scan.handle_page(decode(b"*2\r\n$1\r\n9\r\n*0\r\n")).unwrap();
        assert_eq!(asked(&mut scan), "SSCAN k 9 MATCH 0");
        let Next::Ask(cmd) = scan.next_step() else { panic!("the walk goes on") };
        assert_eq!(cmd.slot(), Some(crate::slot_of(b"k")));
    }

    #[test]
    fn an_error_ends_the_walk_behind_the_items_of_the_pages_before() {
        let mut scan = Scan::new(Cmd::<ScanPage<String>>::raw("SCAN").arg("0"));
        scan.handle_page(decode(b"*2\r\n$1\r\n9\r\n*1\r\n$1\r\na\r\n")).unwrap();
        assert!(matches!(scan.next_step(), Next::Item(_)));
        assert!(scan.handle_page(decode(b"-ERR no\r\n")).is_err());
        assert!(matches!(scan.next_step(), Next::Done));
    }

    #[test]
    fn command_that_has_no_cursor_is_refused() {
        let mut scan = Scan::new(Cmd::<ScanPage<String>>::raw("LRANGE").arg("k"));
        let error = scan.handle_page(decode(b"*2\r\n$1\r\n9\r\n*0\r\n")).unwrap_err();
        assert_eq!(error.to_string(), "LRANGE is no scan: use SCAN, HSCAN, SSCAN or ZSCAN");
        assert!(matches!(scan.next_step(), Next::Done));
    }
}
