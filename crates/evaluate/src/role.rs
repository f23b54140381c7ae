//! What becomes of findings of packages that are not simply their registry's: examples and test
//! fixtures, references of compilers, the image's own application, extensions of editors.

use inscan_document::section::PackageRow;
use inscan_facts::package::Role;

use super::evaluation::{Finding, Suppression, SuppressionCode};

/// Why a finding does not count by the role of its package.
pub(super) fn suppression(package: &PackageRow, finding: &Finding) -> Option<Suppression> {
    let role = package.role?;
    let (code, reason) = if !is_installed(package) {
        let reason = format!("/{} is {}, not an installed package", package.location, named(role));
        (SuppressionCode::NotInstalled, reason)
    } else if is_malicious(finding) {
        let reason = format!(
            "{} is about what the registry once had under this name, and /{} is {}",
            finding.id,
            package.location,
            named(role)
        );
        (SuppressionCode::NotFromRegistry, reason)
    } else {
        return None;
    };
    Some(Suppression { code, reason, ..Suppression::default() })
}

/// Whether something of the package can run in the image.
pub(super) fn is_installed(package: &PackageRow) -> bool {
    !matches!(package.role, Some(Role::Fixture | Role::Reference | Role::Development))
}

/// Whether it is no package of a registry, so that no list need know it.
pub(super) fn is_local(package: &PackageRow) -> bool {
    matches!(package.role, Some(Role::Application | Role::Local))
}

/// Reports of packages that were made to do harm:
/// <https://github.com/ossf/malicious-packages>; GitHub's have CWE-506, embedded malicious code.
fn is_malicious(finding: &Finding) -> bool {
    finding.is_malicious() || finding.cwes.iter().any(|cwe| cwe == "CWE-506")
}

fn named(role: Role) -> &'static str {
    match role {
        Role::Application => "the image's own application",
        Role::Local => "from a directory, not from the registry",
        Role::Fixture => "an example or a test fixture of another package",
        Role::Reference => "a reference for compilers",
        Role::EditorExtension => "an editor's extension",
        Role::Development => "for development only",
    }
}

#[cfg(test)]
mod tests {
    use super::super::evaluation::Advisory;
    use super::*;

    #[track_caller]
    fn check(role: Option<Role>, id: &str, expected: Option<SuppressionCode>) {
        let package = PackageRow { role, location: "a/package.json".into(), ..Default::default() };
        let advisories = vec![Advisory { id: id.into(), url: None }];
        let finding = Finding { id: id.into(), advisories, ..Finding::default() };
        let found = suppression(&package, &finding).map(|found| found.code);
        assert_eq!(found, expected, "{role:?} {id}");
    }

    #[test]
    fn a_report_of_malware_is_about_what_the_registry_had() {
        let not_from_registry = Some(SuppressionCode::NotFromRegistry);
        check(Some(Role::Application), "MAL-2025-1", not_from_registry);
        check(Some(Role::Local), "MAL-2025-1", not_from_registry);
        check(Some(Role::EditorExtension), "MAL-2025-1", not_from_registry);
        check(Some(Role::Application), "GHSA-1", None);
        check(None, "MAL-2025-1", None);
    }

    #[test]
    fn what_is_not_installed_is_counted_apart() {
        let not_installed = Some(SuppressionCode::NotInstalled);
        for role in [Role::Fixture, Role::Reference, Role::Development] {
            check(Some(role), "GHSA-1", not_installed);
            check(Some(role), "MAL-2025-1", not_installed);
        }
    }
}
