//! Perl distributions, as installed from CPAN.
//!
//! `cpanm` leaves `.meta/DISTRIBUTION-VERSION/install.json` in the library
//! directory. Every other way of installing appends to `perllocal.pod`: a
//! heading with the module, and `C<VERSION: 1.0>` below.
//! <https://perldoc.perl.org/ExtUtils::Command::MM#perllocal_install>

use std::collections::BTreeMap;

use serde_json::Value;

use crate::parse::json;
use crate::{
    Analyzer, Content, Error, Evidence, Facts, FileHead, Package, Pattern, Result, Want, path,
};
use inscan_facts::window::bytes_up_to;

const MAX_SIZE: u64 = 16 << 20;

pub(crate) struct Perl;

impl Analyzer for Perl {
    fn name(&self) -> &'static str {
        "perl"
    }

    fn about(&self) -> &'static str {
        "Perl distributions by perllocal.pod and cpanm's install.json"
    }

    fn wants(&self) -> Vec<Want> {
        vec![
            Want::inspect(Pattern::name("install.json"), MAX_SIZE),
            Want::inspect(Pattern::name("perllocal.pod"), MAX_SIZE),
        ]
    }

    /// As a tree of JSON.
    fn takes_memory(&self) -> bool {
        true
    }

    fn inspect(&self, file: &FileHead<'_>, content: &dyn Content, out: &mut Facts) -> Result<()> {
        if path::name(file.path) == b"perllocal.pod" {
            let bytes = content.bytes()?;
            for (module, version) in perllocal(&String::from_utf8_lossy(&bytes)) {
                out.package(package(module.replace("::", "-"), version.into(), file.path));
            }
        } else if path::name(path::parent(path::parent(file.path))) == b".meta" {
            let bytes = bytes_up_to(content, MAX_SIZE)?;
            if !json::hold_tree(&bytes, out) {
                return Ok(());
            }
            let record = json::parse(&bytes)?;
            out.package(installed(&record, file.path)?);
        }
        Ok(())
    }
}

fn package(name: String, version: String, location: &[u8]) -> Package {
    Package {
        kind: "cpan".into(),
        name,
        version,
        evidence: Evidence::InstalledPackage,
        location: location.into(),
        ..Package::default()
    }
}

/// The distribution of `"dist": "Try-Tiny-0.30"`, which came from
/// `"pathname": "E/ET/ETHER/Try-Tiny-0.30.tar.gz"`.
fn installed(record: &Value, location: &[u8]) -> Result<Package> {
    let distribution = json::text(record, "dist").and_then(|dist| dist.rsplit_once('-'));
    let (name, version) =
        distribution.ok_or_else(|| Error::new("no name and version in `dist`"))?;
    let author = json::text(record, "pathname").and_then(|pathname| pathname.split('/').nth(2));
    Ok(Package {
        origin: author.map(str::to_owned),
        ..package(name.into(), version.trim_start_matches('v').into(), location)
    })
}

/// Modules with the version that was installed last.
fn perllocal(text: &str) -> BTreeMap<&str, &str> {
    let mut found = BTreeMap::new();
    let mut module = None;
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("=head2 ") {
            // `=head2 Tue Jan  1 00:00:00 2019: C<Module> L<Try::Tiny|Try::Tiny>`
            let name = heading.split_once("L<").map(|(_, link)| link);
            module =
                name.and_then(|name| name.split(['|', '>']).next()).filter(|name| !name.is_empty());
        } else if let Some(version) = line.strip_prefix("C<VERSION: ")
            && let Some(module) = module
        {
            found.insert(module, version.trim_end().trim_end_matches('>').trim_start_matches('v'));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Image, cut_everywhere};

    #[test]
    fn reads_both_records() {
        let facts = Image::fixture("perl").run(&Perl);
        assert_eq!(facts.problems, []);
        let found: Vec<_> =
            facts.packages().map(|package| (&*package.name, &*package.version)).collect();
        assert_eq!(
            found,
            [("Acme-Other", "2.1"), ("Acme-Sample", "0.31"), ("Acme-Sample", "0.31")]
        );
        assert_eq!(facts.packages().last().unwrap().origin.as_deref(), Some("JODOE"));
    }

    #[test]
    fn no_cut_is_a_crash() {
        cut_everywhere(&Perl, "perl");
    }

    #[test]
    fn an_install_json_of_something_else_is_skipped() {
        let facts =
            Image::new([("srv/install.json", "{"), ("lib/.meta/a/install.json", "{}")]).run(&Perl);
        let problems: Vec<_> = facts.problems.iter().map(|problem| &*problem.message).collect();
        assert_eq!(problems, ["no name and version in `dist`"]);
    }
}
