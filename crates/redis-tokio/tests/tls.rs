//! The async client over TLS, against a real server: what it takes, what it refuses, and why.
#![cfg(feature = "tls")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clusterkit::{Cluster, ClusterOptions};
use redis_tokio::cluster::Route;
use redis_tokio::tls::{Identity, Pem, Roots, Tls};
use redis_tokio::{
    Client, Cmd, Commands, Config, Delivery, ErrorKind, Execute, MessageKind, PubSub, Queue, cmd,
};
use testkit::servers::{self, Certificates, Server};
use testkit::skipped;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const PATIENCE: Duration = Duration::from_secs(60);

/// A server with TLS, unless this machine has none.
fn secure(client_must_authenticate: bool) -> Option<(Server, Certificates)> {
    servers::secure(client_must_authenticate).map_err(skipped).ok()
}

/// Settings for such a server, that trust its authority.
fn config(server: &Server, certificates: &Certificates) -> Config {
    let url = server.tls_url().expect("it listens for TLS");
    let mut config: Config = url.parse().expect("it is a URL");
    config.command_timeout = Some(PATIENCE);
    config.connect_timeout = PATIENCE;
    with_tls(config, |tls| tls.roots = Roots::Only(vec![Pem::file(certificates.authority())]))
}

fn with_tls(mut config: Config, change: impl FnOnce(&mut Tls)) -> Config {
    change(config.tls.as_mut().expect("the settings want it"));
    config
}

async fn assert_refused(config: Config, says: &str) {
    let client = Client::new(config).expect("the settings fit");
    let error = client.ping().await.expect_err("the server is refused");
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Tls, Delivery::NotSent), "{error}");
    assert!(error.to_string().contains(says), "{error}");
}

async fn next(pubsub: &mut PubSub, kind: MessageKind) -> String {
    loop {
        let message = pubsub.get_message(PATIENCE).await.expect("the server is well");
        let message = message.expect("a message comes");
        if message.kind == kind {
            return message.text().unwrap_or_default().to_owned();
        }
    }
}

#[tokio::test]
async fn url_says_whom_to_trust() {
    let Some((server, certificates)) = secure(false) else { return };
    let port = server.tls_port().unwrap();
    let url = format!("rediss://localhost:{port}?tls_roots={}", certificates.authority().display());
    let client = Client::open(&url).unwrap();
    client.set("key", "value").await.unwrap();
    assert_eq!(client.get::<String>("key").await.unwrap().as_deref(), Some("value"));
}

#[tokio::test]
async fn certificates_of_strangers_and_for_other_names_are_refused() {
    let Some((server, certificates)) = secure(false) else { return };
    let config = || config(&server, &certificates);
    let stranger = || Roots::Only(vec![Pem::file(certificates.stranger())]);
    assert_refused(with_tls(config(), |tls| tls.roots = stranger()), "`roots` of `Tls`").await;
    let named = |name: &str| with_tls(config(), |tls| tls.server_name = Some(name.into()));
    assert_refused(named("other.example"), "`server_name` of `Tls`").await;
    Client::new(named("redis.example")).unwrap().ping().await.unwrap();
    let any = with_tls(named("other.example"), |tls| {
        tls.roots = stranger();
        tls.danger_accept_any_certificate = true;
    });
    Client::new(any).unwrap().ping().await.unwrap();
}

#[tokio::test]
async fn client_without_a_certificate_is_refused_by_a_server_that_wants_one() {
    let Some((server, certificates)) = secure(true) else { return };
    assert_refused(config(&server, &certificates), "`identity` of `Tls`").await;
    let client = Client::new(config(&server, &certificates)).unwrap();
    let mut pubsub = client.pubsub();
    let heard = async {
        pubsub.subscribe(["news"]).await?;
        pubsub.get_message(PATIENCE).await
    };
    assert_eq!(heard.await.unwrap_err().kind(), ErrorKind::Tls);

    let config = with_tls(config(&server, &certificates), |tls| {
        let (certificate, key) = (certificates.client(), certificates.client_key());
        tls.identity = Some(Identity { certificate: Pem::file(certificate), key: Pem::file(key) });
    });
    Client::new(config).unwrap().ping().await.unwrap();
}

#[tokio::test]
async fn server_without_tls_is_asked_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let mut buf = [0; 4096];
            if stream.read(&mut buf).await.is_ok() {
                // Who has gone needs no answer.
                let _ = stream.write_all(b"-ERR unknown command\r\n").await;
            }
        }
    });
    assert_refused(format!("rediss://{address}").parse().unwrap(), "does not speak TLS").await;
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[test]
fn missing_files_are_errors_of_the_settings() {
    let error = Client::open("rediss://localhost?tls_roots=/none/such.pem").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(error.to_string().contains("reading `/none/such.pem` failed"), "{error}");
}

#[tokio::test]
async fn large_values_go_both_ways() {
    let Some((server, certificates)) = secure(false) else { return };
    let client = Client::new(config(&server, &certificates)).unwrap();
    let value: Vec<u8> =
        (0..16 * 1024 * 1024_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    client.set("large", &value).await.unwrap();
    assert!(client.get::<Vec<u8>>("large").await.unwrap() == Some(value));
}

#[tokio::test]
async fn ten_thousand_commands_go_in_one_pipeline() {
    let Some((server, certificates)) = secure(false) else { return };
    let client = Client::new(config(&server, &certificates)).unwrap();
    let mut pipeline = client.pipeline();
    pipeline.transaction(false);
    for n in 0..10_000 {
        pipeline.queue(cmd::echo::<u32>(n));
    }
    assert_eq!(pipeline.execute::<Vec<u32>>().await.unwrap(), Vec::from_iter(0..10_000));
}

#[tokio::test]
async fn last_bytes_of_a_write_are_sent_although_nothing_follows() {
    let Some((server, certificates)) = secure(false) else { return };
    let client = Client::new(config(&server, &certificates)).unwrap();
    // Each is more than a socket takes at once, and its end waits in the session.
    let mut length = 0;
    for n in 0..20 {
        let value = vec![b'x'; 3_000_000 + n];
        length += value.len() as u64;
        assert_eq!(client.append("key", &value).await.unwrap(), length);
    }
}

#[tokio::test]
async fn subscriptions_outlive_a_killed_connection() {
    let Some((server, certificates)) = secure(false) else { return };
    let client = Client::new(config(&server, &certificates)).unwrap();
    let mut pubsub = client.pubsub();
    pubsub.subscribe(["news"]).await.unwrap();
    next(&mut pubsub, MessageKind::Subscribe).await;
    client.publish("news", "one").await.unwrap();
    assert_eq!(next(&mut pubsub, MessageKind::Message).await, "one");
    let _: i64 = client.execute(Cmd::raw("CLIENT KILL").arg("TYPE").arg("pubsub")).await.unwrap();
    next(&mut pubsub, MessageKind::Resubscribed).await;
    client.publish("news", "two").await.unwrap();
    assert_eq!(next(&mut pubsub, MessageKind::Message).await, "two");
}

#[tokio::test]
async fn all_nodes_of_a_cluster_are_reached_over_tls() {
    let (installed, certificates) = match servers::any_secure() {
        Ok(secure) => secure,
        Err(error) => return skipped(error),
    };
    let options = ClusterOptions::new().replicas(0).tls(certificates.server());
    let cluster = Cluster::start(&installed, options).unwrap();
    let url = cluster.tls_url().unwrap();
    let client =
        Client::open(&format!("{url}?tls_roots={}", certificates.authority().display())).unwrap();
    let mut pipeline = client.pipeline();
    for n in 0..300 {
        pipeline.queue(cmd::set(format!("key:{n}"), n));
    }
    pipeline.execute::<Vec<()>>().await.unwrap();
    assert_eq!(client.route(Route::Primaries).dbsize().await.unwrap(), 300);
    let plain: Vec<_> = cluster.nodes().iter().map(ToString::to_string).collect();
    for node in client.topology().unwrap().nodes() {
        let endpoint = node.endpoint();
        assert!(!plain.contains(&endpoint.to_string()), "{endpoint} is a port without TLS");
        client.node(endpoint).ping().await.unwrap();
    }
    let stranger = certificates.stranger();
    let stranger = format!("{url}?tls_roots={}", stranger.display());
    assert_refused(stranger.parse().unwrap(), "`roots` of `Tls`").await;
    let mut pubsub = client.pubsub();
    pubsub.ssubscribe(["shard"]).await.unwrap();
    next(&mut pubsub, MessageKind::SSubscribe).await;
    client.spublish("shard", "hello").await.unwrap();
    assert_eq!(next(&mut pubsub, MessageKind::SMessage).await, "hello");
}
