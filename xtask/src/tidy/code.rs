//! What no code may hold outside of tests, and how a source file is kept.

use std::collections::BTreeSet;

use super::{
    Files, Finding,
    source::{Kind, Source, Token, attribute, rust, test_files},
};

const MOST_LINES: usize = 900;

pub(super) fn check(files: &Files) -> Vec<Finding> {
    let tests = test_files(files);
    let mut findings = Vec::new();
    for (path, text) in rust(files) {
        let source = Source::new(text);
        if !tests.contains(path) {
            words(path, &source.shipped(), &mut findings);
        }
        allowances(path, &source, &mut findings);
        let lines = text.lines().count();
        if lines > MOST_LINES && !path.split('/').any(|part| part == "generated") {
            let what = format!("{lines} lines, split the file by idea (at most {MOST_LINES})");
            findings.push(Finding::new(path, lines, what));
        }
        let is_root = path.ends_with("src/lib.rs") || path.ends_with("src/main.rs");
        if is_root && !text.starts_with("//!") {
            let what = "no `//!` on the first line, say what the crate owns and must not know";
            findings.push(Finding::new(path, 1, what));
        }
    }
    findings
}

fn words(path: &str, shipped: &[Token<'_>], findings: &mut Vec<Finding>) {
    for (at, token) in shipped.iter().enumerate() {
        let Kind::Word(word) = token.kind else {
            continue;
        };
        let behind = |ahead: usize, mark| shipped.get(at + ahead).is_some_and(|t| t.is_mark(mark));
        let what = match word {
            "unwrap" if at > 0 && shipped[at - 1].is_mark('.') && behind(1, '(') => {
                "`unwrap()` outside of tests, return an error or state the invariant in an `expect`"
            }
            "todo" | "unimplemented" if behind(1, '!') => "unfinished code, finish or remove it",
            "dbg" if behind(1, '!') => "`dbg!`, remove it",
            "unsafe" => "`unsafe` is forbidden here, find a safe way",
            _ => continue,
        };
        findings.push(Finding::new(path, token.line, what));
    }
}

/// A lint is only allowed with its reason, in the attribute or in a comment at it.
fn allowances(path: &str, source: &Source<'_>, findings: &mut Vec<Finding>) {
    for at in 0..source.tokens.len() {
        let Some(attribute) = attribute(&source.tokens, at) else {
            continue;
        };
        let inside = &source.tokens[at..attribute.end];
        let name = inside.iter().find(|token| matches!(token.kind, Kind::Word(_)));
        if !name.is_some_and(|token| token.is_word("allow")) {
            continue;
        }
        let line = inside[0].line;
        let lines = BTreeSet::from([line - 1, line]);
        let says = inside.iter().any(|token| token.is_word("reason"))
            || !source.commented.is_disjoint(&lines);
        if !says {
            let what = "a lint is allowed without a reason, add `reason = \"..\"` to it";
            findings.push(Finding::new(path, line, what));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_text(text: &str) -> Vec<Finding> {
        check(&Files::from([("crates/a/src/b.rs", text)]))
    }

    fn trips(text: &str, what: &str) {
        let findings = check_text(text);
        assert!(findings.len() == 1 && findings[0].text.contains(what), "{text}: {findings:?}");
    }

    #[test]
    fn words_outside_of_tests_trip() {
        trips("fn f() { x.unwrap(); }", "unwrap");
        trips("fn f() { x\n    .unwrap () }", "unwrap");
        trips("fn f() { todo!() }", "unfinished");
        trips("fn f() { unimplemented!(\"x\") }", "unfinished");
        trips("fn f() { dbg!(x); }", "dbg!");
        trips("fn f() { unsafe { x } }", "unsafe");
    }

    #[test]
    fn words_in_tests_comments_and_longer_words_do_not() {
        assert_eq!(check_text("#[cfg(test)] mod tests { fn f() { x.unwrap() } }"), []);
        assert_eq!(check_text("// x.unwrap() todo!()\nfn f() { g(\"unsafe\") }"), []);
        assert_eq!(check_text("#![forbid(unsafe_code)] fn f() { x.unwrap_or(todo) }"), []);
        assert_eq!(check(&Files::from([("crates/a/tests/b.rs", "fn f() { x.unwrap() }")])), []);
    }

    #[test]
    fn allowance_without_a_reason_trips() {
        trips("#[allow(dead_code)]\nfn f() {}", "without a reason");
        trips("#![allow(\n    dead_code\n)]", "without a reason");
        assert_eq!(check_text("#[allow(dead_code, reason = \"x\")] fn f() {}"), []);
        assert_eq!(check_text("// because\n#[allow(dead_code)] fn f() {}"), []);
        assert_eq!(check_text("#[allow(dead_code)] // because\nfn f() {}"), []);
    }

    #[test]
    fn long_file_trips_unless_generated() {
        let long = "fn f() {}\n".repeat(MOST_LINES + 1);
        trips(&long, "lines, split");
        assert_eq!(check(&Files::from([("crates/a/src/generated/b.rs", long.as_str())])), []);
    }

    #[test]
    fn crate_without_its_purpose_trips() {
        for (path, text, findings) in [
            ("crates/a/src/lib.rs", "mod b;", 1),
            ("xtask/src/main.rs", "fn main() {}", 1),
            ("crates/a/src/lib.rs", "//! What it owns.", 0),
        ] {
            assert_eq!(check(&Files::from([(path, text)])).len(), findings, "{path}");
        }
    }
}
