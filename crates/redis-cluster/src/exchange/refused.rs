//! What an answer means: the reply itself, or that the command is to go elsewhere, or again later.
//!
//! Owns the decision for one command. Whatever it is, no other command is touched.

use std::time::Instant;

use super::*;
use crate::redirect::{Refusal, is_unwell};

/// Redirects that are followed without a wait.
const AT_ONCE: u32 = 3;

impl Exchange {
    /// Takes the reply of a part.
    #[inline]
    pub(super) fn handle_reply(
        &mut self,
        now: Instant,
        cluster: &mut Cluster,
        at: u32,
        node: NodeId,
        place: Place,
        frame: &[u8],
    ) {
        let error = match &mut self.transaction {
            // What was refused while queueing is refused as a whole.
            Some(frames) => frames.refusal(frame),
            None if is_error(frame) => redis_core::decode::<()>(frame).err(),
            None => None,
        };
        if self.part(at).asks_keys {
            return self.take_keys(now, cluster, at, node, place, error);
        }
        match error {
            Some(error) if self.is_refused(now, cluster, at, node, &error) => {}
            _ => self.finish(at, place),
        }
    }

    fn finish(&mut self, at: u32, place: Place) {
        self.part(at).state = place.into();
        self.handle_over(at);
    }

    /// Whether the node did not run the part and it goes on elsewhere, or later.
    fn is_refused(
        &mut self,
        now: Instant,
        cluster: &mut Cluster,
        at: u32,
        node: NodeId,
        error: &Error,
    ) -> bool {
        let refusal = Refusal::of(error);
        let unwell = is_unwell(error);
        let part = self.part(at);
        let fixed = matches!(part.goal, Goal::Node(..));
        let had = part.trouble().map_or(0, |trouble| trouble.refusals);
        part.forget_redirect();
        match refusal {
            // The caller named the node: what it says is the answer.
            Some(Refusal::Moved(_) | Refusal::Ask(_)) if fixed => return false,
            Some(Refusal::Moved(to)) => {
                let found = cluster.handle_moved(now, node, &to);
                // The map may change its mind before the command is sent.
                let part = self.part(at);
                part.reads = false;
                let found = found.filter(|found| *found != node);
                part.trouble_mut().redirect = found.map(|node| (node, false));
            }
            Some(Refusal::Ask(to)) => {
                let found = cluster.handle_ask(node, &to);
                if found.is_none() {
                    cluster.refresh(now);
                }
                self.part(at).trouble_mut().redirect = found.map(|node| (node, true));
            }
            Some(Refusal::TryAgain) => {}
            Some(Refusal::Down) => cluster.refresh(now),
            Some(_) => return false,
            None if unwell => {
                cluster.handle_failure(now, node);
                self.part(at).trouble_mut().avoid = Some(node);
            }
            None => return false,
        }
        let limit = cluster.settings().max_redirects;
        if had >= limit {
            return false;
        }
        let deadline = self.options.deadline;
        let seed = self.options.seed ^ (u64::from(at) << 32 | u64::from(had));
        let part = self.part(at);
        let trouble = part.trouble_mut();
        (trouble.refusals, trouble.last) = (had + 1, Some(error.clone()));
        // A few redirects are followed at once: where nodes do not agree it takes them time.
        if part.redirect().is_some() && had < AT_ONCE {
            self.restart();
            self.get_ready(at);
            return true;
        }
        let mut rng = SmallRng::seed_from_u64(seed);
        let wait = cluster.config().backoff.wait(had + 1, &mut rng);
        match deadline {
            Some(deadline) if now + wait >= deadline => false,
            _ => {
                self.restart();
                self.wait(at, now + wait);
                true
            }
        }
    }

    /// What a transaction was told is of no use for its next attempt.
    pub(super) fn restart(&mut self) {
        if let Some(frames) = &mut self.transaction {
            frames.restart();
        }
    }

    /// Takes what a node says the keys of a command are.
    fn take_keys(
        &mut self,
        now: Instant,
        cluster: &mut Cluster,
        at: u32,
        node: NodeId,
        place: Place,
        error: Option<Error>,
    ) {
        if let Some(error) = &error
            && self.is_refused(now, cluster, at, node, error)
        {
            return;
        }
        let keys = redis_core::decode::<Vec<Vec<u8>>>(self.frame(place));
        let mut check = crate::SameSlot::new("command");
        let slot = match (&error, keys) {
            // It has no keys, or it is wrong: any node says so.
            (Some(_), _) => Ok(None),
            (None, Err(error)) => Err(error.with_context("COMMAND GETKEYS")),
            (None, Ok(keys)) => {
                keys.iter().try_for_each(|key| check.add(key).map(drop)).map(|()| check.slot())
            }
        };
        let part = self.part(at);
        (part.asks_keys, part.form) = (false, Form::Command(at));
        part.trouble_mut().refusals = 0;
        match slot {
            Ok(slot) => {
                part.goal = slot.map_or(Goal::Any, Goal::Slot);
                self.get_ready(at);
            }
            Err(error) => self.fail(at, error.with_delivery(Delivery::NotSent)),
        }
    }
}
