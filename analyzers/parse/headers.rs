//! Header blocks, as mail has them: `Name: value` lines, where a line that
//! begins with a blank continues the one before. Python's `METADATA`, R's
//! `DESCRIPTION` and GHC's package configurations are written so.

/// The fields of one block. Holds slices of the text only, so that a hostile
/// block costs no more than its own length.
pub(crate) struct Headers<'a> {
    fields: Vec<(&'a str, &'a str)>,
}

impl<'a> Headers<'a> {
    /// Reads up to the first empty line; the body after it is no field. A line
    /// that is neither a field nor a continuation is skipped.
    pub(crate) fn parse(text: &'a str) -> Self {
        let mut fields: Vec<(&str, &str)> = Vec::new();
        // Where the value of the last field begins.
        let mut open: Option<usize> = None;
        let mut offset = 0;
        for line in text.split_inclusive('\n') {
            let end = offset + line.len();
            if line.trim_end_matches(['\r', '\n']).is_empty() {
                break;
            }
            if line.starts_with([' ', '\t']) {
                if let (Some(begin), Some(last)) = (open, fields.last_mut()) {
                    last.1 = &text[begin..end];
                }
            } else if let Some((name, value)) = line.split_once(':') {
                let begin = end - value.len();
                open = Some(begin);
                fields.push((name.trim_end(), &text[begin..end]));
            } else {
                open = None;
            }
            offset = end;
        }
        Headers { fields }
    }

    /// The first value of a name (whose case does not matter), blanks around it
    /// trimmed. Line breaks inside are kept. `None` where it is absent or empty.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        self.all(name).find(|value| !value.is_empty())
    }

    /// All values of a name, in order.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.fields
            .iter()
            .filter(move |(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, name: &str, expected: &[&str]) {
        assert_eq!(Headers::parse(text).all(name).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn names_ignore_case_and_values_are_trimmed() {
        check("name:  a \r\nVersion: 1\n", "Name", &["a"]);
    }

    #[test]
    fn indented_lines_continue_the_value() {
        check("A: one\n  two\n\tthree\nB: 1\n", "a", &["one\n  two\n\tthree"]);
    }

    #[test]
    fn the_body_is_no_header() {
        check("A: 1\n\nA: 2\n", "A", &["1"]);
    }

    #[test]
    fn a_line_that_is_no_field_ends_the_value_and_is_skipped() {
        check("A: 1\nnonsense\n more\nA: 2", "A", &["1", "2"]);
    }
}
