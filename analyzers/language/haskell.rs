//! Haskell packages, as installed for GHC.
//!
//! `ghc-pkg` keeps a directory `package.conf.d` (or `*.db`) with one header block
//! `NAME-VERSION….conf` for each package.
//! <https://downloads.haskell.org/ghc/latest/docs/users_guide/packages.html#installedpackageinfo-a-package-specification>

use std::collections::BTreeMap;

use crate::parse::headers::Headers;
use crate::parse::url::without_credentials;
use crate::{Analyzer, Content, Error, Evidence, Facts, FileHead, Package, Pattern, Result, Want};

const MAX_SIZE: u64 = 4 << 20;

pub(crate) struct Haskell;

impl Analyzer for Haskell {
    fn name(&self) -> &'static str {
        "haskell"
    }

    fn about(&self) -> &'static str {
        "Haskell packages by GHC's package.conf.d/*.conf"
    }

    fn wants(&self) -> Vec<Want> {
        // GHC's own, and cabal's store (`store/ghc-9.4.7/package.db`).
        ["package.conf.d", "package.db"]
            .map(|directory| Want::inspect(Pattern::within(directory, ".conf"), MAX_SIZE))
            .into()
    }

    fn inspect(&self, file: &FileHead<'_>, content: &dyn Content, out: &mut Facts) -> Result<()> {
        let bytes = content.bytes()?;
        let text = String::from_utf8_lossy(&bytes);
        out.package(package(&Headers::parse(&text), file.path)?);
        Ok(())
    }
}

fn package(headers: &Headers<'_>, location: &[u8]) -> Result<Package> {
    let needed = |name| headers.get(name).ok_or_else(|| Error::new(format!("no `{name}`")));
    let mut attributes = BTreeMap::new();
    if let Some(homepage) = headers.get("homepage") {
        attributes.insert("homepage".to_owned(), without_credentials(homepage));
    }
    Ok(Package {
        kind: "hackage".into(),
        name: needed("name")?.into(),
        version: needed("version")?.into(),
        licenses: headers.get("license").map(str::to_owned).into_iter().collect(),
        origin: headers.get("author").or_else(|| headers.get("maintainer")).map(str::to_owned),
        evidence: Evidence::InstalledPackage,
        location: location.into(),
        attributes,
        ..Package::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Image, cut_everywhere};

    #[test]
    fn reads_what_ghc_pkg_writes() {
        let facts = Image::fixture("haskell").run(&Haskell);
        let package = facts.packages().next().unwrap();
        assert_eq!((&*package.name, &*package.version), ("sample", "0.11.3.1"));
        assert_eq!(package.licenses, ["BSD-3-Clause"]);
        assert_eq!(package.origin.as_deref(), Some("Jo Doe"));
    }

    #[test]
    fn no_cut_is_a_crash() {
        cut_everywhere(&Haskell, "haskell");
    }

    #[test]
    fn other_configurations_are_none_of_its_business() {
        let facts =
            Image::new([("etc/a.conf", "a"), ("x/package.conf.d/a.conf", "a")]).run(&Haskell);
        let problems: Vec<_> = facts.problems.iter().map(|problem| &*problem.message).collect();
        assert_eq!(problems, ["no `name`"]);
    }
}
