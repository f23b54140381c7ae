//! What both bills of materials, CycloneDX and SPDX, say of an image and its packages.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use inscan_facts::package::{Certainty, Evidence, Role};
use inscan_facts::percent::{PURL_PART, encoded};

use super::address;

use inscan_document::Section;
use inscan_document::section::{FileRow, ImageInfo, PackageRow};
use inscan_facts::digest::hex;
use inscan_facts::problem::Hides;
use serde_json::json;

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

/// False for what is only named there: by lock files and manifests, as a reference for compilers,
/// for tests and examples, or for development.
pub(super) fn is_in_the_image(package: &PackageRow) -> bool {
    let is_named_only = matches!(package.evidence, Evidence::Lockfile | Evidence::Manifest);
    let is_apart =
        matches!(package.role, Some(Role::Development | Role::Fixture | Role::Reference));
    !is_named_only && !is_apart
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

/// What inscan knows of a package that the forms have no place for, so that its own bill of
/// materials is evaluated as the document is. `inscan-sbom` reads it back.
pub(super) fn facts(package: &PackageRow, owner: Option<&str>) -> Vec<(String, String)> {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let source = package.source.as_ref();
    let mut all = vec![
        ("inscan:type".to_owned(), package.kind.clone()),
        ("inscan:namespace".to_owned(), text(&package.namespace)),
        ("inscan:name".to_owned(), package.name.clone()),
        ("inscan:version".to_owned(), package.version.clone()),
        ("inscan:analyzer".to_owned(), package.analyzer.clone()),
        ("inscan:evidence".to_owned(), in_json(&package.evidence)),
        ("inscan:architecture".to_owned(), text(&package.arch)),
        ("inscan:origin".to_owned(), text(&package.origin)),
        ("inscan:location".to_owned(), package.location.clone()),
        ("inscan:source:name".to_owned(), source.map(|it| it.name.clone()).unwrap_or_default()),
        (
            "inscan:source:version".to_owned(),
            source.and_then(|it| it.version.clone()).unwrap_or_default(),
        ),
        ("inscan:role".to_owned(), package.role.map(|role| in_json(&role)).unwrap_or_default()),
        ("inscan:owned-by".to_owned(), owner.unwrap_or_default().to_owned()),
    ];
    for (part, certainty) in package.identity.doubts() {
        let stated = match certainty {
            Certainty::Stated => continue,
            Certainty::Derived(rule) => format!("derived {rule}"),
            Certainty::Unknown => "unknown".to_owned(),
        };
        all.push((format!("inscan:identity:{part}"), stated));
    }
    // Those that matching asks for.
    const ATTRIBUTES: [&str; 10] = [
        "exports",
        "implementation-version",
        "installed-below",
        "main",
        "maven-version",
        "modularity-label",
        "repository",
        "sha1",
        "specification-version",
        "vendor",
    ];
    let attributes =
        package.attributes.iter().filter(|(name, _)| ATTRIBUTES.contains(&name.as_str()));
    all.extend(attributes.map(|(name, value)| (format!("inscan:attribute:{name}"), value.clone())));
    all.retain(|(_, value)| !value.is_empty());
    all
}

/// The same of the image.
pub(super) fn image_facts(image: &ImageInfo) -> Vec<(String, String)> {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let mut all = vec![
        ("inscan:image:source".to_owned(), image.source.clone()),
        ("inscan:image:reference".to_owned(), image.reference.clone()),
        ("inscan:image:id".to_owned(), image.id.clone()),
        ("inscan:image:created".to_owned(), text(&image.created)),
        ("inscan:image:os".to_owned(), text(&image.os)),
        ("inscan:image:architecture".to_owned(), text(&image.architecture)),
    ];
    all.retain(|(_, value)| !value.is_empty());
    all
}

/// Problems that may hide something, and files that were skipped, each as a JSON object; the first
/// hundred of them.
pub(super) fn hidden(section: &Section) -> Vec<String> {
    const MOST: usize = 100;
    let problems = section.problems.iter().map(|it| (&it.code, it.hides, &it.path, &it.message));
    let problems = problems.map(|(code, hides, path, message)| {
        (code.as_str(), hides, path.as_deref(), message.as_str())
    });
    let skipped = section.skipped.files.iter();
    let skipped =
        skipped.map(|it| (it.code.as_str(), it.hides, Some(it.path.as_str()), it.reason.as_str()));
    let hiding = problems.chain(skipped).filter(|(_, hides, ..)| !hides.is_nothing());
    let line = |(code, hides, path, message): (&str, Hides, Option<&str>, &str)| {
        json!({"code": code, "hides": hides, "path": path, "message": message}).to_string()
    };
    hiding.take(MOST).map(line).collect()
}

fn in_json(value: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
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
