//! Who brought a file that a secret is in. What everyone can download is no secret of the
//! image: a file that is as its package brought it, by the digest that its manager
//! recorded. Where a file lies says nothing.

use std::collections::{HashMap, HashSet};

use inscan_analyzers::{Evidence, Package, PackageFile, Severity, path};
use inscan_facts::digest::hex;

use super::Analysis;
use crate::flatten::At;

/// Domains of those who make a distribution's packages, as they sign them.
const MAKERS: [&str; 24] = [
    "almalinux.org",
    "alpinelinux.org",
    "archlinux.org",
    "canonical.com",
    "centos.org",
    "chainguard.dev",
    "debian.net",
    "debian.org",
    "deepin.org",
    "devuan.org",
    "fedoraproject.org",
    "gentoo.org",
    "kali.org",
    "linuxmint.com",
    "mageia.org",
    "openeuler.org",
    "opensuse.org",
    "oracle.com",
    "raspberrypi.com",
    "raspbian.org",
    "redhat.com",
    "rockylinux.org",
    "suse.com",
    "ubuntu.com",
];

/// Vendors of distributions as rpm records them: what their names begin with.
const VENDORS: [&str; 18] = [
    "AlmaLinux",
    "Alibaba",
    "Amazon",
    "Anolis",
    "Azure Linux",
    "CentOS",
    "CloudLinux",
    "Fedora Project",
    "Mageia",
    "Microsoft Corporation",
    "openEuler",
    "openSUSE",
    "Oracle America",
    "Red Hat",
    "Rocky",
    "SUSE",
    "TencentOS",
    "VMware",
];

/// What a distribution writes into the versions of its updates.
const VERSION_MARKS: [&str; 5] = ["+deb", "~deb", "ubuntu", "~bpo", "+b1"];

impl Analysis<'_> {
    /// Lowers what is in files of published packages, and says whose they are.
    pub(super) fn judge_origins(&mut self) {
        let unchanged = self.unchanged_files();
        let published = self.package_directories();
        for found in &mut self.secrets {
            let Some(file) = found.path.as_deref().filter(|_| found.visible) else { continue };
            if let Some(package) = unchanged.get(file) {
                found.secret.severity = Severity::Low;
                found.origin = Some(package.clone());
            } else if found.secret.by_name
                && let Some(package) = package_of(&published, file)
            {
                // Nobody recorded digests: what has a form of its own counts.
                found.secret.severity = Severity::Low;
                found.origin = Some(package.to_owned());
            }
        }
    }

    /// Files with secrets that are as a published package recorded them, and its name.
    fn unchanged_files(&self) -> HashMap<Vec<u8>, String> {
        let paths = self.secrets.iter().filter(|found| found.visible);
        let paths: HashSet<&[u8]> = paths.filter_map(|found| found.path.as_deref()).collect();
        let names: HashSet<&[u8]> = paths.iter().map(|file| path::name(file)).collect();
        let mut entries: HashMap<At, Vec<&[u8]>> = HashMap::new();
        for file in &paths {
            if let Some((at, _)) = self.fs.find(file).and_then(|file| file.content) {
                entries.entry(at).or_default().push(file);
            }
        }
        let mut unchanged = HashMap::new();
        let packages = self.packages.iter().map(|found| &**found.package);
        for package in packages.filter(|package| is_published(package)) {
            for file in &package.files {
                if !names.contains(path::name(&file.path)) {
                    continue;
                }
                // Recorded paths may lead through links: `lib/x` where `lib` is `usr/lib`.
                let Some((at, _)) = self.fs.resolve(&file.path).and_then(|file| file.content)
                else {
                    continue;
                };
                let Some(paths) = entries.get(&at).filter(|_| self.is_as_recorded(at, file)) else {
                    continue;
                };
                for path in paths {
                    let label = format!("{} {}", package.name, package.version);
                    unchanged.entry(path.to_vec()).or_insert(label);
                }
            }
        }
        unchanged
    }

    fn is_as_recorded(&self, at: At, file: &PackageFile) -> bool {
        let (Some(recorded), Some(algorithm)) = (&file.digest, file.algorithm.as_deref()) else {
            return false;
        };
        let Some(layer) = self.layers.get(at.layer as usize) else { return false };
        let Some(digests) =
            layer.entries.get(at.entry as usize).and_then(|entry| layer.digests(entry))
        else {
            return false;
        };
        let own = match algorithm {
            "md5" => hex(&digests.md5),
            "sha1" => hex(&digests.sha1),
            "sha256" => hex(&digests.sha256),
            _ => return false,
        };
        own == *recorded
    }

    /// Directories of packages of npm, RubyGems and Composer that an index gave out. Their
    /// managers record no digests of files.
    fn package_directories(&self) -> HashMap<Vec<u8>, String> {
        let packages = self.packages.iter().map(|found| &**found.package);
        packages
            .filter_map(|package| {
                let directory = directory(package)?;
                Some((directory, format!("{} {}", package.name, package.version)))
            })
            .collect()
    }
}

/// The package whose directory a file is in: the nearest.
fn package_of<'a>(directories: &'a HashMap<Vec<u8>, String>, file: &[u8]) -> Option<&'a str> {
    let mut directory = path::parent(file);
    while !directory.is_empty() {
        if let Some(package) = directories.get(directory) {
            return Some(package);
        }
        directory = path::parent(directory);
    }
    None
}

fn directory(package: &Package) -> Option<Vec<u8>> {
    let location = &package.location[..];
    let parent = path::parent(location);
    match &*package.kind {
        "npm" if path::name(location) == b"package.json" => {
            let above = path::parent(parent);
            let is_scoped = path::name(above).starts_with(b"@");
            let modules = if is_scoped { path::parent(above) } else { above };
            (path::name(modules) == b"node_modules").then(|| parent.to_vec())
        }
        "gem" if path::name(parent) == b"specifications" => {
            let name = path::name(location).strip_suffix(b".gemspec")?;
            Some(path::join(&path::join(path::parent(parent), b"gems"), name))
        }
        "composer" if path::name(location) == b"installed.json" => {
            let vendor = path::parent(parent);
            let namespace = package.namespace.as_deref().unwrap_or_default();
            Some(path::join(&path::join(vendor, namespace.as_bytes()), package.name.as_bytes()))
        }
        _ => None,
    }
}

/// Whether everyone can have the package: made by a distribution, or installed from an
/// index. One that was built in the house, or installed from a directory, is not.
fn is_published(package: &Package) -> bool {
    let origin = package.origin.as_deref().unwrap_or_default();
    match &*package.kind {
        "deb" | "apk" | "opkg" if package.evidence == Evidence::InstalledDb => {
            is_of_maker(origin) || VERSION_MARKS.iter().any(|mark| package.version.contains(mark))
        }
        "rpm" => VENDORS.iter().any(|vendor| {
            origin.get(..vendor.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(vendor))
        }),
        "pypi" => {
            let attributes = &package.attributes;
            !attributes.contains_key("direct-url") && !attributes.contains_key("editable")
        }
        _ => false,
    }
}

/// `Debian Team <team@lists.debian.org>`.
fn is_of_maker(maintainer: &str) -> bool {
    let Some((_, domain)) = maintainer.trim_end().trim_end_matches('>').rsplit_once('@') else {
        return false;
    };
    MAKERS.iter().any(|maker| {
        let before = domain.strip_suffix(maker);
        before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    #[track_caller]
    fn check(kind: &'static str, origin: &str, version: &str, expected: bool) {
        let package = Package {
            kind: Cow::Borrowed(kind),
            evidence: Evidence::InstalledDb,
            origin: Some(origin.to_owned()),
            version: version.to_owned(),
            ..Package::default()
        };
        assert_eq!(is_published(&package), expected, "{kind} {origin} {version}");
    }

    #[test]
    fn packages_of_distributions_are_published_and_those_of_a_house_are_not() {
        check("deb", "Java <pkg-java@lists.alioth.debian.org>", "1-1", true);
        check("deb", "Ubuntu Developers <ubuntu-devel-discuss@lists.ubuntu.com>", "1-1", true);
        check("deb", "A. Person <a@person.example>", "1-1+deb12u1", true);
        check("deb", "Example IT <it@registry.example>", "1-1", false);
        check("deb", "X <x@notdebian.org>", "1-1", false);
        check("rpm", "Red Hat, Inc.", "1-1", true);
        check("rpm", "Example Inc.", "1-1", false);
        check("pypi", "", "1", true);
    }

    #[test]
    fn directories_of_packages_are_those_that_managers_make() {
        let of = |kind: &'static str, name: &str, location: &str| {
            let kind = Cow::Borrowed(kind);
            let location = location.into();
            let package = Package { kind, name: name.into(), location, ..Package::default() };
            directory(&package).map(|it| String::from_utf8(it).unwrap())
        };
        let found = of("npm", "a", "app/node_modules/a/package.json");
        assert_eq!(found.as_deref(), Some("app/node_modules/a"));
        let found = of("npm", "b", "app/node_modules/@a/b/package.json");
        assert_eq!(found.as_deref(), Some("app/node_modules/@a/b"));
        assert_eq!(of("npm", "app", "app/package.json"), None);
        let found = of("gem", "rails", "usr/gems/specifications/rails-7.gemspec");
        assert_eq!(found.as_deref(), Some("usr/gems/gems/rails-7"));
    }
}
