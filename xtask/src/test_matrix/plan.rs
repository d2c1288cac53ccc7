//! Which combinations are run: a representative set, all of them, or what filters pick.

use std::fmt;

/// Every runtime that the scenarios know. Those that start with another's name are that runtime set
/// up differently.
pub(crate) const RUNTIMES: [&str; 4] = ["sync", "tokio", "tokio-threads", "smol"];
const PROTOCOLS: [&str; 2] = ["2", "3"];
const TRANSPORTS: [&str; 2] = ["tcp", "unix"];

/// What the representative set is, for people.
const DEFAULT: &str = "each server with sync, tokio (one thread) and smol over TCP in \
                                  both protocols; the first server also over a Unix socket and \
                                  with tokio on several threads; --full runs everything";

/// One way to run the scenarios.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Combination {
    /// Name and version.
    pub(super) server: String,
    pub(super) runtime: &'static str,
    pub(super) protocol: &'static str,
    pub(super) transport: &'static str,
}

impl fmt::Display for Combination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, runtime, protocol, transport } = self;
        write!(f, "{server}, {runtime}, RESP{protocol}, {transport}")
    }
}

/// What was asked for; an empty list asks for all.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) full: bool,
    pub(super) servers: Vec<String>,
    pub(super) runtimes: Vec<String>,
    pub(super) protocols: Vec<String>,
    pub(super) transports: Vec<String>,
}

impl Wanted {
    /// The combinations on these servers. A filter picks from all, not from the representative set.
    pub(super) fn combinations(&self, servers: &[String]) -> Vec<Combination> {
        let all = servers.iter().flat_map(|server| {
            RUNTIMES.iter().flat_map(move |&runtime| {
                PROTOCOLS.iter().flat_map(move |&protocol| {
                    TRANSPORTS.iter().map(move |&transport| {
                        let server = server.clone();
                        Combination { server, runtime, protocol, transport }
                    })
                })
            })
        });
        all.filter(|one| match self.is_representative() {
            false => self.picks(one),
            true => {
                let usual = one.runtime != "tokio-threads" && one.transport == "tcp";
                usual || Some(&one.server) == servers.first()
            }
        })
        .collect()
    }

    fn is_representative(&self) -> bool {
        let filters = [&self.servers, &self.runtimes, &self.protocols, &self.transports];
        !self.full && filters.into_iter().all(Vec::is_empty)
    }

    /// What was picked from, for people.
    pub(super) fn set(&self) -> &'static str {
        match self.is_representative() {
            true => DEFAULT,
            false => "picked from all",
        }
    }

    /// A server is named by a part of its name and version, a runtime, protocol or transport by its name.
    fn picks(&self, one: &Combination) -> bool {
        let server = self.servers.is_empty()
            || self.servers.iter().any(|part| one.server.contains(&part.replace('-', " ")));
        let named = |filter: &[String], name: &str| {
            filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(name))
        };
        server
            && named(&self.runtimes, one.runtime)
            && named(&self.protocols, one.protocol)
            && named(&self.transports, one.transport)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers() -> [String; 2] {
        ["valkey 9.1.2".to_owned(), "redis 7.0.15".to_owned()]
    }

    #[test]
    fn everything_is_every_choice_with_every_other() {
        let wanted = Wanted { full: true, ..Wanted::default() };
        assert_eq!(wanted.combinations(&servers()).len(), 2 * 4 * 2 * 2);
    }

    #[test]
    fn usual_set_has_every_server_runtime_protocol_and_transport() {
        let all = Wanted::default().combinations(&servers());
        assert_eq!(all.len(), 4 * 2 * 2 + 3 * 2);
        for server in servers() {
            for runtime in ["sync", "tokio", "smol"] {
                let of = |one: &&Combination| one.server == server && one.runtime == runtime;
                assert!(all.iter().filter(of).count() >= 2);
            }
        }
        assert!(all.iter().any(|one| one.transport == "unix"));
    }

    #[test]
    fn filters_pick_from_all() {
        let list = |text: &str| vec![text.to_owned()];
        let wanted =
            Wanted { servers: list("redis-7"), transports: list("unix"), ..Wanted::default() };
        let picked = wanted.combinations(&servers());
        assert_eq!(picked.len(), 4 * 2);
        assert!(picked.iter().all(|one| one.server == "redis 7.0.15" && one.transport == "unix"));
        let wanted = Wanted { runtimes: list("tokio"), ..Wanted::default() };
        assert!(wanted.combinations(&servers()).iter().all(|one| one.runtime == "tokio"));
        let wanted = Wanted { servers: list("8.0"), ..Wanted::default() };
        assert_eq!(wanted.combinations(&servers()), []);
    }
}
