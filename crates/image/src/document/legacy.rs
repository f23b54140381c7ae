//! The part of the document that backends of the legacy engine (Anchore 0.8.2)
//! read: `{"document": [{"image": {…}}]}`. Every value below `base` is a text;
//! what has a structure is JSON inside it. Keys are sorted, and outputs without
//! values are left out. Where it differs from what the legacy engine writes,
//! COMPATIBILITY.md says so.
//!
//! Outputs with a value for each file are written while the tree is walked.

mod files;
mod malware;
mod names;
mod other_names;
mod outputs;
mod packages;
mod report;
mod searches;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::analyze::Analysis;
use crate::source::ImageConfig;
use files::FileValues;
use inscan_document::Identity;
use inscan_document::text;
use names::OddKeys;
use other_names::OtherNames;
use packages::{FileRecord, OwnedFiles, PackageFileMeta, PackageFiles};

pub use outputs::Outputs;

/// Distributions of Alpine's kind have SHA-1 sums too: apk's database is in them.
const ALPINE: &str = "alpine";

/// The legacy part, ready to be written.
#[derive(Serialize)]
struct Document<'a> {
    image: ImageEntry<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ImageEntry<'a> {
    image_id: &'a str,
    imagedata: ImageData<'a>,
}

#[derive(Serialize)]
struct ImageData<'a> {
    analysis_report: Modules<'a>,
    analyzer_manifest: BTreeMap<String, String>,
    image_report: report::ImageReport,
}

#[derive(Serialize)]
struct Base<'a> {
    base: Output<'a>,
}

/// Texts by key.
type Values<'a> = BTreeMap<String, Cow<'a, str>>;

/// The values of one output.
enum Output<'a> {
    Files(FileValues<'a>),
    PackageFiles(PackageFiles<'a>),
    PackageFileMeta(PackageFileMeta<'a>),
    Values(Values<'a>),
}

impl Serialize for Output<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Output::Files(values) => values.serialize(serializer),
            Output::PackageFiles(values) => values.serialize(serializer),
            Output::PackageFileMeta(values) => values.serialize(serializer),
            Output::Values(values) => values.serialize(serializer),
        }
    }
}

/// What stands under the key `document`.
pub(super) struct Legacy<'a> {
    pub(super) analysis: &'a Analysis<'a>,
    pub(super) config: &'a ImageConfig,
    pub(super) identity: &'a Identity,
}

impl Serialize for Legacy<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Legacy { analysis, config, identity } = *self;
        let fs = &analysis.fs;
        let keys = OddKeys::of(fs);
        let other_names = OtherNames::of(fs);
        let owned = OwnedFiles::of(&analysis.packages, FileRecord::Owner);
        let verified = OwnedFiles::of(&analysis.packages, FileRecord::Meta);
        let mut stated = stated(analysis, &owned);
        let mut report = Report::default();
        let outputs =
            FileOutputs { threads: &analysis.threads, fs, keys: &keys, other_names: &other_names };
        outputs.add(has_sha1(analysis, &stated), &mut report);
        let more = stated.remove(&("package_list".into(), "pkgfiles.all".into()));
        let files = PackageFiles { files: &owned, more: more.unwrap_or_default() };
        report.add("package_list", "pkgfiles.all", Output::PackageFiles(files));
        let meta = Output::PackageFileMeta(PackageFileMeta(&verified));
        report.add("file_package_verify", "distro.pkgfilemeta", meta);
        for (module, analyzer) in
            [("content_search", "content-search"), ("secret_search", "secret-search")]
        {
            let found = searches::matches(analysis, &keys, analyzer);
            report.add(module, "regexp_matches.all", Output::Values(found));
        }
        let map = report::dockerfile_to_layer_map(&report::steps(analysis, config));
        let map = BTreeMap::from([("dockerfile_to_layer_map".to_owned(), map.into())]);
        report.add("layer_info", "layers_to_dockerfile", Output::Values(map));
        let found = analysis.malware.as_ref().map(malware::clamav).unwrap_or_default();
        report.add("malware", "malware", Output::Values(found));
        for ((module, output), values) in stated {
            report.add(module, output, Output::Values(values));
        }
        let document = Document {
            image: ImageEntry {
                image_id: &identity.image_id,
                imagedata: ImageData {
                    analysis_report: report.modules,
                    analyzer_manifest: BTreeMap::new(),
                    image_report: report::image_report(
                        analysis,
                        config,
                        identity,
                        files::squashed_size(fs),
                    ),
                },
            },
        };
        [document].serialize(serializer)
    }
}

/// Outputs by module.
type Modules<'a> = BTreeMap<Cow<'a, str>, BTreeMap<Cow<'a, str>, Base<'a>>>;

#[derive(Default)]
struct Report<'a> {
    modules: Modules<'a>,
}

impl<'a> Report<'a> {
    fn add(
        &mut self,
        module: impl Into<Cow<'a, str>>,
        output: impl Into<Cow<'a, str>>,
        values: Output<'a>,
    ) {
        let is_empty = match &values {
            Output::Files(values) => values.is_empty(),
            Output::PackageFiles(values) => values.files.is_empty() && values.more.is_empty(),
            Output::PackageFileMeta(values) => values.0.is_empty(),
            Output::Values(values) => values.is_empty(),
        };
        if !is_empty {
            let outputs = self.modules.entry(module.into()).or_default();
            outputs.insert(output.into(), Base { base: values });
        }
    }
}

struct FileOutputs<'a> {
    threads: &'a crate::threads::Threads,
    fs: &'a crate::flatten::ImageFs<'a>,
    keys: &'a OddKeys<'a>,
    other_names: &'a OtherNames,
}

impl<'a> FileOutputs<'a> {
    fn add(&self, has_sha1: bool, report: &mut Report<'a>) {
        use files::Value::*;
        let outputs = [
            ("file_checksums", "files.md5sums", Md5),
            ("file_checksums", "files.sha1sums", Sha1),
            ("file_checksums", "files.sha256sums", Sha256),
            ("file_list", "files.all", Permissions),
            ("file_list", "files.allinfo", Info),
            ("file_suids", "files.suids", SetUid),
        ];
        for (module, output, value) in outputs {
            if value != Sha1 || has_sha1 {
                let FileOutputs { threads, fs, keys, other_names } = *self;
                let values = FileValues { threads, fs, keys, other_names, value };
                report.add(module, output, Output::Files(values));
            }
        }
    }
}

/// Values that analyzers stated, by module and output, then by key.
type Stated<'a> = BTreeMap<(Cow<'a, str>, Cow<'a, str>), Values<'a>>;

fn stated<'a>(analysis: &'a Analysis<'_>, owned: &OwnedFiles<'_>) -> Stated<'a> {
    let mut stated = Stated::new();
    let mut programs = Programs::of(analysis, owned);
    for value in &analysis.legacy {
        let key = key(value);
        if value.output == PROGRAMS && !programs.counts(&key, &value.value.parsed()) {
            continue;
        }
        let output = (Cow::from(&*value.module), Cow::from(&*value.output));
        stated.entry(output).or_default().insert(key, leaf(value));
    }
    // Hints have said in their own way what they are.
    for found in analysis.packages.iter().filter(|found| found.analyzer != "hints") {
        if let Some((output, key, value)) = packages::other_kind(&found.package) {
            let output = stated.entry(("package_list".into(), output.into())).or_default();
            output
                .entry(names::folded(&key).into_owned())
                .or_insert_with(|| value.to_string().into());
        }
    }
    stated
}

fn key(value: &inscan_analyzers::Legacy) -> String {
    names::folded(&text::shown(&value.key)).into_owned()
}

/// As text: an empty one was lost on the way through the file of lines, and read back as `none`.
fn leaf(value: &inscan_analyzers::Legacy) -> Cow<'_, str> {
    // Readers decode it, and `none` is not what is in an empty file.
    let is_content = value.module == "retrieve_files";
    let text = value.value.text();
    match text.trim() {
        "" if is_content && text.is_empty() => "".into(),
        "" => "none".into(),
        text => text.into(),
    }
}

const PROGRAMS: &str = "pkgs.binary";

/// Which values of `pkgs.binary` count: those of files that no OS package
/// owns, and of several with the same name and version the first.
struct Programs {
    owned: BTreeSet<String>,
    seen: HashSet<(String, String)>,
}

impl Programs {
    fn of(analysis: &Analysis<'_>, owned: &OwnedFiles<'_>) -> Self {
        let programs = analysis.legacy.iter().filter(|value| value.output == PROGRAMS);
        let keys = programs.map(|value| key(value)).collect();
        Programs { owned: owned.among(&keys), seen: HashSet::new() }
    }

    fn counts(&mut self, key: &str, value: &Value) -> bool {
        let text = |member: &str| value[member].as_str().unwrap_or_default().to_owned();
        !self.owned.contains(key) && self.seen.insert((text("name"), text("version")))
    }
}

/// What the legacy engine takes for Alpine, from what it would say of the distribution.
fn has_sha1(analysis: &Analysis<'_>, stated: &Stated<'_>) -> bool {
    let known = |id: &str| {
        ["centos", "rhel", "redhat", "fedora", "ol", "debian", "ubuntu", "busybox", ALPINE]
            .contains(&id)
    };
    let (id, like): (&str, Vec<&str>) =
        match stated.get(&("analyzer_meta".into(), "analyzer_meta".into())) {
            Some(meta) => (
                meta.get("DISTRO").map_or("", Cow::as_ref),
                meta.get("LIKEDISTRO").map_or("", Cow::as_ref).split(',').collect(),
            ),
            None => match &analysis.distribution {
                Some(distribution) => {
                    (&distribution.id, distribution.like.iter().map(String::as_str).collect())
                }
                None => return false,
            },
        };
    std::iter::once(id).chain(like).find(|id| known(id)) == Some(ALPINE)
}
