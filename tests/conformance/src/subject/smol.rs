//! smol: the scenario on this thread, connections on the global executor's.

use std::io;
use std::time::Duration;

use redis_core::{Command, Config, Endpoint, Execute, Result};
use redis_smol::{Client, ReplyFuture};

use super::Task;
use super::asynchronous::Adapter;

impl Adapter for Client {
    fn drive<F: Future>(_: bool, scenario: F) -> io::Result<F::Output> {
        Ok(smol::block_on(scenario))
    }

    fn spawn(task: Task) {
        smol::spawn(task).detach();
    }

    async fn sleep(time: Duration) {
        smol::Timer::after(time).await;
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
