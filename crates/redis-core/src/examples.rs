//! What the builders' examples check themselves with: the words that a command sends.
//!
//! Hidden from the documentation, as the lines of the examples that call it are.

use crate::command::Command;

/// Panics unless the command can be sent and consists of these words, which are separated by spaces;
/// in quotes if they are empty or have spaces.
#[track_caller]
pub fn sends(command: impl Command, expected: &str) {
    let cmd = command.into_cmd();
    if let Err(error) = cmd.check() {
        panic!("`{expected}` can't be sent: {error}");
    }
    assert_eq!(words(&cmd.to_vec()), expected);
}

/// The words of an encoded command.
fn words(encoded: &[u8]) -> String {
    let text = String::from_utf8_lossy(encoded);
    // A header with the count, then a header and a word, again and again.
    let words = text.split("\r\n").skip(2).step_by(2);
    let quoted = words.map(|word| match word.is_empty() || word.contains(' ') {
        true => format!("{word:?}"),
        false => word.to_owned(),
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cmd;

    #[test]
    fn words_with_spaces_and_empty_ones_are_quoted() {
        sends(Cmd::<()>::raw("PUT OFF").arg("").arg("a b").arg("c"), "PUT OFF \"\" \"a b\" c");
    }
}
