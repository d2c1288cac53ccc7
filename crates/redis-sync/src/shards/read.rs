//! Reads all links in turn, under one deadline.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use redis_core::pubsub::{Message, MessageKind, PubSub as Machine, nothing_to_wait_for};
use redis_core::{Endpoint, Error, ErrorKind, Result};

use super::{Link, Shards};
use crate::feed::{Feed, closed};
use crate::pubsub::Handler;

/// What a reader keeps from one message to the next.
#[derive(Default)]
pub(crate) struct Reader {
    links: Vec<Arc<Link>>,
    /// How old they are.
    version: u64,
    /// Whose turn it is.
    turn: usize,
}

type Of = Arc<Feed<Machine<Handler>>>;

/// Whom to read.
#[derive(Clone, Copy)]
pub(crate) enum Whom<'a> {
    /// What has the channels and patterns, and all nodes.
    All(&'a Of),
    /// All nodes.
    Nodes,
    /// A single node.
    Node(&'a Endpoint),
}

/// A message, with the handler it is for, if any.
type Heard = (Message, Option<Handler>);

impl Shards {
    /// The next message, unless the time passes, or, where that is asked for, listening is over.
    pub(crate) fn next(
        &self,
        reader: &mut Reader,
        whom: Whom<'_>,
        ends: bool,
        timeout: Option<Duration>,
    ) -> Result<Option<Heard>> {
        // A message that is there needs no look at the clock.
        let mut start = None;
        loop {
            let seen = self.news.count();
            let is_over = || ends && matches!(whom, Whom::All(main) if self.is_over(main));
            if is_over() {
                return Ok(None);
            }
            if let Some(next) = self.take(reader, whom, ends)? {
                return next.map(Some);
            }
            let now = Instant::now();
            let start = *start.get_or_insert(now);
            let deadline = timeout.and_then(|timeout| start.checked_add(timeout));
            match deadline {
                // The last of it may have come after it was looked for.
                None if self.is_idle(whom) => {
                    return if is_over() { Ok(None) } else { Err(nothing_to_wait_for()) };
                }
                Some(deadline) if deadline <= now => return Ok(None),
                _ => self.news.wait(seen, deadline),
            }
        }
    }

    /// What is there.
    fn take(
        &self,
        reader: &mut Reader,
        whom: Whom<'_>,
        ends: bool,
    ) -> Result<Option<Result<Heard>>> {
        let mut state = self.lock();
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
            let feed = sources[at];
            let mut state = feed.lock();
            // One that refuses for good has nothing else to say.
            let over = ends && state.machine.is_over();
            let held = state.machine.is_held();
            let next = if over { None } else { state.machine.poll_message() };
            if next.is_none() {
                stopped |= state.is_stopped() && !state.ending;
            }
            let goes_on = held && !state.machine.is_held();
            // The thread that follows closes it once nothing waits.
            let drained = state.ending && state.machine.is_over();
            drop(state);
            if goes_on {
                feed.changed();
            }
            if drained {
                self.work.raise();
            }
            if let Some(next) = next {
                found = Some((at, next));
                break;
            }
        }
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

    /// Whether listening has come to its end.
    pub(crate) fn is_over(&self, main: &Of) -> bool {
        main.lock().machine.is_over()
            && self
                .calm()
                .is_some_and(|links| links.iter().all(|link| link.feed.lock().machine.is_over()))
    }

    /// Whether nothing will ever come.
    fn is_idle(&self, whom: Whom<'_>) -> bool {
        let idle = |feed: &Of| {
            let state = feed.lock();
            // One that is wanted waits for its place.
            state.machine.is_exhausted() && !state.machine.is_wanted()
        };
        let main = match whom {
            Whom::All(main) => idle(main),
            _ => true,
        };
        main && !self.lock().shared
            && self.calm().is_some_and(|links| links.iter().all(|link| idle(&link.feed)))
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
    fn sources<'a>(&'a self, whom: Whom<'a>) -> Result<Vec<&'a Of>> {
        let nodes = self.links.iter();
        if let Whom::Node(endpoint) = whom {
            let of_node = nodes.filter(|link| link.endpoint == *endpoint);
            let sources: Vec<_> = of_node.map(|link| &link.feed).collect();
            return match sources.is_empty() {
                true => Err(nothing_there(endpoint)),
                false => Ok(sources),
            };
        }
        let main = match whom {
            Whom::All(main) => Some(main),
            _ => None,
        };
        Ok(main.into_iter().chain(nodes.map(|link| &link.feed)).collect())
    }
}

/// The error of naming a node that has no channels.
fn nothing_there(endpoint: &Endpoint) -> Error {
    let text = format!("no shard channel is subscribed at {endpoint}: there is nothing to read");
    Error::new(ErrorKind::InvalidRequest, text)
}
