//! The async client, on whichever runtime an adapter puts it.

use std::io;
use std::ops::Deref;
use std::time::Duration;

use redis_async::{
    Monitor, Pipeline, PubSub, PubSubHandle, PubSubTask, ReplyFuture, Subscription, Transaction,
    Watched, WatchedReply,
};
use redis_cluster::{Route, Topology};
use redis_core::monitor::MonitorEntry;
use redis_core::pipeline::{Batched, FromReplies};
use redis_core::pubsub::Message;
use redis_core::telemetry::Stats;
use redis_core::types::ScanPage;
use redis_core::{Cmd, Command, Config, Endpoint, Execute, FromReply, Queue, Result, Value};

use super::{Handler, Names, OnError, Subject, Task};

/// What the runtimes' clients differ in.
pub(crate) trait Adapter:
    Deref<Target = redis_async::Client> + Clone + Send + Sync + 'static
{
    fn drive<F: Future>(threads: bool, scenario: F) -> io::Result<F::Output>;
    fn spawn(task: Task);
    fn sleep(time: Duration) -> impl Future<Output = ()> + Send;
    fn new(config: Config) -> Result<Self>;
    fn open(url: &str) -> Result<Self>;
    fn of_node(&self, endpoint: &Endpoint) -> Self;
    fn execute<C: Command>(&self, command: C) -> ReplyFuture<'_, C::Reply>;
}

/// An adapter's client.
#[derive(Clone)]
pub(crate) struct On<A>(A);

impl<A: Adapter> Subject for On<A> {
    const BLOCKS: bool = false;

    type Reply<'a, R: FromReply> = ReplyFuture<'a, R>;
    type WatchedReply<'a, R: FromReply> = WatchedReply<'a, R>;
    type Pipeline = Pipeline;
    type Watched = Watched;
    type Transaction<V: Send + 'static> = Transaction<V>;
    type PubSub = PubSub;

    type Handle = PubSubHandle;
    type Subscription = Subscription;
    type Monitor = Monitor;
    type Running = PubSubTask;

    fn drive<F: Future>(threads: bool, scenario: F) -> io::Result<F::Output> {
        A::drive(threads, scenario)
    }

    fn spawn(task: Task) {
        A::spawn(task);
    }

    async fn sleep(time: Duration) {
        A::sleep(time).await;
    }

    fn open(config: Config) -> Result<Self> {
        A::new(config).map(Self)
    }

    fn open_url(url: &str) -> Result<Self> {
        A::open(url).map(Self)
    }

    fn execute<C: Command>(&self, command: C) -> ReplyFuture<'_, C::Reply> {
        self.0.execute(command)
    }

    async fn batch<B: Batched<Output: Send> + Send>(&self, commands: B) -> Result<B::Output> {
        self.0.batch(commands).await
    }

    async fn scan<T: FromReply + Send>(
        &self,
        first: Cmd<ScanPage<T>>,
        most: usize,
    ) -> Result<Vec<T>> {
        let mut stream = self.0.scan_iter(first);
        let mut items = Vec::new();
        while items.len() < most
            && let Some(item) = stream.next().await
        {
            items.push(item?);
        }
        Ok(items)
    }

    async fn execute_on<C: Command>(&self, route: Route, command: C) -> Result<C::Reply> {
        self.0.route(route).execute(command).await
    }

    async fn execute_on_each<C: Command>(
        &self,
        route: Route,
        command: C,
    ) -> Result<Vec<(Endpoint, Result<C::Reply>)>> {
        self.0.route(route).execute_on_each(command).await
    }

    fn topology(&self) -> Option<Topology> {
        self.0.topology()
    }

    fn node(&self, endpoint: &Endpoint) -> Self {
        Self(self.0.of_node(endpoint))
    }

    async fn warm_up(&self, connections: usize) -> Result<()> {
        self.0.warm_up(connections).await
    }

    fn resize_pool(&self, size: usize) -> Result<()> {
        self.0.resize_pool(size)
    }

    fn stats(&self) -> Stats {
        self.0.stats()
    }

    fn fire_and_forget<C: Command>(&self, command: C) -> Result<()> {
        self.0.fire_and_forget(command)
    }

    fn pipeline(&self) -> Pipeline {
        self.0.pipeline()
    }

    async fn watch(&self, keys: &[&str]) -> Result<Watched> {
        self.0.watch(keys).await
    }

    async fn transaction<T, V, Fut>(
        &self,
        keys: &[&str],
        attempt: impl FnMut(Watched) -> Fut + Send,
    ) -> Result<(T, V)>
    where
        T: FromReplies + Send + 'static,
        V: Send + 'static,
        Fut: Future<Output = Result<Transaction<V>>> + Send,
    {
        self.0.transaction(keys, attempt).await
    }

    fn pubsub(&self) -> PubSub {
        self.0.pubsub()
    }

    fn set_transaction(pipeline: &mut Pipeline, transaction: bool) {
        pipeline.transaction(transaction);
    }

    fn queue<C: Command>(pipeline: &mut Pipeline, command: C) {
        Queue::queue(pipeline, command);
    }

    fn queued(pipeline: &Pipeline) -> usize {
        pipeline.len()
    }

    fn clear(pipeline: &mut Pipeline) {
        pipeline.clear();
    }

    async fn execute_pipeline<T: FromReplies + Send + 'static>(
        pipeline: &mut Pipeline,
    ) -> Result<T> {
        pipeline.execute().await
    }

    async fn execute_all(pipeline: &mut Pipeline) -> Result<Vec<Result<Value>>> {
        pipeline.execute_all().await
    }

    async fn execute_each<T: FromReply>(
        pipeline: &mut Pipeline,
        each: impl FnMut(usize, Result<T>) + Send,
    ) -> Result<()> {
        pipeline.execute_each(each).await
    }

    async fn execute_zip<K: Send, V: FromReply, M: FromIterator<(K, V)> + Send>(
        pipeline: &mut Pipeline,
        keys: Vec<K>,
    ) -> Result<M> {
        pipeline.execute_zip(keys).await
    }

    fn ignore(pipeline: &mut Pipeline) {
        pipeline.ignore();
    }

    fn execute_watched<C: Command>(
        watched: &mut Watched,
        command: C,
    ) -> WatchedReply<'_, C::Reply> {
        Execute::execute(watched, command)
    }

    async fn watch_more(watched: &mut Watched, keys: &[&str]) -> Result<()> {
        watched.watch(keys).await
    }

    async fn unwatch(watched: &mut Watched) -> Result<()> {
        watched.unwatch().await
    }

    async fn reset(watched: Watched) -> Result<()> {
        watched.reset().await
    }

    fn multi(watched: Watched) -> Transaction {
        watched.multi()
    }

    fn queue_transaction<C: Command, V: Send + 'static>(
        transaction: Transaction<V>,
        command: C,
    ) -> Transaction<V> {
        transaction.queue(command)
    }

    fn ignore_in_transaction<V: Send + 'static>(transaction: Transaction<V>) -> Transaction<V> {
        transaction.ignore()
    }

    fn returning<V: Send + 'static>(transaction: Transaction, value: V) -> Transaction<V> {
        transaction.returning(value)
    }

    async fn execute_transaction<T: FromReplies + Send + 'static, V: Send + 'static>(
        transaction: Transaction<V>,
    ) -> Result<T> {
        transaction.execute().await
    }

    fn ignore_subscribe_messages(pubsub: &mut PubSub) {
        pubsub.ignore_subscribe_messages(true);
    }

    async fn subscribe(pubsub: &PubSubHandle, names: Names, list: Vec<Vec<u8>>) -> Result<()> {
        match names {
            Names::Channels => pubsub.subscribe(list).await,
            Names::Patterns => pubsub.psubscribe(list).await,
            Names::Shards => pubsub.ssubscribe(list).await,
        }
    }

    async fn subscribe_with(
        pubsub: &PubSubHandle,
        names: Names,
        name: Vec<u8>,
        handler: Handler,
    ) -> Result<()> {
        match names {
            Names::Channels => pubsub.subscribe_with(name, handler).await,
            Names::Patterns => pubsub.psubscribe_with(name, handler).await,
            Names::Shards => pubsub.ssubscribe_with(name, handler).await,
        }
    }

    async fn unsubscribe(
        pubsub: &PubSubHandle,
        names: Names,
        list: Option<Vec<Vec<u8>>>,
    ) -> Result<()> {
        match (names, list) {
            (Names::Channels, Some(list)) => pubsub.unsubscribe(list).await,
            (Names::Channels, None) => pubsub.unsubscribe_all().await,
            (Names::Patterns, Some(list)) => pubsub.punsubscribe(list).await,
            (Names::Patterns, None) => pubsub.punsubscribe_all().await,
            (Names::Shards, Some(list)) => pubsub.sunsubscribe(list).await,
            (Names::Shards, None) => pubsub.sunsubscribe_all().await,
        }
    }

    fn handle(pubsub: &PubSub) -> PubSubHandle {
        pubsub.handle()
    }

    async fn ping_subscribed(pubsub: &PubSubHandle, text: &str) -> Result<()> {
        pubsub.ping(text).await
    }

    async fn get_message(pubsub: &mut PubSub, timeout: Duration) -> Result<Option<Message>> {
        pubsub.get_message(timeout).await
    }

    async fn get_sharded_message(
        pubsub: &mut PubSub,
        node: Option<&Endpoint>,
        timeout: Duration,
    ) -> Result<Option<Message>> {
        pubsub.get_sharded_message(node, timeout).await
    }

    async fn heard(pubsub: &mut PubSub, most: usize) -> Vec<Result<Message>> {
        let (mut messages, mut stream) = (Vec::new(), pubsub.listen());
        while messages.len() < most
            && let Some(message) = stream.next().await
        {
            messages.push(message);
        }
        messages
    }

    fn run_beside(pubsub: &mut PubSub, on_error: OnError) -> Result<PubSubTask> {
        pubsub.run_in_task(on_error)
    }

    fn stop(running: &PubSubTask) {
        running.stop();
    }

    fn is_finished(running: &PubSubTask) -> bool {
        running.is_finished()
    }

    async fn join(running: PubSubTask) {
        running.join().await;
    }

    async fn subscribe_shared(&self, names: Names, list: Vec<Vec<u8>>) -> Result<Subscription> {
        match names {
            Names::Channels => self.0.subscribe(list).await,
            Names::Patterns => self.0.psubscribe(list).await,
            Names::Shards => self.0.ssubscribe(list).await,
        }
    }

    async fn subscribe_more(
        subscription: &mut Subscription,
        names: Names,
        list: Vec<Vec<u8>>,
    ) -> Result<()> {
        match names {
            Names::Channels => subscription.subscribe(list).await,
            Names::Patterns => subscription.psubscribe(list).await,
            Names::Shards => subscription.ssubscribe(list).await,
        }
    }

    async fn unsubscribe_shared(
        subscription: &mut Subscription,
        names: Names,
        list: Option<Vec<Vec<u8>>>,
    ) -> Result<()> {
        match (names, list) {
            (Names::Channels, Some(list)) => subscription.unsubscribe(list).await,
            (Names::Channels, None) => subscription.unsubscribe_all().await,
            (Names::Patterns, Some(list)) => subscription.punsubscribe(list).await,
            (Names::Patterns, None) => subscription.punsubscribe_all().await,
            (Names::Shards, Some(list)) => subscription.sunsubscribe(list).await,
            (Names::Shards, None) => subscription.sunsubscribe_all().await,
        }
    }

    fn ignore_confirmations(subscription: &mut Subscription) {
        subscription.ignore_subscribe_messages(true);
    }

    async fn next_shared(
        subscription: &mut Subscription,
        timeout: Duration,
    ) -> Result<Option<Message>> {
        subscription.get_message(timeout).await
    }

    async fn heard_shared(subscription: &mut Subscription, most: usize) -> Vec<Result<Message>> {
        let (mut messages, mut stream) = (Vec::new(), subscription.listen());
        while messages.len() < most
            && let Some(message) = stream.next().await
        {
            messages.push(message);
        }
        messages
    }

    async fn monitor(&self) -> Result<Monitor> {
        self.0.monitor().await
    }

    async fn next_command(
        monitor: &mut Monitor,
        timeout: Duration,
    ) -> Result<Option<MonitorEntry>> {
        monitor.next_command(timeout).await
    }

    async fn listen(monitor: &mut Monitor, most: usize) -> Vec<Result<MonitorEntry>> {
        let (mut entries, mut stream) = (Vec::new(), monitor.listen());
        while entries.len() < most
            && let Some(entry) = stream.next().await
        {
            entries.push(entry);
        }
        entries
    }

    fn is_subscribed(pubsub: &PubSub) -> bool {
        pubsub.is_subscribed()
    }
}
