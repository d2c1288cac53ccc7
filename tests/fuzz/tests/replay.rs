//! The committed corpus and mutations of it through every target, with the memory each input takes.

use std::{fs, panic};

use fuzz::{Mutator, TARGETS, Target};

/// Mutated inputs a target.
const MUTATIONS: usize = 5_000;

/// Runs one input; `Err` says what was wrong.
fn run(target: &Target, bytes: &[u8]) -> Result<(), String> {
    let mut passed = false;
    let memory = allocation_counter::measure(|| {
        passed = panic::catch_unwind(|| (target.run)(bytes)).is_ok();
    });
    if !passed {
        return Err("it panics".to_owned());
    }
    // The target's own lists are most of it: a frame or token takes three bytes or more.
    let bound = 4096 + 256 * bytes.len() as u64;
    match memory.bytes_max {
        peak if peak > bound => Err(format!("{peak} bytes at its peak, {bound} are enough")),
        _ => Ok(()),
    }
}

fn replay(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target");
    let inputs = target.inputs().expect("a corpus");
    assert!(!inputs.is_empty(), "{} is empty", target.corpus().display());
    for (path, bytes) in &inputs {
        run(target, bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    let inputs: Vec<_> = inputs.into_iter().map(|(_, bytes)| bytes).collect();
    let mut mutator = Mutator::new(1);
    for round in 0..MUTATIONS {
        let bytes = mutator.mutate(&inputs);
        run(target, &bytes)
            .unwrap_or_else(|e| panic!("round {round}: {e}: b\"{}\"", bytes.escape_ascii()));
    }
}

#[test]
fn reply_chunks_holds_around_the_corpus() {
    replay("reply_chunks");
}

#[test]
fn request_chunks_holds_around_the_corpus() {
    replay("request_chunks");
}

#[test]
fn reader_holds_around_the_corpus() {
    replay("reader");
}

#[test]
fn round_trip_holds_around_the_corpus() {
    replay("round_trip");
}

#[test]
fn corpus_stays_small() {
    let sizes: Vec<u64> = TARGETS
        .iter()
        .flat_map(|target| fs::read_dir(target.corpus()).unwrap())
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .collect();
    assert!(sizes.len() < 300 && sizes.iter().sum::<u64>() < 300_000, "{} files", sizes.len());
}
