//! One logical link over successive connections.
//!
//! Owns when to connect, how long to wait after a failure, and where requests wait meanwhile. Knows
//! nothing of sockets: it asks for them by [`Action`]s.

mod machine;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use rand::SeedableRng;
use rand::rngs::SmallRng;

pub use self::machine::{Action, Machine};
use crate::batch::{Batch, Ticket};
use crate::config::Config;
use crate::connection::{Connection, Event, Role, ServerInfo, SubmitError};
use crate::error::{Delivery, Error, ErrorKind};
use crate::send::{SendBuffer, Transmit};

/// One logical link: connects on demand, and again after a loss.
#[derive(Debug)]
pub struct Session {
    config: Arc<Config>,
    role: Role,
    link: Link,
    /// Requests that came while there was no connection to take them.
    backlog: Batch,
    /// A connection is wanted although no request waits.
    wanted: bool,
    closing: bool,
    once: bool,
    /// The connection is being replaced for its age: it takes nothing more, and its end is no failure.
    renewing: bool,
    /// When the connection is too old.
    old_at: Option<Instant>,
    /// The next attempt to connect is not before this time.
    not_before: Option<Instant>,
    /// No deadline in the backlog is before this time.
    earliest: Option<Instant>,
    failed: u32,
    /// The connection was ready for requests.
    ready: bool,
    /// Why the last attempt to connect failed, until one does not.
    down: Option<Error>,
    rng: SmallRng,
    actions: VecDeque<Action>,
    events: VecDeque<Event>,
}

#[derive(Debug)]
enum Link {
    Down,
    Opening(Connection),
    Open(Connection),
    Over,
}

impl Session {
    /// A session that connects when something is asked of it.
    pub fn new(config: Arc<Config>, role: Role, seed: u64) -> Self {
        Self {
            config,
            role,
            link: Link::Down,
            backlog: Batch::default(),
            wanted: false,
            closing: false,
            once: false,
            renewing: false,
            old_at: None,
            not_before: None,
            earliest: None,
            failed: 0,
            ready: false,
            down: None,
            rng: SmallRng::seed_from_u64(seed),
            actions: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// A session of a single connection: whatever ends that ends the session. For what would be wrong on
    /// another connection, such as a watch.
    pub fn once(config: Arc<Config>, role: Role, seed: u64) -> Self {
        Self { once: true, ..Self::new(config, role, seed) }
    }

    /// Takes all requests of the batch, and connects if need be.
    ///
    /// # Errors
    ///
    /// [`SubmitError`]; the batch is left as it was then.
    pub fn submit(&mut self, now: Instant, batch: &mut Batch) -> Result<(), SubmitError> {
        match &mut self.link {
            Link::Open(_) if self.renewing && !self.closing => self.put_off(now, batch),
            Link::Opening(conn) | Link::Open(conn) => conn.submit(now, batch),
            Link::Over => Err(SubmitError::Closed),
            Link::Down => self.put_off(now, batch),
        }
    }

    /// Takes requests that wait for a connection.
    fn put_off(&mut self, now: Instant, batch: &mut Batch) -> Result<(), SubmitError> {
        if !self.has_room() {
            return Err(SubmitError::Full);
        }
        self.backlog.append(batch);
        self.expire_backlog(now);
        self.connect_if_due(now);
        if let (Link::Down, true, Some(error)) = (&self.link, self.config.fails_fast, &self.down) {
            let error = error.clone();
            self.fail_backlog(&error);
        }
        Ok(())
    }

    /// Connects, although no request waits; and again after each loss, until told otherwise.
    pub fn want(&mut self, now: Instant, wanted: bool) {
        self.wanted = wanted;
        self.connect_if_due(now);
    }

    /// Sends bytes that are answered by pushes, if at all. False when the link is not ready: nothing is
    /// sent then.
    pub fn send_unanswered(&mut self, bytes: &mut SendBuffer) -> bool {
        match &mut self.link {
            Link::Open(conn) if conn.is_ready() => {
                conn.send_unanswered(bytes);
                true
            }
            _ => false,
        }
    }

    /// As [`Connection::abandon`].
    pub fn abandon(&mut self, ticket: Ticket) {
        self.events.retain(|event| !event.fails(ticket));
        match &mut self.link {
            Link::Opening(conn) | Link::Open(conn) if !self.renewing => conn.abandon(ticket),
            Link::Opening(conn) | Link::Open(conn) => {
                if !self.backlog.take_back(ticket) {
                    conn.abandon(ticket);
                }
            }
            _ => drop(self.backlog.take_back(ticket)),
        }
    }

    /// Replaces the connection when it is too old. Those of a single connection are left to their owner.
    fn renew_if_old(&mut self, now: Instant) {
        if self.old_at.is_none_or(|old_at| now < old_at) || self.once || self.closing {
            return;
        }
        if let Link::Open(conn) = &mut self.link
            && conn.is_ready()
        {
            (self.renewing, self.old_at) = (true, None);
            conn.close();
            self.take_events(now);
        }
    }

    /// Ends the session once everything under way is answered. What waits for a connection fails.
    pub fn close(&mut self, now: Instant) {
        self.closing = true;
        self.old_at = None;
        match &mut self.link {
            Link::Opening(conn) | Link::Open(conn) => {
                conn.close();
                self.take_events(now);
            }
            Link::Down => {
                self.link = Link::Over;
                let error = Error::new(ErrorKind::Closed, "the client was closed");
                self.fail_backlog(&error);
                self.events.push_back(Event::Closed(error));
            }
            Link::Over => {}
        }
    }

    fn expire_backlog(&mut self, now: Instant) {
        let (events, config) = (&mut self.events, &self.config);
        self.earliest = self.backlog.expire(now, |ticket| {
            let error = config.no_connection_in_time();
            events.push_back(Event::Failed { ticket, error, deadline: Some(now) });
        });
    }

    fn fail_backlog(&mut self, error: &Error) {
        let error = error.clone().with_delivery(Delivery::NotSent);
        let events = &mut self.events;
        self.backlog.clear(|ticket, deadline| {
            let (error, deadline) = (error.clone(), deadline.known());
            events.push_back(Event::Failed { ticket, error, deadline });
        });
    }

    fn connect_if_due(&mut self, now: Instant) {
        let idle = self.backlog.is_empty() && !self.wanted;
        if !matches!(self.link, Link::Down)
            || idle
            || self.not_before.is_some_and(|time| now < time)
        {
            return;
        }
        self.config = self.config.again();
        let mut conn = Connection::new(self.config.clone(), self.role, now);
        // The backlog was held to the same limits, so that it fits.
        if conn.submit(now, &mut self.backlog).is_ok() {
            self.earliest = None;
        }
        self.link = Link::Opening(conn);
        self.ready = false;
        self.actions.push_back(Action::Open(self.config.endpoint.clone()));
    }

    /// Passes the connection's events on, and sees to its end.
    fn take_events(&mut self, now: Instant) {
        let (Link::Opening(conn) | Link::Open(conn)) = &mut self.link else {
            return;
        };
        let mut over = false;
        while let Some(event) = conn.poll_event() {
            match &event {
                Event::Ready => {
                    self.failed = 0;
                    (self.ready, self.down) = (true, None);
                    // A connection that is not replaced needs no timer for it.
                    let renews = !self.once && !self.closing;
                    self.old_at = self.config.max_age.filter(|_| renews).map(|age| now + age);
                }
                Event::Closed(error) => {
                    over = true;
                    if !self.ready {
                        self.down = Some(error.clone());
                    }
                }
                _ => {}
            }
            self.events.push_back(event);
        }
        if over {
            // An open that nobody has begun is not begun at all.
            if self.actions.pop_back_if(|action| matches!(action, Action::Open(_))).is_none() {
                self.actions.push_back(Action::Close);
            }
            if self.closing || self.once {
                self.link = Link::Over;
                return self.fail_backlog(&Error::new(ErrorKind::Closed, "the client was closed"));
            }
            self.link = Link::Down;
            self.old_at = None;
            if std::mem::take(&mut self.renewing) {
                self.not_before = None;
                return self.connect_if_due(now);
            }
            self.failed += 1;
            self.config.lost();
            self.not_before = Some(now + self.config.backoff.wait(self.failed, &mut self.rng));
        }
    }

    /// As [`Connection::handle_absence`].
    pub(crate) fn handle_absence(&mut self, now: Instant) {
        if let Link::Open(conn) = &mut self.link {
            conn.handle_absence(now);
        }
    }

    /// Whether a batch would be taken now.
    pub fn has_room(&self) -> bool {
        match &self.link {
            Link::Opening(conn) | Link::Open(conn) if !self.renewing => conn.has_room(),
            Link::Over => false,
            _ => {
                self.backlog.len() < self.config.max_in_flight
                    && self.backlog.bytes() <= self.config.max_unsent
            }
        }
    }

    /// Bytes that wait to be written.
    pub fn unsent(&self) -> usize {
        match &self.link {
            Link::Opening(conn) | Link::Open(conn) => conn.unsent() + self.backlog.bytes(),
            _ => self.backlog.bytes(),
        }
    }

    /// Whether there is a connection.
    pub(crate) fn is_linked(&self) -> bool {
        matches!(self.link, Link::Open(_))
    }

    /// Whether there is no connection, and none is being opened.
    pub fn is_down(&self) -> bool {
        matches!(self.link, Link::Down | Link::Over)
    }

    /// Whether there is something to do for the driver.
    pub(crate) fn has_action(&self) -> bool {
        !self.actions.is_empty()
    }

    /// Whether there is no connection, and none will be opened before something is asked for.
    pub(crate) fn is_idle(&self) -> bool {
        self.is_down() && !self.wanted && self.backlog.is_empty()
    }

    /// Whether requests are written at once.
    pub fn is_ready(&self) -> bool {
        matches!(&self.link, Link::Open(conn) if conn.is_ready())
    }

    /// Whether the session was closed and everything is answered.
    pub fn is_over(&self) -> bool {
        matches!(self.link, Link::Over)
    }

    /// Requests that are not answered in full.
    pub fn in_flight(&self) -> usize {
        match &self.link {
            Link::Opening(conn) | Link::Open(conn) => conn.in_flight() + self.backlog.len(),
            _ => self.backlog.len(),
        }
    }

    /// What the server said of itself, while connected.
    pub fn server_info(&self) -> Option<&ServerInfo> {
        match &self.link {
            Link::Open(conn) if conn.is_ready() => Some(conn.server_info()),
            _ => None,
        }
    }
}

/// What reads the pushes of a session of its own: a driver has no events to take.
pub(crate) trait Reads {
    fn session(&self) -> &Session;
    fn session_mut(&mut self) -> &mut Session;
    /// The session may have something to say.
    fn take_events(&mut self, now: Instant);
    /// A whole frame has come.
    fn handle_push(&mut self, now: Instant, frame: &[u8]);
    /// As [`Machine::takes_input`].
    fn takes_input(&self) -> bool {
        true
    }
}

impl<R: Reads> Machine for R {
    fn handle_opened(&mut self) {
        self.session_mut().handle_opened();
    }

    fn handle_open_failed(&mut self, now: Instant, error: io::Error) {
        self.session_mut().handle_open_failed(now, error);
        self.take_events(now);
    }

    fn handle_input(&mut self, now: Instant, input: &[u8], events: &mut Vec<Event>) -> usize {
        let used = self.session_mut().handle_input(now, input, events);
        // Readiness came before anything that is pushed.
        self.take_events(now);
        for event in events.drain(..) {
            if let Event::Push(range) = event {
                self.handle_push(now, &input[range]);
            }
        }
        used
    }

    fn handle_transmitted(&mut self, n: usize) {
        self.session_mut().handle_transmitted(n);
    }

    fn handle_disconnect(&mut self, now: Instant, why: Option<io::ErrorKind>) {
        self.session_mut().handle_disconnect(now, why);
        self.take_events(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        if !Reads::takes_input(self) {
            self.session_mut().handle_absence(now);
        }
        self.session_mut().handle_timeout(now);
        self.take_events(now);
    }

    fn poll_action(&mut self) -> Option<Action> {
        self.session_mut().poll_action()
    }

    fn poll_event(&mut self) -> Option<Event> {
        None
    }

    fn poll_transmit(&mut self) -> Option<Transmit<'_>> {
        self.session_mut().poll_transmit()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.session().poll_timeout()
    }

    fn read_hint(&self) -> usize {
        self.session().read_hint()
    }

    fn takes_input(&self) -> bool {
        Reads::takes_input(self)
    }
}

impl Machine for Session {
    fn handle_opened(&mut self) {
        self.link = match std::mem::replace(&mut self.link, Link::Over) {
            Link::Opening(conn) => Link::Open(conn),
            link => link,
        };
    }

    fn handle_open_failed(&mut self, now: Instant, error: io::Error) {
        if let Link::Opening(conn) | Link::Open(conn) = &mut self.link {
            conn.handle_open_failed(error);
            self.take_events(now);
        }
    }

    fn handle_input(&mut self, now: Instant, input: &[u8], events: &mut Vec<Event>) -> usize {
        let Link::Open(conn) = &mut self.link else {
            return input.len();
        };
        let used = conn.handle_input(now, input, events);
        self.take_events(now);
        used
    }

    fn handle_transmitted(&mut self, n: usize) {
        if let Link::Open(conn) = &mut self.link {
            conn.handle_transmitted(n);
        }
    }

    fn handle_disconnect(&mut self, now: Instant, why: Option<io::ErrorKind>) {
        if let Link::Open(conn) = &mut self.link {
            conn.handle_disconnect(why);
            self.take_events(now);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.renew_if_old(now);
        match &mut self.link {
            Link::Opening(conn) | Link::Open(conn) => {
                conn.handle_timeout(now);
                self.take_events(now);
                // Also when it is empty: what its deadline was for may have been given up.
                if self.earliest.is_some() {
                    self.expire_backlog(now);
                }
            }
            Link::Down => {
                self.expire_backlog(now);
                self.connect_if_due(now);
            }
            Link::Over => {}
        }
    }

    fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    #[inline]
    fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    #[inline]
    fn poll_transmit(&mut self) -> Option<Transmit<'_>> {
        match &mut self.link {
            Link::Open(conn) => conn.poll_transmit(),
            _ => None,
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match &self.link {
            Link::Opening(conn) | Link::Open(conn) => {
                let own = [self.old_at, self.earliest].into_iter().flatten();
                own.chain(conn.poll_timeout()).min()
            }
            Link::Down if self.wanted || !self.backlog.is_empty() => {
                [self.not_before, self.earliest].into_iter().flatten().min()
            }
            Link::Down | Link::Over => None,
        }
    }

    fn read_hint(&self) -> usize {
        match &self.link {
            Link::Open(conn) => conn.read_hint(),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::batch::Deadline;
    use crate::command::Cmd;
    use crate::config::Endpoint;

    const HELLO: &[u8] = b"%1\r\n+proto\r\n:3\r\n+OK\r\n+OK\r\n";

    fn session() -> (Session, Instant) {
        (Session::new(Arc::new(Config::default()), Role::Commands, 1), Instant::now())
    }

    fn submit(session: &mut Session, now: Instant, ticket: u64) {
        let mut batch = Batch::default();
        batch.push(Ticket(ticket), &Cmd::<()>::raw("PING"), Deadline::In(Duration::from_secs(9)));
        session.submit(now, &mut batch).unwrap();
    }

    fn write_all(session: &mut Session) -> usize {
        let mut written = 0;
        while let Some(transmit) = session.poll_transmit() {
            let n = transmit.len();
            session.handle_transmitted(n);
            written += n;
        }
        written
    }

    fn connect(session: &mut Session, now: Instant) {
        assert!(matches!(session.poll_action(), Some(Action::Open(_))));
        session.handle_opened();
        write_all(session);
        session.handle_input(now, HELLO, &mut Vec::new());
        assert!(matches!(session.poll_event(), Some(Event::Ready)));
    }

    fn failures(session: &mut Session) -> Vec<(u64, ErrorKind, Delivery)> {
        std::iter::from_fn(|| session.poll_event())
            .filter_map(|event| match event {
                Event::Failed { ticket, error, .. } => {
                    Some((ticket.0, error.kind(), error.delivery()))
                }
                _ => None,
            })
            .collect()
    }

    #[test]
    fn connects_on_the_first_request_and_not_before() {
        let (mut session, now) = session();
        session.handle_timeout(now);
        assert_eq!((session.poll_action(), session.poll_timeout()), (None, None));
        submit(&mut session, now, 1);
        connect(&mut session, now);
        assert_eq!(write_all(&mut session), 14);
        let mut events = Vec::new();
        session.handle_input(now, b"+PONG\r\n", &mut events);
        assert!(matches!(events[..], [Event::Replies { ticket: Ticket(1), done: true, .. }]));
    }

    #[test]
    fn a_failed_open_fails_what_waits_and_the_next_attempt_is_later() {
        let (mut session, now) = session();
        submit(&mut session, now, 1);
        assert!(matches!(session.poll_action(), Some(Action::Open(_))));
        session.handle_open_failed(now, io::ErrorKind::ConnectionRefused.into());
        assert_eq!(failures(&mut session), [(1, ErrorKind::Connect, Delivery::NotSent)]);
        assert_eq!(session.poll_action(), Some(Action::Close));
        submit(&mut session, now, 2);
        assert_eq!(session.poll_action(), None, "the backoff is not over");
        let due = session.poll_timeout().unwrap();
        assert!(due > now && due <= now + Duration::from_millis(10));
        session.handle_timeout(due);
        connect(&mut session, due);
        assert_eq!(failures(&mut session), []);
    }

    #[test]
    fn requests_do_not_wait_for_a_server_that_is_down_where_another_may_take_over() {
        let config = Config { fails_fast: true, ..Config::default() };
        let (mut session, now) = (Session::new(config.into(), Role::Commands, 1), Instant::now());
        submit(&mut session, now, 1);
        connect(&mut session, now);
        session.handle_disconnect(now, None);
        failures(&mut session);
        session.poll_action();
        submit(&mut session, now, 2);
        assert_eq!(failures(&mut session), [], "it was there just now");
        let due = session.poll_timeout().unwrap();
        session.handle_timeout(due);
        assert!(matches!(session.poll_action(), Some(Action::Open(_))));
        session.handle_open_failed(due, io::ErrorKind::ConnectionRefused.into());
        assert_eq!(failures(&mut session), [(2, ErrorKind::Connect, Delivery::NotSent)]);
        assert_eq!(session.poll_action(), Some(Action::Close));
        submit(&mut session, due, 3);
        assert_eq!(failures(&mut session), [(3, ErrorKind::Connect, Delivery::NotSent)]);
        let later = due + Duration::from_secs(1);
        submit(&mut session, later, 4);
        connect(&mut session, later);
        assert_eq!(failures(&mut session), [], "the next attempt is made all the same");
    }

    #[test]
    fn deadlines_hold_while_there_is_no_connection() {
        let (mut session, now) = session();
        session.not_before = Some(now + Duration::from_secs(60));
        submit(&mut session, now, 1);
        assert_eq!(session.poll_timeout(), Some(now + Duration::from_secs(9)));
        session.handle_timeout(now + Duration::from_secs(9));
        assert_eq!(failures(&mut session), [(1, ErrorKind::Timeout, Delivery::NotSent)]);
        assert_eq!(session.poll_timeout(), None);
    }

    #[test]
    fn a_connect_that_takes_too_long_is_given_up() {
        let (mut session, now) = session();
        submit(&mut session, now, 1);
        session.poll_action();
        session.handle_timeout(now + Duration::from_secs(5));
        assert_eq!(failures(&mut session), [(1, ErrorKind::Timeout, Delivery::NotSent)]);
        assert_eq!(session.poll_action(), Some(Action::Close));
    }

    #[test]
    fn a_lost_link_is_opened_again_for_the_next_request() {
        let (mut session, now) = session();
        submit(&mut session, now, 1);
        connect(&mut session, now);
        write_all(&mut session);
        session.handle_disconnect(now, None);
        assert_eq!(failures(&mut session), [(1, ErrorKind::Io, Delivery::MaybeExecuted)]);
        assert_eq!(session.poll_action(), Some(Action::Close));
        submit(&mut session, now, 2);
        let due = session.poll_timeout().unwrap();
        session.handle_timeout(due);
        connect(&mut session, due);
        assert_eq!(session.in_flight(), 1);
    }

    #[test]
    fn a_session_of_a_single_connection_ends_with_it() {
        let now = Instant::now();
        let mut session = Session::once(Arc::new(Config::default()), Role::Commands, 1);
        submit(&mut session, now, 1);
        connect(&mut session, now);
        session.handle_disconnect(now, None);
        assert!(session.is_over());
        assert_eq!(failures(&mut session), [(1, ErrorKind::Io, Delivery::NotSent)]);
        let mut batch = Batch::default();
        batch.push(Ticket(2), &Cmd::<()>::raw("PING"), Deadline::Never);
        assert_eq!(session.submit(now, &mut batch), Err(SubmitError::Closed));
    }

    #[test]
    fn a_wanted_link_comes_back_by_itself() {
        let (mut session, now) = session();
        session.want(now, true);
        connect(&mut session, now);
        session.handle_disconnect(now, None);
        assert_eq!(failures(&mut session), []);
        assert_eq!(session.poll_action(), Some(Action::Close));
        let due = session.poll_timeout().unwrap();
        session.handle_timeout(due);
        connect(&mut session, due);
    }

    fn aging() -> (Session, Instant) {
        let config = Config { max_age: Some(Duration::from_secs(5)), ..Config::default() };
        (Session::new(Arc::new(config), Role::Commands, 1), Instant::now())
    }

    #[test]
    fn old_connection_answers_what_is_under_way_and_another_takes_what_comes() {
        let (mut session, now) = aging();
        submit(&mut session, now, 1);
        connect(&mut session, now);
        write_all(&mut session);
        let later = now + Duration::from_secs(5);
        assert!(session.poll_timeout().unwrap() <= later);
        session.handle_timeout(later);
        submit(&mut session, later, 2);
        assert_eq!((session.poll_action(), write_all(&mut session)), (None, 0));
        assert_eq!(session.in_flight(), 2);
        session.handle_input(later, b"+PONG\r\n", &mut Vec::new());
        assert_eq!(session.poll_action(), Some(Action::Close));
        assert_eq!(failures(&mut session), []);
        connect(&mut session, later);
        assert_eq!(write_all(&mut session), 14);
    }

    #[test]
    fn what_waits_for_the_next_connection_can_be_given_up_and_has_its_deadline() {
        let (mut session, now) = aging();
        let mut batch = Batch::default();
        batch.push(Ticket(1), &Cmd::<()>::raw("PING"), Deadline::Never);
        session.submit(now, &mut batch).unwrap();
        connect(&mut session, now);
        write_all(&mut session);
        let later = now + Duration::from_secs(5);
        session.handle_timeout(later);
        submit(&mut session, later, 2);
        submit(&mut session, later, 3);
        session.abandon(Ticket(2));
        let late = later + Duration::from_secs(9);
        assert!(session.poll_timeout().unwrap() <= late);
        session.handle_timeout(late);
        assert_eq!(failures(&mut session), [(3, ErrorKind::Timeout, Delivery::NotSent)]);
        session.close(late);
        session.handle_disconnect(late, None);
        assert!(session.is_over());
    }

    #[test]
    fn deadline_of_what_was_given_up_while_the_link_is_replaced_is_no_timer_for_long() {
        let (mut session, now) = aging();
        let mut batch = Batch::default();
        batch.push(Ticket(1), &Cmd::<()>::raw("PING"), Deadline::Never);
        session.submit(now, &mut batch).unwrap();
        connect(&mut session, now);
        write_all(&mut session);
        let later = now + Duration::from_secs(5);
        session.handle_timeout(later);
        submit(&mut session, later, 2);
        session.abandon(Ticket(2));
        let due = session.poll_timeout().unwrap();
        session.handle_timeout(due);
        assert_eq!(session.poll_timeout(), None, "a timer that never ends");
    }

    #[test]
    fn connection_that_is_not_replaced_has_no_timer_for_its_age() {
        let now = Instant::now();
        let config = Config {
            max_age: Some(Duration::from_secs(5)),
            health_interval: None,
            ..Config::default()
        };
        let config = Arc::new(config);
        let mut once = Session::once(config.clone(), Role::Commands, 1);
        let mut closed = Session::new(config, Role::Commands, 1);
        for session in [&mut once, &mut closed] {
            let mut batch = Batch::default();
            batch.push(Ticket(1), &Cmd::<()>::raw("PING"), Deadline::Never);
            session.submit(now, &mut batch).unwrap();
            connect(session, now);
        }
        closed.close(now);
        let later = now + Duration::from_secs(6);
        for session in [&mut once, &mut closed] {
            session.handle_timeout(later);
            assert_eq!(session.poll_timeout(), None, "a timer that never ends");
        }
    }

    #[test]
    fn idle_connection_that_is_old_is_closed_and_not_replaced_before_it_is_needed() {
        let (mut session, now) = aging();
        submit(&mut session, now, 1);
        connect(&mut session, now);
        write_all(&mut session);
        session.handle_input(now, b"+PONG\r\n", &mut Vec::new());
        let later = now + Duration::from_secs(5);
        session.handle_timeout(later);
        assert_eq!(session.poll_action(), Some(Action::Close));
        assert_eq!((session.poll_action(), session.poll_timeout()), (None, None));
    }

    #[test]
    fn each_connection_goes_where_it_is_told_to_and_its_errors_say_so() {
        use std::sync::atomic::{AtomicU16, Ordering};

        let asked = AtomicU16::new(0);
        let next = move || Endpoint::Tcp {
            host: "node".into(),
            port: 7000 + asked.fetch_add(1, Ordering::Relaxed),
        };
        let told = Arc::new(std::sync::Mutex::new(Vec::new()));
        let hears = told.clone();
        let lost = move |endpoint: &Endpoint| hears.lock().unwrap().push(endpoint.to_string());
        let whereabouts = Some(crate::config::Whereabouts::new(next, lost));
        let config = Config { whereabouts, ..Config::default() };
        let (mut session, now) =
            (Session::new(Arc::new(config), Role::Commands, 1), Instant::now());
        let mut later = now;
        for port in 7000..7003 {
            submit(&mut session, later, 1);
            let expected = Endpoint::Tcp { host: "node".into(), port };
            assert_eq!(session.poll_action(), Some(Action::Open(expected)));
            session.handle_open_failed(later, std::io::ErrorKind::ConnectionRefused.into());
            let mut events = std::iter::from_fn(|| session.poll_event());
            let told = events.any(|event| match event {
                Event::Failed { error, .. } => error.to_string().contains(&format!("node:{port}")),
                _ => false,
            });
            assert!(told);
            while session.poll_action().is_some() {}
            later += Duration::from_secs(2);
            session.handle_timeout(later);
        }
        assert_eq!(*told.lock().unwrap(), ["node:7000", "node:7001", "node:7002"]);
    }

    #[test]
    fn close_answers_what_is_under_way_and_refuses_the_rest() {
        let (mut session, now) = session();
        submit(&mut session, now, 1);
        connect(&mut session, now);
        write_all(&mut session);
        session.close(now);
        assert!(!session.is_over());
        let mut batch = Batch::default();
        batch.push(Ticket(2), &Cmd::<()>::raw("PING"), Deadline::Never);
        assert_eq!(session.submit(now, &mut batch), Err(SubmitError::Closed));
        session.handle_input(now, b"+PONG\r\n", &mut Vec::new());
        assert!(session.is_over());
        assert_eq!(session.poll_action(), Some(Action::Close));
        assert_eq!(session.submit(now, &mut batch), Err(SubmitError::Closed));
    }

    #[test]
    fn close_while_connecting_fails_what_waits() {
        let (mut session, now) = session();
        submit(&mut session, now, 1);
        session.close(now);
        assert!(session.is_over());
        assert_eq!(failures(&mut session), [(1, ErrorKind::Closed, Delivery::NotSent)]);
        assert_eq!(session.poll_action(), None, "the open was never begun");
    }
}
