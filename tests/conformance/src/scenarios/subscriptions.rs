//! Subscriptions on the connection that commands share: what they hear, and that nobody's replies are in their way.

use std::time::Duration;

use redis_core::pubsub::{Message, MessageKind, Overflow};
use redis_core::{Cmd, Commands, ErrorKind, Execute, Result, cmd};
use testkit::faulty::Ending;
use testkit::servers::ServerOptions;

use crate::client::{Client, Subscription};
use crate::scenario::{Context, Failure, LONG, Outcome, Scenario, failed};
use crate::subject::Subject;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(shared_subscription_hears_what_one_of_its_own_would).shares_the_connection(),
        Scenario::new(shared_names_are_subscribed_once_and_heard_by_all).shares_the_connection(),
        Scenario::new(shared_connection_is_read_while_no_command_is_under_way)
            .shares_the_connection(),
        Scenario::new(shared_connection_that_is_killed_is_subscribed_again).shares_the_connection(),
        Scenario::new(shared_connection_that_is_torn_is_opened_again_without_commands)
            .shares_the_connection()
            .over_tcp(),
        Scenario::new(refused_subscription_does_not_disturb_the_replies_of_others)
            .shares_the_connection(),
        Scenario::new(subscription_of_a_user_without_ping_shifts_no_reply).shares_the_connection(),
        Scenario::new(right_that_is_lost_ends_its_subscriptions_alone).shares_the_connection(),
        Scenario::new(hundred_shared_channels_of_any_bytes_survive_a_crash).shares_the_connection(),
        Scenario::new(reader_of_a_shared_subscription_is_told_what_it_lost).shares_the_connection(),
        Scenario::new(slow_reader_of_a_shared_connection_loses_its_subscriptions_by_choice)
            .shares_the_connection(),
        Scenario::new(transaction_that_publishes_keeps_its_replies).shares_the_connection(),
        Scenario::new(shared_shard_channels_are_separate)
            .shares_the_connection()
            .needs_command("SSUBSCRIBE"),
        Scenario::new(subscribing_without_pushes_names_what_to_call)
            .fails_to_share_the_connection(),
        Scenario::new(back_pressure_on_a_shared_connection_is_refused).shares_the_connection(),
    ]
}

fn line(message: &Message) -> String {
    let (kind, channel) = (message.kind.as_str(), message.channel.escape_ascii());
    match (message.payload(), message.count()) {
        (Some(payload), _) => format!("{kind} {channel} {}", payload.escape_ascii()),
        (None, Some(count)) => format!("{kind} {channel} {count}"),
        (None, None) => kind.to_owned(),
    }
}

/// The next message, which must come.
async fn next<S: Subject>(subscription: &mut Subscription<S>) -> Result<Message, Failure> {
    Ok(subscription.get_message(LONG).await?.ok_or("a message should have come")?)
}

async fn lines<S: Subject>(
    subscription: &mut Subscription<S>,
    n: usize,
) -> Result<Vec<String>, Failure> {
    let mut lines = Vec::new();
    for _ in 0..n {
        lines.push(line(&next(subscription).await?));
    }
    Ok(lines)
}

/// Nothing waits for the reader, also once everything has come that was sent before.
async fn is_quiet<S: Subject>(client: &Client<S>, subscription: &mut Subscription<S>) -> Outcome {
    client.ping().await?;
    assert_eq!(subscription.get_message(Duration::ZERO).await?, None);
    Ok(())
}

async fn kill<S: Subject>(client: &Client<S>) -> Result<u64> {
    client.execute(cmd::client_kill().client_type(cmd::ClientType::Pubsub)).await
}

async fn shared_subscription_hears_what_one_of_its_own_would<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let client = cx.client()?;
    let mut subscription = client.subscribe(&["a", "b"]).await?;
    subscription.psubscribe(&["a*"]).await?;
    assert_eq!(
        lines(&mut subscription, 3).await?,
        ["subscribe a 1", "subscribe b 2", "psubscribe a* 3"]
    );
    assert_eq!(client.publish("a", "x").await?, 2);
    assert_eq!(lines(&mut subscription, 2).await?, ["message a x", "pmessage a x"]);
    subscription.subscribe(&["a"]).await?;
    assert_eq!(lines(&mut subscription, 1).await?, ["subscribe a 3"], "counts once");
    subscription.unsubscribe(&["b"]).await?;
    assert_eq!(lines(&mut subscription, 1).await?, ["unsubscribe b 2"]);
    assert_eq!(client.publish("b", "x").await?, 0);
    subscription.ignore_subscribe_messages();
    subscription.subscribe(&["c"]).await?;
    assert_eq!(client.publish("c", "y").await?, 1);
    assert_eq!(lines(&mut subscription, 1).await?, ["message c y"]);
    subscription.unsubscribe_all().await?;
    subscription.punsubscribe_all().await?;
    assert!(subscription.heard(1).await.is_empty(), "listening ends");
    let nothing: [&str; 0] = [];
    let error = failed(client.subscribe(&nothing).await.map(drop))?;
    cx.saw("no name", &error);
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    Ok(())
}

async fn shared_names_are_subscribed_once_and_heard_by_all<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let mut first = client.subscribe(&["a", "b"]).await?;
    let mut second = client.subscribe(&["b", "c"]).await?;
    let mut pattern = client.psubscribe(&["b*"]).await?;
    lines(&mut first, 2).await?;
    assert_eq!(lines(&mut second, 2).await?, ["subscribe b 1", "subscribe c 2"]);
    lines(&mut pattern, 1).await?;
    assert_eq!(client.publish("b", "x").await?, 2, "the server knows one subscriber and a pattern");
    assert_eq!(lines(&mut first, 1).await?, ["message b x"]);
    assert_eq!(lines(&mut second, 1).await?, ["message b x"]);
    assert_eq!(lines(&mut pattern, 1).await?, ["pmessage b x"]);
    drop(first);
    assert_eq!(client.publish("b", "y").await?, 2);
    assert_eq!(client.publish("a", "y").await?, 0, "nobody wants it any longer");
    assert_eq!(lines(&mut second, 1).await?, ["message b y"]);
    second.unsubscribe(&["b"]).await?;
    assert_eq!(client.publish("b", "z").await?, 1);
    assert_eq!(lines(&mut pattern, 2).await?, ["pmessage b y", "pmessage b z"]);
    drop((second, pattern));
    assert_eq!(client.publish("b", "z").await?, 0);
    assert_eq!(client.publish("c", "z").await?, 0);
    Ok(())
}

async fn shared_connection_is_read_while_no_command_is_under_way<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let (client, other) = (cx.client()?, cx.client()?);
    let mut subscription = client.subscribe(&["c"]).await?;
    assert_eq!(client.stats().pool_open, 0, "it takes no connection");
    lines(&mut subscription, 1).await?;
    for round in 0..20 {
        assert_eq!(other.publish("c", round).await?, 1);
        assert_eq!(lines(&mut subscription, 1).await?, [format!("message c {round}")]);
    }
    Ok(())
}

async fn shared_connection_that_is_killed_is_subscribed_again<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let (client, other) = (cx.client()?, cx.client()?);
    let mut first = client.subscribe(&["a", "b"]).await?;
    let mut second = client.psubscribe(&["b*"]).await?;
    lines(&mut first, 2).await?;
    lines(&mut second, 1).await?;
    for round in 0..3 {
        cx.step(format!("round {round}"));
        assert_eq!(kill(&other).await?, 1);
        assert_eq!(lines(&mut first, 1).await?, ["resubscribed"]);
        assert_eq!(lines(&mut second, 1).await?, ["resubscribed"]);
        assert_eq!(other.publish("a", round).await?, 1);
        assert_eq!(other.publish("b", round).await?, 2);
        let expected = [format!("message a {round}"), format!("message b {round}")];
        assert_eq!(lines(&mut first, 2).await?, expected);
        assert_eq!(lines(&mut second, 1).await?, [format!("pmessage b {round}")]);
        is_quiet(&client, &mut first).await?;
        is_quiet(&client, &mut second).await?;
    }
    Ok(())
}

async fn shared_connection_that_is_torn_is_opened_again_without_commands<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let proxied = cx.proxy()?;
    let (client, other) = (proxied.client::<S>()?, cx.client()?);
    let mut subscription = client.subscribe(&["c"]).await?;
    lines(&mut subscription, 1).await?;
    for round in 0..3 {
        proxied.end_links(Ending::ResetClient);
        assert_eq!(lines(&mut subscription, 1).await?, ["resubscribed"]);
        assert_eq!(other.publish("c", round).await?, 1);
        assert_eq!(lines(&mut subscription, 1).await?, [format!("message c {round}")]);
    }
    Ok(())
}

/// Tasks that use the client until they are told to stop: each gets its own replies.
async fn busy<S: Subject>(
    cx: &Context<S>,
    client: &Client<S>,
    meanwhile: impl Future<Output = Outcome>,
) -> Outcome {
    client.set("go", 1).await?;
    let mut tasks = Vec::new();
    for task in 0..8 {
        let client = client.clone();
        tasks.push(cx.spawn(async move {
            let mut n = 0;
            while client.exists("go").await? == 1 {
                let text = format!("{task} {n}");
                assert_eq!(client.echo::<String>(&text).await?, text);
                n += 1;
            }
            Ok::<_, redis_core::Error>(n)
        }));
    }
    let outcome = meanwhile.await;
    client.del("go").await?;
    for task in tasks {
        assert!(task.await?? > 0);
    }
    outcome
}

async fn refused_subscription_does_not_disturb_the_replies_of_others<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let own = cx.start_server(ServerOptions::new())?;
    let admin = own.client::<S>()?;
    let user = ["on", ">pw", "~*", "+@all", "resetchannels", "&yes*"];
    admin.acl_setuser("plain", user).await?;
    let client = own.client_with::<S>(|config| {
        config.username = Some("plain".into());
        config.password = Some("pw".into());
    })?;
    let attempts = async {
        for round in 0..50 {
            let mut fine = client.subscribe(&[format!("yes{round}")]).await?;
            let error = failed(client.subscribe(&["no"]).await.map(drop))?;
            assert_eq!(error.code(), Some("NOPERM"), "{error}");
            let error = failed(client.psubscribe(&["no*"]).await.map(drop))?;
            assert_eq!(error.code(), Some("NOPERM"), "{error}");
            let error = failed(fine.subscribe(&["yes", "no", "yes also"]).await)?;
            assert_eq!(error.code(), Some("NOPERM"), "{error}");
            fine.subscribe(&["yes also"]).await?;
            assert_eq!(admin.publish("yes also", round).await?, 1);
            let told = loop {
                let message = next(&mut fine).await?;
                if message.kind.is_published() {
                    break message;
                }
            };
            assert_eq!(line(&told), format!("message yes also {round}"));
        }
        let error = failed(client.subscribe(&["no"]).await.map(drop))?;
        cx.saw("refused", error.to_string().split(':').next());
        Ok(())
    };
    busy(&cx, &client, attempts).await
}

async fn subscription_of_a_user_without_ping_shifts_no_reply<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let own = cx.start_server(ServerOptions::new())?;
    let admin = own.client::<S>()?;
    let user = ["on", ">pw", "~*", "&*", "+@all", "-ping", "-hello", "-unsubscribe"];
    admin.acl_setuser("plain", user).await?;
    let client = own.client_with::<S>(|config| {
        config.username = Some("plain".into());
        config.password = Some("pw".into());
    })?;
    let attempts = async {
        for round in 0..50 {
            let mut subscription = client.subscribe(&["c"]).await?;
            assert_eq!(lines(&mut subscription, 1).await?, ["subscribe c 1"]);
            assert_eq!(admin.publish("c", round).await?, 1);
            // Its end is refused, and nobody hears of what comes.
            assert_eq!(lines(&mut subscription, 1).await?, [format!("message c {round}")]);
        }
        Ok(())
    };
    busy(&cx, &client, attempts).await
}

async fn right_that_is_lost_ends_its_subscriptions_alone<S: Subject>(cx: Context<S>) -> Outcome {
    let own = cx.start_server(ServerOptions::new())?;
    let admin = own.client::<S>()?;
    admin.acl_setuser("plain", ["on", ">pw", "~*", "+@all", "&*"]).await?;
    let client = own.client_with::<S>(|config| {
        config.username = Some("plain".into());
        config.password = Some("pw".into());
    })?;
    let mut both = client.subscribe(&["kept", "lost"]).await?;
    let mut kept = client.subscribe(&["kept"]).await?;
    lines(&mut both, 2).await?;
    lines(&mut kept, 1).await?;
    cx.step("the server closes the connection of one who has lost a right that is used");
    admin.acl_setuser("plain", ["resetchannels", "&kept"]).await?;
    let error = failed(both.get_message(LONG).await)?;
    assert_eq!(error.code(), Some("NOPERM"), "{error}");
    assert!(error.to_string().starts_with("SUBSCRIBE lost: "), "{error}");
    assert_eq!(lines(&mut both, 1).await?, ["resubscribed"]);
    assert_eq!(lines(&mut kept, 1).await?, ["resubscribed"]);
    assert_eq!(admin.publish("kept", "x").await?, 1);
    assert_eq!(lines(&mut both, 1).await?, ["message kept x"]);
    assert_eq!(lines(&mut kept, 1).await?, ["message kept x"]);
    Ok(())
}

async fn hundred_shared_channels_of_any_bytes_survive_a_crash<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let mut own = cx.start_server(ServerOptions::new())?;
    let client = own.client::<S>()?;
    let name = |n: u8| [b"\r\n\0 \xff".as_slice(), &[n], b"\r\n"].concat();
    let names: Vec<_> = (0..100).map(name).collect();
    let mut subscription = client.subscribe(&names).await?;
    for (n, name) in names.iter().enumerate() {
        let confirmed = next(&mut subscription).await?;
        assert_eq!((&confirmed.channel[..], confirmed.count()), (&name[..], Some(n as i64 + 1)));
    }
    own.server.kill()?;
    own.server.restart()?;
    cx.step("waiting for everything to be subscribed again");
    loop {
        match subscription.get_message(LONG).await {
            Ok(Some(message)) if message.kind == MessageKind::Resubscribed => break,
            Ok(other) => return Err(format!("unexpected: {other:?}").into()),
            Err(error) => assert!(error.is_disconnected(), "{error}"),
        }
    }
    for name in &names {
        assert_eq!(client.publish(&name[..], &name[..]).await?, 1);
        let message = next(&mut subscription).await?;
        assert_eq!((&message.channel[..], message.payload()), (&name[..], Some(&name[..])));
    }
    Ok(())
}

/// Two subscriptions to `c` with room for a few messages, one of which was read while 100 were published.
async fn behind<S: Subject>(
    cx: &Context<S>,
    overflow: Overflow,
) -> Result<(Client<S>, Subscription<S>), Failure> {
    let client = cx.client_with(|config| {
        (config.overflow, config.max_backlog) = (overflow, 1000);
    })?;
    let mut slow = client.subscribe(&["c"]).await?;
    let mut fast = client.subscribe(&["c"]).await?;
    lines(&mut slow, 1).await?;
    lines(&mut fast, 1).await?;
    for number in 0..100 {
        client.publish("c", format!("{number:03}")).await?;
        assert_eq!(lines(&mut fast, 1).await?, [format!("message c {number:03}")]);
    }
    assert_eq!(client.echo::<String>("x").await?, "x");
    Ok((client, slow))
}

async fn reader_of_a_shared_subscription_is_told_what_it_lost<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest] {
        cx.step(format!("{overflow:?}"));
        let (client, mut slow) = behind(&cx, overflow).await?;
        let (mut number, mut lost) = (0, 0);
        while number < 100 {
            let message = next(&mut slow).await?;
            match message.kind {
                MessageKind::Lagged => {
                    let count = message.count().unwrap_or_default();
                    (number, lost) = (number + count, lost + count);
                }
                _ => {
                    assert_eq!(message.text(), Some(&*format!("{number:03}")));
                    number += 1;
                }
            }
        }
        assert!(lost > 50, "{lost}");
        client.publish("c", "more").await?;
        assert_eq!(lines(&mut slow, 1).await?, ["message c more"]);
    }
    Ok(())
}

async fn slow_reader_of_a_shared_connection_loses_its_subscriptions_by_choice<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let (client, mut slow) = behind(&cx, Overflow::Disconnect).await?;
    let mut heard = slow.heard(200).await;
    let error = failed(heard.pop().ok_or("nothing came")?)?;
    assert_eq!(error.kind(), ErrorKind::Limit);
    cx.saw("too slow", &error);
    assert!(heard.len() < 50 && heard.iter().all(Result::is_ok), "{heard:?}");
    slow.subscribe(&["c"]).await?;
    assert_eq!(client.publish("c", "x").await?, 1);
    assert_eq!(lines(&mut slow, 2).await?, ["subscribe c 1", "message c x"]);
    Ok(())
}

async fn transaction_that_publishes_keeps_its_replies<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let mut subscription = client.subscribe(&["c"]).await?;
    lines(&mut subscription, 1).await?;
    for round in 0..20 {
        let mut pipeline = client.pipeline();
        pipeline.push(cmd::incr("n"));
        pipeline.push(cmd::publish("c", round));
        pipeline.push(cmd::echo::<String>("behind"));
        let (_, receivers, behind): (i64, i64, String) = pipeline.execute().await?;
        assert_eq!((receivers, &*behind), (1, "behind"));
        assert_eq!(client.echo::<i64>(round).await?, round);
        let script = "redis.call('PUBLISH', 'c', 'script') return {1, 2}";
        let replies: Vec<i64> = client.execute(Cmd::raw("EVAL").arg(script).arg(0)).await?;
        assert_eq!(replies, [1, 2]);
        let expected = [format!("message c {round}"), "message c script".to_owned()];
        assert_eq!(lines(&mut subscription, 2).await?, expected);
    }
    Ok(())
}

async fn shared_shard_channels_are_separate<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let mut subscription = client.ssubscribe(&["c", "d"]).await?;
    assert_eq!(lines(&mut subscription, 2).await?, ["ssubscribe c 1", "ssubscribe d 2"]);
    subscription.subscribe(&["c"]).await?;
    assert_eq!(lines(&mut subscription, 1).await?, ["subscribe c 1"]);
    client.publish("c", "channel").await?;
    client.spublish("c", "shard").await?;
    let expected = ["message c channel", "smessage c shard"];
    assert_eq!(lines(&mut subscription, 2).await?, expected);
    assert_eq!(kill(&cx.client()?).await?, 1);
    assert_eq!(lines(&mut subscription, 1).await?, ["resubscribed"]);
    client.spublish("d", "again").await?;
    assert_eq!(lines(&mut subscription, 1).await?, ["smessage d again"]);
    Ok(())
}

async fn subscribing_without_pushes_names_what_to_call<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    for _ in 0..2 {
        let error = failed(client.subscribe(&["c"]).await.map(drop))?;
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.to_string().contains("client.pubsub()"), "{error}");
    }
    assert_eq!(client.publish("c", "x").await?, 0);
    Ok(())
}

async fn back_pressure_on_a_shared_connection_is_refused<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client_with(|config| config.overflow = Overflow::Backpressure)?;
    let error = failed(client.subscribe(&["c"]).await.map(drop))?;
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    cx.saw("back-pressure", &error);
    Ok(())
}
