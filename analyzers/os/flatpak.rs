//! Applications and runtimes installed by Flatpak.
//!
//! Each lies in `flatpak/app/ID/ARCH/BRANCH/COMMIT` (`runtime` for what applications
//! run in), with a file `deploy` that Flatpak keeps for itself: a GVariant of the
//! type `(ssasta{sv})`, in whose dictionary are version and license as the
//! application's AppStream data has them.
//! <https://docs.flatpak.org/en/latest/under-the-hood.html>,
//! <https://docs.gtk.org/glib/gvariant-specification-1.0.html>

use std::collections::BTreeMap;

use bstr::ByteSlice;

use crate::problem::OVER_LIMIT;
use crate::{Analyzer, Content, Evidence, Facts, FileHead, Package, Pattern, Result, Want, path};

/// Some hundred bytes; the summaries in many languages make it longer.
const MAX_SIZE: u64 = 1 << 20;

pub(crate) struct Flatpak;

impl Analyzer for Flatpak {
    fn name(&self) -> &'static str {
        "flatpak"
    }

    fn about(&self) -> &'static str {
        "Applications and runtimes installed by Flatpak"
    }

    fn wants(&self) -> Vec<Want> {
        // Other software has files of this name, too.
        vec![Want::inspect_heads(Pattern::name("deploy"), MAX_SIZE)]
    }

    fn inspect(&self, file: &FileHead<'_>, content: &dyn Content, out: &mut Facts) -> Result<()> {
        let Some(deployment) = Deployment::of(file.path) else { return Ok(()) };
        if file.size > MAX_SIZE {
            out.hidden_here(OVER_LIMIT, format!("larger than {MAX_SIZE} bytes"));
            return Ok(());
        }
        let bytes = content.bytes()?;
        let stated = |key| dictionary_text(&bytes, key);
        // The branch of a runtime is its version: `23.08`.
        let branch = || (!deployment.is_app).then(|| deployment.branch.to_owned());
        out.package(Package {
            kind: "flatpak".into(),
            name: deployment.id.into(),
            version: stated("appdata-version").or_else(branch).unwrap_or_default(),
            arch: Some(deployment.arch.into()),
            licenses: stated("appdata-license").into_iter().collect(),
            evidence: Evidence::InstalledPackage,
            location: file.path.into(),
            attributes: BTreeMap::from([("branch".to_owned(), deployment.branch.to_owned())]),
            ..Package::default()
        });
        Ok(())
    }
}

/// What the path of a deployed app or runtime says.
struct Deployment<'a> {
    is_app: bool,
    id: &'a str,
    arch: &'a str,
    branch: &'a str,
}

impl<'a> Deployment<'a> {
    fn of(file: &'a [u8]) -> Option<Self> {
        let parts: Vec<&[u8]> = path::parts(file).collect();
        let [.., kind, id, arch, branch, commit, _deploy] = &parts[..] else { return None };
        let is_app = match *kind {
            b"app" => true,
            b"runtime" => false,
            _ => return None,
        };
        let is_commit = commit.len() == 64 && commit.iter().all(u8::is_ascii_hexdigit);
        let [id, arch, branch] = [id.to_str().ok()?, arch.to_str().ok()?, branch.to_str().ok()?];
        (is_commit && id.contains('.')).then_some(Deployment { is_app, id, arch, branch })
    }
}

/// The text under a key: an entry begins at a multiple of eight with its key and a
/// NUL; at the next multiple lies the value, a text with its NUL, and behind another
/// NUL its type, `s`.
fn dictionary_text(bytes: &[u8], key: &str) -> Option<String> {
    let key = [key.as_bytes(), b"\0"].concat();
    let at = bytes.find_iter(&key).find(|at| at % 8 == 0)?;
    let value = bytes.get((at + key.len()).next_multiple_of(8)..)?;
    let end = value.find_byte(0)?;
    let text = value[..end].to_str().ok()?;
    (value[end..].starts_with(b"\0\0s") && !text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Image, cut_everywhere};

    #[test]
    fn reads_what_flatpak_installed() {
        let facts = Image::fixture("flatpak").run(&Flatpak);
        assert_eq!(facts.problems, []);
        let found: Vec<_> = facts.packages().map(|it| (&*it.name, &*it.version)).collect();
        assert_eq!(found, [("org.example.Sample", "1.4.2"), ("org.example.Platform", "23.08")]);
        let app = facts.packages().next().unwrap();
        assert_eq!(app.licenses, ["GPL-3.0-or-later"]);
        assert_eq!(app.arch.as_deref(), Some("x86_64"));
        assert_eq!(app.attributes["branch"], "stable");
    }

    #[test]
    fn a_cut_file_loses_no_application() {
        cut_everywhere(&Flatpak, "flatpak");
        let commit = "0".repeat(64);
        let facts = Image::new([(format!("app/org.x.Y/arm/1/{commit}/deploy"), "")]).run(&Flatpak);
        let found: Vec<_> = facts.packages().map(|it| (&*it.name, &*it.version)).collect();
        assert_eq!(found, [("org.x.Y", "")]);
    }

    #[test]
    fn other_files_of_this_name_are_not_looked_at() {
        let facts = Image::new([("deploy", "x"), ("srv/app/x/y/z/commit/deploy", "x")]);
        assert_eq!(facts.run(&Flatpak), Facts::default());
    }
}
