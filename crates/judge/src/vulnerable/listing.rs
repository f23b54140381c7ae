//! The JSON of the list, as the engine's API answers it for an image:
//! `{"imageDigest", "vulnerability_type", "vulnerabilities": […]}`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Item, Scores, VulnerabilityList};
use inscan_evaluate::Severity;

/// Which packages are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    Os,
    NonOs,
    All,
}

impl Which {
    pub fn name(self) -> &'static str {
        match self {
            Which::Os => "os",
            Which::NonOs => "non-os",
            Which::All => "all",
        }
    }

    pub fn holds(self, item: &Item) -> bool {
        match self {
            Which::Os => item.package.is_os,
            Which::NonOs => !item.package.is_os,
            Which::All => true,
        }
    }
}

impl VulnerabilityList {
    /// The answer of the engine; with `vendor_only`, without what vendors will not fix.
    pub fn listing(&self, which: Which, image_digest: &str, vendor_only: bool) -> Value {
        let asked = |item: &&Item| which.holds(item) && !(vendor_only && item.refused);
        let listed: Vec<&Item> = self.items.iter().filter(asked).collect();
        // What NVD says is left out where an advisory that is listed speaks of it.
        let advisories = listed.iter().filter(|item| item.cpe.is_none());
        let spoken_of: BTreeSet<&str> =
            advisories.flat_map(|item| &item.nvd).map(|scores| scores.id.as_str()).collect();
        let is_new = |item: &&&Item| item.cpe.is_none() || !spoken_of.contains(item.id.as_str());
        let items: Vec<Value> = listed.iter().filter(is_new).map(|item| shown(item)).collect();
        json!({
            "imageDigest": image_digest,
            "vulnerability_type": which.name(),
            "vulnerabilities": items,
        })
    }
}

fn shown(item: &Item) -> Value {
    let package = &item.package;
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "None".to_owned());
    json!({
        "vuln": item.id,
        "severity": word(item.severity),
        "package": match package.version.as_str() {
            "" => package.name.clone(),
            version => format!("{}-{version}", package.name),
        },
        "package_name": package.name,
        "package_version": or_none(Some(package.version.clone()).filter(|it| !it.is_empty())),
        "package_type": package.kind,
        "package_path": package.path,
        "package_cpe": or_none(item.cpe.as_ref().map(super::Cpe::uri)),
        "package_cpe23": or_none(item.cpe.as_ref().map(super::Cpe::formatted)),
        "fix": or_none(item.fix.clone()),
        "url": item.url,
        "feed": item.feed,
        "feed_group": item.group,
        "nvd_data": item.nvd.iter().map(scores).collect::<Vec<_>>(),
        "vendor_data": item.vendor.iter().map(scores).collect::<Vec<_>>(),
    })
}

fn scores(scores: &Scores) -> Value {
    let three = |[base, exploitability, impact]: [f64; 3]| {
        json!({
            "base_score": base,
            "exploitability_score": exploitability,
            "impact_score": impact,
        })
    };
    json!({"id": scores.id, "cvss_v2": three(scores.v2), "cvss_v3": three(scores.v3)})
}

/// `Critical`.
fn word(severity: Severity) -> String {
    let name = severity.name();
    let (first, rest) = name.split_at(1);
    first.to_uppercase() + rest
}
