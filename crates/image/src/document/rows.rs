//! Rows of the long lists, one for each name in the image: made into JSON on all cores, a
//! batch at a time, while the batch before is written.

use std::ops::Range;

use rayon::prelude::*;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::flatten::File;
use crate::threads::Threads;

/// Rows of one batch: about a quarter of a megabyte of JSON.
const BATCH: usize = 512;

/// What rows are made from.
#[derive(Default)]
struct Batch<'a> {
    /// All keys and paths, one after another.
    keys: String,
    paths: Vec<u8>,
    files: Vec<(Range<usize>, Range<usize>, File<'a>)>,
}

impl<'a> Batch<'a> {
    fn push(&mut self, key: &str, path: &[u8], file: File<'a>) {
        let (key_start, path_start) = (self.keys.len(), self.paths.len());
        self.keys.push_str(key);
        self.paths.extend_from_slice(path);
        self.files.push((key_start..self.keys.len(), path_start..self.paths.len(), file));
    }

    fn clear(&mut self) {
        self.keys.clear();
        self.paths.clear();
        self.files.clear();
    }
}

/// A batch, and what was made of it. A row that is not to be is `None`.
#[derive(Default)]
struct Made<'a> {
    batch: Batch<'a>,
    rows: Vec<Option<Box<RawValue>>>,
}

/// Writes a row for each name that `walk` visits with its key (which lists have none of),
/// in that order. The first error is the end of it.
pub(super) fn write<'a, T: Serialize, E>(
    threads: &Threads,
    walk: impl FnOnce(&mut dyn FnMut(&str, &[u8], File<'a>)),
    make: impl Fn(&[u8], &File<'a>) -> Option<T> + Sync,
    mut write: impl FnMut(&str, &RawValue) -> Result<(), E>,
) -> Result<(), E> {
    let make = |path: &[u8], file: &File<'a>| {
        // Neither can there be a key that is no text, nor a writer that fails.
        make(path, file).and_then(|row| to_raw_value(&row).ok())
    };
    let mut collecting = Batch::default();
    let mut made = Made::default();
    let mut outcome = Ok(());
    // Makes rows of what is collected, and meanwhile writes those that are made.
    let mut turn = |collecting: &mut Batch<'a>| {
        let mut next = Made::default();
        std::mem::swap(&mut next.batch, collecting);
        threads.scope(|scope| {
            let Made { batch, rows } = &mut next;
            let (batch, make) = (&*batch, &make);
            scope.spawn(move |_| {
                let files = batch.files.par_iter();
                let row = |(_, path, file): &(_, Range<usize>, File<'a>)| {
                    make(&batch.paths[path.clone()], file)
                };
                *rows = files.with_min_len(64).map(row).collect();
            });
            outcome = made.batch.files.iter().zip(&made.rows).try_for_each(|((key, ..), row)| {
                row.iter().try_for_each(|row| write(&made.batch.keys[key.clone()], row))
            });
        });
        std::mem::swap(&mut made, &mut next);
        // The buffers of what is written serve again.
        *collecting = next.batch;
        collecting.clear();
        outcome.is_ok()
    };
    let mut goes_on = true;
    walk(&mut |key, path, file| {
        if goes_on {
            collecting.push(key, path, file);
            goes_on = collecting.files.len() < BATCH || turn(&mut collecting);
        }
    });
    // Once for what is collected, once to write it.
    let _ = goes_on && turn(&mut collecting) && turn(&mut collecting);
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flatten::flatten;
    use crate::layer::LayerScan;

    /// Rows of so many files, of which every third is left out.
    fn written(files: usize, fail_at: Option<usize>) -> Result<Vec<String>, usize> {
        let mut layer = LayerScan::default();
        (0..files).for_each(|number| layer.push_file(&format!("{number:05}"), 0o644, 1, 0));
        let layers = [layer];
        let fs = flatten(&layers);
        let mut lines = Vec::new();
        let make = |path: &[u8], _: &File<'_>| {
            let number: usize = std::str::from_utf8(path).unwrap().parse().unwrap();
            (!number.is_multiple_of(3)).then_some(number)
        };
        let key = |path: &[u8]| format!("/{}", path.escape_ascii());
        write(
            &Threads::default(),
            |visit| fs.walk(|path, file| visit(&key(path), path, file)),
            make,
            |key, row| {
                if Some(lines.len()) == fail_at {
                    return Err(lines.len());
                }
                lines.push(format!("{key} {row}"));
                Ok(())
            },
        )?;
        Ok(lines)
    }

    #[test]
    fn rows_are_written_in_order_whatever_the_batches() {
        for files in [0, 1, 2, BATCH - 1, BATCH, BATCH + 1, 3 * BATCH + 7] {
            let expected = (0..files).filter(|number| !number.is_multiple_of(3));
            let expected: Vec<_> =
                expected.map(|number| format!("/{number:05} {number}")).collect();
            assert_eq!(written(files, None).unwrap(), expected);
        }
    }

    #[test]
    fn the_first_error_is_the_end() {
        for at in [0, 100, 2 * BATCH - 5] {
            assert_eq!(written(4 * BATCH, Some(at)), Err(at));
        }
    }
}
