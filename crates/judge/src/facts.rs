//! What a document says of an image, as gates ask for it: each part is read
//! when the first rule wants it, and once.
//!
//! It is taken from the part of the document that the legacy engine writes as
//! well (`source`), so that its documents are judged as ours are.

mod accounts;
mod content;
mod files;
mod image;
mod listings;
mod malware;
mod package_files;
mod packages;
mod searches;
mod source;
mod sums;

use std::cell::OnceCell;
use std::sync::Arc;

use crate::spec::TriggerError;
use crate::vulnerable::VulnerabilityList;
use inscan_document::config::ContainerConfig;
use inscan_document::{self as document, LegacyPart, Section};
use inscan_evaluate::{SecretFinding, Severity};
use inscan_facts::part::Part as LeftOut;
use inscan_facts::problem::Hides;
use inscan_vulndb::Database;

pub use accounts::Account;
pub use files::{File, FileKind, Files};
pub use image::{DockerfileMode, ImageFacts};
pub use listings::{Listed, Listings};
pub use malware::{MalwareFinding, MalwareScan};
pub use package_files::PackageFile;
pub use packages::Package;
pub use searches::Found;
pub use source::DocumentError;

use source::Source;

/// Why a part cannot be told: it is not in the document, or cannot be understood there.
type Lookup<T> = Result<T, String>;

/// The facts of one document.
#[derive(Default)]
pub struct DocumentFacts<'a> {
    source: Source<'a>,
    is_of_engine: bool,
    listings: Listings<'a>,
    image: Part<ImageFacts>,
    files: Part<Files>,
    sums: sums::Sums<'a>,
    packages: Part<Vec<Package>>,
    package_files: Part<Vec<PackageFile>>,
    secrets: Part<Vec<Found>>,
    content_matches: Part<Vec<Found>>,
    contents: Part<content::Contents>,
    accounts: Part<Vec<Account>>,
    malware: Part<Vec<MalwareScan>>,
    vulnerabilities: Option<Arc<VulnerabilityList>>,
    found_secrets: Option<Vec<SecretFinding>>,
    secrets_of_engine: Part<Vec<SecretFinding>>,
    not_searched: Vec<NotSearched>,
    configuration: Option<&'a ContainerConfig>,
}

/// What may hold secrets, and was not searched for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotSearched {
    /// Without a leading slash. `None`: the whole image.
    pub path: Option<String>,
    /// Why.
    pub reason: String,
}

fn not_searched(section: &Section) -> Vec<NotSearched> {
    let problems = section.problems.iter().filter(|problem| problem.hides == Hides::Secrets);
    let problems = problems.map(|problem| (problem.path.clone(), &problem.message));
    let skipped = section.skipped.files.iter().filter(|file| file.hides == Hides::Secrets);
    let skipped = skipped.map(|file| (Some(file.path.clone()), &file.reason));
    let all = problems.chain(skipped);
    all.map(|(path, reason)| NotSearched { path, reason: reason.clone() }).collect()
}

/// What writes our own documents.
const OWN_TOOL: &str = "inscan";

fn of_engine(found: &Found) -> SecretFinding {
    SecretFinding {
        rule: found.name().to_owned(),
        severity: Severity::High,
        path: Some(found.path.trim_start_matches('/').to_owned()),
        visible: true,
        ..SecretFinding::default()
    }
}

/// A part that is made when it is asked for.
type Part<T> = OnceCell<Lookup<T>>;

fn once<T>(part: &Part<T>, make: impl FnOnce() -> Lookup<T>) -> Result<&T, TriggerError> {
    once_answer(part, make).map_err(TriggerError::NotAnswerable)
}

fn once_answer<T>(part: &Part<T>, make: impl FnOnce() -> Lookup<T>) -> Lookup<&T> {
    part.get_or_init(make).as_ref().map_err(String::clone)
}

impl<'a> DocumentFacts<'a> {
    /// Of a document, ours or the legacy engine's. `section` is what was read of it: an SBOM has
    /// nothing else, and only questions about packages are answered for it.
    pub fn of_document(text: &'a [u8], section: &'a Section) -> Result<Self, DocumentError> {
        let is_of_engine = section.tool.name == document::LEGACY_TOOL;
        let source = source::read(text, section)?;
        Ok(DocumentFacts { source, is_of_engine, ..DocumentFacts::of_section(section) })
    }

    /// Of an analysis that was just made, with our own part of its document.
    pub fn of_analysis(outputs: impl LegacyPart + 'a, section: &'a Section) -> Self {
        let source = match section.left_out.contains(&LeftOut::Files) {
            true => Source::Section(section),
            false => Source::Analysis(Box::new(outputs)),
        };
        DocumentFacts { source, ..DocumentFacts::of_section(section) }
    }

    /// What the legacy part does not tell, or tells by guesses alone.
    pub(crate) fn of_section(section: &'a Section) -> Self {
        let is_own = section.tool.name == OWN_TOOL;
        let configuration = is_own.then_some(&section.image.config);
        let found_secrets = inscan_evaluate::secrets_of(section);
        let not_searched = not_searched(section);
        DocumentFacts { found_secrets, configuration, not_searched, ..DocumentFacts::default() }
    }

    /// What may hold secrets, and was not searched for them.
    pub fn not_searched(&self) -> &[NotSearched] {
        &self.not_searched
    }

    /// In place of those of the document: without those that an exception lets pass.
    pub fn with_secrets(mut self, secrets: Vec<SecretFinding>) -> Self {
        self.found_secrets = Some(secrets);
        self
    }

    /// Whether our own search for secrets told anything of this image.
    pub(crate) fn has_found_secrets(&self) -> bool {
        self.found_secrets.is_some()
    }

    /// What our own search for secrets found. Of a document of the legacy engine, what its
    /// search found: severe, as its expressions are about keys.
    pub fn found_secrets(&self) -> Result<&[SecretFinding], TriggerError> {
        if let Some(found) = &self.found_secrets {
            return Ok(found);
        }
        if self.is_of_engine {
            let found = self.secrets()?;
            return Ok(once(&self.secrets_of_engine, || {
                Ok(found.iter().map(of_engine).collect())
            })?);
        }
        let answer = self.source.needs("secrets");
        let reason = answer.err().unwrap_or_else(|| self.source.lacks("secrets of the image"));
        Err(TriggerError::NotAnswerable(reason))
    }

    /// How containers are started, as the image says it. `None`: only the history tells.
    pub fn configuration(&self) -> Option<&'a ContainerConfig> {
        self.configuration
    }

    /// With the lists of packages that are known to npm and RubyGems, as a feed service has them.
    pub fn with_database(mut self, database: &'a Database) -> Self {
        self.listings = Listings::of(database);
        self
    }

    /// With what is known to be vulnerable in the image.
    pub fn with_vulnerabilities(mut self, vulnerable: Arc<VulnerabilityList>) -> Self {
        self.vulnerabilities = Some(vulnerable);
        self
    }

    /// Whether the legacy engine wrote the document. What it answered can then be repeated, also
    /// where ours are judged better: COMPATIBILITY.md tells where.
    pub fn is_of_engine(&self) -> bool {
        self.is_of_engine
    }

    /// None where there is no database.
    pub fn vulnerabilities(&self) -> Option<&VulnerabilityList> {
        self.vulnerabilities.as_deref()
    }

    /// Names, Dockerfile and size of the image.
    pub fn image(&self) -> Result<&ImageFacts, TriggerError> {
        once(&self.image, || image::read(&self.source))
    }

    /// Every name in the image.
    pub fn files(&self) -> Result<&Files, TriggerError> {
        once(&self.files, || files::read(&self.source))
    }

    /// Whether the document has checksums by this algorithm.
    pub fn has_sums(&self, algorithm: &str) -> bool {
        sums::has_sums(&self.source, algorithm)
    }

    /// Checksum of a file by `md5`, `sha1` or `sha256`. `None`: it has no content.
    pub fn sum(&self, algorithm: &str, path: &str) -> Result<Option<String>, TriggerError> {
        self.sums.get(&self.source, algorithm, path).map_err(TriggerError::NotAnswerable)
    }

    /// OS packages, then those of languages; in the order of the document.
    pub fn packages(&self) -> Result<&[Package], TriggerError> {
        Ok(once(&self.packages, || packages::read(&self.source))?)
    }

    /// What package managers recorded of files.
    pub fn package_files(&self) -> Result<&[PackageFile], TriggerError> {
        Ok(once(&self.package_files, || package_files::read(&self.source))?)
    }

    /// What the search for secrets found.
    pub fn secrets(&self) -> Result<&[Found], TriggerError> {
        Ok(once(&self.secrets, || searches::read(&self.source, searches::SECRETS))?)
    }

    /// What the search for configured expressions found.
    pub fn content_matches(&self) -> Result<&[Found], TriggerError> {
        Ok(once(&self.content_matches, || searches::read(&self.source, searches::CONTENT))?)
    }

    /// Content of a file that the analysis kept, by the name it was configured with. `None`: it
    /// was not kept.
    pub fn content(&self, path: &str) -> Result<Option<Vec<u8>>, TriggerError> {
        content::of(self.contents()?, path).map_err(TriggerError::NotAnswerable)
    }

    /// The lines of `/etc/passwd`; none where the analysis did not keep it.
    pub fn accounts(&self) -> Result<&[Account], TriggerError> {
        let contents = self.contents()?;
        Ok(once(&self.accounts, || accounts::read(contents))?)
    }

    fn contents(&self) -> Result<&content::Contents, TriggerError> {
        once(&self.contents, || content::read(&self.source))
    }

    /// What scanners for malware said; none where none ran.
    pub fn malware(&self) -> Result<&[MalwareScan], TriggerError> {
        Ok(once(&self.malware, || malware::read(&self.source))?)
    }

    /// The packages that registries are known to have.
    pub fn listings(&self) -> &Listings<'a> {
        &self.listings
    }
}

#[cfg(test)]
mod tests;
