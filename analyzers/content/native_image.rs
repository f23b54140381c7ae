//! Java programs that GraalVM compiled: the list of packages that `native-image` leaves in
//! them, a CycloneDX document compressed by gzip, between the symbols `sbom` and
//! `sbom_length`. <https://www.graalvm.org/latest/security-guide/native-image/sbom/>

use std::io::Read;

use flate2::bufread::GzDecoder;
use inscan_facts::content::Content;

use crate::parse::executable::{self, Executable, Fields, Section};
use crate::problem::OPAQUE;
use crate::{Analyzer, Error, Facts, FileHead, Package, Result, Want};

/// The strings of a large program's symbols.
const MAX_STRINGS: u64 = 64 << 20;
const MAX_SYMBOLS: u64 = 128 << 20;
/// As for an SBOM in a file of its own.
const MAX_SBOM: u64 = 16 << 20;
/// Where the program's objects are, in every program of GraalVM.
const HEAPS: [&[u8]; 2] = [b".svm_heap", b"__svm_heap"];

pub(crate) struct NativeImage;

impl Analyzer for NativeImage {
    fn name(&self) -> &'static str {
        "native-image"
    }

    fn about(&self) -> &'static str {
        "Java packages listed in programs that GraalVM's native-image compiled"
    }

    fn wants(&self) -> Vec<Want> {
        executable::wants()
    }

    fn inspect(&self, file: &FileHead<'_>, content: &dyn Content, out: &mut Facts) -> Result<()> {
        for executable in executable::open(file, content).unwrap_or_default() {
            let is_wide = file.start.get(4) == Some(&2);
            let is_big_endian = file.start.get(5) == Some(&2);
            match sbom(&executable, Fields { bytes: &[], is_big_endian, is_wide }) {
                Ok(Some(json)) => state(file.path, &json, out),
                Ok(None) if HEAPS.iter().any(|name| executable.section(name).is_some()) => {
                    let message = "a Java program compiled by GraalVM without an SBOM: \
                                   build it with --enable-sbom";
                    out.hidden_here(OPAQUE, message);
                }
                Ok(None) => {}
                Err(error) => out.hidden_here(OPAQUE, format!("SBOM of GraalVM: {error}")),
            }
        }
        Ok(())
    }
}

fn state(location: &[u8], json: &[u8], out: &mut Facts) {
    let sbom = match inscan_sbom::read(json) {
        Ok(sbom) => sbom,
        Err(error) => return out.hidden_here(OPAQUE, format!("SBOM of GraalVM: {error}")),
    };
    if !sbom.is_whole {
        out.hidden_here(OPAQUE, "SBOM of GraalVM: components nested too deep are skipped");
    }
    for component in sbom.components {
        out.package(Package { location: location.into(), ..component.package });
    }
}

/// The document, uncompressed. `None` without the two symbols.
fn sbom(executable: &Executable<'_>, fields: Fields<'_>) -> Result<Option<Vec<u8>>> {
    // Only ELF's symbols are read: images are for Linux.
    for (symbols, strings) in [(".symtab", ".strtab"), (".dynsym", ".dynstr")] {
        let section = |name: &str| executable.section(name.as_bytes());
        let (Some(symbols), Some(strings)) = (section(symbols), section(strings)) else { continue };
        let names = executable.read(strings.offset, strings.size, MAX_STRINGS)?;
        if memchr::memmem::find(&names, b"\0sbom_length\0").is_none() {
            continue;
        }
        let [Some(start), Some(length)] = addresses(executable, symbols, &names, fields)? else {
            continue;
        };
        return read(executable, start, length, fields).map(Some);
    }
    Ok(None)
}

/// Of `sbom` and of `sbom_length`.
fn addresses(
    executable: &Executable<'_>,
    symbols: &Section,
    names: &[u8],
    fields: Fields<'_>,
) -> Result<[Option<u64>; 2]> {
    let table = executable.read(symbols.offset, symbols.size, MAX_SYMBOLS)?;
    let mut found = [None; 2];
    for symbol in (Fields { bytes: &table, ..fields }).records(if fields.is_wide { 24 } else { 16 })
    {
        let name = names.get(symbol.u32(0) as usize..).unwrap_or_default();
        for (at, wanted) in [&b"sbom\0"[..], b"sbom_length\0"].into_iter().enumerate() {
            if name.starts_with(wanted) {
                found[at] = Some(symbol.word(4, 8));
            }
        }
    }
    Ok(found)
}

fn read(
    executable: &Executable<'_>,
    start: u64,
    length: u64,
    fields: Fields<'_>,
) -> Result<Vec<u8>> {
    let offset = |address| {
        let beyond = || Error::new(format!("address {address:#x} is not in the file"));
        executable.offset_of(address).ok_or_else(beyond)
    };
    let word_len = if fields.is_wide { 8 } else { 4 };
    let bytes = executable.read(offset(length)?, word_len, word_len)?;
    let length = Fields { bytes: &bytes, ..fields }.word(0, 0);
    if length > MAX_SBOM {
        return Err(Error::new(format!("{length} bytes are too many")));
    }
    let at = offset(start)?;
    let packed = executable.read(at, length, MAX_SBOM)?;
    let mut json = Vec::new();
    let decoder = GzDecoder::new(&packed[..]).take(MAX_SBOM + 1);
    { decoder }.read_to_end(&mut json).map_err(|_| Error::at_offset(at, "not gzip, or damaged"))?;
    match json.len() as u64 > MAX_SBOM {
        true => Err(Error::at_offset(at, "larger than 16 MiB")),
        false => Ok(json),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;
    use crate::parse::executable::made::{FIRST, elf};
    use crate::testing::Image;

    const SBOM: &str = r#"{"bomFormat": "CycloneDX", "specVersion": "1.5", "components": [
        {"type": "library", "name": "a", "version": "1", "purl": "pkg:maven/org.example/a@1"}]}"#;

    /// A program whose data is the packed document and its length, with their symbols.
    fn program(packed: &[u8], length: u64) -> Vec<u8> {
        let mut data = packed.to_vec();
        data.resize(data.len().next_multiple_of(8), 0);
        let base = 0x1000 + FIRST;
        let symbol = |name: u32, address: u64| {
            [&name.to_le_bytes()[..], &[0x11, 0, 1, 0], &address.to_le_bytes(), &[0; 8]].concat()
        };
        let symbols = [symbol(1, base), symbol(6, base + data.len() as u64)].concat();
        data.extend(length.to_le_bytes());
        let strings = b"\0sbom\0sbom_length\0";
        elf(&[(".data", &data), (".symtab", &symbols), (".strtab", strings), (".svm_heap", b"x")])
    }

    fn packed(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).expect("in memory");
        encoder.finish().expect("in memory")
    }

    #[track_caller]
    fn check(program: &[u8], packages: &[&str], problem: Option<&str>) {
        let found = Image::new([("app/server", program)]).run(&NativeImage);
        let names: Vec<_> =
            found.packages().map(|it| format!("{} {}", it.name, it.version)).collect();
        assert_eq!(names, packages);
        let said: Vec<_> = found.problems.iter().map(|it| it.message.as_str()).collect();
        assert_eq!(said.len(), usize::from(problem.is_some()), "{said:?}");
        assert!(said.iter().zip(problem).all(|(said, part)| said.contains(part)), "{said:?}");
    }

    #[test]
    fn the_packages_that_the_compiler_listed_are_read() {
        let packed = packed(SBOM);
        check(&program(&packed, packed.len() as u64), &["a 1"], None);
    }

    #[test]
    fn a_program_without_a_readable_list_is_said() {
        check(&elf(&[(".svm_heap", b"x")]), &[], Some("without an SBOM"));
        check(&elf(&[(".data", b"x")]), &[], None);
        check(&program(b"no gzip", 7), &[], Some("not gzip"));
        check(&program(b"", u64::MAX), &[], Some("too many"));
        let other = packed("[]");
        check(&program(&other, other.len() as u64), &[], Some("it is no SBOM"));
    }

    #[test]
    fn no_cut_makes_it_panic() {
        let packed = packed(SBOM);
        let whole = program(&packed, packed.len() as u64);
        for cut in 0..whole.len() {
            Image::new([("app/server", &whole[..cut])]).run(&NativeImage);
        }
    }
}
