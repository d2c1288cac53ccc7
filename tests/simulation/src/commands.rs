//! Requests over a session: each is answered once, with its own replies, and the truth about its delivery.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::RngExt;
use rand::rngs::SmallRng;
use redis_core::batch::{Batch, Deadline, Ticket};
use redis_core::connection::Role;
use redis_core::session::Session;
use redis_core::{Cmd, Config, Delivery, ErrorKind, Protocol};
use testkit::pair::{Faults, Pair, Told};
use testkit::scripted::{Scripted, Server as _};

/// What is known of a request.
#[derive(Debug)]
struct Asked {
    commands: u32,
    replies: u32,
    abandoned: bool,
    over: bool,
}

struct Run {
    rng: SmallRng,
    pair: Pair<Session, Scripted>,
    asked: BTreeMap<u64, Asked>,
}

/// Runs one seed. Checks invariants 1, 3, 5, 6, 7, 9, 14, 15 and 16 as far as one link shows them.
///
/// # Errors
///
/// What did not hold.
pub fn run(seed: u64) -> Result<(), String> {
    let mut rng = super::generator(seed, 0);
    let mut config = Config::default();
    config.protocol = *super::pick(&mut rng, &[Protocol::Resp2, Protocol::Resp3]);
    config.max_in_flight = *super::pick(&mut rng, &[1, 5, 1000]);
    config.password = rng.random_bool(0.5).then(|| "secret".into());
    config.database = rng.random_range(0..3);
    let mut server = Scripted::default();
    if config.password.is_some() {
        server = server.password("secret");
    }
    if rng.random_bool(0.2) {
        server = server.without_hello();
    }
    let faults = super::faults(&mut rng);
    let session = Session::new(Arc::new(config), Role::Commands, rng.random());
    let pair = Pair::new(rng.random(), Instant::now(), session, server, faults);
    let mut run = Run { rng, pair, asked: BTreeMap::new() };
    for _ in 0..run.rng.random_range(1..120) {
        run.act();
        run.check()?;
    }
    run.finish()
}

impl Run {
    fn act(&mut self) {
        match self.rng.random_range(0..20) {
            0..=8 => self.submit(),
            9 => self.abandon(),
            10 => self.pair.reset(),
            11 => drop(self.pair.push(b">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n")),
            12 => self.pair.sleep(Duration::from_millis(self.rng.random_range(0..3000))),
            _ => drop(self.pair.step()),
        }
    }

    fn submit(&mut self) {
        let mut batch = Batch::default();
        let mut tickets = Vec::new();
        for _ in 0..self.rng.random_range(1..4) {
            let ticket = self.asked.len() as u64 + tickets.len() as u64;
            let commands = if self.rng.random_bool(0.2) { self.rng.random_range(2..30) } else { 1 };
            let deadline = match self.rng.random_range(0..3) {
                0 => Deadline::Never,
                1 => Deadline::In(Duration::from_millis(self.rng.random_range(0..4000))),
                _ => Deadline::In(Duration::from_secs(60)),
            };
            let echo = |n: u32| Cmd::<()>::raw("ECHO").arg(word(ticket, n));
            if commands == 1 {
                batch.push(Ticket(ticket), &echo(0), deadline);
            } else {
                let parts: Vec<Bytes> = (0..commands).map(|n| echo(n).to_vec().into()).collect();
                batch.push_encoded(Ticket(ticket), &parts, commands, deadline);
            }
            tickets.push((ticket, commands));
        }
        let before = (batch.len(), batch.bytes());
        if self.pair.machine.submit(self.pair.now(), &mut batch).is_ok() {
            for (ticket, commands) in tickets {
                self.asked
                    .insert(ticket, Asked { commands, replies: 0, abandoned: false, over: false });
            }
        } else {
            assert_eq!(
                (batch.len(), batch.bytes()),
                before,
                "a batch that is handed back is whole"
            );
        }
    }

    fn abandon(&mut self) {
        let waiting: Vec<u64> = self
            .asked
            .iter()
            .filter(|(_, asked)| !asked.over && !asked.abandoned)
            .map(|(t, _)| *t)
            .collect();
        if !waiting.is_empty() {
            let ticket = *super::pick(&mut self.rng, &waiting);
            // What is told already is not taken back.
            if self.check().is_ok()
                && let Some(asked) = self.asked.get_mut(&ticket)
                && !asked.over
            {
                self.pair.machine.abandon(Ticket(ticket));
                asked.abandoned = true;
            }
        }
    }

    /// Looks at everything that was told.
    fn check(&mut self) -> Result<(), String> {
        for told in std::mem::take(&mut self.pair.told) {
            match told {
                Told::Replies { ticket, frames, done } => {
                    self.check_replies(ticket, &frames, done)?
                }
                Told::Failed(ticket, error) => {
                    let ran = self.ran(ticket.0);
                    let asked = self.open(ticket)?;
                    asked.over = true;
                    let told_all = asked.replies == asked.commands;
                    if error.delivery() == Delivery::NotSent && ran > 0 {
                        return Err(format!(
                            "invariant 7: {ticket:?} ran, and was said not to be sent: {error}"
                        ));
                    }
                    if error.delivery() == Delivery::Replied || told_all {
                        return Err(format!(
                            "invariant 6: {ticket:?} was answered in full and failed: {error}"
                        ));
                    }
                }
                Told::Closed(error) => {
                    if matches!(
                        error.kind(),
                        ErrorKind::Protocol | ErrorKind::Auth | ErrorKind::Server
                    ) {
                        return Err(format!(
                            "invariant 1: a good server's connection ended with: {error}"
                        ));
                    }
                }
                Told::Push(_) | Told::Ready => {}
            }
        }
        Ok(())
    }

    fn check_replies(
        &mut self,
        ticket: Ticket,
        mut frames: &[u8],
        done: bool,
    ) -> Result<(), String> {
        let asked = self.open(ticket)?;
        while !frames.is_empty() {
            let expected = Cmd::<()>::raw(&word(ticket.0, asked.replies)).to_vec();
            // A command of one word is `*1` and the word as a bulk string, which is what ECHO answers.
            let Some(rest) = frames.strip_prefix(&expected[4..]) else {
                return Err(format!(
                    "invariant 1: {ticket:?} has another's reply: {:?}",
                    String::from_utf8_lossy(frames)
                ));
            };
            frames = rest;
            asked.replies += 1;
        }
        if done != (asked.replies == asked.commands) {
            return Err(format!(
                "invariant 4: {ticket:?}: {} of {} replies, done is {done}",
                asked.replies, asked.commands
            ));
        }
        asked.over = done;
        let replies = asked.replies;
        if self.ran(ticket.0) < replies {
            return Err(format!("invariant 1: {ticket:?} has replies to what did not run"));
        }
        Ok(())
    }

    /// The request, which must be one that waits.
    fn open(&mut self, ticket: Ticket) -> Result<&mut Asked, String> {
        match self.asked.get_mut(&ticket.0) {
            Some(asked) if asked.over => Err(format!("invariant 6: {ticket:?} was answered twice")),
            Some(asked) if asked.abandoned => {
                Err(format!("invariant 6: {ticket:?} was answered after it was given up"))
            }
            Some(asked) => Ok(asked),
            None => Err(format!("invariant 1: {ticket:?} was never asked")),
        }
    }

    /// How many of a request's commands the server has run.
    fn ran(&self, ticket: u64) -> u32 {
        let of_ticket = |args: &&Vec<Bytes>| {
            args.get(1).is_some_and(|arg| arg.starts_with(format!("{ticket}.").as_bytes()))
        };
        self.pair.server.ran.iter().filter(of_ticket).count() as u32
    }

    /// Without further faults everything that waits is answered, and nothing ran twice.
    fn finish(mut self) -> Result<(), String> {
        self.pair.set_faults(Faults::NONE);
        let now = self.pair.now();
        self.pair.machine.close(now);
        self.pair.run_until("the session is over", |pair| pair.machine.is_over())?;
        self.check()?;
        for (ticket, asked) in &self.asked {
            if !asked.over && !asked.abandoned {
                return Err(format!("invariant 6: request {ticket} was never answered"));
            }
        }
        let mut ran = std::mem::take(&mut self.pair.server.ran);
        ran.retain(|args| &args[0][..] == b"ECHO");
        let count = ran.len();
        ran.sort();
        ran.dedup();
        if ran.len() != count {
            return Err("invariant 7: a command ran twice".into());
        }
        if self.pair.machine.in_flight() != 0 {
            return Err("invariant 6: requests are left behind".into());
        }
        self.pair.server.connected();
        Ok(())
    }
}

/// What request `ticket` echoes with its `n`th command.
fn word(ticket: u64, n: u32) -> String {
    format!("{ticket}.{n}")
}
