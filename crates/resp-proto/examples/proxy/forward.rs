//! The bytes between clients and the server: two threads a client. What the bytes say is `meter`'s.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::Duration,
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

/// How long a client may take to hang up after the last reply.
const LINGER: Duration = Duration::from_secs(5);

/// Takes a client's requests to the server on this thread, and the replies back on a second one.
fn forward(client: TcpStream, upstream: &str, table: &Mutex<Table>) -> io::Result<()> {
    let server = TcpStream::connect(upstream)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let meter = Mutex::new(Meter::default());
    let (gone, left) = mpsc::channel::<()>();
    let (client, server, meter) = (&client, &server, &meter);
    thread::scope(|scope| {
        let back = thread::Builder::new().name("replies".to_owned());
        back.spawn_scoped(scope, move || {
            let mut replies = Replies::new();
            let ended = pump(server, client, |bytes| replies.see(bytes, &mut lock(meter), table));
            // A write to the server that waits for it to read comes back, too.
            let _ = server.shutdown(Shutdown::Both);
            if ended.is_ok() {
                // The client hears of the server's end. Closed while its bytes are on their way, it
                // might not see the last reply.
                let _ = client.shutdown(Shutdown::Write);
                let _ = left.recv_timeout(LINGER);
            }
            // The thread that reads from it hears of it.
            let _ = client.shutdown(Shutdown::Both);
        })?;
        let mut requests = Requests::new();
        let ended = pump(client, server, |bytes| requests.see(bytes, &mut lock(meter)));
        match ended {
            // Replies may be on their way yet: the server closes its half once it has sent them.
            Ok(()) => drop(server.shutdown(Shutdown::Write)),
            // What the server does not take is taken all the same, until the client hangs up.
            Err(_) => drop(io::copy(&mut &*client, &mut io::sink())),
        }
        drop(gone);
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
