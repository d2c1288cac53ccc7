//! Patterns as `KEYS` and `PSUBSCRIBE` have them: `*`, `?`, `[a-z]`, `[^x]`, `\`.

/// Whether `text` as a whole is of the pattern.
pub(super) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    // What follows the last star, and the first byte that it has not swallowed yet.
    let mut star: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', behind @ ..] = pattern {
            star = Some((behind, text));
            pattern = behind;
            continue;
        }
        match text {
            [] if pattern.is_empty() => return true,
            [byte, rest @ ..] if let Some(behind) = one(pattern, *byte) => {
                (pattern, text) = (behind, rest);
            }
            _ => {
                let Some((behind, [_, rest @ ..])) = star else {
                    return false;
                };
                star = Some((behind, rest));
                (pattern, text) = (behind, rest);
            }
        }
    }
}

/// What follows the first item of the pattern, if that is of this byte.
fn one(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    let (fits, behind) = match pattern {
        [] => return None,
        [b'?', behind @ ..] => (true, behind),
        [b'[', behind @ ..] => class(behind, byte),
        [b'\\', literal, behind @ ..] | [literal, behind @ ..] => (*literal == byte, behind),
    };
    fits.then_some(behind)
}

/// Whether the byte is of the class, and what follows its bracket; one that is not closed ends with
/// the pattern.
fn class(mut rest: &[u8], byte: u8) -> (bool, &[u8]) {
    let negated = rest.first() == Some(&b'^');
    if negated {
        rest = &rest[1..];
    }
    let mut fits = false;
    loop {
        rest = match rest {
            [] => return (fits != negated, rest),
            [b']', behind @ ..] => return (fits != negated, behind),
            [b'\\', literal, behind @ ..] => {
                fits |= *literal == byte;
                behind
            }
            [first, b'-', last, behind @ ..] => {
                fits |= (*first.min(last)..=*first.max(last)).contains(&byte);
                behind
            }
            [literal, behind @ ..] => {
                fits |= *literal == byte;
                behind
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_the_servers_have_it() {
        let rows: [(&str, &str, bool); 20] = [
            ("", "", true),
            ("*", "", true),
            ("*", "any", true),
            ("a*c", "abbc", true),
            ("a*c", "abcd", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b", "ab-ab-", false),
            ("?", "", false),
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("h[ae]llo", "hallo", true),
            ("h[ae]llo", "hillo", false),
            ("h[^e]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-c]llo", "hbllo", true),
            ("h[c-a]llo", "hbllo", true),
            ("h[a-c]llo", "hdllo", false),
            (r"a\*", "a*", true),
            (r"a\*", "ab", false),
            ("[ab", "a", true),
        ];
        for (pattern, text, wanted) in rows {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), wanted, "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_do_not_take_exponential_time() {
        let pattern = "a*".repeat(50) + "b";
        assert!(!matches(pattern.as_bytes(), "a".repeat(1000).as_bytes()));
    }
}
