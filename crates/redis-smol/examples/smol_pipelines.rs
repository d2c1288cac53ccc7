//! Pipelines: commands that are sent together, in one round trip.
//!
//! `cargo run -p redis-smol --example smol_pipelines -- redis://127.0.0.1:6379`

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use redis_smol::{Client, Commands, QueueCommands, Result, Value, cmd};

fn main() -> Result<()> {
    smol::block_on(run())
}

async fn run() -> Result<()> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "redis://127.0.0.1:6379".to_owned());
    let client = Client::open(&url)?;
    client.del(["foo", "faz"]).await?;
    client.mset([("bing", "baz"), ("auto_number", "5")]).await?;

    // Commands are buffered, a statement each; `execute` sends them and returns their replies in order.
    let mut pipe = client.pipeline();
    pipe.set("foo", "bar");
    pipe.get("bing");
    let (_, bing): ((), String) = pipe.execute().await?;
    println!("GET bing: {bing:?}");

    // They chain, too. The pipeline is empty after `execute`, and can be used again.
    let replies: ((), bool, i64) =
        pipe.set("foo", "bar").sadd("faz", "baz").incr("auto_number").execute().await?;
    println!("chained: {replies:?}");

    // By default the commands run as one transaction. This turns it off, and still buffers.
    let mut plain = client.pipeline();
    let replies: Vec<Value> =
        plain.transaction(false).get("foo").scard("faz").get("none").execute().await?;
    println!("not atomic: {replies:?}");

    // A batch infers the types of its replies from its commands.
    let (value, number) =
        client.batch((cmd::get::<String>("foo"), cmd::incr("auto_number"))).await?;
    println!("batch: {value:?}, {number}");

    // The first failed command is the error. All replies are read all the same.
    let failed = pipe.set("foo", "bar").lpush("foo", "x").incr("auto_number").execute::<()>().await;
    println!("error: {}", failed.expect_err("`foo` is no list"));

    // Or each error is in its place.
    for reply in pipe.lpush("foo", "x").get("auto_number").execute_all().await? {
        match reply {
            Ok(value) => println!("one by one: {value:?}"),
            Err(error) => println!("one by one: {}", error.code().unwrap_or("an error of ours")),
        }
    }
    Ok(())
}
