//! Commands for nodes of a cluster that were chosen by hand.

use redis_cluster::Route;
use redis_core::{Command, Endpoint, Error, ErrorKind, Execute, FromReply, Result};

use crate::client::Client;
use crate::request::ReplyFuture;

/// A client whose commands go to these nodes, made by [`Client::route`].
///
/// What several nodes reply becomes one reply as the command table says, such as a sum; where it says nothing,
/// it is a list of the nodes' replies. The first error of any of them is the error, unless the table says otherwise.
/// A node that was named answers itself: its redirects are errors.
#[derive(Clone, Debug)]
#[must_use = "it does nothing before a command is executed"]
pub struct Routed<'a> {
    client: &'a Client,
    route: Route,
}

impl<'a> Routed<'a> {
    pub(crate) fn new(client: &'a Client, route: Route) -> Self {
        Self { client, route }
    }

    /// Runs a command on each of the nodes, and gives what each of them replied.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` for a command that can't be sent, and of a client that is none of a cluster; `Connect` when
    /// there is no map of the cluster to be had.
    ///
    /// # Cancel safety
    ///
    /// As [`ReplyFuture`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use redis_async::{Client, Result, cluster::Route, cmd};
    /// # async fn run(client: Client) -> Result<()> {
    /// for (node, keys) in client.route(Route::Primaries).execute_on_each(cmd::dbsize()).await? {
    ///     println!("{node}: {}", keys?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn execute_on_each<C: Command>(
        self,
        command: C,
    ) -> Result<Vec<(Endpoint, Result<C::Reply>)>> {
        let cmd = command.into_cmd();
        cmd.check()?;
        let nodes = self.client.nodes().ok_or_else(no_cluster)?;
        nodes.execute_on_each(&cmd, self.route).await
    }
}

impl<'a> Execute for Routed<'a> {
    type Output<R: FromReply> = ReplyFuture<'a, R>;

    fn execute<C: Command>(self, command: C) -> ReplyFuture<'a, C::Reply> {
        let cmd = command.into_cmd();
        match (cmd.check(), self.client.nodes()) {
            (Ok(()), Some(nodes)) => ReplyFuture::targeted(nodes, nodes.target(&self.route), cmd),
            (Err(error), _) => ReplyFuture::refused(error, cmd),
            (_, None) => ReplyFuture::refused(no_cluster(), cmd),
        }
    }
}

fn no_cluster() -> Error {
    Error::new(
        ErrorKind::InvalidRequest,
        "nodes can be chosen of a cluster alone: see `Config::cluster`",
    )
}
