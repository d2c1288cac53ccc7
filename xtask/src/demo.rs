//! `demo`: runs the example programs of every client against a real server and shows what they print,
//! side by side; fails when one fails, hangs, or prints something else than the others. Where no real
//! server can be had, the one in memory stands in.

use std::{
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use testkit::{
    embedded::Embedded,
    servers::{Server, ServerOptions},
};

use crate::{
    Result, Told, Verb,
    args::Args,
    process::{self, tied},
    servers,
};

pub(crate) const VERB: Verb = Verb {
    name: "demo",
    options: "[--server S|embedded]",
    purpose: "the examples of all clients on one server, side by side",
    run,
};

/// What the server in memory is called on the command line.
const EMBEDDED: &str = "embedded";
const RUNTIMES: [&str; 3] = ["sync", "tokio", "smol"];
/// Each is an example program of every client, called after its runtime and this.
const EXAMPLES: [(&str, &str); 3] = [
    ("pipelines", "commands that are sent together"),
    ("watch", "a client-side INCR, with a conflict forced in the first round"),
    ("pubsub", "confirmations, messages, patterns, handlers"),
];
/// An example takes well under a second.
const LIMIT: Duration = Duration::from_secs(30);
/// Characters in a line of the three columns.
const WIDTH: usize = 160;

fn run(mut args: Args) -> Result<()> {
    let wanted = args.value("--server")?.unwrap_or_default().replace('-', " ");
    args.finish()?;

    let server = Demonstrated::start(&wanted)?;
    let mut build = Vec::new();
    for runtime in RUNTIMES {
        build.extend(["--package".to_owned(), format!("redis-{runtime}")]);
        for (example, _) in EXAMPLES {
            build.extend(["--example".to_owned(), format!("{runtime}_{example}")]);
        }
    }
    let build: Vec<_> = build.iter().map(String::as_str).collect();
    let programs = process::build(&build)?;
    println!("on {}, started for this and stopped behind it\n", server.name());

    let mut wrong = Vec::new();
    for (example, about) in EXAMPLES {
        println!("== {example}: {about}");
        let outputs: Vec<_> = RUNTIMES
            .iter()
            .map(|runtime| match program(&programs, &format!("{runtime}_{example}")) {
                Some(program) => output_of(program, &server.url()),
                None => Err("it was not built".to_owned()),
            })
            .collect();
        for (runtime, output) in RUNTIMES.iter().zip(&outputs) {
            if let Err(error) = output {
                wrong.push(format!("{runtime}_{example}: {error}"));
            }
        }
        let texts: Vec<_> =
            outputs.iter().map(|output| output.clone().unwrap_or_default()).collect();
        print!("{}", side_by_side(&RUNTIMES, &texts, WIDTH));
        let apart = lines_apart(&texts);
        for line in &apart {
            wrong.push(format!("{example}: the runtimes differ in line {line}"));
        }
        if apart.is_empty() && outputs.iter().all(std::result::Result::is_ok) {
            println!("   all three print the same {} lines", texts[0].lines().count());
        }
        println!();
    }
    for wrong in &wrong {
        println!("FAILED: {wrong}");
    }
    match wrong.len() {
        0 => println!("the examples of {} agree", RUNTIMES.join(", ")),
        _ => return Err(Told.into()),
    }
    Ok(())
}

/// What the examples run on.
enum Demonstrated {
    Real(Server),
    Embedded(Embedded),
}

impl Demonstrated {
    /// The first server whose name has `wanted` in it.
    fn start(wanted: &str) -> Result<Self> {
        if wanted == EMBEDDED {
            return Ok(Self::Embedded(Embedded::start()?));
        }
        let found = match servers::ensure() {
            Err(error) if wanted.is_empty() => {
                println!("{error}\nso the embedded server stands in\n");
                return Ok(Self::Embedded(Embedded::start()?));
            }
            found => found?,
        };
        let Some(installed) = found.iter().find(|one| one.to_string().contains(wanted)) else {
            let have: Vec<_> = found.iter().map(ToString::to_string).collect();
            let have = have.join(", ");
            return Err(
                format!("no server is called `{wanted}`; there are {have}, {EMBEDDED}").into()
            );
        };
        Ok(Self::Real(Server::start(installed, ServerOptions::new())?))
    }

    fn name(&self) -> String {
        match self {
            Self::Real(server) => server.installed().to_string(),
            Self::Embedded(_) => {
                "the embedded server, which is in memory and no real one".to_owned()
            }
        }
    }

    fn url(&self) -> String {
        match self {
            Self::Real(server) => server.url(),
            Self::Embedded(server) => server.url(),
        }
    }
}

fn program<'a>(programs: &'a [PathBuf], name: &str) -> Option<&'a Path> {
    programs
        .iter()
        .map(PathBuf::as_path)
        .find(|path| path.file_stem().is_some_and(|stem| stem == name))
}

/// What a program prints; an error when it fails or does not end.
fn output_of(program: &Path, url: &str) -> std::result::Result<String, String> {
    let mut command = Command::new(program);
    command.arg(url);
    let failed = |error: std::io::Error| error.to_string();
    let mut child = tied(&command)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("it could not be started: {error}"))?;
    let said = [
        child.stdout.take().map(|output| thread::spawn(move || read(output))),
        child.stderr.take().map(|output| thread::spawn(move || read(output))),
    ];
    let deadline = Instant::now() + LIMIT;
    let mut status = child.try_wait().map_err(failed)?;
    while status.is_none() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(5));
        status = child.try_wait().map_err(failed)?;
    }
    if status.is_none() {
        child.kill().map_err(failed)?;
        child.wait().map_err(failed)?;
    }
    let [printed, complained] =
        said.map(|reader| reader.and_then(|reader| reader.join().ok()).unwrap_or_default());
    match status {
        Some(status) if status.success() => Ok(printed),
        Some(status) => Err(format!("{status} after\n{printed}{complained}")),
        None => Err(format!("it hung for {LIMIT:?} after\n{printed}{complained}")),
    }
}

fn read(mut output: impl Read) -> String {
    let mut bytes = Vec::new();
    // What came before a failure is shown all the same.
    let _ = output.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The numbers of the lines, from 1, that are not the same in all texts.
fn lines_apart(texts: &[String]) -> Vec<usize> {
    let longest = texts.iter().map(|text| text.lines().count()).max().unwrap_or(0);
    let differs = |at: &usize| {
        let line = |text: &'_ String| text.lines().nth(*at).map(str::to_owned);
        texts.windows(2).any(|pair| line(&pair[0]) != line(&pair[1]))
    };
    (0..longest).filter(differs).map(|at| at + 1).collect()
}

/// The texts in columns under their names; lines that do not fit go on in the next row, and a row that is
/// not the same in all is marked.
fn side_by_side(names: &[&str], texts: &[String], width: usize) -> String {
    let column = width / names.len() - 3;
    let apart = lines_apart(texts);
    let mut shown = String::new();
    let mut row = |mark: &str, cells: &[String]| {
        let cells: Vec<_> = cells.iter().map(|cell| format!("{cell:column$}")).collect();
        shown.push_str(format!("{mark} {}", cells.join(" | ")).trim_end());
        shown.push('\n');
    };
    row(" ", &names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    row(" ", &vec!["-".repeat(column); names.len()]);
    let longest = texts.iter().map(|text| text.lines().count()).max().unwrap_or(0);
    for at in 0..longest {
        let pieces: Vec<Vec<String>> = texts
            .iter()
            .map(|text| wrap(text.lines().nth(at).unwrap_or_default(), column))
            .collect();
        let height = pieces.iter().map(Vec::len).max().unwrap_or(0);
        let mark = if apart.contains(&(at + 1)) { "!" } else { " " };
        for line in 0..height {
            let cells: Vec<_> =
                pieces.iter().map(|piece| piece.get(line).cloned().unwrap_or_default()).collect();
            row(mark, &cells);
        }
    }
    shown
}

/// A line in pieces that fit, broken at spaces where there are some; those that follow are indented.
fn wrap(line: &str, width: usize) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut piece = String::new();
    for word in line.split(' ') {
        let mut word: Vec<char> = word.chars().collect();
        let taken = piece.chars().count();
        if taken > 0 && taken + 1 + word.len() <= width {
            piece.push(' ');
        } else if taken > 0 {
            pieces.push(std::mem::replace(&mut piece, "  ".to_owned()));
        }
        while piece.chars().count() + word.len() > width {
            let room = width - piece.chars().count();
            piece.extend(word.drain(..room));
            pieces.push(std::mem::replace(&mut piece, "  ".to_owned()));
        }
        piece.extend(word);
    }
    pieces.push(piece);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(list: [&str; 3]) -> Vec<String> {
        list.map(str::to_owned).to_vec()
    }

    #[test]
    fn lines_that_are_not_the_same_everywhere_are_found() {
        assert_eq!(lines_apart(&texts(["a\nb\n", "a\nb\n", "a\nb\n"])), Vec::<usize>::new());
        assert_eq!(lines_apart(&texts(["a\nb\n", "a\nx\n", "a\nb\n"])), [2]);
        assert_eq!(lines_apart(&texts(["a\n", "a\n", "a\nb\n"])), [2]);
        assert_eq!(lines_apart(&texts(["", "a\n", "a\n"])), [1]);
    }

    #[test]
    fn columns_are_aligned_and_differences_marked() {
        let shown = side_by_side(&["x", "y", "z"], &texts(["a\nb", "a\nc", "a\nb"]), 30);
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(lines[0], "  x       | y       | z");
        assert_eq!(lines[2], "  a       | a       | a");
        assert_eq!(lines[3], "! b       | c       | b");
        assert_eq!(lines.len(), 4);
    }

    #[test]
    fn long_lines_go_on_below() {
        assert_eq!(wrap("short", 10), ["short"]);
        assert_eq!(wrap("one two three four", 10), ["one two", "  three", "  four"]);
        assert_eq!(wrap("0123456789abcdefgh", 10), ["0123456789", "  abcdefgh"]);
        assert_eq!(wrap("", 10), [""]);
        for piece in wrap(&"word ".repeat(20), 10) {
            assert!(piece.chars().count() <= 10);
        }
    }
}
