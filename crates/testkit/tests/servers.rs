//! Real servers start ready, are reachable every way they say, and never outlive their owner.

#![allow(clippy::unwrap_used, reason = "helpers of tests are test code")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use testkit::{
    servers::{self, Installed, Server, ServerOptions, Signal, TlsFiles},
    skipped,
};

fn any() -> Installed {
    servers::any().unwrap()
}

/// Every server there is without fetching, at least one.
fn all() -> Vec<Installed> {
    any();
    servers::discover(&servers::folder(), false).found
}

/// Asks over `stream` with an inline command and returns the reply's first line.
fn ask(mut stream: impl Read + Write, request: &str) -> String {
    stream.write_all(format!("{request}\r\n").as_bytes()).unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

fn tcp(server: &Server) -> TcpStream {
    TcpStream::connect(server.addr()).unwrap()
}

/// Whether the process is there and not merely waiting to be reaped.
fn alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
    state.is_some_and(|state| state != 'Z')
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "waited for 20 s: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn discovered_servers_are_named_once() {
    let report = servers::discover(&servers::folder(), false);
    let mut names: Vec<_> = report.found.iter().map(ToString::to_string).collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count, "{report:?}");
    assert!(report.found.iter().all(|installed| installed.binary().is_file()));
}

#[test]
fn every_discovered_server_starts_and_ends() {
    for installed in all() {
        let mut server = Server::start(&installed, ServerOptions::new()).unwrap();
        assert_eq!(ask(tcp(&server), "PING"), "+PONG", "{installed}");
        server.stop().unwrap();
        assert!(!server.is_running(), "{installed}");
    }
}

#[test]
fn started_server_answers_over_tcp_and_unix_socket() {
    let server = Server::start(&any(), ServerOptions::new()).unwrap();
    assert_eq!(ask(tcp(&server), "PING"), "+PONG");
    assert_eq!(ask(UnixStream::connect(server.socket_path()).unwrap(), "PING"), "+PONG");
    assert_eq!(server.url(), format!("redis://127.0.0.1:{}", server.port()));
}

#[test]
fn dropped_server_leaves_no_process_and_no_folder() {
    let server = Server::start(&any(), ServerOptions::new()).unwrap();
    let (pid, folder) = (server.pid(), server.folder().to_owned());
    assert!(alive(pid) && folder.is_dir());
    drop(server);
    assert!(!alive(pid) && !folder.exists());
}

#[test]
fn panic_in_the_owning_thread_leaves_no_process_and_no_folder() {
    let server = Server::start(&any(), ServerOptions::new()).unwrap();
    let (pid, folder) = (server.pid(), server.folder().to_owned());
    let owner = thread::spawn(move || {
        let _server = server;
        panic!("on purpose");
    });
    assert!(owner.join().is_err());
    assert!(!alive(pid) && !folder.exists());
}

#[test]
fn failed_start_shows_the_log() {
    let options = ServerOptions::new().arg("--no-such-directive").arg("yes");
    let error = Server::start(&any(), options).unwrap_err().to_string();
    assert!(error.contains("ended before it was ready"), "{error}");
    assert!(error.contains("no-such-directive"), "{error}");
}

#[test]
fn password_is_asked_for_and_escaped_in_the_url() {
    let server = Server::start(&any(), ServerOptions::new().password("p@ss:1")).unwrap();
    assert!(ask(tcp(&server), "PING").starts_with("-NOAUTH"));
    assert_eq!(ask(tcp(&server), "AUTH p@ss:1"), "+OK");
    assert_eq!(server.url(), format!("redis://:p%40ss%3A1@127.0.0.1:{}", server.port()));
}

#[test]
fn restarted_server_is_empty_and_keeps_its_port() {
    let mut server = Server::start(&any(), ServerOptions::new()).unwrap();
    let (port, pid) = (server.port(), server.pid());
    assert_eq!(ask(tcp(&server), "SET k v"), "+OK");
    server.kill().unwrap();
    assert!(!server.is_running() && TcpStream::connect(server.addr()).is_err());
    server.restart().unwrap();
    assert_eq!(server.port(), port);
    assert_ne!(server.pid(), pid);
    assert_eq!(ask(tcp(&server), "EXISTS k"), ":0");
}

#[test]
fn stopped_server_ends_even_when_frozen() {
    let mut server = Server::start(&any(), ServerOptions::new()).unwrap();
    server.signal(Signal::Stop).unwrap();
    let mut stream = tcp(&server);
    stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    stream.write_all(b"PING\r\n").unwrap();
    assert!(stream.read(&mut [0; 16]).is_err(), "a frozen server answered");
    server.stop().unwrap();
    assert!(!server.is_running());
}

#[test]
fn frozen_server_answers_once_thawed() {
    let server = Server::start(&any(), ServerOptions::new()).unwrap();
    server.signal(Signal::Stop).unwrap();
    let mut stream = tcp(&server);
    stream.write_all(b"PING\r\n").unwrap();
    stream.set_nonblocking(true).unwrap();
    assert!(stream.read(&mut [0; 7]).is_err(), "a frozen server answered");
    stream.set_nonblocking(false).unwrap();
    server.signal(Signal::Continue).unwrap();
    let mut reply = [0; 7];
    stream.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"+PONG\r\n");
}

#[test]
fn options_reach_every_server() {
    for installed in all() {
        let start = |options| Server::start(&installed, options).unwrap();

        let server = start(ServerOptions::new().cluster().arg("--maxmemory").arg("10mb"));
        assert_eq!(ask(tcp(&server), "CLUSTER KEYSLOT foo"), ":12182", "{installed}");

        let server = start(ServerOptions::new().databases(3).password("secret"));
        let mut stream = tcp(&server);
        assert_eq!(ask(&mut stream, "AUTH secret"), "+OK", "{installed}");
        assert_eq!(ask(&mut stream, "SELECT 2"), "+OK", "{installed}");
        assert!(ask(&mut stream, "SELECT 3").starts_with("-ERR"), "{installed}");

        let server = start(ServerOptions::new().debug_commands());
        assert_eq!(ask(tcp(&server), "DEBUG SLEEP 0"), "+OK", "{installed}");
    }
}

#[test]
fn every_server_can_be_a_sentinel() {
    for installed in all() {
        let primary = Server::start(&installed, ServerOptions::new()).unwrap();
        let watch = format!("sentinel monitor main 127.0.0.1 {} 1\n", primary.port());
        let options = ServerOptions::new().sentinel(watch).password("secret");
        let sentinel = Server::start(&installed, options).unwrap();
        let mut stream = tcp(&sentinel);
        assert_eq!(ask(&mut stream, "AUTH secret"), "+OK", "{installed}");
        let address = ask(&mut stream, "SENTINEL GET-MASTER-ADDR-BY-NAME main");
        assert_eq!(address, "*2", "{installed}");
    }
}

#[test]
fn tls_is_refused_by_a_server_without_it() {
    let tls = TlsFiles {
        certificate: PathBuf::new(),
        key: PathBuf::new(),
        authority: PathBuf::new(),
        client_must_authenticate: false,
    };
    let installed = Installed { tls: false, ..any() };
    let error = Server::start(&installed, ServerOptions::new().tls(tls)).unwrap_err();
    assert!(error.to_string().contains("built without TLS"), "{error}");
}

/// Needs a server with TLS and the `openssl` command.
#[test]
fn tls_server_listens_on_a_second_port() {
    let Some(installed) = all().into_iter().find(|installed| installed.tls) else {
        return skipped("no server was found that was built with TLS");
    };
    let plain = Server::start(&installed, ServerOptions::new()).unwrap();
    assert_eq!((plain.tls_port(), plain.tls_url()), (None, None));

    // The certificate may live in the other server's folder.
    let (certificate, key) = (plain.folder().join("cert.pem"), plain.folder().join("key.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-nodes", "-days", "1", "-subj", "/CN=localhost", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output();
    if !made.is_ok_and(|made| made.status.success()) {
        return skipped("`openssl` makes no certificate");
    }
    let authority = certificate.clone();
    let tls = TlsFiles { certificate, key, authority, client_must_authenticate: false };
    let server = Server::start(&installed, ServerOptions::new().tls(tls)).unwrap();
    let port = server.tls_port().unwrap();
    assert_eq!(server.tls_url(), Some(format!("rediss://127.0.0.1:{port}")));

    let mut client = Command::new("openssl")
        .args(["s_client", "-quiet", "-connect", &format!("127.0.0.1:{port}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    client.stdin.as_mut().unwrap().write_all(b"PING\r\n").unwrap();
    let mut line = String::new();
    BufReader::new(client.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    client.kill().unwrap();
    client.wait().unwrap();
    assert_eq!(line, "+PONG\r\n");
}

/// This test program again, as a process that owns a server until its input ends or it is
/// signalled.
struct Owner {
    process: Child,
    /// Apart from the process, whose `wait` would close it.
    input: ChildStdin,
    /// Kept open: the process goes on to print its test result.
    _output: BufReader<ChildStdout>,
    server: u32,
    folder: PathBuf,
}

const OWN: &str = "TESTKIT_OWN_A_SERVER";

impl Owner {
    fn start(how: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "owner_process", "--ignored", "--nocapture"])
            .env(OWN, how)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut lines = output.by_ref().lines();
        let told = lines.find_map(|line| Some(line.unwrap().split_once("owns ")?.1.to_owned()));
        let told = told.unwrap();
        let (pid, folder) = told.split_once(' ').unwrap();
        Self {
            process,
            input,
            _output: output,
            server: pid.parse().unwrap(),
            folder: folder.into(),
        }
    }

    fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        let script = "kill -\"$1\" \"$2\"";
        let status = Command::new("sh").args(["-c", script, "sh", name, &pid]).status();
        assert!(status.unwrap().success());
    }
}

/// Not a test: what [`Owner`] runs.
#[test]
#[ignore = "a helper process of other tests"]
fn owner_process() {
    let Ok(how) = std::env::var(OWN) else { return };
    if how == "handler" {
        servers::stop_on_ctrl_c().unwrap();
    }
    let server = Server::start(&any(), ServerOptions::new()).unwrap();
    println!("owns {} {}", server.pid(), server.folder().display());
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn interrupted_owner_ends_its_servers_and_exits_with_130() {
    for signal in ["INT", "TERM"] {
        let mut owner = Owner::start("handler");
        assert!(alive(owner.server));
        owner.signal(signal);
        assert_eq!(owner.process.wait().unwrap().code(), Some(130), "{signal}");
        assert!(!alive(owner.server) && !owner.folder.exists(), "{signal}");
    }
}

#[test]
fn killed_owner_takes_its_server_along_and_the_next_run_clears_its_folder() {
    let mut owner = Owner::start("plain");
    owner.signal("KILL");
    owner.process.wait().unwrap();
    let tied = Command::new("setpriv").args(["--pdeathsig", "KILL", "true"]).status();
    if tied.is_ok_and(|status| status.success()) {
        wait_until("the system ends the server", || !alive(owner.server));
    }
    // The next run is another process that starts a server.
    let mut next = Owner::start("plain");
    assert!(!owner.folder.exists());
    wait_until("the leftover server ends", || !alive(owner.server));
    assert!(next.folder.exists());
    drop(next.input);
    assert!(next.process.wait().unwrap().success());
}
