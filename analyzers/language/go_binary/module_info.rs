//! The list of modules in a Go program: one line each, fields with tabs between.
//!
//! `path` names the main package, `mod` its module, `dep` a dependency, `=>`
//! what took the place of the module before it, `build` a setting of the build. Without
//! `mod` the program was built from GOPATH or from single files.
//! <https://pkg.go.dev/runtime/debug#BuildInfo>

use std::collections::BTreeMap;

use inscan_facts::package::{Certainty, Role};

use crate::{Evidence, Package};

/// What Go states in place of an unknown version.
const UNKNOWN: &str = "(devel)";

#[derive(Clone, Debug, Default)]
struct Module<'a> {
    path: &'a str,
    version: &'a str,
    replacement: Option<(&'a str, &'a str)>,
}

/// The standard library, the main module and its dependencies.
pub(super) fn packages(release: &str, modules: &str, location: &[u8]) -> Vec<Package> {
    let new = |name: &str, version: &str| Package {
        kind: "golang".into(),
        name: name.into(),
        version: version.into(),
        evidence: Evidence::Binary,
        location: location.into(),
        ..Package::default()
    };
    let info = parse(modules);

    let mut library = new("stdlib", release_number(release));
    library.attributes.insert("go-release".into(), release.into());
    if library.version.starts_with(|first: char| first.is_ascii_digit()) {
        let cpe = format!("cpe:2.3:a:golang:go:{}:*:*:*:*:*:*:*", library.version);
        library.attributes.insert("cpe".into(), cpe);
    }
    let mut found = vec![library];
    if let Some(module) = &info.main {
        let (version, certainty) = main_version(module, &info.settings);
        let mut main = new(module.path, &version);
        main.identity.version = certainty;
        main.attributes.insert("main".into(), "true".into());
        found.push(main);
    } else if let Some(path) = info.package {
        // Built without modules: all that is known is where its package lay.
        let mut main = new(path, "");
        main.identity.name = Certainty::derived("import-path");
        main.identity.version = Certainty::Unknown;
        main.attributes.insert("main".into(), "true".into());
        found.push(main);
    }
    if let Some(main) = found.get_mut(1) {
        // Without a version it is what somebody built here, not what a proxy of modules has.
        if info.main.is_some() && main.identity.version == Certainty::Unknown {
            main.role = Some(Role::Application);
        }
        let commit = [("vcs.revision", "commit"), ("vcs.time", "commit-time")];
        let stated =
            |(key, name): (&str, &str)| Some((name.into(), info.settings.get(key)?.clone()));
        main.attributes.extend(commit.into_iter().filter_map(stated));
    }
    found.extend(info.dependencies.iter().map(|module| match module.replacement {
        Some((path, _)) if is_directory(path) => {
            let mut package = new(module.path, UNKNOWN);
            package.identity.version = Certainty::Unknown;
            package.role = Some(Role::Local);
            package.attributes.insert("replaced-by".into(), path.into());
            package.attributes.insert("required-version".into(), module.version.into());
            package
        }
        Some((path, version)) => {
            let mut package = new(path, version);
            let replaced = format!("{}@{}", module.path, module.version);
            package.attributes.insert("replaces".into(), replaced);
            package
        }
        None => new(module.path, module.version),
    }));
    found
}

/// Whether a replacement is a directory, which has no version of its own: `../fork`, `/src/fork`.
fn is_directory(path: &str) -> bool {
    path.starts_with(['.', '/', '\\'])
        || path.get(1..3).is_some_and(|it| matches!(it, ":\\" | ":/"))
}

#[derive(Default)]
struct Info<'a> {
    main: Option<Module<'a>>,
    /// The import path of the main package.
    package: Option<&'a str>,
    dependencies: Vec<Module<'a>>,
    settings: BTreeMap<&'a str, String>,
}

fn parse(modules: &str) -> Info<'_> {
    let mut info = Info::default();
    for line in modules.lines() {
        let mut fields = line.split('\t');
        let mut field = || fields.next().unwrap_or_default();
        match field() {
            // Not those of Go itself, nor of files that were named on the command line.
            "path" => {
                let path = field();
                let host = path.split('/').next().unwrap_or_default();
                info.package = host.contains('.').then_some(path);
            }
            "mod" => {
                info.main = Some(Module { path: field(), version: field(), replacement: None });
            }
            "dep" => {
                let module = Module { path: field(), version: field(), replacement: None };
                info.dependencies.push(module);
            }
            "=>" => {
                let last = info.dependencies.last_mut().or(info.main.as_mut());
                if let Some(module) = last {
                    module.replacement = Some((field(), field()));
                }
            }
            "build" => {
                if let Some((key, value)) = line.strip_prefix("build\t").and_then(setting) {
                    info.settings.insert(key, value);
                }
            }
            _ => {}
        }
    }
    info
}

/// `key=value`, the value quoted as in Go where it holds blanks or quotes.
fn setting(line: &str) -> Option<(&str, String)> {
    let (key, value) = line.split_once('=')?;
    let value = match value.strip_prefix('"') {
        // Go's quoting agrees with JSON's for printable text.
        Some(_) => serde_json::from_str(value).unwrap_or_else(|_| value.trim_matches('"').into()),
        None => value.trim_matches('`').into(),
    };
    Some((key, value))
}

/// `1.22.1` of `go1.22.1 X:nocoverageredesign`.
fn release_number(release: &str) -> &str {
    let release = release.strip_prefix("devel ").unwrap_or(release);
    let number = release.strip_prefix("go").unwrap_or(release);
    number.split([' ', '-', '+']).next().unwrap_or_default()
}

/// The main module's version: as Go states it, else as the program's own build set it with
/// `-ldflags -X`, else unknown. A commit without a tag before it may be of any version.
fn main_version(module: &Module<'_>, settings: &BTreeMap<&str, String>) -> (String, Certainty) {
    let is_stated = !matches!(module.version, "" | UNKNOWN) && !is_of_no_release(module.version);
    if is_stated && module.replacement.is_none() {
        return (module.version.into(), Certainty::Stated);
    }
    let flags = settings.get("-ldflags").map_or("", String::as_str);
    match linked_version(flags, module.path) {
        Some(version) => (version, Certainty::derived("ldflags")),
        None if module.version.is_empty() => (UNKNOWN.into(), Certainty::Unknown),
        None => (module.version.into(), Certainty::Unknown),
    }
}

/// `v0.0.0-20250307142531-64017e8ca682+dirty`: a commit, and no tag that comes before it.
/// <https://go.dev/ref/mod#pseudo-versions>
fn is_of_no_release(version: &str) -> bool {
    let version = version.split('+').next().unwrap_or_default();
    let mut parts = version.split('-');
    let base = parts.next().unwrap_or_default();
    let (time, commit) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    // Of major versions beyond 1 the base is `v2.0.0`.
    base.starts_with('v')
        && base.ends_with(".0.0")
        && time.len() == 14
        && time.bytes().all(|it| it.is_ascii_digit())
        && commit.len() == 12
        && parts.next().is_none()
}

/// The value of `-X main.version=1.2.3`, or of another variable that by its
/// place and name holds the program's version.
fn linked_version(flags: &str, module: &str) -> Option<String> {
    let mut best: Option<(u8, &str)> = None;
    for definition in flags.split("-X").skip(1) {
        let definition = definition.trim_start_matches([' ', '=', '"', '\'']);
        let Some((variable, value)) = definition.split_once('=') else { continue };
        let value = value.split([' ', '"', '\'']).next().unwrap_or_default();
        let Some((package, name)) = variable.rsplit_once('.') else { continue };
        let rank = match package {
            "main" => 0,
            _ if package.starts_with(module) => 1,
            _ if package.ends_with("/version") => 2,
            _ => continue,
        };
        let is_version = matches!(
            name.to_ascii_lowercase().as_str(),
            "version" | "gitversion" | "appversion" | "buildversion" | "releaseversion" | "tag"
        );
        if is_version && is_numbered(value) && best.is_none_or(|(other, _)| rank < other) {
            best = Some((rank, value));
        }
    }
    best.map(|(_, value)| format!("v{}", value.trim_start_matches('v')))
}

/// Begins like `1.2` or `v1.2`.
fn is_numbered(value: &str) -> bool {
    let mut parts = value.trim_start_matches('v').split('.');
    let mut is_number =
        || parts.next().is_some_and(|part| part.starts_with(|first: char| first.is_ascii_digit()));
    is_number() && is_number()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(modules: &str, expected: &[&str]) {
        let found = packages("go1.22.1", modules, b"a");
        let named: Vec<String> =
            found.iter().skip(1).map(|it| format!("{} {}", it.name, it.version)).collect();
        assert_eq!(named, expected);
    }

    #[track_caller]
    fn check_main(settings: &str, expected: &str) {
        check(&format!("mod\tex.org/app\t(devel)\t\n{settings}"), &[expected]);
    }

    #[test]
    fn a_replaced_module_is_named_by_its_replacement() {
        check("dep\ta.org/a\tv1.0.0\th1:x\n=>\tb.org/b\tv2.0.0\th1:y\n", &["b.org/b v2.0.0"]);
        for directory in ["../fork", "./staging/a", "/src/fork", "C:\\fork"] {
            let record = format!("dep\ta.org/a\tv0.0.0\n=>\t{directory}\t(devel)\t\n");
            check(&record, &["a.org/a (devel)"]);
            let found = packages("go1.22.1", &record, b"a");
            assert_eq!(found[1].identity.version, Certainty::Unknown);
            assert_eq!(
                (found[1].role, &*found[1].attributes["required-version"]),
                (Some(Role::Local), "v0.0.0")
            );
        }
    }

    #[test]
    fn without_modules_the_main_package_names_the_program() {
        check("path\tex.org/app/cmd/x\n", &["ex.org/app/cmd/x "]);
        check("path\tex.org/app/cmd/x\nmod\tex.org/app\tv1.0.0\n", &["ex.org/app v1.0.0"]);
        check("path\tcommand-line-arguments\n", &[]);
        check("path\tcmd/go\n", &[]);
    }

    #[test]
    fn the_main_version_comes_from_the_flags_of_the_linker() {
        check_main("build\t-ldflags=\"-s -X main.version=1.2.3 -w\"\n", "ex.org/app v1.2.3");
        check_main("build\t-ldflags=\"-X 'ex.org/app/cmd.Version=v2.0.0'\"\n", "ex.org/app v2.0.0");
        check_main("build\t-ldflags=-X=main.version=1.2.3\n", "ex.org/app v1.2.3");
        let several = "build\t-ldflags=\"-X x.org/version.Version=9.9.9 -X main.version=1.0.0\"\n";
        check_main(several, "ex.org/app v1.0.0");
        check_main("build\t-ldflags=\"-X main.version=unknown\"\n", "ex.org/app (devel)");
        check_main("build\t-ldflags=\"-X lib.org/x.Version=1.0.0\"\n", "ex.org/app (devel)");
    }

    #[test]
    fn a_commit_without_a_tag_is_no_version() {
        let check = |version: &str, settings: &str, expected: (&str, Certainty)| {
            let record = format!("mod\tex.org/app\t{version}\t\n{settings}");
            let main = &packages("go1.24.1", &record, b"a")[1];
            assert_eq!((&*main.version, main.identity.version.clone()), expected);
        };
        let commit = "build\tvcs.revision=0123456789abcdef\nbuild\tvcs.time=2024-01-02T03:04:05Z\n";
        check("(devel)", commit, ("(devel)", Certainty::Unknown));
        let untagged = "v0.0.0-20250307142531-64017e8ca682+dirty";
        check(untagged, commit, (untagged, Certainty::Unknown));
        let flags = "build\t-ldflags=\"-X main.version=11.5.2\"\n";
        check(untagged, flags, ("v11.5.2", Certainty::derived("ldflags")));
        check("(devel)", flags, ("v11.5.2", Certainty::derived("ldflags")));
        for stated in ["v1.2.3", "v1.2.4-0.20250307142531-64017e8ca682", "v1.2.3+dirty"] {
            check(stated, flags, (stated, Certainty::Stated));
        }
        let main = &packages("go1.24.1", &format!("mod\tex.org/app\t(devel)\t\n{commit}"), b"a")[1];
        assert_eq!(main.attributes["commit"], "0123456789abcdef");
    }

    #[test]
    fn a_release_is_named_by_its_number() {
        for (release, expected) in [
            ("go1.22.1", "1.22.1"),
            ("go1.22.1 X:boringcrypto", "1.22.1"),
            ("go1.21.0-custom", "1.21.0"),
            ("devel go1.23-abcdef Tue", "1.23"),
            ("go1.21rc2", "1.21rc2"),
        ] {
            assert_eq!(release_number(release), expected);
        }
    }
}
