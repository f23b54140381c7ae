//! An SBOM in place of a document: what it tells of an image and its packages, in
//! the form of our own part. The forms that are read: `inscan-sbom`.
//!
//! It tells nothing of files and layers.

use std::collections::HashMap;

use inscan_facts::package::{Distribution, Package};
use inscan_facts::problem::{Hides, OVER_LIMIT};
use inscan_facts::{distribution, encoding, purl};
use inscan_sbom::{Gap, Sbom, UNIDENTIFIED};

use super::licence;
use super::read::{self, ReadError};
use super::section::*;
use super::text::{exact, shown};

/// What its packages and problems are said to be found by.
const ANALYZER: &str = "sbom";
/// The transport of an SBOM.
const SOURCE: &str = "sbom";

/// Reads a document, or an SBOM in its place.
pub fn read(bytes: &[u8]) -> Result<Section, ReadError> {
    let bytes = &*encoding::in_utf8(bytes);
    let is_document = bytes.trim_ascii_start().starts_with(b"{");
    let found = if is_document { read::read(bytes) } else { Err(ReadError::NoPart) };
    match found {
        // Several documents in one file are no JSON.
        Err(ReadError::NoPart | ReadError::Json(_)) => match inscan_sbom::read(bytes) {
            Ok(sbom) => Ok(section(sbom)),
            Err(inscan_sbom::Error::None) => found,
            Err(error) => Err(ReadError::Sbom(error)),
        },
        found => found,
    }
}

fn section(sbom: Sbom) -> Section {
    let Sbom { mut components, distribution, image, tool, serial, is_whole, gaps } = sbom;
    components.sort_by_cached_key(|component| {
        let package = &component.package;
        let (name, location) = (package.name.clone(), package.location.clone());
        (package.kind.clone(), name, package.version.clone(), location)
    });
    let places: HashMap<String, usize> = components
        .iter()
        .enumerate()
        .filter(|(_, component)| !component.reference.is_empty())
        .map(|(index, component)| (component.reference.clone(), index))
        .collect();
    let packages = components.iter().enumerate().map(|(index, component)| {
        let of = component.parents.iter().filter_map(|of| places.get(of).copied());
        let mut part_of: Vec<usize> = of.filter(|of| *of != index).collect();
        part_of.sort_unstable();
        part_of.dedup();
        let owned_by = component.owner.as_ref().and_then(|owner| places.get(owner).copied());
        PackageRow { part_of, owned_by, ..row(&component.package, distribution.as_ref()) }
    });
    let packages = packages.collect();
    let bom = serial.map(|(serial, version)| BomInfo {
        serial,
        version,
        references: components.into_iter().map(|component| component.reference).collect(),
    });
    let deep = (!is_whole).then(|| Gap {
        code: OVER_LIMIT.to_owned(),
        hides: Hides::Packages,
        message: "components that lie too deep within others are not listed".to_owned(),
        ..Gap::default()
    });
    let problem = |gap: Gap| ProblemRow {
        analyzer: Some(ANALYZER.to_owned()),
        code: gap.code,
        hides: gap.hides,
        path: gap.path,
        message: gap.message,
        ..ProblemRow::default()
    };
    Section {
        format: FORMAT.to_owned(),
        tool: Tool { name: tool.unwrap_or_else(|| ANALYZER.to_owned()), ..Tool::default() },
        image: ImageInfo {
            source: SOURCE.to_owned(),
            reference: image.reference,
            digest: image.digest,
            id: image.id,
            os: image.os,
            architecture: image.architecture,
            bom,
            ..ImageInfo::default()
        },
        distribution: distribution.map(|found| DistributionInfo {
            id: found.id,
            version: found.version,
            like: found.like,
            codename: found.codename,
            name: found.name,
            ..DistributionInfo::default()
        }),
        packages,
        problems: deep.into_iter().chain(gaps).map(problem).collect(),
        ..Section::default()
    }
}

fn row(package: &Package, distribution: Option<&Distribution>) -> PackageRow {
    PackageRow {
        kind: package.kind.clone().into_owned(),
        namespace: package.namespace.clone(),
        name: package.name.clone(),
        version: package.version.clone(),
        epoch: package.epoch,
        arch: package.arch.clone(),
        purl: match package.kind == UNIDENTIFIED {
            true => String::new(),
            false => purl::written(package, distribution),
        },
        source: package.source.as_ref().map(|source| SourcePackage {
            name: source.name.clone(),
            version: source.version.clone(),
        }),
        licences: package.licenses.clone(),
        licence_expressions: licence::expressions(&package.licenses),
        origin: package.origin.clone(),
        evidence: package.evidence,
        analyzer: ANALYZER.to_owned(),
        location: shown(&package.location).into_owned(),
        location_bytes: exact(&package.location),
        distribution: distribution::apart(package.distribution.as_ref(), distribution)
            .map(ReleaseName::of),
        attributes: package.attributes.clone(),
        identity: package.identity.clone(),
        role: package.role,
        ..PackageRow::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn read(json: Value) -> Section {
        super::read(json.to_string().as_bytes()).unwrap()
    }

    fn purls(section: &Section) -> Vec<&str> {
        section.packages.iter().map(|package| package.purl.as_str()).collect()
    }

    #[test]
    fn reads_what_syft_writes() {
        let section = read(serde_json::json!({
            "schema": {"version": "16.0.0"},
            "descriptor": {"name": "syft"},
            "distro": {"id": "debian", "versionID": "12", "prettyName": "Debian 12", "idLike": ["x"]},
            "source": {"type": "image", "metadata": {
                "userInput": "app:1", "imageID": "sha256:ab", "manifestDigest": "sha256:cd", "architecture": "amd64"}},
            "artifacts": [
                {"name": "libssl3", "version": "3.0.11-1", "licenses": [{"value": "Apache-2.0"}],
                 "locations": [{"path": "/var/lib/dpkg/status"}],
                 "purl": "pkg:deb/debian/libssl3@3.0.11-1?arch=amd64&distro=debian-12&upstream=openssl"},
                {"name": "x", "version": "1"}]
        }));
        assert_eq!(
            purls(&section),
            ["pkg:deb/debian/libssl3@3.0.11-1?arch=amd64&distro=debian-12&upstream=openssl", ""]
        );
        let package = &section.packages[0];
        assert_eq!(package.source.as_ref().unwrap().name, "openssl");
        assert_eq!(
            (&*package.location, &*package.licences[0]),
            ("var/lib/dpkg/status", "Apache-2.0")
        );
        let image = &section.image;
        assert_eq!((&*image.reference, &*image.id, &*image.digest), ("app:1", "ab", "sha256:cd"));
        assert_eq!(section.distribution.unwrap().version, "12");
        assert_eq!(section.tool.name, "syft");
    }

    #[test]
    fn reads_what_trivy_writes_as_cyclonedx() {
        let section = read(serde_json::json!({
            "bomFormat": "CycloneDX",
            "metadata": {
                "tools": {"components": [{"name": "trivy"}]},
                "component": {"type": "container", "name": "app:1", "properties": [
                    {"name": "aquasecurity:trivy:ImageID", "value": "sha256:ab"}]}},
            "components": [
                {"type": "operating-system", "name": "debian", "version": "12.5"},
                {"type": "library", "name": "libssl3", "version": "3.0.11-1", "purl": "pkg:deb/debian/libssl3@3.0.11-1?arch=amd64&distro=debian-12.5",
                 "properties": [
                    {"name": "aquasecurity:trivy:SrcName", "value": "openssl"},
                    {"name": "aquasecurity:trivy:SrcVersion", "value": "3.0.11"},
                    {"name": "aquasecurity:trivy:SrcRelease", "value": "1"},
                    {"name": "aquasecurity:trivy:SrcEpoch", "value": "2"}]}]
        }));
        let source = section.packages[0].source.clone().unwrap();
        assert_eq!((&*source.name, source.version.as_deref()), ("openssl", Some("2:3.0.11-1")));
        assert_eq!(section.distribution.unwrap().version, "12.5");
        assert_eq!((&*section.image.reference, &*section.image.id), ("app:1", "ab"));
    }

    #[test]
    fn what_is_neither_is_called_so() {
        for text in ["{}", r#"{"artifacts": []}"#, r#"{"bomFormat": "other"}"#] {
            let error = super::read(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains("nor is it an SBOM"), "{error}");
        }
        let error = super::read(br#"{"inscan": {"format": "9.0"}}"#).unwrap_err().to_string();
        assert!(error.contains("newer inscan"), "{error}");
    }

    #[test]
    fn reads_spdx_and_takes_the_distribution_from_the_package_urls() {
        let section = read(serde_json::json!({
            "spdxVersion": "SPDX-2.3", "name": "app",
            "creationInfo": {"creators": ["Organization: x", "Tool: syft-1.0"]},
            "packages": [{"name": "musl", "versionInfo": "1.2.4-r2", "externalRefs": [
                {"referenceType": "purl", "referenceLocator": "pkg:apk/alpine/musl@1.2.4-r2?arch=x86_64&distro=alpine-3.19.1"}]}]
        }));
        let distribution = section.distribution.clone().unwrap();
        assert_eq!((&*distribution.id, &*distribution.version), ("alpine", "3.19.1"));
        assert_eq!(purls(&section).len(), 1);
        assert_eq!((&*section.tool.name, &*section.image.reference), ("syft-1.0", "app"));
    }
}
