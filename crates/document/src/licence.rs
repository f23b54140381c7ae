//! Licences as SPDX expressions (<https://spdx.github.io/spdx-spec/v3.0.1/annexes/spdx-license-expressions/>).
//!
//! Only what is certain: a statement counts when each of its parts is a name
//! that means one licence and no other. `BSD`, `GPL` and `Apache` do not, and a
//! list with commas does not say whether all hold or one may be chosen.

mod full_name;
mod r;

use std::fmt::Write;

/// No statement with more words than this is read: longer ones are prose.
const MAX_WORDS: usize = 40;

/// The SPDX expressions among the statements, in order, each once.
pub fn expressions(stated: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for one in stated.iter().filter_map(|one| expression(one)) {
        if !found.contains(&one) {
            found.push(one);
        }
    }
    found
}

/// `GPL-2+ or Artistic-2.0` → `GPL-2.0-or-later OR Artistic-2.0`.
pub fn expression(stated: &str) -> Option<String> {
    // OSGi adds parameters: `Apache-2.0;link="https://…"`.
    let stated = stated.split(";link=").next()?.split(";description=").next()?.trim();
    if let Some(name) = one_licence(stated).or_else(|| r::expression(stated)) {
        return Some(name);
    }
    let spaced = stated.replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    if words.len() > MAX_WORDS {
        return None;
    }
    let text = words
        .split_inclusive(|word| operator(word).is_some())
        .map(operand)
        .collect::<Option<Vec<_>>>()?
        .join(" ");
    let text = text.replace("( ", "(").replace(" )", ")");
    spdx::Expression::parse(&text).ok()?;
    Some(text)
}

/// Words up to an operator, and the operator.
fn operand(words: &[&str]) -> Option<String> {
    let (words, operator) = match words.split_last() {
        Some((last, before)) if operator(last).is_some() => (before, operator(last)),
        _ => (words, None),
    };
    let opening = words.iter().take_while(|word| **word == "(").count();
    let closing = words[opening..].iter().rev().take_while(|word| **word == ")").count();
    let name = words[opening..words.len() - closing].join(" ");
    let mut text = "( ".repeat(opening);
    match spdx::exception_id(&name) {
        Some(exception) => text.push_str(exception.name),
        None => text.push_str(&one_licence(&name)?),
    }
    text.push_str(&" )".repeat(closing));
    if let Some(operator) = operator {
        write!(text, " {operator}").ok()?;
    }
    Some(text)
}

fn operator(word: &str) -> Option<&'static str> {
    ["AND", "OR", "WITH"].into_iter().find(|operator| word.eq_ignore_ascii_case(operator))
}

/// The identifier of what one licence is called.
fn one_licence(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    if let Some((_, id)) = ALIASES.iter().find(|(alias, _)| *alias == lower) {
        return Some((*id).to_owned());
    }
    gnu(&lower)
        .or_else(|| by_address(&lower))
        .or_else(|| identifier(&lower))
        .or_else(|| creative_commons(&lower))
        .or_else(|| full_name::licence(&lower))
}

/// `CC BY-SA 4.0`, as R writes it.
fn creative_commons(lower: &str) -> Option<String> {
    lower.strip_prefix("cc ").and_then(|_| identifier(&lower.replace(' ', "-")))
}

/// SPDX's own identifiers, in any case. Those it gave up for clearer ones are written as these.
fn identifier(lower: &str) -> Option<String> {
    let known = spdx::identifiers::LICENSES.iter().find(|id| id.name.eq_ignore_ascii_case(lower));
    let known = known.and_then(|listed| spdx::license_id(listed.name));
    known.filter(|id| !id.is_deprecated() && id.name != "NOASSERTION").map(|id| id.name.to_owned())
}

/// Debian's `GPL-2+`, Fedora's `GPLv3+`, SPDX's older `LGPL-2.1+`. A bare number
/// is that version and no other. `LGPLv2` is left: Fedora has it for 2.1 as well.
fn gnu(lower: &str) -> Option<String> {
    let families = [("agpl", "AGPL"), ("lgpl", "LGPL"), ("gpl", "GPL"), ("gfdl", "GFDL")];
    let (family, rest) = families
        .into_iter()
        .find_map(|(start, family)| Some((family, lower.strip_prefix(start)?)))?;
    let (or_later, version) = match rest.strip_suffix('+') {
        Some(version) => (true, version),
        None => (false, rest),
    };
    let is_fedoras = version.starts_with('v');
    let version = version.strip_prefix(['-', 'v'])?;
    let version = version.strip_suffix(".0").unwrap_or(version);
    let version = match (family, version) {
        ("LGPL", "2") if is_fedoras => return None,
        ("GPL", "1" | "2" | "3") | ("LGPL", "2" | "3") | ("AGPL", "3") => format!("{version}.0"),
        ("LGPL", "2.1") | ("GFDL", "1.1" | "1.2" | "1.3") => version.to_owned(),
        _ => return None,
    };
    Some(format!("{family}-{version}-{}", if or_later { "or-later" } else { "only" }))
}

/// Where a licence's text lies: its owner's own page, SPDX's or the Open Source Initiative's.
fn by_address(lower: &str) -> Option<String> {
    let address = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://"))?;
    let address = address.strip_prefix("www.").unwrap_or(address).trim_end_matches('/');
    let page = [".txt", ".html", ".php"].iter().find_map(|end| address.strip_suffix(end));
    let page = page.unwrap_or(address);
    if let Some((_, id)) = PAGES.iter().find(|(known, _)| *known == page) {
        return Some((*id).to_owned());
    }
    let lists = ["spdx.org/licenses/", "opensource.org/licenses/", "opensource.org/license/"];
    identifier(lists.iter().find_map(|list| page.strip_prefix(list))?)
}

const ALIASES: &[(&str, &str)] = &[
    ("apache 2", "Apache-2.0"),
    ("apache 2.0", "Apache-2.0"),
    ("apache license 2.0", "Apache-2.0"),
    ("apache license, version 2.0", "Apache-2.0"),
    ("apache license version 2.0", "Apache-2.0"),
    ("apache software license 2.0", "Apache-2.0"),
    ("apache v2", "Apache-2.0"),
    ("apache-2", "Apache-2.0"),
    ("apache2", "Apache-2.0"),
    ("asl 2.0", "Apache-2.0"),
    ("the apache license, version 2.0", "Apache-2.0"),
    ("the apache software license, version 2.0", "Apache-2.0"),
    ("2-clause bsd license", "BSD-2-Clause"),
    ("bsd 2-clause", "BSD-2-Clause"),
    ("bsd 2-clause license", "BSD-2-Clause"),
    ("simplified bsd", "BSD-2-Clause"),
    ("simplified bsd license", "BSD-2-Clause"),
    ("3-clause bsd", "BSD-3-Clause"),
    ("3-clause bsd license", "BSD-3-Clause"),
    ("bsd 3-clause", "BSD-3-Clause"),
    ("bsd 3-clause license", "BSD-3-Clause"),
    ("bsd 3-clause license (revised)", "BSD-3-Clause"),
    ("bsd 3-clause new license", "BSD-3-Clause"),
    ("modified bsd", "BSD-3-Clause"),
    ("modified bsd license", "BSD-3-Clause"),
    ("new bsd", "BSD-3-Clause"),
    ("new bsd license", "BSD-3-Clause"),
    ("revised bsd", "BSD-3-Clause"),
    ("revised bsd license", "BSD-3-Clause"),
    ("the bsd 3-clause license", "BSD-3-Clause"),
    ("the new bsd license", "BSD-3-Clause"),
    ("boost software license 1.0 (bsl-1.0)", "BSL-1.0"),
    ("cc0", "CC0-1.0"),
    ("cc0 1.0 universal (cc0 1.0) public domain dedication", "CC0-1.0"),
    ("eclipse public license 2.0 (epl-2.0)", "EPL-2.0"),
    ("gnu affero general public license v3", "AGPL-3.0-only"),
    ("gnu affero general public license v3 or later (agplv3+)", "AGPL-3.0-or-later"),
    ("gnu general public license v2 (gplv2)", "GPL-2.0-only"),
    ("gnu general public license v2 or later (gplv2+)", "GPL-2.0-or-later"),
    ("gnu general public license v3 (gplv3)", "GPL-3.0-only"),
    ("gnu general public license v3 or later (gplv3+)", "GPL-3.0-or-later"),
    ("gnu lesser general public license v3 (lgplv3)", "LGPL-3.0-only"),
    ("gnu lesser general public license v3 or later (lgplv3+)", "LGPL-3.0-or-later"),
    ("gfdl-niv-1.2+", "GFDL-1.2-no-invariants-or-later"),
    ("gfdl-niv-1.3", "GFDL-1.3-no-invariants-only"),
    ("gfdl-niv-1.3+", "GFDL-1.3-no-invariants-or-later"),
    ("gpl-2 with classpath exception", "GPL-2.0-only WITH Classpath-exception-2.0"),
    ("gpl2 w/ cpe", "GPL-2.0-only WITH Classpath-exception-2.0"),
    ("gplv2+ce", "GPL-2.0-only WITH Classpath-exception-2.0"),
    ("gpl-2+ with autoconf exception", "GPL-2.0-or-later WITH Autoconf-exception-2.0"),
    ("gpl-2+ with bison exception", "GPL-2.0-or-later WITH Bison-exception-2.2"),
    ("gpl-2+ with texinfo exception", "GPL-2.0-or-later WITH Texinfo-exception"),
    ("gpl-3+ with autoconf exception", "GPL-3.0-or-later WITH Autoconf-exception-3.0"),
    ("gpl-3+ with bison exception", "GPL-3.0-or-later WITH Bison-exception-2.2"),
    ("historical permission notice and disclaimer (hpnd)", "HPND"),
    ("isc license", "ISC"),
    ("the json license", "JSON"),
    ("postgresql license", "PostgreSQL"),
    ("the postgresql license", "PostgreSQL"),
    ("isc license (iscl)", "ISC"),
    ("expat", "MIT"),
    ("mit license", "MIT"),
    ("mit/expat", "MIT"),
    ("the mit license", "MIT"),
    ("the mit license (mit)", "MIT"),
    ("mit no attribution license (mit-0)", "MIT-0"),
    ("mozilla public license 1.1 (mpl 1.1)", "MPL-1.1"),
    ("mozilla public license 2.0 (mpl 2.0)", "MPL-2.0"),
    ("mozilla public license, version 2.0", "MPL-2.0"),
    ("mpl 2.0", "MPL-2.0"),
    ("mplv2.0", "MPL-2.0"),
    ("the unlicense (unlicense)", "Unlicense"),
];

const PAGES: &[(&str, &str)] = &[
    ("apache.org/licenses/license-2.0", "Apache-2.0"),
    ("repository.jboss.org/licenses/apache-2.0", "Apache-2.0"),
    ("creativecommons.org/publicdomain/zero/1.0", "CC0-1.0"),
    ("eclipse.org/legal/epl-v10", "EPL-1.0"),
    ("eclipse.org/legal/epl-2.0", "EPL-2.0"),
    ("eclipse.org/legal/epl-v20", "EPL-2.0"),
    ("eclipse.org/org/documents/epl-v10", "EPL-1.0"),
    ("eclipse.org/org/documents/epl-2.0", "EPL-2.0"),
    ("eclipse.org/org/documents/epl-v20", "EPL-2.0"),
    ("eclipse.org/org/documents/edl-v10", "BSD-3-Clause"),
    ("mozilla.org/mpl/1.1", "MPL-1.1"),
    ("mozilla.org/mpl/mpl-1.1", "MPL-1.1"),
    ("mozilla.org/mpl/2.0", "MPL-2.0"),
    ("mozilla.org/en-us/mpl/2.0", "MPL-2.0"),
    ("opensource.org/licenses/mit-license", "MIT"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(stated: &str, expected: &str) {
        assert_eq!(expression(stated).unwrap_or_default(), expected, "{stated}");
    }

    #[test]
    fn expressions_are_written_as_spdx_writes_them() {
        check("MIT", "MIT");
        check("mit or apache-2.0", "MIT OR Apache-2.0");
        check("(MIT OR Apache-2.0) AND Unicode-3.0", "(MIT OR Apache-2.0) AND Unicode-3.0");
        check("((MIT and ISC) or Zlib) AND (0BSD)", "((MIT AND ISC) OR Zlib) AND (0BSD)");
        check("Apache-2.0 WITH LLVM-exception", "Apache-2.0 WITH LLVM-exception");
        check("BSD-3-Clause OR GPL-2.0", "BSD-3-Clause OR GPL-2.0-only");
    }

    #[test]
    fn distributions_have_names_of_their_own() {
        check("GPL-2+", "GPL-2.0-or-later");
        check("GPL-2.0+", "GPL-2.0-or-later");
        check("GPL-2", "GPL-2.0-only");
        check("GPLv3+", "GPL-3.0-or-later");
        check("LGPL-2.1+", "LGPL-2.1-or-later");
        check("GFDL-1.3+", "GFDL-1.3-or-later");
        check("GPL-3.0-or-later", "GPL-3.0-or-later");
        check("LGPL-3+ or GPL-2+", "LGPL-3.0-or-later OR GPL-2.0-or-later");
        check("GPLv2+ and (BSD 3-Clause or Expat)", "GPL-2.0-or-later AND (BSD-3-Clause OR MIT)");
        check("GPL-2 with Classpath exception", "GPL-2.0-only WITH Classpath-exception-2.0");
    }

    #[test]
    fn prose_and_addresses_of_one_licence_are_known() {
        check("Apache License, Version 2.0", "Apache-2.0");
        check("https://www.apache.org/licenses/LICENSE-2.0.txt", "Apache-2.0");
        check("http://www.apache.org/licenses/LICENSE-2.0.txt;description=A", "Apache-2.0");
        check("BSD-3-Clause;link=https://asm.example/LICENSE.txt", "BSD-3-Clause");
        check("http://www.opensource.org/licenses/BSD-3-Clause", "BSD-3-Clause");
    }

    #[test]
    fn what_may_mean_several_licences_is_left() {
        for stated in [
            "",
            "NONE",
            "NOASSERTION",
            "BSD",
            "BSD License",
            "GPL",
            "LGPL",
            "LGPLv2+",
            "Apache",
            "Apache Software License",
            "Artistic or GPL-1+",
            "public-domain",
            "GPL-4",
            "GPL-2 GPL-3",
            "MIT, ISC",
            "MIT OR",
            "(MIT",
            "MIT)",
            ")(",
            "MIT WITH MIT",
            "Python Software Foundation License",
            "http://www.apache.org/licenses/LICENSE-2.0, https://licence.example/other",
        ] {
            check(stated, "");
        }
        check(&"MIT OR ".repeat(10_000), "");
        check(&"(".repeat(10_000), "");
    }

    #[test]
    fn every_name_in_the_tables_means_a_licence_that_spdx_has() {
        for (name, id) in ALIASES.iter().chain(PAGES) {
            assert!(spdx::Expression::parse(id).is_ok(), "{name}: {id}");
            assert_eq!(*name, name.to_ascii_lowercase());
        }
    }

    #[test]
    fn each_expression_is_told_once() {
        let stated = ["Expat", "MIT", "BSD", "GPL-2+"].map(str::to_owned);
        assert_eq!(expressions(&stated), ["MIT", "GPL-2.0-or-later"]);
    }
}
