//! Where the server is one of a cluster: what it ends or refuses because a slot is not there is no matter of the
//! reader's, but of who knows where the slot is.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::PubSub;
use super::message::{Message, MessageData, MessageKind, read};
use super::registry::{Answer, Family, Refusal};
use crate::config::Config;
use crate::error::{Error, ErrorKind};
use crate::session::Machine as _;

/// What a cluster's subscriber has to know of the link to a node.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// A shard channel is subscribed.
    Confirmed(Bytes),
    /// The node has ended the subscription of a shard channel by itself.
    Ended(Bytes),
    /// The node refuses to subscribe a shard channel.
    Refused(Bytes, Error),
    /// The link was lost, or could not be had.
    Lost,
}

#[derive(Debug, Default)]
pub(super) struct Member {
    reports: VecDeque<Report>,
}

impl<H> PubSub<H> {
    /// Subscriptions to shard channels at one node of a cluster. Those that the node ends or refuses are not wanted any
    /// longer, and the reader is not told: [`poll_report`](Self::poll_report) says so.
    pub fn of_node(config: Arc<Config>, seed: u64) -> Self {
        Self { member: Some(Member::default()), ..Self::new(config, seed) }
    }

    /// Subscribes to shard channels that were subscribed at another node before. The reader is told of all of them
    /// together, as after a loss: by a [`Resubscribed`](MessageKind::Resubscribed).
    pub fn adopt(&mut self, now: Instant, channels: Vec<Bytes>) {
        let session = &mut self.session;
        self.registry.adopt(Family::Shard, channels, |out| session.send_unanswered(out));
        (self.refused, self.told) = (None, false);
        self.want_link(now);
    }

    /// Ends subscriptions to shard channels that go to another node: of what comes from this one the reader gets no
    /// more.
    pub fn leave(&mut self, now: Instant, channels: Vec<Bytes>) {
        let session = &mut self.session;
        self.registry.leave(Family::Shard, channels, |out| session.send_unanswered(out));
        self.want_link(now);
    }

    /// Closes the connection, when nothing is subscribed there and nothing asked for any longer. What waits for the
    /// reader stays. False when there was none, or it is being opened: it is to be closed then.
    pub fn rest(&mut self, now: Instant) -> bool {
        if self.is_subscribed() || !self.session.is_linked() {
            return false;
        }
        self.established = false;
        self.session.handle_disconnect(now, Some(std::io::ErrorKind::ConnectionAborted));
        // It is no loss.
        while self.session.poll_event().is_some() {}
        true
    }

    /// What is to be known of this link, if anything.
    pub fn poll_report(&mut self) -> Option<Report> {
        self.member.as_mut()?.reports.pop_front()
    }

    /// Whether [`poll_report`](Self::poll_report) has something.
    pub fn has_report(&self) -> bool {
        self.member.as_ref().is_some_and(|member| !member.reports.is_empty())
    }

    fn report(&mut self, report: Report) {
        if let Some(member) = &mut self.member {
            member.reports.push_back(report);
        }
    }

    /// Whether what was published is told by another node, too.
    pub(super) fn is_anothers(&self, frame: &[u8]) -> bool {
        self.registry.is_leaving()
            && matches!(read(frame), Ok(Some(message)) if !self.registry.wants(Family::Shard, &message.channel))
    }

    /// Whether it is for the reader what the server says of a subscription.
    pub(super) fn is_told_to_reader(&mut self, message: &Message, answer: Answer) -> bool {
        if self.member.is_none() {
            return true;
        }
        let channel = &message.channel;
        let kind = message.kind;
        if kind == MessageKind::SSubscribe && answer.asked {
            self.report(Report::Confirmed(channel.clone()));
        } else if kind == MessageKind::SUnsubscribe
            && !answer.asked
            && self.registry.handle_ended(Family::Shard, channel)
        {
            self.report(Report::Ended(channel.clone()));
        }
        answer.asked
    }

    /// Whether the reader is to be told that everything is there again: not where the node refuses all of it.
    pub(super) fn has_regained(&mut self) -> bool {
        self.member.is_none() || self.registry.take_regained()
    }

    /// The server refuses something.
    pub(super) fn handle_refusal(&mut self, error: Error) {
        let (refused, complete) = self.registry.handle_refusal(&error);
        self.handle_restored(complete);
        match refused {
            Refusal::Subscribe(channel) => self.report(Report::Refused(channel, error)),
            // It is not subscribed, as was wished.
            Refusal::Unsubscribe(channel) if !self.ignore_confirmations => {
                let data = MessageData::Count(0);
                let kind = MessageKind::SUnsubscribe;
                self.backlog.confirm(Message { kind, channel, pattern: None, data });
            }
            _ => {}
        }
    }

    /// A connection has ended.
    pub(super) fn report_loss(&mut self, error: &Error) {
        // One that is replaced for its age is not lost.
        if error.kind() != ErrorKind::Closed {
            self.report(Report::Lost);
        }
    }
}
