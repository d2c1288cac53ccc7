//! Every package inherits the workspace's versions and lints, and tokio enters by one door.

use super::{Files, Finding, manifest::Manifest};

pub(super) fn check(files: &Files) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, manifest) in packages(files) {
        for (key, what) in [
            ("package.version.workspace", "no `version.workspace = true`"),
            ("package.edition.workspace", "no `edition.workspace = true`"),
            ("lints.workspace", "no `[lints]` with `workspace = true`"),
        ] {
            if manifest.value(key) != Some("true") {
                let text = format!("{what}, add it: packages share the workspace's settings");
                findings.push(Finding::new(path, 1, text));
            }
        }
        for dependency in manifest.dependencies() {
            let is_tokio =
                dependency.package == "tokio" || dependency.package.starts_with("tokio-");
            let text = match path {
                _ if !is_tokio => continue,
                "crates/redis-tokio/Cargo.toml" => continue,
                _ if is_for_tests(path) && (dependency.optional || dependency.is_dev) => continue,
                _ if is_for_tests(path) => "tokio in every build, make it optional",
                _ => "tokio outside of redis-tokio, move what needs it there",
            };
            findings.push(Finding::new(path, dependency.line, text));
        }
    }
    findings
}

/// The manifests of the workspace's packages. One that is a workspace of its own is none of them.
pub(super) fn packages(files: &Files) -> impl Iterator<Item = (&str, Manifest<'_>)> {
    files
        .texts()
        .filter(|(path, _)| path.rsplit('/').next() == Some("Cargo.toml"))
        .map(|(path, text)| (path, Manifest::new(text)))
        .filter(|(_, manifest)| manifest.has_table("package") && !manifest.has_table("workspace"))
}

fn is_for_tests(path: &str) -> bool {
    path.starts_with("tests/") || path.starts_with("crates/testkit/")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[package]\nname = \"a\"\nversion.workspace = true\n\
                        edition.workspace = true\n[lints]\nworkspace = true\n";

    fn check_with(path: &str, more: &str) -> Vec<Finding> {
        check(&Files::from([(path, format!("{GOOD}{more}").as_str())]))
    }

    #[test]
    fn package_with_settings_of_its_own_trips() {
        assert_eq!(check_with("crates/a/Cargo.toml", ""), []);
        for line in ["version.workspace = true\n", "edition.workspace = true\n", "[lints]\n"] {
            let text = GOOD.replace(line, "");
            let findings = check(&Files::from([("crates/a/Cargo.toml", text.as_str())]));
            assert_eq!(findings.len(), 1, "{line}: {findings:?}");
        }
    }

    #[test]
    fn tokio_enters_by_redis_tokio_alone() {
        let plain = "[dependencies]\ntokio.workspace = true\n";
        let dev = "[dev-dependencies]\ntokio = \"1\"\n";
        let optional = "[dependencies]\ntokio-util = { version = \"1\", optional = true }\n";
        for (path, more, findings) in [
            ("crates/redis-tokio/Cargo.toml", plain, 0),
            ("crates/redis-async/Cargo.toml", plain, 1),
            ("crates/redis-async/Cargo.toml", dev, 1),
            ("crates/redis-async/Cargo.toml", optional, 1),
            ("xtask/Cargo.toml", optional, 1),
            ("tests/bench/Cargo.toml", plain, 1),
            ("tests/bench/Cargo.toml", dev, 0),
            ("tests/bench/Cargo.toml", optional, 0),
            ("crates/testkit/Cargo.toml", optional, 0),
        ] {
            assert_eq!(check_with(path, more).len(), findings, "{path} {more}");
        }
    }
}
