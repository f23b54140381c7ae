//! One finding from the advisories that agree on it.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::evaluation::*;
use super::identity;
use super::matching::{Exempt, Hit};
use super::names;
use super::osv;
use super::severity::{self, Severity, Stated};
use crate::evaluation::is_report_of_malware;
use crate::versions::{self, Scheme};
use inscan_document::section::PackageRow;
use inscan_facts::package_type;
use inscan_vulndb::{self as vulndb, Database};

/// Of the advisories of one vulnerability that did not match; more add nothing.
const MAX_OTHERS: usize = 20;

/// What does not depend on the package: looked up once for each vulnerability.
#[derive(Clone, Default)]
struct VulnerabilityData {
    kev: Option<Kev>,
    epss: Option<Epss>,
    others: Vec<vulndb::Advisory>,
    ratings: Vec<(String, vulndb::Rating)>,
}

/// Details and references of an advisory.
type Text = (String, Vec<vulndb::Reference>);

/// Makes findings, and remembers what was looked up for them.
pub(super) struct Findings<'a> {
    database: &'a Database,
    known: BTreeMap<Vec<String>, VulnerabilityData>,
    texts: BTreeMap<String, Rc<Text>>,
    /// The package's release gets no updates any more.
    release_is_over: bool,
}

impl<'a> Findings<'a> {
    pub(super) fn new(database: &'a Database) -> Self {
        let (known, texts) = (BTreeMap::new(), BTreeMap::new());
        Findings { database, known, texts, release_is_over: false }
    }

    /// The findings of one package, each with why it is exempt, if it is.
    pub(super) fn of(
        &mut self,
        index: usize,
        package: &PackageRow,
        scheme: Scheme,
        release_is_over: bool,
        hits: &[Hit],
    ) -> vulndb::Result<Vec<(Finding, Option<Exempt>)>> {
        self.release_is_over = release_is_over;
        let names = hits.iter().map(|hit| hit.names.clone()).collect();
        let mut findings = Vec::new();
        for (names, positions) in identity::merged(names) {
            let hits: Vec<&Hit> = positions.iter().map(|at| &hits[*at]).collect();
            findings.push(self.finding(index, package, scheme, names, &hits)?);
        }
        Ok(findings)
    }

    fn finding(
        &mut self,
        index: usize,
        package: &PackageRow,
        scheme: Scheme,
        names: Vec<String>,
        hits: &[&Hit],
    ) -> vulndb::Result<(Finding, Option<Exempt>)> {
        let known = self.known(&names)?;
        let cpe_only = hits.iter().all(|hit| hit.is_guess());
        // Who knows the package has the word, where anybody does.
        let known_by = hits.iter().filter(|hit| cpe_only || !hit.is_guess());
        let matched: Vec<Stated<'_>> =
            known_by.map(|hit| Stated::by(&hit.advisory, Some(hit.affected()))).collect();
        let mut others: Vec<Stated<'_>> =
            known.others.iter().map(|advisory| Stated::by(advisory, None)).collect();
        others.extend(known.ratings.iter().map(|(cve, rating)| Stated::by_rating(cve, rating)));
        let is_os = package_type::has_release_advisories(&package.kind);
        let (fixed_versions, upgrade) = fixes(scheme, hits);
        let exempt = exempt(hits);
        let texts: Vec<&vulndb::Advisory> =
            hits.iter().map(|hit| &*hit.advisory).chain(&known.others).collect();
        let finding = Finding {
            id: names.first().cloned().unwrap_or_default(),
            package: described(index, package),
            severity: severity_of(hits, severity::rating(is_os, &matched, &others)),
            status: self.status(is_os, hits, !fixed_versions.is_empty()),
            fixed_versions,
            upgrade,
            kev: known.kev,
            epss: known.epss,
            summary: self.summary(&texts)?,
            published: texts.iter().filter_map(|it| it.published).min().map(|it| it.to_string()),
            modified: hits
                .iter()
                .filter_map(|hit| hit.advisory.modified)
                .max()
                .map(|it| it.to_string()),
            cwes: cwes(&texts, &known.ratings),
            advisories: self.advisories(hits)?,
            references: self.references_of(hits)?,
            cpe_only,
            matches: details(hits),
            aliases: names,
            ..Finding::default()
        };
        Ok((finding, exempt))
    }

    fn known(&mut self, names: &[String]) -> vulndb::Result<VulnerabilityData> {
        if let Some(known) = self.known.get(names) {
            return Ok(known.clone());
        }
        let mut known = VulnerabilityData::default();
        for name in names {
            if name.starts_with("CVE-") {
                if let Some(entry) = self.database.kev(name)? {
                    known.kev.get_or_insert(kev(entry));
                }
                if let Some(epss) = self.database.epss(name)?
                    && known.epss.as_ref().is_none_or(|known| epss.probability > known.score)
                {
                    known.epss =
                        Some(Epss { score: epss.probability, percentile: epss.percentile });
                }
                if let Some(rating) = self.database.rating(name)? {
                    known.ratings.push((name.clone(), rating));
                }
            }
            if known.others.len() < MAX_OTHERS
                && let Some(advisory) = self.database.head_of(name)?
                && advisory.withdrawn.is_none()
            {
                known.others.push(advisory);
            }
        }
        self.known.insert(names.to_vec(), known.clone());
        Ok(known)
    }

    fn status(&self, is_os: bool, hits: &[&Hit], has_fix: bool) -> Status {
        if has_fix {
            return Status::Fixed;
        }
        let said = hits.iter().find_map(|hit| match hit.status() {
            vulndb::Status::WillNotFix => Some(Status::WillNotFix),
            vulndb::Status::Deferred => Some(Status::FixDeferred),
            vulndb::Status::UnderInvestigation => Some(Status::UnderInvestigation),
            vulndb::Status::EndOfLife => Some(Status::EndOfLife),
            _ => None,
        });
        match said {
            Some(status) => status,
            None if is_os && self.release_is_over => Status::EndOfLife,
            None => Status::Affected,
        }
    }

    fn text(&mut self, id: &str) -> vulndb::Result<Rc<Text>> {
        if let Some(known) = self.texts.get(id) {
            return Ok(Rc::clone(known));
        }
        let found = Rc::new(self.database.text_of(id)?.unwrap_or_default());
        self.texts.insert(id.to_owned(), Rc::clone(&found));
        Ok(found)
    }

    fn advisories(&mut self, hits: &[&Hit]) -> vulndb::Result<Vec<Advisory>> {
        let ids: BTreeSet<&str> = hits.iter().map(|hit| hit.advisory.id.as_str()).collect();
        let mut advisories = Vec::new();
        for id in ids {
            let text = self.text(id)?;
            let references = &text.1;
            let own = references.iter().find(|it| it.kind == "ADVISORY" && it.url.contains(id));
            let own = own.or_else(|| references.iter().find(|it| it.kind == "ADVISORY"));
            let url = own.map(|reference| reference.url.clone());
            advisories.push(Advisory { id: id.to_owned(), url });
        }
        advisories.sort_by(|a, b| identity::order(&a.id, &b.id));
        Ok(advisories)
    }

    /// A title, else how the details of an advisory begin.
    fn summary(&mut self, advisories: &[&vulndb::Advisory]) -> vulndb::Result<String> {
        let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut titles = advisories.iter().map(|advisory| one_line(&advisory.summary));
        if let Some(title) = titles.find(|title| !title.is_empty()) {
            return Ok(title);
        }
        for advisory in advisories {
            let details = one_line(&self.text(&advisory.id)?.0);
            if !details.is_empty() {
                let end = details.match_indices(". ").map(|(at, _)| at + 1).next();
                return Ok(details[..end.unwrap_or(details.len())].to_owned());
            }
        }
        Ok(String::new())
    }

    fn references_of(&mut self, hits: &[&Hit]) -> vulndb::Result<Vec<Reference>> {
        let mut all: Vec<Reference> = Vec::new();
        for hit in hits {
            for reference in &self.text(&hit.advisory.id)?.1 {
                if !all.iter().any(|known| known.url == reference.url) {
                    let (url, kind) = (reference.url.clone(), reference.kind.clone());
                    all.push(Reference { url, kind });
                }
            }
        }
        all.sort();
        Ok(all)
    }
}

/// A package that is known to be malicious is critical, whatever else is said: its registry took it
/// down.
fn severity_of(hits: &[&Hit], rated: Rating) -> Rating {
    let advisories = hits.iter().map(|hit| &hit.advisory);
    let mut names = advisories.flat_map(|it| std::iter::once(&it.id).chain(&it.aliases));
    let malicious = names.find(|name| is_report_of_malware(name));
    match malicious {
        Some(name) if rated.level < Severity::Critical => {
            let source = format!("{name} (malicious package)");
            Rating { level: Severity::Critical, source, ..rated }
        }
        _ => rated,
    }
}

fn kev(entry: vulndb::Kev) -> Kev {
    let text = |text: String| Some(text).filter(|text| !text.is_empty());
    Kev { added: text(entry.added), due: text(entry.due), ransomware: entry.ransomware }
}

pub(super) fn described(index: usize, package: &PackageRow) -> Package {
    let source = package.source.as_ref().map(|source| source.name.clone());
    Package {
        index,
        purl: package.purl.clone(),
        kind: package.kind.clone(),
        name: names::full_name(package),
        version: package.version.clone(),
        arch: package.arch.clone(),
        source: source.filter(|source| *source != package.name && !source.is_empty()),
        location: package.location.clone(),
        evidence: evidence(package),
    }
}

fn evidence(package: &PackageRow) -> String {
    let value = serde_json::to_value(package.evidence).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

/// It is exempt where every advisory says so; the source's own word is enough.
fn exempt(hits: &[&Hit]) -> Option<Exempt> {
    let denied = hits.iter().find(|hit| hit.exempt == Some(Exempt::NotAffected));
    if let Some(hit) = denied {
        return hit.exempt.clone();
    }
    let first = hits.first()?.exempt.clone();
    if hits.iter().all(|hit| hit.exempt.is_some()) { first } else { None }
}

/// Every fixed version above the installed one, smallest first; and the smallest with which no
/// advisory holds any more.
fn fixes(scheme: Scheme, hits: &[&Hit]) -> (Vec<String>, Option<String>) {
    let mut all: Vec<String> = Vec::new();
    for hit in hits {
        let later = |version: &String| {
            let order = versions::compare(scheme, version, &hit.detail.version);
            order == Ok(Ordering::Greater)
        };
        let own = osv::fixed_versions(hit.affected()).into_iter().filter(later);
        all.extend(own);
    }
    versions::sort_by(&mut all, |a, b| {
        versions::compare(scheme, a, b).unwrap_or_else(|_| a.cmp(b))
    });
    all.dedup();
    let is_free = |version: &&String| {
        hits.iter().all(|hit| {
            // One without any fixed version holds for all of them.
            osv::fixed_versions(hit.affected()).is_empty()
                || matches!(
                    osv::judge(hit.affected(), scheme, version),
                    Ok(osv::Judgement::NotAffected { .. })
                )
        })
    };
    let upgrade = all.iter().find(is_free).or(all.last()).cloned();
    (all, upgrade)
}

fn cwes(advisories: &[&vulndb::Advisory], ratings: &[(String, vulndb::Rating)]) -> Vec<String> {
    let stated = advisories.iter().flat_map(|advisory| &advisory.cwes);
    let rated = ratings.iter().flat_map(|(_, rating)| &rating.cwes);
    let mut all: Vec<String> = stated.chain(rated).cloned().collect();
    all.sort_by(|a, b| identity::order(a, b));
    all.dedup();
    all
}

fn details(hits: &[&Hit]) -> Vec<Match> {
    let mut all: Vec<Match> = hits.iter().map(|hit| hit.detail.clone()).collect();
    all.sort();
    all.dedup();
    all
}

/// Worst first: see `Finding::rank`.
pub(super) fn by_risk(a: &Finding, b: &Finding) -> Ordering {
    let exploited = |finding: &Finding| {
        finding.kev.as_ref().map_or(0, |kev| if kev.ransomware { 2 } else { 1 })
    };
    let score = |score: Option<f64>| score.unwrap_or(-1.0);
    let epss = |finding: &Finding| score(finding.epss.as_ref().map(|epss| epss.score));
    let fixable = |finding: &Finding| !finding.fixed_versions.is_empty();
    exploited(b)
        .cmp(&exploited(a))
        .then_with(|| b.severity.level.cmp(&a.severity.level))
        .then_with(|| epss(b).total_cmp(&epss(a)))
        .then_with(|| score(b.severity.score).total_cmp(&score(a.severity.score)))
        .then_with(|| fixable(b).cmp(&fixable(a)))
        .then_with(|| identity::order(&a.id, &b.id))
        .then_with(|| a.package.name.cmp(&b.package.name))
        .then_with(|| a.package.index.cmp(&b.package.index))
}
