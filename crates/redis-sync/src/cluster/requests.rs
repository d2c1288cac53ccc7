//! What users ask of a cluster: single commands, pipelines, watches.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use redis_cluster::{Exchange, Link, NodeId, Options, Route, Source, Target};
use redis_core::pipeline::Sent;
use redis_core::{Block, Cmd, Endpoint, Error, ErrorKind, FromReply, Result, decode_shared, watch};

use super::Nodes;
use super::exchange::Runner;
use crate::connection::decode_run;
use crate::pool::{Pool, Pooled};

impl Nodes {
    /// Runs a command on the nodes that serve its keys, or as the command table says.
    pub(crate) fn execute<R: FromReply>(&self, cmd: &Cmd<R>) -> Result<R> {
        self.with_script(cmd, |cmd, now, deadline| match self.route(now, cmd) {
            Some(at) => self.execute_at(at, cmd, now, deadline),
            None => self.execute_by(cmd, Target::Auto, deadline),
        })
    }

    /// Runs a command on the nodes that a user chose.
    pub(crate) fn execute_on<R: FromReply>(&self, route: &Route, cmd: &Cmd<R>) -> Result<R> {
        let target = self.change(|state| state.cluster.target(route));
        let whole = target.for_many(cmd);
        let cmd = whole.as_ref().unwrap_or(cmd);
        self.with_script(cmd, |cmd, _, deadline| self.execute_by(cmd, target, deadline))
    }

    /// Runs a command on one node.
    pub(crate) fn execute_on_node<R: FromReply>(&self, node: NodeId, cmd: &Cmd<R>) -> Result<R> {
        let deadline = self.deadline(cmd.block(), Instant::now());
        self.execute_by(cmd, Target::Node(node), deadline)
    }

    /// As [`execute_on`](Self::execute_on), with what each node replied.
    pub(crate) fn execute_on_each<R: FromReply>(
        &self,
        route: &Route,
        cmd: &Cmd<R>,
    ) -> Result<Vec<(Endpoint, Result<R>)>> {
        if let Route::Node(endpoint) = route {
            return Ok(vec![(endpoint.clone(), self.execute_on(route, cmd))]);
        }
        let target = self.change(|state| state.cluster.target(route));
        let whole = target.for_many(cmd);
        let cmd = whole.as_ref().unwrap_or(cmd);
        let began = Instant::now();
        let deadline = self.deadline(cmd.block(), began);
        let exchange = self.run(cmd, target, deadline)?;
        self.config().tell_if_slow(cmd, began.elapsed());
        let replies: Vec<_> = exchange.each_reply(0).collect();
        if replies.is_empty() {
            // It went to none, and says why.
            return decode_shared(&{ exchange }.take_reply()?).map(|_: R| Vec::new());
        }
        let state = self.lock();
        let endpoint = |node| state.cluster.endpoint(node).cloned();
        let replies = replies.into_iter().filter_map(|(node, reply)| {
            // One that has gone meanwhile has no name any more.
            Some((endpoint(node)?, reply.and_then(decode_run)))
        });
        Ok(replies.collect())
    }

    /// Runs the command, and once more with the source of its script where a node lacks that.
    fn with_script<R>(
        &self,
        cmd: &Cmd<R>,
        run: impl Fn(&Cmd<R>, Instant, Option<Instant>) -> Result<R>,
    ) -> Result<R> {
        let began = Instant::now();
        let deadline = self.deadline(cmd.block(), began);
        let mut result = run(cmd, began, deadline);
        if let Err(error) = &result
            && let Some(whole) = cmd.after_missing_script(error)
        {
            result = run(&whole, Instant::now(), deadline);
        }
        if self.config().slow_command.is_some() {
            self.config().tell_if_slow(cmd, began.elapsed());
        }
        result
    }

    fn deadline(&self, block: Block, began: Instant) -> Option<Instant> {
        self.config().timeout(block).map(|timeout| began + timeout)
    }

    fn options(&self, target: Target, deadline: Option<Instant>) -> Options {
        Options { deadline, target, seed: self.seeds.next_seed() }
    }

    fn route<R>(&self, now: Instant, cmd: &Cmd<R>) -> Option<(NodeId, Link, Arc<Pool>)> {
        let mut state = self.lock();
        let (node, link) = state.cluster.route(now, cmd)?;
        let pool = state.pool(node, link)?;
        Some((node, link, pool))
    }

    /// Sends a command where it goes in nearly all cases; what is not answered there goes on from there.
    fn execute_at<R: FromReply>(
        &self,
        (node, link, pool): (NodeId, Link, Arc<Pool>),
        cmd: &Cmd<R>,
        began: Instant,
        deadline: Option<Instant>,
    ) -> Result<R> {
        let mut refused = None;
        let result = pool.acquire(began, deadline).and_then(|mut connection| {
            connection.execute_as(cmd, began, deadline, |run| {
                let result = decode_run(run);
                if result.as_ref().is_err_and(Error::is_server) {
                    refused = Some(Bytes::copy_from_slice(run.frames));
                }
                result
            })
        });
        let error = match result {
            Err(error) if error.kind() != ErrorKind::Decode => error,
            done => return done,
        };
        let options = self.options(Target::Auto, deadline);
        let exchange = self.begin(|state| {
            let now = Instant::now();
            let cluster = &mut state.cluster;
            let (mut exchange, send) =
                Exchange::resume(began, cluster, cmd, options, (node, link))?;
            match refused {
                Some(frame) => exchange.handle_replies(now, cluster, send.id, frame)?,
                None => exchange.handle_failed(now, cluster, send.id, error),
            }
            Ok(exchange)
        })?;
        let mut runner = Runner::new(self, cmd, exchange, deadline);
        runner.run();
        decode_shared(&runner.exchange.take_reply()?)
    }

    fn execute_by<R: FromReply>(
        &self,
        cmd: &Cmd<R>,
        target: Target,
        deadline: Option<Instant>,
    ) -> Result<R> {
        decode_shared(&self.run(cmd, target, deadline)?.take_reply()?)
    }

    fn run<S: Source + ?Sized>(
        &self,
        source: &S,
        target: Target,
        deadline: Option<Instant>,
    ) -> Result<Exchange> {
        let exchange = self.exchange(source, self.options(target, deadline))?;
        let mut runner = Runner::new(self, source, exchange, deadline);
        runner.run();
        Ok(runner.exchange)
    }

    /// Sends a pipeline. Its replies are in the exchange.
    pub(crate) fn execute_sent(&self, sent: &Sent) -> Result<Exchange> {
        let began = Instant::now();
        let exchange = self.run(sent, Target::Auto, self.deadline(sent.block(), began));
        if self.config().slow_command.is_some() {
            self.config().tell_if_slow(sent, began.elapsed());
        }
        exchange
    }

    /// Sends WATCH, and gives the connection that watches.
    pub(crate) fn watch(&self, cmd: &Cmd<()>) -> Result<(NodeId, Pooled)> {
        let began = Instant::now();
        let deadline = self.deadline(cmd.block(), began);
        let exchange = self.exchange(cmd, self.options(Target::Auto, deadline))?;
        let mut runner = Runner::new(self, cmd, exchange, deadline).keeping();
        runner.run();
        let reply = runner.exchange.take_reply();
        self.config().tell_if_slow(cmd, began.elapsed());
        let reply = reply.and_then(|frame| decode_shared::<()>(&frame));
        reply.map_err(watch::not_begun)?;
        runner.kept.take().ok_or_else(|| {
            Error::new(ErrorKind::Protocol, "a watch was answered, and not by a connection")
        })
    }
}
