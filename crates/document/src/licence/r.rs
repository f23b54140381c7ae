//! The syntax that R prescribes for licences: alternatives with `|` between, each a name with
//! perhaps a restriction of its version, `GPL (>= 2)`, or one of the licences in R itself.
//! <https://cran.r-project.org/doc/manuals/r-release/R-exts.html#Licensing>

use super::one_licence;

/// No package has more alternatives.
const MAX_ALTERNATIVES: usize = 8;

/// `GPL-2 | GPL-3` → `GPL-2.0-only OR GPL-3.0-only`. `None` for what is not of R's syntax
/// alone, or does not name a licence for certain.
pub(super) fn expression(stated: &str) -> Option<String> {
    if !stated.contains(['|', '+', '_', '(']) || stated.contains("||") {
        return None;
    }
    let alternatives: Vec<&str> = stated.split('|').take(MAX_ALTERNATIVES + 1).collect();
    if alternatives.len() > MAX_ALTERNATIVES {
        return None;
    }
    let mut known: Vec<String> = Vec::new();
    for alternative in alternatives {
        let one = one(alternative.trim())?;
        if !known.contains(&one) {
            known.push(one);
        }
    }
    Some(known.join(" OR "))
}

fn one(stated: &str) -> Option<String> {
    // Of these the file holds year and holder of the copyright; of others it adds conditions.
    if let Some((name, file)) = stated.split_once('+') {
        let is_file = matches!(file.trim(), "file LICENSE" | "file LICENCE");
        let name = name.trim();
        let is_template = matches!(name, "MIT" | "BSD_2_clause" | "BSD_3_clause");
        return (is_file && is_template).then(|| one(name))?;
    }
    match stated {
        "BSD_2_clause" => return Some("BSD-2-Clause".to_owned()),
        "BSD_3_clause" => return Some("BSD-3-Clause".to_owned()),
        _ => {}
    }
    let Some((name, restriction)) = stated.split_once('(') else { return one_licence(stated) };
    let restriction = restriction.strip_suffix(')')?.trim();
    let (or_later, version) = match restriction.strip_prefix(">=") {
        Some(version) => (true, version),
        None => (false, restriction.strip_prefix("==")?),
    };
    let version = version.trim();
    let later = if or_later { "+" } else { "" };
    match name.trim() {
        name @ ("GPL" | "LGPL" | "AGPL") => one_licence(&format!("{name}-{version}{later}")),
        "Apache License" if matches!(version, "2" | "2.0") => Some(format!("Apache-2.0{later}")),
        name @ ("MPL" | "EUPL" | "CeCILL" | "Artistic") => {
            let dot = if version.contains('.') { "" } else { ".0" };
            one_licence(&format!("{name}-{version}{dot}")).map(|id| id + later)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rs_syntax_names_licences_for_certain() {
        for (stated, expected) in [
            ("MIT + file LICENSE", Some("MIT")),
            ("MIT + file LICENCE", Some("MIT")),
            ("BSD_3_clause + file LICENSE", Some("BSD-3-Clause")),
            ("BSD_2_clause", Some("BSD-2-Clause")),
            ("GPL (>= 2)", Some("GPL-2.0-or-later")),
            ("GPL (>= 2.0)", Some("GPL-2.0-or-later")),
            ("GPL (== 3)", Some("GPL-3.0-only")),
            ("GPL-2 | GPL-3", Some("GPL-2.0-only OR GPL-3.0-only")),
            ("GPL-3 | MIT + file LICENSE", Some("GPL-3.0-only OR MIT")),
            ("LGPL (>= 2.1)", Some("LGPL-2.1-or-later")),
            ("AGPL (>= 3)", Some("AGPL-3.0-or-later")),
            ("Apache License (== 2.0)", Some("Apache-2.0")),
            ("Apache License (>= 2)", Some("Apache-2.0+")),
            ("MPL (>= 2.0)", Some("MPL-2.0+")),
            // Conditions that nobody here has read.
            ("GPL-3 + file LICENSE", None),
            ("MIT + file COPYING", None),
            ("GPL (>= 2) | file LICENSE", None),
            ("GPL (>= 2, < 4)", None),
            ("GPL (> 1)", None),
            ("Part of R 4.2.2", None),
            ("Unlimited", None),
            ("GPL", None),
        ] {
            assert_eq!(expression(stated).as_deref(), expected, "{stated}");
        }
    }
}
