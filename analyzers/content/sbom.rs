//! Packages that an SBOM lists: SPDX, CycloneDX and Syft's own form, in JSON.
//!
//! Bitnami's images have one for what they compile themselves
//! (`opt/bitnami/NAME/.spdx-NAME.spdx`), Wolfi's and Chainguard's one for each
//! apk package (`var/lib/db/sbom/*.spdx.json`), others one beside the program.
//! They are read in `inscan-sbom`.

use inscan_sbom::MAX_DEPTH;
use serde_json::Value;

use crate::{Analyzer, Content, Error, Facts, FileHead, Package, Pattern, Result, Want};

pub(crate) struct Sbom;

const SUFFIXES: [&str; 5] = [".spdx.json", ".cdx.json", ".bom.json", ".cyclonedx.json", ".spdx"];
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
        let suffixes = SUFFIXES.iter().map(|suffix| Pattern::suffix(suffix));
        let names = ["bom.json", "sbom.json"].iter().map(|name| Pattern::name(name));
        suffixes.chain(names).map(|pattern| Want::inspect(pattern, MAX_SIZE)).collect()
    }

    fn inspect(&self, file: &FileHead<'_>, content: &dyn Content, out: &mut Facts) -> Result<()> {
        if !file.start.trim_ascii_start().starts_with(b"{") {
            // Tag-value, XML and the like; or another file that is called `bom.json`.
            return Err(Error::new("not an SBOM in JSON; other formats are not supported"));
        }
        let document: Value = serde_json::from_slice(&content.bytes()?)
            .map_err(|error| Error::at_line(error.line(), format!("not JSON: {error}")))?;
        let sbom = match inscan_sbom::of(&document) {
            Ok(sbom) => sbom,
            Err(inscan_sbom::Error::None) => return Ok(()),
            Err(error) => return Err(Error::new(error.to_string())),
        };
        if !sbom.is_whole {
            out.problem(format!("components nested deeper than {MAX_DEPTH} are skipped"));
        }
        for component in sbom.components {
            out.package(Package { location: file.path.into(), ..component.package });
        }
        Ok(())
    }
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
        for (text, problems) in [
            ("{}", 0),
            ("[]", 1),
            ("SPDXVersion: SPDX-2.3", 1),
            ("{\"a\"", 1),
            ("{\"spdxVersion\": 1, \"packages\": 2}", 0),
        ] {
            let facts = Image::new([("srv/bom.json", text)]).run(&Sbom);
            assert_eq!((facts.packages().count(), facts.problems.len()), (0, problems), "{text}");
        }
    }

    #[test]
    fn no_cut_makes_it_panic() {
        cut_everywhere(&Sbom, "sbom/spdx");
        cut_everywhere(&Sbom, "sbom/cyclonedx");
    }
}
