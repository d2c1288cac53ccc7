//! What a client must be able to do to be put through the scenarios. One implementation a runtime;
//! nothing in here knows a scenario.

#[cfg(any(feature = "tokio", feature = "smol"))]
pub(crate) mod asynchronous;
#[cfg(feature = "smol")]
mod smol;
mod sync;
#[cfg(feature = "tokio")]
mod tokio;

use std::io;
use std::ops::{ControlFlow, Deref};
use std::pin::Pin;
use std::time::Duration;

use redis_cluster::{Route, Topology};
use redis_core::monitor::MonitorEntry;
use redis_core::pipeline::{Batched, FromReplies};
use redis_core::pubsub::Message;
use redis_core::telemetry::Stats;
use redis_core::types::ScanPage;
use redis_core::{Cmd, Command, Config, Endpoint, Error, FromReply, Result, Value};

/// A task for [`Subject::spawn`].
pub(crate) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What takes messages from [`Subject::subscribe_with`].
pub(crate) type Handler = Box<dyn FnMut(&Message) + Send>;

/// What hears of errors in [`Subject::run_beside`].
pub(crate) type OnError = Box<dyn FnMut(&Error) -> ControlFlow<()> + Send>;

/// Which of the separate kinds of subscriptions.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Names {
    Channels,
    Patterns,
    Shards,
}

/// One runtime's client, as futures. A blocking one blocks when its futures are polled.
pub(crate) trait Subject: Clone + Send + Sync + 'static {
    /// Whether a call blocks until it is done.
    const BLOCKS: bool;

    /// A command under way.
    type Reply<'a, R: FromReply>: Future<Output = Result<R>> + Send + Unpin;
    /// A command under way on a watching connection.
    type WatchedReply<'a, R: FromReply>: Future<Output = Result<R>> + Send + Unpin;
    /// Queued commands.
    type Pipeline: Send + 'static;
    /// A connection that watches keys.
    type Watched: Send + 'static;
    /// Commands that are applied if no watched key has changed.
    type Transaction<V: Send + 'static>: Send + 'static;
    /// Subscriptions.
    type PubSub: Deref<Target = Self::Handle> + Send + 'static;
    type Handle: Clone + Send + Sync + 'static;
    /// Subscriptions on the connection that commands share, where they share one.
    type Subscription: Send + 'static;
    /// What the server runs.
    type Monitor: Send + 'static;
    /// Subscriptions that are read beside.
    type Running: Send + 'static;

    /// Runs a scenario to its end, on one thread or several.
    fn drive<F: Future>(threads: bool, scenario: F) -> io::Result<F::Output>;
    /// Runs a task beside the scenario.
    fn spawn(task: Task);
    /// Waits.
    fn sleep(time: Duration) -> impl Future<Output = ()> + Send;

    fn open(config: Config) -> Result<Self>;
    fn open_url(url: &str) -> Result<Self>;
    fn execute<C: Command>(&self, command: C) -> Self::Reply<'_, C::Reply>;
    fn batch<B: Batched<Output: Send> + Send>(
        &self,
        commands: B,
    ) -> impl Future<Output = Result<B::Output>>;
    /// The first items of a walk, at most so many.
    fn scan<T: FromReply + Send>(
        &self,
        first: Cmd<ScanPage<T>>,
        most: usize,
    ) -> impl Future<Output = Result<Vec<T>>> + Send;
    /// Runs a command on nodes of a cluster that are chosen.
    fn execute_on<C: Command>(
        &self,
        route: Route,
        command: C,
    ) -> impl Future<Output = Result<C::Reply>>;
    fn execute_on_each<C: Command>(
        &self,
        route: Route,
        command: C,
    ) -> impl Future<Output = Result<Vec<(Endpoint, Result<C::Reply>)>>>;
    fn topology(&self) -> Option<Topology>;
    /// A client of a single node.
    fn node(&self, endpoint: &Endpoint) -> Self;
    fn stats(&self) -> Stats;
    fn resize_pool(&self, size: usize) -> Result<()>;
    fn warm_up(&self, connections: usize) -> impl Future<Output = Result<()>> + Send;
    /// Sends a command whose reply is for nobody. One that blocks has no such call.
    fn fire_and_forget<C: Command>(&self, command: C) -> Result<()>;
    fn pipeline(&self) -> Self::Pipeline;
    fn watch(&self, keys: &[&str]) -> impl Future<Output = Result<Self::Watched>> + Send;
    fn transaction<T, V, Fut>(
        &self,
        keys: &[&str],
        attempt: impl FnMut(Self::Watched) -> Fut + Send,
    ) -> impl Future<Output = Result<(T, V)>> + Send
    where
        T: FromReplies + Send + 'static,
        V: Send + 'static,
        Fut: Future<Output = Result<Self::Transaction<V>>> + Send;
    fn pubsub(&self) -> Self::PubSub;

    fn set_transaction(pipeline: &mut Self::Pipeline, transaction: bool);
    fn queue<C: Command>(pipeline: &mut Self::Pipeline, command: C);
    fn queued(pipeline: &Self::Pipeline) -> usize;
    fn clear(pipeline: &mut Self::Pipeline);
    fn execute_pipeline<T: FromReplies + Send + 'static>(
        pipeline: &mut Self::Pipeline,
    ) -> impl Future<Output = Result<T>> + Send;
    fn execute_all(
        pipeline: &mut Self::Pipeline,
    ) -> impl Future<Output = Result<Vec<Result<Value>>>> + Send;
    fn execute_each<T: FromReply>(
        pipeline: &mut Self::Pipeline,
        each: impl FnMut(usize, Result<T>) + Send,
    ) -> impl Future<Output = Result<()>> + Send;
    fn execute_zip<K: Send, V: FromReply, M: FromIterator<(K, V)> + Send>(
        pipeline: &mut Self::Pipeline,
        keys: Vec<K>,
    ) -> impl Future<Output = Result<M>> + Send;
    fn ignore(pipeline: &mut Self::Pipeline);

    fn execute_watched<C: Command>(
        watched: &mut Self::Watched,
        command: C,
    ) -> Self::WatchedReply<'_, C::Reply>;
    fn watch_more(
        watched: &mut Self::Watched,
        keys: &[&str],
    ) -> impl Future<Output = Result<()>> + Send;
    fn unwatch(watched: &mut Self::Watched) -> impl Future<Output = Result<()>> + Send;
    fn reset(watched: Self::Watched) -> impl Future<Output = Result<()>> + Send;
    fn multi(watched: Self::Watched) -> Self::Transaction<()>;

    fn queue_transaction<C: Command, V: Send + 'static>(
        transaction: Self::Transaction<V>,
        command: C,
    ) -> Self::Transaction<V>;
    fn ignore_in_transaction<V: Send + 'static>(
        transaction: Self::Transaction<V>,
    ) -> Self::Transaction<V>;
    fn returning<V: Send + 'static>(
        transaction: Self::Transaction<()>,
        value: V,
    ) -> Self::Transaction<V>;
    fn execute_transaction<T: FromReplies + Send + 'static, V: Send + 'static>(
        transaction: Self::Transaction<V>,
    ) -> impl Future<Output = Result<T>> + Send;

    fn ignore_subscribe_messages(pubsub: &mut Self::PubSub);
    fn subscribe(
        pubsub: &Self::Handle,
        names: Names,
        list: Vec<Vec<u8>>,
    ) -> impl Future<Output = Result<()>> + Send;
    fn subscribe_with(
        pubsub: &Self::Handle,
        names: Names,
        name: Vec<u8>,
        handler: Handler,
    ) -> impl Future<Output = Result<()>> + Send;
    /// With no list: all.
    fn unsubscribe(
        pubsub: &Self::Handle,
        names: Names,
        list: Option<Vec<Vec<u8>>>,
    ) -> impl Future<Output = Result<()>> + Send;
    fn handle(pubsub: &Self::PubSub) -> Self::Handle;
    fn ping_subscribed(
        pubsub: &Self::Handle,
        text: &str,
    ) -> impl Future<Output = Result<()>> + Send;
    fn get_message(
        pubsub: &mut Self::PubSub,
        timeout: Duration,
    ) -> impl Future<Output = Result<Option<Message>>> + Send;
    fn get_sharded_message(
        pubsub: &mut Self::PubSub,
        node: Option<&Endpoint>,
        timeout: Duration,
    ) -> impl Future<Output = Result<Option<Message>>> + Send;
    /// The first messages of listening: at most so many, fewer when it ends.
    fn heard(
        pubsub: &mut Self::PubSub,
        most: usize,
    ) -> impl Future<Output = Vec<Result<Message>>> + Send;
    fn run_beside(pubsub: &mut Self::PubSub, on_error: OnError) -> Result<Self::Running>;
    fn stop(running: &Self::Running);
    fn is_finished(running: &Self::Running) -> bool;
    fn join(running: Self::Running) -> impl Future<Output = ()> + Send;
    fn subscribe_shared(
        &self,
        names: Names,
        list: Vec<Vec<u8>>,
    ) -> impl Future<Output = Result<Self::Subscription>> + Send;
    fn subscribe_more(
        subscription: &mut Self::Subscription,
        names: Names,
        list: Vec<Vec<u8>>,
    ) -> impl Future<Output = Result<()>> + Send;
    fn unsubscribe_shared(
        subscription: &mut Self::Subscription,
        names: Names,
        list: Option<Vec<Vec<u8>>>,
    ) -> impl Future<Output = Result<()>> + Send;
    fn ignore_confirmations(subscription: &mut Self::Subscription);
    fn next_shared(
        subscription: &mut Self::Subscription,
        timeout: Duration,
    ) -> impl Future<Output = Result<Option<Message>>> + Send;
    /// What listening gives, at most so much.
    fn heard_shared(
        subscription: &mut Self::Subscription,
        most: usize,
    ) -> impl Future<Output = Vec<Result<Message>>> + Send;
    fn monitor(&self) -> impl Future<Output = Result<Self::Monitor>> + Send;
    fn next_command(
        monitor: &mut Self::Monitor,
        timeout: Duration,
    ) -> impl Future<Output = Result<Option<MonitorEntry>>> + Send;
    /// At most so many; fewer when the connection ends.
    fn listen(
        monitor: &mut Self::Monitor,
        most: usize,
    ) -> impl Future<Output = Vec<Result<MonitorEntry>>> + Send;
    fn is_subscribed(pubsub: &Self::PubSub) -> bool;
}
