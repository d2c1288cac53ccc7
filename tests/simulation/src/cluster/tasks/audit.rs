//! What must hold for each command, and at the end: what users were told against what the nodes ran.

use super::*;

impl World {
    pub(super) fn check(&mut self, at: usize, mut running: Running, asked: &[Asked]) -> Check {
        match &running.commands {
            Commands::One(_) => {
                let reply = running.exchange.take_reply();
                self.check_one(at, &asked[0], reply.as_deref().map_err(Clone::clone))
            }
            Commands::Many(sent) if sent.is_atomic() => {
                let result = running.exchange.replies(sent).map(|mut replies| replies.all());
                self.check_transaction(at, asked, result)
            }
            Commands::Many(sent) => {
                let replies = running.exchange.replies(sent);
                let all = replies
                    .map_err(|error| format!("a pipeline failed as a whole: {error}"))?
                    .all();
                if all.len() != asked.len() {
                    return Err(format!("invariant 4: {} replies for {}", all.len(), asked.len()));
                }
                for (asked, reply) in asked.iter().zip(all) {
                    self.check_value(at, asked, reply)?;
                }
                Ok(())
            }
        }
    }

    fn check_one(&mut self, at: usize, asked: &Asked, reply: Result<&[u8]>) -> Check {
        self.check_value(at, asked, reply.and_then(decode::<Value>))
    }

    fn runs(&self, asked: &Asked) -> Vec<usize> {
        let runs = |word: &Bytes| {
            self.model.log.get(&(asked.name.to_owned(), word.clone())).map_or(0, Vec::len)
        };
        asked.words.iter().map(runs).collect()
    }

    fn check_value(&mut self, at: usize, asked: &Asked, reply: Result<Value>) -> Check {
        let runs = self.runs(asked);
        let name = asked.name;
        let words = || String::from_utf8_lossy(&asked.words.join(&b' ')).into_owned();
        self.note(|| format!("task {at}: {name} is over: {reply:?}"));
        if asked.once {
            if runs.iter().any(|runs| *runs > 1) {
                return Err(format!("invariant 7: {name} {} ran twice", words()));
            }
            self.tasks[at].once.extend(asked.words.iter().map(|word| (name, word.clone())));
        }
        let value = match reply {
            Ok(value) => value,
            Err(error) => return self.check_error(at, asked, &error),
        };
        if runs.contains(&0) {
            return Err(format!("invariant 1: {name} {} has a reply and never ran", words()));
        }
        if !self.lossy && runs.iter().any(|runs| *runs > 1) {
            return Err(format!("{name} {} ran again because of others", words()));
        }
        match &asked.want {
            Want::Anything => Ok(()),
            Want::Exactly(want) if *want == value => Ok(()),
            Want::Exactly(want) => {
                Err(format!("invariant 1: {name} {} is {value:?} and not {want:?}", words()))
            }
            Want::Logged => {
                let logged = asked.words.iter().any(|word| {
                    let runs = &self.model.log[&(name.to_owned(), word.clone())];
                    runs.iter().any(|ran| decode::<Value>(&ran.reply) == Ok(value.clone()))
                });
                match logged {
                    true => Ok(()),
                    false => {
                        Err(format!("invariant 1: {value:?} is no reply to {name} {}", words()))
                    }
                }
            }
        }
    }

    fn check_error(&mut self, at: usize, asked: &Asked, error: &Error) -> Check {
        let name = asked.name;
        if self.tasks[at].quiet {
            return Err(format!("nothing could go wrong, and {name} failed: {error:?}"));
        }
        if error.kind() == ErrorKind::Protocol {
            return Err(format!("invariant 4: {error}"));
        }
        if error.delivery() == Delivery::NotSent {
            self.tasks[at].unsent.extend(asked.words.iter().map(|word| (name, word.clone())));
        }
        let refused = error.is_server() && asked.words.len() == 1;
        if refused && asked.once && self.runs(asked)[0] > 0 {
            return Err(format!("invariant 1: {name} ran, and its reply is {error}"));
        }
        Ok(())
    }

    fn check_transaction(
        &mut self,
        at: usize,
        asked: &[Asked],
        result: Result<Vec<Result<Value>>>,
    ) -> Check {
        match result {
            Ok(all) => {
                for (asked, reply) in asked.iter().zip(all) {
                    self.check_value(at, asked, reply)?;
                }
                Ok(())
            }
            Err(error) => {
                let all =
                    asked.iter().flat_map(|asked| &asked.words).map(|word| ("SET", word.clone()));
                self.tasks[at].once.extend(all);
                asked.iter().try_for_each(|asked| self.check_error(at, asked, &error))
            }
        }
    }

    /// What has to hold once all is over.
    pub(in crate::cluster) fn finish(&mut self) -> Check {
        self.settle_down()?;
        if let Some(unasked) = self.model.unasked.take().filter(|_| !self.lossy) {
            return Err(format!("ASK was followed without ASKING: {unasked}"));
        }
        let mut counted: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for task in &self.tasks {
            let runs = |(name, word): &(&'static str, Bytes)| {
                self.model.log.get(&((*name).to_owned(), word.clone())).map_or(&[][..], |runs| runs)
            };
            let shown = |word: &Bytes| String::from_utf8_lossy(word).into_owned();
            for asked in &task.once {
                if runs(asked).len() > 1 {
                    return Err(format!("invariant 7: {} {} ran twice", asked.0, shown(&asked.1)));
                }
            }
            for asked in &task.unsent {
                if !runs(asked).is_empty() {
                    let text = format!("{} {}", asked.0, shown(&asked.1));
                    return Err(format!("invariant 7: {text} ran, and was said not to be sent"));
                }
            }
            for commands in &task.transactions {
                let units: Vec<Vec<(usize, u64)>> = commands
                    .iter()
                    .map(|asked| runs(asked).iter().map(|ran| (ran.node, ran.unit)).collect())
                    .collect();
                if units.iter().any(|unit| *unit != units[0]) {
                    return Err(format!("invariant 8: a transaction ran in part: {units:?}"));
                }
            }
            for (tag, (sure, maybe)) in &task.counted {
                let all = counted.entry(tag).or_default();
                (all.0, all.1) = (all.0 + sure, all.1 + maybe);
            }
        }
        if self.plan.has(Fault::Loss) {
            return Ok(());
        }
        for (tag, (sure, maybe)) in counted {
            let count = self.model.peek(format!("{{{tag}}}watched").into());
            if count < sure || count > sure + maybe {
                let told = format!("{sure} transactions succeeded and {maybe} may have");
                return Err(format!("invariant 8: {tag} was counted to {count}, {told}"));
            }
        }
        Ok(())
    }

    /// Lets what is under way come to its end, and subscriptions to where they belong.
    fn settle_down(&mut self) -> Check {
        self.strikes = 0;
        let end = self.now + CALM;
        loop {
            self.settle()?;
            let missing = self.missing();
            let still = self.later.is_empty() && !self.model.is_moving();
            if missing.is_none() && still || self.lossy && self.now > end {
                return Ok(());
            }
            let Some(due) = self.due().filter(|due| *due <= end) else {
                return match missing {
                    Some(missing) => Err(format!("invariant 12: {missing} is subscribed nowhere")),
                    None => Ok(()),
                };
            };
            self.now = self.now.max(due);
            self.step()?;
        }
    }

    /// A channel that is wanted and not subscribed at its slot's node.
    fn missing(&self) -> Option<String> {
        for (at, task) in self.tasks.iter().enumerate() {
            for channel in task.subscriptions.iter().flat_map(Sharded::channels) {
                let owner = self.model.owner(slot_of(channel));
                let there = self.wires.iter().any(|wire| {
                    wire.own == Some(at + SUBSCRIBERS)
                        && wire.state == State::Open
                        && wire.conn.node == owner
                        && wire.conn.channels.contains(channel)
                });
                if !there {
                    return Some(String::from_utf8_lossy(channel).into_owned());
                }
            }
        }
        None
    }
}
