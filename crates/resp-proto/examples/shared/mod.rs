//! What the programs here share: options of the form `--name value`.

use std::io;

/// The values of the options in the order of `names`, or the defaults beside them.
///
/// # Errors
///
/// On an option that is not among `names`, or that has no value.
pub(crate) fn options<const N: usize>(names: [(&str, &str); N]) -> io::Result<[String; N]> {
    let mut values = names.map(|(_, default)| default.to_owned());
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let place = names.iter().position(|(name, _)| *name == word);
        let (Some(place), Some(value)) = (place, words.next()) else {
            let known = names.map(|(name, default)| format!("[{name} ADDR, by default {default}]"));
            let text = format!("`{word}` is no option with a value; usage: {}", known.join(" "));
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        };
        values[place] = value;
    }
    Ok(values)
}
