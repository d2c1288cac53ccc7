//! `redis-cli` under a pseudo terminal, and the screen as a person sees it.

use std::{
    io::{Read, Write},
    net::SocketAddr,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc,
    thread,
    time::Instant,
};

use testkit::{skipped, tools::Tool};

use crate::setup::LIMIT;

/// A program that gives its child a terminal: `script`, or Python.
fn hosts(line: &str) -> [Command; 2] {
    let mut script = Command::new("script");
    script.args(["-q", "-e", "-c", line, "/dev/null"]);
    let mut python = Command::new("python3");
    let spawn = "import os, pty, sys; \
                 sys.exit(os.waitstatus_to_exitcode(pty.spawn(['sh', '-c', sys.argv[1]])))";
    python.args(["-c", spawn, line]);
    [script, python]
}

/// A command that runs `line` in a shell on a terminal.
fn hosted(line: &str) -> Option<Command> {
    let works = |host: &mut Command| {
        let ran = host.stdin(Stdio::null()).stderr(Stdio::null()).output();
        ran.is_ok_and(|ran| String::from_utf8_lossy(&ran.stdout).contains("a terminal it is"))
    };
    let trial = "test -t 0 && test -t 1 && echo a terminal it is";
    let place = hosts(trial).iter_mut().position(works);
    if place.is_none() {
        skipped("neither `script` nor `python3` gives a pseudo terminal");
    }
    hosts(line).into_iter().nth(place?)
}

pub(crate) struct Terminal {
    child: Child,
    input: ChildStdin,
    output: mpsc::Receiver<Vec<u8>>,
    screen: Screen,
    /// The row of the last prompt that was answered.
    mark: usize,
}

impl Terminal {
    /// Starts `redis-cli` and waits for its prompt. Without a terminal the test is skipped, which
    /// this says.
    pub(crate) fn start(cli: &Tool, addr: SocketAddr, options: &[&str]) -> Option<Self> {
        let quoted = cli.words.iter().map(|word| {
            let word = word.to_string_lossy().replace('\'', r"'\''");
            format!("'{word}'")
        });
        let words = quoted.collect::<Vec<_>>().join(" ");
        let (host, port, options) = (addr.ip(), addr.port(), options.join(" "));
        // A terminal without a size would be asked where its cursor is.
        let line = format!("stty cols 120 rows 50; exec {words} -h {host} -p {port} {options}");
        let mut command = hosted(&line)?;
        command.env("TERM", "xterm").env("REDISCLI_HISTFILE", "/dev/null");
        command.env("REDISCLI_RCFILE", "/dev/null").env_remove("FAKETTY");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (sender, output) = mpsc::channel();
        let mut stdout = child.stdout.take().unwrap();
        thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(len @ 1..) = stdout.read(&mut chunk) {
                if sender.send(chunk[..len].to_vec()).is_err() {
                    break;
                }
            }
        });
        let input = child.stdin.take().unwrap();
        let mut terminal = Self { child, input, output, screen: Screen::default(), mark: 0 };
        terminal.wait(|screen| screen.last().ends_with("> "));
        Some(terminal)
    }

    /// Types a command and shows the lines between it and the next prompt.
    pub(crate) fn ask(&mut self, command: &str) -> Vec<String> {
        let typed = format!("{}{command}", self.prompt());
        let row = self.screen.rows.len();
        self.enter(command);
        self.wait(|screen| screen.rows.len() > row && screen.last().ends_with("> "));
        let shown = &self.screen.rows[row - 1..self.screen.rows.len() - 1];
        assert_eq!(shown[0].trim_end(), typed, "what is typed is shown");
        shown[1..].to_vec()
    }

    /// Types a command that has no end of its own.
    pub(crate) fn enter(&mut self, command: &str) {
        self.mark = self.screen.rows.len();
        self.input.write_all(format!("{command}\r").as_bytes()).unwrap();
    }

    /// Waits for rows that begin so, one below the other, below what was waited for last.
    pub(crate) fn wait_for(&mut self, lines: &[&str]) {
        let mark = self.mark;
        let place = |screen: &Screen| {
            let rows = screen.rows.get(mark..).unwrap_or_default();
            let fits = |rows: &[String]| rows.iter().zip(lines).all(|(row, l)| row.starts_with(l));
            rows.windows(lines.len()).position(fits)
        };
        self.wait(|screen| place(screen).is_some());
        self.mark += place(&self.screen).unwrap_or_default() + lines.len();
    }

    /// The prompt that waits for a command.
    pub(crate) fn prompt(&self) -> String {
        self.screen.last().to_owned()
    }

    /// Leaves as a person does.
    pub(crate) fn quit(mut self) {
        self.enter("quit");
        self.wait_for_the_end();
    }

    /// Interrupts a subscription. Some versions end then, others ask for a command.
    pub(crate) fn interrupt(mut self) {
        self.input.write_all(b"\x03").unwrap();
        if self.wait_or_end(|screen| screen.last().ends_with("> ")) {
            self.enter("quit");
            self.wait_for_the_end();
        }
    }

    fn wait_for_the_end(mut self) {
        assert!(!self.wait_or_end(|_| false));
        assert!(self.child.wait().unwrap().success());
    }

    fn wait(&mut self, condition: impl Fn(&Screen) -> bool) {
        assert!(self.wait_or_end(condition), "it ended: {}", self.screen.rows.join("\n"));
    }

    /// Waits for the condition, or for the program to end, which is false.
    fn wait_or_end(&mut self, condition: impl Fn(&Screen) -> bool) -> bool {
        let deadline = Instant::now() + LIMIT;
        while !condition(&self.screen) {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.screen.show(&bytes),
                Err(mpsc::RecvTimeoutError::Disconnected) => return false,
                Err(why) => panic!("{why}; the screen is\n{}", self.screen.rows.join("\n")),
            }
        }
        true
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // One that has ended can't be killed, and need not be.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// As much of a terminal as line editing takes: returns, new lines, and a few escape sequences.
#[derive(Debug)]
struct Screen {
    rows: Vec<String>,
    column: usize,
    /// An escape sequence that has not ended.
    escape: Option<String>,
}

impl Default for Screen {
    fn default() -> Self {
        Self { rows: vec![String::new()], column: 0, escape: None }
    }
}

impl Screen {
    fn last(&self) -> &str {
        self.rows.last().map_or("", String::as_str)
    }

    /// The tests are in ASCII, so a byte is a character.
    fn show(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            let row = self.rows.last_mut().unwrap();
            match (&mut self.escape, byte) {
                (Some(escape), b'@'..=b'~') if escape.len() > 1 || byte != b'[' => {
                    let count: usize = escape[1..].parse().unwrap_or(0);
                    match byte {
                        b'C' => self.column += count.max(1),
                        b'D' => self.column = self.column.saturating_sub(count.max(1)),
                        b'K' if count == 0 => row.truncate(self.column),
                        // Colours, and whatever else does not move.
                        _ => {}
                    }
                    self.escape = None;
                }
                (Some(escape), byte) => escape.push(char::from(byte)),
                (None, b'\x1b') => self.escape = Some(String::new()),
                (None, b'\r') => self.column = 0,
                (None, b'\n') => {
                    self.rows.push(String::new());
                    self.column = 0;
                }
                (None, b'\x08') => self.column = self.column.saturating_sub(1),
                (None, b' '..=b'~') => {
                    while row.len() < self.column {
                        row.push(' ');
                    }
                    let end = (self.column + 1).min(row.len());
                    row.replace_range(self.column..end, char::from(byte).encode_utf8(&mut [0; 4]));
                    self.column += 1;
                }
                (None, _) => {}
            }
        }
    }
}

#[test]
fn screen_shows_what_a_person_sees() {
    let mut screen = Screen::default();
    screen.show(b"> \r\x1b[0K> g\r\x1b[3C\r\x1b[0K> ge\x1b[1;90m key\x1b[0m\r\x1b[4C");
    assert_eq!((screen.last(), screen.column), ("> ge key", 4));
    screen.show(b"\r\x1b[0K> get\r\x1b[5C\r\n(nil)\r\nlong line\rshort\x1b[K\r\n> ");
    assert_eq!(screen.rows, ["> get", "(nil)", "short", "> "]);
}
