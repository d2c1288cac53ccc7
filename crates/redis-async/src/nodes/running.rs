//! An exchange on its way: its sends go to their links, and what comes back goes to it.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use redis_cluster::{Exchange, NodeId, Options, Send as Sending, Source};
use redis_core::batch::Deadline;
use redis_core::{Block, Cmd, Result, decode};

use super::{At, Nodes, gone};
use crate::inbox::Outcome;
use crate::pool::{Acquire, Pooled};
use crate::request::{On, Request};
use crate::runtime::Timer;

/// Everything under way is given up when dropped.
#[must_use = "nothing is sent before it is waited for"]
pub(super) struct Running<'a, S: ?Sized> {
    nodes: &'a Arc<Nodes>,
    source: &'a S,
    exchange: Exchange,
    deadline: Option<Instant>,
    under_way: Vec<UnderWay>,
    /// What was sent before, and is to be told of.
    first: Option<Sending>,
    /// How old the map is that it knows.
    changes: u64,
    timer: Option<Box<dyn Timer>>,
    /// Each send gets a connection of its own, and the last one is kept.
    keeps: bool,
    kept: Option<(Pooled, NodeId)>,
}

struct UnderWay {
    send: Sending,
    stage: Stage,
}

enum Stage {
    Acquire(Acquire),
    Request(Request<On<'static>>),
}

impl<'a, S: Source + ?Sized> Running<'a, S> {
    pub(super) fn new(nodes: &'a Arc<Nodes>, source: &'a S, options: Options) -> Result<Self> {
        let exchange = nodes.with(|state| Exchange::new(&state.machine, source, options))?;
        Ok(Self::of(nodes, source, exchange, options))
    }

    fn of(nodes: &'a Arc<Nodes>, source: &'a S, exchange: Exchange, options: Options) -> Self {
        Self {
            nodes,
            source,
            exchange,
            deadline: options.deadline,
            under_way: Vec::new(),
            first: None,
            changes: 0,
            timer: None,
            keeps: false,
            kept: None,
        }
    }

    /// The exchange, once everything is answered.
    pub(super) async fn finish(mut self) -> Result<Exchange> {
        self.wait().await?;
        Ok(self.exchange)
    }

    /// Waits until everything is answered.
    async fn wait(&mut self) -> Result<()> {
        poll_fn(|cx| self.poll_over(cx)).await
    }

    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            let now = Instant::now();
            let mut progress = self.send(now);
            let mut at = 0;
            while at < self.under_way.len() {
                match self.under_way[at].poll(cx, &self.exchange, self.source, self.keeps) {
                    Poll::Pending => at += 1,
                    Poll::Ready(outcome) => {
                        let done = self.under_way.swap_remove(at);
                        self.take(done, outcome);
                        progress = true;
                    }
                }
            }
            if self.exchange.is_over() {
                return Poll::Ready(Ok(()));
            }
            if progress {
                continue;
            }
            if self.exchange.is_waiting() {
                if self.nodes.poll_change(cx, self.changes)?.is_ready() {
                    continue;
                }
                if let Some(due) = self.exchange.poll_timeout() {
                    let timer = self.timer.get_or_insert_with(|| self.nodes.runtime.timer());
                    if timer.poll_at(cx, due).is_ready() {
                        continue;
                    }
                }
            }
            return Poll::Pending;
        }
    }

    /// Begins what the exchange wants sent.
    fn send(&mut self, now: Instant) -> bool {
        let Self { nodes, exchange, deadline, under_way, changes, keeps, .. } = self;
        let deadline = Deadline::from(*deadline);
        let before = under_way.len();
        nodes.with(|state| {
            if *changes != state.changes {
                *changes = state.changes;
                exchange.handle_map(now, &mut state.machine);
            }
            exchange.handle_timeout(now);
            while let Some(send) = exchange.poll_send(now, &mut state.machine) {
                let size = state.pool_size;
                let stage = match state.end(nodes, (send.node, send.link)) {
                    None => {
                        exchange.handle_failed(now, &mut state.machine, send.id, gone());
                        continue;
                    }
                    Some(end) if send.block != Block::Never || *keeps => {
                        Stage::Acquire(end.pool(nodes, size).acquire(deadline))
                    }
                    Some(end) => {
                        Stage::Request(Request::new(On::Owned(end.link.clone()), deadline))
                    }
                };
                under_way.push(UnderWay { send, stage });
            }
        });
        under_way.len() > before
    }

    /// Tells the exchange what came of something it sent.
    fn take(&mut self, done: UnderWay, outcome: Result<Outcome>) {
        let UnderWay { send, stage } = done;
        let told = self.tell(&send, outcome);
        let Stage::Request(mut request) = stage else { return };
        match (told, request.take_link()) {
            (Ok(()), On::Pooled(pooled)) if self.keeps => self.kept = Some((pooled, send.node)),
            (Err(_), on) => on.as_ref().poison(),
            _ => {}
        }
    }

    fn tell(&mut self, send: &Sending, outcome: Result<Outcome>) -> Result<()> {
        let now = Instant::now();
        let Self { nodes, exchange, .. } = self;
        let runs = match outcome {
            Ok(Outcome::One(run)) => vec![run],
            // One that takes all at once has no parts.
            Ok(Outcome::Runs(runs) | Outcome::Part(runs)) => runs,
            Ok(Outcome::Failed(error, _)) | Err(error) => {
                nodes.with(|state| {
                    exchange.handle_failed(now, &mut state.machine, send.id, error);
                });
                return Ok(());
            }
        };
        nodes.with(|state| {
            let machine = &mut state.machine;
            let mut runs = runs.into_iter();
            let told = runs.try_for_each(|run| exchange.handle_replies(now, machine, send.id, run));
            if let Err(error) = &told {
                exchange.handle_failed(now, machine, send.id, error.clone());
            }
            told
        })
    }
}

impl<'a, R> Running<'a, Cmd<R>> {
    /// Of a command that was sent already.
    pub(super) fn resume(
        nodes: &'a Arc<Nodes>,
        cmd: &'a Cmd<R>,
        options: Options,
        at: At,
    ) -> Result<Self> {
        let now = Instant::now();
        let (exchange, send) =
            nodes.with(|state| Exchange::resume(now, &mut state.machine, cmd, options, at))?;
        Ok(Self { first: Some(send), ..Self::of(nodes, cmd, exchange, options) })
    }

    /// What came of that.
    pub(super) fn handle_first(&mut self, outcome: Result<Bytes>) {
        if let Some(send) = self.first.take() {
            // One frame was asked for, and one was read.
            let _ = self.tell(&send, outcome.map(Outcome::One));
        }
    }

    /// The connection, of its own, on which the command has succeeded in the end.
    pub(super) async fn connection(mut self) -> Result<(Pooled, NodeId)> {
        self.keeps = true;
        self.wait().await?;
        decode::<()>(&self.exchange.take_reply()?)?;
        self.kept.ok_or_else(gone)
    }
}

impl UnderWay {
    fn poll<S: Source + ?Sized>(
        &mut self,
        cx: &mut Context<'_>,
        exchange: &Exchange,
        source: &S,
        keeps: bool,
    ) -> Poll<Result<Outcome>> {
        let Self { send, stage } = self;
        if let Stage::Acquire(acquire) = stage {
            match acquire.as_mut().poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok((mut pooled, deadline))) => {
                    pooled.set_dedicated(keeps);
                    *stage = Stage::Request(Request::new(On::Pooled(pooled), deadline));
                }
            }
        }
        let Stage::Request(request) = stage else { return Poll::Pending };
        request.poll(cx, |batch, ticket, deadline| {
            batch
                .push_with(ticket, send.replies, deadline, |out| exchange.write(send, source, out));
        })
    }
}
