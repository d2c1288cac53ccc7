//! The embedded server answers as the real ones do, and nobody's client can disturb the others'.

#![allow(clippy::unwrap_used, reason = "helpers of tests are test code")]

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
    os::unix::net::UnixStream,
    time::Duration,
};

use resp_proto::{Limits, Scanner};
use testkit::{
    embedded::Embedded,
    servers::{self, Installed, Server, ServerOptions, Version},
    skipped,
};

/// A connection that speaks inline commands and shows replies as they come, spaces for line ends.
struct Client<S> {
    stream: S,
    input: Vec<u8>,
    scanner: Scanner,
}

fn tcp(server: &Embedded) -> Client<TcpStream> {
    Client::new(TcpStream::connect(server.addr()).unwrap())
}

impl Client<TcpStream> {
    fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self::over(stream)
    }
}

impl<S: Read + Write> Client<S> {
    fn over(stream: S) -> Self {
        Self { stream, input: Vec::new(), scanner: Scanner::new(Limits::default()) }
    }

    fn send(&mut self, request: &str) {
        self.stream.write_all(format!("{request}\r\n").as_bytes()).unwrap();
    }

    fn frame(&mut self) -> String {
        let mut chunk = [0; 4096];
        loop {
            if let Some(len) = self.scanner.scan(&self.input).unwrap() {
                let frame: Vec<u8> = self.input.drain(..len).collect();
                return String::from_utf8_lossy(&frame).replace("\r\n", " ").trim_end().to_owned();
            }
            let len = match self.stream.read(&mut chunk) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                read => read.unwrap(),
            };
            assert!(len > 0, "closed after {:?}", String::from_utf8_lossy(&self.input));
            self.input.extend_from_slice(&chunk[..len]);
        }
    }

    fn ask(&mut self, request: &str) -> String {
        self.send(request);
        self.frame()
    }

    /// What comes until the server closes; a reset is an end like any other.
    fn rest(mut self) -> String {
        let mut rest = self.input;
        let _ = self.stream.read_to_end(&mut rest);
        String::from_utf8_lossy(&rest).into_owned()
    }
}

fn check(client: &mut Client<impl Read + Write>, rows: &[(&str, &str)]) {
    for (request, wanted) in rows {
        let said = client.ask(request);
        let left = said.strip_prefix(':').and_then(|left| left.parse().ok());
        match *wanted {
            OF_100 => assert!(left.is_some_and(|left| (50..=100).contains(&left)), "{said}"),
            wanted => assert_eq!(said, wanted, "{request}"),
        }
    }
}

/// What is left of 100 seconds when it is asked for: on a busy machine some have passed.
const OF_100: &str = ":50 to :100";

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";
const NO_INTEGER: &str = "-ERR value is not an integer or out of range";

#[test]
fn strings_and_counters() {
    let server = Embedded::start().unwrap();
    check(
        &mut tcp(&server),
        &[
            ("GET k", "$-1"),
            ("SET k v", "+OK"),
            ("GET k", "$1 v"),
            ("SET k w NX", "$-1"),
            ("SET k w XX GET", "$1 v"),
            ("SET k x EX 100", "+OK"),
            ("SET k y KEEPTTL", "+OK"),
            ("TTL k", OF_100),
            ("SET k z", "+OK"),
            ("TTL k", ":-1"),
            ("SET k v EX 0", "-ERR invalid expire time in 'set' command"),
            ("SET k v EX x", NO_INTEGER),
            ("SET k v NX XX", "-ERR syntax error"),
            ("MSET a 1 b 2", "+OK"),
            ("MGET a none b", "*3 $1 1 $-1 $1 2"),
            ("MSET a", "-ERR wrong number of arguments for 'mset' command"),
            ("INCR a", ":2"),
            ("INCRBY a 10", ":12"),
            ("DECR a", ":11"),
            ("INCR k", NO_INTEGER),
            ("SET a 9223372036854775807", "+OK"),
            ("INCR a", "-ERR increment or decrement would overflow"),
        ],
    );
}

#[test]
fn keys_and_deadlines() {
    let server = Embedded::start().unwrap();
    let mut client = tcp(&server);
    check(
        &mut client,
        &[
            ("MSET one 1 two 2 three 3", "+OK"),
            ("SADD set a", ":1"),
            ("KEYS t*", "*2 $5 three $3 two"),
            ("EXISTS one one none", ":2"),
            ("TYPE one", "+string"),
            ("TYPE set", "+set"),
            ("TYPE none", "+none"),
            ("DBSIZE", ":4"),
            ("DEL one none", ":1"),
            ("EXPIRE two 100", ":1"),
            ("TTL two", OF_100),
            ("EXPIRE none 1", ":0"),
            ("PTTL none", ":-2"),
            ("EXPIRE three -1", ":1"),
            ("EXISTS three", ":0"),
            ("SELECT 1", "+OK"),
            ("DBSIZE", ":0"),
            ("SELECT 16", "-ERR DB index is out of range"),
            ("FLUSHALL", "+OK"),
            ("SELECT 0", "+OK"),
            ("DBSIZE", ":0"),
            ("SET k v PX 1", "+OK"),
        ],
    );
    while client.ask("EXISTS k") == ":1" {}
    assert_eq!(client.ask("GET k"), "$-1");
}

#[test]
fn sets_lists_and_hashes_in_both_protocols() {
    let server = Embedded::start().unwrap();
    let mut client = tcp(&server);
    check(
        &mut client,
        &[
            ("SADD s b a b", ":2"),
            ("SMEMBERS s", "*2 $1 a $1 b"),
            ("SISMEMBER s a", ":1"),
            ("SCARD s", ":2"),
            ("RPUSH l b c", ":2"),
            ("LPUSH l a", ":3"),
            ("LRANGE l 0 -1", "*3 $1 a $1 b $1 c"),
            ("LRANGE l -2 1", "*1 $1 b"),
            ("LRANGE l 5 9", "*0"),
            ("LLEN l", ":3"),
            ("HSET h f v g w", ":2"),
            ("HGETALL h", "*4 $1 f $1 v $1 g $1 w"),
            ("LPUSH s x", WRONG_TYPE),
            ("GET s", WRONG_TYPE),
            ("SADD l x", WRONG_TYPE),
        ],
    );
    assert!(client.ask("HELLO 3").starts_with("%7 $6 server"));
    check(
        &mut client,
        &[
            ("SMEMBERS s", "~2 $1 a $1 b"),
            ("HGETALL h", "%2 $1 f $1 v $1 g $1 w"),
            ("HGET h none", "_"),
            ("SREM s a b", ":2"),
            ("EXISTS s", ":0"),
            ("HELLO 4", "-NOPROTO unsupported protocol version"),
        ],
    );
    assert!(client.ask("HELLO 2").starts_with("*14 $6 server"));
}

#[test]
fn connection_commands() {
    let server = Embedded::start().unwrap();
    let mut client = Client::over(UnixStream::connect(server.socket_path()).unwrap());
    check(
        &mut client,
        &[
            ("PING", "+PONG"),
            ("PING hi", "$2 hi"),
            ("ECHO 'a b'", "$3 a b"),
            ("CLIENT ID", ":1"),
            ("CLIENT GETNAME", "$-1"),
            ("CLIENT SETNAME me", "+OK"),
            ("CLIENT GETNAME", "$2 me"),
            ("CLIENT SETINFO LIB-NAME lib", "+OK"),
            ("CLIENT NOPE", "-ERR unknown subcommand 'NOPE'. Try CLIENT HELP."),
            ("NOPE a b", "-ERR unknown command 'NOPE', with args beginning with: 'a' 'b'"),
            ("GET", "-ERR wrong number of arguments for 'get' command"),
        ],
    );
    let list = tcp(&server).ask("CLIENT LIST");
    assert!(list.contains("id=1 ") && list.contains(" name=me ") && list.contains("lib-name=lib"));
    assert!(client.ask("INFO server").contains("redis_version:"));
    assert!(client.ask("COMMAND COUNT").starts_with(':'));
    client.send("QUIT");
    assert_eq!(client.rest(), "+OK\r\n");
}

#[test]
fn transactions() {
    let server = Embedded::start().unwrap();
    let (mut client, mut other) = (tcp(&server), tcp(&server));
    check(
        &mut client,
        &[
            ("EXEC", "-ERR EXEC without MULTI"),
            ("DISCARD", "-ERR DISCARD without MULTI"),
            ("MULTI", "+OK"),
            ("MULTI", "-ERR MULTI calls can not be nested"),
            ("WATCH k", "-ERR WATCH inside MULTI is not allowed"),
            ("SET k 1", "+QUEUED"),
            ("LPUSH k x", "+QUEUED"),
            ("INCR k", "+QUEUED"),
            ("EXEC", &format!("*3 +OK {WRONG_TYPE} :2")),
            ("MULTI", "+OK"),
            ("NOPE", "-ERR unknown command 'NOPE'"),
            ("SET k 9", "+QUEUED"),
            ("EXEC", "-EXECABORT Transaction discarded because of previous errors."),
            ("MULTI", "+OK"),
            ("SET k 9", "+QUEUED"),
            ("DISCARD", "+OK"),
            ("GET k", "$1 2"),
            ("WATCH k", "+OK"),
            ("MULTI", "+OK"),
            ("INCR k", "+QUEUED"),
        ],
    );
    assert_eq!(other.ask("SET k 7"), "+OK");
    check(&mut client, &[("EXEC", "*-1"), ("WATCH k", "+OK")]);
    assert_eq!(other.ask("SET k 8"), "+OK");
    check(
        &mut client,
        &[("UNWATCH", "+OK"), ("MULTI", "+OK"), ("INCR k", "+QUEUED"), ("EXEC", "*1 :9")],
    );
}

#[test]
fn watched_key_that_expires_is_a_conflict() {
    let server = Embedded::start().unwrap();
    let (mut client, mut other) = (tcp(&server), tcp(&server));
    check(
        &mut client,
        &[("SET k v", "+OK"), ("WATCH k", "+OK"), ("MULTI", "+OK"), ("PING", "+QUEUED")],
    );
    // Giving it a deadline is the conflict here; the deadline's passing alone is the store's test.
    assert_eq!(other.ask("PEXPIRE k 1"), ":1");
    assert_eq!(client.ask("EXEC"), "*-1");
}

#[test]
fn publish_and_subscribe() {
    let server = Embedded::start().unwrap();
    let (mut client, mut modern, mut sender) = (tcp(&server), tcp(&server), tcp(&server));
    assert_eq!(client.ask("SUBSCRIBE a b"), "*3 $9 subscribe $1 a :1");
    assert_eq!(client.frame(), "*3 $9 subscribe $1 b :2");
    assert!(modern.ask("HELLO 3").starts_with('%'));
    assert_eq!(modern.ask("PSUBSCRIBE ?"), ">3 $10 psubscribe $1 ? :1");
    assert_eq!(sender.ask("PUBLISH a hi"), ":2");
    assert_eq!(client.frame(), "*3 $7 message $1 a $2 hi");
    assert_eq!(modern.frame(), ">4 $8 pmessage $1 ? $1 a $2 hi");
    check(
        &mut sender,
        &[
            ("PUBSUB CHANNELS", "*2 $1 a $1 b"),
            ("PUBSUB CHANNELS b*", "*1 $1 b"),
            ("PUBSUB NUMSUB a none", "*4 $1 a :1 $4 none :0"),
            ("PUBSUB NUMPAT", ":1"),
        ],
    );
    assert!(client.ask("GET k").starts_with("-ERR Can't execute 'get': only (P|S)SUBSCRIBE"));
    assert_eq!(client.ask("PING"), "*2 $4 pong $0");
    assert_eq!(modern.ask("PING"), "+PONG");
    assert_eq!(client.ask("UNSUBSCRIBE"), "*3 $11 unsubscribe $1 a :1");
    assert_eq!(client.frame(), "*3 $11 unsubscribe $1 b :0");
    assert_eq!(client.ask("UNSUBSCRIBE"), "*3 $11 unsubscribe $-1 :0");
    assert_eq!(client.ask("PING"), "+PONG");
    // A push that one causes oneself follows the reply.
    assert_eq!(modern.ask("PUBLISH c me"), ":1");
    assert_eq!(modern.frame(), ">4 $8 pmessage $1 ? $1 c $2 me");
    drop(modern);
    while sender.ask("PUBSUB NUMPAT") != ":0" {}
}

#[test]
fn subscriber_that_does_not_read_is_cut_off_and_the_others_go_on() {
    let server = Embedded::start().unwrap();
    let (mut slow, mut sender) = (tcp(&server), tcp(&server));
    assert_eq!(slow.ask("SUBSCRIBE c"), "*3 $9 subscribe $1 c :1");
    let message = "x".repeat(60_000);
    let mut sent = 0;
    while sender.ask(&format!("PUBLISH c {message}")) == ":1" {
        sent += message.len();
        assert!(sent < 256 << 20, "it is never cut off");
    }
    assert!(slow.rest().len() < sent);
    assert_eq!(sender.ask("PING"), "+PONG");
}

#[test]
fn garbage_is_answered_and_disturbs_nobody() {
    let server = Embedded::start().unwrap();
    let mut other = tcp(&server);
    assert_eq!(other.ask("SET k v"), "+OK");
    for (garbage, wanted) in [
        ("*x", "invalid multibulk length"),
        ("*4000000000", "invalid multibulk length"),
        ("*1\r\n$x", "invalid bulk length"),
        ("*1\r\n$-1", "invalid bulk length"),
        ("*1\r\n:1", "expected '$', got ':'"),
        ("SET k 'v", "unbalanced quotes in request"),
        (&"x".repeat(70_000), "too big inline request"),
    ] {
        let mut client = tcp(&server);
        assert_eq!(client.ask("PING"), "+PONG");
        client.send(garbage);
        assert_eq!(client.frame(), format!("-ERR Protocol error: {wanted}"));
        assert_eq!(client.rest(), "");
        assert_eq!(other.ask("GET k"), "$1 v");
    }
}

#[test]
fn half_a_request_and_a_close_leave_nothing_behind() {
    let server = Embedded::start().unwrap();
    let mut other = tcp(&server);
    let mut client = tcp(&server);
    client.stream.write_all(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100\r\nhal").unwrap();
    client.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.rest(), "");
    assert_eq!(other.ask("EXISTS k"), ":0");
    while other.ask("INFO clients").contains("connected_clients:2") {}
}

#[test]
fn pipeline_of_one_write_is_answered_in_order() {
    let server = Embedded::start().unwrap();
    let mut client = tcp(&server);
    client.stream.write_all("INCR n\r\n".repeat(20_000).as_bytes()).unwrap();
    for n in 1..=20_000 {
        assert_eq!(client.frame(), format!(":{n}"));
    }
}

#[test]
fn dropped_server_closes_its_connections_and_sockets() {
    let server = Embedded::start().unwrap();
    let (addr, path) = (server.addr(), server.socket_path().to_owned());
    let mut idle = tcp(&server);
    assert_eq!(idle.ask("PING"), "+PONG");
    let mut listening = tcp(&server);
    listening.ask("SUBSCRIBE c");
    drop(server);
    assert_eq!((idle.rest(), listening.rest()), (String::new(), String::new()));
    assert!(TcpStream::connect(addr).is_err() && !path.exists());
}

/// What one connection asks; the real servers' replies are the wanted ones.
const SCRIPT: &str = "
GET k|SET k v|GET k|SET k v BAD|SET k v NX|SET k v XX GET|SET k v PX -1|SET k v EX 1 PX 1|SET k|GET a b
SET k 12|INCR k|INCRBY k x|INCRBY k 9223372036854775807|DECR k|DECRBY k 2|SET k ' 1'|INCR k|SET k 01|INCR k
SET k ''|INCR k|STRLEN k|APPEND n abc|MSET a 1 b|MSET a 1 b 2|MGET a b c|MGET|DEL a b c|DEL
EXPIRE n 100|EXPIRE n x|EXPIRE n 10 BAD|EXPIRE n 200 NX|EXPIRE n 9223372036854775807|TTL none|PTTL none
PERSIST n|PERSIST n|TTL n|SET n v KEEPTTL|SET n v KEEPTTL EX 1|EXPIRE n -1|EXISTS n|EXISTS|TYPE n|TYPE k
SADD s a|SADD s a|SADD s|SMEMBERS s|SMEMBERS none|SISMEMBER s a|SISMEMBER s b|SCARD s|SREM s a b|TYPE s
LPUSH l a b|RPUSH l c|LRANGE l 0 -1|LRANGE l -100 100|LRANGE l 2 1|LRANGE l -1 -2|LRANGE l 0 -100|LRANGE l x 1
LRANGE none 0 1|LLEN l|LLEN none|LPUSH l|TYPE l|GET l|SADD l a|HSET l a b|INCR l|SET l x GET|LRANGE k 0 1
HSET h a 1 b 2|HSET h a|HSET h a 1 b|HSET h a 3 c 4|HGET h a|HGET h z|HGETALL h|HGETALL none|TYPE h|HLEN h
HDEL h a z|HDEL h b c|EXISTS h|PING|PING a|PING a b|ECHO|ECHO a|SELECT x|SELECT 99|SELECT -1|SELECT 2|DBSIZE
FLUSHDB BAD|FLUSHDB|SELECT 0|DBSIZE|KEYS *z*|FLUSHALL|DBSIZE
NOPE|NOPE a 'b c'|nope|CLIENT|CLIENT NOPE|CLIENT GETNAME|CLIENT SETNAME 'a b'|CLIENT SETNAME me|CLIENT GETNAME
CLIENT ID x|CLIENT GETNAME x|CLIENT SETNAME|CLIENT SETINFO a b|AUTH a|AUTH default a|AUTH a b c
HELLO x|HELLO 9|HELLO 2 BAD|HELLO 3 AUTH|EXEC|DISCARD|UNWATCH|WATCH|EXEC x|PUBSUB|PUBSUB NOPE|PUBSUB NUMSUB
PUBSUB NUMPAT x|PUBSUB CHANNELS|PUBSUB NUMPAT|PUBLISH a|PUBLISH a b|COMMAND NOPE
MULTI|MULTI|WATCH k|SET k 1|LPUSH k 1|INCR k|SMEMBERS none|EXEC|MULTI|GET|GET k|EXEC|MULTI|NOPE|DISCARD
WATCH k|SET k 2|MULTI|GET k|EXEC|WATCH k|UNWATCH|SET k 3|MULTI|GET k|EXEC|MULTI|EXEC|WATCH none|DEL none|MULTI|EXEC
MULTI|SUBSCRIBE c|PUBLISH c m|EXEC|UNSUBSCRIBE c|UNSUBSCRIBE|PUNSUBSCRIBE|SUBSCRIBE|SUBSCRIBE c|PSUBSCRIBE d*
PING|PING a|ECHO a|UNSUBSCRIBE nope|UNSUBSCRIBE c|PUNSUBSCRIBE d*|PING|RESET|PING|QUIT";

#[test]
fn real_servers_say_the_same() {
    let found = servers::discover(&servers::folder(), false).found;
    let worded_alike = |installed: &&Installed| {
        installed.name == "redis" && installed.version >= Version::new(8, 6, 0)
    };
    let Some(installed) = found.iter().find(worded_alike) else {
        skipped("no Redis from 8.6 on was found");
        return;
    };
    for protocol in [2, 3] {
        let real = Server::start(installed, ServerOptions::new()).unwrap();
        let ours = Embedded::start().unwrap();
        let all = |addr| {
            let mut client = Client::new(TcpStream::connect(addr).unwrap());
            client.ask(&format!("HELLO {protocol}"));
            client.send(&SCRIPT.trim().replace(['\n', '|'], "\r\n"));
            client.rest()
        };
        let (wanted, given) = (all(real.addr()), all(ours.addr()));
        let (wanted, given): (Vec<_>, Vec<_>) = (wanted.lines().collect(), given.lines().collect());
        let same = wanted.iter().zip(&given).take_while(|(wanted, given)| wanted == given).count();
        let near = |lines: &[&str]| {
            lines
                .iter()
                .skip(same.saturating_sub(3))
                .take(8)
                .copied()
                .collect::<Vec<_>>()
                .join("\n")
        };
        assert!(
            wanted == given,
            "RESP{protocol}: {installed} says\n{}\nours\n{}",
            near(&wanted),
            near(&given)
        );
    }
}
