//! What each derive writes.
//!
//! Everything that the written code needs is found in the module `derive` of the crate it names.

use std::collections::HashSet;

use proc_macro::{Group, Ident, Span, TokenStream, TokenTree};

use crate::attributes::{OfField, OfItem, OfVariant};
use crate::parse::{self, Body, Error, Field, Item, Result, Variant, is_option};
use crate::template::Template;

/// One of the derives.
#[derive(Clone, Copy)]
pub(crate) enum Derive {
    FromReply,
    ToArg,
    ToArgs,
}

/// The implementations, or the error that says why there are none.
pub(crate) fn expand(derive: Derive, input: TokenStream, root: &str) -> TokenStream {
    try_expand(derive, input, root).unwrap_or_else(Error::into_tokens)
}

fn try_expand(derive: Derive, input: TokenStream, root: &str) -> Result<TokenStream> {
    let item = parse::item(input)?;
    let of = OfItem::read(&item, root)?;
    match (derive, &item.body) {
        (Derive::FromReply, Body::Struct(fields)) => {
            struct_from_reply(&item, &of, &read_fields(fields, &of)?)
        }
        (Derive::FromReply, Body::Enum(variants)) => {
            enum_from_reply(&item, &of, &read_variants(&item, variants, &of)?)
        }
        (Derive::ToArg, Body::Enum(variants)) => {
            enum_to_arg(&item, &of, &read_variants(&item, variants, &of)?)
        }
        (Derive::ToArg, Body::Struct(_)) => {
            let message =
                "only an enum is one argument: derive `ToArgs` for the fields of a struct";
            Err(Error::new(item.name.span(), message))
        }
        (Derive::ToArgs, Body::Struct(fields)) => {
            struct_to_args(&item, &of, &read_fields(fields, &of)?)
        }
        (Derive::ToArgs, Body::Enum(_)) => {
            let message = "only the fields of a struct are arguments: derive `ToArg` for an enum";
            Err(Error::new(item.name.span(), message))
        }
    }
}

type Fields<'a> = Vec<(&'a Field, OfField)>;
type Variants<'a> = Vec<(&'a Variant, OfVariant)>;

fn read_fields<'a>(fields: &'a [Field], of: &OfItem) -> Result<Fields<'a>> {
    let mut names = HashSet::new();
    let mut has_other = false;
    let mut read = Vec::new();
    for field in fields {
        let said = of.field(field)?;
        let is_plain = !said.other && !said.skip;
        if is_plain && !names.insert(said.name.to_string()) {
            let message = format!("two fields are called {}: rename one", said.name);
            return Err(Error::new(field.name.span(), message));
        }
        if said.other && std::mem::replace(&mut has_other, true) {
            return Err(Error::new(field.name.span(), "a second field with `other`"));
        }
        read.push((field, said));
    }
    Ok(read)
}

fn read_variants<'a>(item: &Item, variants: &'a [Variant], of: &OfItem) -> Result<Variants<'a>> {
    let mut names = HashSet::new();
    let mut has_other = false;
    let mut read = Vec::new();
    for variant in variants {
        let said = of.variant(variant)?;
        let span = variant.content.as_ref().map_or(variant.name.span(), Group::span);
        match (said.other, &variant.content) {
            (true, None) => {
                let message = "a variant with `other` holds the word: `Other(String)`";
                return Err(Error::new(span, message));
            }
            (false, Some(_)) => {
                let message = "only variants without fields can derive this, and one with `other`";
                return Err(Error::new(span, message));
            }
            _ => {}
        }
        if !said.other && !names.insert(said.name.to_string()) {
            let message = format!("two variants are called {}: rename one", said.name);
            return Err(Error::new(span, message));
        }
        if said.other && std::mem::replace(&mut has_other, true) {
            return Err(Error::new(span, "a second variant with `other`"));
        }
        read.push((variant, said));
    }
    if names.is_empty() {
        return Err(Error::new(item.name.span(), "only enums with words can derive this"));
    }
    Ok(read)
}

/// A template with what every implementation begins with: the item's name and generics, and a bound for
/// each of its types.
fn template<'a>(item: &Item, of: &OfItem, bound: &str) -> Template<'a> {
    let path = path(of);
    let mut declared = TokenStream::new();
    let mut names = TokenStream::new();
    let mut bounds = TokenStream::new();
    for param in &item.generics.params {
        let hole = Template::new().hole("IT", param.declared.clone());
        declared.extend(hole.fill("IT,"));
        names.extend(Template::new().hole("IT", param.name.clone()).fill("IT,"));
        if param.is_type {
            let hole = Template::new().hole("IT", param.name.clone()).hole("PATH", path.clone());
            bounds.extend(hole.fill(&format!("IT: PATH::{bound},")));
        }
    }
    let mut predicates: Vec<TokenTree> = item.generics.predicates.clone();
    let comma =
        |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
    if predicates.last().is_some_and(|last| !comma(last)) {
        predicates.extend(Template::new().fill(","));
    }
    Template::new()
        .hole("PATH", path)
        .hole("NAME", TokenTree::from(item.name.clone()))
        .hole("DECLARED", declared)
        .hole("NAMES", names)
        .hole("PREDICATES", predicates.into_iter().collect::<TokenStream>())
        .hole("BOUNDS", bounds)
}

/// The module that has everything.
fn path(of: &OfItem) -> TokenStream {
    Template::new().hole("ROOT", of.root.clone()).fill("ROOT::derive")
}

/// A template for one variant.
fn variant_piece<'a>(of: &OfItem, variant: &Variant, said: &OfVariant) -> Template<'a> {
    Template::new()
        .at(variant.name.span())
        .hole("PATH", path(of))
        .hole("TEXT", TokenTree::from(said.name.clone()))
        .hole("VARIANT", TokenTree::from(variant.name.clone()))
}

/// A template for one field. Errors about it are shown at its type.
fn field_piece<'a>(of: &OfItem, field: &Field, said: &OfField) -> Template<'a> {
    let value =
        Ident::new(&format!("value_of_{}", field.name).replace("r#", ""), Span::mixed_site());
    Template::new()
        .at(field.ty.first().map_or(field.name.span(), TokenTree::span))
        .hole("PATH", path(of))
        .hole("TYPE", field.ty.iter().cloned().collect::<TokenStream>())
        .hole("TEXT", TokenTree::from(said.name.clone()))
        .hole("FIELD", TokenTree::from(field.name.clone()))
        .hole("VALUE", TokenTree::from(value))
}

fn struct_from_reply(item: &Item, of: &OfItem, fields: &Fields<'_>) -> Result<TokenStream> {
    let mut exact = Template::new().fill("true");
    let mut lets = TokenStream::new();
    let mut arms = TokenStream::new();
    let skip = Template::new().hole("PATH", path(of));
    let mut rest = skip.fill("{ PATH::ReplyReader::skip(reply)?; }");
    let mut values = TokenStream::new();
    for (field, said) in fields {
        let piece = field_piece(of, field, said);
        if said.skip {
            values.extend(piece.fill("FIELD: ::core::default::Default::default(),"));
            continue;
        }
        if said.other {
            lets.extend(piece.fill("let mut VALUE: TYPE = ::core::default::Default::default();"));
            rest = piece.fill(
                "{ VALUE.insert(PATH::text(&field)?, PATH::FromReply::from_reply(reply)?); }",
            );
            values.extend(piece.fill("FIELD: VALUE,"));
            continue;
        }
        let take = match &said.with {
            Some(with) => {
                exact = Template::new().fill("false");
                with.clone()
            }
            None => {
                exact.extend(piece.fill("&& <TYPE as PATH::FromReply>::EXACT"));
                piece.fill("<TYPE as PATH::FromReply>::from_reply")
            }
        };
        lets.extend(
            piece.fill(
                "let mut VALUE: ::core::option::Option<TYPE> = ::core::option::Option::None;",
            ),
        );
        let piece = piece.hole("TAKE", take);
        arms.extend(piece.fill(
            "if *field == *TEXT.as_bytes() {
                VALUE = ::core::option::Option::Some(PATH::field(TEXT, reply, TAKE)?);
            } else",
        ));
        values.extend(if said.default || is_option(&field.ty) {
            piece.fill("FIELD: ::core::option::Option::unwrap_or_default(VALUE),")
        } else {
            piece.fill("FIELD: PATH::required(TEXT, VALUE)?,")
        });
    }
    let template = template(item, of, "FromReply")
        .hole("EXACTS", exact)
        .hole("LETS", lets)
        .hole("ARMS", arms)
        .hole("REST", rest)
        .hole("VALUES", values);
    Ok(template.fill(
        "#[automatically_derived]
        impl<DECLARED> PATH::FromReply for NAME<NAMES> where PREDICATES BOUNDS {
            const EXACT: bool = EXACTS;

            fn from_reply(reply: &mut PATH::ReplyReader<'_>) -> PATH::Result<Self> {
                LETS
                PATH::ReplyReader::pairs(reply, |reply| {
                    let field = PATH::ReplyReader::string(reply)?;
                    ARMS REST
                    ::core::result::Result::Ok(())
                })?;
                ::core::result::Result::Ok(Self { VALUES })
            }
        }",
    ))
}

fn enum_from_reply(item: &Item, of: &OfItem, variants: &Variants<'_>) -> Result<TokenStream> {
    let mut texts = TokenStream::new();
    let mut arms = TokenStream::new();
    let mut before = TokenStream::new();
    let mut other = None;
    for (variant, said) in variants {
        let piece = variant_piece(of, variant, said);
        if said.other {
            before = piece.fill("let mut again = ::core::clone::Clone::clone(reply);");
            let text = "PATH::FromReply::from_reply(&mut again).map(Self::VARIANT)";
            other = Some(piece.fill(text));
            continue;
        }
        texts.extend(piece.fill("TEXT,"));
        arms.extend(piece.fill(
            "if *word == *TEXT.as_bytes() { ::core::result::Result::Ok(Self::VARIANT) } else",
        ));
    }
    let rest = other.unwrap_or_else(|| {
        let template = Template::new().hole("PATH", path(of)).hole("TEXTS", texts);
        template.fill("::core::result::Result::Err(PATH::no_such_word(&[TEXTS], &word))")
    });
    let template = template(item, of, "FromReply")
        .hole("BEFORE", before)
        .hole("ARMS", arms)
        .hole("REST", rest);
    Ok(template.fill(
        "#[automatically_derived]
        impl<DECLARED> PATH::FromReply for NAME<NAMES> where PREDICATES BOUNDS {
            const EXACT: bool = true;

            fn from_reply(reply: &mut PATH::ReplyReader<'_>) -> PATH::Result<Self> {
                BEFORE
                let word = PATH::ReplyReader::string(reply)?;
                ARMS { REST }
            }
        }",
    ))
}

fn enum_to_arg(item: &Item, of: &OfItem, variants: &Variants<'_>) -> Result<TokenStream> {
    let mut arms = TokenStream::new();
    for (variant, said) in variants {
        let piece = variant_piece(of, variant, said);
        arms.extend(piece.fill(if said.other {
            "Self::VARIANT(word) => PATH::ToArg::to_arg(word, arg),"
        } else {
            "Self::VARIANT => PATH::Arg::bytes(arg, TEXT.as_bytes()),"
        }));
    }
    Ok(template(item, of, "ToArg").hole("ARMS", arms).fill(
        "#[automatically_derived]
        impl<DECLARED> PATH::ToArg for NAME<NAMES> where PREDICATES BOUNDS {
            fn to_arg(&self, arg: PATH::Arg<'_>) -> PATH::Written {
                match self { ARMS }
            }
        }",
    ))
}

fn struct_to_args(item: &Item, of: &OfItem, fields: &Fields<'_>) -> Result<TokenStream> {
    let mut writes = TokenStream::new();
    for (field, said) in fields.iter().filter(|(_, said)| !said.skip && !said.other) {
        let piece = field_piece(of, field, said);
        writes.extend(piece.fill(if is_option(&field.ty) {
            "if let ::core::option::Option::Some(value) = &self.FIELD {
                PATH::Args::push(args, TEXT);
                PATH::Args::push(args, value);
            }"
        } else {
            "PATH::Args::push(args, TEXT);
            PATH::Args::push(args, &self.FIELD);"
        }));
    }
    Ok(template(item, of, "ToArg").hole("WRITES", writes).fill(
        "#[automatically_derived]
        impl<'by_reference, DECLARED> PATH::ToPairs for &'by_reference NAME<NAMES>
        where PREDICATES BOUNDS {
            fn to_pairs(self, args: &mut PATH::Args) { WRITES }
        }

        #[automatically_derived]
        impl<DECLARED> PATH::ToPairs for NAME<NAMES> where PREDICATES BOUNDS {
            fn to_pairs(self, args: &mut PATH::Args) { PATH::ToPairs::to_pairs(&self, args); }
        }

        #[automatically_derived]
        impl<'by_reference, DECLARED> PATH::ToArgs<PATH::One> for &'by_reference NAME<NAMES>
        where PREDICATES BOUNDS {
            fn to_args(self, args: &mut PATH::Args) { PATH::ToPairs::to_pairs(self, args); }
        }

        #[automatically_derived]
        impl<DECLARED> PATH::ToArgs<PATH::One> for NAME<NAMES> where PREDICATES BOUNDS {
            fn to_args(self, args: &mut PATH::Args) { PATH::ToPairs::to_pairs(&self, args); }
        }",
    ))
}
