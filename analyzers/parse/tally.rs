//! Counts problems by kind: a broken database gives one problem of each kind, not
//! one for each of its million lines.

use std::collections::BTreeMap;

use bstr::BString;

use crate::Facts;
use crate::problem::MALFORMED;

/// By kind: the first line, and how many there are.
#[derive(Debug, Default)]
pub(crate) struct Tally(BTreeMap<&'static str, (usize, usize)>);

impl Tally {
    /// `line` counts from 1.
    pub(crate) fn add(&mut self, what: &'static str, line: usize) {
        self.0.entry(what).or_insert((line, 0)).1 += 1;
    }

    /// Makes one problem of each kind.
    pub(crate) fn report(self, path: impl Into<BString>, out: &mut Facts) {
        let path = path.into();
        for message in self.messages() {
            out.problem_at(path.clone(), message);
        }
    }

    /// The same of a package database: what was not understood may be a package.
    pub(crate) fn report_hidden(self, path: impl Into<BString>, out: &mut Facts) {
        let path = path.into();
        for message in self.messages() {
            out.hidden(path.clone(), MALFORMED, message);
        }
    }

    fn messages(self) -> impl Iterator<Item = String> {
        self.0.into_iter().map(|(what, (line, count))| match count {
            0 | 1 => format!("line {line}: {what}"),
            _ => format!("line {line}: {what} (and {} more)", count - 1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_each_kind_once_with_its_first_line() {
        let mut tally = Tally::default();
        [("b", 7), ("a", 8), ("b", 9), ("b", 10)].into_iter().for_each(|(w, l)| tally.add(w, l));
        let mut out = Facts::default();
        tally.report("file", &mut out);
        let messages: Vec<_> =
            out.problems.iter().map(|problem| problem.message.as_str()).collect();
        assert_eq!(messages, ["line 8: a", "line 7: b (and 2 more)"]);
    }
}
