//! Commands of the group `scripting`.

use super::{Entry, entry};

pub(super) fn entries() -> Vec<Entry> {
    let eval = |command, doc| entry(command, "T", doc).promote("key").promote("arg");
    vec![
        eval("EVAL", "Runs a script with keys and arguments.")
            .example(r#"cmd::eval::<i64>("return redis.call('INCRBY', KEYS[1], ARGV[1])", ["visits"], [5])"#, r#"EVAL "return redis.call('INCRBY', KEYS[1], ARGV[1])" 1 visits 5"#),
        eval("EVALSHA", "Runs a script that the server has, named by its SHA-1 in hexadecimal.")
            .example(r#"cmd::evalsha::<i64>("e0e1f9fabfc9d4800c877a703b823ac0578ff8db", ["visits"], [5])"#, "EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 1 visits 5"),
        eval("EVALSHA_RO", "As `evalsha`, for scripts that only read."),
        eval("EVAL_RO", "As `eval`, for scripts that only read."),
        eval("FCALL", "Calls a function of the server with keys and arguments.").rename("function", "name"),
        eval("FCALL_RO", "As `fcall`, for functions that only read.").rename("function", "name"),
        entry("FUNCTION DELETE", "()", "Deletes a library of functions.").rename("library-name", "library"),
        entry("FUNCTION DUMP", "Bytes", "All libraries, as `function_restore` takes them."),
        entry("FUNCTION FLUSH", "()", "Deletes all libraries."),
        entry("FUNCTION HELP", "Vec<String>", "The subcommands, as the server describes them."),
        entry("FUNCTION KILL", "()", "Stops the function that runs, unless it has written. On a shared connection it waits for that function like any other command: use another client."),
        entry("FUNCTION LIST", "Vec<FunctionLibrary>", "The libraries and their functions.")
            .setter("LIBRARYNAME", "library")
            .rename("library-name-pattern", "pattern")
            .setter("WITHCODE", "with_code")
            .note("LIBRARYNAME", "Only libraries whose name matches this glob.")
            .note("WITHCODE", "Returns their source, too."),
        entry("FUNCTION LOAD", "String", "Loads a library of functions from its source; returns its name.")
            .rename("function-code", "code")
            .note("REPLACE", "Takes the place of the library of that name."),
        entry("FUNCTION RESTORE", "()", "Loads the libraries that `function_dump` returned.")
            .rename("serialized-value", "dump")
            .note("FLUSH", "Deletes all libraries first.")
            .note("APPEND", "Loads none where one of them is there already, as without an option.")
            .note("REPLACE", "Takes the place of libraries of the same names."),
        entry("FUNCTION STATS", "FunctionStats", "The function that runs, and how many there are."),
        entry("SCRIPT EXISTS", "Vec<bool>", "Whether the server has each of the scripts, named by their SHA-1.")
            .rename("sha1", "shas"),
        entry("SCRIPT FLUSH", "()", "Forgets all scripts."),
        entry("SCRIPT HELP", "Vec<String>", "The subcommands, as the server describes them."),
        entry("SCRIPT KILL", "()", "Stops the script that runs, unless it has written. On a shared connection it waits for that script like any other command: use another client."),
        entry("SCRIPT LOAD", "String", "Loads a script; returns its SHA-1 in hexadecimal."),
        entry("SCRIPT SHOW", "S", "The source of a script, named by its SHA-1."),
    ]
}
