//! Modules that a Go program was built from, and the Go release that built it.
//!
//! The linker leaves a record that begins with `\xff Go buildinf:` in a section
//! of its own, `.go.buildinfo`. Since Go 1.18 the release and the list of
//! modules follow in the record itself; before (from 1.13) it holds pointers to
//! them. <https://pkg.go.dev/debug/buildinfo>

mod module_info;

use crate::parse::counted;
use crate::parse::executable::{self, Executable, Fields, Segment};
use crate::{Analyzer, Content, Error, Facts, FileHead, Result, Want};
use module_info::packages;

const MAGIC: &[u8] = b"\xff Go buildinf:";
const HEADER: usize = 32;
const IS_BIG_ENDIAN: u8 = 1;
const IS_INLINE: u8 = 2;
/// Of the list of modules. Kubernetes' is some 30 kB.
const MAX_INFO: u64 = 8 << 20;
/// How much data is searched for the record where no section is named for it.
const MAX_SEARCH: u64 = 16 << 20;

pub(crate) struct GoBinary;

impl Analyzer for GoBinary {
    fn name(&self) -> &'static str {
        "go"
    }

    fn about(&self) -> &'static str {
        "Modules and standard library that Go programs were built from"
    }

    fn wants(&self) -> Vec<Want> {
        executable::wants()
    }

    fn inspect(&self, file: &FileHead<'_>, content: &dyn Content, out: &mut Facts) -> Result<()> {
        for executable in executable::open(file, content)? {
            if let Some(info) = build_info(&executable)? {
                for package in packages(&info.release, &info.modules, file.path) {
                    out.package(package);
                }
            } else if executable.section(b".note.go.buildid").is_some() {
                out.problem("a Go program without build information (built before Go 1.13?)");
            }
        }
        Ok(())
    }
}

struct BuildInfo {
    /// `go1.22.1`
    release: String,
    /// Lines of fields with tabs between them; empty for a program without modules.
    modules: String,
}

fn build_info(executable: &Executable<'_>) -> Result<Option<BuildInfo>> {
    let Some((offset, record)) = find_record(executable)? else { return Ok(None) };
    let damaged = |what| Error::at_offset(offset, format!("Go build information: {what}"));
    let (word_len, flags) = (record[14], record[15]);
    let (release, modules) = if flags & IS_INLINE != 0 {
        let rest = record.get(HEADER..).unwrap_or_default();
        let (release, rest) = counted::text(rest).ok_or_else(|| damaged("no release"))?;
        let (modules, _) = counted::text(rest).ok_or_else(|| damaged("modules are cut off"))?;
        (release.to_vec(), modules.to_vec())
    } else {
        let is_wide = match word_len {
            4 => false,
            8 => true,
            _ => return Err(damaged("unknown pointer size")),
        };
        let fields = Fields { bytes: &record, is_big_endian: flags & IS_BIG_ENDIAN != 0, is_wide };
        let text = |address| pointed_text(executable, fields, address);
        let release = text(fields.word(16, 16)).ok_or_else(|| damaged("no release"))?;
        // A null pointer, or an empty text, where the program has no modules.
        (release, text(fields.word(20, 24)).unwrap_or_default())
    };
    let release = String::from_utf8(release).map_err(|_| damaged("release is not text"))?;
    if !(release.starts_with("go") || release.starts_with("devel")) || release.len() > 200 {
        return Err(damaged("not the name of a Go release"));
    }
    let modules = String::from_utf8_lossy(without_sentinels(&modules)).into_owned();
    Ok(Some(BuildInfo { release, modules }))
}

/// The record, from its magic to the end of its part of the file, and its offset.
fn find_record(executable: &Executable<'_>) -> Result<Option<(u64, Vec<u8>)>> {
    let own =
        [&b".go.buildinfo"[..], b"__go_buildinfo"].iter().find_map(|name| executable.section(name));
    if let Some(section) = own {
        let bytes = executable.read(section.offset, section.size, MAX_INFO)?;
        return match position(&bytes) {
            Some(at) => Ok(Some((section.offset + at as u64, bytes[at..].to_vec()))),
            None => Err(Error::at_offset(section.offset, "no Go build information in its section")),
        };
    }
    // PE has no such section, and names may be stripped from ELF. Where
    // sections are named but this one is missing, it is not a Go program.
    let is_named = executable.sections.iter().any(|section| section.name.starts_with(b".shstrtab"));
    let is_macho = executable.sections.iter().any(|section| section.name.starts_with(b"__"));
    if is_named || is_macho {
        return Ok(None);
    }
    for Segment { offset, size, .. } in executable.segments.iter().filter(|it| it.is_data) {
        let bytes = executable.read(*offset, *size, MAX_SEARCH)?;
        if let Some(at) = position(&bytes) {
            let end = bytes.len().min(at + MAX_INFO as usize);
            return Ok(Some((offset + at as u64, bytes[at..end].to_vec())));
        }
    }
    Ok(None)
}

/// Where a whole record header begins. The linker aligns it to 16 bytes.
fn position(bytes: &[u8]) -> Option<usize> {
    let chunks = bytes.chunks_exact(16).enumerate();
    let found = chunks.filter(|(_, chunk)| chunk.starts_with(MAGIC)).map(|(at, _)| at * 16);
    found.into_iter().find(|at| bytes.len() - at >= HEADER)
}

/// A Go string: at an address lie the address of its bytes and their number.
fn pointed_text(executable: &Executable<'_>, fields: Fields<'_>, address: u64) -> Option<Vec<u8>> {
    let word_len = if fields.is_wide { 8 } else { 4 };
    let read = |address, len: u64| {
        let bytes = executable.read(executable.offset_of(address)?, len, MAX_INFO).ok()?;
        (bytes.len() as u64 == len).then_some(bytes)
    };
    let header = read(address, 2 * word_len)?;
    let header = Fields { bytes: &header, ..fields };
    read(header.word(0, 0), header.word(4, 8))
}

/// The list of modules lies between two marks of 16 bytes.
fn without_sentinels(modules: &[u8]) -> &[u8] {
    match modules.len() {
        len if len >= 33 && modules[len - 17] == b'\n' => &modules[16..len - 16],
        _ => b"",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::executable::made::{FIRST, elf, elf_of, pe, without_sections};
    use crate::testing::Image;

    const MODULES: &str = "0123456789abcdefpath\tex.org/app\nmod\tex.org/app\tv1.2.3\t\n\
        dep\tex.org/dep\tv0.1.0\th1:abc=\n0123456789abcdef";
    const FOUND: &[&str] = &["stdlib 1.22.1", "ex.org/app v1.2.3", "ex.org/dep v0.1.0"];

    fn text(text: &str) -> Vec<u8> {
        let (low, high) = (text.len() & 0x7f, text.len() >> 7);
        let len = if high > 0 { vec![low as u8 | 0x80, high as u8] } else { vec![low as u8] };
        [len, text.into()].concat()
    }

    fn inline(release: &str, modules: &str) -> Vec<u8> {
        let header = [MAGIC, &[8, IS_INLINE], &[0; 16]].concat();
        [header, text(release), text(modules)].concat()
    }

    /// The record of Go 1.13 to 1.17, in a section at address 0x1000 + FIRST.
    fn pointers(big: bool, word_len: u8) -> Vec<u8> {
        let word = |value: u64| {
            let mut bytes = value.to_le_bytes()[..usize::from(word_len)].to_vec();
            if big {
                bytes.reverse();
            }
            bytes
        };
        let release = "go1.22.1";
        let (base, words) = (0x1000 + FIRST + 32, u64::from(word_len));
        let texts = base + 4 * words;
        let mut record = [MAGIC, &[word_len, u8::from(big)]].concat();
        record.extend([word(base), word(base + 2 * words)].concat());
        record.resize(HEADER, 0);
        record.extend([word(texts), word(release.len() as u64)].concat());
        record.extend([word(texts + release.len() as u64), word(MODULES.len() as u64)].concat());
        record.extend([release, MODULES].concat().bytes());
        record
    }

    #[track_caller]
    fn check(file: &[u8], expected: &[&str], problem: Option<&str>) {
        let found = Image::new([("usr/bin/app", file)]).run(&GoBinary);
        let named: Vec<String> =
            found.packages().map(|module| format!("{} {}", module.name, module.version)).collect();
        assert_eq!(named, expected);
        let problems: Vec<&str> = found.problems.iter().map(|it| it.message.as_str()).collect();
        assert_eq!(problems.len(), usize::from(problem.is_some()), "{problems:?}");
        assert!(problems.iter().zip(problem).all(|(is, part)| is.contains(part)), "{problems:?}");
    }

    #[test]
    fn reads_the_record_of_go_1_18_and_later() {
        check(&elf(&[(".go.buildinfo", &inline("go1.22.1", MODULES))]), FOUND, None);
    }

    #[test]
    fn reads_the_record_of_earlier_releases_in_every_byte_order_and_word_size() {
        for (big, word_len) in [(false, 4), (false, 8), (true, 4), (true, 8)] {
            let record = pointers(big, word_len);
            check(&elf_of(&[(".go.buildinfo", &record)], big, word_len == 8), FOUND, None);
        }
    }

    #[test]
    fn finds_the_record_where_no_section_is_named() {
        let record = inline("go1.22.1", MODULES);
        check(&without_sections(elf(&[(".go.buildinfo", &record)])), FOUND, None);
        let data = [&[0; 64], record.as_slice()].concat();
        check(&pe(&[(".text", b"code"), (".data", &data)]), FOUND, None);
    }

    #[test]
    fn other_programs_are_skipped() {
        check(&elf(&[(".text", &inline("go1.22.1", MODULES))]), &[], None);
        check(b"\x7fELF", &[], Some("unknown ELF class"));
    }

    #[test]
    fn a_program_without_modules_still_has_its_standard_library() {
        check(&elf(&[(".go.buildinfo", &inline("go1.15", ""))]), &["stdlib 1.15"], None);
    }

    #[test]
    fn says_so_where_the_record_points_nowhere() {
        let mut record = pointers(false, 8);
        record[16..32].fill(0xff);
        check(&elf(&[(".go.buildinfo", &record)]), &[], Some("no release"));
        let endless = [MAGIC, &[8, IS_INLINE], &[0; 16], &[0xff; 20]].concat();
        check(&elf(&[(".go.buildinfo", &endless)]), &[], Some("no release"));
        let no_info = elf(&[(".go.buildinfo", b"junk")]);
        check(&no_info, &[], Some("no Go build information"));
        let old = elf(&[(".note.go.buildid", b"x")]);
        check(&old, &[], Some("before Go 1.13"));
    }

    #[test]
    fn survives_a_program_cut_anywhere() {
        for record in [inline("go1.22.1", MODULES), pointers(false, 8)] {
            let file = elf(&[(".go.buildinfo", &record)]);
            for cut in 0..file.len() {
                Image::new([("a", &file[..cut])]).run(&GoBinary);
            }
        }
    }
}
