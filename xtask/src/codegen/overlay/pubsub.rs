//! Commands of the group `pubsub`.

use super::{Entry, entry};

pub(super) fn entries() -> Vec<Entry> {
    let pattern = "Only channels that match a pattern.";
    vec![
        entry("PUBLISH", "u64", "Publishes a message; returns how many clients of this node got it.")
            .example(r#"cmd::publish("news", "hello")"#, "PUBLISH news hello"),
        entry("PUBSUB CHANNELS", "Vec<C>", "The channels that have subscribers.").note("pattern", pattern),
        entry("PUBSUB HELP", "Vec<String>", "What the server says of the `PUBSUB` commands, in lines."),
        entry("PUBSUB NUMPAT", "u64", "How many patterns have subscribers."),
        entry("PUBSUB NUMSUB", "Vec<(C, u64)>", "How many subscribers each of the channels has.")
            .promote("channel"),
        entry("PUBSUB SHARDCHANNELS", "Vec<C>", "The shard channels that have subscribers.")
            .note("pattern", pattern),
        entry("PUBSUB SHARDNUMSUB", "Vec<(C, u64)>", "How many subscribers each of the shard channels has.")
            .promote("shardchannel")
            .rename("shardchannel", "channels"),
        entry("SPUBLISH", "u64", "Publishes a message to a shard channel; returns how many clients got it.")
            .rename("shardchannel", "channel"),
    ]
}
