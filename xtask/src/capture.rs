//! `capture`: replies of real servers, byte for byte, for the tests of `resp-proto`.
//!
//! One file a server and protocol in `crates/resp-proto/tests/captured/`, which holds what the server
//! sent and nothing else. Where a reply ends is not noted: to find that is the test.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    time::Duration,
};

use resp_proto::{FrameKind, Limits, RequestEncoder, Scanner, frame_kind};
use testkit::servers::{self, Server, ServerOptions};

use crate::{Result, Verb, args::Args, workspace};

pub(crate) const VERB: Verb = Verb {
    name: "capture",
    options: "",
    purpose: "write real servers' replies down for resp-proto's tests",
    run,
};

/// The servers whose replies are kept; between them, all that servers of their kind send.
const SERVERS: [(&str, (u64, u64)); 3] = [("redis", (7, 0)), ("redis", (8, 6)), ("valkey", (9, 1))];

/// A reply that takes longer is not coming.
const LIMIT: Duration = Duration::from_secs(10);

/// What `DEBUG PROTOCOL` can be asked for.
const TYPES: &[&str] = &[
    "string", "integer", "double", "null", "array", "set", "map", "attrib", "push", "verbatim",
    "true", "false", "bignum",
];

/// What scripts return in both protocols; `redis.setresp(3)` lets them see the new types.
const SCRIPTS: &[&str] = &[
    "return {double=3.25}",
    "return {double=-0.0}",
    "return {double=1e300}",
    "return {double=math.huge}",
    "return {double=-math.huge}",
    "return {map={a=1, b={map={c=true}}}}",
    "return {set={a=true, b=true}}",
    "return {big_number='1234567999999999999999999999999999999'}",
    "return {verbatim_string={format='txt', string='some text'}}",
    "return {verbatim_string={format='mkd', string='# text\\r\\n'}}",
    "return {err='MYERR of a script'}",
    "return redis.error_reply('ERR\\r\\nof two lines')",
    "return redis.status_reply('FINE')",
    "return {1, 2.9, 'three', false, true, {4, {}}, nil, 'unseen'}",
    "return nil",
    "return ''",
    "return -9007199254740992",
    "redis.setresp(3) return redis.call('HGETALL', 'hash')",
    "redis.setresp(3) return redis.call('SMEMBERS', 'set')",
    "redis.setresp(3) return redis.call('ZSCORE', 'zset', 'one')",
    "redis.setresp(3) return redis.call('GET', 'none')",
    "redis.setresp(3) return {true, false, redis.call('DEBUG', 'PROTOCOL', 'verbatim')}",
    "return redis.call('INCR', 'string')",
    "return redis.pcall('INCR', 'string')",
    "no lua",
];

/// Everything else, in order; the first ones make what the others read.
const COMMANDS: &[&str] = &[
    "PING",
    "PING with-a-word",
    "SET string value",
    "SET string2 value GET",
    "GET string",
    "GET none",
    "MGET string none string2",
    "APPEND string +",
    "HSET hash a 1 b two c 3.5",
    "HGETALL hash",
    "HRANDFIELD hash 3 WITHVALUES",
    "HMGET hash a none",
    "SADD set one two three",
    "SMEMBERS set",
    "SMISMEMBER set one none",
    "RPUSH list a b c d e f g h i j k l m n o p q r s t u v w x y z",
    "LRANGE list 0 -1",
    "LRANGE list 5 1",
    "LPOP none 2",
    "LMPOP 1 none LEFT",
    "ZADD zset 1 one 2.5 two inf three -inf four",
    "ZADD zset INCR 1.5 one",
    "ZRANGE zset 0 -1 WITHSCORES",
    "ZSCORE zset two",
    "ZSCORE zset none",
    "ZPOPMAX zset",
    "ZRANK zset one WITHSCORE",
    "GEOADD geo 13.361389 38.115556 Palermo 15.087269 37.502669 Catania",
    "GEOPOS geo Palermo none",
    "GEOSEARCH geo FROMLONLAT 15 37 BYRADIUS 200 km ASC WITHCOORD WITHDIST WITHHASH",
    "XADD stream 1-1 field value other 2",
    "XADD stream 1-2 field value",
    "XGROUP CREATE stream group 0",
    "XREADGROUP GROUP group consumer COUNT 1 STREAMS stream >",
    "XRANGE stream - +",
    "XREAD STREAMS stream 0",
    "XREAD STREAMS stream $",
    "XPENDING stream group",
    "XINFO STREAM stream",
    "XINFO STREAM stream FULL",
    "XINFO GROUPS stream",
    "XINFO CONSUMERS stream group",
    "XAUTOCLAIM stream group other 0 0",
    "INCRBYFLOAT float 3.0e3",
    "BITFIELD bits SET u8 0 255 GET u4 0 OVERFLOW FAIL INCRBY u2 102 4",
    "SCAN 0 COUNT 100",
    "TYPE hash",
    "OBJECT ENCODING hash",
    "EXPIRETIME none",
    "LCS string string2 IDX",
    "LATENCY DOCTOR",
    "LATENCY HISTOGRAM set",
    "MEMORY STATS",
    "MEMORY DOCTOR",
    "SLOWLOG GET",
    "TIME",
    "ROLE",
    "CLIENT SETNAME captured",
    "CLIENT LIST",
    "CLIENT INFO",
    "CLIENT TRACKINGINFO",
    "CLIENT GETNAME",
    "ACL WHOAMI",
    "ACL GETUSER default",
    "ACL CAT string",
    "COMMAND COUNT",
    "COMMAND INFO get eval none xadd",
    "COMMAND DOCS get set zadd client|kill",
    "COMMAND GETKEYSANDFLAGS SET key value",
    "CONFIG GET maxmemory*",
    "INFO clients",
    "FUNCTION STATS",
    "FUNCTION LIST",
    "MODULE LIST",
    "WAIT 0 1",
    "LOLWUT VERSION 5 1 1 1",
    "NOSUCH command",
    "GET",
    "GET hash",
    "SET string value NOSUCH",
    "EXPIRE string notanumber",
    "XGROUP CREATE none group 0",
    "EVALSHA ffffffffffffffffffffffffffffffffffffffff 0",
    "AUTH user wrong",
    "CLUSTER INFO",
    "HELLO 4",
    "MULTI",
    "SET string value",
    "HGETALL hash",
    "INCR string",
    "GET none",
    "EXEC",
    "MULTI",
    "NOSUCH",
    "EXEC",
    "WATCH string",
    "SET string other",
    "MULTI",
    "GET string",
    "EXEC",
    "MULTI",
    "SUBSCRIBE inside",
    "EXEC",
    "SUBSCRIBE channel other",
    "PSUBSCRIBE ch*",
    "PING",
    "PUBLISH channel message",
    "PUBLISH channel again",
    "UNSUBSCRIBE channel",
    "UNSUBSCRIBE",
    "PUNSUBSCRIBE",
    "CLIENT TRACKING ON",
    "GET string",
    "SET string tracked",
    "FLUSHALL",
    "RESET",
];

/// A status of 600 KiB, which one server is asked for.
const LONG_STATUS: &str = "return {ok=string.rep('long status ', 51200)}";

fn run(args: Args) -> Result<()> {
    args.finish()?;
    let installed = servers::ensure()?;
    let folder = workspace().join("crates/resp-proto/tests/captured");
    fs::create_dir_all(&folder)?;
    for (name, series) in SERVERS {
        let known = |server: &&servers::Installed| {
            let version = server.version;
            server.name == name && (u64::from(version.major), u64::from(version.minor)) == series
        };
        let Some(server) = installed.iter().find(known) else {
            return Err(format!("{name} {}.{} is missing", series.0, series.1).into());
        };
        for protocol in [2, 3] {
            // A new one each, so that both files are about the same data.
            let server = Server::start(server, ServerOptions::new().debug_commands())?;
            let name = format!("{name}-{}.{}", series.0, series.1);
            write(&folder, &format!("{name}-resp{protocol}"), &capture(&server, protocol)?)?;
            if (name.as_str(), protocol) == ("redis-8.6", 3) {
                let mut link = Link::new(TcpStream::connect(server.addr())?)?;
                link.call(&["EVAL", LONG_STATUS, "0"])?;
                write(&folder, &format!("{name}-long-status"), &link.finish()?)?;
            }
        }
    }
    Ok(())
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    println!("{name}: {} bytes", bytes.len());
    Ok(fs::write(folder.join(format!("{name}.resp")), bytes)?)
}

/// Everything a server sends on one connection that asks for all there is.
fn capture(server: &Server, protocol: u8) -> Result<Vec<u8>> {
    let mut link = Link::new(TcpStream::connect(server.addr())?)?;
    link.call(&["HELLO", &protocol.to_string()])?;
    for kind in TYPES {
        link.call(&["DEBUG", "PROTOCOL", kind])?;
    }
    for command in COMMANDS {
        // Between the replies and the errors.
        if *command == "NOSUCH command" {
            for script in SCRIPTS {
                link.call(&["EVAL", script, "0"])?;
            }
        }
        link.call(&command.split(' ').collect::<Vec<_>>())?;
    }
    link.finish()
}

/// A connection and all that came over it.
struct Link {
    stream: TcpStream,
    received: Vec<u8>,
    /// Where the first frame starts that was not looked at.
    start: usize,
    scanner: Scanner,
}

impl Link {
    fn new(stream: TcpStream) -> Result<Self> {
        stream.set_read_timeout(Some(LIMIT))?;
        let scanner = Scanner::new(Limits::default());
        Ok(Self { stream, received: Vec::new(), start: 0, scanner })
    }

    /// Sends a command and waits for what answers it.
    fn call(&mut self, args: &[&str]) -> Result<()> {
        let mut request = Vec::new();
        let mut encoder = RequestEncoder::new(&mut request);
        encoder.command(args.len());
        for arg in args {
            encoder.arg(arg.as_bytes());
        }
        encoder.finish();
        self.stream.write_all(&request)?;
        loop {
            while let Some(len) = self.scanner.scan(&self.received[self.start..])? {
                let frame = &self.received[self.start..self.start + len];
                self.start += len;
                // What subscriptions are answered with is a push, or several: one is enough here.
                let by_push = args[0].ends_with("SUBSCRIBE") || args.last() == Some(&"push");
                if by_push || frame_kind(frame) != FrameKind::Push {
                    return Ok(());
                }
            }
            if self.read()? == 0 {
                return Err(format!("the server left at `{}`", args.join(" ")).into());
            }
        }
    }

    /// All that came, up to the answer to a last command.
    fn finish(mut self) -> Result<Vec<u8>> {
        self.call(&["ECHO", "the end"])?;
        while !self.received.ends_with(b"$7\r\nthe end\r\n") {
            if self.read()? == 0 {
                return Err("the server left before the end".into());
            }
        }
        Ok(self.received)
    }

    fn read(&mut self) -> Result<usize> {
        let mut buffer = [0; 16 * 1024];
        let len = self.stream.read(&mut buffer)?;
        self.received.extend_from_slice(&buffer[..len]);
        Ok(len)
    }
}
