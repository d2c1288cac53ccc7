//! What this process uses.

use std::{fs, io};

/// Read from `/proc`; zeros where there is none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    /// Resident bytes.
    pub(super) memory: u64,
    pub(super) threads: u64,
}

impl Usage {
    pub(super) fn now() -> io::Result<Self> {
        match fs::read_to_string("/proc/self/status") {
            Ok(status) => Ok(Self::read(&status)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    fn read(status: &str) -> Self {
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        let memory = number("VmRSS:").unwrap_or(0) * 1024;
        Self { memory, threads: number("Threads:").unwrap_or(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_threads_are_read_from_the_status() {
        let usage = Usage::read("Name:\tx\nVmRSS:\t    2048 kB\nThreads:\t7\n");
        assert_eq!((usage.memory, usage.threads), (2 << 20, 7));
    }
}
