//! Who publishes what a subscriber is measured with: a process of its own, whose CPU is not the
//! subject's, on the same processor.
//!
//! It sends a window when the subject asks for it, so that the server never has more for the
//! subscriber than two of them: beyond its limit it would hang up.

use std::{
    env,
    io::{BufRead, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, ChildStdin, Command, Stdio},
};

use crate::{
    job::{Job, Result},
    wire,
};

/// Windows that are asked for and not yet received: one is on its way while the other is read.
const AHEAD: u64 = 2;

/// The process, while a subject has it; it ends when this is dropped.
#[derive(Debug)]
pub struct Publisher {
    child: Child,
    asks: ChildStdin,
}

impl Publisher {
    /// Starts the program beside this one. The subject is subscribed by then.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn start(job: &Job) -> Result<Self> {
        let name = format!("bench-publisher{}", env::consts::EXE_SUFFIX);
        let mut child = Command::new(env::current_exe()?.with_file_name(name))
            .arg(job.addr().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        let asks = child.stdin.take().ok_or("the publisher has no input")?;
        Ok(Self { child, asks })
    }

    /// Has `turns` windows published, one for each item, in time for it. Between two items the
    /// subject receives [`WINDOW`](wire::WINDOW) messages. An item is an error when the publisher has
    /// ended.
    pub fn windows(&mut self, turns: u64) -> impl Iterator<Item = Result<()>> {
        ask_ahead(&mut self.asks, turns)
    }
}

fn ask_ahead(asks: &mut impl Write, turns: u64) -> impl Iterator<Item = Result<()>> {
    let mut asked = 0;
    (1..=turns).map(move |turn| {
        let wanted = turns.min(turn + AHEAD - 1);
        while asked < wanted {
            asks.write_all(b".")?;
            asked += 1;
        }
        Ok(())
    })
}

impl Drop for Publisher {
    fn drop(&mut self) {
        // It has nothing left to do, and its input has not ended yet.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program: publishes a window for each byte of `asks`, until there are no more.
///
/// # Errors
/// When the server hangs up or there is not exactly one subscriber.
pub fn publish(addr: SocketAddr, asks: impl BufRead) -> Result<()> {
    let mut socket = TcpStream::connect(addr)?;
    socket.set_nodelay(true)?;
    let request = wire::publishes();
    let expected = b":1\r\n".repeat(wire::WINDOW);
    let mut replies = vec![0; expected.len()];
    for ask in asks.bytes() {
        ask?;
        socket.write_all(&request)?;
        socket.read_exact(&mut replies)?;
        if replies != expected {
            return Err("a message went to nobody or to several".into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, io};

    use testkit::embedded::Embedded;

    use super::*;
    use crate::callgrind;

    /// Counts what is written.
    struct Counter<'a>(&'a Cell<usize>);

    impl Write for Counter<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.set(self.0.get() + bytes.len());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn next_window_is_asked_for_before_this_one_is_received() {
        for (turns, expected) in [(1, vec![1]), (2, vec![2, 2]), (4, vec![2, 3, 4, 4])] {
            let asked = Cell::new(0);
            let counts: Vec<_> =
                ask_ahead(&mut Counter(&asked), turns).map(|_| asked.get()).collect();
            assert_eq!(counts, expected);
        }
    }

    #[test]
    fn counts_under_callgrind_are_whole_windows() {
        let (few, many) = callgrind::ops(1);
        assert_eq!([few, many].map(|ops| ops % wire::WINDOW as u64), [0, 0]);
    }

    #[test]
    fn a_window_is_published_for_each_ask() {
        let server = Embedded::start().unwrap();
        let mut socket = TcpStream::connect(server.addr()).unwrap();
        socket.write_all(&wire::subscribe()).unwrap();
        let mut confirmation = vec![0; wire::confirmation_len()];
        socket.read_exact(&mut confirmation).unwrap();
        assert!(confirmation.ends_with(b"channel\r\n:1\r\n"));

        publish(server.addr(), &b".."[..]).unwrap();
        drop(server);
        let mut messages = Vec::new();
        socket.read_to_end(&mut messages).unwrap();
        assert_eq!(messages.len(), 2 * wire::WINDOW * wire::message_len());
        assert!(messages.starts_with(b"*3\r\n$7\r\nmessage\r\n$7\r\nchannel\r\n$64\r\nvvv"));
    }

    #[test]
    fn publisher_without_a_subscriber_says_so() {
        let server = Embedded::start().unwrap();
        let error = publish(server.addr(), &b"."[..]).unwrap_err();
        assert_eq!(error.to_string(), "a message went to nobody or to several");
    }
}
