//! What must hold: compares what callers were told with what the server did.
//!
//! Owns the history of both. Each check names its invariant by number; the list is in `docs/architecture.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bytes::Bytes;
use redis_core::{Delivery, Error};
use resp_proto::{Protocol, Token};
use testkit::embedded::Ran;

use super::network::is_greeting;

/// What did not hold.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The invariant's number.
    pub invariant: u8,
    /// What happened instead.
    pub what: String,
}

pub(crate) type Check = Result<(), Violation>;

pub(crate) fn broken(invariant: u8, what: impl Into<String>) -> Violation {
    Violation { invariant, what: what.into() }
}

/// Names the `n`th command of an operation, in one of its arguments.
pub(crate) fn tag(op: u64, n: u32) -> String {
    format!("#{op}.{n}")
}

/// The operation and command that an argument names.
fn untag(arg: &[u8]) -> Option<(u64, u32)> {
    let text = arg.strip_prefix(b"#")?;
    let text = text.split(|byte| *byte == b':').next()?;
    let (op, n) = std::str::from_utf8(text).ok()?.split_once('.')?;
    Some((op.parse().ok()?, n.parse().ok()?))
}

/// How a caller was answered.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    Done,
    Failed(Error),
    Cancelled,
}

/// What an operation is, as far as its history depends on it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Nature {
    /// It may run more than once.
    pub(crate) repeatable: bool,
    /// It is one transaction of so many commands; those numbered higher run at once, before it.
    pub(crate) atomic: Option<u32>,
    /// It pops an element and waits for one.
    pub(crate) pops: bool,
    /// It is a transaction that watches.
    pub(crate) watches: bool,
    /// What is sent brings the sources of its scripts with it.
    pub(crate) together: bool,
    /// Nobody hears what becomes of it.
    pub(crate) forgotten: bool,
}

#[derive(Debug)]
struct Record {
    nature: Nature,
    invoked: Instant,
    outcome: Option<Outcome>,
    ran: Vec<Execution>,
    /// Attempts that were said to have been sent.
    sent: usize,
    /// All of its replies came, whatever its caller made of them.
    answered: bool,
    /// As the history's when it began.
    flushes: u64,
}

#[derive(Clone, Debug)]
struct Execution {
    n: u32,
    at: Instant,
    reply: Bytes,
    transaction: Option<u64>,
}

/// A connection as the server accepted it.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) database: usize,
    pub(crate) name: Bytes,
    pub(crate) protocol: Protocol,
    /// A step of its handshake was refused.
    pub(crate) sabotaged: bool,
    /// It is not its link's first.
    pub(crate) again: bool,
    /// It is used by one operation at a time.
    pub(crate) exclusive: bool,
    pub(crate) last: Option<u64>,
}

/// States of a key, each from a time on.
type History = Vec<(Instant, Option<Bytes>)>;

/// The history of a run.
#[derive(Debug)]
pub(crate) struct Audit {
    start: Instant,
    ops: BTreeMap<u64, Record>,
    pub(crate) peers: BTreeMap<u64, Peer>,
    strings: BTreeMap<(usize, Bytes), History>,
    /// What the watched keys hold.
    watched: BTreeMap<(usize, Bytes), i64>,
    /// Connections that watch, by the server's numbers.
    watching: BTreeSet<u64>,
    /// Commands that were said not to have run.
    denied: BTreeSet<(u64, u32)>,
    /// The transaction whose commands run: its number, its operation, and how many have.
    transaction: Option<(u64, u64, u32)>,
    /// How often the server has forgotten its scripts, or may not have taken some.
    flushes: u64,
    /// Messages in the order in which they were published.
    published: Vec<(Bytes, Bytes)>,
    /// How many copies of them the server wrote.
    pub(crate) copies: i64,
    pub(crate) commands: u64,
}

impl Audit {
    pub(crate) fn new(start: Instant) -> Self {
        Self {
            start,
            ops: BTreeMap::new(),
            peers: BTreeMap::new(),
            strings: BTreeMap::new(),
            watched: BTreeMap::new(),
            watching: BTreeSet::new(),
            denied: BTreeSet::new(),
            transaction: None,
            flushes: 0,
            published: Vec::new(),
            copies: 0,
            commands: 0,
        }
    }

    /// An operation begins.
    pub(crate) fn invoke(&mut self, op: u64, nature: Nature, now: Instant) {
        let record = Record {
            nature,
            invoked: now,
            outcome: None,
            ran: Vec::new(),
            sent: 0,
            answered: false,
            flushes: self.flushes,
        };
        self.ops.insert(op, record);
    }

    /// An attempt has failed, or succeeded with `None`.
    pub(crate) fn attempted(&mut self, op: u64, delivery: Option<Delivery>) {
        if delivery != Some(Delivery::NotSent)
            && let Some(record) = self.ops.get_mut(&op)
        {
            record.sent += 1;
        }
    }

    /// All replies of an operation have come: its connection owes nothing.
    pub(crate) fn answered(&mut self, op: u64) {
        if let Some(record) = self.ops.get_mut(&op) {
            record.answered = true;
        }
    }

    /// The caller has its answer.
    pub(crate) fn resolve(&mut self, op: u64, outcome: Outcome) -> Check {
        let record = self.ops.get_mut(&op).ok_or_else(|| broken(6, "nobody asked"))?;
        // Of those that were sent together the server's log tells more.
        if let Outcome::Failed(error) = &outcome
            && error.code() == Some("NOSCRIPT")
            && !record.nature.together
        {
            return Err(broken(22, format!("operation {op} was told that its script is missing")));
        }
        match record.outcome.replace(outcome) {
            None => Ok(()),
            Some(before) => {
                Err(broken(6, format!("operation {op} was answered twice, first {before:?}")))
            }
        }
    }

    /// A command is said not to have run, and never to run.
    pub(crate) fn deny(&mut self, op: u64, n: u32) {
        self.denied.insert((op, n));
    }

    /// A reply that the caller was given: the server must have given it to this very command.
    pub(crate) fn reply(&self, op: u64, n: u32, frame: &[u8], now: Instant) -> Check {
        let record = &self.ops[&op];
        let same = |ran: &&Execution| ran.n == n && ran.reply == frame;
        if record.ran.iter().any(|ran| same(&ran) && record.invoked <= ran.at && ran.at <= now) {
            return Ok(());
        }
        // A refusal runs nothing.
        let refusals = [&b"-LOADING"[..], b"-EXECABORT", b"-ERR no such step", b"-NOSCRIPT"];
        if refusals.iter().any(|refusal| frame.starts_with(refusal)) {
            return Ok(());
        }
        let ran: Vec<_> = record.ran.iter().map(|ran| (ran.n, text(&ran.reply))).collect();
        Err(broken(
            1,
            format!("command {} was answered {}, the server's: {ran:?}", tag(op, n), text(frame)),
        ))
    }

    /// What a caller read of a string: it must have been there between the question and the answer.
    pub(crate) fn read(
        &self,
        op: u64,
        database: usize,
        key: &Bytes,
        value: Option<&[u8]>,
        now: Instant,
    ) -> Check {
        // The server's clock counts milliseconds.
        let grain = Duration::from_millis(1);
        let invoked = self.ops[&op].invoked;
        let history = self.strings.get(&(database, key.clone()));
        let history = history.map(Vec::as_slice).unwrap_or_default();
        let initial = (self.start - grain, None);
        let states = std::iter::once(&initial).chain(history);
        let ends = history.iter().map(|state| state.0).chain([now]);
        let seen = states.zip(ends).any(|((from, state), to)| {
            state.as_deref() == value && *from <= now + grain && to + grain >= invoked
        });
        match seen {
            true => Ok(()),
            false => Err(broken(
                1,
                format!("operation {op} read {:?} of {}", value.map(text), text(key)),
            )),
        }
    }

    /// The server ran a command.
    pub(crate) fn ran(&mut self, ran: &Ran, now: Instant) -> Check {
        self.commands += 1;
        if is_greeting(&ran.args[0]) {
            return Ok(());
        }
        let Some(peer) = self.peers.get(&ran.client) else {
            return Err(broken(6, "a command came from nowhere"));
        };
        let shown = || text(&ran.args.join(&b' '));
        let as_configured = ran.authenticated
            && ran.database == peer.database
            && ran.name == peer.name
            && ran.protocol == peer.protocol;
        if !as_configured {
            let invariant = match (peer.sabotaged, peer.again) {
                (true, _) => 2,
                (false, true) => 10,
                (false, false) => 9,
            };
            return Err(broken(
                invariant,
                format!(
                    "`{}` ran in database {} as `{}` in {:?}, authenticated: {}; {} was wanted as \
                     `{}` in {:?}",
                    shown(),
                    ran.database,
                    text(&ran.name),
                    ran.protocol,
                    ran.authenticated,
                    peer.database,
                    text(&peer.name),
                    peer.protocol,
                ),
            ));
        }
        self.apply(ran, now)?;
        self.look_at_watch(ran)?;
        let Some((op, n)) = ran.args.iter().find_map(|arg| untag(arg)) else {
            return match ran.transaction {
                Some(_) => Err(broken(8, format!("`{}` ran in a transaction", shown()))),
                None => Ok(()),
            };
        };
        self.execute(ran, op, n, now)
    }

    /// Whose watch it is a connection's next user never finds out.
    fn look_at_watch(&mut self, ran: &Ran) -> Check {
        let refused = ran.reply.starts_with(b"-") && !ran.reply.starts_with(b"-EXECABORT");
        match &ran.args[0][..] {
            _ if refused => {}
            b"WATCH" if !self.watching.insert(ran.client) => {
                return Err(broken(8, format!("{} still watches for another", ran.client)));
            }
            b"EXEC" | b"UNWATCH" => {
                self.watching.remove(&ran.client);
                // After a conflict the operation goes on, elsewhere perhaps.
                if let Some(peer) = self.peers.get_mut(&ran.client)
                    && [&b"*-1\r\n"[..], b"_\r\n"].contains(&&ran.reply[..])
                {
                    peer.last = None;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn execute(&mut self, ran: &Ran, op: u64, n: u32, now: Instant) -> Check {
        let who = tag(op, n);
        let Some(record) = self.ops.get_mut(&op) else {
            return Err(broken(1, format!("{who} ran and nobody asked for it")));
        };
        if self.watching.contains(&ran.client) && !record.nature.watches {
            return Err(broken(8, format!("{who} ran where another still watches")));
        }
        let atomic = record.nature.atomic.filter(|count| n < *count);
        if atomic.is_some() != ran.transaction.is_some() {
            return Err(broken(8, format!("{who} ran in transaction {:?}", ran.transaction)));
        }
        if let (Some(count), Some(number)) = (atomic, ran.transaction) {
            let next = match self.transaction {
                Some((of, by, next)) if of == number && by == op => next,
                Some((of, ..)) if of == number => {
                    return Err(broken(8, format!("{who} ran in the transaction of another")));
                }
                _ => 0,
            };
            if n != next {
                return Err(broken(8, format!("{who} ran where command {next} was due")));
            }
            // Whether the last one is whole is seen when the next one begins, and at the end.
            self.transaction = (next + 1 < count).then_some((number, op, next + 1));
        } else if let Some((_, by, next)) = self.transaction {
            return Err(broken(8, format!("{who} ran in the middle of {}", tag(by, next))));
        }
        if ran.args[0].starts_with(b"EVAL") && ran.reply.starts_with(b"-ERR") {
            return Err(broken(
                22,
                format!("{who} is no call of its script: {}", text(&ran.reply)),
            ));
        }
        if ran.reply.starts_with(b"-NOSCRIPT") {
            // Between two calls that are sent together the server may be made to forget their script, or
            // it has refused the one that brings the source.
            let explained = match record.nature {
                Nature { atomic: Some(_), .. } if atomic.is_some() => false,
                Nature { forgotten: true, .. } => false,
                Nature { together: true, .. } => self.flushes > record.flushes,
                _ => ran.args[0].starts_with(b"EVALSHA"),
            };
            if !explained {
                return Err(broken(22, format!("{who} came without the source of its script")));
            }
        } else {
            if !record.nature.repeatable && record.ran.iter().any(|ran| ran.n == n) {
                return Err(broken(7, format!("{who} ran twice")));
            }
            record.ran.push(Execution {
                n,
                at: now,
                reply: ran.reply.clone(),
                transaction: ran.transaction,
            });
        }
        let last = self.peers.get_mut(&ran.client).and_then(|peer| {
            let exclusive = peer.exclusive;
            // A call whose script was missing may go on elsewhere, as what is refused does.
            let missing = ran.reply.starts_with(b"-NOSCRIPT");
            let last = std::mem::replace(&mut peer.last, (!missing).then_some(op));
            last.filter(|last| exclusive && *last != op)
        });
        if let Some(last) = last.and_then(|last| Some((last, self.ops.get(&last)?))) {
            let (last, before) = last;
            let unclear = match &before.outcome {
                _ if before.answered => false,
                None | Some(Outcome::Cancelled) => true,
                Some(Outcome::Done) => false,
                Some(Outcome::Failed(error)) => error.delivery() == Delivery::MaybeExecuted,
            };
            if unclear {
                let invariant = if before.nature.pops { 18 } else { 5 };
                return Err(broken(
                    invariant,
                    format!("{who} ran on the connection of operation {last}, which has no answer"),
                ));
            }
        }
        Ok(())
    }

    /// What a command has done to the data that is looked at.
    fn apply(&mut self, ran: &Ran, now: Instant) -> Check {
        let word = |n: usize| ran.args.get(n).cloned().unwrap_or_default();
        let key = (ran.database, word(1));
        let failed = ran.reply.first() == Some(&b'-');
        match &ran.args[0][..] {
            b"SET" if !failed && word(1).starts_with(b"w") => {
                let number = |value: &[u8]| {
                    let text = std::str::from_utf8(value).ok()?;
                    text.rsplit_once(':')?.1.parse::<i64>().ok()
                };
                let value = number(&word(2)).unwrap_or(-1);
                let before = self.watched.insert(key, value).unwrap_or(0);
                if value != before + 1 {
                    return Err(broken(
                        8,
                        format!(
                            "an update was lost: {before} became {value} by {}",
                            text(&word(2))
                        ),
                    ));
                }
            }
            b"SET" if !failed => {
                let history = self.strings.entry(key).or_default();
                // An expiry that was expected later does not come.
                while history.last().is_some_and(|state| state.0 > now) {
                    history.pop();
                }
                history.push((now, Some(word(2))));
                if word(3).eq_ignore_ascii_case(b"px") {
                    let millis = String::from_utf8_lossy(&word(4)).parse().unwrap_or(0);
                    // The server counts whole milliseconds.
                    let since = (now - self.start).as_millis() as u64;
                    history.push((self.start + Duration::from_millis(since + millis), None));
                }
            }
            b"SCRIPT" if !failed => self.flushes += 1,
            b"PUBLISH" => {
                self.published.push((word(1), word(2)));
                if let Ok(copies) = redis_core::decode::<i64>(&ran.reply) {
                    self.copies += copies;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The server may lack scripts that it was sent until now: it has started again, or refused everything.
    pub(crate) fn miss_scripts(&mut self) {
        self.flushes += 1;
    }

    /// The server has started without its data.
    pub(crate) fn lose_data(&mut self, now: Instant) {
        self.watched.clear();
        for history in self.strings.values_mut() {
            while history.last().is_some_and(|state| state.0 > now) {
                history.pop();
            }
            history.push((now, None));
        }
    }

    /// Where the message is among all that were published, looked for from `from` on.
    pub(crate) fn published(&self, channel: &[u8], payload: &[u8], from: usize) -> Option<usize> {
        let rest = self.published.iter().skip(from);
        let mut at = rest.map(|(of, what)| of == channel && what == payload);
        at.position(|found| found).map(|at| at + from)
    }

    /// Everything is over: what was told is compared with what ran.
    pub(crate) fn finish(&self, quiet: bool) -> Check {
        if let Some((_, op, next)) = self.transaction {
            return Err(broken(8, format!("{} did not run, those before it did", tag(op, next))));
        }
        let lost = |(_, record): &(&u64, &Record)| {
            let done = matches!(record.outcome, Some(Outcome::Done));
            quiet && done && record.nature.forgotten && record.ran.is_empty()
        };
        if let Some((op, _)) = self.ops.iter().find(lost) {
            return Err(broken(6, format!("nothing went wrong, and operation {op} never ran")));
        }
        self.ops.iter().try_for_each(|(op, record)| self.judge(*op, record))
    }

    fn judge(&self, op: u64, record: &Record) -> Check {
        let times = record.ran.iter().filter(|ran| ran.n == 0).count();
        let count = |n: u32| record.ran.iter().filter(|ran| ran.n == n).count();
        let at_once = |ran: &&Execution| record.nature.atomic.is_some_and(|count| ran.n >= count);
        let applied = || record.ran.iter().filter(|ran| !at_once(ran));
        if record.nature.atomic.is_some()
            && applied().any(|ran| count(ran.n) != times || ran.transaction.is_none())
        {
            return Err(broken(8, format!("only a part of operation {op} ran")));
        }
        if let Some(ran) = record.ran.iter().find(|ran| self.denied.contains(&(op, ran.n))) {
            let who = tag(op, ran.n);
            return Err(broken(7, format!("{who} ran, and went on as if it had not")));
        }
        match &record.outcome {
            None => return Err(broken(6, format!("operation {op} was never answered"))),
            Some(Outcome::Failed(error))
                if record.nature.pops && error.delivery() != Delivery::MaybeExecuted =>
            {
                if let Some(ran) = record.ran.iter().find(|ran| has_element(&ran.reply)) {
                    let element = text(&ran.reply);
                    return Err(broken(18, format!("{element} was lost by {op}: {error}")));
                }
            }
            Some(Outcome::Failed(error))
                if error.delivery() == Delivery::NotSent || error.is_watch() =>
            {
                if let Some(ran) = applied().next() {
                    return Err(broken(
                        7,
                        format!("{} ran, and was said not to have: {error}", tag(op, ran.n)),
                    ));
                }
            }
            Some(_) => {}
        }
        let cancelled = matches!(record.outcome, Some(Outcome::Cancelled));
        let most = record.sent + usize::from(cancelled);
        if let Some(ran) = applied().find(|ran| count(ran.n) > most) {
            return Err(broken(
                7,
                format!("{} ran {} times, sent {most} times", tag(op, ran.n), count(ran.n)),
            ));
        }
        Ok(())
    }
}

fn has_element(reply: &[u8]) -> bool {
    matches!(
        resp_proto::FrameReader::new(reply).next_token(),
        Ok(Some(Token::Array(Some(2)) | Token::BulkString(_)))
    )
}

/// Bytes as a message shows them.
pub(crate) fn text(bytes: &[u8]) -> String {
    let shown: String =
        String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).escape_debug().collect();
    if bytes.len() > 80 { format!("{shown}..") } else { shown }
}
