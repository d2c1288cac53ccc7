//! Subscriptions on the connection that commands share, over sockets.

use std::time::Duration;

use redis_smol::{Client, Commands, MessageKind, Result};
use smol::future::zip;
use testkit::embedded::Embedded;

/// Longer than anything takes that is to come, also on a busy machine.
const LONG: Duration = Duration::from_secs(60);

#[test]
fn messages_come_beside_the_replies_of_commands() -> Result<()> {
    let server = Embedded::start().expect("a port is free");
    smol::block_on(async {
        let client = Client::open(&server.url())?;
        let mut first = client.subscribe(["a", "b"]).await?;
        let mut second = client.subscribe("b").await?;
        first.ignore_subscribe_messages(true);
        second.ignore_subscribe_messages(true);
        let other = client.clone();
        let publish = async {
            for number in 0..100 {
                other.publish("b", number).await?;
                assert_eq!(other.echo::<i64>(number).await?, number);
            }
            Ok(())
        };
        let read = async {
            for subscription in [&mut first, &mut second] {
                let mut number = 0;
                while number < 100 {
                    let message = subscription.get_message(LONG).await?.expect("they come");
                    if message.kind == MessageKind::Message {
                        assert_eq!(message.text(), Some(&*number.to_string()));
                        number += 1;
                    }
                }
            }
            Ok(())
        };
        let (read, published): (Result<()>, Result<()>) = zip(read, publish).await;
        read.and(published)?;
        assert_eq!(client.stats().pool_open, 0, "they have no connection of their own");
        drop((first, second));
        assert_eq!(client.pubsub_channels::<String>().await?, [""; 0]);
        Ok(())
    })
}
