//! What a snippet runs on: a server of its own, or, each in its turn, the one cluster of all. Knows nothing of snippets.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use clusterkit::{Cluster, ClusterOptions};
use redis_sync::{Client, Commands};
use testkit::servers::{self, Installed, Server, ServerOptions};
use testkit::skipped;

/// Until then replicas have done what their primaries did.
const LONG: Duration = Duration::from_secs(60);

/// What a snippet wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Server,
    Cluster,
}

/// What it gets: with nothing in it.
pub(crate) enum Place {
    Server(Box<Server>),
    Cluster(Turn),
}

/// The cluster, while nobody else works with it.
pub(crate) struct Turn {
    _turn: MutexGuard<'static, ()>,
    cluster: Arc<Cluster>,
}

impl Place {
    /// Without a server, or with one that is too old, there is none, and the test is skipped, which this says.
    pub(crate) fn find(wanted: Wanted, since: u16) -> Option<Self> {
        match servers::any() {
            Ok(installed) if installed.version.major < since => {
                skipped(format!("{installed} is too old"));
                None
            }
            Ok(installed) => Some(match wanted {
                Wanted::Server => {
                    let server = Server::start(&installed, ServerOptions::new()).unwrap();
                    Self::Server(Box::new(server))
                }
                Wanted::Cluster => Self::Cluster(Turn::take(&installed).unwrap()),
            }),
            Err(why) => {
                skipped(why.to_string().replace('\n', ";"));
                None
            }
        }
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Server(server) => server.url(),
            Self::Cluster(turn) => turn.cluster.url(),
        }
    }

    /// Of the server, or of a node of the cluster.
    pub(crate) fn port(&self) -> u16 {
        match self {
            Self::Server(server) => server.port(),
            Self::Cluster(turn) => turn.cluster.nodes()[0].port(),
        }
    }
}

impl Turn {
    fn take(installed: &Installed) -> io::Result<Self> {
        static RUNNING: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
        static TURN: Mutex<()> = Mutex::new(());
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        // It ends with the last snippet that runs or waits: what is static is never dropped.
        let cluster = match running.upgrade() {
            Some(cluster) => cluster,
            None => Arc::new(Cluster::start(installed, ClusterOptions::new())?),
        };
        *running = Arc::downgrade(&cluster);
        drop(running);
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        clear(&cluster)?;
        Ok(Self { _turn, cluster })
    }
}

/// Empties all nodes, of keys and scripts.
fn clear(cluster: &Cluster) -> io::Result<()> {
    let clients = |nodes: Vec<clusterkit::Node>| {
        nodes.iter().map(|node| cluster.client(node)).collect::<io::Result<Vec<Client>>>()
    };
    for client in clients(cluster.primaries()?)? {
        client.flushall().map_err(io::Error::other)?;
    }
    let deadline = Instant::now() + LONG;
    for client in clients(cluster.nodes())? {
        client.script_flush().map_err(io::Error::other)?;
        while client.dbsize().map_err(io::Error::other)? > 0 {
            if Instant::now() >= deadline {
                return Err(io::Error::other("replicas are not empty"));
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
    Ok(())
}
