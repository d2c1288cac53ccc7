//! A session for commands with subscriptions on it, as one machine: what an async adapter's driver does, without one.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use redis_core::Config;
use redis_core::connection::{Event, Role};
use redis_core::pubsub::Subscriptions;
use redis_core::send::Transmit;
use redis_core::session::{Action, Machine, Session};

/// Commands and subscriptions on one link.
#[derive(Debug)]
pub struct Multiplexed {
    /// Takes commands.
    pub session: Session,
    /// Who subscribes: call [`settle`](Self::settle) after every change.
    pub subscriptions: Subscriptions,
    events: VecDeque<Event>,
}

impl Multiplexed {
    /// Connects when something is asked of it.
    pub fn new(config: Config, seed: u64) -> Self {
        let config = Arc::new(config);
        Self {
            subscriptions: Subscriptions::new(config.clone()),
            session: Session::new(config, Role::Commands, seed),
            events: VecDeque::new(),
        }
    }

    /// Lets each of the two know of the other.
    pub fn settle(&mut self, now: Instant) {
        while let Some(event) = self.session.poll_event() {
            self.subscriptions.handle_event(&event);
            self.events.push_back(event);
        }
        self.subscriptions.drive(now, &mut self.session);
    }
}

impl Machine for Multiplexed {
    fn handle_opened(&mut self) {
        self.session.handle_opened();
    }

    fn handle_open_failed(&mut self, now: Instant, error: io::Error) {
        self.session.handle_open_failed(now, error);
        self.settle(now);
    }

    fn handle_input(&mut self, now: Instant, input: &[u8], events: &mut Vec<Event>) -> usize {
        let used = self.session.handle_input(now, input, events);
        self.subscriptions.handle_events(input, events);
        self.settle(now);
        used
    }

    fn handle_transmitted(&mut self, n: usize) {
        self.session.handle_transmitted(n);
    }

    fn handle_disconnect(&mut self, now: Instant, why: Option<io::ErrorKind>) {
        self.session.handle_disconnect(now, why);
        self.settle(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.session.handle_timeout(now);
        self.settle(now);
    }

    fn poll_action(&mut self) -> Option<Action> {
        self.session.poll_action()
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn poll_transmit(&mut self) -> Option<Transmit<'_>> {
        self.session.poll_transmit()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.session.poll_timeout()
    }

    fn read_hint(&self) -> usize {
        self.session.read_hint()
    }
}
