//! String literals of Ruby, as far as specifications use them.

/// The strings in an expression: `["a".freeze, 'b', %q<c>]`. A comment, or a
/// condition after the value, ends it.
pub(super) fn strings(expression: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(at) = rest.find(['"', '\'', '%', '#']) {
        // `= "x" if s.respond_to? …` and `= VERSION # why`.
        if rest[..at].contains(" if ") || rest[at..].starts_with('#') {
            break;
        }
        let Some((string, after)) = literal(&rest[at..]) else { break };
        found.push(string);
        rest = after;
    }
    found
}

/// The literal at the beginning of a text, and what comes after it.
fn literal(text: &str) -> Option<(String, &str)> {
    let (close, body, escapes) = match text.as_bytes() {
        [b'"', ..] => ('"', &text[1..], true),
        [b'\'', ..] => ('\'', &text[1..], false),
        [b'%', b'q' | b'Q', open, ..] if open.is_ascii_punctuation() => {
            let close = match open {
                b'<' => '>',
                b'(' => ')',
                b'[' => ']',
                b'{' => '}',
                other => char::from(*other),
            };
            (close, &text[3..], text.as_bytes()[1] == b'Q')
        }
        _ => return None,
    };
    let mut string = String::new();
    let mut characters = body.char_indices();
    while let Some((at, character)) = characters.next() {
        if character == close {
            return Some((string, &body[at + character.len_utf8()..]));
        }
        if character != '\\' {
            string.push(character);
            continue;
        }
        let (at, escaped) = characters.next()?;
        match escaped {
            'n' if escapes => string.push('\n'),
            't' if escapes => string.push('\t'),
            'u' if escapes => {
                let (decoded, length) = unicode(&body[at + 1..])?;
                string.push_str(&decoded);
                // All of an escape is ASCII: a character is a byte.
                for _ in 0..length {
                    characters.next();
                }
            }
            other if escapes || other == close || other == '\\' => string.push(other),
            other => string.extend(['\\', other]),
        }
    }
    None
}

/// `00e9` or `{e9 1f600}`, and its length.
fn unicode(text: &str) -> Option<(String, usize)> {
    let (digits, length) = match text.strip_prefix('{') {
        Some(rest) => {
            let end = rest.find('}')?;
            (&rest[..end], end + 2)
        }
        None => (text.get(..4)?, 4),
    };
    let character = |hex: &str| char::from_u32(u32::from_str_radix(hex, 16).ok()?);
    let decoded: Option<String> = digits.split_ascii_whitespace().map(character).collect();
    decoded.filter(|_| digits.is_ascii()).map(|decoded| (decoded, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_found_in_every_form() {
        for (expression, expected) in [
            (r#" "a".freeze"#, &["a"][..]),
            (r#"["a\"b".freeze, 'c\d', %q<e f>, %q(g)]"#, &["a\"b", "c\\d", "e f", "g"]),
            (r#""Jos\u00e9 \u{e9 2603}""#, &["José é☃"]),
            (r#"Gem::Version.new("1.0")"#, &["1.0"]),
            (r#""1" if s.respond_to? :x, "no""#, &["1"]),
            (r#"VERSION # "no""#, &[]),
            (r#""open"#, &[]),
            (r#""open\"#, &[]),
            ("%q", &[]),
            (r#""\u{110000}""#, &[]),
        ] {
            assert_eq!(strings(expression), expected, "{expression}");
        }
    }
}
