//! Vulnerable packages, and the data by which they are known.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::facts::DocumentFacts;
use crate::params::Params;
use crate::spec::{Excused, Gate, Kind, Match, Param, Trigger, TriggerError};
use crate::vulnerable::listing::Which;
use crate::vulnerable::{Item, Scores, VulnerabilityList};
use inscan_evaluate::Severity;
use inscan_vulndb::Freshness;

pub(super) static GATE: Gate = Gate {
    name: "vulnerabilities",
    about: "Vulnerable packages, and the data by which they are known",
    triggers: &[
        Trigger {
            name: "package",
            aliases: &[],
            about: "Fires for each vulnerability of a package for which all that is given holds",
            params: PACKAGE,
            check: None,
            fire: package,
        },
        Trigger {
            name: "stale_feed_data",
            aliases: &[],
            about: "Fires where the data of the image's distribution is too old, or not there",
            params: &[Param {
                name: "max_days_since_sync",
                aliases: &[],
                about: "The most days that may have passed since the data was fetched",
                kind: Kind::Integer,
                required: true,
                default: None,
                example: "7",
            }],
            check: None,
            fire: stale_feed_data,
        },
        Trigger {
            name: "vulnerability_data_unavailable",
            aliases: &[],
            about: "Fires where there is no data of the image's distribution",
            params: &[],
            check: None,
            fire: vulnerability_data_unavailable,
        },
        Trigger {
            name: "blacklist",
            aliases: &["denylist"],
            about: "Fires once where any of the vulnerabilities is in the image",
            params: &[
                Param {
                    name: "vulnerability_ids",
                    aliases: &[],
                    about: "Their names, as advisories have them",
                    kind: Kind::List,
                    required: true,
                    default: None,
                    example: "CVE-2021-44228,GHSA-jfh8-c2jp-5v3q",
                },
                VENDOR_ONLY,
            ],
            check: None,
            fire: blacklist,
        },
    ],
};

const COMPARISONS: Kind = Kind::OneOf(&["=", "!=", "<", ">", "<=", ">="]);

const fn optional(name: &'static str, kind: Kind, example: &'static str) -> Param {
    Param { name, aliases: &[], about: "", kind, required: false, default: None, example }
}

const VENDOR_ONLY: Param = Param {
    about: "Leave out what the vendor will not fix",
    default: Some("true"),
    ..optional("vendor_only", Kind::Boolean, "false")
};

const fn score(name: &'static str, about: &'static str) -> Param {
    Param { about, ..optional(name, Kind::Float, "7.5") }
}

const fn comparison(name: &'static str, about: &'static str) -> Param {
    Param { about, default: Some(">="), ..optional(name, COMPARISONS, ">=") }
}

static PACKAGE: &[Param] = &[
    Param {
        about: "Packages of the distribution (`os`), of languages (`non-os`), or `all`",
        required: true,
        ..optional("package_type", Kind::OneOf(&["all", "os", "non-os"]), "all")
    },
    Param {
        about: "How the severity is compared",
        default: Some(">"),
        ..optional("severity_comparison", COMPARISONS, ">=")
    },
    Param {
        about: "The severity to compare with",
        default: Some("unknown"),
        ..optional(
            "severity",
            Kind::OneOf(&["unknown", "negligible", "low", "medium", "high", "critical"]),
            "high",
        )
    },
    score("cvss_v3_base_score", "NVD's base score (CVSS 3) to compare with"),
    comparison("cvss_v3_base_score_comparison", "How NVD's base score is compared"),
    score("cvss_v3_exploitability_score", "NVD's exploitability score to compare with"),
    comparison("cvss_v3_exploitability_score_comparison", "How that score is compared"),
    score("cvss_v3_impact_score", "NVD's impact score to compare with"),
    comparison("cvss_v3_impact_score_comparison", "How that score is compared"),
    Param {
        about: "Only what has a fix (`true`), or only what has none (`false`)",
        ..optional("fix_available", Kind::Boolean, "true")
    },
    VENDOR_ONLY,
    Param {
        about: "Only what has been known for so many days",
        ..optional("max_days_since_creation", Kind::Integer, "7")
    },
    Param {
        about: "Only what has had a fix for so many days; needs `fix_available` true",
        ..optional("max_days_since_fix", Kind::Integer, "30")
    },
    score("vendor_cvss_v3_base_score", "The advisory's own base score to compare with"),
    comparison("vendor_cvss_v3_base_score_comparison", "How that score is compared"),
    score("vendor_cvss_v3_exploitability_score", "Its exploitability score to compare with"),
    comparison("vendor_cvss_v3_exploitability_score_comparison", "How that score is compared"),
    score("vendor_cvss_v3_impact_score", "Its impact score to compare with"),
    comparison("vendor_cvss_v3_impact_score_comparison", "How that score is compared"),
];

/// The three scores: what follows `cvss_v3_` in the parameters' names.
const SCORES: [&str; 3] = ["base_score", "exploitability_score", "impact_score"];

fn known<'a>(facts: &'a DocumentFacts<'_>) -> Result<&'a VulnerabilityList, TriggerError> {
    facts.vulnerabilities().ok_or_else(|| {
        TriggerError::NotAnswerable(
            "there is no vulnerability database: `--db FILE` names one, \
             and `inscan db --help` tells how to get one"
                .to_owned(),
        )
    })
}

fn package(facts: &DocumentFacts<'_>, params: &Params) -> Result<Vec<Match>, TriggerError> {
    let vulnerable = known(facts)?;
    let which = match params.text("package_type") {
        Some("os") => Which::Os,
        Some("non-os") => Which::NonOs,
        _ => Which::All,
    };
    // Guesses by several names of one file are one match.
    let mut told = BTreeSet::new();
    let mut matches = Vec::new();
    for item in vulnerable.items.iter().filter(|item| which.holds(item)) {
        let is_again = item.cpe.is_some() && told.contains(&(&item.package.path, &item.id));
        let Some(facts) = (if is_again { None } else { holds(item, params, vulnerable.when) })
        else {
            continue;
        };
        if item.cpe.is_some() {
            told.insert((&item.package.path, &item.id));
        }
        matches.push(found(item, &facts));
    }
    Ok(matches)
}

fn found(item: &Item, facts: &str) -> Match {
    let package = &item.package;
    let (name, key) = match item.cpe {
        None => (&package.name, package.name.clone()),
        Some(_) => (&package.path, file_key(item)),
    };
    let os = if package.is_os { "os" } else { "non-os" };
    let message = format!(
        "{} Vulnerability found in {os} package type ({}) - {name} {facts}({} - {})",
        item.severity.name().to_uppercase(),
        package.kind,
        item.id,
        item.url
    );
    Match { excused: excused(item), ..Match::with_id(format!("{}+{key}", item.id), message) }
}

/// What stands for the package in the id of a guess.
fn file_key(item: &Item) -> String {
    let package = &item.package;
    let mut parts = package.path.rsplit('/');
    match package.kind.as_str() {
        "java" | "gem" => parts.next().unwrap_or_default().to_owned(),
        "npm" => parts.nth(1).unwrap_or_default().to_owned(),
        _ => format!("{}-{}", package.name, package.version),
    }
}

fn excused(item: &Item) -> Option<Excused> {
    let by = item.excused.as_ref()?;
    Some(Excused {
        list: by.source.clone().unwrap_or_default(),
        name: by.reason.clone(),
        rule: by.rule.clone(),
        notes: by.note.clone(),
    })
}

/// What is told of a vulnerability for which all conditions hold; none where one does not.
fn holds(item: &Item, params: &Params, when: Timestamp) -> Option<String> {
    let vendor_only = params.flag("vendor_only").unwrap_or(true);
    if vendor_only && item.refused {
        return None;
    }
    let severity: Severity = params.text("severity").unwrap_or("unknown").parse().ok()?;
    let how = params.text("severity_comparison").unwrap_or(">");
    if !compares(&item.severity, how, &severity) {
        return None;
    }
    let mut told = String::new();
    let fix_wanted = params.flag("fix_available");
    // A guess is about a version, and knows of no other.
    let fix = item.fix.as_ref().filter(|_| item.cpe.is_none());
    match (fix_wanted, fix) {
        (Some(true), None) | (Some(false), Some(_)) => return None,
        (Some(true), Some(fix)) => told.push_str(&format!("(fixed in: {fix})")),
        _ => {}
    }
    told.push_str(&scores("", &item.nvd, params)?);
    told.push_str(&ages(item, fix_wanted == Some(true), params, when)?);
    told.push_str(&scores("vendor_", &item.vendor, params)?);
    Some(told)
}

/// `(cvss_v3_base_score=9.8 cvss_v3_impact_score=5.9)`; none where one does not hold.
fn scores(prefix: &str, stated: &[Scores], params: &Params) -> Option<String> {
    let mut told = Vec::new();
    for (index, name) in SCORES.iter().enumerate() {
        let name = format!("{prefix}cvss_v3_{name}");
        let Some(wanted) = params.float(&name) else { continue };
        let how = params.text(&format!("{name}_comparison")).unwrap_or(">=");
        // Of several CVEs the worst.
        let worst = stated.iter().map(|scores| scores.v3[index]).fold(-1.0, f64::max);
        if !compares(&worst, how, &wanted) {
            return None;
        }
        told.push(format!("{name}={worst:?}"));
    }
    Some(in_parentheses(&told))
}

/// `(max_days_since_creation=2026-11-12)`; none where it is younger.
fn ages(item: &Item, is_fixed: bool, params: &Params, when: Timestamp) -> Option<String> {
    let fix_seen = item.fix_seen.filter(|_| is_fixed);
    let dates = [("max_days_since_creation", Some(item.created)), ("max_days_since_fix", fix_seen)];
    let mut told = Vec::new();
    for (name, date) in dates {
        let (Some(days), Some(date)) = (params.integer(name), date) else { continue };
        if !is_past(date, days, when) {
            return None;
        }
        told.push(format!("{name}={}", date.to_zoned(TimeZone::UTC).date()));
    }
    Some(in_parentheses(&told))
}

fn in_parentheses(texts: &[String]) -> String {
    if texts.is_empty() { String::new() } else { format!("({})", texts.join(" ")) }
}

/// Whether so many days have passed.
fn is_past(date: Timestamp, days: u64, when: Timestamp) -> bool {
    let days = i64::try_from(days).unwrap_or(i64::MAX).saturating_mul(24 * 3600);
    when.duration_since(date) >= SignedDuration::from_secs(days)
}

fn compares<T: PartialOrd>(a: &T, how: &str, b: &T) -> bool {
    match how {
        "=" => a == b,
        "!=" => a != b,
        "<" => a < b,
        "<=" => a <= b,
        ">=" => a >= b,
        _ => a > b,
    }
}

fn stale_feed_data(facts: &DocumentFacts<'_>, params: &Params) -> Result<Vec<Match>, TriggerError> {
    let vulnerable = known(facts)?;
    let days = params.integer("max_days_since_sync").unwrap_or_default();
    let is_stale = match vulnerable.freshness {
        Freshness::Of(day) => is_past(day, days, vulnerable.when),
        Freshness::Missing | Freshness::Never => true,
    };
    let message =
        format!("The vulnerability feed for this image distro is older than MAXAGE ({days}) days");
    Ok(is_stale.then(|| Match::of(message)).into_iter().collect())
}

fn vulnerability_data_unavailable(
    facts: &DocumentFacts<'_>,
    _: &Params,
) -> Result<Vec<Match>, TriggerError> {
    let vulnerable = known(facts)?;
    let is_missing = !matches!(vulnerable.freshness, Freshness::Of(_));
    let message = format!(
        "Feed data unavailable, cannot perform CVE scan for distro: {}",
        vulnerable.distribution
    );
    Ok(is_missing.then(|| Match::of(message)).into_iter().collect())
}

fn blacklist(facts: &DocumentFacts<'_>, params: &Params) -> Result<Vec<Match>, TriggerError> {
    let vulnerable = known(facts)?;
    let vendor_only = params.flag("vendor_only").unwrap_or(true);
    let listed: Vec<&Item> =
        vulnerable.items.iter().filter(|item| !(vendor_only && item.refused)).collect();
    let (held, excused_ones): (Vec<&Item>, Vec<&Item>) =
        listed.into_iter().partition(|item| item.excused.is_none());
    let ids = params.list("vulnerability_ids").unwrap_or_default();
    let among = |items: &[&Item]| {
        let is_there = |id: &&String| items.iter().any(|item| item.is_called(id));
        let found: Vec<String> = ids.iter().filter(is_there).map(|id| format!("'{id}'")).collect();
        let message = format!("Blacklisted vulnerabilities detected: [{}]", found.join(", "));
        (!found.is_empty()).then(|| Match::of(message))
    };
    // Of those that are excused it is told where there are no others.
    let of_excused = || {
        let one = excused_ones.iter().find(|item| ids.iter().any(|id| item.is_called(id)))?;
        Some(Match { excused: excused(one), ..among(&excused_ones)? })
    };
    Ok(among(&held).or_else(of_excused).into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vulnerable::Package;
    use inscan_evaluate::Suppression;

    fn day(text: &str) -> Timestamp {
        format!("{text}T10:00:00Z").parse().unwrap()
    }

    fn item(id: &str, severity: Severity, name: &str) -> Item {
        let is_os = !name.contains('/');
        Item {
            index: 0,
            id: id.into(),
            aliases: vec![id.into()],
            severity,
            package: Package {
                kind: if is_os { "APKG" } else { "npm" }.into(),
                is_os,
                name: name.rsplit('/').next().unwrap().into(),
                version: "1.0".into(),
                path: if is_os { "pkgdb".into() } else { format!("/{name}/package.json") },
            },
            cpe: None,
            fix: Some("2.0".into()),
            refused: false,
            url: "http://x.example".into(),
            feed: "vulnerabilities",
            group: "alpine:3.7".into(),
            nvd: vec![Scores { id: id.into(), v2: [-1.0; 3], v3: [9.8, 3.9, 5.9] }],
            vendor: Vec::new(),
            created: day("2026-11-12"),
            fix_seen: Some(day("2026-11-20")),
            excused: None,
        }
    }

    fn vulnerable(items: Vec<Item>, freshness: Freshness) -> VulnerabilityList {
        let distribution = "alpine:3.7".to_owned();
        VulnerabilityList { items, distribution, freshness, when: day("2026-11-22") }
    }

    fn fired(trigger: &str, given: &[(&str, &str)], vulnerable: &VulnerabilityList) -> Vec<Match> {
        let trigger = GATE.triggers.iter().find(|one| one.name == trigger).unwrap();
        let given: Vec<_> =
            given.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let params = Params::of(trigger, "rule", &given).unwrap();
        let facts = DocumentFacts::default().with_vulnerabilities(vulnerable.clone().into());
        (trigger.fire)(&facts, &params).unwrap()
    }

    /// Ids of what the trigger `package` finds.
    #[track_caller]
    fn check(given: &[(&str, &str)], items: &[Item], expected: &[&str]) {
        let vulnerable = vulnerable(items.to_vec(), Freshness::Missing);
        let all = [&[("package_type", "all")], given].concat();
        let ids: Vec<_> = fired("package", &all, &vulnerable).into_iter().map(|it| it.id).collect();
        let ids: Vec<&str> = ids.iter().flatten().map(String::as_str).collect();
        assert_eq!(ids, expected, "{given:?}");
    }

    #[test]
    fn all_conditions_have_to_hold() {
        let items = [
            item("CVE-1", Severity::High, "musl"),
            Item { fix: None, fix_seen: None, ..item("CVE-2", Severity::Low, "srv/x") },
            Item { refused: true, ..item("CVE-3", Severity::Unknown, "zlib") },
        ];
        check(&[], &items, &["CVE-1+musl", "CVE-2+x"]);
        check(&[("vendor_only", "false")], &items, &["CVE-1+musl", "CVE-2+x"]);
        let unknown = ("severity_comparison", ">=");
        check(&[unknown], &items, &["CVE-1+musl", "CVE-2+x"]);
        check(
            &[unknown, ("vendor_only", "FALSE")],
            &items,
            &["CVE-1+musl", "CVE-2+x", "CVE-3+zlib"],
        );
        check(&[("severity", "low")], &items, &["CVE-1+musl"]);
        check(&[("severity", "low"), ("severity_comparison", "!=")], &items, &["CVE-1+musl"]);
        check(&[("fix_available", "true")], &items, &["CVE-1+musl"]);
        check(&[("fix_available", "false")], &items, &["CVE-2+x"]);
        check(&[("cvss_v3_base_score", "9.9")], &items, &[]);
        check(&[("vendor_cvss_v3_base_score", "-1")], &items, &["CVE-1+musl", "CVE-2+x"]);
        check(&[("max_days_since_creation", "10")], &items, &["CVE-1+musl", "CVE-2+x"]);
        check(&[("max_days_since_creation", "11")], &items, &[]);
        check(&[("max_days_since_fix", "30")], &items, &["CVE-1+musl", "CVE-2+x"]);
        check(&[("max_days_since_fix", "3"), ("fix_available", "true")], &items, &[]);
    }

    #[test]
    fn the_message_tells_what_was_compared() {
        let items = vec![item("CVE-1", Severity::High, "musl")];
        let given = [
            ("package_type", "os"),
            ("fix_available", "true"),
            ("max_days_since_creation", "7"),
            ("max_days_since_fix", "1"),
            ("cvss_v3_impact_score", "5"),
            ("cvss_v3_base_score", "7"),
            ("vendor_cvss_v3_base_score", "-2"),
        ];
        let found = fired("package", &given, &vulnerable(items, Freshness::Missing));
        assert_eq!(
            found[0].message,
            "HIGH Vulnerability found in os package type (APKG) - musl (fixed in: 2.0)\
             (cvss_v3_base_score=9.8 cvss_v3_impact_score=5.9)\
             (max_days_since_creation=2026-11-12 max_days_since_fix=2026-11-20)\
             (vendor_cvss_v3_base_score=-1.0)(CVE-1 - http://x.example)"
        );
    }

    #[test]
    fn data_is_too_old_or_not_there() {
        let of = |trigger: &str, given: &[(&str, &str)], freshness| {
            let found = fired(trigger, given, &vulnerable(Vec::new(), freshness));
            found.into_iter().next().map(|it| it.message)
        };
        let synced = Freshness::Of(day("2026-11-15"));
        let days = |days| [("max_days_since_sync", days)];
        let told = "The vulnerability feed for this image distro is older than MAXAGE (7) days";
        assert_eq!(of("stale_feed_data", &days("7"), synced).as_deref(), Some(told));
        assert_eq!(of("stale_feed_data", &days("8"), synced), None);
        assert_eq!(of("stale_feed_data", &days("7"), Freshness::Never).as_deref(), Some(told));
        let told = "Feed data unavailable, cannot perform CVE scan for distro: alpine:3.7";
        let unavailable = "vulnerability_data_unavailable";
        assert_eq!(of(unavailable, &[], Freshness::Missing).as_deref(), Some(told));
        assert_eq!(of(unavailable, &[], synced), None);
    }

    #[test]
    fn named_ones_are_told_together_and_excused_ones_shown_as_such() {
        let by = Suppression { reason: "why".into(), ..Suppression::default() };
        let excused = Item { excused: Some(by), ..item("CVE-3", Severity::High, "zlib") };
        let items = vec![
            item("CVE-1", Severity::High, "musl"),
            item("CVE-2", Severity::High, "a"),
            excused,
        ];
        let vulnerable = vulnerable(items, Freshness::Missing);
        let of = |ids| fired("blacklist", &[("vulnerability_ids", ids)], &vulnerable);
        let found = of("CVE-2, CVE-9,CVE-1,CVE-3");
        assert_eq!(found, [Match::of("Blacklisted vulnerabilities detected: ['CVE-2', 'CVE-1']")]);
        let found = of("CVE-3");
        assert_eq!(found[0].excused.as_ref().map(|it| it.name.as_str()), Some("why"));
        assert_eq!(of("CVE-9"), []);
        let given = [("package_type", "all"), ("severity", "low")];
        let found = fired("package", &given, &vulnerable);
        assert_eq!(found.iter().filter(|it| it.excused.is_some()).count(), 1);
    }

    #[test]
    fn without_a_database_there_is_no_answer() {
        for trigger in GATE.triggers {
            let given: Vec<(String, String)> = trigger
                .params
                .iter()
                .filter(|param| param.required)
                .map(|param| (param.name.into(), param.example.into()))
                .collect();
            let params = Params::of(trigger, "rule", &given).unwrap();
            let answer = (trigger.fire)(&DocumentFacts::default(), &params);
            assert!(answer.unwrap_err().to_string().contains("--db FILE"));
        }
    }
}
