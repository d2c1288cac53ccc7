//! `servers`: which Redis and Valkey servers this machine can test against; fetches those missing.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use testkit::servers::{self, Installed, Report, Server, ServerOptions};

use crate::{Result, Verb, args::Args};

pub(crate) const VERB: Verb = Verb {
    name: "servers",
    options: "[--offline] [--start]",
    purpose: "find or fetch servers to test against; --start tries each",
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

/// What there is, and what can't be had.
pub(crate) fn find(fetch: bool) -> Report {
    servers::discover_with(&servers::folder(), fetch, &|line| eprintln!("{line}"))
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
    let workspace = servers::folder();
    let workspace = workspace.parent().unwrap_or(Path::new("/"));
    let mut rows = vec![["server", "version", "TLS", "found", "binary"].map(str::to_owned)];
    for installed in &report.found {
        let binary = installed.binary();
        rows.push([
            installed.name.to_owned(),
            installed.version.to_string(),
            if installed.tls { "yes" } else { "no" }.to_owned(),
            installed.how.clone(),
            binary.strip_prefix(workspace).unwrap_or(binary).display().to_string(),
        ]);
    }
    let mut widths = [0; 5];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    for row in &rows {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            line.push_str(&format!("{cell:width$}  "));
        }
        println!("{}", line.trim_end());
    }
    for missing in &report.missing {
        println!("missing: {}: {}", missing.what, missing.reason);
    }
}
