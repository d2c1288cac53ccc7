//! A task beside the scenario, and its result: the same on every runtime.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;

use crate::subject::Subject;

/// Starts a task.
pub(crate) fn spawn<S: Subject, T: Send + 'static>(
    task: impl Future<Output = T> + Send + 'static,
) -> Join<T> {
    let shared = Arc::new(Mutex::new(State::Running(None)));
    let end = End(shared.clone());
    S::spawn(Box::pin(async move {
        let output = task.await;
        end.is(State::Done(output));
    }));
    Join(shared)
}

/// Runs what blocks, in a thread of its own.
pub(crate) fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Join<T> {
    let shared = Arc::new(Mutex::new(State::Running(None)));
    let end = End(shared.clone());
    thread::spawn(move || {
        let output = work();
        end.is(State::Done(output));
    });
    Join(shared)
}

/// Waits for a task. Dropping it lets the task run on.
pub(crate) struct Join<T>(Arc<Mutex<State<T>>>);

/// The task did not come to its end: it panicked, or its runtime ended.
#[derive(Debug)]
pub(crate) struct Lost;

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a task of the scenario panicked or was dropped")
    }
}

impl std::error::Error for Lost {}

enum State<T> {
    Running(Option<Waker>),
    Done(T),
    Lost,
}

fn lock<T>(shared: &Mutex<State<T>>) -> MutexGuard<'_, State<T>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Dropped before the task is done, it tells that it never will be.
struct End<T>(Arc<Mutex<State<T>>>);

impl<T> End<T> {
    fn is(&self, state: State<T>) {
        let mut shared = lock(&self.0);
        if let State::Running(waker) = &mut *shared {
            let waker = waker.take();
            *shared = state;
            drop(shared);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

impl<T> Drop for End<T> {
    fn drop(&mut self) {
        self.is(State::Lost);
    }
}

impl<T> Join<T> {
    /// Whether the task has ended.
    pub(crate) fn is_done(&self) -> bool {
        !matches!(*lock(&self.0), State::Running(_))
    }
}

impl<T> Future for Join<T> {
    type Output = Result<T, Lost>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut shared = lock(&self.0);
        match &mut *shared {
            State::Running(waker) => {
                *waker = Some(cx.waker().clone());
                Poll::Pending
            }
            ended => match std::mem::replace(ended, State::Lost) {
                State::Done(output) => Poll::Ready(Ok(output)),
                _ => Poll::Ready(Err(Lost)),
            },
        }
    }
}

/// What a future gives at once, if anything.
pub(crate) async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    poll_fn(|cx| match Pin::new(&mut *future).poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// What a future gives before `limit` is over; it is dropped then.
pub(crate) async fn first<F: Future + Unpin>(
    mut future: F,
    mut limit: impl Future<Output = ()> + Unpin,
) -> Option<F::Output> {
    poll_fn(|cx| match Pin::new(&mut future).poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Pin::new(&mut limit).poll(cx).map(|()| None),
    })
    .await
}

/// Waits for all of the futures, which are under way together; their outputs are in order.
pub(crate) async fn all<F: Future + Unpin>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.map(Some).collect();
    let mut outputs: Vec<_> = futures.iter().map(|_| None).collect();
    poll_fn(|cx| {
        let mut done = true;
        for (future, output) in futures.iter_mut().zip(&mut outputs) {
            let Some(running) = future else { continue };
            match Pin::new(running).poll(cx) {
                Poll::Ready(ready) => (*future, *output) = (None, Some(ready)),
                Poll::Pending => done = false,
            }
        }
        if done { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    outputs.into_iter().flatten().collect()
}
