//! What waits for a subscriber's reader.
//!
//! Owns the bound for messages that nobody reads, what happens beyond it, and that nothing is lost
//! silently. What the server and this library say of the subscriptions has a line of its own, since it is
//! not dropped; positions put the two together again.

use std::collections::VecDeque;

use super::message::{Message, MessageData, MessageKind, Reading};
use super::spool::Spool;
use crate::error::{Error, ErrorKind, Result};

/// What happens to messages beyond `max_backlog`, while nobody reads them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The oldest make room. Where they were, a [`Lagged`](MessageKind::Lagged) says how many.
    #[default]
    DropOldest,
    /// Those that come are dropped. Behind what is kept, a [`Lagged`](MessageKind::Lagged) says how many.
    DropNewest,
    /// Nothing more is taken from the connection, so that they wait with the server, which ends the
    /// connection of those that fall too far behind (`client-output-buffer-limit`): then it is opened again, as
    /// [`Resubscribed`](MessageKind::Resubscribed) tells. Not for subscriptions on a connection that commands share: it
    /// would stop their replies too.
    Backpressure,
    /// The connection is closed. Behind what is kept, an error of kind `Limit` says so; once the reader has taken
    /// that, everything is subscribed again, as [`Resubscribed`](MessageKind::Resubscribed) tells. On a connection that
    /// commands share, which stays open, the one who is too slow loses all subscriptions instead.
    Disconnect,
}

/// Losses and failures that are kept for a reader who is away, apart from the subscriptions' own messages. The latest
/// takes the place of the one before it then.
const NOTICES: usize = 256;

#[derive(Debug)]
pub(super) struct Backlog {
    overflow: Overflow,
    max: usize,
    /// What else happened when there were too many.
    consequence: &'static str,
    published: Spool,
    reading: Reading,
    notices: VecDeque<(u64, Notice)>,
    /// The position of what comes next.
    next: u64,
    /// The oldest, up to this position, were dropped: so many.
    dropped: Option<(u64, i64)>,
    /// Nothing more is taken until the reader has everything.
    held: bool,
    /// Nobody takes messages without handlers: what must not be missed is told as an error.
    pub(super) unattended: bool,
}

#[derive(Debug)]
enum Notice {
    Confirmed(Message),
    Restored,
    Failed(Error),
    Lagged(i64),
}

impl Backlog {
    pub(super) fn new(overflow: Overflow, max: usize) -> Self {
        Self {
            overflow,
            max,
            consequence: "the connection was closed",
            published: Spool::default(),
            reading: Reading::default(),
            notices: VecDeque::new(),
            next: 0,
            dropped: None,
            held: false,
            unattended: false,
        }
    }

    /// As [`new`](Self::new), where others have a part in the connection, so that it stays open.
    pub(super) fn shared(overflow: Overflow, max: usize) -> Self {
        Self { consequence: "the subscriptions were ended", ..Self::new(overflow, max) }
    }

    /// Takes the frame of what was published, or drops something and remembers that. False when that is the end:
    /// of the connection, or where it is shared of the subscriptions.
    #[inline]
    pub(super) fn push(&mut self, frame: &[u8]) -> bool {
        let position = self.next;
        self.next += 1;
        // A single one always fits.
        if self.published.bytes_with(frame) <= self.max || self.published.is_empty() {
            self.published.push(position, frame);
            return true;
        }
        match self.overflow {
            Overflow::Backpressure => self.published.push(position, frame),
            Overflow::DropOldest => {
                self.published.push(position, frame);
                self.drop_oldest();
            }
            Overflow::DropNewest => self.drop_newest(position),
            Overflow::Disconnect => {
                self.held = true;
                let consequence = self.consequence;
                self.fail(Error::new(
                    ErrorKind::Limit,
                    format!("more messages wait for their reader than `max_backlog` allows: {consequence}"),
                ));
                return false;
            }
        }
        true
    }

    fn drop_oldest(&mut self) {
        while self.published.bytes() > self.max
            && self.published.len() > 1
            && let Some((position, ())) = self.published.pop(|_| ())
        {
            let (_, before) = self.dropped.unwrap_or_default();
            self.dropped = Some((position, before + 1));
        }
    }

    fn drop_newest(&mut self, position: u64) {
        let last = self.published.last();
        match self.notices.back_mut() {
            Some((at, Notice::Lagged(count))) if last.is_none_or(|last| last < *at) => *count += 1,
            _ => self.notices.push_back((position, Notice::Lagged(1))),
        }
    }

    /// What the server says of a subscription, or to a PING.
    pub(super) fn confirm(&mut self, message: Message) {
        self.notice(Notice::Confirmed(message));
    }

    /// Everything is subscribed again. To know it once is enough, where nothing came since.
    pub(super) fn restore(&mut self) {
        if let Some((at, Notice::Restored)) = self.notices.back()
            && at + 1 == self.next
        {
            return;
        }
        self.notice(Notice::Restored);
    }

    pub(super) fn fail(&mut self, error: Error) {
        self.notice(Notice::Failed(error));
    }

    fn notice(&mut self, notice: Notice) {
        let position = self.next;
        self.next += 1;
        if self.notices.len() >= NOTICES
            && matches!(notice, Notice::Restored | Notice::Failed(_))
            && let Some((_, last)) = self.notices.back_mut()
            && matches!(last, Notice::Restored | Notice::Failed(_))
        {
            *last = notice;
            return;
        }
        self.notices.push_back((position, notice));
    }

    /// The oldest.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<Result<Message>> {
        let next = self.pop_next();
        self.held &= !self.is_empty();
        next
    }

    #[inline]
    fn pop_next(&mut self) -> Option<Result<Message>> {
        if self.notices.is_empty() && self.dropped.is_none() {
            return self.pop_published();
        }
        let published = self.published.first().unwrap_or(u64::MAX);
        let notice = self.notices.front().map_or(u64::MAX, |(position, _)| *position);
        if let Some((_, count)) = self.dropped.take_if(|(at, _)| *at < published.min(notice)) {
            return Some(self.lagged(count));
        }
        if published < notice {
            return self.pop_published();
        }
        Some(match self.notices.pop_front()?.1 {
            Notice::Confirmed(message) => Ok(message),
            Notice::Failed(error) => Err(error),
            Notice::Lagged(count) => self.lagged(count),
            Notice::Restored if self.unattended => Err(Error::new(
                ErrorKind::Io,
                "the connection was lost: everything is subscribed again, the messages in between are gone",
            )),
            Notice::Restored => Ok(Message::notice(MessageKind::Resubscribed, MessageData::None)),
        })
    }

    #[inline]
    fn pop_published(&mut self) -> Option<Result<Message>> {
        let reading = &mut self.reading;
        self.published.pop(|frame| reading.read_published(frame)).map(|(_, message)| message)
    }

    fn lagged(&self, count: i64) -> Result<Message> {
        match self.unattended {
            true => Err(Error::new(
                ErrorKind::Limit,
                format!(
                    "the handlers are too slow: {count} messages were dropped, see `max_backlog`"
                ),
            )),
            false => Ok(Message::notice(MessageKind::Lagged, MessageData::Count(count))),
        }
    }

    /// Takes back the latest failure, unless the reader has it.
    pub(super) fn take_failure(&mut self) {
        let failed = |(_, notice): &(u64, Notice)| matches!(notice, Notice::Failed(_));
        if let Some(last) = self.notices.iter().rposition(failed) {
            self.notices.remove(last);
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.published.bytes()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.published.is_empty() && self.notices.is_empty() && self.dropped.is_none()
    }

    /// Whether nothing is to be read before the reader has taken something.
    pub(super) fn is_full(&self) -> bool {
        self.overflow == Overflow::Backpressure
            && !self.published.is_empty()
            && self.published.bytes() >= self.max
    }

    /// Whether the connection was closed for a reader who has not taken everything yet.
    pub(super) fn is_held(&self) -> bool {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(text: &str) -> Vec<u8> {
        format!(">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n${}\r\n{text}\r\n", text.len()).into()
    }

    fn confirmation(count: i64) -> Message {
        Message::notice(MessageKind::Subscribe, MessageData::Count(count))
    }

    /// One that holds three messages of one digit.
    fn small(overflow: Overflow) -> Backlog {
        Backlog::new(overflow, 3 * Spool::default().bytes_with(&frame("0")))
    }

    fn fill(backlog: &mut Backlog, numbers: std::ops::Range<usize>) -> bool {
        let pushed = numbers.map(|number| backlog.push(&frame(&number.to_string())));
        pushed.fold(true, |all, one| all & one)
    }

    fn shown(backlog: &mut Backlog) -> Vec<String> {
        let show = |next: Result<Message>| match next {
            Ok(Message {
                kind: MessageKind::Message, data: MessageData::Payload(text), ..
            }) => {
                format!("{}", text.escape_ascii())
            }
            Ok(message) => {
                let count = message.count().map(|count| format!(" {count}")).unwrap_or_default();
                format!("{}{count}", message.kind.as_str())
            }
            Err(error) => format!("{:?}", error.kind()),
        };
        std::iter::from_fn(|| backlog.pop()).map(show).collect()
    }

    #[test]
    fn everything_comes_in_its_order_while_there_is_room() {
        for overflow in [
            Overflow::DropOldest,
            Overflow::DropNewest,
            Overflow::Backpressure,
            Overflow::Disconnect,
        ] {
            let mut backlog = small(overflow);
            backlog.confirm(confirmation(1));
            assert!(fill(&mut backlog, 0..2));
            backlog.restore();
            backlog.fail(Error::new(ErrorKind::Io, "lost"));
            assert!(fill(&mut backlog, 2..3));
            assert!(!backlog.is_held());
            assert_eq!(
                shown(&mut backlog),
                ["subscribe 1", "0", "1", "resubscribed", "Io", "2"],
                "{overflow:?}"
            );
            assert!(backlog.is_empty() && backlog.published.bytes() == 0);
        }
    }

    #[test]
    fn oldest_are_dropped_and_counted_where_they_were() {
        let mut backlog = small(Overflow::DropOldest);
        backlog.confirm(confirmation(1));
        assert!(fill(&mut backlog, 0..5));
        backlog.confirm(confirmation(2));
        assert!(fill(&mut backlog, 5..6));
        assert_eq!(shown(&mut backlog), ["subscribe 1", "lagged 3", "3", "4", "subscribe 2", "5"]);
        assert!(fill(&mut backlog, 6..8));
        assert_eq!(shown(&mut backlog), ["6", "7"]);
    }

    #[test]
    fn newest_are_dropped_and_counted_where_they_would_have_been() {
        let mut backlog = small(Overflow::DropNewest);
        assert!(fill(&mut backlog, 0..5));
        backlog.confirm(confirmation(2));
        assert_eq!(backlog.pop().unwrap().unwrap().text(), Some("0"));
        assert!(fill(&mut backlog, 5..8));
        assert_eq!(shown(&mut backlog), ["1", "2", "lagged 2", "subscribe 2", "5", "lagged 2"]);
    }

    #[test]
    fn back_pressure_drops_nothing_and_asks_for_nothing_more() {
        let mut backlog = small(Overflow::Backpressure);
        assert!(fill(&mut backlog, 0..2) && !backlog.is_full());
        // What was read together with the one that fills it.
        assert!(fill(&mut backlog, 2..5) && backlog.is_full());
        for number in 0..2 {
            assert_eq!(backlog.pop().unwrap().unwrap().text(), Some(&*number.to_string()));
        }
        assert!(backlog.is_full());
        assert_eq!(shown(&mut backlog), ["2", "3", "4"]);
        assert!(!backlog.is_full());
    }

    #[test]
    fn disconnecting_is_told_behind_what_is_kept() {
        let mut backlog = small(Overflow::Disconnect);
        assert!(!fill(&mut backlog, 0..4) && backlog.is_held());
        for number in 0..3 {
            assert_eq!(backlog.pop().unwrap().unwrap().text(), Some(&*number.to_string()));
            assert!(backlog.is_held());
        }
        assert_eq!(backlog.pop().unwrap().unwrap_err().kind(), ErrorKind::Limit);
        assert!(!backlog.is_held() && backlog.is_empty());
    }

    #[test]
    fn losses_are_errors_where_only_handlers_take_messages() {
        let mut backlog = small(Overflow::DropOldest);
        backlog.unattended = true;
        assert!(fill(&mut backlog, 0..4));
        backlog.restore();
        assert_eq!(shown(&mut backlog), ["Limit", "1", "2", "3", "Io"]);
    }

    #[test]
    fn notices_for_a_reader_who_is_away_are_bounded() {
        let mut backlog = small(Overflow::DropOldest);
        for _ in 0..10 * NOTICES {
            backlog.fail(Error::new(ErrorKind::Connect, "refused"));
            backlog.restore();
        }
        assert_eq!(shown(&mut backlog).len(), NOTICES);
    }

    proptest! {
        /// Invariant 17: bounded, and every message is there or counted.
        #[test]
        fn nothing_is_lost_silently(
            overflow in prop::sample::select(vec![Overflow::DropOldest, Overflow::DropNewest]),
            max in 0usize..2000,
            steps in prop::collection::vec((0usize..6, 0usize..4, 0usize..300), 0..60),
        ) {
            let mut backlog = Backlog::new(overflow, max);
            let (mut pushed, mut next) = (0, 0);
            let mut expect = |message: Message| match message.kind {
                MessageKind::Lagged => next += message.count().unwrap_or_default(),
                MessageKind::Message => {
                    let text = message.text().unwrap().trim_start_matches('x');
                    assert_eq!(text.parse(), Ok(next));
                    next += 1;
                }
                _ => {}
            };
            for (push, pop, len) in steps {
                for _ in 0..push {
                    let text = format!("{}{pushed}", "x".repeat(len));
                    prop_assert!(backlog.push(&frame(&text)));
                    pushed += 1;
                    let published = &backlog.published;
                    prop_assert!(published.bytes() <= max || published.len() == 1);
                }
                for message in (0..pop).map_while(|_| backlog.pop()) {
                    expect(message.unwrap());
                }
            }
            while let Some(message) = backlog.pop() {
                expect(message.unwrap());
            }
            prop_assert_eq!(next, pushed);
            prop_assert_eq!(backlog.published.bytes(), 0);
        }
    }
}
