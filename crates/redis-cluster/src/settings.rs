//! What a cluster client is told beyond what each of its connections is.
//!
//! Owns the settings with their defaults.

use std::time::Duration;

use redis_core::Endpoint;

use crate::address::AddressMap;
use crate::read::ReadFrom;

/// How a client deals with a cluster. Start from [`Settings::new`] and set what differs.
///
/// # Examples
///
/// ```
/// use redis_cluster::{ReadFrom, Settings};
/// use redis_core::Endpoint;
///
/// let mut settings = Settings::new([Endpoint::Tcp { host: "seed.example".into(), port: 7000 }]);
/// settings.read_from = ReadFrom::PreferReplica;
/// assert_eq!(settings.max_redirects, 16);
/// ```
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct Settings {
    /// The nodes that are asked first, and again when no other answers.
    pub seeds: Vec<Endpoint>,
    /// Which nodes serve commands that only read. Default: primaries.
    pub read_from: ReadFrom,
    /// From announced addresses to those the client can reach. Default: none is changed.
    pub map: AddressMap,
    /// Whether connections use TLS, which has ports of its own. Default: no.
    pub tls: bool,
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

impl Settings {
    /// The defaults, with these seeds.
    pub fn new(seeds: impl IntoIterator<Item = Endpoint>) -> Self {
        Self {
            seeds: seeds.into_iter().collect(),
            read_from: ReadFrom::default(),
            map: AddressMap::default(),
            tls: false,
            refresh_interval: Duration::from_secs(1),
            check_interval: Some(Duration::from_secs(60)),
            views: 3,
            max_redirects: 16,
        }
    }
}
