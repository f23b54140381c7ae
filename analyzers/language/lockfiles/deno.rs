//! `deno.lock`: JSON, with objects `npm` and `jsr` from `name@version` (and `_` with peers),
//! in version 3 below `packages`, in version 2 `npm.packages`.
//! <https://docs.deno.com/runtime/fundamentals/modules/#integrity-checking-and-lock-files>

use super::{Locked, yarn::name_and_range};
use crate::Result;
use crate::parse::json;

pub(super) fn read(text: &str, out: &mut Locked<'_>) -> Result<()> {
    let document = json::parse(text.as_bytes())?;
    let parent = document.get("packages").unwrap_or(&document);
    for kind in ["npm", "jsr"] {
        let Some(listed) = parent.get(kind) else { continue };
        let listed = listed.get("packages").filter(|inner| inner.is_object()).unwrap_or(listed);
        for key in listed.as_object().into_iter().flat_map(|members| members.keys()) {
            if let Some((name, version)) = name_and_range(key) {
                let version = version.split('_').next().unwrap_or(version);
                out.state(kind, name, version, false);
            }
        }
    }
    Ok(())
}
