//! Starts the server and runs the subjects of each row in turn.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::{Command, Stdio},
};

use clusterkit::{Cluster, ClusterOptions, Node};
use testkit::servers::{self, Installed, Server, ServerOptions};

use crate::{
    callgrind,
    job::{Job, Length, Result},
    meter::Sample,
    pin::{self, Place},
    report,
    rows::{ROWS, Row, Side, Subject},
    wire,
};

/// The server that the targets were found with, if this machine has it.
const USUAL_SERVER: &str = "redis 7.0";

/// What to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The verbs whose rows to run.
    pub verbs: Vec<String>,
    /// Only rows and subjects whose name holds one of these; all when empty.
    pub rows: Vec<String>,
    /// See `rows`.
    pub subjects: Vec<String>,
    /// The server, e.g. `valkey` or `redis 7.0`.
    pub server: Option<String>,
    /// Whether other clients take part.
    pub peers: bool,
    /// How often each subject runs; the table shows medians.
    pub rounds: usize,
    /// How long each run is.
    pub length: Length,
    /// Where the server runs.
    pub server_place: Place,
    /// Where subjects of one thread run; those of several run anywhere.
    pub client_place: Place,
    /// The folder with the subjects' programs.
    pub programs: PathBuf,
}

/// The samples of a subject in a row, one a round.
pub struct Outcome {
    /// The row.
    pub row: &'static Row,
    /// The subject.
    pub subject: &'static Subject,
    /// What it took.
    pub samples: Vec<Sample>,
}

impl Plan {
    /// Measures CPU time and returns the table.
    ///
    /// # Errors
    /// When there is no server, nothing to run, or a subject fails.
    pub fn measure(&self, progress: &dyn Fn(&str)) -> Result<String> {
        let mut outcomes = self.outcomes()?;
        let servers = self.start(&outcomes)?;
        for round in 1..=self.rounds {
            progress(&format!("round {round} of {}", self.rounds));
            for Outcome { row, subject, samples } in &mut outcomes {
                let job = self.job(row, &servers, self.length);
                let mut command = self.program(subject);
                samples.push(run(command.args(job.to_args()))?.parse()?);
            }
        }
        let mut table = report::table(&outcomes);
        table.push_str(&format!(
            "\nserver: {}; medians of {} rounds\n",
            servers.installed, self.rounds
        ));
        Ok(table)
    }

    /// Counts the instructions of an operation under valgrind's callgrind and returns the table.
    /// The profiles are kept in `profiles`.
    ///
    /// # Errors
    /// When there is no valgrind, no server, nothing to run, or a subject fails.
    pub fn count(&self, profiles: &PathBuf, progress: &dyn Fn(&str)) -> Result<String> {
        let outcomes = self.outcomes()?;
        let servers = self.start(&outcomes)?;
        std::fs::create_dir_all(profiles)?;
        let mut counts = Vec::new();
        for Outcome { row, subject, .. } in outcomes {
            progress(&format!("{}: {}", row.title(), subject.name));
            let profile = profiles.join(format!("{}-{}.{}", row.verb, row.name, subject.name));
            let count = |ops: u64| {
                let job = self.job(row, &servers, Length::Ops(ops));
                let mut command = callgrind::command(&self.path(subject), &profile);
                callgrind::instructions(command.args(job.to_args()))
            };
            let (few, many) = callgrind::ops(row.tasks as u64);
            // The longer run is the second, since its profile is the one to keep.
            let less = count(few)?;
            let more = count(many)?;
            counts.push((row, subject, more.saturating_sub(less) / (many - few)));
        }
        let mut table = report::counts(&counts);
        table.push_str(&format!(
            "\nserver: {}; profiles: {}\n",
            servers.installed,
            profiles.display()
        ));
        Ok(table)
    }

    /// The rows and subjects that are asked for and have a program, in order.
    fn outcomes(&self) -> Result<Vec<Outcome>> {
        let is_name = |text: &str| ROWS.iter().any(|row| row.name == text);
        let mut outcomes = Vec::new();
        for row in &ROWS {
            if !self.verbs.iter().any(|verb| verb == row.verb)
                || !asked(&self.rows, row.name, is_name)
            {
                continue;
            }
            for subject in row.subjects() {
                let wanted = asked(&self.subjects, subject.name, is_name)
                    && (self.peers || subject.side != Side::Peer);
                if wanted && self.path(subject).exists() {
                    outcomes.push(Outcome { row, subject, samples: Vec::new() });
                }
            }
        }
        match outcomes.is_empty() {
            true => Err("no row and subject has such a name".into()),
            false => Ok(outcomes),
        }
    }

    /// Starts what the rows want.
    fn start(&self, outcomes: &[Outcome]) -> Result<Servers> {
        let installed = pick(self.server.as_deref())?;
        let wants = |clusters| outcomes.iter().any(|outcome| (outcome.row.nodes > 1) == clusters);
        let mut servers = Servers { single: None, cluster: None, installed };
        if wants(false) {
            let server = Server::start(&servers.installed, ServerOptions::new())?;
            fill(&[server.addr()])?;
            pin::thread_of(server.pid(), self.server_place)?;
            servers.single = Some(server);
        }
        if wants(true) {
            let options = ClusterOptions::new().replicas(0);
            let cluster = Cluster::start(&servers.installed, options)?;
            fill(&addrs_of(&cluster))?;
            for node in cluster.nodes() {
                pin::thread_of(cluster.pid(&node)?, self.server_place)?;
            }
            servers.cluster = Some(cluster);
        }
        Ok(servers)
    }

    fn job(&self, row: &Row, servers: &Servers, length: Length) -> Job {
        let addrs = match (row.nodes, &servers.single, &servers.cluster) {
            (1, Some(server), _) => vec![server.addr()],
            (_, _, Some(cluster)) => addrs_of(cluster),
            _ => Vec::new(),
        };
        Job {
            addrs,
            workload: row.workload,
            tasks: row.tasks,
            threads: row.threads,
            length,
            place: if row.threads == 1 { self.client_place } else { Place::Any },
        }
    }

    fn path(&self, subject: &Subject) -> PathBuf {
        self.programs.join(format!("bench-{}{}", subject.name, std::env::consts::EXE_SUFFIX))
    }

    fn program(&self, subject: &Subject) -> Command {
        Command::new(self.path(subject))
    }
}

/// The servers of a run: those that its rows want.
struct Servers {
    single: Option<Server>,
    cluster: Option<Cluster>,
    installed: Installed,
}

/// The primaries, in the order of their slots.
fn addrs_of(cluster: &Cluster) -> Vec<SocketAddr> {
    cluster.nodes().iter().map(Node::addr).collect()
}

/// Whether a name is asked for, by itself or by a part of it. What is a whole name, `get-1`, is no
/// part of others, as `get-16`.
pub(crate) fn asked(names: &[String], name: &str, is_name: impl Fn(&str) -> bool) -> bool {
    let fits = |text: &String| name == text || (!is_name(text) && name.contains(text));
    names.is_empty() || names.iter().any(fits)
}

/// Runs a subject to its end and returns what it printed.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output()?;
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout)?),
        false => {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            Err(format!("{:?}: {}: {said}", command.get_program(), output.status).into())
        }
    }
}

/// The server asked for; else the usual one; else any.
fn pick(name: Option<&str>) -> Result<Installed> {
    let find = |found: Vec<Installed>, name: &str| {
        found.into_iter().find(|installed| installed.to_string().starts_with(name))
    };
    let here = servers::discover(&servers::folder(), false).found;
    if let Some(installed) = find(here, name.unwrap_or(USUAL_SERVER)) {
        return Ok(installed);
    }
    match name {
        None => Ok(servers::any()?),
        Some(name) => find(servers::ensure()?, name)
            .ok_or_else(|| format!("no server `{name}`; `cargo xtask servers` lists them").into()),
    }
}

/// Sets every key, where it belongs.
fn fill(addrs: &[SocketAddr]) -> Result<()> {
    for (node, addr) in addrs.iter().enumerate() {
        let numbers = wire::numbers_of(node, addrs.len(), 0..wire::KEYS);
        let count = numbers.len();
        let mut socket = TcpStream::connect(addr)?;
        socket.write_all(&wire::sets(numbers))?;
        let mut replies = vec![0; count * wire::set_reply_len()];
        socket.read_exact(&mut replies)?;
        if replies != b"+OK\r\n".repeat(count) {
            return Err("the server did not take the values".into());
        }
    }
    Ok(())
}
