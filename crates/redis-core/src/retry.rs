//! Whether a request that failed is sent again, and when.
//!
//! Owns the rules. Sending again is the adapter's: it has what was to be sent.

use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::SmallRng;

use crate::command::Cmd;
use crate::config::Config;
use crate::error::{Delivery, Error, ErrorKind, Result};
use crate::pipeline::Sent;
use crate::telemetry::Notice;

/// Replies by which a server says that it ran nothing and will be able to before long.
const LATER: [&str; 3] = ["LOADING", "MASTERDOWN", "TRYAGAIN"];

/// The attempts at one request.
#[derive(Debug)]
pub struct Retry {
    /// For notices.
    command: &'static str,
    /// It does no harm when the request runs twice.
    repeatable: bool,
    /// A refusal is about all of the request.
    single: bool,
    /// An attempt before may have run: the request as a whole may have, whatever became of the last one.
    may_have_run: bool,
    failed: u32,
    rng: SmallRng,
}

impl Retry {
    /// Attempts at a command.
    pub fn command<R>(cmd: &Cmd<R>, seed: u64) -> Self {
        Self::new(cmd.info().name, cmd.is_repeatable(), true, seed)
    }

    /// Attempts at a pipeline or transaction, which is sent again as a whole.
    pub fn pipeline(sent: &Sent, seed: u64) -> Self {
        Self::new("pipeline", sent.is_repeatable(), false, seed)
    }

    fn new(command: &'static str, repeatable: bool, single: bool, seed: u64) -> Self {
        let rng = SmallRng::seed_from_u64(seed);
        Self { command, repeatable, single, may_have_run: false, failed: 0, rng }
    }

    /// How long to wait before the request is sent again.
    ///
    /// # Errors
    ///
    /// The error itself when the request may have run and must not run twice, when another attempt can't
    /// go better, when the attempts are used up, and when the deadline would pass before the next one. It
    /// is not `NotSent` when an attempt before may have run.
    pub fn after(
        &mut self,
        config: &Config,
        error: Error,
        now: Instant,
        deadline: Option<Instant>,
    ) -> Result<Duration> {
        let delivery = error.delivery();
        let error = match delivery {
            Delivery::NotSent if self.may_have_run => error.with_delivery(Delivery::MaybeExecuted),
            _ => error,
        };
        if !self.may_go_better(&error, delivery) || self.failed >= config.max_retries {
            return Err(error);
        }
        self.may_have_run |= delivery == Delivery::MaybeExecuted;
        self.failed += 1;
        let wait = config.backoff.wait(self.failed, &mut self.rng);
        match deadline {
            Some(deadline) if now + wait >= deadline => Err(error),
            _ => {
                let Self { command, failed, .. } = *self;
                config.tell(&Notice::Retrying { command, error: &error, failed, wait });
                Ok(wait)
            }
        }
    }

    /// Whether another attempt can go better than one that got so far.
    fn may_go_better(&self, error: &Error, delivery: Delivery) -> bool {
        match (error.kind(), delivery) {
            (ErrorKind::Connect | ErrorKind::Io | ErrorKind::Timeout, Delivery::NotSent) => true,
            (ErrorKind::Io | ErrorKind::Timeout, Delivery::MaybeExecuted) => self.repeatable,
            (ErrorKind::Server, Delivery::Replied) => {
                self.single && error.code().is_some_and(|code| LATER.contains(&code))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Pipeline;

    fn retry(repeatable: bool) -> Retry {
        let cmd = Cmd::<()>::raw("INCR").arg("k");
        Retry::command(&if repeatable { cmd.idempotent() } else { cmd }, 1)
    }

    fn after(error: &Error, repeatable: bool) -> Result<Duration> {
        retry(repeatable).after(&Config::default(), error.clone(), Instant::now(), None)
    }

    #[test]
    fn what_may_have_run_is_sent_again_only_if_that_does_no_harm() {
        let lost = Error::new(ErrorKind::Io, "lost");
        assert!(after(&lost, false).is_ok());
        let lost = lost.with_delivery(Delivery::MaybeExecuted);
        assert_eq!(after(&lost, false), Err(lost.clone()));
        assert!(after(&lost, true).is_ok());
    }

    #[test]
    fn a_server_that_is_not_ready_is_asked_again_and_other_refusals_are_final() {
        for text in
            ["LOADING Redis is loading", "MASTERDOWN Link is down", "TRYAGAIN Multiple keys"]
        {
            assert!(after(&Error::server(text.as_bytes()), false).is_ok(), "{text}");
        }
        for text in
            ["OOM command not allowed", "WRONGPASS no", "NOAUTH no", "READONLY no", "ERR no"]
        {
            assert!(after(&Error::server(text.as_bytes()), true).is_err(), "{text}");
        }
        for kind in [ErrorKind::Auth, ErrorKind::Closed, ErrorKind::Limit, ErrorKind::Protocol] {
            assert!(after(&Error::new(kind, "no"), true).is_err(), "{kind:?}");
        }
    }

    #[test]
    fn refusal_within_a_pipeline_is_no_reason_to_repeat_it_all() {
        let mut pipeline = Pipeline::atomic();
        pipeline.push(Cmd::<()>::raw("GET").arg("k"));
        let sent = pipeline.take().unwrap().unwrap();
        let again = |error| {
            Retry::pipeline(&sent, 1).after(&Config::default(), error, Instant::now(), None)
        };
        assert!(again(Error::server(b"LOADING Redis is loading")).is_err());
        let lost = Error::new(ErrorKind::Io, "lost").with_delivery(Delivery::MaybeExecuted);
        assert!(again(lost).is_ok());
    }

    #[test]
    fn request_that_may_have_run_in_an_earlier_attempt_is_not_said_to_be_unsent() {
        let config = Config::default();
        let mut retry = retry(true);
        let mut after = |error| retry.after(&config, error, Instant::now(), None);
        let lost = Error::new(ErrorKind::Io, "lost").with_delivery(Delivery::MaybeExecuted);
        let refused = || Error::new(ErrorKind::Connect, "refused");
        assert!(after(lost).is_ok());
        for _ in 1..config.max_retries {
            assert!(after(refused()).is_ok());
        }
        let error = after(refused()).unwrap_err();
        assert_eq!((error.kind(), error.delivery()), (ErrorKind::Connect, Delivery::MaybeExecuted));
    }

    #[test]
    fn attempts_and_the_deadline_are_limits() {
        let (config, now) = (Config::default(), Instant::now());
        let error = Error::new(ErrorKind::Connect, "refused");
        let mut retry = retry(false);
        let mut again = |deadline| retry.after(&config, error.clone(), now, deadline);
        assert_eq!(again(Some(now)), Err(error.clone()));
        for _ in 1..config.max_retries {
            assert!(again(Some(now + Duration::from_secs(9))).is_ok());
        }
        assert_eq!(again(None), Err(error.clone()));
    }

    #[test]
    fn waits_grow_and_stay_under_the_cap() {
        let config = Config { max_retries: 20, ..Config::default() };
        let error = Error::new(ErrorKind::Connect, "refused");
        let mut retry = retry(false);
        let waits: Vec<_> = (0..20)
            .map(|_| retry.after(&config, error.clone(), Instant::now(), None).unwrap())
            .collect();
        assert!(waits[0] <= config.backoff.base);
        assert!(waits.iter().all(|wait| *wait <= config.backoff.cap));
        assert!(waits[10..].iter().any(|wait| *wait > 10 * config.backoff.base));
    }
}
