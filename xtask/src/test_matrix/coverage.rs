//! How many of the builders, and of their options, the scenarios have sent to a server.
//!
//! Counts what the servers at hand can have: the table says which of them knows a command, and since
//! when it has an option.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::report::{Ran, Verdict};
use crate::{
    Result,
    codegen::{
        self,
        grammar::{options, used},
        table::{Argument, Command},
    },
};

/// What was counted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Coverage {
    builders: Share,
    options: Share,
    /// Builders and options that no scenario has sent.
    pub(super) missing: Vec<String>,
    /// Commands that were sent and do not fit the table's grammar.
    pub(super) misfits: Vec<String>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Share {
    exercised: usize,
    all: usize,
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { builders, options, .. } = self;
        write!(
            f,
            "coverage: {} of {} commands with a builder exercised, {} of {} options",
            builders.exercised, builders.all, options.exercised, options.all
        )
    }
}

/// Counts what the scenarios that passed have sent.
pub(super) fn of(all: &[Ran]) -> Result<Coverage> {
    let servers: BTreeSet<_> = all.iter().map(|ran| ran.combination.server.as_str()).collect();
    let passed = all.iter().flat_map(|ran| &ran.scenarios);
    let passed = passed.filter(|scenario| scenario.verdict == Verdict::Passed);
    let sent: BTreeSet<_> = passed.flat_map(|scenario| &scenario.commands).collect();
    let table = codegen::read_table()?;
    let built = codegen::built();
    let commands = table.commands.iter().filter(|command| built.contains(command.name.as_str()));
    Ok(count(commands, &servers, &sent))
}

fn count<'a>(
    commands: impl Iterator<Item = &'a Command>,
    servers: &BTreeSet<&str>,
    sent: &BTreeSet<&Vec<String>>,
) -> Coverage {
    let mut coverage = Coverage::default();
    let mut calls: BTreeMap<&str, Vec<&[String]>> = BTreeMap::new();
    for words in sent {
        if let Some((name, words)) = words.split_first() {
            calls.entry(name).or_default().push(words);
        }
    }
    for command in commands {
        let Some(possible) = possible(command, servers) else { continue };
        let calls = calls.get(command.name.as_str()).map(Vec::as_slice).unwrap_or_default();
        coverage.builders.all += 1;
        match calls {
            [] => coverage.missing.push(command.name.clone()),
            _ => coverage.builders.exercised += 1,
        }
        let mut done = BTreeSet::new();
        for words in calls {
            let words = &as_described(&command.name, words);
            let trees = [&command.arguments, &command.valkey_arguments];
            let fits: Vec<_> = trees.iter().filter_map(|tree| used(tree, words)).collect();
            if fits.is_empty() {
                coverage.misfits.push(format!("{} {}", command.name, words.join(" ")));
            }
            done.extend(fits.into_iter().flatten());
        }
        coverage.options.all += possible.len();
        coverage.options.exercised += possible.intersection(&done).count();
        let left = possible.difference(&done);
        coverage.missing.extend(left.map(|option| format!("{} {option}", command.name)));
    }
    coverage
}

/// The words as the table knows them: it takes a vector, sent as a number of numbers, for one word.
fn as_described(command: &str, words: &[String]) -> Vec<String> {
    let mut words = words.to_vec();
    let vector = words.iter().position(|word| word == "VALUES").map(|at| at + 1);
    if let Some(at) = vector.filter(|_| ["VADD", "VSIM"].contains(&command))
        && let Some(Ok(count)) = words.get(at).map(|count| count.parse::<usize>())
    {
        words.drain(at..words.len().min(at + count));
    }
    words
}

/// The options that some of these servers have; none where no server has the command.
fn possible(command: &Command, servers: &BTreeSet<&str>) -> Option<BTreeSet<String>> {
    let known = command.servers.iter().filter_map(|known| known.split_once('-'));
    let having: Vec<_> = servers
        .iter()
        .filter_map(|server| server.split_once(' '))
        .filter(|(name, version)| {
            known.clone().any(|(of, at)| of == *name && minor(at) == minor(version))
        })
        .collect();
    if having.is_empty() {
        return None;
    }
    let mut possible = BTreeSet::new();
    for (name, version) in having {
        let tree: &[Argument] = match &command.valkey_arguments {
            own if name == "valkey" && !own.is_empty() => own,
            _ => &command.arguments,
        };
        let has = |since: &Option<String>| {
            since.as_deref().is_none_or(|since| minor(since) <= minor(version))
        };
        possible.extend(options(tree).into_iter().filter(|(_, since)| has(since)).map(|(o, _)| o));
    }
    Some(possible)
}

fn minor(version: &str) -> (u32, u32) {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codegen::table::Table;

    fn table() -> Table {
        let text = r#"{
            "GET": {"group": "string", "since": "1.0.0", "servers": ["redis-7.0.15", "valkey-9.1.2"],
                "arguments": [{"name": "key", "type": "key"}]},
            "NEW": {"group": "string", "since": "8.6.0", "servers": ["redis-8.6.2"]},
            "PUT": {"group": "string", "since": "1.0.0", "servers": ["redis-7.0.15", "valkey-9.1.2"],
                "arguments": [{"name": "key", "type": "key"},
                    {"name": "nx", "type": "pure-token", "token": "NX", "flags": ["optional"]},
                    {"name": "gt", "type": "pure-token", "token": "GT", "flags": ["optional"], "since": "8.0.0"}]}}"#;
        Table::parse(text).unwrap()
    }

    fn counted(servers: &[&str], sent: &[&str]) -> Coverage {
        let sent: Vec<Vec<String>> =
            sent.iter().map(|line| line.split(' ').map(str::to_owned).collect()).collect();
        let servers = servers.iter().copied().collect();
        count(table().commands.iter(), &servers, &sent.iter().collect())
    }

    #[test]
    fn only_what_a_server_at_hand_has_is_counted() {
        let seven = counted(&["redis 7.0.15"], &["GET a", "PUT a NX"]);
        assert_eq!(seven.missing, Vec::<String>::new());
        assert_eq!(
            seven.to_string(),
            "coverage: 2 of 2 commands with a builder exercised, 1 of 1 options"
        );
        let nine = counted(&["redis 7.0.15", "valkey 9.1.2"], &["GET a", "PUT a NX"]);
        assert_eq!(nine.missing, ["PUT GT"]);
    }

    #[test]
    fn vectors_are_one_word_to_the_table() {
        let described = |command: &str, line: &str| {
            let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
            as_described(command, &words).join(" ")
        };
        assert_eq!(described("VADD", "k VALUES 2 0 1 e CAS"), "k VALUES 1 e CAS");
        assert_eq!(described("VSIM", "k VALUES 1 0"), "k VALUES 0");
        assert_eq!(described("VSIM", "k VALUES 9 0"), "k VALUES");
        assert_eq!(described("SET", "k VALUES 2 0 1"), "k VALUES 2 0 1");
    }

    #[test]
    fn what_was_not_sent_or_does_not_fit_is_named() {
        let counted = counted(&["redis 7.0.15"], &["PUT a XX"]);
        assert_eq!(counted.missing, ["GET", "PUT NX"]);
        assert_eq!(counted.misfits, ["PUT a XX"]);
    }
}
