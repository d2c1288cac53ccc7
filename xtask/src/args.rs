//! A verb's command line: flags, options with a value, and positional words.

use std::fmt;

/// The words behind the verb; each method takes what it returns.
pub(crate) struct Args {
    words: Vec<String>,
}

/// The command line was not understood.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Misuse(String);

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Misuse {}

impl Args {
    pub(crate) fn new(words: Vec<String>) -> Self {
        Self { words }
    }

    /// Whether the flag, e.g. `--offline`, is there.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let before = self.words.len();
        self.words.retain(|word| word != name);
        self.words.len() != before
    }

    /// The value of an option, written `--seeds 5` or `--seeds=5`.
    pub(crate) fn value(&mut self, name: &str) -> Result<Option<String>, Misuse> {
        let joined = format!("{name}=");
        let Some(at) = self.words.iter().position(|word| word == name || word.starts_with(&joined))
        else {
            return Ok(None);
        };
        let word = self.words.remove(at);
        if let Some(value) = word.strip_prefix(&joined) {
            return Ok(Some(value.to_owned()));
        }
        match self.words.get(at) {
            Some(value) if !value.starts_with("--") => Ok(Some(self.words.remove(at))),
            _ => Err(Misuse(format!("`{name}` needs a value"))),
        }
    }

    /// The next word that is no option. Ask after all options.
    pub(crate) fn word(&mut self) -> Option<String> {
        let at = self.words.iter().position(|word| !word.starts_with('-'))?;
        Some(self.words.remove(at))
    }

    /// Ends the reading: whatever is left was not understood.
    pub(crate) fn finish(self) -> Result<(), Misuse> {
        match self.words.first() {
            Some(word) => Err(Misuse(format!("`{word}` is not understood here"))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Args {
        Args::new(line.split_whitespace().map(str::to_owned).collect())
    }

    #[test]
    fn flags_values_and_words_in_any_order() {
        let mut args = args("one --seeds 5 --offline --name=x two");
        assert!(args.flag("--offline") && !args.flag("--offline"));
        assert_eq!(args.value("--seeds"), Ok(Some("5".to_owned())));
        assert_eq!(args.value("--name"), Ok(Some("x".to_owned())));
        assert_eq!(args.value("--none"), Ok(None));
        assert_eq!((args.word(), args.word()), (Some("one".to_owned()), Some("two".to_owned())));
        assert_eq!(args.finish(), Ok(()));
    }

    #[test]
    fn missing_value_and_unknown_words_are_misuse() {
        assert!(args("--seeds --offline").value("--seeds").is_err());
        assert!(args("--seeds").value("--seeds").is_err());
        assert!(args("--ofline").finish().is_err());
    }
}
