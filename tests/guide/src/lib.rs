//! The guides in `docs/guide`, proven: every snippet is compiled and run against a real server, and
//! prints what its page says.
//!
//! There is nothing in here for others. `build.rs` reads the pages and makes a test of each snippet:
//!
//! - A block `rust` is the body of a function, on the blocking client; `rust,tokio` and `rust,smol` are the
//!   body of an async one, with the names of that client. A block that has a `fn main` is a whole program.
//! - A block `python` is a program for Python's package `redis`.
//! - A block `rust,prelude` or `python,prelude` goes before every later block of its language that is not a
//!   whole program; async ones get it with the name of their crate.
//! - A block `text` is what each of the blocks before it, up to another such block or a heading, prints.
//!   Side by side means: two languages above one `text`. What has no `text` behind it prints nothing.
//! - A block `rust,compile_fail` does not compile, and does once the lines are taken out that say
//!   `// does not compile`.
//! - The addresses `redis://localhost:6379` and `redis+cluster://localhost:7000`, in Python `port=6379` and
//!   `port=7000`, stand for those of a server of the snippet's own, and of the cluster that such snippets have in turn.
//! - A block marked `since-7.0` runs on servers of that version or newer alone.
//!
//! `redis_py.py` holds the facts of the tables that compare, which need more than a snippet.

#[cfg(test)]
mod page;
#[cfg(test)]
mod place;
#[cfg(test)]
mod redis_py;
#[cfg(test)]
mod snippet;
#[cfg(test)]
mod tests_of;

#[cfg(test)]
mod snippets {
    include!(concat!(env!("OUT_DIR"), "/snippets.rs"));
}

#[cfg(doctest)]
mod failing {
    include!(concat!(env!("OUT_DIR"), "/failing.rs"));
}
