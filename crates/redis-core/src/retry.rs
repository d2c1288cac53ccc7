//! Whether a request that failed is sent again, and when.
//!
//! Owns the rules. Sending again is the adapter's: it has what was to be sent.

use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::SmallRng;

use crate::command::{Block, Cmd};
use crate::config::Config;
use crate::error::{Delivery, Error, ErrorKind, Result};
use crate::pipeline::{Mark, Sent};
use crate::telemetry::Notice;

/// Replies by which a server says that it ran nothing and will be able to before long.
const LATER: [&str; 3] = ["LOADING", "MASTERDOWN", "TRYAGAIN"];

/// What a server says, without a code, to those who connect when it has no place for them.
const FULL: &str = "ERR max number of clients";

/// What is sent, and sent again, as a whole: a command or a pipeline.
#[derive(Clone, Copy, Debug)]
pub struct Unit {
    /// For notices.
    pub(crate) name: &'static str,
    pub(crate) block: Block,
    /// It does no harm when it runs twice.
    repeatable: bool,
    /// A refusal is about all of it.
    single: bool,
}

impl Unit {
    /// A pipeline whose results are handed on as they come. What may have been sent is not sent again, even
    /// if it only reads: some of its results may be in use.
    pub fn streamed(sent: &Sent) -> Self {
        Self { repeatable: false, ..Self::from(sent) }
    }

    /// One command of several that are not sent as one: each is sent again by itself.
    pub fn of(mark: &Mark) -> Self {
        let Mark { info, block, repeatable, .. } = *mark;
        Self { name: info.name, block, repeatable, single: true }
    }

    /// Whether it is what [`of`](Self::of) would make.
    #[inline]
    pub fn is_of(&self, mark: &Mark) -> bool {
        std::ptr::eq(self.name, mark.info.name)
            && self.block == mark.block
            && self.repeatable == mark.repeatable
            && self.single
    }

    /// A transaction: what refuses a part of it refuses all, and then nothing of it has run.
    pub fn transaction(sent: &Sent) -> Self {
        Self { name: "transaction", single: true, ..Self::from(sent) }
    }

    /// Whether it does no harm when it runs twice.
    pub fn is_repeatable(&self) -> bool {
        self.repeatable
    }

    /// How long the server may hold it.
    pub fn block(&self) -> Block {
        self.block
    }
}

impl<R> From<&Cmd<R>> for Unit {
    fn from(cmd: &Cmd<R>) -> Self {
        let repeatable = cmd.is_repeatable();
        Self { name: cmd.info().name, block: cmd.block(), repeatable, single: true }
    }
}

impl From<&Sent> for Unit {
    fn from(sent: &Sent) -> Self {
        let repeatable = sent.is_repeatable();
        Self { name: "pipeline", block: sent.block(), repeatable, single: false }
    }
}

/// The attempts at one request.
#[derive(Debug)]
pub struct Retry {
    unit: Unit,
    /// An attempt that failed may have run.
    doubtful: bool,
    failed: u32,
    rng: SmallRng,
}

impl Retry {
    /// Attempts at a command or a pipeline.
    pub fn new(unit: impl Into<Unit>, seed: u64) -> Self {
        let rng = SmallRng::seed_from_u64(seed);
        Self { unit: unit.into(), doubtful: false, failed: 0, rng }
    }

    /// How long to wait before the request is sent again.
    ///
    /// # Errors
    ///
    /// The error itself when the request may have run and must not run twice, when another attempt can't
    /// go better, when the attempts are used up, and when the deadline would pass before the next one; its
    /// delivery is that of all attempts, as of [`last`](Self::last).
    pub fn after(
        &mut self,
        config: &Config,
        error: Error,
        now: Instant,
        deadline: Option<Instant>,
    ) -> Result<Duration> {
        self.doubtful |= error.delivery() == Delivery::MaybeExecuted;
        if !self.may_go_better(&error) || self.failed >= config.max_retries {
            return Err(self.last(error));
        }
        self.failed += 1;
        let wait = config.backoff.wait(self.failed, &mut self.rng);
        match deadline {
            Some(deadline) if now + wait >= deadline => Err(self.last(error)),
            _ => {
                let (command, failed) = (self.unit.name, self.failed);
                config.tell(&Notice::Retrying { command, error: &error, failed, wait });
                Ok(wait)
            }
        }
    }

    /// The error that the caller gets when there is no other attempt: that the last one was not sent says
    /// nothing of those before it.
    pub fn last(&self, error: Error) -> Error {
        match error.delivery() {
            Delivery::NotSent if self.doubtful => error.with_delivery(Delivery::MaybeExecuted),
            _ => error,
        }
    }

    fn may_go_better(&self, error: &Error) -> bool {
        match (error.kind(), error.delivery()) {
            (ErrorKind::Connect | ErrorKind::Io | ErrorKind::Timeout, Delivery::NotSent) => true,
            (ErrorKind::Io | ErrorKind::Timeout, Delivery::MaybeExecuted) => self.unit.repeatable,
            (ErrorKind::Server, Delivery::NotSent) => !is_refusal(error),
            (ErrorKind::Server, Delivery::Replied) => {
                self.unit.single && error.code().is_some_and(|code| LATER.contains(&code))
            }
            _ => false,
        }
    }
}

/// Whether a server refused those who connect for what they are or want, or is refused: that would be so again.
pub fn is_refusal(error: &Error) -> bool {
    match (error.kind(), error.delivery()) {
        (ErrorKind::Auth | ErrorKind::Tls, _) => true,
        (ErrorKind::Server, Delivery::NotSent) => !error.message().starts_with(FULL),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Pipeline;

    fn retry(repeatable: bool) -> Retry {
        let cmd = Cmd::<()>::raw("INCR").arg("k");
        Retry::new(&if repeatable { cmd.idempotent() } else { cmd }, 1)
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
        let refused = |text: &str| Error::server(text.as_bytes()).with_delivery(Delivery::NotSent);
        assert!(after(&refused("ERR max number of clients reached"), false).is_ok());
        assert!(after(&refused("ERR DB index is out of range"), true).is_err());
        for text in
            ["OOM command not allowed", "WRONGPASS no", "NOAUTH no", "READONLY no", "ERR no"]
        {
            assert!(after(&Error::server(text.as_bytes()), true).is_err(), "{text}");
        }
        for kind in [
            ErrorKind::Auth,
            ErrorKind::Tls,
            ErrorKind::Closed,
            ErrorKind::Limit,
            ErrorKind::Protocol,
        ] {
            assert!(after(&Error::new(kind, "no"), true).is_err(), "{kind:?}");
        }
    }

    #[test]
    fn refusal_within_a_pipeline_is_no_reason_to_repeat_it_all() {
        let mut pipeline = Pipeline::atomic();
        pipeline.push(Cmd::<()>::raw("GET").arg("k"));
        let sent = pipeline.take().unwrap().unwrap();
        let again =
            |error| Retry::new(&sent, 1).after(&Config::default(), error, Instant::now(), None);
        assert!(again(Error::server(b"LOADING Redis is loading")).is_err());
        let lost = Error::new(ErrorKind::Io, "lost").with_delivery(Delivery::MaybeExecuted);
        assert!(again(lost).is_ok());
    }

    #[test]
    fn what_is_handed_on_as_it_comes_is_sent_again_only_if_nothing_of_it_was_sent() {
        let mut pipeline = Pipeline::atomic();
        pipeline.push(Cmd::<()>::raw("GET").arg("k"));
        let sent = pipeline.take().unwrap().unwrap();
        let again = |error| {
            let mut retry = Retry::new(Unit::streamed(&sent), 1);
            retry.after(&Config::default(), error, Instant::now(), None)
        };
        let lost = Error::new(ErrorKind::Io, "lost");
        assert!(again(lost.clone()).is_ok());
        assert!(again(lost.with_delivery(Delivery::MaybeExecuted)).is_err());
    }

    #[test]
    fn doubt_of_an_early_attempt_outlives_later_ones() {
        let (config, now) = (Config::default(), Instant::now());
        let mut retry = retry(true);
        let lost = Error::new(ErrorKind::Io, "lost").with_delivery(Delivery::MaybeExecuted);
        assert!(retry.after(&config, lost, now, None).is_ok());
        let refused = Error::new(ErrorKind::Connect, "refused");
        assert_eq!(retry.last(refused.clone()).delivery(), Delivery::MaybeExecuted);
        let error = retry.after(&config, refused, now, Some(now)).unwrap_err();
        assert_eq!((error.kind(), error.delivery()), (ErrorKind::Connect, Delivery::MaybeExecuted));
        let answered = retry.after(&config, Error::server(b"OOM no"), now, None).unwrap_err();
        assert_eq!(answered.delivery(), Delivery::Replied);
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
