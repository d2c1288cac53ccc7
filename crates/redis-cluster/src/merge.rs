//! How the replies of several nodes become one.
//!
//! Owns the reading of the table's response policies. Frames are copied, not decoded into trees.

use redis_core::{Error, ReplyReader, ResponsePolicy, Result};
use resp_proto::{FrameReader, Token};

/// What becomes of several replies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Merge {
    /// One of them, if none is an error.
    All,
    /// The first that is no error.
    One,
    /// The first that is neither an error nor null, if there is one.
    Any,
    /// A number, or a list of numbers one by one.
    Numbers(Fold),
    /// The elements of all lists.
    Concat,
    /// A list of the replies.
    Collect,
    /// A list's elements in the order of the keys: for each key the part that has it.
    ByKey(Vec<u32>),
}

/// How numbers become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fold {
    Sum,
    Min,
    Max,
    And,
    Or,
}

/// What came of one part: its reply frame, or why there is none.
pub(crate) type Part<'a> = Result<&'a [u8], &'a Error>;

/// What came of all of them.
#[derive(Debug, PartialEq)]
pub(crate) enum Merged {
    /// As of this part.
    As(usize),
    /// This frame.
    Frame(Vec<u8>),
    /// The replies do not fit each other.
    Failed(Error),
}

impl Merge {
    /// What the policy says; none where it is for each command to say.
    pub(crate) fn of(policy: ResponsePolicy) -> Option<Self> {
        Some(match policy {
            ResponsePolicy::Default | ResponsePolicy::Special => return None,
            ResponsePolicy::OneSucceeded => Self::One,
            ResponsePolicy::AllSucceeded => Self::All,
            ResponsePolicy::AggSum => Self::Numbers(Fold::Sum),
            ResponsePolicy::AggMin => Self::Numbers(Fold::Min),
            ResponsePolicy::AggMax => Self::Numbers(Fold::Max),
            ResponsePolicy::AggLogicalAnd => Self::Numbers(Fold::And),
            ResponsePolicy::AggLogicalOr => Self::Numbers(Fold::Or),
        })
    }

    /// Puts the parts' replies together.
    pub(crate) fn apply(&self, parts: &[Part<'_>]) -> Merged {
        let good = |part: &Part<'_>| part.is_ok_and(|frame| !is_error(frame));
        match self {
            Self::One => return Merged::As(parts.iter().position(good).unwrap_or(0)),
            Self::Any => {
                let some = |part: &Part<'_>| {
                    good(part) && !part.is_ok_and(|frame| matches!(head(frame), Some(Token::Null)))
                };
                let at = parts.iter().position(some).or_else(|| parts.iter().position(good));
                return Merged::As(at.unwrap_or(0));
            }
            _ => {}
        }
        if let Some(at) = parts.iter().position(|part| !good(part)) {
            return Merged::As(at);
        }
        let frames: Vec<&[u8]> = parts.iter().filter_map(|part| part.ok()).collect();
        let frame = match self {
            Self::Numbers(fold) => fold.apply(&frames),
            Self::Concat => concat(&frames),
            Self::ByKey(owners) => by_key(owners, &frames),
            Self::Collect => {
                let mut out = header(frames.len());
                frames.iter().for_each(|frame| out.extend_from_slice(frame));
                Ok(out)
            }
            Self::All | Self::One | Self::Any => return Merged::As(0),
        };
        match frame {
            Ok(frame) => Merged::Frame(frame),
            Err(error) => Merged::Failed(error),
        }
    }
}

fn head(frame: &[u8]) -> Option<Token<'_>> {
    FrameReader::new(frame).next_data().ok().flatten()
}

/// Whether a whole frame is an error, behind attributes or not.
#[inline]
pub(crate) fn is_error(frame: &[u8]) -> bool {
    match frame.first() {
        Some(b'-' | b'!') => true,
        Some(b'|') => {
            matches!(head(frame), Some(Token::SimpleError(_) | Token::BlobError(_)))
        }
        _ => false,
    }
}

fn header(len: usize) -> Vec<u8> {
    format!("*{len}\r\n").into_bytes()
}

/// Starts reading a list whose length is known.
fn list(frame: &[u8]) -> Result<(ReplyReader<'_>, usize)> {
    let mut reader = ReplyReader::new(frame);
    match reader.list()? {
        Some(len) => Ok((reader, len)),
        None => Err(Error::decode("a streamed list can't be put together with others")),
    }
}

fn concat(frames: &[&[u8]]) -> Result<Vec<u8>> {
    let lists = frames.iter().map(|frame| list(frame)).collect::<Result<Vec<_>>>()?;
    let mut out = header(lists.iter().map(|(_, len)| len).sum());
    for (mut reader, len) in lists {
        for _ in 0..len {
            out.extend_from_slice(reader.skip()?);
        }
    }
    Ok(out)
}

fn by_key(owners: &[u32], frames: &[&[u8]]) -> Result<Vec<u8>> {
    let mut lists = frames.iter().map(|frame| list(frame)).collect::<Result<Vec<_>>>()?;
    let mut out = header(owners.len());
    out.reserve(frames.iter().map(|frame| frame.len()).sum());
    for owner in owners {
        let (reader, len) = lists.get_mut(*owner as usize).ok_or_else(uneven)?;
        *len = len.checked_sub(1).ok_or_else(uneven)?;
        out.extend_from_slice(reader.skip()?);
    }
    match lists.iter().all(|(_, len)| *len == 0) {
        true => Ok(out),
        false => Err(uneven()),
    }
}

fn uneven() -> Error {
    Error::decode("a part of a command over several slots has not as many replies as keys")
}

impl Fold {
    fn apply(self, frames: &[&[u8]]) -> Result<Vec<u8>> {
        if matches!(frames.first().and_then(|frame| head(frame)), Some(Token::Array(_))) {
            let rows = frames.iter().map(|frame| redis_core::decode::<Vec<i64>>(frame));
            let rows = rows.collect::<Result<Vec<_>>>()?;
            let len = rows.first().map_or(0, Vec::len);
            if rows.iter().any(|row| row.len() != len) {
                return Err(Error::decode("lists of numbers of several nodes differ in length"));
            }
            let mut out = header(len);
            for at in 0..len {
                let number = self.fold(rows.iter().map(|row| row[at]));
                out.extend_from_slice(format!(":{number}\r\n").as_bytes());
            }
            return Ok(out);
        }
        let numbers = frames.iter().map(|frame| redis_core::decode::<i64>(frame));
        let number = self.fold(numbers.collect::<Result<Vec<_>>>()?.into_iter());
        Ok(format!(":{number}\r\n").into_bytes())
    }

    fn fold(self, mut numbers: impl Iterator<Item = i64>) -> i64 {
        match self {
            Self::Sum => numbers.fold(0, i64::saturating_add),
            Self::Min => numbers.min().unwrap_or(0),
            Self::Max => numbers.max().unwrap_or(0),
            Self::And => numbers.all(|n| n != 0).into(),
            Self::Or => numbers.any(|n| n != 0).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(merge: &Merge, frames: &[&str]) -> String {
        let parts: Vec<Part<'_>> = frames.iter().map(|frame| Ok(frame.as_bytes())).collect();
        match merge.apply(&parts) {
            Merged::As(at) => frames[at].replace("\r\n", " "),
            Merged::Frame(frame) => String::from_utf8(frame).unwrap().replace("\r\n", " "),
            Merged::Failed(error) => error.to_string(),
        }
    }

    #[test]
    fn replies_become_one_by_each_policy() {
        let fold = |fold| Merge::Numbers(fold);
        let by_key = || Merge::ByKey(vec![1, 0, 1]);
        for (merge, frames, expected) in [
            (Merge::All, &["+OK\r\n", "+OK\r\n"][..], "+OK "),
            (Merge::All, &["+OK\r\n", "-ERR no\r\n"], "-ERR no "),
            (Merge::One, &["-ERR no\r\n", "+OK\r\n", "-ERR b\r\n"], "+OK "),
            (Merge::One, &["-ERR a\r\n", "!5\r\nERR b\r\n"], "-ERR a "),
            (Merge::Any, &["$-1\r\n", "_\r\n", "$1\r\na\r\n"], "$1 a "),
            (Merge::Any, &["-ERR no\r\n", "$-1\r\n"], "$-1 "),
            (fold(Fold::Sum), &[":2\r\n", ":3\r\n"], ":5 "),
            (fold(Fold::Sum), &[":2\r\n", "-ERR no\r\n"], "-ERR no "),
            (fold(Fold::Min), &[":2\r\n", ":3\r\n"], ":2 "),
            (fold(Fold::Min), &["*2\r\n:1\r\n:5\r\n", "*2\r\n:2\r\n:4\r\n"], "*2 :1 :4 "),
            (fold(Fold::Max), &[":2\r\n", ":3\r\n"], ":3 "),
            (fold(Fold::And), &["*2\r\n:1\r\n:1\r\n", "*2\r\n:0\r\n:1\r\n"], "*2 :0 :1 "),
            (fold(Fold::Or), &[":0\r\n", ":1\r\n"], ":1 "),
            (
                Merge::Concat,
                &["*1\r\n$1\r\na\r\n", "*0\r\n", "*1\r\n*1\r\n:1\r\n"],
                "*2 $1 a *1 :1 ",
            ),
            (Merge::Collect, &["$1\r\na\r\n", ":1\r\n"], "*2 $1 a :1 "),
            (by_key(), &["*1\r\n$-1\r\n", "*2\r\n$1\r\na\r\n$1\r\nb\r\n"], "*3 $1 a $-1 $1 b "),
            (by_key(), &["*1\r\n$-1\r\n", "-LOADING x\r\n"], "-LOADING x "),
        ] {
            assert_eq!(merged(&merge, frames), expected, "{merge:?}");
        }
    }

    #[test]
    fn replies_that_do_not_fit_are_an_error() {
        for (merge, frames) in [
            (Merge::ByKey(vec![0, 1]), &["*2\r\n:1\r\n:2\r\n", "*1\r\n:3\r\n"][..]),
            (Merge::ByKey(vec![0, 1]), &["*1\r\n:1\r\n", "*0\r\n"]),
            (Merge::Concat, &["*0\r\n", ":1\r\n"]),
            (Merge::Numbers(Fold::Sum), &[":1\r\n", "+OK\r\n"]),
            (Merge::Numbers(Fold::And), &["*1\r\n:1\r\n", "*0\r\n"]),
        ] {
            let parts: Vec<Part<'_>> = frames.iter().map(|frame| Ok(frame.as_bytes())).collect();
            assert!(matches!(merge.apply(&parts), Merged::Failed(_)), "{merge:?}");
        }
        let lost = Error::new(redis_core::ErrorKind::Io, "lost");
        assert_eq!(Merge::All.apply(&[Ok(b"+OK\r\n"), Err(&lost)]), Merged::As(1));
    }
}
