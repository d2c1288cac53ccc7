//! Writes `info.rs`: what the table says of every command.

use std::fmt::Write;

use super::overlay;
use super::table::{Begin, Command, Find, Keys, Table};

const FLAGS: &[&str] = &[
    "write",
    "readonly",
    "denyoom",
    "admin",
    "pubsub",
    "noscript",
    "blocking",
    "loading",
    "stale",
    "fast",
    "no_auth",
    "no_multi",
    "movablekeys",
    "no_mandatory_keys",
    "allow_busy",
    "no_async_loading",
    "skip_monitor",
    "skip_slowlog",
    "asking",
    "module",
];

/// The servers that the table was read from, as `Servers` has them.
pub(super) const SERIES: &[&str] =
    &["redis-6.2", "redis-7.0", "redis-8.0", "redis-8.6", "valkey-9.1"];

const KEY_FLAGS: &[&str] = &[
    "RO",
    "RW",
    "OW",
    "RM",
    "access",
    "update",
    "insert",
    "delete",
    "not_key",
    "incomplete",
    "variable_flags",
];

const HEADER: &str = "\
//! What the servers' command table says of every command.

use crate::command::{
    BeginSearch, CommandInfo, FindKeys, Flags, KeyFlags, KeySpec, RequestPolicy, ResponsePolicy,
    Servers,
};

const fn range(begin: u16, last: i16, step: u16, limit: u16, flags: KeyFlags) -> KeySpec {
    let find = FindKeys::Range { last, step, limit };
    KeySpec { begin: BeginSearch::Index(begin), find, flags }
}

const fn counted(begin: u16, at: u16, first: u16, step: u16, flags: KeyFlags) -> KeySpec {
    let find = FindKeys::KeyNum { at, first, step };
    KeySpec { begin: BeginSearch::Index(begin), find, flags }
}

const fn after(word: &'static str, from: i16, last: i16, step: u16, limit: u16, flags: KeyFlags) -> KeySpec {
    let find = FindKeys::Range { last, step, limit };
    KeySpec { begin: BeginSearch::Keyword { word, from }, find, flags }
}

const fn unknown(flags: KeyFlags) -> KeySpec {
    KeySpec { begin: BeginSearch::Unknown, find: FindKeys::Unknown, flags }
}

const fn keys(all: &[KeyFlags]) -> KeyFlags {
    match all {
        [] => KeyFlags::NONE,
        [first, rest @ ..] => first.union(keys(rest)),
    }
}

const fn flags(all: &[Flags]) -> Flags {
    match all {
        [] => Flags::NONE,
        [first, rest @ ..] => first.union(flags(rest)),
    }
}

const fn servers(all: &[Servers]) -> Servers {
    match all {
        [] => Servers::NONE,
        [first, rest @ ..] => first.union(servers(rest)),
    }
}
";

/// The file's text, before formatting.
pub(crate) fn write(table: &Table) -> Result<String, String> {
    let mut out = HEADER.to_owned();
    for command in &table.commands {
        out += &entry(command).map_err(|error| format!("{}: {error}", command.name))?;
    }
    out.push_str("\n/// Every command, in the order of the names' bytes.\npub(crate) static ALL: &[&CommandInfo] = &[\n");
    for command in &table.commands {
        let _ = writeln!(out, "&{},", constant(&command.name));
    }
    out.push_str("];\n");
    for name in overlay::stateful().iter().map(|(name, _)| name) {
        if table.find(name).is_none() {
            return Err(format!("the overlay calls `{name}` stateful, the table does not have it"));
        }
    }
    Ok(out)
}

/// `CLIENT NO-EVICT` as `CLIENT_NO_EVICT`.
pub(crate) fn constant(name: &str) -> String {
    name.replace([' ', '-'], "_").to_ascii_uppercase()
}

/// One command's facts.
pub(crate) fn entry(command: &Command) -> Result<String, String> {
    let words: Vec<_> = command.name.split(' ').collect();
    let head: String =
        words.iter().map(|word| format!("${}\\r\\n{word}\\r\\n", word.len())).collect();
    let flags = constants("Flags", FLAGS, &command.flags)?;
    let keys = command.keys.iter().map(key_spec).collect::<Result<Vec<_>, _>>()?;
    let servers =
        command.servers.iter().map(|server| self::server(server)).collect::<Result<Vec<_>, _>>()?;
    let instead = overlay::stateful().iter().find(|(name, _)| *name == command.name);
    Ok(format!(
        "
/// `{name}`
pub(crate) static {constant}: CommandInfo = CommandInfo {{
    name: {name:?},
    head: b\"{head}\",
    words: {words},
    flags: {flags},
    keys: &[{keys}],
    request_policy: RequestPolicy::{request},
    response_policy: ResponsePolicy::{response},
    since: {since:?},
    servers: {servers},
    instead: {instead:?},
}};
",
        name = command.name,
        constant = constant(&command.name),
        words = words.len(),
        flags = set("Flags", "flags", &flags),
        keys = keys.join(", "),
        request = policy(command, "request_policy:"),
        response = policy(command, "response_policy:"),
        since = command.since,
        servers = set("Servers", "servers", &servers),
        instead = instead.map(|(_, instead)| instead),
    ))
}

fn set(ty: &str, function: &str, all: &[String]) -> String {
    match all {
        [] => format!("{ty}::NONE"),
        [one] => one.clone(),
        _ => format!("{function}(&[{}])", all.join(", ")),
    }
}

/// The constants of the flags, in the order of all that are known.
fn constants(ty: &str, known: &[&str], flags: &[String]) -> Result<Vec<String>, String> {
    if let Some(flag) = flags.iter().find(|flag| !known.contains(&flag.as_str())) {
        return Err(format!("the flag `{flag}` is new: teach it to the generator"));
    }
    let own = known.iter().filter(|known| flags.iter().any(|flag| flag == *known));
    Ok(own.map(|flag| format!("{ty}::{}", flag.to_ascii_uppercase())).collect())
}

fn key_spec(keys: &Keys) -> Result<String, String> {
    let flags = set("KeyFlags", "keys", &constants("KeyFlags", KEY_FLAGS, &keys.flags)?);
    Ok(match (&keys.begin, &keys.find) {
        (Begin::Index(begin), Find::Range { last, step, limit }) => {
            format!("range({begin}, {last}, {step}, {limit}, {flags})")
        }
        (Begin::Index(begin), Find::KeyNum { at, first, step }) => {
            format!("counted({begin}, {at}, {first}, {step}, {flags})")
        }
        (Begin::Keyword { word, from }, Find::Range { last, step, limit }) => {
            format!("after({word:?}, {from}, {last}, {step}, {limit}, {flags})")
        }
        (Begin::Unknown, _) | (_, Find::Unknown) => format!("unknown({flags})"),
        (Begin::Keyword { word, .. }, Find::KeyNum { .. }) => {
            return Err(format!(
                "a number of keys behind `{word}` is new: teach it to the generator"
            ));
        }
    })
}

fn server(name: &str) -> Result<String, String> {
    let (family, version) =
        name.split_once('-').ok_or_else(|| format!("`{name}` names no server"))?;
    let mut parts = version.split('.');
    let (major, minor) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if !SERIES.contains(&format!("{family}-{major}.{minor}").as_str()) {
        return Err(format!(
            "the server `{name}` is new: teach it to the generator and to `Servers`"
        ));
    }
    Ok(format!("Servers::{}_{major}_{minor}", family.to_ascii_uppercase()))
}

/// `response_policy:agg_sum` as `AggSum`.
fn policy(command: &Command, prefix: &str) -> String {
    let tip = command.tips.iter().find_map(|tip| tip.strip_prefix(prefix)).unwrap_or("default");
    super::pascal(tip)
}
