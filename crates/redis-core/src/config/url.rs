//! Settings as a URL.

use std::str::FromStr;

use super::{
    ClusterConfig, Config, Endpoint, Identity, Pem, Protocol, ReadFrom, Roots, Secret, Tls,
};
use crate::error::{Error, ErrorKind, Result};

/// What kind of URL it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Tcp,
    Unix,
    Cluster,
}

/// Reads `redis://[user[:password]@]host[:port][/database][?option=value&..]`,
/// `redis+unix://[user[:password]@]/path[?db=1&..]` and, with any number of seeds,
/// `redis+cluster://[user[:password]@]host[:port][,host[:port]..][/database][?option=value&..]`, likewise with
/// `valkey`; `unix://` as well. `rediss` and `valkeys` are the same over TLS, `rediss+cluster` and `valkeys+cluster` too.
/// A lone `password@` is not a form; `:password@` is. Parts are percent-decoded. Options: `db`, `name`
/// (client name), `protocol` (2 or 3, or `resp2`, `resp3`); of clusters `read_from` (`primary`, `prefer_replica`,
/// `round_robin`, `random`, `lowest_latency`), `zone` (reads from this availability zone), `split_mset` (`yes`, `no`);
/// of TLS the paths of PEM files `tls_roots` (trusted instead of the system's), `tls_extra_roots` (trusted as well),
/// `tls_certificate` and `tls_key` (the client's), and `tls_server_name`, `tls_danger_accept_any_certificate` (`yes`, `no`).
impl FromStr for Config {
    type Err = Error;

    fn from_str(url: &str) -> Result<Self> {
        parse(url).map_err(|what| Error::new(ErrorKind::Config, format!("invalid URL: {what}")))
    }
}

fn parse(url: &str) -> Result<Config, String> {
    let (scheme, rest) = url.split_once("://").ok_or("it has no `scheme://`")?;
    let form = match scheme {
        "redis" | "valkey" | "rediss" | "valkeys" => Form::Tcp,
        "redis+unix" | "valkey+unix" | "unix" => Form::Unix,
        "redis+cluster" | "valkey+cluster" | "rediss+cluster" | "valkeys+cluster" => Form::Cluster,
        "redis+sentinel" | "valkey+sentinel" => {
            return Err(format!("`{scheme}` is a deployment that this version does not have"));
        }
        // The scheme alone is shown: anything else may hold a password.
        _ => {
            return Err(format!(
                "unknown scheme `{scheme}`: use redis, redis+unix, redis+cluster, over TLS rediss or \
                 rediss+cluster, or the same with valkey"
            ));
        }
    };
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) => (rest, Some(query)),
        None => (rest, None),
    };
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    let mut config = match form {
        Form::Cluster => {
            let seeds: Result<Vec<_>, _> = host.split(',').map(tcp_endpoint).collect();
            Config::cluster(seeds?)
        }
        _ => Config::default(),
    };
    if scheme.starts_with("rediss") || scheme.starts_with("valkeys") {
        config.tls = Some(Tls::new());
    }
    // A certificate and its key are two options.
    let mut identity = (None, None);
    if let Some(user) = user {
        let (name, password) =
            user.split_once(':').ok_or("credentials are `user:password@` or `:password@`")?;
        let name = decoded(name)?;
        config.username = (!name.is_empty()).then_some(name);
        config.password = Some(Secret::new(decoded(password)?));
    }
    if form == Form::Unix {
        if !host.is_empty() {
            return Err("a Unix socket has no host: write three slashes before the path".into());
        }
        if path.len() < 2 {
            return Err("it has no socket path".into());
        }
        config.endpoint = Endpoint::Unix(decoded(path)?.into());
    } else {
        if form == Form::Tcp {
            config.endpoint = tcp_endpoint(host)?;
        }
        let database = path.trim_start_matches('/');
        if !database.is_empty() {
            config.database = number(database)?;
        }
    }
    for option in
        query.into_iter().flat_map(|query| query.split('&')).filter(|option| !option.is_empty())
    {
        let (name, value) =
            option.split_once('=').ok_or_else(|| format!("option `{option}` has no value"))?;
        let value = decoded(value)?;
        match name {
            "db" => config.database = number(&value)?,
            "name" => config.client_name = Some(value),
            "protocol" => {
                config.protocol = match value.as_str() {
                    "2" | "resp2" => Protocol::Resp2,
                    "3" | "resp3" => Protocol::Resp3,
                    _ => return Err("`protocol` is 2 or 3".into()),
                }
            }
            "read_from" | "zone" | "split_mset" => {
                let Some(cluster) = &mut config.cluster else {
                    return Err(format!("the option `{name}` is for clusters: redis+cluster"));
                };
                set(cluster, name, value)?;
            }
            "tls_roots"
            | "tls_extra_roots"
            | "tls_certificate"
            | "tls_key"
            | "tls_server_name"
            | "tls_danger_accept_any_certificate" => {
                let Some(tls) = &mut config.tls else {
                    return Err(format!(
                        "the option `{name}` is for TLS: rediss or rediss+cluster"
                    ));
                };
                set_tls(tls, &mut identity, name, value)?;
            }
            _ => {
                return Err(format!(
                    "unknown option `{name}`: there are db, name and protocol, of clusters \
                     read_from, zone and split_mset, and of TLS tls_roots, tls_extra_roots, \
                     tls_certificate, tls_key, tls_server_name and tls_danger_accept_any_certificate"
                ));
            }
        }
    }
    if let Some(tls) = &mut config.tls {
        tls.identity = match identity {
            (Some(certificate), Some(key)) => Some(Identity { certificate, key }),
            (None, None) => None,
            _ => return Err("`tls_certificate` and `tls_key` need each other".into()),
        };
    }
    config.check().map_err(|error| error.to_string())?;
    Ok(config)
}

fn set(cluster: &mut ClusterConfig, name: &str, value: String) -> Result<(), String> {
    match (name, value.as_str()) {
        ("zone", _) => cluster.read_from = ReadFrom::Zone(value),
        ("split_mset", "yes") => cluster.split_mset = true,
        ("split_mset", "no") => cluster.split_mset = false,
        ("split_mset", _) => return Err("`split_mset` is yes or no".into()),
        (_, "primary") => cluster.read_from = ReadFrom::Primary,
        (_, "prefer_replica") => cluster.read_from = ReadFrom::PreferReplica,
        (_, "round_robin") => cluster.read_from = ReadFrom::RoundRobin,
        (_, "random") => cluster.read_from = ReadFrom::Random,
        (_, "lowest_latency") => cluster.read_from = ReadFrom::LowestLatency,
        _ => {
            return Err("`read_from` is primary, prefer_replica, round_robin, random or \
                        lowest_latency; of an availability zone it is `zone=name`"
                .into());
        }
    }
    Ok(())
}

fn set_tls(
    tls: &mut Tls,
    (certificate, key): &mut (Option<Pem>, Option<Pem>),
    name: &str,
    value: String,
) -> Result<(), String> {
    match (name, value.as_str()) {
        ("tls_roots" | "tls_extra_roots", _) if tls.roots != Roots::System => {
            return Err("`tls_roots` and `tls_extra_roots` exclude each other".into());
        }
        ("tls_roots", _) => tls.roots = Roots::Only(vec![Pem::file(value)]),
        ("tls_extra_roots", _) => tls.roots = Roots::SystemAnd(vec![Pem::file(value)]),
        ("tls_certificate", _) => *certificate = Some(Pem::file(value)),
        ("tls_key", _) => *key = Some(Pem::file(value)),
        ("tls_server_name", _) => tls.server_name = Some(value),
        (_, "yes") => tls.danger_accept_any_certificate = true,
        (_, "no") => tls.danger_accept_any_certificate = false,
        _ => return Err("`tls_danger_accept_any_certificate` is yes or no".into()),
    }
    Ok(())
}

fn tcp_endpoint(text: &str) -> Result<Endpoint, String> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or("an IPv6 address lacks its `]`")?;
        match rest.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if rest.is_empty() => (host, None),
            None => return Err("behind `]` only a port can follow".into()),
        }
    } else {
        match text.split_once(':') {
            Some((_, port)) if port.contains(':') => {
                return Err("an IPv6 address is written in brackets: `[::1]:6379`".into());
            }
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        }
    };
    let port = match port {
        Some(port) => {
            port.parse().ok().filter(|&port| port != 0).ok_or("the port is not 1 to 65535")?
        }
        None => 6379,
    };
    let host = if host.is_empty() { "127.0.0.1".into() } else { decoded(host)? };
    Ok(Endpoint::Tcp { host, port })
}

fn number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("the database `{text}` is not a number"))
}

fn decoded(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let hex = |digit: Option<&u8>| digit.and_then(|&digit| char::from(digit).to_digit(16));
        match (hex(rest.first()), hex(rest.get(1))) {
            (Some(high), Some(low)) => bytes.push((high * 16 + low) as u8),
            _ => return Err("a `%` is not followed by two hexadecimal digits".into()),
        }
        rest = &rest[2..];
    }
    String::from_utf8(bytes).map_err(|_| "a percent-encoded part is not UTF-8".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Endpoint {
        Endpoint::Tcp { host: host.into(), port }
    }

    #[test]
    fn urls_name_host_port_database_and_credentials() {
        let config: Config =
            "valkey://us%40er:p%3Aw@[::1]:7000/3?name=app&protocol=2".parse().unwrap();
        assert_eq!(config.endpoint, tcp("::1", 7000));
        assert_eq!(config.endpoint.to_string(), "[::1]:7000");
        assert_eq!(config.username.as_deref(), Some("us@er"));
        assert_eq!(config.password.as_ref().map(Secret::reveal), Some("p:w"));
        assert_eq!((config.database, config.protocol), (3, Protocol::Resp2));
        assert_eq!(config.client_name.as_deref(), Some("app"));
        for url in ["redis://", "redis:///", "redis://localhost", "redis://:6379"] {
            let config: Config = url.parse().unwrap();
            let Endpoint::Tcp { port, .. } = config.endpoint else { panic!("{url}") };
            assert_eq!((port, config.database, config.password), (6379, 0, None), "{url}");
        }
    }

    #[test]
    fn unix_urls_name_a_path() {
        for scheme in ["redis+unix", "valkey+unix", "unix"] {
            let config: Config =
                format!("{scheme}://:pw@/run/my%20redis.sock?db=1").parse().unwrap();
            assert_eq!(config.endpoint, Endpoint::Unix("/run/my redis.sock".into()));
            assert_eq!((config.database, config.username), (1, None));
        }
    }

    #[test]
    fn wrong_urls_are_told_without_their_password() {
        for (url, says) in [
            ("localhost:6379", "has no `scheme://`"),
            ("http://h", "unknown scheme `http`"),
            ("rediss+unix://:hunter2@/path", "unknown scheme `rediss+unix`"),
            ("redis://:hunter2@h?tls_roots=/ca.pem", "is for TLS"),
            ("rediss://:hunter2@h?tls_root=/ca.pem", "unknown option `tls_root`"),
            ("rediss://:hunter2@h?tls_key=/key.pem", "need each other"),
            ("rediss://:hunter2@h?tls_roots=/a&tls_extra_roots=/b", "exclude each other"),
            ("rediss://:hunter2@h?tls_danger_accept_any_certificate=1", "yes or no"),
            ("redis://hunter2@h", "credentials are"),
            ("redis://:hunter2@h:port", "port is not"),
            ("redis://:hunter2@h:0", "port is not"),
            ("redis://:hunter2@h:1:2", "in brackets"),
            ("redis://:hunter2@[::1", "lacks its `]`"),
            ("redis://:hunter2@h/x", "is not a number"),
            ("redis://:hunter2%@h", "two hexadecimal"),
            ("redis://:hunter2@h?x=1", "unknown option `x`"),
            ("redis+unix://:hunter2@", "no socket path"),
            ("redis+cluster://:hunter2@h1,h2:x", "port is not"),
            ("redis+cluster://:hunter2@h1?read_from=anyone", "`read_from` is"),
            ("redis+cluster://:hunter2@h1?split_mset=1", "yes or no"),
            ("redis://:hunter2@h1?zone=a", "is for clusters"),
            ("redis+unix://host/path", "has no host"),
        ] {
            let error = url.parse::<Config>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{url}");
            assert!(error.to_string().contains(says), "{url}: {error}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{url}: {error:?}");
        }
    }

    #[test]
    fn urls_of_tls_name_its_files() {
        for url in ["rediss://h:6380/1", "valkeys://h:6380/1"] {
            let config: Config = url.parse().unwrap();
            assert_eq!((config.endpoint, config.database), (tcp("h", 6380), 1));
            assert_eq!(config.tls, Some(Tls::new()));
        }
        let config: Config = "rediss+cluster://h1:7000,h2?tls_roots=/my%20ca.pem&tls_key=/key.pem\
                              &tls_certificate=/cert.pem&tls_server_name=redis.example\
                              &tls_danger_accept_any_certificate=yes"
            .parse()
            .unwrap();
        assert_eq!(config.cluster.unwrap().seeds, [tcp("h1", 7000), tcp("h2", 6379)]);
        let (certificate, key) = (Pem::file("/cert.pem"), Pem::file("/key.pem"));
        let tls = Tls {
            roots: Roots::Only(vec![Pem::file("/my ca.pem")]),
            identity: Some(Identity { certificate, key }),
            server_name: Some("redis.example".into()),
            danger_accept_any_certificate: true,
        };
        assert_eq!(config.tls, Some(tls));
        let config: Config = "valkeys+cluster://h1?tls_extra_roots=/ca.pem".parse().unwrap();
        let roots = Roots::SystemAnd(vec![Pem::file("/ca.pem")]);
        assert_eq!(config.tls, Some(Tls { roots, ..Tls::new() }));
        let config: Config = "redis://h".parse().unwrap();
        assert_eq!(config.tls, None);
    }

    #[test]
    fn cluster_urls_name_seeds() {
        let config: Config =
            "redis+cluster://us:pw@h1:7000,h2,[::1]:7002/1?read_from=prefer_replica\
                              &split_mset=yes&name=app"
                .parse()
                .unwrap();
        let cluster = config.cluster.unwrap();
        assert_eq!(cluster.seeds, [tcp("h1", 7000), tcp("h2", 6379), tcp("::1", 7002)]);
        assert_eq!((config.endpoint, config.database), (tcp("h1", 7000), 1));
        assert_eq!((cluster.read_from, cluster.split_mset), (ReadFrom::PreferReplica, true));
        assert_eq!(config.client_name.as_deref(), Some("app"));
        let config: Config = "valkey+cluster://h1?zone=eu-1".parse().unwrap();
        assert_eq!(config.cluster.unwrap().read_from, ReadFrom::Zone("eu-1".into()));
    }
}
