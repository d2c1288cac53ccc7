//! Subscriptions and commands on one link that is lost again and again: what everybody wants is what the server has,
//! and no reply is another one's.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::RngExt;
use rand::rngs::SmallRng;
use redis_core::batch::{Batch, Deadline, Ticket};
use redis_core::pubsub::{Family, MessageKind, Overflow, SubscriptionId};
use redis_core::{Cmd, Config};
use testkit::multiplexed::Multiplexed;
use testkit::pair::{Faults, Pair, Told};
use testkit::scripted::Scripted;

const NAMES: [&[u8]; 6] = [b"a", b"b", b"c\0", b"", b"\xff", REFUSED];

/// Nobody may subscribe to it.
const REFUSED: &[u8] = b"no";

type Names = BTreeSet<(&'static str, Bytes)>;

struct Run {
    rng: SmallRng,
    pair: Pair<Multiplexed, Scripted>,
    /// What each wants, and the number of the message that it was given last.
    people: BTreeMap<SubscriptionId, (Names, u64)>,
    /// Requests, and whether they are over or given up.
    asked: BTreeMap<u64, bool>,
    published: u64,
    max_backlog: usize,
}

/// Runs one seed. Checks invariants 1, 6, 11, 13, 14 and 17 as far as one link shows them.
///
/// # Errors
///
/// What did not hold.
pub fn run(seed: u64) -> Result<(), String> {
    let mut rng = super::generator(seed, 2);
    let mut config = Config::default();
    config.max_in_flight = *super::pick(&mut rng, &[1, 5, 1000]);
    config.max_backlog = *super::pick(&mut rng, &[200, 100_000]);
    config.overflow = *super::pick(&mut rng, &[Overflow::DropOldest, Overflow::DropNewest]);
    let max_backlog = config.max_backlog;
    let server = Scripted::default().script(|args, reply| {
        let refused = (args[0] == "SUBSCRIBE" || args[0] == "PSUBSCRIBE")
            && args[1..].iter().any(|name| name == REFUSED);
        if refused {
            reply.simple_error(b"NOPERM No permissions to access a channel");
        }
        refused
    });
    let faults = super::faults(&mut rng);
    let machine = Multiplexed::new(config, rng.random());
    let pair = Pair::new(rng.random(), Instant::now(), machine, server, faults);
    let (people, asked) = (BTreeMap::new(), BTreeMap::new());
    let mut run = Run { rng, pair, people, asked, published: 0, max_backlog };
    for _ in 0..run.rng.random_range(1..150) {
        run.act()?;
        run.check()?;
    }
    run.finish()
}

impl Run {
    fn act(&mut self) -> Result<(), String> {
        match self.rng.random_range(0..24) {
            0 => {
                let id = self.pair.machine.subscriptions.open();
                let id = id.map_err(|error| error.to_string())?;
                self.people.insert(id, (Names::new(), 0));
            }
            1..=4 => self.subscribe()?,
            5..=6 => self.unsubscribe(),
            7 => {
                if let Some(id) = self.somebody() {
                    self.people.remove(&id);
                    self.pair.machine.subscriptions.close(id);
                }
            }
            8..=10 => self.submit(),
            11 => self.abandon(),
            12..=13 => self.publish(),
            14 => drop(self.pair.push(b">3\r\n$12\r\nsunsubscribe\r\n$1\r\na\r\n:0\r\n")),
            15 => self.pair.reset(),
            16 => self.pair.sleep(Duration::from_millis(self.rng.random_range(0..3000))),
            17 => self.read()?,
            _ => drop(self.pair.step()),
        }
        let now = self.pair.now();
        self.pair.machine.settle(now);
        Ok(())
    }

    fn somebody(&mut self) -> Option<SubscriptionId> {
        let all: Vec<_> = self.people.keys().copied().collect();
        (!all.is_empty()).then(|| *super::pick(&mut self.rng, &all))
    }

    fn names(&mut self) -> (Family, &'static str, Vec<Bytes>) {
        let kinds = [(Family::Channel, "subscribe"), (Family::Pattern, "psubscribe")];
        let (family, kind) = *super::pick(&mut self.rng, &kinds);
        let names = 0..self.rng.random_range(1..4);
        let names = names.map(|_| Bytes::from_static(super::pick::<&[u8]>(&mut self.rng, &NAMES)));
        (family, kind, names.collect())
    }

    fn subscribe(&mut self) -> Result<(), String> {
        let Some(id) = self.somebody() else { return Ok(()) };
        let (family, kind, names) = self.names();
        if let Some((wanted, _)) = self.people.get_mut(&id) {
            let allowed = names.iter().filter(|name| *name != REFUSED);
            wanted.extend(allowed.map(|name| (kind, name.clone())));
        }
        let subscriptions = &mut self.pair.machine.subscriptions;
        subscriptions.subscribe(id, family, names).map_err(|error| error.to_string())
    }

    fn unsubscribe(&mut self) {
        let Some(id) = self.somebody() else { return };
        let (family, kind, names) = self.names();
        let all = self.rng.random_bool(0.2);
        if let Some((wanted, _)) = self.people.get_mut(&id) {
            wanted.retain(|(of, name)| *of != kind || !(all || names.contains(name)));
        }
        let names = (!all).then_some(names);
        self.pair.machine.subscriptions.unsubscribe(id, family, names);
    }

    fn submit(&mut self) {
        let ticket = self.asked.len() as u64;
        let mut batch = Batch::default();
        batch.push(Ticket(ticket), &Cmd::<()>::raw("ECHO").arg(ticket), Deadline::Never);
        let now = self.pair.now();
        if self.pair.machine.session.submit(now, &mut batch).is_ok() {
            self.asked.insert(ticket, false);
        }
    }

    fn abandon(&mut self) {
        let open = self.asked.iter_mut().find(|(_, over)| !**over);
        // What is told already is not taken back.
        if let Some((ticket, over)) = open
            && self.pair.told.is_empty()
        {
            *over = true;
            self.pair.machine.session.abandon(Ticket(*ticket));
        }
    }

    /// A message to a channel that the server knows a subscriber of.
    fn publish(&mut self) {
        let channels = self.pair.server.subscribed.iter().filter(|(kind, _)| *kind == "subscribe");
        let channels: Vec<_> = channels.map(|(_, name)| name.clone()).collect();
        if channels.is_empty() {
            return;
        }
        let channel = super::pick(&mut self.rng, &channels).clone();
        self.published += 1;
        let text = self.published.to_string();
        let mut bytes = b">3\r\n$7\r\nmessage\r\n".to_vec();
        for word in [&channel[..], text.as_bytes()] {
            bytes.extend(format!("${}\r\n", word.len()).as_bytes());
            bytes.extend(word);
            bytes.extend(b"\r\n");
        }
        self.pair.push(&bytes);
    }

    fn read(&mut self) -> Result<(), String> {
        for (id, (_, last)) in &mut self.people {
            while let Some(message) = self.pair.machine.subscriptions.poll_message(*id) {
                match message {
                    Ok(message) if message.kind == MessageKind::Message => {
                        let number = message.text().and_then(|text| text.parse().ok());
                        if number.is_none_or(|number| number <= *last) {
                            return Err(format!("invariant 14: {message:?} behind {last}"));
                        }
                        *last = number.unwrap_or_default();
                    }
                    Ok(_) => {}
                    Err(error) if error.is_disconnected() || error.is_timeout() => {}
                    Err(error) if error.code() == Some("NOPERM") => {}
                    Err(error) => return Err(format!("invariant 11: {error}")),
                }
            }
        }
        Ok(())
    }

    fn check(&mut self) -> Result<(), String> {
        for told in self.pair.told.drain(..) {
            let (ticket, right) = match &told {
                Told::Replies { ticket, frames, done } => {
                    let text = ticket.0.to_string();
                    let own = format!("${}\r\n{text}\r\n", text.len());
                    (ticket, *frames == own && *done)
                }
                Told::Failed(ticket, _) => (ticket, true),
                Told::Push(frame) => {
                    return Err(format!("invariant 13: a push for nobody: {frame:?}"));
                }
                Told::Ready | Told::Closed(_) => continue,
            };
            // What subscribers ask is theirs.
            match self.asked.get_mut(&ticket.0) {
                Some(over @ false) if right => *over = true,
                None if matches!(told, Told::Failed(..)) => {}
                _ => return Err(format!("invariant 1: {told:?}")),
            }
        }
        for id in self.people.keys() {
            let backlog = self.pair.machine.subscriptions.backlog(*id);
            if backlog > self.max_backlog {
                return Err(format!("invariant 17: {backlog} bytes wait"));
            }
        }
        Ok(())
    }

    fn wanted(&self) -> Names {
        self.people.values().flat_map(|(names, _)| names.iter().cloned()).collect()
    }

    fn finish(mut self) -> Result<(), String> {
        self.pair.set_faults(Faults::NONE);
        let wanted = self.wanted();
        for round in 0..2 {
            // Long enough for whatever was lost, and for the peer to be asked for a sign of life.
            self.pair.sleep(Duration::from_secs(100));
            self.check()?;
            self.read()?;
            let has = &self.pair.server.subscribed;
            let connected = self.pair.machine.session.is_ready();
            if (connected || !wanted.is_empty()) && *has != wanted {
                return Err(format!("invariant 11: wanted {wanted:?}, the server has {has:?}"));
            }
            if let Some((ticket, _)) = self.asked.iter().find(|(_, over)| !**over) {
                return Err(format!("invariant 6: request {ticket} was never answered"));
            }
            if round == 0 {
                // Everybody is told of everything that is published now.
                self.each_hears()?;
            }
        }
        Ok(())
    }

    fn each_hears(&mut self) -> Result<(), String> {
        for _ in 0..3 {
            self.publish();
        }
        self.pair.sleep(Duration::from_secs(1));
        let subscriptions = &self.pair.machine.subscriptions;
        let nobody = self.people.keys().all(|id| subscriptions.backlog(*id) == 0);
        let channels = self.wanted().iter().any(|(kind, _)| *kind == "subscribe");
        self.read()?;
        match nobody && channels {
            true => Err(format!("invariant 11: nobody heard message {}", self.published)),
            false => Ok(()),
        }
    }
}
