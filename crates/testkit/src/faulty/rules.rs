//! What a proxy is told, and what it tells.

use std::{collections::VecDeque, time::Duration};

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    ToServer = 0,
    /// From the server to the client.
    ToClient = 1,
}

/// What becomes of bytes in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    /// They are passed on as they come.
    #[default]
    Pass,
    /// Each piece that comes is passed on after this time; they overlap.
    Delay(Duration),
    /// They are passed on in pieces of this many bytes, each written by itself, with a pause behind it.
    Pieces {
        /// Bytes of a piece, at least one.
        size: usize,
        /// The wait between two pieces.
        pause: Duration,
    },
    /// Nothing is read: the sender's writes block once the buffers between are full.
    Stall,
    /// Everything is read and kept until another flow passes it on. Nothing bounds it.
    Hold,
    /// Everything is read and thrown away.
    Swallow,
}

/// How a link ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Both sides are closed as usual (FIN).
    Close,
    /// The client's side is reset (RST), the server's closed: the server sees all that was passed on.
    ResetClient,
    /// The server's side is reset, the client's closed.
    ResetServer,
    /// Half-open: both sides stay open; what they say is read and thrown away, also when they close.
    Silence,
}

/// What becomes of new connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Arrivals {
    /// They are accepted and connected to the server.
    #[default]
    Accept,
    /// Nobody listens.
    Refuse,
    /// They are accepted and reset at once.
    Reset,
    /// They are accepted, and nobody ever says anything.
    Silence,
}

/// A link that will end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    /// Bytes that still pass before it.
    pub(super) left: usize,
    pub(super) ending: Ending,
}

/// The rules of a proxy; of pairs, each direction has one.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub(super) flow: [Flow; 2],
    pub(super) cuts: [VecDeque<Cut>; 2],
    pub(super) end_links: Option<Ending>,
    pub(super) arrivals: Arrivals,
    pub(super) passed: [u64; 2],
}

/// What a proxy has counted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) connections: usize,
    pub(super) open: usize,
    pub(super) cuts: usize,
    pub(super) passed: [u64; 2],
    pub(super) held: [usize; 2],
}

impl Rules {
    pub(super) fn heal(&mut self) {
        self.flow = Default::default();
        self.cuts = Default::default();
        self.arrivals = Arrivals::default();
    }

    /// How many of `wanted` bytes may pass before a cut.
    pub(super) fn may_pass(&self, direction: Direction, wanted: usize) -> usize {
        self.cuts[direction as usize].front().map_or(wanted, |cut| cut.left.min(wanted))
    }

    /// Counts bytes that were passed on; a cut that is right behind them is made now.
    pub(super) fn passed(&mut self, direction: Direction, bytes: usize) -> Option<Ending> {
        self.passed[direction as usize] += bytes as u64;
        let cuts = &mut self.cuts[direction as usize];
        let cut = cuts.front_mut()?;
        cut.left -= bytes;
        if cut.left > 0 {
            return None;
        }
        cuts.pop_front().map(|cut| cut.ending)
    }
}
