//! Subscribers of shard channels: their links, and what nodes end of their own accord.

use super::*;

impl World {
    pub(super) fn settle_subscriptions(&mut self, at: usize) -> std::result::Result<bool, String> {
        let mut any = false;
        let client = self.tasks[at].client;
        while let Some(action) =
            self.tasks[at].subscriptions.as_mut().and_then(Sharded::poll_action)
        {
            any = true;
            self.note(|| format!("task {at}: {action:?}"));
            let told = &self.tasks[at].told;
            match &action {
                ShardedAction::Subscribe(_, channels)
                    if channels.iter().any(|channel| told.contains(channel)) =>
                {
                    return Err("what the reader knows is told as news".into());
                }
                ShardedAction::Adopt(_, channels)
                    if !channels.iter().all(|channel| told.contains(channel)) =>
                {
                    return Err("what is news to the reader is not told".into());
                }
                _ => {}
            }
            let (name, node, channels) = match action {
                ShardedAction::Subscribe(node, channels) | ShardedAction::Adopt(node, channels) => {
                    ("SSUBSCRIBE", node, channels)
                }
                ShardedAction::Unsubscribe(node, channels)
                | ShardedAction::Leave(node, channels) => ("SUNSUBSCRIBE", node, channels),
                ShardedAction::Close(node) => {
                    let own = Some(at + SUBSCRIBERS);
                    let of = |wire: &&mut Wire| wire.own == own && wire.id == node;
                    self.wires.iter_mut().filter(of).for_each(|wire| wire.state = State::Lost);
                    continue;
                }
            };
            if channels.iter().any(|channel| slot_of(channel) != slot_of(&channels[0])) {
                return Err("invariant 12: channels of several slots in one command".into());
            }
            if name == "SUNSUBSCRIBE" {
                // The server has forgotten, or does so when the link ends.
                for wire in self
                    .wires
                    .iter_mut()
                    .filter(|wire| wire.own == Some(at + SUBSCRIBERS) && wire.id == node)
                {
                    wire.conn.channels.retain(|channel| !channels.contains(channel));
                }
                continue;
            }
            for channel in channels {
                self.ask_channel(at, client, node, channel)?;
            }
        }
        Ok(any)
    }

    fn ask_channel(&mut self, at: usize, client: usize, node: NodeId, channel: Bytes) -> Check {
        let own = at + SUBSCRIBERS;
        let bytes = Cmd::<()>::raw("SSUBSCRIBE").key(&channel).to_vec();
        self.submit(client, node, Link::Primary, Some(own), (To::Task(own), 1, None), bytes)
    }

    /// A subscriber's link says something: looks which of its channels are not there, as their machine would.
    pub(super) fn subscriber_answered(
        &mut self,
        own: usize,
        id: NodeId,
        answer: Result<Bytes>,
    ) -> Check {
        let at = own - SUBSCRIBERS;
        let refused = match answer.map(|frame| decode::<Bytes>(&frame)) {
            Ok(Err(error)) => error,
            Ok(Ok(channel)) => {
                let (now, client) = (self.now, self.tasks[at].client);
                let Task { subscriptions, told, .. } = &mut self.tasks[at];
                let Some(sharded) = subscriptions else { return Ok(()) };
                if sharded.node_of(&channel) == Some(id) {
                    told.insert(channel.clone());
                }
                let cluster = &mut self.clients[client].cluster;
                sharded.handle_report(now, cluster, id, Report::Confirmed(channel));
                return Ok(());
            }
            // The link is lost: what it had is restored on the next one.
            Err(_) => {
                let again = self.now + AGAIN;
                self.tasks[at].restores = Some(again);
                return Ok(());
            }
        };
        if refused.code() == Some("CROSSSLOT") {
            return Err("invariant 12: channels of several slots in one command".into());
        }
        let (now, client) = (self.now, self.tasks[at].client);
        let Some(sharded) = &mut self.tasks[at].subscriptions else { return Ok(()) };
        let slot = match redis_cluster::Refusal::of(&refused) {
            Some(redis_cluster::Refusal::Moved(to) | redis_cluster::Refusal::Ask(to)) => {
                Some(to.slot)
            }
            _ => None,
        };
        // Which channel it was is known by its order on a real link; here by who has it.
        let lost: Vec<(Bytes, NodeId)> = sharded
            .channels()
            .filter(|channel| slot.is_none_or(|slot| slot_of(channel) == slot))
            .filter_map(|channel| Some((channel.clone(), sharded.node_of(channel)?)))
            .filter(|(channel, node)| {
                if *node != id {
                    return false;
                }
                let of = |wire: &Wire| wire.own == Some(own) && wire.id == *node;
                !self.wires.iter().any(|wire| of(wire) && wire.conn.channels.contains(channel))
            })
            .collect();
        for (channel, node) in lost {
            let cluster = &mut self.clients[client].cluster;
            let report = Report::Refused(channel, refused.clone());
            sharded.handle_report(now, cluster, node, report);
        }
        Ok(())
    }

    /// Nodes end subscriptions of slots that left them, and links that were lost come back.
    pub(super) fn check_subscribers(&mut self) -> Check {
        let now = self.now;
        for at in 0..self.tasks.len() {
            let (own, client) = (at + SUBSCRIBERS, self.tasks[at].client);
            let Some(mut sharded) = self.tasks[at].subscriptions.take() else { continue };
            let mut ended = Vec::new();
            for wire in self.wires.iter_mut().filter(|wire| wire.own == Some(own)) {
                let node = wire.conn.node;
                let model = &self.model;
                let (id, lost) = (wire.id, wire.state == State::Lost);
                wire.conn.channels.retain(|channel| {
                    let stays = !lost && model.owner(slot_of(channel)) == node;
                    if !stays && !lost {
                        ended.push((id, channel.clone()));
                    }
                    stays
                });
            }
            for (node, channel) in ended {
                let cluster = &mut self.clients[client].cluster;
                sharded.handle_report(now, cluster, node, Report::Ended(channel));
            }
            self.tasks[at].restores = self.tasks[at].restores.filter(|due| *due > now);
            let restores = self.tasks[at].restores.is_none();
            let wanted: Vec<(Bytes, NodeId)> = sharded
                .channels()
                .filter(|_| restores)
                .filter_map(|channel| Some((channel.clone(), sharded.node_of(channel)?)))
                .collect();
            self.tasks[at].subscriptions = Some(sharded);
            for (channel, node) in wanted {
                let there = self.wires.iter().any(|wire| {
                    wire.own == Some(own)
                        && wire.id == node
                        && wire.state != State::Lost
                        && (wire.conn.channels.contains(&channel) || !wire.pending.is_empty())
                });
                if !there && self.clients[client].cluster.endpoint(node).is_some() {
                    self.ask_channel(at, client, node, channel)?;
                }
            }
        }
        Ok(())
    }

    pub(in crate::cluster) fn unsubscribe_one(&mut self) {
        let now = self.now;
        for at in 0..self.tasks.len() {
            let (own, client) = (at + SUBSCRIBERS, self.tasks[at].client);
            let Some(sharded) = &mut self.tasks[at].subscriptions else { continue };
            let of = |wire: &&mut Wire| wire.own == Some(own) && !wire.conn.channels.is_empty();
            if let Some(wire) = self.wires.iter_mut().find(of)
                && let Some(channel) = wire.conn.channels.pop_first()
            {
                let cluster = &mut self.clients[client].cluster;
                sharded.handle_report(now, cluster, wire.id, Report::Ended(channel));
            }
        }
    }
}
