//! What must hold for any bytes that reach `resp-proto`, as plain functions that panic where it does not.
//!
//! `cargo test -p fuzz` runs them over the committed corpus and mutations of it; `cargo xtask fuzz`
//! runs them under libFuzzer. How a target reads its bytes is in [`Input`].

mod input;
mod mutator;
mod reader;
mod replies;
mod requests;
mod round_trip;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

pub use self::{
    input::Input, mutator::Mutator, reader::reader, replies::reply_chunks,
    requests::request_chunks, round_trip::round_trip,
};

/// A property of any bytes.
#[derive(Debug)]
pub struct Target {
    /// As `--target` takes it; also the folder of its corpus.
    pub name: &'static str,
    /// Panics when the property does not hold.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: [Target; 4] = [
    Target { name: "reply_chunks", run: reply_chunks },
    Target { name: "request_chunks", run: request_chunks },
    Target { name: "reader", run: reader },
    Target { name: "round_trip", run: round_trip },
];

impl Target {
    /// The folder of the committed corpus.
    pub fn corpus(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(self.name)
    }

    /// The committed corpus, in the order of the files' names.
    ///
    /// # Errors
    /// When its files cannot be read.
    pub fn inputs(&self) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
        let mut inputs = Vec::new();
        for entry in fs::read_dir(self.corpus())? {
            let path = entry?.path();
            let bytes = fs::read(&path)?;
            inputs.push((path, bytes));
        }
        inputs.sort();
        Ok(inputs)
    }
}
