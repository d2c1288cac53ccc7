//! What a subject is asked to do, as its command line says it, and the frame around doing it.

use std::{
    env,
    error::Error,
    io::{self, Write},
    net::SocketAddr,
    process::{self, ExitCode},
    thread,
    time::{Duration, Instant},
};

use crate::{
    meter::{Meter, Sample},
    pin::{self, Place},
    wire::{KEYS, WINDOW},
};

/// A subject that has not ended by then has hung.
const LIMIT: Duration = Duration::from_secs(120);

/// What a subject's work fails with.
pub type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// What an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// One GET at a time for each task, all tasks over one client.
    Get,
    /// One SET of a pipeline of [`KEYS`].
    PipelineSet,
    /// One GET of a pipeline of [`KEYS`].
    PipelineGet,
    /// One message of [`WINDOW`] that somebody else publishes, each asked for by itself.
    GetMessage,
    /// The same, taken from an iterator or a stream.
    Listen,
}

impl Workload {
    const ALL: [(Self, &str); 5] = [
        (Self::Get, "get"),
        (Self::PipelineSet, "pipeline-set"),
        (Self::PipelineGet, "pipeline-get"),
        (Self::GetMessage, "get-message"),
        (Self::Listen, "listen"),
    ];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(workload, _)| *workload == self).map_or("", |(_, name)| name)
    }
}

/// How much a subject does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Length {
    /// About this long, after a warm-up that finds out how many operations that takes.
    For(Duration),
    /// This many operations and no warm-up, to the next whole pipeline, window or turn of all tasks.
    Ops(u64),
}

/// One piece of work for one subject.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// The server; of a cluster its primaries, in the order of their slots.
    pub addrs: Vec<SocketAddr>,
    /// What to do.
    pub workload: Workload,
    /// How many tasks do it at once.
    pub tasks: usize,
    /// How many threads an async subject's runtime has.
    pub threads: usize,
    /// How much of it.
    pub length: Length,
    /// Where the subject runs.
    pub place: Place,
}

impl Job {
    /// The server, or one of them.
    pub fn addr(&self) -> SocketAddr {
        self.addrs[0]
    }

    /// Whether the servers are a cluster.
    pub fn is_cluster(&self) -> bool {
        self.addrs.len() > 1
    }

    /// What a client is opened with.
    pub fn url(&self) -> String {
        match self.addrs.as_slice() {
            [addr] => format!("redis://{addr}"),
            addrs => {
                let addrs: Vec<_> = addrs.iter().map(SocketAddr::to_string).collect();
                format!("redis+cluster://{}", addrs.join(","))
            }
        }
    }

    /// The command line that says this.
    pub fn to_args(&self) -> Vec<String> {
        let addrs: Vec<_> = self.addrs.iter().map(SocketAddr::to_string).collect();
        let mut args = vec![
            addrs.join(","),
            self.workload.name().to_owned(),
            self.tasks.to_string(),
            self.threads.to_string(),
        ];
        args.push(self.place.to_string());
        args.extend(match self.length {
            Length::For(time) => ["ms".to_owned(), time.as_millis().to_string()],
            Length::Ops(ops) => ["ops".to_owned(), ops.to_string()],
        });
        args
    }

    /// Reads it back.
    ///
    /// # Errors
    /// In words, when it says something else.
    pub fn from_args(args: &[String]) -> Result<Self, String> {
        let usage = || {
            let workloads = Workload::ALL.map(|(_, name)| name).join("|");
            format!(
                "usage: SUBJECT HOST:PORT[,HOST:PORT..] {workloads} TASKS THREADS any|first|last ms|ops COUNT"
            )
        };
        let [addrs, workload, tasks, threads, place, unit, count] = args else {
            return Err(usage());
        };
        let count: u64 = count.parse().map_err(|_| usage())?;
        Ok(Self {
            addrs: addrs
                .split(',')
                .map(str::parse)
                .collect::<Result<_, _>>()
                .map_err(|_| usage())?,
            workload: Workload::ALL
                .iter()
                .find(|(_, name)| name == workload)
                .map(|(workload, _)| *workload)
                .ok_or_else(usage)?,
            tasks: tasks.parse().ok().filter(|tasks| *tasks > 0).ok_or_else(usage)?,
            threads: threads.parse().ok().filter(|threads| *threads > 0).ok_or_else(usage)?,
            place: place.parse()?,
            length: match unit.as_str() {
                "ms" => Length::For(Duration::from_millis(count)),
                "ops" => Length::Ops(count),
                _ => return Err(usage()),
            },
        })
    }

    /// Does the job by calling `run` with how often each task, or the one that sends pipelines or
    /// receives windows, is to do its turn: the first times to warm up, the last time measured.
    ///
    /// # Errors
    /// What `run` fails with.
    pub fn measure(&self, mut run: impl FnMut(u64) -> Result<()>) -> Result<Sample> {
        let unit = match self.workload {
            Workload::Get => self.tasks,
            Workload::PipelineSet | Workload::PipelineGet => KEYS,
            Workload::GetMessage | Workload::Listen => WINDOW,
        } as u64;
        let turns = match self.length {
            Length::Ops(ops) => ops.div_ceil(unit),
            Length::For(time) => {
                let mut turns = 1;
                loop {
                    let began = Instant::now();
                    run(turns)?;
                    let took = began.elapsed();
                    if took >= time / 8 {
                        break scaled(turns, time, took);
                    }
                    turns *= 2;
                }
            }
        };
        let meter = Meter::start()?;
        run(turns)?;
        Ok(meter.stop(turns * unit)?)
    }
}

/// How many turns fill `time`, when `turns` took `took`.
pub(crate) fn scaled(turns: u64, time: Duration, took: Duration) -> u64 {
    let scaled = u128::from(turns) * time.as_nanos() / took.as_nanos().max(1);
    u64::try_from(scaled).unwrap_or(u64::MAX).max(1)
}

/// A subject's `main`: reads the job, has it done, and prints the sample.
pub fn subject(measure: impl FnOnce(&Job) -> Result<Sample>) -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let result = Job::from_args(&args).map_err(Into::into).and_then(|job| {
        pin::this_thread(job.place)?;
        thread::spawn(watch);
        measure(&job)
    });
    // Who reads may have gone; then nobody wants to know.
    let (written, code) = match result {
        Ok(sample) => (writeln!(io::stdout(), "{sample}"), ExitCode::SUCCESS),
        Err(error) => (writeln!(io::stderr(), "error: {error}"), ExitCode::FAILURE),
    };
    written.map_or(ExitCode::FAILURE, |()| code)
}

/// Ends the process when the work hangs.
fn watch() {
    thread::sleep(LIMIT);
    let _ = writeln!(io::stderr(), "error: the work did not end within {LIMIT:?}");
    process::exit(1);
}

/// # Errors
/// When a value is not what the server was filled with.
pub fn expect_value(value: &[u8]) -> Result<()> {
    match value.len() == crate::wire::VALUE_LEN {
        true => Ok(()),
        false => Err(format!("a value of {} bytes", value.len()).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(workload: Workload, tasks: usize, length: Length) -> Job {
        Job {
            addrs: (0..3).map(|node| ([127, 0, 0, 1], 6379 + node).into()).collect(),
            workload,
            tasks,
            threads: 2,
            length,
            place: Place::First,
        }
    }

    #[test]
    fn job_survives_the_command_line() {
        for length in [Length::Ops(7), Length::For(Duration::from_millis(300))] {
            for (workload, _) in Workload::ALL {
                let job = job(workload, 3, length);
                assert_eq!(Job::from_args(&job.to_args()), Ok(job.clone()));
                assert!(job.url().ends_with(&job.to_args()[0]));
            }
        }
        assert!(Job::from_args(&["x".to_owned()]).is_err());
    }

    #[test]
    fn count_of_operations_is_rounded_up_to_whole_turns() {
        let mut asked = Vec::new();
        let sample = job(Workload::Get, 64, Length::Ops(100))
            .measure(|turns| {
                asked.push(turns);
                Ok(())
            })
            .unwrap();
        assert_eq!((asked, sample.ops), (vec![2], 128));
    }

    #[test]
    fn time_is_filled_by_more_turns() {
        let mut asked = Vec::new();
        let length = Length::For(Duration::from_millis(16));
        let sample = job(Workload::PipelineGet, 1, length)
            .measure(|turns| {
                asked.push(turns);
                thread::sleep(Duration::from_micros(100) * u32::try_from(turns).unwrap());
                Ok(())
            })
            .unwrap();
        // The turns double until they take long enough to tell how many fill the time.
        let last = asked.pop().unwrap();
        assert!(asked.iter().enumerate().all(|(n, turns)| *turns == 1 << n), "{asked:?}");
        assert_eq!(sample.ops, last * KEYS as u64);
        let millis = Duration::from_millis;
        assert_eq!(scaled(10, millis(16), millis(2)), 80);
        assert_eq!(scaled(1, millis(16), millis(100)), 1);
    }
}
