//! A chat between terminals, in one task: it waits for what is typed and for what others say at once.
//!
//! `cargo run -p redis-tokio --example tokio_chat -- redis://127.0.0.1:6379 ROOM NICK`, then lines, `/join ROOM` and
//! `/quit`. Talks to the example `chat` of `redis-sync` too, which has more to it.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::env::args;
use std::error::Error;

use redis_tokio::{Client, Commands};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arg = |at, otherwise: &str| args().nth(at).unwrap_or_else(|| otherwise.to_owned());
    let client = Client::open(&arg(1, "redis://127.0.0.1:6379"))?;
    let (mut room, nick) = (format!("chat:{}", arg(2, "lobby")), arg(3, "somebody"));

    let mut lines = BufReader::new(stdin()).lines();
    let mut pubsub = client.pubsub();
    pubsub.ignore_subscribe_messages(true).subscribe(&room).await?;
    loop {
        // What is dropped here, because the other came first, loses nothing.
        tokio::select! {
            message = async { pubsub.listen().next().await } => match message {
                Some(Ok(message)) => {
                    println!("{}", message.text().unwrap_or_default().replace(char::is_control, ""));
                }
                Some(Err(error)) => println!("* {error}"),
                None => return Err("the server no longer lets us in".into()),
            },
            line = lines.next_line() => {
                let line = line?.unwrap_or_else(|| "/quit".to_owned());
                match line.split_once(' ') {
                    _ if line == "/quit" => return Ok(()),
                    Some(("/join", next)) => {
                        let left = std::mem::replace(&mut room, format!("chat:{next}"));
                        pubsub.subscribe(&room).await?;
                        pubsub.unsubscribe(left).await?;
                    }
                    _ => {
                        client.publish(&room, format!("{nick}: {line}")).await?;
                    }
                }
            }
        }
    }
}
