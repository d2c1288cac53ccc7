//! What the scenarios of a combination share, a server or a cluster: started once, and emptied between them.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use clusterkit::{Cluster, ClusterOptions};
use redis_core::types::ClientInfo;
use redis_core::{Commands, Result};
use testkit::servers::{Server, ServerOptions};

use crate::scenario::{Combination, Deployment, LONG};

pub(crate) enum Deployed {
    Standalone(Box<Server>),
    Cluster(Arc<Cluster>),
}

impl Deployed {
    pub(crate) fn start(combination: &Combination) -> io::Result<Self> {
        let installed = &combination.installed;
        match combination.deployment {
            Deployment::Standalone => {
                let server = Server::start(installed, combination.options(ServerOptions::new()))?;
                Ok(Self::Standalone(Box::new(server)))
            }
            Deployment::Cluster => {
                let cluster = Cluster::start(installed, ClusterOptions::new())?;
                Ok(Self::Cluster(Arc::new(cluster)))
            }
        }
    }

    /// Makes it as it was in the beginning; what can't be made so has to be started anew.
    pub(crate) fn clear(&self) -> io::Result<()> {
        match self {
            Self::Standalone(server) => clear_server(server),
            Self::Cluster(cluster) => clear_cluster(cluster),
        }
    }
}

/// Empties a server and its statistics, without the clients that are tried here, once the connections
/// of the scenario before are gone: what they sent last is run by then.
fn clear_server(server: &Server) -> io::Result<()> {
    let mut stream = BufReader::new(UnixStream::connect(server.socket_path())?);
    stream.get_ref().set_read_timeout(Some(LONG))?;
    let mut ask = |command: &str| {
        stream.get_ref().write_all(format!("{command}\r\n").as_bytes())?;
        let mut reply = String::new();
        stream.read_line(&mut reply)?;
        if let Some(length) = reply.strip_prefix('$') {
            let length: usize = length.trim_end().parse().map_err(io::Error::other)?;
            let mut text = vec![0; length + 2];
            stream.read_exact(&mut text)?;
            reply = String::from_utf8_lossy(&text).into_owned();
        }
        Ok::<_, io::Error>(reply)
    };
    let deadline = Instant::now() + LONG;
    while !ask("INFO clients")?.contains("connected_clients:1\r\n") {
        if Instant::now() >= deadline {
            return Err(io::Error::other("connections are left"));
        }
        thread::sleep(Duration::from_millis(1));
    }
    for command in ["FLUSHALL", "CONFIG RESETSTAT"] {
        if ask(command)? != "+OK\r\n" {
            return Err(io::Error::other(format!("{command} failed")));
        }
    }
    Ok(())
}

/// The same for all nodes of a cluster; one that is not as it was can't be cleared.
fn clear_cluster(cluster: &Cluster) -> io::Result<()> {
    cluster.wait_settled()?;
    if !cluster.is_as_started() {
        return Err(io::Error::other("slots or nodes are elsewhere"));
    }
    let nodes = cluster.nodes();
    let clients = nodes.iter().map(|node| cluster.client(node));
    let clients: Vec<_> = clients.collect::<io::Result<_>>()?;
    let until = |what: &str, holds: &dyn Fn(&redis_sync::Client) -> Result<bool>| {
        let deadline = Instant::now() + LONG;
        for client in &clients {
            while !holds(client).map_err(io::Error::other)? {
                if Instant::now() >= deadline {
                    return Err(io::Error::other(what));
                }
                thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(())
    };
    until("connections are left", &|client| {
        let connected = client.client_list()?;
        // One is this.
        Ok(connected.iter().filter(|other| !belongs_to_the_cluster(other)).count() == 1)
    })?;
    for client in &clients {
        let clear = || {
            if !client.info()?.is_replica()? {
                client.flushall()?;
            }
            client.config_resetstat()
        };
        clear().map_err(io::Error::other)?;
    }
    until("replicas are not empty", &|client| Ok(client.dbsize()? == 0))
}

/// Whether it is a replica's or primary's connection, one that the cluster's owner keeps, or a node's that
/// keeps the one over which it moved keys here.
pub(crate) fn belongs_to_the_cluster(client: &ClientInfo) -> bool {
    client.flags.contains(['S', 'M'])
        || client.name.as_deref() == Some(clusterkit::CLIENT_NAME)
        || client.cmd.as_deref() == Some("restore-asking")
}
