//! How much one record may say of files: a directory is named once and used by many
//! of them, so a small record could otherwise say very much.

use bstr::BString;

use crate::Facts;

/// The largest packages have some ten thousand.
const MAX_FILES: usize = 1_000_000;
const MAX_TEXT: usize = 256 << 20;
/// Times its length, with room for the shortest ones: real records say less than this.
const MAX_GROWTH: usize = 16;
const ROOM: usize = 1 << 20;

pub(crate) struct Allowance {
    files: usize,
    text: usize,
    refused: usize,
}

impl Allowance {
    pub(crate) fn of_record(len: usize) -> Self {
        let text = len.saturating_mul(MAX_GROWTH).saturating_add(ROOM).min(MAX_TEXT);
        Allowance { files: MAX_FILES, text, refused: 0 }
    }

    /// Whether a file with a path of so many bytes may be stated. Once one may not,
    /// no other may.
    pub(crate) fn admits(&mut self, path_len: usize) -> bool {
        match self.files.checked_sub(1).zip(self.text.checked_sub(path_len)) {
            Some((files, text)) => (self.files, self.text) = (files, text),
            None => {
                self.files = 0;
                self.refused += 1;
            }
        }
        self.refused == 0
    }

    pub(crate) fn report(self, location: impl Into<BString>, out: &mut Facts) {
        if self.refused > 0 {
            let refused = self.refused;
            let message = format!("too many files, or too long paths: {refused} are left out");
            out.problem_at(location, message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_says_little_more_than_its_length() {
        let mut allowance = Allowance::of_record(10);
        assert!(allowance.admits(ROOM));
        assert!(allowance.admits(10 * MAX_GROWTH));
        assert!(!allowance.admits(1));
        assert!(!allowance.admits(0));
        let mut out = Facts::default();
        allowance.report("file", &mut out);
        let expected = "too many files, or too long paths: 2 are left out";
        assert_eq!(out.problems[0].message, expected);
    }

    #[test]
    fn the_number_of_files_is_bounded() {
        let mut allowance = Allowance::of_record(usize::MAX);
        assert_eq!((0..MAX_FILES + 5).filter(|_| allowance.admits(1)).count(), MAX_FILES);
    }
}
