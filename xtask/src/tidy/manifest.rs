//! As much of a Cargo.toml as the rules need: its entries, by their whole key.

pub(super) struct Entry<'a> {
    /// Table and key, e.g. `dependencies.tokio.optional`.
    pub(super) key: String,
    /// As written.
    pub(super) value: &'a str,
    pub(super) line: usize,
}

pub(super) struct Manifest<'a> {
    entries: Vec<Entry<'a>>,
}

impl<'a> Manifest<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let mut entries = Vec::new();
        let mut table = String::new();
        // Of an array over several lines, the first line is kept.
        let mut open = 0;
        for (number, line) in text.lines().enumerate() {
            let line = line.split(" #").next().unwrap_or_default().trim();
            let depth = |line: &str| -> isize {
                line.chars()
                    .map(|c| match c {
                        '[' | '{' => 1,
                        ']' | '}' => -1,
                        _ => 0,
                    })
                    .sum()
            };
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if open > 0 {
                open += depth(line);
                continue;
            }
            if let Some(name) = line.strip_prefix('[') {
                table = name.trim_matches(['[', ']']).to_owned();
                entries.push(Entry { key: table.clone(), value: "", line: number + 1 });
            } else if let Some((key, value)) = line.split_once('=') {
                open = depth(value);
                let key = format!("{table}.{}", key.trim());
                let value = value.trim();
                entries.push(Entry { key, value, line: number + 1 });
            }
        }
        Self { entries }
    }

    pub(super) fn value(&self, key: &str) -> Option<&'a str> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| entry.value)
    }

    pub(super) fn has_table(&self, name: &str) -> bool {
        let inside = format!("{name}.");
        self.entries.iter().any(|entry| entry.key == name || entry.key.starts_with(&inside))
    }

    pub(super) fn name(&self) -> Option<&'a str> {
        self.value("package.name").map(|name| name.trim_matches('"'))
    }

    /// Each dependency once a table.
    pub(super) fn dependencies(&self) -> Vec<Dependency<'_>> {
        let mut found: Vec<Dependency<'_>> = Vec::new();
        for entry in &self.entries {
            let Some((before, behind)) = entry.key.split_once("dependencies.") else {
                continue;
            };
            if entry.key.starts_with("workspace.") {
                continue;
            }
            let (name, field) = behind.split_once('.').unwrap_or((behind, ""));
            let renamed = entry
                .value
                .split_once("package = \"")
                .and_then(|(_, rest)| rest.split_once('"').map(|(name, _)| name));
            let optional = (field == "optional" && entry.value == "true")
                || entry.value.contains("optional = true");
            let is_dev = before.ends_with("dev-");
            match found.iter_mut().find(|d| (d.key, d.is_dev) == (name, is_dev)) {
                Some(known) => known.optional |= optional,
                None => found.push(Dependency {
                    key: name,
                    package: renamed.unwrap_or(name),
                    optional,
                    is_dev,
                    line: entry.line,
                }),
            }
        }
        found
    }
}

pub(super) struct Dependency<'a> {
    key: &'a str,
    pub(super) package: &'a str,
    pub(super) optional: bool,
    pub(super) is_dev: bool,
    pub(super) line: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_however_they_are_nested() {
        let manifest = Manifest::new(
            "[package]\nname = \"a\" # x\nversion.workspace = true\nkeywords = [\n  \"b\",\n]\n\
             [lints]\nworkspace = true\n",
        );
        assert_eq!(manifest.name(), Some("a"));
        assert_eq!(manifest.value("package.version.workspace"), Some("true"));
        assert_eq!(manifest.value("lints.workspace"), Some("true"));
        assert!(!manifest.has_table("workspace"));
    }

    #[test]
    fn dependencies_in_every_spelling() {
        let manifest = Manifest::new(
            "[dependencies]\na.workspace = true\nb = { version = \"1\", optional = true }\n\
             [dev-dependencies]\nc = { package = \"d\", version = \"1\" }\n\
             [target.'cfg(unix)'.dependencies.e]\nversion = \"1\"\noptional = true\n",
        );
        let found: Vec<_> = manifest
            .dependencies()
            .iter()
            .map(|d| (d.package.to_owned(), d.optional, d.is_dev))
            .collect();
        let expected =
            [("a", false, false), ("b", true, false), ("d", false, true), ("e", true, false)];
        assert_eq!(found, expected.map(|(name, optional, dev)| (name.to_owned(), optional, dev)));
    }
}
