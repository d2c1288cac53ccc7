//! Optimistic locking: what goes around WATCH, and when to start over.
//!
//! Owns the rules. Knows nothing of connections.

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::SmallRng;

use crate::command::{Cmd, ToArgs};
use crate::config::{Backoff, Config};
use crate::error::{Delivery, Error, ErrorKind, Result};

/// `WATCH key..`: not a builder, since it is sent on connections of its own alone. A watch does no harm that
/// the end of its connection does not undo, so that it may be sent again.
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

/// What an error of that first `WATCH` means, once it is not sent again: whatever became of it, nothing was
/// applied.
pub fn not_begun(error: Error) -> Error {
    match error.delivery() {
        Delivery::MaybeExecuted => error.with_delivery(Delivery::NotSent),
        _ => error,
    }
}

/// As [`Cmd::check`], for a command on a connection that watches.
///
/// # Errors
///
/// As [`Cmd::check`]; the message names the call to use on such a connection.
pub fn check<R>(cmd: &Cmd<R>) -> Result<()> {
    let Err(error) = cmd.check() else { return Ok(()) };
    let name = cmd.info().name;
    let instead = match name {
        "MULTI" | "EXEC" | "DISCARD" => "use `watched.multi()` and `execute()`",
        "WATCH" => "use `watched.watch(keys)`",
        "UNWATCH" => "use `watched.unwatch()`, or `watched.reset()` at the end",
        _ => return Err(error),
    };
    Err(Error::new(
        ErrorKind::InvalidRequest,
        format!("{name} would change the watch unnoticed: {instead}"),
    ))
}

/// `UNWATCH`.
pub fn unwatch() -> Cmd<()> {
    Cmd::raw("UNWATCH").idempotent()
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

/// As [`lost`], for a command that ran at once, before MULTI: the watch is gone in any case. How far the
/// command got matters unless it does no harm when it runs twice.
pub fn lost_before_multi(error: Error, repeatable: bool) -> Error {
    if !error.is_disconnected() {
        return error;
    }
    let delivery = if repeatable { Delivery::NotSent } else { error.delivery() };
    lost(error.with_delivery(Delivery::NotSent)).with_delivery(delivery)
}

/// Whether the watch is surely over once a transaction has this result. Where MULTI was refused EXEC does
/// not end it.
pub fn is_over<T>(result: &Result<T>) -> bool {
    result.as_ref().err().is_none_or(|error| !error.is_server())
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
    /// The error itself when it is no watch error, when a command that was to run once may have run before
    /// MULTI, or when the attempts are used up.
    pub fn after(&mut self, error: Error) -> Result<Duration> {
        if !error.is_watch() || error.delivery() == Delivery::MaybeExecuted {
            return Err(error);
        }
        self.failed += 1;
        if self.failed >= self.max {
            let failed = self.failed;
            return Err(error.with_context(format!(
                "given up after {failed} attempts, see `max_transaction_attempts`"
            )));
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
        assert_eq!(lost(Error::server(b"ERR x")).kind(), ErrorKind::Server);
    }

    #[test]
    fn a_write_that_was_lost_before_multi_is_a_watch_error_and_a_stated_doubt() {
        let lost = Error::new(ErrorKind::Io, "reset").with_delivery(Delivery::MaybeExecuted);
        let (read, write) = (lost_before_multi(lost.clone(), true), lost_before_multi(lost, false));
        assert!(read.is_watch() && write.is_watch());
        assert_eq!(read.delivery(), Delivery::NotSent);
        assert_eq!(write.delivery(), Delivery::MaybeExecuted);
        let mut attempts = Attempts::new(&Config::default(), 1);
        assert!(attempts.after(read).is_ok());
        assert_eq!(attempts.after(write.clone()), Err(write));
        let timeout = Error::new(ErrorKind::Timeout, "late").with_delivery(Delivery::MaybeExecuted);
        assert_eq!(lost_before_multi(timeout.clone(), true), timeout);
    }

    #[test]
    fn the_watch_may_go_on_after_an_error_of_the_server() {
        assert!(is_over(&Ok(())));
        assert!(is_over::<()>(&Err(Error::new(ErrorKind::Watch, "changed"))));
        assert!(!is_over::<()>(&Err(Error::server(b"NOPERM no right to MULTI"))));
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
        assert_eq!(
            error.to_string(),
            "given up after 3 attempts, see `max_transaction_attempts`: changed"
        );
        assert_eq!(
            Attempts::new(&config, 1).after(Error::server(b"ERR x")).unwrap_err().kind(),
            ErrorKind::Server
        );
    }

    #[test]
    fn watch_may_be_sent_again_and_its_failure_leaves_no_doubt() {
        assert!(watch(["k"]).unwrap().is_repeatable());
        let lost = Error::new(ErrorKind::Io, "reset").with_delivery(Delivery::MaybeExecuted);
        assert_eq!(not_begun(lost).delivery(), Delivery::NotSent);
        assert_eq!(not_begun(Error::server(b"NOPERM no")).delivery(), Delivery::Replied);
    }

    #[test]
    fn refused_commands_are_told_what_to_call_on_a_watching_connection() {
        let refused = |name: &str| check(&Cmd::<()>::raw(name)).unwrap_err().to_string();
        assert!(refused("multi").contains("`watched.multi()`"));
        assert!(refused("WATCH k").contains("`watched.watch(keys)`"));
        assert!(refused("UNWATCH").contains("`watched.unwatch()`"));
        assert!(refused("SELECT 1").contains("in the configuration"));
        assert!(check(&Cmd::<()>::raw("GET k")).is_ok());
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
