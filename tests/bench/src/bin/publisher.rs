//! No subject: who publishes for those that subscribe, started by them.

use std::{
    env,
    io::{self, Write},
    process::ExitCode,
};

use bench::{job::Result, publisher};

fn main() -> ExitCode {
    match publish() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Who started it has said what is wrong, if nobody reads this.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn publish() -> Result<()> {
    let addr = env::args().nth(1).ok_or("usage: bench-publisher HOST:PORT")?;
    publisher::publish(addr.parse()?, io::stdin().lock())
}
