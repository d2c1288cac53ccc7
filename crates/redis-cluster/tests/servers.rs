//! What the crate computes, against what real servers say: slots, keys and topologies.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use redis_cluster::{AddressMap, Health, Origin, Refusal, Topology, View, key_positions};
use redis_core::{Cmd, CommandInfo, Error, Flags, KeyFlags, Servers, Value, lookup, slot_of};
use redis_sync::{Client, Execute};
use testkit::servers::{self, Installed, Server, ServerOptions};

/// The servers at hand; at least one.
fn installed() -> Vec<Installed> {
    let found = servers::discover(&servers::folder(), false).found;
    if found.is_empty() { vec![servers::any().unwrap()] } else { found }
}

fn start(installed: &Installed, options: ServerOptions) -> (Server, Client) {
    let server = Server::start(installed, options).unwrap();
    let client = Client::open(&server.url()).unwrap();
    (server, client)
}

/// A node that serves all slots alone.
fn start_node(installed: &Installed, options: ServerOptions) -> (Server, Client) {
    let (server, client) = start(installed, options.cluster());
    if installed.version.major < 7 {
        client.execute(Cmd::<()>::raw("CLUSTER ADDSLOTS").args(0..16384)).unwrap();
    } else {
        client.execute(Cmd::<()>::raw("CLUSTER ADDSLOTSRANGE").arg(0).arg(16383)).unwrap();
    }
    (server, client)
}

fn view(server: &Server, command: &str, protocol: u8) -> Topology {
    let client = Client::open(&format!("{}?protocol={protocol}", server.url())).unwrap();
    let view: View = client.execute(Cmd::raw(command)).unwrap();
    let answered = client.config().endpoint.clone();
    let map = AddressMap::default();
    view.topology(&Origin { answered: &answered, tls: false, map: &map })
}

#[test]
fn slots_are_those_of_the_server() {
    let (_server, client) = start_node(&servers::any().unwrap(), ServerOptions::new());
    let piece = prop_oneof![
        Just(b"{".to_vec()),
        Just(b"}".to_vec()),
        prop::collection::vec(any::<u8>(), 0..6),
    ];
    let key = prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat());
    let mut runner = TestRunner::new(Config::with_cases(2000));
    let compared = runner.run(&key, |key| {
        let slot: u16 = client.execute(Cmd::raw("CLUSTER KEYSLOT").arg(&key)).unwrap();
        prop_assert_eq!(slot_of(&key), slot);
        Ok(())
    });
    compared.unwrap();
}

#[test]
fn views_of_real_nodes_are_read() {
    for installed in installed() {
        let (name, modern) = (installed.to_string(), installed.version.major >= 7);
        let preferred: &[&str] =
            if modern { &["ip", "hostname", "unknown-endpoint"] } else { &["ip"] };
        for &preferred in preferred {
            let mut options = ServerOptions::new();
            if modern {
                options = options
                    .arg("--cluster-preferred-endpoint-type")
                    .arg(preferred)
                    .arg("--cluster-announce-hostname")
                    .arg("node.example");
            }
            let zoned = installed.name == "valkey" && installed.version.major >= 9;
            if zoned {
                options = options.arg("--availability-zone").arg("zone-a");
            }
            let (server, client) = start_node(&installed, options);
            let id: String = client.execute(Cmd::raw("CLUSTER MYID")).unwrap();
            let host = if preferred == "hostname" { "node.example" } else { "127.0.0.1" };
            let expected = format!("{host}:{}", server.port());
            let commands: &[&str] =
                if modern { &["CLUSTER SLOTS", "CLUSTER SHARDS"] } else { &["CLUSTER SLOTS"] };
            for &command in commands {
                for protocol in [2, 3] {
                    let case = format!("{name}, {preferred}, {command}, RESP{protocol}");
                    let topology = view(&server, command, protocol);
                    assert!(topology.is_full(), "{case}");
                    let node = topology.node_of(16383).unwrap();
                    assert_eq!(node.endpoint().to_string(), expected, "{case}");
                    assert_eq!(node.id(), Some(id.as_str()), "{case}");
                    assert_eq!(node.zone(), zoned.then_some("zone-a"), "{case}");
                    assert_eq!(node.health(), Health::Online, "{case}");
                    assert_eq!((topology.nodes().len(), topology.primaries().count()), (1, 1));
                }
            }
        }
    }
}

#[test]
fn refusals_of_a_real_node_are_understood() {
    for installed in installed() {
        let (_server, client) = start(&installed, ServerOptions::new().cluster());
        let refusal = |cmd: Cmd<Value>| Refusal::of(&client.execute(cmd).unwrap_err());
        assert_eq!(refusal(Cmd::raw("GET").arg("a")), Some(Refusal::Down), "{installed}");
        let (_server, client) = start_node(&installed, ServerOptions::new());
        let refusal = |cmd: Cmd<Value>| Refusal::of(&client.execute(cmd).unwrap_err());
        let crossing = Cmd::raw("MGET").arg("a").arg("b");
        assert_eq!(refusal(crossing), Some(Refusal::CrossSlot), "{installed}");
        assert_eq!(refusal(Cmd::raw("GET")), None, "{installed}");
    }
}

/// What `COMMAND GETKEYS` says: none where the server finds the words wrong, or has no such command.
fn getkeys(client: &Client, words: &[String]) -> Option<Vec<Vec<u8>>> {
    match client.execute(Cmd::<Vec<Vec<u8>>>::raw("COMMAND GETKEYS").args(words)) {
        Ok(keys) => Some(keys),
        Err(error) if has_no_keys(&error) => Some(Vec::new()),
        Err(_) => None,
    }
}

fn has_no_keys(error: &Error) -> bool {
    error.message().contains("command has no key arguments")
}

fn ours(words: &[String]) -> Option<Vec<Vec<u8>>> {
    let cmd = words[1..].iter().fold(Cmd::<()>::raw(&words[0]), |cmd, word| cmd.arg(word));
    let positions = key_positions(cmd.info(), words)?;
    Some(positions.map(|at| words[at].clone().into_bytes()).collect())
}

/// Commands whose keys take more than a position to find, `''` being the empty word.
const SAMPLES: &[&str] = &[
    "BITOP AND d a b",
    "BLMPOP 0 2 a b LEFT",
    "BLPOP a b 0",
    "BZMPOP 0 1 a MIN",
    "COPY a b DB 1",
    "EVAL s 0",
    "EVAL s 0 x y",
    "EVAL s 2 a b x",
    "EVALSHA s 1 a",
    "EVAL_RO s 1 a",
    "FCALL f 0 x",
    "FCALL f 1 a",
    "FCALL_RO f 2 a b x",
    "GEORADIUS a 0 0 1 m",
    "GEORADIUS a 0 0 1 m COUNT 1 STORE b",
    "GEORADIUS a 0 0 1 m STOREDIST b",
    "GEORADIUS a 0 0 1 m STOREDIST store",
    "GEORADIUS a 0 0 1 m STORE",
    "GEORADIUSBYMEMBER a x 1 m STORE b",
    "GEORADIUSBYMEMBER a x 1 m ASC storedist store",
    "GEORADIUS_RO a 0 0 1 m",
    "GEOSEARCHSTORE a b FROMMEMBER x BYRADIUS 1 m",
    "LCS a b LEN",
    "LMPOP 2 a b LEFT",
    "MEMORY USAGE a",
    "MIGRATE h 1 a 0 10",
    "MIGRATE h 1 a 0 10 COPY REPLACE",
    "MIGRATE h 1 '' 0 10 KEYS a",
    "MIGRATE h 1 '' 0 10 COPY REPLACE KEYS a b c",
    "MIGRATE h 1 '' 0 10 AUTH pw KEYS a b",
    "MIGRATE h 1 '' 0 10 AUTH2 user pw KEYS a b",
    "MSET a 1 b 2 c 3",
    "MSETEX 2 a 1 b 2 EX 10",
    "MSETNX a 1 b 2",
    "OBJECT ENCODING a",
    "PFCOUNT a b",
    "PFMERGE d a b",
    "SINTERCARD 2 a b LIMIT 1",
    "SORT a",
    "SORT a BY w_* LIMIT 0 5 GET o_* GET # DESC ALPHA STORE b",
    "SORT a BY store GET store STORE b",
    "SORT a STORE b STORE c",
    "SORT a STORE store STORE",
    "SORT_RO a BY w_* GET o_*",
    "XGROUP CREATE a g $",
    "XINFO STREAM a FULL",
    "XREAD COUNT 1 BLOCK 0 STREAMS a b 0 0",
    "XREAD STREAMS streams 0",
    "XREADGROUP GROUP streams c COUNT 1 NOACK STREAMS a b > >",
    "XREADGROUP GROUP g streams STREAMS a >",
    "ZDIFFSTORE d 2 a b",
    "ZINTER 2 a b WEIGHTS 1 2",
    "ZUNION 1 a WITHSCORES",
    "ZUNIONSTORE d 2 a b AGGREGATE MAX",
    "ZRANGESTORE d a 0 -1",
];

#[test]
fn keys_of_samples_are_those_of_the_server() {
    for installed in installed() {
        let (_server, client) = start(&installed, ServerOptions::new());
        let mut compared = 0;
        for sample in SAMPLES {
            let words = sample.split(' ').map(|word| if word == "''" { "" } else { word });
            let words: Vec<String> = words.map(str::to_owned).collect();
            if let Some(expected) = getkeys(&client, &words) {
                let found = ours(&words).map(sorted);
                assert_eq!(found, Some(sorted(expected)), "{installed}: {sample}");
                compared += 1;
            }
        }
        // Old servers lack some commands.
        assert!(compared * 4 > SAMPLES.len() * 3, "{installed}: {compared}");
    }
}

/// Commands of which a word is hashed to a slot but is no key: a channel, a cursor.
const HASHED: &[&str] = &["spublish", "ssubscribe", "sunsubscribe", "clusterscan"];

const CONTAINERS: &[&str] = &["object", "xgroup", "xinfo"];

/// The order is left out: Redis 6.2 names the sources of `ZUNIONSTORE` before its destination.
fn sorted(mut keys: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    keys.sort();
    keys
}

/// Whether the servers disagree on these words: `STORE` or `STOREDIST` where `GEORADIUS` has its unit, or
/// several of them, of which the last one counts; `KEYS` without keys.
fn is_disputed(words: &[String]) -> bool {
    let is_store = |word: &&String| ["store", "storedist"].contains(&&*word.to_ascii_lowercase());
    let stores = words.iter().filter(is_store).count();
    match words[0].as_str() {
        "georadius" => stores > 1 || words.get(5).as_ref().is_some_and(is_store),
        "georadiusbymember" => stores > 1,
        "migrate" => words.last().is_some_and(|word| word.eq_ignore_ascii_case("keys")),
        _ => false,
    }
}

/// The names of all commands that the server finds keys in, and the least number of their words.
fn commands_with_keys(client: &Client) -> Vec<(String, usize)> {
    fn add(command: &Value, names: &mut Vec<(String, usize)>) {
        let Value::Array(facts) = command else { panic!("{command:?}") };
        let name = facts[0].as_str().unwrap().replace('|', " ");
        let has_keys = match facts.get(8) {
            Some(Value::Array(specs)) => !specs.is_empty(),
            // Redis 6.2 has only the position of the first key.
            _ => facts[3].as_integer().unwrap() > 0,
        };
        if has_keys {
            names.push((name, facts[1].as_integer().unwrap().unsigned_abs() as usize));
        }
        if let Some(Value::Array(subcommands)) = facts.get(9) {
            subcommands.iter().for_each(|command| add(command, names));
        }
    }
    let mut names = Vec::new();
    let commands: Vec<Value> = client.execute(Cmd::raw("COMMAND")).unwrap();
    commands.iter().for_each(|command| add(command, &mut names));
    names
}

#[test]
fn keys_of_random_words_are_those_of_the_server() {
    let word = prop_oneof![
        3 => prop::sample::select(vec!["a", "b", "{a}c"]),
        2 => prop::sample::select(vec!["0", "1", "2", "3"]),
        1 => prop::sample::select(vec![
            "", "store", "STOREDIST", "streams", "KEYS", "by", "GET", "limit", "auth", "AUTH2",
            "COPY", "block", "count", "group", "x*",
        ]),
    ];
    for installed in installed() {
        let (_server, client) = start(&installed, ServerOptions::new());
        let mut runner = TestRunner::deterministic();
        for (name, least) in commands_with_keys(&client) {
            if HASHED.contains(&name.as_str()) {
                continue;
            }
            let arguments = prop::collection::vec(word.clone(), 0..least + 6);
            for _ in 0..24 {
                let mut words: Vec<String> = name.split(' ').map(str::to_owned).collect();
                let arguments = arguments.new_tree(&mut runner).unwrap().current();
                words.extend(arguments.into_iter().map(str::to_owned));
                if is_disputed(&words) {
                    continue;
                }
                let Some(theirs) = getkeys(&client, &words) else {
                    continue;
                };
                match ours(&words) {
                    Some(ours) => {
                        assert_eq!(sorted(ours), sorted(theirs), "{installed}: {words:?}")
                    }
                    // Redis 6.2 takes any subcommand of these for one with a key.
                    None => assert!(CONTAINERS.contains(&name.as_str()), "{installed}: {words:?}"),
                }
            }
        }
    }
}

/// What a server says of a command: its flags and those of its key specs, by their names.
struct Told {
    name: String,
    flags: Vec<String>,
    keys: Vec<Vec<String>>,
}

/// Every command and subcommand, as `COMMAND` (and so `COMMAND INFO`) tells of it.
fn told(client: &Client) -> Vec<Told> {
    fn list(value: Option<&Value>) -> &[Value] {
        match value {
            Some(Value::Array(list) | Value::Set(list)) => list,
            _ => &[],
        }
    }
    fn words(value: Option<&Value>) -> Vec<String> {
        let mut words: Vec<_> =
            list(value).iter().map(|word| word.as_str().unwrap().to_owned()).collect();
        words.sort();
        words
    }
    fn key_flags(spec: &Value) -> Vec<String> {
        // Maps, which are flat lists under RESP2.
        let Value::Array(fields) = spec else { panic!("{spec:?}") };
        let at = fields.iter().position(|field| field.as_str() == Some("flags")).unwrap();
        words(fields.get(at + 1))
    }
    fn add(command: &Value, all: &mut Vec<Told>) {
        let facts = list(Some(command));
        all.push(Told {
            name: facts[0].as_str().unwrap().replace('|', " ").to_ascii_uppercase(),
            flags: words(facts.get(2)),
            keys: list(facts.get(8)).iter().map(key_flags).collect(),
        });
        list(facts.get(9)).iter().for_each(|command| add(command, all));
    }
    let mut all = Vec::new();
    let client = Client::open(&format!("redis://{}?protocol=2", client.config().endpoint)).unwrap();
    let commands: Vec<Value> = client.execute(Cmd::raw("COMMAND")).unwrap();
    commands.iter().for_each(|command| add(command, &mut all));
    all
}

fn sorted_names(names: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names
}

#[test]
fn flags_are_those_of_the_server() {
    // Their table was read last, and so is ours where they have a command.
    let described_by = |installed: &Installed, info: &CommandInfo| {
        let version = (installed.version.major, installed.version.minor);
        match (installed.name, version) {
            ("redis", (8, 6)) => info.servers.contains(Servers::REDIS_8_6),
            ("valkey", (9, 1)) => info.servers == Servers::VALKEY_9_1,
            _ => false,
        }
    };
    // Flags by which a client decides where and how to send a command: these do not change with versions.
    const DECISIVE: [Flags; 5] =
        [Flags::WRITE, Flags::READONLY, Flags::BLOCKING, Flags::PUBSUB, Flags::NO_AUTH];
    let mut differences = Vec::new();
    for installed in installed() {
        let (_server, client) = start(&installed, ServerOptions::new());
        let (mut exact, mut decisive) = (0, 0);
        for Told { name, flags, keys } in told(&client) {
            let words: Vec<_> = name.split(' ').map(str::as_bytes).collect();
            let Some(info) = lookup(&words) else { continue };
            if described_by(&installed, info) {
                assert_eq!(sorted_names(info.flags.names()), flags, "{installed}: {name}");
                let ours: Vec<_> =
                    info.keys.iter().map(|spec| sorted_names(spec.flags.names())).collect();
                assert_eq!(ours, keys, "{installed}: {name}");
                exact += 1;
            }
            // Redis 6.2 has no subcommands; their containers have the flags of some of them.
            if installed.version.major < 7 {
                continue;
            }
            let mut differ = |what: String| differences.push(format!("{installed}: {name} {what}"));
            for flag in DECISIVE {
                let theirs = flag.names().all(|name| flags.iter().any(|flag| flag == name));
                if info.flags.contains(flag) != theirs {
                    differ(format!("{flag:?}"));
                }
            }
            for (spec, theirs) in info.keys.iter().zip(&keys) {
                let has = |flag: &str| theirs.iter().any(|known| known == flag);
                if spec.flags.writes() != (has("RW") || has("OW") || has("RM")) {
                    differ("writes".to_owned());
                }
                if spec.flags.contains(KeyFlags::NOT_KEY) != has("not_key") {
                    differ("not_key".to_owned());
                }
            }
            decisive += 1;
        }
        eprintln!("{installed}: {exact} compared whole, {decisive} in what decides");
    }
    // Redis 7.0 did not call WAIT a command that blocks.
    differences.retain(|difference| !difference.starts_with("redis 7.0.15: WAIT "));
    assert_eq!(differences, [""; 0]);
}
