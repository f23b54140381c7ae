//! The values of the legacy part without its text: for policies that are judged right after the
//! analysis. The text of a large image has hundreds of megabytes; nobody has to write it, and
//! read it back, for a rule about one file.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use super::files::{self, Attributes};
use super::names::OddKeys;
use super::packages::{FileRecord, OwnedFiles};
use super::{Stated, has_sha1, malware, report, searches, stated};
use inscan_document::{Identity, LegacyPart, OutputFile};

use crate::analyze::Analysis;
use crate::source::ImageConfig;
use inscan_document::text;
use inscan_facts::digest::hex;

/// What the legacy part would say, output by output.
pub struct Outputs<'a> {
    analysis: &'a Analysis<'a>,
    identity: &'a Identity,
    config: &'a ImageConfig,
    keys: OddKeys<'a>,
    stated: Stated<'a>,
}

impl<'a> Outputs<'a> {
    pub fn of(analysis: &'a Analysis<'a>, identity: &'a Identity) -> Self {
        let owned = OwnedFiles::of(&analysis.packages, FileRecord::Owner);
        Outputs {
            analysis,
            identity,
            config: &analysis.config,
            keys: OddKeys::of(&analysis.fs),
            stated: stated(analysis, &owned),
        }
    }
}

impl LegacyPart for Outputs<'_> {
    fn analyzers(&self) -> Vec<&str> {
        self.analysis.analyzers.iter().map(|analyzer| analyzer.name()).collect()
    }

    fn os(&self) -> Option<&str> {
        self.config.os.as_deref()
    }

    fn labels(&self) -> &BTreeMap<String, String> {
        &self.config.container.labels
    }

    fn image_report(&self) -> Value {
        let Outputs { analysis, config, identity, .. } = self;
        let size = files::squashed_size(&analysis.fs);
        let report = report::image_report(analysis, config, identity, size);
        serde_json::to_value(report).unwrap_or_default()
    }

    fn names(&self, module: &str) -> Vec<&str> {
        let of_module = self.stated.keys().filter(move |(stated, _)| stated == module);
        of_module.map(|(_, output)| &**output).collect()
    }

    fn values(&self, module: &str, output: &str) -> BTreeMap<String, Cow<'_, str>> {
        let analysis = self.analysis;
        match (module, output) {
            ("content_search", "regexp_matches.all") => {
                searches::matches(analysis, &self.keys, "content-search")
            }
            ("secret_search", "regexp_matches.all") => {
                searches::matches(analysis, &self.keys, "secret-search")
            }
            ("malware", "malware") => {
                analysis.malware.as_ref().map(malware::clamav).unwrap_or_default()
            }
            (module, output) => {
                self.stated.get(&(module.into(), output.into())).cloned().unwrap_or_default()
            }
        }
    }

    fn files(&self, visit: &mut dyn FnMut(OutputFile<'_>)) {
        let fs = &self.analysis.fs;
        self.keys.walk(fs, |key, _, file| {
            let Attributes { mode, size, kind, target } = files::attributes(fs, &file);
            let target = target.map(|target| text::shown(target).into_owned());
            visit(OutputFile { key, mode, size, kind, target });
        });
    }

    fn has_digests(&self, algorithm: &str) -> bool {
        match algorithm {
            "md5" | "sha256" => true,
            "sha1" => has_sha1(self.analysis, &self.stated),
            _ => false,
        }
    }

    fn digest(&self, algorithm: &str, key: &str) -> Option<String> {
        let file = self.keys.find(&self.analysis.fs, key)?;
        let digests = files::digests(&self.analysis.fs, &file)?;
        match algorithm {
            "md5" => Some(hex(&digests.md5)),
            "sha1" => Some(hex(&digests.sha1)),
            "sha256" => Some(hex(&digests.sha256)),
            _ => None,
        }
    }

    fn package_files(&self, visit: &mut dyn FnMut(&str, Vec<Value>)) {
        let verified = OwnedFiles::of(&self.analysis.packages, FileRecord::Meta);
        verified.groups().for_each(|(key, values)| visit(&key, values));
    }
}
