//! What the tests talk to, and a connection without any client's help.

use std::{
    collections::BTreeMap,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Command, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use resp_proto::{Limits, Scanner};
use testkit::{
    embedded::Embedded,
    servers::{self, Server, ServerOptions},
    skipped,
    tools::{self, Tool},
};

use crate::{
    forward::{lock, serve},
    meter::Table,
};

/// No test takes as long as this; one that hangs fails.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// A proxy before a server; its threads end with the process.
pub(crate) struct Proxy {
    pub(crate) addr: SocketAddr,
    table: Arc<Mutex<Table>>,
}

impl Proxy {
    pub(crate) fn before(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let table = Arc::new(Mutex::new(Table::default()));
        let counted = Arc::clone(&table);
        thread::spawn(move || serve(&listener, &upstream.to_string(), &counted));
        Self { addr, table }
    }

    /// How often each command was answered so far.
    pub(crate) fn counts(&self) -> BTreeMap<String, u32> {
        let table = lock(&self.table);
        table.counts().into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
    }

    /// What it shows in the end.
    pub(crate) fn shown(&self) -> String {
        lock(&self.table).to_string()
    }
}

/// A real server, whichever there is. Without one the test is skipped, which this says.
pub(crate) fn real() -> Option<Server> {
    match servers::any() {
        Ok(installed) => Some(Server::start(&installed, ServerOptions::new()).unwrap()),
        Err(why) => {
            skipped(why.to_string().replace('\n', ";"));
            None
        }
    }
}

/// The tool of this name. Without it the test is skipped, which this says.
pub(crate) fn tool(name: &str) -> Option<Tool> {
    tools::get(name).map_err(skipped).ok()
}

/// Runs `check` on the kv-server's address.
pub(crate) fn on_kv_server(check: impl FnOnce(SocketAddr)) {
    let server = Embedded::start().unwrap();
    check(server.addr());
}

/// Runs `check` on the address of a proxy before a real server, and shows what the proxy counted.
pub(crate) fn through_proxy(check: impl FnOnce(SocketAddr)) -> BTreeMap<String, u32> {
    let Some(server) = real() else {
        return BTreeMap::new();
    };
    let proxy = Proxy::before(server.addr());
    check(proxy.addr);
    proxy.counts()
}

/// What a program has left behind.
pub(crate) struct Ran {
    pub(crate) shown: String,
    /// On its standard error.
    pub(crate) complaints: String,
    pub(crate) success: bool,
}

/// Runs a program that is given `input`, to its end. One that hangs is killed, and is no success.
pub(crate) fn fed(mut command: Command, input: &[u8]) -> Ran {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let (done, ended) = mpsc::channel::<()>();
    let again = done.clone();
    thread::scope(|scope| {
        // One that ends early does not read all of it, and its output tells why.
        scope.spawn(move || drop(stdin.write_all(input)));
        let shown = scope.spawn(move || {
            let _done = done;
            all_of(&mut stdout)
        });
        let complaints = scope.spawn(move || {
            let _done = again;
            all_of(&mut stderr)
        });
        let hangs = ended.recv_timeout(LIMIT) == Err(mpsc::RecvTimeoutError::Timeout);
        if hangs {
            child.kill().unwrap();
        }
        let success = child.wait().unwrap().success() && !hangs;
        let (shown, mut complaints) = (shown.join().unwrap(), complaints.join().unwrap());
        if hangs {
            complaints.push_str("\n(it hung and was killed)");
        }
        Ran { shown, complaints, success }
    })
}

fn all_of(output: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    output.read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A connection that shows replies as they come, spaces for line ends.
pub(crate) struct Wire {
    pub(crate) stream: TcpStream,
    input: Vec<u8>,
    scanner: Scanner,
}

impl Wire {
    pub(crate) fn to(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.set_write_timeout(Some(LIMIT)).unwrap();
        Self { stream, input: Vec::new(), scanner: Scanner::new(Limits::default()) }
    }

    /// An inline request, or several.
    pub(crate) fn send(&mut self, request: &str) {
        self.stream.write_all(format!("{request}\r\n").as_bytes()).unwrap();
    }

    pub(crate) fn frame(&mut self) -> String {
        let mut chunk = [0; 4096];
        loop {
            if let Some(len) = self.scanner.scan(&self.input).unwrap() {
                let frame: Vec<u8> = self.input.drain(..len).collect();
                return String::from_utf8_lossy(&frame).replace("\r\n", " ").trim_end().to_owned();
            }
            let len = match self.stream.read(&mut chunk) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                read => read.unwrap(),
            };
            assert!(len > 0, "closed after {:?}", String::from_utf8_lossy(&self.input));
            self.input.extend_from_slice(&chunk[..len]);
        }
    }

    pub(crate) fn ask(&mut self, request: &str) -> String {
        self.send(request);
        self.frame()
    }

    /// What comes until the other side closes, and how it does.
    pub(crate) fn rest(mut self) -> (String, std::io::Result<usize>) {
        let mut rest = self.input;
        let ended = self.stream.read_to_end(&mut rest);
        (String::from_utf8_lossy(&rest).into_owned(), ended)
    }
}
