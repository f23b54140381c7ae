//! `pkgs.binary` of the legacy document: python, go and (on BusyBox images
//! only) busybox, from their programs or from the files of their development
//! packages.
//!
//! Entries are stated in the order in which they count. The core leaves out
//! those whose path is in `pkgfiles.all`, and then keeps the first of each name
//! and version.

use bstr::BString;
use bstr::ByteSlice;
use serde_json::json;

use crate::{Fact, Facts, Files, Result, path};

/// Files of development packages that state a version.
pub(super) const HEADERS: &[&str] = &["patchlevel.h", "VERSION"];
/// Files that state the distribution. Without any of them, `bin/busybox` decides.
pub(super) const RELEASE_FILES: &[&str] =
    &["etc/os-release", "etc/redhat-release", "etc/system-release-cpe"];

pub(super) fn state(image: &dyn Files, out: &mut Facts) -> Result<()> {
    let is_busybox = is_busybox(image)?;
    let mut from_headers = Vec::new();
    for file in image.wanted() {
        let name = path::name(&file.path);
        if HEADERS.iter().any(|header| header.as_bytes() == name) {
            if let Some(text) = image.read(&file.path)?
                && let Some((runtime, version)) = header_version(name, &text)
            {
                from_headers.push((file.path.clone(), runtime, version));
            }
            continue;
        }
        for fact in image.facts(&file.path) {
            let Fact::Package(package) = fact else { continue };
            let is_listed = match package.name.as_str() {
                "python" => is_python(name),
                "go" => name == b"go",
                "busybox" => name == b"busybox" && is_busybox,
                _ => false,
            };
            if is_listed {
                entry(&file.path, &package.name, &package.version, "binary", out);
            }
        }
    }
    for (path, runtime, version) in from_headers {
        entry(&path, runtime, &version, "devel", out);
    }
    Ok(())
}

fn entry(path: &[u8], runtime: &str, version: &str, evidence: &str, out: &mut Facts) {
    let location = format!("/{}", path.as_bstr());
    let value = json!({
        "name": runtime,
        "version": version,
        "location": location,
        "type": "binary",
        "files": [],
        "license": "N/A",
        "origin": "N/A",
        "metadata": json!({"evidence_type": evidence}).to_string().replace(':', ": "),
    });
    out.legacy_package("pkgs.binary", BString::from([b"/", path].concat()), value);
}

/// Matches `python3.11` and `libpython3.11.so.1.0`, but not `python3.11-config`.
fn is_python(name: &[u8]) -> bool {
    let is_version = |text: &[u8]| {
        let mut parts = text.split(|&byte| byte == b'.');
        let mut is_number =
            || parts.next().is_some_and(|it| !it.is_empty() && it.iter().all(u8::is_ascii_digit));
        is_number() && is_number() && parts.next().is_none()
    };
    if let Some(version) = name.strip_prefix(b"python") {
        return is_version(version);
    }
    let Some(rest) = name.strip_prefix(b"libpython") else { return false };
    rest.find(b".so").is_some_and(|end| is_version(&rest[..end]))
}

/// `#define PY_VERSION "3.11.2"`, or the `go1.19.8` of Go's `VERSION`.
fn header_version(name: &[u8], text: &[u8]) -> Option<(&'static str, String)> {
    let text = text.to_str_lossy();
    if name == b"VERSION" {
        let version = text.lines().next()?.strip_prefix("go")?;
        let is_version = version.starts_with(|first: char| first.is_ascii_digit());
        let version = version.split_whitespace().next()?;
        return is_version.then(|| ("go", version.into()));
    }
    let rest = text.lines().find_map(|line| line.trim().strip_prefix("#define PY_VERSION "))?;
    let version = rest.trim().trim_matches('"');
    Some(("python", version.into()))
}

fn is_busybox(image: &dyn Files) -> Result<bool> {
    if let Some(text) = image.read(b"etc/os-release")? {
        return Ok(text.lines().any(|line| line == b"ID=busybox"));
    }
    let has = |path: &&str| image.get(path.as_bytes()).is_some();
    Ok(!RELEASE_FILES.iter().any(has) && has(&"bin/busybox"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::binary_classifier::BinaryClassifier;
    use crate::testing::Image;

    #[track_caller]
    fn check(files: &[(&str, &[u8])], expected: &[&str]) {
        let found = Image::new(files.iter().copied()).run(&BinaryClassifier::new());
        let entries: Vec<String> = found
            .facts
            .iter()
            .filter_map(|fact| match fact {
                Fact::Legacy(it) => {
                    let value = it.value.parsed();
                    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
                    Some([it.key.to_string(), text("name"), text("version"), text("metadata")])
                }
                _ => None,
            })
            .map(|it| it.join(" "))
            .collect();
        assert_eq!(entries, expected);
    }

    const BUSYBOX: &[u8] = b"\x7fELF BusyBox v1.31.0 (";

    #[test]
    fn busybox_is_listed_where_it_is_the_distribution() {
        let listed = r#"/bin/busybox busybox 1.31.0 {"evidence_type": "binary"}"#;
        check(&[("bin/busybox", BUSYBOX)], &[listed]);
        check(&[("bin/busybox", BUSYBOX), ("etc/os-release", b"ID=alpine\n")], &[]);
        check(&[("bin/busybox", BUSYBOX), ("etc/redhat-release", b"CentOS")], &[]);
    }

    #[test]
    fn programs_count_before_development_files() {
        check(
            &[
                ("usr/include/python3.11/patchlevel.h", b"#define PY_VERSION \"3.11.2\"\n"),
                ("usr/lib/go/VERSION", b"go1.19.8\ntime 2023\n"),
                ("usr/lib/other/VERSION", b"1.0"),
                ("usr/lib/python3.11-config", b"\x7fELF \x003.11.2\x00"),
                ("usr/local/bin/python3.11", b"\x7fELF \x003.11.2\x00"),
            ],
            &[
                r#"/usr/local/bin/python3.11 python 3.11.2 {"evidence_type": "binary"}"#,
                r#"/usr/include/python3.11/patchlevel.h python 3.11.2 {"evidence_type": "devel"}"#,
                r#"/usr/lib/go/VERSION go 1.19.8 {"evidence_type": "devel"}"#,
            ],
        );
    }
}
