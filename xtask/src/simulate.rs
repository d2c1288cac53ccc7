//! `simulate`: the machines under a simulated network, many seeds.

use std::time::Duration;

use crate::args::Args;
use crate::process::{self, cargo};
use crate::{Result, Verb, workspace};

pub(crate) const VERB: Verb = Verb {
    name: "simulate",
    options: "[--seeds N] [--seed FIRST]",
    purpose: "run the machines under simulated faults; a failure names its seed",
    run,
};

const LIMIT: Duration = Duration::from_secs(60 * 60);

fn run(mut args: Args) -> Result<()> {
    let mut command = cargo();
    command.args(["run", "--quiet", "--release", "--package", "simulation", "--"]);
    for option in ["--seeds", "--seed"] {
        if let Some(value) = args.value(option)? {
            value.parse::<u64>().map_err(|_| format!("`{option}` takes a number"))?;
            command.args([option, &value]);
        }
    }
    args.finish()?;
    process::run("simulation", command.current_dir(workspace()), LIMIT)
}
