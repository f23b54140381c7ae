//! Our own part of the document, from an analysis. The lists that grow with the
//! image (files, packages) are written row by row.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use inscan_analyzers::{Evidence, Fact, Package, PackageFile, Part};
use serde::ser::{SerializeSeq, SerializeStruct};
use serde::{Serialize, Serializer};

use super::rows;
use super::{capability, timings as times};
use crate::analyze::{Analysis, FoundPackage};
use crate::flatten::{At, File, Finder};
use crate::layer::{Compression, EntryKind};
use crate::source::{HistoryItem, ImageConfig};
use inscan_analyzers::secrets;
use inscan_document::Identity;
use inscan_document::licence;
use inscan_document::section::*;
use inscan_document::text::{exact, shown};
use inscan_facts::digest::{FileDigests, hex};
use inscan_facts::{distribution, purl};

const SET_ID_BITS: u32 = 0o6000;

pub(super) struct SectionOf<'a> {
    pub(super) analysis: &'a Analysis<'a>,
    pub(super) config: &'a ImageConfig,
    pub(super) identity: &'a Identity,
    pub(super) run: &'a Run,
    /// When the document was begun.
    pub(super) begun: Instant,
}

impl Serialize for SectionOf<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let owners = Owners::of(self.analysis);
        let mut section = serializer.serialize_struct("Section", 16)?;
        section.serialize_field("format", FORMAT)?;
        section.serialize_field("tool", &self.tool())?;
        if !self.analysis.left_out.is_empty() {
            section.serialize_field("left_out", &self.analysis.left_out)?;
        }
        section.serialize_field("image", &self.image())?;
        section.serialize_field("layers", &self.layers())?;
        if let Some(distribution) = self.distribution() {
            section.serialize_field("distribution", &distribution)?;
        }
        section.serialize_field("packages", &Packages { of: self, owners: &owners })?;
        match self.analysis.left_out.contains(&Part::Files) {
            true => section.serialize_field("files", &self.files_of_packages(&owners))?,
            false => section.serialize_field("files", &Files { of: self, owners: &owners })?,
        }
        section.serialize_field("set_id_files", &self.set_id_files(&owners))?;
        section.serialize_field("secrets", &self.secrets())?;
        if let Some(malware) = self.malware() {
            section.serialize_field("malware", &malware)?;
        }
        section.serialize_field("searches", &self.searches())?;
        section.serialize_field("retrieved_files", &self.retrieved_files())?;
        section.serialize_field("problems", &self.problems())?;
        section.serialize_field("skipped", &self.skipped())?;
        section.serialize_field("run", &self.run())?;
        section.end()
    }
}

/// Which package each file belongs to, by the entry that holds its content.
struct Owners {
    /// The package, and which of its files.
    by_entry: HashMap<At, (usize, usize)>,
}

/// Where no distribution puts files of its packages: whoever claims one there is somebody else.
/// <https://refspecs.linuxfoundation.org/FHS_3.0/fhs-3.0.html>
const NO_DISTRIBUTION: [&[u8]; 5] = [b"app", b"home", b"opt", b"srv", b"usr/local"];

impl Owners {
    /// OS packages come first; of several packages of one rank, the first.
    fn of(analysis: &Analysis<'_>) -> Self {
        let mut by_entry = HashMap::new();
        let mut finder = Finder::new(&analysis.fs);
        for is_os in [true, false] {
            let packages = analysis.packages.iter().enumerate();
            for (number, found) in packages.filter(|(_, found)| is_os_package(found) == is_os) {
                for (of, file) in found.package.files.iter().enumerate() {
                    // Recorded paths may lead through links: `bin/ls` where `bin` is `usr/bin`.
                    let entry = finder.find(&file.path).and_then(|file| file.own);
                    if let Some((at, entry)) = entry
                        && entry.kind != EntryKind::Directory
                    {
                        by_entry.entry(at).or_insert((number, of));
                    }
                }
            }
        }
        Owners { by_entry }
    }

    fn get(&self, file: &File<'_>) -> Option<usize> {
        self.by_entry.get(&file.own?.0).map(|(number, _)| *number)
    }

    /// The OS package that a file is of, where its claim is to be believed: a line in a list is
    /// written easily, so the content has to be what was recorded (or, where nothing was, the name
    /// that of the package), and at a distribution's place.
    fn proven(
        &self,
        file: &File<'_>,
        packaged: &Package,
        analysis: &Analysis<'_>,
    ) -> Option<usize> {
        let (number, of) = *self.by_entry.get(&file.own?.0)?;
        let owner = analysis.packages.get(number).filter(|owner| is_os_package(owner))?;
        let path = analysis.fs.path(file);
        let is_below =
            |place: &[u8]| path.strip_prefix(place).is_some_and(|rest| rest.starts_with(b"/"));
        if NO_DISTRIBUTION.into_iter().any(is_below) {
            return None;
        }
        let recorded = owner.package.files.get(of)?;
        let (at, entry) = file.content?;
        let digests = analysis.layers[at.layer as usize].digests(entry);
        let is_right = is_as_recorded(recorded, digests.as_ref());
        is_right.unwrap_or_else(|| is_named_after(&owner.package, packaged)).then_some(number)
    }
}

/// `None` where nothing was recorded that can be compared.
fn is_as_recorded(recorded: &PackageFile, digests: Option<&FileDigests>) -> Option<bool> {
    let (Some(digest), Some(algorithm)) = (&recorded.digest, &recorded.algorithm) else {
        return None;
    };
    let digests = digests?;
    let actual = match algorithm.to_ascii_lowercase().as_str() {
        "md5" => hex(&digests.md5),
        "sha1" => hex(&digests.sha1),
        "sha256" => hex(&digests.sha256),
        _ => return None,
    };
    Some(actual.eq_ignore_ascii_case(digest))
}

/// Whether an OS package may be the packaging of a language's one: `python3-yaml` of `PyYAML`.
fn is_named_after(owner: &Package, packaged: &Package) -> bool {
    let name = packaged.name.to_ascii_lowercase();
    let source = owner.source.as_ref().map(|source| source.name.as_str());
    let names = [Some(owner.name.as_str()), source].into_iter().flatten();
    let mut words = names.flat_map(|name| name.split(['-', '_', '.', '+']));
    words.any(|word| {
        let word = word.to_ascii_lowercase();
        let is_language = matches!(
            &*word,
            "python"
                | "python2"
                | "python3"
                | "node"
                | "nodejs"
                | "ruby"
                | "perl"
                | "php"
                | "java"
                | "rust"
                | "golang"
                | "lua"
                | "lib"
                | "dev"
                | "js"
                | "py"
        );
        !is_language && word.len() > 1 && name.contains(&*word)
    })
}

/// By evidence and not by type: whoever keeps a database of packages owns the files it names.
fn is_os_package(found: &FoundPackage) -> bool {
    found.package.evidence == Evidence::InstalledDb
}

impl SectionOf<'_> {
    /// All of it as one value, but for the files that are no package. What is written and
    /// what is here are made by the same functions.
    pub(super) fn without_other_files(&self) -> Section {
        let owners = Owners::of(self.analysis);
        let packages = self.analysis.packages.iter();
        Section {
            format: FORMAT.to_owned(),
            tool: self.tool(),
            left_out: self.analysis.left_out.clone(),
            image: self.image(),
            layers: self.layers(),
            distribution: self.distribution(),
            packages: packages.map(|found| self.package(found, &owners)).collect(),
            files: self.files_of_packages(&owners),
            set_id_files: self.set_id_files(&owners),
            secrets: self.secrets(),
            malware: self.malware(),
            searches: self.searches(),
            retrieved_files: self.retrieved_files(),
            problems: self.problems(),
            skipped: self.skipped(),
            run: self.run(),
        }
    }

    fn files_of_packages(&self, owners: &Owners) -> Vec<FileRow> {
        let are_packages = self.files_that_are_packages();
        let mut rows = Vec::new();
        self.analysis.fs.walk(|path, file| {
            if are_packages.contains(path) {
                rows.push(self.file(path, file, owners));
            }
        });
        rows
    }

    /// Archives and executables: their digests are the package's.
    fn files_that_are_packages(&self) -> HashSet<&[u8]> {
        let packages = self.analysis.packages.iter().map(|found| &**found.package);
        let is_file = |it: &&Package| matches!(it.evidence, Evidence::Archive | Evidence::Binary);
        packages.filter(is_file).map(|package| &package.location[..]).collect()
    }

    /// The last of the document, so that writing the rest is in it.
    fn run(&self) -> Run {
        let timings = self.run.timings.as_ref();
        let timings = timings.map(|_| times::ended(times::of(self.analysis), self.begun.elapsed()));
        Run { timings, ..self.run.clone() }
    }

    fn tool(&self) -> Tool {
        // Whether the image was searched for secrets decides about a gate.
        let ran = |name: &str, wants: usize| name != "secrets" || wants > 0;
        let analyzers = self.analysis.analyzers.iter();
        let analyzers = analyzers.filter(|one| ran(one.name(), one.wants().len()));
        Tool {
            name: "inscan".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            analyzers: analyzers.map(|one| one.name().to_owned()).collect(),
        }
    }

    fn image(&self) -> ImageInfo {
        let image = self.analysis.image;
        let config = self.config.clone();
        ImageInfo {
            source: image.source.clone(),
            reference: self.identity.full_tag.clone(),
            names: image.names.clone(),
            id: self.identity.image_id.clone(),
            digest: self.identity.image_digest.clone(),
            os: config.os,
            architecture: config.architecture,
            variant: config.variant,
            created: config.created,
            author: config.author,
            history: self.history(),
            config: config.container,
            bom: None,
        }
    }

    fn history(&self) -> Vec<HistoryRow> {
        let layers = self.config.layers_of_history(self.analysis.layers.len());
        let row = |(line, layer): (&HistoryItem, Option<usize>)| HistoryRow {
            created: line.created.clone(),
            created_by: line.created_by.clone(),
            comment: line.comment.clone(),
            layer,
        };
        self.config.history.iter().zip(layers).map(row).collect()
    }

    fn layers(&self) -> Vec<Layer> {
        let lines = self.config.history_of_layers(self.analysis.layers.len());
        let row = |(index, scan): (usize, &crate::layer::LayerScan)| {
            let history = lines.get(index).copied().flatten();
            Layer {
                index,
                diff_id: scan.diff_id.to_string(),
                blob_digest: scan.blob_digest.to_string(),
                blob_size: scan.blob_size,
                compression: match scan.compression {
                    Compression::None => "none",
                    Compression::Gzip => "gzip",
                    Compression::Zstd => "zstd",
                }
                .to_owned(),
                media_type: self
                    .analysis
                    .image
                    .layers
                    .get(index)
                    .and_then(|layer| layer.media_type.clone()),
                tar_size: scan.tar_size,
                entries: scan.entries.len(),
                history,
                created_by: history
                    .and_then(|line| self.config.history.get(line))
                    .map_or_else(String::new, |line| line.created_by.clone()),
            }
        };
        self.analysis.layers.iter().enumerate().map(row).collect()
    }

    fn distribution(&self) -> Option<DistributionInfo> {
        let found = self.analysis.distribution.as_ref()?;
        Some(DistributionInfo {
            id: found.id.clone(),
            version: found.version.clone(),
            like: found.like.clone(),
            codename: found.codename.clone(),
            name: found.name.clone(),
            location: shown(&found.location).into_owned(),
        })
    }

    fn set_id_files(&self, owners: &Owners) -> Vec<SetIdFile> {
        let mut files = Vec::new();
        self.analysis.fs.walk(|path, file| {
            if file.kind() == EntryKind::File && file.mode() & SET_ID_BITS != 0 {
                files.push(SetIdFile {
                    path: shown(path).into_owned(),
                    mode: octal(file.mode()),
                    uid: file.uid(),
                    gid: file.gid(),
                    layer: file.layer(),
                    package: owners.get(&file),
                });
            }
        });
        files
    }

    fn secrets(&self) -> Vec<SecretRow> {
        let row = |found: &crate::analyze::FoundSecret| SecretRow {
            rule: found.secret.rule.clone(),
            about: secrets::description(&found.secret.rule).unwrap_or_default(),
            severity: found.secret.severity,
            analyzer: found.analyzer.to_owned(),
            path: found.path.as_deref().map(|path| shown(path).into_owned()),
            path_bytes: found.path.as_deref().and_then(exact),
            member: found.secret.member.as_deref().map(|member| shown(member).into_owned()),
            layer: found.layer,
            visible: found.visible,
            origin: found.origin.clone(),
            fingerprint: found.secret.fingerprint.clone(),
            line: found.secret.line,
            column: found.secret.column,
            excerpt: found.secret.excerpt.clone(),
        };
        self.analysis.secrets.iter().map(row).collect()
    }

    fn malware(&self) -> Option<MalwareInfo> {
        let malware = self.analysis.malware.as_ref()?;
        let row = |found: &crate::analyze::FoundMalware| MalwareRow {
            path: shown(&found.path).into_owned(),
            path_bytes: exact(&found.path),
            layer: found.layer,
            visible: found.visible,
            signature: found.signature.clone(),
        };
        Some(MalwareInfo {
            scanner: "clamav".to_owned(),
            version: malware.version.clone(),
            findings: malware.findings.iter().map(row).collect(),
        })
    }

    /// Of visible files, under the first of their names. Links are not followed
    /// here: each file is told of once.
    fn searches(&self) -> Vec<SearchRow> {
        let mut rows = Vec::new();
        self.analysis.fs.walk(|path, file| {
            let Some((at, _)) = file.content.filter(|_| !file.is_hard_link()) else { return };
            let facts = self.analysis.layers[at.layer as usize].facts.get(&at.entry);
            for (analyzer, facts) in facts.into_iter().flatten() {
                let analyzer = self.analysis.analyzers.get(usize::from(*analyzer));
                for fact in &facts.facts {
                    if let (Fact::Match(found), Some(analyzer)) = (fact, analyzer) {
                        rows.push(SearchRow {
                            analyzer: analyzer.name().to_owned(),
                            path: shown(path).into_owned(),
                            expression: found.expression.clone(),
                            lines: found.lines.iter().map(|line| line.saturating_add(1)).collect(),
                        });
                    }
                }
            }
        });
        rows
    }

    fn retrieved_files(&self) -> Vec<RetrievedFile> {
        let retrieved =
            self.analysis.legacy.iter().filter(|value| value.module == "retrieve_files");
        let mut rows: Vec<_> = retrieved
            .map(|value| RetrievedFile {
                path: shown(&value.key).into_owned(),
                content: value.value.text().to_owned(),
            })
            .collect();
        rows.sort_by(|a, b| a.path.cmp(&b.path));
        rows
    }

    fn problems(&self) -> Vec<ProblemRow> {
        let of_config = self
            .config
            .problems
            .iter()
            .map(|message| ProblemRow { message: message.clone(), ..ProblemRow::default() });
        let found = self.analysis.problems.iter().map(|problem| ProblemRow {
            analyzer: problem.analyzer.map(str::to_owned),
            layer: problem.layer,
            path: problem.path.as_deref().map(|path| shown(path).into_owned()),
            message: problem.message.clone(),
            code: problem.code.clone().into_owned(),
            hides: problem.hides,
        });
        of_config.chain(found).collect()
    }

    fn skipped(&self) -> Skipped {
        let row = |skip: &crate::analyze::FoundSkip| SkippedFile {
            analyzer: skip.analyzer.to_owned(),
            layer: skip.layer,
            path: shown(&skip.path).into_owned(),
            reason: skip.reason.clone(),
            code: skip.code.clone().into_owned(),
            hides: skip.hides,
        };
        let files: Vec<_> = self.analysis.skipped.iter().map(row).collect();
        Skipped { count: files.len(), files }
    }

    fn package(&self, found: &FoundPackage, owners: &Owners) -> PackageRow {
        let package = &found.package;
        let owned_by = match is_os_package(found) {
            true => None,
            // A nested archive's location is `outer.jar:inner.jar`.
            false => {
                let outer = package.location.split(|byte| *byte == b':').next().unwrap_or_default();
                let fs = &self.analysis.fs;
                let file = fs.find(&package.location).or_else(|| fs.find(outer));
                file.and_then(|file| owners.proven(&file, package, self.analysis))
            }
        };
        PackageRow {
            kind: package.kind.clone().into_owned(),
            namespace: package.namespace.clone(),
            name: package.name.clone(),
            version: package.version.clone(),
            epoch: package.epoch,
            arch: package.arch.clone(),
            purl: purl::written(package, self.analysis.distribution.as_ref()),
            source: package.source.as_ref().map(|source| SourcePackage {
                name: source.name.clone(),
                version: source.version.clone(),
            }),
            licences: package.licenses.clone(),
            licence_expressions: licence::expressions(&package.licenses),
            origin: package.origin.clone(),
            size: package.size,
            evidence: package.evidence,
            analyzer: found.analyzer.to_owned(),
            location: shown(&package.location).into_owned(),
            location_bytes: exact(&package.location),
            layer: found.layer,
            owned_by,
            distribution: distribution::apart(
                package.distribution.as_ref(),
                self.analysis.distribution.as_ref(),
            )
            .map(ReleaseName::of),
            part_of: Vec::new(),
            files: package.files.len(),
            attributes: package.attributes.clone(),
            identity: package.identity.clone(),
            role: package.role,
        }
    }

    fn file(&self, path: &[u8], file: File<'_>, owners: &Owners) -> FileRow {
        let layers = self.analysis.layers;
        let content = file.content.filter(|(_, entry)| entry.kind == EntryKind::File);
        let digests = content.and_then(|(at, entry)| layers[at.layer as usize].digests(entry));
        let link = file
            .own
            .map(|(at, entry)| layers[at.layer as usize].link(entry))
            .filter(|link| !link.is_empty());
        let capabilities = content.and_then(|(at, _)| {
            let attribute = layers[at.layer as usize].capabilities.get(&at.entry)?;
            Some(capability::text(attribute).unwrap_or_else(|| format!("0x{}", hex(attribute))))
        });
        let digests = digests.as_ref();
        let more = digests.and_then(|digests| digests.more.as_deref()).unwrap_or_default();
        FileRow {
            path: shown(path).into_owned(),
            path_bytes: exact(path),
            kind: file_type(&file),
            mode: octal(file.mode()),
            uid: file.uid(),
            gid: file.gid(),
            size: if content.is_some() { file.size() } else { 0 },
            md5: digests.map(|digests| hex(&digests.md5)),
            sha1: digests.map(|digests| hex(&digests.sha1)),
            sha256: digests.map(|digests| hex(&digests.sha256)),
            more_digests: more.iter().map(|digest| hex(digest)).collect(),
            link: link.map(|link| shown(link).into_owned()),
            link_bytes: link.and_then(exact),
            capabilities,
            layer: file.layer(),
            package: owners.get(&file),
        }
    }
}

fn octal(mode: u32) -> String {
    format!("{:o}", mode & 0o7777)
}

fn file_type(file: &File<'_>) -> FileType {
    match file.own.map_or(EntryKind::Directory, |(_, entry)| entry.kind) {
        EntryKind::File => FileType::File,
        EntryKind::HardLink => FileType::HardLink,
        EntryKind::Symlink => FileType::Symlink,
        EntryKind::Directory => FileType::Directory,
        EntryKind::CharDevice => FileType::CharDevice,
        EntryKind::BlockDevice => FileType::BlockDevice,
        EntryKind::Fifo => FileType::Fifo,
    }
}

struct Packages<'a> {
    of: &'a SectionOf<'a>,
    owners: &'a Owners,
}

impl Serialize for Packages<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let packages = self.of.analysis.packages.iter();
        serializer.collect_seq(packages.map(|found| self.of.package(found, self.owners)))
    }
}

struct Files<'a> {
    of: &'a SectionOf<'a>,
    owners: &'a Owners,
}

impl Serialize for Files<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        rows::write(
            &self.of.analysis.threads,
            |visit| self.of.analysis.fs.walk(|path, file| visit("", path, file)),
            |path, file| Some(self.of.file(path, *file, self.owners)),
            |_, row| list.serialize_element(row),
        )?;
        list.end()
    }
}
