//! What a server's memory is used for.

use std::collections::BTreeMap;

use redis_derive::FromReply;
use resp_proto::Token;

use crate::error::Result;
use crate::reply::{FromReply, ReplyReader};

/// What a server's memory is used for.
#[derive(Clone, Debug, PartialEq, FromReply)]
#[non_exhaustive]
pub struct MemoryStats {
    /// The most bytes that were ever allocated.
    #[redis(rename = "peak.allocated")]
    pub peak_allocated: u64,
    /// Bytes that are allocated.
    #[redis(rename = "total.allocated")]
    pub total_allocated: u64,
    /// Bytes that were allocated at the start.
    #[redis(rename = "startup.allocated")]
    pub startup_allocated: u64,
    /// Bytes of the replication backlog.
    #[redis(rename = "replication.backlog")]
    pub replication_backlog: u64,
    /// Bytes of the connections of replicas.
    #[redis(rename = "clients.slaves")]
    pub clients_slaves: u64,
    /// Bytes of the other connections.
    #[redis(rename = "clients.normal")]
    pub clients_normal: u64,
    /// Bytes of the links between the nodes of a cluster; 7.0 and newer.
    #[redis(rename = "cluster.links")]
    pub cluster_links: Option<u64>,
    /// Bytes of the buffers of the append-only file.
    #[redis(rename = "aof.buffer")]
    pub aof_buffer: u64,
    /// Bytes of the cached scripts.
    #[redis(rename = "lua.caches")]
    pub lua_caches: u64,
    /// Bytes of the functions; 7.0 and newer.
    #[redis(rename = "functions.caches")]
    pub functions_caches: Option<u64>,
    /// Bytes of the scripts' machines; Redis 8.0 and newer.
    #[redis(rename = "script.VMs")]
    pub script_vms: Option<u64>,
    /// Bytes of the buffer of a full synchronization; Redis 8.0 and newer.
    #[redis(rename = "replica.fullsync.buffer")]
    pub replica_fullsync_buffer: Option<u64>,
    /// Bytes of the replicas' replication buffers; Valkey 9.1 and newer.
    #[redis(rename = "replicas.repl.buffer")]
    pub replicas_repl_buffer: Option<u64>,
    /// Bytes of slots that come in; Valkey 9.0 and newer.
    #[redis(rename = "cluster.slot_import")]
    pub cluster_slot_import: Option<u64>,
    /// Bytes of slots that go out; Valkey 9.0 and newer.
    #[redis(rename = "cluster.slot_export")]
    pub cluster_slot_export: Option<u64>,
    /// Bytes of the tables of all databases; 7.4 and newer.
    #[redis(rename = "overhead.db.hashtable.lut")]
    pub overhead_db_hashtable_lut: Option<u64>,
    /// Bytes of those of them that are growing or shrinking; 7.4 and newer.
    #[redis(rename = "overhead.db.hashtable.rehashing")]
    pub overhead_db_hashtable_rehashing: Option<u64>,
    /// Bytes that are no data.
    #[redis(rename = "overhead.total")]
    pub overhead_total: u64,
    /// How many tables are growing or shrinking; 7.4 and newer.
    #[redis(rename = "db.dict.rehashing.count")]
    pub db_dict_rehashing_count: Option<u64>,
    /// How many keys all databases have.
    #[redis(rename = "keys.count")]
    pub keys_count: u64,
    /// Bytes that a key takes on average, with its share of what is no data.
    #[redis(rename = "keys.bytes-per-key")]
    pub keys_bytes_per_key: u64,
    /// Bytes that are data.
    #[redis(rename = "dataset.bytes")]
    pub dataset_bytes: u64,
    /// Data as a percentage of what was allocated since the start.
    #[redis(rename = "dataset.percentage")]
    pub dataset_percentage: f64,
    /// What is allocated as a percentage of the most there ever was.
    #[redis(rename = "peak.percentage")]
    pub peak_percentage: f64,
    /// Bytes that the allocator has given out.
    #[redis(rename = "allocator.allocated")]
    pub allocator_allocated: Option<u64>,
    /// Bytes of the allocator's pages in use.
    #[redis(rename = "allocator.active")]
    pub allocator_active: Option<u64>,
    /// Bytes of the allocator's pages in memory.
    #[redis(rename = "allocator.resident")]
    pub allocator_resident: Option<u64>,
    /// Bytes of the allocator's pages that the system may take back; 7.4 and newer.
    #[redis(rename = "allocator.muzzy")]
    pub allocator_muzzy: Option<u64>,
    /// Active by allocated.
    #[redis(rename = "allocator-fragmentation.ratio")]
    pub allocator_fragmentation_ratio: f64,
    /// Active minus allocated, in bytes.
    #[redis(rename = "allocator-fragmentation.bytes")]
    pub allocator_fragmentation_bytes: i64,
    /// Resident by active.
    #[redis(rename = "allocator-rss.ratio")]
    pub allocator_rss_ratio: f64,
    /// Resident minus active, in bytes.
    #[redis(rename = "allocator-rss.bytes")]
    pub allocator_rss_bytes: i64,
    /// The process's memory by the allocator's resident one.
    #[redis(rename = "rss-overhead.ratio")]
    pub rss_overhead_ratio: f64,
    /// The process's memory minus the allocator's resident one, in bytes.
    #[redis(rename = "rss-overhead.bytes")]
    pub rss_overhead_bytes: i64,
    /// The process's memory by what is allocated.
    #[redis(rename = "fragmentation")]
    pub fragmentation_ratio: f64,
    /// The process's memory minus what is allocated, in bytes.
    #[redis(rename = "fragmentation.bytes")]
    pub fragmentation_bytes: i64,
    /// What only some servers tell, among it a group for each database that is not empty, as in `db.0`.
    #[redis(other)]
    pub other: BTreeMap<String, MemoryStat>,
}

impl MemoryStats {
    /// The databases by number, and what their tables take.
    pub fn databases(&self) -> impl Iterator<Item = (u64, &BTreeMap<String, i64>)> {
        self.other.iter().filter_map(|(name, stat)| match stat {
            MemoryStat::Group(group) => Some((name.strip_prefix("db.")?.parse().ok()?, group)),
            _ => None,
        })
    }
}

/// A number about memory that has no field of its own.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum MemoryStat {
    /// A number of bytes or things.
    Count(i64),
    /// A ratio or percentage.
    Ratio(f64),
    /// Several numbers by name, in bytes.
    Group(BTreeMap<String, i64>),
}

impl FromReply for MemoryStat {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        match reply.peek()? {
            Token::Integer(_) => i64::from_reply(reply).map(Self::Count),
            Token::Array(_) | Token::Map(_) => BTreeMap::from_reply(reply).map(Self::Group),
            _ => f64::from_reply(reply).map(Self::Ratio),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::decode;

    /// What Redis 6.2 tells, and what newer servers add.
    fn frame(resp3: bool) -> Vec<u8> {
        let ratios = ["dataset.percentage", "peak.percentage", "allocator-fragmentation.ratio"];
        let ratios =
            [&ratios[..], &["allocator-rss.ratio", "rss-overhead.ratio", "fragmentation"]].concat();
        let counts = "peak.allocated total.allocated startup.allocated replication.backlog \
            clients.slaves clients.normal aof.buffer lua.caches overhead.total keys.count \
            keys.bytes-per-key dataset.bytes allocator-fragmentation.bytes allocator-rss.bytes \
            rss-overhead.bytes fragmentation.bytes shiny.count";
        let counts: Vec<_> = counts.split_ascii_whitespace().collect();
        let mut frame = String::new();
        for (at, name) in counts.iter().enumerate() {
            frame += &format!("${}\r\n{name}\r\n:{at}\r\n", name.len());
        }
        for name in &ratios {
            let ratio = if resp3 { ",1.5\r\n" } else { "$3\r\n1.5\r\n" };
            frame += &format!("${}\r\n{name}\r\n{ratio}", name.len());
        }
        let group = if resp3 { "%1" } else { "*2" };
        frame += &format!("$4\r\ndb.7\r\n{group}\r\n$5\r\ntable\r\n:96\r\n");
        let pairs = counts.len() + ratios.len() + 1;
        let head = if resp3 { format!("%{pairs}") } else { format!("*{}", 2 * pairs) };
        format!("{head}\r\n{frame}").into_bytes()
    }

    #[test]
    fn memory_is_the_same_in_both_protocols() {
        let stats = decode::<MemoryStats>(&frame(false)).unwrap();
        assert_eq!(decode::<MemoryStats>(&frame(true)).unwrap(), stats);
        assert_eq!(
            (stats.peak_allocated, stats.total_allocated, stats.cluster_links),
            (0, 1, None)
        );
        assert_eq!((stats.fragmentation_ratio, stats.fragmentation_bytes), (1.5, 15));
        assert_eq!(stats.other["shiny.count"], MemoryStat::Count(16));
        let databases: Vec<_> = stats.databases().collect();
        assert_eq!(databases, [(7, &BTreeMap::from([("table".to_owned(), 96)]))]);
    }
}
