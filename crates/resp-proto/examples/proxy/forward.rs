//! The bytes between clients and the server: two threads a client. What the bytes say is `meter`'s.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use crate::meter::{Meter, Replies, Requests, Table};

/// Serves whoever connects, each on threads of its own.
pub(crate) fn serve(listener: &TcpListener, upstream: &str, table: &Arc<Mutex<Table>>) {
    for client in listener.incoming() {
        let (upstream, table) = (upstream.to_owned(), Arc::clone(table));
        let served = client.and_then(|client| {
            let thread = thread::Builder::new().name("client".to_owned());
            thread.spawn(move || {
                if let Err(error) = forward(client, &upstream, &table) {
                    eprintln!("a client is gone: {error}");
                }
            })
        });
        if let Err(error) = served {
            eprintln!("a client could not be served: {error}");
        }
    }
}

/// Takes a client's requests to the server on this thread, and the replies back on a second one.
fn forward(client: TcpStream, upstream: &str, table: &Mutex<Table>) -> io::Result<()> {
    let server = TcpStream::connect(upstream)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let meter = Mutex::new(Meter::default());
    thread::scope(|scope| {
        let back = thread::Builder::new().name("replies".to_owned());
        back.spawn_scoped(scope, || {
            let mut replies = Replies::new();
            let ended = pump(&server, &client, |bytes| {
                replies.see(bytes, &mut lock(&meter), table);
            });
            // The client hears of the server's end, and so does the thread that reads from it.
            let _ = client.shutdown(Shutdown::Both);
            ended
        })?;
        let mut requests = Requests::new();
        let ended = pump(&client, &server, |bytes| requests.see(bytes, &mut lock(&meter)));
        // Replies may be on their way yet: the server closes its half once it has sent them.
        let _ = server.shutdown(Shutdown::Write);
        ended
    })
}

/// Copies until the end; `see` looks at the bytes before they go on.
fn pump(mut from: &TcpStream, mut to: &TcpStream, mut see: impl FnMut(&[u8])) -> io::Result<()> {
    let mut chunk = vec![0; 64 << 10];
    loop {
        match from.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(len) => {
                see(&chunk[..len]);
                to.write_all(&chunk[..len])?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
