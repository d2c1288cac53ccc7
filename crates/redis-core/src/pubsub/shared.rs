//! Subscriptions of many over one link that others use for commands.
//!
//! Owns who wants which name, so that the server is asked once for each, and what each of them hears: as if it had
//! a connection of its own. What is subscribed is the registry's, what waits for a reader is bounded by its backlog.
//! The link belongs to a [`Session`], and this says what to send on it. Knows nothing of sockets.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use bytes::Bytes;

use super::backlog::{Backlog, Overflow};
use super::message::{Message, MessageData, MessageKind, Reading, read};
use super::registry::{Answer, Family, Refused, Registry};
use crate::batch::{Batch, Ticket};
use crate::config::{Config, Protocol};
use crate::connection::{Event, ServerInfo};
use crate::error::{Delivery, Error, ErrorKind, Result};
use crate::reply::decode;
use crate::send::SendBuffer;
use crate::session::Session;

/// The lower half of the tickets of what this sends. The adapter must have no such tickets.
const OWN: u32 = u32::MAX - 1;

/// One of those who subscribe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SubscriptionId(u64);

/// Everybody's subscriptions on one link, and their messages.
#[derive(Debug)]
pub struct Subscriptions {
    config: Arc<Config>,
    registry: Registry<Holders>,
    open: BTreeMap<SubscriptionId, Subscription>,
    next: u64,
    /// What is to be sent.
    batch: Batch,
    /// The link is ready, and everything wanted was asked for on it.
    linked: bool,
    /// Why this link is of no use.
    unfit: Option<Error>,
    /// The server refused the credentials: it is not asked again before something else is subscribed.
    refused: Option<Error>,
    reading: Reading,
    wake: Vec<Waker>,
}

/// Those who want a name.
#[derive(Debug)]
struct Holders {
    ids: Vec<SubscriptionId>,
    /// It is subscribed on this link.
    live: bool,
}

#[derive(Debug)]
struct Subscription {
    /// What it wants, and whether it was told that it is subscribed.
    names: BTreeMap<(Family, Bytes), bool>,
    /// How many it was told of: channels and patterns, and shard channels.
    counts: [i64; 2],
    backlog: Backlog,
    /// The link was lost under it, and is not restored.
    lost: bool,
    /// What went wrong the last time, and how often something did.
    failure: Option<Error>,
    failures: u64,
    /// It knows that the credentials were refused.
    told: bool,
    ignore_confirmations: bool,
    waker: Option<Waker>,
}

impl Subscriptions {
    /// Nobody subscribes yet.
    pub fn new(config: Arc<Config>) -> Self {
        Self {
            config,
            registry: Registry::default(),
            open: BTreeMap::new(),
            next: 0,
            batch: Batch::default(),
            linked: false,
            unfit: None,
            refused: None,
            reading: Reading::default(),
            wake: Vec::new(),
        }
    }

    /// Somebody more, who has no subscription yet.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` where the configuration rules out subscriptions on a connection that commands share: RESP2,
    /// and [`Overflow::Backpressure`].
    pub fn open(&mut self) -> Result<SubscriptionId> {
        let Config { protocol, overflow, max_backlog, .. } = *self.config;
        if protocol == Protocol::Resp2 {
            return Err(unfit("it needs RESP3, and `protocol` is RESP2"));
        }
        if overflow == Overflow::Backpressure {
            return Err(Error::new(
                ErrorKind::InvalidRequest,
                "`Overflow::Backpressure` would stop everybody's replies on the shared connection: set `overflow` to \
                 `DropOldest`, `DropNewest` or `Disconnect`, or use `client.pubsub()`",
            ));
        }
        let id = SubscriptionId(self.next);
        self.next += 1;
        let subscription = Subscription {
            names: BTreeMap::new(),
            counts: [0; 2],
            backlog: Backlog::shared(overflow, max_backlog),
            lost: false,
            failure: None,
            failures: 0,
            told: false,
            ignore_confirmations: false,
            waker: None,
        };
        self.open.insert(id, subscription);
        Ok(id)
    }

    /// Ends all subscriptions of somebody, who is forgotten.
    pub fn close(&mut self, id: SubscriptionId) {
        if let Some(subscription) = self.open.remove(&id) {
            self.release(id, subscription.names.into_keys());
        }
    }

    /// As [`PubSub::ignore_subscribe_messages`](super::PubSub::ignore_subscribe_messages).
    pub fn ignore_subscribe_messages(&mut self, id: SubscriptionId, ignore: bool) {
        if let Some(subscription) = self.open.get_mut(&id) {
            subscription.ignore_confirmations = ignore;
        }
    }

    /// Subscribes to names.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` without a name, and when the server that is connected is not fit for it; nothing changes
    /// then.
    pub fn subscribe(
        &mut self,
        id: SubscriptionId,
        family: Family,
        names: Vec<Bytes>,
    ) -> Result<()> {
        if let Some(unfit) = &self.unfit {
            return Err(unfit.clone());
        }
        let Some(subscription) = self.open.get_mut(&id) else { return Ok(()) };
        if names.is_empty() {
            return self.registry.subscribe(family, [], |_| false);
        }
        (self.refused, subscription.told) = (None, false);
        let mut new = Vec::new();
        for name in names {
            let before = subscription.names.insert((family, name.clone()), false);
            match self.registry.handler_mut(family, &name) {
                Some(holders) => {
                    if before.is_none() {
                        holders.ids.push(id);
                    }
                    if holders.live {
                        // Once more, as the server would.
                        subscription.forget(family, before);
                        subscription.confirm(family, name);
                    } else if let Some(told) = before {
                        subscription.names.insert((family, name), told);
                    }
                }
                None if before.is_none() => {
                    new.push((name, Some(Holders { ids: vec![id], live: false })));
                }
                None => {}
            }
        }
        self.wake.extend(subscription.waker.take());
        if new.is_empty() {
            return Ok(());
        }
        let send = sender(&mut self.batch, self.linked, self.registry.sent());
        self.registry.subscribe(family, new, send)
    }

    /// Ends subscriptions; with `None` all of the family.
    pub fn unsubscribe(&mut self, id: SubscriptionId, family: Family, names: Option<Vec<Bytes>>) {
        let Some(subscription) = self.open.get_mut(&id) else { return };
        let names = names.unwrap_or_else(|| {
            let all = subscription.names.keys().filter(|key| key.0 == family);
            all.map(|key| key.1.clone()).collect()
        });
        let mut ended = Vec::new();
        for name in names {
            let key = (family, name);
            if let Some(told) = subscription.names.remove(&key) {
                subscription.forget(family, Some(told));
                ended.push(key.clone());
            }
            subscription.say(ending(family), key);
        }
        self.wake.extend(subscription.waker.take());
        self.release(id, ended);
    }

    /// Somebody does not want these names any longer: those that nobody wants are unsubscribed.
    fn release(&mut self, id: SubscriptionId, names: impl IntoIterator<Item = (Family, Bytes)>) {
        let mut ended: BTreeMap<Family, Vec<Bytes>> = BTreeMap::new();
        for (family, name) in names {
            if let Some(holders) = self.registry.handler_mut(family, &name) {
                holders.ids.retain(|other| *other != id);
                if holders.ids.is_empty() {
                    ended.entry(family).or_default().push(name);
                }
            }
        }
        for (family, names) in ended {
            let send = sender(&mut self.batch, self.linked, self.registry.sent());
            self.registry.unsubscribe(family, Some(names), send);
        }
    }

    /// The next message of somebody.
    pub fn poll_message(&mut self, id: SubscriptionId) -> Option<Result<Message>> {
        let subscription = self.open.get_mut(&id)?;
        if let Some(message) = subscription.backlog.pop() {
            return Some(message);
        }
        let refused = self.refused.clone().filter(|_| !subscription.names.is_empty())?;
        subscription.told = true;
        Some(Err(refused))
    }

    /// Whether listening has come to its end: nothing is subscribed any longer and every message was taken, or the
    /// server refuses the credentials and the reader was told.
    pub fn is_over(&self, id: SubscriptionId) -> bool {
        self.open.get(&id).is_none_or(|subscription| {
            let told = subscription.told && self.refused.is_some();
            subscription.backlog.is_empty() && (told || subscription.names.is_empty())
        })
    }

    /// Whether anything is subscribed, or asked for.
    pub fn is_subscribed(&self, id: SubscriptionId) -> bool {
        self.open.get(&id).is_some_and(|subscription| !subscription.names.is_empty())
    }

    /// Bytes of published messages that wait for somebody's reader, what holds them included.
    pub fn backlog(&self, id: SubscriptionId) -> usize {
        self.open.get(&id).map_or(0, |subscription| subscription.backlog.bytes())
    }

    /// How often something went wrong for somebody: see [`poll_settled`](Self::poll_settled).
    pub fn failures(&self, id: SubscriptionId) -> u64 {
        self.open.get(&id).map_or(0, |subscription| subscription.failures)
    }

    /// Whether all that somebody wants is subscribed; or what went wrong since there were so many failures, of which
    /// the reader is not told then.
    pub fn poll_settled(&mut self, id: SubscriptionId, failures: u64) -> Option<Result<()>> {
        let subscription = self.open.get_mut(&id)?;
        if subscription.failures > failures
            && let Some(failure) = subscription.failure.take()
        {
            match self.refused.is_some() {
                true => subscription.told = true,
                false => subscription.backlog.take_failure(),
            }
            return Some(Err(failure));
        }
        subscription.names.values().all(|told| *told).then_some(Ok(()))
    }

    /// Wakes this one when there is something new for somebody. Takes the place of the one before.
    pub fn wait(&mut self, id: SubscriptionId, waker: &Waker) {
        if let Some(subscription) = self.open.get_mut(&id) {
            match &mut subscription.waker {
                Some(own) => own.clone_from(waker),
                None => subscription.waker = Some(waker.clone()),
            }
        }
    }

    /// Those for whom there is something new: to be woken without any lock.
    pub fn take_wakers(&mut self) -> Vec<Waker> {
        std::mem::take(&mut self.wake)
    }

    /// Sends what is to be sent, and sees to it that there is a link while somebody wants one. To be called after
    /// every input to the session, and after every change here.
    pub fn drive(&mut self, now: Instant, session: &mut Session) {
        if let Some(info) = session.server_info().filter(|_| !self.linked) {
            self.handle_ready(info);
        }
        session.want(now, self.registry.is_wanted() && self.refused.is_none());
        if self.linked && session.is_ready() && !self.batch.is_empty() {
            // What the session has no room for stays here.
            let _ = session.submit(now, &mut self.batch);
        }
    }

    fn handle_ready(&mut self, info: &ServerInfo) {
        self.linked = true;
        self.refused = None;
        if let Err(error) = check(info) {
            self.unfit = Some(error.clone());
            self.end_all(&error);
            return;
        }
        // What is restored is told with the last confirmation: there may be none.
        let send = sender(&mut self.batch, true, self.registry.sent());
        if !self.registry.restore(send) {
            self.open.values_mut().for_each(|subscription| subscription.lost = false);
        }
    }

    /// Takes what is for subscribers out of what came of an input.
    pub fn handle_events(&mut self, input: &[u8], events: &mut Vec<Event>) {
        events.retain(|event| match event {
            Event::Push(range) => {
                self.handle_push(&input[range.clone()]);
                false
            }
            Event::Replies { ticket, range, count, done } if ticket.0 as u32 == OWN => {
                let refused = !*done || *count > 1;
                self.handle_replies((ticket.0 >> 32) as u32, &input[range.clone()], refused);
                false
            }
            _ => true,
        });
    }

    /// What the session tells besides: the end of its connection.
    pub fn handle_event(&mut self, event: &Event) {
        if let Event::Closed(error) = event {
            self.handle_closed(error);
        }
    }

    fn handle_closed(&mut self, error: &Error) {
        self.batch.clear(|_, _| {});
        self.registry.lost();
        self.registry.handlers_mut().for_each(|holders| holders.live = false);
        self.unfit = None;
        let established = std::mem::take(&mut self.linked);
        for subscription in self.open.values_mut() {
            subscription.lost |= subscription.counts != [0; 2];
        }
        // A link that was ready is opened again, and the readers are told when it is restored.
        if !established && self.registry.is_wanted() {
            let error = error.clone().with_delivery(Delivery::NotSent);
            if error.refuses_peer() {
                self.refused = Some(error.clone());
            }
            let refused = self.refused.is_some();
            for subscription in self.open.values_mut().filter(|one| !one.names.is_empty()) {
                subscription.fail(error.clone(), !refused, &mut self.wake);
            }
        }
    }

    /// Nothing moves any bytes any longer: ends everything.
    pub fn shut(&mut self, error: &Error) {
        self.handle_closed(error);
        self.end_all(error);
    }

    fn end_all(&mut self, error: &Error) {
        self.registry.forget_all();
        for subscription in self.open.values_mut().filter(|one| !one.names.is_empty()) {
            subscription.end();
            subscription.fail(error.clone(), true, &mut self.wake);
        }
    }

    fn handle_push(&mut self, frame: &[u8]) {
        if let Some((family, name)) = self.reading.subscription(frame) {
            return self.handle_published(family, &name, frame);
        }
        let Ok(Some(message)) = read(frame) else { return };
        let Some(family) = message.kind.family() else { return };
        let answer = self.registry.handle_confirmed(&message);
        if answer.asked {
            self.handle_confirmed(family, message.channel, answer);
        } else if message.kind == MessageKind::SUnsubscribe {
            self.handle_ended(family, message.channel);
        }
    }

    fn handle_published(&mut self, family: Family, name: &Bytes, frame: &[u8]) {
        // Of what nobody wants any longer there may still be some on the way.
        let Some(holders) = self.registry.handler_mut(family, name).filter(|one| one.live) else {
            return;
        };
        let mut slow = Vec::new();
        for id in &holders.ids {
            if let Some(subscription) = self.open.get_mut(id) {
                if !subscription.backlog.push(frame) {
                    slow.push(*id);
                }
                self.wake.extend(subscription.waker.take());
            }
        }
        for id in slow {
            if let Some(subscription) = self.open.get_mut(&id) {
                let names = subscription.end();
                self.release(id, names.into_keys());
            }
        }
    }

    /// What was asked for a name is done.
    fn handle_confirmed(&mut self, family: Family, name: Bytes, answer: Answer) {
        if let Some(holders) = self.registry.handler_mut(family, &name).filter(|_| answer.live) {
            holders.live = true;
            for id in &holders.ids {
                if let Some(subscription) = self.open.get_mut(id) {
                    let told = subscription.names.get(&(family, name.clone())) == Some(&true);
                    if !told {
                        subscription.confirm(family, name.clone());
                        self.wake.extend(subscription.waker.take());
                    }
                }
            }
        }
        self.handle_restored(answer.complete);
    }

    fn handle_restored(&mut self, complete: bool) {
        if !complete {
            return;
        }
        for subscription in self.open.values_mut() {
            if std::mem::take(&mut subscription.lost) && !subscription.ignore_confirmations {
                subscription.backlog.restore();
                self.wake.extend(subscription.waker.take());
            }
        }
    }

    /// The server has ended a subscription by itself, as when its slot moves.
    fn handle_ended(&mut self, family: Family, name: Bytes) {
        let Some(holders) = self.registry.handler_mut(family, &name).filter(|one| one.live) else {
            return;
        };
        holders.live = false;
        for id in &holders.ids {
            if let Some(subscription) = self.open.get_mut(id) {
                let key = (family, name.clone());
                let told = subscription.names.insert(key.clone(), false);
                subscription.forget(family, told);
                subscription.say(ending(family), key);
                self.wake.extend(subscription.waker.take());
            }
        }
        let send = sender(&mut self.batch, self.linked, self.registry.sent());
        self.registry.ask_again(family, name, send);
    }

    /// A command has its answer, or one of two of which the first is a refusal.
    fn handle_replies(&mut self, number: u32, frames: &[u8], refused: bool) {
        // Far fewer are under way.
        let sent = self.registry.sent();
        let number = sent - u64::from((sent as u32).wrapping_sub(number));
        if !refused {
            for (family, name, answer) in self.registry.handle_run(number) {
                self.handle_confirmed(family, name, answer);
            }
            return;
        }
        let Err(error) = decode::<()>(frames) else { return };
        let send = sender(&mut self.batch, self.linked, self.registry.sent());
        let Some(refused) = self.registry.handle_refused_alone(number, send) else { return };
        let Refused { command, name, complete } = refused;
        if let Some((family, name, handler)) = name {
            let error = error.with_context(format!("{command} {}", name.escape_ascii()));
            for id in handler.into_iter().flat_map(|holders| holders.ids) {
                if let Some(subscription) = self.open.get_mut(&id) {
                    let told = subscription.names.remove(&(family, name.clone()));
                    subscription.forget(family, told);
                    subscription.fail(error.clone(), true, &mut self.wake);
                }
            }
        }
        self.handle_restored(complete);
    }
}

impl Subscription {
    /// It hears that a name is subscribed.
    fn confirm(&mut self, family: Family, name: Bytes) {
        self.counts[of(family)] += 1;
        self.names.insert((family, name.clone()), true);
        let kind = match family {
            Family::Channel => MessageKind::Subscribe,
            Family::Pattern => MessageKind::PSubscribe,
            Family::Shard => MessageKind::SSubscribe,
        };
        self.say(kind, (family, name));
    }

    /// It has one subscription less, if it was told of that.
    fn forget(&mut self, family: Family, told: Option<bool>) {
        self.counts[of(family)] -= i64::from(told == Some(true));
    }

    fn say(&mut self, kind: MessageKind, (family, channel): (Family, Bytes)) {
        if !self.ignore_confirmations {
            let data = MessageData::Count(self.counts[of(family)]);
            self.backlog.confirm(Message { kind, channel, pattern: None, data });
        }
    }

    /// It has no subscriptions any longer: those that it had.
    fn end(&mut self) -> BTreeMap<(Family, Bytes), bool> {
        (self.counts, self.lost) = ([0; 2], false);
        std::mem::take(&mut self.names)
    }

    fn fail(&mut self, error: Error, tell: bool, wake: &mut Vec<Waker>) {
        self.failures += 1;
        self.failure = Some(error.clone());
        if tell {
            self.backlog.fail(error);
        }
        wake.extend(self.waker.take());
    }
}

/// Servers count shard channels apart from the others.
fn of(family: Family) -> usize {
    usize::from(family == Family::Shard)
}

fn ending(family: Family) -> MessageKind {
    match family {
        Family::Channel => MessageKind::Unsubscribe,
        Family::Pattern => MessageKind::PUnsubscribe,
        Family::Shard => MessageKind::SUnsubscribe,
    }
}

/// What writes the registry's commands, the next of which has this number.
fn sender(
    batch: &mut Batch,
    linked: bool,
    mut number: u64,
) -> impl FnMut(&mut SendBuffer) -> bool + '_ {
    move |command| {
        if linked {
            batch.push_fenced(Ticket(number << 32 | u64::from(OWN)), command);
            number += 1;
        }
        linked
    }
}

/// Whether messages and replies on one connection can be told apart.
fn check(info: &ServerInfo) -> Result<()> {
    if info.protocol != 3 {
        return Err(unfit("it needs RESP3, which this server does not speak"));
    }
    // Redis before 7.2 puts a message that comes of a transaction's own commands into the middle of the EXEC's
    // reply, whose last elements are then replies of their own (redis/redis#12326).
    let version = info.version.as_deref().unwrap_or_default();
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) if (major, minor) < (7, 2) => {
            let text =
                format!("server version {version} mixes messages into the replies of transactions");
            Err(unfit(&text))
        }
        _ => Ok(()),
    }
}

fn unfit(reason: &str) -> Error {
    let text = format!(
        "can't subscribe on the shared connection: {reason}: use `client.pubsub()`, which has a connection of its own"
    );
    Error::new(ErrorKind::InvalidRequest, text)
}
