//! Facts about commands, as the servers' own table has them.
//!
//! Owns the shape of the facts and their lookup by name. The facts themselves are generated.

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
}

impl std::fmt::Debug for Flags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Flags({:#x})", self.0)
    }
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
    /// The keys are written to.
    pub write: bool,
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
