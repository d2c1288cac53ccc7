//! The command table as the servers printed it, read into types.
//!
//! Owns the file's format. Knows nothing of Rust or of what is generated.

use serde_json::Value;

/// All commands by name, in the order of the names' bytes.
pub(crate) struct Table {
    pub(crate) commands: Vec<Command>,
}

/// One command or subcommand.
pub(crate) struct Command {
    pub(crate) name: String,
    pub(crate) group: String,
    pub(crate) since: String,
    pub(crate) deprecated_since: Option<String>,
    pub(crate) flags: Vec<String>,
    pub(crate) tips: Vec<String>,
    pub(crate) servers: Vec<String>,
    /// What the servers say it costs: `O(N)`.
    pub(crate) complexity: Vec<String>,
    pub(crate) keys: Vec<Keys>,
    pub(crate) arguments: Vec<Argument>,
    /// What Valkey has, where that differs.
    pub(crate) valkey_arguments: Vec<Argument>,
}

/// One rule that says which arguments are keys.
pub(crate) struct Keys {
    pub(crate) begin: Begin,
    pub(crate) find: Find,
    pub(crate) flags: Vec<String>,
}

pub(crate) enum Begin {
    Index(i64),
    Keyword { word: String, from: i64 },
    Unknown,
}

pub(crate) enum Find {
    Range { last: i64, step: i64, limit: i64 },
    KeyNum { at: i64, first: i64, step: i64 },
    Unknown,
}

/// One node of a command's argument tree.
#[derive(Clone, Debug)]
pub(crate) struct Argument {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) token: Option<String>,
    pub(crate) since: Option<String>,
    pub(crate) optional: bool,
    pub(crate) multiple: bool,
    pub(crate) multiple_token: bool,
    pub(crate) children: Vec<Argument>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Key,
    String,
    Integer,
    Double,
    Pattern,
    UnixTime,
    Token,
    OneOf,
    Block,
}

impl Table {
    /// Reads the table from its JSON text.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let value: Value =
            serde_json::from_str(text).map_err(|error| format!("the table: {error}"))?;
        let map = value.as_object().ok_or("the table is not a JSON object")?;
        let mut commands = map
            .iter()
            .map(|(name, value)| command(name, value).map_err(|error| format!("{name}: {error}")))
            .collect::<Result<Vec<_>, _>>()?;
        commands.sort_by(|a, b| a.name.as_bytes().cmp(b.name.as_bytes()));
        Ok(Self { commands })
    }

    /// The command of that name.
    pub(crate) fn find(&self, name: &str) -> Option<&Command> {
        self.commands.iter().find(|command| command.name == name)
    }
}

impl Command {
    /// Whether servers of a series have it: `redis-6.2`.
    pub(crate) fn is_in(&self, series: &str) -> bool {
        let listed = |series: &str| self.servers.iter().any(|server| of_series(server, series));
        // That one tells of no subcommands; those of its time are in the next one, which does.
        let untold = series == "redis-6.2" && self.name.contains(' ');
        listed(series) || untold && listed("redis-7.0") && version(&self.since) <= Some((6, 2))
    }
}

/// Whether `redis-6.2.5` is of the series `redis-6.2`.
fn of_series(server: &str, series: &str) -> bool {
    server.strip_prefix(series).is_some_and(|patch| patch.starts_with('.'))
}

/// The first two numbers of a version.
pub(crate) fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.').map_while(|part| part.parse().ok());
    Some((parts.next()?, parts.next()?))
}

impl Keys {
    /// Whether what it finds decides the slot, but is no key: shard channels.
    pub(crate) fn finds_no_key(&self) -> bool {
        self.flags.iter().any(|flag| flag == "not_key")
    }
}

impl Argument {
    /// `key`, `[NX | XX]`, `field value [field value ...]`: the argument as the servers document it.
    pub(crate) fn syntax(&self) -> String {
        let mut text = match self.kind {
            Kind::Token => String::new(),
            Kind::OneOf => {
                let all: Vec<_> = self.children.iter().map(Self::syntax).collect();
                if self.optional && !self.multiple && self.token.is_none() {
                    all.join(" | ")
                } else {
                    format!("<{}>", all.join(" | "))
                }
            }
            Kind::Block => syntax(&self.children),
            _ => self.name.clone(),
        };
        let repeated = if self.multiple_token { self.with_token(&text) } else { text.clone() };
        if self.multiple {
            // A long group is not worth reading twice.
            let more = if text.len() > 60 { "..." } else { &format!("[{repeated} ...]") };
            text = format!("{text} {more}");
        }
        text = self.with_token(&text);
        if self.optional { format!("[{text}]") } else { text }
    }

    fn with_token(&self, text: &str) -> String {
        match self.token.as_deref() {
            Some("") => "\"\"".to_owned(),
            Some(token) if text.is_empty() => token.to_owned(),
            Some(token) => format!("{token} {text}"),
            None => text.to_owned(),
        }
    }
}

/// `ours`, and the options that only `valkey` has, behind those of ours that they follow there.
pub(crate) fn merged(ours: &[Argument], valkey: &[Argument]) -> Vec<Argument> {
    let mut all = ours.to_vec();
    let mut at = 0;
    for theirs in valkey {
        let same = |own: &Argument| {
            if theirs.token.is_some() {
                own.token == theirs.token
            } else {
                own.name == theirs.name && own.kind == theirs.kind || share_words(own, theirs)
            }
        };
        if let Some(found) = all.iter().position(same) {
            all[found].children = merged(&all[found].children, &theirs.children);
            all[found].multiple |= theirs.multiple;
            at = found + 1;
        } else if theirs.optional || theirs.kind == Kind::Token {
            let mut new = theirs.clone();
            new.since = new.since.map(|since| format!("Valkey {since}"));
            all.insert(at, new);
            at += 1;
        }
    }
    all
}

/// Whether both are choices and have a word in common.
fn share_words(own: &Argument, theirs: &Argument) -> bool {
    let has = |token: &Option<String>| {
        token.is_some() && own.children.iter().any(|child| child.token == *token)
    };
    own.kind == Kind::OneOf
        && theirs.kind == Kind::OneOf
        && theirs.children.iter().any(|child| has(&child.token))
}

/// The arguments as the servers document them.
pub(crate) fn syntax(arguments: &[Argument]) -> String {
    let all: Vec<_> = arguments.iter().map(Argument::syntax).collect();
    all.join(" ")
}

fn command(name: &str, value: &Value) -> Result<Command, String> {
    Ok(Command {
        name: name.to_owned(),
        group: string(value, "group")?,
        since: string(value, "since")?,
        deprecated_since: optional_string(value, "deprecated_since"),
        flags: strings(value, "flags"),
        tips: strings(value, "tips"),
        servers: strings(value, "servers"),
        complexity: strings(value, "complexity"),
        keys: array(value, "key_specs").iter().map(keys).collect::<Result<_, _>>()?,
        arguments: array(value, "arguments").iter().map(argument).collect::<Result<_, _>>()?,
        valkey_arguments: array(value, "valkey_arguments")
            .iter()
            .map(argument)
            .collect::<Result<_, _>>()?,
    })
}

fn keys(value: &Value) -> Result<Keys, String> {
    let (begin, at) = (&value["begin_search"]["type"], &value["begin_search"]["spec"]);
    let begin = match begin.as_str() {
        Some("index") => Begin::Index(integer(at, "index")?),
        Some("keyword") => {
            Begin::Keyword { word: string(at, "keyword")?, from: integer(at, "startfrom")? }
        }
        Some("unknown") => Begin::Unknown,
        _ => return Err(format!("the key spec begins with an unknown {begin}")),
    };
    let (find, how) = (&value["find_keys"]["type"], &value["find_keys"]["spec"]);
    let find = match find.as_str() {
        Some("range") => Find::Range {
            last: integer(how, "lastkey")?,
            step: integer(how, "keystep")?,
            limit: integer(how, "limit")?,
        },
        Some("keynum") => Find::KeyNum {
            at: integer(how, "keynumidx")?,
            first: integer(how, "firstkey")?,
            step: integer(how, "keystep")?,
        },
        Some("unknown") => Find::Unknown,
        _ => return Err(format!("the key spec finds by an unknown {find}")),
    };
    Ok(Keys { begin, find, flags: strings(value, "flags") })
}

fn argument(value: &Value) -> Result<Argument, String> {
    let name = string(value, "name")?;
    let kind = match string(value, "type")?.as_str() {
        "key" => Kind::Key,
        "string" => Kind::String,
        "integer" => Kind::Integer,
        "double" => Kind::Double,
        "pattern" => Kind::Pattern,
        "unix-time" => Kind::UnixTime,
        "pure-token" => Kind::Token,
        "oneof" => Kind::OneOf,
        "block" => Kind::Block,
        other => {
            return Err(format!("the argument `{name}` has an unknown type `{other}`"));
        }
    };
    let flags = strings(value, "flags");
    let has = |flag: &str| flags.iter().any(|f| f == flag);
    Ok(Argument {
        kind,
        token: optional_string(value, "token"),
        since: optional_string(value, "since"),
        optional: has("optional"),
        multiple: has("multiple"),
        multiple_token: has("multiple_token"),
        children: array(value, "arguments").iter().map(argument).collect::<Result<_, _>>()?,
        name,
    })
}

fn array<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}

fn strings(value: &Value, field: &str) -> Vec<String> {
    array(value, field).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn optional_string(value: &Value, field: &str) -> Option<String> {
    value[field].as_str().map(str::to_owned)
}

fn string(value: &Value, field: &str) -> Result<String, String> {
    optional_string(value, field).ok_or_else(|| format!("`{field}` is not a string"))
}

fn integer(value: &Value, field: &str) -> Result<i64, String> {
    value[field].as_i64().ok_or_else(|| format!("`{field}` is not an integer"))
}
