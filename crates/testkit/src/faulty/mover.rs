//! The thread that moves the bytes of all links.

use std::{
    io::{self, Read},
    mem,
    net::{SocketAddr, TcpListener, TcpStream},
    os::{fd::AsFd, unix::net::UnixStream},
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{
    Change, Shared,
    link::{Link, reset_on_close},
    rules::{Arrivals, Counts, Direction, Ending, Rules},
};

pub(super) struct Mover {
    shared: Arc<Shared>,
    changes: mpsc::Receiver<Change>,
    rules: Rules,
    /// Who waits until the rules of now hold.
    waiting: Vec<mpsc::Sender<()>>,
    connections: usize,
    upstream: SocketAddr,
    addr: SocketAddr,
    listener: Option<TcpListener>,
    woken: UnixStream,
    links: Vec<Link>,
}

impl Mover {
    pub(super) fn new(
        shared: Arc<Shared>,
        changes: mpsc::Receiver<Change>,
        upstream: SocketAddr,
        listener: TcpListener,
        woken: UnixStream,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        Ok(Self {
            shared,
            changes,
            rules: Rules::default(),
            waiting: Vec::new(),
            connections: 0,
            upstream,
            addr: listener.local_addr()?,
            listener: Some(listener),
            woken,
            links: Vec::new(),
        })
    }

    /// Moves bytes until nobody can ask for changes any more.
    pub(super) fn run(mut self) {
        while self.take_changes() {
            let more = self.turn();
            let due = self.links.iter().filter_map(|link| link.due(&self.rules)).min();
            self.wait(match more {
                true => PollTimeout::ZERO,
                false => timeout(due),
            });
        }
    }

    fn take_changes(&mut self) -> bool {
        loop {
            match self.changes.try_recv() {
                Ok(Change { make, holds }) => {
                    make(&mut self.rules);
                    self.waiting.push(holds);
                }
                Err(mpsc::TryRecvError::Empty) => return true,
                Err(mpsc::TryRecvError::Disconnected) => return false,
            }
        }
    }

    /// Does what was asked for, takes who arrives, and moves what there is. True when there is more.
    fn turn(&mut self) -> bool {
        let mut ended = Vec::new();
        let listens = self.listens_as_asked();
        match self.rules.end_links.take() {
            Some(Ending::Silence) => self.links.iter_mut().for_each(Link::silence),
            Some(ending) => ended.extend(self.links.drain(..).map(|link| (link, ending))),
            None => {}
        }
        while self.accept() {}
        let mut more = !listens;
        let now = Instant::now();
        for mut link in mem::take(&mut self.links) {
            match link.turn(&mut self.rules, now) {
                Ok(again) => {
                    more |= again;
                    self.links.push(link);
                }
                Err(Ending::Silence) => {
                    link.silence();
                    self.links.push(link);
                }
                Err(ending) => ended.push((link, ending)),
            }
        }
        // Whoever sees the end of a link finds it counted.
        self.tell();
        ended.into_iter().for_each(|(link, ending)| link.end(ending));
        if listens {
            for waiting in self.waiting.drain(..) {
                // Who no longer waits need not be told.
                let _ = waiting.send(());
            }
        }
        more
    }

    fn tell(&self) {
        let held = |direction| self.links.iter().map(|link| link.held(direction)).sum();
        *self.shared.lock() = Counts {
            connections: self.connections,
            open: self.links.iter().filter(|link| !link.client_has_ended()).count(),
            cuts: self.rules.cuts.iter().map(|cuts| cuts.len()).sum(),
            passed: self.rules.passed,
            held: [held(Direction::ToServer), held(Direction::ToClient)],
        };
        self.shared.changed.notify_all();
    }

    /// Listens or not. False when somebody else has the port for a moment.
    fn listens_as_asked(&mut self) -> bool {
        match (self.rules.arrivals, &self.listener) {
            (Arrivals::Refuse, _) => self.listener = None,
            (_, Some(_)) => {}
            (_, None) => self.listener = self.listen().ok(),
        }
        self.listener.is_some() || self.rules.arrivals == Arrivals::Refuse
    }

    fn listen(&self) -> io::Result<TcpListener> {
        let listener = TcpListener::bind(self.addr)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    }

    fn accept(&mut self) -> bool {
        let Some(Ok((client, _))) = self.listener.as_ref().map(TcpListener::accept) else {
            return false;
        };
        self.connections += 1;
        let server = match self.rules.arrivals {
            Arrivals::Silence => Ok(None),
            Arrivals::Accept => TcpStream::connect(self.upstream).map(Some),
            Arrivals::Reset | Arrivals::Refuse => Err(io::ErrorKind::ConnectionReset.into()),
        };
        match server {
            Ok(server) => self.links.extend(Link::new(client, server)),
            Err(_) => reset_on_close(&client),
        }
        true
    }

    /// Waits until something can be done.
    fn wait(&mut self, timeout: PollTimeout) {
        let mut fds = vec![PollFd::new(self.woken.as_fd(), PollFlags::POLLIN)];
        let listener = self.listener.iter();
        fds.extend(listener.map(|listener| PollFd::new(listener.as_fd(), PollFlags::POLLIN)));
        for link in &self.links {
            let sides = [Some(&link.client), link.server.as_ref()];
            for (side, interest) in sides.into_iter().zip(link.interest(&self.rules)) {
                // Of a side without interest a hang-up would be told all the same, again and again.
                if let Some(side) = side
                    && !interest.is_empty()
                {
                    fds.push(PollFd::new(side.as_fd(), interest));
                }
            }
        }
        // Interrupted or not: everything is looked at again.
        let _ = poll(&mut fds, timeout);
        drop(fds);
        let mut bytes = [0; 64];
        while self.woken.read(&mut bytes).is_ok_and(|n| n == bytes.len()) {}
    }
}

fn timeout(due: Option<Instant>) -> PollTimeout {
    let Some(due) = due else { return PollTimeout::NONE };
    // Whole milliseconds, not too early.
    let left = due.saturating_duration_since(Instant::now()) + Duration::from_micros(999);
    PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
}
