//! Packages that an SBOM lists, in every form that `inscan-sbom` reads.
//!
//! Bitnami's images have one for what they compile themselves
//! (`opt/bitnami/NAME/.spdx-NAME.spdx`), Wolfi's and Chainguard's one for each
//! apk package (`var/lib/db/sbom/*.spdx.json`), Python's wheels keep theirs in
//! `dist-info/sboms`, others one beside the program or in `usr/local/share/sbom`.

use inscan_sbom::MAX_DEPTH;

use crate::parse::json;
use crate::{Analyzer, Content, Error, Facts, FileHead, Package, Pattern, Result, Want, path};

pub(crate) struct Sbom;

/// Names that only SBOMs have.
const SUFFIXES: [&str; 8] = [
    ".cdx.json",
    ".cdx.xml",
    ".cyclonedx.json",
    ".cyclonedx.xml",
    ".spdx",
    ".spdx.json",
    ".spdx3.json",
    ".syft.json",
];
/// Names that other files have as well: lists of parts, and descriptions of Maven's platforms.
const LIKELY_SUFFIXES: [&str; 2] = ["bom.json", "bom.xml"];
/// Directories that hold SBOMs under any name.
const DIRECTORIES: [&str; 2] = ["sbom", "sboms"];
/// Bitnami's have some hundred KiB. In memory, hostile JSON takes ten times its size.
const MAX_SIZE: u64 = 16 << 20;

impl Analyzer for Sbom {
    fn name(&self) -> &'static str {
        "sbom"
    }

    fn about(&self) -> &'static str {
        "Packages listed by SPDX and CycloneDX documents in the image, such as Bitnami's and Wolfi's"
    }

    fn wants(&self) -> Vec<Want> {
        let suffixes = SUFFIXES.iter().chain(&LIKELY_SUFFIXES).map(|it| Pattern::suffix(it));
        let within = |directory| [".json", ".xml"].map(|it| Pattern::within(directory, it));
        let directories = DIRECTORIES.into_iter().flat_map(within);
        suffixes.chain(directories).map(|pattern| Want::inspect(pattern, MAX_SIZE)).collect()
    }

    /// A tree of JSON, and the packages it lists.
    fn takes_memory(&self) -> bool {
        true
    }

    fn inspect(&self, file: &FileHead<'_>, content: &dyn Content, out: &mut Facts) -> Result<()> {
        let is_one = has_name_of_one(file.path);
        let text = content.bytes()?;
        json::check_density(&text)?;
        if !json::hold_tree(&text, out) {
            return Ok(());
        }
        let sbom = match inscan_sbom::read(&text) {
            Ok(sbom) => sbom,
            Err(inscan_sbom::Error::None) if !is_one => return Ok(()),
            // Other kinds of files in XML are called so as well.
            Err(_) if !is_one && file.start.trim_ascii_start().starts_with(b"<") => return Ok(()),
            Err(inscan_sbom::Error::None) => {
                return Err(Error::new("not an SBOM in a form that is read"));
            }
            Err(error) => return Err(Error::new(error.to_string())),
        };
        if !sbom.is_whole {
            out.problem(format!("components nested deeper than {MAX_DEPTH} are skipped"));
        }
        for component in sbom.components {
            if out.is_full() {
                break;
            }
            out.package(Package { location: file.path.into(), ..component.package });
        }
        Ok(())
    }
}

fn has_name_of_one(file: &[u8]) -> bool {
    let name = path::name(file).to_ascii_lowercase();
    SUFFIXES.iter().any(|suffix| name.ends_with(suffix.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Evidence;
    use crate::testing::{Image, cut_everywhere};

    fn found(facts: &Facts) -> Vec<String> {
        let line = |package: &Package| {
            let namespace = package.namespace.as_deref().unwrap_or("-");
            let licenses = package.licenses.join(",");
            format!("{} {namespace} {} {} {licenses}", package.kind, package.name, package.version)
        };
        facts.packages().map(line).collect()
    }

    #[test]
    fn reads_bitnamis_spdx() {
        let facts = Image::fixture("sbom/spdx").run(&Sbom);
        let expected = [
            "bitnami - hello 2.4.54-1 Apache-2.0",
            "maven org.example hi 1.0 ",
            "unidentified - without purl 1.0 ",
            "apk - libhi 1.2-r3 MIT",
        ];
        assert_eq!(found(&facts), expected);
        let hello = facts.packages().next().unwrap();
        assert_eq!(hello.evidence, Evidence::Sbom);
        assert_eq!(hello.arch.as_deref(), Some("amd64"));
        assert_eq!(hello.origin.as_deref(), Some("Example"));
        let cpe = "cpe:2.3:*:hello:hello:2.4.54:*:*:*:*:*:*:*";
        assert_eq!(hello.attributes["cpe"], cpe);
        assert_eq!(hello.location, "opt/bitnami/hello/.spdx-hello.spdx");
        assert_eq!(facts.problems, []);
    }

    #[test]
    fn reads_cyclonedx_with_components_of_components() {
        let facts = Image::fixture("sbom/cyclonedx").run(&Sbom);
        let expected =
            ["npm @hi hello 1.0.0 MIT,GPL-2.0 OR ISC", "golang example.org deep v2.0.0 "];
        assert_eq!(found(&facts), expected);
    }

    #[test]
    fn components_too_deep_are_a_problem() {
        let open = "{\"purl\": \"pkg:npm/a@1\", \"components\": [";
        for (depth, packages, problems) in [(40, 40, 0), (41, 40, 1)] {
            let components = format!("{}{}", open.repeat(depth), "]}".repeat(depth));
            let text = format!("{{\"bomFormat\": \"CycloneDX\", \"components\": [{components}]}}");
            let facts = Image::new([("bom.json", text)]).run(&Sbom);
            assert_eq!((facts.packages().count(), facts.problems.len()), (packages, problems));
        }
    }

    #[test]
    fn what_is_no_sbom_lists_nothing() {
        for text in ["{}", "[]", "{\"a\"", "<project/>"] {
            for (file, problems) in [("srv/bom.json", 0), ("srv/sbom/a.json", 0), ("a.cdx.json", 1)]
            {
                let facts = Image::new([(file, text)]).run(&Sbom);
                assert_eq!(
                    (facts.packages().count(), facts.problems.len()),
                    (0, problems),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn other_forms_and_places_are_read() {
        let xml = r#"<?xml version="1.0"?><bom xmlns="http://cyclonedx.org/schema/bom/1.5" version="1"><components>
            <component type="library"><name>a</name><version>1</version><purl>pkg:npm/a@1</purl></component>
            </components></bom>"#;
        let tags = "SPDXVersion: SPDX-2.3\nDataLicense: CC0-1.0\nSPDXID: SPDXRef-DOCUMENT\n\n\
            PackageName: a\nSPDXID: SPDXRef-a\nPackageVersion: 1\n\
            ExternalRef: PACKAGE-MANAGER purl pkg:npm/a@1\n";
        let json = r#"{"bomFormat": "CycloneDX", "components": [{"purl": "pkg:npm/a@1"}]}"#;
        for (file, text) in [
            ("srv/bom.xml", xml),
            ("srv/a.spdx", tags),
            ("usr/local/share/sbom/a.json", json),
            ("a.dist-info/sboms/a.json", json),
            ("opt/my-sbom.json", json),
        ] {
            assert_eq!(found(&Image::new([(file, text)]).run(&Sbom)), ["npm - a 1 "], "{file}");
        }
    }

    #[test]
    fn no_cut_makes_it_panic() {
        cut_everywhere(&Sbom, "sbom/spdx");
        cut_everywhere(&Sbom, "sbom/cyclonedx");
    }
}
