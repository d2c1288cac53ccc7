//! What the proxy does beside moving bytes, and what it must not get wrong while it does that.

use std::{
    collections::BTreeMap,
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpListener},
    thread,
    time::{Duration, Instant},
};

use testkit::embedded::Embedded;

use crate::{
    meter::{Meter, Requests},
    setup::{LIMIT, Proxy, Wire, real},
};

/// Sends `requests` through a proxy to an embedded server; all replies, and what was counted.
fn through(requests: &str) -> (String, BTreeMap<String, u32>) {
    let server = Embedded::start().unwrap();
    let proxy = Proxy::before(server.addr());
    let mut client = Wire::to(proxy.addr).stream;
    client.write_all(requests.as_bytes()).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut replies = String::new();
    client.read_to_string(&mut replies).unwrap();
    (replies, proxy.counts())
}

fn counts<const N: usize>(counts: [(&str, u32); N]) -> BTreeMap<String, u32> {
    counts.map(|(name, count)| (name.to_owned(), count)).into()
}

/// Returns once `asked` says something with `wanted` in it.
fn wait_until(mut asked: impl FnMut() -> String, wanted: &str) {
    let deadline = Instant::now() + LIMIT;
    loop {
        let said = asked();
        if said.contains(wanted) {
            return;
        }
        assert!(Instant::now() < deadline, "no {wanted} in {said}");
        thread::yield_now();
    }
}

#[test]
fn pipeline_comes_back_whole_and_counted() {
    let (replies, counted) = through(&"INCR n\r\nPING\r\n".repeat(5000));
    let wanted: String = (1..=5000).map(|n| format!(":{n}\r\n+PONG\r\n")).collect();
    assert!(replies == wanted);
    assert_eq!(counted, counts([("incr", 5000), ("ping", 5000)]));
}

#[test]
fn pushes_are_no_replies_in_either_protocol() {
    let listen = "SUBSCRIBE a b\r\nPING\r\nUNSUBSCRIBE\r\nGET k\r\n";
    let (replies, counted) = through(listen);
    assert!(replies.ends_with("$1\r\nb\r\n:0\r\n$-1\r\n"), "{replies}");
    let names = [("get", 1), ("ping", 1), ("subscribe", 1), ("unsubscribe", 1)];
    assert_eq!(counted, counts(names));

    let (replies, counted) = through("HELLO 3\r\nSUBSCRIBE a\r\nPUBLISH a m\r\nGET k\r\n");
    assert!(replies.ends_with(":1\r\n>3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nm\r\n_\r\n"));
    let names = [("get", 1), ("hello", 1), ("publish", 1), ("subscribe", 1)];
    assert_eq!(counted, counts(names));
}

#[test]
fn what_the_server_refuses_is_its_own_to_say() {
    let (replies, counted) = through("PING\r\n*1\r\n:1\r\n");
    assert_eq!(replies, "+PONG\r\n-ERR Protocol error: expected '$', got ':'\r\n");
    assert_eq!(counted, counts([("ping", 1)]));
}

#[test]
fn shown_commands_are_no_replies() {
    let mut meter = Meter::default();
    let mut requests = Requests::new();
    requests.see(b"MONITOR\r\nCLIENT REPLY SKIP\r\nGET k\r\nPING\r\n", &mut meter);
    let name = |done: Option<(String, Duration)>| done.map(|(name, _)| name);
    assert_eq!(name(meter.answered(b"+OK\r\n").unwrap()).as_deref(), Some("monitor"));
    let shown = b"+1700000000.123456 [0 127.0.0.1:1] \"PING\"\r\n";
    assert_eq!(name(meter.answered(shown).unwrap()), None);
    assert_eq!(name(meter.answered(b"+PONG\r\n").unwrap()).as_deref(), Some("ping"));
}

#[test]
fn blocking_command_holds_up_its_own_connection_alone() {
    let Some(server) = real() else { return };
    let proxy = Proxy::before(server.addr());
    let (mut waiting, mut other) = (Wire::to(proxy.addr), Wire::to(proxy.addr));
    waiting.send("BLPOP q 0\r\nPING");
    wait_until(|| other.ask("INFO clients"), "blocked_clients:1");
    let mut pipeline = Wire::to(proxy.addr);
    pipeline.stream.write_all("INCR n\r\n".repeat(1000).as_bytes()).unwrap();
    for n in 1..=1000 {
        assert_eq!(pipeline.frame(), format!(":{n}"));
    }
    assert_eq!(proxy.counts().get("blpop"), None);
    assert_eq!(other.ask("RPUSH q v"), ":1");
    assert_eq!(waiting.frame(), "*2 $1 q $1 v");
    assert_eq!(waiting.frame(), "+PONG");
    let counted = proxy.counts();
    assert_eq!((counted["blpop"], counted["ping"], counted["incr"]), (1, 1, 1000));
}

#[test]
fn invalidations_and_messages_get_through_between_replies() {
    let Some(server) = real() else { return };
    let proxy = Proxy::before(server.addr());
    let (mut client, mut other) = (Wire::to(proxy.addr), Wire::to(proxy.addr));
    assert!(client.ask("HELLO 3").starts_with('%'));
    assert_eq!(client.ask("CLIENT TRACKING ON"), "+OK");
    assert_eq!(client.ask("SUBSCRIBE news"), ">3 $9 subscribe $4 news :1");
    assert_eq!(client.ask("GET k"), "_");
    assert_eq!(other.ask("SET k v"), "+OK");
    assert_eq!(client.frame(), ">2 $10 invalidate *1 $1 k");
    assert_eq!(other.ask("PUBLISH news m"), ":1");
    assert_eq!(client.frame(), ">3 $7 message $4 news $1 m");
    assert_eq!(client.ask("GET k"), "$1 v");
    let names =
        [("hello", 1), ("client", 1), ("subscribe", 1), ("get", 2), ("set", 1), ("publish", 1)];
    assert_eq!(proxy.counts(), counts(names));
}

#[test]
fn pipelines_of_many_clients_stay_in_order_and_are_counted() {
    const CLIENTS: usize = 8;
    const ROUNDS: usize = 10;
    const LENGTH: usize = 200;
    let Some(server) = real() else { return };
    let proxy = Proxy::before(server.addr());
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let mut wire = Wire::to(proxy.addr);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let word = |n: usize| format!("{client}-{round}-{n}-{}", "x".repeat(n * 7));
                    let requests = (0..LENGTH).map(|n| format!("ECHO {}\r\nINCR all\r\n", word(n)));
                    wire.stream.write_all(requests.collect::<String>().as_bytes()).unwrap();
                    for n in 0..LENGTH {
                        let word = word(n);
                        assert_eq!(wire.frame(), format!("${} {word}", word.len()));
                        assert!(wire.frame().starts_with(':'));
                    }
                }
            });
        }
    });
    let all = (CLIENTS * ROUNDS * LENGTH) as u32;
    assert_eq!(Wire::to(proxy.addr).ask("GET all"), format!("$5 {all}"));
    assert_eq!(proxy.counts(), counts([("echo", all), ("get", 1), ("incr", all)]));
    let shown = proxy.shown();
    let rows: Vec<Vec<_>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["command", "count", "mean", "us", "max", "us"]);
    let all = all.to_string();
    for (row, (name, count)) in
        rows[1..].iter().zip([("echo", &*all), ("get", "1"), ("incr", &all)])
    {
        assert_eq!(row[..2], [name, count], "{shown}");
        let [mean, max] = [row[2], row[3]].map(|number| number.parse::<f64>().unwrap());
        assert!(0.0 < mean && mean <= max && max < LIMIT.as_secs_f64() * 1e6, "{shown}");
    }
}

#[test]
fn large_values_go_both_ways_through_full_buffers() {
    let server = Embedded::start().unwrap();
    let proxy = Proxy::before(server.addr());
    let value = "x".repeat(1 << 20);
    let request = format!("*2\r\n$4\r\nECHO\r\n${}\r\n{value}\r\n", value.len());
    let mut client = Wire::to(proxy.addr);
    let mut writing = client.stream.try_clone().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || (0..50).for_each(|_| writing.write_all(request.as_bytes()).unwrap()));
        for _ in 0..50 {
            assert!(client.frame() == format!("${} {value}", value.len()));
        }
    });
    assert_eq!(proxy.counts(), counts([("echo", 50)]));
}

#[test]
fn client_that_is_gone_with_all_buffers_full_leaves_no_connection() {
    let server = Embedded::start().unwrap();
    let proxy = Proxy::before(server.addr());
    let value = "x".repeat(1 << 20);
    let request = format!("*2\r\n$4\r\nECHO\r\n${}\r\n{value}\r\n", value.len());
    let mut client = Wire::to(proxy.addr).stream;
    // It reads nothing, so that at some point nothing more can be written.
    client.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let full = (0..1000).find_map(|_| client.write_all(request.as_bytes()).err());
    assert!(full.is_some_and(|e| [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&e.kind())));
    let mut other = Wire::to(server.addr());
    assert!(other.ask("INFO clients").contains("connected_clients:2"));
    drop(client);
    wait_until(|| other.ask("INFO clients"), "connected_clients:1");
}

#[test]
fn client_hears_that_the_server_is_gone() {
    let server = Embedded::start().unwrap();
    let proxy = Proxy::before(server.addr());
    let mut client = Wire::to(proxy.addr);
    assert_eq!(client.ask("PING"), "+PONG");
    drop(server);
    assert_eq!(client.rest().0, "");
    assert_eq!(Wire::to(proxy.addr).rest().0, "");
}

#[test]
fn last_words_of_a_server_reach_a_client_that_still_writes() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Proxy::before(listener.local_addr().unwrap());
    let mut client = Wire::to(proxy.addr);
    let (mut server, _) = listener.accept().unwrap();
    client.send("PING");
    server.read_exact(&mut [0; 6]).unwrap();
    server.write_all(b"-ERR max number of clients reached\r\n").unwrap();
    drop(server);
    client.stream.peek(&mut [0]).unwrap();
    // More than buffers hold: it is taken, or the connection were reset and the words might be lost.
    (0..2000).for_each(|_| client.stream.write_all(&[b'x'; 10_000]).unwrap());
    client.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.frame(), "-ERR max number of clients reached");
    let (rest, ended) = client.rest();
    assert_eq!((rest.as_str(), ended.map_err(|error| error.kind())), ("", Ok(0)));
}
