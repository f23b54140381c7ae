//! Packages that are built anew under the distribution's names, and have advisories of their own:
//! Ubuntu Pro's, FIPS's and real-time builds, Root's. The version or the source says so.
//!
//! The ordinary list's versions mean nothing for them: whoever installed its fix would take FIPS
//! away. <https://github.com/canonical/ubuntu-security-notices/tree/main/osv>

use std::collections::BTreeSet;

use super::ecosystem::Release;
use super::evaluation::UncoveredCode;
use super::names::Uncovered;
use inscan_document::section::PackageRow;

/// The lists of the variant that a package is of, the closest first; none: it is an ordinary one.
pub(super) fn of(
    package: &PackageRow,
    release: &Release,
    distribution: &str,
    covered: &BTreeSet<String>,
) -> Result<Vec<String>, Uncovered> {
    let Some(release_name) = release.ecosystems.first() else { return Ok(Vec::new()) };
    if package.version.contains("root.io") {
        let name = format!("Root:{}", release_name.replace(":v", ":").trim_end_matches(":LTS"));
        return Ok(covered.get(&name).cloned().into_iter().collect());
    }
    let Some(number) = release_name.strip_prefix("Ubuntu:") else { return Ok(Vec::new()) };
    let version = package.version.to_ascii_lowercase();
    let source = package.source.as_ref().map_or(&package.name, |source| &source.name);
    let listed = |variants: &[&str]| -> Vec<String> {
        let names = variants.iter().map(|variant| format!("Ubuntu:{variant}:{number}"));
        names.filter(|name| covered.contains(name)).collect()
    };
    let (what, variants): (&str, &[&str]) = if version.contains("fips") || source.contains("-fips")
    {
        ("FIPS", &["Pro:FIPS-updates", "Pro:FIPS", "Pro:FIPS-preview"])
    } else if source.starts_with("linux-realtime") {
        ("real-time", &["Pro:Realtime", "Pro:Realtime-updates"])
    } else if source.starts_with("linux-bluefield") && !listed(&["Nvidia-BlueField"]).is_empty() {
        ("BlueField", &["Nvidia-BlueField"])
    } else {
        // Ordinary fixes hold for what Ubuntu Pro built as well. Of what is past its end, there may be
        // Ubuntu Pro's list alone, which says what is open in ordinary packages.
        let ordinary = covered.get(release_name).cloned();
        let is_pro = version.contains("esm") || ordinary.is_none();
        let pro = listed(&["Pro"]).into_iter().filter(|_| is_pro);
        let lists: Vec<String> = pro.collect();
        return Ok(if lists.is_empty() {
            lists
        } else {
            lists.into_iter().chain(ordinary).collect()
        });
    };
    match listed(variants) {
        found if found.is_empty() => Err(Uncovered {
            code: UncoveredCode::NoDataForDistribution,
            subject: format!("{what} packages"),
            message: format!(
                "the database has no advisories for the {what} packages of {distribution}"
            ),
        }),
        found => Ok(found),
    }
}
