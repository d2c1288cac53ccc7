//! What the servers' table can't say: our words, reply types and nicer names, one entry a builder, one
//! file a group.
//!
//! A Rust table: it needs no parser, the compiler checks it, and an entry that names an argument the
//! table does not have fails the generator. Everything not said here is derived from the table.

// Tables read best with an entry a line, however long: rustfmt leaves those files alone.
#[rustfmt::skip]
mod bitmap;
#[rustfmt::skip]
mod cluster;
#[rustfmt::skip]
mod connection;
#[rustfmt::skip]
mod generic;
#[rustfmt::skip]
mod geo;
#[rustfmt::skip]
mod hash;
#[rustfmt::skip]
mod hyperloglog;
#[rustfmt::skip]
mod list;
#[rustfmt::skip]
mod module;
#[rustfmt::skip]
mod options;
#[rustfmt::skip]
mod pubsub;
#[rustfmt::skip]
mod raw;
#[rustfmt::skip]
mod scripting;
#[rustfmt::skip]
mod server;
#[rustfmt::skip]
mod set;
#[rustfmt::skip]
mod sorted_set;
#[rustfmt::skip]
mod stateful;
#[rustfmt::skip]
mod stream;
#[rustfmt::skip]
mod string;

pub(crate) use self::options::WORDS;
pub(crate) use self::raw::raw;
pub(crate) use self::stateful::stateful;

/// Every command that has a builder, by group.
pub(crate) fn entries() -> Vec<Entry> {
    [
        generic::entries(),
        string::entries(),
        hash::entries(),
        list::entries(),
        set::entries(),
        sorted_set::entries(),
        stream::entries(),
        geo::entries(),
        bitmap::entries(),
        hyperloglog::entries(),
        scripting::entries(),
        cluster::entries(),
        module::entries(),
        pubsub::entries(),
        connection::entries(),
        server::entries(),
    ]
    .concat()
}

/// One builder of one command. A command may have several, each with another `name`.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) command: &'static str,
    /// The reply's Rust type; single capital letters in it are the caller's choice.
    pub(crate) reply: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) name: Option<&'static str>,
    /// Parameters by the table's argument name.
    pub(crate) renamed: Vec<(&'static str, &'static str)>,
    pub(crate) typed: Vec<(&'static str, As)>,
    pub(crate) promoted: Vec<&'static str>,
    /// Take the options that only Valkey has too.
    pub(crate) valkey: bool,
    /// Take Valkey's arguments instead.
    pub(crate) valkey_alone: bool,
    pub(crate) picked: Vec<(&'static str, &'static str)>,
    /// Arguments that another one's type writes, or that this builder leaves out.
    pub(crate) dropped: Vec<&'static str>,
    /// Arguments that another one's type writes.
    pub(crate) within: Vec<&'static str>,
    /// Setters and their words, by token (or argument name, where there is no token).
    pub(crate) setters: Vec<(&'static str, &'static str)>,
    pub(crate) notes: Vec<(&'static str, &'static str)>,
    /// Reply types before and after an option, by token (or argument name).
    pub(crate) turns: Vec<(&'static str, &'static str, &'static str)>,
    /// Calls, and the words that they send.
    pub(crate) examples: Vec<(&'static str, &'static str)>,
}

/// What type an argument has, where the table's own type is too wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum As {
    /// Any single argument.
    Any,
    /// A Rust type that is an argument and `Copy`.
    Type(&'static str),
    /// A `Duration`, sent as whole seconds.
    Seconds,
    /// A `Duration`, sent as whole milliseconds.
    Millis,
    /// A `SystemTime`, sent as whole milliseconds since 1970.
    UnixMillis,
    /// A Rust type that is an argument; the parameter is anything that converts to it.
    Into(&'static str),
    /// A Rust type that writes several arguments.
    Words(&'static str),
    /// A Rust type that writes several arguments; the parameter is anything that converts to it.
    IntoWords(&'static str),
    /// How long to wait, sent as seconds; `None` for ever.
    Timeout,
    /// How long to wait, sent as milliseconds; `None` for ever.
    TimeoutMillis,
    /// An enum of this name, made from the choice's words.
    Enum(&'static str),
}

/// A builder that is all the table's, but for its words and its reply's type.
pub(super) fn entry(command: &'static str, reply: &'static str, doc: &'static str) -> Entry {
    Entry {
        command,
        reply,
        doc,
        name: None,
        renamed: Vec::new(),
        typed: Vec::new(),
        promoted: Vec::new(),
        valkey: false,
        valkey_alone: false,
        picked: Vec::new(),
        dropped: Vec::new(),
        within: Vec::new(),
        setters: Vec::new(),
        notes: Vec::new(),
        turns: Vec::new(),
        examples: Vec::new(),
    }
}

impl Entry {
    /// The function's name, where the command's own is no good one.
    pub(super) fn name(mut self, name: &'static str) -> Self {
        self.name = Some(name);
        self
    }

    /// Names the parameter of an argument.
    pub(super) fn rename(mut self, argument: &'static str, name: &'static str) -> Self {
        self.renamed.push((argument, name));
        self
    }

    /// Gives an argument a type.
    pub(super) fn ty(mut self, argument: &'static str, ty: As) -> Self {
        self.typed.push((argument, ty));
        self
    }

    /// Makes an optional argument a parameter.
    pub(super) fn promote(mut self, argument: &'static str) -> Self {
        self.promoted.push(argument);
        self
    }

    /// Adds what only Valkey has among the options.
    pub(super) fn with_valkey(mut self) -> Self {
        self.valkey = true;
        self
    }

    /// Takes the arguments as Valkey has them, and not Redis.
    pub(super) fn of_valkey(mut self) -> Self {
        self.valkey = true;
        self.valkey_alone = true;
        self
    }

    /// Takes one branch of a choice and leaves the others out.
    pub(super) fn pick(mut self, choice: &'static str, branch: &'static str) -> Self {
        self.picked.push((choice, branch));
        self
    }

    /// Leaves an argument out, which another one's type writes; it stays in the documented syntax.
    pub(super) fn within(mut self, argument: &'static str) -> Self {
        self.within.push(argument);
        self
    }

    /// Leaves an argument out: another one's type writes it, or another builder has it.
    pub(super) fn without(mut self, argument: &'static str) -> Self {
        self.dropped.push(argument);
        self
    }

    /// Names the setter of an option.
    pub(super) fn setter(mut self, option: &'static str, name: &'static str) -> Self {
        self.setters.push((option, name));
        self
    }

    /// Describes an option in our words.
    pub(super) fn note(mut self, option: &'static str, doc: &'static str) -> Self {
        self.notes.push((option, doc));
        self
    }

    /// Says that options, separated by spaces, change the reply's type; `_` stands for any type before.
    pub(super) fn turns(
        mut self,
        options: &'static str,
        from: &'static str,
        to: &'static str,
    ) -> Self {
        self.turns.extend(options.split(' ').map(|option| (option, from, to)));
        self
    }

    /// Shows a call, and the words that it sends; those that are empty or have spaces in quotes.
    pub(super) fn example(mut self, call: &'static str, words: &'static str) -> Self {
        self.examples.push((call, words));
        self
    }
}
