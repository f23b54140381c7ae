//! The walk over the members of an archive, and of the archives in it.

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Read};

use inscan_facts::content::Content;
use inscan_facts::format;
use inscan_facts::window::{Window, read_exact_at, stream};
use inscan_tar::{Archive, BLOCK, Kind, Packing, ReadError, Source, Stream};
use inscan_zip::{Data, Zip};

use crate::form::{Form, form_of};
use crate::packed::{Counted, TOO_MUCH, unpacked};
use crate::phar;

/// What looks at the members. Names are as the archive writes them, without `./` or `/` in front;
/// `within` is the archive in the archive: empty, or `inner.tgz:`.
pub trait Visitor {
    /// There is a member of this name. True where its content is wanted for the name's sake: it is
    /// given then as it is, also where it is an archive.
    fn named(&mut self, within: &[u8], name: &[u8], size: u64) -> bool;

    /// Whether the content is wanted for its first bytes, 512 of them at most.
    fn begins(&mut self, start: &[u8]) -> bool;

    /// The content of a member that was wanted.
    fn content(&mut self, within: &[u8], name: &[u8], content: &dyn Content);

    /// Something was not read. `name` is empty where it is the archive itself.
    fn fault(&mut self, within: &[u8], name: &[u8], fault: Fault);
}

/// Why something was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nobody can read it.
    Damaged(String),
    /// Larger, deeper or more than is read, or read by others in another way.
    OverLimit(String),
    /// Encrypted, or compressed in a way that is not known here.
    Closed(String),
}

/// How much is read of one file.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Archives within archives.
    pub depth: usize,
    /// Members of all of them.
    pub members: usize,
    /// Bytes of contents that are in memory at a time.
    pub held: u64,
    /// Bytes that come out of compressed ones.
    pub unpacked: u64,
}

/// Smaller members are no programs; archives are known by their names then.
const SMALL: u64 = 4096;

/// Walks over an archive. Gives how many bytes came out of compressed members.
pub fn walk(
    form: Form,
    content: &dyn Content,
    name: &[u8],
    limits: Limits,
    visitor: &mut dyn Visitor,
) -> u64 {
    let left = Cell::new(limits.unpacked);
    let mut walk = Walk { visitor, limits, left: &left, members: 0, held: 0 };
    walk.archive(form, content, Place { within: b"", name, depth: 0 });
    limits.unpacked - left.get()
}

struct Walk<'a> {
    visitor: &'a mut dyn Visitor,
    limits: Limits,
    left: &'a Cell<u64>,
    members: usize,
    held: u64,
}

/// An archive on the way.
#[derive(Clone, Copy)]
struct Place<'p> {
    /// `inner.tgz:` for the members of an archive in an archive.
    within: &'p [u8],
    /// Its own name.
    name: &'p [u8],
    depth: usize,
}

/// What becomes of a member.
enum Interest {
    Nothing,
    Whole,
    Archive(Form),
}

impl Walk<'_> {
    fn archive(&mut self, form: Form, content: &dyn Content, place: Place<'_>) {
        match form {
            Form::Zip => self.zip(content, place),
            Form::Tar => self.tar(At { content, position: 0 }, Some(content), place),
            Form::Packed(packing) => self.packed(packing, Box::new(stream(content)), place),
            Form::Phar => self.phar(content, place),
        }
    }

    fn phar(&mut self, content: &dyn Content, place: Place<'_>) {
        let members = match phar::members(content) {
            Ok(members) => members,
            Err(error) => return self.fault(place, b"", of_format(&error)),
        };
        for member in members {
            if !self.counts(place) {
                break;
            }
            let name = plain(&member.name);
            let Some(window) = Window::new(content, member.offset, member.stored) else {
                let message = "it lies beyond the end of the archive".to_owned();
                self.fault(place, name, Fault::Damaged(message));
                break;
            };
            let outcome = match member.packing {
                phar::Packing::Stored => self.file_in_place(&window, name, place),
                phar::Packing::Deflated => {
                    let reader = flate2::bufread::DeflateDecoder::new(stream(&window));
                    let mut reader = Counted { reader, left: self.left };
                    self.file_as_it_comes(&mut reader, name, member.size, place)
                }
                phar::Packing::Bzip2 => {
                    let reader = bzip2::bufread::BzDecoder::new(stream(&window));
                    let mut reader = Counted { reader, left: self.left };
                    self.file_as_it_comes(&mut reader, name, member.size, place)
                }
            };
            if let Err(error) = outcome {
                self.fault(place, name, of_reading(&error));
            }
        }
    }

    fn fault(&mut self, place: Place<'_>, name: &[u8], fault: Fault) {
        self.visitor.fault(place.within, name, fault);
    }

    /// The next one: false where there are more than are read.
    fn counts(&mut self, place: Place<'_>) -> bool {
        self.members += 1;
        if self.members == self.limits.members + 1 {
            let message = format!("more than {} members", self.limits.members);
            self.fault(place, b"", Fault::OverLimit(message));
        }
        self.members <= self.limits.members
    }

    fn zip(&mut self, content: &dyn Content, place: Place<'_>) {
        let zip = match Zip::open(content) {
            Ok(zip) => zip,
            Err(error) if error.is_over_limit() => {
                return self.fault(place, b"", Fault::OverLimit(error.to_string()));
            }
            // Some programs read members by the headers in front of them.
            Err(error) => return self.fault(place, b"", Fault::Closed(error.to_string())),
        };
        let closed: Vec<_> = zip.members.iter().filter(|it| zip.is_closed(it)).collect();
        if let Some(first) = closed.first() {
            let (count, name) = (closed.len(), &first.name);
            let message = format!(
                "{count} members are encrypted or compressed in an unknown way: `{name}` …"
            );
            self.fault(place, b"", Fault::Closed(message));
        }
        for member in zip.members.iter().filter(|it| !it.name.ends_with(b"/") && !zip.is_closed(it))
        {
            if !self.counts(place) {
                break;
            }
            let name = plain(&member.name);
            let interest =
                self.interest(place, name, member.size, || zip.start(member, BLOCK as u64));
            let outcome = interest.and_then(|interest| match interest {
                Interest::Nothing => Ok(()),
                interest => self.member_of_zip(&zip, member, interest, place),
            });
            if let Err(error) = outcome {
                self.fault(place, name, of_format(&error));
            }
        }
    }

    fn member_of_zip(
        &mut self,
        zip: &Zip<'_>,
        member: &inscan_zip::Member,
        interest: Interest,
        place: Place<'_>,
    ) -> format::Result<()> {
        let most = (self.limits.held - self.held).min(self.left.get());
        let name = plain(&member.name);
        match zip.data(member, most)? {
            Data::Stored(window) => self.take(interest, &window, name, place),
            Data::Inflated(bytes) => {
                let len = bytes.len() as u64;
                self.left.set(self.left.get() - len);
                self.held += len;
                self.take(interest, &bytes.as_slice(), name, place);
                self.held -= len;
            }
        }
        Ok(())
    }

    /// Gives a member to the visitor, or walks on in it.
    fn take(&mut self, interest: Interest, content: &dyn Content, name: &[u8], place: Place<'_>) {
        match interest {
            Interest::Nothing => {}
            Interest::Whole => self.visitor.content(place.within, name, content),
            Interest::Archive(form) => {
                let within = [place.within, name, b":"].concat();
                if self.is_too_deep(place, name) {
                    return;
                }
                self.archive(
                    form,
                    content,
                    Place { within: &within, name, depth: place.depth + 1 },
                );
            }
        }
    }

    fn is_too_deep(&mut self, place: Place<'_>, name: &[u8]) -> bool {
        let is_too_deep = place.depth >= self.limits.depth;
        if is_too_deep {
            let message = format!("archives nested more than {} deep", self.limits.depth);
            self.fault(place, name, Fault::OverLimit(message));
        }
        is_too_deep
    }

    fn interest<E>(
        &mut self,
        place: Place<'_>,
        name: &[u8],
        size: u64,
        start: impl FnOnce() -> Result<Vec<u8>, E>,
    ) -> Result<Interest, E> {
        if self.visitor.named(place.within, name, size) {
            return Ok(Interest::Whole);
        }
        if size < SMALL && !is_named_as_archive(name) {
            return Ok(Interest::Nothing);
        }
        let start = start()?;
        Ok(match form_of(&start) {
            Some(form) => Interest::Archive(form),
            None if self.visitor.begins(&start) => Interest::Whole,
            None => Interest::Nothing,
        })
    }

    /// `whole` is the archive itself, where it can be read at any place.
    fn tar<S: Source>(&mut self, source: S, whole: Option<&dyn Content>, place: Place<'_>) {
        let mut archive = Archive::new(source, LIMITS);
        loop {
            let entry = match archive.next_entry() {
                Ok(Some(entry)) => entry,
                Ok(None) => break,
                Err(error) => {
                    self.fault(place, b"", of_tar(error));
                    break;
                }
            };
            if entry.kind != Kind::File || entry.size == 0 {
                continue;
            }
            let (name, size) = (plain(&entry.name).to_vec(), entry.size);
            let here = whole.filter(|_| !entry.is_sparse);
            let window = here.and_then(|content| Window::new(content, entry.offset, size));
            if !self.counts(place) {
                break;
            }
            let outcome = match window {
                Some(window) => self.file_in_place(&window, &name, place),
                None => self.file_as_it_comes(&mut archive, &name, size, place),
            };
            if let Err(error) = outcome {
                self.fault(place, &name, of_reading(&error));
            }
        }
    }

    fn file_in_place(
        &mut self,
        content: &dyn Content,
        name: &[u8],
        place: Place<'_>,
    ) -> io::Result<()> {
        let start = || read_exact_at(content, 0, content.len().min(BLOCK as u64));
        let interest = self.interest(place, name, content.len(), start);
        self.take(interest.map_err(io::Error::other)?, content, name, place);
        Ok(())
    }

    fn file_as_it_comes(
        &mut self,
        reader: &mut dyn Read,
        name: &[u8],
        size: u64,
        place: Place<'_>,
    ) -> io::Result<()> {
        let mut start = Vec::new();
        let interest = self.interest(place, name, size, || {
            (&mut *reader).take(BLOCK as u64).read_to_end(&mut start)?;
            Ok::<_, io::Error>(start.clone())
        })?;
        let mut reader = start.chain(reader);
        match interest {
            Interest::Nothing => Ok(()),
            Interest::Archive(form @ (Form::Tar | Form::Packed(_))) => {
                self.archive_as_it_comes(form, &mut reader, name, place);
                Ok(())
            }
            interest => self.in_memory(&mut reader, Some(size), |walk, content| {
                walk.take(interest, content, name, place);
            }),
        }
    }

    fn archive_as_it_comes(
        &mut self,
        form: Form,
        reader: &mut dyn Read,
        name: &[u8],
        place: Place<'_>,
    ) {
        if self.is_too_deep(place, name) {
            return;
        }
        let within = [place.within, name, b":"].concat();
        let place = Place { within: &within, name, depth: place.depth + 1 };
        match form {
            Form::Packed(packing) => self.packed(packing, Box::new(BufReader::new(reader)), place),
            _ => self.tar(Stream(reader), None, place),
        }
    }

    /// What is compressed is a tar, another archive, or a file of its own.
    fn packed(&mut self, packing: Packing, reader: Box<dyn BufRead + '_>, place: Place<'_>) {
        let reader = match unpacked(packing, reader) {
            Ok(reader) => reader,
            Err(error) => return self.fault(place, b"", of_reading(&error)),
        };
        let mut reader = Counted { reader, left: self.left };
        let mut start = Vec::new();
        let begun = reader.by_ref().take(BLOCK as u64).read_to_end(&mut start);
        let form = form_of(&start);
        if let Err(error) = begun
            && form.is_none()
        {
            let fault = of_reading(&error);
            // Only its first bytes are those of a compressed file, or there is nothing in it.
            if !start.is_empty() || !matches!(fault, Fault::Damaged(_)) {
                self.fault(place, b"", fault);
            }
            return;
        }
        let is_wanted = form.is_none() && self.visitor.begins(&start);
        let mut reader = start.chain(reader);
        let name = unpacked_name(place.name);
        match form {
            Some(Form::Tar) => self.tar(Stream(reader), None, place),
            Some(form @ Form::Packed(_)) => {
                self.archive_as_it_comes(form, &mut reader, name, place);
            }
            None if !is_wanted => {}
            form => {
                let interest = form.map_or(Interest::Whole, Interest::Archive);
                let outcome = self.in_memory(&mut reader, None, |walk, content| {
                    if form.is_none() {
                        walk.visitor.named(place.within, name, content.len());
                    }
                    walk.take(interest, content, name, place);
                });
                if let Err(error) = outcome {
                    self.fault(place, name, of_reading(&error));
                }
            }
        }
    }

    fn in_memory(
        &mut self,
        reader: &mut dyn Read,
        size: Option<u64>,
        take: impl FnOnce(&mut Self, &dyn Content),
    ) -> io::Result<()> {
        let most = self.limits.held - self.held;
        let mut bytes = Vec::new();
        if size.is_none_or(|size| size <= most) {
            reader.take(most + 1).read_to_end(&mut bytes)?;
        }
        if bytes.len() as u64 > most || size.is_some_and(|size| size > most) {
            let message = format!("larger than the {most} bytes that are read into memory");
            return Err(io::Error::new(io::ErrorKind::QuotaExceeded, message));
        }
        let len = bytes.len() as u64;
        self.held += len;
        take(self, &bytes.as_slice());
        self.held -= len;
        Ok(())
    }
}

/// A tar that lies in a content.
struct At<'a> {
    content: &'a dyn Content,
    position: u64,
}

impl Read for At<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.content.read_at(self.position, buf)?;
        self.position += count as u64;
        Ok(count)
    }
}

impl Source for At<'_> {
    fn skip(&mut self, bytes: u64) -> io::Result<u64> {
        let count = bytes.min(self.content.len().saturating_sub(self.position));
        self.position += count;
        Ok(count)
    }
}

/// As for layers: no path is longer in Linux.
const LIMITS: inscan_tar::Limits = inscan_tar::Limits {
    record: 1 << 20,
    name: 4096,
    link: 4096,
    fragments: 1 << 16,
    holes: 1 << 30,
    ..inscan_tar::Limits::GO
};

/// `a/b` of `./a/b` and `/a/b`.
fn plain(mut name: &[u8]) -> &[u8] {
    while let Some(rest) = name.strip_prefix(b"./").or_else(|| name.strip_prefix(b"/")) {
        name = rest;
    }
    name
}

const ENDINGS: [&[u8]; 9] =
    [b".bz2", b".gz", b".tar", b".tbz2", b".tgz", b".txz", b".xz", b".zip", b".zst"];

fn is_named_as_archive(name: &[u8]) -> bool {
    let ends = |ending: &[u8]| {
        let at = name.len().saturating_sub(<[u8]>::len(ending));
        name[at..].eq_ignore_ascii_case(ending)
    };
    ENDINGS.iter().any(|ending| ends(ending))
}

/// `app` of `opt/app.gz`.
fn unpacked_name(path: &[u8]) -> &[u8] {
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    match name.iter().rposition(|&byte| byte == b'.') {
        Some(dot) if dot > 0 => &name[..dot],
        _ => name,
    }
}

fn of_format(error: &format::Error) -> Fault {
    match error.is_over_limit() {
        true => Fault::OverLimit(error.to_string()),
        false => Fault::Damaged(error.to_string()),
    }
}

fn of_reading(error: &io::Error) -> Fault {
    let says = error.to_string();
    let is_ours = matches!(error.kind(), io::ErrorKind::QuotaExceeded | io::ErrorKind::OutOfMemory);
    // The decoders of xz and zstd refuse what would take more memory.
    if is_ours || says == TOO_MUCH || says.contains("mem_limit") || says.contains("too much memory")
    {
        return Fault::OverLimit(says);
    }
    Fault::Damaged(says)
}

/// Go's reader refuses some archives that other programs read.
fn of_tar(error: ReadError) -> Fault {
    match error {
        ReadError::Io(error) => of_reading(&error),
        ReadError::Tar(error) if error.fault.code().starts_with("tar-cut") => {
            Fault::Damaged(error.to_string())
        }
        ReadError::Tar(error) => Fault::OverLimit(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
