//! Writes the two traits that call builders: one that runs them, one that queues them.

use std::fmt::Write;

use super::builders::{doc, generic_list, generics, imports, parameters};
use super::shape::Builder;

/// `commands.rs`, before formatting.
pub(crate) fn commands(builders: &[Builder<'_>], types: &[String]) -> String {
    let mut body = String::from(
        "
/// Commands as methods, with their required arguments; the functions of [`cmd`] have the options too.
pub trait Commands: Execute {
",
    );
    for builder in builders.iter().filter(|builder| !builder.needs_option) {
        let generics = generics(builder.entry.reply);
        let (params, markers) = parameters(&builder.params, !generics.is_empty());
        let turbofish = if generics.is_empty() {
            String::new()
        } else {
            format!("::<{}>", generics.join(", "))
        };
        let _ = writeln!(
            body,
            "{}fn {name}{}({}) -> Self::Output<{}> {{\nself.execute(cmd::{name}{turbofish}({}))\n}}\n",
            method_doc(builder),
            generic_list(&generics, &markers),
            with_self(&params),
            builder.entry.reply,
            names(builder),
            name = builder.function,
        );
    }
    body += "}\n\nimpl<E: Execute> Commands for E {}\n";
    file("Every command as a method of whatever runs commands.", &body, types)
}

/// `queue.rs`, before formatting.
pub(crate) fn queue(builders: &[Builder<'_>], types: &[String]) -> String {
    let mut body = String::from(
        "
/// Commands as methods that chain: each is queued behind the ones before, whose replies come together.
pub trait QueueCommands: Queue {
",
    );
    for builder in builders.iter().filter(|builder| !builder.needs_option) {
        let generics = generics(builder.entry.reply);
        let (params, markers) = parameters(&builder.params, !generics.is_empty());
        let turbofish = if generics.is_empty() {
            String::new()
        } else {
            format!("::<{}>", vec!["Value"; generics.len()].join(", "))
        };
        let _ = writeln!(
            body,
            "{}fn {name}{}({}) -> Self {{\nself.queue(cmd::{name}{turbofish}({}))\n}}\n",
            method_doc(builder),
            generic_list(&[], &markers),
            with_self(&params),
            names(builder),
            name = builder.function,
        );
    }
    body += "}\n\nimpl<Q: Queue> QueueCommands for Q {}\n";
    file("Every command as a method of whatever queues commands.", &body, types)
}

fn file(about: &str, body: &str, types: &[String]) -> String {
    format!("//! {about}\n\n{}use crate::cmd::{{self, *}};\n{body}", imports(body, &[], types))
}

fn method_doc(builder: &Builder<'_>) -> String {
    doc(&format!("{} See [`cmd::{}`].", builder.entry.doc, builder.function))
}

fn with_self(params: &str) -> String {
    if params.is_empty() { "self".to_owned() } else { format!("self, {params}") }
}

fn names(builder: &Builder<'_>) -> String {
    builder.params.iter().map(|param| param.name.as_str()).collect::<Vec<_>>().join(", ")
}
