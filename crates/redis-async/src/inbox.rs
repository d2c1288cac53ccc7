//! Where callers and the driver of a link meet.
//!
//! A caller encodes its command and takes a slot for the reply under one short lock, so that the order of
//! bytes and slots can't diverge; slots are recycled, so that a command allocates nothing. The driver
//! takes everything at once and completes slots in bulk. Owns no socket and makes no system call.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;
use redis_core::Error;
use redis_core::batch::{Batch, Ticket};

/// How much of the replies of requests that take them as they come is kept for slow takers, in bytes.
/// With that much the driver reads no more; what it reads at once comes on top.
pub(crate) const HELD: usize = 256 * 1024;

/// How a request wants its replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taking {
    /// All of them, once the last one is there.
    Whole,
    /// As they come.
    Parts,
}

/// What came of a request.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Its one frame, or its frames in one run.
    One(Bytes),
    /// Its frames in several runs; of one that takes them as they come, the last ones.
    Runs(Vec<Bytes>),
    /// Some of its frames, for one that takes them as they come. There is more.
    Part(Vec<Bytes>),
    /// Why, and until when an answer was wanted, where that is known.
    Failed(Error, Option<Instant>),
}

/// A place for one reply. Its fields stand side by side, and not in the variants of an enum, because
/// moving those in and out cost more than all else that is done to a slot.
#[derive(Debug)]
struct Slot {
    /// Counts how often the slot was used: a ticket of another use is of no effect.
    generation: u32,
    phase: Phase,
    /// The next free slot, while this one is free.
    next: Option<u32>,
    /// Who waits, while someone does.
    waker: Option<Waker>,
    /// The only run, once it is there.
    run: Bytes,
    /// All runs, where there are several.
    runs: Vec<Bytes>,
    /// Bytes of the runs, while they are to be taken as they come.
    held: usize,
    failed: Option<Box<(Error, Option<Instant>)>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Free,
    Waiting,
    /// As `Waiting`, and takes what is there already.
    Taking,
    Ready,
    /// Nobody waits; the replies are still to come.
    Abandoned,
}

impl Slot {
    fn new() -> Self {
        Self {
            generation: 0,
            phase: Phase::Free,
            next: None,
            waker: None,
            run: Bytes::new(),
            runs: Vec::new(),
            held: 0,
            failed: None,
        }
    }

    #[inline]
    fn wait(&mut self, waker: &Waker) {
        match &mut self.waker {
            Some(own) => own.clone_from(waker),
            None => self.waker = Some(waker.clone()),
        }
    }

    #[inline]
    fn take_outcome(&mut self) -> Outcome {
        if let Some(failed) = self.failed.take() {
            self.runs.clear();
            return Outcome::Failed(failed.0, failed.1);
        }
        if self.runs.is_empty() {
            return Outcome::One(std::mem::take(&mut self.run));
        }
        Outcome::Runs(std::mem::take(&mut self.runs))
    }
}

/// A caller that waits for room.
#[derive(Debug)]
struct Waiter {
    id: u64,
    waker: Waker,
    deadline: Option<Instant>,
}

/// What callers left for the driver, and the driver for callers.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    pub(crate) batch: Batch,
    slots: Vec<Slot>,
    free: Option<u32>,
    /// Requests that wait for replies, abandoned ones included.
    under_way: usize,
    /// Requests to give up that the driver has taken.
    abandoned: Vec<Ticket>,
    waiters: VecDeque<Waiter>,
    next_waiter: u64,
    /// Bytes of replies that wait for those who take them as they come.
    held: usize,
    /// Bytes that the driver took and could not write yet.
    pub(crate) unsent: usize,
    /// Requests that the server still owes replies to, given up ones included.
    pub(crate) owed: usize,
    /// How many requests were under way together lately.
    pub(crate) crowd: usize,
    driver: Option<Waker>,
    /// The driver was woken and has not looked yet.
    notified: bool,
    /// A driver's task exists.
    pub(crate) driven: bool,
    pub(crate) closing: Option<Closing>,
    /// The connection is out of step.
    pub(crate) poisoned: bool,
    /// The link will never take anything again.
    pub(crate) over: bool,
}

/// How a link is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    /// When everything under way is answered.
    Drain,
    /// At once.
    Now,
}

impl Inbox {
    /// Takes a slot; its ticket goes with the request.
    #[inline]
    pub(crate) fn take_slot(&mut self, cx: &Context<'_>, taking: Taking) -> Ticket {
        let (ticket, slot) = self.take_free_slot();
        slot.phase = match taking {
            Taking::Whole => Phase::Waiting,
            Taking::Parts => Phase::Taking,
        };
        slot.wait(cx.waker());
        ticket
    }

    /// Takes a slot for a request whose replies are for nobody.
    pub(crate) fn take_slot_of_nobody(&mut self) -> Ticket {
        let (ticket, slot) = self.take_free_slot();
        slot.phase = Phase::Abandoned;
        ticket
    }

    #[inline]
    fn take_free_slot(&mut self) -> (Ticket, &mut Slot) {
        self.under_way += 1;
        let index = self.free.unwrap_or_else(|| {
            self.slots.push(Slot::new());
            (self.slots.len() - 1) as u32
        });
        let slot = &mut self.slots[index as usize];
        self.free = slot.next.take();
        (Ticket(u64::from(slot.generation) << 32 | u64::from(index)), slot)
    }

    #[inline]
    fn slot(&mut self, ticket: Ticket) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(ticket.0 as u32 as usize)?;
        (slot.generation == (ticket.0 >> 32) as u32).then_some(slot)
    }

    #[inline]
    fn release(&mut self, ticket: Ticket) {
        let free = self.free;
        if let Some(slot) = self.slot(ticket) {
            slot.generation = slot.generation.wrapping_add(1);
            slot.phase = Phase::Free;
            slot.next = free;
            slot.runs.clear();
            self.free = Some(ticket.0 as u32);
        }
    }

    /// The outcome, once it is there; the slot is free then.
    #[inline]
    pub(crate) fn poll_outcome(&mut self, ticket: Ticket, cx: &Context<'_>) -> Poll<Outcome> {
        let slot = self.slot(ticket).expect("a slot is kept until its outcome was taken");
        if slot.phase != Phase::Ready {
            slot.wait(cx.waker());
            return Poll::Pending;
        }
        let outcome = slot.take_outcome();
        self.release(ticket);
        Poll::Ready(outcome)
    }

    /// As [`poll_outcome`](Self::poll_outcome), for a request that takes its replies as they come: those that
    /// are there, before the outcome. Also tells whether the driver waited for that.
    pub(crate) fn poll_part(&mut self, ticket: Ticket, cx: &Context<'_>) -> Poll<(Outcome, bool)> {
        let full = self.is_full();
        let slot = self.slot(ticket).expect("a slot is kept until its outcome was taken");
        if slot.runs.is_empty() && slot.phase != Phase::Ready {
            slot.wait(cx.waker());
            return Poll::Pending;
        }
        let held = std::mem::take(&mut slot.held);
        let outcome = if slot.phase == Phase::Ready && (slot.failed.is_none() || held == 0) {
            let outcome = slot.take_outcome();
            self.release(ticket);
            outcome
        } else {
            // What came before a failure is handed on before it.
            Outcome::Part(std::mem::take(&mut slot.runs))
        };
        self.held -= held;
        Poll::Ready((outcome, full && !self.is_full()))
    }

    /// Whether nothing is to be read before more of what is there was taken.
    pub(crate) fn is_full(&self) -> bool {
        self.held >= HELD
    }

    /// Gives a request up: what the driver has not taken is taken back, bytes included.
    pub(crate) fn abandon(&mut self, ticket: Ticket, wake: &mut Vec<Waker>) {
        if let Some(slot) = self.slot(ticket) {
            self.held -= std::mem::take(&mut slot.held);
        }
        if let Some(slot @ Slot { phase: Phase::Ready, .. }) = self.slot(ticket) {
            drop(slot.take_outcome());
            self.release(ticket);
        } else if self.batch.take_back(ticket) {
            self.under_way -= 1;
            self.release(ticket);
            self.wake_waiters(1, wake);
        } else if let Some(slot) = self.slot(ticket) {
            slot.phase = Phase::Abandoned;
            slot.runs.clear();
            self.abandoned.push(ticket);
        }
    }

    /// Requests the driver is to give up. Their slots are free.
    pub(crate) fn take_abandoned(&mut self, mut abandon: impl FnMut(Ticket)) {
        while let Some(ticket) = self.abandoned.pop() {
            if let Some(Slot { phase: Phase::Abandoned, .. }) = self.slot(ticket) {
                abandon(ticket);
                self.under_way -= 1;
                self.release(ticket);
            }
        }
    }

    /// Some of a request's replies are there; `wake` collects whom to wake without the lock.
    #[inline]
    pub(crate) fn add_replies(
        &mut self,
        ticket: Ticket,
        run: Bytes,
        done: bool,
        wake: &mut Vec<Waker>,
    ) {
        let Some(slot) = self.slot(ticket) else { return };
        match slot.phase {
            Phase::Waiting if !done => slot.runs.push(run),
            Phase::Waiting => {
                match slot.runs.is_empty() {
                    true => slot.run = run,
                    false => slot.runs.push(run),
                }
                slot.phase = Phase::Ready;
                wake.extend(slot.waker.take());
                self.under_way -= 1;
            }
            Phase::Taking => {
                let len = run.len();
                slot.held += len;
                slot.runs.push(run);
                wake.extend(slot.waker.take());
                if done {
                    slot.phase = Phase::Ready;
                    self.under_way -= 1;
                }
                self.held += len;
            }
            Phase::Abandoned if done => {
                self.under_way -= 1;
                self.release(ticket);
            }
            Phase::Abandoned | Phase::Ready | Phase::Free => {}
        }
    }

    /// A request gets no (further) reply.
    pub(crate) fn fail(
        &mut self,
        ticket: Ticket,
        error: Error,
        deadline: Option<Instant>,
        wake: &mut Vec<Waker>,
    ) {
        let Some(slot) = self.slot(ticket) else { return };
        match slot.phase {
            Phase::Waiting | Phase::Taking => {
                slot.failed = Some(Box::new((error, deadline)));
                slot.phase = Phase::Ready;
                wake.extend(slot.waker.take());
                self.under_way -= 1;
            }
            Phase::Abandoned => {
                self.under_way -= 1;
                self.release(ticket);
            }
            Phase::Ready | Phase::Free => {}
        }
    }

    /// Fails everything that waits: the batch with the first error, what was taken with the second.
    pub(crate) fn fail_all(&mut self, not_sent: &Error, taken: &Error, wake: &mut Vec<Waker>) {
        let mut back = Vec::new();
        self.batch.clear(|ticket, _| back.push(ticket));
        for ticket in back {
            self.fail(ticket, not_sent.clone(), None, wake);
        }
        for index in 0..self.slots.len() {
            let ticket = Ticket(u64::from(self.slots[index].generation) << 32 | index as u64);
            if let Phase::Waiting | Phase::Taking | Phase::Abandoned = self.slots[index].phase {
                self.fail(ticket, taken.clone(), None, wake);
            }
        }
        self.abandoned.clear();
        self.wake_waiters(usize::MAX, wake);
    }

    /// Whether nothing is taken any more.
    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.over || self.closing.is_some()
    }

    /// Requests that wait for replies.
    #[inline]
    pub(crate) fn under_way(&self) -> usize {
        self.under_way
    }

    /// Waits for room; the same `id` again keeps its place.
    pub(crate) fn wait_for_room(
        &mut self,
        id: &mut Option<u64>,
        deadline: Option<Instant>,
        cx: &Context<'_>,
    ) {
        if let Some(waiter) = self.waiters.iter_mut().find(|waiter| Some(waiter.id) == *id) {
            waiter.waker.clone_from(cx.waker());
            return;
        }
        let waiter = |id| Waiter { id, waker: cx.waker().clone(), deadline };
        match *id {
            // It was woken and found no room: it goes first.
            Some(id) => self.waiters.push_front(waiter(id)),
            None => {
                self.next_waiter += 1;
                *id = Some(self.next_waiter);
                self.waiters.push_back(waiter(self.next_waiter));
            }
        }
    }

    /// Stops waiting for room. One that was woken already passes its turn on.
    pub(crate) fn stop_waiting(&mut self, id: u64, wake: &mut Vec<Waker>) {
        let before = self.waiters.len();
        self.waiters.retain(|waiter| waiter.id != id);
        if self.waiters.len() == before {
            self.wake_waiters(1, wake);
        }
    }

    /// Whether others wait for room already.
    #[inline]
    pub(crate) fn has_waiters(&self) -> bool {
        !self.waiters.is_empty()
    }

    /// Wakes the first `n` who wait for room.
    pub(crate) fn wake_waiters(&mut self, n: usize, wake: &mut Vec<Waker>) {
        let n = n.min(self.waiters.len());
        wake.extend(self.waiters.drain(..n).map(|waiter| waiter.waker));
    }

    /// Wakes those whose deadline has passed; tells the next one.
    pub(crate) fn expire_waiters(
        &mut self,
        now: Instant,
        wake: &mut Vec<Waker>,
    ) -> Option<Instant> {
        self.waiters.retain(|waiter| {
            let due = waiter.deadline.is_some_and(|deadline| deadline <= now);
            if due {
                wake.push(waiter.waker.clone());
            }
            !due
        });
        self.waiters.iter().filter_map(|waiter| waiter.deadline).min()
    }

    /// The driver looks: whatever comes from now on wakes it.
    #[inline]
    pub(crate) fn driver_looks(&mut self, cx: &Context<'_>) {
        self.notified = false;
        match &mut self.driver {
            Some(waker) => waker.clone_from(cx.waker()),
            None => self.driver = Some(cx.waker().clone()),
        }
    }

    /// The waker to call so that the driver looks, unless it was called already.
    #[inline]
    pub(crate) fn notify(&mut self) -> Option<Waker> {
        if std::mem::replace(&mut self.notified, true) {
            return None;
        }
        self.driver.clone()
    }
}

#[cfg(test)]
mod tests {
    use redis_core::ErrorKind;
    use redis_core::batch::Deadline;

    use super::*;

    fn context() -> Context<'static> {
        Context::from_waker(Waker::noop())
    }

    fn request(inbox: &mut Inbox) -> Ticket {
        let ticket = inbox.take_slot(&context(), Taking::Whole);
        inbox.batch.push(ticket, &redis_core::Cmd::<()>::raw("PING"), Deadline::Never);
        ticket
    }

    #[test]
    fn slots_are_recycled_and_old_tickets_are_void() {
        let mut inbox = Inbox::default();
        let first = request(&mut inbox);
        inbox.add_replies(first, "+a\r\n".into(), true, &mut Vec::new());
        assert!(matches!(inbox.poll_outcome(first, &context()), Poll::Ready(Outcome::One(_))));
        let second = request(&mut inbox);
        assert_eq!(second.0 as u32, first.0 as u32);
        assert_ne!(second, first);
        inbox.add_replies(first, "+late\r\n".into(), true, &mut Vec::new());
        assert!(inbox.poll_outcome(second, &context()).is_pending());
        assert_eq!(inbox.under_way(), 1);
    }

    #[test]
    fn an_abandoned_request_that_was_not_taken_leaves_nothing() {
        let mut inbox = Inbox::default();
        let ticket = request(&mut inbox);
        inbox.abandon(ticket, &mut Vec::new());
        assert_eq!((inbox.under_way(), inbox.batch.len(), inbox.batch.bytes()), (0, 0, 0));
        inbox.take_abandoned(|_| panic!("there is nothing for the driver to give up"));
    }

    #[test]
    fn an_abandoned_request_that_was_taken_frees_its_slot_once() {
        let mut inbox = Inbox::default();
        let answered = request(&mut inbox);
        let given_up = request(&mut inbox);
        inbox.batch.clear(|_, _| {});
        inbox.abandon(answered, &mut Vec::new());
        inbox.abandon(given_up, &mut Vec::new());
        inbox.add_replies(answered, "+a\r\n".into(), true, &mut Vec::new());
        let reused = request(&mut inbox);
        let mut told = Vec::new();
        inbox.take_abandoned(|ticket| told.push(ticket));
        assert_eq!(told, [given_up]);
        assert_eq!(inbox.under_way(), 1);
        assert!(inbox.poll_outcome(reused, &context()).is_pending());
    }

    #[test]
    fn failing_all_resolves_every_request_once() {
        let mut inbox = Inbox::default();
        let taken = request(&mut inbox);
        inbox.batch.clear(|_, _| {});
        let waiting = request(&mut inbox);
        let (a, b) = (Error::new(ErrorKind::Closed, "a"), Error::new(ErrorKind::Closed, "b"));
        let mut wake = Vec::new();
        inbox.fail_all(&a, &b, &mut wake);
        assert_eq!(wake.len(), 2);
        for (ticket, says) in [(taken, "b"), (waiting, "a")] {
            match inbox.poll_outcome(ticket, &context()) {
                Poll::Ready(Outcome::Failed(error, _)) => assert_eq!(error.to_string(), says),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(inbox.under_way(), 0);
    }

    fn taking(inbox: &mut Inbox) -> Ticket {
        let ticket = inbox.take_slot(&context(), Taking::Parts);
        inbox.batch.push(ticket, &redis_core::Cmd::<()>::raw("PING"), Deadline::Never);
        inbox.batch.clear(|_, _| {});
        ticket
    }

    #[test]
    fn replies_that_are_taken_as_they_come_count_until_they_are_taken() {
        let mut inbox = Inbox::default();
        let ticket = taking(&mut inbox);
        let half = Bytes::from(vec![b'x'; HELD / 2]);
        for full in [false, true] {
            inbox.add_replies(ticket, half.clone(), false, &mut Vec::new());
            assert_eq!(inbox.is_full(), full);
        }
        match inbox.poll_part(ticket, &context()) {
            Poll::Ready((Outcome::Part(runs), true)) => assert_eq!(runs.len(), 2),
            other => panic!("{other:?}"),
        }
        assert!(inbox.poll_part(ticket, &context()).is_pending());
        inbox.add_replies(ticket, half.clone(), true, &mut Vec::new());
        assert_eq!(inbox.under_way(), 0);
        match inbox.poll_part(ticket, &context()) {
            Poll::Ready((Outcome::Runs(runs), false)) => assert_eq!(runs, [half]),
            other => panic!("{other:?}"),
        }
        assert_eq!(inbox.held, 0);
    }

    #[test]
    fn what_came_before_a_failure_is_taken_before_it() {
        let mut inbox = Inbox::default();
        let ticket = taking(&mut inbox);
        inbox.add_replies(ticket, "+a\r\n".into(), false, &mut Vec::new());
        inbox.fail(ticket, Error::new(ErrorKind::Io, "lost"), None, &mut Vec::new());
        let mut next = || match inbox.poll_part(ticket, &context()) {
            Poll::Ready((outcome, _)) => outcome,
            Poll::Pending => panic!("it is there"),
        };
        assert!(matches!(next(), Outcome::Part(runs) if runs == ["+a\r\n"]));
        assert!(matches!(next(), Outcome::Failed(..)));
        assert_eq!((inbox.held, inbox.under_way()), (0, 0));
    }

    #[test]
    fn what_is_given_up_holds_nothing_any_more() {
        for done in [false, true] {
            let mut inbox = Inbox::default();
            let ticket = taking(&mut inbox);
            let much = Bytes::from(vec![b'x'; HELD]);
            inbox.add_replies(ticket, much.clone(), done, &mut Vec::new());
            assert!(inbox.is_full());
            inbox.abandon(ticket, &mut Vec::new());
            assert!(!inbox.is_full());
            inbox.add_replies(ticket, much, true, &mut Vec::new());
            inbox.take_abandoned(|_| {});
            assert_eq!((inbox.held, inbox.under_way()), (0, 0));
        }
    }

    #[test]
    fn a_reply_for_nobody_frees_its_slot() {
        let mut inbox = Inbox::default();
        for answered in [true, false] {
            let ticket = inbox.take_slot_of_nobody();
            inbox.take_abandoned(|_| panic!("nobody gave it up"));
            assert_eq!(inbox.under_way(), 1);
            match answered {
                true => inbox.add_replies(ticket, "+a\r\n".into(), true, &mut Vec::new()),
                false => {
                    let error = Error::new(ErrorKind::Io, "lost");
                    inbox.fail(ticket, error, None, &mut Vec::new());
                }
            }
            assert_eq!((inbox.under_way(), inbox.slots.len()), (0, 1));
        }
    }
}
