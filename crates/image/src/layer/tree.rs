//! A root file system on disk, read as if it were an image of one layer: the
//! same work on every file as in a layer's pass.

use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, Result};
use inscan_analyzers::START_LEN;
use inscan_analyzers::problem::UNREADABLE;

use super::remarks::{Remarks, TOO_MANY_HOLES, shown};
use super::scan::{EntryKind, LayerScan, NONE, New};
use super::screen::Screen;
use super::segment::{Part, Pass, Piece, Progressing, Segment, Whole};
use super::{SEGMENT, SMALL};
use crate::progress::Progress;
use crate::source::{Content, DirEntry, walk};
use inscan_facts::digest::Sha256;

/// Reads everything below `root`. The scan's diff id is the digest of the tree
/// as `tree_digest` has it, since there is no tar.
///
/// # Errors
/// The tree cannot be read, or has too many files.
pub fn read_tree(
    root: &Path,
    pass: &Pass<'_>,
    one_file_system: bool,
    progress: &dyn Progress,
) -> Result<LayerScan> {
    progress.reading_begins(1, None);
    progress.layer_begins(0, 1, None);
    let mut tree = Tree {
        progressing: Progressing::new(pass),
        segment: Segment::default(),
        remarks: Remarks::default(),
        screen: Screen::new(pass.malware.as_ref()),
        screened: Ok(()),
        stored: 0,
    };
    let problems = walk(root, one_file_system, &mut |entry| {
        let size = entry.size;
        tree.take(entry)?;
        progress.layer_advances(0, size);
        Ok(())
    })?;
    tree.flush();
    tree.screened.context("could not look for malware")?;
    tree.remarks.finish(&mut tree.progressing.scan);
    let mut scan = tree.progressing.finish();
    tree.screen.finish(&mut scan)?;
    scan.problems.extend(problems);
    scan.diff_id = tree_digest(&scan);
    progress.layer_ends(0);
    Ok(scan)
}

/// Digest of names, kinds, modes, owners, sizes, links and contents: one line for each entry.
fn tree_digest(scan: &LayerScan) -> inscan_facts::digest::Digest {
    let mut sha256 = Sha256::new();
    for entry in &scan.entries {
        let content = scan.digests(entry).map(|digests| digests.sha256).unwrap_or_default();
        let facts = format!(
            "\0{:?} {:o} {} {} {} ",
            entry.kind, entry.mode, entry.uid, entry.gid, entry.size
        );
        for piece in [scan.path(entry), facts.as_bytes(), scan.link(entry), b"\0", &content] {
            sha256.update(piece);
        }
    }
    sha256.finish()
}

struct Tree<'a> {
    progressing: Progressing<'a>,
    segment: Segment,
    remarks: Remarks,
    screen: Screen<'a>,
    /// How sending to the malware scanner went.
    screened: Result<()>,
    /// Bytes of the files, without holes.
    stored: u64,
}

impl Tree<'_> {
    fn take(&mut self, entry: DirEntry) -> Result<()> {
        let DirEntry { path, kind, mode, uid, gid, size, link, capability, content } = entry;
        let new = New {
            path: &path,
            link: &link,
            kind,
            mode,
            uid,
            gid,
            size,
            has_content: content.is_some(),
        };
        let scan = &mut self.progressing.scan;
        let id = scan.add(&new).context("too many files, or names too long, for one image")?;
        scan.capabilities.extend(capability.map(|capability| (id, capability)));
        let (EntryKind::File, Some(content)) = (kind, content) else { return Ok(()) };
        let holes = if size > SMALL { content.holes() } else { 0 };
        self.stored += size.saturating_sub(holes);
        self.progressing.count_found(self.stored)?;
        if holes > 0 && !self.progressing.take_holes(holes) {
            let scan = &mut self.progressing.scan;
            scan.entries[id as usize].digests = NONE;
            let place = format!("`{}`", shown(&path));
            self.remarks.too_many_holes(scan, &place, size, holes);
            self.progressing.skip(id, TOO_MANY_HOLES);
            return Ok(());
        }
        let outcome = match size <= SMALL {
            true => self.small(id, size, content),
            false => self.large(id, content),
        };
        if let Err(error) = outcome {
            let scan = &mut self.progressing.scan;
            scan.entries[id as usize].digests = NONE;
            scan.hidden(Some(&path), UNREADABLE, format!("could not be read: {error}"));
        }
        if self.segment.end >= SEGMENT {
            self.flush();
        }
        std::mem::replace(&mut self.screened, Ok(())).context("could not look for malware")
    }

    fn small(&mut self, entry: u32, size: u64, mut content: Content) -> io::Result<()> {
        let count = read_full(&mut content, self.segment.room(size as usize))?;
        let start = self.segment.end;
        self.segment.end += count;
        self.segment.whole.push(Whole { entry, content: start..self.segment.end });
        Ok(())
    }

    fn large(&mut self, entry: u32, mut content: Content) -> io::Result<()> {
        self.flush();
        let mut large = None;
        loop {
            let segment = &mut self.segment;
            let count = read_full(&mut content, segment.room(SEGMENT))?;
            segment.end = count;
            let large = *large.get_or_insert_with(|| {
                let start = &segment.used()[..count.min(START_LEN)];
                self.progressing.begin_large(entry, start)
            });
            let part = if count > 0 { Part::Bytes(0..count) } else { Part::End };
            segment.pieces.push(Piece { large, part });
            self.flush();
            if count == 0 {
                return Ok(());
            }
        }
    }

    fn flush(&mut self) {
        self.segment.fresh = self.segment.end;
        self.progressing.process(&self.segment);
        if self.screened.is_ok() {
            self.screened = self.screen.send(&self.segment);
        }
        self.segment.restart(&[]);
    }
}

/// Reads until the buffer is full or the file ends.
fn read_full(content: &mut Content, buffer: &mut [u8]) -> io::Result<usize> {
    let mut count = 0;
    while count < buffer.len() {
        match content.read(&mut buffer[count..]) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}
