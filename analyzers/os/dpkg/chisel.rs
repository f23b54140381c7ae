//! Packages that chisel put into an image as slices, without dpkg.
//!
//! `manifest.wall` is zstd-compressed text with a JSON object on each line: of
//! `"kind":"package"` for a package, of `"kind":"path"` for a file and its slices, which are
//! named `PACKAGE_SLICE`. <https://documentation.ubuntu.com/chisel/en/latest/reference/manifest/>

use std::collections::HashMap;
use std::io::Read;

use bstr::{BStr, ByteSlice};
use serde::Deserialize;

use crate::parse::allowance::Allowance;
use crate::parse::tally::Tally;
use crate::{Certainty, Error, Evidence, Facts, Identity, Package, PackageFile, Result, path};

/// `var/lib/chisel/manifest.wall` by default.
pub(super) const NAME: &str = "manifest.wall";

/// Decompressed. A line has some 200 bytes: 300,000 files.
const MAX_TEXT: u64 = 64 << 20;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Line {
    kind: String,
    name: String,
    version: String,
    arch: Option<String>,
    path: String,
    mode: Option<String>,
    slices: Vec<String>,
    sha256: Option<String>,
    /// The digest after a script of the slice changed the file.
    final_sha256: Option<String>,
    size: Option<u64>,
}

pub(super) fn packages(manifest: &[u8], location: &BStr, out: &mut Facts) -> Result<Vec<Package>> {
    let mut text = Vec::new();
    zstd::Decoder::new(manifest)?.take(MAX_TEXT + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MAX_TEXT {
        return Err(Error::new(format!("more than {MAX_TEXT} bytes when decompressed")));
    }
    Ok(listed(&text, location, out))
}

fn listed(text: &[u8], location: &BStr, out: &mut Facts) -> Vec<Package> {
    let mut found: Vec<Package> = Vec::new();
    let mut files: HashMap<String, Vec<PackageFile>> = HashMap::new();
    let mut tally = Tally::default();
    let mut allowance = Allowance::of_record(text.len());
    for (number, line) in text.lines().enumerate() {
        let Ok(line) = serde_json::from_slice::<Line>(line) else {
            tally.add("not understood", number + 1);
            continue;
        };
        match line.kind.as_str() {
            "package" if line.name.is_empty() || line.version.is_empty() => {
                tally.add("a package without name or version", number + 1);
            }
            "package" => found.push(Package {
                kind: "deb".into(),
                name: line.name,
                version: line.version,
                arch: line.arch,
                evidence: Evidence::InstalledDb,
                location: location.into(),
                // The manifest leaves it out, and advisories go by it.
                identity: Identity { source: Certainty::Unknown, ..Identity::default() },
                ..Package::default()
            }),
            "path" => {
                let packages = line.slices.iter().filter_map(|slice| slice.split('_').next());
                let mut packages: Vec<&str> = packages.collect();
                packages.dedup();
                for package in packages {
                    if !allowance.admits(line.path.len(), out) {
                        continue;
                    }
                    files.entry(package.to_owned()).or_default().push(file(&line));
                }
            }
            _ => {}
        }
    }
    tally.report_hidden(location, out);
    allowance.report(location, out);
    for package in &mut found {
        package.files = files.remove(&package.name).unwrap_or_default();
    }
    found
}

fn file(line: &Line) -> PackageFile {
    let digest = line.final_sha256.clone().or_else(|| line.sha256.clone());
    PackageFile {
        path: path::clean(line.path.as_bytes()),
        algorithm: digest.is_some().then_some("sha256".into()),
        digest,
        mode: line.mode.as_deref().and_then(|mode| u32::from_str_radix(mode, 8).ok()),
        size: line.size,
        ..PackageFile::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"{"jsonwall":"1.0","schema":"1.0","count":6}
{"kind":"content","slice":"hello_bins","path":"/usr/bin/hello"}
{"kind":"package","name":"hello","version":"2.10-3","sha256":"aa","arch":"amd64"}
{"kind":"package","name":"libc6","version":"2.39-0ubuntu8","sha256":"bb","arch":"amd64"}
{"kind":"path","path":"/usr/bin/","mode":"0755","slices":["hello_bins","hello_x","libc6_libs"]}
{"kind":"path","path":"/usr/bin/hello","mode":"0755","slices":["hello_bins"],"sha256":"cc","final_sha256":"dd","size":26856}
{"kind":"slice","name":"hello_bins"}
"#;

    #[test]
    fn lists_packages_with_the_files_of_their_slices() {
        let mut out = Facts::default();
        let manifest = zstd::encode_all(MANIFEST.as_bytes(), 3).unwrap();
        let found = packages(&manifest, "var/lib/chisel/manifest.wall".into(), &mut out).unwrap();
        let names: Vec<_> =
            found.iter().map(|p| (p.name.as_str(), p.version.as_str(), p.files.len())).collect();
        assert_eq!(names, [("hello", "2.10-3", 2), ("libc6", "2.39-0ubuntu8", 1)]);
        assert!(found.iter().all(|it| it.identity.source == Certainty::Unknown));
        let expected = PackageFile {
            path: "usr/bin/hello".into(),
            digest: Some("dd".into()),
            algorithm: Some("sha256".into()),
            mode: Some(0o755),
            size: Some(26856),
            ..PackageFile::default()
        };
        assert_eq!(found[0].files[1], expected);
        assert_eq!(out.problems, []);
    }

    #[test]
    fn a_broken_line_loses_that_line_only() {
        let mut out = Facts::default();
        let text = format!("{{\n{MANIFEST}{{\"kind\":\"package\",\"name\":\"x\"}}\n");
        assert_eq!(listed(text.as_bytes(), "m".into(), &mut out).len(), 2);
        assert_eq!(out.problems.len(), 2);
        assert!(out.problems.iter().all(|it| !it.hides.is_nothing()));
    }

    #[test]
    fn a_bomb_and_a_path_of_many_slices_are_problems() {
        let bomb = zstd::encode_all(&vec![b' '; MAX_TEXT as usize + 1][..], 1).unwrap();
        assert!(bomb.len() < 10_000);
        let error = packages(&bomb, "m".into(), &mut Facts::default()).unwrap_err();
        assert_eq!(error.to_string(), "more than 67108864 bytes when decompressed");

        let slices: Vec<_> = (0..1000).map(|number| format!("\"p{number}_x\"")).collect();
        let path = "d".repeat(1 << 20);
        let line = format!(r#"{{"kind":"path","path":"/{path}","slices":[{}]}}"#, slices.join(","));
        let mut out = Facts::default();
        listed(line.as_bytes(), "m".into(), &mut out);
        let message = &out.problems[0].message;
        assert!(message.starts_with("too many files or too long paths: 98"), "{message}");
    }

    #[test]
    fn no_cut_makes_it_panic() {
        let manifest = zstd::encode_all(MANIFEST.as_bytes(), 3).unwrap();
        for cut in 0..manifest.len() {
            assert!(
                packages(&manifest[..cut], "m".into(), &mut Facts::default()).is_err() || cut == 0
            );
        }
    }
}
