//! Where a cluster says its nodes are, and how a client gets there.
//!
//! Owns how an announced host becomes an endpoint: hosts that are left out, and addresses that only hold
//! inside the cluster's own network. Knows nothing of slots.

use redis_core::Endpoint;
use redis_core::config::AddressMap;

/// No name is longer in DNS; a longer one is no host.
const MAX_HOST: usize = 253;

/// A host as a cluster node announces it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A name, an IPv4 address, or an IPv6 address without brackets.
    Named(String),
    /// Left out: the host of the node that answered.
    Same,
    /// `?`: the node that answered does not know it.
    Unknown,
}

impl Host {
    /// Reads a host: empty is [`Same`](Self::Same), `?` is [`Unknown`](Self::Unknown), and so is what can't
    /// be one (over 253 bytes, or not printable ASCII).
    ///
    /// # Examples
    ///
    /// ```
    /// use redis_cluster::Host;
    ///
    /// assert_eq!(Host::parse(b"10.0.0.1"), Host::Named("10.0.0.1".into()));
    /// assert_eq!(Host::parse(b""), Host::Same);
    /// assert_eq!(Host::parse(b"?"), Host::Unknown);
    /// ```
    pub fn parse(text: &[u8]) -> Self {
        let bare = text.strip_prefix(b"[").and_then(|text| text.strip_suffix(b"]")).unwrap_or(text);
        match bare {
            b"" => Self::Same,
            b"?" => Self::Unknown,
            _ if bare.len() > MAX_HOST || !bare.iter().all(u8::is_ascii_graphic) => Self::Unknown,
            _ => Self::Named(String::from_utf8_lossy(bare).into_owned()),
        }
    }
}

/// A host and port as a cluster node announces them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The host.
    pub host: Host,
    /// The TCP port.
    pub port: u16,
}

impl Address {
    /// Reads `host:port`. The last colon ends the host, so IPv6 needs no brackets.
    ///
    /// # Examples
    ///
    /// ```
    /// use redis_cluster::{Address, Host};
    ///
    /// let address = Address::parse(b"2001:db8::1:6381").unwrap();
    /// assert_eq!(address, Address { host: Host::Named("2001:db8::1".into()), port: 6381 });
    /// assert_eq!(Address::parse(b"localhost"), None);
    /// ```
    pub fn parse(text: &[u8]) -> Option<Self> {
        let colon = text.iter().rposition(|&b| b == b':')?;
        let port = &text[colon + 1..];
        if !port.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let port = std::str::from_utf8(port).ok()?.parse().ok().filter(|&port| port != 0)?;
        Some(Self { host: Host::parse(&text[..colon]), port })
    }

    /// The endpoint to connect to; none where the host is unknown, or left out in an answer that came over
    /// a Unix socket.
    pub fn endpoint(&self, origin: &Origin<'_>) -> Option<Endpoint> {
        let host = match (&self.host, origin.answered) {
            (Host::Named(host), _) => host,
            (Host::Same, Endpoint::Tcp { host, .. }) => host,
            (Host::Same, Endpoint::Unix(_)) | (Host::Unknown, _) => return None,
        };
        let (host, port) =
            origin.map.apply(host, self.port).unwrap_or_else(|| (host.clone(), self.port));
        Some(Endpoint::Tcp { host, port })
    }
}

/// Where an answer came from, which says how to read the addresses in it.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The endpoint that the client used to reach the node that answered.
    pub answered: &'a Endpoint,
    /// Whether the client connects with TLS: `CLUSTER SHARDS` names both ports.
    pub tls: bool,
    /// From addresses inside the cluster's network to those the client can reach.
    pub map: &'a AddressMap,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Endpoint {
        Endpoint::Tcp { host: host.into(), port }
    }

    fn endpoint(text: &str, answered: &Endpoint) -> Option<Endpoint> {
        let map = AddressMap::default();
        Address::parse(text.as_bytes())?.endpoint(&Origin { answered, tls: false, map: &map })
    }

    #[test]
    fn addresses_of_every_form_are_read() {
        let here = tcp("seed.example", 7000);
        for (text, expected) in [
            ("127.0.0.1:6381", Some(tcp("127.0.0.1", 6381))),
            (":6381", Some(tcp("seed.example", 6381))),
            ("::1:6381", Some(tcp("::1", 6381))),
            ("[::1]:6381", Some(tcp("::1", 6381))),
            ("node-1.example:6381", Some(tcp("node-1.example", 6381))),
            ("?:6381", None),
            ("h:0", None),
            ("h:65536", None),
            ("h:+1", None),
            ("h:", None),
            ("h", None),
            ("", None),
            ("a b:1", None),
            ("h\u{e9}:1", None),
        ] {
            assert_eq!(endpoint(text, &here), expected, "{text}");
        }
        assert_eq!(endpoint(&format!("{}:1", "h".repeat(254)), &here), None);
    }

    #[test]
    fn host_left_out_over_a_unix_socket_is_unknown() {
        let socket = Endpoint::Unix("/run/redis.sock".into());
        assert_eq!(endpoint(":6381", &socket), None);
        assert_eq!(endpoint("h:6381", &socket), Some(tcp("h", 6381)));
    }

    #[test]
    fn map_applies_to_announced_and_to_same_hosts() {
        let map: AddressMap =
            [(("10.0.0.1", 1), ("out", 11)), (("out", 2), ("out", 12))].into_iter().collect();
        let answered = tcp("out", 11);
        let origin = Origin { answered: &answered, tls: false, map: &map };
        let mapped = |text: &[u8]| Address::parse(text).unwrap().endpoint(&origin);
        assert_eq!(mapped(b"10.0.0.1:1"), Some(tcp("out", 11)));
        assert_eq!(mapped(b":2"), Some(tcp("out", 12)));
        assert_eq!(mapped(b"10.0.0.1:3"), Some(tcp("10.0.0.1", 3)));
    }
}
