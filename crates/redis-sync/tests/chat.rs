//! The example `chat`: several on one server, each with a pipe to type into and one to read from.

#![allow(clippy::unwrap_used, reason = "helpers of tests are test code")]

use std::io::{self, BufRead, BufReader, PipeWriter, Write};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use testkit::servers::{self, Server, ServerOptions};
use testkit::skipped;

use self::chat::{Options, chat};

#[path = "../examples/chat.rs"]
#[allow(dead_code, reason = "the program's own `main`")]
mod chat;

/// No line takes as long as this; a test that hangs fails.
const LIMIT: Duration = Duration::from_secs(60);

/// A real server, whichever there is. Without one the test is skipped, which this says.
fn real() -> Option<Server> {
    match servers::any() {
        Ok(installed) => Some(Server::start(&installed, ServerOptions::new()).unwrap()),
        Err(error) => {
            skipped(error);
            None
        }
    }
}

/// Somebody at a terminal.
struct Person {
    keyboard: PipeWriter,
    screen: Receiver<String>,
    chat: JoinHandle<()>,
}

impl Person {
    /// In the room already.
    fn sit_down(server: &Server, nick: &str) -> Self {
        let (url, nick) = (server.url(), nick.to_owned());
        let args = ["--url", &url, "--room", "tea", "--nick", &nick];
        let options = Options::parse(args.into_iter().map(str::to_owned)).unwrap();
        let (input, keyboard) = io::pipe().unwrap();
        let (shown, output) = io::pipe().unwrap();
        let chat = thread::spawn(move || chat(&options, BufReader::new(input), output).unwrap());
        let (lines, screen) = mpsc::channel();
        // Until the chat ends, or nobody looks at the screen any more.
        thread::spawn(move || {
            BufReader::new(shown)
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| lines.send(line))
        });
        let person = Self { keyboard, screen, chat };
        person.sees(&format!("* {nick} is in tea"));
        person
    }

    fn types(&mut self, line: &str) {
        writeln!(self.keyboard, "{line}").unwrap();
    }

    /// The next line on the screen.
    #[track_caller]
    fn sees(&self, expected: &str) {
        let line = self.screen.recv_timeout(LIMIT);
        assert_eq!(line.as_deref(), Ok(expected));
    }

    /// The input is at its end.
    fn closes(self) {
        drop(self.keyboard);
        self.chat.join().unwrap();
    }
}

#[test]
fn what_one_types_the_others_see() {
    let Some(server) = real() else { return };
    let mut ada = Person::sit_down(&server, "ada");
    let mut bob = Person::sit_down(&server, "bob");
    ada.sees("* bob is in tea");

    ada.types("hello, bob");
    bob.sees("ada: hello, bob");
    bob.types("hello  ada \x1b[2J");
    ada.sees("bob: hello  ada [2J");
    ada.types("/who");
    ada.sees("* 2 in tea");
    ada.types("/what");
    ada.sees("* there are /join ROOM, /who and /quit");

    bob.types("/quit");
    ada.sees("* bob has left tea");
    bob.chat.join().unwrap();
    ada.closes();
}

#[test]
fn who_joins_another_room_hears_that_one_alone() {
    let Some(server) = real() else { return };
    let mut ada = Person::sit_down(&server, "ada");
    let mut bob = Person::sit_down(&server, "bob");
    ada.sees("* bob is in tea");

    bob.types("/join coffee");
    bob.sees("* bob is in coffee");
    ada.sees("* bob has left tea");
    ada.types("nobody here?");
    ada.types("/join coffee");
    ada.sees("* ada is in coffee");
    bob.sees("* ada is in coffee");
    bob.types("here I am");
    ada.sees("bob: here I am");
    ada.closes();
    bob.sees("* ada has left coffee");
    bob.closes();
}

#[test]
fn what_is_no_option_is_refused() {
    let error = |args: &[&str]| Options::parse(args.iter().map(|&arg| arg.to_owned())).err();
    assert!(error(&["--name", "ada"]).unwrap().starts_with("there is no `--name`; usage:"));
    assert!(error(&["--nick"]).unwrap().starts_with("`--nick` has no value; usage:"));
    assert_eq!(error(&[]), None);
}
