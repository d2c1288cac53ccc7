//! The blocking client: its futures block the thread that polls them.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use redis_cluster::{Route, Topology};
use redis_core::monitor::MonitorEntry;
use redis_core::pipeline::{Batched, FromReplies};
use redis_core::pubsub::Message;
use redis_core::telemetry::Stats;
use redis_core::types::ScanPage;
use redis_core::{
    Cmd, Command, Config, Endpoint, Error, ErrorKind, Execute, FromReply, Queue, Result, Value,
};
use redis_sync::{
    Client, Monitor, Pipeline, PubSub, PubSubHandle, PubSubThread, Transaction, Watched,
};

use super::{Handler, Names, OnError, Subject, Task};

/// Polls a future until it is done; the thread sleeps in between.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// A command that runs when it is polled, as those of the other runtimes do.
pub(crate) struct Call<'a, R> {
    target: Target<'a>,
    cmd: Option<Cmd<R>>,
}

enum Target<'a> {
    Client(&'a Client),
    Watched(&'a mut Watched),
}

impl<R: FromReply> Future for Call<'_, R> {
    type Output = Result<R>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        let cmd = self.cmd.take().expect("a future is not polled after its end");
        Poll::Ready(match &mut self.target {
            Target::Client(client) => Execute::execute(*client, cmd),
            Target::Watched(watched) => Execute::execute(&mut **watched, cmd),
        })
    }
}

/// What there is none of: each command has a connection of its own.
pub(crate) enum Never {}

impl Subject for Client {
    const BLOCKS: bool = true;

    type Reply<'a, R: FromReply> = Call<'a, R>;
    type WatchedReply<'a, R: FromReply> = Call<'a, R>;
    type Pipeline = Pipeline;
    type Watched = Watched;
    type Transaction<V: Send + 'static> = Transaction<V>;
    type PubSub = PubSub;

    type Handle = PubSubHandle;
    type Subscription = Never;
    type Monitor = Monitor;
    type Running = PubSubThread;

    fn drive<F: Future>(_: bool, scenario: F) -> io::Result<F::Output> {
        Ok(block_on(scenario))
    }

    fn spawn(task: Task) {
        thread::spawn(move || block_on(task));
    }

    async fn sleep(time: Duration) {
        thread::sleep(time);
    }

    fn open(config: Config) -> Result<Self> {
        Self::new(config)
    }

    fn open_url(url: &str) -> Result<Self> {
        Self::open(url)
    }

    fn execute<C: Command>(&self, command: C) -> Call<'_, C::Reply> {
        Call { target: Target::Client(self), cmd: Some(command.into_cmd()) }
    }

    async fn batch<B: Batched<Output: Send> + Send>(&self, commands: B) -> Result<B::Output> {
        self.batch(commands)
    }

    async fn scan<T: FromReply + Send>(
        &self,
        first: Cmd<ScanPage<T>>,
        most: usize,
    ) -> Result<Vec<T>> {
        self.scan_iter(first).take(most).collect()
    }

    async fn execute_on<C: Command>(&self, route: Route, command: C) -> Result<C::Reply> {
        self.route(route).execute(command)
    }

    async fn execute_on_each<C: Command>(
        &self,
        route: Route,
        command: C,
    ) -> Result<Vec<(Endpoint, Result<C::Reply>)>> {
        self.route(route).execute_on_each(command)
    }

    fn topology(&self) -> Option<Topology> {
        self.topology()
    }

    fn node(&self, endpoint: &Endpoint) -> Self {
        self.node(endpoint)
    }

    async fn warm_up(&self, connections: usize) -> Result<()> {
        self.warm_up(connections)
    }

    fn resize_pool(&self, size: usize) -> Result<()> {
        self.resize_pool(size)
    }

    fn stats(&self) -> Stats {
        self.stats()
    }

    fn fire_and_forget<C: Command>(&self, _: C) -> Result<()> {
        Err(Error::new(ErrorKind::InvalidRequest, "a call that blocks waits for its reply"))
    }

    fn pipeline(&self) -> Pipeline {
        self.pipeline()
    }

    async fn watch(&self, keys: &[&str]) -> Result<Watched> {
        self.watch(keys)
    }

    async fn transaction<T, V, Fut>(
        &self,
        keys: &[&str],
        mut attempt: impl FnMut(Watched) -> Fut + Send,
    ) -> Result<(T, V)>
    where
        T: FromReplies + Send + 'static,
        V: Send + 'static,
        Fut: Future<Output = Result<Transaction<V>>> + Send,
    {
        self.transaction(keys, |watched| block_on(attempt(watched)))
    }

    fn pubsub(&self) -> PubSub {
        self.pubsub()
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
        pipeline.execute()
    }

    async fn execute_all(pipeline: &mut Pipeline) -> Result<Vec<Result<Value>>> {
        pipeline.execute_all()
    }

    async fn execute_each<T: FromReply>(
        pipeline: &mut Pipeline,
        each: impl FnMut(usize, Result<T>) + Send,
    ) -> Result<()> {
        pipeline.execute_each(each)
    }

    async fn execute_zip<K: Send, V: FromReply, M: FromIterator<(K, V)> + Send>(
        pipeline: &mut Pipeline,
        keys: Vec<K>,
    ) -> Result<M> {
        pipeline.execute_zip(keys)
    }

    fn ignore(pipeline: &mut Pipeline) {
        pipeline.ignore();
    }

    fn execute_watched<C: Command>(watched: &mut Watched, command: C) -> Call<'_, C::Reply> {
        Call { target: Target::Watched(watched), cmd: Some(command.into_cmd()) }
    }

    async fn watch_more(watched: &mut Watched, keys: &[&str]) -> Result<()> {
        watched.watch(keys)
    }

    async fn unwatch(watched: &mut Watched) -> Result<()> {
        watched.unwatch()
    }

    async fn reset(watched: Watched) -> Result<()> {
        watched.reset()
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
        transaction.execute()
    }

    fn ignore_subscribe_messages(pubsub: &mut PubSub) {
        pubsub.ignore_subscribe_messages(true);
    }

    async fn subscribe(pubsub: &PubSubHandle, names: Names, list: Vec<Vec<u8>>) -> Result<()> {
        match names {
            Names::Channels => pubsub.subscribe(list),
            Names::Patterns => pubsub.psubscribe(list),
            Names::Shards => pubsub.ssubscribe(list),
        }
    }

    async fn subscribe_with(
        pubsub: &PubSubHandle,
        names: Names,
        name: Vec<u8>,
        handler: Handler,
    ) -> Result<()> {
        match names {
            Names::Channels => pubsub.subscribe_with(name, handler),
            Names::Patterns => pubsub.psubscribe_with(name, handler),
            Names::Shards => pubsub.ssubscribe_with(name, handler),
        }
    }

    async fn unsubscribe(
        pubsub: &PubSubHandle,
        names: Names,
        list: Option<Vec<Vec<u8>>>,
    ) -> Result<()> {
        match (names, list) {
            (Names::Channels, Some(list)) => pubsub.unsubscribe(list),
            (Names::Channels, None) => pubsub.unsubscribe_all(),
            (Names::Patterns, Some(list)) => pubsub.punsubscribe(list),
            (Names::Patterns, None) => pubsub.punsubscribe_all(),
            (Names::Shards, Some(list)) => pubsub.sunsubscribe(list),
            (Names::Shards, None) => pubsub.sunsubscribe_all(),
        }
    }

    fn handle(pubsub: &PubSub) -> PubSubHandle {
        pubsub.handle()
    }

    async fn ping_subscribed(pubsub: &PubSubHandle, text: &str) -> Result<()> {
        pubsub.ping(text)
    }

    async fn get_message(pubsub: &mut PubSub, timeout: Duration) -> Result<Option<Message>> {
        pubsub.get_message(timeout)
    }

    async fn get_sharded_message(
        pubsub: &mut PubSub,
        node: Option<&Endpoint>,
        timeout: Duration,
    ) -> Result<Option<Message>> {
        pubsub.get_sharded_message(node, timeout)
    }

    async fn heard(pubsub: &mut PubSub, most: usize) -> Vec<Result<Message>> {
        pubsub.listen().take(most).collect()
    }

    fn run_beside(pubsub: &mut PubSub, on_error: OnError) -> Result<PubSubThread> {
        pubsub.run_in_thread(on_error)
    }

    fn stop(running: &PubSubThread) {
        running.stop();
    }

    fn is_finished(running: &PubSubThread) -> bool {
        running.is_finished()
    }

    async fn join(running: PubSubThread) {
        running.join().expect("no handler panics");
    }

    async fn subscribe_shared(&self, _: Names, _: Vec<Vec<u8>>) -> Result<Never> {
        Err(Error::new(ErrorKind::InvalidRequest, "there is no connection that commands share"))
    }

    async fn subscribe_more(none: &mut Never, _: Names, _: Vec<Vec<u8>>) -> Result<()> {
        match *none {}
    }

    async fn unsubscribe_shared(none: &mut Never, _: Names, _: Option<Vec<Vec<u8>>>) -> Result<()> {
        match *none {}
    }

    fn ignore_confirmations(none: &mut Never) {
        match *none {}
    }

    async fn next_shared(none: &mut Never, _: Duration) -> Result<Option<Message>> {
        match *none {}
    }

    async fn heard_shared(none: &mut Never, _: usize) -> Vec<Result<Message>> {
        match *none {}
    }

    async fn monitor(&self) -> Result<Monitor> {
        self.monitor()
    }

    async fn next_command(
        monitor: &mut Monitor,
        timeout: Duration,
    ) -> Result<Option<MonitorEntry>> {
        monitor.next_command(timeout)
    }

    async fn listen(monitor: &mut Monitor, most: usize) -> Vec<Result<MonitorEntry>> {
        monitor.listen().take(most).collect()
    }

    fn is_subscribed(pubsub: &PubSub) -> bool {
        pubsub.is_subscribed()
    }
}
