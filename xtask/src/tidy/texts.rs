//! What no file of the repository may say, which files there must be, and where links lead.

use super::{Files, Finding};

pub(super) fn check(files: &Files) -> Vec<Finding> {
    let mut findings = Vec::new();
    for path in ["README.md", "CHANGELOG.md"] {
        if files.text(path).is_none() {
            findings.push(Finding::new(path, 1, "the file is missing, write it"));
        }
    }
    let (places, hosts) = (places(), hosts());
    for (path, text) in files.texts() {
        if path.ends_with("Cargo.lock") {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            if let Some(place) = places.iter().find(|place| names(line, place)) {
                let what =
                    format!("`{place}..` is a place on one machine, derive it or leave it out");
                findings.push(Finding::new(path, number + 1, what));
            }
            if let Some(host) = hosts.iter().find(|host| line.contains(host.as_str())) {
                let what =
                    format!("`{host}` is a registry's host, use what the machine is set up for");
                findings.push(Finding::new(path, number + 1, what));
            }
        }
        if path.ends_with(".md") {
            links(files, path, text, &mut findings);
        }
    }
    findings
}

/// Put together here, so that this file does not hold them.
fn places() -> Vec<String> {
    ["tmp", "root", "home", "work"].iter().map(|folder| format!("/{folder}/")).collect()
}

fn hosts() -> Vec<String> {
    [
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("debian", "org"),
        ("crates", "io"),
        ("npmjs", "org"),
        ("npmjs", "com"),
    ]
    .iter()
    .map(|(name, end)| format!("{name}.{end}"))
    .collect()
}

/// Whether `line` names the folder `place` at the root, and not one inside another folder.
fn names(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "_-.~)}".contains(c))
    })
}

/// Relative links must lead to a file or folder of the repository.
fn links(files: &Files, path: &str, text: &str, findings: &mut Vec<Finding>) {
    let mut fenced = false;
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        for target in targets(line) {
            let file = target.split('#').next().unwrap_or_default();
            if file.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            if !resolve(path, file).is_some_and(|file| files.has(&file)) {
                let what = format!("the link to `{target}` leads nowhere, mend or remove it");
                findings.push(Finding::new(path, number + 1, what));
            }
        }
    }
}

/// Where the links of a line lead: `[text](target)` and `[name]: target`.
fn targets(line: &str) -> Vec<&str> {
    let inline = line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
    let named = line
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("]: "))
        .filter(|(name, _)| !name.starts_with('^'))
        .and_then(|(_, target)| target.split_whitespace().next());
    inline.chain(named).collect()
}

/// The path from the root of what `file` leads to in the document `from`.
fn resolve(from: &str, file: &str) -> Option<String> {
    if file.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in file.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The findings about one file, beside those that must be there.
    fn check_file(path: &str, text: &str) -> Vec<Finding> {
        check(&Files::from([("README.md", ""), ("CHANGELOG.md", ""), (path, text)]))
    }

    #[test]
    fn missing_file_trips() {
        let findings = check(&Files::from([("README.md", "")]));
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].path, "CHANGELOG.md");
    }

    #[test]
    fn places_on_one_machine_trip() {
        for place in places() {
            for line in [format!("x {place}y"), format!("\"{place}\""), format!("unix://{place}s")]
            {
                let findings = check_file("a.yml", &line);
                assert!(findings.len() == 1 && findings[0].line == 1, "{line}: {findings:?}");
            }
            assert_eq!(check_file("a.md", &format!("docs{place}x .{place}x")), []);
            assert_eq!(check_file("Cargo.lock", &place), []);
        }
    }

    #[test]
    fn hosts_of_registries_trip() {
        for host in hosts() {
            assert_eq!(check_file("a.rs", &format!("\n// files.{host}")).len(), 1, "{host}");
            assert_eq!(check_file("Cargo.lock", &host), []);
        }
    }

    #[test]
    fn dead_links_trip() {
        for dead in ["[a](b.md)", "see [a](../x/b.md#c) and", "[a]: b.md", "[a](/README.md)"] {
            assert_eq!(check_file("docs/a.md", dead).len(), 1, "{dead}");
        }
    }

    #[test]
    fn live_links_fences_and_other_places_do_not() {
        for live in [
            "[a](../README.md#top) [b](a.md) [c](..) [d](#here) [e](.)",
            "[a](https://example.com/b.md) [b](mailto:a@example.com)",
            "[a]: ../CHANGELOG.md \"title\"",
            "[^1]: a note",
            "```\n[a](b.md)\n```",
        ] {
            assert_eq!(check_file("docs/a.md", live), [], "{live}");
        }
    }
}
