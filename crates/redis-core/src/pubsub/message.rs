//! What comes to a subscriber: messages, and how they are read from pushes, or under RESP2 from replies.

use bytes::Bytes;
use resp_proto::Token;

use super::registry::Family;
use crate::error::{Error, Result};
use crate::reply::{ReplyReader, mismatch};

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
    /// The reader was too slow: so many messages as the count says were dropped here, see
    /// [`Overflow`](crate::pubsub::Overflow).
    Lagged,
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
            Self::Lagged => "lagged",
        }
    }

    fn parse(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"message" => Self::Message,
            b"pmessage" => Self::PMessage,
            b"smessage" => Self::SMessage,
            b"subscribe" => Self::Subscribe,
            b"unsubscribe" => Self::Unsubscribe,
            b"psubscribe" => Self::PSubscribe,
            b"punsubscribe" => Self::PUnsubscribe,
            b"ssubscribe" => Self::SSubscribe,
            b"sunsubscribe" => Self::SUnsubscribe,
            b"pong" => Self::Pong,
            _ => return None,
        })
    }

    /// Whether it was published, rather than said by the server or this library.
    pub fn is_published(self) -> bool {
        matches!(self, Self::Message | Self::PMessage | Self::SMessage)
    }

    pub(super) fn family(self) -> Option<Family> {
        Some(match self {
            Self::Subscribe | Self::Unsubscribe | Self::Message => Family::Channel,
            Self::PSubscribe | Self::PUnsubscribe | Self::PMessage => Family::Pattern,
            Self::SSubscribe | Self::SUnsubscribe | Self::SMessage => Family::Shard,
            Self::Pong | Self::Resubscribed | Self::Lagged => return None,
        })
    }
}

/// What a message carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageData {
    /// What was published, or sent with the PING.
    Payload(Bytes),
    /// How many subscriptions there are after this confirmation, or how many messages were dropped.
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

    /// How many subscriptions there are, in a confirmation; how many messages were dropped, in a
    /// [`Lagged`](MessageKind::Lagged).
    pub fn count(&self) -> Option<i64> {
        match self.data {
            MessageData::Count(count) => Some(count),
            _ => None,
        }
    }

    /// One of this library's own.
    pub(super) fn notice(kind: MessageKind, data: MessageData) -> Self {
        Self { kind, channel: Bytes::new(), pattern: None, data }
    }
}

/// How a frame of what is published begins, behind its first byte, as servers write it.
const PUBLISHED: [(&[u8], MessageKind); 3] = [
    (b"3\r\n$7\r\nmessage\r\n", MessageKind::Message),
    (b"4\r\n$8\r\npmessage\r\n", MessageKind::PMessage),
    (b"3\r\n$8\r\nsmessage\r\n", MessageKind::SMessage),
];

/// Whether this is the frame of what was published, and where its names begin. Not all are known by their look:
/// [`read`] knows the others.
#[inline]
pub(super) fn published(frame: &[u8]) -> Option<(MessageKind, &[u8])> {
    let [b'>' | b'*', rest @ ..] = frame else {
        return None;
    };
    PUBLISHED.iter().find_map(|&(prefix, kind)| Some((kind, rest.strip_prefix(prefix)?)))
}

/// Reads a push, or under RESP2 a reply. None for a push of another kind.
pub(super) fn read(frame: &[u8]) -> Result<Option<Message>> {
    let mut reply = ReplyReader::new(frame);
    // RESP3 answers a PING as usual.
    if let Token::SimpleString(_) | Token::BulkString(_) = reply.peek()? {
        let text = reply.string()?;
        let payload = if *text == *b"PONG" { Bytes::new() } else { reply.bytes(text) };
        return Ok(Some(Message::notice(MessageKind::Pong, MessageData::Payload(payload))));
    }
    reply.list()?;
    let Some(kind) = MessageKind::parse(&reply.string()?) else {
        return Ok(None);
    };
    if kind.is_published() {
        return Reading::default().read_rest(kind, reply).map(Some);
    }
    let channel = match kind {
        MessageKind::Pong => Bytes::new(),
        // Null when there was nothing to unsubscribe from.
        _ if reply.peek()? == Token::Null => reply.token().map(|_| Bytes::new())?,
        _ => read_bytes(&mut reply)?,
    };
    let data = match kind {
        MessageKind::Pong => MessageData::Payload(read_bytes(&mut reply)?),
        _ => match reply.token()? {
            Token::Integer(count) => MessageData::Count(count),
            token => return Err(mismatch("a count of subscriptions", token)),
        },
    };
    Ok(Some(Message { kind, channel, pattern: None, data }))
}

fn read_bytes(reply: &mut ReplyReader<'_>) -> Result<Bytes> {
    let text = reply.string()?;
    Ok(reply.bytes(text))
}

/// Reads what is published. Most messages name the channel that the one before named: its bytes are shared.
#[derive(Debug, Default)]
pub(super) struct Reading {
    channel: Bytes,
    pattern: Bytes,
}

impl Reading {
    /// Reads a frame that [`published`] or [`read`] says is one.
    #[inline]
    pub(super) fn read_published(&mut self, frame: &[u8]) -> Result<Message> {
        if let Some((kind, names)) = published(frame) {
            return self.read_rest(kind, ReplyReader::new(names));
        }
        read(frame)?.ok_or_else(|| Error::decode("what was published is no message any longer"))
    }

    /// Which subscription a frame is for, if it was published: its family and name.
    pub(super) fn subscription(&mut self, frame: &[u8]) -> Option<(Family, Bytes)> {
        let Some((kind, names)) = published(frame) else {
            let message = read(frame).ok()??;
            let name = message.pattern.unwrap_or(message.channel);
            return message.kind.is_published().then_some(message.kind.family()?).zip(Some(name));
        };
        let last = match kind {
            MessageKind::PMessage => &mut self.pattern,
            _ => &mut self.channel,
        };
        let name = read_name(last, &mut ReplyReader::new(names)).ok()?;
        Some((kind.family()?, name))
    }

    #[inline]
    fn read_rest(&mut self, kind: MessageKind, mut reply: ReplyReader<'_>) -> Result<Message> {
        let pattern = match kind {
            MessageKind::PMessage => Some(read_name(&mut self.pattern, &mut reply)?),
            _ => None,
        };
        let channel = read_name(&mut self.channel, &mut reply)?;
        let data = MessageData::Payload(read_bytes(&mut reply)?);
        Ok(Message { kind, channel, pattern, data })
    }
}

#[inline]
fn read_name(last: &mut Bytes, reply: &mut ReplyReader<'_>) -> Result<Bytes> {
    let text = reply.string()?;
    if **last != *text {
        *last = Bytes::copy_from_slice(&text);
    }
    Ok(last.clone())
}
