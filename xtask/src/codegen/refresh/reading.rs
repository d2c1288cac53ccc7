//! The replies of `COMMAND` and `COMMAND DOCS` as the table's facts.
//!
//! Owns the connection, the replies' shapes, and what is prose and left out. Knows nothing of the table's
//! present content.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use resp_proto::{FrameReader, Limits, RequestEncoder, Scanner, Token};
use serde_json::{Map, Value, json};

use super::Facts;

/// A reply that takes longer is not coming.
const LIMIT: Duration = Duration::from_secs(10);

/// What `COMMAND DOCS` tells in words, and what the table has no use for.
const PROSE: &[&str] = &["summary", "history", "subcommands", "module"];

/// The same of an argument.
const PROSE_OF_ARGUMENTS: &[&str] = &["summary", "display_text"];

/// Names in `COMMAND` that are no commands, and why; or that the table does without.
const LEFT_OUT: &[(&str, &str)] = &[
    ("HOST:", "catches browsers that are made to speak to a server"),
    ("POST", "catches browsers that are made to speak to a server"),
    ("STRALGO", "Redis 7.0 took it away again, and has `LCS` instead"),
];

/// What the server tells of its commands.
pub(super) fn told(address: SocketAddr) -> crate::Result<Facts> {
    let commands = ask(address, &["COMMAND"])?;
    let docs = match ask(address, &["COMMAND", "DOCS"]) {
        Ok(docs) => docs,
        // Redis 6.2 has none.
        Err(_) => Value::Null,
    };
    Ok(facts(&commands, &docs))
}

/// The replies as facts.
pub(super) fn facts(commands: &Value, docs: &Value) -> Facts {
    let mut all = Facts::new();
    let mut documented = Map::new();
    collect_docs(docs, &mut documented);
    list(commands).iter().for_each(|command| add(command, &documented, &mut all));
    all
}

/// The documentation of each command and subcommand by its name.
fn collect_docs(docs: &Value, all: &mut Map<String, Value>) {
    for (name, of) in pairs(docs) {
        let of = pairs(of).map(|(field, value)| (field.to_owned(), value.clone()));
        let of: Map<_, _> = of.collect();
        if let Some(subcommands) = of.get("subcommands") {
            collect_docs(subcommands, all);
        }
        all.insert(name.to_owned(), Value::Object(of));
    }
}

fn add(command: &Value, docs: &Map<String, Value>, all: &mut Facts) {
    let at = |at: usize| command.get(at).unwrap_or(&Value::Null);
    let Some(own_name) = at(0).as_str() else { return };
    let name = own_name.replace('|', " ").to_ascii_uppercase();
    if LEFT_OUT.iter().any(|(left_out, _)| *left_out == name) {
        return;
    }
    let categories: Vec<_> = list(at(6))
        .iter()
        .filter_map(Value::as_str)
        .map(|name| name.trim_start_matches('@'))
        .collect();
    let mut facts = Map::new();
    for (field, value) in [
        ("arity", at(1).clone()),
        ("flags", at(2).clone()),
        ("first_key", at(3).clone()),
        ("last_key", at(4).clone()),
        ("step", at(5).clone()),
        ("acl_categories", json!(categories)),
    ] {
        facts.insert(field.to_owned(), value);
    }
    // Since 7.0.
    if let Value::Array(specs) = at(8) {
        facts.insert("tips".to_owned(), at(7).clone());
        facts.insert("key_specs".to_owned(), specs.iter().map(key_spec).collect());
    }
    for (field, value) in docs.get(own_name).and_then(Value::as_object).into_iter().flatten() {
        let value = match field.as_str() {
            prose if PROSE.contains(&prose) => continue,
            "arguments" => list(value).iter().map(argument).collect(),
            "complexity" => match classes(value.as_str().unwrap_or_default()) {
                none if none.is_empty() => continue,
                classes => json!(classes),
            },
            _ => value.clone(),
        };
        facts.insert(field.clone(), value);
    }
    all.insert(name, Value::Object(facts));
    list(at(9)).iter().for_each(|subcommand| add(subcommand, docs, all));
}

/// The classes that a text on complexity names, each once: `O(N)`, `O(N)+O(log(M))`. The words around them stay
/// the server's.
fn classes(text: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut rest = text;
    let mut is_sum = false;
    while let Some(start) = rest.find("O(") {
        is_sum &= start == 0;
        let is_word = rest[..start].ends_with(|c: char| c.is_alphanumeric());
        rest = &rest[start..];
        let mut depth = 0;
        let end = rest.find(|c| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            c == ')' && depth == 0
        });
        let Some(end) = end else { break };
        let (class, behind) = rest.split_at(end + 1);
        match all.last_mut() {
            _ if is_word => {}
            Some(sum) if is_sum => *sum += &format!("+{class}"),
            _ => all.push(class.to_owned()),
        }
        let added = behind.trim_start().strip_prefix('+').map(str::trim_start);
        is_sum = added.is_some() && !is_word;
        rest = added.unwrap_or(behind);
    }
    let mut known = BTreeSet::new();
    all.retain(|class| known.insert(class.clone()));
    all
}

fn key_spec(spec: &Value) -> Value {
    object(spec, |field, value| match field {
        "begin_search" | "find_keys" => Some(object(value, |field, value| match field {
            "spec" => Some(object(value, |_, value| Some(value.clone()))),
            _ => Some(value.clone()),
        })),
        // Why a rule is as it is, in words.
        "notes" => None,
        _ => Some(value.clone()),
    })
}

fn argument(of: &Value) -> Value {
    object(of, |field, value| match field {
        prose if PROSE_OF_ARGUMENTS.contains(&prose) => None,
        "arguments" => Some(list(value).iter().map(argument).collect()),
        _ => Some(value.clone()),
    })
}

/// A flat list of names and values as an object, each value as `change` makes it.
fn object(flat: &Value, change: impl Fn(&str, &Value) -> Option<Value>) -> Value {
    let fields =
        pairs(flat).filter_map(|(name, value)| Some((name.to_owned(), change(name, value)?)));
    Value::Object(fields.collect())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn pairs(flat: &Value) -> impl Iterator<Item = (&str, &Value)> {
    list(flat).chunks_exact(2).filter_map(|pair| Some((pair[0].as_str()?, &pair[1])))
}

/// Sends one command on a connection of its own and reads its reply.
fn ask(address: SocketAddr, words: &[&str]) -> crate::Result<Value> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LIMIT))?;
    let mut request = Vec::new();
    let mut encoder = RequestEncoder::new(&mut request);
    encoder.command(words.len());
    for word in words {
        encoder.arg(word.as_bytes());
    }
    encoder.finish();
    stream.write_all(&request)?;
    let (mut scanner, mut received) = (Scanner::new(Limits::default()), Vec::new());
    let mut buffer = [0; 64 * 1024];
    loop {
        if let Some(len) = scanner.scan(&received)? {
            return value(&mut FrameReader::new(&received[..len]));
        }
        match stream.read(&mut buffer)? {
            0 => return Err(format!("the server left at `{}`", words.join(" ")).into()),
            len => received.extend_from_slice(&buffer[..len]),
        }
    }
}

/// The next value of a RESP2 reply; text that is not UTF-8 is none of a name or word.
fn value(reader: &mut FrameReader<'_>) -> crate::Result<Value> {
    let text = |text: &[u8]| Value::from(String::from_utf8_lossy(text));
    Ok(match reader.next_data()?.ok_or("the reply is cut off")? {
        Token::Null => Value::Null,
        Token::Integer(number) => Value::from(number),
        Token::SimpleString(of) | Token::BulkString(of) => text(of),
        Token::SimpleError(of) => return Err(String::from_utf8_lossy(of).into()),
        Token::Array(Some(len)) => (0..len).map(|_| value(reader)).collect::<crate::Result<_>>()?,
        other => return Err(format!("{other:?} is not of RESP2").into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_become_facts_without_prose() {
        // As Redis 8.6 replies, shortened.
        let commands = json!([
            [
                "get",
                2,
                ["readonly", "fast"],
                1,
                1,
                1,
                ["@read"],
                [],
                [[
                    "notes",
                    "words",
                    "flags",
                    ["RO", "access"],
                    "begin_search",
                    ["type", "index", "spec", ["index", 1]],
                    "find_keys",
                    ["type", "range", "spec", ["lastkey", 0, "keystep", 1, "limit", 0]]
                ]],
                []
            ],
            [
                "object",
                -2,
                [],
                0,
                0,
                0,
                ["@slow"],
                [],
                [],
                [[
                    "object|freq",
                    3,
                    ["readonly"],
                    2,
                    2,
                    1,
                    [],
                    ["nondeterministic_output"],
                    [],
                    []
                ]]
            ],
            ["host:", -1, ["readonly"], 0, 0, 0, [], [], [], []]
        ]);
        let docs = json!([
            "get",
            [
                "summary",
                "words",
                "since",
                "1.0.0",
                "group",
                "string",
                "complexity",
                "O(1) for one, O(log(N)+M) for more, O(1) NO(1) O(",
                "arguments",
                [
                    ["name", "key", "type", "key", "display_text", "key", "key_spec_index", 0],
                    [
                        "name",
                        "o",
                        "type",
                        "oneof",
                        "arguments",
                        [["name", "x", "type", "string", "summary", "w"]]
                    ]
                ]
            ],
            "object",
            [
                "summary",
                "words",
                "since",
                "2.2.3",
                "group",
                "generic",
                "complexity",
                "Depends on the subcommand.",
                "subcommands",
                ["object|freq", ["since", "4.0.0", "group", "generic"]]
            ]
        ]);
        let facts = facts(&commands, &docs);
        assert_eq!(facts.keys().collect::<Vec<_>>(), ["GET", "OBJECT", "OBJECT FREQ"]);
        let get = json!({
            "acl_categories": ["read"], "arity": 2, "first_key": 1, "flags": ["readonly", "fast"],
            "group": "string", "last_key": 1, "since": "1.0.0", "step": 1, "tips": [],
            "complexity": ["O(1)", "O(log(N)+M)"],
            "arguments": [{"name": "key", "type": "key", "key_spec_index": 0},
                {"name": "o", "type": "oneof", "arguments": [{"name": "x", "type": "string"}]}],
            "key_specs": [{"flags": ["RO", "access"],
                "begin_search": {"type": "index", "spec": {"index": 1}},
                "find_keys": {"type": "range", "spec": {"lastkey": 0, "keystep": 1, "limit": 0}}}]
        });
        assert_eq!(facts["GET"], get);
        assert_eq!(facts["OBJECT FREQ"]["since"], "4.0.0");
        assert_eq!(facts["OBJECT"].get("complexity"), None);
    }

    #[test]
    fn classes_are_taken_out_of_the_words_around_them() {
        assert_eq!(
            classes("O(1) for one, O(N log(N)) for more, O(1) NO(1) O("),
            ["O(1)", "O(N log(N))"]
        );
        assert_eq!(
            classes("O(N*K)+O(M) worst case, and O(1) + O(N)"),
            ["O(N*K)+O(M)", "O(1)+O(N)"]
        );
        assert_eq!(classes("Depends on the script."), [""; 0]);
    }

    #[test]
    fn servers_without_documentation_tell_less() {
        let facts = facts(&json!([["get", 2, ["readonly"], 1, 1, 1, ["@read"]]]), &Value::Null);
        assert_eq!(facts["GET"]["arity"], 2);
        assert_eq!(
            (&facts["GET"]["key_specs"], &facts["GET"]["since"]),
            (&Value::Null, &Value::Null)
        );
    }
}
