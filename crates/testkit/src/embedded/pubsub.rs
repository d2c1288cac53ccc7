//! Who listens to what, and the commands about it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use resp_proto::{Protocol, ReplyEncoder};

use super::{
    commands::{Call, Done, unknown_subcommand},
    failure, glob, store,
    world::World,
};

/// Channels or patterns, and the clients that are subscribed to each.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    clients: BTreeMap<Bytes, BTreeSet<u64>>,
    names: BTreeMap<u64, BTreeSet<Bytes>>,
}

impl Subscriptions {
    fn add(&mut self, client: u64, name: &Bytes) {
        let name = store::owned(name);
        self.clients.entry(name.clone()).or_default().insert(client);
        self.names.entry(client).or_default().insert(name);
    }

    fn remove(&mut self, client: u64, name: &Bytes) {
        if let Some(clients) = self.clients.get_mut(name) {
            clients.remove(&client);
            if clients.is_empty() {
                self.clients.remove(name);
            }
        }
        if let Some(names) = self.names.get_mut(&client) {
            names.remove(name);
            if names.is_empty() {
                self.names.remove(&client);
            }
        }
    }

    fn forget(&mut self, client: u64) {
        for name in self.of(client) {
            self.remove(client, &name);
        }
    }

    fn of(&self, client: u64) -> Vec<Bytes> {
        self.names.get(&client).into_iter().flatten().cloned().collect()
    }

    fn count_of(&self, client: u64) -> usize {
        self.names.get(&client).map_or(0, BTreeSet::len)
    }

    fn clients_of(&self, name: &Bytes) -> usize {
        self.clients.get(name).map_or(0, BTreeSet::len)
    }
}

/// All subscriptions of all clients.
#[derive(Debug, Default)]
pub(super) struct PubSub {
    channels: Subscriptions,
    patterns: Subscriptions,
    shards: Subscriptions,
}

impl PubSub {
    /// The client listens to nothing any more.
    pub(super) fn forget(&mut self, client: u64) {
        self.channels.forget(client);
        self.patterns.forget(client);
        self.shards.forget(client);
    }

    /// Channels and patterns of a client.
    pub(super) fn count_of(&self, client: u64) -> usize {
        self.channels.count_of(client) + self.patterns.count_of(client)
    }

    /// All names of a client, each with the command that subscribes to it.
    pub(super) fn of(&self, client: u64) -> Vec<(&'static str, Bytes)> {
        let all = [
            ("subscribe", &self.channels),
            ("psubscribe", &self.patterns),
            ("ssubscribe", &self.shards),
        ];
        all.iter().flat_map(|(kind, of)| of.of(client).into_iter().map(|n| (*kind, n))).collect()
    }
}

impl World {
    /// Hands a message to all who listen; how many deliveries that were. Those who are too far
    /// behind are cut off.
    fn publish(&mut self, channel: &Bytes, message: &Bytes) -> usize {
        let mut receivers = Vec::new();
        if let Some(clients) = self.pubsub.channels.clients.get(channel) {
            receivers.extend(clients.iter().map(|client| (*client, None)));
        }
        for (pattern, clients) in &self.pubsub.patterns.clients {
            if glob::matches(pattern, channel) {
                receivers.extend(clients.iter().map(|client| (*client, Some(pattern.clone()))));
            }
        }
        let mut delivered = 0;
        for (client, pattern) in receivers {
            let write = |mut push: ReplyEncoder<'_, Vec<u8>>| match &pattern {
                Some(pattern) => {
                    push.push(4).bulk(b"pmessage").bulk(pattern).bulk(channel).bulk(message);
                }
                None => {
                    push.push(3).bulk(b"message").bulk(channel).bulk(message);
                }
            };
            if self.push(client, write) {
                delivered += 1;
            } else {
                self.pubsub.forget(client);
            }
        }
        delivered
    }
}

pub(super) fn publish(call: &mut Call<'_>) -> Done {
    let delivered = call.world.publish(&call.args[1], &call.args[2]);
    call.integer(delivered)
}

pub(super) fn subscribe(call: &mut Call<'_>) -> Done {
    for name in &call.args[1..] {
        call.world.pubsub.channels.add(call.session.about.id, name);
        confirm(call, b"subscribe", Some(name));
    }
    Ok(())
}

pub(super) fn psubscribe(call: &mut Call<'_>) -> Done {
    for name in &call.args[1..] {
        call.world.pubsub.patterns.add(call.session.about.id, name);
        confirm(call, b"psubscribe", Some(name));
    }
    Ok(())
}

pub(super) fn unsubscribe(call: &mut Call<'_>) -> Done {
    let client = call.session.about.id;
    for name in unsubscribed(call.args, &call.world.pubsub.channels, client) {
        name.iter().for_each(|name| call.world.pubsub.channels.remove(client, name));
        confirm(call, b"unsubscribe", name.as_ref());
    }
    Ok(())
}

pub(super) fn punsubscribe(call: &mut Call<'_>) -> Done {
    let client = call.session.about.id;
    for name in unsubscribed(call.args, &call.world.pubsub.patterns, client) {
        name.iter().for_each(|name| call.world.pubsub.patterns.remove(client, name));
        confirm(call, b"punsubscribe", name.as_ref());
    }
    Ok(())
}

pub(super) fn ssubscribe(call: &mut Call<'_>) -> Done {
    for name in &call.args[1..] {
        call.world.pubsub.shards.add(call.session.about.id, name);
        confirm(call, b"ssubscribe", Some(name));
    }
    Ok(())
}

pub(super) fn sunsubscribe(call: &mut Call<'_>) -> Done {
    let client = call.session.about.id;
    for name in unsubscribed(call.args, &call.world.pubsub.shards, client) {
        name.iter().for_each(|name| call.world.pubsub.shards.remove(client, name));
        confirm(call, b"sunsubscribe", name.as_ref());
    }
    Ok(())
}

/// The names given, or all there are, or one that is null.
fn unsubscribed(args: &[Bytes], all: &Subscriptions, client: u64) -> Vec<Option<Bytes>> {
    let given = match &args[1..] {
        [] => all.of(client),
        given => given.to_vec(),
    };
    match given.is_empty() {
        true => vec![None],
        false => given.into_iter().map(Some).collect(),
    }
}

fn confirm(call: &mut Call<'_>, kind: &[u8], name: Option<&Bytes>) {
    let client = call.session.about.id;
    // Shard channels are counted apart.
    let count = match matches!(kind, b"ssubscribe" | b"sunsubscribe") {
        true => call.world.pubsub.shards.count_of(client),
        false => call.world.pubsub.count_of(client),
    };
    let mut push = call.reply();
    push.push(3).bulk(kind);
    match name {
        Some(name) => push.bulk(name),
        None => push.null(),
    };
    push.integer(count as i64);
}

pub(super) fn pubsub(call: &mut Call<'_>) -> Done {
    let (subcommand, rest) = (call.args[1].to_ascii_lowercase(), &call.args[2..]);
    let pubsub = &call.world.pubsub;
    match (&subcommand[..], rest) {
        (b"channels", [] | [_]) => {
            let fits = |name: &&Bytes| rest.first().is_none_or(|glob| glob::matches(glob, name));
            let names: Vec<_> = pubsub.channels.clients.keys().filter(fits).cloned().collect();
            call.bulks(&names)
        }
        (b"numsub", names) => {
            let counts: Vec<_> =
                names.iter().map(|name| pubsub.channels.clients_of(name)).collect();
            let mut reply = call.reply();
            // An array in both protocols.
            reply.array(2 * names.len());
            for (name, count) in names.iter().zip(counts) {
                reply.bulk(name).integer(count as i64);
            }
            Ok(())
        }
        (b"numpat", []) => {
            let patterns = pubsub.patterns.clients.len();
            call.integer(patterns)
        }
        (b"channels", _) => Err(failure::wrong_arity("pubsub|channels")),
        (b"numpat", _) => Err(failure::wrong_arity("pubsub|numpat")),
        _ => Err(unknown_subcommand(call.args, "PUBSUB")),
    }
}

/// What a client that listens may do while it speaks RESP2, where a reply could be taken for a push.
pub(super) fn forbids(call: &Call<'_>, command: &str) -> bool {
    const ALLOWED: [&str; 9] = [
        "subscribe",
        "unsubscribe",
        "psubscribe",
        "punsubscribe",
        "ssubscribe",
        "sunsubscribe",
        "ping",
        "quit",
        "reset",
    ];
    call.session.about.protocol == Protocol::Resp2
        && call.world.pubsub.count_of(call.session.about.id) > 0
        && !ALLOWED.contains(&command)
}
