//! `tidy`: proves by reading, without compiling, what the compiler can't: which layer may know
//! what, and how the repository is kept. Each rule is a function from [`Files`] to [`Finding`]s.

mod code;
mod layers;
mod manifest;
mod packages;
mod source;
mod texts;
mod tree;

use std::{collections::BTreeMap, fmt, fs, process::Command};

use crate::{Result, Verb, args::Args, workspace};

pub(crate) const VERB: Verb =
    Verb { name: "tidy", options: "", purpose: "prove the rules of layers and house-keeping", run };

/// The crates that do no I/O, read no clock and draw no random number.
const BOTTOM: [&str; 4] = ["resp-proto", "redis-core", "redis-cluster", "redis-derive"];

/// Something to mend, shown as `path:line: what, and what to do`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    /// Counted from 1.
    line: usize,
    text: String,
}

impl Finding {
    fn new(path: &str, line: usize, text: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.text)
    }
}

/// The repository's files by path from its root, with `/`; text files with their text.
#[derive(Default)]
struct Files(BTreeMap<String, Option<String>>);

impl Files {
    /// What git tracks, or would if it were added.
    fn of_repository() -> Result<Self> {
        let root = workspace();
        let listed = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(&root)
            .output()
            .map_err(|e| format!("`git ls-files` could not be started: {e}"))?;
        if !listed.status.success() {
            let said = String::from_utf8_lossy(&listed.stderr).into_owned();
            return Err(format!("`git ls-files` failed: {said}").into());
        }
        let mut files = BTreeMap::new();
        for path in String::from_utf8(listed.stdout)?.split_terminator('\0') {
            // One that is tracked and was deleted has no bytes.
            if let Ok(bytes) = fs::read(root.join(path)) {
                files.insert(path.to_owned(), String::from_utf8(bytes).ok());
            }
        }
        Ok(Self(files))
    }

    fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(|(path, text)| Some((path.as_str(), text.as_deref()?)))
    }

    fn text(&self, path: &str) -> Option<&str> {
        self.0.get(path)?.as_deref()
    }

    /// Whether there is a file or folder.
    fn has(&self, path: &str) -> bool {
        let inside = format!("{path}/");
        path.is_empty()
            || self.0.contains_key(path)
            || self.0.range(inside.clone()..).next().is_some_and(|(p, _)| p.starts_with(&inside))
    }
}

#[cfg(test)]
impl<const N: usize> From<[(&str, &str); N]> for Files {
    fn from(files: [(&str, &str); N]) -> Self {
        let own = |(path, text): (&str, &str)| (path.to_owned(), Some(text.to_owned()));
        Self(files.into_iter().map(own).collect())
    }
}

fn run(args: Args) -> Result<()> {
    args.finish()?;
    tidy()
}

/// Runs every rule over the repository.
pub(crate) fn tidy() -> Result<()> {
    let files = Files::of_repository()?;
    let mut findings = Vec::new();
    findings.extend(layers::check(&files));
    findings.extend(code::check(&files));
    findings.extend(packages::check(&files));
    findings.extend(texts::check(&files));
    let (trees, notes) = tree::check(&files)?;
    findings.extend(trees);
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    for note in notes {
        println!("note: {note}");
    }
    match findings.len() {
        0 => {
            println!("tidy: {} files, nothing to mend", files.0.len());
            Ok(())
        }
        1 => Err("tidy: 1 finding".into()),
        count => Err(format!("tidy: {count} findings").into()),
    }
}
