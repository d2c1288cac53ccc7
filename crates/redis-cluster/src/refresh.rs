//! When the map is asked for, of whom, and until when.
//!
//! Owns the one refresh at a time: its throttle, whom it has asked, what they said. What the views mean for the
//! map is the cluster's to say.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use redis_core::{Backoff, Endpoint, Error, Result};

use crate::ClusterConfig;
use crate::address::Origin;
use crate::registry::NodeId;
use crate::topology::Topology;
use crate::view::View;

/// Nodes that are asked in one refresh, at the most.
const MAX_ASKED: usize = 16;

/// Who can be asked: seeds become nodes when they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Candidate {
    Node(NodeId),
    Seed(Endpoint),
}

#[derive(Debug)]
pub(crate) struct Refresh {
    interval: Duration,
    check_interval: Option<Duration>,
    views: usize,
    backoff: Backoff,
    /// How long a node may take to answer.
    patience: Duration,
    /// When the next one is to begin.
    due: Option<Instant>,
    /// When one is due although nobody wants it.
    check_at: Option<Instant>,
    began: Option<Instant>,
    /// Refreshes that brought nothing since the last one that did.
    failed: u32,
    round: Option<Round>,
    rng: SmallRng,
}

#[derive(Debug, Default)]
struct Round {
    candidates: VecDeque<Candidate>,
    /// Who has not answered yet, and until when it may.
    asked: Vec<(NodeId, Instant)>,
    /// Everybody who was.
    tried: Vec<NodeId>,
    views: Vec<Told>,
    error: Option<Error>,
}

/// What some nodes said alike.
#[derive(Debug)]
struct Told {
    view: View,
    answered: Endpoint,
    topology: Topology,
    votes: usize,
}

/// What a refresh brought.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// What nodes said, and how many of them: of none, nobody answered.
    pub(crate) views: Vec<(Topology, usize)>,
    /// Why one did not.
    pub(crate) error: Option<Error>,
}

impl Round {
    /// Counts a view to those that are the same.
    fn add(&mut self, view: View, origin: &Origin<'_>) -> Result<usize> {
        let same = |told: &Told| {
            told.view == view && (view.is_absolute() || told.answered == *origin.answered)
        };
        if let Some(at) = self.views.iter().position(same) {
            self.views[at].votes += 1;
            return Ok(at);
        }
        let (topology, answered) = (view.topology(origin), origin.answered.clone());
        if topology.coverage() == 0 {
            return Err(Error::decode(format!("{answered} knows of no slot that has a node")));
        }
        self.views.push(Told { view, answered, topology, votes: 1 });
        Ok(self.views.len() - 1)
    }
}

impl Refresh {
    pub(crate) fn new(
        settings: &ClusterConfig,
        backoff: Backoff,
        patience: Duration,
        seed: u64,
    ) -> Self {
        Self {
            interval: settings.refresh_interval,
            check_interval: settings.check_interval,
            views: settings.views.max(1),
            backoff,
            patience,
            due: None,
            check_at: None,
            began: None,
            failed: 0,
            round: None,
            rng: SmallRng::seed_from_u64(seed),
        }
    }

    /// Asks for a refresh: as soon as the throttle lets it. While one is under way, for another one behind it.
    pub(crate) fn want(&mut self, now: Instant) {
        if self.due.is_some() {
            return;
        }
        self.due = Some(match self.began {
            None => now,
            Some(began) => {
                // Many clients see the same change at the same time.
                let spread = self.interval.mul_f64(self.rng.random_range(0.0..0.1));
                let least = self.interval.mul_f64(self.rng.random_range(1.0..1.25));
                let failed = match self.failed {
                    0 => Duration::ZERO,
                    failed => self.backoff.wait(failed, &mut self.rng),
                };
                (now + spread.max(failed)).max(began + least)
            }
        });
    }

    /// Whether one is to begin now.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        let due = self.due.into_iter().chain(self.check_at).min();
        self.round.is_none() && due.is_some_and(|due| due <= now)
    }

    /// Begins one that asks these nodes, in this order.
    pub(crate) fn begin(&mut self, now: Instant, candidates: VecDeque<Candidate>) {
        (self.due, self.check_at, self.began) = (None, None, Some(now));
        self.round = Some(Round { candidates, ..Round::default() });
    }

    /// Adds nodes that were not known when the refresh began.
    pub(crate) fn offer(&mut self, nodes: &[NodeId]) {
        let mut nodes: Vec<_> = nodes.iter().copied().map(Candidate::Node).collect();
        self.shuffle(&mut nodes);
        if let Some(round) = &mut self.round {
            round.candidates.extend(nodes);
        }
    }

    /// Who is to be asked next, if anybody: tell [`ask`](Self::ask). Until somebody knows all slots, as many as there
    /// may be are asked.
    pub(crate) fn next_candidate(&mut self) -> Option<Candidate> {
        let round = self.round.as_mut()?;
        let votes: usize = round.views.iter().map(|told| told.votes).sum();
        let enough = votes + round.asked.len() >= self.views;
        let lacking =
            round.asked.is_empty() && !round.views.iter().any(|told| told.topology.is_full());
        if round.tried.len() >= MAX_ASKED || enough && !lacking {
            return None;
        }
        round.candidates.pop_front()
    }

    /// This node is being asked. False when it was asked already.
    pub(crate) fn ask(&mut self, now: Instant, node: NodeId) -> bool {
        let Some(round) = &mut self.round else { return false };
        let new = !round.tried.contains(&node);
        if new {
            round.tried.push(node);
            round.asked.push((node, now + self.patience));
        }
        new
    }

    /// What a node answered. Nothing when it was not asked, or too late; else the topology that it told of.
    pub(crate) fn handle_answer(
        &mut self,
        node: NodeId,
        origin: &Origin<'_>,
        answer: Result<View>,
    ) -> Option<Result<&Topology>> {
        let round = self.round.as_mut()?;
        let at = round.asked.iter().position(|(asked, _)| *asked == node)?;
        round.asked.swap_remove(at);
        match answer.and_then(|view| round.add(view, origin)) {
            Ok(at) => Some(Ok(&round.views[at].topology)),
            Err(error) => {
                round.error = Some(error.clone());
                Some(Err(error))
            }
        }
    }

    /// Nodes that had their time to answer.
    pub(crate) fn late(&self, now: Instant) -> Vec<NodeId> {
        let asked = self.round.iter().flat_map(|round| &round.asked);
        asked.filter(|(_, until)| *until <= now).map(|(node, _)| *node).collect()
    }

    /// Ends the refresh once everybody has answered: call when [`next_candidate`](Self::next_candidate) has none.
    pub(crate) fn finish(&mut self, now: Instant) -> Option<Outcome> {
        let Round { views, error, .. } = self.round.take_if(|round| round.asked.is_empty())?;
        self.failed = if views.is_empty() { self.failed + 1 } else { 0 };
        self.check_at = self
            .check_interval
            .map(|interval| now + interval.mul_f64(self.rng.random_range(1.0..1.25)));
        let views = views.into_iter().map(|told| (told.topology, told.votes)).collect();
        Some(Outcome { views, error })
    }

    /// When the last one began.
    pub(crate) fn began(&self) -> Option<Instant> {
        self.began
    }

    pub(crate) fn is_under_way(&self) -> bool {
        self.round.is_some()
    }

    /// Puts candidates into any order.
    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            list.swap(at, self.rng.random_range(0..=at));
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match &self.round {
            Some(round) => round.asked.iter().map(|(_, until)| *until).min(),
            None => self.due.into_iter().chain(self.check_at).min(),
        }
    }
}
