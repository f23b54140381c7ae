//! What distributions and their releases are called: by os-release, and by those who write
//! SBOMs, package URLs and VEX. All of them are read into the words of os-release.

use std::borrow::Cow;

use crate::package::Distribution;
use crate::package_type;
use crate::purl::Purl;

/// Names of others, in lower case, and `ID` of os-release. Trivy's families:
/// <https://github.com/aquasecurity/trivy/blob/main/pkg/fanal/types/const.go>; namespaces of
/// <https://github.com/package-url/purl-spec/blob/main/types-doc/rpm-definition.md>; names in prose.
const NAMES: &[(&str, &str)] = &[
    ("alma", "almalinux"),
    ("alma linux", "almalinux"),
    ("alpine linux", "alpine"),
    ("alpinelinux", "alpine"),
    ("amazon", "amzn"),
    ("amazon linux", "amzn"),
    ("amazonlinux", "amzn"),
    ("archlinux", "arch"),
    ("azure linux", "azurelinux"),
    ("cbl-mariner", "mariner"),
    ("debian gnu/linux", "debian"),
    ("opensuse.leap", "opensuse-leap"),
    ("opensuse leap", "opensuse-leap"),
    ("opensuse.tumbleweed", "opensuse-tumbleweed"),
    ("opensuse tumbleweed", "opensuse-tumbleweed"),
    ("oracle", "ol"),
    ("oracle linux", "ol"),
    ("oracle linux server", "ol"),
    ("oraclelinux", "ol"),
    ("photon os", "photon"),
    ("red hat", "rhel"),
    ("red hat enterprise linux", "rhel"),
    ("redhat", "rhel"),
    ("rocky linux", "rocky"),
    ("rockylinux", "rocky"),
    ("suse linux enterprise micro", "sle-micro"),
    ("suse linux enterprise server", "sles"),
    ("suse.linux.enterprise.server", "sles"),
    ("vmware photon os", "photon"),
];

/// Codenames: <https://wiki.debian.org/DebianReleases>, <https://wiki.ubuntu.com/Releases>.
/// Testing and unstable state no number; what is to be released has one already.
const CODENAMES: &[(&str, &str, &str)] = &[
    ("debian", "jessie", "8"),
    ("debian", "stretch", "9"),
    ("debian", "buster", "10"),
    ("debian", "bullseye", "11"),
    ("debian", "bookworm", "12"),
    ("debian", "trixie", "13"),
    ("debian", "forky", "14"),
    ("debian", "duke", "15"),
    ("ubuntu", "trusty", "14.04"),
    ("ubuntu", "xenial", "16.04"),
    ("ubuntu", "bionic", "18.04"),
    ("ubuntu", "cosmic", "18.10"),
    ("ubuntu", "disco", "19.04"),
    ("ubuntu", "eoan", "19.10"),
    ("ubuntu", "focal", "20.04"),
    ("ubuntu", "groovy", "20.10"),
    ("ubuntu", "hirsute", "21.04"),
    ("ubuntu", "impish", "21.10"),
    ("ubuntu", "jammy", "22.04"),
    ("ubuntu", "kinetic", "22.10"),
    ("ubuntu", "lunar", "23.04"),
    ("ubuntu", "mantic", "23.10"),
    ("ubuntu", "noble", "24.04"),
    ("ubuntu", "oracular", "24.10"),
    ("ubuntu", "plucky", "25.04"),
    ("ubuntu", "questing", "25.10"),
    ("ubuntu", "resolute", "26.04"),
];

/// `ID` of os-release for what others call it; what is not known stays as it is.
pub fn id(name: &str) -> Cow<'_, str> {
    let lower = name.trim().to_ascii_lowercase();
    match NAMES.iter().find(|(other, _)| *other == lower) {
        Some((_, id)) => Cow::Borrowed(id),
        None => Cow::Borrowed(name.trim()),
    }
}

/// The release's number that a codename stands for.
pub fn version_of(id: &str, codename: &str) -> Option<&'static str> {
    let is_it = |row: &&(&str, &str, &str)| {
        row.0.eq_ignore_ascii_case(id) && row.1.eq_ignore_ascii_case(codename)
    };
    CODENAMES.iter().find(is_it).map(|row| row.2)
}

/// A distribution as a word and a version tell: `("alma", "9.4")`, `("debian", "bookworm")`.
pub fn named(name: &str, version: &str) -> Distribution {
    let id = id(name).into_owned();
    let version = version.trim();
    let version = match version.strip_prefix('v') {
        Some(number) if number.starts_with(|char: char| char.is_ascii_digit()) => number,
        _ => version,
    };
    let (version, codename) = match version_of(&id, version) {
        Some(number) => (number, Some(version.to_ascii_lowercase())),
        // Trivy has Debian's testing and unstable as `trixie/sid`.
        None if version.starts_with(|char: char| char.is_ascii_alphabetic()) && id == "debian" => {
            let codename = version.split('/').next().unwrap_or_default();
            (version_of(&id, codename).unwrap_or_default(), Some(codename.to_ascii_lowercase()))
        }
        None => (version, None),
    };
    Distribution { id, version: version.to_owned(), codename, ..Distribution::default() }
}

/// The distribution that a package URL states, by its namespace and its qualifiers; its
/// version is empty where no release is stated. `None`: it states none.
pub fn of_purl(purl: &Purl) -> Option<Distribution> {
    if !package_type::namespace_is_distribution(&purl.kind) {
        return None;
    }
    let namespace = purl.namespace.as_deref().unwrap_or_default();
    let qualifier = |key: &str| purl.qualifiers.get(key).map(String::as_str);
    let of_repository = || release_of_repository(namespace, qualifier("repository_id")?);
    let stated = match qualifier("distro") {
        Some(distro) => of_distro(namespace, distro),
        None if of_repository().is_some() => of_repository().unwrap_or_default(),
        // Docker's hardened images.
        None => {
            let version = qualifier("os_version").or(qualifier("os_distro"));
            named(qualifier("os_name").unwrap_or(namespace), version.unwrap_or_default())
        }
    };
    Some(stated).filter(|stated| !stated.id.is_empty())
}

/// Red Hat's own SBOMs name the repository: `rhel-9-for-x86_64-baseos-rpms`, `ubi-9-baseos-rpms`.
fn release_of_repository(namespace: &str, repository: &str) -> Option<Distribution> {
    let rest = repository.strip_prefix("rhel-").or_else(|| repository.strip_prefix("ubi-"))?;
    let version = rest.split('-').next()?;
    let is_number = version.starts_with(|char: char| char.is_ascii_digit());
    (is_number && id(namespace) == "rhel").then(|| named("rhel", version))
}

/// What Ubuntu builds anew for customers, before the codename: `esm-infra/bionic`, `fips-updates/jammy`.
pub fn variant(distro: &str) -> Option<(&str, &str)> {
    let (variant, codename) = distro.split_once('/')?;
    version_of("ubuntu", codename).is_some().then_some((variant, codename))
}

/// What is said of a package alone, where that is another distribution than the image's. One that
/// states no release is of the image's where the names agree.
pub fn apart<'a>(
    own: Option<&'a Distribution>,
    image: Option<&Distribution>,
) -> Option<&'a Distribution> {
    let own = own?;
    let Some(image) = image else { return Some(own) };
    let states_release = !own.version.is_empty() || own.codename.is_some();
    let same = match states_release {
        true => is_release(own, image) || is_release(image, own),
        false => is_family(&own.id, &image.id),
    };
    (!same).then_some(own)
}

/// Whether a name without a release means the distribution: `suse` is the maker of several.
pub fn is_family(name: &str, id: &str) -> bool {
    let (name, id) = (self::id(name).to_ascii_lowercase(), self::id(id).to_ascii_lowercase());
    name == id
        || name == "opensuse" && id.starts_with("opensuse-")
        || name == "suse" && (id.starts_with("sle") || id.starts_with("opensuse"))
}

/// `distro=debian-12`, `distro=bookworm`, `distro=3.19.1`.
fn of_distro(namespace: &str, distro: &str) -> Distribution {
    let is_number = |text: &str| {
        let number = text.strip_prefix('v').unwrap_or(text);
        number.starts_with(|char: char| char.is_ascii_digit())
    };
    if is_number(distro) {
        return named(namespace, distro);
    }
    let distro = variant(distro).map_or(distro, |(_, codename)| codename);
    for (family, codename, _) in CODENAMES {
        if distro.eq_ignore_ascii_case(codename)
            && (namespace.is_empty() || id(namespace).eq_ignore_ascii_case(family))
        {
            return named(family, codename);
        }
    }
    let dashes = distro.match_indices('-').rev();
    for (at, _) in dashes {
        let (name, version) = (&distro[..at], &distro[at + 1..]);
        let first = version.split('/').next().unwrap_or_default();
        if is_number(version)
            || version_of(&id(name), first).is_some()
            || ["edge", "sid", "stream"].contains(&version)
        {
            return named(name, version);
        }
    }
    named(distro, "")
}

/// Whether a release that is stated is the one that is meant: a statement may be less precise
/// (`12` for `12.5`), and says nothing more of Debian's releases with a point release.
pub fn is_release(stated: &Distribution, found: &Distribution) -> bool {
    if !stated.id.eq_ignore_ascii_case(&found.id) {
        return false;
    }
    let stated = release(&stated.id, stated);
    let found = release(&found.id, found);
    stated.is_empty()
        || found.strip_prefix(stated).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// As precise as a release of it is: point releases of one release have one list of packages.
fn release<'a>(id: &str, distribution: &'a Distribution) -> &'a str {
    let version = match distribution.version.as_str() {
        "" => distribution.codename.as_deref().unwrap_or_default(),
        version => version,
    };
    let parts = match id.to_ascii_lowercase().as_str() {
        "debian" | "rocky" | "almalinux" | "centos" | "ol" | "fedora" | "azurelinux" => 1,
        "ubuntu" | "alpine" | "mariner" | "photon" => 2,
        _ => usize::MAX,
    };
    let end = version.match_indices('.').nth(parts.saturating_sub(1)).map(|(end, _)| end);
    &version[..end.unwrap_or(version.len())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::purl;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let found = of_purl(&purl::parse(text).unwrap()).unwrap_or_default();
        let codename = found.codename.unwrap_or_default();
        let found = format!("{} {} {codename}", found.id, found.version);
        assert_eq!(found.trim(), expected, "{text}");
    }

    #[test]
    fn a_package_url_states_its_distribution_in_many_words() {
        check("pkg:deb/debian/a@1?distro=debian-12", "debian 12");
        check("pkg:deb/debian/a@1?distro=debian-12.5", "debian 12.5");
        check("pkg:deb/debian/a@1?distro=bookworm", "debian 12 bookworm");
        check("pkg:deb/debian/a@1?distro=debian-forky", "debian 14 forky");
        check("pkg:deb/debian/a@1?distro=debian-sid", "debian  sid");
        check("pkg:deb/debian/a@1?distro=debian-trixie%2Fsid", "debian 13 trixie");
        check("pkg:apk/alpine/a@1?distro=alpine-edge", "alpine edge");
        check("pkg:deb/ubuntu/a@1?distro=esm-infra/bionic", "ubuntu 18.04 bionic");
        check("pkg:rpm/redhat/a@1?repository_id=rhel-9-for-x86_64-baseos-rpms", "rhel 9");
        check("pkg:rpm/redhat/a@1?repository_id=ubi-8-baseos-rpms", "rhel 8");
        check("pkg:rpm/redhat/a@1?repository_id=codeready", "rhel");
        check("pkg:rpm/fedora/a@1?repository_id=rhel-9-x", "fedora");
        check("pkg:deb/ubuntu/a@1?distro=noble", "ubuntu 24.04 noble");
        check("pkg:deb/debian/a@1?distro=noble", "noble");
        check("pkg:apk/alpine/a@1?distro=3.19.1", "alpine 3.19.1");
        check("pkg:apk/alpine/a@1?distro=alpine-v3.19", "alpine 3.19");
        check("pkg:rpm/alma/a@1?distro=alma-9.4", "almalinux 9.4");
        check("pkg:rpm/redhat/a@1?distro=redhat-9.4", "rhel 9.4");
        check("pkg:rpm/opensuse/a@1?distro=opensuse-leap-15.6", "opensuse-leap 15.6");
        check("pkg:rpm/opensuse/a@1?distro=opensuse.leap-15.6", "opensuse-leap 15.6");
        check("pkg:rpm/opensuse/a@1?distro=opensuse-tumbleweed", "opensuse-tumbleweed");
        check("pkg:rpm/suse/a@1?distro=suse%20linux%20enterprise%20server-15.5", "sles 15.5");
        check("pkg:deb/debian/a@1?os_name=debian&os_version=12&os_distro=bookworm", "debian 12");
        check("pkg:rpm/almalinux/a@1", "almalinux");
        check("pkg:rpm/a@1", "");
        check("pkg:npm/debian/a@1?distro=debian-12", "");
    }

    #[test]
    fn a_package_is_of_the_image_s_distribution_or_of_another() {
        let debian = named("debian", "12.5");
        let check = |own: Distribution, expected: bool| {
            assert_eq!(apart(Some(&own), Some(&debian)).is_some(), expected, "{own:?}");
        };
        check(named("debian", ""), false);
        check(named("debian", "bookworm"), false);
        check(named("debian", "11"), true);
        check(named("almalinux", ""), true);
        assert_eq!(apart(Some(&named("suse", "")), Some(&named("sles", "15.5"))), None);
        assert!(apart(Some(&debian), None).is_some());
        assert_eq!(apart(None, Some(&debian)), None);
    }

    #[test]
    fn a_statement_may_be_less_precise_and_not_more() {
        let release = |text: &str| {
            let (id, version) = text.split_once(' ').unwrap_or((text, ""));
            named(id, version)
        };
        for (stated, found, expected) in [
            ("debian", "debian 12", true),
            ("debian 12.5", "debian 12", true),
            ("debian bookworm", "debian 12.13", true),
            ("debian 11", "debian 12", false),
            ("debian 1", "debian 12", false),
            ("alma 9", "almalinux 9.4", true),
            ("rhel 9", "rhel 9.4", true),
            ("rhel 9.2", "rhel 9.4", false),
            ("sles 15.5", "sles 15", false),
            ("ubuntu 22.04", "debian 12", false),
        ] {
            assert_eq!(is_release(&release(stated), &release(found)), expected, "{stated} {found}");
        }
    }
}
