//! `redis-cli`, fed from a pipe and used by hand.

use std::net::SocketAddr;

use testkit::{embedded::Embedded, tools, tools::Tool};

use crate::{
    setup::{Proxy, Ran, Wire, fed, on_kv_server, real, through_proxy, tool},
    terminal::Terminal,
};

/// A command, what is shown of its reply in RESP2, and in RESP3 if that is something else. Every
/// server has the same words for these.
const SCRIPT: &[(&str, &str, Option<&str>)] = &[
    ("PING", "PONG", None),
    (r#"SET k "a b""#, "OK", None),
    ("GET k", r#""a b""#, None),
    ("GET none", "(nil)", None),
    (r#"SET binary "\x00\r\n\xff""#, "OK", None),
    ("GET binary", r#""\x00\r\n\xff""#, None),
    ("INCR n", "(integer) 1", None),
    ("INCRBY n -5", "(integer) -4", None),
    ("MSET a 1 b 2", "OK", None),
    ("MGET a none b", "1) \"1\"\n2) (nil)\n3) \"2\"", None),
    ("RPUSH l a b", "(integer) 2", None),
    ("LPUSH l z", "(integer) 3", None),
    ("LRANGE l 0 -1", "1) \"z\"\n2) \"a\"\n3) \"b\"", None),
    ("LRANGE none 0 -1", "(empty array)", None),
    ("HSET h f v", "(integer) 1", None),
    ("HGETALL h", "1) \"f\"\n2) \"v\"", Some("1# \"f\" => \"v\"")),
    ("SADD s x", "(integer) 1", None),
    ("SMEMBERS s", "1) \"x\"", Some("1~ \"x\"")),
    ("INCR k", "(error) ERR value is not an integer or out of range", None),
    (
        "LPUSH k x",
        "(error) WRONGTYPE Operation against a key holding the wrong kind of value",
        None,
    ),
    ("GET", "(error) ERR wrong number of arguments for 'get' command", None),
    ("MULTI", "OK", None),
    ("SET t 1", "QUEUED", None),
    ("INCR t", "QUEUED", None),
    ("GET t", "QUEUED", None),
    ("EXEC", "1) OK\n2) (integer) 2\n3) \"2\"", None),
    ("DISCARD", "(error) ERR DISCARD without MULTI", None),
    ("SELECT 1", "OK", None),
    ("DBSIZE", "(integer) 0", None),
    ("SELECT 0", "OK", None),
    ("EXPIRE t 100", "(integer) 1", None),
    ("PERSIST t", "(integer) 1", None),
    ("TTL t", "(integer) -1", None),
    ("DEL t none", "(integer) 1", None),
    ("ECHO 'last one'", "\"last one\"", None),
];

fn piped(cli: &Tool, addr: SocketAddr) {
    let port = addr.port().to_string();
    for protocol in ["-2", "-3"] {
        let (mut input, mut wanted) = ("FLUSHALL\n".to_owned(), "OK\n".to_owned());
        for (command, resp2, resp3) in SCRIPT {
            input.push_str(&format!("{command}\n"));
            let shown = resp3.filter(|_| protocol == "-3").unwrap_or(resp2);
            wanted.push_str(&format!("{shown}\n"));
        }
        let mut command = cli.command();
        command.args(["-p", &port, protocol, "--no-raw"]);
        let Ran { shown, complaints, success } = fed(command, input.as_bytes());
        let apart = shown.lines().zip(wanted.lines()).find(|(shown, wanted)| shown != wanted);
        assert!(shown == wanted, "{protocol}: {apart:?} in\n{shown}");
        assert_eq!((complaints.as_str(), success), ("", true));
    }

    // The bytes of the protocol, in one go.
    let mut requests = Vec::new();
    for n in 0..20_000 {
        let (key, value) = (format!("key:{n}"), "x".repeat(n % 100));
        let (a, b) = (key.len(), value.len());
        requests.extend(format!("*3\r\n$3\r\nSET\r\n${a}\r\n{key}\r\n${b}\r\n{value}\r\n").bytes());
    }
    let mut command = cli.command();
    command.args(["-p", &port, "--pipe"]);
    let Ran { shown, success, .. } = fed(command, &requests);
    assert!(success && shown.contains("errors: 0, replies: 20000"), "{shown}");
    assert_eq!(Wire::to(addr).ask("GET key:142"), format!("$42 {}", "x".repeat(42)));
}

#[test]
fn redis_cli_fed_from_a_pipe_is_content_with_the_kv_server() {
    let Some(cli) = tool(tools::CLI) else { return };
    on_kv_server(|addr| piped(&cli, addr));
}

#[test]
fn redis_cli_fed_from_a_pipe_is_content_with_the_proxy() {
    let Some(cli) = tool(tools::CLI) else { return };
    let counted = through_proxy(|addr| piped(&cli, addr));
    if !counted.is_empty() {
        assert_eq!((counted["set"], counted["exec"], counted["lrange"]), (20_006, 2, 4));
    }
}

/// A session by hand: what is typed, and what is shown.
fn interactive(cli: &Tool, addr: SocketAddr) {
    for protocol in ["-2", "-3"] {
        let mut other = Wire::to(addr);
        assert_eq!(other.ask("FLUSHALL"), "+OK");
        let Some(mut terminal) = Terminal::start(cli, addr, &[protocol]) else { return };
        let prompt = format!("{addr}> ");
        assert_eq!(terminal.prompt(), prompt);

        assert_eq!(terminal.ask("set k 'a b'"), ["OK"]);
        assert_eq!(terminal.ask("get k"), ["\"a b\""]);
        assert_eq!(terminal.ask("incr k"), ["(error) ERR value is not an integer or out of range"]);
        assert_eq!(terminal.ask("rpush l a b"), ["(integer) 2"]);
        assert_eq!(terminal.ask("lrange l 0 -1"), ["1) \"a\"", "2) \"b\""]);
        assert_eq!(terminal.ask("hset h f v"), ["(integer) 1"]);
        let pairs: &[&str] =
            if protocol == "-3" { &["1# \"f\" => \"v\""] } else { &["1) \"f\"", "2) \"v\""] };
        assert_eq!(terminal.ask("hgetall h"), pairs);

        assert_eq!(terminal.ask("multi"), ["OK"]);
        assert_eq!(terminal.prompt(), format!("{addr}(TX)> "));
        assert_eq!(terminal.ask("incr n"), ["QUEUED"]);
        assert_eq!(terminal.ask("get k"), ["QUEUED"]);
        assert_eq!(terminal.ask("exec"), ["1) (integer) 1", "2) \"a b\""]);
        assert_eq!(terminal.prompt(), prompt);

        terminal.enter("subscribe news");
        terminal.wait_for(&["1) \"subscribe\"", "2) \"news\"", "3) (integer) 1"]);
        // The client listens by now, so the message finds it.
        assert_eq!(other.ask("PUBLISH news 'it is here'"), ":1");
        terminal.wait_for(&["1) \"message\"", "2) \"news\"", "3) \"it is here\""]);
        assert_eq!(other.ask("PUBLISH news again"), ":1");
        terminal.wait_for(&["1) \"message\"", "2) \"news\"", "3) \"again\""]);
        terminal.interrupt();
        // Whoever listened listens no more.
        while other.ask("PUBLISH news nobody") != ":0" {}
    }
}

#[test]
fn redis_cli_used_by_hand_is_content_with_the_kv_server() {
    let Some(cli) = tool(tools::CLI) else { return };
    on_kv_server(|addr| interactive(&cli, addr));
}

#[test]
fn redis_cli_used_by_hand_is_content_with_the_proxy() {
    let Some(cli) = tool(tools::CLI) else { return };
    let counted = through_proxy(|addr| interactive(&cli, addr));
    if !counted.is_empty() {
        let count = |name: &str| counted.get(name).copied();
        assert_eq!([count("exec"), count("subscribe"), count("incr")], [Some(2), Some(2), Some(4)]);
    }
}

#[test]
fn redis_cli_connects_again_when_the_server_behind_the_proxy_is_back() {
    let Some(cli) = tool(tools::CLI) else { return };
    let Some(mut server) = real() else { return };
    let proxy = Proxy::before(server.addr());
    let Some(mut terminal) = Terminal::start(&cli, proxy.addr, &[]) else { return };
    assert_eq!(terminal.ask("incr n"), ["(integer) 1"]);
    server.restart().unwrap();
    // It may tell first that the connection was lost; the server has forgotten everything.
    let mut shown = terminal.ask("incr n");
    if shown == ["Error: Server closed the connection"] {
        shown = terminal.ask("incr n");
    }
    assert_eq!(shown, ["(integer) 1"]);
    terminal.quit();
}

#[test]
fn redis_cli_used_by_hand_needs_no_documents_of_the_commands() {
    let Some(cli) = tool(tools::CLI) else { return };
    let server = Embedded::start().unwrap();
    let Some(mut terminal) = Terminal::start(&cli, server.addr(), &[]) else { return };
    assert_eq!(terminal.ask("command count").len(), 1);
    assert!(!terminal.ask("command list").is_empty());
    assert_eq!(terminal.ask("command docs"), ["(empty array)"]);
    terminal.quit();
}
