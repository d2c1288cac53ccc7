//! Commands of the group `server`.

use super::{Entry, entry};

pub(super) fn entries() -> Vec<Entry> {
    vec![
        entry("CONFIG GET", "HashMap<String, String>", "The settings that match patterns."),
        entry("CONFIG RESETSTAT", "()", "Resets the statistics that `INFO` shows."),
        entry("CONFIG REWRITE", "()", "Writes the present settings to the configuration file."),
        entry("CONFIG SET", "()", "Changes settings.").rename("data", "settings"),
        entry("DBSIZE", "u64", "How many keys the database has."),
        entry("FLUSHALL", "()", "Deletes all keys of all databases."),
        entry("FLUSHDB", "()", "Deletes all keys of the database."),
        entry("INFO", "String", "Facts and statistics of the server, as it prints them.")
            .setter("section", "sections")
            .note("section", "Only these sections."),
        entry("TIME", "(u64, u64)", "The server's time: seconds since 1970, and microseconds on top."),
    ]
}
