//! Results that are handed on as they come, over sockets, from a peer that does one thing at a time.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use redis_tokio::{Client, Commands, QueueCommands, Result};

/// The address of a server that reads 100 bytes, writes a kilobyte for each command among them, and reads
/// nothing while that does not go on.
fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let addr = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream));
        }
    });
    format!("redis://{addr}?protocol=2")
}

fn answer(mut stream: TcpStream) {
    let reply = [b"$1000\r\n", &[b'x'; 1000][..], b"\r\n"].concat();
    let mut buf = [0; 100];
    while let Ok(n @ 1..) = stream.read(&mut buf) {
        // What the client sends here has a `*` at the beginning of each command and nowhere else.
        let commands = buf[..n].iter().filter(|&&byte| byte == b'*').count();
        if stream.write_all(&reply.repeat(commands)).is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_peer_that_reads_nothing_while_it_answers_hangs_nobody() {
    let client = Client::open(&server()).unwrap();
    let mut pipeline = client.pipeline();
    pipeline.transaction(false);
    // Much more than what sockets hold, in both directions.
    for _ in 0..20_000 {
        pipeline.echo("y".repeat(1000));
    }
    let mut seen = 0;
    let each = |_, value: Result<String>| seen += value.unwrap().len();
    pipeline.execute_each(each).await.unwrap();
    assert_eq!(seen, 20_000_000);
    assert_eq!(client.echo::<String>("next").await.unwrap().len(), 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taker_that_blocks_its_thread_keeps_step() {
    let client = Client::open(&server()).unwrap();
    let task = tokio::spawn({
        let client = client.clone();
        async move {
            let mut pipeline = client.pipeline();
            pipeline.transaction(false);
            for _ in 0..20_000 {
                pipeline.echo("y");
            }
            let mut seen = 0;
            let each = |index: usize, value: Result<String>| {
                if index.is_multiple_of(5_000) {
                    thread::yield_now();
                }
                assert_eq!((index, value.unwrap().len()), (seen, 1000));
                seen += 1;
            };
            pipeline.execute_each(each).await.map(|()| seen)
        }
    });
    assert_eq!(task.await.unwrap().unwrap(), 20_000);
}
