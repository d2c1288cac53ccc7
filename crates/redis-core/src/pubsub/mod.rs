//! Publish and subscribe over one link of its own.
//!
//! Owns the link: when it is wanted, what is said when it is lost and there again, and what waits for the reader.
//! What is subscribed is the registry's, what waits is bounded by the backlog. Handlers are kept beside
//! the names they belong to, and called by whoever reads. Knows nothing of sockets.

mod backlog;
mod member;
mod message;
mod registry;
mod shared;
mod spool;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use self::backlog::Backlog;
pub use self::backlog::Overflow;
use self::member::Member;
pub use self::member::Report;
pub use self::message::{Message, MessageData, MessageKind};
use self::message::{published, read};
use self::registry::{Answer, Registry};
pub use self::registry::{Family, has_no_handler, needs_a_name, nothing_to_run_for};
pub use self::shared::{SubscriptionId, Subscriptions};
use crate::command::{Cmd, ToArg, ToArgs};
use crate::config::Config;
use crate::connection::{Event, Role};
use crate::error::{Delivery, Error, ErrorKind, Result};
use crate::send::SendBuffer;
use crate::session::{Machine as _, Reads, Session};

/// Subscriptions and their messages. `H` is what the adapter keeps as a handler.
#[derive(Debug)]
pub struct PubSub<H> {
    session: Session,
    registry: Registry<H>,
    backlog: Backlog,
    /// A link was ready since the last loss.
    established: bool,
    /// Why there is no link, the last time that was found out.
    failure: Option<Error>,
    /// How often that was found out.
    failures: u64,
    /// How many other servers may be tried before that is a failure, where any of several will do.
    others: u32,
    /// How many were.
    tried: u32,
    /// The server refused the credentials: it is not asked again before something else is subscribed.
    refused: Option<Error>,
    /// The reader knows that it was refused.
    told: bool,
    ignore_confirmations: bool,
    /// The server is one of a cluster.
    member: Option<Member>,
}

impl<H> PubSub<H> {
    /// No subscription yet; nothing is connected before the first.
    pub fn new(config: Arc<Config>, seed: u64) -> Self {
        let others = config.whereabouts.as_ref().map_or(0, |_| config.max_retries);
        Self {
            registry: Registry::default(),
            backlog: Backlog::new(config.overflow, config.max_backlog),
            session: Session::new(config, Role::Subscriber, seed),
            established: false,
            failure: None,
            failures: 0,
            others,
            tried: 0,
            refused: None,
            told: false,
            ignore_confirmations: false,
            member: None,
        }
    }

    /// Whether confirmations and notices are kept from the reader, but for losses that are the reader's own:
    /// [`Lagged`](MessageKind::Lagged).
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
        let session = &mut self.session;
        self.registry.subscribe(family, names, |out| session.send_unanswered(out))?;
        (self.refused, self.told) = (None, false);
        self.want_link(now);
        Ok(())
    }

    /// Ends subscriptions; with `None` all of the family.
    pub fn unsubscribe(&mut self, now: Instant, family: Family, names: Option<Vec<Bytes>>) {
        let session = &mut self.session;
        self.registry.unsubscribe(family, names, |out| session.send_unanswered(out));
        self.want_link(now);
    }

    /// Asks the server for a [`Pong`](MessageKind::Pong) with this text.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` when nothing is subscribed, so that there is no link; `Io`, `NotSent` when it is lost for the
    /// moment.
    pub fn ping(&mut self, text: impl ToArg) -> Result<()> {
        let mut out = SendBuffer::default();
        let ping = Cmd::<()>::raw("PING").arg(text);
        if let Some(reason) = ping.arguments().invalid() {
            return Err(Error::new(ErrorKind::InvalidRequest, reason));
        }
        ping.encode(&mut out);
        if self.session.send_unanswered(&mut out) {
            return Ok(());
        }
        let error = match self.is_subscribed() {
            true => Error::new(ErrorKind::Io, "the connection is lost for the moment"),
            false => Error::new(
                ErrorKind::InvalidRequest,
                "nothing is subscribed: there is no connection to ask for a sign of life",
            ),
        };
        Err(error.with_delivery(Delivery::NotSent))
    }

    fn want_link(&mut self, now: Instant) {
        let wanted = self.registry.is_wanted() && self.refused.is_none() && !self.backlog.is_held();
        self.session.want(now, wanted);
    }

    /// The next message, with the handler it is for, if any.
    #[inline]
    pub fn poll_message(&mut self) -> Option<Result<(Message, Option<H>)>>
    where
        H: Clone,
    {
        match self.backlog.pop() {
            Some(Ok(message)) => {
                let handler = self.registry.handler(&message).cloned();
                Some(Ok((message, handler)))
            }
            Some(Err(error)) => Some(Err(error)),
            None => {
                let refused = self.refused.clone()?;
                self.told = true;
                Some(Err(refused))
            }
        }
    }

    /// How often there was no link to be had: see [`failure_since`](Self::failure_since).
    pub fn failures(&self) -> u64 {
        self.failures
    }

    /// Why there is no link, if that was found out after there were so many failures. For somebody who waits for the
    /// link without reading: the reader is not told of it.
    pub fn failure_since(&mut self, failures: u64) -> Option<Error> {
        if self.failures <= failures {
            return None;
        }
        self.told = self.refused.is_some();
        self.backlog.take_failure();
        self.failure.clone()
    }

    /// Whether listening has come to its end: nothing is subscribed any longer and every message was taken, or the
    /// server refuses the credentials and the reader was told.
    pub fn is_over(&self) -> bool {
        self.backlog.is_empty() && (self.told || !self.is_subscribed())
    }

    /// Whether nothing will ever come: no link is there, or wanted.
    pub fn is_idle(&self) -> bool {
        self.session.is_idle()
    }

    /// As [`is_idle`](Self::is_idle), and nothing waits for the reader either.
    pub fn is_exhausted(&self) -> bool {
        self.is_idle() && self.backlog.is_empty()
    }

    /// Whether what is asked for is sent at once.
    pub fn is_ready(&self) -> bool {
        self.session.is_ready()
    }

    /// Whether anything is to be subscribed.
    pub fn is_wanted(&self) -> bool {
        self.registry.is_wanted()
    }

    /// Whether anything is subscribed, or asked for.
    pub fn is_subscribed(&self) -> bool {
        self.registry.is_subscribed()
    }

    /// Bytes of published messages that wait for the reader, what holds them included.
    pub fn backlog(&self) -> usize {
        self.backlog.bytes()
    }

    /// Whether there is nothing to do for somebody who stands in for the reader.
    pub fn needs_reader(&self) -> bool {
        (self.is_held() || self.is_idle()) && !self.session.has_action()
    }

    /// Whether the link stands still until the reader has taken something: then there is something to do again.
    pub fn is_held(&self) -> bool {
        self.backlog.is_full() || self.backlog.is_held()
    }

    /// From now on nobody takes messages but the handlers: what must not be missed is told as an error.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` when nothing is subscribed; or naming a subscription without a handler.
    pub fn leave_to_handlers(&mut self) -> Result<()> {
        self.check_handled()?;
        self.leave_unattended();
        Ok(())
    }

    /// Whether everything that is subscribed has a handler.
    ///
    /// # Errors
    ///
    /// As [`leave_to_handlers`](Self::leave_to_handlers).
    pub fn check_handled(&self) -> Result<()> {
        self.registry.check_handled()
    }

    /// As [`leave_to_handlers`](Self::leave_to_handlers), when somebody else has looked at the handlers.
    pub fn leave_unattended(&mut self) {
        self.backlog.unattended = true;
    }

    #[inline]
    fn handle_published(&mut self, now: Instant, frame: &[u8]) {
        if self.member.is_some() && self.is_anothers(frame) {
            return;
        }
        if !self.backlog.push(frame) {
            self.give_up_link(now);
        }
    }

    fn handle_message(&mut self, message: Message) {
        if message.kind == MessageKind::Pong {
            return self.backlog.confirm(message);
        }
        let answer = self.registry.handle_confirmed(&message);
        let Answer { restore, complete, .. } = answer;
        if !self.is_told_to_reader(&message, answer) {
            return self.handle_restored(complete);
        }
        if !restore && !self.ignore_confirmations {
            self.backlog.confirm(message);
        }
        self.handle_restored(complete);
    }

    fn handle_restored(&mut self, complete: bool) {
        if complete && self.has_regained() && !self.ignore_confirmations {
            self.backlog.restore();
        }
    }

    /// Whether another server may do, where any of several will.
    fn tries_another(&mut self, error: &Error) -> bool {
        let another = !error.refuses_peer() && self.tried < self.others;
        self.tried = if another { self.tried + 1 } else { 0 };
        another
    }

    /// The reader is too slow for it.
    fn give_up_link(&mut self, now: Instant) {
        self.registry.lost();
        self.established = true;
        self.session.handle_disconnect(now, Some(std::io::ErrorKind::ConnectionAborted));
        self.take_events(now);
    }
}

impl<H> Reads for PubSub<H> {
    fn session(&self) -> &Session {
        &self.session
    }

    fn session_mut(&mut self) -> &mut Session {
        &mut self.session
    }

    #[inline]
    fn handle_push(&mut self, now: Instant, frame: &[u8]) {
        // What was read together with the message that was too much.
        if self.backlog.is_held() {
            return;
        }
        if published(frame).is_some() {
            return self.handle_published(now, frame);
        }
        match read(frame) {
            Ok(Some(message)) if message.kind.is_published() => self.handle_published(now, frame),
            Ok(Some(message)) => self.handle_message(message),
            Ok(None) => {}
            Err(error) if error.is_server() && self.member.is_some() => self.handle_refusal(error),
            Err(error) if error.is_server() => match self.registry.handle_refused() {
                Some((command, answer)) => {
                    self.handle_restored(answer.complete);
                    self.backlog.fail(error.with_context(command));
                }
                None => self.backlog.fail(error),
            },
            Err(error) => self.backlog.fail(error),
        }
    }

    fn takes_input(&self) -> bool {
        !self.backlog.is_full()
    }

    fn take_events(&mut self, now: Instant) {
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Ready => {
                    (self.established, self.tried) = (true, 0);
                    let session = &mut self.session;
                    self.registry.restore(|out| session.send_unanswered(out));
                }
                Event::Closed(error) => {
                    self.registry.lost();
                    self.report_loss(&error);
                    // A link that was ready is opened again, and the reader is told when it is restored.
                    if !std::mem::take(&mut self.established) && !self.tries_another(&error) {
                        let error = error.with_delivery(Delivery::NotSent);
                        self.failures += 1;
                        self.failure = Some(error.clone());
                        match error.refuses_peer() {
                            true => self.refused = Some(error),
                            false => self.backlog.fail(error),
                        }
                    }
                }
                _ => {}
            }
        }
        // A link that was given up is not wanted, and wanted again when there is room for what it brings.
        self.want_link(now);
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
