//! Which distribution an image is, from the files that state it.
//!
//! Nearly every distribution has `os-release`, assignments in the shell's
//! syntax: <https://www.freedesktop.org/software/systemd/man/latest/os-release.html>.
//! Older ones have a CPE name, or one line of prose such as
//! `CentOS release 6.10 (Final)`; some have a version number and nothing else.

use bstr::{BString, ByteSlice};

use crate::problem::UNREADABLE;
use crate::{Analyzer, Distribution as Found, Fact, Facts, Files, Pattern, Result, Want};

pub(crate) struct Distribution;

/// Files that name the distribution in a sentence, the most specific first. The name is
/// looked up in [`PROSE_NAMES`].
const PROSE_FILES: [&str; 14] = [
    "centos-release",
    "rocky-release",
    "almalinux-release",
    "oracle-release",
    "fedora-release",
    "redhat-release",
    "photon-release",
    "mariner-release",
    "azurelinux-release",
    "openEuler-release",
    "euleros-release",
    "SuSE-release",
    "gentoo-release",
    "system-release",
];

/// Other files that name it or its version alone.
const SINGLE: [&str; 4] =
    ["system-release-cpe", "debian_version", "alpine-release", "arch-release"];

/// How such a sentence begins, in lower case, and the `ID` that os-release has for it.
const PROSE_NAMES: [(&str, &str); 19] = [
    ("centos", "centos"),
    ("red hat", "rhel"),
    ("redhat", "rhel"),
    ("fedora", "fedora"),
    ("rocky", "rocky"),
    ("almalinux", "almalinux"),
    ("oracle", "ol"),
    ("enterprise linux enterprise linux", "ol"),
    ("amazon", "amzn"),
    ("scientific", "scientific"),
    ("vmware photon", "photon"),
    ("photon", "photon"),
    ("cbl-mariner", "mariner"),
    ("microsoft azure linux", "azurelinux"),
    ("openeuler", "openEuler"),
    ("euleros", "euleros"),
    ("opensuse", "opensuse"),
    ("suse linux enterprise", "sles"),
    ("gentoo", "gentoo"),
];

/// Vendors in CPE names, and the id that os-release has for what they make.
const CPE_VENDORS: [(&str, &str); 9] = [
    ("fedora", "fedora"),
    ("redhat", "rhel"),
    ("centos", "centos"),
    ("amazon", "amzn"),
    ("oracle", "ol"),
    ("rocky", "rocky"),
    ("almalinux", "almalinux"),
    ("opensuse", "opensuse"),
    ("suse", "sles"),
];

/// These files are a few hundred bytes long.
const MAX_TEXT: u64 = 64 << 10;
/// Busybox with everything linked in has about 2 MiB.
const MAX_BUSYBOX: u64 = 16 << 20;

impl Analyzer for Distribution {
    fn name(&self) -> &'static str {
        "distribution"
    }

    fn about(&self) -> &'static str {
        "The distribution and its version, from os-release and its older relatives in etc/ and usr/lib/"
    }

    fn wants(&self) -> Vec<Want> {
        wants()
    }

    fn analyze(&self, image: &dyn Files, out: &mut Facts) -> Result<()> {
        let found = find(image, out);
        legacy(image, found.as_ref(), out);
        if let Some(found) = found {
            out.push(Fact::Distribution(found));
        }
        Ok(())
    }
}

pub(crate) fn wants() -> Vec<Want> {
    let mut wants: Vec<Want> = ["etc", "usr/lib"]
        .iter()
        .flat_map(|directory| {
            let names = PROSE_FILES.iter().chain(&SINGLE);
            names.map(move |name| Pattern::Path(format!("{directory}/{name}")))
        })
        // Some keep os-release elsewhere and leave a link in etc/: NixOS has it in its store.
        .chain([Pattern::suffix("os-release")])
        .map(|pattern| Want::keep(pattern, MAX_TEXT))
        .collect();
    wants.push(Want::keep(Pattern::path("bin/busybox"), MAX_BUSYBOX));
    wants.push(Want::keep(Pattern::path("usr/bin/busybox"), MAX_BUSYBOX));
    wants
}

/// The same in systems that lie below a directory of the image.
pub(crate) fn wants_of_systems() -> impl Iterator<Item = Want> {
    let names = PROSE_FILES.into_iter().chain(SINGLE).chain(["os-release"]);
    names.map(|name| Want::keep(Pattern::name(name), MAX_TEXT))
}

/// The distribution, for an analyzer with [`wants`] or [`wants_of_systems`] among its own.
pub(crate) fn find(image: &dyn Files, out: &mut Facts) -> Option<Found> {
    os_release(image, out)
        .or_else(|| system_cpe(image, out))
        .or_else(|| prose(image, out))
        .or_else(|| bare_version(image, out))
        .or_else(|| busybox(image, out))
}

/// What package manager a distribution has, as the legacy engine sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavor {
    /// Red Hat and its relatives: rpm.
    Rhel,
    /// Debian and its relatives: dpkg.
    Deb,
    /// Busybox alone, without a package manager.
    Busybox,
    /// Alpine and its relatives: apk.
    Alpine,
    /// Any other.
    Unknown,
}

/// The flavor of a distribution: by its `ID`, else by the first known name in `ID_LIKE`.
pub fn flavor<S: AsRef<str>>(id: &str, like: &[S]) -> Flavor {
    let one = |id: &str| match id {
        "centos" | "rhel" | "redhat" | "fedora" | "ol" => Some(Flavor::Rhel),
        "debian" | "ubuntu" => Some(Flavor::Deb),
        "busybox" => Some(Flavor::Busybox),
        "alpine" => Some(Flavor::Alpine),
        _ => None,
    };
    one(id).or_else(|| like.iter().find_map(|id| one(id.as_ref()))).unwrap_or(Flavor::Unknown)
}

/// The flavor of an image, for an analyzer with [`wants`] among its own.
pub(crate) fn flavor_of(image: &dyn Files) -> Flavor {
    // The analyzer `distribution` states the problems.
    let found = find(image, &mut Facts::default());
    found.map_or(Flavor::Unknown, |found| flavor(&found.id, &found.like))
}

fn legacy(image: &dyn Files, found: Option<&Found>, out: &mut Facts) {
    let unknown = Found { id: "Unknown".to_owned(), ..Found::default() };
    let Found { id, version, like, .. } = found.unwrap_or(&unknown);
    let is_busybox = flavor(id, like) == Flavor::Busybox;
    // The legacy engine has one word for all that Debian has not released.
    let unreleased = id == "debian" && version.is_empty() && says_sid(image);
    let version = match version.as_str() {
        "" if unreleased => "unstable".to_owned(),
        "" => "0".to_owned(),
        // The legacy engine keeps the `v` that the banner has before the number.
        number if id == "busybox" => format!("v{number}"),
        number => number.to_owned(),
    };
    let like = if like.is_empty() { id.clone() } else { like.join(",") };
    if is_busybox {
        out.legacy_package("pkgs.all", "BusyBox", version.as_str());
    }
    for (key, value) in [("DISTRO", id), ("DISTROVERS", &version), ("LIKEDISTRO", &like)] {
        out.legacy("analyzer_meta", "analyzer_meta", key, value.as_str());
    }
}

/// Text and path of the first of these files that exists.
fn first(
    image: &dyn Files,
    out: &mut Facts,
    paths: impl IntoIterator<Item = String>,
) -> Option<(BString, Vec<u8>)> {
    for path in paths {
        match image.read(path.as_bytes()) {
            Ok(None) => {}
            Ok(Some(text)) => {
                let at = image.get(path.as_bytes()).map(|file| file.path);
                return Some((at.unwrap_or_else(|| path.into()), text.into_owned()));
            }
            Err(error) => out.hidden(path, UNREADABLE, error),
        }
    }
    None
}

fn in_etc_or_lib(name: &str) -> [String; 2] {
    [format!("etc/{name}"), format!("usr/lib/{name}")]
}

fn os_release(image: &dyn Files, out: &mut Facts) -> Option<Found> {
    for path in in_etc_or_lib("os-release") {
        let Some((location, text)) = first(image, out, [path]) else { continue };
        let mut found = parse_os_release(&text);
        // An empty os-release: another file may state the distribution.
        if found.id.is_empty() {
            continue;
        }
        found.location = location;
        if found.id == "debian" && found.version.is_empty() {
            let stated = first(image, out, [DEBIAN_VERSION.to_owned()]);
            let text = stated.map(|(_, text)| text).unwrap_or_default();
            found.version = debian_version(&text);
            // What is not released yet has a name only: `Debian GNU/Linux forky/sid`.
            let stated = [text.to_str_lossy().as_ref(), found.name.as_deref().unwrap_or_default()]
                .iter()
                .find_map(|text| before_sid(text));
            found.codename = found.codename.or(stated);
        }
        return Some(found);
    }
    None
}

fn parse_os_release(text: &[u8]) -> Found {
    let mut found = Found::default();
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    for line in text.lines() {
        let line = line.to_str_lossy();
        let Some((key, value)) = line.trim().split_once('=') else { continue };
        let value = unquote(value.trim());
        match key {
            "ID" => found.id = value,
            "VERSION_ID" => found.version = value,
            "ID_LIKE" => found.like = value.split_whitespace().map(str::to_owned).collect(),
            "VERSION_CODENAME" => found.codename = Some(value).filter(|value| !value.is_empty()),
            "PRETTY_NAME" => found.name = Some(value).filter(|value| !value.is_empty()),
            _ => {}
        }
    }
    found
}

/// The value of a shell assignment: quotes removed, and what a backslash protects restored.
fn unquote(value: &str) -> String {
    let mut plain = String::with_capacity(value.len());
    let mut quote = None;
    let mut chars = value.chars();
    while let Some(next) = chars.next() {
        match (quote, next) {
            (None, '"' | '\'') => quote = Some(next),
            (Some(open), close) if open == close => quote = None,
            (Some('\''), _) => plain.push(next),
            (_, '\\') => plain.extend(chars.next()),
            _ => plain.push(next),
        }
    }
    plain
}

const DEBIAN_VERSION: &str = "etc/debian_version";

/// `10.4` is 10; empty for what has no number yet, `bookworm/sid`.
fn debian_version(text: &[u8]) -> String {
    let text = text.to_str_lossy();
    number(text.trim().split('.').next().unwrap_or_default()).to_owned()
}

/// The release that is being made: `bookworm` of `bookworm/sid`. Testing and unstable both
/// state it; unstable alone, in hand-made images, is `sid`.
fn before_sid(text: &str) -> Option<String> {
    let words = text.split_whitespace();
    let mut names = words.filter_map(|word| match word.split_once('/') {
        Some((name, "sid")) if !name.is_empty() => Some(name),
        None if word == "sid" => Some(word),
        _ => None,
    });
    names.next().map(str::to_owned)
}

fn says_sid(image: &dyn Files) -> bool {
    let text = first(image, &mut Facts::default(), [DEBIAN_VERSION.to_owned()]);
    text.is_some_and(|(_, text)| text.contains_str("sid"))
}

fn system_cpe(image: &dyn Files, out: &mut Facts) -> Option<Found> {
    let (location, text) = first(image, out, in_etc_or_lib("system-release-cpe"))?;
    let mut found = parse_cpe(text.to_str_lossy().trim())?;
    found.location = location;
    Some(found)
}

/// `cpe:/o:vendor:product:version:…`, or `cpe:2.3:o:vendor:product:version:…`.
fn parse_cpe(name: &str) -> Option<Found> {
    let parts: Vec<&str> = name.split(':').collect();
    let begin = if parts.get(1) == Some(&"2.3") { 3 } else { 2 };
    let &[vendor, product] = parts.get(begin..begin + 2)? else { return None };
    let known = CPE_VENDORS.iter().find(|(name, _)| vendor.to_ascii_lowercase().contains(name));
    let id = known.map_or(product, |(_, id)| id);
    let version = parts.get(begin + 2).filter(|version| !matches!(**version, "*" | "-"));
    Some(Found {
        id: id.to_owned(),
        version: version.copied().unwrap_or_default().to_owned(),
        ..Found::default()
    })
    .filter(|found| !found.id.is_empty())
}

fn prose(image: &dyn Files, out: &mut Facts) -> Option<Found> {
    PROSE_FILES.iter().find_map(|name| {
        let (location, text) = first(image, out, in_etc_or_lib(name))?;
        let mut found = parse_prose(text.to_str_lossy().lines().next().unwrap_or_default())?;
        found.location = location;
        Some(found)
    })
}

/// `Red Hat Enterprise Linux Server release 7.9 (Maipo)`.
fn parse_prose(line: &str) -> Option<Found> {
    let line = line.trim();
    let lower = line.to_ascii_lowercase();
    let (_, id) = PROSE_NAMES.iter().find(|(name, _)| lower.starts_with(name))?;
    let words = line.split_whitespace().map(number);
    Some(Found {
        id: (*id).to_owned(),
        version: words.into_iter().find(|word| !word.is_empty()).unwrap_or_default().to_owned(),
        name: Some(line.to_owned()),
        ..Found::default()
    })
}

/// The number a word begins with, `7.8.2003`; empty where it begins with none.
fn number(word: &str) -> &str {
    let end = word.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(word.len());
    let number = word[..end].trim_end_matches('.');
    if number.starts_with(|c: char| c.is_ascii_digit()) { number } else { "" }
}

/// Files that hold only a version, or nothing; their name tells the distribution.
fn bare_version(image: &dyn Files, out: &mut Facts) -> Option<Found> {
    let files = [
        ("alpine", "etc/alpine-release"),
        ("debian", "etc/debian_version"),
        ("arch", "etc/arch-release"),
    ];
    files.into_iter().find_map(|(id, path)| {
        let (location, text) = first(image, out, [path.to_owned()])?;
        let text = text.to_str_lossy();
        let (version, codename) = match id {
            "debian" => (debian_version(text.as_bytes()), before_sid(&text)),
            _ => (text.split_whitespace().next().unwrap_or_default().to_owned(), None),
        };
        Some(Found { id: id.to_owned(), version, codename, location, ..Found::default() })
    })
}

fn busybox(image: &dyn Files, out: &mut Facts) -> Option<Found> {
    let paths = ["bin/busybox", "usr/bin/busybox"].map(str::to_owned);
    let (location, program) = first(image, out, paths)?;
    let version = busybox_version(&program).unwrap_or_default();
    Some(Found { id: "busybox".to_owned(), version, location, ..Found::default() })
}

/// From the banner `BusyBox v1.31.1 (2019-12-23 19:20:27 UTC)`, the last one if there are several.
fn busybox_version(program: &[u8]) -> Option<String> {
    const BANNER: &[u8] = b"BusyBox v";
    let versions = program.find_iter(BANNER).filter_map(|at| {
        let rest = &program[at + BANNER.len()..];
        let end = rest.find_byteset(b" \n\0")?;
        let version = rest[..end].to_str().ok().filter(|version| number(version) == *version)?;
        rest[end..].starts_with(b" (").then_some(version)
    });
    versions.last().filter(|version| !version.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Image, cut_everywhere};

    fn run(image: Image) -> (Option<Found>, [String; 3]) {
        let facts = image.run(&Distribution).facts;
        let found = facts.iter().find_map(|fact| match fact {
            Fact::Distribution(found) => Some(found.clone()),
            _ => None,
        });
        let legacy = ["DISTRO", "DISTROVERS", "LIKEDISTRO"].map(|wanted| {
            let value = facts.iter().find_map(|fact| match fact {
                Fact::Legacy(legacy) if legacy.key == wanted => Some(legacy.value.text()),
                _ => None,
            });
            value.expect("each of the three keys").to_owned()
        });
        (found, legacy)
    }

    #[track_caller]
    fn check(files: &[(&str, &str)], expected: [&str; 3]) {
        assert_eq!(run(Image::new(files.iter().copied())).1, expected);
    }

    const DEBIAN: &str = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\n\
        VERSION_CODENAME=bookworm\nID=debian\n";

    #[test]
    fn reads_os_release() {
        let (found, legacy) = run(Image::new([("usr/lib/os-release", DEBIAN)]));
        let found = found.unwrap();
        assert_eq!((found.id.as_str(), found.version.as_str()), ("debian", "12"));
        assert_eq!(found.codename.as_deref(), Some("bookworm"));
        assert_eq!(found.name.as_deref(), Some("Debian GNU/Linux 12 (bookworm)"));
        assert_eq!(found.location, "usr/lib/os-release");
        assert_eq!(legacy, ["debian", "12", "debian"]);
    }

    #[test]
    fn follows_links_inside_the_image() {
        for target in ["../usr/lib/os-release", "/usr/lib/os-release"] {
            let image = Image::new([("usr/lib/os-release", DEBIAN)]);
            let (found, _) = run(image.symlink("etc/os-release", target));
            assert_eq!(found.unwrap().location, "usr/lib/os-release");
        }
    }

    #[test]
    fn removes_quotes_as_a_shell_does() {
        for (value, expected) in [
            ("plain", "plain"),
            ("\"two words\"", "two words"),
            ("'$x \\ y'", "$x \\ y"),
            ("\"a \\\"b\\\" \\$c\"", "a \"b\" $c"),
            ("\"never closed", "never closed"),
            ("\\", ""),
        ] {
            assert_eq!(unquote(value), expected);
        }
        let text = "#ID=no\r\nID='alpine'\r\n ID_LIKE = foo\nID_LIKE=\"a  b\tc\"\nBAD=a=b\nVERSION_ID=\"3.9\" \n";
        check(&[("etc/os-release", text)], ["alpine", "3.9", "a,b,c"]);
        check(&[("etc/os-release", "ID=amzn\nVERSION_ID=2\n\u{feff}x")], ["amzn", "2", "amzn"]);
    }

    #[test]
    fn debian_without_a_version_takes_it_from_debian_version() {
        for (text, version) in
            [("10.4\n", "10"), ("bookworm/sid\n", "unstable"), ("", "0"), ("7", "7")]
        {
            let files = [("etc/os-release", "ID=debian"), ("etc/debian_version", text)];
            check(&files, ["debian", version, "debian"]);
        }
        check(&[("etc/os-release", "ID=debian")], ["debian", "0", "debian"]);
        check(&[("etc/debian_version", "6.0.10\n")], ["debian", "6", "debian"]);
    }

    #[test]
    fn debian_that_is_not_released_has_its_name_and_no_number() {
        let named = "ID=debian\nVERSION_CODENAME=forky";
        let pretty = "ID=debian\nPRETTY_NAME=\"Debian GNU/Linux forky/sid\"";
        let both = |release, version| vec![("etc/os-release", release), (DEBIAN_VERSION, version)];
        for (files, codename) in [
            (both(named, "forky/sid\n"), "forky"),
            (both("ID=debian", "forky/sid\n"), "forky"),
            (both(pretty, ""), "forky"),
            (both("ID=debian", "sid\n"), "sid"),
            (vec![(DEBIAN_VERSION, "forky/sid\n")], "forky"),
        ] {
            let found = run(Image::new(files.clone())).0.unwrap();
            let stated = (found.version.as_str(), found.codename.as_deref());
            assert_eq!(stated, ("", Some(codename)), "{files:?}");
        }
    }

    #[test]
    fn an_empty_os_release_leaves_the_word_to_others() {
        let files =
            [("etc/os-release", ""), ("etc/redhat-release", "Fedora release 31 (Thirty One)")];
        check(&files, ["fedora", "31", "fedora"]);
    }

    #[test]
    fn reads_cpe_names_of_both_forms() {
        for (name, id, version) in [
            ("cpe:/o:centos:linux:6:GA\n", "centos", "6"),
            ("cpe:/o:fedoraproject:fedora:28", "fedora", "28"),
            ("cpe:/o:redhat:enterprise_linux:7.9:GA:server", "rhel", "7.9"),
            ("cpe:2.3:o:amazon:amazon_linux:2", "amzn", "2"),
            ("cpe:/o:acme:os:*", "os", "0"),
            ("cpe:/o:acme", "Unknown", "0"),
            ("cpe:2.3", "Unknown", "0"),
        ] {
            check(&[("etc/system-release-cpe", name)], [id, version, id]);
        }
    }

    #[test]
    fn reads_prose() {
        for (line, id, version) in [
            ("CentOS release 6.10 (Final)", "centos", "6.10"),
            ("CentOS Linux release 7.8.2003 (Core)", "centos", "7.8.2003"),
            ("Red Hat Enterprise Linux Server release 7.9 (Maipo)", "rhel", "7.9"),
            ("Amazon Linux AMI release 2018.03", "amzn", "2018.03"),
            ("CentOS Stream", "centos", "0"),
            ("Something else 3", "Unknown", "0"),
        ] {
            check(&[("etc/redhat-release", line)], [id, version, id]);
        }
    }

    #[test]
    fn alpine_without_os_release_is_not_busybox() {
        let files = [("etc/alpine-release", "3.12.1\n"), ("bin/busybox", "BusyBox v1.31.1 (x)")];
        check(&files, ["alpine", "3.12.1", "alpine"]);
    }

    #[test]
    fn busybox_tells_its_version_in_its_banner() {
        for (program, version) in [
            ("junk\nxxBusyBox v1.31.1 (2019)\nBusyBox v1.31.0 (x)", "v1.31.0"),
            ("BusyBox v1.2", "0"),
            ("BusyBox vx.y (1)", "0"),
            ("nothing", "0"),
        ] {
            check(&[("bin/busybox", program)], ["busybox", version, "busybox"]);
        }
    }

    #[test]
    fn busybox_alone_is_a_package_of_the_legacy_document() {
        let facts = Image::new([("bin/busybox", "BusyBox v1.31.0 (x)")]).run(&Distribution).facts;
        let is_package = |fact: &Fact| matches!(fact, Fact::Legacy(l) if l.key == "BusyBox" && l.value.text() == "v1.31.0");
        assert!(facts.iter().any(is_package));
    }

    #[test]
    fn no_cut_makes_it_panic() {
        cut_everywhere(&Distribution, "distribution");
        // Each file alone too: together only the first would be looked at.
        let alone = [
            ("etc/system-release-cpe", "cpe:2.3:o:redhat:enterprise_linux:9.3:ga"),
            ("etc/redhat-release", "CentOS Linux release 7.8.2003 (Core)"),
            ("etc/debian_version", "bookworm/sid"),
            ("bin/busybox", "BusyBox v1.36.1 (2024-01-01)"),
        ];
        for (path, text) in alone {
            (0..text.len()).for_each(|cut| drop(run(Image::new([(path, &text[..cut])]))));
        }
    }

    #[test]
    fn an_image_that_says_nothing_is_unknown() {
        let (found, legacy) = run(Image::new([("etc/hostname", "x")]));
        assert_eq!((found, legacy), (None, ["Unknown", "0", "Unknown"].map(str::to_owned)));
    }

    #[test]
    fn flavors_come_from_the_id_or_else_from_a_relative() {
        assert_eq!(flavor("ol", &["debian"]), Flavor::Rhel);
        assert_eq!(flavor("amzn", &["x", "fedora", "debian"]), Flavor::Rhel);
        assert_eq!(flavor("wolfi", &["alpine"]), Flavor::Alpine);
        assert_eq!(flavor::<&str>("busybox", &[]), Flavor::Busybox);
        assert_eq!(flavor("ubuntu", &["debian"]), Flavor::Deb);
        assert_eq!(flavor("arch", &["linux"]), Flavor::Unknown);
    }
}
