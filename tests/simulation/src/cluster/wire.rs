//! A client's connection to a node: requests and replies in their order, both on their way for a while, and what
//! becomes of them when the connection is lost.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use rand::RngExt;
use rand::rngs::SmallRng;
use redis_cluster::{Link, NodeId, SendId};
use resp_proto::{Limits, RequestDecoder};

use super::model::{Conn, Model};

/// Whom a reply is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum To {
    /// A send of the exchange that this task runs.
    Exchange(usize, SendId),
    /// A task that speaks to the node itself.
    Task(usize),
    /// The client's map.
    Map,
    Nobody,
}

/// A request that was taken and is not answered in full.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) to: To,
    pub(super) replies: u32,
    pub(super) deadline: Option<Instant>,
    /// Not all is open yet: nothing of it was written.
    bytes: Option<Vec<u8>>,
    /// Replies of who takes them all at once.
    held: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Opening(Instant),
    Open,
    Lost,
}

pub(super) struct Wire {
    pub(super) client: usize,
    pub(super) id: NodeId,
    pub(super) link: Link,
    /// A task's own.
    pub(super) own: Option<usize>,
    pub(super) state: State,
    pub(super) conn: Conn,
    pub(super) pending: VecDeque<Pending>,
    /// Commands on their way to the node.
    inbound: VecDeque<(Instant, Vec<Bytes>)>,
    outbound: VecDeque<(Instant, Vec<u8>)>,
    last: (Instant, Instant),
    delay: Duration,
    /// Nothing more is sent on it: it ends once all is answered.
    pub(super) retired: bool,
    /// Nothing gets through until then.
    pub(super) cut_off: Instant,
}

impl Wire {
    pub(super) fn new(
        (client, id, link, own): (usize, NodeId, Link, Option<usize>),
        node: usize,
        now: Instant,
        delay: Duration,
        cut_off: Instant,
    ) -> Self {
        let conn = Conn::new(node, link == Link::Replica);
        Self {
            client,
            id,
            link,
            own,
            state: State::Opening(now + delay),
            conn,
            pending: VecDeque::new(),
            inbound: VecDeque::new(),
            outbound: VecDeque::new(),
            last: (now, now),
            delay,
            retired: false,
            cut_off,
        }
    }

    pub(super) fn submit(
        &mut self,
        now: Instant,
        rng: &mut SmallRng,
        to: To,
        replies: u32,
        deadline: Option<Instant>,
        bytes: Vec<u8>,
    ) {
        self.pending.push_back(Pending {
            to,
            replies,
            deadline,
            bytes: Some(bytes),
            held: Vec::new(),
        });
        if self.state == State::Open {
            self.write(now, rng);
        }
    }

    /// Writes what was not.
    pub(super) fn write(&mut self, now: Instant, rng: &mut SmallRng) {
        for pending in &mut self.pending {
            let Some(bytes) = pending.bytes.take() else { continue };
            let mut input = BytesMut::from(&bytes[..]);
            let (mut decoder, mut words) = (RequestDecoder::new(Limits::default()), Vec::new());
            let mut count = 0;
            while decoder.decode(&mut input, &mut words).is_ok_and(|whole| whole) {
                let way = self.delay.mul_f64(rng.random_range(0.0..=1.0));
                let at = self.last.0.max(now + way);
                self.last.0 = at;
                self.inbound.push_back((at, std::mem::take(&mut words)));
                count += 1;
            }
            assert!(input.is_empty(), "not whole commands: {:?}", String::from_utf8_lossy(&bytes));
            assert_eq!(count, pending.replies, "so many replies were announced");
        }
    }

    /// When something arrives.
    pub(super) fn due(&self) -> Option<Instant> {
        let opening = match self.state {
            State::Opening(at) => Some(at),
            _ => None,
        };
        let inbound = self.inbound.front().map(|(at, _)| (*at).max(self.cut_off));
        let open = self.state == State::Open;
        let outbound = self.outbound.front().filter(|_| open);
        let outbound = outbound.map(|(at, _)| (*at).max(self.cut_off));
        let waiting = self.pending.iter().filter(|_| self.state != State::Lost);
        let deadline = waiting.filter_map(|pending| pending.deadline).min();
        [opening, inbound, outbound, deadline].into_iter().flatten().min()
    }

    /// Lets the node handle one command that has arrived.
    pub(super) fn serve(&mut self, now: Instant, model: &mut Model, rng: &mut SmallRng) -> bool {
        let due = self.inbound.front().is_some_and(|(at, _)| (*at).max(self.cut_off) <= now);
        if !due {
            return false;
        }
        if !model.nodes[self.conn.node].up {
            self.inbound.clear();
            return false;
        }
        if let Some((_, words)) = self.inbound.pop_front() {
            let frame = model.handle(now, &mut self.conn, &words);
            if self.state != State::Lost {
                self.push(now, rng, frame);
            }
        }
        true
    }

    fn push(&mut self, now: Instant, rng: &mut SmallRng, frame: Vec<u8>) {
        let way = self.delay.mul_f64(rng.random_range(0.0..=1.0));
        let at = self.last.1.max(now + way);
        self.last.1 = at;
        self.outbound.push_back((at, frame));
    }

    /// Reply frames that have arrived, with whom they are for: those of one request at a time.
    pub(super) fn receive(&mut self, now: Instant) -> Option<(To, Vec<u8>)> {
        let pending = self.pending.front_mut()?;
        let mut frames = Vec::new();
        while pending.replies > 0
            && let Some((_, frame)) =
                self.outbound.pop_front_if(|(at, _)| (*at).max(self.cut_off) <= now)
        {
            frames.extend(frame);
            pending.replies -= 1;
        }
        if frames.is_empty() {
            return None;
        }
        let to = pending.to;
        if matches!(to, To::Task(_)) {
            pending.held.extend(frames);
            if pending.replies > 0 {
                return None;
            }
            frames = std::mem::take(&mut pending.held);
        }
        if pending.replies == 0 {
            self.pending.pop_front();
        }
        Some((to, frames))
    }

    /// Requests whose deadline has passed: nobody waits for them any more.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<(To, bool)> {
        let mut late = Vec::new();
        for pending in &mut self.pending {
            if pending.deadline.is_some_and(|deadline| deadline <= now) {
                pending.deadline = None;
                late.push((
                    std::mem::replace(&mut pending.to, To::Nobody),
                    pending.bytes.is_some(),
                ));
            }
        }
        // What was not written is taken back.
        self.pending.retain(|pending| pending.bytes.is_none() || pending.to != To::Nobody);
        late
    }

    /// The connection is lost. What is on its way to the node may still arrive, all of it or the first part.
    /// Gives whom to tell, and whether nothing of theirs was written.
    pub(super) fn lose(&mut self, rng: &mut SmallRng) -> Vec<(To, bool)> {
        self.state = State::Lost;
        self.outbound.clear();
        if !self.inbound.is_empty() {
            let arrives = rng.random_range(0..=self.inbound.len());
            self.inbound.truncate(arrives);
        }
        self.pending.drain(..).map(|pending| (pending.to, pending.bytes.is_some())).collect()
    }

    /// The node is gone, and what was on its way too.
    pub(super) fn drop_inbound(&mut self) {
        self.inbound.clear();
    }

    /// Whether nothing can come of it any more.
    pub(super) fn is_over(&self) -> bool {
        let lost = self.state == State::Lost || self.retired && self.pending.is_empty();
        lost && self.inbound.is_empty()
    }
}
