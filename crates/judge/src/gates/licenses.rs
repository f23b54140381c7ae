//! The licences of packages. What a package states is taken word by word: the
//! engine knows no licence expressions.

use super::comparison::is_of_type;
use crate::facts::DocumentFacts;
use crate::params::Params;
use crate::spec::{Gate, Kind, Match, Param, Trigger, TriggerError};

const PACKAGE_TYPE: Param = Param::optional(
    "package_type",
    Kind::Text,
    "npm",
    "Look at packages of this type only: as in package URLs, or `os`, `non-os`, `all`",
)
.or("all");

pub(super) static GATE: Gate = Gate {
    name: "licenses",
    about: "The licences that packages state",
    triggers: &[
        Trigger {
            name: "blacklist_exact_match",
            aliases: &["denylist_exact_match"],
            about: "Fires once where packages state a forbidden licence; replace the packages, or \
                    have the licence allowed",
            params: &[
                Param::required(
                    "licenses",
                    Kind::List,
                    "GPL-2.0-only,AGPL-3.0-only",
                    "Licences as packages state them; of several words each counts by itself",
                )
                .also_called(&["licenseblacklist", "licensedenylist"]),
                PACKAGE_TYPE,
            ],
            check: None,
            fire: exact,
        },
        Trigger {
            name: "blacklist_partial_match",
            aliases: &["denylist_partial_match"],
            about: "Fires once where packages state a licence with a forbidden text in it; replace \
                    the packages, or have the licence allowed",
            params: &[
                Param::required(
                    "licenses",
                    Kind::List,
                    "GPL,CDDL",
                    "Texts in licences; capitals and small letters are different",
                )
                .also_called(&["licenseblacklist", "licensedenylist"]),
                PACKAGE_TYPE,
            ],
            check: None,
            fire: partial,
        },
    ],
};

fn exact(facts: &DocumentFacts<'_>, params: &Params) -> Result<Vec<Match>, TriggerError> {
    found(facts, params, "LICFULLMATCH", |licence, forbidden| licence == forbidden)
}

fn partial(facts: &DocumentFacts<'_>, params: &Params) -> Result<Vec<Match>, TriggerError> {
    found(facts, params, "LICSUBMATCH", |licence, forbidden| licence.contains(forbidden))
}

fn found(
    facts: &DocumentFacts<'_>,
    params: &Params,
    what: &str,
    is_forbidden: impl Fn(&str, &str) -> bool,
) -> Result<Vec<Match>, TriggerError> {
    let forbidden = params.list("licenses").unwrap_or_default();
    let mut found = Vec::new();
    let kind = params.text("package_type").unwrap_or_default();
    let packages = facts.packages()?.iter();
    for package in packages.filter(|it| is_of_type(&it.kind, it.is_of_os, kind)) {
        let licences = package.licence.split_whitespace();
        let of_package =
            licences.filter(|licence| forbidden.iter().any(|it| is_forbidden(licence, it)));
        found.extend(of_package.map(|licence| format!("{}({licence})", package.name)));
    }
    if found.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![Match::of(format!(
        "{what} Packages are installed that have blacklisted licenses: {}",
        found.join(", ")
    ))])
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::GATE;
    use crate::gates::testing::{fired, with_outputs};

    fn packages() -> Value {
        let bar = r#"{"type": "dpkg", "version": "1", "license": "GPL-2+ MIT"}"#;
        let npm = r#"{"name": "n", "versions": ["1"], "lics": ["SEE LICENSE IN X", "MIT"]}"#;
        with_outputs(&[
            ("package_list/pkgs.allinfo", json!({"bar": bar})),
            ("package_list/pkgs.npms", json!({"/x": npm})),
        ])
    }

    #[test]
    fn words_of_licences_are_listed_in_one_match() {
        for (trigger, licences, expected) in [
            ("blacklist_exact_match", "MIT, GPL", Some("bar(MIT), n(MIT)")),
            ("denylist_exact_match", "SEE", Some("n(SEE)")),
            ("blacklist_exact_match", "gpl-2+", None),
            ("blacklist_partial_match", "GPL,MI", Some("bar(GPL-2+), bar(MIT), n(MIT)")),
            ("denylist_partial_match", "gpl", None),
        ] {
            let what = if trigger.contains("exact") { "LICFULLMATCH" } else { "LICSUBMATCH" };
            let expected = expected.map(|packages| {
                format!("{what} Packages are installed that have blacklisted licenses: {packages}")
            });
            let found = fired(&GATE, trigger, &[("licenses", licences)], &packages());
            assert_eq!(found, Vec::from_iter(expected));
        }
        let of_os = [("licenses", "MIT"), ("package_type", "os")];
        let found = fired(&GATE, "blacklist_exact_match", &of_os, &packages());
        assert!(found[0].ends_with(": bar(MIT)"), "{found:?}");
    }
}
