//! Crates that a Rust program was built from.
//!
//! Programs built with `cargo auditable` carry the list in a section named
//! `.dep-v0`: JSON, compressed with zlib. Other Rust programs name no crates.
//! <https://github.com/rust-secure-code/cargo-auditable/blob/master/PARSING.md>

use std::io::Read;

use flate2::read::ZlibDecoder;
use serde::Deserialize;

use crate::parse::executable::{self, Executable};
use crate::{Analyzer, Content, Error, Evidence, Facts, FileHead, Package, Result, Role, Want};

/// Of the list, inflated. The largest seen was some 100 kB.
const MAX_LIST: u64 = 8 << 20;

pub(crate) struct RustBinary;

impl Analyzer for RustBinary {
    fn name(&self) -> &'static str {
        "rust"
    }

    fn about(&self) -> &'static str {
        "Crates listed in Rust programs that were built with cargo auditable"
    }

    fn wants(&self) -> Vec<Want> {
        executable::wants()
    }

    fn inspect(&self, file: &FileHead<'_>, content: &dyn Content, out: &mut Facts) -> Result<()> {
        for executable in executable::open(file, content)? {
            for krate in crates(&executable)? {
                // Crates used only by build scripts are not in the program.
                if krate.kind != CrateKind::Build {
                    out.package(package(krate, file.path));
                }
            }
        }
        Ok(())
    }
}

/// The JSON in the section `.dep-v0`.
#[derive(Deserialize)]
struct CrateList {
    packages: Vec<Crate>,
}

#[derive(Deserialize)]
struct Crate {
    name: String,
    version: String,
    #[serde(default)]
    source: Option<String>,
    #[serde(default)]
    kind: CrateKind,
    #[serde(default)]
    root: bool,
}

#[derive(Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum CrateKind {
    Build,
    #[default]
    Runtime,
}

fn crates(executable: &Executable<'_>) -> Result<Vec<Crate>> {
    let Some(section) = executable.section(b".dep-v0") else { return Ok(Vec::new()) };
    let compressed = executable.read(section.offset, section.size, MAX_LIST)?;
    let mut json = Vec::new();
    ZlibDecoder::new(compressed.as_slice()).take(MAX_LIST + 1).read_to_end(&mut json).map_err(
        |error| at(section.offset, format!("could not inflate the crate list: {error}")),
    )?;
    if json.len() as u64 > MAX_LIST {
        return Err(at(section.offset, "crate list larger than 8 MiB"));
    }
    let list: CrateList = serde_json::from_slice(&json)
        .map_err(|error| at(section.offset, format!("unknown form of crate list: {error}")))?;
    Ok(list.packages)
}

fn at(offset: u64, message: impl Into<String>) -> Error {
    Error::at_offset(offset, message)
}

fn package(krate: Crate, path: &[u8]) -> Package {
    let mut package = Package {
        kind: "cargo".into(),
        name: krate.name,
        version: krate.version,
        evidence: Evidence::Binary,
        location: path.into(),
        ..Package::default()
    };
    // A directory of its own project: what a registry had under the name is another matter.
    if krate.source.as_deref() == Some("local") {
        package.role = Some(if krate.root { Role::Application } else { Role::Local });
    }
    if let Some(source) = krate.source {
        package.attributes.insert("source".into(), source);
    }
    if krate.root {
        package.attributes.insert("main".into(), "true".into());
    }
    package
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::*;
    use crate::parse::executable::made::{elf, pe};
    use crate::testing::Image;

    fn compressed(list: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(list).expect("in memory");
        encoder.finish().expect("in memory")
    }

    const LIST: &[u8] = br#"{"packages":[
        {"name":"app","version":"0.1.0","source":"local","root":true,"dependencies":[1]},
        {"name":"serde","version":"1.0.1","source":"crates.io"},
        {"name":"cc","version":"1.2.0","source":"crates.io","kind":"build"}]}"#;

    #[track_caller]
    fn check(file: &[u8], crates: &[&str], problem: Option<&str>) {
        let found = Image::new([("usr/bin/app", file)]).run(&RustBinary);
        let named: Vec<String> =
            found.packages().map(|crat| format!("{} {}", crat.name, crat.version)).collect();
        assert_eq!(named, crates);
        let problems: Vec<&str> = found.problems.iter().map(|it| it.message.as_str()).collect();
        assert_eq!(problems.len(), usize::from(problem.is_some()), "{problems:?}");
        assert!(problems.iter().zip(problem).all(|(is, part)| is.contains(part)), "{problems:?}");
    }

    #[test]
    fn lists_the_crates_that_are_in_the_program() {
        let list = compressed(LIST);
        check(&elf(&[(".dep-v0", &list)]), &["app 0.1.0", "serde 1.0.1"], None);
        check(&pe(&[(".dep-v0", &list)]), &["app 0.1.0", "serde 1.0.1"], None);
        check(&elf(&[(".text", &list)]), &[], None);
        let found = Image::new([("app", elf(&[(".dep-v0", &list)]))]).run(&RustBinary);
        let roles: Vec<_> = found.packages().map(|it| it.role).collect();
        assert_eq!(roles, [Some(Role::Application), None]);
    }

    #[test]
    fn refuses_a_list_that_inflates_without_end() {
        let bomb = compressed(&vec![b' '; 9 << 20]);
        check(&elf(&[(".dep-v0", &bomb)]), &[], Some("larger than 8 MiB"));
    }

    #[test]
    fn says_so_where_the_list_is_not_understood() {
        check(&elf(&[(".dep-v0", b"junk")]), &[], Some("could not inflate"));
        check(&elf(&[(".dep-v0", &compressed(b"{}"))]), &[], Some("unknown form"));
    }

    #[test]
    fn survives_a_program_cut_anywhere() {
        let file = elf(&[(".dep-v0", &compressed(LIST))]);
        for cut in 0..file.len() {
            Image::new([("a", &file[..cut])]).run(&RustBinary);
        }
    }
}
