//! What simulated users do, and the adapter below them: who waits for what, and what is sent again.

mod adapter;
mod draw;
mod pools;
mod streams;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::RngExt;
use rand::rngs::SmallRng;
use redis_core::batch::{Batch, Deadline, Ticket};
use redis_core::pipeline::{Pipeline, Run, Sent};
use redis_core::pool::Turn;
use redis_core::retry::{Retry, Unit};
use redis_core::watch::{self, Attempts};
use redis_core::{Cmd, Command as _, Delivery, Error, ErrorKind, Result, Value, decode};
use resp_proto::{FrameReader, Token};

pub(super) use self::pools::Places;
use self::pools::Woken;
use self::streams::Stream;
use super::audit::{Check, Nature, Outcome, broken, tag};
use super::link::Style;
use super::plan::{Fault, Work};
use super::{Life, SLACK, Told, World};

/// One user.
pub(crate) struct Task {
    pub(super) client: usize,
    work: Work,
    left: usize,
    rng: SmallRng,
    state: State,
    op: Option<Op>,
    /// Its place among those who wait for a connection.
    turn: Option<Turn>,
    woken: Arc<Woken>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Thinks of the next operation.
    Sleeps(Instant),
    /// Waits before the next attempt.
    Retries(Instant),
    /// Waits for a place in a pool.
    Waits(Instant),
    /// Waits for a connection of its own to be ready.
    Opens,
    /// Thinks, before it goes on with a watch.
    Thinks(Instant),
    /// Waits for replies.
    Exchanges(Ticket),
    Over,
}

/// An operation under way.
struct Op {
    id: u64,
    what: What,
    style: Style,
    /// Until when all of it has to be over, where there is such a time.
    until: Option<Instant>,
    deadline: Deadline,
    cancel_at: Option<Instant>,
    retry: Option<Retry>,
    attempts: Option<Attempts>,
    link: Option<u64>,
    /// The link has state of this operation's.
    dedicated: bool,
    frames: Vec<Bytes>,
}

impl Op {
    fn new(id: u64, what: What, style: Style, deadline: Deadline) -> Self {
        Self {
            id,
            what,
            style,
            until: None,
            deadline,
            cancel_at: None,
            retry: None,
            attempts: None,
            link: None,
            dedicated: false,
            frames: Vec::new(),
        }
    }
}

enum What {
    One {
        cmd: Cmd<Value>,
        /// The same with the source of its script, which the server lacked.
        whole: Option<Cmd<Value>>,
        reads: Option<Bytes>,
        tagged: bool,
    },
    Many {
        sent: Sent,
        atomic: bool,
    },
    Watch {
        key: String,
        sent: Option<Sent>,
        step: Step,
        /// Writes that ran at once, before MULTI, in all attempts.
        writes: u32,
        /// The one that is to run next.
        write: Option<Cmd<Value>>,
    },
    Each(Stream),
    /// Connections are opened before they are needed, in the pool of this style.
    WarmUp {
        wanted: usize,
        left: usize,
        style: Style,
    },
}

/// What a watch waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Watch,
    Read,
    /// A write that runs at once.
    Write,
    Unwatch,
    Exec,
}

/// The commands of a transaction that watches. Writes before it have higher numbers.
const APPLIED: u32 = 2;

impl Task {
    pub(super) fn new(client: usize, work: Work, ops: usize, rng: SmallRng, now: Instant) -> Self {
        Self {
            client,
            work,
            left: ops,
            rng,
            state: State::Sleeps(now),
            op: None,
            turn: None,
            woken: Arc::default(),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// When it does something by itself.
    pub(super) fn due(&self) -> Option<Instant> {
        let at = match self.state {
            State::Sleeps(at) | State::Retries(at) | State::Waits(at) | State::Thinks(at) => {
                Some(at)
            }
            State::Opens | State::Exchanges(_) | State::Over => None,
        };
        let takes_at = self.op.as_ref().and_then(|op| match &op.what {
            What::Each(stream) => stream.due(),
            _ => None,
        });
        let cancel_at = self.op.as_ref().and_then(|op| op.cancel_at);
        [at, takes_at, cancel_at].into_iter().flatten().min()
    }
}

impl World {
    /// Lets a task do what it can do now. False when that is nothing.
    pub(super) fn turn(&mut self, at: usize) -> std::result::Result<bool, super::Violation> {
        let now = self.now;
        let task = &self.tasks[at];
        if task.op.as_ref().and_then(|op| op.cancel_at).is_some_and(|time| time <= now) {
            self.cancel(at)?;
            return Ok(true);
        }
        match task.state {
            State::Sleeps(until) if until <= now => {
                if task.left == 0 {
                    self.tasks[at].state = State::Over;
                    return Ok(true);
                }
                self.tasks[at].left -= 1;
                match self.tasks[at].work {
                    Work::PubSub => self.change_subscriptions(at)?,
                    Work::Pools => self.see_to_pools(at)?,
                    _ => self.begin(at)?,
                }
                Ok(true)
            }
            State::Retries(until) if until <= now => self.attempt(at).map(|()| true),
            State::Thinks(until) if until <= now => self.exchange(at).map(|()| true),
            State::Waits(until) => {
                if !task.woken.take() && until > now {
                    return Ok(false);
                }
                self.attempt(at)?;
                if self.tasks[at].state == State::Waits(until) && until <= now {
                    let client = self.tasks[at].client;
                    let config = &self.clients[client].config;
                    let error = config.pool_is_full(config.pool_size);
                    let sync = self.tasks[at].op.as_ref().is_some_and(|op| op.style == Style::Sync);
                    self.attempt_failed(at, error, sync)?;
                    return Ok(true);
                }
                Ok(self.tasks[at].state != State::Waits(until))
            }
            State::Opens => self.look_at_opening(at),
            State::Exchanges(_) if self.is_streaming(at) => self.look_at_stream(at),
            State::Exchanges(_) => self.look_at_exchange(at),
            State::Sleeps(_) | State::Retries(_) | State::Thinks(_) | State::Over => Ok(false),
        }
    }

    /// A machine has told something: it is for a task.
    pub(super) fn tell(&mut self, told: Told) -> Check {
        match told {
            Told::Frames(ticket, frames, done) => {
                if let Some(Life::Nobodys(id)) = self.tickets.get(&ticket.0) {
                    self.audit.reply(*id, 0, &frames, self.now)?;
                    self.tickets.insert(ticket.0, Life::Answered);
                    return match done {
                        true => Ok(()),
                        false => Err(broken(4, format!("{ticket:?} has several replies"))),
                    };
                }
                let at = self.life(ticket, "replies")?;
                if self.is_streaming(at) {
                    return self.hold(at, ticket, frames, done);
                }
                let Some(op) = &mut self.tasks[at].op else { return Ok(()) };
                op.frames.push(frames);
                // The blocking client looks at what its connection owes instead.
                if done && op.style != Style::Sync {
                    self.tickets.insert(ticket.0, Life::Answered);
                    return self.answered(at);
                }
                Ok(())
            }
            Told::Failed(ticket, error, deadline) => {
                Self::is_lie(&error)?;
                // Closing waits for what is under way.
                if (error.kind(), error.delivery()) == (ErrorKind::Closed, Delivery::MaybeExecuted)
                {
                    return Err(broken(6, format!("{ticket:?} was under way when it was closed")));
                }
                if let Some(Life::Nobodys(id)) = self.tickets.get(&ticket.0) {
                    if error.delivery() == Delivery::NotSent {
                        self.audit.deny(*id, 0);
                    }
                    self.tickets.insert(ticket.0, Life::Answered);
                    return Ok(());
                }
                let at = self.life(ticket, "an error")?;
                if let (Some(op), Some(deadline)) = (&mut self.tasks[at].op, deadline) {
                    op.deadline = Deadline::At(deadline);
                }
                self.tickets.insert(ticket.0, Life::Answered);
                match self.is_streaming(at) {
                    true => self.end_stream(at, Err(error)),
                    false => self.exchange_failed(at, error),
                }
            }
            Told::Ready(link) => {
                self.note(|| format!("link {link}: ready"));
                Ok(())
            }
            Told::Closed(link, error) => {
                self.note(|| format!("link {link}: over, {error}"));
                Self::is_lie(&error)?;
                let Some(of) = self.links.get(&link) else { return Ok(()) };
                let (style, loan) = (of.style, of.loan);
                match (style, loan) {
                    (Style::Sync, Some(at)) if self.tasks[at].state == State::Opens => {
                        self.attempt_failed(at, error.with_delivery(Delivery::NotSent), true)
                    }
                    _ => Ok(()),
                }
            }
        }
    }

    fn life(&self, ticket: Ticket, what: &str) -> std::result::Result<usize, super::Violation> {
        match self.tickets.get(&ticket.0) {
            Some(Life::Live(at)) => Ok(*at),
            Some(life) => Err(broken(6, format!("{ticket:?} got {what} after it was {life:?}"))),
            None => Err(broken(1, format!("{ticket:?} got {what} and nobody asked"))),
        }
    }

    /// All replies of the exchange are there.
    fn answered(&mut self, at: usize) -> Check {
        let now = self.now;
        let task = &mut self.tasks[at];
        let client = task.client;
        let Some(op) = &mut task.op else { return Ok(()) };
        let frames = std::mem::take(&mut op.frames);
        let id = op.id;
        match &mut op.what {
            What::One { cmd, whole, reads, tagged } => {
                let frame = frames.concat();
                let reads = reads.clone();
                if let Err(error) = decode::<Value>(&frame)
                    && let Some(source) = cmd.after_missing_script(&error)
                    && whole.is_none()
                {
                    // At once, on the same connection, before the same deadline.
                    *whole = Some(source);
                    return self.submit(at);
                }
                if *tagged {
                    self.audit.reply(id, 0, &frame, now)?;
                }
                match decode::<Value>(&frame) {
                    Ok(value) => {
                        if let Some(key) = reads {
                            let database = self.clients[client].config.database as usize;
                            self.audit.read(id, database, &key, value.as_bytes(), now)?;
                        }
                        self.audit.attempted(id, None);
                        self.resolve(at, Outcome::Done)
                    }
                    Err(error) => self.attempt_failed(at, error, true),
                }
            }
            What::Many { sent, atomic } => {
                let (sent, atomic) = (sent.clone(), *atomic);
                match self.check_pipeline(id, &sent, atomic, &frames) {
                    Ok(()) => {
                        self.audit.attempted(id, None);
                        self.resolve(at, Outcome::Done)
                    }
                    Err(Ok(error)) => self.attempt_failed(at, error, true),
                    Err(Err(violation)) => Err(violation),
                }
            }
            What::Watch { .. } => self.watch_answered(at, &frames),
            What::WarmUp { .. } => match decode::<Value>(&frames.concat()) {
                Ok(_) => {
                    self.release(at);
                    self.warm_up(at)
                }
                Err(error) => self.attempt_failed(at, error, true),
            },
            // What it waits for is taken as it comes.
            What::Each(_) => Ok(()),
        }
    }

    /// Compares what a pipeline decodes to with what the server answered to each command.
    fn check_pipeline(
        &mut self,
        id: u64,
        sent: &Sent,
        atomic: bool,
        frames: &[Bytes],
    ) -> std::result::Result<(), std::result::Result<Error, super::Violation>> {
        let runs = frames.iter().map(|run| Run { frames: run, memory: Some(run) });
        let mut replies = sent.open(runs).map_err(|error| match Self::is_lie(&error) {
            Ok(()) => Ok(error),
            Err(violation) => Err(violation),
        })?;
        let all = frames.concat();
        let mut reader = FrameReader::new(&all);
        let whole = |_| Err(broken(4, "replies that are no whole frames"));
        if atomic {
            for _ in 0..=replies.len() {
                reader.skip_value().map_err(whole)?;
            }
            if !matches!(reader.next_token(), Ok(Some(Token::Array(Some(_))))) {
                return Err(Err(broken(8, format!("operation {id} opened what EXEC refused"))));
            }
        }
        let mut first = None;
        for n in 0..replies.len() as u32 {
            let frame = reader.skip_value().map_err(whole)?;
            self.audit.reply(id, n, frame, self.now).map_err(Err)?;
            let (told, wanted) = (replies.next_as::<Value>(), decode::<Value>(frame));
            let same = match (&told, &wanted) {
                (Ok(told), Ok(wanted)) => told == wanted,
                (Err(told), Err(wanted)) => told.message() == wanted.message(),
                _ => false,
            };
            if !same {
                return Err(Err(broken(
                    4,
                    format!("{} gave {told:?}, not {wanted:?}", tag(id, n)),
                )));
            }
            first = first.or(told.err());
        }
        if !reader.is_empty() {
            return Err(Err(broken(4, format!("operation {id} left replies unread"))));
        }
        match first {
            Some(error) => Err(Ok(error)),
            None => Ok(()),
        }
    }

    /// A step of a watch is answered.
    fn watch_answered(&mut self, at: usize, frames: &[Bytes]) -> Check {
        let frame = frames.concat();
        let Task { op: Some(op), rng, .. } = &mut self.tasks[at] else { return Ok(()) };
        let id = op.id;
        let What::Watch { key, sent, step, writes, write } = &mut op.what else {
            return Ok(());
        };
        match step {
            Step::Watch => match decode::<()>(&frame) {
                Ok(()) => {
                    *step = Step::Read;
                    // A watch that is lost from now on has attempts and a deadline of its own.
                    op.retry = None;
                    self.exchange(at)
                }
                Err(error) => self.attempt_failed(at, error, true),
            },
            Step::Read => {
                let value = match decode::<Option<String>>(&frame) {
                    Ok(value) => value,
                    Err(error) => return self.attempt_failed(at, error, true),
                };
                let number = value.and_then(|value| value.rsplit_once(':')?.1.parse::<i64>().ok());
                let value = format!("{}:{}", tag(id, 0), number.unwrap_or(0) + 1);
                let mut queue = Pipeline::atomic();
                queue.push(Cmd::<()>::raw("SET").arg(key.as_str()).arg(value));
                match rng.random_bool(0.5) {
                    true => queue.push(Cmd::<()>::raw("ECHO").arg(tag(id, 1))),
                    false => queue.push(draw::call(&tag(id, 1), rng)),
                }
                let taken = queue.take_watched();
                *sent = Some(taken.map_err(|error| broken(3, format!("refused: {error}")))?);
                *step = match rng.random_range(0..10) {
                    0 => Step::Unwatch,
                    1..=3 => {
                        *writes += 1;
                        *write = Some(draw::call(&tag(id, APPLIED + *writes), rng));
                        Step::Write
                    }
                    _ => Step::Exec,
                };
                self.think(at)
            }
            Step::Write => {
                let n = APPLIED + *writes;
                let decoded = decode::<Value>(&frame);
                if let Err(error) = &decoded
                    && let Some(whole) =
                        write.as_ref().and_then(|write| write.after_missing_script(error))
                {
                    *write = Some(whole);
                    return self.submit(at);
                }
                *step = Step::Exec;
                self.audit.reply(id, n, &frame, self.now)?;
                match decoded {
                    Ok(_) => self.think(at),
                    Err(error) => self.attempt_failed(at, error, true),
                }
            }
            // The connection is as any other again.
            Step::Unwatch => match decode::<()>(&frame) {
                Ok(()) => {
                    op.dedicated = false;
                    self.audit.attempted(id, None);
                    self.resolve(at, Outcome::Done)
                }
                Err(error) => self.attempt_failed(at, error, true),
            },
            Step::Exec => {
                let Some(sent) = sent.clone() else { return Ok(()) };
                let result = match self.check_pipeline(id, &sent, true, frames) {
                    Ok(()) => Ok(()),
                    Err(Ok(error)) => Err(error),
                    Err(Err(violation)) => return Err(violation),
                };
                if let Some(op) = &mut self.tasks[at].op {
                    op.dedicated = !watch::is_over(&result);
                }
                match result {
                    Ok(()) => {
                        self.audit.attempted(id, None);
                        self.resolve(at, Outcome::Done)
                    }
                    Err(error) => self.attempt_failed(at, watch::lost(error), true),
                }
            }
        }
    }

    /// The user of a watch takes time before it goes on.
    fn think(&mut self, at: usize) -> Check {
        let pause = [0, 0, 20, 200][self.tasks[at].rng.random_range(0..4)];
        self.tasks[at].state = State::Thinks(self.now + Duration::from_millis(pause));
        Ok(())
    }

    /// An exchange has failed on its connection.
    fn exchange_failed(&mut self, at: usize, error: Error) -> Check {
        let Some(op) = &mut self.tasks[at].op else { return Ok(()) };
        op.frames.clear();
        let error = match &op.what {
            What::Watch { step: Step::Read | Step::Unwatch, .. } => {
                watch::lost_before_multi(error, true)
            }
            What::Watch { step: Step::Write, writes, .. } => {
                let error = watch::lost_before_multi(error, false);
                if error.delivery() == Delivery::NotSent {
                    self.audit.deny(op.id, APPLIED + writes);
                }
                error
            }
            What::Watch { step: Step::Exec, .. } => watch::lost(error),
            _ => error,
        };
        self.attempt_failed(at, error, true)
    }

    /// An attempt has failed: another one is made, or the caller is told.
    fn attempt_failed(&mut self, at: usize, error: Error, again: bool) -> Check {
        let now = self.now;
        let client = self.tasks[at].client;
        let seed = self.tasks[at].rng.random();
        self.give_up_turn(at);
        self.release(at);
        let Some(op) = &mut self.tasks[at].op else { return Ok(()) };
        let id = op.id;
        self.audit.attempted(id, Some(error.delivery()));
        let config = self.clients[client].config.clone();
        // All attempts share one deadline.
        if let (Deadline::In(_), Some(until)) = (op.deadline, op.until) {
            op.deadline = Deadline::At(until);
        }
        let until = op.deadline.known();
        let next: Result<Duration> = match &op.what {
            // What the async client has no place for is told at once.
            _ if !again => Err(error),
            What::Watch { key, step: Step::Watch, .. } => {
                let cmd = watch::watch(key.as_str());
                let cmd = cmd.map_err(|error| broken(3, format!("refused: {error}")))?;
                let retry = op.retry.get_or_insert_with(|| Retry::new(&cmd, seed));
                retry.after(&config, error, now, until).map_err(watch::not_begun)
            }
            What::Watch { .. } => {
                let attempts = op.attempts.get_or_insert_with(|| Attempts::new(&config, seed));
                attempts.after(error)
            }
            What::WarmUp { .. } if op.style == Style::Sync => Err(error),
            What::WarmUp { .. } => {
                let ping = redis_core::cmd::ping().into_cmd();
                let retry = op.retry.get_or_insert_with(|| Retry::new(&ping, seed));
                retry.after(&config, error, now, until)
            }
            What::Each(Stream { sent, .. }) => {
                let retry = op.retry.get_or_insert_with(|| Retry::new(Unit::streamed(sent), seed));
                retry.after(&config, error, now, until)
            }
            What::One { cmd, .. } => {
                let retry = op.retry.get_or_insert_with(|| Retry::new(cmd, seed));
                retry.after(&config, error, now, until)
            }
            What::Many { sent, .. } => {
                let retry = op.retry.get_or_insert_with(|| Retry::new(sent, seed));
                retry.after(&config, error, now, until)
            }
        };
        match next {
            Ok(wait) => {
                if let What::Watch { step: Step::Write, writes, .. } = op.what {
                    self.audit.deny(id, APPLIED + writes);
                }
                self.tasks[at].state = State::Retries(now + wait);
                self.note(|| format!("task {at}: op {id} tries again"));
                Ok(())
            }
            Err(error) => {
                self.note(|| format!("task {at}: op {id} failed, {error:?}"));
                if self.plan.is_quiet() && !error.is_server() {
                    return Err(broken(
                        6,
                        format!("nothing went wrong, and {id} failed: {error:?}"),
                    ));
                }
                self.resolve(at, Outcome::Failed(error))
            }
        }
    }

    /// The caller has lost interest.
    fn cancel(&mut self, at: usize) -> Check {
        let Some(op) = &mut self.tasks[at].op else { return Ok(()) };
        let (id, link) = (op.id, op.link);
        self.note(|| format!("task {at}: op {id} is cancelled"));
        if let (State::Exchanges(ticket), Some(link)) = (self.tasks[at].state, link) {
            self.abandon(link, ticket);
        }
        self.resolve(at, Outcome::Cancelled)
    }

    fn resolve(&mut self, at: usize, outcome: Outcome) -> Check {
        self.give_up_turn(at);
        self.release(at);
        let now = self.now;
        let task = &mut self.tasks[at];
        let Some(op) = task.op.take() else { return Ok(()) };
        let pause = [0, 0, 3, 40, 400][task.rng.random_range(0..5)];
        task.state = State::Sleeps(now + Duration::from_millis(pause));
        self.note(|| format!("task {at}: op {} is over, {outcome:?}", op.id));
        if let Some(until) = op.until
            && now > until + SLACK
        {
            let late = now - until;
            return Err(broken(6, format!("operation {} was answered {late:?} late", op.id)));
        }
        self.audit.resolve(op.id, outcome)
    }

    /// A nature for the history, and the start of it.
    fn invoke(&mut self, at: usize, nature: Nature) {
        let now = self.now;
        if let Some(op) = &self.tasks[at].op {
            let id = op.id;
            self.audit.invoke(id, nature, now);
            self.note(|| format!("task {at}: op {id} begins"));
        }
    }

    /// Whether a task of this client is cancelled sometime.
    fn cancel_at(&mut self, at: usize) -> Option<Instant> {
        let now = self.now;
        if !self.plan.has(Fault::Cancel) {
            return None;
        }
        let rng = &mut self.tasks[at].rng;
        let wait = [0, 1, 7, 50, 300][rng.random_range(0..5)];
        rng.random_bool(0.3).then(|| now + Duration::from_millis(wait))
    }

    fn push_request(&mut self, batch: &mut Batch, at: usize, ticket: Ticket) {
        let Some(op) = &self.tasks[at].op else { return };
        match &op.what {
            What::One { cmd, whole, .. } => {
                batch.push(ticket, whole.as_ref().unwrap_or(cmd), op.deadline);
            }
            What::Each(Stream { sent, .. }) => {
                batch.push_encoded(ticket, sent.parts(), sent.replies(), op.deadline);
            }
            What::WarmUp { .. } => {
                batch.push(ticket, &redis_core::cmd::ping().into_cmd(), op.deadline);
            }
            What::Many { sent, .. } => {
                batch.push_encoded(ticket, sent.parts(), sent.replies(), op.deadline);
            }
            What::Watch { key, sent, step, write, .. } => match (step, sent) {
                (Step::Watch, _) => {
                    if let Ok(cmd) = watch::watch(key.as_str()) {
                        batch.push(ticket, &cmd, op.deadline);
                    }
                }
                (Step::Write, _) => {
                    if let Some(write) = write {
                        batch.push(ticket, write, op.deadline);
                    }
                }
                (Step::Unwatch, _) => batch.push(ticket, &watch::unwatch(), op.deadline),
                (Step::Exec, Some(sent)) => {
                    batch.push_encoded(ticket, sent.parts(), sent.replies(), op.deadline);
                }
                _ => batch.push(ticket, &Cmd::<()>::raw("GET").arg(key.as_str()), op.deadline),
            },
        }
    }
}
