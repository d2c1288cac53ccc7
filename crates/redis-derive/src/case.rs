//! Names as servers spell them: what `rename_all` makes of a Rust name.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    Snake,
    Kebab,
    Camel,
    Pascal,
    Lower,
    Upper,
    ScreamingSnake,
    ScreamingKebab,
}

const CASES: [(&str, Case); 8] = [
    ("snake_case", Case::Snake),
    ("kebab-case", Case::Kebab),
    ("camelCase", Case::Camel),
    ("PascalCase", Case::Pascal),
    ("lowercase", Case::Lower),
    ("UPPERCASE", Case::Upper),
    ("SCREAMING_SNAKE_CASE", Case::ScreamingSnake),
    ("SCREAMING-KEBAB-CASE", Case::ScreamingKebab),
];

impl Case {
    pub(crate) fn named(name: &str) -> Option<Self> {
        CASES.iter().find(|(known, _)| *known == name).map(|(_, case)| *case)
    }

    /// All names, for an error.
    pub(crate) fn names() -> String {
        CASES.map(|(name, _)| format!("`{name}`")).join(", ")
    }

    pub(crate) fn apply(self, name: &str) -> String {
        let words = words(name);
        let capital = |word: &String| word[..1].to_ascii_uppercase() + &word[1..];
        match self {
            Self::Snake => words.join("_"),
            Self::Kebab => words.join("-"),
            Self::Lower => words.concat(),
            Self::Pascal => words.iter().map(capital).collect(),
            Self::Camel => {
                let rest = words.iter().skip(1).map(capital);
                words.iter().take(1).cloned().chain(rest).collect()
            }
            Self::Upper => words.concat().to_ascii_uppercase(),
            Self::ScreamingSnake => words.join("_").to_ascii_uppercase(),
            Self::ScreamingKebab => words.join("-").to_ascii_uppercase(),
        }
    }
}

/// The words of a name in lower case: they end at `_`, and begin at capitals.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before_is_lower = false;
    for c in name.chars() {
        let begins = c == '_' || (c.is_ascii_uppercase() && before_is_lower);
        if begins && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut()
            && c != '_'
        {
            word.push(c.to_ascii_lowercase());
        }
        before_is_lower = !c.is_ascii_uppercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_fields_and_variants_are_spelled_alike() {
        for (case, expected) in [
            ("snake_case", "radix_tree_keys2"),
            ("kebab-case", "radix-tree-keys2"),
            ("camelCase", "radixTreeKeys2"),
            ("PascalCase", "RadixTreeKeys2"),
            ("lowercase", "radixtreekeys2"),
            ("UPPERCASE", "RADIXTREEKEYS2"),
            ("SCREAMING_SNAKE_CASE", "RADIX_TREE_KEYS2"),
            ("SCREAMING-KEBAB-CASE", "RADIX-TREE-KEYS2"),
        ] {
            let case = Case::named(case).unwrap();
            assert_eq!(case.apply("radix_tree_keys2"), expected);
            assert_eq!(case.apply("RadixTreeKeys2"), expected);
        }
        assert_eq!(Case::named("Snake"), None);
        assert_eq!(Case::Kebab.apply("TTL"), "ttl");
        assert_eq!(Case::Snake.apply("_private_"), "private");
    }
}
