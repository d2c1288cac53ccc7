//! Commands on nodes that are chosen by hand.

use redis_cluster::Route;
use redis_core::{Command, Endpoint, Error, ErrorKind, Execute, FromReply, Result};

use super::Nodes;
use crate::client::{Client, Servers};

/// A client for some nodes of its cluster, made by [`Client::route`]. Each command goes to all of them; the replies are
/// put together as the server's command table says, and else are a list.
///
/// # Examples
///
/// ```no_run
/// # use redis_sync::{Client, Commands, cluster::Route};
/// # let client = Client::open("redis+cluster://localhost:7000")?;
/// client.route(Route::Nodes).config_set([("maxmemory", "100mb")])?;
/// # Ok::<(), redis_sync::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Routed<'a> {
    pub(crate) client: &'a Client,
    pub(crate) route: Route,
}

impl Routed<'_> {
    /// Runs a command on each of the nodes, and gives what each one replied.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` when the command can't be sent, or the client is no cluster's; `Connect` when there is no such
    /// node, or no map of them. What a node or its connection fails with is in its place.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use redis_sync::{Client, cmd, cluster::Route};
    /// # let client = Client::open("redis+cluster://localhost:7000")?;
    /// for (node, size) in client.route(Route::Primaries).execute_on_each(cmd::dbsize())? {
    ///     println!("{node}: {}", size?);
    /// }
    /// # Ok::<(), redis_sync::Error>(())
    /// ```
    pub fn execute_on_each<C: Command>(
        &self,
        command: C,
    ) -> Result<Vec<(Endpoint, Result<C::Reply>)>> {
        let cmd = command.into_cmd();
        cmd.check()?;
        self.nodes()?.execute_on_each(&self.route, &cmd)
    }

    fn nodes(&self) -> Result<&Nodes> {
        match &self.client.servers {
            Servers::Cluster(nodes) => Ok(nodes),
            Servers::One(_) => Err(Error::new(
                ErrorKind::InvalidRequest,
                "there are no nodes to choose from: the client was not told of a cluster",
            )),
        }
    }
}

impl Execute for Routed<'_> {
    type Output<R: FromReply> = Result<R>;

    fn execute<C: Command>(self, command: C) -> Result<C::Reply> {
        let cmd = command.into_cmd();
        cmd.check()?;
        self.nodes()?.execute_on(&self.route, &cmd)
    }
}
