//! The types of our own part of the document, top-level key `inscan`.
//!
//! Rules of its form: a field may be added in any release; one that is taken
//! away or changes its meaning raises the first number of `format`. What is not
//! known is absent. Paths are text without a leading slash; where a path is not
//! UTF-8, bytes that are no text are written `\xNN` and a second field with the
//! ending `_bytes` has all of it in hex. Layers and packages are named by their
//! position in the lists of this part. Sizes are in bytes.

use std::collections::BTreeMap;

use inscan_facts::package::{Distribution, Evidence, Identity, Role};
use inscan_facts::part::Part;
use inscan_facts::problem::{Hides, MALFORMED};
use inscan_facts::secret::Severity;
use serde::{Deserialize, Serialize, Serializer};

use crate::config::ContainerConfig;

/// Of the form described here.
pub const FORMAT: &str = "1.0";

/// Our own part of the document.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Section {
    /// `1.0`: the first number is of the form, the second of additions.
    pub format: String,
    pub tool: Tool,
    /// Parts that were not asked for (`--only`): nothing is known of them, and there is no legacy
    /// part without the files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<Part>,
    pub image: ImageInfo,
    /// Base first.
    pub layers: Vec<Layer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distribution: Option<DistributionInfo>,
    /// Sorted by type, name, version, location.
    pub packages: Vec<PackageRow>,
    /// Sorted by the bytes of their paths. Without that part, only those that are packages.
    pub files: Vec<FileRow>,
    /// Files with the set-user-id or set-group-id bit, sorted by path.
    pub set_id_files: Vec<SetIdFile>,
    pub secrets: Vec<SecretRow>,
    /// Absent: nobody looked for malware.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub malware: Option<MalwareInfo>,
    /// Lines that match configured expressions.
    pub searches: Vec<SearchRow>,
    pub retrieved_files: Vec<RetrievedFile>,
    /// What could not be understood. Never empty in silence: nothing else is hidden.
    pub problems: Vec<ProblemRow>,
    pub skipped: Skipped,
    /// The only part that differs between two scans of one image with one tool (and one
    /// malware database).
    pub run: Run,
}

/// What wrote the document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    pub name: String,
    pub version: String,
    /// Names of the analyzers that ran; their version is the tool's.
    pub analyzers: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageInfo {
    /// What the user named, with its transport.
    pub source: String,
    /// Registry, repository and tag under which it is reported.
    pub reference: String,
    /// Names the image carries where it lies.
    pub names: Vec<String>,
    /// Digest of the configuration, 64 hex digits.
    pub id: String,
    /// Digest of the manifest: `sha256:…`.
    pub digest: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// As the configuration states it, usually RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    pub config: ContainerConfig,
    pub history: Vec<HistoryRow>,
    /// Of an SBOM that stands in place of a document: by what others refer to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bom: Option<BomInfo>,
}

/// CycloneDX's serial number, so that statements about one of its components find it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BomInfo {
    /// Without `urn:uuid:`, in lower case.
    pub serial: String,
    pub version: u64,
    /// What each package is called in it, by position.
    pub references: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryRow {
    pub created: String,
    pub created_by: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
    /// The layer it made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<usize>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    pub index: usize,
    /// Digest of the uncompressed tar.
    pub diff_id: String,
    /// Digest and size of the blob as it is stored.
    pub blob_digest: String,
    pub blob_size: u64,
    /// `none`, `gzip` or `zstd`.
    pub compression: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    pub tar_size: u64,
    /// Entries of its tar, whiteouts included.
    pub entries: usize,
    /// Position in the image's history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<usize>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub created_by: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DistributionInfo {
    pub id: String,
    /// Empty where the distribution states none.
    pub version: String,
    pub like: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codename: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The file that said so.
    pub location: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageRow {
    /// The type of its purl.
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    pub name: String,
    pub version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
    pub purl: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourcePackage>,
    /// As written.
    pub licences: Vec<String>,
    /// SPDX expressions of those that are certain, in order, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub licence_expressions: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Installed size as the package states it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    pub evidence: Evidence,
    pub analyzer: String,
    pub location: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location_bytes: Option<String>,
    /// The layer that brought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<usize>,
    /// The OS package that brought the file at `location`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owned_by: Option<usize>,
    /// What brought it besides, by position: what an SBOM says contains it or depends on it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub part_of: Vec<usize>,
    /// The distribution it was made for, where that is another one than the image's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distribution: Option<ReleaseName>,
    /// How many files its manager recorded; the files name their package.
    pub files: usize,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// Which of name, namespace, source and version are not stated: `{"namespace": {"derived":
    /// "file-name"}, "version": "unknown"}`.
    #[serde(default, skip_serializing_if = "Identity::is_stated", serialize_with = "doubts")]
    pub identity: Identity,
    /// Absent: an ordinary package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
}

fn doubts<S: Serializer>(identity: &Identity, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(identity.doubts())
}

/// A distribution by name and release.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ReleaseName {
    /// `ID` of os-release.
    pub id: String,
    /// Empty where no release is stated.
    pub version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codename: Option<String>,
}

impl ReleaseName {
    pub fn of(distribution: &Distribution) -> Self {
        let Distribution { id, version, codename, .. } = distribution.clone();
        ReleaseName { id, version, codename }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourcePackage {
    pub name: String,
    /// Absent: as the package's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRow {
    pub path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_bytes: Option<String>,
    #[serde(rename = "type")]
    pub kind: FileType,
    /// Permissions with set-user-id, set-group-id and sticky bits, in octal: `4755`.
    pub mode: String,
    pub uid: u32,
    pub gid: u32,
    /// Of the content; 0 for what has none.
    pub size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub md5: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha1: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Digests that were asked for beside these, in hex, in the order of the options.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more_digests: Vec<String>,
    /// Target of a symbolic link as written, or path of a hard link's target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_bytes: Option<String>,
    /// As `getcap` prints: `cap_net_raw+ep`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<String>,
    /// The layer that brought the name. Absent for a directory that no layer has an entry for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<usize>,
    /// The package whose manager recorded it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<usize>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileType {
    #[default]
    File,
    /// Another name of a file; its size and digests are the file's.
    HardLink,
    Symlink,
    Directory,
    CharDevice,
    BlockDevice,
    Fifo,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetIdFile {
    pub path: String,
    pub mode: String,
    pub uid: u32,
    pub gid: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<usize>,
}

/// A secret, never with its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretRow {
    pub rule: String,
    /// What the rule finds, in one sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    pub severity: Severity,
    pub analyzer: String,
    /// Absent: in the image's configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_bytes: Option<String>,
    /// The member of the archive at `path` that it is in; `a.jar:b.xml` of one in another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<usize>,
    /// False: a later layer replaces or deletes the file; it can still be taken from the image.
    pub visible: bool,
    /// The published package whose file it is in, unchanged: everyone can have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// A few bits of a hash over rule, path and text, which tell this secret from another
    /// one and do not tell what it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fingerprint: String,
    /// Counts from 1.
    pub line: u32,
    /// Counts from 1, in bytes.
    pub column: u32,
    /// The line with the secret masked.
    pub excerpt: String,
}

/// What a malware scanner said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MalwareInfo {
    /// `clamav`.
    pub scanner: String,
    /// As it states it, with its database's.
    pub version: String,
    /// Sorted by path.
    pub findings: Vec<MalwareRow>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MalwareRow {
    pub path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_bytes: Option<String>,
    pub layer: usize,
    /// False: a later layer replaces or deletes the file; it can still be taken from the image.
    pub visible: bool,
    pub signature: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchRow {
    pub analyzer: String,
    pub path: String,
    /// `NAME=regex`, as configured.
    pub expression: String,
    /// Count from 1.
    pub lines: Vec<u32>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetrievedFile {
    /// As configured.
    pub path: String,
    /// Base64. Empty for an empty file.
    pub content: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemRow {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analyzer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Which problem it is, in kebab case: `unreadable`, `over-limit`. Absent: `malformed`.
    #[serde(default = "malformed", skip_serializing_if = "is_malformed")]
    pub code: String,
    /// What may be there and was not seen. Absent: nothing.
    #[serde(default, skip_serializing_if = "Hides::is_nothing")]
    pub hides: Hides,
    pub message: String,
}

fn malformed() -> String {
    MALFORMED.to_owned()
}

/// Also where nothing is said, as in a row that was made without a code.
fn is_malformed(code: &str) -> bool {
    matches!(code, MALFORMED | "")
}

/// Files that an analyzer wanted and did not get.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    pub count: usize,
    pub files: Vec<SkippedFile>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedFile {
    pub analyzer: String,
    pub layer: usize,
    pub path: String,
    pub reason: String,
    /// As of a problem: `over-limit`. Absent: not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub code: String,
    /// What may be in the file. Absent: nothing that counts.
    #[serde(default, skip_serializing_if = "Hides::is_nothing")]
    pub hides: Hides,
}

/// About this run alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// RFC 3339, UTC, whole seconds. With `SOURCE_DATE_EPOCH` set, that time.
    pub started: String,
    /// In milliseconds; absent with `SOURCE_DATE_EPOCH` set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// Absent with `SOURCE_DATE_EPOCH` set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timings: Option<Timings>,
}

/// Where the time went, in microseconds of wall time where nothing else is said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timings {
    /// Reading all layers.
    pub reading_us: u64,
    pub flattening_us: u64,
    /// Running the analyzers over the image.
    pub analyzing_us: u64,
    /// Writing the document, up to this block.
    pub document_us: u64,
    /// Of all threads, up to this block.
    pub cpu_us: u64,
    /// In bytes, up to this block.
    pub peak_memory: u64,
    /// Base first; of an archive that passed by, in the order of the archive.
    pub layers: Vec<LayerTimings>,
    /// In the order of `tool.analyzers`.
    pub analyzers: Vec<AnalyzerTimings>,
}

/// Decoding and working on the content go on side by side.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerTimings {
    /// It was known from an earlier run, and was not read.
    pub cached: bool,
    /// Stored bytes.
    pub size: u64,
    /// Waiting for stored bytes.
    pub wait_us: u64,
    /// Verifying and decompressing them.
    pub decode_us: u64,
    /// Hashing and analyzing the content.
    pub work_us: u64,
    pub total_us: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnalyzerTimings {
    pub name: String,
    /// With single files, on all threads together.
    pub files_us: u64,
    /// With the image as a whole.
    pub image_us: u64,
}

#[cfg(test)]
mod tests {
    use inscan_facts::package::Certainty;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_has_only_what_is_in_doubt_and_is_read_back_as_it_was() {
        let ordinary = serde_json::to_value(PackageRow::default()).unwrap();
        assert_eq!((ordinary.get("identity"), ordinary.get("role")), (None, None));
        let identity = Identity {
            namespace: Certainty::derived("file-name"),
            version: Certainty::Unknown,
            ..Identity::default()
        };
        let row = PackageRow { identity, role: Some(Role::EditorExtension), ..Default::default() };
        let json = serde_json::to_value(&row).unwrap();
        let doubts = json!({"namespace": {"derived": "file-name"}, "version": "unknown"});
        assert_eq!((&json["identity"], &json["role"]), (&doubts, &json!("editor-extension")));
        assert_eq!(serde_json::from_value::<PackageRow>(json).unwrap(), row);
    }
}
