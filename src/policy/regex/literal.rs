//! Texts that are in everything a pattern matches: where they are in a hundred
//! thousand paths is found many times faster than what the pattern matches.

/// Such texts, the longest first, of a pattern in Python's dialect; none where they are not easily
/// seen. What stands in groups, in classes and before a quantifier is not looked at.
pub(super) fn required(pattern: &str) -> Vec<String> {
    let mut texts = runs(pattern).unwrap_or_default();
    texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
    texts
}

fn runs(pattern: &str) -> Option<Vec<String>> {
    let mut texts = Vec::new();
    let mut run = String::new();
    let mut chars = pattern.chars().peekable();
    let mut end_run = |run: &mut String| {
        if !run.is_empty() {
            texts.push(std::mem::take(run));
        }
    };
    while let Some(char) = chars.next() {
        match char {
            // Either side may match alone; and what braces mean depends on what is in them.
            '|' | '{' => return None,
            '(' => {
                end_run(&mut run);
                skip_group(&mut chars)?;
            }
            '[' => {
                end_run(&mut run);
                skip_class(&mut chars)?;
            }
            // The character before it may be missing.
            '*' | '?' => {
                run.pop();
                end_run(&mut run);
            }
            // It is there, and perhaps again.
            '+' => {
                let last = run.chars().last();
                end_run(&mut run);
                run.extend(last);
            }
            '.' | '^' | '$' => end_run(&mut run),
            '\\' => match chars.next()? {
                'd' | 'D' | 'w' | 'W' | 's' | 'S' | 'b' | 'B' | 'A' | 'Z' => end_run(&mut run),
                // Numbers of characters and groups, and names.
                other if other.is_alphanumeric() => return None,
                other => run.push(other),
            },
            other => run.push(other),
        }
    }
    end_run(&mut run);
    Some(texts)
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// Behind the closing bracket. Of flags, which may change what letters mean, nothing is known.
fn skip_group(chars: &mut Chars<'_>) -> Option<()> {
    if chars.peek() == Some(&'?') {
        chars.next();
        if !matches!(chars.peek()?, ':' | '=' | '!' | '<' | 'P') {
            return None;
        }
    }
    let mut depth = 1;
    while depth > 0 {
        match chars.next()? {
            '(' if chars.peek() == Some(&'?') => {
                chars.next();
                if !matches!(chars.peek()?, ':' | '=' | '!' | '<' | 'P') {
                    return None;
                }
                depth += 1;
            }
            '(' => depth += 1,
            ')' => depth -= 1,
            '[' => skip_class(chars)?,
            '\\' => drop(chars.next()?),
            _ => {}
        }
    }
    Some(())
}

/// A bracket that comes first is one of the class.
fn skip_class(chars: &mut Chars<'_>) -> Option<()> {
    if chars.peek() == Some(&'^') {
        chars.next();
    }
    let mut is_first = true;
    loop {
        match chars.next()? {
            ']' if !is_first => return Some(()),
            '\\' => drop(chars.next()?),
            _ => {}
        }
        is_first = false;
    }
}

#[cfg(test)]
mod tests {
    use super::required;

    #[test]
    fn texts_that_have_to_be_there() {
        for (pattern, expected) in [
            (r".*\.pem$", &[".pem"][..]),
            (r"/opt/app/.*\.tmp", &["/opt/app/", ".tmp"]),
            (r".*/lib/.*(0|foo).*\.so$", &["/lib/", ".so"]),
            (r"(?!/usr/share).*\.key$", &[".key"]),
            (r".*/\.ssh/(id_rsa|[^]x]+)\.bak", &["/.ssh/", ".bak"]),
            (r".*(secret|token).*", &[]),
            (r"abc?", &["ab"]),
            (r"ab*", &["a"]),
            (r"xab+cd", &["xab", "bcd"]),
            (r"a|b", &[]),
            (r"a{2}", &[]),
            (r"(?i)abc", &[]),
            (r"abc(?i:d)", &[]),
            (r"(a(?x)b)c", &[]),
            (r"\x41bc", &[]),
            (r"(a)\1bc", &[]),
            (r"\d+abc\s", &["abc"]),
            (r"é.ab", &["é", "ab"]),
            (r"[)]abc", &["abc"]),
            (r"(\))abc", &["abc"]),
            (r".*", &[]),
            (r"", &[]),
            (r"ab(", &[]),
            (r"ab[", &[]),
            (r"ab\", &[]),
        ] {
            assert_eq!(required(pattern), expected, "{pattern}");
        }
    }
}
