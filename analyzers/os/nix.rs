//! Packages in the Nix store, from the names of its directories.
//!
//! A store path is `nix/store/HASH-NAME-VERSION`, where the hash has 32 characters
//! of base 32, and the version begins after the first dash that no letter follows.
//! An output other than the main one is named at the end: `-dev`.
//! <https://nix.dev/manual/nix/latest/store/store-path>,
//! <https://nix.dev/manual/nix/latest/language/builtins#builtins-parseDrvName>

use bstr::{BString, ByteSlice};

use crate::{Analyzer, Evidence, Facts, FileKind, Files, Package, Result, Want, path};

pub(crate) struct Nix;

const STORE: &[u8] = b"nix/store";

/// The outputs that nixpkgs splits packages into.
const OUTPUTS: [&str; 14] = [
    "bin", "data", "debug", "dev", "devdoc", "dist", "doc", "getent", "info", "lib", "libgcc",
    "man", "out", "static",
];

/// Suffixes of build inputs, which are in the store but are not packages.
const NO_PACKAGES: [&str; 12] = [
    ".drv", ".patch", ".diff", ".lock", ".sh", ".json", ".tar", ".gz", ".bz2", ".xz", ".zst",
    "-source",
];

impl Analyzer for Nix {
    fn name(&self) -> &'static str {
        "nix"
    }

    fn about(&self) -> &'static str {
        "Packages in the Nix store, from the names of the directories in nix/store"
    }

    fn wants(&self) -> Vec<Want> {
        Vec::new()
    }

    fn analyze(&self, image: &dyn Files, out: &mut Facts) -> Result<()> {
        for name in image.list(STORE) {
            let location: BString = path::join(STORE, &name).into();
            let Some((name, version, output)) = name.to_str().ok().and_then(package) else {
                continue;
            };
            if image.entry(&location).is_none_or(|file| file.kind != FileKind::Directory) {
                continue;
            }
            let output = output.map(|output| ("output".to_owned(), output.to_owned()));
            out.package(Package {
                kind: "nix".into(),
                name: name.to_owned(),
                version: version.to_owned(),
                evidence: Evidence::InstalledDb,
                location,
                qualifiers: output.into_iter().collect(),
                ..Package::default()
            });
        }
        Ok(())
    }
}

/// Name, version, and output if it is not the main one. `None` without a version: such a
/// path was made for this image and is not a package.
fn package(store_name: &str) -> Option<(&str, &str, Option<&str>)> {
    let is_base32 =
        |byte: u8| byte.is_ascii_digit() || (byte.is_ascii_lowercase() && !b"eotu".contains(&byte));
    let (hash, name) = store_name.split_at_checked(32)?;
    let name = name.strip_prefix('-').filter(|_| hash.bytes().all(is_base32))?;
    if NO_PACKAGES.iter().any(|end| name.ends_with(end)) {
        return None;
    }
    let dash = name
        .match_indices('-')
        .map(|(dash, _)| dash)
        .find(|&dash| name[dash + 1..].starts_with(|c: char| c.is_ascii_digit()))?;
    let (name, version) = (&name[..dash], &name[dash + 1..]);
    let (version, output) = match version.rsplit_once('-') {
        Some((version, output)) if OUTPUTS.contains(&output) => (version, Some(output)),
        _ => (version, None),
    };
    (!name.is_empty()).then_some((name, version, output))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Image;

    const HASH: &str = "0123456789abcdfghijklmnpqrsvwxyz";

    #[test]
    fn the_name_of_a_directory_tells_the_package() {
        for (name, expected) in [
            ("glibc-2.39-52", Some(("glibc", "2.39-52", None))),
            ("openssl-3.0.14-bin", Some(("openssl", "3.0.14", Some("bin")))),
            ("perl5.38.2-Net-SSLeay-1.92", Some(("perl5.38.2-Net-SSLeay", "1.92", None))),
            ("python3.11-requests-2.31.0", Some(("python3.11-requests", "2.31.0", None))),
            ("etc-os-release", None),
            ("hello-2.12.1.drv", None),
            ("hello-2.12.1.tar.gz", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(package(&format!("{HASH}-{name}")), expected, "{name}");
        }
    }

    #[test]
    fn what_has_no_hash_is_no_store_path() {
        for name in ["hello-1", ".links", "e123456789abcdfghijklmnpqrsvwxyz-hello-1", "é"] {
            assert_eq!(package(name), None, "{name}");
        }
    }

    #[test]
    fn only_directories_count() {
        let store = |rest: &str| format!("nix/store/{HASH}-{rest}");
        let image = Image::new([(store("hello-2.12/bin/hello"), ""), (store("file-1.0"), "")]);
        let facts = image.run(&Nix);
        let found: Vec<_> =
            facts.packages().map(|p| (p.name.as_str(), p.location.clone())).collect();
        assert_eq!(found, [("hello", store("hello-2.12").into())]);
    }
}
