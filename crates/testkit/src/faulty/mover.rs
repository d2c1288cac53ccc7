//! The thread that moves the bytes of all links.

use std::{
    io::{self, Read},
    mem,
    net::{SocketAddr, TcpListener, TcpStream},
    os::{fd::AsFd, unix::net::UnixStream},
    sync::{Arc, MutexGuard},
    time::{Duration, Instant},
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{
    Shared,
    link::{Link, reset_on_close},
    rules::{Arrivals, Direction, Ending, Rules},
};

pub(super) struct Mover {
    shared: Arc<Shared>,
    upstream: SocketAddr,
    addr: SocketAddr,
    listener: Option<TcpListener>,
    woken: UnixStream,
    links: Vec<Link>,
}

impl Mover {
    pub(super) fn new(
        shared: Arc<Shared>,
        upstream: SocketAddr,
        listener: TcpListener,
        woken: UnixStream,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        Ok(Self { shared, upstream, addr, listener: Some(listener), woken, links: Vec::new() })
    }

    pub(super) fn run(mut self) {
        let shared = self.shared.clone();
        loop {
            let mut rules = shared.lock();
            if rules.over {
                return;
            }
            let more = self.turn(&mut rules);
            let due = self.links.iter().filter_map(|link| link.due(&rules)).min();
            let timeout = match more {
                true => PollTimeout::ZERO,
                false => timeout(due),
            };
            self.wait(rules, timeout);
        }
    }

    /// Does what was asked for, takes who arrives, and moves what there is.
    fn turn(&mut self, rules: &mut Rules) -> bool {
        let mut more = self.apply(rules);
        while self.accept(rules) {}
        let now = Instant::now();
        let mut kept = Vec::with_capacity(self.links.len());
        for mut link in mem::take(&mut self.links) {
            match link.turn(rules, now) {
                Ok(again) => {
                    more |= again;
                    kept.push(link);
                }
                Err(Ending::Silence) => {
                    link.silence();
                    kept.push(link);
                }
                Err(ending) => link.end(ending),
            }
        }
        self.links = kept;
        rules.open = self.links.iter().filter(|link| !link.client_has_ended()).count();
        for direction in [Direction::ToServer, Direction::ToClient] {
            rules.held[direction as usize] =
                self.links.iter().map(|link| link.held(direction)).sum();
        }
        if rules.end_links.is_none() {
            rules.done = rules.asked;
        }
        self.shared.changed.notify_all();
        more
    }

    fn apply(&mut self, rules: &mut Rules) -> bool {
        match rules.end_links.take() {
            Some(Ending::Silence) => self.links.iter_mut().for_each(Link::silence),
            Some(ending) => self.links.drain(..).for_each(|link| link.end(ending)),
            None => {}
        }
        match (rules.arrivals, &self.listener) {
            (Arrivals::Refuse, Some(_)) => self.listener = None,
            (Arrivals::Refuse, None) | (_, Some(_)) => {}
            (_, None) => match self.listen() {
                Ok(listener) => self.listener = Some(listener),
                // Somebody else has the port for a moment.
                Err(_) => return true,
            },
        }
        false
    }

    fn listen(&self) -> io::Result<TcpListener> {
        let listener = TcpListener::bind(self.addr)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    }

    fn accept(&mut self, rules: &mut Rules) -> bool {
        let Some(Ok((client, _))) = self.listener.as_ref().map(TcpListener::accept) else {
            return false;
        };
        rules.connections += 1;
        let server = match rules.arrivals {
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

    /// Waits without the lock until something can be done.
    fn wait(&mut self, rules: MutexGuard<'_, Rules>, timeout: PollTimeout) {
        let mut fds = vec![PollFd::new(self.woken.as_fd(), PollFlags::POLLIN)];
        let listener = self.listener.iter();
        fds.extend(listener.map(|listener| PollFd::new(listener.as_fd(), PollFlags::POLLIN)));
        for link in &self.links {
            let sides = [Some(&link.client), link.server.as_ref()];
            for (side, interest) in sides.into_iter().zip(link.interest(&rules)) {
                // Of a side without interest a hang-up would be told all the same, again and again.
                if let Some(side) = side
                    && !interest.is_empty()
                {
                    fds.push(PollFd::new(side.as_fd(), interest));
                }
            }
        }
        drop(rules);
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
