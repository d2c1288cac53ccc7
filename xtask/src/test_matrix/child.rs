//! One combination: a process that runs the scenarios and reports them line by line.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    plan::Combination,
    report::{Ran, Scenario, Verdict},
};
use crate::{Result, process::tied};

/// The scenarios keep their own deadlines, which are shorter: this finds a process that can't.
const SILENCE: Duration = Duration::from_secs(300);

/// Runs the scenarios whose name contains one of `parts`, or all.
pub(super) fn run(program: &Path, combination: &Combination, parts: &[String]) -> Ran {
    let began = Instant::now();
    let mut scenarios = Vec::new();
    if let Err(error) = collect(program, combination, parts, &mut scenarios) {
        scenarios.push(Scenario {
            name: "the process itself".to_owned(),
            verdict: Verdict::Failed,
            text: error.to_string(),
            millis: 0,
            transcript: Vec::new(),
            commands: Vec::new(),
        });
    }
    Ran { combination: combination.clone(), scenarios, took: began.elapsed() }
}

fn collect(
    program: &Path,
    combination: &Combination,
    parts: &[String],
    scenarios: &mut Vec<Scenario>,
) -> Result<()> {
    let mut command = Command::new(program);
    let Combination { server, deployment, runtime, protocol, transport } = combination;
    command.args(["--server", server, "--deployment", deployment, "--runtime", runtime]);
    command.args(["--protocol", protocol, "--transport", transport]);
    for part in parts {
        command.args(["--scenario", part]);
    }
    let mut child = tied(&command).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let lines = child.stdout.take().map(lines_of);
    let said = child.stderr.take().map(lines_of);
    let mut begun = None;
    let mut ended = false;
    while let Some(lines) = &lines {
        match lines.recv_timeout(SILENCE) {
            Ok(line) => {
                let line: Value = serde_json::from_str(&line)?;
                if let Some(name) = line["begun"].as_str() {
                    begun = Some(name.to_owned());
                } else if line["end"] == true {
                    ended = true;
                } else {
                    scenarios.push(scenario(&line)?);
                    begun = None;
                }
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                child.kill()?;
                child.wait()?;
                return Err(died(begun, &format!("said nothing for {SILENCE:?}"), "").into());
            }
        }
    }
    let status = child.wait()?;
    let said: Vec<String> = said.into_iter().flatten().collect();
    match ended && status.success() {
        true => Ok(()),
        false => Err(died(begun, &format!("ended early ({status})"), &said.join("; ")).into()),
    }
}

/// Lines as they come, read by a thread of their own.
fn lines_of(output: impl std::io::Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(std::result::Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

fn died(begun: Option<String>, how: &str, said: &str) -> String {
    let place = begun.map_or(String::new(), |name| format!(" in {name}"));
    format!("the process {how}{place}: {said}").trim_end_matches([':', ' ']).to_owned()
}

fn scenario(line: &Value) -> Result<Scenario> {
    let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| -> Vec<String> {
        let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
        list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    Ok(Scenario {
        name: text("scenario"),
        verdict: match line["verdict"].as_str() {
            Some("passed") => Verdict::Passed,
            Some("failed") => Verdict::Failed,
            Some("skipped") => Verdict::Skipped,
            _ => return Err(format!("not a scenario's report: {line}").into()),
        },
        text: text("text"),
        millis: line["millis"].as_u64().unwrap_or_default(),
        transcript: list(&line["transcript"]),
        commands: line["commands"].as_array().into_iter().flatten().map(list).collect(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn report_is_read_and_anything_else_is_an_error() {
        let line = json!({
            "scenario": "a_b_c", "verdict": "failed", "text": "at step x", "millis": 7,
            "transcript": ["seen: 1"],
        });
        let read = scenario(&line).unwrap();
        assert_eq!((read.name.as_str(), read.verdict, read.millis), ("a_b_c", Verdict::Failed, 7));
        assert_eq!((read.text.as_str(), read.transcript.len()), ("at step x", 1));
        assert!(scenario(&json!({ "verdict": "maybe" })).is_err());
    }

    #[test]
    fn dead_process_is_told_with_its_scenario() {
        assert_eq!(died(None, "ended early", ""), "the process ended early");
        let told = died(Some("a_b".to_owned()), "ended early", "killed");
        assert_eq!(told, "the process ended early in a_b: killed");
    }
}
