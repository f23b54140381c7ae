//! Evaluations to test reports with, and the schemas they are held against.

use std::collections::BTreeMap;
use std::path::Path;

use jsonschema::Registry;
use serde_json::Value;

use inscan_document::Section;
use inscan_document::section::{DistributionInfo, ImageInfo, Layer, PackageRow, SourcePackage};
use inscan_evaluate::*;
use inscan_facts::package::Evidence;
use inscan_judge as policy;

pub(super) const DIFF_IDS: [&str; 2] = [
    "sha256:1111111111111111111111111111111111111111111111111111111111111111",
    "sha256:2222222222222222222222222222222222222222222222222222222222222222",
];

/// Panics with what the schema in `fixtures/schemas` has against it.
#[track_caller]
pub(super) fn holds_against(schema: &str, value: &Value) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/schemas");
    let read = |name: &str| -> Value {
        serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
    };
    let (spdx, jsf) = (read("cyclonedx-spdx.json"), read("cyclonedx-jsf-0.82.json"));
    let registry = Registry::new()
        .add("http://cyclonedx.org/schema/spdx.SNAPSHOT.schema.json", spdx)
        .and_then(|it| it.add("http://cyclonedx.org/schema/jsf-0.82.SNAPSHOT.schema.json", jsf))
        .and_then(|it| it.prepare())
        .unwrap();
    let mut schema = read(schema);
    // SARIF's has a pattern that is no regular expression; of a member that we do not write.
    for definition in ["run", "toolComponent"] {
        let place = format!("/definitions/{definition}/properties/language");
        if let Some(language) = schema.pointer_mut(&place) {
            language.as_object_mut().unwrap().remove("pattern");
        }
    }
    let options = jsonschema::options().with_registry(&registry).should_validate_formats(true);
    let validator = options.build(&schema).unwrap();
    let errors: Vec<_> = validator
        .iter_errors(value)
        .map(|error| format!("{}: {error:.300}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

/// Two layers; django and openssl with findings, a suppressed one, and conda uncovered.
#[expect(clippy::too_many_lines, reason = "one case after another")]
pub(super) fn evaluation() -> Evaluation {
    let django = finding("CVE-2022-28346", Severity::Critical);
    let tls = Finding {
        package: package("deb", "libssl3", "3.0.9-1", "var/lib/dpkg/status", 1),
        layer: Some(layer_of(0)),
        status: Status::WillNotFix,
        fixed_versions: Vec::new(),
        upgrade: None,
        summary: "Excessive time spent checking DH keys".into(),
        kev: None,
        epss: None,
        fails: false,
        rank: 2,
        ..finding("CVE-2023-3446", Severity::Medium)
    };
    let low = Finding {
        severity: Rating { level: Severity::Low, ..Rating::default() },
        fails: false,
        kev: None,
        rank: 3,
        ..finding("CVE-2022-1", Severity::Low)
    };
    let suppressed = Suppressed {
        finding: Finding { rank: 4, fails: false, ..finding("CVE-2021-2", Severity::High) },
        by: Suppression {
            source: Some("exceptions.yaml".into()),
            rule: None,
            code: SuppressionCode::Ignored,
            reason: "accepted in exceptions.yaml".into(),
            note: Some("behind a proxy".into()),
            expires: Some("2027-01-31".into()),
        },
    };
    let counts = Counts {
        findings: 3,
        severity: BTreeMap::from([
            (Severity::Critical, 1),
            (Severity::High, 0),
            (Severity::Medium, 1),
            (Severity::Low, 1),
            (Severity::Negligible, 0),
            (Severity::Unknown, 0),
        ]),
        vulnerabilities: 3,
        packages: 2,
        fixable: 2,
        kev: 1,
        failing: 1,
        judged_packages: 2,
        uncovered_packages: 1,
        ..Counts::default()
    };
    let layer = |index: usize, findings| inscan_evaluate::Layer {
        index,
        diff_id: DIFF_IDS[index].into(),
        created_by: CREATED_BY[index].into(),
        base: Some(index == 0),
        findings,
        ..Default::default()
    };
    Evaluation {
        format: FORMAT.into(),
        tool: Tool { name: "inscan".into(), version: "0.1.0".into() },
        image: Image {
            reference: "registry.example/app/web:1.0".into(),
            digest: format!("sha256:{}", "a".repeat(64)),
            id: "b".repeat(64),
            source: "oci:web".into(),
            os: Some("linux".into()),
            architecture: Some("amd64".into()),
            created: Some("2026-11-20T10:00:00Z".into()),
            distribution: Some(Distribution {
                id: "debian".into(),
                version: "12".into(),
                name: Some("Debian GNU/Linux 12 (bookworm)".into()),
                ecosystem: Some("Debian:12".into()),
                end_of_life: Some("2028-06-30".into()),
            }),
            packages: 3,
        },
        date: "2026-11-25".into(),
        database: Some(Database {
            source: "vulnerabilities.db".into(),
            digest: Some(format!("sha256:{}", "d".repeat(64))),
            date: Some("2026-11-24".into()),
            age_days: Some(1),
            has_kev: true,
            has_epss: true,
            advisories: 1234,
        }),
        gate: Gate { fail_on: Some(Severity::High), ..Gate::default() },
        verdict: Verdict {
            not_counted: None,
            outcome: Outcome::Fail,
            reasons: vec![Reason {
                code: "severity".into(),
                message: "1 finding is high or worse".into(),
                findings: vec![0],
            }],
        },
        counts,
        layers: vec![layer(0, 1), layer(1, 2)],
        base: Some(Base { layers: 1, name: None, how: "a guess by the history".into() }),
        findings: vec![django, tls, low],
        suppressed: vec![suppressed],
        secrets: Vec::new(),
        suppressed_secrets: Vec::new(),
        uncovered: vec![Uncovered {
            code: UncoveredCode::NoDataForEcosystem,
            message: "the database has nothing about conda".into(),
            subject: "conda".into(),
            packages: vec![2],
            ..Uncovered::default()
        }],
        upgrades: vec![Upgrade {
            package: "django".into(),
            kind: "pypi".into(),
            from: "3.2.0".into(),
            to: "3.2.13".into(),
            findings: vec![0, 2],
            worst: Severity::Critical,
        }],
        warnings: vec![Warning {
            code: "exception-unused".into(),
            message: "exceptions.yaml:7: CVE-2020-9 matches nothing".into(),
        }],
    }
}

const CREATED_BY: [&str; 2] = ["ADD rootfs.tar in /", "RUN pip install django==3.2.0"];

fn layer_of(index: usize) -> LayerOf {
    LayerOf {
        index,
        diff_id: DIFF_IDS[index].into(),
        created_by: CREATED_BY[index].into(),
        base: Some(index == 0),
    }
}

fn package(kind: &str, name: &str, version: &str, location: &str, index: usize) -> Package {
    Package {
        index,
        purl: format!("pkg:{kind}/{name}@{version}"),
        kind: kind.into(),
        name: name.into(),
        version: version.into(),
        location: location.into(),
        evidence: "installed-package".into(),
        ..Package::default()
    }
}

pub(super) fn finding(id: &str, level: Severity) -> Finding {
    let file = "usr/lib/python3/dist-packages/Django-3.2.0.dist-info/METADATA";
    Finding {
        id: id.into(),
        aliases: vec![id.into(), "GHSA-2gwj-7jmv-h26r".into(), "PYSEC-2022-190".into()],
        package: package("pypi", "django", "3.2.0", file, 0),
        layer: Some(layer_of(1)),
        severity: Rating {
            level,
            source: "GHSA-2gwj-7jmv-h26r (CVSS 3.1)".into(),
            score: Some(9.8),
            vector: Some("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H".into()),
        },
        status: Status::Fixed,
        fixed_versions: vec!["2.2.28".into(), "3.2.13".into(), "4.0.4".into()],
        upgrade: Some("3.2.13".into()),
        kev: Some(Kev { added: Some("2022-05-01".into()), due: None, ransomware: false }),
        epss: Some(Epss { score: 0.0123, percentile: 0.85 }),
        summary: "SQL injection in QuerySet.annotate()".into(),
        published: Some("2022-04-13T00:00:33Z".into()),
        modified: Some("2024-10-30T20:12:33.123Z".into()),
        advisories: vec![Advisory {
            id: "GHSA-2gwj-7jmv-h26r".into(),
            url: Some("https://github.com/advisories/GHSA-2gwj-7jmv-h26r".into()),
        }],
        references: vec![Reference {
            url: "https://nvd.nist.gov/vuln/detail/CVE-2022-28346".into(),
            kind: "ADVISORY".into(),
        }],
        cwes: vec!["CWE-89".into()],
        matches: vec![Match {
            advisory: "GHSA-2gwj-7jmv-h26r".into(),
            ecosystem: "PyPI".into(),
            name: "django".into(),
            version: "3.2.0".into(),
            scheme: "pep440".into(),
            range: ">= 3.2, < 3.2.13".into(),
            fixed: Some("3.2.13".into()),
            ..Match::default()
        }],
        rank: 1,
        fails: true,
        ..Finding::default()
    }
}

/// A policy of which one row stops, one warns, and one is excepted.
pub(super) fn policy() -> policy::Evaluation {
    let bundle = serde_json::json!({
        "id": "b", "version": "1_0", "name": "bundle", "policies": [{"id": "p", "version": "1_0",
            "name": "policy", "rules": [{"id": "r", "gate": "always", "trigger": "always",
                "action": "STOP", "params": []}]}],
        "whitelists": [{"id": "w", "version": "1_0", "name": "agreed", "items": [
            {"id": "i", "gate": "always", "trigger_id": "always", "notes": "agreed on"}]}],
        "mappings": [{"name": "m", "registry": "*", "repository": "*", "policy_ids": ["p"],
            "whitelist_ids": ["w"], "image": {"type": "tag", "value": "*"}}]});
    let bundle = policy::Bundle::read(bundle.to_string().as_bytes(), policy::Mode::Strict).unwrap();
    let image = policy::Image {
        tag: "docker.io/team/app:1".into(),
        digest: "sha256:d1".into(),
        id: "1d".into(),
    };
    let when = "2026-11-26T12:00:00Z".parse().unwrap();
    let facts = policy::facts::DocumentFacts::default();
    let mut evaluation = policy::evaluate(&bundle, &facts, &image, when, None).unwrap();
    let excepted = evaluation.rows.remove(0);
    let row = |message: &str, trigger: &'static str, action| policy::Row {
        trigger_id: policy::trigger_id("dockerfile", trigger, message),
        gate: "dockerfile",
        trigger,
        message: message.into(),
        action,
        whitelisted: None,
        ..excepted.clone()
    };
    evaluation.rows = vec![
        row("root found", "effective_user", policy::Action::Stop),
        row("no check", "instruction", policy::Action::Warn),
        excepted.clone(),
    ];
    (evaluation.policy_action, evaluation.final_action) =
        (policy::Action::Stop, policy::Action::Stop);
    evaluation
}

/// The document that [`evaluation`] is of.
pub(super) fn section() -> Section {
    let evaluation = evaluation();
    let row = |kind: &str, name: &str, version: &str, location: &str, layer| PackageRow {
        kind: kind.into(),
        name: name.into(),
        version: version.into(),
        purl: format!("pkg:{kind}/{name}@{version}"),
        evidence: Evidence::InstalledPackage,
        analyzer: "python".into(),
        location: location.into(),
        layer: Some(layer),
        ..PackageRow::default()
    };
    let layer = |index: usize| Layer {
        index,
        diff_id: DIFF_IDS[index].into(),
        created_by: CREATED_BY[index].into(),
        ..Layer::default()
    };
    Section {
        format: inscan_document::section::FORMAT.into(),
        image: ImageInfo {
            source: evaluation.image.source,
            reference: evaluation.image.reference,
            id: evaluation.image.id,
            digest: evaluation.image.digest,
            os: evaluation.image.os,
            architecture: evaluation.image.architecture,
            created: evaluation.image.created,
            ..ImageInfo::default()
        },
        layers: vec![layer(0), layer(1)],
        distribution: Some(DistributionInfo {
            id: "debian".into(),
            version: "12".into(),
            name: Some("Debian GNU/Linux 12 (bookworm)".into()),
            ..DistributionInfo::default()
        }),
        packages: vec![
            PackageRow {
                licences: vec!["BSD".into(), "MIT".into()],
                licence_expressions: vec!["MIT".into()],
                attributes: BTreeMap::from([
                    ("cpe".into(), "cpe:2.3:a:django:django:3.2.0:*:*:*:*:*:*:*".into()),
                    ("sha512".into(), "f".repeat(128)),
                    ("homepage".into(), "https://example.org/django".into()),
                ]),
                ..row(
                    "pypi",
                    "django",
                    "3.2.0",
                    "usr/lib/python3/dist-packages/Django-3.2.0.dist-info/METADATA",
                    1,
                )
            },
            PackageRow {
                arch: Some("amd64".into()),
                source: Some(SourcePackage { name: "openssl".into(), version: None }),
                licences: vec!["GPL-2+ or Artistic-2.0".into()],
                licence_expressions: vec!["GPL-2.0-or-later OR Artistic-2.0".into()],
                evidence: Evidence::InstalledDb,
                origin: Some("Somebody <somebody@example.org>".into()),
                ..row("deb", "libssl3", "3.0.9-1", "var/lib/dpkg/status", 0)
            },
            row("conda", "numpy", "1.0", "opt/conda/conda-meta/numpy-1.0.json", 1),
        ],
        ..Section::default()
    }
}

/// A gate was asked for, and there was no database.
pub(super) fn without_database() -> Evaluation {
    Evaluation {
        database: None,
        verdict: Verdict {
            not_counted: None,
            outcome: Outcome::NotJudged,
            reasons: vec![Reason {
                code: "no-database".into(),
                message: "there is no vulnerability database".into(),
                findings: Vec::new(),
            }],
        },
        counts: Counts { uncovered_packages: 3, ..Counts::default() },
        findings: Vec::new(),
        suppressed: Vec::new(),
        upgrades: Vec::new(),
        uncovered: vec![Uncovered {
            code: UncoveredCode::NoDatabase,
            message: "there is no vulnerability database".into(),
            subject: "all packages".into(),
            packages: vec![0, 1, 2],
            ..Uncovered::default()
        }],
        ..evaluation()
    }
}

/// What an attacker would call a package, if there were somebody to read it.
pub(super) const HOSTILE: &str = "=cmd|'/c calc'!A1</script><img src=x onerror=alert(1)>\u{202e}gpj\u{1b}[2J\n@all [click](https://evil.example) `x` ||&amp;\u{0}\u{fffe}";

/// Hostile text in every field that comes from an image or an advisory.
pub(super) fn hostile() -> Evaluation {
    let mut evaluation = evaluation();
    for finding in &mut evaluation.findings {
        for field in [
            &mut finding.package.name,
            &mut finding.package.version,
            &mut finding.summary,
            &mut finding.severity.source,
        ] {
            *field = HOSTILE.into();
        }
        finding.package.purl = format!("pkg:npm/{HOSTILE}");
        finding.package.location = "a b?c#d/</script>.json".into();
        finding.aliases.push(HOSTILE.into());
        finding.fixed_versions = vec![HOSTILE.into()];
        finding.upgrade = Some(HOSTILE.into());
        finding
            .references
            .push(Reference { url: "javascript:alert(1)".into(), kind: "WEB".into() });
        finding.advisories[0].url = Some(format!("https://evil.example/{HOSTILE}"));
        finding.cwes.push(HOSTILE.into());
        finding.published = Some(HOSTILE.into());
        finding.severity.vector = Some(HOSTILE.into());
        finding.layer.as_mut().unwrap().created_by = HOSTILE.into();
    }
    evaluation.layers[1].created_by = HOSTILE.into();
    evaluation.image.reference = HOSTILE.into();
    evaluation.uncovered[0].message = HOSTILE.into();
    evaluation.suppressed[0].by.reason = HOSTILE.into();
    evaluation
}

/// [`section`] with hostile text in what an image states.
pub(super) fn hostile_section() -> Section {
    let mut section = section();
    section.image.reference = HOSTILE.into();
    section.image.digest = HOSTILE.into();
    for package in &mut section.packages {
        package.name = HOSTILE.into();
        package.version = HOSTILE.into();
        package.kind = HOSTILE.into();
        package.purl = format!("pkg:npm/{HOSTILE}");
        package.location = HOSTILE.into();
        package.licences = vec![HOSTILE.into(), "a".repeat(5000)];
        package.licence_expressions = Vec::new();
        package.origin = Some(HOSTILE.into());
        for key in ["cpe", "sha512", "homepage", "sha256"] {
            package.attributes.insert(key.into(), HOSTILE.into());
        }
    }
    section
}

/// The same, of an image with a key in a layer and a password in its configuration; one more
/// is excepted.
pub(super) fn with_secrets() -> Evaluation {
    let mut evaluation = evaluation();
    let secret = |rule: &str, severity, path: Option<&str>| SecretFinding {
        rule: rule.into(),
        about: format!("Found by {rule}"),
        severity,
        path: path.map(str::to_owned),
        visible: true,
        line: 3,
        column: 7,
        excerpt: "KEY=ghp_******** <i>".into(),
        fingerprint: "1f3a9".into(),
        ..SecretFinding::default()
    };
    let layer = LayerOf {
        index: 1,
        diff_id: DIFF_IDS[1].into(),
        created_by: CREATED_BY[1].into(),
        base: Some(false),
    };
    evaluation.secrets = vec![
        SecretFinding {
            layer: Some(layer),
            visible: false,
            fails: true,
            ..secret("github-token", Severity::Critical, Some("srv/app/.env"))
        },
        secret("password", Severity::Medium, None),
    ];
    let by = Suppression {
        code: SuppressionCode::Ignored,
        reason: "an exception in f".into(),
        ..Suppression::default()
    };
    let secret = secret("jwt", Severity::Medium, Some("srv/test.env"));
    evaluation.suppressed_secrets = vec![SuppressedSecret { secret, by }];
    evaluation.counts.secrets = 2;
    evaluation.counts.failing_secrets = 1;
    evaluation
}
