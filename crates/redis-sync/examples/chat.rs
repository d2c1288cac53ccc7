//! A chat between terminals: what one types, all others in the room see.
//!
//! `cargo run -p redis-sync --example chat -- --nick ada --room rust --url redis://127.0.0.1:6379`
//!
//! `/join ROOM` changes the room, `/who` says how many are in it, `/quit` leaves, as does the end of the input.

use std::env;
use std::error::Error;
use std::io::{self, BufRead, Write};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis_sync::{Client, Commands, Message, PubSubThread, Result};

const USAGE: &str = "usage: chat [--url URL] [--room ROOM] [--nick NICK]";

/// How long the server may take to confirm a subscription.
const CONFIRMED: Duration = Duration::from_secs(10);

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse(env::args().skip(1))?;
    chat(&options, io::stdin().lock(), io::stdout())?;
    Ok(())
}

/// What is said on the command line.
pub(crate) struct Options {
    url: String,
    room: String,
    nick: String,
}

impl Options {
    /// # Errors
    ///
    /// In words, when it says something else.
    pub(crate) fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            url: "redis://127.0.0.1:6379".to_owned(),
            room: "lobby".to_owned(),
            nick: env::var("USER").unwrap_or_else(|_| "somebody".to_owned()),
        };
        while let Some(name) = args.next() {
            let option = match name.as_str() {
                "--url" => &mut options.url,
                "--room" => &mut options.room,
                "--nick" => &mut options.nick,
                _ => return Err(format!("there is no `{name}`; {USAGE}")),
            };
            *option = args.next().ok_or_else(|| format!("`{name}` has no value; {USAGE}"))?;
        }
        Ok(options)
    }
}

/// Talks until the input ends or says so. This thread reads what is typed, another one what others say.
///
/// # Errors
///
/// What the client, the input or the output fails with before anybody is in the room; later failures are shown.
pub(crate) fn chat(
    options: &Options,
    input: impl BufRead,
    output: impl Write + Send + 'static,
) -> Result<(), Box<dyn Error>> {
    let client = Client::open(&options.url)?;
    let screen = Screen(Arc::new(Mutex::new(output)));
    let mut room = Room::enter(&client, &options.room, &options.nick, &screen)?;
    for line in input.lines() {
        let line = line?;
        let (word, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        let done = match word {
            "" => Ok(()),
            "/quit" => break,
            "/who" => room.count().map(|count| screen.show(&format!("* {count} in {}", room.name))),
            "/join" if !rest.is_empty() => {
                Room::enter(&client, rest, &options.nick, &screen).map(|next| {
                    std::mem::replace(&mut room, next).leave();
                })
            }
            _ if word.starts_with('/') => {
                screen.show("* there are /join ROOM, /who and /quit");
                Ok(())
            }
            _ => room.say(line.trim()),
        };
        if let Err(error) = done {
            screen.show(&format!("* {error}"));
        }
    }
    room.leave();
    Ok(())
}

/// Where one is: a channel, and the thread that reads it.
struct Room {
    client: Client,
    name: String,
    nick: String,
    reader: PubSubThread,
}

impl Room {
    fn enter<W: Write + Send + 'static>(
        client: &Client,
        name: &str,
        nick: &str,
        screen: &Screen<W>,
    ) -> Result<Self> {
        let reader = read(client, name, nick, screen)?;
        let room =
            Self { client: client.clone(), name: name.to_owned(), nick: nick.to_owned(), reader };
        room.publish(format!("* {nick} is in {name}"))?;
        Ok(room)
    }

    fn say(&self, text: &str) -> Result<()> {
        self.publish(format!("{}{text}", prefix(&self.nick)))
    }

    fn publish(&self, line: String) -> Result<()> {
        self.client.publish(channel(&self.name), line)?;
        Ok(())
    }

    fn count(&self) -> Result<u64> {
        let counts: Vec<(String, u64)> = self.client.pubsub_numsub([channel(&self.name)])?;
        Ok(counts.into_iter().map(|(_, count)| count).sum())
    }

    /// Tells the others, if they can be told, and not oneself.
    fn leave(self) {
        let Self { client, name, nick, reader } = self;
        reader.stop();
        let _ = reader.join();
        let _ = client.publish(channel(&name), format!("* {nick} has left {name}"));
    }
}

/// Shows what is said in a room, but for one's own words, until the thread is stopped.
fn read<W: Write + Send + 'static>(
    client: &Client,
    room: &str,
    nick: &str,
    screen: &Screen<W>,
) -> Result<PubSubThread> {
    let (own, shown, lost) = (prefix(nick), screen.clone(), screen.clone());
    let mut pubsub = client.pubsub();
    pubsub.subscribe_with(channel(room), move |message: &Message| {
        if let Some(text) = message.text().filter(|text| !text.starts_with(&own)) {
            shown.show(text);
        }
    })?;
    // From the confirmation on nothing is missed, of oneself either.
    pubsub.get_message(CONFIRMED)?;
    pubsub.run_in_thread(move |error| {
        lost.show(&format!("* {error}"));
        ControlFlow::Continue(())
    })
}

fn channel(room: &str) -> String {
    format!("chat:{room}")
}

fn prefix(nick: &str) -> String {
    format!("{nick}: ")
}

/// What both threads write to.
struct Screen<W>(Arc<Mutex<W>>);

impl<W> Clone for Screen<W> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<W: Write> Screen<W> {
    /// Writes a line without what would steer the terminal: it may be a stranger's.
    fn show(&self, text: &str) {
        let line: String = text.chars().filter(|c| !c.is_control()).chain(['\n']).collect();
        let mut output = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Who no longer looks needs to see nothing.
        let _ = output.write_all(line.as_bytes()).and_then(|()| output.flush());
    }
}
