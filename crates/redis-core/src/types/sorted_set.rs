//! Members of sorted sets, and ends of ranges of them.

use bytes::Bytes;

use super::short::short;
use crate::command::{Arg, ToArg, Written};

/// Members and their scores.
pub type ScoredMembers<M> = Vec<(M, f64)>;

/// One end of a range of scores; infinite scores are its widest ends.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum ScoreBound {
    /// This score and those beyond.
    Included(f64),
    /// Those beyond this score.
    Excluded(f64),
}

impl From<f64> for ScoreBound {
    fn from(score: f64) -> Self {
        Self::Included(score)
    }
}

impl From<i32> for ScoreBound {
    fn from(score: i32) -> Self {
        Self::Included(score.into())
    }
}

impl ToArg for ScoreBound {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        match self {
            Self::Included(score) => arg.double(*score),
            Self::Excluded(score) => short(arg, format_args!("({score}")),
        }
    }
}

/// One end of a range of members in the order of their bytes, all of which have the same score.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LexBound {
    /// Before every member.
    Min,
    /// After every member.
    Max,
    /// This member and those beyond.
    Included(Bytes),
    /// Those beyond this member.
    Excluded(Bytes),
}

impl LexBound {
    /// This member and those beyond.
    pub fn included(member: impl AsRef<[u8]>) -> Self {
        Self::Included(Bytes::copy_from_slice(member.as_ref()))
    }

    /// Those beyond this member.
    pub fn excluded(member: impl AsRef<[u8]>) -> Self {
        Self::Excluded(Bytes::copy_from_slice(member.as_ref()))
    }
}

impl<T: AsRef<[u8]> + ?Sized> From<&T> for LexBound {
    fn from(member: &T) -> Self {
        Self::included(member)
    }
}

impl From<String> for LexBound {
    fn from(member: String) -> Self {
        Self::Included(member.into())
    }
}

impl From<Bytes> for LexBound {
    fn from(member: Bytes) -> Self {
        Self::Included(member)
    }
}

impl ToArg for LexBound {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        match self {
            Self::Min => arg.bytes(b"-"),
            Self::Max => arg.bytes(b"+"),
            Self::Included(member) => arg.bytes(&[b"[", &member[..]].concat()),
            Self::Excluded(member) => arg.bytes(&[b"(", &member[..]].concat()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cmd;

    fn written(value: impl ToArg) -> Vec<u8> {
        Cmd::<()>::raw("X").arg(value).words().last().unwrap().to_vec()
    }

    #[test]
    fn scores_are_written_with_their_kind_of_end() {
        assert_eq!(written(ScoreBound::from(1.5)), b"1.5");
        assert_eq!(written(ScoreBound::from(-2)), b"-2");
        assert_eq!(written(ScoreBound::Excluded(1.5)), b"(1.5");
        assert_eq!(written(ScoreBound::from(f64::NEG_INFINITY)), b"-inf");
        assert_eq!(written(ScoreBound::Excluded(f64::INFINITY)), b"(inf");
    }

    #[test]
    fn members_are_written_with_their_kind_of_end() {
        assert_eq!(written(LexBound::Min), b"-");
        assert_eq!(written(LexBound::Max), b"+");
        assert_eq!(written(LexBound::from("a")), b"[a");
        assert_eq!(written(LexBound::from(&b"\xff"[..])), b"[\xff");
        assert_eq!(written(LexBound::from(&"a".to_owned())), b"[a");
        assert_eq!(written(LexBound::from("a".to_owned())), b"[a");
        assert_eq!(written(LexBound::excluded("a")), b"(a");
        assert_eq!(written(LexBound::from(Bytes::from("+"))), b"[+");
    }
}
