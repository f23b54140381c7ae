//! What both bills of materials, CycloneDX and SPDX, say of an image and its packages.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use inscan_facts::package::Evidence;
use inscan_facts::percent::{PURL_PART, encoded};

use super::address;

use inscan_document::Section;
use inscan_document::section::{FileRow, ImageInfo, PackageRow};
use inscan_facts::digest::hex;

/// `pkg:oci/web@sha256:…?arch=amd64&repository_url=registry.example/app/web&tag=1.0`:
/// <https://github.com/package-url/purl-spec/blob/main/types-doc/oci-definition.md>.
/// `None` where the image has no digest.
pub(super) fn image_purl(image: &ImageInfo) -> Option<String> {
    let digest = Some(image.digest.as_str()).filter(|digest| is_sha256(digest))?;
    let (repository, tag) = repository_and_tag(&image.reference);
    let name = repository.rsplit('/').next().filter(|name| !name.is_empty())?;
    let mut purl = "pkg:oci/".to_owned();
    purl.push_str(&encoded(name.to_lowercase(), PURL_PART));
    let _ = write!(purl, "@{digest}");
    let qualifiers = [
        ("arch", image.architecture.as_deref()),
        ("repository_url", Some(repository)),
        ("tag", tag),
    ];
    let mut separator = '?';
    for (key, value) in qualifiers {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            let _ = write!(purl, "{separator}{key}=");
            purl.push_str(&encoded(value, PURL_PART));
            separator = '&';
        }
    }
    Some(purl)
}

pub(super) fn is_sha256(digest: &str) -> bool {
    digest.strip_prefix("sha256:").is_some_and(|digits| is_hex(digits, 64))
}

fn is_hex(digits: &str, length: usize) -> bool {
    digits.len() == length && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
}

/// A reference without its digest, and its tag.
pub(super) fn repository_and_tag(reference: &str) -> (&str, Option<&str>) {
    let name = reference.split('@').next().unwrap_or(reference);
    let last = name.rfind('/').map_or(0, |slash| slash + 1);
    match name[last..].find(':') {
        Some(colon) => (&name[..last + colon], Some(&name[last + colon + 1..])),
        None => (name, None),
    }
}

/// Digests of the package itself, by algorithm as CycloneDX writes it, in lower-case hex: those
/// that it states, and those of the file that it is, as an archive or an executable.
pub(super) fn digests(package: &PackageRow, section: &Section) -> Vec<(&'static str, String)> {
    const LENGTHS: [(&str, &str, usize); 5] = [
        ("md5", "MD5", 32),
        ("sha1", "SHA-1", 40),
        ("sha256", "SHA-256", 64),
        ("sha384", "SHA-384", 96),
        ("sha512", "SHA-512", 128),
    ];
    let file = file(package, section);
    let found = LENGTHS.into_iter().filter_map(|(key, name, length)| {
        let of_file = file.and_then(|file| match key {
            "md5" => file.md5.clone(),
            "sha1" => file.sha1.clone(),
            "sha256" => file.sha256.clone(),
            _ => None,
        });
        let stated = package.attributes.get(key);
        let digest = of_file.or_else(|| digest(stated?, length))?;
        is_hex(&digest, length).then_some((name, digest))
    });
    found.collect()
}

/// In hex, or in base64 as npm and NuGet write it.
fn digest(text: &str, length: usize) -> Option<String> {
    if is_hex(text, length) {
        return Some(text.to_lowercase());
    }
    BASE64.decode(text).ok().filter(|bytes| bytes.len() * 2 == length).map(|bytes| hex(&bytes))
}

/// The file that the package is; a package that is many files, or a line in one, is none.
fn file<'a>(package: &PackageRow, section: &'a Section) -> Option<&'a FileRow> {
    let is_the_file = matches!(package.evidence, Evidence::Archive | Evidence::Binary);
    // Files are sorted by the bytes of their paths, and so are these paths but for escaped ones.
    let position = section.files.binary_search_by(|file| file.path.as_str().cmp(&package.location));
    position.ok().filter(|_| is_the_file).and_then(|position| section.files.get(position))
}

/// A CPE 2.3 name, where the package states one that is well-formed.
pub(super) fn cpe(package: &PackageRow) -> Option<&str> {
    let cpe = package.attributes.get("cpe")?.as_str();
    let plain = cpe.len() < 1000 && cpe.bytes().all(|byte| byte.is_ascii_graphic());
    (plain && cpe.starts_with("cpe:2.3:")).then_some(cpe)
}

pub(super) fn homepage(package: &PackageRow) -> Option<&str> {
    package.attributes.get("homepage").map(String::as_str).filter(|url| address::is_web(url))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn an_image_is_named_by_its_digest() {
        let image = testing::section().image;
        let digest = "a".repeat(64);
        assert_eq!(
            image_purl(&image).unwrap(),
            format!(
                "pkg:oci/web@sha256:{digest}?arch=amd64\
                 &repository_url=registry.example%2Fapp%2Fweb&tag=1.0"
            )
        );
        assert_eq!(image_purl(&ImageInfo::default()), None);
        assert_eq!(image_purl(&testing::hostile_section().image), None);
    }

    #[test]
    fn repositories_are_told_from_tags_and_ports() {
        for (name, expected) in [
            ("localhost:5000/app", ("localhost:5000/app", None)),
            ("localhost:5000/app:1", ("localhost:5000/app", Some("1"))),
            ("app@sha256:00", ("app", None)),
            ("app:1@sha256:00", ("app", Some("1"))),
            ("", ("", None)),
        ] {
            assert_eq!(repository_and_tag(name), expected);
        }
    }

    #[test]
    fn digests_are_of_the_package_and_not_of_the_file_that_lists_it() {
        let mut section = testing::section();
        let file = |path: &str, digit: &str| FileRow {
            path: path.into(),
            sha256: Some(digit.repeat(64)),
            ..FileRow::default()
        };
        section.files = vec![file("opt/app.jar", "1"), file("var/lib/dpkg/status", "2")];
        let jar = PackageRow {
            evidence: Evidence::Archive,
            location: "opt/app.jar".into(),
            ..PackageRow::default()
        };
        assert_eq!(digests(&jar, &section), [("SHA-256", "1".repeat(64))]);
        assert_eq!(digests(&section.packages[1], &section), []);
        let mut nuget = PackageRow::default();
        nuget.attributes.insert("sha512".into(), BASE64.encode([7; 64]));
        assert_eq!(digests(&nuget, &section), [("SHA-512", "07".repeat(64))]);
        nuget.attributes.insert("sha512".into(), BASE64.encode([7; 63]));
        assert_eq!(digests(&nuget, &section), []);
    }
}
