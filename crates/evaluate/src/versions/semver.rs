//! Semantic versions, <https://semver.org>, and how the ecosystems that took them
//! up read them.

use std::cmp::Ordering;

use super::digits;

pub(super) struct Version<'a> {
    pub(super) numbers: Vec<&'a str>,
    /// Empty: a release.
    pub(super) pre: Vec<&'a str>,
    build: Vec<&'a str>,
}

/// Precedence: the build is no part of it.
pub(super) fn order(a: &Version, b: &Version) -> Ordering {
    order_numbers(&a.numbers, &b.numbers).then_with(|| order_pre(&a.pre, &b.pre))
}

/// A release comes after all its pre-releases.
pub(super) fn order_pre(a: &[&str], b: &[&str]) -> Ordering {
    match (a.is_empty(), b.is_empty()) {
        (false, false) => order_identifiers(a, b),
        (release_a, release_b) => release_a.cmp(&release_b),
    }
}

/// Pub orders by the build too, <https://pub.dev/packages/pub_semver>.
pub(super) fn order_with_build(a: &Version, b: &Version) -> Ordering {
    order(a, b).then_with(|| order_identifiers(&a.build, &b.build))
}

/// Parts that are not there are zero.
fn order_numbers(a: &[&str], b: &[&str]) -> Ordering {
    fn part<'a>(numbers: &[&'a str], at: usize) -> &'a [u8] {
        numbers.get(at).copied().unwrap_or_default().as_bytes()
    }
    (0..a.len().max(b.len()))
        .map(|at| digits::order(part(a, at), part(b, at)))
        .find(|found| found.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// Numbers by value and before words; of two that are alike so far, the longer is later.
fn order_identifiers(a: &[&str], b: &[&str]) -> Ordering {
    let one = |(a, b): (&&str, &&str)| match (digits::is_number(a), digits::is_number(b)) {
        (true, true) => digits::order(a.as_bytes(), b.as_bytes()),
        (false, false) => a.cmp(b),
        (number_a, number_b) => number_b.cmp(&number_a),
    };
    a.iter().zip(b).map(one).find(|found| found.is_ne()).unwrap_or_else(|| a.len().cmp(&b.len()))
}

/// By the letter of the specification: Hex.
pub(super) fn read_strict(text: &str) -> Result<Version<'_>, &'static str> {
    read(text, &Rules { least: 3, most: 3, zeros: false })
}

/// Cargo. A version of fewer than three parts is none of a crate, but stands in requirements
/// and so in advisories.
pub(super) fn read_cargo(text: &str) -> Result<Version<'_>, &'static str> {
    read(text, &Rules { least: 1, most: 3, zeros: false })
}

/// What npm calls loose, <https://github.com/npm/node-semver#readme>, and versions of fewer
/// parts, which stand in ranges and so in advisories.
pub(super) fn read_npm(text: &str) -> Result<Version<'_>, &'static str> {
    let is_blank = |char: char| char.is_ascii_whitespace();
    let text = text
        .trim_matches(is_blank)
        .trim_start_matches(|char| is_blank(char) || matches!(char, 'v' | '='));
    read(text, &Rules { least: 1, most: 3, zeros: true })
}

/// Modules (`v1.2.3`, `v2.0.0+incompatible`, pseudo-versions), <https://go.dev/ref/mod#versions>,
/// and Go itself (`go1.21.3`, `go1.21rc1`), as its vulnerability database numbers it: 1.21.0-rc.1.
pub(super) fn read_go(text: &str) -> Result<Version<'_>, &'static str> {
    let rules = Rules { least: 1, most: 3, zeros: false };
    let toolchain = text.strip_prefix("go");
    let text = toolchain.unwrap_or_else(|| text.strip_prefix('v').unwrap_or(text));
    // `go1.21.3 X:experiment`, `go1.21.3-of-someone`: a rebuild of that Go.
    let end = text.find([' ', '-', '+']).filter(|_| toolchain.is_some());
    let text = &text[..end.unwrap_or(text.len())];
    for stage in ["rc", "beta"] {
        if let Some((numbers, number)) = text.split_once(stage)
            && digits::is_number(number)
            && !numbers.contains(['-', '+'])
        {
            return Ok(Version { pre: vec![stage, number], ..read(numbers, &rules)? });
        }
    }
    read(text, &rules)
}

/// For ecosystems whose tools take what they get: a leading `v`, any number of parts.
pub(super) fn read_lenient(text: &str) -> Result<Version<'_>, &'static str> {
    let text = text.strip_prefix('v').unwrap_or(text);
    read(text, &Rules { least: 1, most: usize::MAX, zeros: true })
}

/// Bitnami puts its own revision behind: 1.2.3-4 is the fourth build of 1.2.3, not something
/// before it. Advisories speak of upstream's versions, so the revision does not count.
pub(super) fn read_bitnami(text: &str) -> Result<Version<'_>, &'static str> {
    let mut version = read_lenient(text)?;
    if matches!(version.pre[..], [revision] if digits::is_number(revision)) {
        version.pre.clear();
    }
    Ok(version)
}

struct Rules {
    least: usize,
    most: usize,
    /// Numbers may begin with zeros, and a pre-release without its dash (`1.0.0beta`).
    zeros: bool,
}

fn read<'a>(text: &'a str, rules: &Rules) -> Result<Version<'a>, &'static str> {
    let (rest, build) =
        text.split_once('+').map_or((text, None), |(rest, build)| (rest, Some(build)));
    let end = rest.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(rest.len());
    let (numbers, pre) = rest.split_at(end);
    let numbers: Vec<&str> = numbers.split('.').collect();
    if !numbers.iter().all(|number| digits::is_number(number)) {
        return Err("it does not begin with numbers and dots");
    }
    if numbers.len() < rules.least || numbers.len() > rules.most {
        return Err("it has not the three numbers of a semantic version");
    }
    let pre = match pre.strip_prefix('-') {
        Some(pre) => identifiers(pre)?,
        None if pre.is_empty() => Vec::new(),
        None if rules.zeros => identifiers(pre)?,
        None => return Err("something follows its numbers without `-` or `+`"),
    };
    let is_padded =
        |number: &&str| number.len() > 1 && number.starts_with('0') && digits::is_number(number);
    if !rules.zeros && numbers.iter().chain(&pre).any(is_padded) {
        return Err("a number in it begins with a zero");
    }
    let build = build.map_or(Ok(Vec::new()), identifiers)?;
    Ok(Version { numbers, pre, build })
}

pub(super) fn identifiers(text: &str) -> Result<Vec<&str>, &'static str> {
    let is_one = |part: &&str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let parts: Vec<&str> = text.split('.').collect();
    if parts.iter().all(is_one) {
        Ok(parts)
    } else {
        Err("behind `-` and `+` only letters, digits and `-` may stand between dots")
    }
}
