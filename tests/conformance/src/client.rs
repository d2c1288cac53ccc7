//! The client as scenarios see it: that of any subject, with the methods users call.

use std::ops::ControlFlow;
use std::time::Duration;

use redis_cluster::{Route, Topology};
use redis_core::monitor::MonitorEntry;
use redis_core::pipeline::{Batched, FromReplies};
use redis_core::pubsub::Message;
use redis_core::telemetry::Stats;
use redis_core::types::ScanPage;
use redis_core::{Command, Endpoint, Error, Execute, FromReply, Queue, Result, Value};

use crate::coverage;
use crate::subject::{Names, Subject};

/// A subject's client, with the methods of `Commands`.
#[derive(Clone)]
pub(crate) struct Client<S>(pub(crate) S);

impl<'a, S: Subject> Execute for &'a Client<S> {
    type Output<R: FromReply> = S::Reply<'a, R>;

    fn execute<C: Command>(self, command: C) -> S::Reply<'a, C::Reply> {
        let cmd = command.into_cmd();
        coverage::sent(&cmd);
        self.0.execute(cmd)
    }
}

impl<S: Subject> Client<S> {
    pub(crate) async fn batch<B: Batched<Output: Send> + Send>(
        &self,
        commands: B,
    ) -> Result<B::Output> {
        self.0.batch(commands).await
    }

    /// The first items of a walk, at most so many.
    pub(crate) async fn scan_iter<T: FromReply + Send>(
        &self,
        first: impl Command<Reply = ScanPage<T>>,
        most: usize,
    ) -> Result<Vec<T>> {
        self.0.scan(first.into_cmd(), most).await
    }

    /// Runs a command on nodes of a cluster that are chosen.
    pub(crate) async fn execute_on<C: Command>(
        &self,
        route: Route,
        command: C,
    ) -> Result<C::Reply> {
        let cmd = command.into_cmd();
        coverage::sent(&cmd);
        self.0.execute_on(route, cmd).await
    }

    /// The same, and what each node replied.
    pub(crate) async fn execute_on_each<C: Command>(
        &self,
        route: Route,
        command: C,
    ) -> Result<Vec<(Endpoint, Result<C::Reply>)>> {
        let cmd = command.into_cmd();
        coverage::sent(&cmd);
        self.0.execute_on_each(route, cmd).await
    }

    pub(crate) fn topology(&self) -> Option<Topology> {
        self.0.topology()
    }

    /// A client of a single node.
    pub(crate) fn node(&self, endpoint: &Endpoint) -> Self {
        Self(self.0.node(endpoint))
    }

    pub(crate) async fn warm_up(&self, connections: usize) -> Result<()> {
        self.0.warm_up(connections).await
    }

    pub(crate) fn resize_pool(&self, size: usize) -> Result<()> {
        self.0.resize_pool(size)
    }

    pub(crate) fn fire_and_forget<C: Command>(&self, command: C) -> Result<()> {
        let cmd = command.into_cmd();
        coverage::sent(&cmd);
        self.0.fire_and_forget(cmd)
    }

    pub(crate) fn stats(&self) -> Stats {
        self.0.stats()
    }

    pub(crate) fn pipeline(&self) -> Pipeline<S> {
        Pipeline(self.0.pipeline())
    }

    pub(crate) async fn watch(&self, keys: &[&str]) -> Result<Watched<S>> {
        self.0.watch(keys).await.map(Watched)
    }

    pub(crate) async fn transaction<T, V, Fut>(
        &self,
        keys: &[&str],
        mut attempt: impl FnMut(Watched<S>) -> Fut + Send,
    ) -> Result<(T, V)>
    where
        T: FromReplies + Send + 'static,
        V: Send + 'static,
        Fut: Future<Output = Result<Transaction<S, V>>> + Send,
    {
        let attempt = move |watched| {
            let attempted = attempt(Watched(watched));
            async move { attempted.await.map(|transaction| transaction.0) }
        };
        self.0.transaction(keys, attempt).await
    }

    pub(crate) async fn monitor(&self) -> Result<Monitor<S>> {
        Ok(Monitor(self.0.monitor().await?))
    }

    pub(crate) fn pubsub(&self) -> PubSub<S> {
        PubSub(self.0.pubsub())
    }

    /// On the connection that commands share.
    pub(crate) async fn subscribe<N: AsRef<[u8]>>(
        &self,
        channels: &[N],
    ) -> Result<Subscription<S>> {
        self.0.subscribe_shared(Names::Channels, owned(channels)).await.map(Subscription)
    }

    pub(crate) async fn psubscribe<N: AsRef<[u8]>>(
        &self,
        patterns: &[N],
    ) -> Result<Subscription<S>> {
        self.0.subscribe_shared(Names::Patterns, owned(patterns)).await.map(Subscription)
    }

    pub(crate) async fn ssubscribe<N: AsRef<[u8]>>(
        &self,
        channels: &[N],
    ) -> Result<Subscription<S>> {
        self.0.subscribe_shared(Names::Shards, owned(channels)).await.map(Subscription)
    }
}

/// A subject's pipeline, with the methods of `QueueCommands`.
pub(crate) struct Pipeline<S: Subject>(S::Pipeline);

impl<S: Subject> Queue for &mut Pipeline<S> {
    fn queue<C: Command>(self, command: C) -> Self {
        S::queue(&mut self.0, command);
        self
    }
}

impl<S: Subject> Pipeline<S> {
    /// Without the result that `queue` returns for chaining.
    pub(crate) fn push<C: Command>(&mut self, command: C) {
        S::queue(&mut self.0, command);
    }

    pub(crate) fn transaction(&mut self, transaction: bool) -> &mut Self {
        S::set_transaction(&mut self.0, transaction);
        self
    }

    pub(crate) async fn execute<T: FromReplies + Send + 'static>(&mut self) -> Result<T> {
        S::execute_pipeline(&mut self.0).await
    }

    pub(crate) async fn execute_all(&mut self) -> Result<Vec<Result<Value>>> {
        S::execute_all(&mut self.0).await
    }

    pub(crate) async fn execute_each<T: FromReply>(
        &mut self,
        each: impl FnMut(usize, Result<T>) + Send,
    ) -> Result<()> {
        S::execute_each(&mut self.0, each).await
    }

    pub(crate) async fn execute_zip<K: Send, V: FromReply, M: FromIterator<(K, V)> + Send>(
        &mut self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<M> {
        S::execute_zip(&mut self.0, keys.into_iter().collect()).await
    }

    pub(crate) fn ignore(&mut self) -> &mut Self {
        S::ignore(&mut self.0);
        self
    }

    pub(crate) fn clear(&mut self) {
        S::clear(&mut self.0);
    }

    pub(crate) fn len(&self) -> usize {
        S::queued(&self.0)
    }
}

/// A subject's watching connection, with the methods of `Commands`.
pub(crate) struct Watched<S: Subject>(S::Watched);

impl<'a, S: Subject> Execute for &'a mut Watched<S> {
    type Output<R: FromReply> = S::WatchedReply<'a, R>;

    fn execute<C: Command>(self, command: C) -> S::WatchedReply<'a, C::Reply> {
        S::execute_watched(&mut self.0, command)
    }
}

impl<S: Subject> Watched<S> {
    pub(crate) async fn watch(&mut self, keys: &[&str]) -> Result<()> {
        S::watch_more(&mut self.0, keys).await
    }

    pub(crate) async fn unwatch(&mut self) -> Result<()> {
        S::unwatch(&mut self.0).await
    }

    pub(crate) async fn reset(self) -> Result<()> {
        S::reset(self.0).await
    }

    pub(crate) fn multi(self) -> Transaction<S> {
        Transaction(S::multi(self.0))
    }
}

/// A subject's transaction, with the methods of `QueueCommands`.
pub(crate) struct Transaction<S: Subject, V: Send + 'static = ()>(S::Transaction<V>);

impl<S: Subject, V: Send + 'static> Queue for Transaction<S, V> {
    fn queue<C: Command>(self, command: C) -> Self {
        Self(S::queue_transaction(self.0, command))
    }
}

impl<S: Subject> Transaction<S> {
    pub(crate) fn returning<V: Send + 'static>(self, value: V) -> Transaction<S, V> {
        Transaction(S::returning(self.0, value))
    }
}

impl<S: Subject, V: Send + 'static> Transaction<S, V> {
    pub(crate) fn ignore(self) -> Self {
        Self(S::ignore_in_transaction(self.0))
    }

    pub(crate) async fn execute<T: FromReplies + Send + 'static>(self) -> Result<T> {
        S::execute_transaction(self.0).await
    }
}

/// What a subject sees of the server.
pub(crate) struct Monitor<S: Subject>(S::Monitor);

impl<S: Subject> Monitor<S> {
    pub(crate) async fn next_command(&mut self, timeout: Duration) -> Result<Option<MonitorEntry>> {
        S::next_command(&mut self.0, timeout).await
    }

    pub(crate) async fn listen(&mut self, most: usize) -> Vec<Result<MonitorEntry>> {
        S::listen(&mut self.0, most).await
    }
}

/// A subject's subscriptions.
pub(crate) struct PubSub<S: Subject>(S::PubSub);

impl<S: Subject> PubSub<S> {
    pub(crate) fn ignore_subscribe_messages(&mut self) {
        S::ignore_subscribe_messages(&mut self.0);
    }

    pub(crate) async fn subscribe<N: AsRef<[u8]>>(&mut self, channels: &[N]) -> Result<()> {
        S::subscribe(&self.0, Names::Channels, owned(channels)).await
    }

    pub(crate) async fn psubscribe<N: AsRef<[u8]>>(&mut self, patterns: &[N]) -> Result<()> {
        S::subscribe(&self.0, Names::Patterns, owned(patterns)).await
    }

    pub(crate) async fn subscribe_with(
        &mut self,
        channel: &str,
        handler: impl FnMut(&Message) + Send + 'static,
    ) -> Result<()> {
        let handler = Box::new(handler);
        S::subscribe_with(&self.0, Names::Channels, channel.into(), handler).await
    }

    pub(crate) async fn psubscribe_with(
        &mut self,
        pattern: &str,
        handler: impl FnMut(&Message) + Send + 'static,
    ) -> Result<()> {
        let handler = Box::new(handler);
        S::subscribe_with(&self.0, Names::Patterns, pattern.into(), handler).await
    }

    pub(crate) async fn unsubscribe<N: AsRef<[u8]>>(&mut self, channels: &[N]) -> Result<()> {
        S::unsubscribe(&self.0, Names::Channels, Some(owned(channels))).await
    }

    pub(crate) async fn ssubscribe<N: AsRef<[u8]>>(&mut self, channels: &[N]) -> Result<()> {
        S::subscribe(&self.0, Names::Shards, owned(channels)).await
    }

    pub(crate) async fn ssubscribe_with(
        &mut self,
        channel: &str,
        handler: impl FnMut(&Message) + Send + 'static,
    ) -> Result<()> {
        let handler = Box::new(handler);
        S::subscribe_with(&self.0, Names::Shards, channel.into(), handler).await
    }

    pub(crate) async fn sunsubscribe<N: AsRef<[u8]>>(&mut self, channels: &[N]) -> Result<()> {
        S::unsubscribe(&self.0, Names::Shards, Some(owned(channels))).await
    }

    pub(crate) async fn sunsubscribe_all(&mut self) -> Result<()> {
        S::unsubscribe(&self.0, Names::Shards, None).await
    }

    pub(crate) fn run_beside(
        &mut self,
        on_error: impl FnMut(&Error) -> ControlFlow<()> + Send + 'static,
    ) -> Result<Running<S>> {
        S::run_beside(&mut self.0, Box::new(on_error)).map(Running)
    }

    pub(crate) async fn heard(&mut self, most: usize) -> Vec<Result<Message>> {
        S::heard(&mut self.0, most).await
    }

    pub(crate) async fn unsubscribe_all(&mut self) -> Result<()> {
        S::unsubscribe(&self.0, Names::Channels, None).await
    }

    pub(crate) async fn punsubscribe<N: AsRef<[u8]>>(&mut self, patterns: &[N]) -> Result<()> {
        S::unsubscribe(&self.0, Names::Patterns, Some(owned(patterns))).await
    }

    pub(crate) async fn punsubscribe_all(&mut self) -> Result<()> {
        S::unsubscribe(&self.0, Names::Patterns, None).await
    }

    pub(crate) async fn get_message(&mut self, timeout: Duration) -> Result<Option<Message>> {
        S::get_message(&mut self.0, timeout).await
    }

    pub(crate) async fn get_sharded_message(
        &mut self,
        node: Option<&Endpoint>,
        timeout: Duration,
    ) -> Result<Option<Message>> {
        S::get_sharded_message(&mut self.0, node, timeout).await
    }

    pub(crate) fn handle(&self) -> Handle<S> {
        Handle(S::handle(&self.0))
    }

    pub(crate) async fn ping(&self, text: &str) -> Result<()> {
        S::ping_subscribed(&self.0, text).await
    }

    pub(crate) fn is_subscribed(&self) -> bool {
        S::is_subscribed(&self.0)
    }
}

/// A subject's subscriptions on the connection that commands share.
pub(crate) struct Subscription<S: Subject>(S::Subscription);

impl<S: Subject> Subscription<S> {
    pub(crate) async fn subscribe<N: AsRef<[u8]>>(&mut self, channels: &[N]) -> Result<()> {
        S::subscribe_more(&mut self.0, Names::Channels, owned(channels)).await
    }

    pub(crate) async fn psubscribe<N: AsRef<[u8]>>(&mut self, patterns: &[N]) -> Result<()> {
        S::subscribe_more(&mut self.0, Names::Patterns, owned(patterns)).await
    }

    pub(crate) async fn unsubscribe<N: AsRef<[u8]>>(&mut self, channels: &[N]) -> Result<()> {
        S::unsubscribe_shared(&mut self.0, Names::Channels, Some(owned(channels))).await
    }

    pub(crate) async fn unsubscribe_all(&mut self) -> Result<()> {
        S::unsubscribe_shared(&mut self.0, Names::Channels, None).await
    }

    pub(crate) async fn punsubscribe_all(&mut self) -> Result<()> {
        S::unsubscribe_shared(&mut self.0, Names::Patterns, None).await
    }

    pub(crate) fn ignore_subscribe_messages(&mut self) {
        S::ignore_confirmations(&mut self.0);
    }

    pub(crate) async fn get_message(&mut self, timeout: Duration) -> Result<Option<Message>> {
        S::next_shared(&mut self.0, timeout).await
    }

    pub(crate) async fn heard(&mut self, most: usize) -> Vec<Result<Message>> {
        S::heard_shared(&mut self.0, most).await
    }
}

/// What others subscribe by while a subject's `PubSub` is read.
pub(crate) struct Handle<S: Subject>(S::Handle);

impl<S: Subject> Clone for Handle<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S: Subject> Handle<S> {
    pub(crate) async fn subscribe<N: AsRef<[u8]>>(&self, channels: &[N]) -> Result<()> {
        S::subscribe(&self.0, Names::Channels, owned(channels)).await
    }

    pub(crate) async fn unsubscribe<N: AsRef<[u8]>>(&self, channels: &[N]) -> Result<()> {
        S::unsubscribe(&self.0, Names::Channels, Some(owned(channels))).await
    }

    pub(crate) async fn ping(&self, text: &str) -> Result<()> {
        S::ping_subscribed(&self.0, text).await
    }
}

/// A subject's subscriptions that are read beside.
pub(crate) struct Running<S: Subject>(S::Running);

impl<S: Subject> Running<S> {
    pub(crate) fn stop(&self) {
        S::stop(&self.0);
    }

    pub(crate) fn is_finished(&self) -> bool {
        S::is_finished(&self.0)
    }

    pub(crate) async fn join(self) {
        S::join(self.0).await;
    }
}

fn owned<N: AsRef<[u8]>>(names: &[N]) -> Vec<Vec<u8>> {
    names.iter().map(|name| name.as_ref().to_vec()).collect()
}
