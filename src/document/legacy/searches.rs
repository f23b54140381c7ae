//! `secret_search` and `content_search`: a file's matches under each of its
//! names, links included, as JSON `{base64(NAME=regex): [line, …]}`.

use std::collections::BTreeMap;

use inscan_analyzers::Fact;

use super::names::OddKeys;
use crate::analyze::Analysis;
use crate::flatten::ImageFs;
use crate::layer::EntryKind;

/// Matches of one analyzer, by key.
pub(super) fn matches(
    analysis: &Analysis<'_>,
    keys: &OddKeys<'_>,
    analyzer: &str,
) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let Some(number) = analysis.analyzers.iter().position(|one| one.name() == analyzer) else {
        return found;
    };
    let has_any = analysis
        .layers
        .iter()
        .any(|layer| layer.facts.values().flatten().any(|(by, _)| usize::from(*by) == number));
    if !has_any {
        return found;
    }
    keys.walk(&analysis.fs, |key, path, _| {
        let lines = lines(&analysis.fs, number, path);
        if !lines.is_empty() {
            let text = serde_json::to_string(&lines).expect("a map of texts is JSON");
            found.insert(key.to_owned(), text);
        }
    });
    found
}

/// Lines by expression, of the file that a path leads to.
fn lines(fs: &ImageFs<'_>, analyzer: usize, path: &[u8]) -> BTreeMap<String, Vec<u32>> {
    let mut lines: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    let content = fs.resolve(path).and_then(|file| file.content);
    let Some((at, _)) = content.filter(|(_, entry)| entry.kind == EntryKind::File) else {
        return lines;
    };
    let facts = fs.layers().get(at.layer as usize).and_then(|layer| layer.facts.get(&at.entry));
    for (_, facts) in facts.into_iter().flatten().filter(|(by, _)| usize::from(*by) == analyzer) {
        for fact in &facts.facts {
            if let Fact::Match(found) = fact {
                let of_expression = lines.entry(mime_base64(&found.expression)).or_default();
                of_expression.extend(&found.lines);
            }
        }
    }
    for of_expression in lines.values_mut() {
        of_expression.sort_unstable();
        of_expression.dedup();
    }
    lines
}

/// Base64 in lines of 76 characters, each with its line feed, as MIME has it.
fn mime_base64(text: &str) -> String {
    let mut lines = String::new();
    // 57 bytes are 76 digits.
    for chunk in text.as_bytes().chunks(57) {
        lines.push_str(&base64(chunk));
        lines.push('\n');
    }
    lines
}

pub(in crate::document) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            text.push(match digit <= chunk.len() {
                true => DIGITS[(bits >> (18 - 6 * digit) & 63) as usize] as char,
                false => '=',
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_has_lines_of_76_digits() {
        for (text, expected) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foo>?", "Zm9vPj8=")]
        {
            assert_eq!(base64(text.as_bytes()), expected);
        }
        assert_eq!(mime_base64("NOPASS=^root"), "Tk9QQVNTPV5yb290\n");
        let lengths: Vec<_> = mime_base64(&"x".repeat(100)).lines().map(str::len).collect();
        assert_eq!(lengths, [76, 60]);
    }
}
