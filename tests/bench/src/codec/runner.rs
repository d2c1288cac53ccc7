//! Writes the files and runs the subjects of each row in turn.

use std::{fs, path::PathBuf, process::Command, time::Duration};

use super::{
    job::{Job, Task},
    report,
    rows::{ROWS, Row, SUBJECTS, Subject},
    workload::{Stream, Workload},
};
use crate::{
    job::Result,
    meter::Sample,
    rows::Side,
    runner::{asked, run},
};

/// Has glibc keep what is freed. Else it gives the memory of each pass back to the system and has to
/// get it again, unless something large was freed before: up to two thirds of a row, by chance.
const KEEP_MEMORY: [(&str, &str); 2] =
    [("MALLOC_TRIM_THRESHOLD_", "2000000000"), ("MALLOC_TOP_PAD_", "67108864")];

/// What to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Only rows whose name holds one of these, or `all`; the usual ones when empty.
    pub rows: Vec<String>,
    /// Only subjects whose name holds one of these; all when empty.
    pub subjects: Vec<String>,
    /// Whether others take part.
    pub peers: bool,
    /// How often each subject runs; the table shows medians.
    pub rounds: usize,
    /// How long each run is, its warm-up apart.
    pub time: Duration,
    /// The folder with the subjects' programs.
    pub programs: PathBuf,
    /// Subjects that have no program, and why.
    pub missing: Vec<(&'static str, String)>,
    /// The folder for the bytes of the workloads.
    pub streams: PathBuf,
}

/// What a subject took in a row.
pub struct Outcome {
    /// The row.
    pub row: &'static Row,
    /// The subject.
    pub subject: &'static Subject,
    /// What it took.
    pub figures: Figures,
}

/// What was found out.
#[derive(Clone, Debug, PartialEq)]
pub enum Figures {
    /// The time, one sample a round.
    Time(Vec<Sample>),
    /// Allocations to find the end of a frame, and to walk it.
    Allocations([u64; 2]),
    /// Nothing: why.
    Skipped(String),
}

/// Whether any of others' subjects is asked for, so that they must be built.
pub fn asks_for_peers(names: &[String]) -> bool {
    let mut peers = SUBJECTS.iter().filter(|subject| subject.side == Side::Peer);
    peers.any(|subject| asked(names, subject.name, is_subject))
}

fn is_subject(name: &str) -> bool {
    SUBJECTS.iter().any(|subject| subject.name == name)
}

impl Plan {
    /// Measures and returns the table.
    ///
    /// # Errors
    /// When there is nothing to run, a file can't be written, or a subject fails.
    pub fn measure(&self, progress: &dyn Fn(&str)) -> Result<String> {
        let mut outcomes = self.outcomes()?;
        let streams = self.write(&outcomes)?;
        for round in 1..=self.rounds {
            progress(&format!("round {round} of {}", self.rounds));
            for outcome in &mut outcomes {
                let stream = streams
                    .iter()
                    .find(|(workload, _)| *workload == outcome.row.workload)
                    .map(|(_, stream)| stream)
                    .ok_or("a row without its bytes")?;
                self.run(outcome, stream)?;
            }
        }
        let mut table = report::table(&outcomes);
        table.push_str(&format!("\nmedians of {} rounds\n", self.rounds));
        Ok(table)
    }

    /// The rows and subjects that are asked for, in order.
    fn outcomes(&self) -> Result<Vec<Outcome>> {
        let is_row = |text: &str| ROWS.iter().any(|row| row.name == text);
        let mut outcomes = Vec::new();
        let wanted = |row: &&Row| match self.rows.as_slice() {
            [] => row.is_usual(),
            [all] if all == "all" => true,
            names => asked(names, row.name, is_row),
        };
        for row in ROWS.iter().filter(wanted) {
            for subject in row.subjects() {
                if !asked(&self.subjects, subject.name, is_subject)
                    || (!self.peers && subject.side == Side::Peer)
                {
                    continue;
                }
                let missing = self.missing.iter().find(|(name, _)| *name == subject.name);
                let figures = match missing {
                    Some((_, why)) => Figures::Skipped(why.clone()),
                    None => Figures::Time(Vec::new()),
                };
                outcomes.push(Outcome { row, subject, figures });
            }
        }
        match outcomes.is_empty() {
            true => Err("no row and subject has such a name".into()),
            false => Ok(outcomes),
        }
    }

    /// Writes what the rows need.
    fn write(&self, outcomes: &[Outcome]) -> Result<Vec<(Workload, Stream)>> {
        fs::create_dir_all(&self.streams)?;
        let mut streams: Vec<(Workload, Stream)> = Vec::new();
        for Outcome { row, .. } in outcomes {
            if streams.iter().all(|(workload, _)| *workload != row.workload) {
                let stream = row.workload.stream();
                fs::write(self.streams.join(row.workload.file()), &stream.bytes)?;
                streams.push((row.workload, stream));
            }
        }
        Ok(streams)
    }

    /// One turn of one subject.
    fn run(&self, outcome: &mut Outcome, stream: &Stream) -> Result<()> {
        let Outcome { row, subject, figures } = outcome;
        let (values, sum) = row.pass(stream);
        let counts = row.task == Task::Allocations;
        let (program, way) = match subject.counter {
            Some(counter) if counts => (counter, Some(subject.name)),
            _ => (subject.program, subject.way),
        };
        let job = Job {
            task: row.task,
            chunk: row.chunk,
            values,
            sum,
            time: self.time,
            way: way.map(str::to_owned),
        };
        let name = format!("bench-codec-{program}{}", std::env::consts::EXE_SUFFIX);
        let mut command = Command::new(self.programs.join(name));
        command.args(job.to_args(&self.streams.join(row.workload.file()))).envs(KEEP_MEMORY);
        match figures {
            // No round finds another number.
            Figures::Skipped(_) | Figures::Allocations(_) => {}
            Figures::Time(_) if counts => {
                *figures = Figures::Allocations(allocations(&run(&mut command)?)?);
            }
            Figures::Time(samples) => {
                let said = run(&mut command).map_err(|error| format!("{}: {error}", row.name))?;
                samples.push(said.parse()?);
            }
        }
        Ok(())
    }
}

/// From `FRAME WALK`.
fn allocations(said: &str) -> Result<[u64; 2]> {
    let counts: Option<Vec<u64>> = said.split_whitespace().map(|word| word.parse().ok()).collect();
    counts
        .and_then(|counts| counts.try_into().ok())
        .ok_or_else(|| format!("not two counts: `{}`", said.trim()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(rows: &str, missing: &[(&'static str, String)]) -> Plan {
        Plan {
            rows: vec![rows.to_owned()],
            subjects: Vec::new(),
            peers: true,
            rounds: 1,
            time: Duration::ZERO,
            programs: PathBuf::new(),
            missing: missing.to_vec(),
            streams: PathBuf::new(),
        }
    }

    #[test]
    fn peers_are_left_out_when_only_ours_is_asked_for() {
        let asks = |name: &str| asks_for_peers(&[name.to_owned()]);
        assert!(asks_for_peers(&[]) && asks("redis") && asks("hiredis"));
        assert!(!asks("ours") && !asks("raw"));
    }

    #[test]
    fn counts_are_two() {
        assert_eq!(allocations("2 0\n").unwrap(), [2, 0]);
        assert!(allocations("2").is_err() && allocations("2 x").is_err());
    }

    #[test]
    fn row_of_a_missing_subject_says_why() {
        let missing = [("hiredis", "there is no cc".to_owned())];
        let outcomes = plan("walk-bulks", &missing).outcomes().unwrap();
        let figures = |name: &str| {
            &outcomes.iter().find(|outcome| outcome.subject.name == name).unwrap().figures
        };
        assert_eq!(outcomes.len(), 6, "and not those of walk-bulks-whole");
        assert_eq!(figures("hiredis"), &Figures::Skipped("there is no cc".to_owned()));
        assert_eq!(figures("ours"), &Figures::Time(Vec::new()));
        assert!(plan("no-such-row", &[]).outcomes().is_err());
    }

    #[test]
    fn rows_without_a_target_run_when_asked_for() {
        let rows = |plan: Plan| {
            let mut names: Vec<_> =
                plan.outcomes().unwrap().iter().map(|outcome| outcome.row.name).collect();
            names.dedup();
            names
        };
        let usual = rows(Plan { rows: Vec::new(), ..plan("", &[]) });
        assert!(usual.contains(&"allocations") && !usual.contains(&"frame-ok"));
        assert_eq!(rows(plan("frame-ok", &[])), ["frame-ok"]);
        assert_eq!(rows(plan("all", &[])).len(), ROWS.len());
    }
}
