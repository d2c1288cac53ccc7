//! From a command's argument tree and its overlay entry to the shape of its builder.
//!
//! Required arguments become parameters, optional ones become slots with setters, choices become one slot
//! with a setter for each branch. Owns these rules; knows nothing of the text that is written.

use super::overlay::{As, Entry, WORDS};
use super::table::{Argument, Command, Keys, Kind, merged};

/// A builder function, and the struct behind it where the command has options.
pub(crate) struct Builder<'a> {
    pub(crate) command: &'a Command,
    pub(crate) entry: &'a Entry,
    /// The command's arguments, with what the entry adds and leaves out.
    pub(crate) arguments: Vec<Argument>,
    pub(crate) function: String,
    pub(crate) params: Vec<Param>,
    /// What the command consists of, in the order it is sent.
    pub(crate) steps: Vec<Step>,
    pub(crate) slots: Vec<Slot>,
    pub(crate) setters: Vec<Setter>,
    /// None of the setters is needed, but one of them.
    pub(crate) needs_option: bool,
    pub(crate) enums: Vec<Enum>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Word(String),
    Param(usize),
    Slot(usize),
}

/// A parameter of a function or setter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Param {
    pub(crate) name: String,
    pub(crate) form: Form,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    One(Type),
    /// Any number of values.
    List {
        item: Type,
        counted: bool,
        may_be_empty: bool,
        noun: String,
    },
    /// Any number of tuples.
    Tuples {
        items: Vec<Type>,
        counted: bool,
        /// All first values are written before all second ones.
        columns: bool,
        noun: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Key,
    Any,
    Named(String),
    Seconds,
    Millis,
    UnixSeconds,
    UnixMillis,
    /// What converts to this type.
    Into(String),
    /// This type writes any number of arguments.
    Words(String),
    /// What converts to a type that writes any number of arguments.
    IntoWords(String),
    Timeout,
    TimeoutMillis,
    /// `true` is the first word, `false` the second.
    Switch(String, String),
    Enum(String),
}

/// Where options are kept until the command is finished; options that exclude each other share one.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) field: String,
    pub(crate) kind: SlotKind,
    /// The slot without which this one means nothing.
    pub(crate) parent: Option<usize>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SlotKind {
    Flag(String),
    Word,
    Value { word: Option<String>, ty: Type },
    Choice,
    Expiry,
}

#[derive(Debug)]
pub(crate) struct Setter {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) params: Vec<Param>,
    pub(crate) sets: Vec<(usize, Content)>,
    pub(crate) turns: Vec<(String, String)>,
}

/// What a setter puts into a slot.
#[derive(Debug)]
pub(crate) enum Content {
    True,
    Word(String),
    /// Its only parameter.
    Value,
    /// Words and parameters, by index.
    Parts(Vec<Part>),
    ExpiryIn,
    ExpiryAt,
    ExpiryWord(String),
}

#[derive(Clone, Debug)]
pub(crate) enum Part {
    Word(String),
    Param(usize),
    /// Each value of the list behind this word.
    Each(String, usize),
}

/// A choice of words as a Rust enum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Enum {
    pub(crate) name: String,
    pub(crate) words: Vec<String>,
}

impl<'a> Builder<'a> {
    /// Derives the builder of `command` that `entry` describes.
    pub(crate) fn derive(command: &'a Command, entry: &'a Entry) -> Result<Self, String> {
        let function = entry.name.map_or_else(|| snake(&command.name), str::to_owned);
        let arguments = if entry.valkey_alone {
            command.valkey_arguments.clone()
        } else if entry.valkey {
            merged(&command.arguments, &command.valkey_arguments)
        } else {
            command.arguments.clone()
        };
        let arguments = entry.dropped.iter().fold(arguments, |all, name| without(all, name));
        let mut builder = Self {
            command,
            entry,
            arguments: Vec::new(),
            function,
            params: Vec::new(),
            steps: Vec::new(),
            slots: Vec::new(),
            setters: Vec::new(),
            needs_option: false,
            enums: Vec::new(),
        };
        builder.check_names(command, &arguments)?;
        let sent = entry.within.iter().fold(arguments.clone(), |all, name| without(all, name));
        builder.sequence(&sent)?;
        builder.arguments =
            arguments.iter().map(|argument| builder.shown(argument)).collect::<Result<_, _>>()?;
        builder.check_turns()?;
        Ok(builder)
    }

    /// The struct's name.
    pub(crate) fn struct_name(&self) -> String {
        super::pascal(&self.function)
    }

    fn sequence(&mut self, arguments: &[Argument]) -> Result<(), String> {
        let mut counted = false;
        for (at, argument) in arguments.iter().enumerate() {
            if is_count(argument, arguments.get(at + 1)) {
                if let Some(token) = &argument.token {
                    self.steps.push(Step::Word(token.clone()));
                }
                counted = true;
                continue;
            }
            let argument = &self.picked(argument)?;
            if argument.optional && !self.entry.promoted.contains(&argument.name.as_str()) {
                self.optional(argument, None)?;
            } else {
                self.required(argument, std::mem::take(&mut counted))?;
            }
        }
        Ok(())
    }

    fn required(&mut self, argument: &Argument, counted: bool) -> Result<(), String> {
        let ty = self.type_of(argument)?;
        if let Some(token) = &argument.token
            && !argument.multiple_token
        {
            self.steps.push(Step::Word(token.clone()));
        }
        match argument.kind {
            Kind::Token => {}
            Kind::OneOf if ty.is_none() && argument.multiple => {
                self.needs_option = true;
                for child in &argument.children {
                    self.optional(child, None)?;
                }
            }
            Kind::OneOf if ty.is_none() => {
                return Err(format!(
                    "`{}` is a choice: pick a branch or give it a type",
                    argument.name
                ));
            }
            Kind::Block if ty.is_none() && !argument.multiple && !is_columns(argument) => {
                self.sequence(&argument.children)?
            }
            _ => {
                let param = self.param(argument, counted)?;
                self.steps.push(Step::Param(self.params.len()));
                self.params.push(param);
            }
        }
        Ok(())
    }

    fn optional(&mut self, argument: &Argument, parent: Option<usize>) -> Result<(), String> {
        let ty = self.type_of(argument)?;
        match argument.kind {
            Kind::Token if ty.is_none() => {
                let word = argument.token.clone().unwrap_or_default();
                let slot = self.slot(argument, SlotKind::Flag(word), parent);
                self.setter(argument, Vec::new(), vec![(slot, Content::True)])
            }
            Kind::OneOf if ty.is_none() => self.optional_choice(argument, parent),
            Kind::Block if ty.is_none() && !argument.multiple => {
                self.optional_block(argument, parent)
            }
            _ => {
                let param = self.param(argument, false)?;
                let word = argument.token.clone();
                let (kind, content) = match &param.form {
                    Form::One(ty)
                        if !matches!(
                            ty,
                            Type::Any | Type::Key | Type::Words(_) | Type::IntoWords(_)
                        ) =>
                    {
                        (SlotKind::Value { word, ty: ty.clone() }, Content::Value)
                    }
                    _ => (SlotKind::Choice, Content::Parts(option_parts(argument))),
                };
                let slot = self.slot(argument, kind, parent);
                self.setter(argument, vec![param], vec![(slot, content)])
            }
        }
    }

    /// Options that exclude each other: one slot, a setter for each branch.
    fn optional_choice(
        &mut self,
        argument: &Argument,
        parent: Option<usize>,
    ) -> Result<(), String> {
        let has = |token: &str| argument.children.iter().any(|c| c.token.as_deref() == Some(token));
        let word = argument.token.clone().map(Part::Word);
        let words_only =
            word.is_none() && argument.children.iter().all(|child| child.kind == Kind::Token);
        if has("EX") && has("PX") && has("EXAT") && has("PXAT") {
            let slot = self.slot(argument, SlotKind::Expiry, parent);
            for child in &argument.children {
                let duration = Form::One(Type::Named("std::time::Duration".into()));
                let time = Form::One(Type::Named("std::time::SystemTime".into()));
                match child.token.as_deref() {
                    Some("EX") => {
                        let params = vec![Param { name: "ttl".into(), form: duration }];
                        self.setter(child, params, vec![(slot, Content::ExpiryIn)])?;
                    }
                    Some("EXAT") => {
                        let params = vec![Param { name: "time".into(), form: time }];
                        self.setter(child, params, vec![(slot, Content::ExpiryAt)])?;
                    }
                    Some("PX" | "PXAT") => {}
                    _ if child.kind == Kind::Token => {
                        let word = child.token.clone().unwrap_or_default();
                        self.setter(child, Vec::new(), vec![(slot, Content::ExpiryWord(word))])?;
                    }
                    _ => {
                        return Err(format!("`{}` is no word, unlike other expiries", child.name));
                    }
                }
            }
            return Ok(());
        }
        let kind = if words_only { SlotKind::Word } else { SlotKind::Choice };
        let slot = self.slot(argument, kind, parent);
        for child in &argument.children {
            if words_only {
                let word = child.token.clone().unwrap_or_default();
                self.setter(child, Vec::new(), vec![(slot, Content::Word(word))])?;
                continue;
            }
            let (mut params, mut parts) = (Vec::new(), Vec::from_iter(word.clone()));
            self.parts(child, &mut params, &mut parts)?;
            self.setter(child, params, vec![(slot, Content::Parts(parts))])?;
        }
        Ok(())
    }

    /// Options that come together: its required members are the setter's parameters, its optional members
    /// have setters of their own.
    fn optional_block(&mut self, block: &Argument, parent: Option<usize>) -> Result<(), String> {
        let mut params = Vec::new();
        let mut segments: Vec<(usize, Vec<Part>)> = Vec::new();
        let mut fan: Option<(usize, &Argument)> = None;
        let mut open = false;
        let first = self.slots.len();
        let begin =
            |builder: &mut Self, name: &Argument, segments: &mut Vec<(usize, Vec<Part>)>| {
                let above = if segments.is_empty() { parent } else { Some(first) };
                let slot = builder.slot(name, SlotKind::Choice, above);
                segments.push((slot, Vec::new()));
            };
        if let Some(token) = &block.token {
            begin(self, block, &mut segments);
            open = true;
            segments[0].1.push(Part::Word(token.clone()));
        }
        let mut counted = false;
        for (at, child) in block.children.iter().enumerate() {
            if is_count(child, block.children.get(at + 1)) && child.token.is_none() {
                counted = true;
                continue;
            }
            if child.optional {
                if segments.is_empty() {
                    return Err(format!("`{}` begins with an option: give it a shape", block.name));
                }
                self.optional(child, Some(first))?;
                open = false;
                continue;
            }
            if !open {
                let name = if segments.is_empty() { block } else { child };
                begin(self, name, &mut segments);
                open = true;
            }
            let at = segments.len() - 1;
            if child.kind == Kind::OneOf && self.type_of(child)?.is_none() {
                let words_only = child.children.iter().all(|child| child.kind == Kind::Token);
                if fan.is_some() || !words_only || !segments[at].1.is_empty() {
                    return Err(format!(
                        "`{}` is a choice inside options: give it a type",
                        child.name
                    ));
                }
                fan = Some((at, child));
                continue;
            }
            if std::mem::take(&mut counted) {
                segments[at].1.push(Part::Param(params.len()));
                params.push(self.param(child, true)?);
                continue;
            }
            self.parts(child, &mut params, &mut segments[at].1)?;
        }
        let sets = |builder: &mut Self, word: Option<(usize, &Argument)>| {
            let mut sets = Vec::new();
            for (at, (slot, parts)) in segments.iter().enumerate() {
                let word =
                    word.filter(|(of, _)| *of == at).and_then(|(_, word)| word.token.clone());
                let content = match (word, parts.as_slice()) {
                    (Some(word), []) => {
                        builder.slots[*slot].kind = SlotKind::Word;
                        Content::Word(word)
                    }
                    (Some(word), parts) => Content::Parts([&[Part::Word(word)], parts].concat()),
                    (None, parts) => Content::Parts(parts.to_vec()),
                };
                sets.push((*slot, content));
            }
            sets
        };
        match fan {
            None => {
                let sets = sets(self, None);
                self.setter(block, params, sets)
            }
            Some((at, choice)) => choice.children.iter().try_for_each(|word| {
                let sets = sets(self, Some((at, word)));
                self.setter(word, params.clone(), sets)
            }),
        }
    }

    /// The words and parameters of a required argument inside an option.
    fn parts(
        &mut self,
        argument: &Argument,
        params: &mut Vec<Param>,
        parts: &mut Vec<Part>,
    ) -> Result<(), String> {
        if argument.kind == Kind::Block && !argument.multiple && self.type_of(argument)?.is_none() {
            parts.extend(argument.token.clone().map(Part::Word));
            let mut counted = false;
            for (at, child) in argument.children.iter().enumerate() {
                if is_count(child, argument.children.get(at + 1)) {
                    parts.extend(child.token.clone().map(Part::Word));
                    counted = true;
                    continue;
                }
                if std::mem::take(&mut counted) {
                    let at = params.len();
                    params.push(self.param(child, true)?);
                    parts.push(Part::Param(at));
                    continue;
                }
                self.parts(child, params, parts)?;
            }
            return Ok(());
        }
        if argument.kind == Kind::Token {
            parts.extend(argument.token.clone().map(Part::Word));
            return Ok(());
        }
        if argument.kind == Kind::OneOf && self.type_of(argument)?.is_none() {
            return Err(format!("`{}` is a choice inside options: give it a type", argument.name));
        }
        let at = params.len();
        params.push(self.param(argument, false)?);
        parts.extend(option_parts(argument).into_iter().map(|part| match part {
            Part::Param(_) => Part::Param(at),
            Part::Each(word, _) => Part::Each(word, at),
            word => word,
        }));
        Ok(())
    }

    fn param(&mut self, argument: &Argument, counted: bool) -> Result<Param, String> {
        let own = self.entry.renamed.iter().find(|(name, _)| *name == argument.name);
        let columns = is_columns(argument);
        if !argument.multiple && !columns {
            let name = own.map_or_else(|| param_name(argument), |(_, name)| (*name).to_owned());
            let ty = self.type_of(argument)?.ok_or_else(|| {
                format!("`{}` is no single argument: give it a type", argument.name)
            })?;
            return Ok(Param { name, form: Form::One(ty) });
        }
        let noun = match argument.kind {
            Kind::Block => &argument.children[0].name,
            _ => &argument.name,
        };
        let noun =
            own.map_or_else(|| snake(noun), |(_, name)| name.trim_end_matches('s').to_owned());
        let ty = self.type_of(argument)?;
        let form = if argument.kind == Kind::Block && ty.is_none() {
            let items = argument
                .children
                .iter()
                .map(|child| {
                    self.type_of(child)?
                        .filter(|_| child.multiple == columns)
                        .filter(|_| !child.optional && child.token.is_none())
                        .ok_or_else(|| format!("`{}` is no plain value", child.name))
                })
                .collect::<Result<Vec<_>, _>>()?;
            Form::Tuples { items, counted, columns, noun: noun.clone() }
        } else {
            let item = ty.ok_or_else(|| {
                format!("`{}` is no list of values: give it a type", argument.name)
            })?;
            // A word with nothing behind it is nothing that a server takes; one before each value is not
            // there without values.
            let bare = argument.token.is_some() && !argument.multiple_token;
            let may_be_empty = argument.optional && !bare;
            Form::List { item, counted, may_be_empty, noun: noun.clone() }
        };
        let name = match (own, &form) {
            (Some((_, name)), _) => (*name).to_owned(),
            (None, Form::Tuples { items, .. }) if items.first() == Some(&Type::Key) => {
                "pairs".into()
            }
            _ => plural(&noun),
        };
        Ok(Param { name, form })
    }

    /// The type of a single value; none for what is no single value.
    fn type_of(&mut self, argument: &Argument) -> Result<Option<Type>, String> {
        if let Some((_, own)) = self.entry.typed.iter().find(|(name, _)| *name == argument.name) {
            return Ok(Some(match own {
                As::Any => Type::Any,
                As::Type(name) => Type::Named((*name).to_owned()),
                As::Into(name) => Type::Into((*name).to_owned()),
                As::Words(name) => Type::Words((*name).to_owned()),
                As::IntoWords(name) => Type::IntoWords((*name).to_owned()),
                As::Millis => Type::Millis,
                As::UnixMillis => Type::UnixMillis,
                As::Seconds => Type::Seconds,
                As::Timeout => Type::Timeout,
                As::TimeoutMillis => Type::TimeoutMillis,
                As::Enum(name) => self.enumeration(name, argument)?,
            }));
        }
        let name = argument.name.as_str();
        Ok(match argument.kind {
            Kind::Key => Some(Type::Key),
            Kind::String if self.routes(argument) => Some(Type::Key),
            Kind::String | Kind::Pattern => Some(Type::Any),
            Kind::Integer if name == "seconds" => Some(Type::Seconds),
            Kind::Integer if name == "milliseconds" => Some(Type::Millis),
            Kind::Integer => Some(Type::Named("i64".into())),
            Kind::Double => Some(Type::Named("f64".into())),
            Kind::UnixTime if name.contains("milliseconds") => Some(Type::UnixMillis),
            Kind::UnixTime => Some(Type::UnixSeconds),
            Kind::OneOf => {
                let words: Vec<_> =
                    argument.children.iter().filter_map(|c| c.token.as_deref()).collect();
                match words[..] {
                    [yes @ ("YES" | "ON"), no @ ("NO" | "OFF")] if argument.children.len() == 2 => {
                        Some(Type::Switch(yes.to_owned(), no.to_owned()))
                    }
                    _ => None,
                }
            }
            Kind::Token | Kind::Block => None,
        })
    }

    /// Whether the argument is no key, but decides the slot like one: a shard channel.
    fn routes(&self, argument: &Argument) -> bool {
        let first = self.command.arguments.first();
        self.command.keys.iter().any(Keys::finds_no_key)
            && first.is_some_and(|first| first.name == argument.name)
    }

    fn enumeration(&mut self, name: &str, argument: &Argument) -> Result<Type, String> {
        let words = argument.children.iter().map(|child| match (child.kind, &child.token) {
            (Kind::Token, Some(token)) => Ok(token.clone()),
            _ => Err(format!("`{}` is no choice of words, so no `{name}`", argument.name)),
        });
        let new = Enum { name: name.to_owned(), words: words.collect::<Result<_, _>>()? };
        if !self.enums.contains(&new) {
            self.enums.push(new);
        }
        Ok(Type::Enum(name.to_owned()))
    }

    fn slot(&mut self, argument: &Argument, kind: SlotKind, parent: Option<usize>) -> usize {
        let at = self.slots.len();
        let mut field = self.setter_name(argument);
        if matches!(argument.kind, Kind::OneOf | Kind::Block) {
            field = snake(&argument.name);
        }
        if field == "cmd" || field == "rest" || self.slots.iter().any(|slot| slot.field == field) {
            field = format!("{field}_{at}");
        }
        self.slots.push(Slot { field, kind, parent });
        self.steps.push(Step::Slot(at));
        at
    }

    fn setter(
        &mut self,
        argument: &Argument,
        params: Vec<Param>,
        sets: Vec<(usize, Content)>,
    ) -> Result<(), String> {
        let name = self.setter_name(argument);
        if self.setters.iter().any(|setter| setter.name == name) {
            return Err(format!("two of its options are called `{name}`: name one"));
        }
        let turns = self.entry.turns.iter().filter(|(option, ..)| is(argument, option));
        let turns = turns.map(|(_, from, to)| ((*from).to_owned(), (*to).to_owned())).collect();
        let doc = self.setter_doc(argument);
        self.setters.push(Setter { name, doc, params, sets, turns });
        Ok(())
    }

    fn setter_name(&self, argument: &Argument) -> String {
        if let Some((_, name)) = self.entry.setters.iter().find(|(option, _)| is(argument, option))
        {
            return (*name).to_owned();
        }
        let word = WORDS.iter().find(|(token, ..)| argument.token.as_deref() == Some(token));
        match (word, &argument.token) {
            (Some((_, name, _)), _) => (*name).to_owned(),
            (None, Some(token)) if !token.is_empty() => snake(token),
            _ => snake(&argument.name),
        }
    }

    fn setter_doc(&self, argument: &Argument) -> String {
        let note = self.entry.notes.iter().find(|(option, _)| is(argument, option));
        let word = WORDS.iter().find(|(token, ..)| argument.token.as_deref() == Some(token));
        let mut doc = match (note, word) {
            (Some((_, doc)), _) | (None, Some((_, _, doc))) => (*doc).to_owned(),
            (None, None) => format!("Adds `{}`.", argument.syntax().trim_matches(['[', ']'])),
        };
        if let Some(since) = &argument.since
            && *since != self.command.since
        {
            doc.push_str(&format!(" Since {since}."));
        }
        doc
    }

    /// The argument as the documented syntax has it: words and blocks that are promoted are sent always.
    fn shown(&self, argument: &Argument) -> Result<Argument, String> {
        let mut argument = self.picked(argument)?;
        let is_sent = matches!(argument.kind, Kind::Token | Kind::Block) && !argument.multiple;
        argument.optional &= !(is_sent && self.entry.promoted.contains(&argument.name.as_str()));
        Ok(argument)
    }

    fn picked(&self, argument: &Argument) -> Result<Argument, String> {
        let Some((_, branch)) = self.entry.picked.iter().find(|(name, _)| *name == argument.name)
        else {
            return Ok(argument.clone());
        };
        let mut child = argument
            .children
            .iter()
            .find(|child| child.name == *branch)
            .ok_or_else(|| format!("`{}` has no branch `{branch}`", argument.name))?
            .clone();
        child.optional |= argument.optional && !self.entry.promoted.contains(branch);
        Ok(child)
    }

    /// Each name in the entry must be one of the table's.
    fn check_names(&self, command: &Command, arguments: &[Argument]) -> Result<(), String> {
        fn any(arguments: &[Argument], name: &str) -> bool {
            arguments.iter().any(|argument| is(argument, name) || any(&argument.children, name))
        }
        let entry = self.entry;
        let known = |name: &&&str| {
            any(&command.arguments, name) || entry.valkey && any(&command.valkey_arguments, name)
        };
        if let Some(name) = entry.dropped.iter().find(|name| !known(name)) {
            return Err(format!("the overlay leaves `{name}` out, the table does not have it"));
        }
        let expire = entry.renamed.iter().map(|(name, _)| *name);
        let names = entry.typed.iter().map(|(name, _)| *name);
        let names = names.chain(entry.promoted.iter().copied());
        let names = names.chain(entry.within.iter().copied());
        let names = names.chain(entry.picked.iter().map(|(name, _)| *name));
        let names = names.chain(entry.setters.iter().map(|(name, _)| *name)).chain(expire);
        let names = names.chain(entry.notes.iter().map(|(name, _)| *name));
        let mut names = names.chain(entry.turns.iter().map(|(name, ..)| *name));
        match names.find(|name| !any(arguments, name)) {
            Some(name) => Err(format!("the overlay names `{name}`, the table does not have it")),
            None => Ok(()),
        }
    }

    /// Each change of the reply's type must have become a setter's.
    fn check_turns(&self) -> Result<(), String> {
        let made: usize = self.setters.iter().map(|setter| setter.turns.len()).sum();
        if made == self.entry.turns.len() {
            Ok(())
        } else {
            Err("one of the options that change the reply's type has no setter".to_owned())
        }
    }
}

/// The arguments but for those of this name, at any depth.
fn without(arguments: Vec<Argument>, name: &str) -> Vec<Argument> {
    let mut rest: Vec<_> = arguments.into_iter().filter(|argument| !is(argument, name)).collect();
    for argument in &mut rest {
        argument.children = without(std::mem::take(&mut argument.children), name);
    }
    rest
}

/// Whether the overlay means this argument: by its token, or by its name.
fn is(argument: &Argument, name: &str) -> bool {
    argument.token.as_deref() == Some(name) || argument.name == name
}

/// Whether this argument only says how many the next one has.
fn is_count(argument: &Argument, next: Option<&Argument>) -> bool {
    argument.kind == Kind::Integer
        && (argument.name.starts_with("num") || argument.name == "count")
        && next.is_some_and(|next| next.multiple)
}

/// Whether this block is lists of as many values each: all keys, then all their ids.
fn is_columns(block: &Argument) -> bool {
    block.kind == Kind::Block
        && !block.multiple
        && block.children.len() > 1
        && block.children.iter().all(|child| child.multiple && child.token.is_none())
}

/// The words and the one parameter of an option with a value.
fn option_parts(argument: &Argument) -> Vec<Part> {
    match &argument.token {
        // A word that has a type is the first of those that the type writes.
        Some(_) if argument.kind == Kind::Token => vec![Part::Param(0)],
        Some(token) if argument.multiple_token => vec![Part::Each(token.clone(), 0)],
        Some(token) => vec![Part::Word(token.clone()), Part::Param(0)],
        None => vec![Part::Param(0)],
    }
}

/// `CLIENT NO-EVICT` as `client_no_evict`, with the words that Rust keeps for itself made usable.
pub(crate) fn snake(name: &str) -> String {
    let name = name.to_ascii_lowercase().replace([' ', '-', ':'], "_");
    match name.as_str() {
        "type" | "match" | "move" | "async" | "where" | "in" | "ref" | "loop" | "static"
        | "const" => {
            format!("{name}_")
        }
        _ => name,
    }
}

/// The argument's name, without repeating its token: `IFEQ ifeq-value` has a `value`.
fn param_name(argument: &Argument) -> String {
    let name = snake(&argument.name);
    let token = argument.token.as_deref().map(snake).unwrap_or_default();
    match name.strip_prefix(&format!("{token}_")) {
        Some(rest) if !token.is_empty() => rest.to_owned(),
        _ => name,
    }
}

fn plural(noun: &str) -> String {
    if noun.ends_with('s') { noun.to_owned() } else { format!("{noun}s") }
}
