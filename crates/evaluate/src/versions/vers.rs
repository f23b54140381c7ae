//! Ranges of any ecosystem, as CycloneDX and CSAF write them: `vers:npm/>=1.0|<1.2`.
//! <https://github.com/package-url/vers-spec>

use std::cmp::Ordering;

use inscan_facts::percent::decoded;

use super::{Scheme, against, check, of_package, plain};

/// Most constraints of a range.
const MAX_CONSTRAINTS: usize = 1000;

/// Whether a version of a package of `purl_type` is in a range; `None` where the range or the
/// version cannot be read, or where the range is one of another ecosystem.
pub(crate) fn contains(range: &str, purl_type: &str, name: &str, version: &str) -> Option<bool> {
    let (kind, constraints) = range.trim().strip_prefix("vers:")?.split_once('/')?;
    let kind = kind.to_ascii_lowercase();
    let scheme = match kind.as_str() {
        "generic" | "semver" => Scheme::Semver,
        "all" | "none" => return (constraints == "*").then_some(kind == "all"),
        kind => of_package(kind, name).filter(|it| Some(*it) == of_package(purl_type, name))?,
    };
    let version = &*plain(&kind, version);
    check(scheme, version).ok()?;
    if constraints.trim() == "*" {
        return Some(true);
    }
    let constraints = constraints.split('|').take(MAX_CONSTRAINTS);
    let constraints: Vec<(&str, String)> = constraints.map(constraint).collect::<Option<_>>()?;
    let order = |bound: &str| against(scheme, version, bound).ok();
    let mut bounds = Vec::new();
    for (operator, bound) in &constraints {
        match (*operator, order(bound)?) {
            ("=", Ordering::Equal) => return Some(true),
            ("!=", Ordering::Equal) => return Some(false),
            ("=" | "!=", _) => {}
            (operator, order) => bounds.push((operator, order)),
        }
    }
    // They are written in the order of their versions, so that one with `>` opens an interval
    // that the next with `<` closes.
    let is_above = |(operator, order): &(&str, Ordering)| match *operator {
        ">" => order.is_gt(),
        ">=" => order.is_ge(),
        _ => false,
    };
    let is_below = |(operator, order): &(&str, Ordering)| match *operator {
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        _ => false,
    };
    let first = bounds.first().is_some_and(is_below);
    let last = bounds.last().is_some_and(is_above);
    let between = bounds.windows(2).any(|pair| is_above(&pair[0]) && is_below(&pair[1]));
    Some(first || last || between)
}

/// Operator and version; a version alone is an equal one.
fn constraint(text: &str) -> Option<(&str, String)> {
    let text = text.trim();
    let operator = ["!=", "<=", ">=", "<", ">", "="].into_iter().find(|it| text.starts_with(it));
    let version = text.strip_prefix(operator.unwrap_or_default())?.trim();
    let version = decoded(version);
    (!version.is_empty()).then_some((operator.unwrap_or("="), version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_in_an_interval_or_is_named() {
        for (range, version, expected) in [
            ("vers:maven/>=2.15.0|<=2.17.1", "2.14.1", Some(false)),
            ("vers:maven/>=2.15.0|<=2.17.1", "2.17.1", Some(true)),
            ("vers:npm/<1.0|>=2.0|<3.0|4.0", "0.9.0", Some(true)),
            ("vers:npm/<1.0|>=2.0|<3.0|4.0", "1.5.0", Some(false)),
            ("vers:npm/<1.0|>=2.0|<3.0|4.0", "2.5.0", Some(true)),
            ("vers:npm/<1.0|>=2.0|<3.0|4.0", "4.0.0", Some(true)),
            ("vers:npm/>=1.0|!=1.2.0", "1.2.0", Some(false)),
            ("vers:npm/>=1.0", "7.0.0", Some(true)),
            ("vers:deb/<1%3A2.0-1", "2.5-1", Some(true)),
            ("vers:pypi/<=2.0.0", "2.0.0+cu117", Some(true)),
            ("vers:all/*", "1", Some(true)),
            ("vers:npm/*", "1.0.0", Some(true)),
            ("vers:npm/", "1.0.0", None),
            ("vers:unheard/>=1", "1", None),
            ("vers:npm/>=x", "1.0.0", None),
            (">=1.0", "1.0.0", None),
        ] {
            let kind = range.split_once('/').map_or("npm", |(kind, _)| &kind["vers:".len()..]);
            let kind = if kind == "all" { "npm" } else { kind };
            assert_eq!(contains(range, kind, "x", version), expected, "{range} {version}");
        }
        assert_eq!(contains("vers:pypi/>=1", "maven", "x", "1"), None);
        assert_eq!(contains("vers:semver/>=1", "npm", "x", "1.0.0"), Some(true));
    }
}
