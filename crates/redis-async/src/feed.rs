//! A machine whose reader moves its bytes: there is no task behind it.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use redis_core::connection::Event;
use redis_core::session::Machine;

use crate::pump::{Progress, Pump};
use crate::runtime::Runtime;

pub(crate) struct Feed<M> {
    pub(crate) machine: M,
    runtime: Arc<dyn Runtime>,
    pump: Pump,
    events: Vec<Event>,
}

impl<M: Machine> Feed<M> {
    pub(crate) fn new(machine: M, runtime: Arc<dyn Runtime>) -> Self {
        Self { machine, runtime, pump: Pump::default(), events: Vec::new() }
    }

    /// Waits until what was asked is written, or the link is lost.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.pump.write(&mut self.machine, cx);
        match self.machine.poll_transmit() {
            Some(_) if self.pump.can_write() => Poll::Pending,
            _ => Poll::Ready(()),
        }
    }

    /// Does what the machine asks and what the socket allows.
    pub(crate) fn turn(&mut self, cx: &mut Context<'_>) -> Progress {
        let now = Instant::now();
        self.machine.handle_timeout(now);
        let mut progress = self.pump.act(&mut self.machine, &*self.runtime, now, cx);
        progress |= self.pump.write(&mut self.machine, cx);
        if self.machine.takes_input()
            && let Some(used) = self.pump.read(&mut self.machine, now, cx, &mut self.events)
        {
            self.pump.recv.consume(used);
            progress = true;
        }
        progress
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
        let due = [deadline, self.machine.poll_timeout(), self.pump.poll_timeout()];
        match due.into_iter().flatten().min() {
            Some(at) => self.pump.poll_timer(&*self.runtime, cx, at),
            None => Poll::Pending,
        }
    }
}
