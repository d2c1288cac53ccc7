//! What a package's whole tree of dependencies may hold, as cargo resolves it.

use std::{collections::BTreeSet, process::Stdio};

use super::{BOTTOM, Files, Finding, packages::packages};
use crate::{Result, process::cargo, workspace};

/// What no tree of a bottom crate may hold: runtimes, sockets and the system's randomness.
const NOT_BELOW: [&str; 7] =
    ["tokio", "smol", "async-io", "mio", "socket2", "getrandom", "fastrand"];

/// What the tree of a package may hold.
enum Rule {
    Without(&'static [&'static str]),
    Only(&'static [&'static str]),
}

const RULES: [(&str, Rule); 8] = [
    (BOTTOM[0], Rule::Only(&["bytes", "memchr"])),
    (BOTTOM[1], Rule::Without(&NOT_BELOW)),
    (BOTTOM[2], Rule::Without(&NOT_BELOW)),
    (BOTTOM[3], Rule::Only(&[])),
    ("redis-async", Rule::Without(&["tokio"])),
    ("redis-smol", Rule::Without(&["tokio"])),
    ("redis-sync", Rule::Without(&["tokio"])),
    ("redis-tls", Rule::Without(&["tokio", "smol", "async-io"])),
];

/// The findings, and notes on what could not be looked at.
pub(super) fn check(files: &Files) -> Result<(Vec<Finding>, Vec<String>)> {
    let mut findings = Vec::new();
    let mut notes = Vec::new();
    for (package, rule) in &RULES {
        let manifest = packages(files).find(|(_, manifest)| manifest.name() == Some(package));
        match manifest {
            Some((path, _)) => findings.extend(judge(path, package, rule, &tree(package)?)),
            None => notes
                .push(format!("{package} is not in the workspace yet, its tree is not checked")),
        }
    }
    Ok((findings, notes))
}

/// Every package that `package` needs on any target with any feature, but for its own tests.
fn tree(package: &str) -> Result<BTreeSet<String>> {
    let output = cargo()
        .args(["tree", "--package", package, "--edges", "normal,build", "--all-features"])
        .args(["--target", "all", "--prefix", "none", "--format", "{p}"])
        .current_dir(workspace())
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("`cargo tree --package {package}` failed").into());
    }
    let names = String::from_utf8(output.stdout)?;
    Ok(names.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
}

fn judge(path: &str, package: &str, rule: &Rule, tree: &BTreeSet<String>) -> Option<Finding> {
    let name = |name: &&String| !name.is_empty() && *name != package;
    let (wrong, rule): (Vec<&str>, _) = match rule {
        Rule::Without(names) => (
            tree.iter().filter(name).map(String::as_str).filter(|n| names.contains(n)).collect(),
            format!("none of {}", names.join(", ")),
        ),
        Rule::Only(names) => (
            tree.iter().filter(name).map(String::as_str).filter(|n| !names.contains(n)).collect(),
            format!("only {}", names.join(" and ")),
        ),
    };
    (!wrong.is_empty()).then(|| {
        let text = format!(
            "{package} depends on {}, and may hold {rule}: `cargo tree -p {package} -i {}` says why",
            wrong.join(", "),
            wrong[0]
        );
        Finding::new(path, 1, text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(rule: &Rule, names: &[&str]) -> bool {
        let tree = names.iter().map(|name| (*name).to_owned()).collect();
        judge("Cargo.toml", "a", rule, &tree).is_some()
    }

    #[test]
    fn tree_with_a_forbidden_package_trips() {
        assert!(judged(&Rule::Without(&["tokio"]), &["a", "bytes", "tokio"]));
        assert!(!judged(&Rule::Without(&["tokio"]), &["a", "bytes", "tokio-free"]));
    }

    #[test]
    fn tree_with_more_than_it_may_hold_trips() {
        assert!(judged(&Rule::Only(&["bytes"]), &["a", "bytes", "libc"]));
        assert!(!judged(&Rule::Only(&["bytes"]), &["a", "bytes"]));
    }
}
