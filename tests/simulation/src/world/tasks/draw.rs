//! Draws operations.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use rand::RngExt;
use rand::rngs::SmallRng;
use redis_core::batch::Deadline;
use redis_core::pipeline::Pipeline;
use redis_core::pubsub::{Family, MessageKind, Overflow};
use redis_core::session::Machine as _;
use redis_core::{Block, Cmd, Command as _, Script, Value};

use super::super::World;
use super::super::audit::{Check, Nature, Outcome, Violation, broken, tag};
use super::super::link::Style;
use super::super::plan::{Fault, Work};
use super::{APPLIED, Op, State, Step, Stream, What};
use crate::pick;

/// A command and what its history depends on.
struct Drawn {
    cmd: Cmd<Value>,
    reads: Option<Bytes>,
    tagged: bool,
}

fn raw(words: &str) -> Cmd<Value> {
    Cmd::raw(words)
}

/// Something long enough to be cut, and now and then long enough not to be copied.
fn padded(tag: &str, window: usize, rng: &mut SmallRng) -> String {
    let len = *pick(rng, &[0, 0, 0, 5, 300, 3000, 17_000]);
    let len = if len > 1000 && rng.random_bool(0.8) { 40 } else { len };
    let len = len.min(30 * window);
    format!("{tag}:{}", "x".repeat(len))
}

/// A call of a script that writes, and that the server may have forgotten.
pub(super) fn call(tag: &str, rng: &mut SmallRng) -> Cmd<Value> {
    let k = rng.random_range(0..2);
    match rng.random_range(0..2) {
        0 => Script::new("INCR KEYS[1]").key(format!("c:{k}")).arg(tag).into_cmd(),
        _ => Script::new("APPEND KEYS[1] ARGV[1]").key(format!("a:{k}")).arg(tag).into_cmd(),
    }
}

fn draw(id: u64, n: u32, alone: bool, window: usize, rng: &mut SmallRng) -> Drawn {
    let tag = tag(id, n);
    let k = rng.random_range(0..2);
    let mut reads = None;
    let mut tagged = true;
    let cmd = match rng.random_range(0..17) {
        0 | 1 => raw("SET").key(format!("r:{k}")).arg(padded(&tag, window, rng)),
        2 => {
            let millis = *pick(rng, &[1, 30, 1000]);
            raw("SET").key(format!("e:{k}")).arg(&tag).arg("PX").arg(millis)
        }
        3 | 4 if alone => {
            let key = format!("{}:{k}", pick(rng, &["r", "e"]));
            reads = Some(Bytes::from(key.clone()));
            tagged = false;
            raw("GET").key(key)
        }
        5 => raw("EVAL").arg("GET KEYS[1]").arg(1).key(format!("r:{k}")).arg(&tag),
        6 | 7 => raw("EVAL").arg("INCR KEYS[1]").arg(1).key(format!("c:{k}")).arg(&tag),
        8 => raw("RPUSH").key(format!("q:{k}")).arg(&tag),
        9 => raw("PUBLISH").arg(pick(rng, &["a", "b"])).arg(&tag),
        10 => raw("HSET").key(format!("h:{k}")).arg("field").arg(&tag),
        // The wrong kind of value.
        11 => raw("RPUSH").key(format!("r:{k}")).arg(&tag),
        12 | 13 => call(&tag, rng),
        14 => {
            let get = Script::new("GET KEYS[1]").read_only();
            get.key(format!("c:{k}")).arg(&tag).into_cmd()
        }
        15 if alone && rng.random_bool(0.3) => {
            tagged = false;
            raw("SCRIPT FLUSH")
        }
        _ => raw("ECHO").arg(padded(&tag, window, rng)),
    };
    let cmd = if rng.random_bool(0.15) { cmd.idempotent() } else { cmd };
    Drawn { cmd, reads, tagged }
}

impl World {
    /// Begins the task's next operation.
    pub(super) fn begin(&mut self, at: usize) -> Check {
        self.next += 1;
        let id = self.next;
        let client = self.tasks[at].client;
        let config = self.clients[client].config.clone();
        let cancel_at = self.cancel_at(at);
        let window = self.plan.window;
        let task = &mut self.tasks[at];
        let rng = &mut task.rng;
        let mut style = match task.work {
            Work::Sync => Style::Sync,
            Work::Blocking | Work::Watching => Style::Dedicated,
            Work::Shared | Work::Pipelines | Work::PubSub | Work::Pools => Style::Shared,
        };
        let work = match task.work {
            Work::Sync => {
                let all =
                    [Work::Shared, Work::Shared, Work::Pipelines, Work::Blocking, Work::Watching];
                *pick(rng, &all)
            }
            work => work,
        };
        // Somebody has to fill the lists.
        let work = if work == Work::Blocking && rng.random_bool(0.4) {
            style = if style == Style::Sync { style } else { Style::Shared };
            Work::Shared
        } else {
            work
        };
        if style == Style::Shared && work == Work::Shared && rng.random_bool(0.15) {
            return self.fire_and_forget(at, id);
        }
        let mut nature = Nature::default();
        let mut block = Block::Never;
        let mut broken_pipeline = None;
        let mut scripted = false;
        let what = match work {
            Work::Shared | Work::PubSub | Work::Sync => {
                let filling = task.work == Work::Blocking;
                let Drawn { cmd, reads, tagged } = if filling {
                    let key = format!("q:{}", rng.random_range(0..2));
                    let cmd = raw("RPUSH").key(key).arg(tag(id, 0));
                    Drawn { cmd, reads: None, tagged: true }
                } else {
                    draw(id, 0, true, window, rng)
                };
                nature.repeatable = cmd.is_repeatable();
                scripted = cmd.calls_script();
                What::One { cmd, whole: None, reads, tagged }
            }
            Work::Blocking => {
                let millis = *pick(rng, &[10, 200, 1000]);
                let time = Duration::from_millis(millis);
                let name = pick(rng, &["BLPOP", "BRPOP"]);
                let cmd = raw(name).key(format!("q:{}", rng.random_range(0..2))).arg(tag(id, 0));
                let cmd = cmd.arg(time.as_secs_f64()).blocking(Block::For(time));
                block = cmd.block();
                nature.pops = true;
                What::One { cmd, whole: None, reads: None, tagged: true }
            }
            Work::Pipelines => {
                let atomic = rng.random_bool(0.5);
                let count = *pick(rng, &[1, 2, 2, 3, 3, 8, 8, 40]);
                let streamed = rng.random_bool(0.3);
                let harmless = streamed && rng.random_bool(0.4);
                let mut shown = Vec::new();
                let mut queue = Pipeline::atomic();
                queue.set_transaction(atomic);
                for n in 0..count {
                    let Drawn { cmd, .. } = draw(id, n, false, window, rng);
                    queue.push(if harmless { cmd.idempotent() } else { cmd });
                    match streamed && rng.random_bool(0.1) {
                        true => queue.ignore(),
                        false => shown.push(n),
                    }
                }
                if rng.random_bool(0.1) {
                    let bad = *pick(rng, &["", "SELECT 1", "MULTI"]);
                    queue.push(raw(bad));
                    if rng.random_bool(0.5) {
                        queue.push(raw("ECHO").arg(tag(id, count)));
                    }
                    broken_pipeline = Some(bad);
                }
                let taken = queue.take();
                if !queue.is_empty() {
                    return Err(broken(3, "a pipeline that was taken is not empty"));
                }
                match (taken, broken_pipeline) {
                    (Err(error), None) => {
                        return Err(broken(3, format!("a good pipeline is refused: {error}")));
                    }
                    (Ok(_), Some(bad)) => {
                        return Err(broken(3, format!("a pipeline with `{bad}` is taken")));
                    }
                    (Ok(None), None) => return Err(broken(3, "a pipeline of nothing")),
                    (Ok(Some(sent)), None) => {
                        nature.atomic = atomic.then_some(count);
                        nature.together = true;
                        if streamed {
                            // Whatever it is, it is not sent again once any of it was.
                            style = if style == Style::Sync { style } else { Style::Dedicated };
                            let most = *pick(rng, &[1, 100, 5000]);
                            let stops = rng.random_bool(0.2) && !self.plan.is_quiet();
                            let wants = if stops {
                                rng.random_range(1..=count as usize)
                            } else {
                                usize::MAX
                            };
                            What::Each(Stream::new(sent, atomic, shown, most, wants))
                        } else {
                            nature.repeatable = sent.is_repeatable();
                            What::Many { sent, atomic }
                        }
                    }
                    (Err(_), Some(_)) => {
                        task.state = State::Sleeps(self.now);
                        self.audit.invoke(id, nature, self.now);
                        return self.audit.resolve(id, Outcome::Done);
                    }
                }
            }
            Work::Watching => {
                nature.atomic = Some(APPLIED);
                nature.watches = true;
                let key = format!("w:{}", rng.random_range(0..2));
                What::Watch { key, sent: None, step: Step::Watch, writes: 0, write: None }
            }
            Work::Pools => return Err(broken(16, "pools are no work of this kind")),
        };
        if let What::One { cmd, .. } = &what
            && let Err(error) = cmd.check()
        {
            return Err(broken(3, format!("a good command is refused: {error}")));
        }
        let short = self.plan.has(Fault::Deadlines) && rng.random_bool(0.3);
        let timeout = match (short, config.timeout(block)) {
            (true, Some(_)) => Some(Duration::from_millis(*pick(rng, &[0, 2, 30, 300]))),
            (_, timeout) => timeout,
        };
        // A transaction that starts over has no end of its own.
        let whole = timeout.filter(|_| !nature.watches);
        let mut deadline = Deadline::from(timeout);
        if scripted {
            // One for both times that it may be sent.
            deadline = deadline.from_now(self.now);
        }
        let op = Op {
            until: whole.map(|timeout| self.now + timeout),
            cancel_at: cancel_at.filter(|_| style != Style::Sync),
            ..Op::new(id, what, style, deadline)
        };
        task.op = Some(op);
        self.invoke(at, nature);
        self.attempt(at)
    }

    /// A command whose reply is for nobody, or one that can't be left so.
    fn fire_and_forget(&mut self, at: usize, id: u64) -> Check {
        let now = self.now;
        let window = self.plan.window;
        let rng = &mut self.tasks[at].rng;
        let pause = *pick(rng, &[0, 0, 3, 40]);
        let bad =
            rng.random_bool(0.1).then(|| *pick(rng, &["BLPOP", "SELECT", "SUBSCRIBE", "MULTI"]));
        let cmd = match bad {
            Some(bad) => raw(bad).arg(tag(id, 0)),
            None => draw(id, 0, false, window, rng).cmd,
        };
        self.tasks[at].state = State::Sleeps(now + Duration::from_millis(pause));
        let cmd = match (cmd.for_nobody(), bad) {
            (Ok(cmd), None) => cmd,
            (Err(_), Some(_)) => return Ok(()),
            (Ok(_), Some(bad)) => return Err(broken(3, format!("`{bad}` is left for nobody"))),
            (Err(error), None) => {
                return Err(broken(3, format!("a good command is refused: {error}")));
            }
        };
        let nature = Nature { forgotten: true, together: true, ..Nature::default() };
        self.audit.invoke(id, nature, now);
        match self.leave(at, id, &cmd) {
            Ok(()) => {
                self.note(|| format!("task {at}: op {id} is left for nobody"));
                self.audit.attempted(id, None);
                self.audit.resolve(id, Outcome::Done)
            }
            Err(error) => {
                self.audit.attempted(id, Some(error.delivery()));
                self.audit.resolve(id, Outcome::Failed(error))
            }
        }
    }

    /// A subscriber wants something else.
    pub(super) fn change_subscriptions(&mut self, at: usize) -> Check {
        let now = self.now;
        let task = &mut self.tasks[at];
        let client = task.client;
        let rng = &mut task.rng;
        task.state = State::Sleeps(now + Duration::from_millis(*pick(rng, &[0, 2, 50, 400])));
        let families = [
            (Family::Channel, "subscribe"),
            (Family::Channel, "subscribe"),
            (Family::Pattern, "psubscribe"),
            (Family::Shard, "ssubscribe"),
        ];
        let (family, kind) = *pick(rng, &families);
        let names: BTreeSet<Bytes> = (0..rng.random_range(1..4))
            .map(|_| Bytes::from_static(pick(rng, &["a", "b", "?", "d"]).as_bytes()))
            .collect();
        let roll = rng.random_range(0..10);
        let of = &mut self.clients[client];
        let Some(pubsub) = self.links.get_mut(&of.pubsub).and_then(|link| link.pubsub()) else {
            return Ok(());
        };
        match roll {
            0..=5 => {
                of.wanted.extend(names.iter().map(|name| (kind, name.clone())));
                let names = names.into_iter().map(|name| (name, None));
                let asked = pubsub.subscribe(now, family, names);
                asked.map_err(|error| broken(11, format!("subscribing: {error}")))?;
            }
            6..=8 => {
                of.wanted.retain(|(of, name)| *of != kind || !names.contains(name));
                pubsub.unsubscribe(now, family, Some(names.into_iter().collect()));
            }
            _ => {
                of.wanted.retain(|(wanted, _)| *wanted != kind);
                pubsub.unsubscribe(now, family, None);
            }
        }
        self.note(|| format!("task {at}: {kind}, roll {roll}"));
        Ok(())
    }

    /// What waits for a subscriber's reader is within its bound.
    pub(crate) fn check_backlog(&mut self, id: u64) -> Check {
        let Some(link) = self.links.get_mut(&id) else { return Ok(()) };
        let config = &self.clients[link.client].config;
        let (max, overflow) = (config.max_backlog, config.overflow);
        // One message always fits, and what was read with the one that fills it is kept where nothing is dropped.
        let beyond = if overflow == Overflow::Backpressure { 1 << 16 } else { 200 };
        match link.pubsub().map(|pubsub| pubsub.backlog()) {
            Some(bytes) if bytes > max + beyond => {
                Err(broken(17, format!("{bytes} bytes wait for a reader, of {max}: {overflow:?}")))
            }
            _ => Ok(()),
        }
    }

    /// Reads all messages of a subscriber, if its reader is there. Whether its link may go on now.
    pub(crate) fn read_messages(&mut self, id: u64) -> Result<bool, Violation> {
        let now = self.now;
        let away = Duration::from_millis(self.net.random_range(0..400));
        let leaves = self.net.random_bool(0.05);
        let Some(link) = self.links.get_mut(&id).filter(|link| link.away_until <= now) else {
            return Ok(false);
        };
        if leaves {
            link.away_until = now + away;
        }
        let held = link.pubsub().is_some_and(|pubsub| pubsub.is_held());
        self.take_messages(id)?;
        let link = self.links.get_mut(&id).and_then(|link| link.pubsub());
        Ok(match link.filter(|pubsub| held && !pubsub.is_held()) {
            Some(pubsub) => {
                pubsub.handle_timeout(now);
                true
            }
            None => false,
        })
    }

    fn take_messages(&mut self, id: u64) -> Check {
        let Some(link) = self.links.get_mut(&id) else { return Ok(()) };
        let (client, opened) = (link.client, link.opened);
        let of = &mut self.clients[client];
        let Some(pubsub) = link.pubsub() else { return Ok(()) };
        for _ in 0..1000 {
            let message = match pubsub.poll_message() {
                Some(Ok((message, _))) => message,
                Some(Err(error)) if error.is_server() => {
                    // A handshake was refused, or the server is loading: it is asked again.
                    if error.kind() == redis_core::ErrorKind::Auth {
                        let names: Vec<(Family, Bytes)> = of
                            .wanted
                            .iter()
                            .map(|(kind, name)| (family(kind), name.clone()))
                            .collect();
                        for (family, name) in names {
                            let again = pubsub.subscribe(self.now, family, [(name, None)]);
                            again.map_err(|error| broken(11, error.to_string()))?;
                        }
                        if of.wanted.is_empty() {
                            return Ok(());
                        }
                    }
                    continue;
                }
                Some(Err(error)) => {
                    Self::is_lie(&error)?;
                    continue;
                }
                None => return Ok(()),
            };
            if message.kind == MessageKind::Resubscribed {
                of.notices += 1;
                if of.notices >= opened {
                    return Err(broken(11, "more than one notice for one loss"));
                }
            }
            if message.kind == MessageKind::Lagged {
                of.messages += message.count().unwrap_or_default();
            }
            if !message.kind.is_published() {
                continue;
            }
            of.messages += 1;
            let payload = message.payload().unwrap_or_default();
            let kind = message.kind.as_str();
            let of_name = message.pattern.clone().unwrap_or_else(|| message.channel.clone());
            let next = of.heard.entry((kind, of_name)).or_default();
            let Some(place) = self.audit.published(&message.channel, payload, *next) else {
                let payload = String::from_utf8_lossy(payload).into_owned();
                return Err(broken(
                    14,
                    format!("a message out of order, or never sent: {payload}"),
                ));
            };
            *next = place + 1;
        }
        Err(broken(6, "a subscriber's messages never end"))
    }
}

fn family(kind: &str) -> Family {
    match kind {
        "subscribe" => Family::Channel,
        "psubscribe" => Family::Pattern,
        _ => Family::Shard,
    }
}
