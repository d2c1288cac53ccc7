//! What a subject is asked to do, as its command line says it, and the frame around doing it.

use std::{
    env, fs,
    hint::black_box,
    io::{self, Write},
    path::Path,
    process::ExitCode,
    time::Duration,
};

use super::workload::{KEY, VALUE};
use crate::{
    job::{Result, scaled},
    meter::{Meter, Sample},
};

/// What is done with the bytes of a workload, or for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Finds the end of each frame.
    Frame,
    /// The same, and tells replies from errors and pushes.
    Kinds,
    /// Finds the frames and touches each value in them.
    Walk,
    /// Makes a `Vec<Bytes>` of each array, or a `Bytes` of each other frame.
    Bytes,
    /// Makes a `Vec<Vec<u8>>` of each array.
    Vecs,
    /// Writes requests.
    Encode,
    /// The same; the compiler knows how long the arguments are.
    EncodeSized,
    /// The same, without an encoder that counts arguments.
    EncodePieces,
    /// Writes requests with an integer.
    EncodeInteger,
    /// Counts allocations in finding the end of one frame, and in walking it.
    Allocations,
}

impl Task {
    const ALL: [(Self, &str); 10] = [
        (Self::Frame, "frame"),
        (Self::Kinds, "kinds"),
        (Self::Walk, "walk"),
        (Self::Bytes, "bytes"),
        (Self::Vecs, "vecs"),
        (Self::Encode, "encode"),
        (Self::EncodeSized, "encode-sized"),
        (Self::EncodePieces, "encode-pieces"),
        (Self::EncodeInteger, "encode-integer"),
        (Self::Allocations, "allocations"),
    ];

    /// As the command line has it.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(task, _)| *task == self).map_or("", |(_, name)| name)
    }
}

/// How many requests are written before the buffer is emptied.
const BATCH: usize = 100;

/// How many requests are written in one pass.
pub const REQUESTS: usize = 100 * BATCH;

/// One piece of work for one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// What to do.
    pub task: Task,
    /// How many bytes come at once; all, if none is said.
    pub chunk: Option<usize>,
    /// How many values one pass over the bytes has.
    pub values: usize,
    /// What one pass must come to: the number of frames, of values, of bytes, or the sum of what
    /// each value holds, whichever belongs to the task.
    pub sum: usize,
    /// About how long the measured passes take.
    pub time: Duration,
    /// Which of several ways, for programs that know more than one.
    pub way: Option<String>,
}

impl Job {
    /// The command line that says this, for the bytes in `input`.
    pub fn to_args(&self, input: &Path) -> Vec<String> {
        let mut args = vec![
            self.task.name().to_owned(),
            self.chunk.unwrap_or(0).to_string(),
            self.values.to_string(),
            self.sum.to_string(),
            self.time.as_millis().to_string(),
            input.display().to_string(),
        ];
        args.extend(self.way.clone());
        args
    }

    /// Reads it back; also gives the name of the file.
    ///
    /// # Errors
    /// In words, when it says something else.
    pub fn from_args(args: &[String]) -> Result<(Self, &Path), String> {
        let usage = || "usage: SUBJECT TASK CHUNK VALUES SUM MS FILE [WAY]".to_owned();
        let number = |text: &String| text.parse::<usize>().map_err(|_| usage());
        let (args, way) = match args {
            [args @ .., way] if args.len() == 6 => (args, Some(way.clone())),
            args => (args, None),
        };
        let [task, chunk, values, sum, time, input] = args else {
            return Err(usage());
        };
        let task = Task::ALL.iter().find(|(_, name)| name == task);
        let job = Self {
            task: task.map(|(task, _)| *task).ok_or_else(usage)?,
            chunk: Some(number(chunk)?).filter(|chunk| *chunk > 0),
            values: number(values)?,
            sum: number(sum)?,
            time: Duration::from_millis(time.parse().map_err(|_| usage())?),
            way,
        };
        Ok((job, Path::new(input)))
    }

    /// The bytes that come at once, of so many.
    pub fn chunk_of(&self, input: &[u8]) -> usize {
        self.chunk.unwrap_or(input.len())
    }

    /// What passes cost: first one, then more, until they fill the time. Only the last ones count,
    /// unless a single one takes longer than that, when a warm-up would change nothing.
    ///
    /// # Errors
    /// When a pass comes to another sum than the job says.
    pub fn measure(&self, mut pass: impl FnMut() -> usize) -> Result<Sample> {
        let mut count = 1;
        loop {
            let meter = Meter::start()?;
            for _ in 0..count {
                let sum = black_box(pass());
                if sum != self.sum {
                    return Err(format!("came to {sum}, and not to {}", self.sum).into());
                }
            }
            let sample = meter.stop(count * self.values as u64)?;
            if sample.wall >= self.time / 2 {
                return Ok(sample);
            }
            // After a start that was too short to tell, carefully.
            count = scaled(count, self.time, sample.wall).clamp(2 * count, 16 * count);
        }
    }

    /// What it costs to write requests with `one`, which is given key and value, into a buffer that
    /// is emptied now and then. The compiler does not know the arguments, nor how long they are.
    ///
    /// # Errors
    /// When what is written is not `expected`.
    pub fn measure_requests<B: AsRef<[u8]> + Default>(
        &self,
        expected: &[u8],
        clear: impl Fn(&mut B),
        mut one: impl FnMut(&mut B, &[u8], &[u8]),
    ) -> Result<Sample> {
        let mut out = B::default();
        one(&mut out, &KEY, &VALUE);
        if out.as_ref() != expected {
            return Err(format!("wrote {}", out.as_ref().escape_ascii()).into());
        }
        self.measure(|| {
            let mut bytes = 0;
            for _ in 0..REQUESTS / BATCH {
                clear(&mut out);
                for _ in 0..BATCH {
                    one(&mut out, black_box(&KEY[..]), black_box(&VALUE[..]));
                }
                bytes += black_box(&out).as_ref().len();
            }
            bytes
        })
    }
}

/// The `main` of a subject that measures time: reads the job and the bytes, has it done, and prints
/// the sample.
pub fn subject(measure: impl FnOnce(&Job, &[u8]) -> Result<Sample>) -> ExitCode {
    main(|job, input| Ok(measure(job, input)?.to_string()))
}

/// The `main` of a subject that counts allocations: those of framing, and those of walking.
pub fn counting_subject(count: impl FnOnce(&Job, &[u8]) -> Result<[u64; 2]>) -> ExitCode {
    main(|job, input| Ok(count(job, input)?.map(|count| count.to_string()).join(" ")))
}

/// What a subject says of a job that [`rows`](super::rows) should not have given to it.
///
/// # Errors
/// Always.
pub fn not_mine<T>(job: &Job) -> Result<T> {
    Err(format!("`{}` is nothing that this subject can do", job.task.name()).into())
}

fn main(work: impl FnOnce(&Job, &[u8]) -> Result<String>) -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let result = Job::from_args(&args)
        .map_err(Into::into)
        .and_then(|(job, input)| work(&job, &fs::read(input)?));
    // Who reads may have gone; then nobody wants to know.
    let (written, code) = match result {
        Ok(line) => (writeln!(io::stdout(), "{line}"), ExitCode::SUCCESS),
        Err(error) => (writeln!(io::stderr(), "error: {error}"), ExitCode::FAILURE),
    };
    written.map_or(ExitCode::FAILURE, |()| code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(task: Task) -> Job {
        let time = Duration::from_millis(1);
        Job { task, chunk: None, values: 10, sum: 7, time, way: None }
    }

    #[test]
    fn job_survives_the_command_line() {
        let input = Path::new("bulks.resp");
        for (task, _) in Task::ALL {
            let whole = job(task);
            let chunks = Job { chunk: Some(16), way: Some("resp3".to_owned()), ..job(task) };
            for job in [whole, chunks] {
                assert_eq!(Job::from_args(&job.to_args(input)), Ok((job, input)));
            }
        }
        assert!(Job::from_args(&["frame".to_owned()]).is_err());
    }

    #[test]
    fn last_passes_are_measured() {
        let mut passes = 0;
        let sample = job(Task::Walk).measure(|| {
            passes += 1;
            7
        });
        let sample = sample.unwrap();
        assert!(sample.ops.is_multiple_of(10) && sample.ops / 10 < passes);
        assert!(sample.wall >= Duration::from_micros(500));
    }

    #[test]
    fn pass_that_does_less_is_refused() {
        let error = job(Task::Walk).measure(|| 6).unwrap_err();
        assert_eq!(error.to_string(), "came to 6, and not to 7");
    }

    #[test]
    fn wrong_request_is_refused() {
        let measured =
            job(Task::Encode).measure_requests(b"GET", Vec::clear, |out, key, _| out.extend(key));
        assert_eq!(measured.unwrap_err().to_string(), "wrote kkkkkkkkkkkkkkkk");
    }
}
