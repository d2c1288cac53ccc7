//! A subscriber's connection and the task that moves its bytes, whoever reads and subscribes.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use redis_core::pubsub::{Message, PubSub as Machine};
use redis_core::{Error, ErrorKind, Result};

use crate::feed::Feed;
use crate::pool::Reserved;
use crate::pubsub::Handler;
use crate::pump::Progress;
use crate::runtime::Runtime;

/// Reads before other tasks have their turn.
const ROUNDS: usize = 16;

pub(crate) struct Subscriber {
    runtime: Arc<dyn Runtime>,
    state: Mutex<State>,
}

pub(crate) type Guard<'a> = MutexGuard<'a, State>;

pub(crate) struct State {
    feed: Feed<Machine<Handler>>,
    /// There is a task.
    started: bool,
    /// Of the task.
    task: Option<Waker>,
    /// Of who reads.
    reader: Option<Waker>,
    /// Of who waits for the link.
    waiting: Vec<Waker>,
    /// To be woken once nothing is locked.
    due: Vec<Waker>,
    /// The connection's place in the pool.
    pub(crate) place: Option<Reserved>,
    stopped: bool,
    /// Others than the reader may subscribe.
    pub(crate) shared: bool,
    /// It waits for its place.
    pub(crate) queued: bool,
    /// It is to rest once everything is answered.
    pub(crate) ending: bool,
    /// Of who has to know what the machine reports.
    pub(crate) follower: Option<Waker>,
}

impl Subscriber {
    pub(crate) fn new(machine: Machine<Handler>, runtime: Arc<dyn Runtime>) -> Arc<Self> {
        let state = State {
            feed: Feed::new(machine, runtime.clone()),
            started: false,
            task: None,
            reader: None,
            waiting: Vec::new(),
            due: Vec::new(),
            place: None,
            stopped: false,
            shared: false,
            queued: false,
            ending: false,
            follower: None,
        };
        Arc::new(Self { runtime, state: Mutex::new(state) })
    }

    pub(crate) fn runtime(&self) -> &Arc<dyn Runtime> {
        &self.runtime
    }

    pub(crate) fn lock(&self) -> Guard<'_> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody has changed what the machine wants: the task has to look, which is started with the first.
    pub(crate) fn start(self: &Arc<Self>, mut state: Guard<'_>) -> Result<()> {
        if state.started {
            let task = state.task.clone();
            drop(state);
            task.into_iter().for_each(Waker::wake);
            return Ok(());
        }
        state.started = true;
        drop(state);
        self.runtime.spawn(Box::pin(Task(self.clone()))).map_err(|error| {
            // The task was dropped, which is the end only where there was one.
            let mut state = self.lock();
            (state.started, state.stopped) = (false, false);
            no_task(error)
        })
    }

    /// Waits until the link is ready, or there is one failure more.
    pub(crate) fn poll_ready(&self, cx: &mut Context<'_>, failures: u64) -> Poll<Result<()>> {
        let mut state = self.lock();
        if state.machine().is_ready() {
            return Poll::Ready(Ok(()));
        }
        if let Some(error) = state.machine().failure_since(failures) {
            return Poll::Ready(Err(error));
        }
        if state.stopped {
            return Poll::Ready(Err(closed()));
        }
        state.wait(cx);
        Poll::Pending
    }

    /// Waits until what was asked is written, or the link is lost.
    pub(crate) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        let task = state.task_or(cx);
        let flushed = state.feed.poll_flush(&mut Context::from_waker(&task));
        if flushed.is_pending() {
            state.wait(cx);
        }
        drop(state);
        // It has other deadlines now.
        task.wake();
        flushed
    }

    /// Closes the connection and ends the task.
    pub(crate) fn stop(&self) {
        let mut state = self.lock();
        state.stopped = true;
        state.feed.close();
        let wakers = state.take_wakers();
        let task = state.task.take();
        let place = state.place.take();
        drop(state);
        drop(place);
        wakers.into_iter().chain(task).for_each(Waker::wake);
    }
}

impl State {
    pub(crate) fn machine(&mut self) -> &mut Machine<Handler> {
        &mut self.feed.machine
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Closes the connection, if nothing is to be said on it any more; gives its place back without the lock.
    pub(crate) fn rest(&mut self) -> Option<Reserved> {
        if !self.ending || self.machine().is_subscribed() {
            return None;
        }
        if self.machine().rest(Instant::now()) {
            self.feed.close();
            self.due.extend(self.task.clone());
        }
        self.place.take_if(|_| self.feed.machine.is_idle())
    }

    pub(crate) fn poll_message(&mut self) -> Option<Result<(Message, Option<Handler>)>> {
        let held = self.feed.machine.is_held();
        let message = self.feed.machine.poll_message()?;
        if held && !self.feed.machine.is_held() {
            self.due.extend(self.task.clone());
        }
        Some(message)
    }

    /// For the reader: what the task would do.
    pub(crate) fn turn(&mut self, cx: &Context<'_>) -> Progress {
        let task = self.task_or(cx);
        let progress = self.feed.turn(&mut Context::from_waker(&task));
        if progress {
            self.due.append(&mut self.waiting);
            // It has other deadlines now.
            self.due.push(task);
        }
        progress
    }

    /// Wake these when the lock is given back.
    pub(crate) fn take_due(&mut self) -> Vec<Waker> {
        std::mem::take(&mut self.due)
    }

    /// Who is woken by the socket: the task, if it was there yet.
    fn task_or(&self, cx: &Context<'_>) -> Waker {
        self.task.as_ref().unwrap_or(cx.waker()).clone()
    }

    pub(crate) fn reader_waits(&mut self, cx: &Context<'_>) {
        match &mut self.reader {
            Some(reader) => reader.clone_from(cx.waker()),
            None => self.reader = Some(cx.waker().clone()),
        }
    }

    fn wait(&mut self, cx: &Context<'_>) {
        if !self.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.waiting.push(cx.waker().clone());
        }
    }

    fn take_wakers(&mut self) -> Vec<Waker> {
        let mut wakers = std::mem::take(&mut self.waiting);
        wakers.extend(self.reader.take());
        wakers
    }
}

/// Moves the bytes, for as long as the subscriptions are not dropped.
struct Task(Arc<Subscriber>);

impl Future for Task {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.lock();
        if state.stopped {
            return Poll::Ready(());
        }
        match &mut state.task {
            Some(task) => task.clone_from(cx.waker()),
            None => state.task = Some(cx.waker().clone()),
        }
        let mut rounds = 0;
        while rounds < ROUNDS && (state.feed.turn(cx) || state.feed.poll_timer(cx, None).is_ready())
        {
            rounds += 1;
        }
        if rounds == ROUNDS {
            cx.waker().wake_by_ref();
        }
        let mut wakers = if rounds > 0 { state.take_wakers() } else { Vec::new() };
        if state.machine().has_report() || state.ending {
            wakers.extend(state.follower.take());
        }
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        Poll::Pending
    }
}

impl Drop for Task {
    /// Also with its runtime: then nobody moves anything any longer.
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// The error of everything that was stopped.
pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the subscriptions were closed")
}

pub(crate) fn no_task(error: io::Error) -> Error {
    Error::new(ErrorKind::Connect, format!("no task can be started: {error}")).with_source(error)
}
