//! Commands of the group `scripting`.

use super::{Entry, entry};

pub(super) fn entries() -> Vec<Entry> {
    let eval = |command, doc| entry(command, "T", doc).promote("key").promote("arg");
    vec![
        eval("EVAL", "Runs a script with keys and arguments."),
        eval("EVALSHA", "Runs a script that the server has, named by its SHA-1 in hexadecimal."),
        eval("EVALSHA_RO", "As `evalsha`, for scripts that only read."),
        eval("EVAL_RO", "As `eval`, for scripts that only read."),
        entry("SCRIPT EXISTS", "Vec<bool>", "Whether the server has each of the scripts, named by their SHA-1.")
            .rename("sha1", "shas"),
        entry("SCRIPT FLUSH", "()", "Forgets all scripts."),
        entry("SCRIPT LOAD", "String", "Loads a script; returns its SHA-1 in hexadecimal."),
    ]
}
