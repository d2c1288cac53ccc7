//! What a cluster node says instead of running a command.
//!
//! Owns the reading of those errors. What to do about them is the router's to decide.

use redis_core::{Error, SLOTS};

use crate::address::Address;

/// Why a cluster node did not run a command. Whichever it is, the command had no effect.
///
/// # Examples
///
/// ```
/// use redis_cluster::{Address, Host, Redirect, Refusal};
/// use redis_core::Error;
///
/// let error = Error::server(b"MOVED 3999 127.0.0.1:6381");
/// let to = Address { host: Host::Named("127.0.0.1".into()), port: 6381 };
/// assert_eq!(Refusal::of(&error), Some(Refusal::Moved(Redirect { slot: 3999, to })));
///
/// assert_eq!(Refusal::of(&Error::server(b"WRONGTYPE not a list")), None);
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The slot is another node's: it is to be asked from now on.
    Moved(Redirect),
    /// The slot is being moved and the key is already gone: the other node is to be asked this once, with
    /// `ASKING` before the command.
    Ask(Redirect),
    /// The slot is being moved and the command's keys are not all on one side: again, later.
    TryAgain,
    /// The cluster, or the slot, is served by nobody at the moment.
    Down,
    /// The keys of the command are in several slots.
    CrossSlot,
}

/// Where a node sends a command instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// The slot of the command's keys, below 16,384.
    pub slot: u16,
    /// The node that has it.
    pub to: Address,
}

impl Refusal {
    /// Reads an error. None where it is any other one, or a redirect that can't be understood.
    pub fn of(error: &Error) -> Option<Self> {
        match error.code()? {
            "MOVED" => Redirect::parse(error.message()).map(Self::Moved),
            "ASK" => Redirect::parse(error.message()).map(Self::Ask),
            "TRYAGAIN" => Some(Self::TryAgain),
            "CLUSTERDOWN" => Some(Self::Down),
            "CROSSSLOT" => Some(Self::CrossSlot),
            _ => None,
        }
    }
}

/// Replies by which a node says that it does not serve at the moment, and ran nothing.
const UNWELL: [&str; 3] = ["LOADING", "MASTERDOWN", "READONLY"];

/// Whether a node says that it does not serve at the moment.
pub(crate) fn is_unwell(error: &Error) -> bool {
    error.code().is_some_and(|code| UNWELL.contains(&code))
}

impl Redirect {
    /// Reads `CODE slot host:port`. What a later server may put behind that is passed over.
    fn parse(message: &str) -> Option<Self> {
        let mut words = message.split(' ').skip(1);
        let slot = words.next()?.parse().ok().filter(|&slot| slot < SLOTS)?;
        Some(Self { slot, to: Address::parse(words.next()?.as_bytes())? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Host;

    fn of(text: &str) -> Option<Refusal> {
        Refusal::of(&Error::server(text.as_bytes()))
    }

    fn to(slot: u16, host: Host, port: u16) -> Redirect {
        Redirect { slot, to: Address { host, port } }
    }

    #[test]
    fn redirects_of_every_form_are_read() {
        let named = |host: &str| Host::Named(host.into());
        for (text, host) in [
            ("127.0.0.1", named("127.0.0.1")),
            ("", Host::Same),
            ("?", Host::Unknown),
            ("2001:db8::7", named("2001:db8::7")),
            ("node-3.example", named("node-3.example")),
        ] {
            let redirect = to(3999, host, 6381);
            assert_eq!(
                of(&format!("MOVED 3999 {text}:6381")),
                Some(Refusal::Moved(redirect.clone()))
            );
            assert_eq!(of(&format!("ASK 3999 {text}:6381")), Some(Refusal::Ask(redirect)));
        }
    }

    #[test]
    fn refusals_without_an_address_are_recognised() {
        assert_eq!(
            of("TRYAGAIN Multiple keys request during rehashing of slot"),
            Some(Refusal::TryAgain)
        );
        assert_eq!(of("CLUSTERDOWN The cluster is down"), Some(Refusal::Down));
        assert_eq!(of("CLUSTERDOWN Hash slot not served"), Some(Refusal::Down));
        assert_eq!(
            of("CROSSSLOT Keys in request don't hash to the same slot"),
            Some(Refusal::CrossSlot)
        );
    }

    #[test]
    fn what_is_no_redirect_is_left_alone() {
        for text in [
            "",
            "MOVED",
            "MOVED ",
            "MOVED 3999",
            "MOVED 3999 ",
            "MOVED 3999 h",
            "MOVED 16384 h:1",
            "MOVED -1 h:1",
            "MOVED x h:1",
            "MOVED  3999 h:1",
            "ASK 1 h:99999",
            "moved 1 h:1",
            "ERR MOVED 1 h:1",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
        assert_eq!(Refusal::of(&Error::decode("MOVED 1 h:1")), None);
    }

    #[test]
    fn context_does_not_hide_a_redirect() {
        let error = Error::server(b"MOVED 1 h:1").with_context("command 2 (`GET k`)");
        let redirect = to(1, Host::Named("h".into()), 1);
        assert_eq!(Refusal::of(&error), Some(Refusal::Moved(redirect)));
    }
}
