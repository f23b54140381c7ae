//! A version in its normal form, as setuptools shows it.
//! <https://packaging.python.org/en/latest/specifications/version-specifiers/#normalization>

/// The normal form. In a version of another scheme, each run of other characters becomes
/// one hyphen.
pub(super) fn safe(version: &str) -> String {
    normal(version).unwrap_or_else(|| hyphened(&version.replace(' ', ".")))
}

/// Letters, digits and dots; each run of anything else becomes one hyphen.
pub(super) fn hyphened(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii_alphanumeric() || character == '.' {
            result.push(character);
        } else if !result.ends_with('-') {
            result.push('-');
        }
    }
    result
}

fn normal(version: &str) -> Option<String> {
    let version = version.trim().to_ascii_lowercase();
    let (public, local) = match version.split_once('+') {
        Some((public, local)) => (public, Some(local)),
        None => (version.as_str(), None),
    };
    let mut rest = public.strip_prefix('v').unwrap_or(public);
    let mut result = String::new();
    if let Some((epoch, after)) = rest.split_once('!') {
        result = number(epoch)?;
        result = if result == "0" { String::new() } else { result + "!" };
        rest = after;
    }
    result.push_str(&number_in_front(&mut rest)?);
    while let Some(mut after) = rest.strip_prefix('.') {
        let Some(part) = number_in_front(&mut after) else { break };
        result.push('.');
        result.push_str(&part);
        rest = after;
    }
    const PRE: [(&str, &str); 8] = [
        ("alpha", "a"),
        ("beta", "b"),
        ("preview", "rc"),
        ("pre", "rc"),
        ("rc", "rc"),
        ("a", "a"),
        ("b", "b"),
        ("c", "rc"),
    ];
    const POST: [(&str, &str); 3] = [("post", ".post"), ("rev", ".post"), ("r", ".post")];
    rest = labelled(rest, &PRE, &mut result);
    let implicit = rest.strip_prefix('-').and_then(|mut after| {
        let post = number_in_front(&mut after)?;
        Some((post, after))
    });
    match implicit {
        Some((post, after)) => {
            result.push_str(".post");
            result.push_str(&post);
            rest = after;
        }
        None => rest = labelled(rest, &POST, &mut result),
    }
    rest = labelled(rest, &[("dev", ".dev")], &mut result);
    if !rest.is_empty() {
        return None;
    }
    if let Some(local) = local {
        result.push('+');
        result.push_str(&normal_local(local)?);
    }
    Some(result)
}

/// One labelled part (`-alpha.1`), written in its normal form; what is left of the text.
fn labelled<'a>(text: &'a str, labels: &[(&str, &str)], result: &mut String) -> &'a str {
    let after_separator = text.strip_prefix(['-', '_', '.']).unwrap_or(text);
    for (label, normal) in labels {
        let Some(after) = after_separator.strip_prefix(label) else { continue };
        let mut digits = after.strip_prefix(['-', '_', '.']).unwrap_or(after);
        result.push_str(normal);
        return match number_in_front(&mut digits) {
            Some(number) => {
                result.push_str(&number);
                digits
            }
            None => {
                result.push('0');
                after
            }
        };
    }
    text
}

fn normal_local(local: &str) -> Option<String> {
    let parts = local.split(['-', '_', '.']).map(|part| {
        let is_word = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_word.then(|| number(part).unwrap_or_else(|| part.to_owned()))
    });
    parts.collect::<Option<Vec<_>>>().map(|parts| parts.join("."))
}

fn number_in_front(text: &mut &str) -> Option<String> {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let result = number(&text[..end])?;
    *text = &text[end..];
    Some(result)
}

/// Digits without leading zeros.
fn number(digits: &str) -> Option<String> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let trimmed = digits.trim_start_matches('0');
    Some(if trimmed.is_empty() { "0".into() } else { trimmed.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_take_their_normal_form() {
        for (version, expected) in [
            ("1.0", "1.0"),
            ("01.00", "1.0"),
            (" v1.0\n", "1.0"),
            ("1.0-1", "1.0.post1"),
            ("1.0.Alpha_2", "1.0a2"),
            ("1.0-preview", "1.0rc0"),
            ("1.0.c1.rev3-dev", "1.0rc1.post3.dev0"),
            ("1!1.0", "1!1.0"),
            ("0!1.0", "1.0"),
            ("1.0+Ubuntu-01", "1.0+ubuntu.1"),
            ("0.0.dev1", "0.0.dev1"),
            ("not-a-version", "not-a-version"),
            ("1.0_2 (x)", "1.0-2.-x-"),
            ("1.0+", "1.0-"),
            ("", ""),
        ] {
            assert_eq!(safe(version), expected, "{version:?}");
        }
    }
}
