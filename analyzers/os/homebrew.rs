//! Packages installed by Homebrew.
//!
//! Each has a directory `…/Cellar/NAME/VERSION`, in which Homebrew leaves
//! `INSTALL_RECEIPT.json` to tell where it came from.
//! <https://docs.brew.sh/Formula-Cookbook#homebrew-terminology>

use bstr::ByteSlice;
use serde::Deserialize;

use crate::{
    Analyzer, Content, Error, Evidence, Facts, FileHead, Package, Pattern, Result, Want, path,
};

pub(crate) struct Homebrew;

const MAX_RECEIPT: u64 = 1 << 20;

#[derive(Default, Deserialize)]
struct Receipt {
    arch: Option<String>,
    source: Option<Origin>,
}

#[derive(Deserialize)]
struct Origin {
    /// The repository of the formula: `homebrew/core`.
    tap: Option<String>,
}

impl Analyzer for Homebrew {
    fn name(&self) -> &'static str {
        "homebrew"
    }

    fn about(&self) -> &'static str {
        "Packages installed by Homebrew, from INSTALL_RECEIPT.json in its Cellar"
    }

    fn wants(&self) -> Vec<Want> {
        vec![Want::inspect(Pattern::name("INSTALL_RECEIPT.json"), MAX_RECEIPT)]
    }

    fn inspect(&self, file: &FileHead<'_>, content: &dyn Content, out: &mut Facts) -> Result<()> {
        let keg = path::parent(file.path);
        let rack = path::parent(keg);
        if path::name(path::parent(rack)) != b"Cellar" {
            return Ok(());
        }
        // The path names the package. Without a receipt it has no architecture and no tap.
        let receipt = serde_json::from_slice::<Receipt>(&content.bytes()?);
        let error = receipt.as_ref().err().map(|error| {
            Error::at_line(error.line(), format!("not a receipt of Homebrew: {error}"))
        });
        let receipt = receipt.unwrap_or_default();
        let tap = receipt.source.and_then(|source| source.tap);
        out.package(Package {
            kind: "brew".into(),
            name: path::name(rack).to_str_lossy().into_owned(),
            version: path::name(keg).to_str_lossy().into_owned(),
            arch: receipt.arch,
            evidence: Evidence::InstalledDb,
            location: file.path.into(),
            attributes: tap.into_iter().map(|tap| ("tap".to_owned(), tap)).collect(),
            ..Package::default()
        });
        error.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Image;

    #[track_caller]
    fn check(path: &str, receipt: &str, expected: &[(&str, &str)], problems: usize) -> Facts {
        let facts = Image::new([(path, receipt)]).run(&Homebrew);
        let found: Vec<_> =
            facts.packages().map(|p| (p.name.as_str(), p.version.as_str())).collect();
        assert_eq!((&found[..], facts.problems.len()), (expected, problems));
        facts
    }

    const RECEIPT: &str =
        r#"{"arch": "x86_64", "source": {"tap": "homebrew/core", "versions": {"stable": "9.6"}}}"#;

    #[test]
    fn the_path_names_the_package() {
        let path = "home/linuxbrew/.linuxbrew/Cellar/openssl@3/3.3.1_2/INSTALL_RECEIPT.json";
        let facts = check(path, RECEIPT, &[("openssl@3", "3.3.1_2")], 0);
        let package = facts.packages().next().unwrap();
        assert_eq!(package.attributes["tap"], "homebrew/core");
        assert_eq!(package.arch.as_deref(), Some("x86_64"));
    }

    #[test]
    fn a_broken_receipt_is_a_problem_and_loses_no_package() {
        for cut in 0..RECEIPT.len() {
            check("Cellar/a/1/INSTALL_RECEIPT.json", &RECEIPT[..cut], &[("a", "1")], 1);
        }
    }

    #[test]
    fn elsewhere_it_is_no_receipt() {
        check("srv/a/1/INSTALL_RECEIPT.json", RECEIPT, &[], 0);
        check("INSTALL_RECEIPT.json", RECEIPT, &[], 0);
    }
}
