//! Results that are handed on as they come, against a server of the test's own: what is kept meanwhile,
//! and what becomes of the connection.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use allocation_counter::measure;
use redis_sync::{Client, Commands, Config, Delivery, ErrorKind, Pipeline, QueueCommands, Result};

/// A client of a server that reads at most so many bytes, writes this reply to each command among them, and
/// reads nothing while its writes do not go on. Also tells how many clients have come.
fn server(read: usize, reply: Vec<u8>) -> (Client, Arc<AtomicUsize>) {
    serve(move |mut stream| {
        let mut buf = vec![0; read];
        while let Ok(n @ 1..) = stream.read(&mut buf) {
            let commands = commands(&buf[..n]);
            if stream.write_all(&reply.repeat(commands)).is_err() {
                return;
            }
        }
    })
}

/// A client of a server that treats each connection so.
fn serve(each: impl Fn(TcpStream) + Send + Sync + 'static) -> (Client, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a client of a local port can be had");
    let url = format!(
        "redis://{}?protocol=2",
        listener.local_addr().expect("a client of a local port can be had")
    );
    let (each, connections) = (Arc::new(each), Arc::new(AtomicUsize::new(0)));
    let counted = connections.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            counted.fetch_add(1, Ordering::SeqCst);
            let each = each.clone();
            thread::spawn(move || {
                greet(&stream);
                each(stream);
            });
        }
    });
    let mut config: Config = url.parse().expect("a client of a local port can be had");
    config.command_timeout = None;
    (Client::new(config).expect("a client of a local port can be had"), connections)
}

/// Answers what comes before the first command: the name and version of the client's library.
fn greet(mut stream: &TcpStream) {
    let (mut buf, mut left) = ([0; 4096], 2);
    while left > 0 {
        let n = stream.read(&mut buf).expect("the client says what it is");
        let commands = commands(&buf[..n]);
        stream.write_all(&b"+OK\r\n".repeat(commands)).expect("it listens");
        left -= commands;
    }
}

/// What the client sends here has a `*` at the beginning of each command and nowhere else.
fn commands(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&byte| byte == b'*').count()
}

fn gets(client: &Client, count: usize) -> Pipeline {
    let mut pipeline = client.pipeline();
    pipeline.transaction(false);
    for n in 0..count {
        pipeline.get(n);
    }
    pipeline
}

#[test]
fn replies_take_no_more_memory_than_a_read_however_many_there_are() {
    let reply = [b"$100\r\n", &[b'x'; 100][..], b"\r\n"].concat();
    let (client, _) = server(64 * 1024, reply.clone());
    client.set("warm", 1).unwrap();
    let count = 200_000;
    let mut pipeline = gets(&client, count);
    let mut seen = 0;
    let used = measure(|| {
        let each = |index, value: Result<String>| {
            assert_eq!((index, value.unwrap().len()), (seen, 100));
            seen += 1;
        };
        pipeline.execute_each(each).unwrap();
    });
    assert_eq!(seen, count);
    // The queue reserves room to be filled again, 256 KiB of it.
    let kept = used.bytes_max as usize;
    assert!(kept < 768 * 1024 && kept < count * reply.len() / 20, "{kept} bytes");
}

#[test]
fn results_are_handed_on_while_others_are_still_to_come() {
    let seen = Arc::new(AtomicUsize::new(0));
    let waits = seen.clone();
    let (client, _) = serve(move |mut stream| {
        let mut buf = [0; 4096];
        let mut answered = 0;
        while let Ok(n @ 1..) = stream.read(&mut buf) {
            for _ in 0..commands(&buf[..n]) {
                // Nothing more is said before what was said was handed on.
                while waits.load(Ordering::SeqCst) < answered {
                    thread::yield_now();
                }
                stream.write_all(format!(":{answered}\r\n").as_bytes()).unwrap();
                answered += 1;
            }
        }
    });
    let each = |index, value: Result<usize>| {
        assert_eq!(value.unwrap(), index);
        seen.store(index + 1, Ordering::SeqCst);
    };
    gets(&client, 100).execute_each(each).unwrap();
    assert_eq!(seen.load(Ordering::SeqCst), 100);
}

#[test]
fn a_peer_that_reads_nothing_while_it_answers_hangs_nobody() {
    // Much more than what sockets hold, in both directions.
    let reply = [b"$1000\r\n", &[b'x'; 1000][..], b"\r\n"].concat();
    let (client, connections) = server(100, reply);
    let mut seen = 0;
    let mut pipeline = client.pipeline();
    pipeline.transaction(false);
    for _ in 0..20_000 {
        pipeline.echo("y".repeat(1000));
    }
    let each = |_, value: Result<String>| seen += value.unwrap().len();
    pipeline.execute_each(each).unwrap();
    assert_eq!(seen, 20_000_000);
    client.echo::<String>("next").unwrap();
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[test]
fn a_closure_that_panics_closes_the_connection_and_hangs_nobody() {
    let reply = [b"$1000\r\n", &[b'x'; 1000][..], b"\r\n"].concat();
    for panics_at in [0, 19_999] {
        let (client, connections) = server(100, reply.clone());
        let mut pipeline = client.pipeline();
        pipeline.transaction(false);
        for _ in 0..20_000 {
            pipeline.echo("y".repeat(1000));
        }
        let each = |index, value: Result<String>| {
            value.unwrap();
            if index == panics_at {
                panic::panic_any("on purpose");
            }
        };
        let caught = panic::catch_unwind(AssertUnwindSafe(|| pipeline.execute_each(each)));
        assert_eq!(*caught.unwrap_err().downcast_ref::<&str>().unwrap(), "on purpose");
        assert_eq!(client.echo::<String>("next").unwrap().len(), 1000);
        let stats = client.stats();
        assert_eq!((stats.pool_open, stats.pool_idle), (1, 1));
        assert_eq!(connections.load(Ordering::SeqCst), 2);
    }
}

#[test]
fn a_link_lost_in_the_middle_is_a_doubt_and_nothing_is_asked_again() {
    let (client, connections) = serve(|mut stream| {
        let mut buf = [0; 4096];
        let mut left = 70;
        while left > 0 {
            let n = stream.read(&mut buf).unwrap();
            let commands = commands(&buf[..n]).min(left);
            stream.write_all(&b":1\r\n".repeat(commands)).unwrap();
            left -= commands;
        }
    });
    let mut seen = Vec::new();
    let each = |index, value: Result<i64>| seen.push((index, value.unwrap()));
    let error = gets(&client, 100).execute_each(each).unwrap_err();
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Io, Delivery::MaybeExecuted));
    assert_eq!(seen, (0..70).map(|n| (n, 1)).collect::<Vec<_>>());
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[test]
fn the_deadline_holds_while_replies_keep_coming() {
    let (client, _) = serve(|mut stream| {
        let mut buf = [0; 4096];
        if let Ok(1..) = stream.read(&mut buf) {
            // Far more than is waited for.
            while stream.write_all(b":1\r\n").is_ok() {}
        }
    });
    let mut config = client.config().clone();
    config.command_timeout = Some(Duration::from_millis(50));
    let client = Client::new(config).unwrap();
    // One read does not hold all of it, and the first result takes longer than there is time.
    let each = |index, _: Result<i64>| {
        if index == 0 {
            thread::sleep(Duration::from_millis(60));
        }
    };
    let error = gets(&client, 100_000).execute_each(each).unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
}
