//! Commands of the group `cluster`.

use super::{As, Entry, entry};

pub(super) fn entries() -> Vec<Entry> {
    let slot = |command, reply, doc| entry(command, reply, doc).ty("slot", As::Type("u16"));
    let ranges = |command, doc| {
        entry(command, "()", doc).ty("range", As::IntoWords("SlotRange")).rename("range", "ranges")
    };
    let stats = |doc| entry("CLUSTER SLOT-STATS", "Vec<SlotStats>", doc);
    let migration = |branch, reply, doc| entry("CLUSTER MIGRATION", reply, doc).pick("subcommand", branch);
    vec![
        slot("CLUSTER ADDSLOTS", "()", "Makes slots, which no node serves, the node's own."),
        ranges("CLUSTER ADDSLOTSRANGE", "As `cluster_addslots`, for whole ranges."),
        entry("CLUSTER BUMPEPOCH", "EpochBump", "Makes the node's epoch the greatest of the cluster."),
        entry("CLUSTER CANCELSLOTMIGRATIONS", "()", "Stops all migrations of slots from the node; an error when there are none."),
        entry("CLUSTER COUNT-FAILURE-REPORTS", "u64", "How many nodes have told that they do not reach this one."),
        slot("CLUSTER COUNTKEYSINSLOT", "u64", "How many keys of a slot the node has."),
        slot("CLUSTER DELSLOTS", "()", "Makes slots belong to nobody, as the node sees it."),
        ranges("CLUSTER DELSLOTSRANGE", "As `cluster_delslots`, for whole ranges."),
        entry("CLUSTER FAILOVER", "()", "Makes the replica that gets this the primary; `()` means that it begins.")
            .note("FORCE", "Without asking the primary, which may be down.")
            .note("TAKEOVER", "Without asking anyone."),
        slot("CLUSTER FLUSHSLOT", "()", "Deletes all keys of a slot."),
        entry("CLUSTER FLUSHSLOTS", "()", "Makes the node serve no slots; it must be empty."),
        entry("CLUSTER FORGET", "()", "Makes the node forget another one, and not learn of it again for a minute."),
        slot("CLUSTER GETKEYSINSLOT", "Vec<K>", "Some keys of a slot.").ty("count", As::Type("u64")),
        entry("CLUSTER GETSLOTMIGRATIONS", "Vec<SlotMigration>", "The node's migrations of slots: those that run, and some that are over."),
        entry("CLUSTER HELP", "Vec<String>", "The subcommands, as the server describes them."),
        entry("CLUSTER INFO", "ClusterInfo", "How the node sees the cluster as a whole."),
        entry("CLUSTER KEYSLOT", "u16", "The slot of a key."),
        entry("CLUSTER LINKS", "Vec<ClusterLink>", "The node's connections with the other nodes."),
        entry("CLUSTER MEET", "()", "Makes the node, and its cluster, know another node.")
            .ty("port", As::Type("u16"))
            .ty("cluster-bus-port", As::Type("u16"))
            .setter("cluster-bus-port", "bus_port")
            .rename("cluster-bus-port", "bus_port")
            .note("cluster-bus-port", "The port for nodes, where it is not 10000 more than the other."),
        entry("CLUSTER MIGRATESLOTS", "()", "Begins to move slots of the node to others; `cluster_getslotmigrations` tells how far it is.")
            .ty("migration-group", As::Words("SlotMove"))
            .rename("migration-group", "moves"),
        migration("import", "String", "Begins to move slots from other nodes to this one; returns the id that `cluster_migration_status` tells of.")
            .name("cluster_migration_import")
            .ty("import", As::IntoWords("SlotRange"))
            .rename("import", "ranges"),
        migration("cancel", "u64", "Stops migrations to the node; returns how many.")
            .name("cluster_migration_cancel")
            .ty("cancel", As::Words("MigrationTasks"))
            .rename("cancel", "tasks"),
        migration("status", "Vec<MigrationTask>", "The node's migrations of slots: those that run, and some that are over.")
            .name("cluster_migration_status")
            .ty("status", As::Words("MigrationTasks"))
            .rename("status", "tasks"),
        entry("CLUSTER MYID", "String", "The id of the node."),
        entry("CLUSTER MYSHARDID", "String", "The id of the node's shard."),
        entry("CLUSTER NODES", "Vec<ClusterNode>", "The nodes, as the one that replies sees them."),
        entry("CLUSTER REPLICAS", "Vec<ClusterNode>", "The replicas of a primary."),
        entry("CLUSTER REPLICATE", "()", "Makes the node a replica of a primary."),
        entry("CLUSTER REPLICATE", "()", "Makes the node, a replica, a primary without slots and keys.")
            .name("cluster_replicate_no_one")
            .of_valkey()
            .pick("args", "no-one"),
        entry("CLUSTER RESET", "()", "Makes the node forget the cluster.")
            .note("HARD", "Gives it a new id and epoch, too.")
            .note("SOFT", "Keeps its id and epoch."),
        entry("CLUSTER SAVECONFIG", "()", "Writes what the node knows of the cluster to its disk."),
        entry("CLUSTER SET-CONFIG-EPOCH", "()", "Gives a node that knows no other its epoch.").ty("config-epoch", As::Type("u64")),
        slot("CLUSTER SETSLOT", "()", "Says of a slot where it is going, or where it is.")
            .with_valkey()
            .ty("subcommand", As::Words("SlotState"))
            .rename("subcommand", "state")
            .ty("timeout", As::Millis)
            .note("TIMEOUT", "How long to wait for the replicas of the node to know it too."),
        entry("CLUSTER SHARDS", "Vec<ClusterShard>", "The primaries with their replicas and slots."),
        entry("CLUSTER SLAVES", "Vec<ClusterNode>", "As `cluster_replicas`."),
        stats("What the node counts of each of its slots in a range.")
            .name("cluster_slot_stats_range")
            .pick("filter", "slotsrange")
            .ty("slotsrange", As::IntoWords("SlotRange"))
            .rename("slotsrange", "range"),
        stats("What the node counts of its slots, sorted by one of the numbers, highest first.")
            .pick("filter", "orderby")
            .ty("metric", As::Type("SlotMetric"))
            .ty("limit", As::Type("u64"))
            .setter("LIMIT", "limit")
            .note("LIMIT", "How many slots at the most.")
            .note("ASC", "Lowest first.")
            .note("DESC", "Highest first."),
        entry("CLUSTER SLOTS", "Vec<ClusterSlots>", "Ranges of slots and the nodes that serve them."),
        entry("CLUSTERSCAN", "ClusterScanPage<K>", "Lists some keys of the whole cluster; begins with the default cursor.")
            .setter("TYPE", "of_type")
            .rename("match-pattern", "pattern")
            .ty("count", As::Type("u64"))
            .ty("slot", As::Type("u16"))
            .note("MATCH", "Only keys that match this glob.")
            .note("COUNT", "About how many to look at.")
            .note("TYPE", "Only keys of this type.")
            .note("SLOT", "Only keys of this slot."),
    ]
}
