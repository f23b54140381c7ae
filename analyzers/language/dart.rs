//! Dart packages, as pub downloaded them.
//!
//! Its cache keeps each at `hosted/HOST/NAME-VERSION/` with the package's
//! `pubspec.yaml`. <https://dart.dev/tools/pub/environment-variables>

use bstr::ByteSlice;

use crate::{Analyzer, Content, Evidence, Facts, FileHead, Package, Pattern, Result, Want, path};

pub(crate) struct Dart;

impl Analyzer for Dart {
    fn name(&self) -> &'static str {
        "dart"
    }

    fn about(&self) -> &'static str {
        "Dart packages by the cache of pub"
    }

    fn wants(&self) -> Vec<Want> {
        vec![Want::inspect(Pattern::name("pubspec.yaml"), u64::MAX)]
    }

    /// Pub itself reads name and version from the directories, so the content is not needed.
    fn inspect(&self, file: &FileHead<'_>, _: &dyn Content, out: &mut Facts) -> Result<()> {
        let Some((host, name, version)) = host_name_version(file.path) else { return Ok(()) };
        out.package(Package {
            kind: "pub".into(),
            name: name.into(),
            version: version.into(),
            evidence: Evidence::InstalledPackage,
            location: file.path.into(),
            attributes: [("host".to_owned(), host.to_owned())].into(),
            ..Package::default()
        });
        Ok(())
    }
}

/// `…/hosted/HOST/NAME-VERSION/pubspec.yaml`, taken apart. A name has no hyphen.
fn host_name_version(file: &[u8]) -> Option<(&str, &str, &str)> {
    let directory = path::parent(file);
    let host = path::parent(directory);
    let is_cache = path::name(path::parent(host)) == b"hosted";
    let (name, version) = path::name(directory).to_str().ok()?.split_once('-')?;
    let host = path::name(host).to_str().ok()?;
    (is_cache && !name.is_empty() && !version.is_empty()).then_some((host, name, version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(file: &str, expected: Option<(&str, &str, &str)>) {
        assert_eq!(host_name_version(file.as_bytes()), expected);
    }

    #[test]
    fn only_the_roots_in_the_cache_are_packages() {
        check(
            "root/.pub-cache/hosted/pub.example/shelf-1.3.2-dev.1/pubspec.yaml",
            Some(("pub.example", "shelf", "1.3.2-dev.1")),
        );
        check("root/.pub-cache/hosted/pub.example/shelf-1.3.2/example/pubspec.yaml", None);
        check("app/pubspec.yaml", None);
        check("pubspec.yaml", None);
    }

    #[test]
    fn the_host_is_said() {
        let file = "hosted/pub.example/a-1.0/pubspec.yaml";
        let facts = crate::testing::Image::new([(file, "")]).run(&Dart);
        assert_eq!(facts.packages().next().unwrap().attributes["host"], "pub.example");
    }
}
