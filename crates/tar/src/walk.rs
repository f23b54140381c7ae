//! From one entry to the next, in bytes that are handed in as they come.

use crate::entry::{Entry, Kind};
use crate::error::{Error, Fault};
use crate::header::{Format, Header, is_header_only};
use crate::limits::Limits;
use crate::number::until_nul;
use crate::pax::{Records, SparseVersion};
use crate::sparse::{Map, MapLines, Piece, Pieces, map_of_records};
use crate::{BLOCK, gnu};

/// Reads an archive without input or output. Headers are read by [`Walk::header`], which ends
/// at an entry; then the caller takes the entry's content, [`Walk::piece`] by piece, tells so by
/// [`Walk::advance`], and goes on with the next header.
///
/// ```
/// # use inscan_tar::{Found, Limits, Walk};
/// let archive = [0; 1024];
/// let (taken, found) = Walk::new(Limits::GO).header(&archive, true)?;
/// assert_eq!((taken, found), (1024, Found::End));
/// # Ok::<(), inscan_tar::Error>(())
/// ```
#[derive(Debug)]
pub struct Walk {
    limits: Limits,
    /// Of the next byte that was not taken, in the archive.
    offset: u64,
    state: State,
    extensions: Extensions,
    entry: Entry,
    pieces: Pieces,
    map: Map,
    map_lines: MapLines,
    entries: u64,
    holes: u64,
}

/// What a walk found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// At least so many bytes are needed in all; they begin behind those that were taken.
    Needs(usize),
    /// An entry: see [`Walk::entry`]. Its content comes next.
    Entry,
    /// The end of the archive. What follows is not part of it.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Header,
    /// Behind one zero block: another must follow, or nothing.
    ZeroBlock,
    /// In front of the body of an extended header.
    Record {
        flag: u8,
        size: usize,
    },
    /// In front of so many blocks of an old GNU sparse file's map.
    OldMap {
        blocks: u64,
        size: i64,
    },
    /// In front of the map of a PAX sparse file 1.0.
    MapLines {
        size: i64,
    },
    Content,
    /// In front of so many bytes of padding.
    Padding(u64),
    End,
}

/// What extended headers say about the entry that follows them.
#[derive(Debug, Default)]
struct Extensions {
    records: Records,
    /// Of GNU's headers. An empty one counts as none.
    name: Vec<u8>,
    link: Vec<u8>,
}

impl Extensions {
    fn clear(&mut self) {
        self.records.clear();
        self.name.clear();
        self.link.clear();
    }
}

/// A step: bytes that are dealt with, or what was found.
enum Step {
    Taken(usize),
    Found(Found),
}

impl Walk {
    pub fn new(limits: Limits) -> Self {
        Walk {
            limits,
            offset: 0,
            state: State::Header,
            extensions: Extensions::default(),
            entry: Entry::default(),
            pieces: Pieces::default(),
            map: Map::default(),
            map_lines: MapLines::default(),
            entries: 0,
            holes: 0,
        }
    }

    /// The entry that was found last.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// How many bytes of the archive are behind.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// What comes next in the entry's content; `None` at its end.
    pub fn piece(&self) -> Option<Piece> {
        match self.state {
            State::Content => self.pieces.next(&self.entry.fragments),
            _ => None,
        }
    }

    /// Tells that so many bytes of [`Walk::piece`] were dealt with: never more than it has.
    pub fn advance(&mut self, bytes: u64) {
        if let Some(Piece::Stored(_)) = self.piece() {
            self.offset += bytes;
        }
        self.pieces.advance(bytes, &self.entry.fragments);
    }

    /// Stored bytes of the entry's content that are still to come, holes left out.
    pub fn stored_left(&self) -> u64 {
        match self.state {
            State::Content => self.entry.offset + self.entry.stored - self.offset,
            _ => 0,
        }
    }

    /// Tells that all of the content's stored bytes that were to come are behind.
    pub fn skip_content(&mut self) {
        if self.state == State::Content {
            self.offset = self.entry.offset + self.entry.stored;
            self.end_content();
        }
    }

    /// The error that an archive ends here, in the middle of a content.
    pub fn cut(&self) -> Error {
        self.error(Fault::CutContent)
    }

    fn error(&self, fault: Fault) -> Error {
        Error { offset: self.offset, fault }
    }

    fn end_content(&mut self) {
        self.state = State::Padding(padding(self.entry.stored));
    }

    /// Reads on to the next entry: gives how many of `bytes` are dealt with, and what was found
    /// behind them. `last`: no bytes come after these. The current entry's content must have been
    /// taken, or skipped.
    ///
    /// # Errors
    ///
    /// Wherever Go's reader has one, and where a limit is reached.
    pub fn header(&mut self, bytes: &[u8], last: bool) -> Result<(usize, Found), Error> {
        if self.state == State::Content {
            self.end_content();
        }
        let mut at = 0;
        loop {
            match self.step(&bytes[at..], last)? {
                Step::Found(found) => return Ok((at, found)),
                Step::Taken(count) => {
                    at += count;
                    self.offset += count as u64;
                    // These are found behind the bytes that make them out.
                    if self.state == State::Content {
                        return Ok((at, self.begin_content()?));
                    }
                }
            }
        }
    }

    fn step(&mut self, bytes: &[u8], last: bool) -> Result<Step, Error> {
        match self.state {
            State::End => Ok(Step::Found(Found::End)),
            State::Padding(left) => Ok(self.padding(left, bytes, last)),
            State::Record { flag, size } => match bytes.get(..size) {
                Some(body) => self.record(flag, body).map(|()| Step::Taken(size)),
                None => self.needs(size, last, Fault::CutRecord),
            },
            State::Header | State::ZeroBlock if last && bytes.is_empty() => {
                self.state = State::End;
                Ok(Step::Found(Found::End))
            }
            state => match bytes.first_chunk::<BLOCK>() {
                Some(block) => self
                    .block(state, block)
                    .map(|()| Step::Taken(BLOCK))
                    .map_err(|fault| self.error(fault)),
                None if matches!(state, State::OldMap { .. } | State::MapLines { .. }) => {
                    self.needs(BLOCK, last, Fault::CutMap)
                }
                None => self.needs(BLOCK, last, Fault::CutHeader),
            },
        }
    }

    fn needs(&self, bytes: usize, last: bool, fault: Fault) -> Result<Step, Error> {
        if last {
            return Err(self.error(fault));
        }
        Ok(Step::Found(Found::Needs(bytes)))
    }

    /// Padding that is cut off ends an archive, as if it were whole.
    fn padding(&mut self, left: u64, bytes: &[u8], last: bool) -> Step {
        let taken = left.min(bytes.len() as u64);
        self.state = match left - taken {
            0 => State::Header,
            _ if last => State::End,
            left => State::Padding(left),
        };
        match self.state {
            State::Padding(left) if taken == 0 => Step::Found(Found::Needs(left as usize)),
            _ => Step::Taken(taken as usize),
        }
    }

    fn block(&mut self, state: State, block: &[u8; BLOCK]) -> Result<(), Fault> {
        match state {
            State::ZeroBlock if is_zero(block) => self.state = State::End,
            State::ZeroBlock => return Err(Fault::LoneZeroBlock),
            State::OldMap { blocks, size } => self.old_map_block(block, blocks, size)?,
            State::MapLines { size } => self.map_lines_block(block, size)?,
            _ if is_zero(block) => self.state = State::ZeroBlock,
            _ => self.header_block(block)?,
        }
        Ok(())
    }

    fn header_block(&mut self, block: &[u8; BLOCK]) -> Result<(), Fault> {
        let header = Header::parse(block)?;
        if header.size < 0 && !is_header_only(header.flag) {
            return Err(Fault::NegativeSize);
        }
        self.entry.header_offset = self.offset;
        match header.flag {
            flag @ (b'x' | b'g' | b'L' | b'K') => {
                let (size, most) = (header.size as u64, self.limits.record);
                if size > most {
                    return Err(Fault::RecordTooLong { size, most });
                }
                if flag == b'g' {
                    header.name_into(&mut self.entry.name);
                }
                self.state = State::Record { flag, size: size as usize };
                Ok(())
            }
            _ => self.entry_header(&header),
        }
    }

    /// The body of an extended header.
    fn record(&mut self, flag: u8, body: &[u8]) -> Result<(), Error> {
        let extensions = &mut self.extensions;
        self.state = State::Padding(padding(body.len() as u64));
        match flag {
            b'L' => replace(&mut extensions.name, until_nul(body)),
            b'K' => replace(&mut extensions.link, until_nul(body)),
            _ => {
                let replaced = extensions.records.replace(body);
                replaced.map_err(|fault| self.error(fault))?;
            }
        }
        if flag == b'g' {
            self.global(body.len() as u64);
        }
        Ok(())
    }

    /// Go's reader gives global records out as an entry of their own. What came before them and
    /// waits for an entry is lost with that.
    fn global(&mut self, length: u64) {
        let Walk { entry, extensions, .. } = self;
        std::mem::swap(&mut entry.records, &mut extensions.records);
        extensions.clear();
        if let Some(path) = entry.records.path() {
            replace(&mut entry.name, path);
        }
        entry.link.clear();
        (entry.kind, entry.flag) = (Kind::Global, b'g');
        (entry.mode, entry.uid, entry.gid) = (0, 0, 0);
        (entry.size, entry.is_sparse) = (0, false);
        entry.fragments.clear();
        // The body is behind, its padding is not.
        (entry.stored, entry.offset) = (length, self.offset);
        self.state = State::Content;
    }

    /// The header of an entry itself.
    fn entry_header(&mut self, header: &Header<'_>) -> Result<(), Fault> {
        let Walk { entry, extensions, .. } = self;
        std::mem::swap(&mut entry.records, &mut extensions.records);
        extensions.records.clear();
        header.name_into(&mut entry.name);
        replace(&mut entry.link, header.link());
        (entry.mode, entry.uid, entry.gid) = (header.mode, header.uid, header.gid);
        let mut size = header.size;
        if !entry.records.is_empty() {
            let records = &entry.records;
            if let Some(path) = records.path() {
                replace(&mut entry.name, path);
            }
            if let Some(link) = records.link() {
                replace(&mut entry.link, link);
            }
            entry.uid = records.uid()?.unwrap_or(entry.uid);
            entry.gid = records.gid()?.unwrap_or(entry.gid);
            size = records.size()?.unwrap_or(size);
            records.check_times()?;
        }
        take_long(&mut entry.name, &mut extensions.name);
        take_long(&mut entry.link, &mut extensions.link);
        entry.flag = match header.flag {
            // Before POSIX, a trailing slash was what made a directory.
            0 if entry.name.ends_with(b"/") => b'5',
            0 => b'0',
            flag => flag,
        };
        entry.kind = Kind::of(entry.flag);
        entry.is_sparse = false;
        entry.fragments.clear();
        if is_header_only(entry.flag) {
            (entry.stored, entry.size) = (0, 0);
        } else {
            entry.stored = u64::try_from(size).map_err(|_| Fault::NegativeSize)?;
            entry.size = entry.stored;
        }
        entry.offset = self.offset + BLOCK as u64;
        self.state = State::Content;
        self.sparse(header, size)
    }

    /// Whether an entry is sparse, by its type or its records; `size` is what was said so far.
    fn sparse(&mut self, header: &Header<'_>, size: i64) -> Result<(), Fault> {
        self.map = Map::default();
        if header.flag == b'S' {
            // Star has the same letter for something else.
            if header.format != Format::Gnu {
                return Err(Fault::Map);
            }
            let size = self.sparse_size(header.real_size().ok_or(Fault::Number("real size"))?)?;
            let (fields, more) = header.fragments();
            gnu::fragments(fields, |pair| self.add_fragment(pair, size))?;
            return self.old_map_goes_on(more, 0, size);
        }
        let Some(version) = self.entry.records.sparse_version() else { return Ok(()) };
        if is_header_only(self.entry.flag) {
            return Err(Fault::Map);
        }
        let records = std::mem::take(&mut self.entry.records);
        let outcome = self.pax_sparse(&records, version, size);
        self.entry.records = records;
        outcome
    }

    fn pax_sparse(
        &mut self,
        records: &Records,
        version: SparseVersion,
        size: i64,
    ) -> Result<(), Fault> {
        if let Some(name) = records.sparse_name() {
            replace(&mut self.entry.name, name);
        }
        let size = self.sparse_size(records.sparse_size()?.unwrap_or(size))?;
        match version {
            SparseVersion::V0 => {
                let (text, blocks) = (records.sparse_map(), records.sparse_blocks()?);
                map_of_records(text, blocks, |pair| self.add_fragment(pair, size))?;
                self.end_map()
            }
            SparseVersion::V1 => {
                self.map_lines.clear();
                self.state = State::MapLines { size };
                self.has_map_block()
            }
        }
    }

    fn sparse_size(&mut self, size: i64) -> Result<i64, Fault> {
        self.entry.is_sparse = true;
        self.entry.size = u64::try_from(size).map_err(|_| Fault::NegativeSize)?;
        Ok(size)
    }

    fn add_fragment(&mut self, pair: (i64, i64), size: i64) -> Result<(), Fault> {
        self.map.add(&mut self.entry.fragments, pair, size, self.limits.fragments)
    }

    fn old_map_block(&mut self, block: &[u8; BLOCK], blocks: u64, size: i64) -> Result<(), Fault> {
        // The header's own map has 97 bytes: Go counts them.
        if 97 + (blocks + 1) * BLOCK as u64 >= self.limits.record {
            return Err(Fault::MapTooLong);
        }
        let (fields, more) = gnu::extension(block);
        gnu::fragments(fields, |pair| self.add_fragment(pair, size))?;
        self.entry.offset += BLOCK as u64;
        self.old_map_goes_on(more, blocks + 1, size)
    }

    fn old_map_goes_on(&mut self, more: bool, blocks: u64, size: i64) -> Result<(), Fault> {
        if more {
            self.state = State::OldMap { blocks, size };
            return Ok(());
        }
        self.end_map()
    }

    fn map_lines_block(&mut self, block: &[u8; BLOCK], size: i64) -> Result<(), Fault> {
        let mut lines = std::mem::take(&mut self.map_lines);
        let outcome = lines.block(block, self.limits.record, |pair| self.add_fragment(pair, size));
        self.map_lines = lines;
        let is_whole = outcome?;
        self.entry.offset += BLOCK as u64;
        self.entry.stored -= BLOCK as u64;
        match is_whole {
            true => self.end_map(),
            false => self.has_map_block(),
        }
    }

    /// The map is part of the stored bytes.
    fn has_map_block(&self) -> Result<(), Fault> {
        if self.entry.stored < BLOCK as u64 { Err(Fault::CutMap) } else { Ok(()) }
    }

    /// Go's reader finds that stored bytes and map differ when the content is read, as engines do.
    fn end_map(&mut self) -> Result<(), Fault> {
        self.state = State::Content;
        let Entry { fragments, stored, size, .. } = &self.entry;
        let mapped = fragments.iter().map(|fragment| fragment.length).sum();
        if mapped != *stored {
            return Err(Fault::MapSize { stored: *stored, mapped });
        }
        self.holes = self.holes.saturating_add(size - stored);
        if self.holes > self.limits.holes {
            return Err(Fault::TooManyHoles(self.limits.holes));
        }
        Ok(())
    }

    /// At the first byte of an entry's content.
    fn begin_content(&mut self) -> Result<Found, Error> {
        self.entries += 1;
        self.check_limits().map_err(|fault| self.error(fault))?;
        self.pieces = self.entry.pieces();
        if self.entry.kind == Kind::Global {
            self.end_content();
            (self.entry.stored, self.entry.offset) = (0, self.offset);
        }
        Ok(Found::Entry)
    }

    fn check_limits(&self) -> Result<(), Fault> {
        let (Limits { entries, name, part, link, .. }, entry) = (self.limits, &self.entry);
        if self.entries > entries {
            return Err(Fault::TooManyEntries(entries));
        }
        if entry.name.len() > name {
            return Err(Fault::NameTooLong { size: entry.name.len(), most: name });
        }
        if entry.link.len() > link {
            return Err(Fault::LinkTooLong { size: entry.link.len(), most: link });
        }
        if entry.name.len() > part {
            let longest = entry.name.split(|&byte| byte == b'/').map(<[u8]>::len).max();
            if let Some(size) = longest.filter(|&size| size > part) {
                return Err(Fault::PartTooLong { size, most: part });
            }
        }
        Ok(())
    }
}

fn replace(text: &mut Vec<u8>, new: &[u8]) {
    text.clear();
    text.extend_from_slice(new);
}

/// A long name or link takes the place of the header's, and is used up.
fn take_long(text: &mut Vec<u8>, long: &mut Vec<u8>) {
    if !long.is_empty() {
        std::mem::swap(text, long);
        long.clear();
    }
}

fn padding(stored: u64) -> u64 {
    stored.wrapping_neg() % BLOCK as u64
}

fn is_zero(block: &[u8; BLOCK]) -> bool {
    block[0] == 0 && *block == [0; BLOCK]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Headers and bodies, one behind the other.
    #[derive(Default)]
    struct Tar(Vec<u8>);

    impl Tar {
        /// A header with some of its fields set to other bytes.
        fn header(mut self, name: &str, flag: u8, size: usize, fields: &[(usize, &[u8])]) -> Self {
            let mut block = [0; BLOCK];
            block[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
            block[156] = flag;
            block[257..265].copy_from_slice(b"ustar\x0000");
            for &(at, bytes) in [(0, name.as_bytes())].iter().chain(fields) {
                block[at..at + bytes.len()].copy_from_slice(bytes);
            }
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
            block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
            self.0.extend(block);
            self
        }

        fn body(mut self, body: &[u8]) -> Self {
            self.0.extend(body);
            self.0.resize(self.0.len().next_multiple_of(BLOCK), 0);
            self
        }

        fn extended(self, flag: u8, body: &[u8]) -> Self {
            self.header("extended", flag, body.len(), &[]).body(body)
        }

        fn file(self, name: &str, content: &[u8]) -> Self {
            self.header(name, b'0', content.len(), &[]).body(content)
        }
    }

    /// Names and sizes of all entries.
    fn list(bytes: &[u8], limits: Limits) -> Result<Vec<(String, u64)>, Error> {
        let mut walk = Walk::new(limits);
        let mut entries = Vec::new();
        let mut at = 0;
        loop {
            let (taken, found) = walk.header(&bytes[at..], true)?;
            at += taken;
            if found == Found::End {
                return Ok(entries);
            }
            let name = String::from_utf8_lossy(&walk.entry().name).into_owned();
            entries.push((name, walk.entry().size));
            while let Some(piece) = walk.piece() {
                let (Piece::Stored(length) | Piece::Hole(length)) = piece;
                let before = walk.offset();
                walk.advance(length);
                at += (walk.offset() - before) as usize;
                if at > bytes.len() {
                    return Err(walk.cut());
                }
            }
        }
    }

    #[track_caller]
    fn check(tar: Tar, expected: &[(&str, u64)]) {
        let listed = list(&tar.0, Limits::GO).unwrap();
        let listed: Vec<_> = listed.iter().map(|(name, size)| (name.as_str(), *size)).collect();
        assert_eq!(listed, expected);
    }

    #[track_caller]
    fn check_refused(tar: Tar, limits: Limits, offset: u64, code: &str) {
        let error = list(&tar.0, limits).unwrap_err();
        assert_eq!((error.offset, error.fault.code()), (offset, code));
    }

    #[test]
    fn an_empty_long_name_leaves_the_headers_own() {
        check(Tar::default().extended(b'L', b"\0").file("a", b"1"), &[("a", 1)]);
        check(Tar::default().extended(b'L', b"b\0c").file("a", b"1"), &[("b", 1)]);
    }

    #[test]
    fn a_size_that_is_taken_back_is_the_headers_own() {
        let tar = Tar::default().extended(b'x', b"9 size=0\n8 size=\n");
        check(tar.file("a", &[7; 600]), &[("a", 600)]);
        let tar = Tar::default().extended(b'x', b"9 size=0\n").extended(b'x', b"8 size=\n");
        check(tar.file("a", &[7; 600]), &[("a", 600)]);
    }

    #[test]
    fn each_layout_has_its_own_prefix() {
        let header = |fields: &[(usize, &[u8])]| Tar::default().header("a", b'0', 0, fields);
        check(header(&[(345, b"dir")]), &[("dir/a", 0)]);
        check(
            header(&[(345, &[b'd'; 131]), (476, b"00000000001"), (508, b"tar\0")]),
            &[(&format!("{}/a", "d".repeat(131)), 0)],
        );
        // GNU has times there, but what is no time was a prefix for Go before 1.8.
        check(header(&[(257, b"ustar  \0"), (345, b"00000000001")]), &[("a", 0)]);
        check(header(&[(257, b"ustar  \0"), (345, b"var/lib")]), &[("var/lib/a", 0)]);
        check(header(&[(257, b"\0\0\0\0\0\0\0\0"), (345, b"dir")]), &[("a", 0)]);
    }

    #[test]
    fn an_archive_ends_with_zeros_or_without_but_not_in_a_header() {
        let tar = |zeros: usize, more: &[u8]| {
            let Tar(bytes) = Tar::default().file("a", b"1");
            Tar([&bytes, &vec![0; zeros][..], more].concat())
        };
        for zeros in [0, 512, 1024] {
            check(tar(zeros, b""), &[("a", 1)]);
        }
        check(tar(1024, b"anything"), &[("a", 1)]);
        check_refused(tar(512, &[7; 512]), Limits::GO, 1536, "tar-lone-zero-block");
        check_refused(tar(0, b"x"), Limits::GO, 1024, "tar-cut-header");
        check_refused(tar(700, b""), Limits::GO, 1536, "tar-cut-header");
        // Padding may be missing, content may not.
        check(Tar(tar(0, b"").0[..513].to_vec()), &[("a", 1)]);
        check(Tar::default().extended(b'x', b"9 uid=10\n"), &[]);
    }

    #[test]
    fn records_of_global_headers_apply_to_nothing() {
        let tar = Tar::default().extended(b'L', b"lost").extended(b'g', b"10 path=b\n");
        check(tar.file("a", b"1"), &[("b", 0), ("a", 1)]);
    }

    #[test]
    fn sparse_files_have_holes() {
        let map = b"22 GNU.sparse.map=8,1\n26 GNU.sparse.numblocks=1\n24 GNU.sparse.size=4096\n";
        check(Tar::default().extended(b'x', map).file("a", b"1"), &[("a", 4096)]);
        let fields: [(usize, &[u8]); 3] =
            [(257, b"ustar  \0"), (386, b"00000000010\x0000000000001"), (483, b"00000010000")];
        check(Tar::default().header("a", b'S', 1, &fields).body(b"1"), &[("a", 4096)]);
        let limits = Limits { holes: 4094, ..Limits::GO };
        let tar = Tar::default().header("a", b'S', 1, &fields).body(b"1");
        check_refused(tar, limits, 0, "tar-too-many-holes");
    }

    #[test]
    fn limits_are_told_by_what_was_too_much() {
        let limits = Limits { name: 10, part: 5, link: 4, entries: 1, record: 20, ..Limits::GO };
        let refused = |tar: Tar, offset, code| check_refused(tar, limits, offset, code);
        refused(Tar::default().file("12345/12345", b""), 512, "tar-name-too-long");
        refused(Tar::default().file("a/123456", b""), 512, "tar-part-too-long");
        let link = Tar::default().header("a", b'2', 0, &[(157, b"12345")]);
        refused(link, 512, "tar-link-too-long");
        refused(Tar::default().file("a", b"").file("b", b""), 1024, "tar-too-many-entries");
        refused(Tar::default().extended(b'L', &[b'a'; 21]), 0, "tar-record-too-long");
    }
}
