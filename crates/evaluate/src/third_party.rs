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

/// Domains of those who maintain packages of Debian, Ubuntu and Alpine together. Many maintain
/// them under addresses of their own: that somebody has another says nothing.
const OWN_MAINTAINERS: &[&str] =
    &["alpinelinux.org", "canonical.com", "debian.net", "debian.org", "ubuntu.com"];

/// Whose it is, where it is somebody else's than the distribution's.
pub(super) fn vendor<'a>(package: &'a PackageRow, release: &Release) -> Option<&'a str> {
    match package.kind.as_str() {
        "rpm" => vendor_of_rpm(package)
            .filter(|vendor| !release.vendors.is_empty() && !is_one_of(vendor, release.vendors)),
        "deb" => vendor_of_deb(package).or_else(|| place(package)),
        "apk" => {
            let repository = attribute(package, "repository");
            let tagged = repository.filter(|stated| !is_alpines(stated));
            let is_alpine = release.ecosystems.iter().any(|name| name.starts_with("Alpine:"));
            tagged.or_else(|| place(package).filter(|_| is_alpine))
        }
        _ => None,
    }
}

/// Whether the package is the distribution's own for certain. Where it is not, the
/// distribution's list may still know its name.
pub(super) fn is_own(package: &PackageRow, release: &Release) -> bool {
    let maintained = package.origin.as_deref().and_then(domain);
    match package.kind.as_str() {
        "rpm" => vendor_of_rpm(package).is_some_and(|vendor| is_one_of(vendor, release.vendors)),
        "deb" | "apk" => {
            vendor(package, release).is_none()
                && maintained.is_some_and(|domain| is_below(domain, OWN_MAINTAINERS))
        }
        _ => false,
    }
}

fn attribute<'a>(package: &'a PackageRow, name: &str) -> Option<&'a str> {
    package.attributes.get(name).map(String::as_str).filter(|text| !text.trim().is_empty())
}

fn vendor_of_rpm(package: &PackageRow) -> Option<&str> {
    let vendor = package.origin.as_deref()?;
    Some(vendor).filter(|vendor| !matches!(vendor.trim(), "" | "(none)"))
}

fn is_one_of(vendor: &str, own: &[&str]) -> bool {
    own.iter()
        .any(|own| vendor.get(..own.len()).is_some_and(|start| start.eq_ignore_ascii_case(own)))
}

fn vendor_of_deb(package: &PackageRow) -> Option<&str> {
    // Not a field of the distributions' packages: fpm and other builders of packages write it.
    let stated = attribute(package, "vendor");
    let stated = stated.filter(|vendor| !is_one_of(vendor, &["Debian", "Ubuntu", "Canonical"]));
    let marked = VERSION_MARKS.iter().find(|(mark, _)| package.version.contains(mark));
    let domain = package.origin.as_deref().and_then(domain);
    let maintained =
        MAINTAINERS.iter().find(|(known, _)| domain.is_some_and(|it| is_below(it, &[known])));
    marked.or(maintained).map(|(_, name)| *name).or(stated)
}

/// Who brings files where the distribution brings none.
fn place(package: &PackageRow) -> Option<&str> {
    let place = attribute(package, "installed-below")?;
    Some(package.origin.as_deref().filter(|origin| !origin.trim().is_empty()).unwrap_or(place))
}

/// Whether a tagged repository, `@edge https://mirror.example/alpine/edge/main`, is one of
/// Alpine's branches, wherever it is mirrored; where only the tag is known, by its name.
fn is_alpines(stated: &str) -> bool {
    const REPOSITORIES: [&str; 4] = ["main", "community", "testing", "releases"];
    let (tag, address) = stated.split_once(' ').unwrap_or((stated, ""));
    if address.is_empty() {
        let tag = tag.trim_start_matches('@');
        return tag == "edge" || REPOSITORIES.contains(&tag);
    }
    let mut parts = address.trim_end_matches('/').rsplit('/');
    let (repository, branch) = (parts.next(), parts.next().unwrap_or_default());
    let is_branch = matches!(branch, "edge" | "latest-stable")
        || branch
            .strip_prefix('v')
            .is_some_and(|number| number.starts_with(|c: char| c.is_ascii_digit()));
    repository.is_some_and(|repository| REPOSITORIES.contains(&repository)) && is_branch
}

fn is_below(domain: &str, known: &[&str]) -> bool {
    known.iter().any(|known| {
        let before = domain.strip_suffix(known);
        before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
    })
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

    fn row(kind: &str, version: &str, origin: &str, attributes: &[(&str, &str)]) -> PackageRow {
        let attributes = attributes.iter().map(|(key, value)| ((*key).into(), (*value).into()));
        PackageRow {
            kind: kind.into(),
            version: version.into(),
            origin: Some(origin.into()).filter(|origin: &String| !origin.is_empty()),
            attributes: attributes.collect(),
            ..Default::default()
        }
    }

    fn of(id: &str) -> Release {
        let version = if id == "alpine" { "3.20" } else { "9" };
        let (id, version) = (id.into(), version.into());
        let info = DistributionInfo { id, version, ..Default::default() };
        release(&info, &Default::default()).unwrap()
    }

    #[track_caller]
    fn check(id: &str, kind: &str, version: &str, origin: &str, expected: Option<&str>) {
        assert_eq!(vendor(&row(kind, version, origin, &[]), &of(id)), expected);
    }

    #[test]
    fn rpm_records_the_vendor() {
        check("rocky", "rpm", "1-1", "Rocky Enterprise Software Foundation", None);
        check("rocky", "rpm", "1-1", "Fedora Project", Some("Fedora Project"));
        check("rhel", "rpm", "1-1", "Red Hat, Inc.", None);
        check("rhel", "rpm", "1-1", "", None);
        check("rhel", "rpm", "1-1", "(none)", None);
        check("alpine", "rpm", "1-1", "anybody", None);
    }

    #[test]
    fn dpkg_does_not_but_known_ones_sign_otherwise() {
        check("debian", "deb", "2.36-9", "GNU Libc <debian-glibc@lists.debian.org>", None);
        check("debian", "deb", "24.0.7-1", "Docker <support@docker.com>", Some("Docker"));
        check("debian", "deb", "18.1-1nodesource1", "", Some("NodeSource"));
        check("debian", "deb", "1", "X <x@notdocker.com>", None);
    }

    #[test]
    fn others_state_a_vendor_or_bring_files_where_distributions_bring_none() {
        let acme = "Acme <package@acme.example>";
        for (kind, id, attributes, expected) in [
            (
                "deb",
                "debian",
                &[("vendor", "Acme <info@acme.example>")][..],
                Some("Acme <info@acme.example>"),
            ),
            ("deb", "debian", &[("vendor", "Debian")], None),
            ("deb", "debian", &[("vendor", " ")], None),
            ("deb", "ubuntu", &[("installed-below", "opt/acme")], Some(acme)),
            ("apk", "alpine", &[("installed-below", "usr/local")], Some(acme)),
            // Wolfi's own packages do.
            ("apk", "wolfi", &[("installed-below", "opt/x")], None),
            ("deb", "debian", &[], None),
        ] {
            let found = row(kind, "1-1", acme, attributes);
            assert_eq!(vendor(&found, &of(id)), expected, "{kind} {attributes:?}");
        }
    }

    #[test]
    fn a_tagged_repository_of_apk_is_alpines_or_somebody_elses() {
        for (repository, expected) in [
            ("@local /srv/packages", false),
            ("@acme https://apk.acme.example/v3.20", false),
            ("@acme", false),
            ("@edge", true),
            ("@testing", true),
            ("@edge https://mirror.example/alpine/edge/main", true),
            ("@new https://mirror.example/alpine/v3.21/community/", true),
            ("@edge /srv/edge/ours", false),
        ] {
            let found = row("apk", "1-r0", "", &[("repository", repository)]);
            assert_eq!(vendor(&found, &of("alpine")).is_none(), expected, "{repository}");
        }
    }

    #[test]
    fn what_is_the_distributions_own_for_certain() {
        for (kind, id, origin, expected) in [
            ("deb", "debian", "Debian Python Team <team+python@tracker.debian.org>", true),
            ("deb", "debian", "OpenSSL <pkg-openssl-devel@alioth-lists.debian.net>", true),
            ("deb", "ubuntu", "Ubuntu Developers <ubuntu-devel-discuss@lists.ubuntu.com>", true),
            ("deb", "debian", "Somebody <somebody@home.example>", false),
            ("deb", "debian", "Docker <support@docker.com>", false),
            ("deb", "debian", "", false),
            ("apk", "alpine", "Natanael Copa <ncopa@alpinelinux.org>", true),
            ("apk", "alpine", "Somebody <somebody@home.example>", false),
            ("rpm", "rhel", "Red Hat, Inc.", true),
            ("rpm", "rhel", "", false),
            ("rpm", "rhel", "Acme", false),
        ] {
            assert_eq!(
                is_own(&row(kind, "1-1", origin, &[]), &of(id)),
                expected,
                "{kind} {origin}"
            );
        }
    }
}
