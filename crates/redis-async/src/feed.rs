//! A machine and the bytes it moves, for whoever polls it: a reader, or the task behind a subscriber.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use redis_core::connection::Event;
use redis_core::session::Machine;

use crate::pump::{Progress, Pump};
use crate::runtime::Runtime;

/// Nobody may have read for long: what has come meanwhile tells more of the peer than the clock, and runtimes
/// may take so long to learn of it.
const MOMENT: Duration = Duration::from_millis(10);

pub(crate) struct Feed<M> {
    pub(crate) machine: M,
    runtime: Arc<dyn Runtime>,
    pump: Pump,
    events: Vec<Event>,
    /// When something was due, and nothing had come as far as the runtime knew.
    looked: Option<Instant>,
}

impl<M: Machine> Feed<M> {
    pub(crate) fn new(machine: M, runtime: Arc<dyn Runtime>) -> Self {
        Self { machine, runtime, pump: Pump::default(), events: Vec::new(), looked: None }
    }

    /// Waits until what was asked is written, or the link is lost.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.pump.write(&mut self.machine, cx);
        match self.machine.poll_transmit() {
            Some(_) if self.pump.can_write() => Poll::Pending,
            None if !self.pump.is_flushed() => Poll::Pending,
            _ => Poll::Ready(()),
        }
    }

    /// Does what the machine asks and what the socket allows.
    pub(crate) fn turn(&mut self, cx: &mut Context<'_>) -> Progress {
        let now = Instant::now();
        let overdue = self.machine.poll_timeout().is_some_and(|due| due <= now);
        let mut progress = overdue && self.read(now, cx);
        let waits = overdue && !progress && self.pump.is_open();
        if waits && now < *self.looked.get_or_insert(now) + MOMENT {
            return false;
        }
        self.looked = None;
        self.machine.handle_timeout(now);
        progress |= self.pump.act(&mut self.machine, &*self.runtime, now, cx);
        progress |= self.pump.write(&mut self.machine, cx);
        progress |= self.read(now, cx);
        progress
    }

    fn read(&mut self, now: Instant, cx: &mut Context<'_>) -> Progress {
        if !self.machine.takes_input() {
            return false;
        }
        let used = self.pump.read(&mut self.machine, now, cx, &mut self.events);
        self.pump.recv.consume(used.unwrap_or(0));
        used.is_some()
    }

    /// Closes the socket.
    pub(crate) fn close(&mut self) {
        self.pump = Pump::default();
    }

    /// Ready when the machine or the reader has to look at the clock.
    pub(crate) fn poll_timer(
        &mut self,
        cx: &mut Context<'_>,
        deadline: Option<Instant>,
    ) -> Poll<()> {
        let of_machine = self.looked.map(|looked| looked + MOMENT);
        let of_machine = of_machine.or_else(|| self.machine.poll_timeout());
        let due = [deadline, of_machine, self.pump.poll_timeout()];
        match due.into_iter().flatten().min() {
            Some(at) => self.pump.poll_timer(&*self.runtime, cx, at),
            None => Poll::Pending,
        }
    }
}
