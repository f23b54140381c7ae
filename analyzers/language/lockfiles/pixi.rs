//! `pixi.lock`: YAML as pixi writes it, below `packages:` an entry `- conda: ADDRESS` or
//! `- pypi: ADDRESS` for each, before version 6 `- kind: conda`; fields stand below it. A conda
//! package's address ends with `NAME-VERSION-BUILD`. <https://pixi.sh/latest/workspace/lockfile/>

use super::Locked;
use super::conda_lock::field;
use crate::Result;

pub(super) fn read(text: &str, out: &mut Locked<'_>) -> Result<()> {
    let mut is_packages = false;
    let mut open = Entry::default();
    for line in text.lines().chain(["end:"]) {
        let content = line.trim_start();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let entry = line.strip_prefix("- ");
        if entry.is_some() || !line.starts_with(' ') {
            std::mem::take(&mut open).state(out);
        }
        match entry.or_else(|| line.strip_prefix("  ")) {
            Some(line) if is_packages => open.add(line),
            Some(_) => {}
            None => is_packages = line.trim_end() == "packages:",
        }
    }
    Ok(())
}

#[derive(Default)]
struct Entry<'a> {
    /// `conda` or `pypi`.
    kind: &'a str,
    address: &'a str,
    name: Option<&'a str>,
    version: Option<&'a str>,
}

impl<'a> Entry<'a> {
    fn add(&mut self, line: &'a str) {
        match field(line) {
            Some((kind @ ("conda" | "pypi"), address)) if self.kind.is_empty() => {
                (self.kind, self.address) = (kind, address);
            }
            Some(("kind", kind)) => self.kind = kind,
            Some(("url" | "path", address)) => self.address = address,
            Some(("name", name)) => self.name = Some(name),
            Some(("version", version)) => self.version = Some(version),
            _ => {}
        }
    }

    fn state(&self, out: &mut Locked<'_>) {
        let of_address = || {
            let file = self.address.rsplit('/').next()?;
            let stem = file.strip_suffix(".conda").or_else(|| file.strip_suffix(".tar.bz2"))?;
            let (stem, _build) = stem.rsplit_once('-')?;
            stem.rsplit_once('-')
        };
        match (self.kind, self.name.zip(self.version)) {
            ("conda", stated) => {
                if let Some((name, version)) = stated.or_else(of_address) {
                    out.state("conda", name, version, false);
                }
            }
            // The project itself is at `.`, as pixi leaves it.
            ("pypi", _) if matches!(self.address, "." | "./") => {}
            ("pypi", _) => {
                let (name, version) = (self.name.unwrap_or_default(), self.version);
                match self.address.contains("://") {
                    true => out.state("pypi", name, version.unwrap_or_default(), false),
                    false => out.local("pypi", name, version.unwrap_or_default()),
                }
            }
            _ => {}
        }
    }
}
