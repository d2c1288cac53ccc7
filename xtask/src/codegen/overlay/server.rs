//! Commands of the group `server`.

use super::{As, Entry, entry};

pub(super) fn entries() -> Vec<Entry> {
    let flush = |command, doc| {
        entry(command, "()", doc)
            .note("ASYNC", "Frees the memory in the background.")
            .note("SYNC", "Frees the memory before replying.")
    };
    let command_log = |command, reply, doc| entry(command, reply, doc).ty("type", As::Enum("CommandLogType")).rename("type", "log");
    vec![
        entry("ACL CAT", "Vec<String>", "The categories of commands.")
            .note("category", "The commands of this category instead."),
        entry("ACL DELUSER", "u64", "Deletes users and closes their connections; returns how many there were."),
        entry("ACL DRYRUN", "AclVerdict", "Tells whether a user may run a command, without running it.").promote("arg"),
        entry("ACL GENPASS", "String", "Makes a random password, in hexadecimal.")
            .ty("bits", As::Type("u64"))
            .note("bits", "How many bits it has, instead of 256."),
        entry("ACL GETUSER", "Option<AclUser>", "A user, and what it may do."),
        entry("ACL HELP", "Vec<String>", "What the server says of the `ACL` commands, in lines."),
        entry("ACL LIST", "Vec<String>", "The users with their rules, each as in a configuration file."),
        entry("ACL LOAD", "()", "Replaces all users by those of the ACL file."),
        entry("ACL LOG", "Vec<AclLogEntry>", "What was refused to users, newest first; 10 entries unless told otherwise.")
            .pick("operation", "count")
            .ty("count", As::Type("u64"))
            .note("count", "How many entries at the most."),
        entry("ACL LOG", "()", "Forgets what was refused to users.").name("acl_log_reset").pick("operation", "reset").promote("reset"),
        entry("ACL SAVE", "()", "Writes all users to the ACL file."),
        entry("ACL SETUSER", "()", "Makes a user, or changes one, by rules such as `on`, `+@read` and `~key:*`.").promote("rule"),
        entry("ACL USERS", "Vec<String>", "The names of the users."),
        entry("ACL WHOAMI", "String", "The user of the connection."),
        entry("BGREWRITEAOF", "()", "Begins to rewrite the append-only file in the background, or says that it has to be."),
        entry("BGSAVE", "()", "Begins to write the data to disk in the background.")
            .of_valkey()
            .pick("operation", "schedule")
            .note("SCHEDULE", "Waits for the append-only file if that is being rewritten."),
        entry("BGSAVE", "()", "Stops writing the data to disk in the background; Valkey alone has this.")
            .name("bgsave_cancel")
            .of_valkey()
            .pick("operation", "cancel")
            .promote("cancel"),
        entry("COMMAND COUNT", "u64", "How many commands the server has."),
        entry("COMMAND DOCS", "BTreeMap<String, CommandDoc>", "How the server documents commands, or all where the list is empty.").promote("command-name").rename("command-name", "names"),
        entry("COMMAND GETKEYS", "Vec<K>", "The keys of a command with its arguments.").promote("arg"),
        entry("COMMAND GETKEYSANDFLAGS", "Vec<KeyAccess>", "The keys of a command with its arguments, and what it does with each.").promote("arg"),
        entry("COMMAND HELP", "Vec<String>", "What the server says of the `COMMAND` commands, in lines."),
        entry("COMMAND INFO", "Vec<Option<CommandDetails>>", "What the server says of commands; of all where the list is empty, since 7.0.").promote("command-name").rename("command-name", "names"),
        entry("COMMAND LIST", "Vec<String>", "The names of the server's commands.")
            .setter("ACLCAT", "acl_category")
            .note("MODULE", "Only those that this module brought.")
            .note("ACLCAT", "Only those of this ACL category.")
            .note("PATTERN", "Only those whose names match this pattern."),
        command_log("COMMANDLOG GET", "Vec<CommandLogEntry>", "Commands that took long or moved much data, newest first; all where `count` is -1."),
        entry("COMMANDLOG HELP", "Vec<String>", "What the server says of the `COMMANDLOG` commands, in lines."),
        command_log("COMMANDLOG LEN", "u64", "How many entries a log of commands has."),
        command_log("COMMANDLOG RESET", "()", "Empties a log of commands."),
        entry("CONFIG GET", "HashMap<String, String>", "The settings that match patterns."),
        entry("CONFIG HELP", "Vec<String>", "What the server says of the `CONFIG` commands, in lines."),
        entry("CONFIG RESETSTAT", "()", "Resets the statistics that `INFO` shows."),
        entry("CONFIG REWRITE", "()", "Writes the present settings to the configuration file."),
        entry("CONFIG SET", "()", "Changes settings.").rename("data", "settings"),
        entry("DBSIZE", "u64", "How many keys the database has."),
        entry("FAILOVER", "()", "Begins to hand over to a replica, without losing writes; `role` tells when it is done.")
            .without("ABORT")
            .ty("port", As::Type("u16"))
            .rename("milliseconds", "timeout")
            .note("TO", "To this replica, instead of any that has all data in time.")
            .note("FORCE", "Hands over at the timeout even if that replica lacks data.")
            .note("TIMEOUT", "Gives up if no replica has all data in this time."),
        entry("FAILOVER", "()", "Gives up handing over to a replica.")
            .name("failover_abort")
            .without("TO")
            .without("TIMEOUT")
            .promote("abort"),
        flush("FLUSHALL", "Deletes all keys of all databases."),
        flush("FLUSHDB", "Deletes all keys of the database."),
        entry("HOTKEYS GET", "Option<Vec<HotKeys>>", "The keys that cost the most, a report a node; none before anything was measured."),
        entry("HOTKEYS HELP", "Vec<String>", "What the server says of the `HOTKEYS` commands, in lines."),
        entry("HOTKEYS RESET", "()", "Forgets what was measured of keys."),
        entry("HOTKEYS START", "()", "Begins to measure what keys cost.")
            .ty("metrics", As::Words("HotKeysMetrics"))
            .ty("k", As::Type("u64"))
            .rename("k", "count")
            .rename("seconds", "duration")
            .ty("ratio", As::Type("u64"))
            .ty("slot", As::Type("u16"))
            .note("COUNT", "Reports so many keys, instead of 10.")
            .note("DURATION", "Stops after this time, rounded up to whole seconds.")
            .note("SAMPLE", "Measures one in so many commands.")
            .note("SLOTS", "Measures only keys of these slots of a cluster."),
        entry("HOTKEYS STOP", "()", "Stops measuring what keys cost; the report is still there."),
        entry("INFO", "InfoReply", "The server's report on itself.")
            .setter("section", "sections")
            .note("section", "Only these sections.")
            .example(r#"cmd::info().sections(["server", "memory"])"#, "INFO server memory"),
        entry("LASTSAVE", "ServerTime", "When the data was last written to disk, to the second."),
        entry("LATENCY DOCTOR", "String", "What the server thinks of its latency, in prose."),
        entry("LATENCY GRAPH", "String", "The spikes of an event, as a drawing."),
        entry("LATENCY HELP", "Vec<String>", "What the server says of the `LATENCY` commands, in lines."),
        entry("LATENCY HISTOGRAM", "BTreeMap<String, CommandLatency>", "How long the calls of commands took, by command.")
            .setter("command", "commands")
            .note("command", "Only these commands, with all their subcommands."),
        entry("LATENCY HISTORY", "Vec<LatencySample>", "The spikes of an event, oldest first."),
        entry("LATENCY LATEST", "Vec<LatencyEvent>", "The latest spike of each event."),
        entry("LATENCY RESET", "u64", "Forgets the spikes of events; returns of how many.")
            .setter("event", "events")
            .note("event", "Only these events."),
        entry("LOLWUT", "String", "A piece of generative art, with the server's version.")
            .ty("version", As::Type("u64"))
            .note("VERSION", "That of this version of the server."),
        entry("MEMORY DOCTOR", "String", "What the server thinks of its memory, in prose."),
        entry("MEMORY HELP", "Vec<String>", "What the server says of the `MEMORY` commands, in lines."),
        entry("MEMORY MALLOC-STATS", "String", "What the server's allocator says of itself."),
        entry("MEMORY PURGE", "()", "Asks the allocator to give memory back to the system."),
        entry("MEMORY STATS", "MemoryStats", "What the server's memory is used for."),
        entry("MEMORY USAGE", "Option<u64>", "How many bytes a key and its value take.")
            .ty("count", As::Type("u64"))
            .note("SAMPLES", "Looks at so many elements of a collection, instead of 5; 0 for all."),
        entry("MODULE HELP", "Vec<String>", "What the server says of the `MODULE` commands, in lines."),
        entry("MODULE LIST", "Vec<ModuleInfo>", "The modules that the server has loaded."),
        entry("MODULE LOAD", "()", "Loads a module from a file of the server.").promote("arg"),
        entry("MODULE LOADEX", "()", "Loads a module from a file of the server, with settings.")
            .rename("configs", "settings")
            .setter("CONFIG", "config")
            .note("CONFIG", "Sets these settings of the module.")
            .note("ARGS", "Gives the module these arguments."),
        entry("MODULE UNLOAD", "()", "Unloads a module."),
        entry("REPLICAOF", "()", "Makes the server follow a primary, and replaces its data by that one's.")
            .pick("args", "host-port")
            .ty("port", As::Type("u16")),
        entry("REPLICAOF", "()", "Makes the server a primary, with the data it has.").name("replicaof_no_one").pick("args", "no-one"),
        entry("ROLE", "Role", "The server's part in replication."),
        entry("SAVE", "()", "Writes the data to disk; blocks the server meanwhile."),
        entry("SHUTDOWN", "()", "Ends the server: its end is what answers, as a lost connection, and only a refusal is a reply.")
            .of_valkey()
            .pick("abort-selector", "save-selector-block")
            .promote("save-selector-block")
            .setter("NOSAVE", "no_save")
            .note("NOSAVE", "Does not write the data to disk.")
            .note("SAVE", "Writes the data to disk, even if that is not configured.")
            .note("NOW", "Does not wait for replicas that lag behind.")
            .note("FORCE", "Ends even if the data can't be written.")
            .note("SAFE", "Refuses to end while it serves slots of a cluster; Valkey alone has this.")
            .note("FAILOVER", "Hands over to a replica before; Valkey alone has this."),
        entry("SHUTDOWN", "()", "Stops a shutdown that waits for replicas; 7.0 and newer.")
            .name("shutdown_abort")
            .of_valkey()
            .pick("abort-selector", "abort")
            .promote("abort"),
        entry("SLOWLOG GET", "Vec<SlowlogEntry>", "Commands that took long, newest first; 10 unless told otherwise.")
            .note("count", "How many at the most; -1 for all."),
        entry("SLOWLOG HELP", "Vec<String>", "What the server says of the `SLOWLOG` commands, in lines."),
        entry("SLOWLOG LEN", "u64", "How many commands that took long it remembers."),
        entry("SLOWLOG RESET", "()", "Forgets the commands that took long."),
        entry("SWAPDB", "()", "Exchanges the data of two databases.").ty("index1", As::Type("u64")).ty("index2", As::Type("u64")),
        entry("TIME", "ServerTime", "The server's time, to the microsecond."),
        entry("TRIMSLOTS", "()", "Deletes the keys of ranges of slots, in the background.")
            .ty("startslot", As::Type("u16"))
            .ty("endslot", As::Type("u16"))
            .rename("slots", "ranges"),
    ]
}
