//! What is subscribed: wanted, asked for, and confirmed.
//!
//! Owns what to send for it, and again after a loss, and what a confirmation answers. Knows nothing of
//! links, and of messages only whose handler they are for.

mod member;

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

pub(super) use self::member::Refusal;
use super::message::Message;
use crate::command::Cmd;
use crate::error::{Error, ErrorKind, Result};
use crate::send::SendBuffer;

/// The three separate kinds of subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// Channels by name.
    Channel,
    /// Patterns of channels.
    Pattern,
    /// Shard channels by name.
    Shard,
}

impl Family {
    const ALL: [Self; 3] = [Self::Channel, Self::Pattern, Self::Shard];

    fn name(self) -> &'static str {
        match self {
            Self::Channel => "channel",
            Self::Pattern => "pattern",
            Self::Shard => "shard channel",
        }
    }

    fn command(self, subscribe: bool) -> &'static str {
        match (self, subscribe) {
            (Self::Channel, true) => "SUBSCRIBE",
            (Self::Channel, false) => "UNSUBSCRIBE",
            (Self::Pattern, true) => "PSUBSCRIBE",
            (Self::Pattern, false) => "PUNSUBSCRIBE",
            (Self::Shard, true) => "SSUBSCRIBE",
            (Self::Shard, false) => "SUNSUBSCRIBE",
        }
    }
}

#[derive(Debug)]
pub(super) struct Registry<H> {
    wanted: BTreeMap<(Family, Bytes), Wanted<H>>,
    /// How many have a handler.
    handlers: usize,
    /// Commands whose confirmations are not all in, oldest first.
    asked: VecDeque<Asked>,
    /// How many commands were sent.
    sent: u64,
    /// Subscriptions of the last restore that are not confirmed.
    restoring: usize,
    /// One of them was.
    regained: bool,
}

#[derive(Debug)]
struct Wanted<H> {
    handler: Option<H>,
    /// The reader was told that it is subscribed: to ask again after a loss is no news.
    confirmed: bool,
    /// The last command that asked for it.
    asked: Option<u64>,
}

/// What a command is for.
#[derive(Clone, Copy, Debug)]
struct Purpose {
    family: Family,
    subscribe: bool,
    /// It restores subscriptions that the user had before.
    restore: bool,
}

impl Purpose {
    fn command(self) -> &'static str {
        self.family.command(self.subscribe)
    }
}

#[derive(Debug)]
struct Asked {
    /// How many were sent before it.
    number: u64,
    purpose: Purpose,
    /// Those that are not confirmed.
    names: VecDeque<Bytes>,
}

/// What follows from a refusal.
#[derive(Debug)]
pub(super) struct Refused<H> {
    pub(super) command: &'static str,
    /// The name that is not wanted any longer, and its handler.
    pub(super) name: Option<(Family, Bytes, Option<H>)>,
    /// As in an [`Answer`].
    pub(super) complete: bool,
}

/// What something that came from the server means for what was restored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// It was asked for.
    pub(super) asked: bool,
    /// The name is subscribed, and wanted, and nothing else was asked for it since.
    pub(super) live: bool,
    /// It is no news.
    pub(super) restore: bool,
    /// Everything that was lost is there again.
    pub(super) complete: bool,
}

impl<H> Default for Registry<H> {
    fn default() -> Self {
        Self {
            wanted: BTreeMap::new(),
            handlers: 0,
            asked: VecDeque::new(),
            sent: 0,
            restoring: 0,
            regained: false,
        }
    }
}

impl<H> Registry<H> {
    /// Wants names, each with its handler, if any: that of an earlier subscription is replaced. `send` writes a
    /// command, if there is a link.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` without a name.
    pub(super) fn subscribe(
        &mut self,
        family: Family,
        names: impl IntoIterator<Item = (Bytes, Option<H>)>,
        send: impl FnMut(&mut SendBuffer) -> bool,
    ) -> Result<()> {
        let mut asked = VecDeque::new();
        for (name, handler) in names {
            self.handlers += usize::from(handler.is_some());
            let wanted = Wanted { handler, confirmed: false, asked: None };
            let before = self.wanted.insert((family, name.clone()), wanted);
            self.forget(before);
            asked.push_back(name);
        }
        if asked.is_empty() {
            return Err(needs_a_name(family));
        }
        // Without a link the names are sent, with all others, once there is one.
        self.ask(Purpose { family, subscribe: true, restore: false }, asked, send);
        Ok(())
    }

    /// Ends subscriptions; with `None` all of the family.
    pub(super) fn unsubscribe(
        &mut self,
        family: Family,
        names: Option<Vec<Bytes>>,
        send: impl FnMut(&mut SendBuffer) -> bool,
    ) {
        let names: VecDeque<Bytes> = match names {
            Some(names) => names.into(),
            None => {
                let all = self.wanted.keys().filter(|key| key.0 == family);
                all.map(|key| key.1.clone()).collect()
            }
        };
        for name in &names {
            let before = self.wanted.remove(&(family, name.clone()));
            self.forget(before);
        }
        self.ask(Purpose { family, subscribe: false, restore: false }, names, send);
    }

    fn forget(&mut self, wanted: Option<Wanted<H>>) {
        self.handlers -= usize::from(wanted.is_some_and(|wanted| wanted.handler.is_some()));
    }

    /// Asks again for a name that is wanted, which the server has ended by itself.
    pub(super) fn ask_again(
        &mut self,
        family: Family,
        name: Bytes,
        send: impl FnMut(&mut SendBuffer) -> bool,
    ) {
        self.ask(Purpose { family, subscribe: true, restore: false }, [name].into(), send);
    }

    fn ask(
        &mut self,
        purpose: Purpose,
        names: VecDeque<Bytes>,
        send: impl FnMut(&mut SendBuffer) -> bool,
    ) {
        // Shard channels of different slots can't share a command.
        let at_once = if purpose.family == Family::Shard { 1 } else { usize::MAX };
        self.ask_in_parts(at_once, purpose, names, send);
    }

    fn ask_in_parts(
        &mut self,
        at_once: usize,
        purpose: Purpose,
        mut names: VecDeque<Bytes>,
        mut send: impl FnMut(&mut SendBuffer) -> bool,
    ) {
        while !names.is_empty() {
            let rest = names.split_off(names.len().min(at_once));
            let mut out = SendBuffer::default();
            let words = names.iter().map(|name| &name[..]);
            Cmd::<()>::raw(purpose.command()).args(words).encode(&mut out);
            if send(&mut out) {
                for name in names.iter().filter(|_| purpose.subscribe) {
                    if let Some(wanted) = self.wanted.get_mut(&(purpose.family, name.clone())) {
                        wanted.asked = Some(self.sent);
                    }
                }
                self.restoring += if purpose.restore { names.len() } else { 0 };
                self.asked.push_back(Asked { number: self.sent, purpose, names });
                self.sent += 1;
            }
            names = rest;
        }
    }

    /// There is a new link: everything wanted is asked for. Whether any of it was lost before.
    pub(super) fn restore(&mut self, mut send: impl FnMut(&mut SendBuffer) -> bool) -> bool {
        self.lost();
        (self.restoring, self.regained) = (0, false);
        for family in Family::ALL {
            for restore in [true, false] {
                let wanted = self.wanted.iter();
                let wanted = wanted
                    .filter(|(key, wanted)| key.0 == family && wanted.confirmed == restore)
                    .map(|(key, _)| key.1.clone());
                let names = wanted.collect();
                self.ask(Purpose { family, subscribe: true, restore }, names, &mut send);
            }
        }
        self.restoring > 0
    }

    /// There is no link any longer.
    pub(super) fn lost(&mut self) {
        self.asked.clear();
    }

    /// Nothing is wanted any longer, and nobody is told.
    pub(super) fn forget_all(&mut self) {
        let sent = self.sent;
        *self = Self { sent, ..Self::default() };
    }

    /// The server says something of a subscription.
    pub(super) fn handle_confirmed(&mut self, message: &Message) -> Answer {
        let answers = self.asked.front_mut().filter(|asked| {
            asked.purpose.command().eq_ignore_ascii_case(message.kind.as_str())
                && asked.names.front() == Some(&message.channel)
        });
        // Nobody asked, as when a slot moves.
        let Some(asked) = answers else {
            return Answer::default();
        };
        asked.names.pop_front();
        let Asked { number, purpose, .. } = *asked;
        if asked.names.is_empty() {
            self.asked.pop_front();
        }
        self.confirm(number, purpose, &message.channel)
    }

    fn confirm(&mut self, number: u64, purpose: Purpose, name: &Bytes) -> Answer {
        let Purpose { family, subscribe, restore } = purpose;
        let mut live = false;
        if subscribe && let Some(wanted) = self.wanted.get_mut(&(family, name.clone())) {
            wanted.confirmed = true;
            self.regained |= restore;
            live = wanted.asked == Some(number);
        }
        Answer { asked: true, live, restore, complete: restore && self.restored(1) }
    }

    /// The server refuses the oldest command as a whole: what it asked for is not wanted any longer. Its name, if
    /// there is one.
    pub(super) fn handle_refused(&mut self) -> Option<(&'static str, Answer)> {
        let Asked { purpose, names, .. } = self.asked.pop_front()?;
        if purpose.subscribe {
            for name in &names {
                let before = self.wanted.remove(&(purpose.family, name.clone()));
                self.forget(before);
            }
        }
        let restore = purpose.restore;
        let complete = restore && self.restored(names.len());
        Some((purpose.command(), Answer { asked: true, live: false, restore, complete }))
    }

    /// How many commands were sent: the number of the next one.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// The command of this number was run, whether or not its confirmations came: what they would have said.
    pub(super) fn handle_run(&mut self, number: u64) -> Vec<(Family, Bytes, Answer)> {
        let Some(Asked { purpose, names, .. }) = self.take_asked(number) else {
            return Vec::new();
        };
        let confirm = |name| {
            let answer = self.confirm(number, purpose, &name);
            (purpose.family, name, answer)
        };
        names.into_iter().filter(|_| purpose.subscribe).map(confirm).collect()
    }

    /// The server refuses the command of this number. Of several names some may be fine: each is asked for by itself.
    pub(super) fn handle_refused_alone(
        &mut self,
        number: u64,
        send: impl FnMut(&mut SendBuffer) -> bool,
    ) -> Option<Refused<H>> {
        let Asked { purpose, mut names, .. } = self.take_asked(number)?;
        let Purpose { family, subscribe, restore } = purpose;
        if !subscribe {
            return None;
        }
        let alone = names.len() == 1;
        self.restoring = self.restoring.saturating_sub(if restore { names.len() } else { 0 });
        // Some may not be wanted any longer, or were asked for once more since.
        let wanted = |name: &Bytes| self.wanted.get(&(family, name.clone()));
        names.retain(|name| wanted(name).is_some_and(|wanted| wanted.asked == Some(number)));
        let mut refused = None;
        if !alone {
            self.ask_in_parts(1, purpose, names, send);
        } else if let Some(name) = names.pop_front() {
            let before = self.wanted.remove(&(family, name.clone()));
            let handler = before.and_then(|before| before.handler);
            self.handlers -= usize::from(handler.is_some());
            refused = Some((family, name, handler));
        }
        let complete = restore && self.restoring == 0;
        Some(Refused { command: purpose.command(), name: refused, complete })
    }

    /// A command that is answered as a whole. Those before it are not under way any longer.
    fn take_asked(&mut self, number: u64) -> Option<Asked> {
        while let Some(asked) = self.asked.pop_front_if(|asked| asked.number <= number) {
            if asked.number == number {
                return Some(asked);
            }
        }
        None
    }

    fn restored(&mut self, names: usize) -> bool {
        self.restoring = self.restoring.saturating_sub(names);
        self.restoring == 0
    }

    /// The handler of what was published, if it has one.
    #[inline]
    pub(super) fn handler(&self, message: &Message) -> Option<&H> {
        if self.handlers == 0 || !message.kind.is_published() {
            return None;
        }
        let name = message.pattern.as_ref().unwrap_or(&message.channel);
        self.wanted.get(&(message.kind.family()?, name.clone()))?.handler.as_ref()
    }

    /// The handler of a name that is wanted, if it has one.
    pub(super) fn handler_mut(&mut self, family: Family, name: &Bytes) -> Option<&mut H> {
        self.wanted.get_mut(&(family, name.clone()))?.handler.as_mut()
    }

    /// All handlers.
    pub(super) fn handlers_mut(&mut self) -> impl Iterator<Item = &mut H> {
        self.wanted.values_mut().filter_map(|wanted| wanted.handler.as_mut())
    }

    /// Whether anything is wanted.
    pub(super) fn is_wanted(&self) -> bool {
        !self.wanted.is_empty()
    }

    /// Whether anything is wanted, or not answered.
    pub(super) fn is_subscribed(&self) -> bool {
        self.is_wanted() || !self.asked.is_empty()
    }

    /// Whether nobody has to be there to take messages: something is subscribed, and all of it has handlers.
    ///
    /// # Errors
    ///
    /// `InvalidRequest`, naming a subscription without a handler.
    pub(super) fn check_handled(&self) -> Result<()> {
        if self.wanted.is_empty() {
            return Err(nothing_to_run_for());
        }
        match self.wanted.iter().find(|(_, wanted)| wanted.handler.is_none()) {
            Some(((family, name), _)) => Err(has_no_handler(*family, name)),
            None => Ok(()),
        }
    }
}

/// The error of leaving nothing to handlers.
pub fn nothing_to_run_for() -> Error {
    Error::new(ErrorKind::InvalidRequest, "nothing is subscribed: there is nothing to run for")
}

/// The error of leaving a subscription to handlers that has none.
pub fn has_no_handler(family: Family, name: &[u8]) -> Error {
    let text = format!(
        "{} `{}` has no handler to take its messages: subscribe to it with one",
        family.name(),
        name.escape_ascii()
    );
    Error::new(ErrorKind::InvalidRequest, text)
}

/// The error of subscribing to nothing.
pub fn needs_a_name(family: Family) -> Error {
    let text = format!("{}: needs at least one name", family.command(true));
    Error::new(ErrorKind::InvalidRequest, text)
}
