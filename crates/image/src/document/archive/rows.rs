//! Rows of a long list on their way into another: a key and a text each, in a nameless temporary
//! file where they are many.

use std::collections::HashMap;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};

use tempfile::SpooledTempFile;

/// More than this goes to the temporary directory.
const IN_MEMORY: usize = 256 << 10;

pub(super) struct Rows {
    file: BufWriter<SpooledTempFile>,
    last: String,
    is_sorted: bool,
}

impl Rows {
    pub(super) fn new() -> Self {
        let file = BufWriter::with_capacity(1 << 16, SpooledTempFile::new(IN_MEMORY));
        Rows { file, last: String::new(), is_sorted: true }
    }

    pub(super) fn push(&mut self, key: &str, value: &str) -> io::Result<()> {
        self.is_sorted &= *self.last <= *key;
        self.last.clear();
        self.last.push_str(key);
        for text in [key, value] {
            let length = u32::try_from(text.len()).map_err(io::Error::other)?;
            self.file.write_all(&length.to_le_bytes())?;
            self.file.write_all(text.as_bytes())?;
        }
        Ok(())
    }

    fn into_reader(self) -> io::Result<Reader> {
        let mut file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        Ok(Reader { file: BufReader::with_capacity(1 << 16, file) })
    }

    /// Visits all rows, in the order they came in.
    pub(super) fn each<E: From<io::Error>>(
        self,
        mut visit: impl FnMut(&str, &str) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut reader = self.into_reader()?;
        while let Some((key, value)) = reader.next()? {
            visit(&key, &value)?;
        }
        Ok(())
    }

    /// Visits all rows, each with the row of the same key of another list.
    pub(super) fn each_with<E: From<io::Error>>(
        self,
        other: Rows,
        mut visit: impl FnMut(&str, &str, Option<&str>) -> Result<(), E>,
    ) -> Result<(), E> {
        let both_sorted = self.is_sorted && other.is_sorted;
        let (mut rows, mut other) = (self.into_reader()?, other.into_reader()?);
        if !both_sorted {
            // Only what others wrote is so: then the shorter list is held.
            let mut all = HashMap::new();
            while let Some((key, value)) = other.next()? {
                all.insert(key, value);
            }
            while let Some((key, value)) = rows.next()? {
                visit(&key, &value, all.get(&key).map(String::as_str))?;
            }
            return Ok(());
        }
        let mut next = other.next()?;
        while let Some((key, value)) = rows.next()? {
            while next.as_ref().is_some_and(|(other, _)| *other < key) {
                next = other.next()?;
            }
            let same = next.as_ref().filter(|(other, _)| *other == key);
            visit(&key, &value, same.map(|(_, value)| value.as_str()))?;
        }
        Ok(())
    }
}

struct Reader {
    file: BufReader<SpooledTempFile>,
}

impl Reader {
    fn next(&mut self) -> io::Result<Option<(String, String)>> {
        let Some(key) = self.text()? else { return Ok(None) };
        let value = self.text()?.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(Some((key, value)))
    }

    fn text(&mut self) -> io::Result<Option<String>> {
        let mut length = [0; 4];
        match self.file.read_exact(&mut length) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            other => other?,
        }
        let mut text = vec![0; u32::from_le_bytes(length) as usize];
        self.file.read_exact(&mut text)?;
        String::from_utf8(text).map(Some).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(list: &[(&str, &str)]) -> Rows {
        let mut rows = Rows::new();
        list.iter().for_each(|(key, value)| rows.push(key, value).unwrap());
        rows
    }

    fn joined(one: &[(&str, &str)], other: &[(&str, &str)]) -> Vec<String> {
        let mut all = Vec::new();
        let visit = |key: &str, value: &str, other: Option<&str>| {
            all.push(format!("{key} {value} {other:?}"));
            io::Result::Ok(())
        };
        rows(one).each_with(rows(other), visit).unwrap();
        all
    }

    #[test]
    fn rows_meet_those_of_the_same_key_in_any_order() {
        let files = [("a", "1"), ("b", "2"), ("d", "4")];
        let expected = ["a 1 Some(\"x\")", "b 2 None", "d 4 Some(\"z\")"];
        assert_eq!(joined(&files, &[("a", "x"), ("c", "y"), ("d", "z")]), expected);
        assert_eq!(joined(&files, &[("d", "z"), ("a", "x"), ("c", "y")]), expected);
        let long = "x".repeat(IN_MEMORY);
        let many: Vec<_> = ["a", "b", "c", "d"].iter().map(|key| (*key, long.as_str())).collect();
        assert_eq!(joined(&many, &many).len(), 4);
    }
}
