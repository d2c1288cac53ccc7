//! Subscriptions where there is no runtime, or none yet.

use std::net::TcpListener;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use redis_tokio::{Client, Config, ErrorKind};

#[test]
fn subscribing_outside_of_the_runtime_is_an_error_and_can_be_made_up_for() {
    // Nobody listens there any longer.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let client = Client::new(Config::tcp("127.0.0.1", port)).unwrap();
    let pubsub = client.pubsub();
    let outside = pin!(pubsub.subscribe(["c"])).poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Err(error)) = outside else { panic!("there is no runtime: {outside:?}") };
    assert!(error.to_string().starts_with("no task can be started"), "{error}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(pubsub.subscribe(["c"])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.to_string().starts_with("connecting to"), "{error}");
}
