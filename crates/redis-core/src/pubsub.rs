//! Publish and subscribe over one link of its own.
//!
//! Owns what is wanted, what to send for it (again after a loss), and what the server's pushes mean,
//! the same under RESP2 and RESP3. Handlers are kept beside the names they belong to, and called by
//! whoever reads. Knows nothing of sockets.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use resp_proto::Token;

use crate::command::{Cmd, ToArgs};
use crate::config::Config;
use crate::connection::{Event, Role};
use crate::error::{Delivery, Error, ErrorKind, Result};
use crate::reply::ReplyReader;
use crate::send::SendBuffer;
use crate::session::{Machine as _, Reads, Session};

/// What a message is.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// A channel's subscription is confirmed.
    Subscribe,
    /// The end of a channel's subscription is confirmed.
    Unsubscribe,
    /// A pattern's subscription is confirmed.
    PSubscribe,
    /// The end of a pattern's subscription is confirmed.
    PUnsubscribe,
    /// A shard channel's subscription is confirmed.
    SSubscribe,
    /// The end of a shard channel's subscription is confirmed, or the slot moved away.
    SUnsubscribe,
    /// Published to a channel that is subscribed.
    Message,
    /// Published to a channel that matches a pattern.
    PMessage,
    /// Published to a shard channel that is subscribed.
    SMessage,
    /// The answer to a PING.
    Pong,
    /// The link was lost and everything wanted is subscribed again: messages in between are gone.
    Resubscribed,
}

impl MessageKind {
    /// The name redis-py gives it, which is the protocol's own.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Subscribe => "subscribe",
            Self::Unsubscribe => "unsubscribe",
            Self::PSubscribe => "psubscribe",
            Self::PUnsubscribe => "punsubscribe",
            Self::SSubscribe => "ssubscribe",
            Self::SUnsubscribe => "sunsubscribe",
            Self::Message => "message",
            Self::PMessage => "pmessage",
            Self::SMessage => "smessage",
            Self::Pong => "pong",
            Self::Resubscribed => "resubscribed",
        }
    }

    fn parse(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"subscribe" => Self::Subscribe,
            b"unsubscribe" => Self::Unsubscribe,
            b"psubscribe" => Self::PSubscribe,
            b"punsubscribe" => Self::PUnsubscribe,
            b"ssubscribe" => Self::SSubscribe,
            b"sunsubscribe" => Self::SUnsubscribe,
            b"message" => Self::Message,
            b"pmessage" => Self::PMessage,
            b"smessage" => Self::SMessage,
            b"pong" => Self::Pong,
            _ => return None,
        })
    }

    /// Whether it was published, rather than said by the server or this library.
    pub fn is_published(self) -> bool {
        matches!(self, Self::Message | Self::PMessage | Self::SMessage)
    }

    fn family(self) -> Option<Family> {
        Some(match self {
            Self::Subscribe | Self::Unsubscribe | Self::Message => Family::Channel,
            Self::PSubscribe | Self::PUnsubscribe | Self::PMessage => Family::Pattern,
            Self::SSubscribe | Self::SUnsubscribe | Self::SMessage => Family::Shard,
            Self::Pong | Self::Resubscribed => return None,
        })
    }
}

/// What a message carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageData {
    /// What was published, or sent with the PING.
    Payload(Bytes),
    /// How many subscriptions there are after this confirmation.
    Count(i64),
    /// Nothing.
    None,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it is.
    pub kind: MessageKind,
    /// The channel it was published to, or the name whose subscription it confirms.
    pub channel: Bytes,
    /// The pattern that matched, for a pattern's messages alone.
    pub pattern: Option<Bytes>,
    /// What it carries.
    pub data: MessageData,
}

impl Message {
    /// What was published.
    pub fn payload(&self) -> Option<&[u8]> {
        match &self.data {
            MessageData::Payload(payload) => Some(payload),
            _ => None,
        }
    }

    /// What was published, where it is UTF-8.
    pub fn text(&self) -> Option<&str> {
        self.payload().and_then(|payload| std::str::from_utf8(payload).ok())
    }

    /// How many subscriptions there are, in a confirmation.
    pub fn count(&self) -> Option<i64> {
        match self.data {
            MessageData::Count(count) => Some(count),
            _ => None,
        }
    }

    /// Reads a push, or under RESP2 a reply. None for a push of another kind.
    fn read(frame: &[u8]) -> Result<Option<Self>> {
        let mut reply = ReplyReader::new(frame);
        // RESP3 answers a PING as usual.
        if let Token::SimpleString(_) | Token::BulkString(_) = reply.peek()? {
            let text = reply.string()?;
            let payload = if *text == *b"PONG" { Bytes::new() } else { reply.bytes(text) };
            return Ok(Some(Self {
                kind: MessageKind::Pong,
                channel: Bytes::new(),
                pattern: None,
                data: MessageData::Payload(payload),
            }));
        }
        reply.list()?;
        let Some(kind) = MessageKind::parse(&reply.string()?) else {
            return Ok(None);
        };
        let pattern = match kind {
            MessageKind::PMessage => Some(read_bytes(&mut reply)?),
            _ => None,
        };
        let channel = match kind {
            MessageKind::Pong => Bytes::new(),
            // Null when there was nothing to unsubscribe from.
            _ if reply.peek()? == Token::Null => reply.token().map(|_| Bytes::new())?,
            _ => read_bytes(&mut reply)?,
        };
        let data = match kind {
            kind if kind.is_published() || kind == MessageKind::Pong => {
                MessageData::Payload(read_bytes(&mut reply)?)
            }
            _ => match reply.token()? {
                Token::Integer(count) => MessageData::Count(count),
                token => return Err(crate::reply::mismatch("a count of subscriptions", token)),
            },
        };
        Ok(Some(Self { kind, channel, pattern, data }))
    }
}

fn read_bytes(reply: &mut ReplyReader<'_>) -> Result<Bytes> {
    let text = reply.string()?;
    Ok(reply.bytes(text))
}

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

    fn subscribe(self) -> &'static str {
        match self {
            Self::Channel => "SUBSCRIBE",
            Self::Pattern => "PSUBSCRIBE",
            Self::Shard => "SSUBSCRIBE",
        }
    }

    fn unsubscribe(self) -> &'static str {
        match self {
            Self::Channel => "UNSUBSCRIBE",
            Self::Pattern => "PUNSUBSCRIBE",
            Self::Shard => "SUNSUBSCRIBE",
        }
    }
}

/// Subscriptions and their messages. `H` is what the adapter keeps as a handler.
#[derive(Debug)]
pub struct PubSub<H> {
    session: Session,
    wanted: BTreeMap<(Family, Bytes), Wanted<H>>,
    /// Commands whose confirmations are not all in, oldest first.
    asked: VecDeque<Asked>,
    /// Subscriptions of the last restore that are not confirmed.
    restoring: usize,
    /// A link was ready since the last loss.
    established: bool,
    /// The server refused the credentials: it is not asked again before something else is subscribed.
    refused: Option<Error>,
    /// The reader knows that it was refused.
    told: bool,
    ignore_confirmations: bool,
    messages: VecDeque<Result<Message>>,
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

impl<H> PubSub<H> {
    /// No subscription yet; nothing is connected before the first.
    pub fn new(config: Arc<Config>, seed: u64) -> Self {
        Self {
            session: Session::new(config, Role::Subscriber, seed),
            wanted: BTreeMap::new(),
            asked: VecDeque::new(),
            restoring: 0,
            established: false,
            refused: None,
            told: false,
            ignore_confirmations: false,
            messages: VecDeque::new(),
        }
    }

    /// Whether confirmations and notices are kept from the reader.
    pub fn ignore_subscribe_messages(&mut self, ignore: bool) {
        self.ignore_confirmations = ignore;
    }

    /// Subscribes to names, each with its handler, if any: that of an earlier subscription is replaced.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` without a name.
    pub fn subscribe(
        &mut self,
        now: Instant,
        family: Family,
        names: impl IntoIterator<Item = (Bytes, Option<H>)>,
    ) -> Result<()> {
        let mut asked = VecDeque::new();
        for (name, handler) in names {
            self.wanted.insert((family, name.clone()), Wanted { handler, confirmed: false });
            asked.push_back(name);
        }
        if asked.is_empty() {
            return Err(Error::new(
                ErrorKind::InvalidRequest,
                format!("{}: needs at least one name", family.subscribe()),
            ));
        }
        (self.refused, self.told) = (None, false);
        // Without a link the names are sent, with all others, once there is one.
        self.ask(Asked { family, subscribe: true, restore: false, names: asked });
        self.session.want(now, true);
        Ok(())
    }

    /// Ends subscriptions; with `None` all of the family.
    pub fn unsubscribe(&mut self, now: Instant, family: Family, names: Option<Vec<Bytes>>) {
        let names: VecDeque<Bytes> = match names {
            Some(names) => names.into(),
            None => self.names(family).cloned().collect(),
        };
        for name in &names {
            self.wanted.remove(&(family, name.clone()));
        }
        self.ask(Asked { family, subscribe: false, restore: false, names });
        self.session.want(now, !self.wanted.is_empty());
    }

    fn ask(&mut self, asked: Asked) {
        if asked.family == Family::Shard && asked.names.len() > 1 {
            // Those of different slots can't share a command.
            for name in asked.names {
                self.ask(Asked { names: [name].into(), ..asked });
            }
            return;
        }
        if asked.names.is_empty() {
            return;
        }
        let name =
            if asked.subscribe { asked.family.subscribe() } else { asked.family.unsubscribe() };
        let mut out = SendBuffer::default();
        Cmd::<()>::raw(name).args(asked.names.iter().map(|name| &name[..])).encode(&mut out);
        if self.session.send_unanswered(&mut out) {
            self.restoring += if asked.restore { asked.names.len() } else { 0 };
            self.asked.push_back(asked);
        }
    }

    fn names(&self, family: Family) -> impl Iterator<Item = &Bytes> {
        self.wanted.keys().filter(move |key| key.0 == family).map(|key| &key.1)
    }

    fn names_by(&self, family: Family, confirmed: bool) -> Vec<Bytes> {
        let wanted = self.wanted.iter();
        let wanted =
            wanted.filter(|(key, wanted)| key.0 == family && wanted.confirmed == confirmed);
        wanted.map(|(key, _)| key.1.clone()).collect()
    }

    /// The link is ready: everything wanted is asked for.
    fn restore(&mut self) {
        self.asked.clear();
        self.restoring = 0;
        for family in Family::ALL {
            for restore in [true, false] {
                let names = self.names_by(family, restore).into();
                self.ask(Asked { family, subscribe: true, restore, names });
            }
        }
    }

    fn handle_message(&mut self, message: Message) {
        if message.kind.is_published() || message.kind == MessageKind::Pong {
            return self.messages.push_back(Ok(message));
        }
        let answers = self.asked.front_mut().is_some_and(|asked| {
            let kind =
                if asked.subscribe { asked.family.subscribe() } else { asked.family.unsubscribe() };
            kind.eq_ignore_ascii_case(message.kind.as_str())
                && asked.names.front() == Some(&message.channel)
        });
        let mut hidden = self.ignore_confirmations;
        if answers && let Some(asked) = self.asked.front_mut() {
            asked.names.pop_front();
            let restore = asked.restore;
            if asked.subscribe
                && let Some(wanted) = self.wanted.get_mut(&(asked.family, message.channel.clone()))
            {
                wanted.confirmed = true;
            }
            if asked.names.is_empty() {
                self.asked.pop_front();
            }
            if restore {
                hidden = true;
                self.restored(1);
            }
        }
        if !hidden {
            self.messages.push_back(Ok(message));
        }
    }

    fn restored(&mut self, names: usize) {
        self.restoring = self.restoring.saturating_sub(names);
        if self.restoring == 0 && !self.ignore_confirmations {
            self.messages.push_back(Ok(Message {
                kind: MessageKind::Resubscribed,
                channel: Bytes::new(),
                pattern: None,
                data: MessageData::None,
            }));
        }
    }

    /// The next message, with the handler it is for, if any.
    #[allow(clippy::type_complexity, reason = "an alias would hide the one thing to see")]
    pub fn poll_message(&mut self) -> Option<Result<(Message, Option<&mut H>)>> {
        let Some(next) = self.messages.pop_front() else {
            let refused = self.refused.clone()?;
            self.told = true;
            return Some(Err(refused));
        };
        let message = match next {
            Ok(message) => message,
            Err(error) => return Some(Err(error)),
        };
        let handler = match message.kind.family() {
            Some(family) if message.kind.is_published() => {
                let name = message.pattern.as_ref().unwrap_or(&message.channel).clone();
                self.wanted.get_mut(&(family, name)).and_then(|wanted| wanted.handler.as_mut())
            }
            _ => None,
        };
        Some(Ok((message, handler)))
    }

    /// The next thing to tell the reader, where that is an error.
    pub fn poll_error(&mut self) -> Option<Error> {
        match self.messages.pop_front_if(|message| message.is_err()) {
            Some(message) => message.err(),
            None => {
                self.told = self.refused.is_some();
                self.refused.clone()
            }
        }
    }

    /// Whether listening has come to its end: nothing is subscribed any longer and every message was taken, or the
    /// server refuses the credentials and the reader was told.
    pub fn is_over(&self) -> bool {
        self.messages.is_empty() && (self.told || !self.is_subscribed())
    }

    /// Whether nothing will ever come: nothing is subscribed, and no link is open or wanted.
    pub fn is_idle(&self) -> bool {
        self.wanted.is_empty() && self.session.is_down()
    }

    /// Whether what is asked for is sent at once.
    pub fn is_ready(&self) -> bool {
        self.session.is_ready()
    }

    /// Whether anything is subscribed, or asked for.
    pub fn is_subscribed(&self) -> bool {
        !self.wanted.is_empty() || !self.asked.is_empty()
    }

    /// Whether nobody has to be there to take messages: something is subscribed, and all of it has handlers.
    ///
    /// # Errors
    ///
    /// `InvalidRequest`, naming a subscription without a handler.
    pub fn check_handled(&self) -> Result<()> {
        let refused = |text| Err(Error::new(ErrorKind::InvalidRequest, text));
        if self.wanted.is_empty() {
            return refused("nothing is subscribed: there is nothing to run for".to_owned());
        }
        match self.wanted.iter().find(|(_, wanted)| wanted.handler.is_none()) {
            Some(((family, name), _)) => refused(format!(
                "{} `{}` has no handler to take its messages: subscribe to it with one",
                family.name(),
                name.escape_ascii()
            )),
            None => Ok(()),
        }
    }
}

impl<H> Reads for PubSub<H> {
    fn session(&self) -> &Session {
        &self.session
    }

    fn session_mut(&mut self) -> &mut Session {
        &mut self.session
    }

    fn handle_push(&mut self, _: Instant, frame: &[u8]) {
        match Message::read(frame) {
            Ok(Some(message)) => self.handle_message(message),
            Ok(None) => {}
            Err(error) if error.is_server() => {
                // The server refuses a command as a whole: what it asked for is not wanted any longer.
                let Some(asked) = self.asked.pop_front() else {
                    return self.messages.push_back(Err(error));
                };
                if asked.subscribe {
                    for name in &asked.names {
                        self.wanted.remove(&(asked.family, name.clone()));
                    }
                }
                if asked.restore {
                    self.restored(asked.names.len());
                }
                let command = if asked.subscribe {
                    asked.family.subscribe()
                } else {
                    asked.family.unsubscribe()
                };
                self.messages.push_back(Err(error.with_context(command)));
            }
            Err(error) => self.messages.push_back(Err(error)),
        }
    }

    fn take_events(&mut self, now: Instant) {
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Ready => {
                    self.established = true;
                    self.restore();
                }
                Event::Closed(error) => {
                    self.asked.clear();
                    // A link that was ready is opened again, and the reader is told when it is restored.
                    if !std::mem::take(&mut self.established) {
                        let error = error.with_delivery(Delivery::NotSent);
                        match error.kind() {
                            ErrorKind::Auth => self.refused = Some(error),
                            _ => self.messages.push_back(Err(error)),
                        }
                    }
                }
                _ => {}
            }
        }
        if self.refused.is_some() {
            self.session.want(now, false);
        }
    }
}

/// The error of waiting without a deadline where nothing will ever come.
pub fn nothing_to_wait_for() -> Error {
    Error::new(ErrorKind::InvalidRequest, "nothing is subscribed: waiting would never end")
}

/// The bytes of one name or a list of them, as arguments are written.
///
/// # Errors
///
/// `InvalidRequest` when one is no argument.
pub fn names<M>(names: impl ToArgs<M>) -> Result<Vec<Bytes>> {
    let cmd = Cmd::<()>::raw("").any_args(names);
    let args = cmd.arguments();
    match args.invalid() {
        Some(reason) => Err(Error::new(ErrorKind::InvalidRequest, reason)),
        None => Ok(args.iter().map(Bytes::copy_from_slice).collect()),
    }
}
