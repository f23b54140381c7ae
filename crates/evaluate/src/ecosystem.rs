//! What a distribution's release and a package's type are called in the
//! database: the names of OSV (<https://ossf.github.io/osv-schema/#defined-ecosystems>),
//! and those of the legacy engine's feeds (`rhel:8`, `github:python`).
//!
//! A name that is listed here and of which the database knows nothing is said to
//! be uncovered; a distribution that is not listed has no advisories of its own
//! anywhere we know, and its packages are never compared with its parent's: a
//! derivative changes versions as it likes.

use std::collections::BTreeSet;

use inscan_document::section::DistributionInfo;
use inscan_facts::distribution;

/// What is known of a distribution before the database is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Release {
    /// In OSV's words. Several where it splits a release by repository (Red Hat, SUSE): of these
    /// those that the database has.
    pub(super) ecosystems: Vec<String>,
    /// In the words of the legacy engine's feeds, the closest first: one of them holds.
    pub(super) feeds: Vec<String>,
    pub(super) names: Names,
    /// Who signs for its own packages; empty: it cannot be told by that.
    pub(super) vendors: &'static [&'static str],
}

/// By which of a package's names advisories are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    /// Advisories name source packages.
    Source,
    /// They name binary packages; source packages where a binary is named nowhere.
    BinaryThenSource,
    /// They name either.
    Both,
}

/// How the release is written behind the distribution's name.
#[derive(Clone, Copy, Debug)]
enum Style {
    /// Not at all: there is one release, which rolls.
    Rolling,
    /// `12`.
    Major,
    /// `v3.20`; `edge` for what is not released.
    Alpine,
    /// `22.04:LTS`, `23.10`.
    Ubuntu,
    /// `5.0`, as it is stated.
    Whole,
    /// `enterprise_linux:9::baseos`, `enterprise_linux:10.0`, `rhel_eus:9.4::baseos`: parts of CPEs.
    RedHat,
    /// `Leap 15.6`.
    Leap,
    Tumbleweed,
    /// `Linux Enterprise Server 15 SP5`, `Linux Enterprise Server 16.0`, and its modules.
    SuseEnterprise,
    /// `Linux Enterprise Micro 5.5`, `Linux Micro 6.0`.
    SuseMicro,
    /// `24.03-LTS-SP1`: the service pack is stated in the name only.
    OpenEuler,
}

/// `ID` of os-release, the name in OSV, the style of its releases, the name in
/// the feeds, what advisories name, and vendors as rpm's `Vendor` has them.
type Row = (&'static str, &'static str, Style, &'static str, Names, &'static [&'static str]);

// Names and releases: the list of ecosystems of OSV's schema, and the folders of its bucket.
// The feeds' names: the legacy engine's distribution mapping. What advisories name: looked up in
// each one's records. Vendors: as installed in the distributions' own images.
const DISTRIBUTIONS: &[Row] = &[
    ("almalinux", "AlmaLinux", Style::Major, "rhel", Names::BinaryThenSource, &["AlmaLinux"]),
    ("alpaquita", "Alpaquita", Style::Whole, "", Names::Source, &[]),
    ("alpine", "Alpine", Style::Alpine, "alpine", Names::Source, &[]),
    ("amzn", "Amazon Linux", Style::Major, "amzn", Names::BinaryThenSource, &["Amazon", "amazon"]),
    ("azurelinux", "Azure Linux", Style::Major, "", Names::BinaryThenSource, &["Microsoft"]),
    (
        "bellsoft-hardened-containers",
        "BellSoft Hardened Containers",
        Style::Whole,
        "",
        Names::Source,
        &[],
    ),
    // CentOS Linux rebuilds Red Hat's packages under the same versions, and has no advisories of
    // its own. CentOS Stream does not: `is_centos_stream`.
    ("centos", "Red Hat", Style::RedHat, "rhel", Names::BinaryThenSource, &["CentOS", "Red Hat"]),
    ("chainguard", "Chainguard", Style::Rolling, "chainguard", Names::Both, &[]),
    ("cleanstart", "CleanStart", Style::Rolling, "", Names::Both, &[]),
    ("debian", "Debian", Style::Major, "debian", Names::Source, &[]),
    ("echo", "Echo", Style::Rolling, "", Names::Source, &[]),
    ("mageia", "Mageia", Style::Major, "", Names::BinaryThenSource, &["Mageia"]),
    ("mariner", "Azure Linux", Style::Major, "mariner", Names::BinaryThenSource, &["Microsoft"]),
    ("minimos", "MinimOS", Style::Rolling, "", Names::Both, &[]),
    ("ol", "Oracle Linux", Style::Major, "ol", Names::BinaryThenSource, &["Oracle"]),
    (
        "openEuler",
        "openEuler",
        Style::OpenEuler,
        "",
        Names::BinaryThenSource,
        &["http://openeuler.org", "openEuler"],
    ),
    ("opensuse-leap", "openSUSE", Style::Leap, "", Names::BinaryThenSource, &["openSUSE", "SUSE"]),
    (
        "opensuse-tumbleweed",
        "openSUSE",
        Style::Tumbleweed,
        "",
        Names::BinaryThenSource,
        &["openSUSE", "SUSE"],
    ),
    ("photon", "Photon OS", Style::Whole, "", Names::BinaryThenSource, &["VMware"]),
    ("rhel", "Red Hat", Style::RedHat, "rhel", Names::BinaryThenSource, &["Red Hat"]),
    ("rocky", "Rocky Linux", Style::Major, "rocky", Names::BinaryThenSource, &["Rocky"]),
    ("sl-micro", "SUSE", Style::SuseMicro, "", Names::BinaryThenSource, &["SUSE", "openSUSE"]),
    ("sle-micro", "SUSE", Style::SuseMicro, "", Names::BinaryThenSource, &["SUSE", "openSUSE"]),
    ("sle_hpc", "SUSE", Style::SuseEnterprise, "sles", Names::BinaryThenSource, SUSE_VENDORS),
    ("sled", "SUSE", Style::SuseEnterprise, "sles", Names::BinaryThenSource, SUSE_VENDORS),
    ("sles", "SUSE", Style::SuseEnterprise, "sles", Names::BinaryThenSource, SUSE_VENDORS),
    ("sles_sap", "SUSE", Style::SuseEnterprise, "sles", Names::BinaryThenSource, SUSE_VENDORS),
    ("ubuntu", "Ubuntu", Style::Ubuntu, "ubuntu", Names::Source, &[]),
    ("wolfi", "Wolfi", Style::Rolling, "wolfi", Names::Both, &[]),
];

const SUSE_VENDORS: &[&str] = &["SUSE", "openSUSE"];

/// Products of SUSE Linux Enterprise beside its modules, by `ID` of os-release.
const SUSE_PRODUCTS: &[(&str, &[&str])] = &[
    ("sle_hpc", &["High Performance Computing", "Server"]),
    ("sled", &["Desktop", "Workstation Extension"]),
    ("sles", &["Server"]),
    ("sles_sap", &["Server", "Server for SAP Applications"]),
];

/// `Linux Enterprise Server 15 SP5`, `… 15 SP5-LTSS`, `Linux Enterprise Module for Basesystem 15 SP5`:
/// of a product and its modules what is of one release.
fn is_suse(name: &str, id: &str, release: &str) -> bool {
    let own = SUSE_PRODUCTS.iter().find(|(of, _)| of.eq_ignore_ascii_case(id));
    let own = own.map_or(&["Server"][..], |(_, products)| products);
    let Some(name) = name.strip_prefix("Linux Enterprise ") else { return false };
    // Behind the release stands how long it is cared for.
    let ends = |(at, found): &(usize, &str)| {
        let rest = &name[at + found.len()..];
        rest.is_empty() || rest.starts_with('-')
    };
    let release = format!(" {release}");
    let Some((at, _)) = name.match_indices(&release).find(ends) else { return false };
    let product = name[..at].trim_end_matches(" LTSS Extended Security");
    product.starts_with("Module for ") || own.iter().any(|it| it.eq_ignore_ascii_case(product))
}

/// AlmaLinux Kitten is what AlmaLinux will be made of, with builds of its own. It has AlmaLinux' id.
/// <https://wiki.almalinux.org/development/almalinux-os-kitten-10>
pub(super) fn is_kitten(distribution: &DistributionInfo) -> bool {
    let name = distribution.name.as_deref().unwrap_or_default().to_ascii_lowercase();
    distribution.id.eq_ignore_ascii_case("almalinux") && name.contains("kitten")
}

/// CentOS Stream runs ahead of Red Hat Enterprise Linux with builds of its own, of which no
/// advisory speaks. It has CentOS' id; the last release of CentOS Linux was 8.
pub(super) fn is_centos_stream(distribution: &DistributionInfo) -> bool {
    let name = distribution.name.as_deref().unwrap_or_default().to_ascii_lowercase();
    let version = distribution.version.to_ascii_lowercase();
    let major = version.split('.').next().unwrap_or_default();
    let after_linux = major.parse::<u32>().is_ok_and(|major| major > 8);
    distribution.id.eq_ignore_ascii_case("centos")
        && (name.contains("stream") || version.contains("stream") || after_linux)
}

/// `None`: in no list of advisories we know. `covered` are the names that the database has.
pub(super) fn release(
    distribution: &DistributionInfo,
    covered: &BTreeSet<String>,
) -> Option<Release> {
    if is_centos_stream(distribution) || is_kitten(distribution) {
        return None;
    }
    let id = distribution.id.as_str();
    let (_, family, style, feed, names, vendors) =
        DISTRIBUTIONS.iter().find(|row| row.0.eq_ignore_ascii_case(id))?;
    let codename = distribution.codename.as_deref();
    let is_unreleased = *family == "Debian" && distribution.version.is_empty();
    let version = match (distribution.version.as_str(), codename) {
        ("", None) if is_unreleased => return None,
        // Debian's testing and unstable state no number.
        ("", codename) => {
            distribution::version_of(id, codename.unwrap_or_default()).unwrap_or_default()
        }
        (version, _) => distribution::version_of(id, version).unwrap_or(version),
    };
    let mut feeds = feeds(feed, version);
    if is_unreleased {
        feeds = vec!["debian:unstable".to_owned()];
    }
    Some(Release {
        ecosystems: ecosystems(family, *style, version, distribution, covered),
        feeds,
        names: *names,
        vendors,
    })
}

fn ecosystems(
    family: &str,
    style: Style,
    version: &str,
    distribution: &DistributionInfo,
    covered: &BTreeSet<String>,
) -> Vec<String> {
    let listed = |is_of: &dyn Fn(&str) -> bool| -> Vec<String> {
        let rest = |name: &&String| {
            name.strip_prefix(family).and_then(|rest| rest.strip_prefix(':')).is_some_and(is_of)
        };
        covered.iter().filter(rest).cloned().collect()
    };
    let major = version.split('.').next().unwrap_or_default();
    let one = |release: &str| match release {
        "" => Vec::new(),
        release => vec![format!("{family}:{release}")],
    };
    match style {
        Style::Rolling => vec![family.to_owned()],
        Style::Major => one(major),
        Style::Whole => one(version),
        // A version with a suffix (`3.21.0_alpha20240807`) is of no release.
        Style::Alpine if version == "edge" || version.contains('_') => one("edge"),
        Style::Alpine => match first_two(version) {
            "" => Vec::new(),
            release => one(&format!("v{release}")),
        },
        Style::Ubuntu => match (first_two(version), is_lts(version)) {
            (release, true) => one(&format!("{release}:LTS")),
            (release, false) => one(release),
        },
        Style::RedHat if major.is_empty() => Vec::new(),
        Style::RedHat => listed(&|name| is_red_hat(name, version)),
        Style::Leap if version.is_empty() => Vec::new(),
        Style::Leap => one(&format!("Leap {version}")),
        Style::Tumbleweed => one("Tumbleweed"),
        Style::SuseEnterprise if major.is_empty() => Vec::new(),
        Style::SuseEnterprise => {
            let release = suse_release(version);
            listed(&|name| is_suse(name, &distribution.id, &release))
        }
        Style::SuseMicro => {
            let names = ["Linux Enterprise Micro", "Linux Micro"];
            names.iter().map(|name| format!("{family}:{name} {}", first_two(version))).collect()
        }
        Style::OpenEuler => {
            let stated = distribution.name.as_deref().unwrap_or_default();
            let pack = stated.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
            match pack {
                Some((pack, _)) => one(&format!("{version}-{pack}")),
                None => one(version),
            }
        }
    }
}

/// Whether a name of Red Hat's is about a release: `enterprise_linux:9::baseos` about all of 9,
/// `enterprise_linux:10.1` about all of 10 (from there on minor releases are named, and a fix that
/// came with 10.1 mends what 10.0 has), an extended stream about its minor release.
fn is_red_hat(name: &str, version: &str) -> bool {
    const EXTENDED: [&str; 8] = [
        "enterprise_linux_aus",
        "enterprise_linux_e4s",
        "enterprise_linux_eus",
        "enterprise_linux_tus",
        "rhel_aus",
        "rhel_e4s",
        "rhel_eus",
        "rhel_tus",
    ];
    let mut parts = name.split(':');
    let (product, release) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let major = |version: &str| version.split('.').next().unwrap_or_default().to_owned();
    match product {
        "enterprise_linux" | "rhel_els" => major(release) == major(version),
        extended if EXTENDED.contains(&extended) => release == first_two(version),
        _ => false,
    }
}

/// `15 SP5`, `15`, and from 16 on `16.0`.
fn suse_release(version: &str) -> String {
    let (major, minor) = version.split_once('.').unwrap_or((version, ""));
    match (major.parse::<u32>(), minor) {
        (Ok(16..), "") => format!("{major}.0"),
        (Ok(16..), _) => first_two(version).to_owned(),
        (_, "" | "0") => major.to_owned(),
        (_, pack) => format!("{major} SP{}", pack.split('.').next().unwrap_or_default()),
    }
}

/// The whole version, then major and minor, then the major alone; as the legacy engine tries them.
fn feeds(feed: &str, version: &str) -> Vec<String> {
    if feed.is_empty() || version.is_empty() {
        return if feed.is_empty() { Vec::new() } else { vec![format!("{feed}:rolling")] };
    }
    let major = version.split('.').next().unwrap_or_default();
    let mut names: Vec<String> =
        [version, first_two(version), major].iter().map(|one| format!("{feed}:{one}")).collect();
    names.dedup();
    names
}

fn first_two(version: &str) -> &str {
    match version.match_indices('.').nth(1) {
        Some((end, _)) => &version[..end],
        None => version,
    }
}

/// Ubuntu's long-term releases: April of even years.
fn is_lts(version: &str) -> bool {
    let (year, month) = version.split_once('.').unwrap_or((version, ""));
    let even = year.parse::<u32>().is_ok_and(|year| year % 2 == 0);
    even && month.starts_with("04")
}

/// Where packages of one purl type are, that are of no distribution: in OSV, and in the feeds.
pub(super) fn of_type(kind: &str) -> Option<(&'static str, &'static str)> {
    let row = TYPES.iter().find(|(name, ..)| *name == kind)?;
    Some((row.1, row.2))
}

/// The type of packages that OSV has under a name.
pub(super) fn type_of(osv: &str) -> Option<&'static str> {
    TYPES.iter().find(|row| row.1.eq_ignore_ascii_case(osv)).map(|row| row.0)
}

const TYPES: &[(&str, &str, &str)] = &[
    ("bitnami", "Bitnami", ""),
    ("cargo", "crates.io", ""),
    ("composer", "Packagist", "github:composer"),
    ("conan", "ConanCenter", ""),
    ("cran", "CRAN", ""),
    ("dhi", "DHI", ""),
    ("gem", "RubyGems", "github:gem"),
    ("githubactions", "GitHub Actions", ""),
    ("golang", "Go", "github:go"),
    ("hackage", "Hackage", ""),
    ("hex", "Hex", ""),
    ("julia", "Julia", ""),
    ("maven", "Maven", "github:java"),
    ("npm", "npm", "github:npm"),
    ("nuget", "NuGet", "github:nuget"),
    ("opam", "opam", ""),
    ("pub", "Pub", ""),
    ("pypi", "PyPI", "github:python"),
    ("swift", "SwiftURL", ""),
    ("vscode", "VSCode", ""),
    ("vscode-extension", "VSCode", ""),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn covered() -> BTreeSet<String> {
        let names = [
            "Red Hat:enterprise_linux:9::appstream",
            "Red Hat:enterprise_linux:9::baseos",
            "Red Hat:enterprise_linux:10.0",
            "Red Hat:enterprise_linux:10.1",
            "Red Hat:rhel_eus:9.4::baseos",
            "Red Hat:rhel_eus:9.2::baseos",
            "Red Hat:openshift:4.12::el9",
            "SUSE:Linux Enterprise Server 15 SP5",
            "SUSE:Linux Enterprise Server 15 SP5-LTSS",
            "SUSE:Linux Enterprise Server 16.0",
            "SUSE:Linux Enterprise Module for Basesystem 15 SP5",
            "SUSE:Linux Enterprise Module for Python 3 15 SP6",
            "SUSE:Linux Enterprise Server 15",
            "SUSE:Linux Enterprise Server for SAP Applications 15 SP6",
            "SUSE:Linux Enterprise Desktop 15 SP6",
            "SUSE:Linux Enterprise Server LTSS Extended Security 12 SP5",
        ];
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[track_caller]
    fn check(id: &str, version: &str, expected: &str) {
        let distribution =
            DistributionInfo { id: id.into(), version: version.into(), ..Default::default() };
        let release = release(&distribution, &covered()).map(|release| release.ecosystems);
        assert_eq!(release.unwrap_or_default().join(" | "), expected, "{id} {version}");
    }

    #[test]
    fn a_release_has_its_name_in_the_database() {
        check("debian", "12", "Debian:12");
        check("debian", "12.5", "Debian:12");
        check("ubuntu", "22.04", "Ubuntu:22.04:LTS");
        check("ubuntu", "23.10", "Ubuntu:23.10");
        check("alpine", "3.20.3", "Alpine:v3.20");
        check("alpine", "3.21.0_alpha20240807", "Alpine:edge");
        check("alpine", "edge", "Alpine:edge");
        check("rocky", "9.3", "Rocky Linux:9");
        check("almalinux", "8.10", "AlmaLinux:8");
        let nine = "Red Hat:enterprise_linux:9::appstream | Red Hat:enterprise_linux:9::baseos";
        check("rhel", "9.3", nine);
        check("rhel", "9.4", &format!("{nine} | Red Hat:rhel_eus:9.4::baseos"));
        let ten = "Red Hat:enterprise_linux:10.0 | Red Hat:enterprise_linux:10.1";
        check("rhel", "10.0", ten);
        check("rhel", "10.2", ten);
        check("centos", "8", "");
        check("centos", "9", "");
        check("opensuse-leap", "15.6", "openSUSE:Leap 15.6");
        check("opensuse-tumbleweed", "20240801", "openSUSE:Tumbleweed");
        check(
            "sles",
            "15.5",
            "SUSE:Linux Enterprise Module for Basesystem 15 SP5 \
             | SUSE:Linux Enterprise Server 15 SP5 | SUSE:Linux Enterprise Server 15 SP5-LTSS",
        );
        check("sles", "16.0", "SUSE:Linux Enterprise Server 16.0");
        check("sles", "15", "SUSE:Linux Enterprise Server 15");
        let python = "SUSE:Linux Enterprise Module for Python 3 15 SP6";
        check("sles", "15.6", python);
        check("sled", "15.6", &format!("SUSE:Linux Enterprise Desktop 15 SP6 | {python}"));
        let sap = "SUSE:Linux Enterprise Server for SAP Applications 15 SP6";
        check("sles_sap", "15.6", &format!("{python} | {sap}"));
        check("sles", "12.5", "SUSE:Linux Enterprise Server LTSS Extended Security 12 SP5");
        check("debian", "bookworm", "Debian:12");
        check("wolfi", "20230201", "Wolfi");
        check("mariner", "2.0.20240609", "Azure Linux:2");
        check("photon", "5.0", "Photon OS:5.0");
        check("linuxmint", "21", "");
        check("debian", "", "");
        check("rhel", "", "");
    }

    #[test]
    fn what_a_release_does_not_state_in_its_number() {
        let mut distribution = DistributionInfo { id: "debian".into(), ..Default::default() };
        distribution.codename = Some("trixie".into());
        assert_eq!(release(&distribution, &covered()).unwrap().ecosystems, ["Debian:13"]);
        distribution.codename = Some("sid".into());
        let sid = release(&distribution, &covered()).unwrap();
        assert_eq!((sid.ecosystems, sid.feeds), (vec![], vec!["debian:unstable".to_owned()]));
        distribution.id = "openEuler".into();
        distribution.version = "22.03".into();
        distribution.name = Some("openEuler 22.03 (LTS-SP3)".into());
        assert_eq!(
            release(&distribution, &covered()).unwrap().ecosystems,
            ["openEuler:22.03-LTS-SP3"]
        );
    }

    #[test]
    fn centos_stream_is_not_judged_as_what_it_runs_ahead_of() {
        for (version, name, expected) in [
            ("8", "CentOS Linux 8", true),
            ("7", "CentOS Linux 7 (Core)", true),
            ("8", "CentOS Stream 8", false),
            ("9", "CentOS Stream 9", false),
            ("10", "", false),
        ] {
            let distribution = DistributionInfo {
                id: "centos".into(),
                version: version.into(),
                name: Some(name.into()),
                ..Default::default()
            };
            let found = release(&distribution, &BTreeSet::new());
            assert_eq!(found.is_some(), expected, "{version} {name}");
        }
    }

    #[test]
    fn almalinux_kitten_is_not_judged_as_what_will_be_made_of_it() {
        for (name, expected) in
            [("AlmaLinux 10.0 (Purple Lion)", true), ("AlmaLinux Kitten 10", false)]
        {
            let (id, version) = ("almalinux".into(), "10".into());
            let distribution =
                DistributionInfo { id, version, name: Some(name.into()), ..Default::default() };
            assert_eq!(release(&distribution, &BTreeSet::new()).is_some(), expected, "{name}");
        }
    }

    #[test]
    fn feeds_are_tried_from_the_closest() {
        assert_eq!(feeds("alpine", "3.12.1"), ["alpine:3.12.1", "alpine:3.12", "alpine:3"]);
        assert_eq!(feeds("debian", "10"), ["debian:10"]);
        assert_eq!(feeds("", "10"), [""; 0]);
    }

    #[test]
    fn the_tables_are_in_order() {
        assert!(DISTRIBUTIONS.is_sorted_by_key(|row| row.0.to_ascii_lowercase()));
    }
}
