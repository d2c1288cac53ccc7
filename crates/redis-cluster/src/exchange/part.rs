//! One thing that is sent by itself: a command, a part of one, or a transaction.
//!
//! Owns where it stands. What happens next is the exchange's to say.

use std::time::Instant;

use redis_core::Error;
use redis_core::retry::Retry;

use crate::plan::Scope;
use crate::registry::NodeId;

/// No part, no group.
pub(super) const NONE: u32 = u32::MAX;

/// Where a part is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// To the node of this slot.
    Slot(u16),
    /// To any primary.
    Any,
    /// To this node and no other: a part of what goes to many nodes, if it is in a group, or what the caller
    /// named.
    Node(NodeId, super::Link),
    /// To all of these, each with a part of its own.
    Every(Scope),
}

/// What is written for a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The command, as the source writes it.
    Command(u32),
    /// All of the source: a transaction.
    All,
    /// Bytes of the exchange's own: which of its ranges.
    Own(u32),
}

/// Where a frame, or a run of frames, is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) chunk: u32,
    pub(super) start: usize,
    pub(super) end: usize,
}

#[derive(Debug)]
pub(super) enum State {
    /// In the line of those that are to be sent.
    Ready,
    Sent,
    /// Again, at that time.
    Waiting(Instant),
    /// Until there is a node for it: since so many refreshes had ended.
    Stranded(u64),
    /// Until the parts of this group are over.
    Grouped(u32),
    /// A [`Place`], whose fields lie better here.
    Done {
        chunk: u32,
        start: usize,
        end: usize,
    },
    Failed(Error),
}

impl From<Place> for State {
    #[inline]
    fn from(Place { chunk, start, end }: Place) -> Self {
        Self::Done { chunk, start, end }
    }
}

impl State {
    /// Where the reply is, or why there is none; nothing while it is to come.
    #[inline]
    pub(super) fn result(&self) -> Option<Result<Place, &Error>> {
        match *self {
            Self::Done { chunk, start, end } => Some(Ok(Place { chunk, start, end })),
            Self::Failed(ref error) => Some(Err(error)),
            _ => None,
        }
    }
}

/// Small, since a pipeline has one for each of its commands: what hardly any of them has, and what many of them
/// share, is elsewhere.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) goal: Goal,
    pub(super) form: Form,
    pub(super) state: State,
    /// Which of the exchange's units it is.
    pub(super) unit: u32,
    /// It may be read from a replica.
    pub(super) reads: bool,
    /// Its answer says which words are keys.
    pub(super) asks_keys: bool,
    /// The next part in the same line or on the same connection.
    pub(super) next: u32,
    /// The group that it is a part of.
    pub(super) group: u32,
    pub(super) trouble: Option<Box<Trouble>>,
}

/// Of a part that was not run where it was sent first.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    /// The node to go to the next time, as a redirect says, and whether with ASKING.
    pub(super) redirect: Option<(NodeId, bool)>,
    /// The node that failed last.
    pub(super) avoid: Option<NodeId>,
    /// What nodes said instead of running it, so many times.
    pub(super) refusals: u32,
    /// Why it was not run the last time.
    pub(super) last: Option<Error>,
    pub(super) retry: Option<Retry>,
}

impl Part {
    pub(super) fn new(goal: Goal, form: Form, unit: u32) -> Self {
        Self {
            goal,
            form,
            state: State::Ready,
            unit,
            reads: false,
            asks_keys: false,
            next: NONE,
            group: NONE,
            trouble: None,
        }
    }

    pub(super) fn trouble(&self) -> Option<&Trouble> {
        self.trouble.as_deref()
    }

    pub(super) fn trouble_mut(&mut self) -> &mut Trouble {
        self.trouble.get_or_insert_default()
    }

    #[inline]
    pub(super) fn redirect(&self) -> Option<(NodeId, bool)> {
        self.trouble.as_ref()?.redirect
    }

    /// Goes where its goal says, whatever a node said before.
    pub(super) fn forget_redirect(&mut self) {
        if let Some(trouble) = &mut self.trouble {
            trouble.redirect = None;
        }
    }

    /// Whether it is sent with ASKING before it.
    #[inline]
    pub(super) fn is_asking(&self) -> bool {
        matches!(self.redirect(), Some((_, true)))
    }
}
