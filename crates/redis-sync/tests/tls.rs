//! The blocking client over TLS, against a real server: what it takes, what it refuses, and why.
#![cfg(feature = "tls")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use clusterkit::{Cluster, ClusterOptions};
use redis_sync::cluster::Route;
use redis_sync::tls::{Identity, Pem, Roots, Tls};
use redis_sync::{
    Client, Cmd, Commands, Config, Delivery, Error, ErrorKind, Execute, MessageKind, Queue, cmd,
};
use redis_tls::rustls::pki_types::pem::PemObject;
use redis_tls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use redis_tls::rustls::{ServerConfig, ServerConnection, StreamOwned, crypto::ring};
use testkit::servers::{self, Certificates, Server};
use testkit::skipped;

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
    let tls = config.tls.as_mut().expect("the URL wants it");
    tls.roots = Roots::Only(vec![Pem::file(certificates.authority())]);
    config
}

fn with_tls(mut config: Config, change: impl FnOnce(&mut Tls)) -> Config {
    change(config.tls.as_mut().expect("the settings want it"));
    config
}

/// What a first command fails with.
fn refused(config: Config) -> Error {
    let client = Client::new(config).expect("the settings fit");
    client.ping().expect_err("the server is refused")
}

fn assert_refused(config: Config, says: &str) {
    let error = refused(config);
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Tls, Delivery::NotSent), "{error}");
    assert!(error.to_string().contains(says), "{error}");
}

#[test]
fn url_says_whom_to_trust() {
    let Some((server, certificates)) = secure(false) else { return };
    let roots = certificates.authority();
    for (scheme, option) in [("rediss", "tls_roots"), ("valkeys", "tls_extra_roots")] {
        let port = server.tls_port().expect("it listens for TLS");
        let url = format!("{scheme}://localhost:{port}/2?{option}={}", roots.display());
        let client = Client::open(&url).expect("it is a URL");
        client.set("key", scheme).unwrap();
        assert_eq!(client.get::<String>("key").unwrap().as_deref(), Some(scheme));
    }
}

#[test]
fn certificate_of_a_stranger_is_refused() {
    let Some((server, certificates)) = secure(false) else { return };
    let stranger = Roots::Only(vec![Pem::file(certificates.stranger())]);
    let config = with_tls(config(&server, &certificates), |tls| tls.roots = stranger);
    assert_refused(config, "`roots` of `Tls`");
}

#[test]
fn certificate_for_another_name_is_refused() {
    let Some((server, certificates)) = secure(false) else { return };
    let named = |name: &str| {
        with_tls(config(&server, &certificates), |tls| tls.server_name = Some(name.into()))
    };
    assert_refused(named("other.example"), "`server_name` of `Tls`");
    assert_refused(named("127.0.0.2"), "`server_name` of `Tls`");
    let client = Client::new(named("redis.example")).unwrap();
    client.ping().unwrap();
}

#[test]
fn any_certificate_is_taken_where_that_is_asked_for() {
    let Some((server, certificates)) = secure(false) else { return };
    let config = with_tls(config(&server, &certificates), |tls| {
        tls.roots = Roots::Only(vec![Pem::file(certificates.stranger())]);
        tls.server_name = Some("other.example".into());
        tls.danger_accept_any_certificate = true;
    });
    Client::new(config).unwrap().ping().unwrap();
}

#[test]
fn client_without_a_certificate_is_refused_by_a_server_that_wants_one() {
    let Some((server, certificates)) = secure(true) else { return };
    assert_refused(config(&server, &certificates), "`identity` of `Tls`");
    let mut pubsub = Client::new(config(&server, &certificates)).unwrap().pubsub();
    let heard = pubsub.subscribe(["news"]).and_then(|()| pubsub.get_message(PATIENCE));
    assert_eq!(heard.unwrap_err().kind(), ErrorKind::Tls);

    let key = std::fs::read(certificates.client_key()).unwrap();
    let config = with_tls(config(&server, &certificates), |tls| {
        let certificate = Pem::file(certificates.client());
        tls.identity = Some(Identity { certificate, key: Pem::bytes(key) });
    });
    Client::new(config).unwrap().ping().unwrap();
}

#[test]
fn server_without_tls_is_asked_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            counted.fetch_add(1, Ordering::SeqCst);
            let mut buf = [0; 4096];
            if stream.read(&mut buf).is_ok() {
                // Who has gone needs no answer.
                let _ = stream.write_all(b"-ERR unknown command\r\n");
            }
        }
    });
    assert_refused(format!("rediss://{address}").parse().unwrap(), "does not speak TLS");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[test]
fn files_that_can_not_be_used_are_errors_of_the_settings() {
    let Ok(certificates) = Certificates::new() else {
        return skipped("`openssl` makes no certificate");
    };
    let authority = || Pem::file(certificates.authority());
    let roots = |pem| {
        let mut tls = Tls::new();
        tls.roots = Roots::Only(vec![pem]);
        tls
    };
    let identity = |certificate, key| {
        let mut tls = roots(authority());
        tls.identity = Some(Identity { certificate, key });
        tls
    };
    let mut misnamed = roots(authority());
    misnamed.server_name = Some("not a name".into());
    let (certificate, key) = (certificates.client(), certificates.client_key());
    for (tls, says) in [
        (roots(Pem::file("/none/such.pem")), "reading `/none/such.pem` failed"),
        (roots(Pem::file(&key)), "holds no certificate"),
        (roots(Pem::bytes("hello")), "the text holds no certificate"),
        (identity(Pem::file(&certificate), Pem::file(&certificate)), "holds no private key"),
        (identity(Pem::file("/none/such.pem"), Pem::file(&key)), "reading `/none/such.pem`"),
        (identity(Pem::file(certificates.authority()), Pem::file(&key)), "its key can't be used"),
        (misnamed, "neither a host name nor an IP address"),
    ] {
        let error = Client::new(Config::default().tls(tls)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
    let unix = Client::new(Config::unix("/run/redis.sock").tls(Tls::new())).unwrap_err();
    assert_eq!(unix.kind(), ErrorKind::Config, "{unix}");
}

#[test]
fn large_values_go_both_ways() {
    let Some((server, certificates)) = secure(false) else { return };
    let client = Client::new(config(&server, &certificates)).unwrap();
    let value: Vec<u8> =
        (0..16 * 1024 * 1024_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    client.set("large", &value).unwrap();
    assert!(client.get::<Vec<u8>>("large").unwrap() == Some(value));
}

#[test]
fn ten_thousand_commands_go_in_one_pipeline() {
    let Some((server, certificates)) = secure(false) else { return };
    let client = Client::new(config(&server, &certificates)).unwrap();
    let mut pipeline = client.pipeline();
    pipeline.transaction(false);
    for n in 0..10_000 {
        pipeline.queue(cmd::echo::<u32>(n));
    }
    assert_eq!(pipeline.execute::<Vec<u32>>().unwrap(), Vec::from_iter(0..10_000));
}

#[test]
fn subscriptions_outlive_a_killed_connection() {
    let Some((server, certificates)) = secure(false) else { return };
    let client = Client::new(config(&server, &certificates)).unwrap();
    let mut pubsub = client.pubsub();
    pubsub.subscribe(["news"]).unwrap();
    let mut next = |kind: MessageKind| {
        loop {
            let message = pubsub.get_message(PATIENCE).unwrap().expect("it comes in time");
            if message.kind == kind {
                return message;
            }
        }
    };
    next(MessageKind::Subscribe);
    client.publish("news", "one").unwrap();
    assert_eq!(next(MessageKind::Message).text(), Some("one"));
    let _: i64 = client.execute(Cmd::raw("CLIENT KILL").arg("TYPE").arg("pubsub")).unwrap();
    next(MessageKind::Resubscribed);
    client.publish("news", "two").unwrap();
    assert_eq!(next(MessageKind::Message).text(), Some("two"));
}

#[test]
fn all_nodes_of_a_cluster_are_reached_over_tls() {
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
    pipeline.execute::<Vec<()>>().unwrap();
    assert_eq!(client.get::<u32>("key:299").unwrap(), Some(299));
    assert_eq!(client.route(Route::Primaries).dbsize().unwrap(), 300);
    let topology = client.topology().unwrap();
    let plain: Vec<_> = cluster.nodes().iter().map(ToString::to_string).collect();
    assert_eq!(topology.nodes().len(), 3);
    for node in topology.nodes() {
        let endpoint = node.endpoint();
        assert!(!plain.contains(&endpoint.to_string()), "{endpoint} is a port without TLS");
        client.node(endpoint).ping().unwrap();
    }
    let stranger = certificates.stranger();
    assert_refused(
        format!("{url}?tls_roots={}", stranger.display()).parse().unwrap(),
        "`roots` of `Tls`",
    );
    let mut pubsub = client.pubsub();
    pubsub.subscribe(["news"]).unwrap();
    pubsub.ssubscribe(["shard"]).unwrap();
    client.spublish("shard", "hello").unwrap();
    loop {
        let message = pubsub.get_message(PATIENCE).unwrap().expect("it comes in time");
        if message.kind == MessageKind::SMessage {
            return assert_eq!(message.text(), Some("hello"));
        }
    }
}

type Session = StreamOwned<ServerConnection, TcpStream>;

/// Settings for a server of the test's own, which treats each connection so.
fn serve(
    certificates: &Certificates,
    each: impl Fn(Session) -> std::io::Result<()> + Send + 'static,
) -> Config {
    let files = certificates.server();
    let chain = CertificateDer::pem_file_iter(&files.certificate).expect("it was made");
    let chain = chain.map(|certificate| certificate.expect("it is PEM")).collect();
    let key = PrivateKeyDer::from_pem_file(&files.key).expect("it was made");
    let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|server| server.with_no_client_auth().with_single_cert(chain, key))
        .expect("they fit");
    let server = Arc::new(server);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let session = ServerConnection::new(server.clone()).expect("the settings fit");
            // How a connection ends is the client's to say.
            let _ = each(StreamOwned::new(session, socket));
        }
    });
    let url = format!("rediss://127.0.0.1:{port}?protocol=2");
    let config: Config = url.parse().expect("it is a URL");
    with_tls(config, |tls| tls.roots = Roots::Only(vec![Pem::file(certificates.authority())]))
}

/// Answers what comes at once, as what the client sends here begins each command with the only `*`; none at its end.
fn answer(session: &mut Session) -> std::io::Result<Option<usize>> {
    let mut buf = [0; 4096];
    let n = session.read(&mut buf)?;
    let commands = buf[..n].iter().filter(|&&byte| byte == b'*').count();
    session.write_all(&b"+OK\r\n".repeat(commands))?;
    Ok((n > 0).then_some(commands))
}

#[test]
fn keys_that_the_server_changes_are_followed() {
    let Ok(certificates) = Certificates::new() else {
        return skipped("`openssl` makes no certificate");
    };
    let config = serve(&certificates, |mut session| {
        while answer(&mut session)?.is_some() {
            // It asks for new ones of the client, too, and comes with no data.
            session.conn.refresh_traffic_keys().map_err(std::io::Error::other)?;
            session.flush()?;
        }
        Ok(())
    });
    let client = Client::new(config).unwrap();
    for _ in 0..100 {
        client.ping().unwrap();
    }
    assert_eq!(client.stats().connected, 1);
}

#[test]
fn connection_that_ends_without_a_farewell_is_lost_as_any_other() {
    let Ok(certificates) = Certificates::new() else {
        return skipped("`openssl` makes no certificate");
    };
    let config = serve(&certificates, |mut session| {
        // The handshake, and one command.
        answer(&mut session)?;
        answer(&mut session)?;
        let mut buf = [0; 4096];
        session.read(&mut buf).map(drop)
    });
    let client = Client::new(config).unwrap();
    client.set("key", 1).unwrap();
    let error = client.incr("key").unwrap_err();
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Io, Delivery::MaybeExecuted));
    assert!(error.to_string().contains("closed the connection"), "{error}");
    client.set("key", 1).unwrap();
}

#[test]
fn pipeline_that_no_socket_holds_is_read_while_it_is_written() {
    let Ok(certificates) = Certificates::new() else {
        return skipped("`openssl` makes no certificate");
    };
    let mut config = serve(&certificates, |mut session| {
        answer(&mut session)?;
        // Nothing more is read before what was read is answered, and the answers are read.
        let reply = format!("$2000\r\n{}\r\n", "y".repeat(2_000));
        let mut buf = [0; 4096];
        while let n @ 1.. = session.read(&mut buf)? {
            for _ in buf[..n].iter().filter(|&&byte| byte == b'*') {
                session.write_all(reply.as_bytes())?;
            }
        }
        Ok(())
    });
    config.command_timeout = Some(PATIENCE);
    let client = Client::new(config).unwrap();
    let mut pipeline = client.pipeline();
    pipeline.transaction(false);
    for _ in 0..10_000 {
        pipeline.queue(cmd::echo::<String>("x".repeat(2_000)));
    }
    let replies: Vec<String> = pipeline.execute().unwrap();
    assert_eq!(replies.len(), 10_000);
    assert!(replies.iter().all(|reply| *reply == "y".repeat(2_000)));
}
