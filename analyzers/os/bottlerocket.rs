//! Packages of Bottlerocket, which has no package manager in its images.
//!
//! Its build leaves `usr/share/bottlerocket/application-inventory.json`: a list `Content` of
//! objects with `Name`, `Version`, `Release`, `Epoch` and `Architecture` of the rpms that it
//! was made of. <https://github.com/bottlerocket-os/bottlerocket/blob/develop/README.md>

use serde_json::Value;

use crate::parse::json;
use crate::problem::MALFORMED;
use crate::{Analyzer, Content, Error, Evidence, Facts, FileHead, Package, Pattern, Result, Want};

pub(crate) struct Bottlerocket;

const INVENTORY: &str = "application-inventory.json";
/// A hundred packages have some 50 KiB.
const MAX_INVENTORY: u64 = 16 << 20;

impl Analyzer for Bottlerocket {
    fn name(&self) -> &'static str {
        "bottlerocket"
    }

    fn about(&self) -> &'static str {
        "Packages of Bottlerocket, from usr/share/bottlerocket/application-inventory.json"
    }

    fn wants(&self) -> Vec<Want> {
        vec![Want::inspect(Pattern::within("bottlerocket", INVENTORY), MAX_INVENTORY)]
    }

    /// As a tree of JSON.
    fn takes_memory(&self) -> bool {
        true
    }

    fn inspect(&self, file: &FileHead<'_>, content: &dyn Content, out: &mut Facts) -> Result<()> {
        // Also below the root of another architecture: `x86_64-bottlerocket-linux-gnu/sys-root`.
        if !file.path.ends_with(b"share/bottlerocket/application-inventory.json") {
            return Ok(());
        }
        let bytes = content.bytes()?;
        if !json::hold_tree(&bytes, out) {
            return Ok(());
        }
        let inventory = json::parse(&bytes).and_then(|inventory| {
            let content = inventory.get("Content").and_then(Value::as_array).cloned();
            content.ok_or_else(|| Error::new("no list `Content`"))
        });
        match inventory {
            Ok(entries) => state(&entries, file.path, out),
            // It is all that says which packages there are.
            Err(error) => out.hidden_here(MALFORMED, error),
        }
        Ok(())
    }
}

fn state(entries: &[Value], location: &[u8], out: &mut Facts) {
    for (number, entry) in entries.iter().enumerate() {
        match package(entry) {
            Some(package) => out.package(Package { location: location.into(), ..package }),
            None => {
                let message = format!("entry {}: no name or no version", number + 1);
                out.hidden_here(MALFORMED, message);
            }
        }
    }
}

fn package(entry: &Value) -> Option<Package> {
    let text = |key| json::text(entry, key).map(str::to_owned);
    let version = text("Version")?;
    let version = match text("Release") {
        Some(release) => format!("{version}-{release}"),
        None => version,
    };
    let attributes = [("homepage", "Url"), ("description", "Summary")];
    Some(Package {
        kind: "rpm".into(),
        name: text("Name")?,
        version,
        epoch: text("Epoch").and_then(|epoch| epoch.parse().ok()),
        arch: text("Architecture"),
        origin: text("Publisher"),
        evidence: Evidence::InstalledDb,
        attributes: attributes
            .into_iter()
            .filter_map(|(key, field)| Some((key.to_owned(), text(field)?)))
            .collect(),
        ..Package::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Image, cut_everywhere};

    #[test]
    fn lists_what_the_inventory_names() {
        let facts = Image::fixture("bottlerocket").run(&Bottlerocket);
        let found: Vec<_> = facts
            .packages()
            .map(|it| (it.name.as_str(), it.version.as_str(), it.epoch, it.arch.as_deref()))
            .collect();
        let expected = [
            ("glibc", "2.40-1.1740525475.c66fcc5b.br1", Some(1), Some("x86_64")),
            ("bash", "5.2.37", None, None),
        ];
        assert_eq!(found, expected);
        assert_eq!(facts.problems[0].message, "entry 3: no name or no version");
    }

    #[test]
    fn a_file_of_that_name_elsewhere_is_not_it() {
        let image = Image::new([("srv/bottlerocket/application-inventory.json", "{")]);
        assert_eq!(image.run(&Bottlerocket), Facts::default());
    }

    #[test]
    fn no_cut_makes_it_panic() {
        cut_everywhere(&Bottlerocket, "bottlerocket");
    }
}
