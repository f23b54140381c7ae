//! Paragraphs of `Name: value` lines, as dpkg and opkg keep their databases.
//!
//! A blank line ends a paragraph; a line that begins with a blank continues the
//! value above it. <https://www.debian.org/doc/debian-policy/ch-controlfields.html>

use std::ops::Range;

use bstr::ByteSlice;

/// A paragraph of a database has some thirty fields. More than this is not a
/// database, and would cost many times its size in memory.
const MAX_FIELDS: usize = 1000;

/// One paragraph.
#[derive(Debug)]
pub(crate) struct Paragraph<'a> {
    /// The number of its first line, from 1.
    pub(crate) line: usize,
    /// The number of the first line that is neither a field nor a continuation.
    pub(crate) broken: Option<usize>,
    text: &'a [u8],
    /// Names, and where in the text their values are, continuation lines included.
    fields: Vec<(&'a [u8], Range<usize>)>,
}

impl<'a> Paragraph<'a> {
    /// The first line of a field's value, trimmed; `None` where that is empty.
    /// Names of fields ignore case. The last of two fields of one name counts, as in dpkg.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        let first = self.value(name)?.lines().next()?.trim();
        (!first.is_empty()).then(|| first.to_str_lossy().into_owned())
    }

    /// The continuation lines of a field, trimmed.
    pub(crate) fn lines(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.value(name).unwrap_or_default().lines().skip(1).map(ByteSlice::trim)
    }

    /// The first of these fields that the paragraph has twice: dpkg refuses such a one, and others
    /// take this value or that.
    pub(crate) fn repeated<'n>(&self, names: &[&'n str]) -> Option<&'n str> {
        let count = |name: &str| {
            let has_name = |(field, _): &&(&[u8], _)| field.eq_ignore_ascii_case(name.as_bytes());
            self.fields.iter().filter(has_name).count()
        };
        names.iter().copied().find(|name| count(name) > 1)
    }

    fn value(&self, name: &str) -> Option<&'a [u8]> {
        let has_name = |field: &[u8]| field.eq_ignore_ascii_case(name.as_bytes());
        let (_, value) = self.fields.iter().rev().find(|(field, _)| has_name(field))?;
        self.text.get(value.clone())
    }

    /// False if the line is not understood, or there are too many fields.
    fn add(&mut self, line: Range<usize>) -> bool {
        let bytes = &self.text[line.clone()];
        if matches!(bytes.first(), Some(b' ' | b'\t')) {
            let Some((_, value)) = self.fields.last_mut() else { return false };
            value.end = line.end;
            return true;
        }
        let Some(colon) = bytes.find_byte(b':').filter(|&colon| colon > 0) else { return false };
        if self.fields.len() == MAX_FIELDS {
            return false;
        }
        self.fields.push((bytes[..colon].trim(), line.start + colon + 1..line.end));
        true
    }
}

/// The paragraphs of a text, in order. Works on any bytes.
pub(crate) fn paragraphs(text: &[u8]) -> impl Iterator<Item = Paragraph<'_>> {
    let mut start = 0;
    let mut number = 0;
    std::iter::from_fn(move || {
        let mut paragraph: Option<Paragraph> = None;
        while start < text.len() {
            let rest = &text[start..];
            let line = start..start + rest.find_byte(b'\n').map_or(rest.len(), |end| end + 1);
            start = line.end;
            number += 1;
            if text[line.clone()].trim().is_empty() {
                if paragraph.is_some() {
                    break;
                }
                continue;
            }
            let current = paragraph.get_or_insert_with(|| Paragraph {
                line: number,
                broken: None,
                text,
                fields: Vec::new(),
            });
            if !current.add(line) {
                current.broken.get_or_insert(number);
            }
        }
        paragraph
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<(usize, Option<String>, Option<usize>)> {
        paragraphs(text.as_bytes()).map(|p| (p.line, p.get("package"), p.broken)).collect()
    }

    #[test]
    fn blank_lines_part_paragraphs_however_many() {
        let text = "\n\nPackage: a\r\n\r\n \n\nPackage:b\nVersion: 1";
        let expected = [(3, Some("a".into()), None), (7, Some("b".into()), None)];
        assert_eq!(names(text), expected);
    }

    #[test]
    fn a_value_goes_on_over_lines_that_begin_with_a_blank() {
        let text = b"Conffiles:\n /etc/a 1\n\t/etc/b 2\nPackage: a\n more\n";
        let paragraph = paragraphs(text).next().unwrap();
        assert_eq!(paragraph.lines("conffiles").collect::<Vec<_>>(), [b"/etc/a 1", b"/etc/b 2"]);
        assert_eq!(paragraph.get("Package").as_deref(), Some("a"));
        assert_eq!(paragraph.get("Conffiles"), None);
    }

    #[test]
    fn what_is_no_field_is_reported_and_skipped() {
        assert_eq!(names(" x\nPackage: a\nasdf\n:b\n"), [(1, Some("a".into()), Some(1))]);
        assert_eq!(names("asdf\n\nyolo\n"), [(1, None, Some(1)), (3, None, Some(3))]);
    }

    #[test]
    fn a_paragraph_without_end_is_cut() {
        let text = "a:\n".repeat(MAX_FIELDS + 7);
        assert_eq!(names(&text), [(1, None, Some(MAX_FIELDS + 1))]);
    }
}
