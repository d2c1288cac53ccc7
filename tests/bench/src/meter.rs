//! The cost of a stretch of work: CPU time of the whole process, and time on the wall.

use std::{
    fmt, io,
    str::FromStr,
    time::{Duration, Instant},
};

use nix::sys::{
    resource::{Usage, UsageWho, getrusage},
    time::TimeValLike,
};

/// Started before the work and asked after it.
pub struct Meter {
    began: Instant,
    usage: Usage,
}

/// What some operations cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// How many there were.
    pub ops: u64,
    /// CPU time in the program itself, all threads together, also those that have ended.
    pub user: Duration,
    /// CPU time in the kernel on its behalf.
    pub system: Duration,
    /// From start to end.
    pub wall: Duration,
}

impl Meter {
    /// Starts to measure.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn start() -> io::Result<Self> {
        Ok(Self { began: Instant::now(), usage: getrusage(UsageWho::RUSAGE_SELF)? })
    }

    /// What `ops` operations have cost since the start.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn stop(self, ops: u64) -> io::Result<Sample> {
        let wall = self.began.elapsed();
        let usage = getrusage(UsageWho::RUSAGE_SELF)?;
        let since = |now: i64, then: i64| Duration::from_micros((now - then).max(0).unsigned_abs());
        let (user, system) = (|u: &Usage| u.user_time(), |u: &Usage| u.system_time());
        Ok(Sample {
            ops,
            user: since(user(&usage).num_microseconds(), user(&self.usage).num_microseconds()),
            system: since(
                system(&usage).num_microseconds(),
                system(&self.usage).num_microseconds(),
            ),
            wall,
        })
    }
}

/// The CPU time, user and system, of all programs that this one has started and waited for, and of theirs.
///
/// # Errors
/// When the system does not tell.
pub fn children() -> io::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(micros.max(0).unsigned_abs()))
}

impl Sample {
    /// Nanoseconds of CPU an operation, user and system.
    pub fn cpu(&self) -> f64 {
        self.each(self.user + self.system)
    }

    /// Nanoseconds of CPU an operation, of the program itself.
    pub fn user(&self) -> f64 {
        self.each(self.user)
    }

    /// Nanoseconds an operation on the wall.
    pub fn wall(&self) -> f64 {
        self.each(self.wall)
    }

    #[allow(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    fn each(&self, time: Duration) -> f64 {
        time.as_nanos() as f64 / self.ops as f64
    }
}

/// As a subject prints it: `OPS USER SYSTEM WALL`, times in nanoseconds.
impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [user, system, wall] = [self.user, self.system, self.wall].map(|time| time.as_nanos());
        write!(f, "{} {user} {system} {wall}", self.ops)
    }
}

impl FromStr for Sample {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Option<Vec<u64>> =
            text.split_whitespace().map(|word| word.parse().ok()).collect();
        match numbers.as_deref() {
            Some(&[ops, user, system, wall]) if ops > 0 => {
                let [user, system, wall] = [user, system, wall].map(Duration::from_nanos);
                Ok(Self { ops, user, system, wall })
            }
            _ => Err(format!("not a sample: `{}`", text.trim())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sample_survives_printing() {
        let sample = Sample {
            ops: 3,
            user: Duration::from_nanos(5),
            system: Duration::from_micros(7),
            wall: Duration::from_secs(9),
        };
        assert_eq!(sample.to_string().parse(), Ok(sample));
        assert!("1 2 3".parse::<Sample>().is_err());
        assert!("0 2 3 4".parse::<Sample>().is_err());
    }

    #[test]
    fn work_costs_cpu_and_waiting_only_wall() {
        let meter = Meter::start().unwrap();
        let mut x = 0u64;
        let user = || getrusage(UsageWho::RUSAGE_SELF).unwrap().user_time();
        // However little of the wall's time a busy machine gives to this thread.
        while meter.began.elapsed() < Duration::from_millis(20) || user() <= meter.usage.user_time()
        {
            x = std::hint::black_box(x + 1);
        }
        let sample = meter.stop(1).unwrap();
        assert!(sample.user > Duration::ZERO && sample.wall >= Duration::from_millis(20));
    }
}
