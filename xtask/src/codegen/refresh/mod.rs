//! `cargo xtask codegen --refresh`: what servers tell of their commands, against the table.
//!
//! Starts every server at hand, asks it for `COMMAND` and `COMMAND DOCS`, and says what the table does not
//! have. With `--write` the table takes it over: facts alone, the servers' prose stays theirs.

mod compare;
mod reading;

use std::fs;

use serde_json::{Map, Value};
use testkit::servers::{self, Server, ServerOptions};

use self::compare::{Difference, Origin};
use super::TABLE;
use super::info::SERIES;

/// What is told of the commands, by their names.
type Facts = Map<String, Value>;

/// Compares all servers with the table, one after the other, and with `write` changes the table.
pub(super) fn run(write: bool) -> crate::Result<()> {
    let path = crate::workspace().join(TABLE);
    let mut table: Facts = serde_json::from_str(&fs::read_to_string(&path)?)?;
    let mut changed = 0;
    for installed in servers::ensure()? {
        let server = Server::start(&installed, ServerOptions::new())?;
        let told = reading::told(server.addr())?;
        let version = installed.version;
        let origin = Origin {
            family: installed.name.to_owned(),
            version: [version.major, version.minor, version.patch].map(u32::from),
        };
        let known = SERIES.contains(&origin.series().as_str());
        let differences = compare::compare(&table, &told, &origin, known);
        println!("{origin}: {} commands, {}", told.len(), counted(&differences));
        if !known {
            println!(
                "  not one of those that the table was read from: only what it adds is looked for"
            );
        }
        differences.iter().for_each(|difference| println!("  {difference}"));
        if write && known {
            changed += compare::merge(&mut table, &told, &origin, &differences);
        } else if write && !differences.is_empty() {
            println!(
                "  not taken over: give `Servers` in redis-core, and `SERIES` here, {}",
                origin.series()
            );
        }
    }
    if changed > 0 {
        fs::write(&path, text(&table))?;
        println!(
            "{TABLE}: {changed} facts taken over; `cargo xtask codegen` writes what follows from them"
        );
    }
    Ok(())
}

fn counted(differences: &[Difference]) -> String {
    match differences.len() {
        0 => "nothing new".to_owned(),
        1 => "1 difference".to_owned(),
        more => format!("{more} differences"),
    }
}

/// The table as its file has it: a line a command.
fn text(table: &Facts) -> String {
    let lines: Vec<_> = table
        .iter()
        .map(|(name, facts)| format!("{}: {facts}", Value::from(name.as_str())))
        .collect();
    format!("{{\n{}\n}}\n", lines.join(",\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn committed_table_is_written_as_it_is() {
        let committed = fs::read_to_string(crate::workspace().join(TABLE)).unwrap();
        assert_eq!(text(&serde_json::from_str(&committed).unwrap()), committed);
    }
}
