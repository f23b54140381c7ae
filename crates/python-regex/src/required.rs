//! Texts that are in everything a pattern matches: where they are in a hundred
//! thousand paths is found many times faster than what the pattern matches.

use crate::tree::{Case, Node};

/// Such texts, the longest first. What stands in groups is not looked at.
pub(crate) fn required(pattern: &Node) -> Vec<String> {
    let Node::Sequence(nodes) = pattern else { return Vec::new() };
    let mut runs = vec![String::new()];
    for node in nodes {
        match (node, runs.last_mut()) {
            (Node::Char(char, Case::Matters), Some(run)) => run.push(*char),
            // It is there, and perhaps again.
            (Node::Repeat { node, least: 1.., .. }, Some(run)) => {
                if let Node::Char(char, Case::Matters) = **node {
                    run.push(char);
                    runs.push(char.to_string());
                } else {
                    runs.push(String::new());
                }
            }
            _ => runs.push(String::new()),
        }
    }
    runs.retain(|run| !run.is_empty());
    runs.sort_by_key(|run| std::cmp::Reverse(run.len()));
    runs
}

#[cfg(test)]
mod tests {
    use super::required;
    use crate::Kind;
    use crate::parse::parse;

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
            (r"xab{0,2}cd", &["xa", "cd"]),
            (r"a{2}b", &["ab", "a"]),
            (r"(a)+bc", &["bc"]),
            (r"a|b", &[]),
            (r"(?i)a[bc]\.d", &["."]),
            (r"abc(?i:d)", &["abc"]),
            (r"(a(?x)b) c d", &["cd"]),
            (r"\x41bc", &["Abc"]),
            (r"(a)\1bc", &["bc"]),
            (r"\d+abc\s", &["abc"]),
            (r"é.ab", &["é", "ab"]),
            (r"[)]abc", &["abc"]),
            (r"(\))abc", &["abc"]),
            (r".*", &[]),
            (r"", &[]),
        ] {
            assert_eq!(required(&parse(pattern, Kind::Text).unwrap()), expected, "{pattern}");
        }
    }
}
