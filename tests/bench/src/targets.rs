//! What ours should cost, as ratios to what others cost in the same run.
//!
//! Nanoseconds drift from machine to machine, ratios hardly do. Raw is the limit, the best peer is
//! the one to beat. Not every peer is measured in every run: [`Target::Peer`] also knows how the
//! best of redis 1.8.1 and 2.0.0-rc.2, fred 10.1, rustis 0.27 and hiredis did beside redis 1.8.1 on a
//! 2-core machine, so that a weak field does not make a target easy.

use std::fmt;

use crate::rows::{OURS_TOKIO, REDIS_RS_SYNC, REDIS_RS_TOKIO};

/// At most so many times what another subject costs in the same row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// Raw: the bytes alone.
    Raw(f64),
    /// The best peer.
    Peer {
        /// At most so many times its cost.
        times: f64,
        /// What the best peer known costs, as a share of what redis 1.8.1 does.
        best: f64,
    },
    /// Ours on tokio.
    Tokio(f64),
}

/// The CPU that subjects took in one row, by name.
pub type Costs<'a> = &'a dyn Fn(&str) -> Option<f64>;

impl Target {
    /// The most nanoseconds that meet it; none when what it compares with was not measured.
    pub fn bound(self, cost: Costs<'_>) -> Option<f64> {
        match self {
            Self::Raw(times) => Some(times * cost("raw")?),
            Self::Tokio(times) => Some(times * cost(OURS_TOKIO)?),
            Self::Peer { times, best } => {
                let measured = cost(REDIS_RS_SYNC).or_else(|| cost(REDIS_RS_TOKIO))?;
                Some(times * best * measured)
            }
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Raw(times) => write!(f, "{times:.2} x raw"),
            Self::Tokio(times) => write!(f, "{times:.2} x {OURS_TOKIO}"),
            Self::Peer { times, best } if *best == 1.0 => write!(f, "{times:.2} x redis-rs"),
            Self::Peer { times, best } => {
                write!(f, "{times:.2} x best peer = {:.2} x redis-rs", times * best)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_scale_with_what_was_measured() {
        let cost = |name: &str| match name {
            "raw" => Some(100.0),
            "redis-rs-tokio" => Some(1000.0),
            _ => None,
        };
        assert_eq!(Target::Raw(2.0).bound(&cost), Some(200.0));
        assert_eq!(Target::Peer { times: 0.5, best: 0.6 }.bound(&cost), Some(300.0));
        assert_eq!(Target::Tokio(1.15).bound(&cost), None);
    }
}
