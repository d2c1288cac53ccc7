//! Which options of its grammar a command uses: words against the table's argument tree.
//!
//! Owns the matching. An option is an optional argument or a branch of a choice, named by its token, or
//! by its name where it has none.

use std::collections::{BTreeMap, BTreeSet};

use super::table::{Argument, Kind};

/// The options of a command, and since which version it has each (where the table says).
pub(crate) fn options(arguments: &[Argument]) -> BTreeMap<String, Option<String>> {
    let mut all = BTreeMap::new();
    collect(arguments, false, &mut all);
    all
}

fn collect(arguments: &[Argument], branches: bool, all: &mut BTreeMap<String, Option<String>>) {
    for argument in arguments {
        let choice = argument.kind == Kind::OneOf;
        if (argument.optional && !choice) || branches {
            all.insert(name(argument), argument.since.clone());
        }
        collect(&argument.children, choice, all);
    }
}

fn name(argument: &Argument) -> String {
    match argument.token.as_deref() {
        Some("") => "\"\"".to_owned(),
        Some(token) => token.to_owned(),
        None => argument.name.clone(),
    }
}

/// The options that these words use: none where they do not fit the grammar. Where they fit in several
/// ways, the one that uses most options.
pub(crate) fn used(arguments: &[Argument], words: &[String]) -> Option<BTreeSet<String>> {
    sequence(arguments, words, Ends::from([(0, Used::new())])).remove(&words.len())
}

type Used = BTreeSet<String>;
/// Where a match can end, and the options it used.
type Ends = BTreeMap<usize, Used>;

fn keep(ends: &mut Ends, at: usize, used: Used) {
    let best = ends.entry(at).or_default();
    if used.len() > best.len() {
        *best = used;
    }
}

fn sequence(arguments: &[Argument], words: &[String], from: Ends) -> Ends {
    arguments.iter().fold(from, |from, argument| {
        let mut ends = if argument.optional { from.clone() } else { Ends::new() };
        for (at, mut used) in self::argument(argument, words, from) {
            if argument.optional && argument.kind != Kind::OneOf {
                used.insert(name(argument));
            }
            keep(&mut ends, at, used);
        }
        ends
    })
}

/// The argument as often as it may be repeated, at least once.
fn argument(argument: &Argument, words: &[String], from: Ends) -> Ends {
    let with_token = |from: Ends| match &argument.token {
        Some(token) => word(token, words, from),
        None => from,
    };
    let mut ends = once(argument, words, with_token(from));
    let mut new = ends.clone();
    while argument.multiple && !new.is_empty() {
        let again = if argument.multiple_token { with_token(new) } else { new };
        new = once(argument, words, again);
        new.retain(|at, used| {
            let better = ends.get(at).is_none_or(|known| used.len() > known.len());
            if better {
                ends.insert(*at, used.clone());
            }
            better
        });
    }
    ends
}

fn word(token: &str, words: &[String], from: Ends) -> Ends {
    let fits = |at: &usize| words.get(*at).is_some_and(|word| word.eq_ignore_ascii_case(token));
    from.into_iter().filter(|(at, _)| fits(at)).map(|(at, used)| (at + 1, used)).collect()
}

fn once(argument: &Argument, words: &[String], from: Ends) -> Ends {
    let value = |fits: fn(&str) -> bool| {
        let fits = |at: &usize| words.get(*at).is_some_and(|word| fits(word));
        let from = from.iter().filter(|(at, _)| fits(at));
        from.map(|(at, used)| (at + 1, used.clone())).collect()
    };
    match argument.kind {
        Kind::Token => from,
        Kind::Key | Kind::String | Kind::Pattern => value(|_| true),
        Kind::Integer | Kind::UnixTime | Kind::Double => value(is_number),
        Kind::Block => sequence(&argument.children, words, from),
        Kind::OneOf => {
            let mut ends = Ends::new();
            // Of a word and a string, each of which fits, the word is meant.
            let (words_only, others): (Vec<_>, Vec<_>) =
                argument.children.iter().partition(|child| child.kind == Kind::Token);
            for child in words_only.into_iter().chain(others) {
                for (at, mut used) in self::argument(child, words, from.clone()) {
                    used.insert(name(child));
                    keep(&mut ends, at, used);
                }
            }
            ends
        }
    }
}

/// Whether this is what the table calls an integer or a double: numbers with decimals among the integers,
/// `(2.5` for an end of a range that is left out, `#1` for an offset in units, and digests in hexadecimal.
fn is_number(word: &str) -> bool {
    let digits = word.strip_prefix(['(', '#']).unwrap_or(word);
    let is_digest = word.len() == 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_digest || digits.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codegen::table::Table;

    fn arguments(text: &str) -> Vec<Argument> {
        let text =
            format!(r#"{{"PUT": {{"group": "string", "since": "1.0.0", "arguments": [{text}]}}}}"#);
        Table::parse(&text).unwrap().commands.remove(0).arguments
    }

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    const SCORES: &str = r#"
        {"name": "numkeys", "type": "integer"},
        {"name": "key", "type": "key", "flags": ["multiple"]},
        {"name": "weight", "type": "integer", "token": "WEIGHTS", "flags": ["optional", "multiple"]},
        {"name": "aggregate", "type": "oneof", "token": "AGGREGATE", "flags": ["optional"], "arguments": [
            {"name": "sum", "type": "pure-token", "token": "SUM"},
            {"name": "min", "type": "pure-token", "token": "MIN", "since": "6.2.0"}]}"#;

    #[test]
    fn optional_arguments_and_branches_of_choices_are_options() {
        let all = options(&arguments(SCORES));
        assert_eq!(all.keys().collect::<Vec<_>>(), ["MIN", "SUM", "WEIGHTS"]);
        assert_eq!(all["MIN"].as_deref(), Some("6.2.0"));
    }

    #[test]
    fn of_several_ways_the_one_with_most_options_counts() {
        let used = |text: &str| {
            let used = used(&arguments(SCORES), &words(text));
            used.map(|used| used.into_iter().collect::<Vec<_>>())
        };
        assert_eq!(used("2 a b"), Some(vec![]));
        assert_eq!(used("2 a b WEIGHTS 1 2"), Some(vec!["WEIGHTS".to_owned()]));
        assert_eq!(
            used("2 a b WEIGHTS 1 2 aggregate min"),
            Some(vec!["MIN".to_owned(), "WEIGHTS".to_owned()])
        );
        assert_eq!(used("x a"), None);
    }

    #[test]
    fn word_that_repeats_stands_before_each_value() {
        let arguments = arguments(
            r#"{"name": "pattern", "type": "pattern", "token": "GET",
                "flags": ["optional", "multiple", "multiple_token"]}"#,
        );
        assert!(used(&arguments, &words("GET a GET b")).is_some());
        assert!(used(&arguments, &words("GET a b")).is_none());
    }

    #[test]
    fn numbers_are_all_that_the_table_calls_so() {
        for number in ["-1", "0.5", "-inf", "(2", "(2.5", "#3", "87d57e269b9df0f0"] {
            assert!(is_number(number), "{number}");
        }
        for word in ["", "(", "MAX", "[a", "#a", "87d57e269b9df0fg"] {
            assert!(!is_number(word), "{word}");
        }
    }

    #[test]
    fn word_of_a_choice_counts_before_its_string() {
        let start = arguments(
            r#"{"name": "start", "type": "oneof", "arguments": [
                {"name": "id", "type": "string"},
                {"name": "new", "type": "pure-token", "token": "$"}]}"#,
        );
        assert_eq!(used(&start, &words("$")), Some(Used::from(["$".to_owned()])));
        assert_eq!(used(&start, &words("1-1")), Some(Used::from(["id".to_owned()])));
    }
}
