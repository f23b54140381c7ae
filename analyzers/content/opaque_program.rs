//! Programs that cannot be looked into: packed ones, and those that carry an interpreter
//! and its packages in a form of their own. What they are made of is not known, which is
//! said: an image does not pass for what nobody could see.

use inscan_facts::content::Content;
use inscan_facts::window::read_exact_at;

use crate::parse::executable::{self, Executable};
use crate::parse::fixtures::is_fixtures;
use crate::problem::OPAQUE;
use crate::{Analyzer, Facts, FileHead, Pattern, Result, Want, path};
use inscan_facts::entropy::entropy;

/// How much of a program's code is looked at to tell whether it is packed.
const SAMPLE: u64 = 256 << 10;
/// Code has some 6 bits of information in a byte, compressed or encrypted data nearly 8.
const PACKED_BITS: f64 = 7.8;
/// Below this the measure says little.
const MIN_SAMPLE: usize = 16 << 10;
/// Where marks at the end of a program stand. PyInstaller's has 88 bytes behind it at most.
const END: u64 = 4096;
/// How much of a segment's beginning is looked at.
const START: u64 = 64 << 10;
/// Node.js itself, without the program, has some 80 MB.
const SIZE_OF_NODE: u64 = 16 << 20;
const SECTIONS_OF_NODE: [&[u8]; 2] = [b".note.node.sea", b"__NODE_SEA_BLOB"];

const SQUASHFS: &[u8] = b"hsqs";
/// Archives, file systems and disks that are not read, by their first bytes.
const CLOSED: [(&[u8], &str); 10] = [
    (b"7z\xbc\xaf\x27\x1c", "an archive of 7-Zip"),
    (b"Rar!\x1a\x07", "an archive of RAR"),
    (b"070701", "an archive of cpio"),
    (b"070702", "an archive of cpio"),
    (b"070707", "an archive of cpio"),
    (b"MSCF\0\0\0\0", "a cabinet of Windows"),
    (b"QFI\xfb", "a disk of QEMU"),
    (b"KDMV", "a disk of VMware"),
    (b"vhdxfile", "a disk of Hyper-V"),
    (b"LUKS\xba\xbe", "an encrypted disk"),
];

pub(crate) struct OpaqueProgram;

impl Analyzer for OpaqueProgram {
    fn name(&self) -> &'static str {
        "opaque-programs"
    }

    fn about(&self) -> &'static str {
        "Packed programs, and programs that carry packages in a form that is not read: said as not looked at"
    }

    fn wants(&self) -> Vec<Want> {
        let mut wants = executable::wants();
        wants.push(Want::inspect_heads(Pattern::Magic(SQUASHFS), 0));
        wants.extend(CLOSED.map(|(magic, _)| Want::inspect_heads(Pattern::Magic(magic), 0)));
        wants
    }

    fn inspect(&self, file: &FileHead<'_>, content: &dyn Content, out: &mut Facts) -> Result<()> {
        if is_squashfs(file) {
            let message = "an image of squashfs, as snaps are: what it is made of cannot be seen";
            out.hidden_here(OPAQUE, message);
            return Ok(());
        }
        if let Some((_, what)) = CLOSED.iter().find(|(magic, _)| file.start.starts_with(magic)) {
            let message = format!("{what}: what it is made of cannot be seen");
            match path::parts(path::parent(file.path)).any(is_fixtures) {
                true => out.problem(message),
                false => out.hidden_here(OPAQUE, message),
            }
            return Ok(());
        }
        if let Some(what) = what_is_carried(file, content)? {
            out.hidden_here(OPAQUE, format!("{what}: what it is made of cannot be seen"));
            return Ok(());
        }
        // What is no executable in spite of its first bytes hides none of this kind.
        for executable in executable::open(file, content).unwrap_or_default() {
            let what = match carried_within(file, &executable) {
                None => packer(file, &executable)?,
                carried => carried,
            };
            if let Some(what) = what {
                out.hidden_here(OPAQUE, format!("{what}: what it is made of cannot be seen"));
                break;
            }
        }
        Ok(())
    }
}

/// A file system in a file, by its superblock: the magic number and, 28 bytes in, the version 4.0.
/// <https://dr-emann.github.io/squashfs/squashfs.html>
fn is_squashfs(file: &FileHead<'_>) -> bool {
    file.start.starts_with(SQUASHFS) && file.start.get(28..32) == Some(&[4, 0, 0, 0])
}

/// An interpreter with its program, told by the mark that its maker leaves at the end (or, of
/// AppImage, at the beginning).
fn what_is_carried(file: &FileHead<'_>, content: &dyn Content) -> Result<Option<&'static str>> {
    // The bytes after ELF's own header mark: <https://github.com/AppImage/AppImageSpec>.
    if file.start.get(8..10) == Some(b"AI") && file.start.starts_with(b"\x7fELF") {
        return Ok(Some("an AppImage"));
    }
    let len = content.len().min(END);
    let end = read_exact_at(content, content.len() - len, len)?;
    let has = |mark: &[u8], within: usize| {
        let from = end.len().saturating_sub(within);
        memchr::memmem::find(&end[from..], mark).is_some()
    };
    // <https://pyinstaller.org/en/stable/advanced-topics.html#carchive>
    if has(b"MEI\x0c\x0b\x0a\x0b\x0e", end.len()) {
        return Ok(Some("a Python program made by PyInstaller"));
    }
    // The trailers that Bun and Deno look for when such a program starts.
    if has(b"\n---- Bun! ----\n", 64) {
        return Ok(Some("a JavaScript program made by Bun"));
    }
    if has(b"d3n0l4nd", 64) {
        return Ok(Some("a JavaScript program made by Deno"));
    }
    // <https://github.com/nexe/nexe>; and pkg ends with a script that names what it carries.
    if has(b"<nexe~~sentinel>", 64) {
        return Ok(Some("a JavaScript program made by nexe"));
    }
    if has(b"\"/snapshot/", end.len()) {
        return Ok(Some("a JavaScript program made by pkg"));
    }
    Ok(nuitka(content, &end).then_some("a Python program made by Nuitka"))
}

/// The same told by its tables. Since version 1.3 Bun puts the program into a section that has eight
/// bytes in Bun itself; Node.js' single executables have it in a note, which `postject` puts at
/// the beginning of a segment of its own. <https://nodejs.org/api/single-executable-applications.html>
fn carried_within(file: &FileHead<'_>, executable: &Executable<'_>) -> Option<&'static str> {
    let is_buns =
        |it: &executable::Section| matches!(&*it.name, b".bun" | b"__bun") && it.size > 64;
    if executable.sections.iter().any(is_buns) {
        return Some("a JavaScript program made by Bun");
    }
    if file.size < SIZE_OF_NODE {
        return None;
    }
    let is_nodes = |it: &executable::Section| SECTIONS_OF_NODE.contains(&&*it.name);
    let has_note = |segment: &executable::Segment| {
        let begin = executable.read(segment.offset, segment.size.min(START), START);
        begin.is_ok_and(|bytes| memchr::memmem::find(&bytes, b"NODE_SEA_BLOB\0").is_some())
    };
    let is_node =
        executable.sections.iter().any(is_nodes) || executable.segments.iter().any(has_note);
    is_node.then_some("a JavaScript program in Node.js")
}

/// Nuitka's one-file programs end with where their payload begins, which is `KA` and `X` or `Y`.
fn nuitka(content: &dyn Content, end: &[u8]) -> bool {
    let Some(at) = end.last_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes)) else {
        return false;
    };
    let is_inside = at > 0 && at.checked_add(11).is_some_and(|end| end < content.len());
    is_inside && read_exact_at(content, at, 3).is_ok_and(|mark| mark == b"KAX" || mark == b"KAY")
}

/// What packed a program, by the names and marks it leaves, else by what its code looks like.
fn packer(file: &FileHead<'_>, executable: &Executable<'_>) -> Result<Option<&'static str>> {
    const SECTIONS: [(&[u8], &str); 6] = [
        (b"UPX0", "packed by UPX"),
        (b"UPX1", "packed by UPX"),
        (b".MPRESS1", "packed by MPRESS"),
        (b".aspack", "packed by ASPack"),
        (b".petite", "packed by Petite"),
        (b".vmp0", "packed by VMProtect"),
    ];
    let by_section = |section: &executable::Section| {
        SECTIONS.iter().find(|(name, _)| *name == section.name).map(|(_, what)| *what)
    };
    if let Some(what) = executable.sections.iter().find_map(by_section) {
        return Ok(Some(what));
    }
    // UPX leaves ELF files without sections; its mark stands behind the table of segments.
    if !executable.sections.is_empty() || !file.start.starts_with(b"\x7fELF") {
        return Ok(None);
    }
    if memchr::memmem::find(&file.start[..file.start.len().min(512)], b"UPX!").is_some() {
        return Ok(Some("packed by UPX"));
    }
    let code = executable.segments.iter().max_by_key(|segment| segment.size);
    let Some(code) = code else { return Ok(None) };
    // The middle: headers and the code that unpacks are at the ends.
    let from = code.offset.saturating_add(code.size.saturating_sub(SAMPLE) / 2);
    let Ok(bytes) = executable.read(from, code.size, SAMPLE) else { return Ok(None) };
    let is_packed = bytes.len() >= MIN_SAMPLE && entropy(&bytes) > PACKED_BITS;
    Ok(is_packed.then_some("packed or encrypted"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::executable::made::{elf, elf_of, pe, without_sections};
    use crate::testing::Image;

    fn noise(len: u32) -> Vec<u8> {
        let mut state = 7u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as u8
        };
        (0..len).map(|_| next()).collect()
    }

    fn code(len: u32) -> Vec<u8> {
        (0..len)
            .map(|at| b"\x48\x89\xe5\x55\xc3\x90\x0f\x1f"[at as usize % 8] ^ (at % 13) as u8)
            .collect()
    }

    #[track_caller]
    fn check(program: &[u8], expected: Option<&str>) {
        let found = Image::new([("usr/bin/a", program)]).run(&OpaqueProgram);
        let said: Vec<_> = found.problems.iter().map(|it| (&*it.code, &*it.message)).collect();
        let message = expected.map(|what| format!("{what}: what it is made of cannot be seen"));
        let expected: Vec<_> = message.iter().map(|message| (OPAQUE, &**message)).collect();
        assert_eq!(said, expected);
    }

    #[test]
    fn packed_programs_are_said() {
        let upx = [b"\0\0\0\0UPX!\x0d\x16\x08\x07", &noise(40_000)[..]].concat();
        for (big, wide) in [(false, true), (false, false), (true, true)] {
            let program = elf_of(&[(".data", &upx)], big, wide);
            check(&program, None);
        }
        check(&without_sections(elf(&[(".data", &upx)])), Some("packed by UPX"));
        check(&without_sections(elf(&[(".data", &noise(40_000))])), Some("packed or encrypted"));
        check(&pe(&[("UPX0", b""), ("UPX1", &noise(100))]), Some("packed by UPX"));
    }

    #[test]
    fn ordinary_programs_are_not() {
        check(&elf(&[(".text", &noise(40_000))]), None);
        check(&without_sections(elf(&[(".text", &code(40_000))])), None);
        check(&without_sections(elf(&[(".text", &noise(2000))])), None);
        check(&elf(&[(".rodata", b"how UPX! works")]), None);
        check(&pe(&[(".text", b"x")]), None);
        check(b"\x7fELF", None);
    }

    #[test]
    fn file_systems_in_files_are_said() {
        let image = |version: u8| {
            let mut image = [&b"hsqs"[..], &[0; 92]].concat();
            image[28] = version;
            image
        };
        check(&image(4), Some("an image of squashfs, as snaps are"));
        check(&image(9), None);
        check(b"7z\xbc\xaf\x27\x1c\0\x04", Some("an archive of 7-Zip"));
        check(b"070701000000", Some("an archive of cpio"));
        check(b"QFI\xfb\0\0\0\x03", Some("a disk of QEMU"));
        check(b"hsqs", None);
    }

    #[test]
    fn interpreters_with_their_program_are_said() {
        let with_end = |end: &[u8]| [&elf(&[(".text", b"x")])[..], end].concat();
        let python = [b"MEI\x0c\x0b\x0a\x0b\x0e", &[0; 80][..]].concat();
        check(&with_end(&python), Some("a Python program made by PyInstaller"));
        let bun = b"\n---- Bun! ----\n\0\0\0\0\0\0\0\0";
        check(&with_end(bun), Some("a JavaScript program made by Bun"));
        let large = [&[0; 100][..], b"\n---- Bun! ----\n"].concat();
        check(&elf(&[(".text", b"x"), (".bun", &large)]), Some("a JavaScript program made by Bun"));
        check(&elf(&[(".text", b"x"), (".bun", &[0; 8])]), None);
        let blob = [&b"\x0e\0\0\0\x04\0\0\0\0\0\0\0NODE_SEA_BLOB\0"[..], &[0; 100]].concat();
        let node = vec![0; SIZE_OF_NODE as usize];
        let program = |name| elf(&[(name, &blob), (".text", &node)]);
        check(&program(".note"), Some("a JavaScript program in Node.js"));
        check(
            &elf(&[(".note.node.sea", b"x"), (".text", &node)]),
            Some("a JavaScript program in Node.js"),
        );
        check(&elf(&[(".note", &blob)]), None);
        let pkg = b"}, {}, \"/snapshot/app/index.js\", {}, {}, 0);})";
        check(&with_end(pkg), Some("a JavaScript program made by pkg"));
        let nexe = b"<nexe~~sentinel>\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
        check(&with_end(nexe), Some("a JavaScript program made by nexe"));
        let at = elf(&[(".text", b"x")]).len() as u64;
        let nuitka = [b"KAY payload", &at.to_le_bytes()[..]].concat();
        check(&with_end(&nuitka), Some("a Python program made by Nuitka"));
    }
}
