//! The server without sockets, threads or a clock: who drives it says what arrived and what time it is.
//!
//! It knows what the [embedded](super) one knows, and besides passwords, pops that wait, shard channels
//! and scripts of one command; it keeps a log of what ran; and it can be told to misbehave.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::{Bytes, BytesMut};
use resp_proto::{Limits, ReplyEncoder, RequestDecoder};

use super::{
    blocking::Blocked,
    commands::{self, Call},
    world::{Mailbox, Ran, Session, Settings, World},
};

/// A server in the hands of a simulation. Clients are named by the numbers it gives them. Times are in
/// milliseconds since the Unix epoch.
#[derive(Debug)]
pub struct Core {
    world: World,
    clients: BTreeMap<u64, Client>,
    /// Who waits for an element, the longest waiting first.
    waiting: VecDeque<u64>,
}

#[derive(Debug)]
struct Client {
    session: Session,
    decoder: RequestDecoder,
    input: BytesMut,
    out: Arc<Letters>,
}

/// Bytes for a client that nobody has taken yet.
#[derive(Debug, Default)]
struct Letters(Mutex<Vec<u8>>);

impl Letters {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Mailbox for Letters {
    fn push(&self, bytes: &[u8]) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        true
    }

    fn cut(&self) {}
}

impl Core {
    /// A server without data; with a password if one is given, without `HELLO` if it is that old.
    pub fn new(password: Option<&str>, hello: bool) -> Self {
        let settings = Settings {
            password: password.map(|password| Bytes::copy_from_slice(password.as_bytes())),
            without_hello: !hello,
            model: true,
            loading: false,
        };
        let mut world = World::default();
        world.settings = settings;
        world.log = Some(Vec::new());
        Self { world, clients: BTreeMap::new(), waiting: VecDeque::new() }
    }

    /// Somebody has connected: the number is theirs alone, also after a restart.
    pub fn connect(&mut self) -> u64 {
        let out = Arc::new(Letters::default());
        let mailbox: Arc<dyn Mailbox> = out.clone();
        let joined = self.world.join(mailbox, "simulated:0".into(), "simulated:0".into());
        let session = joined.expect("it never stops");
        let id = session.about.id;
        let decoder = RequestDecoder::new(Limits::default());
        self.clients.insert(id, Client { session, decoder, input: BytesMut::new(), out });
        id
    }

    /// The connection is gone.
    pub fn handle_disconnect(&mut self, client: u64) {
        if self.clients.remove(&client).is_some() {
            self.world.leave(client);
            self.waiting.retain(|waiting| *waiting != client);
        }
    }

    /// Bytes of a client have arrived: runs what is whole, as far as it does not have to wait.
    pub fn handle_input(&mut self, client: u64, bytes: &[u8], now: i64) {
        if let Some(client) = self.clients.get_mut(&client) {
            client.input.extend_from_slice(bytes);
        }
        self.run(client, now);
    }

    /// Pops that have waited long enough are answered with nothing.
    pub fn handle_timeout(&mut self, now: i64) {
        for id in self.waiting.clone() {
            let due = |blocked: &Blocked| blocked.deadline.is_some_and(|deadline| deadline <= now);
            if self.blocked(id).is_some_and(due) {
                self.answer(id, now, |reply| {
                    reply.null_array();
                });
                self.run(id, now);
            }
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), at the latest.
    pub fn poll_timeout(&self) -> Option<i64> {
        self.waiting.iter().filter_map(|id| self.blocked(*id)?.deadline).min()
    }

    /// Takes what the client is to be sent.
    pub fn poll_output(&mut self, client: u64) -> Vec<u8> {
        self.clients.get(&client).map(|client| client.out.take()).unwrap_or_default()
    }

    /// Whether the connection is to be closed behind its output.
    pub fn is_closing(&self, client: u64) -> bool {
        self.clients.get(&client).is_some_and(|client| client.session.closing)
    }

    /// What the client is subscribed to, each with the command that subscribes to it.
    pub fn subscriptions(&self, client: u64) -> Vec<(&'static str, Bytes)> {
        self.world.pubsub.of(client)
    }

    /// What ran since this was last asked.
    pub fn take_log(&mut self) -> Vec<Ran> {
        self.world.log.replace(Vec::new()).unwrap_or_default()
    }

    /// All connections are gone and all scripts, and without `keep` all data.
    pub fn restart(&mut self, keep: bool) {
        let clients: Vec<u64> = self.clients.keys().copied().collect();
        clients.into_iter().for_each(|client| self.handle_disconnect(client));
        self.world.scripts = Default::default();
        if !keep {
            self.world.store = Default::default();
        }
    }

    /// From now on whatever needs data is refused, or is not any more.
    pub fn set_loading(&mut self, loading: bool) {
        self.world.settings.loading = loading;
    }

    /// Refuses the client's next command of this name in these words.
    pub fn refuse(&mut self, client: u64, command: &str, text: &str) {
        if let Some(client) = self.clients.get_mut(&client) {
            client.session.refused = Some((command.to_owned(), text.to_owned()));
        }
    }

    /// Writes something of the server's own accord to a client, in that client's protocol.
    pub fn push(&mut self, client: u64, write: impl FnOnce(ReplyEncoder<'_, Vec<u8>>)) {
        self.world.push(client, write);
    }

    fn blocked(&self, client: u64) -> Option<&Blocked> {
        self.clients.get(&client)?.session.blocked.as_ref()
    }

    fn run(&mut self, client: u64, now: i64) {
        let (mut args, mut out) = (Vec::new(), Vec::new());
        while let Some(of) = self.clients.get_mut(&client) {
            if of.session.blocked.is_some() || of.session.closing {
                return;
            }
            match of.decoder.decode(&mut of.input, &mut args) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    of.out.push(format!("-ERR Protocol error: {error}\r\n").as_bytes());
                    of.session.closing = true;
                    return;
                }
            }
            let session = &mut of.session;
            self.world.begin(client);
            let world = &mut self.world;
            commands::request(&mut Call { world, session, args: &args, out: &mut out, now });
            self.world.end(&mut out);
            of.out.push(&out);
            out.clear();
            if of.session.blocked.is_some() {
                self.waiting.push_back(client);
            }
            self.serve(now);
        }
    }

    /// Gives elements to those who wait for them, and runs what they said meanwhile.
    fn serve(&mut self, now: i64) {
        let mut served = Vec::new();
        for id in self.waiting.clone() {
            let Some(of) = self.clients.get_mut(&id) else { continue };
            let Some(blocked) = of.session.blocked.take() else { continue };
            let mut out = Vec::new();
            let (world, session) = (&mut self.world, &mut of.session);
            let args = &blocked.args;
            commands::run(&mut Call { world, session, args, out: &mut out, now });
            if of.session.blocked.is_some() {
                // As long as it waits, its deadline is the first one.
                of.session.blocked = Some(blocked);
                continue;
            }
            of.out.push(&out);
            self.waiting.retain(|waiting| *waiting != id);
            served.push(id);
        }
        served.into_iter().for_each(|id| self.run(id, now));
    }

    /// Ends the wait of a client with this reply.
    fn answer(&mut self, id: u64, now: i64, write: impl FnOnce(&mut ReplyEncoder<'_, Vec<u8>>)) {
        self.waiting.retain(|waiting| *waiting != id);
        let Some(of) = self.clients.get_mut(&id) else { return };
        let Some(blocked) = of.session.blocked.take() else { return };
        let mut out = Vec::new();
        write(&mut ReplyEncoder::new(&mut out, of.session.about.protocol));
        let (world, session) = (&mut self.world, &mut of.session);
        Call { world, session, args: &blocked.args, out: &mut out, now }.note(0);
        of.out.push(&out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(core: &mut Core, client: u64, line: &str, now: i64) -> String {
        core.handle_input(client, format!("{line}\r\n").as_bytes(), now);
        String::from_utf8(core.poll_output(client)).unwrap()
    }

    #[test]
    fn pop_waits_for_an_element_or_its_deadline() {
        let mut core = Core::new(None, true);
        let (a, b) = (core.connect(), core.connect());
        assert_eq!(ask(&mut core, a, "BLPOP l m 1", 0), "");
        assert_eq!(ask(&mut core, a, "PING", 0), "", "it waits");
        assert_eq!(core.poll_timeout(), Some(1000));
        assert_eq!(ask(&mut core, b, "RPUSH m x", 999), ":1\r\n");
        let popped = String::from_utf8(core.poll_output(a)).unwrap();
        assert_eq!(popped, "*2\r\n$1\r\nm\r\n$1\r\nx\r\n+PONG\r\n");
        assert_eq!(ask(&mut core, a, "BRPOP m 0.5", 1000), "");
        core.handle_timeout(1500);
        assert_eq!(core.poll_output(a), b"*-1\r\n");
        let ran: Vec<_> = core.take_log().iter().map(|ran| ran.args[0].clone()).collect();
        assert_eq!(ran, ["RPUSH", "BLPOP", "PING", "BRPOP"]);
    }

    #[test]
    fn password_is_wanted_before_anything_else() {
        let mut core = Core::new(Some("secret"), true);
        let a = core.connect();
        assert_eq!(ask(&mut core, a, "GET k", 0), "-NOAUTH Authentication required.\r\n");
        assert!(ask(&mut core, a, "HELLO 3", 0).starts_with("-NOAUTH"));
        assert!(ask(&mut core, a, "AUTH wrong", 0).starts_with("-WRONGPASS"));
        assert_eq!(ask(&mut core, a, "AUTH secret", 0), "+OK\r\n");
        assert_eq!(ask(&mut core, a, "GET k", 0), "$-1\r\n");
        assert!(core.take_log().iter().all(|ran| ran.authenticated || &ran.args[0][..] != b"GET"));
    }

    #[test]
    fn script_runs_its_command_with_its_keys() {
        let mut core = Core::new(None, true);
        let a = core.connect();
        assert_eq!(ask(&mut core, a, "EVAL 'INCRBY KEYS[1] ARGV[1]' 1 n 5 id", 0), ":5\r\n");
    }

    #[test]
    fn script_is_known_by_its_hash_until_it_is_flushed_or_the_server_starts_again() {
        let mut core = Core::new(None, true);
        let a = core.connect();
        let sha1 = redis_core::Script::<()>::new("INCR KEYS[1]").sha1().to_owned();
        let call = format!("EVALSHA {sha1} 1 n id");
        let missing = "-NOSCRIPT No matching script. Please use EVAL.\r\n";
        assert_eq!(ask(&mut core, a, &call, 0), missing);
        assert_eq!(ask(&mut core, a, "EVAL 'INCR KEYS[1]' 1 n id", 0), ":1\r\n");
        assert_eq!(ask(&mut core, a, &call, 0), ":2\r\n");
        assert_eq!(ask(&mut core, a, "SCRIPT FLUSH", 0), "+OK\r\n");
        assert_eq!(ask(&mut core, a, &format!("SCRIPT EXISTS {sha1}"), 0), "*1\r\n:0\r\n");
        let loaded = ask(&mut core, a, "SCRIPT LOAD 'INCR KEYS[1]'", 0);
        assert_eq!(loaded, format!("$40\r\n{sha1}\r\n"));
        assert_eq!(ask(&mut core, a, &format!("SCRIPT EXISTS {sha1}"), 0), "*1\r\n:1\r\n");
        core.restart(true);
        let b = core.connect();
        assert_eq!(ask(&mut core, b, &call, 0), missing, "scripts are no data");
    }

    #[test]
    fn restart_ends_connections_and_may_lose_data() {
        let mut core = Core::new(None, false);
        let a = core.connect();
        assert!(ask(&mut core, a, "HELLO 3", 0).starts_with("-ERR unknown command"));
        ask(&mut core, a, "SET k v", 0);
        core.restart(true);
        assert_eq!(ask(&mut core, a, "GET k", 0), "");
        let b = core.connect();
        assert_eq!(ask(&mut core, b, "GET k", 0), "$1\r\nv\r\n");
        core.restart(false);
        let c = core.connect();
        assert_eq!(ask(&mut core, c, "GET k", 0), "$-1\r\n");
        core.refuse(c, "SELECT", "ERR no");
        assert_eq!(ask(&mut core, c, "SELECT 1", 0), "-ERR no\r\n");
        assert_eq!(ask(&mut core, c, "SELECT 1", 0), "+OK\r\n");
    }
}
