//! Judges a document: which packages are vulnerable by which advisory, since
//! which layer, what fixes it, and whether the gate lets the image pass.
//!
//! It sees the document and the vulnerability database, and neither the image
//! nor the clock: the same document, database, day and options give the same
//! [`Evaluation`]. docs/matching.md says how packages and advisories are brought
//! together, and why.

mod base;
mod coverage;
mod cpe;
mod ecosystem;
mod evaluation;
mod explain;
mod finding;
mod gate;
mod identity;
mod ignore;
mod matching;
mod names;
pub mod naming;
mod osv;
mod pattern;
mod role;
mod secrets;
mod severity;
mod sources;
mod stated;
mod third_party;
mod totals;
mod upgrades;
mod variant;
pub mod versions;
pub mod vex;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::tz::TimeZone;

pub use evaluation::*;
pub use explain::{Comparison, Explanation, explain, gap};
pub use gate::with_policies;
pub use ignore::{Exception, Exceptions};
pub use matching::Compared;
pub use names::full_name;
pub use secrets::secrets_of;
pub use severity::{Severity, cvss_parts};

use finding::Findings;
use ignore::Ledger;
use inscan_document::Section;
use inscan_document::section::PackageRow;
use inscan_vulndb::{self as vulndb, Database as VulnDb, Freshness};
use matching::{Exempt, Hit, Lists};
use names::{Places, Subject};
use stated::Statements;
use totals::LeftOut;

/// How to judge.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// Ages, expiry dates and ends of life are counted from it.
    pub today: Date,
    pub gate: Gate,
    pub exceptions: Vec<Exceptions>,
    /// What others state of their products.
    pub vex: Vec<vex::Document>,
    /// Report only this severity and worse; what fails is always reported.
    pub severity: Severity,
    /// Report only what has a fixed version; what fails is always reported.
    pub only_fixable: bool,
    /// Judge language packages also where they belong to an OS package.
    pub keep_owned: bool,
    /// Judge what lock files and manifests say would be installed.
    pub lockfiles: bool,
    /// Hold against the image what Debian calls unimportant.
    pub unimportant: bool,
    /// Do not hold against the image what only a CPE name says.
    pub without_cpe: bool,
    /// Hold against the image what is no weakness: packages that nobody maintains.
    pub informational: bool,
}

/// A database, and what it is called in the report.
#[derive(Clone, Copy)]
pub struct Data<'a> {
    pub database: &'a VulnDb,
    pub source: &'a str,
}

/// Judges a document; with a baseline, what is not in that is marked as new.
pub fn evaluate(
    section: &Section,
    data: Option<Data<'_>>,
    options: &Options,
    baseline: Option<&Section>,
) -> vulndb::Result<Evaluation> {
    let mut evaluation = Evaluation {
        format: FORMAT.to_owned(),
        tool: Tool { name: "inscan".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        image: image(section),
        date: options.today.to_string(),
        gate: options.gate.clone(),
        base: base::of(section),
        ..Evaluation::default()
    };
    let derived = data.map(|data| with_sources(section, data.database)).transpose()?.flatten();
    let section = derived.as_ref().unwrap_or(section);
    let judged = match data {
        None => {
            evaluation.uncovered.push(Uncovered {
                code: UncoveredCode::NoDatabase,
                message: "no vulnerability database, so packages are not evaluated".to_owned(),
                subject: format!("{} packages", section.packages.len()),
                packages: (0..section.packages.len()).collect(),
                ..Uncovered::default()
            });
            LookedUp::default()
        }
        Some(data) => {
            evaluation.database = Some(about(data, options.today)?);
            judge(section, data.database, options, &mut evaluation)?
        }
    };
    let mut findings = judged.findings;
    if let (Some(baseline), Some(data)) = (baseline, data) {
        mark_new(&mut findings, baseline, data, options)?;
    }
    let mut ledger = Ledger::new(&options.exceptions, options.today);
    let mut statements = Statements::new(&options.vex);
    let (held, mut suppressed) = sorted_out(
        section,
        findings,
        &judged.answered_for,
        options,
        (&mut ledger, &mut statements),
    );
    (evaluation.secrets, evaluation.suppressed_secrets) =
        secrets::of(section, baseline, &mut ledger);
    evaluation.warnings.extend(ledger.warnings());
    evaluation.warnings.extend(statements.warnings());
    let (shown, hidden) = reported(held, options);
    evaluation.findings = shown;
    suppressed.sort_by(|a, b| finding::by_risk(&a.finding, &b.finding));
    evaluation.suppressed = suppressed;
    evaluation.uncovered.extend(coverage::not_analyzed(section, options));
    evaluation.verdict = gate::judge(
        &options.gate,
        &mut evaluation.findings,
        &evaluation.uncovered,
        evaluation.database.as_ref(),
    );
    let searched = secrets::were_searched(section);
    gate::judge_secrets(&options.gate, &mut evaluation.secrets, searched, &mut evaluation.verdict);
    let unrated = gate::unrated(&options.gate, &evaluation.findings).count();
    evaluation.warnings.extend(gate::unrated_warning(&options.gate, unrated));
    let smallest = |findings: &[&Finding]| smallest_upgrade(findings, &judged.hits);
    evaluation.upgrades = upgrades::of(&evaluation.findings, smallest);
    let left_out = LeftOut { hidden, unrated, not_installed: judged.not_installed };
    totals::fill(section, judged.judged.len(), left_out, &mut evaluation);
    if let Some(database) = &evaluation.database
        && let Some(message) = gate::too_old(&options.gate, database)
    {
        evaluation.warnings.push(Warning { code: "database-age".to_owned(), message });
    }
    Ok(evaluation)
}

/// The section with source packages that can be concluded; `None` where it is as it was.
fn with_sources(section: &Section, database: &VulnDb) -> vulndb::Result<Option<Section>> {
    sources::derived(section, database, &covered(database)?)
}

fn image(section: &Section) -> Image {
    let image = &section.image;
    Image {
        reference: image.reference.clone(),
        digest: image.digest.clone(),
        id: image.id.clone(),
        source: image.source.clone(),
        os: image.os.clone(),
        architecture: image.architecture.clone(),
        created: image.created.clone(),
        distribution: section.distribution.as_ref().map(|found| Distribution {
            id: found.id.clone(),
            version: found.version.clone(),
            name: found.name.clone(),
            ..Distribution::default()
        }),
        packages: section.packages.len(),
    }
}

fn about(data: Data<'_>, today: Date) -> vulndb::Result<Database> {
    let about = data.database.about()?;
    let date = about.built.to_zoned(TimeZone::UTC).date();
    let age = today.since(date).map_or(0, |age| age.get_days());
    Ok(Database {
        source: data.source.to_owned(),
        digest: Some(about.digest).filter(|digest| !digest.is_empty()),
        has_kev: about.sources.iter().any(|source| source.name == "cisa-kev"),
        has_epss: about.sources.iter().any(|source| source.name == "epss"),
        date: Some(date.to_string()),
        age_days: Some(u64::try_from(age).unwrap_or(0)),
        advisories: about.advisories,
    })
}

/// What came out of looking up every package.
#[derive(Default)]
struct LookedUp {
    findings: Vec<(Finding, Option<Exempt>)>,
    /// The packages that were compared with the database.
    judged: BTreeSet<usize>,
    /// Those of them whose distribution answers for what they carry.
    answered_for: BTreeSet<usize>,
    hits: BTreeMap<usize, Vec<Hit>>,
    /// Packages that only lock files and manifests name.
    not_installed: usize,
}

fn judge(
    section: &Section,
    database: &VulnDb,
    options: &Options,
    evaluation: &mut Evaluation,
) -> vulndb::Result<LookedUp> {
    let covered = covered(database)?;
    let places = Places::new(section, &covered, options.lockfiles);
    let over = end_of_life(&places, database, options, evaluation)?;
    let mut lists = Lists::new(database);
    let mut findings = Findings::new(database);
    let mut gaps = coverage::Gaps::default();
    let mut judged = LookedUp::default();
    let owners: BTreeSet<usize> = section.packages.iter().filter_map(|it| it.owned_by).collect();
    for (index, package) in section.packages.iter().enumerate() {
        let place = places.of(package);
        let look_ups = match place.subject(package) {
            Subject::LookUp(look_ups) => {
                match place.needs_source(package) {
                    Some(gap) if !lists.know(&look_ups)? => gaps.add(package, index, gap),
                    _ => drop(judged.judged.insert(index)),
                }
                if owners.contains(&index) && (place.is_own(package) || lists.know(&look_ups)?) {
                    judged.answered_for.insert(index);
                }
                look_ups
            }
            // A guess by name covers nothing.
            Subject::Uncovered(gap) => {
                if is_gap(package, place, &mut lists)? {
                    gaps.add(package, index, gap);
                }
                Vec::new()
            }
            Subject::NotInstalled => {
                judged.not_installed += 1;
                continue;
            }
            Subject::NoPackage => continue,
        };
        let (mut hits, problems) = lists.hits(section, package, &look_ups)?;
        gaps.add_advisories(index, problems);
        let cpes = place.cpes(package);
        hits.extend(lists.hits(section, package, &cpes)?.0);
        if let (false, Some(first)) = (hits.is_empty(), look_ups.first().or(cpes.first())) {
            let is_over = over.contains(&place.distribution());
            judged.findings.extend(findings.of(index, package, first.scheme, is_over, &hits)?);
            judged.hits.insert(index, hits);
        }
    }
    evaluation.uncovered.extend(gaps.told());
    let not_installed = judged.not_installed;
    if not_installed > 0 {
        evaluation.warnings.push(Warning {
            code: "lockfiles-not-judged".to_owned(),
            message: format!(
                "{not_installed} packages found only in lock files and manifests were not evaluated \
                 (use `--lockfiles`)"
            ),
        });
    }
    Ok(judged)
}

/// Whether it matters that a package cannot be judged. What does not run does not; nor does an
/// application of the image's maker, unless advisories know its name.
fn is_gap(
    package: &PackageRow,
    place: &names::ImageContext<'_>,
    lists: &mut Lists<'_>,
) -> vulndb::Result<bool> {
    if role::is_local(package) {
        return lists.know(&place.look_ups(package).unwrap_or_default());
    }
    Ok(role::is_installed(package))
}

/// The ecosystems of which the database knows anything. NVD's list that was never filled is not
/// believed for guesses.
fn covered(database: &VulnDb) -> vulndb::Result<BTreeSet<String>> {
    let coverages = database.coverages()?.into_iter();
    let mut covered: BTreeSet<String> = coverages.map(|coverage| coverage.ecosystem).collect();
    if covered.contains(cpe::LIST) && database.freshness(cpe::LIST)? == Freshness::Never {
        covered.remove(cpe::LIST);
    }
    Ok(covered)
}

/// Says what is known of the releases' ends; those that are over.
fn end_of_life(
    places: &Places<'_>,
    database: &VulnDb,
    options: &Options,
    evaluation: &mut Evaluation,
) -> vulndb::Result<BTreeSet<String>> {
    let mut over = BTreeSet::new();
    for (number, place) in places.all().enumerate() {
        let Some(found) = place.info() else { continue };
        let release = if found.version.is_empty() {
            found.codename.as_deref().unwrap_or_default()
        } else {
            &found.version
        };
        let end = database.end_of_life(&found.id, release)?;
        if let (0, Some(distribution)) = (number, &mut evaluation.image.distribution) {
            distribution.ecosystem = place.lists().first().map(|list| (*list).to_owned());
            let ends = end.as_ref().and_then(|end| coverage::last_day(&found.id, end));
            distribution.end_of_life = ends.map(|date| date.to_string());
        }
        let name = place.distribution();
        let told = end.and_then(|end| coverage::end_of_life(&name, &end, options.today));
        over.extend(told.is_some().then_some(name));
        evaluation.uncovered.extend(told);
    }
    Ok(over)
}

/// Compares with what the baseline has, judged with the same database on the same day.
fn mark_new(
    findings: &mut [(Finding, Option<Exempt>)],
    baseline: &Section,
    data: Data<'_>,
    options: &Options,
) -> vulndb::Result<()> {
    let derived = with_sources(baseline, data.database)?;
    let baseline = derived.as_ref().unwrap_or(baseline);
    let judged = judge(baseline, data.database, options, &mut Evaluation::default())?;
    let key = |finding: &Finding| {
        let package = (finding.package.kind.clone(), finding.package.name.clone());
        finding.aliases.iter().map(move |alias| (alias.clone(), package.clone())).collect()
    };
    let known: BTreeSet<(String, (String, String))> = judged
        .findings
        .iter()
        .flat_map(|(finding, _)| -> Vec<(String, (String, String))> { key(finding) })
        .collect();
    for (finding, _) in findings {
        let keys: Vec<_> = key(finding);
        finding.new = Some(!keys.iter().any(|key| known.contains(key)));
    }
    Ok(())
}

/// What is held against the image, and what is not.
fn sorted_out(
    section: &Section,
    findings: Vec<(Finding, Option<Exempt>)>,
    answered_for: &BTreeSet<usize>,
    options: &Options,
    (ledger, statements): (&mut Ledger<'_>, &mut Statements<'_>),
) -> (Vec<Finding>, Vec<Suppressed>) {
    let (mut held, mut suppressed) = (Vec::new(), Vec::new());
    for (finding, exempt) in findings {
        // Both are asked, so that what matches is known to be used.
        let stated = statements.suppression(section, &finding);
        let by = ledger
            .suppression(section, &finding)
            .or(stated)
            .or_else(|| role::suppression(section.packages.get(finding.package.index)?, &finding))
            .or_else(|| exemption(&finding, exempt, options))
            .or_else(|| owned(section, &finding, answered_for, options));
        match by {
            Some(by) => suppressed.push(Suppressed { finding, by }),
            None => held.push(finding),
        }
    }
    (held, suppressed)
}

fn exemption(finding: &Finding, exempt: Option<Exempt>, options: &Options) -> Option<Suppression> {
    let because = |code, reason: String| Some(Suppression { code, reason, ..Default::default() });
    let source = finding.advisories.first().map_or("", |advisory| advisory.id.as_str());
    match exempt {
        Some(Exempt::NotAffected) => {
            because(SuppressionCode::NotAffected, format!("not affected, according to {source}"))
        }
        Some(Exempt::Unimportant) if !options.unimportant => because(
            SuppressionCode::Unimportant,
            format!("rated unimportant by {source}: no risk in practice"),
        ),
        Some(Exempt::Informational(kind)) if !options.informational => because(
            SuppressionCode::Informational,
            format!("{source} is a notice ({kind}), not a vulnerability"),
        ),
        Some(Exempt::OtherPlatform(systems)) => {
            because(SuppressionCode::OtherPlatform, format!("{source} affects only {systems}"))
        }
        _ if finding.cpe_only && options.without_cpe => because(
            SuppressionCode::CpeOnly,
            format!("matched by CPE name only: {source} may be about another product of that name"),
        ),
        _ => {
            let kind = identity::not_security(&finding.aliases)?;
            because(SuppressionCode::NotSecurity, format!("{source} announces {kind}"))
        }
    }
}

/// A language's package in a file of an OS package: the distribution fixes it under its own
/// version, and its advisories speak of that. Only where they are there to judge it, and the
/// package is the distribution's: its maker is, or its advisories know the name.
fn owned(
    section: &Section,
    finding: &Finding,
    answered_for: &BTreeSet<usize>,
    options: &Options,
) -> Option<Suppression> {
    let package = section.packages.get(finding.package.index)?;
    let owner = package.owned_by.filter(|_| !options.keep_owned)?;
    let owner = Some(owner).filter(|owner| answered_for.contains(owner))?;
    let owner = section.packages.get(owner)?;
    Some(Suppression {
        code: SuppressionCode::OwnedByOsPackage,
        reason: format!(
            "/{} belongs to the package {} {}, which is evaluated by its distribution's advisories",
            package.location, owner.name, owner.version
        ),
        ..Default::default()
    })
}

/// The findings to report, by risk; and how many are left out.
fn reported(mut held: Vec<Finding>, options: &Options) -> (Vec<Finding>, usize) {
    held.sort_by(finding::by_risk);
    for (position, finding) in held.iter_mut().enumerate() {
        finding.rank = position + 1;
    }
    let all = held.len();
    held.retain(|finding| {
        let asked_for = finding.severity.level >= options.severity
            && !(options.only_fixable && finding.fixed_versions.is_empty());
        asked_for || options.gate.is_broken_by(finding)
    });
    let hidden = all - held.len();
    (held, hidden)
}

/// The smallest version with which none of the package's advisories holds any more, as far as
/// they can be fixed at all.
fn smallest_upgrade(findings: &[&Finding], hits: &BTreeMap<usize, Vec<Hit>>) -> Option<String> {
    let first = findings.first()?;
    let mut schemes = first.matches.iter().map(|found| versions::Scheme::named(&found.scheme));
    let scheme = schemes.find_map(|scheme| scheme)?;
    let mut candidates: Vec<&String> =
        findings.iter().flat_map(|finding| &finding.fixed_versions).collect();
    versions::sort_by(&mut candidates, |a, b| {
        versions::compare(scheme, a, b).unwrap_or(Ordering::Equal)
    });
    let hits = hits.get(&first.package.index)?;
    let ids: BTreeSet<&str> = findings.iter().map(|finding| finding.id.as_str()).collect();
    let concerned: Vec<&Hit> = hits
        .iter()
        .filter(|hit| hit.names.iter().any(|name| ids.contains(name.as_str())))
        .filter(|hit| !osv::fixed_versions(hit.affected()).is_empty())
        .collect();
    let is_free = |version: &&&String| {
        concerned.iter().all(|hit| {
            let judged = osv::judge(hit.affected(), scheme, version);
            matches!(judged, Ok(osv::Judgement::NotAffected { .. }))
        })
    };
    candidates.iter().find(is_free).or(candidates.last()).map(|version| (*version).clone())
}

#[cfg(test)]
mod tests;
