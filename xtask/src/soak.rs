//! `soak`: every workload on every runtime for minutes, while links and servers fail from a seed; at the
//! end what clients were told is compared with what servers have.

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher,
    io::Read,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    Result, Told, Verb,
    args::Args,
    process::{self, tied},
    servers,
    test_matrix::RUNTIMES,
};

pub(crate) const VERB: Verb = Verb {
    name: "soak",
    options: "[--minutes N | --seconds N] [--runtime R] [--server S] [--seed N]",
    purpose: "all workloads on all runtimes under faults from a seed; nothing may be lost or doubled",
    run,
};

/// What comes on top of the time that was asked for: each part of the end has a limit of its own.
const END: Duration = Duration::from_secs(5 * 60);

const PAUSE: Duration = Duration::from_millis(50);

fn run(mut args: Args) -> Result<()> {
    let seconds = match (number(&mut args, "--minutes")?, number(&mut args, "--seconds")?) {
        (Some(_), Some(_)) => return Err("`--minutes` or `--seconds`, not both".into()),
        (minutes, None) => minutes.unwrap_or(5) * 60,
        (None, Some(seconds)) => seconds,
    };
    let seed = number(&mut args, "--seed")?;
    let seed = seed.unwrap_or_else(|| RandomState::new().hash_one(0) % 1_000_000);
    let runtime = args.value("--runtime")?;
    let server = args.value("--server")?;
    args.finish()?;

    let runtimes: Vec<_> =
        RUNTIMES.into_iter().filter(|name| runtime.as_deref().is_none_or(|r| r == *name)).collect();
    if runtimes.is_empty() {
        return Err(format!("there are the runtimes {}", RUNTIMES.join(", ")).into());
    }
    let wanted = server.unwrap_or_default().replace('-', " ");
    let found = servers::find(true).at_least_one()?;
    let server = found.iter().map(ToString::to_string).find(|name| name.contains(&wanted));
    let server = server.ok_or_else(|| format!("no server `{wanted}` here"))?;
    let program = process::build_program("conformance", &[])?;
    println!("== {seconds} s on {server}, seed {seed}: {}", runtimes.join(", "));

    let reports: Vec<_> = thread::scope(|scope| {
        let runs: Vec<_> = (0..)
            .zip(&runtimes)
            .map(|(n, runtime)| {
                // Both protocols have their turn.
                let protocol = if n % 2 == 0 { "3" } else { "2" };
                let mut command = Command::new(&program);
                command.args(["--soak", &seconds.to_string(), "--seed", &seed.to_string()]);
                command.args(["--runtime", runtime, "--server", &server, "--protocol", protocol]);
                scope.spawn(move || one(&command, Duration::from_secs(seconds) + END))
            })
            .collect();
        runs.into_iter().map(|run| run.join()).collect()
    });

    let mut violations = Vec::new();
    println!("{}", row(HEADINGS.map(str::to_owned), "runtime"));
    for (runtime, report) in runtimes.into_iter().zip(reports) {
        match report.unwrap_or_else(|_| Err("it panicked".to_owned())) {
            Ok(report) => {
                println!("{}", row(cells(&report), runtime));
                let found = report["violations"].as_array().into_iter().flatten();
                violations.extend(found.map(|what| format!("{runtime}: {}", text(what))));
            }
            Err(what) => violations.push(format!("{runtime}: {what}")),
        }
    }
    for violation in &violations {
        println!("VIOLATION: {violation}");
    }
    println!("{} violations; seed {seed}", violations.len());
    match violations.len() {
        0 => Ok(()),
        _ => Err(Told.into()),
    }
}

fn number(args: &mut Args, name: &str) -> Result<Option<u64>> {
    let Some(value) = args.value(name)? else { return Ok(None) };
    Ok(Some(value.parse().map_err(|_| format!("`{name}` takes a number"))?))
}

/// Runs one process and reads its report; it is killed after `limit`.
fn one(command: &Command, limit: Duration) -> Result<Value, String> {
    let mut child = tied(command).stdout(Stdio::piped()).spawn().map_err(|e| e.to_string())?;
    let output = child.stdout.take();
    let reader = thread::spawn(move || {
        let mut text = String::new();
        output.map(|mut output| output.read_to_string(&mut text));
        text
    });
    let deadline = Instant::now() + limit;
    let status = loop {
        match child.try_wait().map_err(|e| e.to_string())? {
            Some(status) => break status,
            None if Instant::now() < deadline => thread::sleep(PAUSE),
            None => {
                child.kill().and_then(|()| child.wait()).map_err(|e| e.to_string())?;
                return Err(format!("did not come to an end within {limit:?}"));
            }
        }
    };
    let text = reader.join().unwrap_or_default();
    let report = text.lines().last().and_then(|line| serde_json::from_str(line).ok());
    match report {
        Some(report) if status.success() => Ok(report),
        _ => Err(format!("ended without a report ({status})")),
    }
}

const HEADINGS: [&str; 11] = [
    "calls", "ok", "in doubt", "not sent", "refused", "given up", "messages", "popped", "faults",
    "links", "MiB",
];

fn cells(report: &Value) -> [String; 11] {
    let count = |name: &str| report[name].as_u64().unwrap_or(0);
    let faults: u64 = report["faults"]
        .as_object()
        .into_iter()
        .flat_map(|faults| faults.values())
        .filter_map(Value::as_u64)
        .sum();
    let memory = |at: usize| report["memory"][at].as_f64().unwrap_or(0.0) / f64::from(1 << 20);
    [
        count("attempted").to_string(),
        count("acknowledged").to_string(),
        count("doubtful").to_string(),
        count("not_sent").to_string(),
        (count("refused") + count("conflicts")).to_string(),
        count("given_up").to_string(),
        count("messages").to_string(),
        count("popped").to_string(),
        faults.to_string(),
        count("links").to_string(),
        format!("{:.0} > {:.0}", memory(0), memory(1)),
    ]
}

fn row(cells: [String; 11], runtime: &str) -> String {
    let cells: String = cells.iter().map(|cell| format!("{cell:>10}")).collect();
    format!("{runtime:14}{cells}")
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn table_has_a_cell_for_each_heading() {
        let report = json!({
            "attempted": 10, "acknowledged": 8, "doubtful": 1, "not_sent": 1,
            "faults": { "cut": 2, "crash": 1 }, "memory": [10 << 20, 11 << 20],
        });
        let cells = cells(&report);
        assert_eq!((&*cells[0], &*cells[1], &*cells[8], &*cells[10]), ("10", "8", "3", "10 > 11"));
        let heading = row(HEADINGS.map(str::to_owned), "runtime");
        assert_eq!(heading.len(), row(cells, "sync").len());
    }

    #[test]
    fn process_without_a_report_or_an_end_is_an_error() {
        let mut silent = Command::new("true");
        silent.arg("ignored");
        assert!(one(&silent, END).is_err());
        let mut endless = Command::new("sleep");
        endless.arg("1000");
        let error = one(&endless, PAUSE).expect_err("it is killed");
        assert!(error.contains("did not come to an end"), "{error}");
    }
}
