//! What of a server's facts the table does not have, and taking them over.
//!
//! An entry of the table is one server's, the newest Redis that has the command or else the newest Valkey
//! (`described_by`); where the newest Valkey differs from a Redis, its own is beside it (`valkey_flags`, ..);
//! and it lists all servers that have the command. So what the describing server says is compared whole; what
//! Valkey says of a command of Redis, in what can be beside it; and of older servers, which had less, only what
//! the table lacks is of interest: commands and options.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Map, Value, json};

use super::Facts;

/// What a Redis may say otherwise than the Valkey that has the same command.
const OF_VALKEY: &[&str] = &["arguments", "arity", "flags", "key_specs", "tips"];

/// What the table itself adds to an entry.
const OF_THE_TABLE: &[&str] = &["described_by", "servers"];

/// A server that tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) family: String,
    pub(super) version: [u32; 3],
}

impl Origin {
    /// `redis-8.6`.
    pub(super) fn series(&self) -> String {
        let [major, minor, _] = self.version;
        format!("{}-{major}.{minor}", self.family)
    }

    /// Of `redis-8.6.2`.
    fn parse(text: &str) -> Option<Self> {
        let (family, version) = text.split_once('-')?;
        let mut parts = version.split('.').map(|part| part.parse().ok());
        let version = [parts.next()??, parts.next()??, parts.next()??];
        Some(Self { family: family.to_owned(), version })
    }
}

/// `redis-8.6.2`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.version;
        write!(f, "{}-{major}.{minor}.{patch}", self.family)
    }
}

/// Something that the table and a server do not agree on.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Difference {
    /// The table does not know the command.
    New { command: String },
    /// The table does not say that the server has the command.
    Unlisted { command: String },
    /// The table says so, and it has not.
    Gone { command: String },
    /// An old server has an option that the table lacks.
    Option { command: String, option: String },
    /// They say different things; the field's name in the table.
    Field { command: String, field: String, table: Value, server: Value },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New { command } => write!(f, "{command}: is new"),
            Self::Unlisted { command } => write!(f, "{command}: the server has it, too"),
            Self::Gone { command } => {
                write!(f, "{command}: the server does not have it; change the table by hand")
            }
            Self::Option { command, option } => {
                write!(f, "{command}: has `{option}`; change the table by hand")
            }
            Self::Field { command, field, table, server } => {
                write!(f, "{command}: `{field}` is {server}, in the table {table}")
            }
        }
    }
}

/// How an entry is to be held against what a server says of the command.
enum Standing {
    /// All of it is that server's, or that of an older one.
    Whole,
    /// What Valkey says differently is.
    BesideRedis,
    /// It is a newer server's.
    Newer,
}

fn standing(entry: &Value, origin: &Origin) -> Standing {
    let newest = |family: &str| {
        let servers = texts(entry, "servers").filter_map(Origin::parse);
        servers.filter(|server| server.family == family).map(|server| server.version).max()
    };
    let described_by = entry["described_by"].as_str().and_then(Origin::parse);
    let is_newest = newest(&origin.family).is_none_or(|newest| origin.version >= newest);
    match described_by {
        _ if !is_newest => Standing::Newer,
        Some(describing) if describing.family == "redis" && origin.family != "redis" => {
            Standing::BesideRedis
        }
        _ => Standing::Whole,
    }
}

fn texts<'a>(entry: &'a Value, field: &str) -> impl Iterator<Item = &'a str> + use<'a> {
    entry[field].as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// Where the entry lists a server of this series.
fn listed(entry: &Value, origin: &Origin) -> Option<usize> {
    texts(entry, "servers").position(|server| {
        Origin::parse(server).is_some_and(|known| known.series() == origin.series())
    })
}

/// What the table lacks of a server; of one that it was not read from (`!known`) only commands and options.
pub(super) fn compare(
    table: &Facts,
    told: &Facts,
    origin: &Origin,
    known: bool,
) -> Vec<Difference> {
    let mut all = Vec::new();
    for (command, server) in told {
        let command = command.clone();
        let Some(entry) = table.get(&command) else {
            all.push(Difference::New { command });
            continue;
        };
        if known && listed(entry, origin).is_none() {
            all.push(Difference::Unlisted { command: command.clone() });
        }
        // Redis 6.2 tells too little of what it has.
        let is_whole = server.get("key_specs").is_some();
        match standing(entry, origin) {
            Standing::Whole if known && is_whole => fields(entry, server, &command, &mut all),
            Standing::BesideRedis if known && is_whole => beside(entry, server, &command, &mut all),
            _ => {
                let mut ours = options(&entry["arguments"]);
                ours.extend(options(&entry["valkey_arguments"]));
                let lacking = options(&server["arguments"]).into_iter();
                all.extend(lacking.filter(|option| !ours.contains(option)).map(|option| {
                    Difference::Option { command: command.clone(), option: option.to_owned() }
                }));
            }
        }
    }
    let gone = table.iter().filter(|(command, entry)| {
        known && listed(entry, origin).is_some() && !told.contains_key(*command)
    });
    all.extend(gone.map(|(command, _)| Difference::Gone { command: command.clone() }));
    all
}

/// Everything that the entry has, or the server.
fn fields(entry: &Value, server: &Value, command: &str, all: &mut Vec<Difference>) {
    let names =
        |of: &Value| of.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
    let (ours, theirs): (BTreeSet<String>, BTreeSet<String>) = (names(entry), names(server));
    for field in ours.union(&theirs) {
        if OF_THE_TABLE.contains(&field.as_str()) || field.starts_with("valkey_") {
            continue;
        }
        if entry[field] != server[field] {
            all.push(Difference::Field {
                command: command.to_owned(),
                field: field.clone(),
                table: entry[field].clone(),
                server: server[field].clone(),
            });
        }
    }
}

/// What a Valkey may say differently.
fn beside(entry: &Value, server: &Value, command: &str, all: &mut Vec<Difference>) {
    for field in OF_VALKEY {
        let own = format!("valkey_{field}");
        // That it has none is told by `null`.
        let ours = entry.get(&own).unwrap_or(&entry[*field]);
        if *ours != server[*field] {
            all.push(Difference::Field {
                command: command.to_owned(),
                field: own,
                table: ours.clone(),
                server: server[*field].clone(),
            });
        }
    }
}

/// The words of all options, at any depth.
fn options(arguments: &Value) -> BTreeSet<&str> {
    let mut all = BTreeSet::new();
    for argument in arguments.as_array().into_iter().flatten() {
        all.extend(argument["token"].as_str());
        all.extend(options(&argument["arguments"]));
    }
    all
}

/// Takes over what is different; how many differences that were.
pub(super) fn merge(
    table: &mut Facts,
    told: &Facts,
    origin: &Origin,
    differences: &[Difference],
) -> usize {
    let mut taken = 0;
    for difference in differences {
        match difference {
            Difference::Gone { .. } | Difference::Option { .. } => continue,
            Difference::New { command } => {
                let mut entry = told[command].clone();
                entry["described_by"] = json!(origin.to_string());
                entry["servers"] = json!([origin.to_string()]);
                // What Redis 6.2 does not tell is not there.
                for field in ["flags", "key_specs", "tips"] {
                    entry.as_object_mut().map(|entry| entry.entry(field).or_insert(json!([])));
                }
                table.insert(command.clone(), entry);
            }
            Difference::Unlisted { command } => {
                let entry = &mut table[command];
                list(entry, origin);
                let by_valkey =
                    entry["described_by"].as_str().is_some_and(|by| by.starts_with("valkey"));
                if by_valkey && origin.family == "redis" {
                    describe_by_redis(entry, &told[command], origin);
                }
            }
            Difference::Field { command, field, server, .. } => {
                let entry = &mut table[command];
                list(entry, origin);
                if field.starts_with("valkey_") {
                    set_beside(entry, field, server);
                } else {
                    set(entry, field, server);
                    // Valkey may have said before what Redis says now.
                    let beside = format!("valkey_{field}");
                    if entry.get(&beside) == Some(server) {
                        set(entry, &beside, &Value::Null);
                    }
                    entry["described_by"] = json!(origin.to_string());
                }
            }
        }
        taken += 1;
    }
    taken
}

/// Lists the server, in place of an older one of its series, or in the order of names and versions.
fn list(entry: &mut Value, origin: &Origin) {
    let mut servers: Vec<_> = texts(entry, "servers").filter_map(Origin::parse).collect();
    servers.retain(|known| known.series() != origin.series());
    servers.push(origin.clone());
    servers.sort_by(|a, b| (&a.family, a.version).cmp(&(&b.family, b.version)));
    entry["servers"] = servers.iter().map(|server| json!(server.to_string())).collect();
}

/// Sets a field, or removes it where the server has none.
fn set(entry: &mut Value, field: &str, value: &Value) {
    if let Some(entry) = entry.as_object_mut() {
        match value {
            Value::Null => entry.remove(field),
            value => entry.insert(field.to_owned(), value.clone()),
        };
    }
}

/// Sets what Valkey says differently, or removes it where it no longer does.
fn set_beside(entry: &mut Value, field: &str, value: &Value) {
    let is_same = field.strip_prefix("valkey_").is_some_and(|of| entry[of] == *value);
    if let Some(entry) = entry.as_object_mut() {
        if is_same {
            entry.remove(field);
        } else {
            entry.insert(field.to_owned(), value.clone());
        }
    }
}

/// A Redis has now what only Valkey had: the entry becomes its own, what differs goes beside it.
fn describe_by_redis(entry: &mut Value, server: &Value, origin: &Origin) {
    let before = entry.clone();
    let mut new = server.as_object().cloned().unwrap_or_else(Map::new);
    new.insert("described_by".to_owned(), json!(origin.to_string()));
    new.insert("servers".to_owned(), before["servers"].clone());
    *entry = Value::Object(new);
    for field in OF_VALKEY {
        set_beside(entry, &format!("valkey_{field}"), &before[*field]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        Origin::parse(text).unwrap()
    }

    fn entry(arity: i64, options: &[&str]) -> Value {
        let arguments: Value = options
            .iter()
            .map(|option| json!({"name": option.to_ascii_lowercase(), "type": "pure-token", "token": option}))
            .collect();
        json!({"arity": arity, "flags": ["fast"], "key_specs": [], "tips": [], "arguments": arguments})
    }

    fn facts(entries: &[(&str, Value)]) -> Facts {
        entries.iter().map(|(name, entry)| ((*name).to_owned(), entry.clone())).collect()
    }

    /// A table with one command that Redis 7.0 and 8.6 and Valkey 9.1 have, and one of Valkey's own.
    fn table() -> Facts {
        let mut put = entry(-2, &["NX", "XX"]);
        put["described_by"] = json!("redis-8.6.2");
        put["servers"] = json!(["redis-7.0.15", "redis-8.6.2", "valkey-9.1.2"]);
        put["valkey_flags"] = json!(["write"]);
        let mut own = entry(1, &[]);
        own["described_by"] = json!("valkey-9.1.2");
        own["servers"] = json!(["valkey-9.1.2"]);
        facts(&[("OWN", own), ("PUT", put)])
    }

    fn said(told: &[(&str, Value)], by: &str) -> Vec<String> {
        let all = compare(&table(), &facts(told), &origin(by), true);
        all.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn describing_server_is_compared_whole() {
        assert_eq!(said(&[("PUT", entry(-2, &["NX", "XX"]))], "redis-8.6.2"), [""; 0]);
        let mut changed = entry(3, &["NX", "XX"]);
        changed["since"] = json!("1.0.0");
        assert_eq!(
            said(&[("PUT", changed), ("NEW", entry(1, &[]))], "redis-8.6.3"),
            [
                "NEW: is new",
                "PUT: `arity` is 3, in the table -2",
                "PUT: `since` is \"1.0.0\", in the table null"
            ]
        );
    }

    #[test]
    fn of_an_old_server_only_what_the_table_lacks_is_told() {
        assert_eq!(
            said(&[("PUT", entry(7, &["NX", "OLD"]))], "redis-7.0.15"),
            ["PUT: has `OLD`; change the table by hand"]
        );
        assert_eq!(
            said(&[], "redis-7.0.15"),
            ["PUT: the server does not have it; change the table by hand"]
        );
        assert_eq!(
            said(&[("PUT", entry(7, &["NX"]))], "redis-8.0.2"),
            ["PUT: the server has it, too"]
        );
        let strange = compare(
            &table(),
            &facts(&[("PUT", entry(7, &["NX"]))]),
            &origin("valkey-8.1.8"),
            false,
        );
        assert_eq!(strange, []);
    }

    #[test]
    fn valkey_is_held_against_what_is_its_own() {
        let mut put = entry(-2, &["NX", "XX"]);
        put["flags"] = json!(["write"]);
        let own = ("OWN", entry(1, &[]));
        assert_eq!(said(&[own.clone(), ("PUT", put.clone())], "valkey-9.1.2"), [""; 0]);
        put["since"] = json!("9.0.0");
        put["flags"] = json!(["fast"]);
        put["tips"] = json!(["a"]);
        assert_eq!(
            said(&[own, ("PUT", put)], "valkey-9.1.2"),
            [
                "PUT: `valkey_flags` is [\"fast\"], in the table [\"write\"]",
                "PUT: `valkey_tips` is [\"a\"], in the table []"
            ]
        );
    }

    #[test]
    fn what_is_taken_over_is_nothing_new_afterwards() {
        let mut put = entry(3, &["NX", "XX", "GT"]);
        put["flags"] = json!(["fast", "stale"]);
        let own = entry(2, &["MORE"]);
        let redis = facts(&[("NEW", entry(1, &[])), ("OWN", own), ("PUT", put.clone())]);
        let mut table = table();
        let newer = origin("redis-8.6.3");
        let differences = compare(&table, &redis, &newer, true);
        assert_eq!(merge(&mut table, &redis, &newer, &differences), differences.len());
        assert_eq!(compare(&table, &redis, &newer, true), []);
        assert_eq!(table["PUT"]["servers"], json!(["redis-7.0.15", "redis-8.6.3", "valkey-9.1.2"]));
        assert_eq!(table["PUT"]["described_by"], "redis-8.6.3");
        // Redis has the other family's command now, differently.
        assert_eq!(table["OWN"]["servers"], json!(["redis-8.6.3", "valkey-9.1.2"]));
        assert_eq!((&table["OWN"]["arity"], &table["OWN"]["valkey_arity"]), (&json!(2), &json!(1)));

        put["flags"] = json!(["fast", "stale"]);
        let valkey = facts(&[("OWN", entry(2, &["MORE"])), ("PUT", put)]);
        let its = origin("valkey-9.1.2");
        let differences = compare(&table, &valkey, &its, true);
        merge(&mut table, &valkey, &its, &differences);
        assert_eq!(compare(&table, &valkey, &its, true), []);
        // It no longer differs.
        assert_eq!(
            (table["PUT"].get("valkey_flags"), table["OWN"].get("valkey_arity")),
            (None, None)
        );
    }
}
