//! Other systems inside an image: what `chroot`, a container in the container or an installer
//! sees as its root. Each has a package database of its own, and a distribution of its own.

use std::borrow::Cow;
use std::collections::BTreeSet;

use bstr::{BStr, BString, ByteSlice};

use crate::os::distribution;
use crate::parse::fixtures::is_fixtures;
use crate::problem::OVER_LIMIT;
use crate::{Distribution, Fact, Facts, FileInfo, Files, Result, Role, path};

/// No image that is made to be used has so many.
const MAX_SYSTEMS: usize = 64;

/// Runs `analyze` on the image, and on each system below one of its directories. `databases` are
/// paths that only a system's root has: a file, or a directory with files.
///
/// # Errors
/// Those of `analyze` for the image itself. What is wrong with another system is a problem.
pub(crate) fn each(
    image: &dyn Files,
    databases: &[&str],
    out: &mut Facts,
    analyze: impl Fn(&dyn Files, &mut Facts) -> Result<()>,
) -> Result<()> {
    let wanted = image.wanted();
    let roots = roots(image, &wanted, databases);
    if roots.is_empty() {
        return analyze(image, out);
    }
    let system = |root| System { image, wanted: &wanted, root, others: &roots };
    analyze(&system(BStr::new("")), out)?;
    for (number, root) in roots.iter().enumerate() {
        if number == MAX_SYSTEMS {
            let message = format!("more than {MAX_SYSTEMS} systems are in the image");
            out.hidden(root.clone(), OVER_LIMIT, message);
            break;
        }
        let (facts, problems) = (out.facts.len(), out.problems.len());
        let system = system(root.as_bstr());
        if let Err(error) = analyze(&system, out) {
            out.hidden_here(crate::problem::MALFORMED, error);
        }
        let distribution = distribution::find(&system, &mut Facts::default());
        let distribution = distribution.unwrap_or_default();
        // The legacy part tells of the image's own system.
        let found: Vec<Fact> = out.facts.drain(facts..).collect();
        let found = found.into_iter().filter(|fact| !matches!(fact, Fact::Legacy(_)));
        out.facts.extend(found.map(|fact| of_system(fact, root, &distribution)));
        for problem in &mut out.problems[problems..] {
            let place = problem.path.take().map(|path| path::join(root, &path).into());
            problem.path = Some(place.unwrap_or_else(|| root.clone()));
        }
    }
    Ok(())
}

/// Directories that are the root of a system, in order.
fn roots(image: &dyn Files, wanted: &[FileInfo], databases: &[&str]) -> BTreeSet<BString> {
    let root_of = |file: &FileInfo| {
        let roots = databases.iter().filter_map(|database| {
            let is_whole = |at: &usize| {
                let rest = &file.path[at + database.len()..];
                let begins = *at == 0 || file.path[at - 1] == b'/';
                begins && (rest.is_empty() || rest.starts_with(b"/"))
            };
            file.path.find_iter(database).find(is_whole)
        });
        // `usr/lib/apk/db` is not the `lib/apk/db` of a system in `usr`.
        let root = roots.min().filter(|at| *at > 0)?;
        Some(BString::from(&file.path[..root - 1]))
    };
    // A name that leads through a link is another name of what is listed anyway.
    let is_itself = |file: &FileInfo| image.get(&file.path).is_some_and(|it| it.path == file.path);
    let found = wanted.iter().filter_map(|file| Some((file, root_of(file)?)));
    found.filter(|(file, _)| is_itself(file)).map(|(_, root)| root).collect()
}

fn of_system(fact: Fact, root: &BString, distribution: &Distribution) -> Fact {
    match fact {
        Fact::Package(mut package) => {
            package.location = path::join(root, &package.location).into();
            for file in &mut package.files {
                file.path = path::join(root, &file.path).into();
            }
            package.distribution = Some(distribution.clone());
            if path::parts(root).any(is_fixtures) {
                package.role = Some(Role::Fixture);
            }
            Fact::Package(package)
        }
        other => other,
    }
}

/// The files of one system, by the names that they have in it.
struct System<'a> {
    image: &'a dyn Files,
    wanted: &'a [FileInfo],
    /// Empty for the image itself.
    root: &'a BStr,
    others: &'a BTreeSet<BString>,
}

impl System<'_> {
    fn outside(&self, path: &[u8]) -> Vec<u8> {
        path::join(self.root, path)
    }

    /// `None` where it lies in another system, as what an absolute link inside leads to.
    fn inside(&self, file: FileInfo) -> Option<FileInfo> {
        let path = below(self.root, &file.path)?;
        Some(FileInfo { path: path.into(), ..file })
    }

    /// Whether no other system below this one has the file.
    fn is_own(&self, path: &[u8]) -> bool {
        let mut others = self.others.iter().filter(|other| **other != self.root);
        let is_deeper = |other: &BString| below(self.root, other).is_some();
        !others.any(|other| is_deeper(other) && below(other.as_bstr(), path).is_some())
    }
}

/// The rest of a path below a directory.
fn below<'p>(root: &BStr, path: &'p [u8]) -> Option<&'p [u8]> {
    match root.is_empty() {
        true => Some(path),
        false => path.strip_prefix(root.as_bytes())?.strip_prefix(b"/"),
    }
}

impl Files for System<'_> {
    fn get(&self, path: &[u8]) -> Option<FileInfo> {
        self.inside(self.image.get(&self.outside(path))?)
    }

    fn entry(&self, path: &[u8]) -> Option<FileInfo> {
        self.inside(self.image.entry(&self.outside(path))?)
    }

    fn read(&self, path: &[u8]) -> Result<Option<Cow<'_, [u8]>>> {
        match self.root.is_empty() || self.get(path).is_some() {
            true => self.image.read(&self.outside(path)),
            false => Ok(None),
        }
    }

    fn wanted(&self) -> Vec<FileInfo> {
        let own = self.wanted.iter().filter(|file| self.is_own(&file.path));
        own.cloned().filter_map(|file| self.inside(file)).collect()
    }

    fn list(&self, directory: &[u8]) -> Vec<BString> {
        self.image.list(&self.outside(directory))
    }

    fn facts(&self, path: &[u8]) -> &[Fact] {
        self.image.facts(&self.outside(path))
    }
}

#[cfg(test)]
mod tests {
    use crate::os::{apk::Apk, dpkg::Dpkg};
    use crate::testing::Image;
    use crate::{Analyzer, Facts};

    const STATUS: &str = "Package: bash\nStatus: install ok installed\nVersion: 5.2\n";

    fn check(analyzer: &dyn Analyzer, image: Image, expected: &[(&str, &str)]) -> Facts {
        let facts = image.run(analyzer);
        let found: Vec<_> = facts
            .packages()
            .map(|package| {
                let release = package.distribution.as_ref();
                let release =
                    release.map_or("the image's".into(), |it| format!("{} {}", it.id, it.version));
                (package.location.to_string(), release)
            })
            .collect();
        let found: Vec<_> = found.iter().map(|(place, release)| (&**place, &**release)).collect();
        assert_eq!(found, expected);
        facts
    }

    #[test]
    fn each_system_has_its_own_distribution_and_files() {
        let image = Image::new([
            ("etc/os-release", "ID=debian\nVERSION_ID=12\n"),
            ("var/lib/dpkg/status", STATUS),
            ("srv/jail/etc/os-release", "ID=debian\nVERSION_ID=11\n"),
            ("srv/jail/var/lib/dpkg/status", STATUS),
            ("srv/jail/var/lib/dpkg/info/bash.list", "/bin\n/bin/bash\n"),
            ("srv/jail/bin/bash", ""),
            ("srv/jail/opt/inner/var/lib/dpkg/status.d/bash", STATUS),
        ]);
        let expected = [
            ("var/lib/dpkg/status", "the image's"),
            ("srv/jail/var/lib/dpkg/status", "debian 11"),
            ("srv/jail/opt/inner/var/lib/dpkg/status.d/bash", " "),
        ];
        let facts = check(&Dpkg, image, &expected);
        let jailed = facts.packages().nth(1).unwrap();
        assert_eq!(jailed.files[1].path, "srv/jail/bin/bash");
        assert_eq!(facts.packages().next().unwrap().files, []);
    }

    #[test]
    fn what_a_link_leads_to_is_listed_once() {
        let image = Image::new([("lib/apk/db/installed", "P:musl\nV:1.2\n\n")])
            .symlink("host", "/")
            .symlink("srv/jail/etc/os-release", "/etc/os-release");
        check(&Apk, image, &[("lib/apk/db/installed", "the image's")]);
    }

    #[test]
    fn a_system_among_tests_is_a_fixture() {
        let image = Image::new([("app/tests/data/lib/apk/db/installed", "P:musl\nV:1.2\n\n")]);
        let facts = check(&Apk, image, &[("app/tests/data/lib/apk/db/installed", " ")]);
        assert_eq!(facts.packages().next().unwrap().role, Some(crate::Role::Fixture));
    }
}
