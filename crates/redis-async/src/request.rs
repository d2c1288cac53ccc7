//! Futures of replies. They send nothing before they are polled, and give the request up when dropped.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use redis_core::batch::{Deadline, Ticket};
use redis_core::pipeline::{Replies, Run, Sent};
use redis_core::{Cmd, Error, ErrorKind, FromReply, Result, decode_shared};

use crate::inbox::Outcome;
use crate::link::{Link, Waiting};
use crate::pool::{Acquire, Pooled};

/// A request on its way; giving it up is seen to when dropped.
#[derive(Debug)]
pub(crate) struct Request<L: AsRef<Arc<Link>>> {
    link: L,
    deadline: Deadline,
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
        Self { link, deadline, state: Stage::Start(Waiting::default()) }
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
                self.state = Stage::Done;
                return Poll::Ready(match outcome {
                    Outcome::Failed(error) => Err(error),
                    outcome => Ok(outcome),
                });
            }
            Stage::Start(waiting) => {
                match ready!(link.poll_submit(cx, waiting, self.deadline, encode)) {
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
    cmd: Cmd<R>,
    state: State<'a>,
}

enum State<'a> {
    Refused(Option<Error>),
    /// Waits for a connection of its own.
    Acquire(Acquire),
    Request(Request<On<'a>>),
}

impl<R> std::fmt::Debug for ReplyFuture<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReplyFuture").finish_non_exhaustive()
    }
}

impl<'a, R> ReplyFuture<'a, R> {
    pub(crate) fn refused(error: Error, cmd: Cmd<R>) -> Self {
        Self { cmd, state: State::Refused(Some(error)) }
    }

    #[inline]
    pub(crate) fn on(link: &'a Arc<Link>, cmd: Cmd<R>) -> Self {
        let deadline = Deadline::from(link.config().timeout(cmd.block()));
        Self { cmd, state: State::Request(Request::new(On::Shared(link), deadline)) }
    }

    pub(crate) fn dedicated(acquire: Acquire, cmd: Cmd<R>) -> Self {
        Self { cmd, state: State::Acquire(acquire) }
    }
}

impl<R: FromReply> Future for ReplyFuture<'_, R> {
    type Output = Result<R>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<R>> {
        let this = self.get_mut();
        loop {
            match &mut this.state {
                State::Request(request) => {
                    let polled = request.poll(cx, |batch, ticket, deadline| {
                        batch.push(ticket, &this.cmd, deadline);
                    });
                    return match ready!(polled)? {
                        Outcome::One(frame) => Poll::Ready(decode_shared(&frame)),
                        Outcome::Runs(_) | Outcome::Failed(_) => Poll::Ready(Err(Error::new(
                            ErrorKind::Protocol,
                            "one command has several replies",
                        ))),
                    };
                }
                State::Acquire(acquire) => {
                    let (pooled, deadline) = ready!(acquire.as_mut().poll(cx))?;
                    this.state = State::Request(Request::new(On::Pooled(pooled), deadline));
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
    let deadline = Deadline::from(link.as_ref().config().timeout(sent.block()));
    let mut request = Request::new(&link, deadline);
    let outcome = poll_fn(|cx| {
        request.poll(cx, |batch, ticket, deadline| {
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
