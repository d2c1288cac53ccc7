//! Ends a task that reads, and tells when it has ended.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

#[derive(Debug, Default)]
pub(crate) struct Stop(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    stopped: bool,
    ended: bool,
    /// Of the task.
    task: Option<Waker>,
    /// Of who waits for its end.
    waiting: Option<Waker>,
}

impl Stop {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn stop(&self) {
        let mut state = self.lock();
        state.stopped = true;
        let waker = state.task.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }

    /// The task has ended, by itself or with its runtime.
    pub(crate) fn ended(&self) {
        let mut state = self.lock();
        state.ended = true;
        let waker = state.waiting.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.lock().ended
    }

    /// For the task: ready when it is to end.
    pub(crate) fn poll_stopped(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.stopped {
            return Poll::Ready(());
        }
        wait(&mut state.task, cx)
    }

    /// Ready when the task has ended.
    pub(crate) fn poll_ended(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.ended {
            return Poll::Ready(());
        }
        wait(&mut state.waiting, cx)
    }
}

fn wait(waker: &mut Option<Waker>, cx: &Context<'_>) -> Poll<()> {
    match waker {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *waker = Some(cx.waker().clone()),
    }
    Poll::Pending
}
