//! Package URLs of packages, by the rules of each type:
//! `pkg:deb/debian/curl@7.88.1-10?arch=amd64&distro=debian-12`.

use std::collections::BTreeMap;

use crate::distribution;
use crate::package::{Distribution, Package};
use crate::package_type;
use crate::percent::{PURL_PART, encoded};

/// The package's URL. The distribution, which is the package's own or else the image's, gives OS
/// packages their namespace.
pub fn written(package: &Package, distribution: Option<&Distribution>) -> String {
    let distribution =
        distribution::apart(package.distribution.as_ref(), distribution).or(distribution);
    let kind = package.kind.to_ascii_lowercase();
    let (namespace, name) = names(&kind, package, distribution);
    let mut url = format!("pkg:{kind}");
    for part in namespace.split('/').filter(|part| !part.is_empty()) {
        url.push('/');
        url.push_str(&encoded(part, PURL_PART));
    }
    url.push('/');
    url.push_str(&encoded(&name, PURL_PART));
    if !package.version.is_empty() {
        url.push('@');
        url.push_str(&encoded(&package.version, PURL_PART));
    }
    for (number, (name, value)) in qualifiers(&kind, package, distribution).iter().enumerate() {
        url.push(if number == 0 { '?' } else { '&' });
        url.push_str(name);
        url.push('=');
        url.push_str(&encoded(value, PURL_PART));
    }
    url
}

/// Namespace and name, by the rules of each type.
fn names(kind: &str, package: &Package, distribution: Option<&Distribution>) -> (String, String) {
    let mut namespace = package.namespace.clone().unwrap_or_default();
    let mut name = package.name.clone();
    match kind {
        kind if package_type::purl_states_distribution(kind) => {
            if namespace.is_empty() {
                namespace = distribution.map_or_else(String::new, |found| found.id.clone());
            }
            namespace = package_type::namespace(kind, &namespace).to_ascii_lowercase();
            if kind != "rpm" {
                name.make_ascii_lowercase();
            }
        }
        // A module's path is namespace and name at once.
        "composer" | "golang" | "npm" | "swift" if namespace.is_empty() => {
            if let Some((before, last)) = package.name.rsplit_once('/') {
                (namespace, name) = (before.to_owned(), last.to_owned());
            }
        }
        _ => {}
    }
    if matches!(kind, "composer" | "golang" | "hex" | "npm" | "pub" | "pypi") {
        namespace.make_ascii_lowercase();
        name.make_ascii_lowercase();
    }
    if kind == "pypi" {
        name = name.replace('_', "-");
    }
    (namespace, name)
}

fn qualifiers(
    kind: &str,
    package: &Package,
    distribution: Option<&Distribution>,
) -> BTreeMap<String, String> {
    let mut qualifiers = package.qualifiers.clone();
    if package_type::purl_states_distribution(kind) {
        let mut add = |name: &str, value: Option<String>| {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                qualifiers.entry(name.to_owned()).or_insert(value);
            }
        };
        add("arch", package.arch.clone());
        add("distro", distribution.map(distro));
        add("upstream", upstream(package));
        // dpkg's epoch is in its version.
        if kind == "rpm" {
            add("epoch", package.epoch.map(|epoch| epoch.to_string()));
        }
    }
    qualifiers.retain(|name, value| !name.is_empty() && !value.is_empty());
    qualifiers
}

/// `debian-12`; the codename where there is no number (Debian sid).
fn distro(distribution: &Distribution) -> String {
    let codename = distribution.codename.as_deref().unwrap_or_default();
    match (&*distribution.version, codename) {
        ("", "") => distribution.id.clone(),
        ("", codename) => format!("{}-{codename}", distribution.id),
        (version, _) => format!("{}-{version}", distribution.id),
    }
}

/// The source package, where it is not the package itself.
fn upstream(package: &Package) -> Option<String> {
    let source = package.source.as_ref()?;
    let version = source.version.as_ref().filter(|version| **version != package.version);
    match version {
        None if source.name == package.name => None,
        None => Some(source.name.clone()),
        Some(version) => Some(format!("{}@{version}", source.name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::SourcePackage;

    #[track_caller]
    fn check(kind: &'static str, namespace: &str, name: &str, version: &str, expected: &str) {
        let package = Package {
            kind: kind.into(),
            namespace: Some(namespace.to_owned()).filter(|text| !text.is_empty()),
            name: name.into(),
            version: version.into(),
            ..Package::default()
        };
        assert_eq!(written(&package, None), expected);
    }

    #[test]
    fn each_type_has_its_rules() {
        check("pypi", "", "Typing_Extensions", "4.0", "pkg:pypi/typing-extensions@4.0");
        check("npm", "@Scope", "Name", "1.0.0", "pkg:npm/%40scope/name@1.0.0");
        check("npm", "", "@s/n", "1", "pkg:npm/%40s/n@1");
        check("maven", "org.Example", "Core", "1.0", "pkg:maven/org.Example/Core@1.0");
        check(
            "golang",
            "",
            "github.com/Foo/bar/v2",
            "v2.0.1",
            "pkg:golang/github.com/foo/bar/v2@v2.0.1",
        );
        check("golang", "", "stdlib", "1.22", "pkg:golang/stdlib@1.22");
        check("cargo", "", "Inflector", "0.11.4", "pkg:cargo/Inflector@0.11.4");
        check("composer", "Laravel", "Framework", "5.5", "pkg:composer/laravel/framework@5.5");
        check("nuget", "", "Newtonsoft.Json", "13.0.1+b", "pkg:nuget/Newtonsoft.Json@13.0.1%2Bb");
        check("gem", "", "r b", "", "pkg:gem/r%20b");
    }

    #[test]
    fn os_packages_name_their_distribution() {
        let debian =
            Distribution { id: "debian".into(), version: "12".into(), ..Distribution::default() };
        let mut package = Package {
            kind: "deb".into(),
            name: "libc6".into(),
            version: "1:2.36-9+deb12u4".into(),
            epoch: Some(1),
            arch: Some("amd64".into()),
            source: Some(SourcePackage { name: "glibc".into(), version: None }),
            ..Package::default()
        };
        assert_eq!(
            written(&package, Some(&debian)),
            "pkg:deb/debian/libc6@1:2.36-9%2Bdeb12u4?arch=amd64&distro=debian-12&upstream=glibc"
        );
        package.kind = "rpm".into();
        package.name = "Lib".into();
        package.version = "2-1".into();
        assert_eq!(
            written(&package, Some(&debian)),
            "pkg:rpm/debian/Lib@2-1?arch=amd64&distro=debian-12&epoch=1&upstream=glibc"
        );
    }

    #[test]
    fn the_namespace_of_a_distribution_is_its_vendor() {
        let url = |kind: &'static str, id: &str, version: &str| {
            let package = Package {
                kind: kind.into(),
                name: "a".into(),
                version: "1-1".into(),
                ..Package::default()
            };
            let (id, version) = (id.to_owned(), version.to_owned());
            let distribution = Distribution { id, version, ..Distribution::default() };
            written(&package, Some(&distribution).filter(|found| !found.id.is_empty()))
        };
        assert_eq!(url("rpm", "rhel", "9.4"), "pkg:rpm/redhat/a@1-1?distro=rhel-9.4");
        let leap = "pkg:rpm/opensuse/a@1-1?distro=opensuse-leap-15.6";
        assert_eq!(url("rpm", "opensuse-leap", "15.6"), leap);
        assert_eq!(url("rpm", "sles", "15.5"), "pkg:rpm/suse/a@1-1?distro=sles-15.5");
        assert_eq!(url("alpm", "arch", ""), "pkg:alpm/arch/a@1-1?distro=arch");
        assert_eq!(url("alpm", "", ""), "pkg:alpm/arch/a@1-1");
        assert_eq!(url("opkg", "openwrt", "23.05"), "pkg:opkg/openwrt/a@1-1?distro=openwrt-23.05");
    }
}
