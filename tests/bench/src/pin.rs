//! Keeps client and server on processors of their own.
//!
//! What it costs to wake the other side differs several times over between one processor and two,
//! and left alone the system goes back and forth.

pub use self::system::{client, server};

#[cfg(target_os = "linux")]
mod system {
    use nix::{
        sched::{CpuSet, sched_getaffinity, sched_setaffinity},
        unistd::Pid,
    };

    use crate::job::Result;

    /// Puts the calling thread, and those it starts, on the first processor.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn client() -> Result<()> {
        pin(Pid::from_raw(0), |cpus| cpus.first().copied())
    }

    /// Puts a process of one thread on the last processor.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn server(pid: u32) -> Result<()> {
        pin(Pid::from_raw(pid.try_into()?), |cpus| cpus.last().copied())
    }

    fn pin(pid: Pid, pick: fn(&[usize]) -> Option<usize>) -> Result<()> {
        let allowed = sched_getaffinity(pid)?;
        let cpus: Vec<usize> = (0..CpuSet::count())
            .filter(|&cpu| allowed.is_set(cpu).unwrap_or(false))
            .collect();
        if let Some(cpu) = pick(&cpus) {
            let mut only = CpuSet::new();
            only.set(cpu)?;
            sched_setaffinity(pid, &only)?;
        }
        Ok(())
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use crate::job::Result;

    /// Does nothing here.
    ///
    /// # Errors
    /// Never.
    pub fn client() -> Result<()> {
        Ok(())
    }

    /// Does nothing here.
    ///
    /// # Errors
    /// Never.
    pub fn server(_pid: u32) -> Result<()> {
        Ok(())
    }
}
