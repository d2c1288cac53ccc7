//! Which processors client and server run on.
//!
//! What it costs the kernel to wake the other side differs several times over between one processor
//! and two, above all in a virtual machine, and left alone the system goes back and forth.

use std::{fmt, str::FromStr};

pub use self::system::{this_thread, thread_of};

/// A processor out of those the process may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Wherever the system puts it.
    Any,
    /// The first.
    First,
    /// The last.
    Last,
}

impl Place {
    const ALL: [(Self, &str); 3] =
        [(Self::Any, "any"), (Self::First, "first"), (Self::Last, "last")];
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(place, _)| place == self).map_or("", |(_, name)| name);
        f.write_str(name)
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(_, name)| *name == text);
        found.map(|(place, _)| *place).ok_or_else(|| format!("no place `{text}`"))
    }
}

#[cfg(target_os = "linux")]
mod system {
    use nix::{
        sched::{CpuSet, sched_getaffinity, sched_setaffinity},
        unistd::Pid,
    };

    use super::Place;
    use crate::job::Result;

    /// Puts the calling thread, and those it will start, in a place.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn this_thread(place: Place) -> Result<()> {
        pin(Pid::from_raw(0), place)
    }

    /// Puts a process's first thread in a place.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn thread_of(pid: u32, place: Place) -> Result<()> {
        pin(Pid::from_raw(pid.try_into()?), place)
    }

    fn pin(pid: Pid, place: Place) -> Result<()> {
        let allowed = sched_getaffinity(pid)?;
        let mut cpus = (0..CpuSet::count()).filter(|&cpu| allowed.is_set(cpu).unwrap_or(false));
        let cpu = match place {
            Place::Any => None,
            Place::First => cpus.next(),
            Place::Last => cpus.next_back(),
        };
        if let Some(cpu) = cpu {
            let mut only = CpuSet::new();
            only.set(cpu)?;
            sched_setaffinity(pid, &only)?;
        }
        Ok(())
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::Place;
    use crate::job::Result;

    /// Does nothing here.
    ///
    /// # Errors
    /// Never.
    pub fn this_thread(_place: Place) -> Result<()> {
        Ok(())
    }

    /// Does nothing here.
    ///
    /// # Errors
    /// Never.
    pub fn thread_of(_pid: u32, _place: Place) -> Result<()> {
        Ok(())
    }
}
