//! A live table of the commands that a server runs, by client: how many in the last second, and in all.
//!
//! `cargo run -p redis-sync --example monitor_top -- redis://127.0.0.1:6379 [SECONDS]`

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::collections::HashMap;
use std::io::{IsTerminal, stdout};
use std::time::{Duration, Instant};

use redis_sync::{Client, MonitorClient, MonitorEntry, Result};

/// How many rows fit a screen.
const ROWS: usize = 20;

/// How often something was seen.
#[derive(Clone, Copy, Default)]
struct Count {
    second: u64,
    all: u64,
}

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let url = args.next().unwrap_or_else(|| "redis://127.0.0.1:6379".to_owned());
    let seconds: Option<u64> = args.next().and_then(|seconds| seconds.parse().ok());

    let mut monitor = Client::open(&url)?.monitor()?;
    let mut counts: HashMap<(String, String), Count> = HashMap::new();
    let (mut shown, mut rounds) = (Instant::now(), 0);
    loop {
        let left = Duration::from_secs(1).saturating_sub(shown.elapsed());
        if let Some(entry) = monitor.next_command(left)? {
            let count = counts.entry(names(&entry)).or_default();
            count.second += 1;
            count.all += 1;
        }
        if shown.elapsed() >= Duration::from_secs(1) {
            show(&counts);
            counts.values_mut().for_each(|count| count.second = 0);
            (shown, rounds) = (Instant::now(), rounds + 1);
            if seconds == Some(rounds) {
                return Ok(());
            }
        }
    }
}

/// The client and the command.
fn names(entry: &MonitorEntry) -> (String, String) {
    let client = match &entry.client {
        MonitorClient::Tcp(address) => address.to_string(),
        MonitorClient::Unix(path) => format!("unix:{path}"),
        MonitorClient::Lua => "script".to_owned(),
        other => format!("{other:?}"),
    };
    let command = entry.args.first().map(|name| name.to_ascii_uppercase()).unwrap_or_default();
    (client, command.escape_ascii().to_string())
}

fn show(counts: &HashMap<(String, String), Count>) {
    let mut rows: Vec<_> = counts.iter().collect();
    rows.sort_by_key(|(names, count)| (std::cmp::Reverse((count.second, count.all)), *names));
    if stdout().is_terminal() {
        // From the top of an empty screen.
        print!("\x1b[2J\x1b[H");
    }
    let sum: u64 = rows.iter().map(|(_, count)| count.second).sum();
    println!("{sum} commands in the last second");
    println!("{:>8} {:>10}  {:24} client", "second", "all", "command");
    for ((client, command), count) in rows.into_iter().take(ROWS) {
        println!("{:>8} {:>10}  {command:24} {client}", count.second, count.all);
    }
}
