//! What a scenario is, and what it is given: a server, clients, and where to say how far it is and what
//! it saw.

use std::error::Error as StdError;
use std::fmt::{self, Debug};
use std::marker::PhantomData;
use std::net::Ipv4Addr;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use clusterkit::{Cluster, ClusterOptions, Node};
use redis_core::config::{Pem, Roots, Tls};
use redis_core::{Config, Endpoint, Error, Protocol, Result, Servers};
use testkit::faulty::FaultProxy;
use testkit::servers::{Certificates, Installed, Server, ServerOptions, Version};

use crate::client::Client;
use crate::deployed::Deployed;
use crate::subject::Subject;
use crate::task::{self, Join};

/// Why a scenario failed.
pub(crate) type Failure = Box<dyn StdError + Send + Sync>;

/// How a scenario ends.
pub(crate) type Outcome = std::result::Result<(), Failure>;

/// How much earlier than asked for a server may end a wait: it counts whole milliseconds.
pub(crate) const TICK: Duration = Duration::from_millis(1);

/// Longer than anything takes that is to come, also on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// After this time a scenario hangs, unless it says otherwise: many times what the longest takes.
const DEADLINE: Duration = Duration::from_secs(100);

type Body<S> = Box<dyn Fn(Context<S>) -> Pin<Box<dyn Future<Output = Outcome>>> + Send + Sync>;

/// One behaviour and how to see it.
pub(crate) struct Scenario<S> {
    pub(crate) name: &'static str,
    pub(crate) deadline: Duration,
    need: Option<Need>,
    gives_up: bool,
    does_not_wait: bool,
    over_tcp: bool,
    /// Why it is not so over TLS.
    unlike_tls: Option<&'static str>,
    /// Whether it subscribes where commands and messages can share a connection, or where they can't.
    shares: Option<bool>,
    pub(crate) body: Body<S>,
}

/// What the server must have.
enum Need {
    Feature { what: &'static str, is_met: fn(&Installed) -> bool },
    Command(&'static str),
}

impl<S: Subject> Scenario<S> {
    /// A scenario under the name of its function.
    pub(crate) fn new<F, Fut>(body: F) -> Self
    where
        F: Fn(Context<S>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Outcome> + 'static,
    {
        Self {
            name: function_name(std::any::type_name::<F>()),
            deadline: DEADLINE,
            need: None,
            gives_up: false,
            does_not_wait: false,
            over_tcp: false,
            unlike_tls: None,
            shares: None,
            body: Box::new(move |cx| Box::pin(body(cx))),
        }
    }

    /// It runs on servers that have `what` alone.
    pub(crate) fn needs(mut self, what: &'static str, is_met: fn(&Installed) -> bool) -> Self {
        self.need = Some(Need::Feature { what, is_met });
        self
    }

    /// It runs on servers that have this command alone.
    pub(crate) fn needs_command(mut self, name: &'static str) -> Self {
        self.need = Some(Need::Command(name));
        self
    }

    /// It drops calls that wait, which only those can that do not block.
    pub(crate) fn drops_waiting_calls(mut self) -> Self {
        self.gives_up = true;
        self
    }

    /// It sends what nobody waits for, which only those can that do not block.
    pub(crate) fn does_not_wait(mut self) -> Self {
        self.does_not_wait = true;
        self
    }

    /// Its faults are those of TCP links: a Unix socket has no reset.
    pub(crate) fn over_tcp(mut self) -> Self {
        self.over_tcp = true;
        self
    }

    /// Over TLS it is different, for this reason.
    pub(crate) fn not_over_tls(mut self, reason: &'static str) -> Self {
        self.unlike_tls = Some(reason);
        self
    }

    /// It subscribes on the connection that commands share: see [`can_share`].
    pub(crate) fn shares_the_connection(mut self) -> Self {
        self.shares = Some(true);
        self
    }

    /// It tries to where that can't be.
    pub(crate) fn fails_to_share_the_connection(mut self) -> Self {
        self.shares = Some(false);
        self
    }

    /// Why it can't run, on this server, over this transport or with this client.
    pub(crate) fn lacks(&self, combination: &Combination) -> Option<String> {
        let server = &combination.installed;
        if self.over_tcp && combination.transport == Transport::Unix {
            return Some("its faults are those of TCP links".to_owned());
        }
        if combination.transport == Transport::Tls {
            if !server.tls {
                return Some(format!("{server} was built without TLS"));
            }
            if let Err(error) = &*CERTIFICATES {
                return Some(error.clone());
            }
            if let Some(reason) = self.unlike_tls {
                return Some(reason.to_owned());
            }
        }
        if self.gives_up && S::BLOCKS {
            return Some("a call that blocks its thread can't be dropped".to_owned());
        }
        if self.does_not_wait && S::BLOCKS {
            return Some("a call that blocks its thread waits for its reply".to_owned());
        }
        if self.shares.is_some() && S::BLOCKS {
            return Some("calls that block their threads share no connection".to_owned());
        }
        if self.shares.is_some_and(|shares| shares != can_share(combination)) {
            let protocol = combination.protocol;
            return Some(format!("of {server} with {protocol:?} it is not so"));
        }
        match *self.need.as_ref()? {
            Need::Feature { what, is_met } => {
                (!is_met(server)).then(|| format!("{server} has no {what}"))
            }
            Need::Command(name) => (!has(server, name)).then(|| format!("{server} has no {name}")),
        }
    }
}

/// `a::b::name<T>` is called `name`.
fn function_name(path: &'static str) -> &'static str {
    let path = path.split('<').next().unwrap_or(path);
    path.rsplit("::").next().unwrap_or(path)
}

/// Whether messages can come on the connection of commands: as pushes, and not within the replies of transactions.
fn can_share(combination: &Combination) -> bool {
    combination.protocol == Protocol::Resp3 && since(&combination.installed, 7, 2)
}

/// Whether the server's version is at least this one.
pub(crate) fn since(server: &Installed, major: u16, minor: u16) -> bool {
    server.version >= Version::new(major, minor, 0)
}

/// Whether the server has this command, by the table that was read from the servers; of those that
/// the table was not read from, by when the command came.
pub(crate) fn has(server: &Installed, command: &str) -> bool {
    let words: Vec<_> = command.split(' ').map(str::as_bytes).collect();
    let Some(info) = redis_core::lookup(&words) else {
        panic!("the table has no command `{command}`");
    };
    let Version { major, minor, .. } = server.version;
    let read_from = match (server.name, major, minor) {
        ("redis", 6, 2) => Servers::REDIS_6_2,
        ("redis", 7, 0) => Servers::REDIS_7_0,
        ("redis", 8, 0) => Servers::REDIS_8_0,
        ("redis", 8, 6) => Servers::REDIS_8_6,
        ("valkey", 9, 1) => Servers::VALKEY_9_1,
        (family, ..) => {
            let mut since = info.since.split('.').map(|part| part.parse().unwrap_or(0));
            let since = (since.next().unwrap_or(0), since.next().unwrap_or(0));
            let of_redis = info.servers.contains(Servers::REDIS_8_6);
            let newest = if family == "valkey" { Servers::VALKEY_9_1 } else { Servers::REDIS_8_6 };
            // A version beyond 7.2, where Valkey began, is a Redis's if Redis has the command as well.
            let known = family == "redis" || !of_redis || since <= (7, 2);
            return known && info.servers.contains(newest) && since <= (major, minor);
        }
    };
    info.servers.contains(read_from)
}

/// How far a scenario is, and what it saw: looked at from outside when it hangs.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) step: String,
    /// Equal on every runtime, protocol and transport of one server.
    pub(crate) transcript: Vec<String>,
    /// What differs from run to run, and what the transcript says instead.
    replaced: Vec<(String, String)>,
}

/// How clients reach a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    Unix,
    Tls,
}

/// Those of all servers of this process, or why there are none.
static CERTIFICATES: LazyLock<std::result::Result<Certificates, String>> =
    LazyLock::new(|| Certificates::new().map_err(|error| error.to_string()));

/// What clients reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deployment {
    /// A single server.
    Standalone,
    /// Three primaries with a replica each.
    Cluster,
}

/// The combination a scenario runs in.
#[derive(Clone, Debug)]
pub(crate) struct Combination {
    pub(crate) installed: Installed,
    pub(crate) deployment: Deployment,
    pub(crate) protocol: Protocol,
    pub(crate) transport: Transport,
}

impl Combination {
    /// What a server is started with, so that clients reach it.
    pub(crate) fn options(&self, options: ServerOptions) -> ServerOptions {
        match (self.transport, &*CERTIFICATES) {
            (Transport::Tls, Ok(certificates)) => options.tls(certificates.server()),
            _ => options,
        }
    }
}

/// A scenario's surroundings.
pub(crate) struct Context<S> {
    shared: Arc<Shared>,
    subject: PhantomData<fn() -> S>,
}

struct Shared {
    combination: Combination,
    /// Of the server that all scenarios share; of a cluster, of its first node.
    config: Config,
    cluster: Option<Arc<Cluster>>,
    progress: Arc<Mutex<Progress>>,
}

impl<S> Clone for Context<S> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), subject: PhantomData }
    }
}

impl<S: Subject> Context<S> {
    pub(crate) fn new(
        combination: Combination,
        deployed: &Deployed,
        progress: Arc<Mutex<Progress>>,
    ) -> std::io::Result<Self> {
        let (config, cluster) = match deployed {
            Deployed::Standalone(server) => (config(server, &combination), None),
            Deployed::Cluster(cluster) => {
                let first = cluster.nodes().into_iter().next();
                let first = first.expect("a cluster has nodes");
                (node_config(cluster, &first, &combination)?, Some(cluster.clone()))
            }
        };
        let shared = Shared { combination, config, cluster, progress };
        let cx = Self { shared: Arc::new(shared), subject: PhantomData };
        match deployed {
            Deployed::Standalone(server) => cx.hide(server),
            Deployed::Cluster(cluster) => cx.hide_nodes(cluster),
        }
        Ok(cx)
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        lock(&self.shared.progress)
    }

    /// Addresses differ from run to run.
    fn hide(&self, server: &Server) {
        let mut progress = self.progress();
        progress.replaced.push((server.addr().to_string(), "SERVER".to_owned()));
        if let Some(port) = server.tls_port() {
            progress.replaced.push((format!("127.0.0.1:{port}"), "SERVER".to_owned()));
        }
        progress.replaced.push((server.socket_path().display().to_string(), "SERVER".to_owned()));
    }

    /// So do ids.
    fn hide_nodes(&self, cluster: &Cluster) {
        let mut progress = self.progress();
        for (number, node) in cluster.nodes().iter().enumerate() {
            progress.replaced.push((node.to_string(), format!("NODE-{number}")));
            progress.replaced.push((node.id().to_owned(), format!("ID-{number}")));
        }
    }

    /// Says what is done next: where a hang is reported.
    pub(crate) fn step(&self, step: impl Into<String>) {
        self.progress().step = step.into();
    }

    /// Notes what was seen; it must be the same in every combination on this server.
    pub(crate) fn saw(&self, what: &str, value: impl Debug) {
        let mut line = format!("{what}: {value:?}");
        let mut progress = self.progress();
        for (text, instead) in &progress.replaced {
            line = line.replace(text, instead);
        }
        progress.transcript.push(line);
    }

    /// A client of the shared server.
    pub(crate) fn client(&self) -> Result<Client<S>> {
        open(self.config())
    }

    /// A client of the shared server, with settings of its own.
    pub(crate) fn client_with(&self, change: impl FnOnce(&mut Config)) -> Result<Client<S>> {
        let mut config = self.config();
        change(&mut config);
        open(config)
    }

    /// How to reach the shared server.
    pub(crate) fn config(&self) -> Config {
        self.shared.config.clone()
    }

    pub(crate) fn installed(&self) -> &Installed {
        &self.shared.combination.installed
    }

    /// Whether the server has this command.
    pub(crate) fn has(&self, command: &str) -> bool {
        has(self.installed(), command)
    }

    /// Whether the server is a Redis of at least this version.
    pub(crate) fn redis_since(&self, major: u16, minor: u16) -> bool {
        self.installed().name == "redis" && since(self.installed(), major, minor)
    }

    /// Whether the server is a Valkey of at least this version.
    pub(crate) fn valkey_since(&self, major: u16, minor: u16) -> bool {
        self.installed().name == "valkey" && since(self.installed(), major, minor)
    }

    /// Starts a server of the scenario's own.
    pub(crate) fn start_server(&self, options: ServerOptions) -> std::io::Result<OwnServer> {
        let combination = &self.shared.combination;
        let server = Server::start(self.installed(), combination.options(options))?;
        self.hide(&server);
        let config = config(&server, combination);
        Ok(OwnServer { server, config })
    }

    /// The cluster that all scenarios share. One that leaves it other than it was starts one of its own.
    pub(crate) fn cluster(&self) -> Arc<Cluster> {
        self.shared.cluster.clone().expect("a scenario of the cluster's list")
    }

    /// A client of the shared cluster.
    pub(crate) fn cluster_client(&self) -> std::result::Result<Client<S>, Failure> {
        self.client_of(&self.cluster(), |_| ())
    }

    /// A client of a cluster, with settings of its own.
    pub(crate) fn client_of(
        &self,
        cluster: &Cluster,
        change: impl FnOnce(&mut Config),
    ) -> std::result::Result<Client<S>, Failure> {
        let mut config = self.config_of(cluster)?;
        change(&mut config);
        Ok(open(config)?)
    }

    /// How to reach a cluster.
    pub(crate) fn config_of(&self, cluster: &Cluster) -> std::result::Result<Config, Failure> {
        let mut config: Config = cluster.url().parse()?;
        config.protocol = self.shared.combination.protocol;
        Ok(config)
    }

    /// Starts a cluster of the scenario's own.
    pub(crate) async fn start_cluster(
        &self,
        options: ClusterOptions,
    ) -> std::result::Result<Arc<Cluster>, Failure> {
        let installed = self.installed().clone();
        let cluster = self.aside(move || Cluster::start(&installed, options)).await??;
        self.hide_nodes(&cluster);
        Ok(Arc::new(cluster))
    }

    /// A client of a single node, with settings of its own.
    pub(crate) fn node_client_with(
        &self,
        cluster: &Cluster,
        node: &Node,
        change: impl FnOnce(&mut Config),
    ) -> std::result::Result<Client<S>, Failure> {
        let mut config = node_config(cluster, node, &self.shared.combination)?;
        change(&mut config);
        Ok(open(config)?)
    }

    /// A client of a single node.
    pub(crate) fn node_client(
        &self,
        cluster: &Cluster,
        node: &Node,
    ) -> std::result::Result<Client<S>, Failure> {
        self.node_client_with(cluster, node, |_| ())
    }

    /// Runs what blocks beside the scenario, so that its tasks go on.
    pub(crate) fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Join<T> {
        task::aside(work)
    }

    /// A proxy in front of the shared server, which spoils the links of its clients.
    pub(crate) fn proxy(&self) -> std::io::Result<Proxied> {
        self.proxy_to(self.config())
    }

    /// A proxy in front of what this configuration reaches over TCP.
    pub(crate) fn proxy_to(&self, mut config: Config) -> std::io::Result<Proxied> {
        let Endpoint::Tcp { port, .. } = config.endpoint else {
            return Err(std::io::Error::other("a scenario with a proxy says `over_tcp`"));
        };
        let proxy = FaultProxy::start((Ipv4Addr::LOCALHOST, port).into())?;
        self.progress().replaced.push((proxy.addr().to_string(), "SERVER".to_owned()));
        config.endpoint = Endpoint::Tcp { host: "127.0.0.1".into(), port: proxy.addr().port() };
        Ok(Proxied { proxy, config })
    }

    /// Starts a task beside the scenario.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> Join<T> {
        task::spawn::<S, T>(task)
    }

    pub(crate) async fn sleep(&self, time: Duration) {
        S::sleep(time).await;
    }

    /// Waits until a condition holds; that it never does is found by the scenario's deadline.
    pub(crate) async fn until(
        &self,
        what: &str,
        mut holds: impl AsyncFnMut() -> Result<bool>,
    ) -> Result<()> {
        self.step(format!("waiting until {what}"));
        while !holds().await? {
            S::sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }

    /// What a call gives that is made again until no deadline is missed: on a busy machine any may miss a short
    /// one, and a watching connection is lost with it.
    pub(crate) async fn in_time<T>(&self, mut call: impl AsyncFnMut() -> Result<T>) -> Result<T> {
        loop {
            match call().await {
                Err(error) if error.is_timeout() || error.is_watch() => {
                    S::sleep(Duration::from_millis(2)).await;
                }
                result => return result,
            }
        }
    }

    /// How long something took, to compare with a limit: with [`TICK`] where the server kept the time.
    pub(crate) async fn timed<T>(&self, future: impl Future<Output = T>) -> (T, Duration) {
        let start = Instant::now();
        (future.await, start.elapsed())
    }
}

/// A server that one scenario owns.
pub(crate) struct OwnServer {
    pub(crate) server: Server,
    config: Config,
}

impl OwnServer {
    pub(crate) fn config(&self) -> Config {
        self.config.clone()
    }

    pub(crate) fn client<S: Subject>(&self) -> Result<Client<S>> {
        open(self.config())
    }

    pub(crate) fn client_with<S: Subject>(
        &self,
        change: impl FnOnce(&mut Config),
    ) -> Result<Client<S>> {
        let mut config = self.config();
        change(&mut config);
        open(config)
    }
}

/// A faulty way to a server.
pub(crate) struct Proxied {
    proxy: FaultProxy,
    config: Config,
}

impl Deref for Proxied {
    type Target = FaultProxy;

    fn deref(&self) -> &FaultProxy {
        &self.proxy
    }
}

impl Proxied {
    pub(crate) fn client<S: Subject>(&self) -> Result<Client<S>> {
        open(self.config.clone())
    }

    pub(crate) fn client_with<S: Subject>(
        &self,
        change: impl FnOnce(&mut Config),
    ) -> Result<Client<S>> {
        let mut config = self.config.clone();
        change(&mut config);
        open(config)
    }
}

/// A client for any configuration.
pub(crate) fn open<S: Subject>(config: Config) -> Result<Client<S>> {
    S::open(config).map(Client)
}

fn config(server: &Server, combination: &Combination) -> Config {
    let mut config = match combination.transport {
        Transport::Tcp => Config::tcp("127.0.0.1", server.port()),
        Transport::Unix => Config::unix(server.socket_path()),
        Transport::Tls => {
            let port = server.tls_port().expect("it was started so");
            Config::tcp("127.0.0.1", port).tls(trust())
        }
    };
    config.protocol = combination.protocol;
    config.password = server.password().map(Into::into);
    config
}

/// Trusts the servers of this process, and nobody else.
fn trust() -> Tls {
    let certificates = CERTIFICATES.as_ref().expect("nothing runs over TLS without them");
    let mut tls = Tls::new();
    tls.roots = Roots::Only(vec![Pem::file(certificates.authority())]);
    tls
}

fn node_config(
    cluster: &Cluster,
    node: &Node,
    combination: &Combination,
) -> std::io::Result<Config> {
    let mut config = cluster.config(node)?;
    config.protocol = combination.protocol;
    Ok(config)
}

/// The URL of what a configuration reaches, with a query of its own.
pub(crate) fn url(config: &Config, user_info: &str, database: u32) -> String {
    let protocol = match config.protocol {
        Protocol::Resp2 => 2,
        Protocol::Resp3 => 3,
    };
    match &config.endpoint {
        Endpoint::Unix(path) => {
            format!("redis+unix://{user_info}{}?db={database}&protocol={protocol}", path.display())
        }
        endpoint => {
            let (scheme, roots) = match config.tls.as_ref().map(|tls| &tls.roots) {
                Some(Roots::Only(roots)) => match &roots[..] {
                    [Pem::File(path)] => ("rediss", format!("&tls_roots={}", path.display())),
                    other => panic!("{other:?}"),
                },
                _ => ("redis", String::new()),
            };
            format!("{scheme}://{user_info}{endpoint}/{database}?protocol={protocol}{roots}")
        }
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The error of what must fail.
pub(crate) fn failed<T: Debug>(result: Result<T>) -> std::result::Result<Error, Unexpected> {
    match result {
        Ok(value) => Err(Unexpected(format!("{value:?}"))),
        Err(error) => Ok(error),
    }
}

/// Something that must fail did not.
#[derive(Debug)]
pub(crate) struct Unexpected(String);

impl fmt::Display for Unexpected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "should have failed, and gave {}", self.0)
    }
}

impl StdError for Unexpected {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_is_called_as_its_function() {
        assert_eq!(function_name("a::b::name"), "name");
        assert_eq!(function_name("a::b::name<c::D<e::F>>"), "name");
    }

    #[test]
    fn servers_without_a_table_have_the_commands_of_their_family_and_version() {
        let server = |name, major, minor| Installed {
            name,
            version: Version::new(major, minor, 0),
            how: String::new(),
            command: Vec::new(),
            tls: false,
        };
        let (redis, valkey) = (server("redis", 7, 4), server("valkey", 8, 1));
        for (command, in_redis, in_valkey) in [
            ("GET", true, true),
            ("HEXPIRE", true, false),
            ("HGETEX", false, false),
            ("SCRIPT SHOW", false, true),
            ("DELIFEQ", false, false),
        ] {
            assert_eq!(has(&redis, command), in_redis, "{command} of {redis}");
            assert_eq!(has(&valkey, command), in_valkey, "{command} of {valkey}");
        }
    }
}
