//! Comparisons that several gates offer, by the words that rules have for them.

use std::cmp::Ordering;

use inscan_python_regex::{PatternError, text::Pattern};

pub(super) const ORDERS: &[&str] = &["=", "!=", "<", "<=", ">", ">="];

pub(super) fn order_holds(check: &str, order: Ordering) -> bool {
    match check {
        "=" => order.is_eq(),
        "!=" => order.is_ne(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        ">=" => order.is_ge(),
        _ => false,
    }
}

pub(super) const TEXTS: &[&str] = &["=", "!=", "like", "not_like", "in", "not_in"];

/// `like` is a regular expression that matches at the start, `in` a list between commas.
pub(super) fn text_holds(check: &str, text: &str, value: &str) -> Result<bool, PatternError> {
    let like = || Pattern::new(value)?.is_match_at_start(text);
    let is_in = || value.split(',').any(|item| item.trim() == text);
    Ok(match check {
        "=" => text == value,
        "!=" => text != value,
        "like" => like()?,
        "not_like" => !like()?,
        "in" => is_in(),
        "not_in" => !is_in(),
        _ => false,
    })
}

/// Types of packages in the words of the engine and its later versions, beside those of package
/// URLs; `os` and `non-os` are many, `all` and nothing are any.
pub(super) fn is_of_type(kind: &str, is_of_os: bool, word: &str) -> bool {
    let known = match &*word.trim().to_lowercase() {
        "" | "all" => return true,
        "os" => return is_of_os,
        "non-os" => return !is_of_os,
        "apkg" => "apk",
        "dpkg" => "deb",
        "python" => "pypi",
        "java" | "java-archive" | "jar" => "maven",
        "go" | "go-module" => "golang",
        "ruby" => "gem",
        "binary" => "generic",
        "rust" | "rust-crate" => "cargo",
        "php" => "composer",
        other => return kind == other,
    };
    kind == known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_compared_by_word() {
        for (check, text, value, expected) in [
            ("=", "a", "a", true),
            ("!=", "a", "a", false),
            ("like", "abc", "ab", true),
            ("like", "abc", "bc", false),
            ("not_like", "abc", "bc", true),
            ("in", "b", "a, b", true),
            ("not_in", "b", "a, b", false),
        ] {
            assert_eq!(text_holds(check, text, value), Ok(expected), "{text} {check} {value}");
        }
        assert!(text_holds("like", "a", "(").is_err());
    }

    #[test]
    fn types_have_several_names() {
        for (kind, is_of_os, word, expected) in [
            ("deb", true, "dpkg", true),
            ("deb", true, "deb", true),
            ("apk", true, "APKG", true),
            ("rpm", true, "os", true),
            ("rpm", true, "non-os", false),
            ("maven", false, "java", true),
            ("pypi", false, "Python", true),
            ("npm", false, "all", true),
            ("npm", false, "gem", false),
        ] {
            assert_eq!(is_of_type(kind, is_of_os, word), expected, "{kind} {word}");
        }
    }
}
