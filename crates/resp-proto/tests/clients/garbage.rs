//! One client's garbage is answered, and the others go on.

use std::{
    io::Write,
    net::SocketAddr,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::Instant,
};

use crate::setup::{LIMIT, Wire, on_kv_server, through_proxy};

/// What is sent, and what the servers say of it.
fn garbage() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let noise = (0..1_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8);
    let noise = b"*9999999999\r\n".iter().copied().chain(noise).collect();
    vec![
        ("a bulk of negative length", b"*1\r\n$-5\r\n".to_vec(), "invalid bulk length"),
        ("a length that is no number", b"*-x\r\n".to_vec(), "invalid multibulk length"),
        ("70 KiB without a new line", vec![b'x'; 70 << 10], "too big inline request"),
        ("unbalanced quotes", b"SET k \"v\r\n".to_vec(), "unbalanced quotes in request"),
        ("something else for a bulk", b"*1\r\n:1\r\n".to_vec(), "expected '$', got ':'"),
        ("noise", noise, "invalid multibulk length"),
    ]
}

/// Pipelines that run until they are stopped.
struct Pipelines {
    rounds: AtomicU64,
    stop: AtomicBool,
}

impl Pipelines {
    const LENGTH: u64 = 100;

    fn run(&self, addr: SocketAddr, key: &str) {
        let mut wire = Wire::to(addr);
        let mut count = 0;
        while !self.stop.load(Ordering::Relaxed) {
            let requests = format!("INCR {key}\r\n").repeat(Self::LENGTH as usize);
            wire.stream.write_all(requests.as_bytes()).unwrap();
            for _ in 0..Self::LENGTH {
                count += 1;
                assert_eq!(wire.frame(), format!(":{count}"));
            }
            self.rounds.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns once some more have come to their end.
    fn go_on(&self) {
        let (before, deadline) = (self.rounds.load(Ordering::Relaxed), Instant::now() + LIMIT);
        while self.rounds.load(Ordering::Relaxed) < before + 3 {
            assert!(Instant::now() < deadline, "the pipelines stand still");
            thread::yield_now();
        }
    }
}

/// Stops the pipelines also when a check has failed, or these would be waited for.
impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}

struct Stop<'a>(&'a Pipelines);

fn is_answered(addr: SocketAddr) {
    let pipelines = Pipelines { rounds: AtomicU64::new(0), stop: AtomicBool::new(false) };
    thread::scope(|scope| {
        let _stop = Stop(&pipelines);
        let runners = ["a", "b"].map(|key| scope.spawn(|| pipelines.run(addr, key)));
        pipelines.go_on();
        for (what, bytes, wanted) in garbage() {
            let mut client = Wire::to(addr);
            assert_eq!(client.ask("PING"), "+PONG");
            // Whoever says so does not read all of it.
            let _ = client.stream.write_all(&bytes);
            let (said, ended) = client.rest();
            assert_eq!(said, format!("-ERR Protocol error: {wanted}\r\n"), "{what}: {ended:?}");
            pipelines.go_on();
        }
        drop(_stop);
        runners.into_iter().for_each(|runner| runner.join().unwrap());
    });
}

#[test]
fn garbage_is_answered_by_the_kv_server_and_the_others_go_on() {
    on_kv_server(is_answered);
}

#[test]
fn garbage_is_answered_through_the_proxy_and_the_others_go_on() {
    through_proxy(is_answered);
}
