//! A channel with numbered messages: each comes at most once and in order, and one that is missing was
//! announced as a loss.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis_core::Commands;
use redis_core::pubsub::MessageKind;

use super::tally::{Fate, Tally, add};
use super::{Running, Soak};
use crate::scenario::lock;
use crate::subject::Subject;

const CHANNEL: &str = "channel";

/// How far back messages are remembered.
const KEPT: usize = 10_000;

/// What became of a message that was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Published {
    /// To so many subscribers.
    To(u64),
    /// Nobody knows, or it was not published.
    Perhaps,
    Heard,
}

#[derive(Default)]
struct Log(BTreeMap<u64, Published>);

impl Log {
    fn note(&mut self, n: u64, published: Published) {
        // It may have been heard before its publisher knew.
        self.0.entry(n).or_insert(published);
        while self.0.len() > KEPT {
            self.0.pop_first();
        }
    }
}

pub(super) fn start<S: Subject>(soak: &Soak<S>, running: &mut Running) {
    let log = Arc::new(Mutex::new(Log::default()));
    running.spawn::<S>("publisher", publisher(soak.clone(), log.clone()));
    running.spawn::<S>("subscriber", subscriber(soak.clone(), log));
}

async fn publisher<S: Subject>(soak: Soak<S>, log: Arc<Mutex<Log>>) {
    let mut n = 0;
    while soak.goes_on().await {
        n += 1;
        let published = match soak.tally.note(soak.client.publish(CHANNEL, n).await) {
            Ok(receivers) => Published::To(receivers),
            Err(Fate::MayHaveRun | Fate::DidNotRun) => Published::Perhaps,
        };
        lock(&log).note(n, published);
    }
}

async fn subscriber<S: Subject>(soak: Soak<S>, log: Arc<Mutex<Log>>) {
    let mut pubsub = soak.client.pubsub();
    let mut hearing = Hearing { last: 0, lost: true };
    while soak.goes_on().await && pubsub.subscribe(&[CHANNEL]).await.is_err() {}
    while soak.goes_on().await {
        // All that is there before the next wait.
        loop {
            match pubsub.get_message(Duration::from_millis(100)).await {
                Ok(Some(message)) if message.kind == MessageKind::Message => {
                    add(&soak.tally.messages, 1);
                    match message.text().and_then(|text| text.parse().ok()) {
                        Some(n) => hearing.message(&soak.tally, &mut lock(&log), n),
                        None => soak.tally.violation(format!("no message of ours: {message:?}")),
                    }
                }
                Ok(Some(message)) if message.kind == MessageKind::Resubscribed => {
                    add(&soak.tally.losses, 1);
                    hearing.lost = true;
                }
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => {
                    soak.tally.fate(&error);
                    break;
                }
            }
        }
    }
}

struct Hearing {
    last: u64,
    /// Since the last message some may have been lost, as was said.
    lost: bool,
}

impl Hearing {
    fn message(&mut self, tally: &Tally, log: &mut Log, n: u64) {
        match log.0.insert(n, Published::Heard) {
            Some(Published::Heard) => return tally.violation(format!("message {n} came twice")),
            // One that was in doubt may be late.
            Some(Published::Perhaps) if n < self.last => return,
            _ if n <= self.last => {
                return tally.violation(format!("message {n} came behind {}", self.last));
            }
            _ => {}
        }
        if !self.lost {
            let missing = log.0.range(self.last + 1..n);
            let missing = missing.filter(|(_, p)| matches!(p, Published::To(1..)));
            for (missing, _) in missing {
                tally.violation(format!("message {missing} is missing before {n}, unannounced"));
            }
        }
        (self.last, self.lost) = (n, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_and_repeats_are_found_unless_they_were_announced() {
        let tally = Tally::default();
        let mut log = Log::default();
        let mut hearing = Hearing { last: 0, lost: true };
        for n in [1, 2, 3, 5] {
            log.note(n, Published::To(1));
        }
        log.note(4, Published::Perhaps);
        hearing.message(&tally, &mut log, 2);
        hearing.message(&tally, &mut log, 3);
        hearing.message(&tally, &mut log, 5);
        hearing.message(&tally, &mut log, 4);
        assert_eq!(tally.violations(), Vec::<String>::new());
        hearing.message(&tally, &mut log, 5);
        assert_eq!(tally.violations().len(), 1, "it came twice");
        log.note(6, Published::To(1));
        hearing.message(&tally, &mut log, 7);
        assert_eq!(tally.violations().len(), 2, "6 is missing");
        log.note(8, Published::To(1));
        hearing.lost = true;
        hearing.message(&tally, &mut log, 9);
        assert_eq!(tally.violations().len(), 2, "the loss was announced");
    }
}
