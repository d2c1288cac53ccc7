//! The pool against a server of the test's own, on std sockets.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Barrier, mpsc};
use std::thread;

use redis_sync::{Client, Commands, Config};

/// A server that answers `OK` to everything, and hands each connection out so that the test can end it.
fn server() -> (Client, mpsc::Receiver<TcpStream>) {
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
    config.pool_size = 3;
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
    let (client, connections) = server();
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
    assert!(client.set("key", 1).unwrap_err().is_disconnected());
    // The other two are found out before they are used.
    client.set("key", 1).unwrap();
    client.set("key", 1).unwrap();
    assert_eq!(connections.try_iter().count(), 1);
}
