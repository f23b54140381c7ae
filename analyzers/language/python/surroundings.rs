//! What a distribution is whose metadata lies elsewhere than in a directory of installed ones: the
//! image's own application, or a fixture of another one.

use crate::parse::fixtures::is_fixtures;
use crate::{Files, Role, path};

/// Where installers put distributions.
const INSTALLED: [&[u8]; 2] = [b"site-packages", b"dist-packages"];
/// What projects have at their roots.
const OF_PROJECTS: [&[u8]; 3] = [b"pyproject.toml", b"setup.cfg", b"setup.py"];
/// No project lies deeper below another's.
const MAX_DEPTH: usize = 40;

/// `metadata` is a directory or file of metadata, such as `a.egg-info`. `None` for ordinary ones.
pub(super) fn role(image: &dyn Files, metadata: &[u8]) -> Option<Role> {
    let has = |directory: &[u8], name: &[u8]| image.get(&path::join(directory, name)).is_some();
    let is_project = |directory: &[u8]| OF_PROJECTS.iter().any(|name| has(directory, name));
    let mut above = path::parent(metadata);
    // Building a project leaves its metadata in it. What was published has some at its root as well.
    let is_of_build = metadata.ends_with(b".egg-info");
    if is_of_build && is_project(above) && !has(above, b"PKG-INFO") {
        return Some(Role::Application);
    }
    let mut is_below_fixtures = false;
    for _ in 0..MAX_DEPTH {
        if INSTALLED.contains(&path::name(above)) || above.is_empty() {
            return (is_below_fixtures && !above.is_empty()).then_some(Role::Fixture);
        }
        if is_below_fixtures && is_project(above) {
            return Some(Role::Fixture);
        }
        is_below_fixtures |= is_fixtures(path::name(above));
        above = path::parent(above);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::Python;
    use super::*;
    use crate::testing::Image;

    #[track_caller]
    fn check(files: &[&str], expected: Option<Role>) {
        let text = "Metadata-Version: 2.1\nName: a\nVersion: 1\n";
        let found = Image::new(files.iter().map(|file| (*file, text))).run(&Python);
        let roles: Vec<_> = found.packages().map(|package| package.role).collect();
        assert_eq!(roles, [expected], "{files:?}");
    }

    #[test]
    fn what_a_project_builds_or_tests_with_is_marked() {
        check(&["srv/a/setup.py", "srv/a/a.egg-info/PKG-INFO"], Some(Role::Application));
        check(&["srv/a/pyproject.toml", "srv/a/src/tests/data/b.egg-info"], Some(Role::Fixture));
        check(&["lib/site-packages/b/tests/a-1.dist-info/METADATA"], Some(Role::Fixture));
    }

    #[test]
    fn what_is_installed_is_ordinary() {
        check(&["lib/site-packages/a-1.dist-info/METADATA"], None);
        check(&["lib/site-packages/b/_vendor/a-1.dist-info/METADATA"], None);
        check(&["srv/tests/site-packages/a-1.dist-info/METADATA"], None);
        check(&["opt/tests/a-1.dist-info/METADATA"], None);
        check(&["a-1/setup.py", "a-1/PKG-INFO", "a-1/a.egg-info/PKG-INFO"], None);
    }
}
