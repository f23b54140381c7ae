//! Version order, one file per ecosystem.
//!
//! `compare` answers as the ecosystem's own tool would. A version which that tool
//! refuses is an error that names it, never an order; where the tool has a rule
//! for odd versions (dpkg, rpm, apk), that rule holds.
//!
//! Versions come from images and advisories, so they are hostile: their length is
//! capped, nothing recurses, and numbers are compared as strings of digits.

mod apk;
mod conan;
mod digits;
mod dpkg;
mod ecosystem;
mod gem;
mod jvm;
mod maven;
mod nuget;
mod numeric;
mod openssl;
mod order;
mod packagist;
mod pacman;
mod pep440;
mod portage;
pub mod range;
mod rpm;
mod semver;
pub(crate) mod vers;

use std::borrow::Cow;
use std::cmp::Ordering;

use inscan_facts::escape;

pub use ecosystem::{of_ecosystem, of_package};
pub use order::sort_by;

/// How the versions of an ecosystem are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    Apk,
    Bitnami,
    Cargo,
    Conan,
    Cran,
    Dpkg,
    Gem,
    Go,
    Hackage,
    Hex,
    Jvm,
    Maven,
    Npm,
    NuGet,
    OpenSsl,
    Packagist,
    Pacman,
    Pep440,
    /// PHP's version_compare, without what Composer does before.
    Php,
    Portage,
    Pub,
    Rpm,
    /// Semantic versions, read with some patience: a leading `v`, any number of parts.
    Semver,
}

impl Scheme {
    pub const ALL: [Scheme; 23] = [
        Scheme::Apk,
        Scheme::Bitnami,
        Scheme::Cargo,
        Scheme::Conan,
        Scheme::Cran,
        Scheme::Dpkg,
        Scheme::Gem,
        Scheme::Go,
        Scheme::Hackage,
        Scheme::Hex,
        Scheme::Jvm,
        Scheme::Maven,
        Scheme::Npm,
        Scheme::NuGet,
        Scheme::OpenSsl,
        Scheme::Packagist,
        Scheme::Pacman,
        Scheme::Pep440,
        Scheme::Php,
        Scheme::Portage,
        Scheme::Pub,
        Scheme::Rpm,
        Scheme::Semver,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Scheme::Apk => "apk",
            Scheme::Bitnami => "bitnami",
            Scheme::Cargo => "cargo",
            Scheme::Conan => "conan",
            Scheme::Cran => "cran",
            Scheme::Dpkg => "dpkg",
            Scheme::Gem => "gem",
            Scheme::Go => "go",
            Scheme::Hackage => "hackage",
            Scheme::Hex => "hex",
            Scheme::Jvm => "jvm",
            Scheme::Maven => "maven",
            Scheme::Npm => "npm",
            Scheme::NuGet => "nuget",
            Scheme::OpenSsl => "openssl",
            Scheme::Packagist => "packagist",
            Scheme::Pacman => "pacman",
            Scheme::Pep440 => "pep440",
            Scheme::Php => "php",
            Scheme::Portage => "portage",
            Scheme::Pub => "pub",
            Scheme::Rpm => "rpm",
            Scheme::Semver => "semver",
        }
    }

    pub fn named(name: &str) -> Option<Scheme> {
        Scheme::ALL.into_iter().find(|scheme| scheme.name() == name)
    }
}

/// Longer ones are refused: of a million published versions none comes near.
const MAX_LENGTH: usize = 1024;

/// The first version that its ecosystem cannot read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot compare {} version `{}`: {reason}", scheme.name(), shown(version))]
pub struct Unreadable {
    pub scheme: Scheme,
    pub version: String,
    pub reason: &'static str,
}

/// As the ecosystem orders them. Equal does not mean the same text: `1.0` and `1.0.0`.
pub fn compare(scheme: Scheme, a: &str, b: &str) -> Result<Ordering, Unreadable> {
    match scheme {
        Scheme::Apk => by(scheme, a, b, apk::read, apk::order),
        Scheme::Bitnami => by(scheme, a, b, semver::read_bitnami, semver::order),
        Scheme::Cargo => by(scheme, a, b, semver::read_cargo, semver::order),
        Scheme::Conan => by(scheme, a, b, conan::read, conan::order),
        Scheme::Cran => by(scheme, a, b, numeric::read_cran, numeric::order),
        Scheme::Dpkg => by(scheme, a, b, dpkg::read, dpkg::order),
        Scheme::Gem => by(scheme, a, b, gem::read, gem::order),
        Scheme::Go => by(scheme, a, b, semver::read_go, semver::order),
        Scheme::Hackage => by(scheme, a, b, numeric::read_hackage, numeric::order),
        Scheme::Hex => by(scheme, a, b, semver::read_strict, semver::order),
        Scheme::Jvm => by(scheme, a, b, jvm::read, jvm::order),
        Scheme::Maven => by(scheme, a, b, maven::read, maven::order),
        Scheme::Npm => by(scheme, a, b, semver::read_npm, semver::order),
        Scheme::NuGet => by(scheme, a, b, nuget::read, nuget::order),
        Scheme::OpenSsl => by(scheme, a, b, openssl::read, openssl::order),
        Scheme::Packagist => by(scheme, a, b, packagist::read, packagist::order),
        Scheme::Pacman => by(scheme, a, b, pacman::read, pacman::order),
        Scheme::Pep440 => by(scheme, a, b, pep440::read, pep440::order),
        Scheme::Php => by(scheme, a, b, packagist::read_php, packagist::order),
        Scheme::Portage => by(scheme, a, b, portage::read, portage::order),
        Scheme::Pub => by(scheme, a, b, semver::read_lenient, semver::order_with_build),
        Scheme::Rpm => by(scheme, a, b, rpm::read, rpm::order),
        Scheme::Semver => by(scheme, a, b, semver::read_lenient, semver::order),
    }
}

/// An installed version against one that an advisory or a statement names. PEP 440: where that has
/// no local label, the installed one's is not compared (`2.0.0+cu117` is in `<= 2.0.0`).
/// <https://peps.python.org/pep-0440/#version-matching>
pub fn against(scheme: Scheme, installed: &str, named: &str) -> Result<Ordering, Unreadable> {
    match installed.split_once('+') {
        Some((public, _)) if scheme == Scheme::Pep440 && !named.contains('+') => {
            check(scheme, installed)?;
            compare(scheme, public, named)
        }
        _ => compare(scheme, installed, named),
    }
}

/// The version alone, of what stands in its place: Go's toolchains write `go1.21.5 X:experiment`,
/// and a gem's platform stands behind it (`1.16.5-java`; no version of a gem has a dash).
pub fn plain<'a>(purl_type: &str, version: &'a str) -> Cow<'a, str> {
    match purl_type {
        "golang" => {
            let version = version.split_whitespace().next().unwrap_or_default();
            let digits = version
                .strip_prefix("go")
                .filter(|rest| rest.starts_with(|it: char| it.is_ascii_digit()));
            Cow::Borrowed(digits.unwrap_or(version))
        }
        "gem" => Cow::Borrowed(version.split('-').next().unwrap_or_default()),
        _ => Cow::Borrowed(version),
    }
}

/// Whether two texts are one version of packages of a type: `v1.0`, `1.0` and `1.0.0`, with an
/// epoch of zero and without. What its order cannot read is the same only as text.
pub fn is_same(purl_type: &str, name: &str, installed: &str, named: &str) -> bool {
    if installed == named {
        return true;
    }
    let (installed, named) = (plain(purl_type, installed), plain(purl_type, named));
    let scheme = of_package(purl_type, name);
    let order = scheme.map(|scheme| against(scheme, &installed, &named));
    installed == named || order == Some(Ok(Ordering::Equal))
}

/// Whether the ecosystem can read it at all.
pub fn check(scheme: Scheme, version: &str) -> Result<(), Unreadable> {
    compare(scheme, version, version).map(drop)
}

type Read<'a, V> = fn(&'a str) -> Result<V, &'static str>;

fn by<'a, V>(
    scheme: Scheme,
    a: &'a str,
    b: &'a str,
    read: Read<'a, V>,
    order: fn(&V, &V) -> Ordering,
) -> Result<Ordering, Unreadable> {
    let read = |version: &'a str| {
        let known = if version.len() > MAX_LENGTH { Err("it is too long") } else { read(version) };
        known.map_err(|reason| Unreadable { scheme, version: version.to_owned(), reason })
    };
    Ok(order(&read(a)?, &read(b)?))
}

/// In a message: no control characters, and not too much of it.
fn shown(version: &str) -> String {
    const ENOUGH: usize = 80;
    escape::cut(version, ENOUGH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_version_is_written_in_several_ways() {
        for (kind, installed, named, expected) in [
            ("golang", "v0.10.0", "0.10.0", true),
            ("golang", "v0.10.0", "v0.9.0", false),
            ("golang", "1.21.5", "go1.21.5", true),
            ("golang", "go1.21.5 X:boringcrypto", "v1.21.5", true),
            ("gem", "1.16.5", "1.16.5-java", true),
            ("pypi", "2.0.0+cu117", "2.0.0", true),
            ("pypi", "2.0.0+cu117", "2.0.0+cu117", true),
            ("pypi", "2.0.0+cu117", "2.0.0+cpu", false),
            ("pypi", "2.0.0", "2.0.0+cu117", false),
            ("deb", "1.0-1", "0:1.0-1", true),
            ("rpm", "0:1.0-1", "1.0-1", true),
            ("rpm", "1:1.0-1", "1.0-1", false),
            ("npm", "v1.0.0", "1.0.0", true),
            ("npm", "latest", "1.0.0", false),
            ("conda", "1.0", "1.0.0", false),
        ] {
            assert_eq!(
                is_same(kind, "x", installed, named),
                expected,
                "{kind} {installed} {named}"
            );
        }
    }

    fn check_all(cases: &[(Scheme, &str, &str, Ordering)]) {
        for (scheme, a, b, expected) in cases {
            assert_eq!(compare(*scheme, a, b), Ok(*expected), "{} {a} {b}", scheme.name());
            assert_eq!(compare(*scheme, b, a), Ok(expected.reverse()), "{} {b} {a}", scheme.name());
        }
    }

    #[test]
    fn orders_what_each_ecosystem_is_known_for() {
        use Ordering::{Equal, Less};
        check_all(&[
            (Scheme::Dpkg, "1.0~rc1-1", "1.0-1", Less),
            (Scheme::Dpkg, "1.0-1ubuntu2", "1.0-1ubuntu2.1", Less),
            (Scheme::Dpkg, "9.9", "1:0.1", Less),
            (Scheme::Rpm, "1.0~rc1-1.el9", "1.0-1.el9", Less),
            (Scheme::Rpm, "1.0-1", "1.0^20240101-1", Less),
            (Scheme::Rpm, "0:1.0-1", "1.0-1", Equal),
            (Scheme::Apk, "1.2.3_rc1-r0", "1.2.3-r0", Less),
            (Scheme::Apk, "1.2.3-r9", "1.2.3_p1-r0", Less),
            (Scheme::Npm, "1.0.0-rc.9", "1.0.0-rc.10", Less),
            (Scheme::Npm, "v1.0", "1.0.0", Equal),
            (Scheme::Go, "go1.21rc1", "1.21.0", Less),
            (Scheme::Go, "go1.21.3 X:boringcrypto", "1.21.3", Equal),
            (Scheme::Go, "go1.9beta2", "go1.9rc1", Less),
            (Scheme::Go, "v2.0.0+incompatible", "2.0.0", Equal),
            (Scheme::Go, "v0.0.0-20190101000000-abcdefabcdef", "v0.0.1", Less),
            (Scheme::Pep440, "1.0.dev1", "1.0a1", Less),
            (Scheme::Pep440, "1.0", "1.0.post1", Less),
            (Scheme::Pep440, "1.0+1", "1.0+1.1", Less),
            (Scheme::Pep440, "1.0.0-ALPHA_1", "1a1", Equal),
            (Scheme::Cargo, "1.0.0+a", "1.0.0+b", Equal),
            (Scheme::Bitnami, "1.2.3-4", "1.2.3", Equal),
            (Scheme::Conan, "1.1-alpha.1", "1.1.0", Less),
            (Scheme::Cran, "0.1-0", "0.01.0", Equal),
            (Scheme::Gem, "1.0.0.pre1", "1.0", Less),
            (Scheme::Gem, "1.0-x86", "1.0", Less),
            (Scheme::Hackage, "1.0", "1.0.0", Less),
            (Scheme::Jvm, "8u402-b06", "1.8.0_402", Equal),
            (Scheme::Jvm, "1.8.0_402-8u402-ga-2ubuntu1-b06", "8.0.402", Equal),
            (Scheme::Jvm, "11.0.2-ea+9", "11.0.2", Less),
            (Scheme::Maven, "1.0-alpha-1", "1.0a2", Less),
            (Scheme::Maven, "5.1.3.RELEASE", "5.1.3", Equal),
            (Scheme::Maven, "28.1-android", "28.1-jre", Less),
            (Scheme::NuGet, "1.0-RC.2", "1.0.0-rc.10", Less),
            (Scheme::OpenSsl, "1.0.2k-fips", "1.0.2k", Equal),
            (Scheme::OpenSsl, "1.0.2z", "1.0.2za", Less),
            (Scheme::OpenSsl, "3.0.0-alpha10", "3.0.0-beta1", Less),
            (Scheme::Packagist, "v5.4", "5.4.0", Equal),
            (Scheme::Packagist, "1.0.0-RC1", "1.0", Less),
            (Scheme::Packagist, "2.4.4", "2.4.4-p9", Less),
            (Scheme::Packagist, "1.99", "1.x-dev", Less),
            (Scheme::Pacman, "1.0rc", "1.0", Less),
            (Scheme::Portage, "1.0_rc1", "1.0", Less),
            (Scheme::Portage, "1.0", "1.0_p1-r1", Less),
            (Scheme::Bitnami, "2.6.0-rc1", "2.6.0", Less),
        ]);
    }

    #[test]
    fn refuses_what_the_ecosystem_cannot_read() {
        for (scheme, version) in [
            (Scheme::Dpkg, ""),
            (Scheme::Dpkg, "1.0 2"),
            (Scheme::Dpkg, "x:1.0"),
            (Scheme::Dpkg, "4294967296:1"),
            (Scheme::Dpkg, "1.0-"),
            (Scheme::Rpm, ""),
            (Scheme::Npm, "latest"),
            (Scheme::Npm, "1.x"),
            (Scheme::Npm, "1.2.3.4"),
            (Scheme::Cargo, "01.2.3"),
            (Scheme::Hex, "1.2"),
            (Scheme::Go, "(devel)"),
            (Scheme::Go, "devel go1.22-abcdef"),
            (Scheme::Pep440, "2013-01-21T20:33:09+0100"),
            (Scheme::Pep440, "1.0-bulbasaur"),
            (Scheme::Pep440, "1.0+é"),
            (Scheme::Semver, "1..2"),
            (Scheme::Cran, "1.0a"),
            (Scheme::Gem, "1beta"),
            (Scheme::Jvm, "temurin"),
            (Scheme::NuGet, "1.2.3.4.5"),
            (Scheme::OpenSsl, "1.0.2K"),
            (Scheme::Packagist, "dev-main"),
            (Scheme::Portage, "1.0_gamma"),
        ] {
            let error = compare(scheme, "1.0.0", version).unwrap_err();
            assert_eq!((error.scheme, &*error.version), (scheme, version));
        }
    }

    #[test]
    fn an_error_shows_the_version_without_its_tricks() {
        let error = check(Scheme::Pep440, &format!("\u{1b}[2J{}", "9".repeat(99))).unwrap_err();
        let shown = error.to_string();
        assert!(shown.starts_with(r"cannot compare pep440 version `\x1b[2J999"), "{shown}");
        assert!(shown.contains("9…`: no numbers"), "{shown}");
    }

    #[test]
    fn hostile_versions_end_well_and_soon() {
        let signs =
            ["", "0", "9", ".", "-", "+", "~", "^", "_", ":", "!", "a", "rc", "-r", "é", "\0"];
        let long = [
            "1.".repeat(MAX_LENGTH / 2),
            "-".repeat(MAX_LENGTH),
            "1-".repeat(MAX_LENGTH / 2),
            "9".repeat(MAX_LENGTH),
            "1a".repeat(MAX_LENGTH / 2),
            "é".repeat(MAX_LENGTH / 2),
            "1".repeat(MAX_LENGTH + 1),
        ];
        let mut all: Vec<String> = long.into();
        for a in signs {
            for b in signs {
                for c in signs {
                    all.push(format!("{a}{b}{c}"));
                    all.push(format!("1{a}{b}{c}"));
                }
            }
        }
        for scheme in Scheme::ALL {
            for version in &all {
                for other in ["1.0", "1", version] {
                    let there = compare(scheme, version, other);
                    let back = compare(scheme, other, version);
                    assert_eq!(there.is_ok(), back.is_ok(), "{} {version}", scheme.name());
                    if let (Ok(there), Ok(back)) = (there, back) {
                        assert_eq!(there, back.reverse(), "{} {version} {other}", scheme.name());
                    }
                }
            }
        }
        assert!(check(Scheme::Rpm, &"1".repeat(MAX_LENGTH + 1)).is_err());
    }
}
