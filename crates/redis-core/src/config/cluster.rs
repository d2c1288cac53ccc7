//! What a client of a cluster is told beyond what each of its connections is.
//!
//! Owns the settings with their defaults. What follows from them is the cluster's.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Endpoint;

/// How a client deals with a cluster. Start from [`ClusterConfig::new`] and set what differs.
///
/// # Examples
///
/// ```
/// use redis_core::Endpoint;
/// use redis_core::config::{ClusterConfig, ReadFrom};
///
/// let seed = Endpoint::Tcp { host: "seed.example".into(), port: 7000 };
/// let mut cluster = ClusterConfig::new([seed]);
/// cluster.read_from = ReadFrom::PreferReplica;
/// assert_eq!(cluster.max_redirects, 16);
/// ```
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    /// The nodes that are asked first, and again when no other answers.
    pub seeds: Vec<Endpoint>,
    /// Which nodes serve commands that only read. Default: primaries.
    pub read_from: ReadFrom,
    /// From announced addresses to those the client can reach. Default: none is changed.
    pub address_map: AddressMap,
    /// Whether an MSET whose keys are in several slots is split, and so not atomic any more. Default: no, it is
    /// refused before anything is sent.
    pub split_mset: bool,
    /// The least time between the starts of two refreshes; up to a quarter more is drawn at random.
    /// Default: 1 s.
    pub refresh_interval: Duration,
    /// How often the map is looked after although nothing calls for it. Default: 60 s. None never does.
    pub check_interval: Option<Duration>,
    /// How many nodes are asked in one refresh: where they differ, most of them are right. Default: 3.
    pub views: usize,
    /// How often one command follows what nodes say instead of running it: that another one has its slot, or that
    /// it is to come again later. Default: 16.
    pub max_redirects: u32,
}

impl ClusterConfig {
    /// The defaults, with these seeds.
    pub fn new(seeds: impl IntoIterator<Item = Endpoint>) -> Self {
        Self {
            seeds: seeds.into_iter().collect(),
            read_from: ReadFrom::default(),
            address_map: AddressMap::default(),
            split_mset: false,
            refresh_interval: Duration::from_secs(1),
            check_interval: Some(Duration::from_secs(60)),
            views: 3,
            max_redirects: 16,
        }
    }
}

/// Which nodes serve commands that only read. Those that just failed come last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadFrom {
    /// Primaries alone: what is read is what was written.
    #[default]
    Primary,
    /// The replicas in turn, and the primary where there is none.
    PreferReplica,
    /// The primary and its replicas in turn.
    RoundRobin,
    /// The primary or one of its replicas, at random.
    Random,
    /// The one that answers fastest, after each was tried.
    LowestLatency,
    /// The replicas of this availability zone in turn, then the primary if it is there, then other replicas.
    Zone(String),
}

type Translate = dyn Fn(&str, u16) -> Option<(String, u16)> + Send + Sync;

/// From the addresses that nodes announce to those a client can reach: for clusters behind NAT or port
/// forwarding. The default changes nothing.
///
/// # Examples
///
/// ```
/// use redis_core::config::AddressMap;
///
/// let table: AddressMap = [(("10.0.0.1", 6379), ("cache.example", 7001))].into_iter().collect();
/// assert_eq!(table.apply("10.0.0.1", 6379), Some(("cache.example".into(), 7001)));
/// assert_eq!(table.apply("10.0.0.2", 6379), None);
///
/// let forwarded = AddressMap::from_fn(|_, port| Some(("127.0.0.1".into(), port)));
/// assert_eq!(forwarded.apply("10.0.0.2", 6379), Some(("127.0.0.1".into(), 6379)));
/// ```
#[derive(Clone, Default)]
pub struct AddressMap(Option<Arc<Translate>>);

impl AddressMap {
    /// A map by a function of host and port, which gives none for what stays as announced.
    pub fn from_fn(
        translate: impl Fn(&str, u16) -> Option<(String, u16)> + Send + Sync + 'static,
    ) -> Self {
        Self(Some(Arc::new(translate)))
    }

    /// The address to use instead; none where it stays as announced.
    pub fn apply(&self, host: &str, port: u16) -> Option<(String, u16)> {
        self.0.as_ref().and_then(|translate| translate(host, port))
    }
}

/// A map by a table: announced address, address to use.
impl<A: Into<String>, B: Into<String>> FromIterator<((A, u16), (B, u16))> for AddressMap {
    fn from_iter<T: IntoIterator<Item = ((A, u16), (B, u16))>>(pairs: T) -> Self {
        let pairs = pairs.into_iter();
        let table: BTreeMap<(String, u16), (String, u16)> =
            pairs.map(|(from, to)| ((from.0.into(), from.1), (to.0.into(), to.1))).collect();
        Self::from_fn(move |host, port| table.get(&(host.to_owned(), port)).cloned())
    }
}

impl fmt::Debug for AddressMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "AddressMap(..)" } else { "AddressMap(none)" })
    }
}
