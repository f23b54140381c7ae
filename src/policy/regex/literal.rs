//! A text that is in everything a pattern matches: where it is in a hundred
//! thousand paths is found a hundred times faster than what the pattern matches.

/// The longest such text, of a pattern in Python's dialect; `None` where there is none, or it is
/// not easily seen. What stands in groups, in classes and before a quantifier is not looked at.
pub(super) fn required(pattern: &str) -> Option<String> {
    let mut best = String::new();
    let mut run = String::new();
    let mut chars = pattern.chars().peekable();
    let mut end_run = |run: &mut String| {
        if run.len() > best.len() {
            best.clone_from(run);
        }
        run.clear();
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
    (!best.is_empty()).then_some(best)
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
    fn the_longest_text_that_has_to_be_there() {
        for (pattern, expected) in [
            (r".*\.pem$", Some(".pem")),
            (r"/opt/app/.*\.tmp", Some("/opt/app/")),
            (r".*id_rsa.*", Some("id_rsa")),
            (r"(?!/usr/share).*\.key$", Some(".key")),
            (r".*/\.ssh/(id_rsa|[^]x]+)\.bak", Some("/.ssh/")),
            (r".*(secret|token).*", None),
            (r"abc?", Some("ab")),
            (r"ab*", Some("a")),
            (r"xab+cd", Some("xab")),
            (r"a+bcd", Some("abcd")),
            (r"a|b", None),
            (r"a{2}", None),
            (r"(?i)abc", None),
            (r"abc(?i:d)", None),
            (r"(a(?x)b)c", None),
            (r"\x41bc", None),
            (r"(a)\1bc", None),
            (r"\d+abc\s", Some("abc")),
            (r"é.ab", Some("é")),
            (r"[)]abc", Some("abc")),
            (r"(\))abc", Some("abc")),
            (r".*", None),
            (r"", None),
            (r"ab(", None),
            (r"ab[", None),
            (r"ab\", None),
        ] {
            assert_eq!(required(pattern).as_deref(), expected, "{pattern}");
        }
    }
}
