//! Rust source as the rules need it: words and marks with their lines, without comments, without
//! what strings say, and without test code.

use std::collections::BTreeSet;

use super::Files;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    Word(&'a str),
    /// `::`
    Separator,
    Mark(char),
    /// A string, character, number or lifetime.
    Literal,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind<'a>,
    pub(super) line: usize,
}

impl Token<'_> {
    pub(super) fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word(word)
    }

    pub(super) fn is_mark(&self, mark: char) -> bool {
        self.kind == Kind::Mark(mark)
    }
}

pub(super) struct Source<'a> {
    /// All of it.
    pub(super) tokens: Vec<Token<'a>>,
    /// Lines on which a comment is.
    pub(super) commented: BTreeSet<usize>,
}

impl<'a> Source<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let mut lexer = Lexer { text, at: 0, line: 1, commented: BTreeSet::new() };
        let mut tokens = Vec::new();
        while let Some(token) = lexer.next() {
            tokens.push(token);
        }
        Self { tokens, commented: lexer.commented }
    }

    /// The tokens that are no test code.
    pub(super) fn shipped(&self) -> Vec<Token<'a>> {
        let mut shipped = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            match attribute(&self.tokens, at) {
                Some(attribute) if attribute.is_test && attribute.is_inner => break,
                Some(attribute) if attribute.is_test => at = item_end(&self.tokens, attribute.end),
                Some(attribute) => {
                    shipped.extend_from_slice(&self.tokens[at..attribute.end]);
                    at = attribute.end;
                }
                None => {
                    shipped.push(self.tokens[at]);
                    at += 1;
                }
            }
        }
        shipped
    }

    /// Modules in files of their own that are test code: `#[cfg(test)] mod NAME;`.
    fn test_modules(&self) -> Vec<&'a str> {
        let mut names = Vec::new();
        for at in 0..self.tokens.len() {
            let Some(attribute) = attribute(&self.tokens, at).filter(|a| a.is_test) else {
                continue;
            };
            let item = &self.tokens[attribute.end..];
            if let Some([_, Token { kind: Kind::Word(name), .. }, end]) = item.get(..3)
                && item[0].is_word("mod")
                && end.is_mark(';')
            {
                names.push(*name);
            }
        }
        names
    }
}

/// A path as written or imported: `std::thread`, `Instant::now`, or one word alone.
pub(super) struct Path<'a> {
    pub(super) segments: Vec<&'a str>,
    pub(super) line: usize,
}

impl Path<'_> {
    /// Whether `wanted` are segments of it, one behind the other.
    pub(super) fn holds(&self, wanted: &[&str]) -> bool {
        self.segments.windows(wanted.len()).any(|segments| segments == wanted)
    }
}

/// Every path in `tokens`, those of a `use` written out in full.
pub(super) fn paths<'a>(tokens: &[Token<'a>]) -> Vec<Path<'a>> {
    let mut paths = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at].kind {
            Kind::Word("use") => at = use_tree(tokens, at + 1, &[], &mut paths),
            Kind::Word(word) => {
                let mut path = Path { segments: vec![word], line: tokens[at].line };
                while let Some([Token { kind: Kind::Separator, .. }, next]) =
                    tokens.get(at + 1..at + 3)
                    && let Kind::Word(word) = next.kind
                {
                    path.segments.push(word);
                    at += 2;
                }
                paths.push(path);
                at += 1;
            }
            _ => at += 1,
        }
    }
    paths
}

/// Reads one tree of a `use` at `at`; returns where it ends.
fn use_tree<'a>(
    tokens: &[Token<'a>],
    mut at: usize,
    before: &[&'a str],
    paths: &mut Vec<Path<'a>>,
) -> usize {
    let mut segments = before.to_vec();
    let Some(line) = tokens.get(at).map(|token| token.line) else {
        return at;
    };
    while let Some(token) = tokens.get(at) {
        match token.kind {
            Kind::Word("as") => at += 2,
            Kind::Word(word) => {
                segments.push(word);
                at += 1;
            }
            Kind::Mark('{') => {
                at += 1;
                while tokens.get(at).is_some_and(|token| !token.is_mark('}')) {
                    at = use_tree(tokens, at, &segments, paths);
                    if tokens.get(at).is_some_and(|token| token.is_mark(',')) {
                        at += 1;
                    }
                }
                return at + 1;
            }
            Kind::Mark(',' | '}' | ';') => break,
            // `::` and `*`
            _ => at += 1,
        }
    }
    paths.push(Path { segments, line });
    at
}

pub(super) struct Attribute {
    /// Behind its closing bracket.
    pub(super) end: usize,
    is_inner: bool,
    is_test: bool,
}

/// The attribute that starts at `at`.
pub(super) fn attribute(tokens: &[Token<'_>], at: usize) -> Option<Attribute> {
    if !tokens.get(at)?.is_mark('#') {
        return None;
    }
    let is_inner = tokens.get(at + 1)?.is_mark('!');
    let open = at + 1 + usize::from(is_inner);
    if !tokens.get(open)?.is_mark('[') {
        return None;
    }
    let end = closing(tokens, open)? + 1;
    let inside = &tokens[open + 1..end - 1];
    let is_test = match inside.first().map(|token| token.kind) {
        // `cfg(test)`, `cfg(all(test, ..))`, but not `cfg(not(test))` or `cfg(any(test, ..))`.
        Some(Kind::Word("cfg")) => {
            inside.iter().any(|token| token.is_word("test"))
                && !inside.iter().any(|token| token.is_word("not") || token.is_word("any"))
        }
        // `#[test]`, `#[runtime::test]`
        Some(Kind::Word(_)) => {
            let path = inside.iter().take_while(|token| !token.is_mark('('));
            path.last().is_some_and(|token| token.is_word("test"))
        }
        _ => false,
    };
    Some(Attribute { end, is_inner, is_test })
}

/// The bracket that closes the one at `open`.
pub(super) fn closing(tokens: &[Token<'_>], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.kind {
            Kind::Mark('(' | '[' | '{') => depth += 1,
            Kind::Mark(')' | ']' | '}') => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// Where the item, field or statement that starts at `at` (perhaps with attributes) ends.
fn item_end(tokens: &[Token<'_>], mut at: usize) -> usize {
    while let Some(attribute) = attribute(tokens, at) {
        at = attribute.end;
    }
    const STARTS: [&str; 16] = [
        "pub",
        "fn",
        "mod",
        "struct",
        "enum",
        "union",
        "impl",
        "use",
        "const",
        "static",
        "type",
        "trait",
        "unsafe",
        "extern",
        "async",
        "macro_rules",
    ];
    // A field or a match arm ends at its comma; an item has commas between its type parameters.
    let is_item = tokens.get(at).is_some_and(|t| STARTS.iter().any(|word| t.is_word(word)));
    while let Some(token) = tokens.get(at) {
        match token.kind {
            Kind::Mark(';') => return at + 1,
            Kind::Mark(',') if !is_item => return at + 1,
            Kind::Mark('{') => return closing(tokens, at).map_or(tokens.len(), |end| end + 1),
            Kind::Mark('(' | '[') => match closing(tokens, at) {
                Some(end) => at = end + 1,
                None => return tokens.len(),
            },
            Kind::Mark('}' | ')') => return at,
            _ => at += 1,
        }
    }
    at
}

/// The Rust sources that are test code as a whole: in a folder `tests`, or a module that is only
/// compiled for tests.
pub(super) fn test_files(files: &Files) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = Vec::new();
    for (path, text) in rust(files) {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        if folder.split('/').any(|part| part == "tests") {
            found.insert(path.to_owned());
        }
        let children = match name {
            "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
            _ => path.trim_end_matches(".rs").to_owned(),
        };
        for module in Source::new(text).test_modules() {
            found.insert(format!("{children}/{module}.rs"));
            folders.push(format!("{children}/{module}/"));
        }
    }
    for (path, _) in rust(files) {
        if folders.iter().any(|folder| path.starts_with(folder)) {
            found.insert(path.to_owned());
        }
    }
    found
}

/// All Rust sources.
pub(super) fn rust(files: &Files) -> impl Iterator<Item = (&str, &str)> {
    files.texts().filter(|(path, _)| path.ends_with(".rs"))
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    commented: BTreeSet<usize>,
}

impl<'a> Lexer<'a> {
    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let rest = self.rest();
            let first = rest.chars().next()?;
            if first.is_whitespace() {
                self.advance(first.len_utf8());
            } else if rest.starts_with("//") {
                self.commented.insert(self.line);
                self.advance(rest.find('\n').unwrap_or(rest.len()));
            } else if rest.starts_with("/*") {
                self.block_comment();
            } else {
                let line = self.line;
                return Some(Token { kind: self.token(first), line });
            }
        }
    }

    fn token(&mut self, first: char) -> Kind<'a> {
        let rest = self.rest();
        if let Some(length) = string(rest).or_else(|| character_or_lifetime(rest)) {
            self.advance(length);
            return Kind::Literal;
        }
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        if is_word(first) {
            let start = if rest.starts_with("r#") { 2 } else { 0 };
            let length = rest[start..].find(|c| !is_word(c)).unwrap_or(rest.len() - start);
            let word = &rest[start..start + length];
            self.advance(start + length);
            return match first.is_ascii_digit() {
                true => Kind::Literal,
                false => Kind::Word(word),
            };
        }
        if rest.starts_with("::") {
            self.advance(2);
            return Kind::Separator;
        }
        self.advance(first.len_utf8());
        Kind::Mark(first)
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        loop {
            self.commented.insert(self.line);
            let rest = self.rest();
            if rest.starts_with("/*") {
                depth += 1;
                self.advance(2);
            } else if rest.starts_with("*/") {
                depth -= 1;
                self.advance(2);
            } else {
                let Some(c) = rest.chars().next() else { return };
                self.advance(c.len_utf8());
            }
            if depth == 0 {
                return;
            }
        }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn advance(&mut self, bytes: usize) {
        self.line += self.text[self.at..self.at + bytes].matches('\n').count();
        self.at += bytes;
    }
}

/// The length of the string literal that `text` starts with.
fn string(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "b", "c", "r", ""].into_iter().find(|p| text.starts_with(p))?;
    let mut rest = &text[prefix.len()..];
    if prefix.ends_with('r') {
        let hashes = rest.len() - rest.trim_start_matches('#').len();
        rest = rest[hashes..].strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        let inside = rest.find(&end).unwrap_or(rest.len());
        return Some((text.len() - rest.len() + inside + end.len()).min(text.len()));
    }
    rest = rest.strip_prefix('"')?;
    let start = text.len() - rest.len();
    let mut escaped = false;
    for (at, c) in rest.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(start + at + 1),
            _ => {}
        }
    }
    Some(text.len())
}

/// The length of `'a'`, `b'\''` or `'lifetime`.
fn character_or_lifetime(text: &str) -> Option<usize> {
    let quote = if text.starts_with("b'") { 1 } else { 0 };
    let inside = text[quote..].strip_prefix('\'')?;
    let start = quote + 1;
    let first = inside.chars().next()?;
    if first == '\\' {
        // The escaped character may itself be a quote.
        let skip = 1 + inside[1..].chars().next()?.len_utf8();
        return Some(start + skip + inside[skip..].find('\'')? + 1);
    }
    if inside[first.len_utf8()..].starts_with('\'') {
        return Some(start + first.len_utf8() + 1);
    }
    let end = inside.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(inside.len());
    Some(start + end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        words_of(&Source::new(text).tokens)
    }

    fn words_of<'a>(tokens: &[Token<'a>]) -> Vec<&'a str> {
        let word = |token: &Token<'a>| match token.kind {
            Kind::Word(word) => Some(word),
            _ => None,
        };
        tokens.iter().filter_map(word).collect()
    }

    #[test]
    fn comments_and_strings_hold_no_words() {
        assert_eq!(words("a // b\nc /* d /* e */ f */ g"), ["a", "c", "g"]);
        assert_eq!(words(r##"a "b \" c" d r#"e " f"# g b"h" i"##), ["a", "d", "g", "i"]);
        assert_eq!(words(r"a 'b' '\'' b'c' 'x: d<'e> f"), ["a", "d", "f"]);
        assert_eq!(words("r#type 12u8 0x_ff"), ["type"]);
    }

    #[test]
    fn lines_are_counted_through_literals_and_comments() {
        let source = Source::new("\"a\nb\" /* c\nd */ e");
        let last = source.tokens.last().unwrap();
        assert_eq!((last.kind, last.line), (Kind::Word("e"), 3));
        assert_eq!(source.commented, BTreeSet::from([2, 3]));
    }

    #[test]
    fn test_code_is_not_shipped() {
        let shipped = |text| words_of(&Source::new(text).shipped()).join(" ");
        assert_eq!(shipped("fn a() {} #[cfg(test)] mod tests { fn b() {} }"), "fn a");
        assert_eq!(shipped("#[cfg(test)] #[x] fn f<A, B>() { b } fn c() {}"), "fn c");
        assert_eq!(shipped("#[test] fn b() {} #[rt::test(x)] async fn d() {} c"), "c");
        assert_eq!(shipped("struct S { #[cfg(test)] a: A, b: B }"), "struct S b B");
        assert_eq!(shipped("#[cfg(test)] use a::b; c"), "c");
        assert_eq!(shipped("#[cfg(test)] const A: [u8; 2] = [1; 2]; c"), "c");
        assert_eq!(shipped("#[cfg(not(test))] fn c() {}"), "cfg not test fn c");
        assert_eq!(shipped("a; #![cfg(test)] b"), "a");
    }

    #[test]
    fn imports_are_written_out() {
        let source = Source::new("use std::{io::{self, Read as R}, thread}; a::b::<C>(d);");
        let found: Vec<_> = paths(&source.tokens).iter().map(|p| p.segments.join("::")).collect();
        assert_eq!(found, ["std::io::self", "std::io::Read", "std::thread", "a::b", "C", "d"]);
    }

    #[test]
    fn files_of_test_modules_are_test_files() {
        let files = Files::from([
            ("crates/a/src/lib.rs", "mod b;\n#[cfg(test)]\nmod tests;\nmod machine;"),
            ("crates/a/src/machine.rs", "#[cfg(test)] mod proof;"),
            ("crates/a/src/machine/proof/more.rs", ""),
            ("crates/a/src/tests.rs", ""),
            ("crates/a/tests/it.rs", ""),
        ]);
        let found = test_files(&files);
        assert!(found.contains("crates/a/src/tests.rs"));
        assert!(found.contains("crates/a/src/machine/proof.rs"));
        assert!(found.contains("crates/a/src/machine/proof/more.rs"));
        assert!(found.contains("crates/a/tests/it.rs"));
        assert!(!found.contains("crates/a/src/machine.rs"));
    }
}
