//! The pool against a server of the test's own, on std sockets.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Barrier, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use redis_sync::{Client, Commands, Config, Delivery, ErrorKind};

/// A server that answers `OK` to everything, and hands each connection out so that the test can end it.
fn server(set: impl FnOnce(&mut Config)) -> (Client, mpsc::Receiver<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    let (connections, handed_out) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let copy = stream.try_clone().expect("it is open");
            if connections.send(copy).is_err() {
                return;
            }
            thread::spawn(move || answer(stream));
        }
    });
    let url = format!("redis://127.0.0.1:{port}?protocol=2");
    let mut config: Config = url.parse().expect("it is a URL");
    set(&mut config);
    (Client::new(config).expect("the settings fit"), handed_out)
}

fn answer(mut stream: TcpStream) {
    let mut buf = [0; 4096];
    while let Ok(n @ 1..) = stream.read(&mut buf) {
        // What the client sends here has a `*` at the beginning of each command and nowhere else.
        let commands = buf[..n].iter().filter(|&&byte| byte == b'*').count();
        if stream.write_all(&b"+OK\r\n".repeat(commands)).is_err() {
            return;
        }
    }
}

#[test]
fn one_lost_connection_puts_all_idle_ones_in_doubt() {
    let (client, connections) = loop {
        let (client, connections) = server(|config| config.pool_size = 3);
        let began = Instant::now();
        // Three threads that hold a connection each, so that three are idle afterwards.
        let barrier = Barrier::new(3);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let watched = client.watch("key").unwrap();
                    barrier.wait();
                    watched.reset().unwrap();
                });
            }
        });
        for stream in connections.iter().take(3) {
            stream.shutdown(Shutdown::Both).unwrap();
        }
        let lost = client.set("key", 1);
        // What was idle for a second is looked at in any case, and shows nothing.
        if began.elapsed() < Duration::from_secs(1) {
            assert!(lost.unwrap_err().is_disconnected());
            break (client, connections);
        }
    };
    // The other two are found out before they are used.
    client.set("key", 1).unwrap();
    client.set("key", 1).unwrap();
    assert_eq!(connections.try_iter().count(), 1);
}

/// Invariant 16.
#[test]
fn the_deadline_of_a_command_covers_its_wait_for_a_connection() {
    let (client, _connections) = server(|config| {
        config.pool_size = 1;
        config.pool_timeout = Duration::from_secs(3600);
        config.command_timeout = Some(Duration::from_millis(20));
    });
    let watched = loop {
        match client.watch("key") {
            Ok(watched) => break watched,
            Err(error) => assert!(error.is_timeout(), "{error:?}"),
        }
    };
    let error = client.set("key", 1).unwrap_err();
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Limit, Delivery::NotSent));
    drop(watched);
}

#[test]
fn a_peer_that_answers_before_it_has_read_everything_hangs_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}?protocol=2", listener.local_addr().unwrap());
    let mut config: Config = url.parse().unwrap();
    config.connect_timeout = Duration::from_secs(2);
    let client = Client::new(config).unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut buf = [0; 4096];
        loop {
            let n = stream.read(&mut buf).unwrap();
            let commands = buf[..n].iter().filter(|&&byte| byte == b'*').count();
            stream.write_all(&b"+OK\r\n".repeat(commands)).unwrap();
            if buf[..n].windows(3).any(|window| window == b"SET") && n == buf.len() {
                // The reply is out, and nothing more is read.
                return stream;
            }
        }
    });
    client.set("key", vec![b'x'; 64 << 20]).unwrap();
    drop(server.join().unwrap());
}
