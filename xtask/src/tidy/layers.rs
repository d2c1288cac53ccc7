//! The bottom crates do no I/O, read no clock, start no thread and draw no random number.

use super::{
    BOTTOM, Files, Finding,
    source::{Source, Token, paths, rust, test_files},
};

const SOCKETS: &str = "a socket or name look-up below the adapters, hand bytes in and out instead";
const SYSTEM: &str = "the operating system below the adapters, take what is needed as an argument";
const THREADS: &str = "a thread below the adapters, make it a machine that its owner drives";
const CLOCK: &str = "a clock below the adapters, take `now: Instant` as an argument";
const RUNTIME: &str = "an async runtime below the adapters, move it to an adapter";
const RANDOM: &str = "ambient randomness below the adapters, use a generator seeded by the config";

/// Segments of a path that no bottom crate may hold, and what they are. Address types are fine.
const FORBIDDEN: &[(&[&str], &str)] = &[
    (&["TcpStream"], SOCKETS),
    (&["TcpListener"], SOCKETS),
    (&["UdpSocket"], SOCKETS),
    (&["UnixStream"], SOCKETS),
    (&["UnixListener"], SOCKETS),
    (&["UnixDatagram"], SOCKETS),
    (&["ToSocketAddrs"], SOCKETS),
    (&["to_socket_addrs"], SOCKETS),
    (&["lookup_host"], SOCKETS),
    (&["std", "fs"], SYSTEM),
    (&["std", "process"], SYSTEM),
    (&["std", "env"], SYSTEM),
    (&["std", "thread"], THREADS),
    (&["thread", "spawn"], THREADS),
    (&["thread", "sleep"], THREADS),
    (&["thread", "Builder"], THREADS),
    (&["Instant", "now"], CLOCK),
    (&["SystemTime", "now"], CLOCK),
    (&["tokio"], RUNTIME),
    (&["smol"], RUNTIME),
    (&["async_io"], RUNTIME),
    (&["async_std"], RUNTIME),
    (&["mio"], RUNTIME),
    (&["rand", "random"], RANDOM),
    (&["rand", "rng"], RANDOM),
    (&["thread_rng"], RANDOM),
    (&["ThreadRng"], RANDOM),
    (&["OsRng"], RANDOM),
    (&["SysRng"], RANDOM),
    (&["getrandom"], RANDOM),
    (&["fastrand"], RANDOM),
    (&["RandomState"], RANDOM),
];

pub(super) fn check(files: &Files) -> Vec<Finding> {
    let tests = test_files(files);
    let mut findings = Vec::new();
    for (path, text) in rust(files) {
        let below = BOTTOM.iter().any(|name| path.starts_with(&format!("crates/{name}/src/")));
        if !below || tests.contains(path) {
            continue;
        }
        let shipped = Source::new(text).shipped();
        for used in paths(&shipped) {
            let rule = FORBIDDEN.iter().find(|(segments, _)| used.holds(segments));
            if let Some((segments, what)) = rule {
                let text = format!("`{}`: {what}", segments.join("::"));
                findings.push(Finding::new(path, used.line, text));
            }
        }
        for tokens in shipped.windows(3) {
            // `Instant::elapsed` reads the clock without saying so.
            if is_call(tokens, "elapsed") {
                let text = format!("`elapsed()`: {CLOCK}");
                findings.push(Finding::new(path, tokens[1].line, text));
            }
        }
    }
    findings
}

fn is_call(tokens: &[Token<'_>], method: &str) -> bool {
    tokens[0].is_mark('.') && tokens[1].is_word(method) && tokens[2].is_mark('(')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_in(path: &str, text: &str) -> Vec<Finding> {
        check(&Files::from([(path, text)]))
    }

    fn trips(text: &str, what: &str) {
        for name in BOTTOM {
            let findings = check_in(&format!("crates/{name}/src/a/b.rs"), text);
            assert!(findings.iter().any(|f| f.text.contains(what)), "{text}: {findings:?}");
        }
    }

    #[test]
    fn each_forbidden_path_trips_however_it_is_written() {
        for (segments, what) in FORBIDDEN {
            let path = segments.join("::");
            trips(&format!("fn f() {{ let x = a::{path}(); }}"), what);
            trips(&format!("use x::{{y, {path} as z}};"), what);
        }
        trips("use std::{io, net::{IpAddr, TcpStream}};", SOCKETS);
        trips("use std::{cmp, thread};", THREADS);
        trips("fn f(s: std::time::Instant) { s.elapsed(); }", CLOCK);
    }

    #[test]
    fn line_is_the_offending_one() {
        let findings = check_in("crates/redis-core/src/lib.rs", "//! x\n\nuse std::thread;\n");
        assert_eq!(findings[0].line, 3);
    }

    #[test]
    fn comments_strings_tests_addresses_and_other_crates_are_free() {
        let clean = "// std::thread\n/// ```\n/// Instant::now()\n/// ```\n\
                     fn f(now: Instant, to: std::net::SocketAddr) { g(\"tokio\") }\n\
                     #[cfg(test)]\nmod tests { use std::thread; }";
        assert_eq!(check_in("crates/redis-core/src/lib.rs", clean), []);
        assert_eq!(check_in("crates/redis-core/tests/a.rs", "use std::thread;"), []);
        assert_eq!(check_in("crates/redis-sync/src/lib.rs", "use std::thread;"), []);
    }
}
