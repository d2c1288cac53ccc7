//! One link to a server: callers submit, a driver task moves the bytes.
//!
//! The driver's state sits behind a lock of its own, so that a caller that finds the link idle can write
//! its command itself. No lock is held across a wait. The inbox's is taken under the driver's, never the
//! other way round; callers only try the driver's. That of the subscriptions is taken under neither but the driver's.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;
use redis_core::batch::{Batch, Deadline, Ticket};
use redis_core::config::Seeds;
use redis_core::connection::{Event, Role};
use redis_core::pubsub::Subscriptions;
use redis_core::session::{Machine as _, Session};
use redis_core::{Cmd, Config, Delivery, Error, ErrorKind, Result};

use crate::inbox::{Closing, Inbox, Outcome, Taking};
use crate::pump::{Progress, Pump};
use crate::runtime::Runtime;

/// How many times the driver goes around before it lets other tasks run.
const ROUNDS: usize = 16;

/// With more requests than this under way lately, a caller leaves writing to the driver, which writes
/// for all of them at once.
const CROWD: usize = 1;

/// From so many requests under way lately, less than half of them is not worth a write yet.
const CROWDED: usize = 8;

/// A link that connects on demand.
pub(crate) struct Link {
    config: Arc<Config>,
    runtime: Arc<dyn Runtime>,
    once: bool,
    seeds: Arc<Seeds>,
    inbox: Mutex<Inbox>,
    driver: Mutex<Driver>,
    /// Once somebody has subscribed.
    subscriptions: OnceLock<Mutex<Subscriptions>>,
}

struct Driver {
    session: Session,
    pump: Pump,
    /// When the timer is set to wake the driver.
    armed: Option<Instant>,
    /// What was taken from the inbox and not yet by the session.
    batch: Batch,
    /// Requests whose deadline passed before the session took them.
    late: Vec<Ticket>,
    /// It let callers run before writing, last time.
    waited: bool,
    /// Nothing is read: those who take replies as they come have enough of them.
    full: bool,
    events: Vec<Event>,
    wake: Vec<Waker>,
}

impl Link {
    /// A link that connects again whenever that is needed.
    pub(crate) fn new(
        config: Arc<Config>,
        runtime: Arc<dyn Runtime>,
        seeds: Arc<Seeds>,
    ) -> Arc<Self> {
        Self::build(config, runtime, seeds, false)
    }

    /// A link of a single connection.
    pub(crate) fn once(
        config: Arc<Config>,
        runtime: Arc<dyn Runtime>,
        seeds: Arc<Seeds>,
    ) -> Arc<Self> {
        Self::build(config, runtime, seeds, true)
    }

    fn build(
        config: Arc<Config>,
        runtime: Arc<dyn Runtime>,
        seeds: Arc<Seeds>,
        once: bool,
    ) -> Arc<Self> {
        let driver = Mutex::new(Driver::new(new_session(&config, &seeds, once)));
        let (inbox, subscriptions) = (Mutex::default(), OnceLock::new());
        Arc::new(Self { config, runtime, once, seeds, inbox, driver, subscriptions })
    }

    pub(crate) fn config(&self) -> &Arc<Config> {
        &self.config
    }

    pub(crate) fn runtime(&self) -> &dyn Runtime {
        &*self.runtime
    }

    /// A seed of the link's own, another one each time.
    pub(crate) fn next_seed(&self) -> u64 {
        self.seeds.next_seed()
    }

    #[inline]
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        lock(&self.inbox)
    }

    /// Submits a request: `encode` puts it into the batch. Waits while there is no room.
    pub(crate) fn poll_submit(
        self: &Arc<Self>,
        cx: &mut Context<'_>,
        waiting: &mut Waiting,
        deadline: Deadline,
        taking: Taking,
        encode: impl FnOnce(&mut Batch, Ticket, Deadline),
    ) -> Poll<Result<Ticket>> {
        let mut inbox = self.inbox();
        if inbox.closing.is_some() {
            return Poll::Ready(Err(closed()));
        }
        if inbox.over {
            // A link of a single user may end between being taken out of its pool and being used.
            let endpoint = &self.config.endpoint;
            let text = format!("the connection to {endpoint} was lost before it was used");
            return Poll::Ready(Err(Error::new(ErrorKind::Io, text)));
        }
        let mut deadline = deadline;
        if waiting.id.is_some() || inbox.has_waiters() || !self.has_room(&inbox) {
            if self.poll_room(cx, &mut inbox, waiting, deadline)?.is_pending() {
                // The driver keeps the deadline.
                let waker = inbox.notify();
                drop(inbox);
                waker.into_iter().for_each(Waker::wake);
                return Poll::Pending;
            }
            deadline = waiting.deadline.into();
        }
        let ticket = inbox.take_slot(cx, taking);
        encode(&mut inbox.batch, ticket, deadline);
        // Should it fail, the slot has the error.
        let _ = self.see_to_it(inbox);
        Poll::Ready(Ok(ticket))
    }

    /// Submits a command whose reply is for nobody, without waiting for anything.
    pub(crate) fn submit_for_nobody<R>(self: &Arc<Self>, cmd: &Cmd<R>) -> Result<()> {
        let mut inbox = self.inbox();
        if inbox.is_closed() {
            return Err(closed());
        }
        if inbox.has_waiters() || !self.has_room(&inbox) {
            return Err(Error::new(
                ErrorKind::Limit,
                "the connection has no room for another request: wait for replies of others first",
            ));
        }
        let ticket = inbox.take_slot_of_nobody();
        inbox.batch.push(ticket, cmd, self.config.timeout(cmd.block()).into());
        self.see_to_it(inbox)
    }

    /// Something was put into the inbox: writes it, or sees to it that the driver does.
    #[inline]
    fn see_to_it<'a>(self: &'a Arc<Self>, mut inbox: MutexGuard<'a, Inbox>) -> Result<()> {
        let idle =
            inbox.under_way() == 1 && inbox.crowd <= CROWD && inbox.driven && !inbox.poisoned;
        let start = !std::mem::replace(&mut inbox.driven, true);
        if idle && !start {
            drop(inbox);
            if let Ok(mut driver) = self.driver.try_lock()
                && driver.write_now(self)
            {
                return Ok(());
            }
            inbox = self.inbox();
        }
        self.wake_driver(inbox, start)
    }

    /// The subscriptions on this link. Whoever changes them calls [`rouse`](Self::rouse), when they are given back.
    pub(crate) fn subscriptions(&self) -> MutexGuard<'_, Subscriptions> {
        let subscriptions = || Mutex::new(Subscriptions::new(self.config.clone()));
        lock(self.subscriptions.get_or_init(subscriptions))
    }

    /// Sees to it that the driver looks.
    pub(crate) fn rouse(self: &Arc<Self>) -> Result<()> {
        let mut inbox = self.inbox();
        if inbox.is_closed() {
            return Err(closed());
        }
        let start = !std::mem::replace(&mut inbox.driven, true);
        self.wake_driver(inbox, start)
    }

    /// As [`rouse`](Self::rouse), if there is a driver.
    pub(crate) fn rouse_if_driven(&self) {
        let waker = self.inbox().notify();
        waker.into_iter().for_each(Waker::wake);
    }

    #[inline]
    fn wake_driver(self: &Arc<Self>, mut inbox: MutexGuard<'_, Inbox>, start: bool) -> Result<()> {
        let waker = inbox.notify();
        drop(inbox);
        if start {
            return self.start_driver();
        }
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    #[cold]
    fn start_driver(self: &Arc<Self>) -> Result<()> {
        self.runtime.spawn(Box::pin(Task(self.clone()))).map_err(|error| {
            let error = Error::new(ErrorKind::Connect, format!("no task can be started: {error}"))
                .with_source(error);
            self.driver_gone(&error);
            error
        })
    }

    fn has_room(&self, inbox: &Inbox) -> bool {
        inbox.under_way() < self.config.max_in_flight
            && inbox.unsent + inbox.batch.bytes() <= self.config.max_unsent
    }

    fn poll_room(
        &self,
        cx: &mut Context<'_>,
        inbox: &mut Inbox,
        waiting: &mut Waiting,
        deadline: Deadline,
    ) -> Result<Poll<()>> {
        let now = Instant::now();
        if waiting.id.is_none() {
            waiting.deadline = deadline.at(now);
        } else if self.has_room(inbox) {
            return Ok(Poll::Ready(()));
        }
        if waiting.deadline.is_some_and(|deadline| deadline <= now) {
            return Err(Error::new(
                ErrorKind::Timeout,
                "the deadline passed while the link had no room for another request",
            ));
        }
        inbox.wait_for_room(&mut waiting.id, waiting.deadline, cx);
        Ok(Poll::Pending)
    }

    /// Gives up waiting for room.
    pub(crate) fn stop_waiting(&self, waiting: &Waiting) {
        if let Some(id) = waiting.id {
            let mut wake = Vec::new();
            self.inbox().stop_waiting(id, &mut wake);
            wake.into_iter().for_each(Waker::wake);
        }
    }

    /// The outcome of a request; its ticket is void then.
    #[inline]
    pub(crate) fn poll_outcome(&self, cx: &Context<'_>, ticket: Ticket) -> Poll<Outcome> {
        self.inbox().poll_outcome(ticket, cx)
    }

    /// As [`poll_outcome`](Self::poll_outcome), for a request that takes its replies as they come.
    pub(crate) fn poll_part(&self, cx: &Context<'_>, ticket: Ticket) -> Poll<Outcome> {
        let mut inbox = self.inbox();
        let Poll::Ready((outcome, resume)) = inbox.poll_part(ticket, cx) else {
            return Poll::Pending;
        };
        let waker = if resume { inbox.notify() } else { None };
        drop(inbox);
        waker.into_iter().for_each(Waker::wake);
        Poll::Ready(outcome)
    }

    /// Gives up a request: its replies, if any come, are for nobody.
    pub(crate) fn abandon(&self, ticket: Ticket) {
        let mut wake = Vec::new();
        self.inbox().abandon(ticket, &mut wake);
        wake.into_iter().for_each(Waker::wake);
    }

    /// The connection is out of step: another one takes its place.
    pub(crate) fn poison(&self) {
        let mut inbox = self.inbox();
        inbox.poisoned = true;
        let waker = inbox.notify();
        drop(inbox);
        waker.into_iter().for_each(Waker::wake);
    }

    /// Ends the link.
    pub(crate) fn close(&self, how: Closing) {
        let mut inbox = self.inbox();
        if inbox.closing != Some(Closing::Now) {
            inbox.closing = Some(how);
        }
        let waker = inbox.notify();
        drop(inbox);
        waker.into_iter().for_each(Waker::wake);
    }

    /// Requests that wait for replies.
    pub(crate) fn under_way(&self) -> usize {
        self.inbox().under_way()
    }

    /// Whether nothing is under way, and another request would be taken.
    pub(crate) fn is_clean(&self) -> bool {
        let inbox = self.inbox();
        inbox.under_way() == 0
            && inbox.owed == 0
            && !inbox.over
            && !inbox.poisoned
            && inbox.closing.is_none()
    }

    /// The driver's task ended without having been told to: its runtime is gone, or never was there.
    fn driver_gone(&self, error: &Error) {
        let mut driver = lock(&self.driver);
        *driver = Driver::new(new_session(&self.config, &self.seeds, self.once));
        let mut wake = Vec::new();
        let mut inbox = self.inbox();
        inbox.driven = false;
        inbox.over = self.once;
        inbox.unsent = 0;
        let not_sent = error.clone().with_delivery(Delivery::NotSent);
        let taken = error.clone().with_delivery(Delivery::MaybeExecuted);
        inbox.fail_all(&not_sent, &taken, &mut wake);
        drop(inbox);
        if let Some(subscriptions) = self.subscriptions.get() {
            let mut subscriptions = lock(subscriptions);
            subscriptions.shut(&not_sent);
            wake.extend(subscriptions.take_wakers());
        }
        drop(driver);
        wake.into_iter().for_each(Waker::wake);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that can panic runs under the lock, short of a bug.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the connection was closed")
}

fn new_session(config: &Arc<Config>, seeds: &Seeds, once: bool) -> Session {
    let seed = seeds.next_seed();
    match once {
        true => Session::once(config.clone(), Role::Commands, seed),
        false => Session::new(config.clone(), Role::Commands, seed),
    }
}

/// A caller's place among those who wait for room.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    id: Option<u64>,
    deadline: Option<Instant>,
}

impl Waiting {
    /// Until when it waits, once it does.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }
}

/// The driver's task: ends with its link.
struct Task(Arc<Link>);

impl Future for Task {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let link = &self.0;
        let mut driver = lock(&link.driver);
        driver.poll(link, cx)
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if !self.0.inbox().over {
            self.0.driver_gone(&Error::new(
                ErrorKind::Closed,
                "the runtime that drove the connection was shut down",
            ));
        }
    }
}

impl Driver {
    fn new(session: Session) -> Self {
        Self {
            session,
            pump: Pump::default(),
            armed: None,
            batch: Batch::default(),
            late: Vec::new(),
            waited: false,
            full: false,
            events: Vec::new(),
            wake: Vec::new(),
        }
    }

    /// The caller's own attempt to write: true when the driver need not look.
    fn write_now(&mut self, link: &Link) -> bool {
        if !self.session.is_ready() || !self.batch.is_empty() {
            return false;
        }
        let now = Instant::now();
        self.subscribe(link, now);
        std::mem::swap(&mut self.batch, &mut link.inbox().batch);
        if self.session.submit(now, &mut self.batch).is_err() {
            return false;
        }
        // Should the socket be full, the driver tries again, and is the one to be woken.
        self.pump.write(&mut self.session, &mut Context::from_waker(Waker::noop()));
        let timer_will_do = match (self.session.poll_timeout(), self.armed) {
            (None, _) => true,
            (Some(due), Some(armed)) => armed <= due,
            (Some(_), None) => false,
        };
        self.session.unsent() == 0
            && self.pump.is_flushed()
            && self.session.is_ready()
            && timer_will_do
    }

    fn poll(&mut self, link: &Arc<Link>, cx: &mut Context<'_>) -> Poll<()> {
        if self.waits_for_more(link, cx) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        for _ in 0..ROUNDS {
            let now = Instant::now();
            self.armed = self.armed.filter(|&armed| armed > now);
            self.subscribe(link, now);
            let due = self.take_inbox(link, now, cx);
            // This task may not have run for long: what has come by now tells more than the clock.
            let overdue = self.session.poll_timeout().is_some_and(|due| due <= now);
            let mut progress = overdue && self.read(link, now, cx);
            self.session.handle_timeout(now);
            progress |= self.pump.act(&mut self.session, &*link.runtime, now, cx);
            progress |= self.pump.write(&mut self.session, cx);
            progress |= self.read(link, now, cx);
            progress |= self.deliver(link, Bytes::new());
            if self.session.is_over() {
                return Poll::Ready(());
            }
            if !progress {
                return match self.poll_timer(link, due, cx) {
                    // A deadline has passed meanwhile.
                    Poll::Ready(()) => {
                        cx.waker().wake_by_ref();
                        Poll::Pending
                    }
                    Poll::Pending => Poll::Pending,
                };
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Whether to let callers run once more before writing: on several threads the driver comes while
    /// they are still encoding, and would write for each a few.
    fn waits_for_more(&mut self, link: &Link, cx: &Context<'_>) -> bool {
        let mut inbox = link.inbox();
        let batch = inbox.batch.len();
        let few = inbox.crowd >= CROWDED && batch > 0 && 2 * batch < inbox.crowd;
        self.waited = few && !self.waited;
        if self.waited {
            inbox.driver_looks(cx);
        }
        self.waited
    }

    /// Takes what callers left. Returns the next deadline of what the session has no room for.
    fn take_inbox(&mut self, link: &Link, now: Instant, cx: &Context<'_>) -> Option<Instant> {
        let mut inbox = link.inbox();
        inbox.driver_looks(cx);
        inbox.take_abandoned(|ticket| {
            if !self.batch.take_back(ticket) {
                self.session.abandon(ticket);
            }
        });
        inbox.unsent = self.session.unsent() + self.batch.bytes();
        inbox.owed = self.session.in_flight();
        if inbox.has_waiters() && link.has_room(&inbox) {
            let room = link.config.max_in_flight - inbox.under_way();
            inbox.wake_waiters(room, &mut self.wake);
        }
        let closing = inbox.closing;
        self.full = inbox.is_full();
        if std::mem::take(&mut inbox.poisoned) {
            self.session.handle_disconnect(now, Some(io::ErrorKind::InvalidData));
        }
        self.batch.append(&mut inbox.batch);
        let mut due = inbox.expire_waiters(now, &mut self.wake);
        drop(inbox);
        self.wake_all();
        if !self.batch.is_empty() && self.session.submit(now, &mut self.batch).is_err() {
            // It is full: the batch waits here until replies come, under its deadlines.
            let late = &mut self.late;
            let next = self.batch.expire(now, |ticket| late.push(ticket));
            due = due.into_iter().chain(next).min();
        }
        match closing {
            // What waits for a connection that is being opened is still sent.
            Some(Closing::Drain)
                if self.batch.is_empty()
                    && (self.session.is_ready() || self.session.in_flight() == 0) =>
            {
                self.session.close(now);
            }
            Some(Closing::Now) => {
                self.session.close(now);
                self.session.handle_disconnect(now, None);
            }
            _ => {}
        }
        due
    }

    fn read(&mut self, link: &Link, now: Instant, cx: &mut Context<'_>) -> Progress {
        if self.full {
            return false;
        }
        let Some(used) = self.pump.read(&mut self.session, now, cx, &mut self.events) else {
            return false;
        };
        if let Some(subscriptions) = link.subscriptions.get()
            && !self.events.is_empty()
        {
            let mut subscriptions = lock(subscriptions);
            subscriptions.handle_events(self.pump.recv.data(), &mut self.events);
            self.wake.append(&mut subscriptions.take_wakers());
            drop(subscriptions);
            self.wake_all();
        }
        if self.events.is_empty() {
            self.pump.recv.consume(used);
        } else {
            let chunk = self.pump.recv.take(used);
            self.deliver(link, chunk);
        }
        true
    }

    /// Sees to what is asked of the server for subscribers: before commands that were left later.
    fn subscribe(&mut self, link: &Link, now: Instant) {
        if let Some(subscriptions) = link.subscriptions.get() {
            let mut subscriptions = lock(subscriptions);
            subscriptions.drive(now, &mut self.session);
            self.wake.append(&mut subscriptions.take_wakers());
            drop(subscriptions);
            self.wake_all();
        }
    }

    /// Completes the slots of what was answered or has failed, under one lock; wakes without it.
    fn deliver(&mut self, link: &Link, chunk: Bytes) -> Progress {
        let failed = std::iter::from_fn(|| self.session.poll_event()).collect::<Vec<_>>();
        if self.events.is_empty() && failed.is_empty() && self.late.is_empty() {
            return false;
        }
        if let Some(subscriptions) = link.subscriptions.get()
            && !failed.is_empty()
        {
            let mut subscriptions = lock(subscriptions);
            failed.iter().for_each(|event| subscriptions.handle_event(event));
            self.wake.append(&mut subscriptions.take_wakers());
        }
        let mut inbox = link.inbox();
        if !self.events.is_empty() {
            inbox.crowd = self.events.len();
        }
        for event in self.events.drain(..) {
            // Pushes that are still here are for nobody.
            if let Event::Replies { ticket, range, done, .. } = event {
                inbox.add_replies(ticket, chunk.slice(range), done, &mut self.wake);
            }
        }
        for ticket in self.late.drain(..) {
            let error =
                Error::new(ErrorKind::Timeout, "the deadline passed while the connection was full");
            inbox.fail(ticket, error, Some(Instant::now()), &mut self.wake);
        }
        inbox.owed = self.session.in_flight();
        let mut over = None;
        for event in failed {
            match event {
                Event::Failed { ticket, error, deadline } => {
                    inbox.fail(ticket, error, deadline, &mut self.wake);
                }
                Event::Closed(error) => over = Some(error),
                _ => {}
            }
        }
        if let Some(error) = over.filter(|_| self.session.is_over()) {
            inbox.over = true;
            let error = error.with_delivery(Delivery::NotSent);
            inbox.fail_all(&error, &error, &mut self.wake);
        }
        drop(inbox);
        self.wake_all();
        true
    }

    fn wake_all(&mut self) {
        self.wake.drain(..).for_each(Waker::wake);
    }

    fn poll_timer(&mut self, link: &Link, due: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
        let due = [self.session.poll_timeout(), self.pump.poll_timeout(), due];
        let due = due.into_iter().flatten().min();
        // Without a deadline the timer stays as it is: it will do for the next one.
        let Some(due) = due else { return Poll::Pending };
        // A timer that wakes early does no harm; setting it anew each time would cost.
        let at = self.armed.filter(|&armed| armed <= due).unwrap_or(due);
        let polled = self.pump.poll_timer(&*link.runtime, cx, at);
        self.armed = polled.is_pending().then_some(at);
        polled
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("endpoint", &self.config.endpoint).finish_non_exhaustive()
    }
}
