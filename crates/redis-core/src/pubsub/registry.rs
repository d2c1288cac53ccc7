//! What is subscribed: wanted, asked for, and confirmed.
//!
//! Owns what to send for it, and again after a loss, and what a confirmation answers. Knows nothing of
//! links, and of messages only whose handler they are for.

mod member;

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

pub(super) use self::member::Refused;
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
}

#[derive(Debug)]
struct Asked {
    family: Family,
    subscribe: bool,
    /// It restores subscriptions that the user had before.
    restore: bool,
    names: VecDeque<Bytes>,
}

impl Asked {
    fn command(&self) -> &'static str {
        self.family.command(self.subscribe)
    }
}

/// What something that came from the server means for what was restored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// It was asked for.
    pub(super) asked: bool,
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
            let wanted = Wanted { handler, confirmed: false };
            let before = self.wanted.insert((family, name.clone()), wanted);
            self.forget(before);
            asked.push_back(name);
        }
        if asked.is_empty() {
            return Err(needs_a_name(family));
        }
        // Without a link the names are sent, with all others, once there is one.
        self.ask(Asked { family, subscribe: true, restore: false, names: asked }, send);
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
        self.ask(Asked { family, subscribe: false, restore: false, names }, send);
    }

    fn forget(&mut self, wanted: Option<Wanted<H>>) {
        self.handlers -= usize::from(wanted.is_some_and(|wanted| wanted.handler.is_some()));
    }

    fn ask(&mut self, asked: Asked, mut send: impl FnMut(&mut SendBuffer) -> bool) {
        // Shard channels of different slots can't share a command.
        let at_once = if asked.family == Family::Shard { 1 } else { usize::MAX };
        let Asked { family, subscribe, restore, mut names } = asked;
        while !names.is_empty() {
            let rest = names.split_off(names.len().min(at_once));
            let asked = Asked { family, subscribe, restore, names };
            let mut out = SendBuffer::default();
            let words = asked.names.iter().map(|name| &name[..]);
            Cmd::<()>::raw(asked.command()).args(words).encode(&mut out);
            if send(&mut out) {
                self.restoring += if restore { asked.names.len() } else { 0 };
                self.asked.push_back(asked);
            }
            names = rest;
        }
    }

    /// There is a new link: everything wanted is asked for.
    pub(super) fn restore(&mut self, mut send: impl FnMut(&mut SendBuffer) -> bool) {
        self.lost();
        (self.restoring, self.regained) = (0, false);
        for family in Family::ALL {
            for restore in [true, false] {
                let wanted = self.wanted.iter();
                let wanted = wanted
                    .filter(|(key, wanted)| key.0 == family && wanted.confirmed == restore)
                    .map(|(key, _)| key.1.clone());
                let names = wanted.collect();
                self.ask(Asked { family, subscribe: true, restore, names }, &mut send);
            }
        }
    }

    /// There is no link any longer.
    pub(super) fn lost(&mut self) {
        self.asked.clear();
    }

    /// The server says something of a subscription.
    pub(super) fn handle_confirmed(&mut self, message: &Message) -> Answer {
        let answers = self.asked.front_mut().filter(|asked| {
            asked.command().eq_ignore_ascii_case(message.kind.as_str())
                && asked.names.front() == Some(&message.channel)
        });
        // Nobody asked, as when a slot moves.
        let Some(asked) = answers else {
            return Answer::default();
        };
        asked.names.pop_front();
        let Asked { family, subscribe, restore, .. } = *asked;
        if asked.names.is_empty() {
            self.asked.pop_front();
        }
        if subscribe && let Some(wanted) = self.wanted.get_mut(&(family, message.channel.clone())) {
            wanted.confirmed = true;
            self.regained |= restore;
        }
        Answer { asked: true, restore, complete: restore && self.restored(1) }
    }

    /// The server refuses the oldest command as a whole: what it asked for is not wanted any longer. Its name, if
    /// there is one.
    pub(super) fn handle_refused(&mut self) -> Option<(&'static str, Answer)> {
        let asked = self.asked.pop_front()?;
        if asked.subscribe {
            for name in &asked.names {
                let before = self.wanted.remove(&(asked.family, name.clone()));
                self.forget(before);
            }
        }
        let restore = asked.restore;
        let complete = restore && self.restored(asked.names.len());
        Some((asked.command(), Answer { asked: true, restore, complete }))
    }

    fn restored(&mut self, names: usize) -> bool {
        self.restoring = self.restoring.saturating_sub(names);
        self.restoring == 0 && std::mem::take(&mut self.regained)
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
