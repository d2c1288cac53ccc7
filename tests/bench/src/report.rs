//! Tables for people.

use crate::{
    meter::Sample,
    rows::{Row, Side, Subject},
    runner::Outcome,
};

/// Medians, ratios and targets.
pub fn table(outcomes: &[Outcome]) -> String {
    let mut text = String::from(
        "ns per operation of client CPU (user + system), of it user, and on the wall\n",
    );
    for (at, outcome) in outcomes.iter().enumerate() {
        let Outcome { row, subject, samples } = outcome;
        let same_row: Vec<_> =
            outcomes.iter().filter(|other| std::ptr::eq(other.row, *row)).collect();
        if at == 0 || !std::ptr::eq(outcomes[at - 1].row, *row) {
            text.push_str(&format!(
                "\n{:24} {:>9} {:>6} {:>9} {:>9} {:>8} {:>8}  target\n",
                row.title(),
                "CPU",
                "+-",
                "user",
                "wall",
                "x raw",
                "x peer"
            ));
        }
        let cost = |name: &str| {
            let found = same_row.iter().find(|other| other.subject.name == name)?;
            Some(median(&found.samples, Sample::cpu))
        };
        let own = median(samples, Sample::cpu);
        let best_peer = same_row
            .iter()
            .filter(|other| other.subject.side == Side::Peer)
            .filter_map(|other| cost(other.subject.name))
            .min_by(f64::total_cmp);
        let ratio = |to: Option<f64>| to.map_or("-".to_owned(), |to| format!("{:.2}", own / to));
        let verdicts: Vec<_> = row
            .targets(subject)
            .iter()
            .map(|target| match target.bound(&cost) {
                None => format!("{target}: not measured"),
                Some(bound) => {
                    let met = if own <= bound { "met" } else { "NOT MET" };
                    format!("{met}: {target} = {bound:.0}")
                }
            })
            .collect();
        let line = format!(
            "  {:22} {own:>9.0} {:>5.0}% {:>9.0} {:>9.0} {:>8} {:>8}  {}",
            subject.name,
            100.0 * spread(samples),
            median(samples, Sample::user),
            median(samples, Sample::wall),
            ratio(cost("raw")),
            ratio(best_peer),
            verdicts.join("; "),
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Instructions an operation.
pub fn counts(counts: &[(&Row, &Subject, u64)]) -> String {
    let mut text = String::from("instructions per operation, without the kernel's\n\n");
    for (row, subject, count) in counts {
        text.push_str(&format!("{:24} {:18} {count:>8}\n", row.title(), subject.name));
    }
    text
}

pub(crate) fn median(samples: &[Sample], of: fn(&Sample) -> f64) -> f64 {
    let values = sorted(samples, of);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Half the way from the lowest to the highest CPU, as a share of the median.
pub(crate) fn spread(samples: &[Sample]) -> f64 {
    let values = sorted(samples, Sample::cpu);
    match values.as_slice() {
        [lowest, .., highest] => (highest - lowest) / 2.0 / median(samples, Sample::cpu),
        _ => 0.0,
    }
}

fn sorted(samples: &[Sample], of: fn(&Sample) -> f64) -> Vec<f64> {
    let mut values: Vec<_> = samples.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::rows::ROWS;

    fn samples(nanos: [u64; 3]) -> Vec<Sample> {
        let sample = |nanos| Sample {
            ops: 10,
            user: Duration::from_nanos(nanos),
            system: Duration::ZERO,
            wall: Duration::from_nanos(nanos),
        };
        nanos.map(sample).into()
    }

    #[test]
    fn medians_are_compared_with_raw_peer_and_target() {
        let row = ROWS.iter().find(|row| row.name == "get-1").unwrap();
        let outcomes: Vec<_> = row
            .subjects()
            .map(|subject| {
                let samples = match subject.name {
                    "raw" => samples([9_000, 1_000, 1_000]),
                    "ours-tokio" => samples([1_040, 1_040, 1_040]),
                    "ours-smol" => samples([2_000, 2_000, 2_000]),
                    _ => samples([1_300, 1_300, 1_300]),
                };
                Outcome { row, subject, samples }
            })
            .collect();
        let table = table(&outcomes);
        let line = |name: &str| table.lines().find(|line| line.contains(name)).unwrap();
        assert!(line("ours-tokio").contains("met: 1.05 x raw = 105"), "{table}");
        assert!(line("ours-tokio").contains(" 1.04     0.80"), "{table}");
        assert!(line("  ours-smol").contains("NOT MET: 1.15 x ours-tokio = 120"), "{table}");
    }
}
