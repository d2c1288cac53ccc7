//! tokio, on one thread or several.

use std::io;
use std::time::Duration;

use redis_core::{Command, Config, Endpoint, Execute, Result};
use redis_tokio::{Client, ReplyFuture};

use super::Task;
use super::asynchronous::Adapter;

impl Adapter for Client {
    fn drive<F: Future>(threads: bool, scenario: F) -> io::Result<F::Output> {
        let mut builder = match threads {
            true => tokio::runtime::Builder::new_multi_thread(),
            false => tokio::runtime::Builder::new_current_thread(),
        };
        let runtime = builder.worker_threads(2).enable_all().build()?;
        Ok(runtime.block_on(scenario))
    }

    fn spawn(task: Task) {
        tokio::spawn(task);
    }

    async fn sleep(time: Duration) {
        tokio::time::sleep(time).await;
    }

    fn new(config: Config) -> Result<Self> {
        Self::new(config)
    }

    fn open(url: &str) -> Result<Self> {
        Self::open(url)
    }

    fn of_node(&self, endpoint: &Endpoint) -> Self {
        self.node(endpoint)
    }

    fn execute<C: Command>(&self, command: C) -> ReplyFuture<'_, C::Reply> {
        Execute::execute(self, command)
    }
}
