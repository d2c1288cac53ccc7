//! WATCH: a client-side INCR, first by hand, then with the helper that tries again by itself.
//!
//! `cargo run -p redis-smol --example smol_watch -- redis://127.0.0.1:6379`

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use redis_smol::{Client, Commands, QueueCommands, Result};

const KEY: &str = "OUR-SEQUENCE-KEY";

fn main() -> Result<()> {
    smol::block_on(run())
}

async fn run() -> Result<()> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "redis://127.0.0.1:6379".to_owned());
    let client = Client::open(&url)?;
    let somebody_else = Client::open(&url)?;
    client.set(KEY, 1).await?;

    let mut round = 0;
    let next = loop {
        round += 1;
        // Watching takes a connection of its own; commands on it run at once.
        let mut watched = client.watch(KEY).await?;
        let current: i64 = watched.get(KEY).await?.unwrap_or(0);
        println!("round {round}: the value is {current}");
        if round == 1 {
            // Forces a conflict, to show one.
            somebody_else.incrby(KEY, 10).await?;
        }
        // `multi` starts buffering; `execute` applies all of it, or nothing if the key has changed.
        match watched.multi().set(KEY, current + 1).execute::<()>().await {
            Ok(()) => break current + 1,
            Err(error) if error.is_watch() => println!("round {round}: {error}"),
            Err(error) => return Err(error),
        }
    };
    println!("set to {next} in round {round}");

    // The same without the boilerplate: the closure runs again after each conflict.
    let (replies, next): (((),), i64) = client
        .transaction(KEY, |mut watched| async move {
            let current: i64 = watched.get(KEY).await?.unwrap_or(0);
            Ok(watched.multi().set(KEY, current + 1).returning(current + 1))
        })
        .await?;
    println!("transaction: {replies:?}, set to {next}");
    println!("the value is {:?}", client.get::<i64>(KEY).await?);

    // A watch that is not needed after all: `reset` gives its connection back, dropping it closes it.
    let watched = client.watch([KEY, "another"]).await?;
    watched.reset().await?;
    println!("reset");
    Ok(())
}
