//! Facts about commands, as the servers' own table has them.
//!
//! Owns the shape of the facts and their lookup by name. The facts themselves are generated.

use std::fmt;

use crate::generated;

/// What the command table says of one command.
#[derive(Debug)]
pub struct CommandInfo {
    /// The name in capitals, a subcommand's words separated by a space.
    pub name: &'static str,
    /// The words of the name, encoded as arguments.
    pub head: &'static [u8],
    /// How many words the name has.
    pub words: u8,
    /// What the command does and needs.
    pub flags: Flags,
    /// Where its keys are.
    pub keys: &'static [KeySpec],
    /// Which nodes of a cluster get it.
    pub request_policy: RequestPolicy,
    /// How the replies of several nodes become one.
    pub response_policy: ResponsePolicy,
    /// The server version that brought it.
    pub since: &'static str,
    /// Which of the servers the table was read from have it.
    pub servers: Servers,
    /// For commands that change the connection: what to call instead on one that is shared.
    pub instead: Option<&'static str>,
}

impl CommandInfo {
    /// Whether the command changes the connection it is sent on, and so can't be sent on a shared one.
    #[inline]
    pub fn is_stateful(&self) -> bool {
        self.instead.is_some()
    }

    /// Whether the command only reads.
    pub fn is_readonly(&self) -> bool {
        self.flags.contains(Flags::READONLY)
    }
}

/// Facts of a command that the table does not know.
pub(crate) static RAW: CommandInfo = CommandInfo {
    name: "(raw)",
    head: b"",
    words: 0,
    flags: Flags::NONE,
    keys: &[],
    request_policy: RequestPolicy::Default,
    response_policy: ResponsePolicy::Default,
    since: "",
    servers: Servers::NONE,
    instead: None,
};

/// Finds a command by the words of its name, in any case.
pub fn lookup(words: &[&[u8]]) -> Option<&'static CommandInfo> {
    let mut name = Vec::with_capacity(32);
    for word in words {
        if !name.is_empty() {
            name.push(b' ');
        }
        name.extend(word.iter().map(u8::to_ascii_uppercase));
    }
    let all = generated::info::ALL;
    all.binary_search_by(|info| info.name.as_bytes().cmp(&name)).ok().map(|at| all[at])
}

/// A set of command flags, named as the server names them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Flags(u32);

impl Flags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// Changes data.
    pub const WRITE: Self = Self(1);
    /// Only reads data.
    pub const READONLY: Self = Self(1 << 1);
    /// Refused when the server is out of memory.
    pub const DENYOOM: Self = Self(1 << 2);
    /// An operator's command.
    pub const ADMIN: Self = Self(1 << 3);
    /// Publishes or subscribes.
    pub const PUBSUB: Self = Self(1 << 4);
    /// Not for scripts.
    pub const NOSCRIPT: Self = Self(1 << 5);
    /// Can wait for data to come.
    pub const BLOCKING: Self = Self(1 << 6);
    /// Allowed while the server loads its data.
    pub const LOADING: Self = Self(1 << 7);
    /// Allowed on a replica with stale data.
    pub const STALE: Self = Self(1 << 8);
    /// Takes constant or logarithmic time.
    pub const FAST: Self = Self(1 << 9);
    /// Allowed before authentication.
    pub const NO_AUTH: Self = Self(1 << 10);
    /// Not allowed inside MULTI.
    pub const NO_MULTI: Self = Self(1 << 11);
    /// Keys can't be found by the first-key triple alone.
    pub const MOVABLEKEYS: Self = Self(1 << 12);
    /// Runs without keys too, although it can have some.
    pub const NO_MANDATORY_KEYS: Self = Self(1 << 13);
    /// Allowed while a script runs for too long.
    pub const ALLOW_BUSY: Self = Self(1 << 14);
    /// Not allowed while the server loads its data in the background.
    pub const NO_ASYNC_LOADING: Self = Self(1 << 15);
    /// Not shown to MONITOR.
    pub const SKIP_MONITOR: Self = Self(1 << 16);
    /// Not noted in the slow log.
    pub const SKIP_SLOWLOG: Self = Self(1 << 17);
    /// Allowed in a slot that is on its way to the node, as if ASKING came before.
    pub const ASKING: Self = Self(1 << 18);
    /// A module brings it.
    pub const MODULE: Self = Self(1 << 19);

    const NAMES: [&str; 20] = [
        "write",
        "readonly",
        "denyoom",
        "admin",
        "pubsub",
        "noscript",
        "blocking",
        "loading",
        "stale",
        "fast",
        "no_auth",
        "no_multi",
        "movablekeys",
        "no_mandatory_keys",
        "allow_busy",
        "no_async_loading",
        "skip_monitor",
        "skip_slowlog",
        "asking",
        "module",
    ];

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is in this set.
    #[inline]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The flags' names, as the server spells them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        names(self.0, &Self::NAMES)
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

/// The names of the bits that are set.
fn names(bits: u32, names: &'static [&'static str]) -> impl Iterator<Item = &'static str> {
    let set = names.iter().enumerate().filter(move |(bit, _)| bits & 1 << bit != 0);
    set.map(|(_, name)| *name)
}

/// A set of the servers the table was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Servers(u8);

impl Servers {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// Redis 6.2.
    pub const REDIS_6_2: Self = Self(1);
    /// Redis 7.0.
    pub const REDIS_7_0: Self = Self(1 << 1);
    /// Redis 8.0.
    pub const REDIS_8_0: Self = Self(1 << 2);
    /// Redis 8.6.
    pub const REDIS_8_6: Self = Self(1 << 3);
    /// Valkey 9.1.
    pub const VALKEY_9_1: Self = Self(1 << 4);

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// One rule that says which arguments are keys. Positions count the name's first word as 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySpec {
    /// Where to begin.
    pub begin: BeginSearch,
    /// How to go on from there.
    pub find: FindKeys,
    /// What is done with the keys, and how far the rule can be trusted.
    pub flags: KeyFlags,
}

/// A set of key flags, named as the server names them: what a command does with the keys that a
/// [`KeySpec`] finds.
///
/// One of the first four says it of the key as a whole; `ACCESS` to `DELETE` of the user's data in it.
///
/// # Examples
///
/// ```
/// use redis_core::{KeyFlags, lookup};
///
/// let set = lookup(&[b"SET"]).unwrap();
/// assert!(set.keys[0].flags.writes());
/// assert_eq!(lookup(&[b"GET"]).unwrap().keys[0].flags, KeyFlags::RO.union(KeyFlags::ACCESS));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyFlags(u16);

impl KeyFlags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// Only reads.
    pub const RO: Self = Self(1);
    /// Reads and changes.
    pub const RW: Self = Self(1 << 1);
    /// Writes without regard to what was there.
    pub const OW: Self = Self(1 << 2);
    /// Removes.
    pub const RM: Self = Self(1 << 3);
    /// Returns the data, or copies it, or acts upon it.
    pub const ACCESS: Self = Self(1 << 4);
    /// Changes the data depending on what was there.
    pub const UPDATE: Self = Self(1 << 5);
    /// Adds data, and leaves what was there.
    pub const INSERT: Self = Self(1 << 6);
    /// Deletes some of the data.
    pub const DELETE: Self = Self(1 << 7);
    /// What is found decides the slot like a key, and is none: a shard channel, a cursor.
    pub const NOT_KEY: Self = Self(1 << 8);
    /// There may be keys that the rule does not find.
    pub const INCOMPLETE: Self = Self(1 << 9);
    /// Some arguments change what is done: these flags are the most that can be.
    pub const VARIABLE_FLAGS: Self = Self(1 << 10);

    const NAMES: [&str; 11] = [
        "RO",
        "RW",
        "OW",
        "RM",
        "access",
        "update",
        "insert",
        "delete",
        "not_key",
        "incomplete",
        "variable_flags",
    ];

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is in this set.
    #[inline]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether the keys may be written to, overwritten or removed.
    pub const fn writes(self) -> bool {
        self.0 & (Self::RW.0 | Self::OW.0 | Self::RM.0) != 0
    }

    /// The flags' names, as the server spells them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        names(self.0.into(), &Self::NAMES)
    }
}

impl fmt::Debug for KeyFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

/// Where the keys of a [`KeySpec`] begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BeginSearch {
    /// At this position.
    Index(u16),
    /// Behind this word, looked for from a position; negative ones count from the end and look backwards.
    Keyword {
        /// The word.
        word: &'static str,
        /// Where the search starts.
        from: i16,
    },
    /// The table can't say.
    Unknown,
}

/// Which arguments from the beginning on are keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindKeys {
    /// Every `step`th one up to `last`, counted from the beginning, or from the end where it is negative.
    Range {
        /// The last key's position.
        last: i16,
        /// From key to key.
        step: u16,
        /// For `last == -1`: only the first `1/limit` of what remains; 0 and 1 mean all.
        limit: u16,
    },
    /// As many as a number among the arguments says.
    KeyNum {
        /// Where the number is, from the beginning.
        at: u16,
        /// Where the first key is, from the beginning.
        first: u16,
        /// From key to key.
        step: u16,
    },
    /// The table can't say.
    Unknown,
}

/// Which nodes of a cluster a command without keys, or with keys in several slots, goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestPolicy {
    /// By its keys; any node without keys.
    Default,
    /// Every node.
    AllNodes,
    /// Every primary.
    AllShards,
    /// Split by slot.
    MultiShard,
    /// As the command documents.
    Special,
}

/// How the replies of several nodes become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponsePolicy {
    /// In the order of the keys, or collected.
    Default,
    /// The first that is no error.
    OneSucceeded,
    /// One of them, if none is an error.
    AllSucceeded,
    /// The sum.
    AggSum,
    /// The smallest.
    AggMin,
    /// The largest.
    AggMax,
    /// Logical and.
    AggLogicalAnd,
    /// Logical or.
    AggLogicalOr,
    /// As the command documents.
    Special,
}
