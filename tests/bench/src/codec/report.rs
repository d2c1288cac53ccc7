//! Tables for people. Ratios and verdicts are of medians; the best round is shown beside them.

use super::{
    rows::{ALLOCATIONS, Row, Target},
    runner::{Figures, Outcome},
};
use crate::{
    meter::Sample,
    report::{median, spread},
    rows::Side,
};

/// Medians, ratios and both verdicts: nanoseconds are true of the machine that the targets were
/// found on, ratios to raw of others too.
pub fn table(outcomes: &[Outcome]) -> String {
    let mut text = String::from(
        "ns of CPU (user + system, one thread) per value, beside what raw takes and the best peer\n",
    );
    for (at, outcome) in outcomes.iter().enumerate() {
        let Outcome { row, subject, figures } = outcome;
        let same_row = || outcomes.iter().filter(|other| std::ptr::eq(other.row, *row));
        if at == 0 || !std::ptr::eq(outcomes[at - 1].row, *row) {
            text.push_str(&heading(row, same_row().any(|other| is_count(&other.figures))));
        }
        let best = |side: Side| {
            let costs = same_row().filter(|other| other.subject.side == side).filter_map(cost);
            costs.min_by(f64::total_cmp)
        };
        let ours = subject.side == Side::Ours;
        let line = match figures {
            Figures::Skipped(why) => format!("  {:18} skipped: {why}", subject.name),
            Figures::Allocations([frame, walk]) => {
                let verdict = if ours { allocations_verdict(*frame, *walk) } else { String::new() };
                format!("  {:18} {frame:>8} {walk:>6}  {verdict}", subject.name)
            }
            Figures::Time(samples) => {
                let own = median(samples, Sample::cpu);
                let (raw, peer) = (best(Side::Raw), best(Side::Peer));
                let ratio =
                    |to: Option<f64>| to.map_or("-".to_owned(), |to| format!("{:.2}", own / to));
                let target = row.target.filter(|_| ours);
                format!(
                    "  {:18} {own:>8.2} {:>8.2} {:>5.0}% {:>8} {:>8}  {}",
                    subject.name,
                    lowest(samples),
                    100.0 * spread(samples),
                    ratio(raw),
                    ratio(peer),
                    target.map_or(String::new(), |target| verdicts(target, own, raw)),
                )
            }
        };
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn heading(row: &Row, counts: bool) -> String {
    let columns = match counts {
        true => format!("{:>8} {:>6}  target", "frame", "walk"),
        false => {
            format!("{:>8} {:>8} {:>6} {:>8} {:>8}  target", "ns", "best", "+-", "x raw", "x peer")
        }
    };
    format!("\n{}\n  {:18} {columns}\n", row.full_title(), "")
}

/// The best round. Where processors share a core, a busy neighbour slows a loop that keeps many
/// units busy more than one that waits for one result after the other; this one had the least of it.
fn lowest(samples: &[Sample]) -> f64 {
    samples.iter().map(Sample::cpu).min_by(f64::total_cmp).unwrap_or(f64::NAN)
}

fn is_count(figures: &Figures) -> bool {
    matches!(figures, Figures::Allocations(_))
}

fn cost(outcome: &Outcome) -> Option<f64> {
    match &outcome.figures {
        Figures::Time(samples) => Some(median(samples, Sample::cpu)),
        Figures::Allocations(_) | Figures::Skipped(_) => None,
    }
}

/// Two verdicts, neither decided for the reader.
fn verdicts(target: Target, own: f64, raw: Option<f64>) -> String {
    let Target { nanos, raw: known } = target;
    let absolute = verdict(own, nanos);
    let times = target.times();
    let relative = match raw {
        None => "raw not measured".to_owned(),
        Some(raw) => verdict(own / raw, times),
    };
    format!("{absolute}: {nanos} ns; {relative}: {times:.2} x raw ({nanos} / {known})")
}

fn verdict(is: f64, most: f64) -> String {
    match is <= most {
        true => "met".to_owned(),
        false => format!("NOT MET by {:.0}%", 100.0 * (is / most - 1.0)),
    }
}

fn allocations_verdict(frame: u64, walk: u64) -> String {
    let [most_frame, most_walk] = ALLOCATIONS;
    let met = if frame <= most_frame && walk <= most_walk { "met" } else { "NOT MET" };
    format!("{met}: {most_frame} to frame, {most_walk} to walk")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::codec::rows::ROWS;

    fn time(nanos: u64) -> Figures {
        let user = Duration::from_nanos(nanos);
        Figures::Time(vec![Sample { ops: 10, user, system: Duration::ZERO, wall: user }])
    }

    fn table_of(row: &str, figures: impl Fn(&str) -> Figures) -> String {
        let row = ROWS.iter().find(|candidate| candidate.name == row).unwrap();
        let outcomes: Vec<_> = row
            .subjects()
            .map(|subject| Outcome { row, subject, figures: figures(subject.name) })
            .collect();
        table(&outcomes)
    }

    fn line<'a>(table: &'a str, name: &str) -> &'a str {
        table.lines().find(|line| line.starts_with(&format!("  {name} "))).unwrap()
    }

    #[test]
    fn both_verdicts_are_shown() {
        let table = table_of("walk-bulks", |name| match name {
            "raw" => time(20),
            "ours" => time(80),
            "hiredis" => Figures::Skipped("there is no cc".to_owned()),
            _ => time(160),
        });
        let ours = line(&table, "ours");
        assert!(ours.contains("8.00     8.00     0%     4.00     0.50  met: 9 ns"), "{table}");
        assert!(ours.ends_with("NOT MET by 33%: 3.00 x raw (9 / 3)"), "{table}");
        assert!(line(&table, "redis-rs").ends_with("1.00"), "{table}");
        assert!(line(&table, "hiredis").ends_with("skipped: there is no cc"), "{table}");
    }

    #[test]
    fn allocations_are_counts() {
        let table = table_of("allocations", |name| match name {
            "ours" => Figures::Allocations([2, 0]),
            _ => Figures::Allocations([1018, 1]),
        });
        assert!(line(&table, "ours").ends_with("2      0  met: 2 to frame, 0 to walk"), "{table}");
        assert!(line(&table, "redis-rs").ends_with("1018      1"), "{table}");
    }
}
