//! What a driver and a machine that wants a socket say to each other.
//!
//! Owns the verbs. Knows nothing of what a machine is for.

use std::io;
use std::time::Instant;

use crate::config::{Endpoint, TlsRefusal};
use crate::connection::Event;
use crate::send::Transmit;

/// What a session wants done. Do it, then tell the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Open a socket there; answer with [`Machine::handle_opened`] or [`Machine::handle_open_failed`].
    Open(Endpoint),
    /// Close the socket, or give up opening it. There is nothing to answer.
    Close,
}

/// The verbs of a machine that wants a socket: what a driver calls, whatever the link is for.
///
/// Any call is legal at any time. A driver does what [`poll_action`](Self::poll_action) says, writes what
/// [`poll_transmit`](Self::poll_transmit) gives, hands in what it reads, and calls
/// [`handle_timeout`](Self::handle_timeout) when [`poll_timeout`](Self::poll_timeout) has come.
pub trait Machine {
    /// The socket that was asked for is open.
    fn handle_opened(&mut self);

    /// The socket that was asked for can't be had, which TLS may tell only after it was opened.
    fn handle_open_failed(&mut self, now: Instant, error: io::Error);

    /// As [`Connection::handle_input`](crate::connection::Connection::handle_input): replies go to `events` as ranges of
    /// `input`.
    fn handle_input(&mut self, now: Instant, input: &[u8], events: &mut Vec<Event>) -> usize;

    /// As [`Connection::handle_transmitted`](crate::connection::Connection::handle_transmitted).
    fn handle_transmitted(&mut self, n: usize);

    /// As [`Connection::handle_disconnect`](crate::connection::Connection::handle_disconnect).
    fn handle_disconnect(&mut self, now: Instant, why: Option<io::ErrorKind>);

    /// Reading from the socket or writing to it failed.
    fn handle_broken(&mut self, now: Instant, error: io::Error) {
        match TlsRefusal::is_in(&error) {
            true => self.handle_open_failed(now, error),
            false => self.handle_disconnect(now, Some(error.kind())),
        }
    }

    /// Looks for deadlines that have passed, and connects when it is time.
    fn handle_timeout(&mut self, now: Instant);

    /// What to do next, if anything.
    fn poll_action(&mut self) -> Option<Action>;

    /// What came of the inputs, apart from replies: as
    /// [`Connection::poll_event`](crate::connection::Connection::poll_event), except that `Closed` ends one connection and
    /// not the machine.
    fn poll_event(&mut self) -> Option<Event>;

    /// As [`Connection::poll_transmit`](crate::connection::Connection::poll_transmit).
    fn poll_transmit(&mut self) -> Option<Transmit<'_>>;

    /// When to call [`handle_timeout`](Self::handle_timeout), at the latest.
    fn poll_timeout(&self) -> Option<Instant>;

    /// As [`Connection::read_hint`](crate::connection::Connection::read_hint).
    fn read_hint(&self) -> usize;

    /// Whether to read. If not, the peer's bytes wait until the machine was asked for what it has.
    fn takes_input(&self) -> bool {
        true
    }
}
