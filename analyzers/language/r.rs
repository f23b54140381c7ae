//! R packages, as installed.
//!
//! Each library directory has one directory for each package, named like it,
//! with a `DESCRIPTION`: a header block as Debian's control files have it.
//! <https://stat.ethz.ch/R-manual/R-devel/doc/manual/R-exts.html#The-DESCRIPTION-file>

use std::collections::BTreeMap;

use crate::parse::headers::Headers;
use crate::parse::url::without_credentials;
use crate::{
    Analyzer, Content, Error, Evidence, Facts, FileHead, Package, Pattern, Result, Want, path,
};
use inscan_facts::window::bytes_up_to;

const MAX_SIZE: u64 = 4 << 20;

pub(crate) struct R;

impl Analyzer for R {
    fn name(&self) -> &'static str {
        "r"
    }

    fn about(&self) -> &'static str {
        "R packages by the DESCRIPTION in library directories"
    }

    fn wants(&self) -> Vec<Want> {
        vec![Want::inspect(Pattern::name("DESCRIPTION"), u64::MAX)]
    }

    fn inspect(&self, file: &FileHead<'_>, content: &dyn Content, out: &mut Facts) -> Result<()> {
        let bytes = bytes_up_to(content, MAX_SIZE)?;
        let text = String::from_utf8_lossy(&bytes);
        let headers = Headers::parse(&text);
        // Other files are called DESCRIPTION, too. R finds a package by its directory.
        let Some(name) = headers.get("Package") else { return Ok(()) };
        if path::name(path::parent(file.path)) != name.as_bytes() {
            return Ok(());
        }
        out.package(package(name, &headers, file.path)?);
        Ok(())
    }
}

fn package(name: &str, headers: &Headers<'_>, location: &[u8]) -> Result<Package> {
    let version = headers.get("Version").ok_or_else(|| Error::new("no `Version`"))?;
    let homepage = headers.get("URL").and_then(|urls| urls.split([',', ' ', '\n']).next());
    let stated = [
        ("homepage", homepage.map(without_credentials)),
        ("repository", headers.get("Repository").map(str::to_owned)),
        ("built", headers.get("Built").map(str::to_owned)),
    ];
    let attributes: BTreeMap<String, String> =
        stated.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect();
    Ok(Package {
        kind: "cran".into(),
        name: name.into(),
        version: version.into(),
        licenses: headers.get("License").map(str::to_owned).into_iter().collect(),
        origin: headers.get("Maintainer").or_else(|| headers.get("Author")).map(str::to_owned),
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
    fn reads_the_description() {
        let facts = Image::fixture("r").run(&R);
        let package = facts.packages().next().unwrap();
        assert_eq!((&*package.name, &*package.version), ("sample", "1.5.0.9000"));
        assert_eq!(package.licenses, ["MIT + file LICENSE"]);
        assert_eq!(package.origin.as_deref(), Some("Jo Doe <jo@example.org>"));
        assert_eq!(package.attributes["homepage"], "https://example.org/sample");
    }

    #[test]
    fn no_cut_is_a_crash() {
        cut_everywhere(&R, "r");
    }

    #[test]
    fn only_a_directory_named_like_the_package_is_a_package() {
        let content = "Package: a\nVersion: 1\n";
        let facts =
            Image::new([("srv/b/DESCRIPTION", content), ("srv/a/DESCRIPTION", content)]).run(&R);
        let found: Vec<_> = facts.packages().map(|package| package.location.to_string()).collect();
        assert_eq!(found, ["srv/a/DESCRIPTION"]);
    }
}
