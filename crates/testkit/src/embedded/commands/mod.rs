//! The table of commands, and what happens to a request before and around its command.

mod collections;
mod connections;
mod keys;
pub(super) mod scripts;
mod server;
mod strings;

use bytes::Bytes;
use resp_proto::ReplyEncoder;

use super::{
    blocking,
    failure::{self, Failure, NOT_AN_INTEGER},
    pubsub,
    store::Keys,
    transactions,
    world::{Ran, Session, World},
};

/// How a command ends: its reply is written, or it is refused.
pub(super) type Done = Result<(), Failure>;

/// A command that runs: whose it is, its arguments (its name is the first), and where its reply goes.
pub(super) struct Call<'a> {
    pub(super) world: &'a mut World,
    pub(super) session: &'a mut Session,
    pub(super) args: &'a [Bytes],
    pub(super) out: &'a mut Vec<u8>,
    /// Milliseconds since the Unix epoch.
    pub(super) now: i64,
}

struct Spec {
    name: &'static str,
    /// Arguments with the name; at least as many when negative.
    arity: i32,
    run: fn(&mut Call<'_>) -> Done,
}

const fn spec(name: &'static str, arity: i32, run: fn(&mut Call<'_>) -> Done) -> Spec {
    Spec { name, arity, run }
}

static TABLE: [Spec; 60] = [
    spec("get", 2, strings::get),
    spec("set", -3, strings::set),
    spec("mget", -2, strings::mget),
    spec("mset", -3, strings::mset),
    spec("incr", 2, strings::incr),
    spec("decr", 2, strings::decr),
    spec("incrby", 3, strings::incrby),
    spec("del", -2, keys::del),
    spec("exists", -2, keys::exists),
    spec("expire", -3, keys::expire),
    spec("pexpire", -3, keys::pexpire),
    spec("ttl", 2, keys::ttl),
    spec("pttl", 2, keys::pttl),
    spec("keys", 2, keys::keys),
    spec("type", 2, keys::kind),
    spec("dbsize", 1, keys::dbsize),
    spec("flushdb", -1, keys::flushdb),
    spec("flushall", -1, keys::flushall),
    spec("sadd", -3, collections::sadd),
    spec("srem", -3, collections::srem),
    spec("smembers", 2, collections::smembers),
    spec("scard", 2, collections::scard),
    spec("sismember", 3, collections::sismember),
    spec("lpush", -3, collections::lpush),
    spec("rpush", -3, collections::rpush),
    spec("lrange", 4, collections::lrange),
    spec("llen", 2, collections::llen),
    spec("hset", -4, collections::hset),
    spec("hget", 3, collections::hget),
    spec("hgetall", 2, collections::hgetall),
    spec("ping", -1, connections::ping),
    spec("echo", 2, connections::echo),
    spec("hello", -1, connections::hello),
    spec("auth", -2, connections::auth),
    spec("select", 2, connections::select),
    spec("client", -2, connections::client),
    spec("quit", -1, connections::quit),
    spec("reset", 1, connections::reset),
    spec("multi", 1, transactions::multi),
    spec("exec", 1, transactions::exec),
    spec("discard", 1, transactions::discard),
    spec("watch", -2, transactions::watch),
    spec("unwatch", 1, transactions::unwatch),
    spec("publish", 3, pubsub::publish),
    spec("subscribe", -2, pubsub::subscribe),
    spec("psubscribe", -2, pubsub::psubscribe),
    spec("unsubscribe", -1, pubsub::unsubscribe),
    spec("punsubscribe", -1, pubsub::punsubscribe),
    spec("pubsub", -2, pubsub::pubsub),
    spec("info", -1, server::info),
    spec("command", -1, server::command),
    spec("config", -2, server::config),
    spec("decrby", 3, strings::decrby),
    spec("append", 3, strings::append),
    spec("strlen", 2, strings::strlen),
    spec("persist", 2, keys::persist),
    spec("unlink", -2, keys::del),
    spec("hdel", -3, collections::hdel),
    spec("hlen", 2, collections::hlen),
    spec("time", 1, server::time),
];

/// What only the model of a server has: commands that wait, and scripts of a single command.
static MODEL: [Spec; 11] = [
    spec("lpop", 2, blocking::lpop),
    spec("rpop", 2, blocking::rpop),
    spec("blpop", -3, blocking::blpop),
    spec("brpop", -3, blocking::brpop),
    spec("eval", -3, scripts::eval),
    spec("eval_ro", -3, scripts::eval),
    spec("evalsha", -3, scripts::evalsha),
    spec("evalsha_ro", -3, scripts::evalsha),
    spec("script", -2, scripts::script),
    spec("ssubscribe", -2, pubsub::ssubscribe),
    spec("sunsubscribe", -1, pubsub::sunsubscribe),
];

/// Takes a request: checks it, and runs it unless it waits for EXEC.
pub(super) fn request(call: &mut Call<'_>) {
    if let Err(failure) = admit(call) {
        call.session.transaction.refuse();
        return call.fail(&failure);
    }
    match find(call) {
        Err(failure) if is(&call.args[0], "exec") => {
            transactions::end(call);
            let why = failure.0.strip_prefix("ERR ").unwrap_or(&failure.0);
            call.fail(&format!("EXECABORT Transaction discarded because of: {why}").into());
        }
        Err(failure) => {
            call.session.transaction.refuse();
            call.fail(&failure);
        }
        Ok(spec) if pubsub::forbids(call, spec.name) => {
            let name = spec.name;
            let text = format!(
                "ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT \
                 / RESET are allowed in this context"
            );
            call.session.transaction.refuse();
            call.fail(&text.into());
        }
        Ok(spec) if call.session.transaction.is_open() && !runs_at_once(spec.name) => {
            call.session.transaction.queue(call.args);
            call.reply().simple_string(b"QUEUED");
        }
        Ok(_) => run(call),
    }
}

/// Runs a command now.
pub(super) fn run(call: &mut Call<'_>) {
    let start = call.out.len();
    if let Err(failure) = find(call).and_then(|spec| (spec.run)(call)) {
        call.fail(&failure);
    }
    // One that waits is not done yet.
    if call.session.blocked.is_none() {
        call.note(start);
    }
}

/// Whether the server listens to this at all, as it is now.
fn admit(call: &mut Call<'_>) -> Done {
    let name = &call.args[0];
    if let Some((_, why)) = call.session.refused.take_if(|(refused, _)| is(name, refused)) {
        return Err(why.into());
    }
    let is_any = |names: &[&str]| names.iter().any(|known| is(name, known));
    if !call.session.authenticated && !is_any(&["hello", "auth", "quit", "reset"]) {
        return Err("NOAUTH Authentication required.".into());
    }
    let allowed = ["hello", "auth", "select", "client", "multi", "exec", "discard", "unwatch"];
    let listening = |name: &[u8]| name.to_ascii_lowercase().ends_with(b"subscribe");
    let allowed = is_any(&allowed) || listening(name);
    if call.world.settings.loading && !allowed {
        return Err("LOADING Redis is loading the dataset in memory".into());
    }
    Ok(())
}

fn runs_at_once(name: &str) -> bool {
    ["multi", "exec", "discard", "watch", "quit", "reset"].contains(&name)
}

fn find(call: &Call<'_>) -> Result<&'static Spec, Failure> {
    let (args, settings) = (call.args, &call.world.settings);
    let model = if settings.model { &MODEL[..] } else { &[] };
    let Some(spec) = TABLE
        .iter()
        .chain(model)
        .find(|spec| args[0].eq_ignore_ascii_case(spec.name.as_bytes()))
        .filter(|spec| spec.name != "hello" || !settings.without_hello)
    else {
        return Err(unknown(args));
    };
    let (given, wanted) = (args.len(), spec.arity.unsigned_abs() as usize);
    match given == wanted || spec.arity < 0 && given > wanted {
        true => Ok(spec),
        false => Err(failure::wrong_arity(spec.name)),
    }
}

fn unknown(args: &[Bytes]) -> Failure {
    const LONGEST: usize = 128;
    let cut = |bytes: &[u8], most: usize| {
        String::from_utf8_lossy(&bytes[..bytes.len().min(most)]).into_owned()
    };
    let mut beginning = String::new();
    for arg in &args[1..] {
        if beginning.len() >= LONGEST {
            break;
        }
        beginning.push_str(&format!("'{}' ", cut(arg, LONGEST - beginning.len())));
    }
    let name = cut(&args[0], LONGEST);
    match beginning.is_empty() {
        true => format!("ERR unknown command '{name}'").into(),
        false => {
            format!("ERR unknown command '{name}', with args beginning with: {beginning}").into()
        }
    }
}

pub(super) fn unknown_subcommand(args: &[Bytes], command: &str) -> Failure {
    let given = String::from_utf8_lossy(&args[1]);
    format!("ERR unknown subcommand '{given}'. Try {command} HELP.").into()
}

fn integer(arg: &Bytes) -> Result<i64, Failure> {
    let text = std::str::from_utf8(arg).ok().filter(|text| !text.starts_with('+'));
    let value: i64 = text.and_then(|text| text.parse().ok()).ok_or(NOT_AN_INTEGER)?;
    // Leading zeros and `-0` are no integers to the servers.
    if value.to_string().as_bytes() == arg { Ok(value) } else { Err(NOT_AN_INTEGER) }
}

fn is(arg: &Bytes, word: &str) -> bool {
    arg.eq_ignore_ascii_case(word.as_bytes())
}

impl Call<'_> {
    pub(super) fn reply(&mut self) -> ReplyEncoder<'_, Vec<u8>> {
        ReplyEncoder::new(self.out, self.session.about.protocol)
    }

    /// The keys of the session's database.
    pub(super) fn keys(&mut self) -> Keys<'_> {
        self.world.store.keys(self.session.about.database, self.now)
    }

    pub(super) fn ok(&mut self) -> Done {
        self.reply().simple_string(b"OK");
        Ok(())
    }

    pub(super) fn integer(&mut self, value: usize) -> Done {
        self.reply().integer(value as i64);
        Ok(())
    }

    pub(super) fn bulks(&mut self, values: &[Bytes]) -> Done {
        let mut reply = self.reply();
        reply.array(values.len());
        for value in values {
            reply.bulk(value);
        }
        Ok(())
    }

    fn bulk_or_null(&mut self, value: Option<&Bytes>) -> Done {
        match value {
            Some(value) => self.reply().bulk(value),
            None => self.reply().null(),
        };
        Ok(())
    }

    /// The reply that begins at `start` is the command's: it has run.
    pub(super) fn note(&mut self, start: usize) {
        let Some(log) = &mut self.world.log else { return };
        let about = &self.session.about;
        log.push(Ran {
            client: about.id,
            args: self.args.to_vec(),
            reply: Bytes::copy_from_slice(&self.out[start..]),
            transaction: self.session.executing,
            authenticated: self.session.authenticated,
            database: about.database,
            name: about.name.clone(),
            protocol: about.protocol,
        });
    }

    fn fail(&mut self, failure: &Failure) {
        self.reply().simple_error(failure.0.as_bytes());
    }
}
