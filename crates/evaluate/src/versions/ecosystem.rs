//! Which version order an ecosystem has: the one place that knows the names of OSV
//! (<https://ossf.github.io/osv-schema/#defined-ecosystems>) and the types of
//! package URLs (<https://github.com/package-url/purl-spec/blob/main/purl-types-index.json>).

use super::Scheme;

/// By OSV's name, with or without a release behind it: `Debian:12`. None: not known, or of
/// no order (`GIT`, `Linux`, `OSS-Fuzz`).
pub fn of_ecosystem(ecosystem: &str) -> Option<Scheme> {
    // Root rebuilds packages of others: `Root:Alpine:3.18`.
    let ecosystem = ecosystem.strip_prefix("Root:").unwrap_or(ecosystem);
    let name = ecosystem.split(':').next().unwrap_or_default();
    Some(match name {
        "Alpaquita"
        | "Alpine"
        | "BellSoft Hardened Containers"
        | "Chainguard"
        | "MinimOS"
        | "Wolfi" => Scheme::Apk,
        "Bitnami" => Scheme::Bitnami,
        "crates.io" => Scheme::Cargo,
        "ConanCenter" => Scheme::Conan,
        "Bioconductor" | "CRAN" => Scheme::Cran,
        "Debian" | "Echo" | "Ubuntu" => Scheme::Dpkg,
        "RubyGems" => Scheme::Gem,
        "Go" => Scheme::Go,
        "GHC" | "Hackage" => Scheme::Hackage,
        "Hex" => Scheme::Hex,
        "Maven" => Scheme::Maven,
        "npm" => Scheme::Npm,
        "NuGet" => Scheme::NuGet,
        "Packagist" => Scheme::Packagist,
        "PyPI" => Scheme::Pep440,
        "Pub" => Scheme::Pub,
        "AlmaLinux" | "Azure Linux" | "Mageia" | "openEuler" | "openSUSE" | "Photon OS"
        | "Red Hat" | "Rocky Linux" | "SUSE" => Scheme::Rpm,
        "DHI" | "GitHub Actions" | "Julia" | "SwiftURL" | "VSCode" => Scheme::Semver,
        _ => return None,
    })
}

/// By the type of a package URL; for programs that are of no package manager, by their name.
pub fn of_package(purl_type: &str, name: &str) -> Option<Scheme> {
    Some(match purl_type {
        "generic" if name == "openssl" => Scheme::OpenSsl,
        "generic" if ["java", "jdk", "jre", "openjdk"].contains(&name) => Scheme::Jvm,
        "apk" => Scheme::Apk,
        "bitnami" => Scheme::Bitnami,
        "cargo" => Scheme::Cargo,
        "conan" => Scheme::Conan,
        "cran" | "bioconductor" => Scheme::Cran,
        "deb" | "opkg" => Scheme::Dpkg,
        "gem" => Scheme::Gem,
        "golang" => Scheme::Go,
        "hackage" => Scheme::Hackage,
        "hex" => Scheme::Hex,
        "maven" => Scheme::Maven,
        "npm" => Scheme::Npm,
        "nuget" => Scheme::NuGet,
        "composer" => Scheme::Packagist,
        "alpm" => Scheme::Pacman,
        "ebuild" => Scheme::Portage,
        "pypi" => Scheme::Pep440,
        "pub" => Scheme::Pub,
        "rpm" => Scheme::Rpm,
        "generic" | "github" | "githubactions" | "julia" | "swift" => Scheme::Semver,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ecosystem_is_known_with_and_without_its_release() {
        assert_eq!(of_ecosystem("Debian:12"), Some(Scheme::Dpkg));
        assert_eq!(of_ecosystem("Alpine:v3.19"), Some(Scheme::Apk));
        assert_eq!(of_ecosystem("Red Hat:enterprise_linux:9::baseos"), Some(Scheme::Rpm));
        assert_eq!(of_ecosystem("Root:Ubuntu:22.04"), Some(Scheme::Dpkg));
        assert_eq!(of_ecosystem("npm"), Some(Scheme::Npm));
    }

    #[test]
    fn what_is_not_known_has_no_order() {
        for ecosystem in ["", "GIT", "Linux", "Debian12", "debian", "OSS-Fuzz", "Tomorrow:1"] {
            assert_eq!(of_ecosystem(ecosystem), None, "{ecosystem}");
        }
        assert_eq!(of_package("tomorrow", "x"), None);
    }
}
