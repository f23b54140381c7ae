//! OS packages that are not the distribution's own. Its advisories say nothing
//! of them, though a package of the same name be in it.

use super::ecosystem::Release;
use inscan_document::section::PackageRow;

/// Domains of the maintainers of well-known repositories for Debian and Ubuntu.
/// Debian's own packages are maintained by many under their own addresses, so
/// that only a list of others can be kept.
const MAINTAINERS: &[(&str, &str)] = &[
    ("adoptium.net", "Adoptium"),
    ("azul.com", "Azul"),
    ("chromium.org", "Google"),
    ("confluent.io", "Confluent"),
    ("datadoghq.com", "Datadog"),
    ("docker.com", "Docker"),
    ("elastic.co", "Elastic"),
    ("erlang-solutions.com", "Erlang Solutions"),
    ("f5.com", "NGINX"),
    ("gitlab.com", "GitLab"),
    ("grafana.com", "Grafana"),
    ("hashicorp.com", "HashiCorp"),
    ("influxdata.com", "InfluxData"),
    ("kubernetes.io", "Kubernetes"),
    ("mongodb.com", "MongoDB"),
    ("nginx.com", "NGINX"),
    ("nodesource.com", "NodeSource"),
    ("nvidia.com", "NVIDIA"),
    ("oss.oracle.com", "Oracle"),
    ("percona.com", "Percona"),
];

/// What such repositories write into their versions.
const VERSION_MARKS: &[(&str, &str)] = &[
    ("nodesource", "NodeSource"),
    (".pgdg", "PostgreSQL's own repository"),
    ("deb.sury.org", "Ondřej Surý"),
    ("+sury", "Ondřej Surý"),
];

/// Whose it is, where it is somebody else's than the distribution's.
pub(super) fn vendor<'a>(package: &'a PackageRow, release: &Release) -> Option<&'a str> {
    match package.kind.as_str() {
        "rpm" => {
            let vendor = package.origin.as_deref().filter(|vendor| !vendor.trim().is_empty())?;
            let own = |prefix: &&str| {
                vendor.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
            };
            (!release.vendors.is_empty() && !release.vendors.iter().any(own)).then_some(vendor)
        }
        "deb" => {
            let marked = VERSION_MARKS.iter().find(|(mark, _)| package.version.contains(mark));
            let domain = package.origin.as_deref().and_then(domain);
            let maintained = MAINTAINERS.iter().find(|(known, _)| {
                domain.is_some_and(|domain| {
                    let before = domain.strip_suffix(known);
                    before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
                })
            });
            marked.or(maintained).map(|(_, name)| *name)
        }
        _ => None,
    }
}

/// Of `Docker <support@docker.com>`.
fn domain(maintainer: &str) -> Option<&str> {
    let (_, domain) = maintainer.trim_end().trim_end_matches('>').rsplit_once('@')?;
    Some(domain)
}

#[cfg(test)]
mod tests {
    use super::super::ecosystem::release;
    use super::*;
    use inscan_document::section::DistributionInfo;

    #[track_caller]
    fn check(id: &str, kind: &str, version: &str, origin: &str, expected: Option<&str>) {
        let distribution =
            DistributionInfo { id: id.into(), version: "9".into(), ..Default::default() };
        let package = PackageRow {
            kind: kind.into(),
            version: version.into(),
            origin: Some(origin.into()).filter(|origin: &String| !origin.is_empty()),
            ..Default::default()
        };
        assert_eq!(vendor(&package, &release(&distribution).unwrap()), expected);
    }

    #[test]
    fn rpm_records_the_vendor() {
        check("rocky", "rpm", "1-1", "Rocky Enterprise Software Foundation", None);
        check("rocky", "rpm", "1-1", "Fedora Project", Some("Fedora Project"));
        check("rhel", "rpm", "1-1", "Red Hat, Inc.", None);
        check("rhel", "rpm", "1-1", "", None);
        check("alpine", "rpm", "1-1", "anybody", None);
    }

    #[test]
    fn dpkg_does_not_but_known_ones_sign_otherwise() {
        check("debian", "deb", "2.36-9", "GNU Libc <debian-glibc@lists.debian.org>", None);
        check("debian", "deb", "24.0.7-1", "Docker <support@docker.com>", Some("Docker"));
        check("debian", "deb", "18.1-1nodesource1", "", Some("NodeSource"));
        check("debian", "deb", "1", "X <x@notdocker.com>", None);
    }
}
