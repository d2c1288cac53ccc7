//! Reads all links in turn, under one deadline.

use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use redis_core::pubsub::{Message, MessageKind, nothing_to_wait_for};
use redis_core::{Endpoint, Error, ErrorKind, Result};

use super::{Link, Shards};
use crate::pubsub::Handler;
use crate::pump::Progress;
use crate::runtime::Timer;
use crate::subscriber::{Subscriber, closed};

/// What a reader keeps from one message to the next.
#[derive(Default)]
pub(crate) struct Reader {
    links: Vec<Arc<Link>>,
    /// How old they are.
    version: u64,
    /// Whose turn it is.
    turn: usize,
    timer: Option<Box<dyn Timer>>,
}

/// Whom to read.
#[derive(Clone, Copy)]
pub(crate) enum Whom<'a> {
    /// What has the channels and patterns, and all nodes.
    All(&'a Arc<Subscriber>),
    /// All nodes.
    Nodes,
    /// A single node.
    Node(&'a Endpoint),
}

/// A message, with the handler it is for, if any.
type Heard = (Message, Option<Handler>);

impl Shards {
    /// The next message, unless the deadline passes, or, where that is asked for, listening is over.
    pub(crate) fn poll_message(
        &self,
        cx: &mut Context<'_>,
        reader: &mut Reader,
        whom: Whom<'_>,
        ends: bool,
        deadline: Option<Instant>,
    ) -> Poll<Result<Option<Heard>>> {
        loop {
            let is_over = || ends && matches!(whom, Whom::All(main) if self.is_over(main));
            if is_over() {
                return Poll::Ready(Ok(None));
            }
            if let Some(next) = self.take(cx, reader, whom, ends)? {
                return Poll::Ready(next.map(Some));
            }
            match deadline {
                // The last of it may have come after it was looked for.
                None if self.is_idle(whom) => {
                    let end = if is_over() { Ok(None) } else { Err(nothing_to_wait_for()) };
                    return Poll::Ready(end);
                }
                // The deadline is looked at after what is there: that counts.
                Some(deadline) if deadline <= Instant::now() => {
                    if reader.turn_all(cx, whom) {
                        continue;
                    }
                    return Poll::Ready(Ok(None));
                }
                Some(deadline) => {
                    let timer = reader.timer.get_or_insert_with(|| self.nodes.runtime().timer());
                    if timer.poll_at(cx, deadline).is_ready() {
                        continue;
                    }
                }
                None => {}
            }
            return Poll::Pending;
        }
    }

    /// What is there. If nothing, the reader is woken when there is something.
    fn take(
        &self,
        cx: &Context<'_>,
        reader: &mut Reader,
        whom: Whom<'_>,
        ends: bool,
    ) -> Result<Option<Result<Heard>>> {
        let mut state = self.lock();
        match &mut state.reader {
            Some(waker) => waker.clone_from(cx.waker()),
            None => state.reader = Some(cx.waker().clone()),
        }
        if !matches!(whom, Whom::Node(_))
            && let Some(notice) = state.machine.poll_notice()
        {
            return Ok(Some(notice.map(|message| (message, None))));
        }
        if reader.version != state.version {
            reader.links.clone_from(&state.links);
            reader.version = state.version;
        }
        let mut stopped = state.stopped;
        drop(state);
        let sources = reader.sources(whom)?;
        let count = sources.len();
        let start = reader.turn;
        let mut found = None;
        for at in (0..count).map(|at| (start + at) % count) {
            let (subscriber, node) = &sources[at];
            let mut state = subscriber.lock();
            // One that refuses for good has nothing else to say.
            let over = ends && state.machine().is_over();
            let next = if over { None } else { state.poll_message() };
            if next.is_none() {
                state.reader_waits(cx);
                stopped |= state.is_stopped() && !state.ending;
            }
            let due = state.take_due();
            // The task closes it once nothing waits.
            let drained = state.ending && state.machine().is_over();
            drop(state);
            due.into_iter().for_each(Waker::wake);
            if *node && drained {
                self.wake_task();
            }
            if let Some(next) = next {
                found = Some((at, next));
                break;
            }
        }
        drop(sources);
        let Some((at, next)) = found else {
            return if stopped { Err(closed()) } else { Ok(None) };
        };
        reader.turn = at + 1;
        Ok(Some(next.map(|(message, handler)| {
            let handler = handler.or_else(|| self.handler(&message));
            (message, handler)
        })))
    }

    fn handler(&self, message: &Message) -> Option<Handler> {
        match message.kind {
            MessageKind::SMessage => self.lock().machine.handler(&message.channel).cloned(),
            _ => None,
        }
    }

    fn wake_task(&self) {
        let task = self.lock().task.clone();
        task.into_iter().for_each(Waker::wake);
    }

    /// Whether listening has come to its end.
    pub(crate) fn is_over(&self, main: &Subscriber) -> bool {
        main.lock().machine().is_over()
            && self.calm().is_some_and(|links| {
                links.iter().all(|link| link.subscriber.lock().machine().is_over())
            })
    }

    /// Whether nothing will ever come.
    fn is_idle(&self, whom: Whom<'_>) -> bool {
        let idle = |subscriber: &Subscriber| {
            let mut state = subscriber.lock();
            state.machine().is_exhausted() && !state.queued
        };
        let main = match whom {
            Whom::All(main) => idle(main),
            _ => true,
        };
        main && !self.lock().shared
            && self.calm().is_some_and(|links| links.iter().all(|link| idle(&link.subscriber)))
    }

    /// All links, unless something is on its way to them, or to the reader.
    fn calm(&self) -> Option<Vec<Arc<Link>>> {
        // What was said and is not done yet is done by then.
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self.lock();
        let machine = &state.machine;
        let moves = machine.is_placing() || machine.has_notice() || machine.has_action();
        (!moves).then(|| state.links.clone())
    }
}

impl Reader {
    /// Whom to read, and whether it is a node's.
    fn sources<'a>(&'a self, whom: Whom<'a>) -> Result<Vec<(&'a Arc<Subscriber>, bool)>> {
        let nodes = self.links.iter();
        if let Whom::Node(endpoint) = whom {
            let of_node = nodes.filter(|link| link.endpoint == *endpoint);
            let sources: Vec<_> = of_node.map(|link| (&link.subscriber, true)).collect();
            return match sources.is_empty() {
                true => Err(nothing_there(endpoint)),
                false => Ok(sources),
            };
        }
        let main = match whom {
            Whom::All(main) => Some((main, false)),
            _ => None,
        };
        Ok(main.into_iter().chain(nodes.map(|link| (&link.subscriber, true))).collect())
    }

    /// Does what the tasks would do.
    fn turn_all(&self, cx: &Context<'_>, whom: Whom<'_>) -> Progress {
        let mut progress = false;
        for (subscriber, _) in self.sources(whom).unwrap_or_default() {
            let mut state = subscriber.lock();
            progress |= state.turn(cx);
            let due = state.take_due();
            drop(state);
            due.into_iter().for_each(Waker::wake);
        }
        progress
    }
}

/// The error of naming a node that has no channels.
fn nothing_there(endpoint: &Endpoint) -> Error {
    let text = format!("no shard channel is subscribed at {endpoint}: there is nothing to read");
    Error::new(ErrorKind::InvalidRequest, text)
}
