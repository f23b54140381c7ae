//! How many files one record may list, and how long their paths may be together: a
//! record names a directory once for many files, so a small record could otherwise
//! grow to fill the memory.

use bstr::BString;

use crate::Facts;

/// The largest packages have some ten thousand.
const MAX_FILES: usize = 1_000_000;
/// Bytes of all paths together.
const MAX_TEXT: usize = 256 << 20;
/// Bytes of paths for each byte of the record. Real records stay below this, if
/// even the shortest may have [`MIN_TEXT`].
const MAX_GROWTH: usize = 16;
const MIN_TEXT: usize = 1 << 20;

/// What is left for one record: files, and bytes of their paths.
pub(crate) struct Allowance {
    files: usize,
    text: usize,
    refused: usize,
}

impl Allowance {
    /// For a record of `len` bytes.
    pub(crate) fn of_record(len: usize) -> Self {
        let text = len.saturating_mul(MAX_GROWTH).saturating_add(MIN_TEXT).min(MAX_TEXT);
        Allowance { files: MAX_FILES, text, refused: 0 }
    }

    /// True if a file with a path of so many bytes may be stated, and there is memory for it. After
    /// the first refusal every file is refused.
    pub(crate) fn admits(&mut self, path_len: usize, out: &mut Facts) -> bool {
        if self.refused == 0 && !out.hold_file(path_len) {
            self.files = 0;
        }
        match self.files.checked_sub(1).zip(self.text.checked_sub(path_len)) {
            Some((files, text)) => (self.files, self.text) = (files, text),
            None => {
                self.files = 0;
                self.refused += 1;
            }
        }
        self.refused == 0
    }

    /// Makes a problem of the refused files, if there are any.
    pub(crate) fn report(self, location: impl Into<BString>, out: &mut Facts) {
        if self.refused > 0 {
            let refused = self.refused;
            let message = format!("too many files or too long paths: {refused} files are skipped");
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
        let mut out = Facts::default();
        assert!(allowance.admits(MIN_TEXT, &mut out));
        assert!(allowance.admits(10 * MAX_GROWTH, &mut out));
        assert!(!allowance.admits(1, &mut out));
        assert!(!allowance.admits(0, &mut out));
        allowance.report("file", &mut out);
        let expected = "too many files or too long paths: 2 files are skipped";
        assert_eq!(out.problems[0].message, expected);
    }

    #[test]
    fn the_number_of_files_is_bounded() {
        let mut allowance = Allowance::of_record(usize::MAX);
        let mut out = Facts::default();
        let admitted = (0..MAX_FILES + 5).filter(|_| allowance.admits(1, &mut out));
        assert_eq!(admitted.count(), MAX_FILES);
    }
}
