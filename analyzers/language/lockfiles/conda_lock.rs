//! `conda-lock.yml`: YAML as conda-lock writes it, below `package:` an entry for each package
//! and platform, with `name`, `version`, `manager` (`conda` or `pip`) and `category`.
//! <https://conda.github.io/conda-lock/output/>

use super::Locked;
use crate::Result;

pub(super) fn read(text: &str, out: &mut Locked<'_>) -> Result<()> {
    let mut is_packages = false;
    let mut open = Entry::default();
    for line in text.lines().chain(["end:"]).filter(|line| !line.is_empty()) {
        let entry = line.strip_prefix("- ");
        if entry.is_some() || !line.starts_with(' ') {
            std::mem::take(&mut open).state(out);
        }
        match entry.or_else(|| line.strip_prefix("  ")) {
            Some(line) if is_packages => match field(line) {
                Some(("name", name)) => open.name = name,
                Some(("version", version)) => open.version = version,
                Some(("manager", manager)) => open.manager = manager,
                Some(("category", category)) => open.is_dev = category != "main",
                _ => {}
            },
            Some(_) => {}
            None => is_packages = line.trim_end() == "package:",
        }
    }
    Ok(())
}

#[derive(Default)]
struct Entry<'a> {
    name: &'a str,
    version: &'a str,
    manager: &'a str,
    is_dev: bool,
}

impl Entry<'_> {
    fn state(&self, out: &mut Locked<'_>) {
        let kind = if self.manager == "pip" { "pypi" } else { "conda" };
        if !self.version.is_empty() {
            out.state(kind, self.name, self.version, self.is_dev);
        }
    }
}

/// `name: value` at the beginning of a line; deeper ones are of something else.
pub(super) fn field(line: &str) -> Option<(&str, &str)> {
    if line.starts_with([' ', '-']) {
        return None;
    }
    let (key, value) = line.split_once(':')?;
    Some((key, value.trim().trim_matches(['"', '\''])))
}
