//! `test-matrix`: unit and documentation tests, then the conformance scenarios on every runtime,
//! protocol, transport, server and deployment; fails on any failure and on any difference between them.

mod child;
mod coverage;
mod plan;
mod report;
mod units;

use std::{
    fs,
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use testkit::servers::Installed;

pub(crate) use self::plan::RUNTIMES;
use self::{
    plan::{Combination, Wanted},
    report::{Counts, Ran, Verdict},
};
use crate::{Result, Told, Verb, args::Args, process, servers};

/// How many sides of a difference are shown.
const SHOWN: usize = 4;

pub(crate) const VERB: Verb = Verb {
    name: "test-matrix",
    options: "[--full] [--skip-unit] [--runtime R] [--server S] [--protocol 2|3] \
              [--transport tcp|unix|tls] [--deployment standalone|cluster] [--scenario PART] [--json FILE]",
    purpose: "all tests, then the scenarios on every runtime, protocol, transport, server and deployment",
    run,
};

fn run(mut args: Args) -> Result<()> {
    let json = args.value("--json")?.map(PathBuf::from);
    let skip_unit = args.flag("--skip-unit");
    let parts = all_of(&mut args, "--scenario")?;
    let wanted = Wanted {
        full: args.flag("--full"),
        servers: all_of(&mut args, "--server")?,
        deployments: all_of(&mut args, "--deployment")?,
        runtimes: all_of(&mut args, "--runtime")?,
        protocols: all_of(&mut args, "--protocol")?,
        transports: all_of(&mut args, "--transport")?,
    };
    args.finish()?;

    let began = Instant::now();
    let found = servers::find(true);
    let missing: Vec<_> = found.missing.iter().map(ToString::to_string).collect();
    let found = found.at_least_one()?;
    let names = |of: &dyn Fn(&Installed) -> bool| -> Vec<_> {
        found.iter().filter(|one| of(one)).map(ToString::to_string).collect()
    };
    let installed = names(&|_| true);
    let combinations = wanted.combinations(&installed, &names(&|one| one.tls));
    if combinations.is_empty() {
        let have = installed.join(", ");
        return Err(format!("no combination fits the filters; the servers here are {have}").into());
    }

    let units = match skip_unit {
        true => None,
        false => {
            // What is missing the tests that need it tell.
            servers::find_tools(true);
            Some(units::run()?)
        }
    };
    println!("== conformance: {} combinations ({})", combinations.len(), wanted.set());
    let program = process::build_program("conformance", &["tls"])?;
    let all = run_all(&program, &combinations, &parts);

    let differences = report::differences(&all);
    print_told("skipped", &report::told(&all, Verdict::Skipped));
    for said in units.iter().flat_map(|units| &units.skipped) {
        println!("skipped: {said}");
    }
    for missing in &missing {
        println!("skipped: server {missing}");
    }
    for name in units.iter().flat_map(|units| &units.failed) {
        println!("FAILED: {name}");
    }
    print_told("FAILED", &report::told(&all, Verdict::Failed));
    for difference in &differences {
        println!("DIFFERENT: {} on {}", difference.scenario, difference.server);
        for (line, who) in difference.seen.iter().take(SHOWN) {
            println!("    {line}\n        {}", report::some(who));
        }
        if let more @ 1.. = difference.seen.len().saturating_sub(SHOWN) {
            println!("    and {more} more");
        }
    }
    // Of a part of the scenarios, or on a part of the servers, nothing else can be expected.
    let whole = parts.is_empty() && wanted.servers.is_empty() && wanted.deployments.is_empty();
    let coverage = coverage::of(&all)?;
    let units = units.map(|units| (units.counts, units.took));
    println!("\n{}", report::table(units, &all));

    let mut total: Counts = all.iter().map(Ran::counts).sum();
    total += units.map(|(counts, _)| counts).unwrap_or_default();
    total.failed += differences.len();
    if whole {
        for missing in &coverage.missing {
            println!("FAILED: no scenario sends {missing}");
        }
        for misfit in &coverage.misfits {
            println!("FAILED: not what the command table describes: {misfit}");
        }
        total.failed += coverage.missing.len() + coverage.misfits.len();
    }
    total.skipped += missing.len();
    if total.passed == 0 && !parts.is_empty() {
        total.failed += 1;
        println!("nothing ran: no scenario's name contains {}", parts.join(" or "));
    }
    if let Some(file) = json {
        let text = report::json(total, units, &all, &differences, &missing);
        fs::write(&file, format!("{text:#}\n"))
            .map_err(|e| format!("{} could not be written: {e}", file.display()))?;
    }
    println!("{coverage}");
    println!(
        "{} differences between combinations count as failed; {} missing servers as skipped; {:.0} s",
        differences.len(),
        missing.len(),
        began.elapsed().as_secs_f64(),
    );
    let Counts { passed, failed, skipped } = total;
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    match failed {
        0 => Ok(()),
        _ => Err(Told.into()),
    }
}

/// The values of an option that may be given several times, or once with commas.
fn all_of(args: &mut Args, name: &str) -> Result<Vec<String>> {
    let mut values = Vec::new();
    while let Some(value) = args.value(name)? {
        values.extend(value.split(',').map(str::to_owned));
    }
    Ok(values)
}

/// Runs as many at a time as the machine has processors: most of a scenario's time is waiting.
fn run_all(program: &std::path::Path, combinations: &[Combination], parts: &[String]) -> Vec<Ran> {
    let jobs = thread::available_parallelism().map_or(1, usize::from).min(4);
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                while let Some(combination) = combinations.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let ran = child::run(program, combination, parts);
                    let Counts { passed, failed, skipped } = ran.counts();
                    let seconds = ran.took.as_secs_f64();
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    done.push(ran);
                    println!(
                        "[{:2}/{}] {:46} {passed} passed, {failed} failed, {skipped} skipped, {seconds:.1} s",
                        done.len(),
                        combinations.len(),
                        combination.to_string(),
                    );
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|ran| combinations.iter().position(|one| *one == ran.combination));
    done
}

fn print_told(how: &str, told: &[report::Shared]) {
    for shared in told {
        let who = report::some(&shared.combinations);
        println!("{how}: {}: {}\n        {who}", shared.scenario, shared.text);
    }
}
