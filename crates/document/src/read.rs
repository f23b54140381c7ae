//! Reads a document back: our own part, or what the legacy part tells where
//! another scanner wrote it. Unknown fields are skipped; a form that is too
//! new is an error.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::legacy_packages;
use super::section::*;

/// The tool of a document that has the legacy part only.
pub const LEGACY_TOOL: &str = "legacy";

/// Why a file is not a document we can read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("not an analysis document: {0}")]
    Json(#[from] serde_json::Error),
    #[error("not an analysis document: it has neither `inscan` nor `document`, nor is it an SBOM")]
    NoPart,
    #[error("an SBOM that cannot be read: {0}")]
    Sbom(#[source] inscan_sbom::Error),
    #[error("the document has format {found}, and this inscan reads {FORMAT}: use a newer inscan")]
    Format { found: String },
    #[error("the legacy document has no image")]
    NoImage,
}

#[derive(Deserialize)]
struct Own {
    inscan: Option<Section>,
    document: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Format {
    inscan: Option<FormatOnly>,
}

#[derive(Deserialize)]
struct FormatOnly {
    format: String,
}

/// Reads either part; our own, where both are there.
pub(super) fn read(bytes: &[u8]) -> Result<Section, ReadError> {
    let is_newer = |format: &str| {
        let first = |format: &str| format.split('.').next().map(str::to_owned);
        first(format) != first(FORMAT)
    };
    let newer = |format: String| ReadError::Format { found: format.chars().take(20).collect() };
    match serde_json::from_slice(bytes) {
        Ok(Own { inscan: Some(own), .. }) if is_newer(&own.format) => Err(newer(own.format)),
        Ok(Own { inscan: Some(section), .. }) => Ok(section),
        Ok(Own { document: Some(_), .. }) => legacy(bytes),
        Ok(Own { .. }) => Err(ReadError::NoPart),
        // A newer form is called newer, not broken.
        Err(error) => match serde_json::from_slice(bytes) {
            Ok(Format { inscan: Some(own) }) if is_newer(&own.format) => Err(newer(own.format)),
            _ => Err(error.into()),
        },
    }
}

#[derive(Deserialize)]
struct LegacyFile {
    document: Vec<LegacyEntry>,
}

#[derive(Deserialize)]
struct LegacyEntry {
    image: LegacyImage,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LegacyImage {
    image_id: String,
    imagedata: LegacyData,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct LegacyData {
    analysis_report: BTreeMap<String, BTreeMap<String, Base>>,
    image_report: ImageReport,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ImageReport {
    docker_data: Value,
    layers: Vec<String>,
}

#[derive(Deserialize)]
struct Base {
    base: BTreeMap<String, Value>,
}

impl LegacyData {
    fn values(&self, module: &str, output: &str) -> impl Iterator<Item = (&String, &Value)> {
        let outputs = self.analysis_report.get(module).and_then(|module| module.get(output));
        outputs.into_iter().flat_map(|output| &output.base)
    }

    fn text(&self, module: &str, output: &str, key: &str) -> Option<&str> {
        let found = self.values(module, output).find(|(name, _)| *name == key);
        found.and_then(|(_, value)| value.as_str())
    }
}

/// What a legacy document tells: image, distribution, packages, files.
fn legacy(bytes: &[u8]) -> Result<Section, ReadError> {
    let file: LegacyFile = serde_json::from_slice(bytes)?;
    let image = file.document.into_iter().next().ok_or(ReadError::NoImage)?.image;
    let data = image.imagedata;
    let first = |key: &str| data.image_report.docker_data[key][0].as_str().unwrap_or_default();
    let info = ImageInfo {
        reference: first("RepoTags").to_owned(),
        digest: first("RepoDigests").split('@').nth(1).unwrap_or_default().to_owned(),
        architecture: data.image_report.docker_data["Architecture"].as_str().map(str::to_owned),
        id: image.image_id,
        ..ImageInfo::default()
    };
    let layers = data.image_report.layers.iter().enumerate();
    let layers = layers.map(|(index, digest)| Layer {
        index,
        blob_digest: digest.clone(),
        ..Layer::default()
    });
    Ok(Section {
        format: FORMAT.to_owned(),
        tool: Tool { name: LEGACY_TOOL.to_owned(), ..Tool::default() },
        layers: layers.collect(),
        distribution: legacy_distribution(&data),
        packages: legacy_packages::of(&|output, each| {
            data.values("package_list", output).for_each(|(key, value)| each(key, value));
        }),
        files: legacy_files(&data),
        image: info,
        ..Section::default()
    })
}

fn legacy_distribution(data: &LegacyData) -> Option<DistributionInfo> {
    let value = |key| data.text("analyzer_meta", "analyzer_meta", key);
    let id = value("DISTRO").filter(|id| *id != "Unknown")?;
    Some(DistributionInfo {
        id: id.to_owned(),
        version: value("DISTROVERS").unwrap_or_default().to_owned(),
        like: value("LIKEDISTRO").unwrap_or_default().split(',').map(str::to_owned).collect(),
        ..DistributionInfo::default()
    })
}

fn legacy_files(data: &LegacyData) -> Vec<FileRow> {
    let digest = |output: &str, key: &str| {
        let sums = data.analysis_report.get("file_checksums")?.get(output)?;
        let digest = sums.base.get(key)?.as_str();
        digest.filter(|digest| *digest != "DIRECTORY_OR_OTHER").map(str::to_owned)
    };
    let row = |(key, value): (&String, &Value)| {
        let info: Value = serde_json::from_str(value.as_str()?).ok()?;
        let number = |key: &str| info[key].as_u64().and_then(|number| u32::try_from(number).ok());
        let path = info["fullpath"].as_str().unwrap_or(key);
        Some(FileRow {
            path: path.trim_start_matches('/').to_owned(),
            kind: match info["type"].as_str() {
                Some("dir") => FileType::Directory,
                Some("slink") => FileType::Symlink,
                Some("dev") => match number("mode").unwrap_or_default() & 0o170000 {
                    0o060000 => FileType::BlockDevice,
                    0o010000 => FileType::Fifo,
                    _ => FileType::CharDevice,
                },
                _ => FileType::File,
            },
            mode: format!("{:o}", number("mode").unwrap_or_default() & 0o7777),
            uid: number("uid").unwrap_or_default(),
            gid: number("gid").unwrap_or_default(),
            size: info["size"].as_u64().unwrap_or_default(),
            md5: digest("files.md5sums", key),
            sha1: digest("files.sha1sums", key),
            sha256: digest("files.sha256sums", key),
            link: info["linkdst"].as_str().map(str::to_owned),
            ..FileRow::default()
        })
    };
    data.values("file_list", "files.allinfo").filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_wrong_with_a_file() {
        for (text, expected) in [
            ("{", "not an analysis document: EOF"),
            ("[]", "not an analysis document: invalid"),
            ("{}", "it has neither `inscan` nor `document`"),
            (r#"{"inscan": {"format": "2.0", "new": 1}}"#, "has format 2.0"),
            (r#"{"inscan": {"format": "1.0"}}"#, "missing field `tool`"),
            (r#"{"document": []}"#, "no image"),
        ] {
            let error = read(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_legacy_document_tells_of_packages_and_files() {
        let text = serde_json::json!({"document": [{"image": {"imageId": "ab", "imagedata": {
            "analysis_report": {
                "analyzer_meta": {"analyzer_meta": {"base": {"DISTRO": "rhel", "DISTROVERS": "8"}}},
                "package_list": {"pkgs.allinfo": {"base": {
                    "a": r#"{"version": "1", "release": "2.el8", "type": "rpm", "size": "7", "license": "N/A"}"#}}},
                "file_list": {"files.allinfo": {"base": {
                    "/x": r#"{"fullpath": "/x", "mode": 35309, "size": 3, "type": "file"}"#}}}},
            "image_report": {"docker_data": {"RepoTags": ["r/a:1"], "RepoDigests": ["r/a@sha256:0"]}, "layers": ["sha256:1"]}
        }}}]});
        let section = read(text.to_string().as_bytes()).unwrap();
        assert_eq!((&*section.image.reference, &*section.image.digest), ("r/a:1", "sha256:0"));
        assert_eq!(section.packages[0].version, "1-2.el8");
        assert_eq!(section.packages[0].size, Some(7));
        assert_eq!((&*section.files[0].path, &*section.files[0].mode), ("x", "4755"));
        assert_eq!(section.distribution.unwrap().version, "8");
    }
}
