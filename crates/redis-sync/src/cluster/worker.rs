//! The thread of a cluster's client that keeps its map: sleeps until the machine wants something, and has nodes asked.

use std::io;
use std::mem;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use redis_cluster::{Cluster, Link, NodeId, View};
use redis_core::{Error, ErrorKind, Result};

use super::{Shared, wait};

/// Starts the thread, which ends with the last client.
pub(super) fn start(shared: &Arc<Shared>) -> io::Result<()> {
    let shared = shared.clone();
    let keep = move || keep(&shared);
    thread::Builder::new().name("redis-cluster".to_owned()).spawn(keep).map(drop)
}

fn keep(shared: &Arc<Shared>) {
    loop {
        shared.change(|state| state.cluster.handle_timeout(Instant::now()));
        let mut state = shared.lock();
        if state.ended {
            return;
        }
        let asks = mem::take(&mut state.asks);
        if asks.is_empty() {
            state.looks_at = state.cluster.poll_timeout();
            let until = state.looks_at;
            drop(wait(&shared.work, state, until));
            continue;
        }
        drop(state);
        asks.into_iter().for_each(|node| ask(shared, node));
    }
}

/// Asks a node what the cluster looks like, in a thread of its own: one that does not answer holds nobody up.
fn ask(shared: &Arc<Shared>, node: NodeId) {
    let error = Error::new(ErrorKind::Limit, "no thread can be started that asks for the map");
    let answer = Answer { shared: shared.clone(), node, view: Some(Err(error)) };
    let ask = move || answer.find();
    // Where none can be started, dropping the answer tells of the error.
    drop(thread::Builder::new().name("redis-cluster-view".to_owned()).spawn(ask));
}

fn question(shared: &Shared, node: NodeId) -> Result<View> {
    let now = Instant::now();
    let config = &shared.config;
    let patience = config.connect_timeout + config.command_timeout.unwrap_or(Duration::ZERO);
    let deadline = Some(now + patience);
    let pool = shared.change(|state| state.pool(node, Link::Primary)).ok_or_else(|| {
        Error::new(ErrorKind::Connect, "the node is not in the cluster's map any more")
    })?;
    let mut connection = pool.acquire_at_once(now, deadline)?;
    connection.execute_before(&Cluster::question(), Instant::now(), deadline)
}

/// What came of asking a node: told when it is dropped, so that it always is.
struct Answer {
    shared: Arc<Shared>,
    node: NodeId,
    view: Option<Result<View>>,
}

impl Answer {
    fn find(mut self) {
        self.view = Some(question(&self.shared, self.node));
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let Some(view) = self.view.take() else { return };
        let now = Instant::now();
        self.shared.change(|state| state.cluster.handle_view(now, self.node, view));
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Duration;

    use redis_core::{Commands, Config, Endpoint};

    use crate::Client;
    use crate::client::Servers;

    #[test]
    fn threads_end_with_the_last_client() {
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let seed = Endpoint::Tcp { host: nobody.ip().to_string(), port: nobody.port() };
        let mut config = Config::cluster([seed]);
        if let Some(settings) = &mut config.cluster {
            settings.refresh_interval = Duration::from_millis(10);
        }
        let client = Client::new(config).unwrap();
        assert!(client.get::<String>("key").is_err());
        let Servers::Cluster(nodes) = &client.servers else { panic!("it is a cluster") };
        let shared = std::sync::Arc::downgrade(&nodes.shared);
        let another = client.clone();
        drop(client);
        assert!(another.get::<String>("key").is_err());
        drop(another);
        // Each thread has it; the worker would sleep for a minute.
        while shared.upgrade().is_some() {
            std::thread::yield_now();
        }
    }
}
