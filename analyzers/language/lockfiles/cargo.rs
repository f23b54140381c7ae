//! `Cargo.lock`: a TOML table `package` for each crate.
//! <https://doc.rust-lang.org/cargo/guide/cargo-toml-vs-cargo-lock.html>

use super::{Locked, poetry::table};
use crate::Result;
use crate::parse::json;

pub(super) fn read(text: &str, out: &mut Locked<'_>) -> Result<()> {
    let document = table(text)?;
    for entry in json::list(&document, "package") {
        if let (Some(name), Some(version)) =
            (json::text(entry, "name"), json::text(entry, "version"))
        {
            // A member of the workspace or a path: what comes from elsewhere says from where.
            match entry.get("source") {
                Some(_) => out.add(name, version),
                None => out.add_local(name, version),
            }
        }
    }
    Ok(())
}
