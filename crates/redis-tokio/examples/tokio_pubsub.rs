//! Publish and subscribe: confirmations, messages, patterns, handlers.
//!
//! `cargo run -p redis-tokio --example tokio_pubsub -- redis://127.0.0.1:6379`

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use redis_tokio::{Client, Commands, Message, MessageData, PubSub, Result};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "redis://127.0.0.1:6379".to_owned());
    let client = Client::open(&url)?;

    // Subscriptions have a connection of their own. Their confirmations are messages.
    let mut p = client.pubsub();
    p.subscribe(["my-first-channel", "my-second-channel"]).await?;
    p.psubscribe("my-*").await?;
    show(&mut p, 3).await?;

    // Both the channel and the pattern match: the message comes twice.
    println!("publish: {}", client.publish("my-first-channel", "some data").await?);
    show(&mut p, 2).await?;

    // The server knows who listens.
    let mut channels: Vec<String> = client.pubsub_channels().await?;
    channels.sort();
    println!("channels: {channels:?}");
    println!("numsub: {:?}", client.pubsub_numsub::<String>(["my-first-channel", "baz"]).await?);
    println!("numpat: {}", client.pubsub_numpat().await?);

    p.unsubscribe_all().await?;
    p.punsubscribe("my-*").await?;
    show(&mut p, 3).await?;

    // A handler takes the messages of its channel: reading gives none then.
    p.subscribe_with("my-channel", |message| {
        println!("MY HANDLER: {}", message.text().unwrap_or_default())
    })
    .await?;
    show(&mut p, 1).await?;
    println!("publish: {}", client.publish("my-channel", "awesome data").await?);
    show(&mut p, 1).await?;

    // Who does not want to see confirmations ignores them.
    let mut p = client.pubsub();
    p.ignore_subscribe_messages(true).subscribe("quiet-channel").await?;
    println!("{:?}", p.get_message(Duration::from_millis(50)).await?);
    println!("publish: {}", client.publish("quiet-channel", "my data").await?);
    show(&mut p, 1).await
}

/// Prints the next messages.
async fn show(p: &mut PubSub, count: usize) -> Result<()> {
    for _ in 0..count {
        match p.get_message(Duration::from_secs(5)).await? {
            Some(message) => println!("{}", line(&message)),
            None => println!("None"),
        }
    }
    Ok(())
}

fn line(message: &Message) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let data = match &message.data {
        MessageData::Payload(payload) => text(payload),
        MessageData::Count(count) => count.to_string(),
        MessageData::None => "nothing".to_owned(),
    };
    let (kind, channel) = (message.kind.as_str(), text(&message.channel));
    match &message.pattern {
        Some(pattern) => format!("{kind} {channel} by {}: {data}", text(pattern)),
        None => format!("{kind} {channel}: {data}"),
    }
}
