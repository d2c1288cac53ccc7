//! What the words inside `#[redis(..)]` mean, and which may stand where.

use proc_macro::{Ident, Literal, TokenStream, TokenTree};

use crate::case::Case;
use crate::parse::{self, Attribute, Error, Field, Item, Result, Variant};

/// What is said of the whole item.
pub(crate) struct OfItem {
    /// The crate that the expansion finds its names in.
    pub(crate) root: TokenStream,
    case: Option<Case>,
}

/// What is said of one field.
pub(crate) struct OfField {
    pub(crate) name: Literal,
    pub(crate) with: Option<TokenStream>,
    pub(crate) default: bool,
    pub(crate) skip: bool,
    pub(crate) other: bool,
}

/// What is said of one variant.
pub(crate) struct OfVariant {
    pub(crate) name: Literal,
    pub(crate) other: bool,
}

impl OfItem {
    pub(crate) fn read(item: &Item, root: &str) -> Result<Self> {
        let mut read = Self { root: path_of(root, &item.name)?, case: None };
        for attribute in &item.attributes {
            match attribute.name.to_string().as_str() {
                "rename_all" => read.case = Some(case(attribute)?),
                "crate" => read.root = path(attribute)?,
                _ => return Err(unknown(attribute, "`rename_all` and `crate`")),
            }
        }
        Ok(read)
    }

    pub(crate) fn field(&self, field: &Field) -> Result<OfField> {
        let mut read = OfField {
            name: self.spell(&field.name),
            with: None,
            default: false,
            skip: false,
            other: false,
        };
        for attribute in &field.attributes {
            match attribute.name.to_string().as_str() {
                "rename" => read.name = text(attribute)?,
                "with" => read.with = Some(path(attribute)?),
                "default" => read.default = flag(attribute)?,
                "skip" => read.skip = flag(attribute)?,
                "other" => read.other = flag(attribute)?,
                _ => {
                    let known = "`rename`, `with`, `default`, `skip` and `other`";
                    return Err(unknown(attribute, known));
                }
            }
        }
        if (read.skip || read.other) && field.attributes.len() > 1 {
            let message = "a field with `skip` or `other` has no attributes but that";
            return Err(Error::new(field.attributes[1].name.span(), message));
        }
        Ok(read)
    }

    pub(crate) fn variant(&self, variant: &Variant) -> Result<OfVariant> {
        let mut read = OfVariant { name: self.spell(&variant.name), other: false };
        for attribute in &variant.attributes {
            match attribute.name.to_string().as_str() {
                "rename" => read.name = text(attribute)?,
                "other" => read.other = flag(attribute)?,
                _ => return Err(unknown(attribute, "`rename` and `other`")),
            }
        }
        Ok(read)
    }

    fn spell(&self, name: &Ident) -> Literal {
        let text = name.to_string();
        let plain = text.strip_prefix("r#").unwrap_or(&text);
        let spelled = self.case.map_or_else(|| plain.to_owned(), |case| case.apply(plain));
        Literal::string(&spelled)
    }
}

fn unknown(attribute: &Attribute, known: &str) -> Error {
    let name = &attribute.name;
    Error::new(name.span(), format!("unknown attribute `{name}`: here there are {known}"))
}

fn flag(attribute: &Attribute) -> Result<bool> {
    match attribute.value.first() {
        None => Ok(true),
        Some(token) => Err(Error::new(token.span(), format!("`{}` has no value", attribute.name))),
    }
}

/// The string behind `=`, as it is written.
fn text(attribute: &Attribute) -> Result<Literal> {
    match parse::string(&attribute.value) {
        Some(TokenTree::Literal(literal)) => Ok(literal),
        _ => {
            let name = &attribute.name;
            let message = format!("`{name}` takes a string: `{name} = \"..\"`");
            Err(Error::new(value_span(attribute), message))
        }
    }
}

/// The path behind `=`, bare or in a string.
fn path(attribute: &Attribute) -> Result<TokenStream> {
    match parse::string(&attribute.value) {
        None if attribute.value.is_empty() => {
            let name = &attribute.name;
            Err(Error::new(name.span(), format!("`{name}` takes a path: `{name} = ..`")))
        }
        None => Ok(attribute.value.iter().cloned().collect()),
        Some(literal) => path_of(&unquoted(&literal), &attribute.name),
    }
}

fn path_of(text: &str, at: &Ident) -> Result<TokenStream> {
    text.parse().map_err(|_| Error::new(at.span(), format!("`{text}` is no path")))
}

fn case(attribute: &Attribute) -> Result<Case> {
    let literal = TokenTree::from(text(attribute)?);
    Case::named(&unquoted(&literal)).ok_or_else(|| {
        let message = format!("`rename_all` is one of {}", Case::names());
        Error::new(literal.span(), message)
    })
}

fn value_span(attribute: &Attribute) -> proc_macro::Span {
    attribute.value.first().map_or(attribute.name.span(), TokenTree::span)
}

/// The text of a literal that has no escapes.
fn unquoted(literal: &TokenTree) -> String {
    literal.to_string().trim_start_matches('r').trim_matches('#').trim_matches('"').to_owned()
}
