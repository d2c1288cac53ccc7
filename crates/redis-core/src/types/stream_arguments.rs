//! Where commands on streams begin, end, read from and trim to.

use super::StreamId;
use super::short::short;
use crate::command::{Arg, Args, One, ToArg, ToArgs, Written};

/// The id of an entry that is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AddId {
    /// The server chooses it, by its clock.
    Auto,
    /// These milliseconds, and the server chooses the number among them; since Redis 7.0.
    AutoSequence(u64),
    /// This one, which must be higher than the stream's last.
    Id(StreamId),
}

impl<T: Into<StreamId>> From<T> for AddId {
    fn from(id: T) -> Self {
        Self::Id(id.into())
    }
}

impl ToArg for AddId {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        match self {
            Self::Auto => arg.bytes(b"*"),
            Self::AutoSequence(ms) => short(arg, format_args!("{ms}-*")),
            Self::Id(id) => id.to_arg(arg),
        }
    }
}

/// One end of a range of a stream's entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StreamBound {
    /// The lowest id there can be.
    Min,
    /// The highest id there can be.
    Max,
    /// This id and those beyond.
    Included(StreamId),
    /// Those beyond this id.
    Excluded(StreamId),
    /// All ids of this millisecond and those beyond.
    Millis(u64),
}

impl<T: Into<StreamId>> From<T> for StreamBound {
    fn from(id: T) -> Self {
        Self::Included(id.into())
    }
}

impl ToArg for StreamBound {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        match self {
            Self::Min => arg.bytes(b"-"),
            Self::Max => arg.bytes(b"+"),
            Self::Included(id) => id.to_arg(arg),
            Self::Excluded(id) => short(arg, format_args!("({id}")),
            Self::Millis(ms) => arg.unsigned(*ms),
        }
    }
}

/// Which of a stream's entries `XREAD` reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReadFrom {
    /// Those that come after the command.
    New,
    /// The last one, if there is one, and those after it; since Redis 7.4.
    Last,
    /// Those after this id; after [`StreamId::MIN`] come all.
    After(StreamId),
}

impl<T: Into<StreamId>> From<T> for ReadFrom {
    fn from(id: T) -> Self {
        Self::After(id.into())
    }
}

impl ToArg for ReadFrom {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        match self {
            Self::New => arg.bytes(b"$"),
            Self::Last => arg.bytes(b"+"),
            Self::After(id) => id.to_arg(arg),
        }
    }
}

/// Which of a stream's entries `XREADGROUP` reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GroupReadFrom {
    /// Those that no consumer of the group was given yet.
    New,
    /// Those after this id that the consumer was given and has not acknowledged.
    PendingAfter(StreamId),
}

impl<T: Into<StreamId>> From<T> for GroupReadFrom {
    fn from(id: T) -> Self {
        Self::PendingAfter(id.into())
    }
}

impl ToArg for GroupReadFrom {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        match self {
            Self::New => arg.bytes(b">"),
            Self::PendingAfter(id) => id.to_arg(arg),
        }
    }
}

/// Which of a stream's entries a group begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GroupStart {
    /// Those that come after the command.
    End,
    /// Those after this id; after [`StreamId::MIN`] come all.
    After(StreamId),
}

impl<T: Into<StreamId>> From<T> for GroupStart {
    fn from(id: T) -> Self {
        Self::After(id.into())
    }
}

impl ToArg for GroupStart {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        match self {
            Self::End => arg.bytes(b"$"),
            Self::After(id) => id.to_arg(arg),
        }
    }
}

/// How far a stream is trimmed.
///
/// # Examples
///
/// ```
/// use redis_core::{Command, cmd};
/// use redis_core::types::StreamTrim;
///
/// let trim = cmd::xtrim("stream", StreamTrim::max_len(1000).approximately()).into_cmd();
/// assert_eq!(trim.words().last(), Some(&b"1000"[..]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a trim does nothing until a command has it"]
pub struct StreamTrim {
    to: TrimTo,
    how: Option<&'static str>,
    limit: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TrimTo {
    MaxLen(u64),
    MinId(StreamId),
}

impl StreamTrim {
    /// Keeps this many entries, the newest.
    pub fn max_len(entries: u64) -> Self {
        Self { to: TrimTo::MaxLen(entries), how: None, limit: None }
    }

    /// Keeps the entries from this id on.
    pub fn min_id(id: impl Into<StreamId>) -> Self {
        Self { to: TrimTo::MinId(id.into()), how: None, limit: None }
    }

    /// Says that it trims exactly so far, as it does without.
    pub fn exactly(mut self) -> Self {
        (self.how, self.limit) = (Some("="), None);
        self
    }

    /// May keep some more entries, which is much cheaper.
    pub fn approximately(mut self) -> Self {
        self.how = Some("~");
        self
    }

    /// As [`approximately`](Self::approximately), removing this many entries at the most, 0 meaning any number.
    pub fn limit(mut self, entries: u64) -> Self {
        (self.how, self.limit) = (Some("~"), Some(entries));
        self
    }
}

impl ToArgs<One> for StreamTrim {
    fn to_args(self, args: &mut Args) {
        args.push(match self.to {
            TrimTo::MaxLen(_) => "MAXLEN",
            TrimTo::MinId(_) => "MINID",
        });
        if let Some(how) = self.how {
            args.push(how);
        }
        match self.to {
            TrimTo::MaxLen(entries) => args.push(entries),
            TrimTo::MinId(id) => args.push(id),
        }
        if let Some(limit) = self.limit {
            args.push("LIMIT");
            args.push(limit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cmd;

    fn words(arguments: impl FnOnce(&mut Args)) -> String {
        let mut args = Args::default();
        arguments(&mut args);
        let words: Vec<_> = args.iter().map(String::from_utf8_lossy).collect();
        words.join(" ")
    }

    #[test]
    fn positions_are_written_as_the_server_spells_them() {
        let id = StreamId::new(5, 1);
        let one = |value: &dyn ToArg| {
            let cmd = Cmd::<()>::raw("X").arg(value);
            String::from_utf8_lossy(cmd.words().last().unwrap()).into_owned()
        };
        assert_eq!(one(&AddId::Auto), "*");
        assert_eq!(one(&AddId::AutoSequence(5)), "5-*");
        assert_eq!(one(&AddId::from((5, 1))), "5-1");
        assert_eq!(one(&StreamBound::Min), "-");
        assert_eq!(one(&StreamBound::Max), "+");
        assert_eq!(one(&StreamBound::from(id)), "5-1");
        assert_eq!(one(&StreamBound::Excluded(id)), "(5-1");
        assert_eq!(one(&StreamBound::Millis(5)), "5");
        assert_eq!(one(&ReadFrom::New), "$");
        assert_eq!(one(&ReadFrom::Last), "+");
        assert_eq!(one(&ReadFrom::from(id)), "5-1");
        assert_eq!(one(&GroupReadFrom::New), ">");
        assert_eq!(one(&GroupReadFrom::from(id)), "5-1");
        assert_eq!(one(&GroupStart::End), "$");
        assert_eq!(one(&GroupStart::from(id)), "5-1");
    }

    #[test]
    fn limit_is_for_approximate_trims_alone() {
        let trim = |trim: StreamTrim| words(|args| trim.to_args(args));
        assert_eq!(trim(StreamTrim::max_len(9)), "MAXLEN 9");
        assert_eq!(trim(StreamTrim::max_len(9).exactly()), "MAXLEN = 9");
        assert_eq!(trim(StreamTrim::min_id((5, 0)).approximately()), "MINID ~ 5-0");
        assert_eq!(trim(StreamTrim::max_len(9).limit(2)), "MAXLEN ~ 9 LIMIT 2");
        assert_eq!(trim(StreamTrim::max_len(9).limit(2).exactly()), "MAXLEN = 9");
    }
}
