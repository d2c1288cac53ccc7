//! A cluster that is known to be right: its data, its slots, what each node knows of them, and a log of all that
//! ran.
//!
//! Owns what a node answers. Gossip is a view that is late. Knows nothing of links and clients.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::RngExt;
use rand::rngs::SmallRng;
use redis_core::{SLOTS, slot_of};

/// The first node's port.
pub(super) const PORT: u16 = 7000;

/// Commands that change nothing.
const READS: [&str; 4] = ["GET", "MGET", "EXISTS", "SCAN"];

pub(super) struct Node {
    pub(super) shard: usize,
    pub(super) up: bool,
    pub(super) loading_until: Instant,
    /// How old its view is.
    lag: Duration,
    partial_until: Instant,
}

#[derive(Clone, Default)]
struct Data(BTreeMap<(u16, Bytes), Bytes>);

struct Shard {
    primary: usize,
    replicas: Vec<usize>,
    data: Data,
    /// What a replica has that is behind.
    backup: Data,
}

#[derive(Clone)]
struct Snapshot {
    since: Instant,
    slots: Vec<u16>,
    primaries: Vec<usize>,
}

/// One connection, on the node's side.
#[derive(Default)]
pub(super) struct Conn {
    pub(super) node: usize,
    pub(super) readonly: bool,
    asking: bool,
    queue: Option<Vec<Vec<Bytes>>>,
    dirty: bool,
    watched: Vec<(Bytes, u64)>,
    pub(super) channels: BTreeSet<Bytes>,
}

impl Conn {
    pub(super) fn new(node: usize, readonly: bool) -> Self {
        Self { node, readonly, ..Self::default() }
    }
}

/// A run of one command.
#[derive(Clone, Debug)]
pub(super) struct Ran {
    pub(super) node: usize,
    pub(super) reply: Vec<u8>,
    /// What ran together has the same number.
    pub(super) unit: u64,
}

pub(super) struct Model {
    pub(super) nodes: Vec<Node>,
    shards: Vec<Shard>,
    slots: Vec<u16>,
    /// Slots on their way, to which shard.
    moving: BTreeMap<u16, usize>,
    history: Vec<Snapshot>,
    versions: BTreeMap<Bytes, u64>,
    /// Slots that have moved, from and to which shard.
    moves: Vec<(Instant, u16, usize, usize)>,
    pub(super) down_until: Instant,
    hidden: bool,
    /// Commands that were sent elsewhere by ASK, and to which shard.
    asked: BTreeMap<Vec<Bytes>, usize>,
    /// One of them came there without ASKING.
    pub(super) unasked: Option<String>,
    /// By the command's name and each word of it that has a `#`.
    pub(super) log: BTreeMap<(String, Bytes), Vec<Ran>>,
    units: u64,
    pub(super) commands: u64,
}

impl Model {
    pub(super) fn new(
        now: Instant,
        rng: &mut SmallRng,
        shards: usize,
        replicas: usize,
        lag: Duration,
        hidden: bool,
    ) -> Self {
        let mut nodes = Vec::new();
        let mut model_shards = Vec::new();
        for shard in 0..shards {
            let first = nodes.len();
            for _ in 0..=replicas {
                let lag = lag.mul_f64(rng.random_range(0.0..=1.0));
                nodes.push(Node { shard, up: true, loading_until: now, lag, partial_until: now });
            }
            model_shards.push(Shard {
                primary: first,
                replicas: (first + 1..nodes.len()).collect(),
                data: Data::default(),
                backup: Data::default(),
            });
        }
        let slots = (0..usize::from(SLOTS)).map(|slot| (slot * shards / usize::from(SLOTS)) as u16);
        let mut model = Self {
            nodes,
            shards: model_shards,
            slots: slots.collect(),
            moving: BTreeMap::new(),
            history: Vec::new(),
            versions: BTreeMap::new(),
            moves: Vec::new(),
            down_until: now,
            hidden,
            asked: BTreeMap::new(),
            unasked: None,
            log: BTreeMap::new(),
            units: 0,
            commands: 0,
        };
        model.remember(now);
        model
    }

    fn remember(&mut self, now: Instant) {
        let primaries = self.shards.iter().map(|shard| shard.primary).collect();
        self.history.push(Snapshot { since: now, slots: self.slots.clone(), primaries });
    }

    /// What a node knows: of itself nothing wrong, of others what was true a while ago.
    fn known(&self, node: usize, now: Instant) -> &Snapshot {
        let lag = self.nodes[node].lag;
        let then = self.history.iter().rev().find(|snapshot| snapshot.since + lag <= now);
        then.unwrap_or(&self.history[0])
    }

    // What changes.

    /// Begins to move a slot key by key.
    pub(super) fn migrate(&mut self, slot: u16, rng: &mut SmallRng) -> bool {
        let from = usize::from(self.slots[usize::from(slot)]);
        let to = rng.random_range(0..self.shards.len());
        let free = to != from && !self.moving.contains_key(&slot);
        if free {
            self.moving.insert(slot, to);
        }
        free
    }

    /// Moves one key of a slot on its way, or ends its way. True while it goes on.
    pub(super) fn migrate_on(&mut self, now: Instant, slot: u16) -> bool {
        let Some(&to) = self.moving.get(&slot) else { return false };
        let from = usize::from(self.slots[usize::from(slot)]);
        let keys = (slot, Bytes::new())..(slot + 1, Bytes::new());
        let next = self.shards[from].data.0.range(keys).next().map(|(key, _)| key.clone());
        if let Some(key) = next {
            if let Some(value) = self.shards[from].data.0.remove(&key) {
                self.bump(&key.1);
                self.shards[to].data.0.insert(key, value);
            }
            return true;
        }
        self.moving.remove(&slot);
        self.moves.push((now, slot, from, to));
        self.slots[usize::from(slot)] = to as u16;
        self.remember(now);
        // What came whole is not lost by a replica that was behind before.
        self.replicate();
        false
    }

    /// Moves a slot with all its keys at once.
    pub(super) fn move_now(&mut self, now: Instant, slot: u16, rng: &mut SmallRng) {
        if self.migrate(slot, rng) {
            while self.migrate_on(now, slot) {}
        }
    }

    /// A primary goes down.
    pub(super) fn crash(&mut self, shard: usize) -> Option<usize> {
        let Shard { primary, ref replicas, .. } = self.shards[shard % self.shards.len()];
        let able = self.nodes[primary].up && replicas.iter().any(|node| self.nodes[*node].up);
        // A slot on its way has keys on both sides, which no replica takes over here.
        let still = self.moving.is_empty();
        (able && still).then(|| {
            self.nodes[primary].up = false;
            primary
        })
    }

    /// A replica of the node's shard takes over.
    pub(super) fn promote(&mut self, now: Instant, node: usize, loss: bool) {
        let shard = self.nodes[node].shard;
        let nodes = &self.nodes;
        let shard = &mut self.shards[shard];
        let Some(at) = shard.replicas.iter().position(|replica| nodes[*replica].up) else { return };
        let old = std::mem::replace(&mut shard.replicas[at], shard.primary);
        shard.primary = old;
        if loss {
            shard.data = shard.backup.clone();
        }
        self.remember(now);
    }

    /// Replicas catch up.
    pub(super) fn replicate(&mut self) {
        for shard in &mut self.shards {
            shard.backup = shard.data.clone();
        }
    }

    pub(super) fn make_partial(&mut self, node: usize, until: Instant) {
        self.nodes[node].partial_until = until;
    }

    /// Puts a key where it belongs.
    pub(super) fn plant(&mut self, key: Bytes, value: Bytes) {
        let slot = slot_of(&key);
        let shard = usize::from(self.slots[usize::from(slot)]);
        self.shards[shard].data.0.insert((slot, key), value);
    }

    /// Whether a key's slot came back to a node that it had left, since then: no walk can see that.
    pub(super) fn came_back(&self, key: &str, since: Instant) -> bool {
        let slot = slot_of(key.as_bytes());
        let moves = || self.moves.iter().filter(|(at, of, ..)| *at >= since && *of == slot);
        moves().any(|(_, _, left, _)| moves().any(|(_, _, _, to)| to == left))
    }

    /// The number at a key, wherever it is.
    pub(super) fn peek(&self, key: Bytes) -> u64 {
        let slot = slot_of(&key);
        let at = (slot, key);
        let value = self.shards.iter().find_map(|shard| shard.data.0.get(&at));
        value.and_then(|value| std::str::from_utf8(value).ok()?.parse().ok()).unwrap_or(0)
    }

    pub(super) fn is_moving(&self) -> bool {
        !self.moving.is_empty()
    }

    /// The primary that owns a slot.
    pub(super) fn owner(&self, slot: u16) -> usize {
        self.shards[usize::from(self.slots[usize::from(slot)])].primary
    }

    fn bump(&mut self, key: &Bytes) {
        *self.versions.entry(key.clone()).or_default() += 1;
    }

    // What a node answers.

    /// Handles one command of a connection: its reply frame, and with what it subscribes to, if that changed.
    pub(super) fn handle(&mut self, now: Instant, conn: &mut Conn, words: &[Bytes]) -> Vec<u8> {
        let name = String::from_utf8_lossy(&words[0]).to_ascii_uppercase();
        let asking = std::mem::take(&mut conn.asking);
        match &name[..] {
            "ASKING" => {
                conn.asking = true;
                return b"+OK\r\n".to_vec();
            }
            "MULTI" => {
                conn.asking = asking;
                (conn.queue, conn.dirty) = (Some(Vec::new()), false);
                return b"+OK\r\n".to_vec();
            }
            "EXEC" => return self.exec(now, conn, asking),
            "CLUSTER" if words[1][..] == b"SLOTS"[..] => return self.view(now, conn.node),
            "CLUSTER" => return self.own_line(conn.node),
            "UNWATCH" => {
                conn.watched.clear();
                return b"+OK\r\n".to_vec();
            }
            _ => {}
        }
        if conn.queue.is_some() {
            // The flag holds until EXEC.
            conn.asking = asking;
        }
        let refused = self.refuses(now, conn, asking, &name, &keys(&name, words));
        let shard = self.nodes[conn.node].shard;
        if self.asked.remove(words) == Some(shard)
            && !asking
            && refused.as_ref().is_some_and(|refused| refused.starts_with(b"-MOVED"))
        {
            self.unasked = Some(format!("{name} to node {}", conn.node));
        }
        if let Some(refused) = refused {
            // Only what is the one of its kind can be known again.
            if refused.starts_with(b"-ASK") && words.iter().any(|word| word.contains(&b'#')) {
                let to = self.moving.get(&slot_of(&words[1])).copied();
                self.asked.extend(to.map(|to| (words.to_vec(), to)));
            }
            conn.dirty = true;
            return refused;
        }
        match &mut conn.queue {
            Some(queue) => {
                queue.push(words.to_vec());
                b"+QUEUED\r\n".to_vec()
            }
            None => {
                self.units += 1;
                self.run(conn, &name, words)
            }
        }
    }

    fn exec(&mut self, now: Instant, conn: &mut Conn, asking: bool) -> Vec<u8> {
        let Some(queue) = conn.queue.take() else {
            return b"-ERR EXEC without MULTI\r\n".to_vec();
        };
        let watched = std::mem::take(&mut conn.watched);
        if std::mem::take(&mut conn.dirty) {
            return b"-EXECABORT Transaction discarded because of previous errors.\r\n".to_vec();
        }
        let version = |key: &Bytes| self.versions.get(key).copied().unwrap_or(0);
        let changed = watched.iter().any(|(key, then)| version(key) != *then);
        let all: Vec<Bytes> = queue
            .iter()
            .flat_map(|words| keys(&String::from_utf8_lossy(&words[0]), words))
            .collect();
        if let Some(refused) = self.refuses(now, conn, asking, "EXEC", &all) {
            return refused;
        }
        if changed {
            return b"*-1\r\n".to_vec();
        }
        self.units += 1;
        let mut reply = format!("*{}\r\n", queue.len()).into_bytes();
        for words in queue {
            let name = String::from_utf8_lossy(&words[0]).to_ascii_uppercase();
            reply.extend(self.run(conn, &name, &words));
        }
        reply
    }

    /// Why a node does not run a command.
    fn refuses(
        &self,
        now: Instant,
        conn: &Conn,
        asking: bool,
        name: &str,
        keys: &[Bytes],
    ) -> Option<Vec<u8>> {
        let node = &self.nodes[conn.node];
        let text = |text: String| Some(text.into_bytes());
        if node.loading_until > now {
            return text("-LOADING the data set is read\r\n".into());
        }
        let slot = slot_of(keys.first()?);
        if keys.iter().any(|key| slot_of(key) != slot) {
            return text("-CROSSSLOT Keys in request don't hash to the same slot\r\n".into());
        }
        if self.down_until > now {
            return text("-CLUSTERDOWN The cluster is down\r\n".into());
        }
        let primary = self.shards[node.shard].primary == conn.node;
        let owner = usize::from(self.slots[usize::from(slot)]);
        let has = |key: &Bytes| self.shards[node.shard].data.0.contains_key(&(slot, key.clone()));
        let missing = keys.iter().filter(|key| !has(key)).count();
        let to = self.moving.get(&slot).copied();
        if primary && owner == node.shard {
            return match to {
                Some(_) if missing > 0 && missing < keys.len() => {
                    text("-TRYAGAIN Multiple keys request during rehashing of slot\r\n".into())
                }
                Some(to) if missing > 0 => {
                    text(format!("-ASK {slot} {}\r\n", self.address(self.shards[to].primary)))
                }
                _ => None,
            };
        }
        if primary && to == Some(node.shard) && asking {
            let torn = keys.len() > 1 && missing > 0;
            return torn
                .then(|| b"-TRYAGAIN Multiple keys request during rehashing of slot\r\n".to_vec());
        }
        let reads = READS.contains(&name) && conn.readonly;
        if !primary && reads && owner == node.shard && to.is_none() {
            return None;
        }
        let known = self.known(conn.node, now);
        let mut named = known.primaries[usize::from(known.slots[usize::from(slot)])];
        if named == conn.node {
            named = self.shards[owner].primary;
        }
        text(format!("-MOVED {slot} {}\r\n", self.address(named)))
    }

    fn address(&self, node: usize) -> String {
        format!("{}:{}", if self.hidden { "" } else { "h" }, usize::from(PORT) + node)
    }

    /// What a node says the cluster looks like.
    fn view(&self, now: Instant, node: usize) -> Vec<u8> {
        let known = self.known(node, now);
        let mut ranges = ranges(&known.slots);
        if self.nodes[node].partial_until > now {
            ranges.retain(|(first, _, _)| first % 3 != 0);
        }
        let mut text = format!("*{}\r\n", ranges.len());
        for (first, last, shard) in ranges {
            let primary = known.primaries[usize::from(shard)];
            let shard = &self.shards[usize::from(shard)];
            let all = shard.replicas.iter().chain([&shard.primary]);
            let replicas: Vec<usize> =
                all.copied().filter(|node| *node != primary && self.nodes[*node].up).collect();
            let _ = write!(text, "*{}\r\n:{first}\r\n:{last}\r\n", 3 + replicas.len());
            let host = if self.hidden { "$0\r\n" } else { "$1\r\nh" };
            for node in [primary].into_iter().chain(replicas) {
                let _ = write!(text, "*2\r\n{host}\r\n:{}\r\n", usize::from(PORT) + node);
            }
        }
        text.into_bytes()
    }

    /// The node's own line of `CLUSTER NODES`, and those of the others it knows.
    fn own_line(&self, node: usize) -> Vec<u8> {
        let (mut text, ranges) = (String::new(), ranges(&self.slots));
        let id = |node: usize| format!("{node:040x}");
        for (shard, Shard { primary, .. }) in self.shards.iter().enumerate() {
            let other = *primary != node;
            let flags = if other { "master" } else { "myself,master" };
            let address = format!("h:{}@1", usize::from(PORT) + primary);
            let _ = write!(text, "{} {address} {flags} - 0 0 1 connected", id(*primary));
            for (first, last, _) in ranges.iter().filter(|(_, _, of)| usize::from(*of) == shard) {
                let _ = write!(text, " {first}-{last}");
            }
            for (slot, to) in self.moving.iter().filter(|_| !other) {
                let from = usize::from(self.slots[usize::from(*slot)]);
                if from == shard {
                    let _ = write!(text, " [{slot}->-{}]", id(self.shards[*to].primary));
                } else if *to == shard {
                    let _ = write!(text, " [{slot}-<-{}]", id(self.shards[from].primary));
                }
            }
            text.push('\n');
        }
        if !self.shards.iter().any(|shard| shard.primary == node) {
            let _ = writeln!(text, "{} h:1@1 myself,slave {} 0 0 1 connected", id(node), id(0));
        }
        bulk(text.as_bytes())
    }

    fn run(&mut self, conn: &mut Conn, name: &str, words: &[Bytes]) -> Vec<u8> {
        self.commands += 1;
        let shard = self.nodes[conn.node].shard;
        let slot = words.get(1).map_or(0, |key| slot_of(key));
        let at = |key: &Bytes| (slot_of(key), key.clone());
        let version = |key: &Bytes| self.versions.get(key).copied().unwrap_or(0);
        let data = &mut self.shards[shard].data.0;
        let mut touched: Vec<Bytes> = Vec::new();
        let reply = match name {
            "GET" => data.get(&at(&words[1])).map_or_else(|| b"$-1\r\n".to_vec(), |v| bulk(v)),
            "SET" => {
                data.insert(at(&words[1]), words[2].clone());
                touched.push(words[1].clone());
                b"+OK\r\n".to_vec()
            }
            "INCR" => {
                let entry = data.entry(at(&words[1])).or_insert_with(|| Bytes::from_static(b"0"));
                let old = std::str::from_utf8(entry).ok().and_then(|n| n.parse().ok());
                let number = old.unwrap_or(0_i64) + 1;
                *entry = number.to_string().into();
                touched.push(words[1].clone());
                format!(":{number}\r\n").into_bytes()
            }
            "MGET" => {
                let mut reply = format!("*{}\r\n", words.len() - 1).into_bytes();
                for key in &words[1..] {
                    reply.extend(
                        data.get(&at(key)).map_or_else(|| b"$-1\r\n".to_vec(), |v| bulk(v)),
                    );
                }
                reply
            }
            "MSET" => {
                for pair in words[1..].chunks(2) {
                    data.insert(at(&pair[0]), pair[1].clone());
                    touched.push(pair[0].clone());
                }
                b"+OK\r\n".to_vec()
            }
            "EXISTS" | "TOUCH" => {
                let count = words[1..].iter().filter(|key| data.contains_key(&at(key))).count();
                format!(":{count}\r\n").into_bytes()
            }
            "DEL" | "UNLINK" => {
                touched.extend(words[1..].iter().cloned());
                let gone = words[1..].iter().filter(|key| data.remove(&at(key)).is_some());
                format!(":{}\r\n", gone.count()).into_bytes()
            }
            "DBSIZE" => format!(":{}\r\n", data.len()).into_bytes(),
            "WATCH" => {
                let watched = words[1..].iter().map(|key| (key.clone(), version(key)));
                conn.watched.extend(watched);
                b"+OK\r\n".to_vec()
            }
            "SCAN" => {
                // By position in the order of keys: what is there all the time keeps its order.
                let cursor = std::str::from_utf8(&words[1]).ok().and_then(|c| c.parse().ok());
                let from: usize = cursor.unwrap_or(0);
                let hash = |key: &(u16, Bytes)| 1 + usize::from(crc(&key.1));
                let mut keys: Vec<_> = data.keys().map(|key| (hash(key), &key.1)).collect();
                keys.sort();
                let page: Vec<_> = keys.iter().filter(|(hash, _)| *hash > from).take(3).collect();
                // All of one hash go on the same page.
                let last = page.last().map_or(0, |(hash, _)| *hash);
                let page: Vec<_> =
                    keys.iter().filter(|(hash, _)| *hash > from && *hash <= last).collect();
                let more = keys.iter().any(|(hash, _)| *hash > last);
                let cursor = if more && last > 0 { last } else { 0 };
                let mut reply = b"*2\r\n".to_vec();
                reply.extend(bulk(cursor.to_string().as_bytes()));
                reply.extend(format!("*{}\r\n", page.len()).into_bytes());
                page.iter().for_each(|(_, key)| reply.extend(bulk(key)));
                reply
            }
            "SSUBSCRIBE" => {
                conn.channels.extend(words[1..].iter().cloned());
                bulk(&words[1])
            }
            "SUNSUBSCRIBE" => {
                conn.channels.retain(|channel| !words[1..].contains(channel));
                b"+unsubscribed\r\n".to_vec()
            }
            _ => format!("-ERR unknown command {name} in slot {slot}\r\n").into_bytes(),
        };
        touched.iter().for_each(|key| self.bump(key));
        let ran = Ran { node: conn.node, reply: reply.clone(), unit: self.units };
        for word in words.iter().filter(|word| word.contains(&b'#')) {
            self.log.entry((name.to_owned(), word.clone())).or_default().push(ran.clone());
        }
        reply
    }
}

/// First and last slot of each range, and whose it is.
fn ranges(slots: &[u16]) -> Vec<(usize, usize, u16)> {
    let mut ranges: Vec<(usize, usize, u16)> = Vec::new();
    for (slot, &shard) in slots.iter().enumerate() {
        match ranges.last_mut() {
            Some((_, last, of)) if *of == shard => *last = slot,
            _ => ranges.push((slot, slot, shard)),
        }
    }
    ranges
}

fn crc(key: &[u8]) -> u16 {
    // Another order than that of slots.
    slot_of(&key.iter().rev().copied().collect::<Vec<u8>>())
}

fn bulk(bytes: &[u8]) -> Vec<u8> {
    let mut frame = format!("${}\r\n", bytes.len()).into_bytes();
    frame.extend_from_slice(bytes);
    frame.extend_from_slice(b"\r\n");
    frame
}

fn keys(name: &str, words: &[Bytes]) -> Vec<Bytes> {
    match name {
        "GET" | "SET" | "INCR" => vec![words[1].clone()],
        "MGET" | "EXISTS" | "TOUCH" | "DEL" | "UNLINK" | "WATCH" | "SSUBSCRIBE"
        | "SUNSUBSCRIBE" => words[1..].to_vec(),
        "MSET" => words[1..].iter().step_by(2).cloned().collect(),
        _ => Vec::new(),
    }
}
