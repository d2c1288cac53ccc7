//! How long a restored key lives.

use std::time::Duration;

use crate::command::{Arg, ToArg, Written, millis};

/// How long a restored key lives, made of a `Duration` or an `Option` of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RestoreTtl {
    /// It does not expire.
    Never,
    /// It expires after this time, rounded up to whole milliseconds; no time at all is one of them.
    In(Duration),
}

impl From<Duration> for RestoreTtl {
    fn from(ttl: Duration) -> Self {
        Self::In(ttl)
    }
}

impl From<Option<Duration>> for RestoreTtl {
    fn from(ttl: Option<Duration>) -> Self {
        ttl.map_or(Self::Never, Self::In)
    }
}

impl ToArg for RestoreTtl {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        arg.integer(match *self {
            Self::Never => 0,
            Self::In(ttl) => millis(ttl).max(1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Cmd;

    #[test]
    fn a_short_time_is_not_for_ever() {
        let cmd = Cmd::<()>::raw("X").arg(RestoreTtl::from(None)).arg(RestoreTtl::Never);
        let cmd =
            cmd.arg(RestoreTtl::from(Duration::ZERO)).arg(RestoreTtl::In(Duration::from_secs(2)));
        assert_eq!(cmd.words().skip(1).collect::<Vec<_>>(), [&b"0"[..], b"0", b"1", b"2000"]);
    }
}
