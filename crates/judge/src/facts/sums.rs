//! Checksums of files: the module `file_checksums`.

use std::borrow::Cow;
use std::cell::OnceCell;

use super::source::Source;
use super::{Lookup, Part, once_answer};

pub(super) fn has_sums(source: &Source<'_>, algorithm: &str) -> bool {
    match source {
        Source::Analysis(outputs) => outputs.has_digests(algorithm),
        _ => source.has(CHECKSUMS, &format!("files.{algorithm}sums")),
    }
}

const CHECKSUMS: &str = "file_checksums";

/// In place of the checksum of what has no content.
const NO_CHECKSUM: &str = "DIRECTORY_OR_OTHER";

/// Checksums by path, of each algorithm that a rule asked for.
#[derive(Default)]
pub(super) struct Sums<'a> {
    md5: Part<SumList<'a>>,
    sha1: Part<SumList<'a>>,
    sha256: Part<SumList<'a>>,
}

type SumList<'a> = Vec<(Cow<'a, str>, Box<str>)>;

impl<'a> Sums<'a> {
    pub(super) fn get(
        &self,
        source: &Source<'a>,
        algorithm: &str,
        path: &str,
    ) -> Lookup<Option<String>> {
        if !has_sums(source, algorithm) {
            let message = source.lacks(&format!("{algorithm} sums"));
            return Err(format!("{message}, or ask for another algorithm"));
        }
        if let Source::Analysis(outputs) = source {
            return Ok(outputs.digest(algorithm, path));
        }
        let part: &OnceCell<_> = match algorithm {
            "md5" => &self.md5,
            "sha1" => &self.sha1,
            "sha256" => &self.sha256,
            other => return Err(format!("there are no `{other}` sums in documents")),
        };
        let output = format!("files.{algorithm}sums");
        let sums = once_answer(part, || {
            let mut sums = Vec::new();
            source.each(CHECKSUMS, &output, &mut |key, value| {
                sums.push((key, value.into()));
                Ok(())
            })?;
            sort(&mut sums, |(path, _)| path);
            Ok(sums)
        })?;
        let at = sums.binary_search_by(|(known, _): &(Cow<'_, str>, _)| (**known).cmp(path));
        let sum = at.ok().and_then(|at| sums.get(at)).map(|(_, sum)| &**sum);
        Ok(sum.filter(|sum| *sum != NO_CHECKSUM).map(str::to_owned))
    }
}

/// By key, which they mostly are already. Of one key the last counts, as in any JSON object.
fn sort<T>(rows: &mut Vec<T>, key: impl Fn(&T) -> &str) {
    if rows.is_sorted_by(|a, b| key(a) < key(b)) {
        return;
    }
    rows.reverse();
    rows.sort_by(|a, b| key(a).cmp(key(b)));
    rows.dedup_by(|later, first| key(later) == key(first));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_one_key_the_last_counts() {
        let mut rows = vec![("b", 1), ("a", 2), ("b", 3)];
        sort(&mut rows, |row| row.0);
        assert_eq!(rows, [("a", 2), ("b", 3)]);
    }
}
