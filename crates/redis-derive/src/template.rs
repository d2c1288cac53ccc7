//! Rust text with holes, filled with tokens: they keep their place in the user's file and their hygiene.

use proc_macro::{Group, Span, TokenStream, TokenTree};

/// Text to expand to. An identifier that names a hole is replaced by its tokens.
pub(crate) struct Template<'a> {
    holes: Vec<(&'a str, TokenStream)>,
    span: Span,
}

impl<'a> Template<'a> {
    pub(crate) fn new() -> Self {
        Self { holes: Vec::new(), span: Span::mixed_site() }
    }

    pub(crate) fn hole(mut self, name: &'a str, tokens: impl Into<TokenStream>) -> Self {
        self.holes.push((name, tokens.into()));
        self
    }

    /// Errors about the text itself are shown at this place.
    pub(crate) fn at(mut self, place: Span) -> Self {
        self.span = self.span.located_at(place);
        self
    }

    pub(crate) fn fill(&self, text: &str) -> TokenStream {
        let tokens: TokenStream = text.parse().expect("templates are Rust tokens");
        self.replace(tokens)
    }

    fn replace(&self, tokens: TokenStream) -> TokenStream {
        let mut filled = TokenStream::new();
        for mut token in tokens {
            if let TokenTree::Ident(ident) = &token
                && let name = ident.to_string()
                && let Some((_, hole)) = self.holes.iter().find(|(known, _)| *known == name)
            {
                filled.extend(hole.clone());
                continue;
            }
            if let TokenTree::Group(group) = &token {
                token = Group::new(group.delimiter(), self.replace(group.stream())).into();
            }
            token.set_span(self.span);
            filled.extend([token]);
        }
        filled
    }
}
