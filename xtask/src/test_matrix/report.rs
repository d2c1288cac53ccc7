//! What came of it: counts, the table, differences between combinations, and the JSON.

use std::{
    collections::BTreeMap,
    iter::Sum,
    ops::{Add, AddAssign},
    time::Duration,
};

use serde_json::{Value, json};

use super::plan::Combination;

/// How many passed, failed and were skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) skipped: usize,
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::default(), Add::add)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Passed,
    Failed,
    Skipped,
}

/// What became of one scenario in one combination.
#[derive(Clone, Debug)]
pub(super) struct Scenario {
    pub(super) name: String,
    pub(super) verdict: Verdict,
    /// Why it failed or was skipped.
    pub(super) text: String,
    pub(super) millis: u64,
    pub(super) transcript: Vec<String>,
    /// The words of what it sent by builders, the whole name in the first.
    pub(super) commands: Vec<Vec<String>>,
}

/// What became of one combination.
#[derive(Clone, Debug)]
pub(super) struct Ran {
    pub(super) combination: Combination,
    pub(super) scenarios: Vec<Scenario>,
    pub(super) took: Duration,
}

impl Ran {
    pub(super) fn counts(&self) -> Counts {
        let count = |verdict| self.scenarios.iter().filter(|one| one.verdict == verdict).count();
        Counts {
            passed: count(Verdict::Passed),
            failed: count(Verdict::Failed),
            skipped: count(Verdict::Skipped),
        }
    }
}

/// The unit tests and the combinations, a row each.
pub(super) fn table(units: Option<(Counts, Duration)>, all: &[Ran]) -> String {
    let head = [
        "server",
        "deployment",
        "runtime",
        "protocol",
        "transport",
        "passed",
        "failed",
        "skipped",
        "time",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    let row = |words: [&str; 5], counts: Counts, took: Duration| {
        let [a, b, c, d, e] = words.map(str::to_owned);
        let Counts { passed, failed, skipped } = counts;
        let [f, g, h] = [passed, failed, skipped].map(|count| count.to_string());
        [a, b, c, d, e, f, g, h, format!("{:.1} s", took.as_secs_f64())]
    };
    if let Some((counts, took)) = units {
        rows.push(row(["(unit and doc tests)", "", "", "", ""], counts, took));
    }
    for ran in all {
        let Combination { server, deployment, runtime, protocol, transport } = &ran.combination;
        let protocol = format!("RESP{protocol}");
        let words = [&**server, deployment, runtime, &protocol, transport];
        rows.push(row(words, ran.counts(), ran.took));
    }
    let mut widths = [0; 9];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for row in &rows {
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            match column {
                0..5 => text.push_str(&format!("{cell:width$}  ")),
                _ => text.push_str(&format!("{cell:>width$}  ")),
            }
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

/// Something that came out the same in several combinations.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shared {
    pub(super) scenario: String,
    pub(super) text: String,
    pub(super) combinations: Vec<Combination>,
}

/// All scenarios with this verdict, those with the same text together.
pub(super) fn told(all: &[Ran], verdict: Verdict) -> Vec<Shared> {
    let mut told: Vec<Shared> = Vec::new();
    for ran in all {
        for one in ran.scenarios.iter().filter(|one| one.verdict == verdict) {
            match told.iter_mut().find(|t| (&t.scenario, &t.text) == (&one.name, &one.text)) {
                Some(shared) => shared.combinations.push(ran.combination.clone()),
                None => told.push(Shared {
                    scenario: one.name.clone(),
                    text: one.text.clone(),
                    combinations: vec![ran.combination.clone()],
                }),
            }
        }
    }
    told
}

/// A scenario that passed everywhere and did not see the same everywhere.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) server: String,
    pub(super) scenario: String,
    /// The first line in which each kind of transcript is apart from the most frequent one (which
    /// comes first, with its line), and who saw it.
    pub(super) seen: Vec<(String, Vec<Combination>)>,
}

/// Compares, on each server, what every scenario saw on the runtimes, protocols and transports.
pub(super) fn differences(all: &[Ran]) -> Vec<Difference> {
    type Groups<'a> = Vec<(&'a [String], Vec<Combination>)>;
    let mut scenarios: BTreeMap<(&str, &str), Groups<'_>> = BTreeMap::new();
    for ran in all {
        for one in ran.scenarios.iter().filter(|one| one.verdict == Verdict::Passed) {
            let groups = scenarios.entry((&ran.combination.server, &one.name)).or_default();
            let here = ran.combination.clone();
            match groups.iter_mut().find(|(transcript, _)| *transcript == one.transcript) {
                Some((_, combinations)) => combinations.push(here),
                None => groups.push((&one.transcript, vec![here])),
            }
        }
    }
    let apart = scenarios.into_iter().filter(|(_, groups)| groups.len() > 1);
    apart
        .map(|((server, scenario), mut groups)| {
            groups.sort_by_key(|(_, combinations)| std::cmp::Reverse(combinations.len()));
            let lines = first_lines_apart(&groups.iter().map(|(t, _)| *t).collect::<Vec<_>>());
            let seen = lines.into_iter().zip(groups).map(|(line, (_, who))| (line, who)).collect();
            Difference { server: server.to_owned(), scenario: scenario.to_owned(), seen }
        })
        .collect()
}

/// Each transcript's line at the first place where not all are alike.
fn first_lines_apart(transcripts: &[&[String]]) -> Vec<String> {
    let line = |transcript: &[String], at: usize| {
        transcript.get(at).map_or("(nothing)".to_owned(), Clone::clone)
    };
    let longest = transcripts.iter().map(|transcript| transcript.len()).max().unwrap_or(0);
    let at = (0..longest)
        .find(|&at| transcripts.iter().any(|t| line(t, at) != line(transcripts[0], at)))
        .unwrap_or(0);
    transcripts.iter().map(|transcript| line(transcript, at)).collect()
}

/// A few of them, and how many more.
pub(super) fn some(combinations: &[Combination]) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<_> = combinations.iter().take(SHOWN).map(ToString::to_string).collect();
    let more = match combinations.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" | and {more} more"),
    };
    format!("{}{more}", shown.join(" | "))
}

/// Everything, for programs.
pub(super) fn json(
    total: Counts,
    units: Option<(Counts, Duration)>,
    all: &[Ran],
    differences: &[Difference],
    missing: &[String],
) -> Value {
    let counts = |counts: Counts| {
        let Counts { passed, failed, skipped } = counts;
        json!({ "passed": passed, "failed": failed, "skipped": skipped })
    };
    let named = |one: &Combination| {
        let Combination { server, deployment, runtime, protocol, transport } = one;
        json!({
            "server": server, "deployment": deployment, "runtime": runtime, "protocol": protocol,
            "transport": transport,
        })
    };
    let combinations = all.iter().map(|ran| {
        let scenarios = ran.scenarios.iter().map(|one| {
            let verdict = match one.verdict {
                Verdict::Passed => "passed",
                Verdict::Failed => "failed",
                Verdict::Skipped => "skipped",
            };
            json!({
                "name": one.name, "verdict": verdict, "text": one.text, "millis": one.millis,
                "transcript": one.transcript,
            })
        });
        json!({
            "combination": named(&ran.combination),
            "counts": counts(ran.counts()),
            "millis": ran.took.as_millis() as u64,
            "scenarios": scenarios.collect::<Vec<_>>(),
        })
    });
    let differences = differences.iter().map(|difference| {
        let seen = difference.seen.iter().map(|(line, who)| {
            json!({ "line": line, "combinations": who.iter().map(named).collect::<Vec<_>>() })
        });
        json!({
            "server": difference.server,
            "scenario": difference.scenario,
            "seen": seen.collect::<Vec<_>>(),
        })
    });
    json!({
        "total": counts(total),
        "tests": units.map(|(found, took)| {
            json!({ "counts": counts(found), "millis": took.as_millis() as u64 })
        }),
        "combinations": combinations.collect::<Vec<_>>(),
        "differences": differences.collect::<Vec<_>>(),
        "missing": missing,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_matrix::plan::STANDALONE;

    fn ran(
        runtime: &'static str,
        protocol: &'static str,
        scenarios: &[(&str, Verdict, &[&str])],
    ) -> Ran {
        let scenarios = scenarios.iter().map(|(name, verdict, transcript)| Scenario {
            name: (*name).to_owned(),
            verdict: *verdict,
            text: format!("text of {name}"),
            millis: 1,
            transcript: transcript.iter().map(|line| (*line).to_owned()).collect(),
            commands: Vec::new(),
        });
        let server = "redis 7.0.15".to_owned();
        Ran {
            combination: Combination {
                server,
                deployment: STANDALONE,
                runtime,
                protocol,
                transport: "tcp",
            },
            scenarios: scenarios.collect(),
            took: Duration::from_millis(1_234),
        }
    }

    #[test]
    fn same_transcripts_are_no_difference() {
        let all = [
            ran("sync", "2", &[("a", Verdict::Passed, &["x: 1"])]),
            ran("smol", "3", &[("a", Verdict::Passed, &["x: 1"])]),
        ];
        assert_eq!(differences(&all), []);
    }

    #[test]
    fn difference_shows_the_first_line_apart_the_most_frequent_first() {
        let all = [
            ran("sync", "2", &[("a", Verdict::Passed, &["x: 1", "y: 9", "z: 1"])]),
            ran("tokio", "2", &[("a", Verdict::Passed, &["x: 1", "y: 2", "z: 2"])]),
            ran("smol", "2", &[("a", Verdict::Passed, &["x: 1", "y: 2", "z: 2"])]),
            ran("smol", "3", &[("a", Verdict::Passed, &["x: 1"])]),
        ];
        let found = differences(&all);
        assert_eq!((found.len(), found[0].scenario.as_str()), (1, "a"));
        let seen: Vec<_> = found[0].seen.iter().map(|(l, who)| (l.as_str(), who.len())).collect();
        assert_eq!(seen, [("y: 2", 2), ("y: 9", 1), ("(nothing)", 1)]);
    }

    #[test]
    fn failures_and_skips_are_not_compared_but_told_together() {
        let all = [
            ran("sync", "2", &[("a", Verdict::Failed, &["x: 1"]), ("b", Verdict::Skipped, &[])]),
            ran("tokio", "2", &[("a", Verdict::Passed, &["x: 2"]), ("b", Verdict::Skipped, &[])]),
        ];
        assert_eq!(differences(&all), []);
        let skipped = told(&all, Verdict::Skipped);
        assert_eq!((skipped.len(), skipped[0].combinations.len()), (1, 2));
        assert_eq!(told(&all, Verdict::Failed)[0].combinations[0].runtime, "sync");
        assert_eq!(all[0].counts(), Counts { passed: 0, failed: 1, skipped: 1 });
    }

    #[test]
    fn other_servers_may_see_other_things() {
        let mut all = [
            ran("sync", "2", &[("a", Verdict::Passed, &["x: 1"])]),
            ran("sync", "2", &[("a", Verdict::Passed, &["x: 2"])]),
        ];
        all[1].combination.server = "valkey 9.1.2".to_owned();
        assert_eq!(differences(&all), []);
    }

    #[test]
    fn table_has_a_row_a_combination_with_aligned_columns() {
        let all = [ran("sync", "2", &[("a", Verdict::Passed, &[])])];
        let units = Counts { passed: 300, failed: 0, skipped: 2 };
        let text = table(Some((units, Duration::from_secs(30))), &all);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[1].starts_with("(unit and doc tests)") && lines[1].ends_with("30.0 s"));
        assert!(lines[2].starts_with("redis 7.0.15") && lines[2].ends_with("1.2 s"));
        assert_eq!(lines[0].find("runtime"), lines[2].find("sync"));
    }

    #[test]
    fn long_lists_of_combinations_are_shortened() {
        let all: Vec<_> = (0..5).map(|_| ran("sync", "2", &[]).combination).collect();
        assert!(some(&all).ends_with(" | and 2 more"));
        assert!(!some(&all[..3]).contains("more"));
    }
}
