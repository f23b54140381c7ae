//! NuGet packages of .NET programs.
//!
//! Every published program has an `APP.deps.json` that names the packages it
//! runs with; a program in a single file has it inside. Assemblies (`.dll`, `.exe`) that
//! none lists are identified by the version resource that the compiler wrote into them.

mod bundle;
mod deps;
mod version_resource;

use std::collections::BTreeMap;

use crate::parse::executable::pe::Pe;
use crate::parse::executable::{self, Executable};
use crate::parse::json;
use crate::problem::{MALFORMED, OPAQUE};
use crate::{
    Analyzer, Content, Evidence, Facts, FileHead, Package, Pattern, Result, START_LEN, Want, path,
};
use bundle::Entry;

/// The largest seen is that of a desktop SDK, 1 MB.
const MAX_DEPS: u64 = 32 << 20;
const MAX_ASSEMBLY: u64 = 1 << 30;
/// Of all assemblies in one file.
const MAX_ASSEMBLIES: u64 = 512 << 20;

pub(crate) struct Dotnet;

impl Analyzer for Dotnet {
    fn name(&self) -> &'static str {
        "dotnet"
    }

    fn about(&self) -> &'static str {
        "NuGet packages in *.deps.json of .NET programs, in single-file programs and in .NET assemblies"
    }

    fn wants(&self) -> Vec<Want> {
        let mut wants = vec![Want::inspect(Pattern::suffix(".deps.json"), MAX_DEPS)];
        wants.extend([".dll", ".exe"].map(|end| Want::inspect(Pattern::suffix(end), MAX_ASSEMBLY)));
        wants.extend(executable::wants());
        wants
    }

    fn inspect(&self, file: &FileHead<'_>, content: &dyn Content, out: &mut Facts) -> Result<()> {
        if ends_with(file.path, ".deps.json") {
            let bytes = content.bytes()?;
            if !json::hold_tree(&bytes, out) {
                return Ok(());
            }
            return match deps::state(file.path, &bytes, out) {
                Err(error) if !error.is_over_limit() => {
                    // .NET also reads some that are no JSON, with comments.
                    out.hidden_here(MALFORMED, error);
                    Ok(())
                }
                outcome => outcome,
            };
        }
        let is_assembly = ends_with(file.path, ".dll") || ends_with(file.path, ".exe");
        if is_assembly && let Some(package) = assembly(file, content)? {
            out.package(package);
        }
        // A damaged executable is none of .NET's; a damaged bundle hides what it has.
        let executables = executable::open(file, content).unwrap_or_default();
        if let Err(error) = bundle(file, &executables, content, out) {
            out.hidden_here(OPAQUE, format!(".NET program in a single file: {error}"));
        }
        Ok(())
    }
}

fn ends_with(path: &[u8], end: &str) -> bool {
    let start = path.len().saturating_sub(end.len());
    path[start..].eq_ignore_ascii_case(end.as_bytes())
}

/// The packages of a program in a single file: by its `deps.json`, and where it has none, by
/// its assemblies.
fn bundle(
    file: &FileHead<'_>,
    executables: &[Executable<'_>],
    content: &dyn Content,
    out: &mut Facts,
) -> Result<()> {
    for executable in executables {
        let Some(entries) = bundle::entries(executable, content)? else { continue };
        let inner = |entry: &Entry| [file.path, b":", &entry.path].concat();
        if let Some(deps) = entries.iter().find(|entry| entry.is_deps()) {
            let json = deps.read(content, MAX_DEPS)?;
            deps::state(&inner(deps), &json, out)?;
            continue;
        }
        let mut budget = MAX_ASSEMBLIES;
        for entry in entries.iter().filter(|entry| entry.is_assembly()) {
            let bytes = entry.read(content, budget)?;
            budget -= bytes.len() as u64;
            let path = inner(entry);
            let start = &bytes[..bytes.len().min(START_LEN)];
            let head = FileHead { path: &path, size: bytes.len() as u64, start, ..*file };
            if let Some(package) = assembly(&head, &&bytes[..])? {
                out.package(package);
            }
        }
    }
    Ok(())
}

/// The assembly in a file. `None` without a version, and for native libraries of Windows,
/// which are not NuGet packages.
fn assembly(file: &FileHead<'_>, content: &dyn Content) -> Result<Option<Package>> {
    const RESOURCES: usize = 2;
    const MANAGED_CODE: usize = 14;
    if !file.start.starts_with(b"MZ") {
        return Ok(None);
    }
    let Some(pe) = Pe::open(content)? else { return Ok(None) };
    let has = |directory: usize| {
        pe.directories.get(directory).copied().filter(|&(address, size)| address > 0 && size > 0)
    };
    let (Some(_), Some((address, _))) = (has(MANAGED_CODE), has(RESOURCES)) else {
        return Ok(None);
    };
    let Some(texts) = version_resource::texts(&pe, address)? else { return Ok(None) };
    let Some(version) = assembly_version(&texts) else { return Ok(None) };
    let text = |key| texts.get(key).map(String::as_str).filter(|text| !text.is_empty());
    let file_name = String::from_utf8_lossy(path::name(file.path));
    let name = text("OriginalFilename").or_else(|| text("InternalName")).unwrap_or(&file_name);
    let mut package = package(without_extension(name), &version, file.path, Evidence::Binary);
    package.origin = text("CompanyName").map(Into::into);
    for (key, attribute) in [("ProductName", "product"), ("FileVersion", "file-version")] {
        if let Some(value) = text(key) {
            package.attributes.insert(attribute.into(), value.into());
        }
    }
    Ok(Some(package))
}

/// The product version is the package's, with the commit behind a plus sign;
/// the file version often has a build number in its place.
fn assembly_version(texts: &BTreeMap<String, String>) -> Option<String> {
    let numbered = |key| {
        let version = texts.get(key)?.trim();
        let version = version.split(['+', ' ', ',']).next().unwrap_or_default();
        version.starts_with(|first: char| first.is_ascii_digit()).then(|| version.to_owned())
    };
    numbered("ProductVersion").or_else(|| numbered("FileVersion"))
}

fn without_extension(name: &str) -> &str {
    for extension in [".dll", ".exe", ".DLL", ".EXE"] {
        if let Some(stem) = name.strip_suffix(extension) {
            return stem;
        }
    }
    name
}

fn package(name: &str, version: &str, location: &[u8], evidence: Evidence) -> Package {
    Package {
        kind: "nuget".into(),
        name: name.into(),
        version: version.into(),
        evidence,
        location: location.into(),
        ..Package::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Image;
    use version_resource::made::assembly;

    #[track_caller]
    fn check(file: &str, content: &[u8], expected: &[&str], problem: Option<&str>) {
        let found = Image::new([(file, content)]).run(&Dotnet);
        let named: Vec<String> =
            found.packages().map(|it| format!("{} {}", it.name, it.version)).collect();
        assert_eq!(named, expected);
        let problems: Vec<&str> = found.problems.iter().map(|it| it.message.as_str()).collect();
        assert_eq!(problems.len(), usize::from(problem.is_some()), "{problems:?}");
        assert!(problems.iter().zip(problem).all(|(is, part)| is.contains(part)), "{problems:?}");
    }

    #[test]
    fn the_libraries_of_a_program_are_listed() {
        let deps = br#"{"runtimeTarget":{"name":"x"},"targets":{},"libraries":{
            "App/1.0.0":{"type":"project","serviceable":false,"sha512":""},
            "Serilog/2.10.0":{"type":"package","serviceable":true,"sha512":"sha512-x"}}}"#;
        check("app/App.deps.json", deps, &["App 1.0.0", "Serilog 2.10.0"], None);
        check("app/App.deps.json", b"{}", &[], None);
    }

    #[test]
    fn says_which_library_is_not_understood() {
        let deps = br#"{"libraries":{"NoVersion":{"type":"package"}}}"#;
        check("a.deps.json", deps, &[], Some("library `NoVersion` has no name or no version"));
        check("a.deps.json", b"{\n[", &[], Some("line 2: not a deps.json"));
    }

    #[test]
    fn an_assembly_is_known_by_its_version_resource() {
        let texts = [
            ("ProductVersion", "13.0.3+0a2e291c"),
            ("FileVersion", "13.0.3.27908"),
            ("OriginalFilename", "Newtonsoft.Json.dll"),
            ("CompanyName", "Newtonsoft"),
        ];
        check("app/a.dll", &assembly(&texts, true), &["Newtonsoft.Json 13.0.3"], None);
        check("app/native.dll", &assembly(&texts, false), &[], None);
        let odd = [("ProductVersion", "Release"), ("FileVersion", "1.2.3.4")];
        check("app/Odd.dll", &assembly(&odd, true), &["Odd 1.2.3.4"], None);
        check("app/no.dll", b"no assembly", &[], None);
    }

    #[test]
    fn a_program_in_a_single_file_has_its_packages_inside() {
        let deps = br#"{"libraries": {"Serilog/2.10.0": {"type": "package"}}}"#;
        for version in [1, 2, 6] {
            let program = bundle::made::bundle(version, "App.deps.json", 3, deps);
            check("app/App", &program, &["Serilog 2.10.0"], None);
        }
        let texts = [("ProductVersion", "13.0.3"), ("OriginalFilename", "Newtonsoft.Json.dll")];
        let program = bundle::made::bundle(6, "a.dll", 1, &assembly(&texts, true));
        check("app/App", &program, &["Newtonsoft.Json 13.0.3"], None);
    }

    #[test]
    fn a_bundle_that_cannot_be_read_is_said() {
        let program = bundle::made::bundle(7, "App.deps.json", 3, b"{}");
        check("app/App", &program, &[], Some("bundle of the unknown version 7"));
        let program = bundle::made::bundle(6, "App.deps.json", 3, b"{}");
        check("app/App", &program[..program.len() - 3], &[], Some("is damaged"));
        for cut in 0..program.len() {
            Image::new([("app/App", &program[..cut])]).run(&Dotnet);
        }
    }

    #[test]
    fn a_program_that_only_knows_the_signature_is_no_bundle() {
        let scanner = bundle::made::host(0x0102_0304_0506_0708);
        check("usr/bin/scanner", &[&scanner[..], b"more behind it"].concat(), &[], None);
        check("usr/bin/apphost", &[&bundle::made::host(0)[..], b"more"].concat(), &[], None);
    }

    #[test]
    fn survives_an_assembly_cut_anywhere() {
        let file = assembly(&[("ProductVersion", "1.0"), ("InternalName", "x")], true);
        for cut in 0..file.len() {
            Image::new([("a.dll", &file[..cut])]).run(&Dotnet);
        }
    }
}
