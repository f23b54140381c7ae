//! Which types of packages are of the operating system: installed by the distribution's
//! own package manager, which records them in its database. Nix, Homebrew, Flatpak and
//! snaps are not: they bring their packages beside the distribution.
//!
//! What else parts of inscan need to know of them differs, and is a column each.

/// A type of packages of the operating system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemType {
    /// The type of its package URL.
    pub purl_type: &'static str,
    /// In package URLs of others (SBOMs), the namespace is the distribution (`pkg:deb/debian/…`)
    /// and so not a part of the name.
    pub namespace_is_distribution: bool,
    /// Our own package URLs of it state the distribution, as namespace and in `distro`, and
    /// `arch` and `upstream`.
    pub purl_states_distribution: bool,
    /// Advisories about it are those of the distribution's release; of the other types, they
    /// are looked up by the type alone.
    pub has_release_advisories: bool,
}

const fn row(purl_type: &'static str, columns: [bool; 3]) -> SystemType {
    let [namespace_is_distribution, purl_states_distribution, has_release_advisories] = columns;
    SystemType {
        purl_type,
        namespace_is_distribution,
        purl_states_distribution,
        has_release_advisories,
    }
}

/// All of them: the type, and its columns in the order of [`SystemType`].
const SYSTEM_TYPES: [SystemType; 7] = [
    row("alpm", [true, true, false]),
    row("apk", [true, true, true]),
    row("deb", [true, true, true]),
    row("ebuild", [false, false, false]),
    row("opkg", [true, true, false]),
    // Gentoo's, as some SBOMs call it.
    row("portage", [false, false, false]),
    row("rpm", [true, true, true]),
];

/// What there is to know of a type of packages of the operating system; `None` for all
/// other types. By the type of the package URL, in lower case.
pub fn system(purl_type: &str) -> Option<&'static SystemType> {
    SYSTEM_TYPES.iter().find(|of| of.purl_type == purl_type)
}

/// Whether a package of this type is of the operating system.
pub fn is_system(purl_type: &str) -> bool {
    system(purl_type).is_some()
}

/// [`SystemType::namespace_is_distribution`]; false for all other types.
pub fn namespace_is_distribution(purl_type: &str) -> bool {
    system(purl_type).is_some_and(|of| of.namespace_is_distribution)
}

/// [`SystemType::purl_states_distribution`]; false for all other types.
pub fn purl_states_distribution(purl_type: &str) -> bool {
    system(purl_type).is_some_and(|of| of.purl_states_distribution)
}

/// Which namespace package URLs of a type have for a distribution, by the `ID` of its
/// os-release: the vendor, as purl-spec's types, the vendors' own advisories and OSV have it.
/// What is such a namespace already stays as it is.
pub fn namespace<'a>(purl_type: &str, distribution: &'a str) -> &'a str {
    let is_of = |product: &str| {
        distribution.get(..product.len()).is_some_and(|start| start.eq_ignore_ascii_case(product))
    };
    match purl_type {
        // Required by the type, whose one distribution without a name of its own is Arch.
        "alpm" if distribution.is_empty() => "arch",
        "rpm" if distribution.eq_ignore_ascii_case("rhel") => "redhat",
        "rpm" if is_of("opensuse") => "opensuse",
        // sles, sled, sle-micro, sle_hpc, sl-micro, suse-microos …
        "rpm" if ["sle", "sl-micro", "suse"].into_iter().any(is_of) => "suse",
        _ => distribution,
    }
}

/// [`SystemType::has_release_advisories`]; false for all other types.
pub fn has_release_advisories(purl_type: &str) -> bool {
    system(purl_type).is_some_and(|of| of.has_release_advisories)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(purl_type: &str, expected: [bool; 4]) {
        let found = [
            is_system(purl_type),
            namespace_is_distribution(purl_type),
            purl_states_distribution(purl_type),
            has_release_advisories(purl_type),
        ];
        assert_eq!(found, expected, "{purl_type}");
    }

    #[test]
    fn a_namespace_is_the_vendor_of_the_distribution() {
        for (purl_type, distribution, expected) in [
            ("rpm", "rhel", "redhat"),
            ("rpm", "redhat", "redhat"),
            ("rpm", "opensuse-leap", "opensuse"),
            ("rpm", "opensuse-tumbleweed", "opensuse"),
            ("rpm", "opensuse-microos", "opensuse"),
            ("rpm", "sles", "suse"),
            ("rpm", "sled", "suse"),
            ("rpm", "sle-micro", "suse"),
            ("rpm", "sl-micro", "suse"),
            ("rpm", "suse", "suse"),
            ("rpm", "fedora", "fedora"),
            ("rpm", "", ""),
            ("deb", "debian", "debian"),
            ("alpm", "manjaro", "manjaro"),
            ("alpm", "", "arch"),
        ] {
            assert_eq!(namespace(purl_type, distribution), expected, "{purl_type} {distribution}");
        }
    }

    #[test]
    fn types_of_the_system_differ_in_their_columns() {
        check("deb", [true, true, true, true]);
        check("alpm", [true, true, true, false]);
        check("ebuild", [true, false, false, false]);
        for other in ["nix", "brew", "flatpak", "npm", "DEB", ""] {
            check(other, [false; 4]);
        }
    }
}
