//! The use case of this crate: from a document to a verdict, of the gate and of policies.
//!
//! It sees what it is handed and nothing else: no clock, no file, no terminal.

use std::sync::Arc;

use inscan_document::Section;
use inscan_evaluate::{Data, Evaluation, Gate, OnUncovered, Options, Outcome, Severity, Verdict};
use inscan_facts::error::{Coded, Kind};
use jiff::Timestamp;

use crate::facts::DocumentFacts;
use crate::vulnerable::{self, VulnerabilityList};
use crate::{Action, Bundle, Image, Problem, Reason};

/// A bundle of policies that was read, and how it is asked.
#[derive(Debug)]
pub struct Policies {
    pub bundle: Bundle,
    /// As it is named in messages.
    pub source: String,
    /// Ask this policy, instead of those that the bundle's mappings choose.
    pub only: Option<String>,
    /// The moment that they hold for.
    pub when: Timestamp,
}

/// What policies are asked of.
pub struct PolicyRequest<'a> {
    pub policies: &'a Policies,
    pub facts: DocumentFacts<'a>,
    /// How they know the image.
    pub image: Image,
}

/// What else decides.
#[derive(Debug, Default)]
pub struct JudgeOptions {
    pub evaluate: Options,
    /// An earlier document: only what is not in it fails the gate.
    pub baseline: Option<Section>,
    /// List what is vulnerable as the legacy engine does, also where no rule asks for it.
    pub list_vulnerable: bool,
}

/// What is said of an image.
pub struct Judgement {
    pub evaluation: Evaluation,
    /// Where a bundle was given.
    pub policy: Option<crate::Evaluation>,
    /// Where a rule asks for it or the options do, and there is a database.
    pub vulnerable: Option<Arc<VulnerabilityList>>,
    /// What should be known beside the verdict, a line each.
    pub warnings: Vec<String>,
}

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    #[error(
        "there is no vulnerability database to evaluate with, and the gate or a policy needs one"
    )]
    NoDatabase,
    /// The gate asks for what the database has no data of.
    #[error("{message}, and the gate needs it")]
    NoData { code: &'static str, message: String },
    #[error("there is nothing to evaluate: no packages, and no system that could have any")]
    NothingToEvaluate,
    #[error("the bundle `{source_name}` cannot be used")]
    Bundle { source_name: String, problems: Vec<Problem> },
    #[error("could not read the vulnerability database: {0}")]
    Database(#[from] inscan_vulndb::Error),
}

impl Coded for JudgeError {
    fn code(&self) -> &'static str {
        match self {
            JudgeError::NoDatabase => "no-database",
            JudgeError::NoData { code, .. } => code,
            JudgeError::NothingToEvaluate => "nothing-to-evaluate",
            JudgeError::Bundle { .. } => "bundle-refused",
            JudgeError::Database(_) => "database-unreadable",
        }
    }

    fn kind(&self) -> Kind {
        match self {
            JudgeError::Bundle { .. } => Kind::Usage,
            JudgeError::NoDatabase
            | JudgeError::NoData { .. }
            | JudgeError::NothingToEvaluate
            | JudgeError::Database(_) => Kind::Broken,
        }
    }

    fn details(&self) -> Vec<String> {
        match self {
            JudgeError::Bundle { problems, .. } => listed(problems),
            _ => Vec::new(),
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            JudgeError::NoDatabase => {
                "fetch one of public data with `inscan db update`, or use `--db FILE`"
            }
            JudgeError::NoData { .. } => {
                "build or fetch a database that has it (`inscan db update`)"
            }
            JudgeError::NothingToEvaluate => {
                "name an image or a root file system; of a folder with several images, one of them"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// Most lines of one error.
const MAX_PROBLEMS: usize = 50;

fn listed(problems: &[Problem]) -> Vec<String> {
    let mut lines: Vec<_> = problems.iter().take(MAX_PROBLEMS).map(ToString::to_string).collect();
    if problems.len() > MAX_PROBLEMS {
        lines.push(format!("… and {} more", problems.len() - MAX_PROBLEMS));
    }
    lines
}

/// Judges a document by the gate of the options, and by policies where they are asked.
///
/// # Errors
/// Where the gate or a rule needs a database and there is none, where the bundle cannot be
/// used for this image, and where the database cannot be read.
pub fn judge<'a>(
    section: &Section,
    data: Option<Data<'a>>,
    asked: Option<PolicyRequest<'a>>,
    options: &JudgeOptions,
) -> Result<Judgement, JudgeError> {
    let baseline = options.baseline.as_ref();
    let mut evaluation = inscan_evaluate::evaluate(section, data, &options.evaluate, baseline)?;
    if asked.is_some() {
        inscan_evaluate::with_policies(&mut evaluation);
    }
    if evaluation.verdict.outcome == Outcome::NotJudged {
        return Err(not_judged(&evaluation));
    }
    if is_nothing(section, &options.evaluate.gate) {
        return Err(JudgeError::NothingToEvaluate);
    }
    let mut warnings = of_evaluation(&evaluation, data.is_some(), &options.evaluate);
    let vulnerable = vulnerable(section, data, asked.as_ref(), options, &evaluation)?;
    let policy = match asked {
        None => None,
        Some(asked) => {
            let asked = asked.with_secrets_of(&evaluation);
            Some(asked.judged(data, vulnerable.clone(), &mut warnings)?)
        }
    };
    if let Some(policy) = &policy {
        with_verdict_of(policy, &mut evaluation.verdict);
    }
    Ok(Judgement { evaluation, policy, vulnerable, warnings })
}

fn not_judged(evaluation: &Evaluation) -> JudgeError {
    let reason = evaluation.verdict.reasons.first();
    let code = reason.map_or("", |reason| reason.code.as_str());
    match ["no-kev-data", "no-epss-data"].into_iter().find(|known| *known == code) {
        Some(code) => {
            let message = reason.map(|reason| reason.message.clone()).unwrap_or_default();
            JudgeError::NoData { code, message }
        }
        None => JudgeError::NoDatabase,
    }
}

/// An SBOM without components, an empty folder, or one that is no root of a system: whoever judges
/// it has named something else than was meant.
fn is_nothing(section: &Section, gate: &Gate) -> bool {
    let image = &section.image;
    let is_no_image = image.source == "sbom" || image.source.starts_with("dir:");
    let is_no_system = is_no_image && section.distribution.is_none() && gate.needs_database();
    // What is judged at once after a scan has the files that packages need only.
    let is_empty = section.files.is_empty() && section.layers.iter().all(|it| it.entries == 0);
    gate.is_set()
        && section.packages.is_empty()
        && section.secrets.is_empty()
        && section.problems.is_empty()
        && section.skipped.count == 0
        && (is_empty || is_no_system)
}

/// The list, made of the evaluation where that left nothing out.
fn vulnerable(
    section: &Section,
    data: Option<Data<'_>>,
    asked: Option<&PolicyRequest<'_>>,
    options: &JudgeOptions,
    evaluation: &Evaluation,
) -> Result<Option<Arc<VulnerabilityList>>, JudgeError> {
    let is_asked_for =
        options.list_vulnerable || asked.is_some_and(|asked| asked.policies.ask("vulnerabilities"));
    let (Some(data), true) = (data, is_asked_for) else { return Ok(None) };
    let Options { severity, only_fixable, .. } = options.evaluate;
    let when = asked.map_or(Timestamp::UNIX_EPOCH, |asked| asked.policies.when);
    let list = match severity == Severity::Unknown && !only_fixable {
        true => vulnerable::of(section, evaluation, data.database, when)?,
        false => vulnerable::judge(section, data, &options.evaluate, when)?,
    };
    Ok(Some(Arc::new(list)))
}

fn of_evaluation(evaluation: &Evaluation, has_data: bool, options: &Options) -> Vec<String> {
    let mut warnings = Vec::new();
    if !has_data {
        warnings.push(
            "no vulnerability database: packages are not evaluated (fetch one with `inscan db update`)"
                .to_owned(),
        );
    } else if options.gate.on_uncovered != OnUncovered::Ignore {
        let uncovered = evaluation.uncovered.iter();
        warnings.extend(uncovered.map(|one| format!("not judged: {}", one.message)));
    }
    warnings.extend(evaluation.warnings.iter().map(|warning| warning.message.clone()));
    warnings
}

impl Policies {
    /// Whether any rule is about this gate.
    pub fn ask(&self, gate: &str) -> bool {
        let rules = self.bundle.policies.iter().flat_map(|policy| &policy.rules);
        rules.filter_map(|rule| rule.compiled.as_ref()).any(|rule| rule.gate.name == gate)
    }

    /// Rule by rule, what they say of an image and why.
    pub fn explain(&self, facts: &DocumentFacts<'_>, image: &Image) -> crate::Explanation<'_> {
        crate::explain(&self.bundle, facts, image, self.when, self.only.as_deref())
    }
}

impl<'a> PolicyRequest<'a> {
    /// The facts, with what the database knows of the image.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn with_data(
        self,
        section: &Section,
        data: Option<Data<'a>>,
        options: &JudgeOptions,
    ) -> Result<PolicyRequest<'a>, JudgeError> {
        let Some(data) = data else { return Ok(self) };
        let when = self.policies.when;
        let list = match self.policies.ask("vulnerabilities") {
            true => Some(Arc::new(vulnerable::judge(section, data, &options.evaluate, when)?)),
            false => None,
        };
        Ok(self.with(Some(data), list))
    }

    /// Exceptions for secrets hold for policies as well.
    fn with_secrets_of(mut self, evaluation: &Evaluation) -> PolicyRequest<'a> {
        if self.facts.has_found_secrets() {
            self.facts = self.facts.with_secrets(evaluation.secrets.clone());
        }
        self
    }

    fn with(
        mut self,
        data: Option<Data<'a>>,
        list: Option<Arc<VulnerabilityList>>,
    ) -> PolicyRequest<'a> {
        if let Some(data) = data {
            self.facts = self.facts.with_database(data.database);
        }
        if let Some(list) = list {
            self.facts = self.facts.with_vulnerabilities(list);
        }
        self
    }

    fn judged(
        self,
        data: Option<Data<'a>>,
        list: Option<Arc<VulnerabilityList>>,
        warnings: &mut Vec<String>,
    ) -> Result<crate::Evaluation, JudgeError> {
        let PolicyRequest { policies, facts, image } = self.with(data, list);
        let Policies { bundle, source, only, when } = policies;
        let only = only.as_deref();
        if facts.vulnerabilities().is_none() && crate::asks(bundle, &image, only, "vulnerabilities")
        {
            return Err(JudgeError::NoDatabase);
        }
        let evaluation = crate::evaluate(bundle, &facts, &image, *when, only)
            .map_err(|problems| JudgeError::Bundle { source_name: source.clone(), problems })?;
        if evaluation.policies.is_empty() && evaluation.reason == Reason::Policy {
            warnings.push(format!(
                "bundle `{source}`: no mapping is for this image, so that no rule was asked of it \
                 (`inscan policy explain` tells why not)"
            ));
        }
        let stale_exceptions = evaluation.stale_exceptions.iter();
        warnings.extend(
            stale_exceptions.map(|stale| format!("bundle `{source}`: {}", stale.message())),
        );
        Ok(evaluation)
    }
}

impl Judgement {
    /// Why the image fails, by its gate and by its policies; empty where it passes.
    pub fn objections(&self) -> Vec<String> {
        let reasons = match self.evaluation.verdict.outcome {
            Outcome::Fail => self.evaluation.verdict.reasons.as_slice(),
            Outcome::Pass | Outcome::NoGate | Outcome::NotJudged => &[],
        };
        reasons.iter().map(|it| it.message.clone()).collect()
    }
}

/// Policies are a gate as others are: one verdict for all of them, which every report says.
fn with_verdict_of(policies: &crate::Evaluation, verdict: &mut Verdict) {
    match objection(policies) {
        Some(message) => {
            let code = "policy".to_owned();
            verdict.outcome = Outcome::Fail;
            verdict.reasons.push(inscan_evaluate::Reason { code, message, findings: Vec::new() });
        }
        None if verdict.outcome == Outcome::NoGate => verdict.outcome = Outcome::Pass,
        None => {}
    }
}

/// Why an image fails by its policies, if it does.
fn objection(evaluation: &crate::Evaluation) -> Option<String> {
    if evaluation.passes() {
        return None;
    }
    let stops = evaluation.count(Action::Stop);
    let faults = evaluation.faults.iter().filter(|fault| fault.kind.stops()).count();
    Some(match evaluation.reason {
        Reason::Blacklisted => "the bundle blacklists this image".to_owned(),
        _ if faults > 0 => format!("errors in the policies: {faults}"),
        _ if stops == 1 => "1 policy violation".to_owned(),
        _ => format!("{stops} policy violations"),
    })
}
