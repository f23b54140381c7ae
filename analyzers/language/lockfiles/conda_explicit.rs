//! Conda's explicit lists, as `conda list --explicit` and conda-lock write them under any name: behind
//! the line `@EXPLICIT` an address a line, which ends with `NAME-VERSION-BUILD.conda` (or `.tar.bz2`)
//! and perhaps `#` and a digest.
//! <https://docs.conda.io/projects/conda/en/stable/user-guide/tasks/manage-environments.html>

use super::Locked;
use crate::Result;

/// How conda-lock calls one of them.
pub(super) const NAME: &str = "conda-linux-64.lock";
const MARK: &str = "@EXPLICIT";

/// Whether a file that begins so is one: there may be remarks before the mark.
pub(super) fn is_one(start: &[u8]) -> bool {
    let text = String::from_utf8_lossy(start);
    let is_blank = |line: &&str| line.is_empty() || line.starts_with('#');
    text.lines().map(str::trim).find(|line| !is_blank(line)) == Some(MARK)
}

pub(super) fn read(text: &str, out: &mut Locked<'_>) -> Result<()> {
    for line in text.lines().map(str::trim) {
        let address = line.split('#').next().unwrap_or_default();
        let file = address.rsplit('/').next().unwrap_or_default();
        let stem = file.strip_suffix(".conda").or_else(|| file.strip_suffix(".tar.bz2"));
        let mut parts = stem.unwrap_or_default().rsplitn(3, '-').skip(1);
        if let (Some(version), Some(name)) = (parts.next(), parts.next()) {
            out.add(name, version);
        }
    }
    Ok(())
}
