//! What is different where the server is one of a cluster: subscriptions come from other nodes and go to others, and
//! the node ends or refuses them when their slot is not there any longer.
//!
//! Each command has a single name here, as all of shard channels.

use bytes::Bytes;

use super::{Asked, Family, Purpose, Registry, Wanted};
use crate::error::Error;
use crate::send::SendBuffer;
use crate::slot::slot_of;

/// A command that was refused.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::pubsub) enum Refusal {
    /// A subscription, which nothing else was asked for since: it is not wanted here any longer.
    Subscribe(Bytes),
    /// The end of a subscription, which was not there.
    Unsubscribe(Bytes),
    /// Nobody has to know.
    Nothing,
}

impl<H> Registry<H> {
    /// Wants names that were subscribed elsewhere before: their confirmations are no news.
    pub(in crate::pubsub) fn adopt(
        &mut self,
        family: Family,
        names: Vec<Bytes>,
        send: impl FnMut(&mut SendBuffer) -> bool,
    ) {
        for name in &names {
            let wanted = Wanted { handler: None, confirmed: true, asked: None };
            let before = self.wanted.insert((family, name.clone()), wanted);
            self.forget(before);
        }
        self.ask(Purpose { family, subscribe: true, restore: true }, names.into(), send);
    }

    /// Ends subscriptions that go elsewhere: nothing that is said of them is news.
    pub(in crate::pubsub) fn leave(
        &mut self,
        family: Family,
        names: Vec<Bytes>,
        send: impl FnMut(&mut SendBuffer) -> bool,
    ) {
        for name in &names {
            let before = self.wanted.remove(&(family, name.clone()));
            self.forget(before);
            for asked in &mut self.asked {
                if asked.asks_for(family, name) && !asked.purpose.restore {
                    asked.purpose.restore = true;
                    self.restoring += 1;
                }
            }
        }
        self.ask(Purpose { family, subscribe: false, restore: true }, names.into(), send);
    }

    /// Whether anything that was lost, or comes from elsewhere, is there since this was asked the last time.
    pub(in crate::pubsub) fn take_regained(&mut self) -> bool {
        std::mem::take(&mut self.regained)
    }

    /// Whether messages may still come that are another node's by now.
    pub(in crate::pubsub) fn is_leaving(&self) -> bool {
        self.asked.iter().any(|asked| asked.purpose.restore && !asked.purpose.subscribe)
    }

    /// Whether a name is wanted.
    pub(in crate::pubsub) fn wants(&self, family: Family, name: &Bytes) -> bool {
        self.wanted.contains_key(&(family, name.clone()))
    }

    /// The server has ended a subscription, and nobody asked it to. Whether it was wanted, which it is not any longer;
    /// where it was asked for since, that has an answer of its own.
    pub(in crate::pubsub) fn handle_ended(&mut self, family: Family, name: &Bytes) -> bool {
        if self.asked.iter().any(|asked| asked.asks_for(family, name)) {
            return false;
        }
        let before = self.wanted.remove(&(family, name.clone()));
        let was_wanted = before.is_some();
        self.forget(before);
        was_wanted
    }

    /// The server refuses a command: the oldest one, unless the error is that of an earlier one, which was taken for
    /// answered when the server had ended its subscription. Whether everything that was lost is there again, too.
    pub(in crate::pubsub) fn handle_refusal(&mut self, error: &Error) -> (Refusal, bool) {
        let slot = redirected(error);
        let oldest = self.asked.pop_front_if(|asked| {
            let name = asked.names.front();
            slot.is_none_or(|slot| name.is_some_and(|name| slot_of(name) == slot))
        });
        let Some(Asked { purpose, names, .. }) = oldest else {
            return (Refusal::Nothing, false);
        };
        let Purpose { family, subscribe, restore } = purpose;
        let complete = restore && self.restored(names.len());
        let Some(name) = names.into_iter().next() else {
            return (Refusal::Nothing, complete);
        };
        let refused = match subscribe {
            true if self.handle_ended(family, &name) => Refusal::Subscribe(name),
            false if !restore => Refusal::Unsubscribe(name),
            _ => Refusal::Nothing,
        };
        (refused, complete)
    }
}

impl Asked {
    fn asks_for(&self, family: Family, name: &Bytes) -> bool {
        self.purpose.subscribe && self.purpose.family == family && self.names.contains(name)
    }
}

/// The slot of which a redirect tells.
fn redirected(error: &Error) -> Option<u16> {
    let mut words = error.message().split(' ');
    words.next().filter(|code| matches!(*code, "MOVED" | "ASK"))?;
    words.next()?.parse().ok()
}
