//! `servers`: which Redis and Valkey servers this machine can test against, and which clients of others
//! it can test beside; fetches those missing.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use testkit::{
    servers::{self, Installed, Missing, Report, Server, ServerOptions},
    tools,
};

use crate::{Result, Verb, args::Args};

pub(crate) const VERB: Verb = Verb {
    name: "servers",
    options: "[--offline] [--start]",
    purpose: "find or fetch servers and tools to test with; --start tries each server",
    run,
};

/// How often `--start` starts each server; it shows the median.
const TRIES: usize = 5;

/// The servers every other verb works with; fetches what is missing.
pub(crate) fn ensure() -> Result<Vec<Installed>> {
    Ok(find(true).at_least_one()?)
}

fn run(mut args: Args) -> Result<()> {
    let offline = args.flag("--offline");
    let start = args.flag("--start");
    args.finish()?;

    let report = find(!offline);
    print(&report);
    print_tools(&find_tools(!offline));
    let found = report.at_least_one()?;
    if start {
        for installed in &found {
            let mut times = (0..TRIES).map(|_| try_out(installed)).collect::<Result<Vec<_>>>()?;
            times.sort();
            let name = installed.to_string();
            println!("{name:14} answers PING {:.1?} after its start", times[TRIES / 2]);
        }
    }
    Ok(())
}

/// The first server whose name and version have `part` in them, e.g. `redis-7.0`.
pub(crate) fn called(part: &str) -> Result<Installed> {
    let found = ensure()?;
    let wanted = part.replace('-', " ");
    if let Some(installed) = found.iter().find(|one| one.to_string().contains(&wanted)) {
        return Ok(installed.clone());
    }
    let have: Vec<_> = found.iter().map(ToString::to_string).collect();
    Err(format!("no server is called `{part}`; there are {}", have.join(", ")).into())
}

/// What there is, and what can't be had.
pub(crate) fn find(fetch: bool) -> Report {
    servers::discover_with(&servers::folder(), fetch, &|line| eprintln!("{line}"))
}

/// The clients of others that there are, and those that can't be had.
pub(crate) fn find_tools(fetch: bool) -> tools::Report {
    tools::discover_with(&tools::folder(), fetch, &|line| eprintln!("{line}"))
}

/// How long a start takes until PING is answered.
fn try_out(installed: &Installed) -> Result<Duration> {
    let began = Instant::now();
    let server = Server::start(installed, ServerOptions::new())?;
    let took = began.elapsed();
    drop(server);
    Ok(took)
}

fn print(report: &Report) {
    let mut rows = vec![["server", "version", "TLS", "found", "binary"].map(str::to_owned)];
    for installed in &report.found {
        rows.push([
            installed.name.to_owned(),
            installed.version.to_string(),
            if installed.tls { "yes" } else { "no" }.to_owned(),
            installed.how.clone(),
            inside(installed.binary()),
        ]);
    }
    print_table(&rows, &report.missing);
}

fn print_tools(report: &tools::Report) {
    let mut rows = vec![["tool", "version", "found", "program"].map(str::to_owned)];
    for tool in &report.found {
        let program = tool.words.last().map_or(Path::new(""), Path::new);
        rows.push([
            tool.name.to_owned(),
            tool.version.to_string(),
            tool.how.clone(),
            inside(program),
        ]);
    }
    println!();
    print_table(&rows, &report.missing);
}

/// The path from the workspace on, where it is inside.
fn inside(path: &Path) -> String {
    let folder = servers::folder();
    let workspace = folder.parent().unwrap_or(Path::new("/"));
    path.strip_prefix(workspace).unwrap_or(path).display().to_string()
}

fn print_table<const N: usize>(rows: &[[String; N]], missing: &[Missing]) {
    print_rows(rows);
    for missing in missing {
        println!("missing: {missing}");
    }
}

/// Rows with their columns aligned.
pub(crate) fn print_rows<const N: usize>(rows: &[[String; N]]) {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    for row in rows {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            line.push_str(&format!("{cell:width$}  "));
        }
        println!("{}", line.trim_end());
    }
}
