//! A thread that writes what a peer does not take at once, so that its reader never waits for the writing.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use bytes::Bytes;

use crate::stream::{Stream, Writer};

/// Bytes on their way. Dropped before they are written, the socket is shut down, so that the thread ends.
#[derive(Debug)]
pub(crate) struct Writing {
    stream: Arc<Stream>,
    written: Arc<AtomicUsize>,
    /// How much of it was told of.
    counted: usize,
    end: Receiver<io::Result<()>>,
    over: bool,
}

impl Writing {
    /// Starts writing these pieces.
    pub(crate) fn start(stream: &Stream, pieces: Vec<Bytes>) -> io::Result<Self> {
        // The reader needs its stream for itself to set its timeouts.
        let stream = Arc::new(stream.try_clone()?);
        let written = Arc::new(AtomicUsize::new(0));
        let (ended, end) = mpsc::channel();
        let (writer, counter) = (stream.clone(), written.clone());
        let write = move || {
            // Nobody may be there any more who wants to know.
            let _ = ended.send(write_pieces(writer.writer(), &pieces, &counter));
        };
        thread::Builder::new().name("redis-writer".to_owned()).spawn(write)?;
        Ok(Self { stream, written, counted: 0, end, over: false })
    }

    /// How many bytes were written since the last time.
    pub(crate) fn progress(&mut self) -> usize {
        let written = self.written.load(Ordering::Acquire);
        written - std::mem::replace(&mut self.counted, written)
    }

    /// How it ended, if it has.
    pub(crate) fn poll_end(&mut self) -> Option<io::Result<()>> {
        let end = self.end.try_recv().ok()?;
        self.over = end.is_ok();
        Some(end)
    }

    /// Waits for its end, at most for so long.
    pub(crate) fn wait(&mut self, patience: Duration) -> Option<io::Result<()>> {
        let end = self.end.recv_timeout(patience).ok()?;
        self.over = end.is_ok();
        Some(end)
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if !self.over {
            self.stream.shutdown();
        }
    }
}

fn write_pieces(writer: Writer<'_>, pieces: &[Bytes], written: &AtomicUsize) -> io::Result<()> {
    for piece in pieces {
        let mut rest = &piece[..];
        while !rest.is_empty() {
            let n = match writer.write(&[IoSlice::new(rest)]) {
                // The reader looks without waiting, for which it makes the socket such a one for a moment.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    thread::yield_now();
                    continue;
                }
                written => written?,
            };
            written.fetch_add(n, Ordering::Release);
            rest = &rest[n..];
        }
    }
    Ok(())
}
