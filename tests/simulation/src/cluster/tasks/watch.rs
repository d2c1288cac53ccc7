//! Counters that go up between WATCH and EXEC, on a link of their own.

use super::*;

impl World {
    /// Goes on after WATCH, on its own link.
    pub(super) fn watched(&mut self, at: usize) -> Check {
        let Doing::Watch(watching) = &mut self.tasks[at].doing else { return Ok(()) };
        let Some(mut running) = watching.running.take() else { return Ok(()) };
        let reply = running.exchange.take_reply().and_then(|frame| decode::<()>(&frame));
        if let Err(error) = reply {
            if self.plan.is_quiet() {
                return Err(format!("nothing could go wrong, and WATCH failed: {error:?}"));
            }
            return self.end_watch(at);
        }
        let word = self.tasks[at].word("w");
        let Doing::Watch(watching) = &mut self.tasks[at].doing else { return Ok(()) };
        let cmd = Cmd::<()>::raw("GET").key(format!("{{{}}}watched", watching.tag)).arg(&word);
        self.send_own(at, 1, cmd.to_vec())
    }

    /// Sends on the link that watches, if it is still there.
    fn send_own(&mut self, at: usize, replies: u32, bytes: Vec<u8>) -> Check {
        let client = self.tasks[at].client;
        let Doing::Watch(watching) = &self.tasks[at].doing else { return Ok(()) };
        let node = watching.node;
        let there = self
            .wires
            .iter()
            .any(|wire| wire.own == Some(at) && Some(wire.id) == node && wire.state == State::Open);
        let Some(node) = node.filter(|_| there) else { return self.watch_again(at) };
        let deadline = self.clients[client].cluster.config().command_timeout;
        let deadline = deadline.map(|timeout| self.now + timeout);
        self.submit(client, node, Link::Primary, Some(at), (To::Task(at), replies, deadline), bytes)
    }

    pub(in crate::cluster) fn task_answered(
        &mut self,
        at: usize,
        id: NodeId,
        answer: Result<Bytes>,
    ) -> Check {
        if at >= SUBSCRIBERS {
            return self.subscriber_answered(at, id, answer);
        }
        let Doing::Watch(watching) = &mut self.tasks[at].doing else { return Ok(()) };
        let tag = watching.tag;
        let Some(sent) = watching.sent.take() else {
            // What GET gave.
            let value = answer.and_then(|frame| decode::<Option<u64>>(&frame));
            let value = value.map_err(|error| watching::lost_before_multi(error, true));
            let value = match value.map_err(watch_error) {
                Ok(value) => value,
                Err(error) if self.plan.is_quiet() && !error.is_watch() => {
                    return Err(format!("invariant 8: a watch ends with an error: {error:?}"));
                }
                Err(_) => return self.watch_again(at),
            };
            let mut pipeline = Pipeline::atomic();
            let next = value.unwrap_or(0) + 1;
            pipeline.push(Cmd::<()>::raw("SET").key(format!("{{{tag}}}watched")).arg(next));
            let Ok(sent) = pipeline.take_watched() else {
                return Err("a transaction is refused".into());
            };
            let (replies, bytes) = (sent.replies(), sent.parts().concat());
            watching.sent = Some(sent);
            return self.send_own(at, replies, bytes);
        };
        let result = answer.and_then(|frames| {
            // It may come in pieces, of which the others are at the link.
            let run = Run { frames: &frames, memory: None };
            sent.open([run])?.decode::<()>()
        });
        let counted = self.tasks[at].counted.entry(tag).or_default();
        match result.map_err(watching::lost).map_err(watch_error) {
            Ok(()) => {
                counted.0 += 1;
                self.end_watch(at)
            }
            Err(error) if error.is_watch() => self.watch_again(at),
            Err(error) if self.plan.is_quiet() => {
                Err(format!("invariant 8: a watch ends with what is no watch error: {error:?}"))
            }
            Err(error) => {
                if error.delivery() == Delivery::MaybeExecuted {
                    counted.1 += 1;
                }
                self.end_watch(at)
            }
        }
    }

    fn watch_again(&mut self, at: usize) -> Check {
        self.close_own(at);
        let Doing::Watch(watching) = &mut self.tasks[at].doing else { return Ok(()) };
        watching.attempts += 1;
        let (attempts, tag) = (watching.attempts, watching.tag);
        if attempts > 20 {
            return self.end_watch(at);
        }
        let Ok(cmd) = watching::watch(format!("{{{tag}}}watched")) else { return Ok(()) };
        let running = self.run(at, Commands::One(cmd), Target::Auto, true);
        self.tasks[at].doing =
            Doing::Watch(Box::new(Watching { tag, running, node: None, sent: None, attempts }));
        Ok(())
    }

    fn end_watch(&mut self, at: usize) -> Check {
        self.close_own(at);
        self.tasks[at].doing = Doing::Idle(self.now);
        Ok(())
    }

    fn close_own(&mut self, at: usize) {
        for wire in self.wires.iter_mut().filter(|wire| wire.own == Some(at)) {
            wire.state = State::Lost;
            wire.pending.clear();
        }
    }
}
