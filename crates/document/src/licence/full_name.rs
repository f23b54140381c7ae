//! Licences by their full names, as poms and old manifests write them: a family, a version and
//! perhaps the short form again: `The Eclipse Public License (EPL) - v 2.0`.

use super::{gnu, identifier};

/// No name of a licence has more words.
const MAX_WORDS: usize = 20;

/// The words of its name, its short form, and what SPDX's identifiers begin with.
const FAMILIES: [(&str, &str, &str); 20] = [
    ("academic free", "afl", "AFL"),
    ("apache", "asl", "Apache"),
    ("apache public", "", "Apache"),
    ("apache software", "", "Apache"),
    ("artistic", "", "Artistic"),
    ("boost software", "bsl", "BSL"),
    ("common development and distribution", "cddl", "CDDL"),
    ("common public", "cpl", "CPL"),
    ("creative commons attribution", "", "CC-BY"),
    ("eclipse distribution", "edl", "EDL"),
    ("eclipse public", "epl", "EPL"),
    ("elastic", "", "Elastic"),
    ("european union public", "eupl", "EUPL"),
    ("gnu affero general public", "agpl", "AGPL"),
    ("gnu general public", "gpl", "GPL"),
    ("gnu lesser general public", "lgpl", "LGPL"),
    ("gnu library general public", "", "LGPL"),
    ("mozilla public", "mpl", "MPL"),
    ("universal permissive", "upl", "UPL"),
    ("zope public", "zpl", "ZPL"),
];
/// Words that say nothing of which licence it is.
const FILLERS: [&str; 12] = [
    "-",
    "february",
    "international",
    "january",
    "june",
    "licence",
    "license",
    "november",
    "the",
    "v",
    "v.",
    "version",
];

/// `None` where it is not one licence for certain: without a version, or with two.
pub(super) fn licence(lower: &str) -> Option<String> {
    let name = Name::read(lower)?;
    let (.., stem) = FAMILIES.iter().find(|(words, short, _)| {
        let is_named = name.words.is_empty() || *words == name.words;
        let is_short = name.short.is_empty() || same_family(words, short, &name.short);
        is_named && is_short && !(name.words.is_empty() && name.short.is_empty())
    })?;
    let version = name.version?;
    if stem.ends_with("GPL") {
        // Distributions have rules of their own for these short forms.
        if name.words.is_empty() {
            return None;
        }
        return gnu(&format!("{stem}-{version}{}", if name.or_later { "+" } else { "" })
            .to_ascii_lowercase());
    }
    if name.or_later {
        return None;
    }
    if *stem == "EDL" {
        return (version == "1.0").then(|| "BSD-3-Clause".to_owned());
    }
    let id = |version: &str| identifier(&format!("{stem}-{version}").to_ascii_lowercase());
    id(&version).or_else(|| id(&format!("{version}.0")))
}

/// Some families have a second name: `gnu library general public license (lgpl)`.
fn same_family(words: &str, short: &str, stated: &str) -> bool {
    let stem = |of: &str| FAMILIES.iter().find(|(_, it, _)| *it == of).map(|(.., stem)| *stem);
    let own = FAMILIES.iter().find(|(it, ..)| *it == words).map(|(.., stem)| *stem);
    short == stated || (stem(stated).is_some() && stem(stated) == own)
}

#[derive(Default)]
struct Name {
    words: String,
    short: String,
    version: Option<String>,
    or_later: bool,
}

impl Name {
    fn read(lower: &str) -> Option<Self> {
        let text = lower.replace([',', '(', ')', ';'], " ");
        let words: Vec<&str> = text.split_whitespace().take(MAX_WORDS + 1).collect();
        if words.len() > MAX_WORDS {
            return None;
        }
        let mut name = Name::default();
        let mut rest = words.as_slice();
        while let [word, after @ ..] = rest {
            rest = after;
            if let ("or", ["later" | "newer", after @ ..]) = (*word, after) {
                name.or_later = true;
                rest = after;
            } else if !FILLERS.contains(word) && !is_year(word) {
                name.add(word)?;
            }
        }
        Some(name)
    }

    /// `None` where it contradicts what came before.
    fn add(&mut self, word: &str) -> Option<()> {
        let (letters, number) = split(word);
        let (number, plus) = match number.strip_suffix('+') {
            Some(number) => (number, true),
            None => (number, false),
        };
        let is_short = FAMILIES.iter().any(|(_, short, _)| !short.is_empty() && *short == letters);
        if !is_short && !letters.is_empty() {
            self.words = format!("{} {word}", self.words).trim_start().to_owned();
            return Some(());
        }
        if is_short {
            if !self.short.is_empty() && self.short != letters {
                return None;
            }
            letters.clone_into(&mut self.short);
        }
        self.or_later |= plus;
        if !number.is_empty() {
            let is_same = |it: &String| it.trim_end_matches(".0") == number.trim_end_matches(".0");
            if !self.version.as_ref().is_none_or(is_same) {
                return None;
            }
            self.version.get_or_insert_with(|| number.to_owned());
        }
        Some(())
    }
}

/// `epl` and `2.0` of `epl-2.0`, `gpl` and `2+` of `gplv2+`; no number where there is none.
fn split(word: &str) -> (&str, &str) {
    let Some(at) = word.find(|it: char| it.is_ascii_digit()) else { return (word, "") };
    let (letters, number) = word.split_at(at);
    let is_number = number
        .trim_end_matches('+')
        .split('.')
        .all(|part| !part.is_empty() && part.bytes().all(|it| it.is_ascii_digit()));
    let letters = letters.strip_suffix('v').unwrap_or(letters);
    if is_number { (letters.strip_suffix('-').unwrap_or(letters), number) } else { (word, "") }
}

fn is_year(word: &str) -> bool {
    word.len() == 4
        && (word.starts_with("19") || word.starts_with("20"))
        && word.bytes().all(|it| it.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_names_are_a_family_and_a_version() {
        for (name, expected) in [
            ("eclipse public license v. 2.0", Some("EPL-2.0")),
            ("eclipse public license - version 1.0", Some("EPL-1.0")),
            ("the eclipse public license (epl), version 2.0 (epl-2.0)", Some("EPL-2.0")),
            ("apache software license - version 2", Some("Apache-2.0")),
            ("aslv2", Some("Apache-2.0")),
            ("mozilla public license 1.1 (mpl 1.1)", Some("MPL-1.1")),
            ("gnu lesser general public license version 2.1, february 1999", Some("LGPL-2.1-only")),
            ("gnu library general public license v2.1 or later", Some("LGPL-2.1-or-later")),
            ("gnu general public license v3 or later (gplv3+)", Some("GPL-3.0-or-later")),
            ("common development and distribution license (cddl) version 1.0", Some("CDDL-1.0")),
            ("eclipse distribution license - v 1.0", Some("BSD-3-Clause")),
            ("universal permissive license v 1.0", Some("UPL-1.0")),
            ("creative commons attribution 4.0 international license", Some("CC-BY-4.0")),
            ("artistic license 2.0", Some("Artistic-2.0")),
            ("zpl 2.1", Some("ZPL-2.1")),
            ("epl 1.0", Some("EPL-1.0")),
            ("lgplv2+", None),
            ("apache license", None),
            ("eclipse public license 1.0 2.0", None),
            ("mpl 2.0 epl 1.0", None),
            ("eclipse public license (mpl 2.0)", None),
            ("gnu general public license v2 with foss exception", None),
            ("apache license 2.0 without clause 4", None),
            ("license 2.0", None),
            ("", None),
        ] {
            assert_eq!(licence(name).as_deref(), expected, "{name}");
        }
    }
}
