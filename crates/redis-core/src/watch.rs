//! Optimistic locking: what goes around WATCH, and when to start over.
//!
//! Owns the rules. Knows nothing of connections.

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::SmallRng;

use crate::command::{Cmd, ToArgs};
use crate::config::{Backoff, Config};
use crate::error::{Delivery, Error, ErrorKind, Result};

/// `WATCH key..`: not a builder, since it is sent on connections of its own alone.
///
/// # Errors
///
/// `InvalidRequest` when there is no key, or one that is no argument.
pub fn watch<M>(keys: impl ToArgs<M>) -> Result<Cmd<()>> {
    let cmd = Cmd::raw("WATCH").any_keys(keys);
    if cmd.arguments().len() < 2 {
        return Err(Error::new(ErrorKind::InvalidRequest, "WATCH: needs at least one key"));
    }
    match cmd.arguments().invalid() {
        Some(reason) => Err(Error::new(ErrorKind::InvalidRequest, format!("WATCH: {reason}"))),
        // Nothing was done yet that another connection would not know of.
        None => Ok(cmd.idempotent()),
    }
}

/// `UNWATCH`.
pub fn unwatch() -> Cmd<()> {
    Cmd::raw("UNWATCH")
}

/// What an error on a watching connection means. A link that breaks takes the watch with it: unless the
/// transaction may have run, that is the same as a changed key.
pub fn lost(error: Error) -> Error {
    if error.is_disconnected() && error.delivery() == Delivery::NotSent {
        return Error::new(ErrorKind::Watch, format!("the watching connection was lost: {error}"))
            .with_source(error);
    }
    error
}

/// As [`lost`], for a command that ran before MULTI: reading it again does no harm, so how far it got
/// does not matter.
pub fn lost_before_multi(error: Error) -> Error {
    lost(if error.is_disconnected() { error.with_delivery(Delivery::NotSent) } else { error })
}

/// When to run a transaction again.
#[derive(Debug)]
pub struct Attempts {
    failed: u32,
    max: u32,
    backoff: Backoff,
    rng: SmallRng,
}

impl Attempts {
    /// No attempt yet.
    pub fn new(config: &Config, seed: u64) -> Self {
        Self {
            failed: 0,
            max: config.max_transaction_attempts,
            backoff: config.backoff,
            rng: SmallRng::seed_from_u64(seed),
        }
    }

    /// How long to wait before the next attempt.
    ///
    /// # Errors
    ///
    /// The error itself when it is no watch error, or when the attempts are used up.
    pub fn after(&mut self, error: Error) -> Result<Duration> {
        if !error.is_watch() {
            return Err(error);
        }
        self.failed += 1;
        if self.failed >= self.max {
            return Err(error.with_context(format!("given up after {} attempts", self.failed)));
        }
        Ok(self.backoff.wait(self.failed, &mut self.rng))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_or_name_that_is_no_argument_is_refused() {
        struct Never;
        impl crate::ToArg for Never {
            fn to_arg(&self, arg: crate::Arg<'_>) -> crate::Written {
                arg.invalid("never")
            }
        }
        for error in [watch(Never).unwrap_err(), watch(["a"]).and(watch([Never])).unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
            assert_eq!(error.to_string(), "WATCH: never");
        }
        let error = crate::pubsub::names([Never]).unwrap_err();
        assert_eq!(error.to_string(), "never");
        assert_eq!(crate::pubsub::names(["a", "b"]).unwrap(), ["a", "b"]);
    }

    #[test]
    fn a_lost_link_is_a_watch_error_unless_the_transaction_may_have_run() {
        let io = Error::new(ErrorKind::Io, "reset");
        assert!(lost(io.clone()).is_watch());
        let maybe = lost(io.clone().with_delivery(Delivery::MaybeExecuted));
        assert_eq!((maybe.kind(), maybe.delivery()), (ErrorKind::Io, Delivery::MaybeExecuted));
        assert!(lost_before_multi(io.with_delivery(Delivery::MaybeExecuted)).is_watch());
        assert_eq!(lost(Error::server(b"ERR x")).kind(), ErrorKind::Server);
    }

    #[test]
    fn attempts_end_at_their_limit_and_at_other_errors() {
        let config = Config { max_transaction_attempts: 3, ..Config::default() };
        let mut attempts = Attempts::new(&config, 1);
        let conflict = || Error::new(ErrorKind::Watch, "changed");
        attempts.after(conflict()).unwrap();
        attempts.after(conflict()).unwrap();
        let error = attempts.after(conflict()).unwrap_err();
        assert!(error.is_watch());
        assert_eq!(error.to_string(), "given up after 3 attempts: changed");
        assert_eq!(
            Attempts::new(&config, 1).after(Error::server(b"ERR x")).unwrap_err().kind(),
            ErrorKind::Server
        );
    }

    #[test]
    fn watch_without_keys_is_refused() {
        assert_eq!(watch([""; 0]).unwrap_err().kind(), ErrorKind::InvalidRequest);
        assert_eq!(
            watch(["a", "b"]).unwrap().to_vec(),
            b"*3\r\n$5\r\nWATCH\r\n$1\r\na\r\n$1\r\nb\r\n"
        );
    }
}
