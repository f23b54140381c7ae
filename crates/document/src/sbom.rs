//! An SBOM in place of a document: what it tells of an image and its packages, in
//! the form of our own part. CycloneDX, SPDX and Syft's own form, in JSON.
//!
//! It tells nothing of files and layers.

use inscan_facts::package::{Distribution, Package};
use inscan_facts::problem::{Hides, OVER_LIMIT};
use inscan_facts::purl;
use serde_json::Value;

use super::licence;
use super::read::{self, ReadError};
use super::section::*;
use super::text::{exact, shown};

/// Reads a document, or an SBOM in its place.
pub fn read(bytes: &[u8]) -> Result<Section, ReadError> {
    match read::read(bytes) {
        Err(ReadError::NoPart) => section(bytes).ok_or(ReadError::NoPart),
        found => found,
    }
}

/// `None` where it is no SBOM.
fn section(bytes: &[u8]) -> Option<Section> {
    let json: Value = serde_json::from_slice(bytes).ok()?;
    let listed = inscan_sbom::listed(&json)?;
    let distribution = distribution(&json);
    let mut packages: Vec<PackageRow> =
        listed.packages.iter().map(|package| row(package, distribution.as_ref())).collect();
    packages.sort_by(|a, b| {
        let key = |row: &PackageRow| {
            (row.kind.clone(), row.name.clone(), row.version.clone(), row.location.clone())
        };
        key(a).cmp(&key(b))
    });
    packages.dedup();
    let problems = match listed.is_whole {
        true => Vec::new(),
        false => vec![ProblemRow {
            code: OVER_LIMIT.to_owned(),
            hides: Hides::Packages,
            message: "components that lie too deep within others are not listed".to_owned(),
            ..ProblemRow::default()
        }],
    };
    Some(Section {
        format: FORMAT.to_owned(),
        tool: Tool { name: tool(&json), ..Tool::default() },
        image: image(&json),
        distribution: distribution.map(|found| DistributionInfo {
            id: found.id,
            version: found.version,
            like: found.like,
            codename: found.codename,
            name: found.name,
            ..DistributionInfo::default()
        }),
        packages,
        problems,
        ..Section::default()
    })
}

fn row(package: &Package, distribution: Option<&Distribution>) -> PackageRow {
    PackageRow {
        kind: package.kind.clone().into_owned(),
        namespace: package.namespace.clone(),
        name: package.name.clone(),
        version: package.version.clone(),
        epoch: package.epoch,
        arch: package.arch.clone(),
        purl: purl::written(package, distribution),
        source: package.source.as_ref().map(|source| SourcePackage {
            name: source.name.clone(),
            version: source.version.clone(),
        }),
        licences: package.licenses.clone(),
        licence_expressions: licence::expressions(&package.licenses),
        origin: package.origin.clone(),
        evidence: package.evidence,
        analyzer: "sbom".to_owned(),
        location: shown(&package.location).into_owned(),
        location_bytes: exact(&package.location),
        attributes: package.attributes.clone(),
        identity: package.identity.clone(),
        role: package.role,
        ..PackageRow::default()
    }
}

/// As the SBOM states it, or else as its packages' URLs do: `distro=debian-12`.
fn distribution(json: &Value) -> Option<Distribution> {
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let syft = &json["distro"];
    if let Some(id) = text(&syft["id"]) {
        let like = list(&syft["idLike"]).iter().filter_map(text).collect();
        let version = text(&syft["versionID"]).unwrap_or_default();
        let (codename, name) = (text(&syft["versionCodename"]), text(&syft["prettyName"]));
        return Some(Distribution { id, version, like, codename, name, ..Distribution::default() });
    }
    let named = |value: &Value, version: &str| {
        let version = text(&value[version]).unwrap_or_default();
        Some(Distribution { id: text(&value["name"])?, version, ..Distribution::default() })
    };
    let components = list(&json["components"]);
    if let Some(system) = components.iter().find(|it| it["type"] == "operating-system") {
        return named(system, "version");
    }
    let packages = list(&json["packages"]);
    if let Some(system) =
        packages.iter().find(|it| it["primaryPackagePurpose"] == "OPERATING-SYSTEM")
    {
        return named(system, "versionInfo");
    }
    let references = packages.iter().flat_map(|package| list(&package["externalRefs"]));
    let of_spdx = references.filter_map(|reference| text(&reference["referenceLocator"]));
    let of_cyclonedx = components.iter().filter_map(|component| text(&component["purl"]));
    let stated = of_spdx.chain(of_cyclonedx).find_map(|text| {
        let purl = purl::parse(&text)?;
        purl.qualifiers.get("distro").cloned()
    })?;
    let (id, version) = stated.rsplit_once('-').unwrap_or((&stated, ""));
    Some(Distribution { id: id.to_owned(), version: version.to_owned(), ..Distribution::default() })
}

/// Of the image what the SBOM describes.
fn image(json: &Value) -> ImageInfo {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let syft = &json["source"];
    let details = if syft["metadata"].is_object() { &syft["metadata"] } else { &syft["target"] };
    let described = &json["metadata"]["component"];
    let reference = [&details["userInput"], &syft["name"], &described["name"], &json["name"]]
        .into_iter()
        .map(text)
        .find(|name| !name.is_empty())
        .unwrap_or_default();
    let digests = [&details["manifestDigest"], &described["version"]].into_iter().map(text);
    let property = |name: &str| {
        let all = described["properties"].as_array().map_or(&[][..], Vec::as_slice);
        all.iter().find(|it| it["name"] == name).map(|it| text(&it["value"])).unwrap_or_default()
    };
    let ids = [text(&details["imageID"]), property("aquasecurity:trivy:ImageID")];
    let ids = ids.iter().map(|id| id.trim_start_matches("sha256:").to_owned());
    let optional = |value: &Value| value.as_str().map(str::to_owned);
    ImageInfo {
        source: "sbom".to_owned(),
        reference,
        digest: digests
            .into_iter()
            .find(|digest| digest.starts_with("sha256:"))
            .unwrap_or_default(),
        id: ids.into_iter().find(|id| !id.is_empty()).unwrap_or_default(),
        os: optional(&details["os"]),
        architecture: optional(&details["architecture"]),
        ..ImageInfo::default()
    }
}

/// Who wrote it.
fn tool(json: &Value) -> String {
    let tools = &json["metadata"]["tools"];
    let named = [&json["descriptor"]["name"], &tools["components"][0]["name"], &tools[0]["name"]];
    let creators = json["creationInfo"]["creators"].as_array();
    let creator = creators.into_iter().flatten().find_map(|it| it.as_str()?.strip_prefix("Tool: "));
    named.into_iter().find_map(Value::as_str).or(creator).unwrap_or("sbom").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ["pkg:deb/debian/libssl3@3.0.11-1?arch=amd64&distro=debian-12&upstream=openssl"]
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
