//! Subscriptions on the connection that commands share, over sockets.

use std::collections::BTreeSet;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use redis_tokio::{Client, Cmd, Commands, Config, ErrorKind, Execute, MessageKind, Subscription};
use testkit::embedded::Embedded;

/// Longer than anything takes that is to come, also on a busy machine.
const LONG: Duration = Duration::from_secs(60);

fn server() -> (Embedded, Client) {
    let server = Embedded::start().expect("a port is free");
    let client = Client::open(&server.url()).expect("it is a URL");
    (server, client)
}

/// The next message, as a line.
async fn next(subscription: &mut Subscription) -> String {
    let message = subscription.get_message(LONG).await.expect("the server is well");
    let message = message.expect("a message comes");
    let (kind, channel) = (message.kind.as_str(), message.channel.escape_ascii());
    match (message.text(), message.count()) {
        (Some(text), _) => format!("{kind} {channel} {text}"),
        (None, Some(count)) => format!("{kind} {channel} {count}"),
        (None, None) => kind.to_owned(),
    }
}

#[tokio::test]
async fn messages_come_while_no_command_is_under_way() {
    let (server, client) = server();
    let mut subscription = client.subscribe(["a", "b"]).await.unwrap();
    assert_eq!(next(&mut subscription).await, "subscribe a 1");
    assert_eq!(next(&mut subscription).await, "subscribe b 2");
    let other = Client::open(&server.url()).unwrap();
    let publish = async {
        assert_eq!(other.publish("b", "hello").await.unwrap(), 1);
    };
    let (text, ()) = tokio::join!(next(&mut subscription), publish);
    assert_eq!(text, "message b hello");
    assert_eq!(client.stats().pool_open, 0, "it has no connection of its own");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn subscriptions_and_commands_of_many_tasks_do_not_disturb_each_other() {
    let (_server, client) = server();
    let mut tasks = Vec::new();
    for task in 0..16 {
        let client = client.clone();
        tasks.push(tokio::spawn(async move {
            for round in 0..50 {
                let mine = format!("{task}-{round}");
                let mut subscription = client.subscribe([&mine, "common"]).await.unwrap();
                assert_eq!(client.echo::<String>(&mine).await.unwrap(), mine);
                assert_eq!(client.publish(&mine, &mine).await.unwrap(), 1);
                // What is there already is confirmed first.
                let confirmed = [next(&mut subscription).await, next(&mut subscription).await];
                assert!(confirmed[0].ends_with(" 1") && confirmed[1].ends_with(" 2"));
                assert_eq!(next(&mut subscription).await, format!("message {mine} {mine}"));
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    // Behind everything that was asked before.
    drop(client.subscribe("last").await.unwrap());
    let mut left = client.pubsub_channels().await.unwrap_or_else(|error| panic!("{error}"));
    left.retain(|channel: &String| channel != "last");
    assert_eq!(left, [""; 0]);
}

#[tokio::test]
async fn dropping_a_call_that_subscribes_leaves_nothing() {
    let (_server, client) = server();
    for _ in 0..20 {
        let mut call = Box::pin(client.subscribe("c"));
        let _ = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        tokio::task::yield_now().await;
        drop(call);
    }
    let subscription = client.subscribe("other").await.unwrap();
    let channels: Vec<String> = client.pubsub_channels().await.unwrap();
    assert_eq!(channels, ["other"]);
    drop(subscription);
}

#[tokio::test]
async fn one_that_outlives_its_client_keeps_the_connection() {
    let (server, client) = server();
    let mut subscription = client.subscribe("a").await.unwrap();
    drop(client);
    let other = Client::open(&server.url()).unwrap();
    assert_eq!(other.publish("a", "1").await.unwrap(), 1);
    assert_eq!(next(&mut subscription).await, "subscribe a 1");
    assert_eq!(next(&mut subscription).await, "message a 1");
    drop(subscription);
    let clients = || other.execute(Cmd::<String>::raw("CLIENT").arg("LIST"));
    while clients().await.unwrap().lines().count() > 1 {}
}

#[tokio::test]
async fn what_has_come_is_there_without_waiting() {
    let (_server, client) = server();
    let mut subscription = client.subscribe("a").await.unwrap();
    assert_eq!(subscription.get_message(LONG).await.unwrap().unwrap().kind, MessageKind::Subscribe);
    assert_eq!(subscription.get_message(Duration::ZERO).await.unwrap(), None);
    client.publish("a", "1").await.unwrap();
    // Nothing else ever gives other tasks their turn.
    let message = loop {
        if let Some(message) = subscription.get_message(Duration::ZERO).await.unwrap() {
            break message;
        }
    };
    assert_eq!(message.text(), Some("1"));
}

#[tokio::test]
async fn listening_ends_with_the_last_subscription() {
    let (_server, client) = server();
    let mut subscription = client.subscribe("a").await.unwrap();
    subscription.psubscribe("p*").await.unwrap();
    subscription.unsubscribe("a").await.unwrap();
    subscription.punsubscribe_all().await.unwrap();
    let mut kinds = Vec::new();
    let mut stream = subscription.listen();
    while let Some(message) = stream.next().await {
        kinds.push(message.unwrap().kind);
    }
    use MessageKind::{PSubscribe, PUnsubscribe, Subscribe, Unsubscribe};
    assert_eq!(kinds, [Subscribe, PSubscribe, Unsubscribe, PUnsubscribe]);
}

#[tokio::test]
async fn raw_subscriptions_stay_refused() {
    let (_server, client) = server();
    let error = client.execute(Cmd::<()>::raw("SUBSCRIBE").arg("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.to_string().contains("client.pubsub()"), "{error}");
}

#[test]
fn readers_are_told_when_their_runtime_ends_and_another_one_will_do() {
    let (_server, client) = server();
    let runtime =
        || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("it starts");
    let mut subscription = runtime().block_on(client.subscribe("a")).unwrap();
    let runtime = runtime();
    let kinds: BTreeSet<_> = runtime.block_on(async {
        assert_eq!(next(&mut subscription).await, "subscribe a 1");
        let error = subscription.get_message(LONG).await.unwrap_err();
        assert!(error.to_string().contains("runtime"), "{error}");
        assert!(subscription.listen().next().await.is_none());
        subscription.subscribe("b").await.unwrap();
        [next(&mut subscription).await].into()
    });
    assert_eq!(kinds, ["subscribe b 1".to_owned()].into());
}

#[test]
fn subscribing_outside_of_the_runtime_is_an_error() {
    let client = Client::new(Config::default()).unwrap();
    let outside = pin!(client.subscribe("c")).poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Err(error)) = outside else { panic!("there is no runtime: {outside:?}") };
    assert!(error.to_string().starts_with("no task can be started"), "{error}");
}
