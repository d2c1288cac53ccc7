//! Reads a struct or enum from its tokens: as much of Rust's grammar as an item's outside needs.
//!
//! Owns what is understood of an item and where an error points. Knows nothing of what is derived.

use proc_macro::{Delimiter, Group, Ident, Punct, Spacing, Span, TokenStream, TokenTree};

/// Why an item can't be derived for, and at which of its tokens.
pub(crate) struct Error {
    span: Span,
    message: String,
}

pub(crate) type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn new(span: Span, message: impl Into<String>) -> Self {
        Self { span, message: message.into() }
    }

    /// A `compile_error!` at the token.
    pub(crate) fn into_tokens(self) -> TokenStream {
        let mut message = proc_macro::Literal::string(&self.message);
        message.set_span(self.span);
        let group = Group::new(Delimiter::Brace, TokenTree::from(message).into());
        let path = ["core", "compile_error"].into_iter().flat_map(|name| {
            let colons = [Spacing::Joint, Spacing::Alone].map(|spacing| Punct::new(':', spacing));
            colons.into_iter().map(TokenTree::from).chain([Ident::new(name, self.span).into()])
        });
        let rest = [TokenTree::from(Punct::new('!', Spacing::Alone)), group.into()];
        let spanned = path.chain(rest).map(|mut token| {
            token.set_span(self.span);
            token
        });
        spanned.collect()
    }
}

pub(crate) struct Item {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) name: Ident,
    pub(crate) generics: Generics,
    pub(crate) body: Body,
}

pub(crate) enum Body {
    Struct(Vec<Field>),
    Enum(Vec<Variant>),
}

pub(crate) struct Field {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) name: Ident,
    pub(crate) ty: Vec<TokenTree>,
}

pub(crate) struct Variant {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) name: Ident,
    /// Its fields, if it has any.
    pub(crate) content: Option<Group>,
}

/// One word inside `#[redis(..)]`, with what stands behind its `=`.
pub(crate) struct Attribute {
    pub(crate) name: Ident,
    pub(crate) value: Vec<TokenTree>,
}

#[derive(Default)]
pub(crate) struct Generics {
    pub(crate) params: Vec<Param>,
    /// What stands behind `where`.
    pub(crate) predicates: Vec<TokenTree>,
}

pub(crate) struct Param {
    /// Neither a lifetime nor a constant.
    pub(crate) is_type: bool,
    pub(crate) name: TokenStream,
    /// With its bounds, without its default.
    pub(crate) declared: TokenStream,
}

/// Reads the whole item.
pub(crate) fn item(input: TokenStream) -> Result<Item> {
    let mut tokens = Tokens::new(input, Span::call_site());
    let attributes = tokens.attributes()?;
    tokens.visibility();
    let keyword = tokens.ident("a struct or an enum")?;
    let is_struct = match keyword.to_string().as_str() {
        "struct" => true,
        "enum" => false,
        _ => return Err(Error::new(keyword.span(), "only structs and enums can derive this")),
    };
    let name = tokens.ident("a name")?;
    let mut generics = Generics::default();
    if tokens.takes('<') {
        generics.params = tokens.params()?;
    }
    if tokens.takes_word("where") {
        generics.predicates = tokens.until(|token| braces(token).is_some());
    }
    let Some(body) = tokens.peek().and_then(braces) else {
        let message = "only structs with named fields can derive this";
        return Err(Error::new(tokens.span_or(name.span()), message));
    };
    let inside = Tokens::new(body.stream(), body.span_close());
    let body =
        if is_struct { Body::Struct(inside.fields()?) } else { Body::Enum(inside.variants()?) };
    Ok(Item { attributes, name, generics, body })
}

/// The text between the quotes of a string literal, which may come wrapped from another macro.
pub(crate) fn string(value: &[TokenTree]) -> Option<TokenTree> {
    match value {
        [TokenTree::Literal(literal)] if literal.to_string().starts_with(['"', 'r']) => {
            Some(literal.clone().into())
        }
        [TokenTree::Group(group)] if group.delimiter() == Delimiter::None => {
            string(&group.stream().into_iter().collect::<Vec<_>>())
        }
        _ => None,
    }
}

/// Whether a type is called `Option`, however its path begins.
pub(crate) fn is_option(ty: &[TokenTree]) -> bool {
    if let [TokenTree::Group(group)] = ty {
        return group.delimiter() == Delimiter::None
            && is_option(&group.stream().into_iter().collect::<Vec<_>>());
    }
    let path = ty.iter().take_while(|token| !is_punct(token, '<'));
    let mut last = None;
    for token in path {
        match token {
            TokenTree::Ident(ident) => last = Some(ident.to_string()),
            TokenTree::Punct(punct) if punct.as_char() == ':' => {}
            _ => return false,
        }
    }
    last.as_deref() == Some("Option")
}

struct Tokens {
    tokens: std::iter::Peekable<std::vec::IntoIter<TokenTree>>,
    end: Span,
}

impl Tokens {
    fn new(stream: TokenStream, end: Span) -> Self {
        Self { tokens: stream.into_iter().collect::<Vec<_>>().into_iter().peekable(), end }
    }

    fn fields(mut self) -> Result<Vec<Field>> {
        let mut fields = Vec::new();
        while self.peek().is_some() {
            let attributes = self.attributes()?;
            self.visibility();
            let name = self.ident("a field")?;
            if !self.takes(':') {
                return Err(Error::new(self.span_or(self.end), "expected `:`"));
            }
            let ty = self.until_comma();
            fields.push(Field { attributes, name, ty });
        }
        Ok(fields)
    }

    fn variants(mut self) -> Result<Vec<Variant>> {
        let mut variants = Vec::new();
        while self.peek().is_some() {
            let attributes = self.attributes()?;
            self.visibility();
            let name = self.ident("a variant")?;
            let content = match self.peek() {
                Some(TokenTree::Group(group)) => Some(group.clone()),
                _ => None,
            };
            // Its fields, and its discriminant.
            self.until_comma();
            variants.push(Variant { attributes, name, content });
        }
        Ok(variants)
    }

    /// All attributes that come next: the words of ours, the others passed over.
    fn attributes(&mut self) -> Result<Vec<Attribute>> {
        let mut found = Vec::new();
        while self.takes('#') {
            let Some(TokenTree::Group(group)) = self.tokens.next() else { continue };
            let mut inside = Self::new(group.stream(), group.span_close());
            if !inside.takes_word("redis") {
                continue;
            }
            match inside.tokens.next() {
                Some(TokenTree::Group(list)) if list.delimiter() == Delimiter::Parenthesis => {
                    Self::new(list.stream(), list.span_close()).words(&mut found)?;
                }
                other => {
                    let span = other.map_or(inside.end, |token| token.span());
                    return Err(Error::new(span, "expected a list: `#[redis(..)]`"));
                }
            }
        }
        Ok(found)
    }

    fn words(mut self, found: &mut Vec<Attribute>) -> Result<()> {
        while self.peek().is_some() {
            let name = self.ident("an attribute")?;
            let has_value = self.takes('=');
            let value = self.until_comma();
            match (has_value, value.first()) {
                (false, Some(token)) => {
                    return Err(Error::new(token.span(), "expected `,` or `=`"));
                }
                (true, None) => {
                    return Err(Error::new(name.span(), format!("`{name}` has no value")));
                }
                _ => found.push(Attribute { name, value }),
            }
        }
        Ok(())
    }

    fn visibility(&mut self) {
        let wrapped = |token: &TokenTree| matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::None);
        if self.tokens.next_if(wrapped).is_some() || !self.takes_word("pub") {
            return;
        }
        self.tokens.next_if(|token| {
            matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis)
        });
    }

    /// Generic parameters up to the `>` that ends them.
    fn params(&mut self) -> Result<Vec<Param>> {
        let mut params = Vec::new();
        while !self.takes('>') {
            self.attributes()?;
            let mut tokens = self.until_in_angles(|token| is_punct(token, ',')).into_iter();
            self.takes(',');
            let declared: Vec<_> = without_default(tokens.as_slice());
            let first = tokens.next();
            let (is_type, name) = match (first, tokens.next()) {
                (Some(TokenTree::Punct(quote)), Some(name)) if quote.as_char() == '\'' => {
                    (false, [quote.into(), name].into_iter().collect())
                }
                (Some(TokenTree::Ident(word)), Some(name)) if word.to_string() == "const" => {
                    (false, name.into())
                }
                (Some(TokenTree::Ident(name)), _) => (true, TokenTree::from(name).into()),
                (token, _) => {
                    let span = token.map_or(self.end, |token| token.span());
                    return Err(Error::new(span, "expected a generic parameter"));
                }
            };
            params.push(Param { is_type, name, declared: declared.into_iter().collect() });
        }
        Ok(params)
    }

    /// Takes all up to the next comma outside of angle brackets, and the comma.
    fn until_comma(&mut self) -> Vec<TokenTree> {
        let taken = self.until_in_angles(|token| is_punct(token, ','));
        self.takes(',');
        taken
    }

    fn until(&mut self, ends: impl Fn(&TokenTree) -> bool) -> Vec<TokenTree> {
        std::iter::from_fn(|| self.tokens.next_if(|token| !ends(token))).collect()
    }

    /// Takes all before the first token outside of angle brackets that `ends`, or that closes brackets
    /// which were opened before.
    fn until_in_angles(&mut self, ends: impl Fn(&TokenTree) -> bool) -> Vec<TokenTree> {
        let mut taken: Vec<TokenTree> = Vec::new();
        let mut depth = 0;
        while let Some(token) = self.tokens.peek() {
            // The end of `->`.
            let is_arrow = matches!(taken.last(), Some(TokenTree::Punct(before))
                if before.as_char() == '-' && before.spacing() == Spacing::Joint);
            if is_punct(token, '<') {
                depth += 1;
            } else if is_punct(token, '>') && !is_arrow {
                if depth == 0 {
                    break;
                }
                depth -= 1;
            } else if depth == 0 && ends(token) {
                break;
            }
            taken.extend(self.tokens.next());
        }
        taken
    }

    fn peek(&mut self) -> Option<&TokenTree> {
        self.tokens.peek()
    }

    fn takes(&mut self, mark: char) -> bool {
        self.tokens.next_if(|token| is_punct(token, mark)).is_some()
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let is = |token: &TokenTree| matches!(token, TokenTree::Ident(i) if i.to_string() == word);
        self.tokens.next_if(is).is_some()
    }

    fn ident(&mut self, what: &str) -> Result<Ident> {
        match self.tokens.next() {
            Some(TokenTree::Ident(ident)) => Ok(ident),
            other => {
                let span = other.map_or(self.end, |token| token.span());
                Err(Error::new(span, format!("expected {what}")))
            }
        }
    }

    fn span_or(&mut self, other: Span) -> Span {
        self.tokens.peek().map_or(other, |token| token.span())
    }
}

/// A generic parameter's declaration without its default.
fn without_default(tokens: &[TokenTree]) -> Vec<TokenTree> {
    let mut kept = Tokens::new(tokens.iter().cloned().collect(), Span::call_site());
    kept.until_in_angles(|token| is_punct(token, '='))
}

fn is_punct(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark)
}

fn braces(token: &TokenTree) -> Option<Group> {
    match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Some(group.clone()),
        _ => None,
    }
}
