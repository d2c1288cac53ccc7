//! `simulate`: the machines under a simulated network, many seeds; or with bugs put in on purpose.

mod cluster_mutants;
mod mutants;
mod mutate;

use std::time::Duration;

use crate::args::Args;
use crate::process::{self, cargo};
use crate::{Result, Verb, workspace};

pub(crate) const VERB: Verb = Verb {
    name: "simulate",
    options: "[--seeds N] [--seed FIRST] [--jobs J] [--lines L] [--stop] [--cluster] | --mutants [--cluster] [--only NAME,..]",
    purpose: "run the machines under simulated faults; a failure names its seed",
    run,
};

const LIMIT: Duration = Duration::from_secs(60 * 60);

fn run(mut args: Args) -> Result<()> {
    if args.flag("--mutants") {
        let only = args.value("--only")?;
        let suite = if args.flag("--cluster") { &mutate::CLUSTER } else { &mutate::CORE };
        args.finish()?;
        return mutate::run_all(suite, only.as_deref());
    }
    let mut command = cargo();
    command.args(["run", "--quiet", "--release", "--package", "simulation", "--"]);
    for option in ["--seeds", "--seed", "--jobs", "--lines"] {
        if let Some(value) = args.value(option)? {
            value.parse::<u64>().map_err(|_| format!("`{option}` takes a number"))?;
            command.args([option, &value]);
        }
    }
    for option in ["--stop", "--cluster"] {
        if args.flag(option) {
            command.arg(option);
        }
    }
    args.finish()?;
    process::run("simulation", command.current_dir(workspace()), LIMIT)
}
