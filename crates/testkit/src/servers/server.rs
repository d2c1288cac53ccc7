//! One running server: started, found ready, signalled, restarted and stopped.

use std::{
    fs, io,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use super::{
    Installed, ServerOptions, Version,
    life::{LOG_FILE, Ward},
};

const READY_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(20);
const PORT_LIMIT: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(1);
/// Other programs may take a port between our look and the server's.
const ATTEMPTS: usize = 20;

/// What [`Server::signal`] can send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Freezes the server: its sockets stay open and nobody answers.
    Stop,
    /// Thaws it.
    Continue,
    /// Asks it to shut down.
    Terminate,
}

/// A server that runs for as long as this value lives.
#[derive(Debug)]
pub struct Server {
    installed: Installed,
    options: ServerOptions,
    port: u16,
    tls_port: Option<u16>,
    socket: PathBuf,
    ward: Ward,
}

impl Server {
    /// Starts a server with nothing in it and waits until it answers.
    ///
    /// # Errors
    /// When the server can't be started, ends before it answers (the error shows its log), or does
    /// not answer within 60 s.
    pub fn start(installed: &Installed, options: ServerOptions) -> io::Result<Self> {
        if options.tls.is_some() && !installed.tls {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                format!("{installed} was built without TLS"),
            ));
        }
        // One that was asked for stays taken.
        let attempts = if options.port.is_some() { 1 } else { ATTEMPTS };
        let mut attempt = 1;
        loop {
            let ward = Ward::new()?;
            let server = Self {
                installed: installed.clone(),
                port: options.port.map_or_else(free_port, Ok)?,
                tls_port: options.tls.as_ref().map(|_| free_port()).transpose()?,
                socket: ward.folder().join("socket"),
                options: options.clone(),
                ward,
            };
            match server.launch() {
                Err(_) if attempt < attempts && server.port_was_taken() => attempt += 1,
                started => return started.map(|()| server),
            }
        }
    }

    /// Kills the server at once, as a crash would, and waits for its end.
    ///
    /// # Errors
    /// When the servers of this process were ended by a signal.
    pub fn kill(&mut self) -> io::Result<()> {
        self.ward.kill()
    }

    /// Asks the server to shut down and waits for its end; after 20 s it is killed.
    ///
    /// # Errors
    /// When the servers of this process were ended by a signal.
    pub fn stop(&mut self) -> io::Result<()> {
        if self.ward.has_ended()? {
            return Ok(());
        }
        // A frozen server could not hear.
        self.signal(Signal::Terminate)?;
        self.signal(Signal::Continue)?;
        let deadline = Instant::now() + STOP_LIMIT;
        while !self.ward.has_ended()? {
            if Instant::now() >= deadline {
                return self.ward.kill();
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Starts the server again with the same options, port, socket and folder, empty. One that
    /// runs is killed first.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn restart(&mut self) -> io::Result<()> {
        self.kill()?;
        self.wait_for_port();
        self.launch()
    }

    /// While nobody listens there, a connection of anybody may have the port for its own end.
    fn wait_for_port(&self) {
        let deadline = Instant::now() + PORT_LIMIT;
        while TcpListener::bind(self.addr()).is_err() && Instant::now() < deadline {
            thread::sleep(PAUSE);
        }
    }

    /// Sends a signal to the server's process. After [`Signal::Stop`] it is frozen on return (on
    /// Linux; elsewhere soon after).
    ///
    /// # Errors
    /// When it does not run.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        self.ward.signal(match signal {
            Signal::Stop => "STOP",
            Signal::Continue => "CONT",
            Signal::Terminate => "TERM",
        })?;
        let deadline = Instant::now() + STOP_LIMIT;
        while signal == Signal::Stop && self.is_awake() && Instant::now() < deadline {
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Whether the server's process is there.
    pub fn is_running(&self) -> bool {
        self.ward.has_ended().is_ok_and(|ended| !ended)
    }

    /// What was started.
    pub fn installed(&self) -> &Installed {
        &self.installed
    }

    /// Where it listens for TCP.
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The port it listens on for TCP. It stays the same over a restart, and is not one that
    /// outgoing connections get, so nobody else takes it meanwhile.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port it listens on for TLS, if it does.
    pub fn tls_port(&self) -> Option<u16> {
        self.tls_port
    }

    /// The Unix socket it listens on.
    pub fn socket_path(&self) -> &Path {
        &self.socket
    }

    /// `redis://127.0.0.1:PORT`, with the password if there is one.
    pub fn url(&self) -> String {
        format!("redis://{}{}", self.user_info(), self.addr())
    }

    /// `rediss://127.0.0.1:PORT`, with the password if there is one, when it listens for TLS.
    pub fn tls_url(&self) -> Option<String> {
        self.tls_port.map(|port| format!("rediss://{}127.0.0.1:{port}", self.user_info()))
    }

    /// The default user's password.
    pub fn password(&self) -> Option<&str> {
        self.options.password.as_deref()
    }

    /// The process id, of the last start.
    pub fn pid(&self) -> u32 {
        self.ward.pid()
    }

    /// The server's private folder, which is removed with it.
    pub fn folder(&self) -> &Path {
        self.ward.folder()
    }

    /// What the server has logged.
    pub fn log(&self) -> String {
        let log = fs::read(self.folder().join(LOG_FILE)).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Whether the process is known not to be frozen.
    fn is_awake(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid()));
        // The state's letter follows the program's name, which is in parentheses.
        stat.is_ok_and(|stat| stat.rsplit(") ").next().is_some_and(|rest| !rest.starts_with('T')))
    }

    fn user_info(&self) -> String {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let escaped = |password: &String| {
            let text: String = password
                .bytes()
                .map(|b| if plain(b) { char::from(b).into() } else { format!("%{b:02X}") })
                .collect();
            format!(":{text}@")
        };
        self.options.password.as_ref().map_or(String::new(), escaped)
    }

    fn launch(&self) -> io::Result<()> {
        let folder = self.folder();
        let length = self.socket.as_os_str().len();
        if length > 100 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "`{}` is too long for a Unix socket ({length} bytes, about 100 fit); \
                     set TMPDIR to a shorter folder",
                    self.socket.display()
                ),
            ));
        }
        let (program, leading) = self.installed.command.split_first().ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "the server's command is empty")
        })?;
        let mut command = Command::new(program);
        command.args(leading).current_dir(folder);
        if let Some(configuration) = &self.options.sentinel {
            let file = folder.join("sentinel.conf");
            fs::write(&file, configuration)?;
            command.arg(file).arg("--sentinel");
        } else {
            command.args(["--save", "", "--appendonly", "no"]);
        }
        command
            .args(["--bind", "127.0.0.1", "--port", &self.port.to_string()])
            .arg("--unixsocket")
            .arg(&self.socket)
            .args(["--daemonize", "no", "--loglevel", "notice", "--dir"])
            .arg(folder);
        if let Some(password) = &self.options.password {
            command.args(["--requirepass", password]);
            if self.options.sentinel.is_none() {
                command.args(["--masterauth", password]);
            }
        }
        if let Some(count) = self.options.databases {
            command.args(["--databases", &count.to_string()]);
        }
        if self.options.cluster {
            command.args(["--cluster-enabled", "yes", "--cluster-node-timeout", "10000"]);
        }
        if self.options.debug_commands && self.installed.version >= Version::new(7, 0, 0) {
            command.args(["--enable-debug-command", "yes"]);
        }
        if let (Some(tls), Some(port)) = (&self.options.tls, self.tls_port) {
            command.args(["--tls-port", &port.to_string()]);
            command.arg("--tls-cert-file").arg(&tls.certificate);
            command.arg("--tls-key-file").arg(&tls.key);
            command.arg("--tls-ca-cert-file").arg(&tls.authority);
            let demand = if tls.client_must_authenticate { "yes" } else { "no" };
            command.args(["--tls-auth-clients", demand]);
        }
        command.args(&self.options.args);
        // A log of an earlier start would be taken for this one's.
        let _ = fs::remove_file(folder.join(LOG_FILE));
        self.ward.spawn(command)?;
        self.wait_until_ready()
    }

    /// Asks over the Unix socket, which nobody else can have; by then its other ports are open.
    fn wait_until_ready(&self) -> io::Result<()> {
        let deadline = Instant::now() + READY_LIMIT;
        loop {
            if self.answers() {
                return Ok(());
            }
            let why = if self.ward.has_ended()? {
                "ended before it was ready"
            } else if Instant::now() >= deadline {
                "did not answer within 60 s"
            } else {
                thread::sleep(PAUSE);
                continue;
            };
            let log = self.log();
            return Err(io::Error::other(format!("{} {why}; its log:\n{log}", self.installed)));
        }
    }

    fn answers(&self) -> bool {
        let ping = || -> io::Result<bool> {
            let mut stream = UnixStream::connect(&self.socket)?;
            stream.set_read_timeout(Some(Duration::from_millis(500)))?;
            stream.write_all(b"PING\r\n")?;
            let mut reply = [0; 64];
            let read = stream.read(&mut reply)?;
            let said = &reply[..read];
            if !said.starts_with(b"+PONG") && !said.starts_with(b"-NOAUTH") {
                return Ok(false);
            }
            for port in [Some(self.port), self.tls_port].into_iter().flatten() {
                TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
            }
            Ok(true)
        };
        ping().unwrap_or(false)
    }

    fn port_was_taken(&self) -> bool {
        self.log().contains("Address already in use")
    }
}

/// A port nobody listens on, with the cluster bus's (10,000 above) free, too.
///
/// Not the system's choice for port 0: those ports are also given to outgoing connections, so that
/// a client that keeps dialling a killed server's port could take it, or even connect to itself.
pub(crate) fn free_port() -> io::Result<u16> {
    const FIRST: u32 = 11_000;
    const COUNT: u32 = 10_000;
    const BUS: u16 = 10_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Processes that start together have neighbouring ids; they begin far from each other.
    let offset = std::process::id().wrapping_mul(131);
    let free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    (0..COUNT)
        .map(|_| {
            let step = NEXT.fetch_add(1, Ordering::Relaxed);
            let port = FIRST + offset.wrapping_add(step) % COUNT;
            u16::try_from(port).expect("the range ends below 65,536")
        })
        .find(|&port| free(port) && free(port + BUS))
        .ok_or_else(|| io::Error::new(io::ErrorKind::AddrInUse, "no free port"))
}
