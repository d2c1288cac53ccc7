//! Futures of replies. They send nothing before they are polled, and give the request up when dropped.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use redis_cluster::Target;
use redis_core::batch::{Deadline, Ticket};
use redis_core::pipeline::{Replies, Run, Sent};
use redis_core::retry::Retry;
use redis_core::{Cmd, Error, ErrorKind, FromReply, Result, decode_shared};

use crate::inbox::{Outcome, Taking};
use crate::link::{Link, Waiting};
use crate::nodes::{At, Boxed, Nodes};
use crate::pool::{Acquire, Pool, Pooled};
use crate::runtime::Timer;

/// A request on its way; giving it up is seen to when dropped.
#[derive(Debug)]
pub(crate) struct Request<L: AsRef<Arc<Link>>> {
    link: L,
    deadline: Deadline,
    taking: Taking,
    state: Stage,
}

#[derive(Debug)]
enum Stage {
    Start(Waiting),
    Sent(Ticket),
    Done,
}

impl<L: AsRef<Arc<Link>>> Request<L> {
    pub(crate) fn new(link: L, deadline: Deadline) -> Self {
        let state = Stage::Start(Waiting::default());
        Self { link, deadline, taking: Taking::Whole, state }
    }

    /// It takes its replies as they come, by [`poll_part`](Self::poll_part).
    fn in_parts(mut self) -> Self {
        self.taking = Taking::Parts;
        self
    }

    /// The deadline counts from now, unless it does already.
    fn fix_deadline(&mut self) {
        if let Deadline::In(_) = self.deadline {
            self.deadline = self.deadline.from_now(Instant::now());
        }
    }

    /// Once it is done: begins anew, under the same deadline.
    fn restart(&mut self) {
        self.state = Stage::Start(Waiting::default());
    }

    #[inline]
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        encode: impl FnOnce(&mut redis_core::batch::Batch, Ticket, Deadline),
    ) -> Poll<Result<Outcome>> {
        let link = self.link.as_ref();
        let ticket = match &mut self.state {
            Stage::Sent(ticket) => {
                let outcome = ready!(link.poll_outcome(cx, *ticket));
                return Poll::Ready(self.done(outcome));
            }
            Stage::Start(waiting) => {
                match ready!(link.poll_submit(cx, waiting, self.deadline, self.taking, encode)) {
                    Ok(ticket) => ticket,
                    Err(error) => {
                        if let Some(deadline) = waiting.deadline() {
                            self.deadline = Deadline::At(deadline);
                        }
                        self.state = Stage::Done;
                        return Poll::Ready(Err(error));
                    }
                }
            }
            Stage::Done => panic!("a reply future was polled after it was done"),
        };
        self.state = Stage::Sent(ticket);
        Poll::Pending
    }

    #[inline]
    fn done(&mut self, outcome: Outcome) -> Result<Outcome> {
        self.state = Stage::Done;
        match outcome {
            Outcome::Failed(error, deadline) => {
                if let Some(deadline) = deadline {
                    self.deadline = Deadline::At(deadline);
                }
                Err(error)
            }
            outcome => Ok(outcome),
        }
    }

    /// As [`poll`](Self::poll), and before the outcome what has come so far, part by part.
    fn poll_part(
        &mut self,
        cx: &mut Context<'_>,
        encode: impl FnOnce(&mut redis_core::batch::Batch, Ticket, Deadline),
    ) -> Poll<Result<Outcome>> {
        let Stage::Sent(ticket) = self.state else { return self.poll(cx, encode) };
        Poll::Ready(match ready!(self.link.as_ref().poll_part(cx, ticket)) {
            part @ Outcome::Part(_) => Ok(part),
            outcome => self.done(outcome),
        })
    }
}

impl Request<On<'static>> {
    /// What it was on, once it is done.
    pub(crate) fn take_link(&mut self) -> On<'static> {
        let link = self.link.as_ref().clone();
        std::mem::replace(&mut self.link, On::Owned(link))
    }
}

impl<L: AsRef<Arc<Link>>> Drop for Request<L> {
    fn drop(&mut self) {
        match &self.state {
            Stage::Start(waiting) => self.link.as_ref().stop_waiting(waiting),
            Stage::Sent(ticket) => self.link.as_ref().abandon(*ticket),
            Stage::Done => {}
        }
    }
}

/// A link that is borrowed, or on loan from the pool.
#[derive(Debug)]
pub(crate) enum On<'a> {
    Shared(&'a Arc<Link>),
    Pooled(Pooled),
    /// Of a watch, which does not outlive its connection.
    Watched(&'a Arc<Link>),
    /// Of a part of something larger, which decides what comes of it.
    Owned(Arc<Link>),
    /// That of a cluster's node.
    Node(&'a Arc<Nodes>, Arc<Link>, At),
}

impl AsRef<Arc<Link>> for On<'_> {
    #[inline]
    fn as_ref(&self) -> &Arc<Link> {
        match self {
            Self::Shared(link) | Self::Watched(link) => link,
            Self::Pooled(pooled) => pooled.link(),
            Self::Owned(link) | Self::Node(_, link, _) => link,
        }
    }
}

/// The reply of one command. It is sent at the first poll: a future that is never polled sends nothing.
///
/// # Cancel safety
///
/// Dropping it gives the command up. If it was not written it never is; otherwise the server may run it,
/// and its reply is read and thrown away. Others on the same client are not affected. A blocking command
/// that is dropped closes its own connection.
#[must_use = "futures do nothing unless polled"]
pub struct ReplyFuture<'a, R> {
    cmd: Cmd<R>,
    state: State<'a>,
    /// None before the first failure.
    retry: Option<Box<Retry>>,
    /// When it was made, where slow commands are looked for.
    began: Option<Instant>,
}

enum State<'a> {
    Refused(Option<Error>),
    /// Is to find its node.
    Route(&'a Arc<Nodes>, Deadline),
    /// Finds its way through a cluster.
    Exchange(&'a Arc<Nodes>, Boxed<'a, Result<Bytes>>),
    /// Waits for a connection of its own.
    Acquire(Acquire),
    Request(Request<On<'a>>),
    /// Waits before it is sent again.
    Waits(Box<Wait<'a>>),
}

struct Wait<'a> {
    until: Instant,
    timer: Box<dyn Timer>,
    deadline: Deadline,
    place: Place<'a>,
}

/// Where another attempt is made.
enum Place<'a> {
    Shared(&'a Arc<Link>),
    Pool(Arc<Pool>),
}

impl<R> std::fmt::Debug for ReplyFuture<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReplyFuture").finish_non_exhaustive()
    }
}

impl<'a, R> ReplyFuture<'a, R> {
    pub(crate) fn refused(error: Error, cmd: Cmd<R>) -> Self {
        Self::new(cmd, State::Refused(Some(error)))
    }

    #[inline]
    pub(crate) fn on(link: &'a Arc<Link>, cmd: Cmd<R>) -> Self {
        Self::at(On::Shared(link), cmd)
    }

    /// On a connection of its own that is there already.
    pub(crate) fn pooled(pooled: Pooled, cmd: Cmd<R>) -> Self {
        Self::at(On::Pooled(pooled), cmd)
    }

    /// On the connection of a watch: it is sent once, whatever happens.
    pub(crate) fn watched(link: &'a Arc<Link>, cmd: Cmd<R>) -> Self {
        Self::at(On::Watched(link), cmd)
    }

    /// As [`watched`](Self::watched), with a deadline of the caller's.
    pub(crate) fn watched_before(link: &'a Arc<Link>, cmd: Cmd<R>, deadline: Deadline) -> Self {
        Self::before(On::Watched(link), cmd, deadline)
    }

    /// On whatever node of a cluster is the right one.
    #[inline]
    pub(crate) fn routed(nodes: &'a Arc<Nodes>, cmd: Cmd<R>) -> Self {
        let config = nodes.config();
        let deadline = Deadline::from(config.timeout(cmd.block()));
        let began = config.slow_command.map(|_| Instant::now());
        Self { began, ..Self::new(cmd, State::Route(nodes, deadline)) }
    }

    /// On these nodes of a cluster.
    pub(crate) fn targeted(nodes: &'a Arc<Nodes>, target: Target, cmd: Cmd<R>) -> Self {
        let config = nodes.config();
        let deadline = Deadline::from(config.timeout(cmd.block()));
        let began = config.slow_command.map(|_| Instant::now());
        let exchange = nodes.execute(cmd.clone().returning(), target, deadline);
        Self { began, ..Self::new(cmd, State::Exchange(nodes, exchange)) }
    }

    #[inline]
    fn at(on: On<'a>, cmd: Cmd<R>) -> Self {
        let deadline = Deadline::from(on.as_ref().config().timeout(cmd.block()));
        Self::before(on, cmd, deadline)
    }

    #[inline]
    fn before(on: On<'a>, cmd: Cmd<R>, deadline: Deadline) -> Self {
        let config = on.as_ref().config();
        let began = config.slow_command.map(|_| Instant::now());
        Self { began, ..Self::new(cmd, State::Request(Request::new(on, deadline))) }
    }

    #[inline]
    fn new(cmd: Cmd<R>, state: State<'a>) -> Self {
        Self { cmd, state, retry: None, began: None }
    }

    pub(crate) fn dedicated(acquire: Acquire, cmd: Cmd<R>) -> Self {
        Self::new(cmd, State::Acquire(acquire))
    }

    /// Whether it does no harm when the command runs twice.
    pub(crate) fn is_repeatable(&self) -> bool {
        self.cmd.is_repeatable()
    }

    /// After a failure, or an error as reply: waits for another attempt, or hands the error back.
    #[cold]
    fn again(&mut self, error: Error, frame: Option<Bytes>) -> Result<()> {
        let State::Request(request) = &self.state else { return Err(error) };
        let (place, link) = match &request.link {
            On::Shared(link) => (Place::Shared(link), *link),
            On::Pooled(pooled) => (Place::Pool(pooled.pool().clone()), pooled.link()),
            On::Node(nodes, _, at) => {
                let outcome = match frame {
                    Some(frame) if error.is_server() => Ok(frame),
                    Some(_) => return Err(error),
                    None => Err(error),
                };
                let deadline = request.deadline.at(Instant::now());
                let cmd = self.cmd.clone().returning();
                self.state = State::Exchange(nodes, nodes.resume(cmd, *at, outcome, deadline));
                return Ok(());
            }
            On::Watched(_) | On::Owned(_) => return Err(error),
        };
        let cmd = &self.cmd;
        let retry = self.retry.get_or_insert_with(|| Box::new(Retry::new(cmd, link.next_seed())));
        let now = Instant::now();
        let deadline = request.deadline.from_now(now);
        let wait = retry.after(link.config(), error, now, deadline.known())?;
        let timer = link.runtime().timer();
        self.state = State::Waits(Box::new(Wait { until: now + wait, timer, deadline, place }));
        Ok(())
    }
}

impl<R: FromReply> Future for ReplyFuture<'_, R> {
    type Output = Result<R>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<R>> {
        let this = self.get_mut();
        loop {
            match &mut this.state {
                State::Request(request) => {
                    if this.cmd.calls_script() {
                        // One deadline, from now on, for both times that it may be sent.
                        request.fix_deadline();
                    }
                    let polled = request.poll(cx, |batch, ticket, deadline| {
                        batch.push(ticket, &this.cmd, deadline);
                    });
                    let (decoded, frame) = match ready!(polled) {
                        Ok(Outcome::One(frame)) => (decode_shared(&frame), Some(frame)),
                        Ok(Outcome::Runs(_) | Outcome::Part(_) | Outcome::Failed(..)) => {
                            let text = "one command has several replies";
                            (Err(Error::new(ErrorKind::Protocol, text)), None)
                        }
                        Err(error) => (Err(error), None),
                    };
                    let done = match decoded {
                        Err(error) if let Some(whole) = this.cmd.after_missing_script(&error) => {
                            this.cmd = whole;
                            request.restart();
                            continue;
                        }
                        Err(error) => match this.again(error, frame) {
                            Ok(()) => continue,
                            Err(error) => Err(error),
                        },
                        done => done,
                    };
                    if let (Some(began), State::Request(request)) = (this.began, &this.state) {
                        let config = request.link.as_ref().config();
                        config.tell_if_slow(&this.cmd, began.elapsed());
                    }
                    return Poll::Ready(done);
                }
                State::Waits(wait) => {
                    ready!(wait.timer.poll_at(cx, wait.until));
                    let deadline = wait.deadline;
                    this.state = match &wait.place {
                        Place::Shared(link) => {
                            State::Request(Request::new(On::Shared(link), deadline))
                        }
                        Place::Pool(pool) => State::Acquire(pool.acquire(deadline)),
                    };
                }
                State::Acquire(acquire) => {
                    let (pooled, deadline) = match ready!(acquire.as_mut().poll(cx)) {
                        Ok(acquired) => acquired,
                        // No place is waited for twice, but an attempt before may have run.
                        Err(error) => {
                            return Poll::Ready(Err(match &this.retry {
                                Some(retry) => retry.last(error),
                                None => error,
                            }));
                        }
                    };
                    this.state = State::Request(Request::new(On::Pooled(pooled), deadline));
                }
                State::Route(nodes, deadline) => {
                    let (nodes, deadline) = (*nodes, *deadline);
                    this.state = match nodes.route(&this.cmd) {
                        Ok(Some((link, at))) => {
                            State::Request(Request::new(On::Node(nodes, link, at), deadline))
                        }
                        Ok(None) => {
                            let cmd = this.cmd.clone().returning();
                            State::Exchange(nodes, nodes.execute(cmd, Target::Auto, deadline))
                        }
                        Err(error) => State::Refused(Some(error)),
                    };
                }
                State::Exchange(nodes, exchange) => {
                    let frame = ready!(exchange.as_mut().poll(cx));
                    if let Some(began) = this.began {
                        nodes.config().tell_if_slow(&this.cmd, began.elapsed());
                    }
                    this.state = State::Refused(None);
                    return Poll::Ready(frame.and_then(|frame| decode_shared(&frame)));
                }
                State::Refused(error) => {
                    let error = error.take().expect("a reply future was polled after it was done");
                    return Poll::Ready(Err(error));
                }
            }
        }
    }
}

/// Sends a pipeline, and gives its replies; on failure what is known of its deadline as well.
pub(crate) async fn send(
    link: &On<'_>,
    sent: &Sent,
    deadline: Deadline,
) -> Result<Vec<Bytes>, (Error, Deadline)> {
    let mut request = Request::new(link, deadline);
    let outcome = poll_fn(|cx| {
        request.poll(cx, |batch, ticket, deadline| {
            batch.push_encoded(ticket, sent.parts(), sent.replies(), deadline);
        })
    });
    match outcome.await {
        Ok(Outcome::One(run)) => Ok(vec![run]),
        // One that takes all at once has no parts.
        Ok(Outcome::Runs(runs) | Outcome::Part(runs)) => Ok(runs),
        Ok(Outcome::Failed(error, _)) | Err(error) => Err((error, request.deadline)),
    }
}

/// Sends a pipeline, and hands its replies on as they come; on failure what is known of its deadline as well.
pub(crate) async fn send_each(
    link: &On<'_>,
    sent: &Sent,
    deadline: Deadline,
    mut handle: impl FnMut(Run<'_>) -> Result<()>,
) -> Result<(), (Error, Deadline)> {
    let mut request = Request::new(link, deadline).in_parts();
    loop {
        let part = poll_fn(|cx| {
            request.poll_part(cx, |batch, ticket, deadline| {
                batch.push_encoded(ticket, sent.parts(), sent.replies(), deadline);
            })
        });
        let (runs, done) = match part.await {
            Ok(Outcome::Part(runs)) => (runs, false),
            Ok(Outcome::Runs(runs)) => (runs, true),
            Ok(Outcome::One(run)) => (vec![run], true),
            Ok(Outcome::Failed(error, _)) | Err(error) => return Err((error, request.deadline)),
        };
        for run in runs {
            let handled = handle(Run { frames: &run, memory: Some(&run) });
            let handled = note(link, handled);
            handled.map_err(|error| (error, request.deadline))?;
        }
        if done {
            return Ok(());
        }
        // However fast replies come, other tasks have their turn.
        yield_now().await;
    }
}

async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Decodes a pipeline's replies.
pub(crate) fn open<T>(
    link: &On<'_>,
    sent: &Sent,
    runs: &[Bytes],
    decode: impl FnOnce(&mut Replies<'_>) -> Result<T>,
) -> Result<T> {
    let runs = runs.iter().map(|run| Run { frames: run, memory: Some(run) });
    note(link, sent.open(runs).and_then(|mut replies| decode(&mut replies)))
}

/// Replies that can't be those of their request make the connection unusable.
fn note<T>(link: &On<'_>, result: Result<T>) -> Result<T> {
    if let Err(error) = &result
        && error.kind() == ErrorKind::Protocol
    {
        // Whose replies are whose is not known any longer.
        link.as_ref().poison();
    }
    result
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::task::Waker;

    use redis_core::config::Seeds;
    use redis_core::{Command as _, Config, Endpoint, Script};

    use super::*;
    use crate::runtime::{BoxFuture, Runtime, Socket};

    /// Never runs what it is given.
    struct Nothing;

    impl Runtime for Nothing {
        fn connect(&self, _: Endpoint) -> BoxFuture<io::Result<Box<dyn Socket>>> {
            Box::pin(std::future::pending())
        }

        fn timer(&self) -> Box<dyn Timer> {
            unreachable!("nothing waits for a time")
        }

        fn spawn(&self, task: BoxFuture<()>) -> io::Result<()> {
            // Dropped, it would tell its link that the runtime has ended.
            std::mem::forget(task);
            Ok(())
        }
    }

    #[test]
    fn the_deadline_of_a_script_counts_from_the_first_poll() {
        let seeds = Arc::new(Seeds::new(1));
        let link = Link::new(Arc::new(Config::default()), Arc::new(Nothing), seeds);
        let call = Script::<i64>::new("return 1").call().into_cmd();
        let mut future = ReplyFuture::on(&link, call);
        let deadline = |future: &ReplyFuture<'_, i64>| match &future.state {
            State::Request(request) => request.deadline,
            _ => unreachable!("it is on a link"),
        };
        assert!(matches!(deadline(&future), Deadline::In(_)), "it has not begun");
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut future).poll(&mut cx).is_pending());
        let first = deadline(&future);
        assert!(matches!(first, Deadline::At(_)));
        assert!(Pin::new(&mut future).poll(&mut cx).is_pending());
        assert_eq!(deadline(&future), first, "it has one for both times that it may be sent");
    }
}
