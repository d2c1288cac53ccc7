//! The servers of a cluster, by node.

use std::{
    fmt, io,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use redis_core::{Command, Commands, Config, Endpoint, Execute};
use redis_sync::Client;
use testkit::servers::{Server, Signal};

use crate::{
    node::Node,
    view::{Seen, said},
};

/// A node may take longer than others' commands do: it hands keys to another.
const ANSWER: Duration = Duration::from_secs(30);

/// What the connections that a cluster keeps to its own nodes are called: who looks at a node's clients can
/// tell them from others.
pub const CLIENT_NAME: &str = "clusterkit";

/// Everyone who belongs to the cluster, running or not, in the order in which they came.
#[derive(Default)]
pub(crate) struct Members(Mutex<Vec<Member>>);

struct Member {
    node: Node,
    server: Server,
    /// It was stopped, and would not answer.
    frozen: bool,
}

impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.nodes()).finish()
    }
}

impl Members {
    pub(crate) fn add(&self, server: Server) -> io::Result<Node> {
        let addr = server.addr();
        let id = control(&server).cluster_myid().map_err(|error| said(addr, &error))?;
        let node = Node { id, addr };
        self.lock().push(Member { node: node.clone(), server, frozen: false });
        Ok(node)
    }

    /// Ends the node's server and removes its files.
    pub(crate) fn remove(&self, node: &Node) {
        self.lock().retain(|member| member.node != *node);
    }

    pub(crate) fn nodes(&self) -> Vec<Node> {
        self.lock().iter().map(|member| member.node.clone()).collect()
    }

    /// Those that answer.
    pub(crate) fn running(&self) -> Vec<Seen> {
        let members = self.lock();
        let running = members.iter().filter(|member| !member.frozen && member.server.is_running());
        running.map(|one| Seen { node: one.node.clone(), client: control(&one.server) }).collect()
    }

    /// Runs a command at the node.
    pub(crate) fn run<C: Command>(&self, node: &Node, command: C) -> io::Result<C::Reply> {
        let client = self.at(node, control)?;
        client.execute(command).map_err(|error| said(node, &error))
    }

    /// What `look` finds at the node's server.
    pub(crate) fn at<T>(&self, node: &Node, look: impl FnOnce(&Server) -> T) -> io::Result<T> {
        let mut members = self.lock();
        Ok(look(&find(&mut members, node)?.server))
    }

    pub(crate) fn kill(&self, node: &Node) -> io::Result<()> {
        let mut members = self.lock();
        let member = find(&mut members, node)?;
        member.frozen = false;
        member.server.kill()
    }

    pub(crate) fn restart(&self, node: &Node) -> io::Result<()> {
        let mut members = self.lock();
        let member = find(&mut members, node)?;
        member.frozen = false;
        member.server.restart()
    }

    pub(crate) fn freeze(&self, node: &Node, frozen: bool) -> io::Result<()> {
        let mut members = self.lock();
        let member = find(&mut members, node)?;
        member.server.signal(if frozen { Signal::Stop } else { Signal::Continue })?;
        member.frozen = frozen;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Member>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client for what is done to the node. It is new each time, so that no connection is left that tests
/// would see, and over the Unix socket, where closing one occupies no port.
fn control(server: &Server) -> Client {
    let mut config = config(server);
    config.endpoint = Endpoint::Unix(server.socket_path().to_owned());
    config.command_timeout = Some(ANSWER);
    config.client_name = Some(CLIENT_NAME.to_owned());
    Client::new(config).expect("settings that fit together")
}

/// How to reach a single node.
pub(crate) fn config(server: &Server) -> Config {
    let mut config = Config::tcp(server.addr().ip().to_string(), server.port());
    config.password = server.password().map(Into::into);
    config
}

fn find<'a>(members: &'a mut [Member], node: &Node) -> io::Result<&'a mut Member> {
    let gone = || {
        let text = format!("{node} is no node of this cluster");
        io::Error::new(io::ErrorKind::NotFound, text)
    };
    members.iter_mut().find(|member| member.node == *node).ok_or_else(gone)
}
