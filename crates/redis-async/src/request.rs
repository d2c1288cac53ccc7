//! Futures of replies. They send nothing before they are polled, and give the request up when dropped.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use redis_core::batch::{Deadline, Ticket};
use redis_core::pipeline::{Replies, Run, Sent};
use redis_core::{Block, Cmd, Config, Error, ErrorKind, FromReply, Result, decode_shared};

use crate::inbox::Outcome;
use crate::link::{Link, Waiting};
use crate::pool::{Acquire, Pooled};

/// When a request is given up.
pub(crate) fn deadline(config: &Config, block: Block) -> Deadline {
    match (config.command_timeout, block) {
        (None, _) | (_, Block::Forever) => Deadline::Never,
        (Some(timeout), Block::Never) => Deadline::In(timeout),
        (Some(timeout), Block::For(time)) => Deadline::In(timeout.saturating_add(time)),
    }
}

/// A request on its way; giving it up is seen to when dropped.
#[derive(Debug)]
pub(crate) struct Request<L: AsRef<Arc<Link>>> {
    link: L,
    state: Stage,
}

#[derive(Debug)]
enum Stage {
    Start(Waiting),
    Sent(Ticket),
    Done,
}

impl<L: AsRef<Arc<Link>>> Request<L> {
    pub(crate) fn new(link: L) -> Self {
        Self { link, state: Stage::Start(Waiting::default()) }
    }

    #[inline]
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        block: Block,
        encode: impl FnOnce(&mut redis_core::batch::Batch, Ticket, Deadline),
    ) -> Poll<Result<Outcome>> {
        let link = self.link.as_ref();
        let ticket = match &mut self.state {
            Stage::Sent(ticket) => {
                let outcome = ready!(link.poll_outcome(cx, *ticket));
                self.state = Stage::Done;
                return Poll::Ready(match outcome {
                    Outcome::Failed(error) => Err(error),
                    outcome => Ok(outcome),
                });
            }
            Stage::Start(waiting) => {
                let deadline = deadline(link.config(), block);
                match ready!(link.poll_submit(cx, waiting, deadline, encode)) {
                    Ok(ticket) => ticket,
                    Err(error) => {
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
}

impl AsRef<Arc<Link>> for On<'_> {
    #[inline]
    fn as_ref(&self) -> &Arc<Link> {
        match self {
            Self::Shared(link) => link,
            Self::Pooled(pooled) => pooled.link(),
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
    state: State<'a, R>,
}

enum State<'a, R> {
    Refused(Option<Error>),
    /// Waits for a connection of its own.
    Acquire(Acquire, Cmd<R>),
    Request(Request<On<'a>>, Cmd<R>),
}

impl<R> std::fmt::Debug for ReplyFuture<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReplyFuture").finish_non_exhaustive()
    }
}

impl<'a, R> ReplyFuture<'a, R> {
    pub(crate) fn refused(error: Error) -> Self {
        Self { state: State::Refused(Some(error)) }
    }

    pub(crate) fn on(link: &'a Arc<Link>, cmd: Cmd<R>) -> Self {
        Self { state: State::Request(Request::new(On::Shared(link)), cmd) }
    }

    pub(crate) fn dedicated(acquire: Acquire, cmd: Cmd<R>) -> Self {
        Self { state: State::Acquire(acquire, cmd) }
    }
}

impl<R: FromReply> Future for ReplyFuture<'_, R> {
    type Output = Result<R>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<R>> {
        let this = self.get_mut();
        loop {
            match &mut this.state {
                State::Request(request, cmd) => {
                    let polled = request.poll(cx, cmd.block(), |batch, ticket, deadline| {
                        batch.push(ticket, cmd, deadline);
                    });
                    return match ready!(polled)? {
                        Outcome::One(frame) => Poll::Ready(decode_shared(&frame)),
                        Outcome::Runs(_) | Outcome::Failed(_) => Poll::Ready(Err(Error::new(
                            ErrorKind::Protocol,
                            "one command has several replies",
                        ))),
                    };
                }
                State::Acquire(acquire, cmd) => {
                    let pooled = ready!(acquire.as_mut().poll(cx))?;
                    let cmd = cmd.clone();
                    this.state = State::Request(Request::new(On::Pooled(pooled)), cmd);
                }
                State::Refused(error) => {
                    let error = error.take().expect("a reply future was polled after it was done");
                    return Poll::Ready(Err(error));
                }
            }
        }
    }
}

/// Sends a pipeline and decodes its replies.
pub(crate) async fn exchange<T>(
    link: On<'_>,
    sent: &Sent,
    decode: impl FnOnce(&mut Replies<'_>) -> Result<T>,
) -> Result<T> {
    let mut request = Request::new(&link);
    let outcome = poll_fn(|cx| {
        request.poll(cx, sent.block(), |batch, ticket, deadline| {
            batch.push_encoded(ticket, sent.parts(), sent.replies(), deadline);
        })
    });
    let runs = match outcome.await? {
        Outcome::One(run) => vec![run],
        Outcome::Runs(runs) => runs,
        Outcome::Failed(error) => return Err(error),
    };
    let runs = runs.iter().map(|run| Run { frames: run, memory: Some(run) });
    let result = sent.open(runs).and_then(|mut replies| decode(&mut replies));
    if let Err(error) = &result
        && error.kind() == ErrorKind::Protocol
    {
        // Whose replies are whose is not known any longer.
        link.as_ref().poison();
    }
    result
}
