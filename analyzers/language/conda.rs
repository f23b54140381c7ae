//! Conda packages, as installed.
//!
//! An environment keeps one JSON object for each package in `conda-meta/`:
//! name, version, build, channel, and the files with their digests.
//! <https://docs.conda.io/projects/conda-build/en/stable/resources/package-spec.html>

use std::collections::BTreeMap;

use serde_json::Value;

use crate::parse::allowance::Allowance;
use crate::parse::json;
use crate::parse::url::without_credentials;
use crate::problem::MALFORMED;
use crate::{
    Analyzer, Content, Error, Evidence, Facts, FileHead, Package, PackageFile, Pattern, Result,
    Want, path,
};

/// The record of a package with 100,000 files is some 30 MB.
const MAX_SIZE: u64 = 64 << 20;

pub(crate) struct Conda;

impl Analyzer for Conda {
    fn name(&self) -> &'static str {
        "conda"
    }

    fn about(&self) -> &'static str {
        "Conda packages by conda-meta/*.json"
    }

    fn wants(&self) -> Vec<Want> {
        vec![Want::inspect(Pattern::within("conda-meta", ".json"), MAX_SIZE)]
    }

    /// As a tree of JSON.
    fn takes_memory(&self) -> bool {
        true
    }

    fn inspect(&self, file: &FileHead<'_>, content: &dyn Content, out: &mut Facts) -> Result<()> {
        let mut allowance = Allowance::of_record(content.len() as usize);
        let bytes = content.bytes()?;
        if !json::hold_tree(&bytes, out) {
            return Ok(());
        }
        let record = json::parse(&bytes);
        match record.and_then(|record| package(&record, file.path, &mut allowance, out)) {
            Ok(package) => out.package(package),
            // Whatever is installed there is not known.
            Err(error) => out.hidden_here(MALFORMED, error),
        }
        allowance.report(file.path, out);
        Ok(())
    }
}

fn package(
    record: &Value,
    location: &[u8],
    allowance: &mut Allowance,
    out: &mut Facts,
) -> Result<Package> {
    let needed = |member| {
        json::text(record, member).ok_or_else(|| Error::new(format!("no `{member}` in the record")))
    };
    let (name, version) = (needed("name")?, needed("version")?);
    let stated = |names: &[(&str, &str)]| -> BTreeMap<String, String> {
        let pairs = names.iter().filter_map(|(member, name)| {
            let value = without_credentials(json::text(record, member)?);
            Some(((*name).to_owned(), value))
        });
        pairs.collect()
    };
    let environment = path::parent(path::parent(location));
    Ok(Package {
        kind: "conda".into(),
        name: name.into(),
        version: version.into(),
        licenses: json::text(record, "license").map(str::to_owned).into_iter().collect(),
        size: record.get("size").and_then(Value::as_u64),
        evidence: Evidence::InstalledPackage,
        location: location.into(),
        files: files(record, environment, allowance, out),
        qualifiers: stated(&[("build", "build"), ("build_string", "build"), ("subdir", "subdir")]),
        attributes: stated(&[
            ("channel", "channel"),
            ("url", "url"),
            ("sha256", "sha256"),
            ("md5", "md5"),
        ]),
        ..Package::default()
    })
}

/// `paths_data` has digests; older records have only `files`.
fn files(
    record: &Value,
    environment: &[u8],
    allowance: &mut Allowance,
    out: &mut Facts,
) -> Vec<PackageFile> {
    let mut at = |file: &str| {
        let is_admitted = allowance.admits(environment.len() + file.len(), out);
        is_admitted.then(|| path::join(environment, file.as_bytes()).into())
    };
    let mut paths =
        record.get("paths_data").into_iter().flat_map(|data| json::list(data, "paths")).peekable();
    if paths.peek().is_none() {
        let file = |file: &Value| {
            Some(PackageFile { path: at(file.as_str()?)?, ..PackageFile::default() })
        };
        return json::list(record, "files").filter_map(file).collect();
    }
    let file = |file: &Value| {
        // Installing replaces the prefix in some files: then the digest is not that of the package.
        let digest = json::text(file, "sha256_in_prefix").or_else(|| json::text(file, "sha256"));
        Some(PackageFile {
            path: at(json::text(file, "_path")?)?,
            algorithm: digest.map(|_| "sha256".into()),
            digest: digest.map(str::to_owned),
            size: file.get("size_in_bytes").and_then(Value::as_u64),
            ..PackageFile::default()
        })
    };
    paths.filter_map(file).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Image, cut_everywhere};

    #[test]
    fn reads_name_version_build_and_files() {
        let facts = Image::fixture("conda").run(&Conda);
        let package = facts.packages().next().unwrap();
        assert_eq!((&*package.name, &*package.version), ("sample", "1.2"));
        assert_eq!(package.qualifiers["build"], "py39_0");
        assert_eq!(package.licenses, ["MIT"]);
        assert_eq!(package.attributes["channel"], "https://conda.example/main");
        assert_eq!(package.files[0].path, "opt/conda/bin/sample");
        assert_eq!(package.files[0].size, Some(12));
    }

    #[test]
    fn no_cut_is_a_crash() {
        cut_everywhere(&Conda, "conda");
    }

    #[test]
    fn only_records_of_an_environment_count() {
        let record = r#"{"name": "a", "version": "1"}"#;
        let facts = Image::new([("opt/a.json", record), ("conda-meta/a.json", record)]).run(&Conda);
        let found: Vec<_> = facts.packages().map(|package| package.location.to_string()).collect();
        assert_eq!(found, ["conda-meta/a.json"]);
    }

    #[test]
    fn a_record_without_version_is_a_problem() {
        let facts = Image::new([("conda-meta/a.json", r#"{"name": "a"}"#)]).run(&Conda);
        assert_eq!(facts.problems[0].message, "no `version` in the record");
    }
}
