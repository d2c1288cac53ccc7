//! A connection as the server tells of it.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::reply::{FromReply, ReplyReader};

/// A connection as the server tells of it, in a line of fields.
///
/// # Examples
///
/// ```
/// use redis_core::types::ClientInfo;
///
/// let client: ClientInfo =
///     "id=3 addr=127.0.0.1:50000 fd=8 name=me age=7 idle=0 flags=N db=2 sub=0 psub=0 multi=-1 \
///      qbuf=0 qbuf-free=0 obl=0 oll=0 omem=0 events=r cmd=ping new=1"
///         .parse()?;
/// assert_eq!((client.id, client.name.as_deref(), client.db), (3, Some("me"), 2));
/// assert_eq!(client.other["new"], "1");
/// # Ok::<(), redis_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientInfo {
    /// The connection's id.
    pub id: u64,
    /// Where it comes from: `address:port`, or a Unix socket's path and `:0`.
    pub addr: String,
    /// Where it came in, in the same form.
    pub laddr: Option<String>,
    /// The server's file descriptor; none for clients that are no connection.
    pub fd: Option<u64>,
    /// Its name.
    pub name: Option<String>,
    /// How long it is open, in whole seconds.
    pub age: Duration,
    /// How long it has said nothing, in whole seconds.
    pub idle: Duration,
    /// A letter for each property; `N` where there is none.
    pub flags: String,
    /// A letter for each capability it announced.
    pub capa: Option<String>,
    /// The database it is on.
    pub db: u64,
    /// How many channels it is subscribed to.
    pub sub: u64,
    /// How many patterns it is subscribed to.
    pub psub: u64,
    /// How many shard channels it is subscribed to; 7.0 and newer.
    pub ssub: Option<u64>,
    /// How many commands wait for its EXEC; none outside MULTI.
    pub multi: Option<u64>,
    /// How many keys it watches; 7.4 and newer.
    pub watch: Option<u64>,
    /// Bytes that were read and not run yet.
    pub qbuf: u64,
    /// Bytes that are free in its query buffer.
    pub qbuf_free: u64,
    /// Bytes of the arguments of its next command.
    pub argv_mem: Option<u64>,
    /// Bytes of the commands that wait for its EXEC.
    pub multi_mem: Option<u64>,
    /// Bytes of its reply buffer.
    pub rbs: Option<u64>,
    /// Bytes that its reply buffer had at its peak.
    pub rbp: Option<u64>,
    /// Bytes in its output buffer of fixed size.
    pub obl: u64,
    /// Replies that wait in its output list.
    pub oll: u64,
    /// Bytes of its output list.
    pub omem: u64,
    /// Bytes that it takes altogether.
    pub tot_mem: Option<u64>,
    /// What the server waits for on its socket: `r` and `w`.
    pub events: String,
    /// Its last command, a subcommand as in `client|list`; none before the first.
    pub cmd: Option<String>,
    /// The user it is authenticated as.
    pub user: Option<String>,
    /// The id of the connection that gets its notices of changed keys.
    pub redir: Option<u64>,
    /// The protocol it speaks, 2 or 3; 7.0 and newer.
    pub resp: Option<u8>,
    /// Its client library.
    pub lib_name: Option<String>,
    /// The version of its client library.
    pub lib_ver: Option<String>,
    /// The thread that serves it; Redis 8.0 and newer.
    pub io_thread: Option<u64>,
    /// Bytes that came from it.
    pub tot_net_in: Option<u64>,
    /// Bytes that went to it.
    pub tot_net_out: Option<u64>,
    /// Commands it has run.
    pub tot_cmds: Option<u64>,
    /// Fields that newer servers tell too.
    pub other: BTreeMap<String, String>,
}

impl ClientInfo {
    /// Whether it has the property that the server has this letter for, such as `S` for a replica.
    pub fn has_flag(&self, letter: char) -> bool {
        self.flags.contains(letter)
    }
}

impl FromStr for ClientInfo {
    type Err = Error;

    fn from_str(line: &str) -> Result<Self> {
        let mut fields = Fields::of(line)?;
        Ok(Self {
            id: fields.number("id")?,
            addr: fields.text("addr")?,
            laddr: fields.optional_text("laddr"),
            fd: fields.not_negative("fd")?,
            name: fields.optional_text("name"),
            age: Duration::from_secs(fields.number("age")?),
            idle: Duration::from_secs(fields.number("idle")?),
            flags: fields.text("flags")?,
            capa: fields.optional_text("capa"),
            db: fields.number("db")?,
            sub: fields.number("sub")?,
            psub: fields.number("psub")?,
            ssub: fields.optional_number("ssub")?,
            multi: fields.not_negative("multi")?,
            watch: fields.optional_number("watch")?,
            qbuf: fields.number("qbuf")?,
            qbuf_free: fields.number("qbuf-free")?,
            argv_mem: fields.optional_number("argv-mem")?,
            multi_mem: fields.optional_number("multi-mem")?,
            rbs: fields.optional_number("rbs")?,
            rbp: fields.optional_number("rbp")?,
            obl: fields.number("obl")?,
            oll: fields.number("oll")?,
            omem: fields.number("omem")?,
            tot_mem: fields.optional_number("tot-mem")?,
            events: fields.text("events")?,
            cmd: fields.optional_text("cmd").filter(|cmd| cmd != "NULL"),
            user: fields.optional_text("user"),
            redir: fields.not_negative("redir")?,
            resp: fields.optional_number("resp")?,
            lib_name: fields.optional_text("lib-name"),
            lib_ver: fields.optional_text("lib-ver"),
            io_thread: fields.optional_number("io-thread")?,
            tot_net_in: fields.optional_number("tot-net-in")?,
            tot_net_out: fields.optional_number("tot-net-out")?,
            tot_cmds: fields.optional_number("tot-cmds")?,
            other: fields.rest(),
        })
    }
}

/// One line; a list of them is a text of many lines.
impl FromReply for ClientInfo {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        String::from_reply(reply)?.trim_end().parse()
    }

    fn list_from_reply(reply: &mut ReplyReader<'_>) -> Result<Vec<Self>> {
        let text = String::from_reply(reply)?;
        text.lines().filter(|line| !line.is_empty()).map(str::parse).collect()
    }
}

/// The fields of a line that were not asked for yet.
struct Fields(BTreeMap<String, String>);

impl Fields {
    fn of(line: &str) -> Result<Self> {
        let mut fields: Vec<(String, String)> = Vec::new();
        for piece in line.split(' ') {
            match (piece.split_once('='), fields.last_mut()) {
                (Some((name, value)), _) => fields.push((name.to_owned(), value.to_owned())),
                // The path of a Unix socket may have spaces.
                (None, Some((_, value))) => {
                    value.push(' ');
                    value.push_str(piece);
                }
                (None, None) => {
                    return Err(Error::decode("a line of client fields begins without a field"));
                }
            }
        }
        Ok(Self(fields.into_iter().collect()))
    }

    fn text(&mut self, name: &str) -> Result<String> {
        self.0
            .remove(name)
            .ok_or_else(|| Error::decode(format!("a client's line has no field `{name}`")))
    }

    fn optional_text(&mut self, name: &str) -> Option<String> {
        self.0.remove(name).filter(|text| !text.is_empty())
    }

    fn number<T: FromStr>(&mut self, name: &str) -> Result<T> {
        let text = self.text(name)?;
        text.parse().map_err(|_| {
            Error::decode(format!(
                "the field `{name}` of a client's line is no such number: {text}"
            ))
        })
    }

    fn optional_number<T: FromStr>(&mut self, name: &str) -> Result<Option<T>> {
        if self.0.contains_key(name) { self.number(name).map(Some) } else { Ok(None) }
    }

    /// A number that is negative where there is none.
    fn not_negative(&mut self, name: &str) -> Result<Option<u64>> {
        let number: Option<i64> = self.optional_number(name)?;
        Ok(number.and_then(|number| u64::try_from(number).ok()))
    }

    fn rest(self) -> BTreeMap<String, String> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::decode;

    const REDIS_6_2: &str = "id=9 addr=127.0.0.1:43598 laddr=127.0.0.1:27601 fd=8 name= age=0 idle=0 \
        flags=N db=0 sub=0 psub=0 multi=-1 qbuf=26 qbuf-free=40928 argv-mem=10 obl=0 oll=0 omem=0 \
        tot-mem=61466 events=r cmd=client user=default redir=-1";
    const REDIS_8_6: &str = "id=10 addr=127.0.0.1:51798 laddr=127.0.0.1:27604 fd=13 name=me age=5 \
        idle=1 flags=xP db=3 sub=1 psub=2 ssub=3 multi=4 watch=1 qbuf=26 qbuf-free=16360 argv-mem=10 \
        multi-mem=7 rbs=16392 rbp=16392 obl=0 oll=0 omem=0 tot-mem=33858 events=rw cmd=client|info \
        user=default redir=12 resp=3 lib-name=lib lib-ver=1.0 io-thread=0 tot-net-in=26 tot-net-out=0 \
        tot-cmds=0";
    const VALKEY_9_1: &str = "id=346 addr=127.0.0.1:46924 laddr=127.0.0.1:27605 fd=11 name= age=3 \
        idle=3 flags=S capa=r db=0 sub=0 psub=0 ssub=0 multi=-1 watch=0 qbuf=0 qbuf-free=0 argv-mem=0 \
        multi-mem=0 rbs=1032 rbp=0 obl=0 oll=0 omem=0 tot-mem=1552 events=r cmd=psync user=default \
        redir=-1 resp=2 lib-name= lib-ver= tot-net-in=234 tot-net-out=22 tot-cmds=5";

    #[test]
    fn lines_of_every_server_are_read_and_nothing_is_left() {
        let old: ClientInfo = REDIS_6_2.parse().unwrap();
        assert_eq!((old.id, old.fd, old.qbuf_free, old.tot_mem), (9, Some(8), 40928, Some(61466)));
        assert_eq!(
            (old.name, old.multi, old.redir, old.ssub, old.resp),
            (None, None, None, None, None)
        );
        assert_eq!((old.cmd.as_deref(), old.user.as_deref()), (Some("client"), Some("default")));
        let new: ClientInfo = REDIS_8_6.parse().unwrap();
        assert_eq!(
            (new.name.as_deref(), new.db, new.multi, new.redir),
            (Some("me"), 3, Some(4), Some(12))
        );
        assert_eq!((new.sub, new.psub, new.ssub, new.watch), (1, 2, Some(3), Some(1)));
        assert_eq!((new.age, new.idle), (Duration::from_secs(5), Duration::from_secs(1)));
        assert!(new.has_flag('P') && !new.has_flag('S'));
        assert_eq!(
            (new.lib_name.as_deref(), new.io_thread, new.tot_cmds),
            (Some("lib"), Some(0), Some(0))
        );
        let valkey: ClientInfo = VALKEY_9_1.parse().unwrap();
        assert_eq!((valkey.capa.as_deref(), valkey.tot_net_in), (Some("r"), Some(234)));
        for client in [old.other, new.other, valkey.other] {
            assert_eq!(client, BTreeMap::new());
        }
    }

    #[test]
    fn a_list_is_a_text_of_lines_in_both_protocols() {
        let text = format!("{REDIS_6_2}\n{REDIS_8_6}\n");
        let resp2 = format!("${}\r\n{text}\r\n", text.len());
        let resp3 = format!("={}\r\ntxt:{text}\r\n", text.len() + 4);
        let clients = decode::<Vec<ClientInfo>>(resp2.as_bytes()).unwrap();
        assert_eq!(clients.iter().map(|client| client.id).collect::<Vec<_>>(), [9, 10]);
        assert_eq!(decode::<Vec<ClientInfo>>(resp3.as_bytes()).unwrap(), clients);
        assert_eq!(decode::<Vec<ClientInfo>>(b"$0\r\n\r\n").unwrap(), []);
        let one = format!("${}\r\n{REDIS_6_2}\n\r\n", REDIS_6_2.len() + 1);
        assert_eq!(decode::<ClientInfo>(one.as_bytes()).unwrap(), clients[0]);
    }

    #[test]
    fn a_socket_s_path_may_have_spaces() {
        let line = REDIS_6_2.replace("127.0.0.1:43598", "a b/socket:0");
        let client: ClientInfo = line.parse().unwrap();
        assert_eq!(client.addr, "a b/socket:0");
    }

    #[test]
    fn a_missing_or_malformed_field_is_named() {
        let error = REDIS_6_2.replace(" db=0", "").parse::<ClientInfo>().unwrap_err();
        assert_eq!(error.to_string(), "a client's line has no field `db`");
        let error = REDIS_6_2.replace("db=0", "db=x").parse::<ClientInfo>().unwrap_err();
        assert_eq!(error.to_string(), "the field `db` of a client's line is no such number: x");
        assert!("".parse::<ClientInfo>().is_err());
        assert!("nothing here".parse::<ClientInfo>().is_err());
    }
}
