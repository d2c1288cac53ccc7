//! Commands of the group `stream`.

use super::{As, Entry, entry};

pub(super) fn entries() -> Vec<Entry> {
    let range = |command, doc| {
        entry(command, "Vec<StreamEntry<T>>", doc)
            .ty("start", As::Into("StreamBound"))
            .ty("end", As::Into("StreamBound"))
            .ty("count", As::Type("u64"))
            .note("COUNT", "How many entries at the most.")
    };
    let read = |command, doc| {
        entry(command, "Option<StreamEntries<K, T>>", doc)
            .ty("count", As::Type("u64"))
            .ty("milliseconds", As::TimeoutMillis)
            .rename("milliseconds", "timeout")
            .rename("streams", "streams")
            .note("COUNT", "How many entries of each stream at the most.")
            .note("BLOCK", "Waits so long for an entry if there is none.")
    };
    let references = |entry: Entry| {
        entry
            .note("KEEPREF", "Keeps references to them in consumer groups.")
            .note("DELREF", "Removes references to them from consumer groups.")
            .note("ACKED", "Only those that every consumer group has acknowledged.")
    };
    let xclaim = |reply, doc| {
        entry("XCLAIM", reply, doc)
            .ty("min-idle-time", As::Millis)
            .rename("min-idle-time", "min_idle")
            .ty("count", As::Type("u64"))
            .ty("ms", As::Millis)
            .ty("lastid", As::Into("StreamId"))
            .rename("lastid", "id")
            .rename("unix-time-milliseconds", "time")
            .rename("ms", "idle")
            .setter("LASTID", "last_id")
            .setter("RETRYCOUNT", "retry_count")
            .note("IDLE", "Counts them as given this long ago.")
            .note("TIME", "Counts them as given at this time.")
            .note("RETRYCOUNT", "Counts them as given this often.")
            .note("FORCE", "Takes entries too that no consumer has.")
            .note("LASTID", "Counts the group as having been given the entries up to this one.")
    };
    let xautoclaim = |reply, doc| {
        entry("XAUTOCLAIM", reply, doc)
            .ty("min-idle-time", As::Millis)
            .rename("min-idle-time", "min_idle")
            .ty("start", As::Into("StreamBound"))
            .ty("count", As::Type("u64"))
            .note("COUNT", "How many entries at the most; 100 without.")
    };
    vec![
        entry("XACK", "u64", "Acknowledges entries that a group gave to a consumer; returns how many were pending.")
            .example(r#"cmd::xack("events", "mailers", StreamId::from((5, 1)))"#, "XACK events mailers 5-1"),
        references(entry("XACKDEL", "Vec<EntryDeletion>", "Acknowledges and deletes entries; tells what became of each.")),
        entry("XADD", "StreamId", "Adds an entry to a stream; returns its id.")
            .ty("id-selector", As::Into("AddId"))
            .rename("id-selector", "id")
            .rename("data", "fields")
            .turns("NOMKSTREAM", "StreamId", "Option<StreamId>")
            .setter("idmpauto-with-pid", "idempotent_auto")
            .setter("idmp-with-pid-iid", "idempotent")
            .note("idmpauto-with-pid", "Adds the entry once for this producer and content; the id must be the server's.")
            .note("idmp-with-pid-iid", "Adds the entry once for this producer and its own id of the message; the id must be the server's.")
            .ty("trim", As::Words("StreamTrim"))
            .note("trim", "Trims the stream then.")
            .example(r#"cmd::xadd("events", AddId::Auto, [("kind", "login")])"#, "XADD events * kind login")
            .example(r#"cmd::xadd("events", AddId::Auto, [("kind", "login")]).trim(StreamTrim::max_len(1000))"#, "XADD events MAXLEN 1000 * kind login"),
        xautoclaim("AutoClaimed<StreamEntry<T>>", "Gives a consumer the entries that have been pending for at least a time, from an id on.")
            .without("justid"),
        xautoclaim("AutoClaimed<StreamId>", "As `xautoclaim`, but returns the ids alone and counts no delivery.")
            .name("xautoclaim_just_id")
            .promote("justid"),
        entry("XCFGSET", "()", "Changes how long and how many messages are remembered that are to be added once.")
            .setter("idmp-duration-block", "idmp_duration")
            .setter("idmp-maxsize-block", "idmp_maxsize")
            .ty("duration", As::Seconds)
            .ty("maxsize", As::Type("u64"))
            .note("idmp-duration-block", "For how long, rounded up to whole seconds.")
            .note("idmp-maxsize-block", "How many of each producer."),
        xclaim("Vec<StreamEntry<T>>", "Gives a consumer those of the entries that have been pending for at least a time.")
            .without("justid"),
        xclaim("Vec<StreamId>", "As `xclaim`, but returns the ids alone and counts no delivery.")
            .name("xclaim_just_id")
            .promote("justid"),
        entry("XDEL", "u64", "Deletes entries; returns how many there were."),
        references(entry("XDELEX", "Vec<EntryDeletion>", "Deletes entries; tells what became of each.")),
        entry("XGROUP CREATE", "()", "Creates a consumer group.")
            .ty("id-selector", As::Into("GroupStart"))
            .rename("id-selector", "start")
            .ty("entriesread", As::Type("u64"))
            .rename("entriesread", "count")
            .setter("ENTRIESREAD", "entries_read")
            .note("MKSTREAM", "Creates the stream if it is missing.")
            .note("ENTRIESREAD", "Counts the group as having been given this many entries.")
            .example(r#"cmd::xgroup_create("events", "mailers", GroupStart::End).mkstream()"#, "XGROUP CREATE events mailers $ MKSTREAM"),
        entry("XGROUP CREATECONSUMER", "bool", "Creates a consumer of a group; false if there is one of the name."),
        entry("XGROUP DELCONSUMER", "u64", "Removes a consumer from a group; returns how many pending entries it had, which are lost to the group."),
        entry("XGROUP DESTROY", "bool", "Removes a consumer group; false if there is none of the name."),
        entry("XGROUP HELP", "Vec<String>", "How to use `XGROUP`, a line an element."),
        entry("XGROUP SETID", "()", "Lets a consumer group go on after another entry.")
            .ty("id-selector", As::Into("GroupStart"))
            .rename("id-selector", "start")
            .ty("entriesread", As::Type("u64"))
            .rename("entriesread", "count")
            .setter("ENTRIESREAD", "entries_read")
            .note("ENTRIESREAD", "Counts the group as having been given this many entries."),
        entry("XIDMPRECORD", "()", "Remembers that a producer's message is a certain entry, so that it is not added again.")
            .ty("stream-id", As::Into("StreamId"))
            .rename("stream-id", "id"),
        entry("XINFO CONSUMERS", "Vec<ConsumerInfo>", "What the server knows of a group's consumers."),
        entry("XINFO GROUPS", "Vec<GroupInfo>", "What the server knows of a stream's consumer groups."),
        entry("XINFO HELP", "Vec<String>", "How to use `XINFO`, a line an element."),
        entry("XINFO STREAM", "StreamInfo<T>", "What the server knows of a stream.")
            .setter("full-block", "full")
            .turns("full-block", "StreamInfo<T>", "StreamInfoFull<T>")
            .ty("count", As::Type("u64"))
            .note("full-block", "Everything: entries, groups and consumers too.")
            .note("COUNT", "How many entries and pending entries at the most, 0 meaning all; 10 without."),
        entry("XLEN", "u64", "How many entries a stream has.")
            .example(r#"cmd::xlen("events")"#, "XLEN events"),
        entry("XPENDING", "PendingSummary", "A group's pending entries in short.").without("filters"),
        entry("XPENDING", "Vec<PendingEntry>", "A group's pending entries with ids from `start` to `end`, at most `count`.")
            .name("xpending_range")
            .promote("filters")
            .ty("min-idle-time", As::Millis)
            .rename("min-idle-time", "min_idle")
            .ty("start", As::Into("StreamBound"))
            .ty("end", As::Into("StreamBound"))
            .ty("count", As::Type("u64"))
            .note("IDLE", "Only those that have been pending for at least this time.")
            .note("consumer", "Only those of this consumer."),
        range("XRANGE", "The entries with ids from `start` to `end`.")
            .example(r#"cmd::xrange::<Value>("events", StreamBound::Min, StreamBound::Max).count(10)"#, "XRANGE events - + COUNT 10"),
        read("XREAD", "The entries that streams have; none if there are none.")
            .ty("id", As::Into("ReadFrom"))
            .example(r#"cmd::xread::<String, Value>([("events", ReadFrom::New)]).block(Duration::from_secs(5))"#, "XREAD BLOCK 5000 STREAMS events $"),
        read("XREADGROUP", "The entries that a consumer group gives a consumer; none if there are none.")
            .ty("id", As::Into("GroupReadFrom"))
            .ty("min-idle-time", As::Millis)
            .rename("min-idle-time", "min_idle")
            .turns("CLAIM", "Option<StreamEntries<K, T>>", "Option<DeliveredEntries<K, T>>")
            .note("CLAIM", "Gives it first those that have been pending for at least this time; tells how often each was given.")
            .setter("NOACK", "no_ack")
            .note("NOACK", "Counts them as acknowledged at once.")
            .example(r#"cmd::xreadgroup::<String, Value>("mailers", "m1", [("events", GroupReadFrom::New)])"#, "XREADGROUP GROUP mailers m1 STREAMS events >"),
        range("XREVRANGE", "The entries with ids from `end` down to `start`, newest first."),
        entry("XSETID", "()", "Sets the highest id that a stream has given.")
            .ty("last-id", As::Into("StreamId"))
            .ty("entries-added", As::Type("u64"))
            .ty("max-deleted-id", As::Into("StreamId"))
            .setter("ENTRIESADDED", "entries_added")
            .setter("MAXDELETEDID", "max_deleted_id")
            .rename("entries-added", "count")
            .rename("max-deleted-id", "id")
            .note("ENTRIESADDED", "Sets how many entries were ever added.")
            .note("MAXDELETEDID", "Sets the highest id that was deleted."),
        references(entry("XTRIM", "u64", "Deletes the oldest entries of a stream; returns how many."))
            .ty("threshold", As::Words("StreamTrim"))
            .rename("threshold", "trim")
            .within("strategy")
            .within("operator")
            .within("LIMIT")
            .example(r#"cmd::xtrim("events", StreamTrim::max_len(1000).approximately())"#, "XTRIM events MAXLEN ~ 1000"),
    ]
}
