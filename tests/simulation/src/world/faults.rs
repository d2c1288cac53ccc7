//! What goes wrong, and when.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use rand::RngExt;

use super::audit::Check;
use super::plan::Fault;
use super::{Link, Style, World};
use crate::pick;

impl World {
    /// The next thing goes wrong, or no more does.
    pub(super) fn strike(&mut self) -> Check {
        if self.strikes == 0 || self.plan.faults.is_empty() {
            return self.heal();
        }
        self.strikes -= 1;
        let gap = self.plan.gap.mul_f64(self.luck.random());
        self.next_strike = Some(self.now + gap);
        let fault = *pick(&mut self.luck, &self.plan.faults);
        let span = Duration::from_millis(self.luck.random_range(1..1500));
        self.note(|| format!("fault: {fault:?}"));
        match fault {
            Fault::Reset => self.reset(),
            Fault::HangUp => {
                if let Some(wire) = self.any_wire().and_then(|id| self.wires.get_mut(&id)) {
                    wire.closing = true;
                    self.pour();
                }
            }
            Fault::HalfOpen => {
                let both = self.luck.random_range(0..3);
                if let Some(wire) = self.any_wire().and_then(|id| self.wires.get_mut(&id)) {
                    wire.to_server.swallows |= both != 0;
                    wire.to_client.swallows |= both != 1;
                }
            }
            Fault::Stall => self.stalled_until = self.now + span,
            Fault::Restart | Fault::Loss => self.restart(fault == Fault::Restart, span),
            Fault::Refuse => self.refusing_until = self.now + span,
            Fault::Handshake => self.sabotage += 1,
            Fault::Push => self.push(),
            Fault::SlowReader => {
                let now = self.now;
                let links: Vec<u64> = self.links.keys().copied().collect();
                let id = *pick(&mut self.luck, &links);
                if let Some(link) = self.links.get_mut(&id) {
                    link.reads_at = now + span;
                }
            }
            Fault::Loading => {
                self.server.set_loading(true);
                self.loading_until = Some(self.now + span / 8);
            }
            Fault::Close => {
                let now = self.now;
                let shared: Vec<u64> = self.clients.iter().map(|client| client.shared).collect();
                let id = *pick(&mut self.luck, &shared);
                if let Some(session) = self.links.get_mut(&id).and_then(Link::session) {
                    session.close(now);
                }
            }
            // These are the tasks' own.
            Fault::Cancel | Fault::Deadlines => {}
        }
        Ok(())
    }

    /// From now on nothing more goes wrong, and what is half open is found out.
    pub(super) fn heal(&mut self) -> Check {
        self.next_strike = None;
        self.healed = true;
        self.sabotage = 0;
        self.note(|| "no more faults".into());
        let half_open: Vec<u64> = self
            .wires
            .iter()
            .filter(|(_, wire)| wire.to_server.swallows || wire.to_client.swallows)
            .map(|(id, _)| *id)
            .collect();
        for id in half_open {
            self.cut(id, true, true);
        }
        let now = self.now;
        for link in self.links.values_mut() {
            // Whoever waits for an answer to a connect that nobody gives gets it now.
            if link.opening == Some(None) {
                link.opening = Some(Some(now));
            }
        }
        Ok(())
    }

    fn any_wire(&mut self) -> Option<u64> {
        let open: Vec<u64> = self
            .wires
            .iter()
            .filter(|(_, wire)| wire.peer.is_some() && !wire.client_gone)
            .map(|(id, _)| *id)
            .collect();
        (!open.is_empty()).then(|| *pick(&mut self.luck, &open))
    }

    fn reset(&mut self) {
        let way = self.luck.random_range(0..3);
        if let Some(id) = self.any_wire() {
            self.cut(id, way != 1, way != 2);
        }
    }

    /// Ends a connection. An end that hears of it first loses what is on its way to it; the other one
    /// still gets what is on its way, and then the end.
    fn cut(&mut self, id: u64, client_first: bool, server_first: bool) {
        let now = self.now;
        let Some(wire) = self.wires.get_mut(&id) else { return };
        let why = Some(io::ErrorKind::ConnectionReset);
        wire.to_server.swallows = false;
        wire.to_client.swallows = false;
        if client_first {
            wire.to_client.lose();
            wire.backlog.clear();
        }
        if server_first {
            wire.to_server.lose();
            if let Some(peer) = wire.peer.take() {
                self.server.handle_disconnect(peer);
            }
        }
        wire.to_client.end(why, now, &self.plan, &mut self.net);
        wire.to_server.end(why, now, &self.plan, &mut self.net);
        self.note(|| format!("wire {id}: cut"));
    }

    fn restart(&mut self, keep: bool, span: Duration) {
        let ids: Vec<u64> = self.wires.keys().copied().collect();
        for id in ids {
            let lost = self.luck.random();
            self.cut(id, lost, true);
        }
        self.server.restart(keep);
        self.audit.miss_scripts();
        if !keep {
            self.audit.lose_data(self.now);
        }
        self.down_until = Some(self.now + span / 4);
        if self.luck.random_bool(0.5) {
            self.server.set_loading(true);
            self.loading_until = Some(self.now + span / 2);
        }
    }

    /// A push that answers nothing, on any connection that can take one.
    fn push(&mut self) {
        let Some(id) = self.any_wire() else { return };
        let Some(wire) = self.wires.get(&id) else { return };
        let Some(peer) = wire.peer else { return };
        let subscriber =
            self.links.get(&wire.link).is_some_and(|link| link.style == Style::Subscriber);
        // Before its subscriptions a RESP2 connection takes a push for a reply.
        let resp3 = self.audit.peers.get(&peer).is_some_and(|about| {
            about.protocol == resp_proto::Protocol::Resp3 && wire.meter.replies > 0
        });
        let moved = self.luck.random::<bool>();
        let subscribed = !self.server.subscriptions(peer).is_empty();
        if subscriber && subscribed && moved {
            let kind = *pick(&mut self.luck, &[&b"sunsubscribe"[..], b"unsubscribe"]);
            let name = Bytes::from_static(b"moved");
            self.server.push(peer, |mut push| {
                push.push(3).bulk(kind).bulk(&name).integer(0);
            });
        } else if resp3 {
            let kind = *pick(&mut self.luck, &[&b"invalidate"[..], b"sunsubscribe"]);
            self.server.push(peer, |mut push| {
                push.push(3).bulk(kind).bulk(b"k").integer(0);
            });
        }
        self.pour();
    }
}
