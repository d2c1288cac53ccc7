//! Writes the builders: one file a group, and the words they choose from.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::info::{SERIES, constant};
use super::overlay::Entry;
use super::pascal;
use super::shape::{Builder, Content, Enum, Form, Param, Part, Setter, Slot, SlotKind, Step, Type};
use super::table::{Argument, syntax, version};

/// More classes than these tell of cases and parts that mean nothing without their words.
const MOST_CLASSES: usize = 2;

/// The files of the `builders` folder by name, before formatting.
pub(crate) fn write(
    builders: &[Builder<'_>],
    types: &[String],
) -> Result<BTreeMap<String, String>, String> {
    let mut files = BTreeMap::new();
    let mut groups: BTreeMap<&str, Vec<&Builder<'_>>> = BTreeMap::new();
    let enums = enum_names(builders);
    for builder in builders {
        groups.entry(&builder.command.group).or_default().push(builder);
    }
    let mut modules: Vec<_> = groups.keys().map(|group| group.replace('-', "_")).collect();
    for (group, builders) in groups {
        let mut body = String::new();
        for builder in builders {
            let text = self::builder(builder);
            body += &text.map_err(|error| format!("{}: {error}", builder.command.name))?;
        }
        let text = format!(
            "//! Builders of the group `{group}`.\n\n{}{body}",
            imports(&body, &enums, types)
        );
        files.insert(format!("{}.rs", group.replace('-', "_")), text);
    }
    files.insert("words.rs".to_owned(), words(builders));
    modules.push("words".to_owned());
    modules.sort();
    let mut text =
        "//! A function for each command; a struct where the command has options.\n\n".to_owned();
    modules.iter().for_each(|module| text += &format!("mod {module};\n"));
    text.push('\n');
    modules.iter().for_each(|module| text += &format!("pub use self::{module}::*;\n"));
    files.insert("mod.rs".to_owned(), text);
    Ok(files)
}

/// The single capital letters in a reply's type: what the caller chooses.
pub(crate) fn generics(reply: &str) -> Vec<String> {
    let mut all = Vec::new();
    for word in reply.split(|c: char| !c.is_alphanumeric()) {
        if word.len() == 1
            && word.starts_with(|c: char| c.is_ascii_uppercase())
            && !all.iter().any(|g| g == word)
        {
            all.push(word.to_owned());
        }
    }
    all
}

/// A parameter list, and the names of the markers that its lists need.
pub(crate) fn parameters(params: &[Param], plain_lists: bool) -> (String, Vec<String>) {
    let mut markers = Vec::new();
    let text = params
        .iter()
        .map(|param| {
            let ty = match &param.form {
                Form::One(ty) => type_text(ty),
                Form::List { item: Type::Any | Type::Key, .. } if !plain_lists => {
                    let marker = ["M", "N", "O"][markers.len().min(2)].to_owned();
                    markers.push(marker.clone());
                    format!("impl ToArgs<{marker}>")
                }
                Form::List { item, .. } => format!("impl IntoIterator<Item = {}>", type_text(item)),
                Form::Tuples { items, .. } if items[..] == [Type::Any, Type::Any] => {
                    "impl ToPairs".to_owned()
                }
                Form::Tuples { items, .. } => {
                    let items: Vec<_> = items.iter().map(type_text).collect();
                    format!("impl IntoIterator<Item = ({})>", items.join(", "))
                }
            };
            format!("{}: {ty}", param.name)
        })
        .collect::<Vec<_>>()
        .join(", ");
    (text, markers)
}

/// `<A: FromReply, M>`, or nothing.
pub(crate) fn generic_list(reply: &[String], markers: &[String]) -> String {
    let all: Vec<_> = reply
        .iter()
        .map(|name| format!("{name}: FromReply"))
        .chain(markers.iter().cloned())
        .collect();
    if all.is_empty() { String::new() } else { format!("<{}>", all.join(", ")) }
}

/// Documentation of the builder function, from the overlay and the table.
pub(crate) fn function_doc(builder: &Builder<'_>) -> String {
    let command = builder.command;
    let mut usage = command.name.clone();
    if !builder.arguments.is_empty() {
        usage = format!("{usage} {}", syntax(&builder.arguments));
    }
    let (since, series) = availability(builder);
    let mut text = format!("`{usage}`, since {since}");
    if let Some(deprecated) = &command.deprecated_since {
        let _ = write!(text, ", deprecated since {deprecated}");
    }
    if let [first, rest @ ..] = &*command.complexity
        && rest.len() < MOST_CLASSES
    {
        let all: Vec<_> = rest.iter().map(|class| format!(" or `{class}`")).collect();
        let _ = write!(text, ", `{first}`{}", all.concat());
    }
    let _ = write!(text, ". {}.", servers(&series));
    doc(builder.entry.doc) + "///\n" + &doc(&text) + &examples(builder.entry)
}

/// Since when there is what a builder always sends, and which series of servers have it.
fn availability(builder: &Builder<'_>) -> (String, Vec<&'static str>) {
    let command = builder.command;
    let mut series: Vec<_> = SERIES.iter().copied().filter(|of| command.is_in(of)).collect();
    let newer = |argument: &&Argument| {
        let since = argument.since.as_deref().and_then(version);
        !argument.optional && since > version(&command.since)
    };
    let Some(argument) = builder.arguments.iter().find(newer) else {
        return (command.since.clone(), series);
    };
    let since = argument.since.clone().unwrap_or_default();
    if builder.entry.valkey_alone && !holds(&command.arguments, &argument.name) {
        series.retain(|of| of.starts_with("valkey-"));
        return (format!("Valkey {since}"), series);
    }
    let is_older = |of: &str| of.strip_prefix("redis-").and_then(version) < version(&since);
    series.retain(|of| !of.starts_with("redis-") || !is_older(of));
    (since, series)
}

/// Whether there is an argument of that name at any depth.
fn holds(arguments: &[Argument], name: &str) -> bool {
    arguments.iter().any(|argument| argument.name == name || holds(&argument.children, name))
}

/// `Redis 6.2 to 8.6, Valkey 9.1`, of the series of servers that have something.
fn servers(series: &[&str]) -> String {
    let of = |family: &str| -> Vec<&str> {
        series.iter().filter_map(|series| series.strip_prefix(family)).collect()
    };
    let (redis, valkey) = (of("redis-"), of("valkey-"));
    let span = |all: &[&str]| match all {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first, .., last] => format!("{first} to {last}"),
    };
    match (redis.is_empty(), valkey.is_empty()) {
        (false, false) => format!("Redis {}, Valkey {}", span(&redis), span(&valkey)),
        (false, true) => format!("Redis {}, not Valkey", span(&redis)),
        (true, false) => format!("Valkey {}, not Redis", span(&valkey)),
        (true, true) => "No server that the table was read from".to_owned(),
    }
}

/// A doc test that shows calls, and checks what they send.
fn examples(entry: &Entry) -> String {
    if entry.examples.is_empty() {
        return String::new();
    }
    let mut out = "///\n/// # Examples\n///\n/// ```\n/// # use std::{collections::HashMap, time::{Duration, SystemTime}};\n\
                   /// # use redis_core::{Value, cmd::{self, *}, examples::sends, types::*};\n"
        .to_owned();
    for (at, (call, words)) in entry.examples.iter().enumerate() {
        if at > 0 {
            out += "///\n";
        }
        let _ = writeln!(
            out,
            "/// // {words}\n/// let command = {call};\n/// # sends(command, {words:?});"
        );
    }
    out + "/// ```\n"
}

fn builder(builder: &Builder<'_>) -> Result<String, String> {
    let mut out = String::from("\n");
    let info = format!("Cmd::new(&info::{})", constant(&builder.command.name));
    let reply = builder.entry.reply;
    let generics = generics(reply);
    let (params, markers) = parameters(&builder.params, !generics.is_empty());
    let generic_list = generic_list(&generics, &markers);
    let function = &builder.function;
    let (head, groups) = split(builder);
    let head = format!("{info}{}", chain(builder, head)?);
    out += &function_doc(builder);
    if builder.slots.is_empty() {
        let _ = writeln!(
            out,
            "pub fn {function}{generic_list}({params}) -> Cmd<{reply}> {{\n{head}\n}}"
        );
        return Ok(out);
    }

    let name = builder.struct_name();
    let of = |reply: &str| {
        if builder.is_generic() { format!("{name}<{reply}>") } else { name.clone() }
    };
    let returns = if reply == "()" { name.clone() } else { of(reply) };
    let mut fields = format!("cmd: {head},\n");
    for slot in &builder.slots {
        let empty = if matches!(slot.kind, SlotKind::Flag(_)) { "false" } else { "None" };
        let _ = writeln!(fields, "{}: {empty},", slot.field);
    }
    for (at, steps) in rests(&groups) {
        let _ = writeln!(fields, "{}: {info}{},", rest_name(at), chain(builder, steps)?);
    }
    let _ = writeln!(
        out,
        "pub fn {function}{generic_list}({params}) -> {returns} {{\n{name} {{\n{fields}}}\n}}\n"
    );

    let (declared, replies) = match (builder.is_generic(), reply) {
        (true, "()") => ("<R = ()>", "R"),
        (true, _) => ("<R>", "R"),
        (false, _) => ("", reply),
    };
    let _ = writeln!(out, "/// [`{function}`] with its options.");
    let _ = writeln!(
        out,
        "#[derive(Clone, Debug)]\n#[must_use = \"a command does nothing until it is executed\"]"
    );
    let _ = writeln!(out, "pub struct {name}{declared} {{\ncmd: Cmd<{replies}>,");
    for slot in &builder.slots {
        let _ = writeln!(out, "{}: {},", slot.field, slot_type(slot)?);
    }
    for (at, _) in rests(&groups) {
        let _ = writeln!(out, "{}: Cmd<()>,", rest_name(at));
    }
    out += "}\n\n";

    let bare = if builder.is_generic() { "<R>" } else { "" };
    let _ = writeln!(out, "impl{bare} {name}{bare} {{");
    if builder.is_generic() {
        returning(&mut out, builder, &groups);
    }
    for setter in builder.setters.iter().filter(|setter| setter.turns.is_empty()) {
        out += &self::setter(builder, setter, "Self", &[])?;
    }
    for setter in &builder.setters {
        for (_, to) in setter.turns.iter().filter(|(from, _)| from == "_") {
            out += &self::setter(builder, setter, &of(to), &self::generics(to))?;
        }
    }
    out += "}\n";
    let mut froms: Vec<&str> = Vec::new();
    for (from, _) in builder.setters.iter().flat_map(|setter| &setter.turns) {
        if from != "_" && !froms.contains(&from.as_str()) {
            froms.push(from);
        }
    }
    for from in froms {
        let known = self::generics(from);
        let declared =
            if known.is_empty() { String::new() } else { format!("<{}>", known.join(", ")) };
        let _ = writeln!(out, "\nimpl{declared} {} {{", of(from));
        for setter in &builder.setters {
            for (_, to) in setter.turns.iter().filter(|(of, _)| of == from) {
                let returns = if to == from { "Self".to_owned() } else { of(to) };
                let new = self::generics(to).into_iter().filter(|name| !known.contains(name));
                out += &self::setter(builder, setter, &returns, &new.collect::<Vec<_>>())?;
            }
        }
        out += "}\n";
    }
    into_cmd(&mut out, builder, &groups)?;
    Ok(out)
}

impl Builder<'_> {
    /// Whether its struct is generic over the reply's type.
    pub(crate) fn is_generic(&self) -> bool {
        !generics(self.entry.reply).is_empty()
            || self.setters.iter().any(|setter| !setter.turns.is_empty())
    }
}

fn returning(out: &mut String, builder: &Builder<'_>, groups: &[Group<'_>]) {
    let name = builder.struct_name();
    let _ = writeln!(
        out,
        "/// The same command, its reply decoded to another type.\n\
         pub fn returning<T>(self) -> {name}<T> {{\n{name} {{\ncmd: self.cmd.returning(),"
    );
    for slot in &builder.slots {
        let _ = writeln!(out, "{0}: self.{0},", slot.field);
    }
    for (at, _) in rests(groups) {
        let _ = writeln!(out, "{0}: self.{0},", rest_name(at));
    }
    out.push_str("}\n}\n\n");
}

fn setter(
    builder: &Builder<'_>,
    setter: &Setter,
    returns: &str,
    generics: &[String],
) -> Result<String, String> {
    let each = setter.sets.iter().any(|(_, content)| match content {
        Content::Parts(parts) => parts.iter().any(|part| matches!(part, Part::Each(..))),
        _ => false,
    });
    let (params, markers) = parameters(&setter.params, !generics.is_empty() || each);
    let params = if params.is_empty() { params } else { format!(", {params}") };
    let mut out = doc(&setter.doc);
    let _ = writeln!(
        out,
        "pub fn {}{}(mut self{params}) -> {returns} {{",
        setter.name,
        generic_list(generics, &markers),
    );
    for (slot, content) in &setter.sets {
        let slot = &builder.slots[*slot];
        let value = match content {
            Content::True => "true".to_owned(),
            Content::Word(word) => format!("Some({word:?})"),
            Content::Value => match &setter.params[0].form {
                Form::One(ty) => format!("Some({})", value(ty, &setter.params[0].name)),
                _ => return Err(format!("`{}` is no single value", setter.params[0].name)),
            },
            Content::Parts(parts) => format!("Some({})", choice(&setter.params, parts)?),
            Content::ExpiryIn => "Some(Expiry::In(ttl))".to_owned(),
            Content::ExpiryAt => "Some(Expiry::At(time))".to_owned(),
            Content::ExpiryWord(word) => format!("Some(Expiry::Word({word:?}))"),
        };
        let _ = writeln!(out, "self.{} = {value};", slot.field);
    }
    out += if returns == "Self" { "self\n}\n\n" } else { "self.returning()\n}\n\n" };
    Ok(out)
}

fn into_cmd(out: &mut String, builder: &Builder<'_>, groups: &[Group<'_>]) -> Result<(), String> {
    let name = builder.struct_name();
    let (declared, of, reply) = match builder.is_generic() {
        true => ("<R: FromReply>", "<R>", "R"),
        false => ("", "", builder.entry.reply),
    };
    let _ = writeln!(
        out,
        "\nimpl{declared} Command for {name}{of} {{\ntype Reply = {reply};\n\n\
         fn into_cmd(self) -> Cmd<{reply}> {{\nself.cmd"
    );
    if builder.needs_option {
        let any: Vec<_> = builder.slots.iter().map(given).collect();
        let _ = writeln!(out, ".require({}, \"needs at least one option\")", any.join(" || "));
    }
    for (at, slot) in builder.slots.iter().enumerate() {
        let Some(parent) = slot.parent.filter(|_| sets_first(builder, at)) else {
            continue;
        };
        let names = |slot: usize| {
            let setters =
                builder.setters.iter().filter(|s| s.sets.iter().any(|(of, _)| *of == slot));
            setters.map(|s| format!("`{}`", s.name)).collect::<Vec<_>>().join(" or ")
        };
        let reason = format!("{} needs {}", names(at), names(parent));
        let _ = writeln!(
            out,
            ".require({} || {}, {reason:?})",
            given(&builder.slots[parent]),
            not_given(slot),
        );
    }
    for group in groups {
        match group {
            Group::Slot(slot) => {
                let slot = &builder.slots[*slot];
                let _ = match &slot.kind {
                    SlotKind::Flag(word) => writeln!(out, ".flag({word:?}, self.{})", slot.field),
                    SlotKind::Word | SlotKind::Value { word: None, .. } => {
                        writeln!(out, ".optional(self.{})", slot.field)
                    }
                    SlotKind::Value { word: Some(word), ty: Type::TimeoutMillis } => {
                        writeln!(out, ".timeout_millis_option({word:?}, self.{})", slot.field)
                    }
                    SlotKind::Value { word: Some(word), .. } => {
                        writeln!(out, ".option({word:?}, self.{})", slot.field)
                    }
                    SlotKind::Choice => writeln!(out, ".choice(self.{})", slot.field),
                    SlotKind::Expiry => writeln!(out, ".expiry(self.{})", slot.field),
                };
            }
            Group::Rest(at, _) => {
                let _ = writeln!(out, ".rest(self.{})", rest_name(*at));
            }
        }
    }
    out.push_str("}\n}\n");
    Ok(())
}

/// Whether some setter begins with this slot: later pieces of a block come and go with its first.
fn sets_first(builder: &Builder<'_>, slot: usize) -> bool {
    builder
        .setters
        .iter()
        .any(|setter| setter.sets.first().is_some_and(|(first, _)| *first == slot))
}

fn given(slot: &Slot) -> String {
    match slot.kind {
        SlotKind::Flag(_) => format!("self.{}", slot.field),
        _ => format!("self.{}.is_some()", slot.field),
    }
}

fn not_given(slot: &Slot) -> String {
    match slot.kind {
        SlotKind::Flag(_) => format!("!self.{}", slot.field),
        _ => format!("self.{}.is_none()", slot.field),
    }
}

/// What comes behind the arguments that are written at once: options, and arguments between and behind them.
enum Group<'a> {
    Slot(usize),
    /// The first, second, .. of its kind.
    Rest(usize, &'a [Step]),
}

fn split<'a>(builder: &'a Builder<'_>) -> (&'a [Step], Vec<Group<'a>>) {
    let is_slot = |step: &Step| matches!(step, Step::Slot(_));
    let first = builder.steps.iter().position(is_slot).unwrap_or(builder.steps.len());
    let (head, mut tail) = builder.steps.split_at(first);
    let mut groups = Vec::new();
    let mut rests = 0;
    while let Some(step) = tail.first() {
        if let Step::Slot(slot) = step {
            groups.push(Group::Slot(*slot));
            tail = &tail[1..];
        } else {
            let end = tail.iter().position(is_slot).unwrap_or(tail.len());
            groups.push(Group::Rest(rests, &tail[..end]));
            rests += 1;
            tail = &tail[end..];
        }
    }
    (head, groups)
}

fn rests<'a>(groups: &[Group<'a>]) -> Vec<(usize, &'a [Step])> {
    let rest = |group: &Group<'a>| match group {
        Group::Rest(at, steps) => Some((*at, *steps)),
        Group::Slot(_) => None,
    };
    groups.iter().filter_map(rest).collect()
}

fn rest_name(at: usize) -> String {
    match at {
        0 => "rest".to_owned(),
        _ => format!("rest_{at}"),
    }
}

fn chain(builder: &Builder<'_>, steps: &[Step]) -> Result<String, String> {
    let mut out = String::new();
    for step in steps {
        match step {
            Step::Word(word) => {
                let _ = write!(out, ".arg({word:?})");
            }
            Step::Param(at) => out += &pushed(&builder.params[*at])?,
            Step::Slot(_) => {
                return Err("an option among the arguments that are written at once".into());
            }
        }
    }
    Ok(out)
}

/// The call that writes a parameter into a `Cmd`.
fn pushed(param: &Param) -> Result<String, String> {
    let name = &param.name;
    Ok(match &param.form {
        Form::One(Type::Key) => format!(".key({name})"),
        Form::One(Type::Timeout) => format!(".timeout({name}.into())"),
        Form::One(Type::TimeoutMillis) => format!(".timeout_millis({name}.into())"),
        Form::One(ty @ (Type::Words(_) | Type::IntoWords(_))) => {
            format!(".any_args({})", value(ty, name))
        }
        Form::One(ty) => format!(".arg({})", value(ty, name)),
        Form::List { item, counted, may_be_empty, noun } => {
            let name = &listed(item, name);
            let what = match item {
                Type::Key => "keys",
                Type::Words(_) | Type::IntoWords(_) => "words",
                _ => "args",
            };
            let counted = if *counted { "counted_" } else { "" };
            if *may_be_empty {
                format!(".any_{counted}{what}({name})")
            } else {
                format!(".some_{counted}{what}({name}, \"needs at least one {noun}\")")
            }
        }
        Form::Tuples { items, counted, columns, noun } => {
            let counted = if *counted { "counted_" } else { "" };
            let what = match (columns, items.as_slice()) {
                (true, [Type::Key, second]) => {
                    let second = value(second, "second");
                    let pairs = format!("{name}.into_iter().map(|(key, second)| (key, {second}))");
                    return Ok(format!(
                        ".some_key_columns({pairs}, \"needs at least one {noun}\")"
                    ));
                }
                (true, _) => return Err(format!("`{name}` is no keys with a value each")),
                (false, items) => tuples(items, name)?,
            };
            format!(".some_{counted}{what}({name}, \"needs at least one {noun}\")")
        }
    })
}

fn choice(params: &[Param], parts: &[Part]) -> Result<String, String> {
    let mut parts = parts.iter().peekable();
    let mut out = match parts.next_if(|part| matches!(part, Part::Word(_))) {
        Some(Part::Word(word)) => format!("Choice::word({word:?})"),
        _ => "Choice::plain()".to_owned(),
    };
    for part in parts {
        match part {
            Part::Word(word) => {
                let _ = write!(out, ".arg({word:?})");
            }
            Part::Each(word, at) => {
                let param = &params[*at];
                let each = match &param.form {
                    Form::Tuples { items, .. } if items.len() == 2 => "each_pair",
                    Form::Tuples { .. } => {
                        return Err(format!("`{}` has tuples that are no pairs", param.name));
                    }
                    _ => "each",
                };
                let _ = write!(out, ".{each}({word:?}, {})", param.name);
            }
            Part::Param(at) => {
                let name = &params[*at].name;
                let _ = match &params[*at].form {
                    Form::One(Type::Key) => write!(out, ".key({name})"),
                    Form::One(Type::Timeout | Type::TimeoutMillis) => {
                        return Err(format!(
                            "`{name}` waits inside an option of several arguments"
                        ));
                    }
                    Form::One(ty @ (Type::Words(_) | Type::IntoWords(_))) => {
                        write!(out, ".list({})", value(ty, name))
                    }
                    Form::One(ty) => write!(out, ".arg({})", value(ty, name)),
                    Form::List { item: Type::Words(_) | Type::IntoWords(_), .. } => {
                        return Err(format!("`{name}` is a list of lists inside an option"));
                    }
                    Form::List { item: Type::Key, .. } => {
                        return Err(format!("`{name}` is a list of keys inside an option"));
                    }
                    Form::List { item, counted, .. } => {
                        let counted = if *counted { "counted_" } else { "" };
                        write!(out, ".{counted}list({})", listed(item, name))
                    }
                    Form::Tuples { .. } => {
                        return Err(format!("`{name}` is a list of tuples inside an option"));
                    }
                };
            }
        }
    }
    Ok(out)
}

/// What the calls that write such tuples are called.
fn tuples(items: &[Type], name: &str) -> Result<&'static str, String> {
    match items {
        [Type::Key, _] => Ok("key_pairs"),
        [_, _] => Ok("pairs"),
        [_, _, _] => Ok("triples"),
        _ => Err(format!("`{name}` has tuples that are neither pairs nor triples")),
    }
}

/// The list with its items as arguments.
fn listed(item: &Type, name: &str) -> String {
    match item {
        Type::Key | Type::Any | Type::Named(_) | Type::Enum(_) | Type::Words(_) => name.to_owned(),
        ty => format!("{name}.into_iter().map(|value| {})", value(ty, "value")),
    }
}

fn type_text(ty: &Type) -> String {
    match ty {
        Type::Key | Type::Any => "impl ToArg".to_owned(),
        Type::Named(name) => name.rsplit("::").next().unwrap_or_default().to_owned(),
        Type::Enum(name) => name.clone(),
        Type::Seconds | Type::Millis => "Duration".to_owned(),
        Type::UnixSeconds | Type::UnixMillis => "SystemTime".to_owned(),
        Type::Into(name) | Type::IntoWords(name) => format!("impl Into<{name}>"),
        Type::Words(name) => name.clone(),
        Type::Timeout | Type::TimeoutMillis => "impl Into<Option<Duration>>".to_owned(),
        Type::Switch(..) => "bool".to_owned(),
    }
}

/// The expression that turns a parameter into an argument.
fn value(ty: &Type, name: &str) -> String {
    match ty {
        Type::Seconds => format!("seconds({name})"),
        Type::Millis => format!("millis({name})"),
        Type::UnixSeconds => format!("unix_seconds({name})"),
        Type::UnixMillis => format!("unix_millis({name})"),
        Type::Into(ty) | Type::IntoWords(ty) => format!("Into::<{ty}>::into({name})"),
        Type::Timeout | Type::TimeoutMillis => format!("{name}.into()"),
        Type::Switch(yes, no) => format!("if {name} {{ {yes:?} }} else {{ {no:?} }}"),
        _ => name.to_owned(),
    }
}

fn slot_type(slot: &Slot) -> Result<String, String> {
    Ok(match &slot.kind {
        SlotKind::Flag(_) => "bool".to_owned(),
        SlotKind::Word => "Option<&'static str>".to_owned(),
        SlotKind::Choice => "Option<Choice>".to_owned(),
        SlotKind::Expiry => "Option<Expiry>".to_owned(),
        SlotKind::Value { ty, .. } => match ty {
            Type::Seconds | Type::Millis | Type::UnixSeconds | Type::UnixMillis => {
                "Option<i64>".to_owned()
            }
            Type::Switch(..) => "Option<&'static str>".to_owned(),
            Type::Named(_) | Type::Enum(_) => format!("Option<{}>", type_text(ty)),
            Type::Into(name) => format!("Option<{name}>"),
            Type::TimeoutMillis => "Option<Option<Duration>>".to_owned(),
            _ => return Err(format!("`{}` can't be kept as an option", slot.field)),
        },
    })
}

fn words(builders: &[Builder<'_>]) -> String {
    let mut all: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for Enum { name, words } in builders.iter().flat_map(|builder| &builder.enums) {
        let known = all.entry(name).or_default();
        for word in words {
            if !known.contains(&word.as_str()) {
                known.push(word);
            }
        }
    }
    let mut out =
        "//! Words that commands let choose from.\n\nuse crate::command::{Arg, ToArg, Written};\n"
            .to_owned();
    for (name, words) in all {
        let list: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
        let _ = writeln!(
            out,
            "\n/// {}.\n#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]\n#[non_exhaustive]\npub enum {name} {{",
            list.join(", "),
        );
        for word in &words {
            let _ = writeln!(out, "/// `{word}`.\n{},", pascal(word));
        }
        let _ = writeln!(
            out,
            "}}\n\nimpl ToArg for {name} {{\nfn to_arg(&self, arg: Arg<'_>) -> Written {{\nlet word = match self {{"
        );
        for word in &words {
            let _ = writeln!(out, "Self::{} => {word:?},", pascal(word));
        }
        out += "};\narg.bytes(word.as_bytes())\n}\n}\n";
    }
    out
}

fn enum_names<'a>(builders: &'a [Builder<'_>]) -> Vec<&'a str> {
    let mut names: Vec<_> =
        builders.iter().flat_map(|builder| &builder.enums).map(|e| e.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Imports of the names that occur in `body`.
pub(crate) fn imports(body: &str, enums: &[&str], types: &[String]) -> String {
    let code: String = body
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n");
    let mut words: Vec<_> = code.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    words.sort_unstable();
    let has = |name: &&str| words.binary_search(name).is_ok();
    let from = |path: &str, names: &[&str]| {
        let used: Vec<_> = names.iter().copied().filter(has).collect();
        if used.is_empty() {
            String::new()
        } else {
            format!("use {path}::{{{}}};\n", used.join(", "))
        }
    };
    let std = from("std::collections", &["BTreeMap", "HashMap"])
        + &from("std::time", &["Duration", "SystemTime"]);
    let ours = [
        from("super::words", enums),
        from(
            "crate::command",
            &[
                "Choice",
                "Cmd",
                "Command",
                "Execute",
                "Expiry",
                "Queue",
                "ToArg",
                "ToArgs",
                "ToPairs",
                "millis",
                "seconds",
                "unix_millis",
                "unix_seconds",
            ],
        ),
        if code.contains("info::") {
            "use crate::generated::info;\n".to_owned()
        } else {
            String::new()
        },
        from("crate::reply", &["FromReply", "Value"]),
        from("crate::types", &types.iter().map(String::as_str).collect::<Vec<_>>()),
    ]
    .concat();
    let external = from("bytes", &["Bytes"]);
    let blocks = [std, external, ours];
    let blocks: Vec<_> =
        blocks.iter().map(String::as_str).filter(|block| !block.is_empty()).collect();
    blocks.join("\n")
}

/// Doc comment lines of at most 100 columns or so.
pub(crate) fn doc(text: &str) -> String {
    let (mut out, mut line) = (String::new(), String::from("///"));
    for word in text.split_whitespace() {
        if line.len() + word.len() > 98 {
            out += &line;
            out.push('\n');
            line = String::from("///");
        }
        line.push(' ');
        line += word;
    }
    out + &line + "\n"
}
