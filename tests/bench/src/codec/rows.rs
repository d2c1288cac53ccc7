//! What there is to measure of the codec, who takes part, and what ours should cost.

use super::{
    job::{REQUESTS, Task},
    workload::{Stream, Workload},
};
use crate::rows::Side;

/// What a read of a socket brings at most.
pub const CHUNK: usize = 16 * 1024;

/// A program that does jobs, called `bench-codec-PROGRAM`.
#[derive(Debug)]
pub struct Subject {
    /// What tables call it.
    pub name: &'static str,
    /// Whose it is.
    pub side: Side,
    /// What measures its time.
    pub program: &'static str,
    /// What counts its allocations, told the subject's name: an allocator that counts would cost the
    /// other one time.
    pub counter: Option<&'static str>,
    /// What the first program must be told.
    pub way: Option<&'static str>,
}

/// hiredis, the only one that cargo does not build.
pub const HIREDIS: &str = "hiredis";

const REDIS_RS: &str = "redis-rs";
const REDIS_PROTOCOL_2: &str = "redis-protocol-2";
const REDIS_PROTOCOL_3: &str = "redis-protocol-3";

/// In the order of tables.
pub const SUBJECTS: [Subject; 6] = [
    Subject { name: "raw", side: Side::Raw, program: "raw", counter: None, way: None },
    Subject {
        name: "ours",
        side: Side::Ours,
        program: "ours",
        counter: Some("ours-allocations"),
        way: None,
    },
    peer(REDIS_RS, "redis-rs", None),
    peer(REDIS_PROTOCOL_2, "redis-protocol", Some("resp2")),
    peer(REDIS_PROTOCOL_3, "redis-protocol", Some("resp3")),
    Subject {
        name: HIREDIS,
        side: Side::Peer,
        program: HIREDIS,
        // It is C, and counts always.
        counter: Some(HIREDIS),
        way: None,
    },
];

const fn peer(name: &'static str, program: &'static str, way: Option<&'static str>) -> Subject {
    Subject { name, side: Side::Peer, program, counter: Some("peers-allocations"), way }
}

/// The programs that cargo builds, with or without those of peers.
pub fn programs(peers: bool) -> Vec<String> {
    let mut names: Vec<_> = SUBJECTS
        .iter()
        .filter(|subject| subject.name != HIREDIS && (peers || subject.side != Side::Peer))
        .flat_map(|subject| [Some(subject.program), subject.counter])
        .flatten()
        .map(|program| format!("bench-codec-{program}"))
        .collect();
    names.sort();
    names.dedup();
    names
}

/// What ours should cost, as it was found on one machine together with raw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    /// At most so many nanoseconds a value: true of that machine.
    pub nanos: f64,
    /// What raw cost there. The ratio holds for other machines too.
    pub raw: f64,
}

impl Target {
    /// At most so many times raw.
    pub fn times(self) -> f64 {
        self.nanos / self.raw
    }
}

/// At most so many allocations to find the end of an array of 1,000 elements, and to walk it.
pub const ALLOCATIONS: [u64; 2] = [2, 0];

/// The same work for all subjects.
#[derive(Debug)]
pub struct Row {
    /// What the command line calls it.
    pub name: &'static str,
    /// The row in words.
    pub title: &'static str,
    /// The bytes.
    pub workload: Workload,
    /// What is done with them.
    pub task: Task,
    /// How many come at once; all, if none is said.
    pub chunk: Option<usize>,
    /// What ours should cost, where that was laid down.
    pub target: Option<Target>,
}

/// In the order of tables: those with targets, then those that help to find out why one misses.
pub const ROWS: [Row; 30] = [
    chunks("frame-bulks", "find the ends of small bulks", Workload::Bulks, Task::Frame)
        .target(5.0, 3.0),
    whole("walk-bulks-whole", "frame and walk small bulks", Workload::Bulks, Task::Walk)
        .target(8.0, 3.0),
    chunks("walk-bulks", "frame and walk small bulks", Workload::Bulks, Task::Walk)
        .target(9.0, 3.0),
    whole("walk-integers", "frame and walk integers", Workload::Integers, Task::Walk)
        .target(8.0, 3.5),
    chunks("walk-array", "frame and walk an array of 100,000 bulks", Workload::Array, Task::Walk)
        .target(7.0, 3.9),
    chunks("array-bytes", "the same array into Vec<Bytes>", Workload::Array, Task::Bytes)
        .target(20.0, 9.0),
    whole("array-bytes-whole", "the same array into Vec<Bytes>", Workload::Array, Task::Bytes)
        .target(20.0, 9.0),
    chunks("array-vecs", "the same array into Vec<Vec<u8>>", Workload::Array, Task::Vecs)
        .target(40.0, 9.0),
    whole("array-vecs-whole", "the same array into Vec<Vec<u8>>", Workload::Array, Task::Vecs)
        .target(40.0, 9.0),
    chunks("frame-kibs", "find the ends of bulks of 1 KiB", Workload::Kibs, Task::Frame)
        .target(15.0, 5.8),
    whole("walk-maps-whole", "frame and walk nested maps", Workload::Maps, Task::Walk)
        .target(7.0, 2.5),
    chunks("walk-maps", "frame and walk nested maps", Workload::Maps, Task::Walk).target(7.0, 2.5),
    whole("encode-set", "write SET, key of 16, value of 64", Workload::Set, Task::Encode)
        .target(20.0, 5.8),
    whole("allocations", ALLOCATED, Workload::Thousand, Task::Allocations),
    chunks("allocations-chunks", ALLOCATED, Workload::Thousand, Task::Allocations),
    whole("frame-bulks-whole", "find the ends of small bulks", Workload::Bulks, Task::Frame),
    chunks("kinds-bulks", "the ends and kinds of small bulks", Workload::Bulks, Task::Kinds),
    chunks("frame-bytes", "small bulks into a Bytes each", Workload::Bulks, Task::Bytes),
    chunks("frame-integers", "find the ends of integers", Workload::Integers, Task::Frame),
    chunks("walk-digit", "frame and walk integers, 1 digit", Workload::Digit, Task::Walk),
    chunks("walk-digits", "frame and walk integers, 4 digits", Workload::FourDigits, Task::Walk),
    chunks("frame-ok", "find the ends of +OK", Workload::Ok, Task::Frame),
    chunks("walk-ok", "frame and walk +OK", Workload::Ok, Task::Walk),
    chunks("walk-mixed", "OK, bulk, integer, null", Workload::Mixed, Task::Walk),
    chunks("frame-array", "find the end of the array", Workload::Array, Task::Frame),
    chunks("frame-maps", "find the ends of nested maps", Workload::Maps, Task::Frame),
    chunks("walk-scores", "frame and walk scores", Workload::Scores, Task::Walk),
    whole("encode-sized", "write SET, lengths known", Workload::Set, Task::EncodeSized),
    whole("encode-pieces", "write SET by pieces", Workload::Set, Task::EncodePieces),
    whole("encode-incrby", "write INCRBY", Workload::Incrby, Task::EncodeInteger),
];

const ALLOCATED: &str = "allocations for an array of 1,000 bulks";

const fn chunks(name: &'static str, title: &'static str, workload: Workload, task: Task) -> Row {
    Row { name, title, workload, task, chunk: Some(CHUNK), target: None }
}

const fn whole(name: &'static str, title: &'static str, workload: Workload, task: Task) -> Row {
    Row { name, title, workload, task, chunk: None, target: None }
}

impl Row {
    const fn target(mut self, nanos: f64, raw: f64) -> Self {
        self.target = Some(Target { nanos, raw });
        self
    }

    /// Whether it runs when no row is asked for: those with targets, which are the ones to report.
    pub fn is_usual(&self) -> bool {
        self.target.is_some() || self.task == Task::Allocations
    }

    /// The subjects that can do it.
    pub fn subjects(&self) -> impl Iterator<Item = &'static Subject> {
        SUBJECTS.iter().filter(|subject| self.takes(subject))
    }

    fn takes(&self, subject: &Subject) -> bool {
        let only_ours = matches!(self.task, Task::Kinds | Task::EncodePieces | Task::EncodeSized);
        match (subject.side, subject.name) {
            (Side::Ours, _) => true,
            _ if only_ours => false,
            // Whoever trusts the bytes needs no allocation and, reading values one by one, does not
            // know where an aggregate ends.
            (Side::Raw, _) => match self.task {
                Task::Allocations => false,
                Task::Frame => !matches!(self.workload, Workload::Array | Workload::Maps),
                _ => true,
            },
            // RESP3 is foreign to it.
            (_, REDIS_PROTOCOL_2) if matches!(self.workload, Workload::Maps | Workload::Scores) => {
                false
            }
            // A bulk string that is null is foreign to RESP3, and servers do not send it there.
            (_, REDIS_PROTOCOL_3) => self.workload != Workload::Mixed,
            // Their strings are copies.
            (_, REDIS_RS | HIREDIS) => self.task != Task::Bytes,
            _ => true,
        }
    }

    /// The values that a pass has, and the sum that it comes to.
    pub fn pass(&self, stream: &Stream) -> (usize, usize) {
        match self.task {
            Task::Frame | Task::Kinds => (stream.values, stream.frames),
            Task::Walk => (stream.values, stream.sum),
            Task::Bytes | Task::Vecs => (stream.leaves, stream.leaves),
            Task::Encode | Task::EncodeSized | Task::EncodePieces | Task::EncodeInteger => {
                (REQUESTS, REQUESTS * stream.bytes.len())
            }
            Task::Allocations => (stream.values, 1),
        }
    }

    /// Name, words and how the bytes come.
    pub fn full_title(&self) -> String {
        let how = match (self.task, self.chunk) {
            (Task::Encode | Task::EncodeSized | Task::EncodePieces | Task::EncodeInteger, _) => "",
            (_, Some(_)) => ", in chunks",
            (_, None) => ", in one buffer",
        };
        format!("{}: {}{how}", self.name, self.title)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(row: &str) -> Vec<&'static str> {
        let row = ROWS.iter().find(|candidate| candidate.name == row).unwrap();
        row.subjects().map(|subject| subject.name).collect()
    }

    #[test]
    fn subjects_take_part_where_they_can() {
        let all = ["raw", "ours", "redis-rs", "redis-protocol-2", "redis-protocol-3", "hiredis"];
        assert_eq!(names("walk-bulks"), all);
        assert_eq!(names("allocations"), all[1..]);
        assert_eq!(names("array-bytes"), [all[0], all[1], all[3], all[4]]);
        assert!(!names("walk-maps").contains(&"redis-protocol-2"));
        assert_eq!(names("encode-pieces"), ["ours"]);
    }

    #[test]
    fn rows_have_names_of_their_own() {
        let names: std::collections::BTreeSet<_> = ROWS.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), ROWS.len());
    }

    #[test]
    fn peers_are_built_when_asked_for() {
        assert_eq!(
            programs(false),
            ["bench-codec-ours", "bench-codec-ours-allocations", "bench-codec-raw"]
        );
        assert!(programs(true).contains(&"bench-codec-redis-protocol".to_owned()));
        assert!(!programs(true).contains(&"bench-codec-hiredis".to_owned()));
    }
}
