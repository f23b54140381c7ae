//! What a package in no `node_modules` is, as only its surroundings tell: the image's own
//! application, a member of its workspace, or a fixture of it.

use super::{Place, place};
use crate::parse::fixtures::is_fixtures;
use crate::{Fact, Facts, Files, Role, path};

/// What a package manager leaves in the directory of a project, and nowhere else. A published
/// package has none of them: npm leaves them out.
const OF_PROJECTS: [&str; 9] = [
    ".pnp.cjs",
    ".pnp.js",
    "bun.lock",
    "bun.lockb",
    "deno.lock",
    "node_modules",
    "package-lock.json",
    "pnpm-lock.yaml",
    "yarn.lock",
];
/// No project lies deeper below another's.
const MAX_DEPTH: usize = 40;
/// How deep members of a workspace lie below its root: `packages/@scope/name`.
const MAX_MEMBER_DEPTH: usize = 3;
/// Where projects keep what they took from elsewhere or built.
const TAKEN: [&str; 12] = [
    "assets",
    "bower_components",
    "build",
    "dist",
    "extensions",
    "jspm_packages",
    "lib",
    "plugins",
    "public",
    "static",
    "third_party",
    "vendor",
];

/// Where images keep the application that they are of, and nothing that was published.
const OF_APPLICATIONS: [&[u8]; 7] =
    [b"app", b"application", b"backend", b"code", b"frontend", b"server", b"workspace"];

/// States the role of each package outside of `node_modules` that has one.
pub(super) fn state_roles(image: &dyn Files, out: &mut Facts) {
    for file in image.wanted() {
        if path::name(&file.path) != b"package.json" || place(&file.path) != Place::Own {
            continue;
        }
        let packages = image.facts(&file.path).iter().filter_map(Fact::package);
        for package in packages {
            let name = match &package.namespace {
                Some(scope) => format!("{scope}/{}", package.name),
                None => package.name.clone(),
            };
            if let Some(role) = role(image, &file.path, &name) {
                out.push(Fact::Role(package.location.clone(), role));
            }
        }
    }
}

fn is_project(image: &dyn Files, directory: &[u8]) -> bool {
    OF_PROJECTS.iter().any(|of| image.get(&path::join(directory, of.as_bytes())).is_some())
}

fn role(image: &dyn Files, manifest: &[u8], name: &str) -> Option<Role> {
    let directory = path::parent(manifest);
    if is_project(image, directory) || OF_APPLICATIONS.contains(&path::name(directory)) {
        return Some(Role::Application);
    }
    let mut is_below_fixtures = is_fixtures(path::name(directory));
    let mut is_taken = false;
    let mut above = directory;
    for depth in 1..=MAX_DEPTH {
        if above.is_empty() {
            return None;
        }
        is_taken |= TAKEN.iter().any(|name| name.as_bytes() == path::name(above));
        above = path::parent(above);
        // Package managers link the members of a workspace where its other packages are.
        let link = path::join(above, format!("node_modules/{name}/package.json").as_bytes());
        if image.get(&link).is_some_and(|file| file.path == manifest) {
            return Some(Role::Application);
        }
        let is_of_package = image.get(&path::join(above, b"package.json")).is_some();
        if is_below_fixtures && is_of_package {
            return Some(Role::Fixture);
        }
        // Not every package manager links them.
        if is_of_package && depth <= MAX_MEMBER_DEPTH && !is_taken && is_project(image, above) {
            return Some(Role::Application);
        }
        is_below_fixtures |= is_fixtures(path::name(above));
    }
    None
}
