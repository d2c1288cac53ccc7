//! Which combinations are run: a representative set, all of them, or what filters pick.

use std::fmt;

/// Every runtime that the scenarios know. Those that start with another's name are that runtime set
/// up differently.
pub(crate) const RUNTIMES: [&str; 4] = ["sync", "tokio", "tokio-threads", "smol"];
const PROTOCOLS: [&str; 2] = ["2", "3"];
const TRANSPORTS: [&str; 3] = ["tcp", "unix", TLS];
/// Of servers that were built with it.
const TLS: &str = "tls";
/// A single server, and a cluster, which is reached over TCP alone.
const DEPLOYMENTS: [&str; 2] = [STANDALONE, "cluster"];
pub(super) const STANDALONE: &str = "standalone";

/// What the representative set is, for people.
const DEFAULT: &str = "each server with sync, tokio (one thread) and smol over TCP in both \
                                  protocols; the first server also over a Unix socket and with tokio \
                                  on several threads; the last one with TLS over that, in RESP3; each server as a cluster, runtimes \
                                  and protocols in turn; --full runs everything, --deployment \
                                  cluster all clusters";

/// One way to run the scenarios.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Combination {
    /// Name and version.
    pub(super) server: String,
    pub(super) deployment: &'static str,
    pub(super) runtime: &'static str,
    pub(super) protocol: &'static str,
    pub(super) transport: &'static str,
}

impl fmt::Display for Combination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, deployment, runtime, protocol, transport } = self;
        write!(f, "{server}")?;
        if *deployment != STANDALONE {
            write!(f, " {deployment}")?;
        }
        write!(f, ", {runtime}, RESP{protocol}, {transport}")
    }
}

/// What was asked for; an empty list asks for all.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) full: bool,
    pub(super) servers: Vec<String>,
    pub(super) deployments: Vec<String>,
    pub(super) runtimes: Vec<String>,
    pub(super) protocols: Vec<String>,
    pub(super) transports: Vec<String>,
}

impl Wanted {
    /// The combinations on these servers. A filter picks from all, not from the representative set.
    /// Those that were built with TLS are `secure`.
    pub(super) fn combinations(&self, servers: &[String], secure: &[String]) -> Vec<Combination> {
        let all = servers.iter().flat_map(|server| {
            DEPLOYMENTS.iter().flat_map(move |&deployment| {
                RUNTIMES.iter().flat_map(move |&runtime| {
                    PROTOCOLS.iter().flat_map(move |&protocol| {
                        TRANSPORTS.iter().map(move |&transport| {
                            let server = server.clone();
                            Combination { server, deployment, runtime, protocol, transport }
                        })
                    })
                })
            })
        });
        let exists = |one: &Combination| {
            let reached = one.deployment == STANDALONE || one.transport == "tcp";
            reached && (one.transport != TLS || secure.contains(&one.server))
        };
        all.filter(exists)
            .filter(|one| match self.is_representative() {
                false => self.picks(one),
                true => {
                    let at = servers.iter().position(|server| *server == one.server);
                    match (at, one.deployment) {
                        (Some(at), "cluster") => is_usual_of_cluster(at, one),
                        _ if one.transport == TLS => is_usual_of_tls(secure, one),
                        (at, _) => {
                            let usual = one.runtime != "tokio-threads" && one.transport == "tcp";
                            usual || at == Some(0)
                        }
                    }
                }
            })
            .collect()
    }

    fn is_representative(&self) -> bool {
        let Self { full, servers, deployments, runtimes, protocols, transports } = self;
        let filters = [servers, deployments, runtimes, protocols, transports];
        !full && filters.into_iter().all(Vec::is_empty)
    }

    /// What was picked from, for people.
    pub(super) fn set(&self) -> &'static str {
        match self.is_representative() {
            true => DEFAULT,
            false => "picked from all",
        }
    }

    /// A server is named by a part of its name and version, everything else by its name.
    fn picks(&self, one: &Combination) -> bool {
        let server = self.servers.is_empty()
            || self.servers.iter().any(|part| one.server.contains(&part.replace('-', " ")));
        let named = |filter: &[String], name: &str| {
            filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(name))
        };
        server
            && named(&self.deployments, one.deployment)
            && named(&self.runtimes, one.runtime)
            && named(&self.protocols, one.protocol)
            && named(&self.transports, one.transport)
    }
}

/// Whether the server at this place of the list is usually run like this as a cluster: those take long, and so the
/// servers take turns with what is much the same.
fn is_usual_of_cluster(at: usize, one: &Combination) -> bool {
    one.runtime == ["sync", "tokio", "smol"][at % 3] && one.protocol == PROTOCOLS[at % 2]
}

/// Whether TLS is usually tried like this: it is the client's part of it that matters.
fn is_usual_of_tls(secure: &[String], one: &Combination) -> bool {
    secure.last() == Some(&one.server) && one.protocol == "3" && one.runtime != "tokio-threads"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers() -> [String; 2] {
        ["valkey 9.1.2".to_owned(), "redis 7.0.15".to_owned()]
    }

    fn secure() -> [String; 1] {
        ["redis 7.0.15".to_owned()]
    }

    #[test]
    fn everything_is_every_choice_with_every_other() {
        let wanted = Wanted { full: true, ..Wanted::default() };
        assert_eq!(wanted.combinations(&servers(), &secure()).len(), 2 * 4 * 2 * (2 + 1) + 4 * 2);
    }

    #[test]
    fn usual_set_has_every_server_deployment_runtime_protocol_and_transport() {
        let all = Wanted::default().combinations(&servers(), &secure());
        assert_eq!(all.len(), 4 * 2 * 2 + 3 * 2 + 2 + 3);
        for server in servers() {
            for runtime in ["sync", "tokio", "smol"] {
                let mut of = all.iter().filter(|one| one.server == server);
                assert!(of.any(|one| one.runtime == runtime && one.deployment == STANDALONE));
            }
        }
        assert!(all.iter().any(|one| one.transport == "unix"));
        let tls: Vec<_> = all.iter().filter(|one| one.transport == TLS).collect();
        assert_eq!(tls.len(), 3);
        assert!(tls.iter().all(|one| one.server == "redis 7.0.15" && one.protocol == "3"));
    }

    #[test]
    fn clusters_have_every_runtime_and_protocol_among_six_servers() {
        let servers = ["a", "b", "c", "d", "e", "f"].map(str::to_owned);
        let all = Wanted::default().combinations(&servers, &[]);
        for (runtime, protocol) in
            ["sync", "tokio", "smol"].iter().flat_map(|runtime| PROTOCOLS.map(|p| (runtime, p)))
        {
            let mut clusters = all.iter().filter(|one| one.deployment == "cluster");
            assert!(clusters.any(|one| one.runtime == *runtime && one.protocol == protocol));
        }
    }

    #[test]
    fn filters_pick_from_all() {
        let list = |text: &str| vec![text.to_owned()];
        let wanted =
            Wanted { servers: list("redis-7"), transports: list("unix"), ..Wanted::default() };
        let picked = wanted.combinations(&servers(), &secure());
        assert_eq!(picked.len(), 4 * 2);
        assert!(picked.iter().all(|one| one.server == "redis 7.0.15" && one.transport == "unix"));
        let wanted = Wanted { deployments: list("cluster"), ..Wanted::default() };
        let picked = wanted.combinations(&servers(), &secure());
        assert_eq!(picked.len(), 2 * 4 * 2);
        assert!(picked.iter().all(|one| one.deployment == "cluster" && one.transport == "tcp"));
        assert_eq!(picked[0].to_string(), "valkey 9.1.2 cluster, sync, RESP2, tcp");
        let wanted = Wanted { runtimes: list("tokio"), ..Wanted::default() };
        assert!(
            wanted.combinations(&servers(), &secure()).iter().all(|one| one.runtime == "tokio")
        );
        let wanted = Wanted { servers: list("8.0"), ..Wanted::default() };
        assert_eq!(wanted.combinations(&servers(), &secure()), []);
    }
}
