//! Counts, and what each layer brought.

use std::collections::BTreeSet;

use super::evaluation::*;
use super::severity::Severity;
use inscan_document::Section;

/// What the verdict does not count.
pub(super) struct LeftOut {
    /// Findings that were not to be shown.
    pub(super) hidden: usize,
    pub(super) unrated: usize,
    pub(super) not_installed: usize,
}

/// Layers of the findings, then the counts.
pub(super) fn fill(
    section: &Section,
    judged: usize,
    left_out: LeftOut,
    evaluation: &mut Evaluation,
) {
    let base = evaluation.base.as_ref().map(|base| base.layers);
    let is_base = |index: usize| base.map(|layers| index < layers);
    evaluation.layers = section
        .layers
        .iter()
        .enumerate()
        .map(|(index, layer)| Layer {
            index,
            diff_id: layer.diff_id.clone(),
            created_by: layer.created_by.clone(),
            base: is_base(index),
            ..Layer::default()
        })
        .collect();
    let suppressed = evaluation.suppressed.iter_mut().map(|one| &mut one.finding);
    for finding in evaluation.findings.iter_mut().chain(suppressed) {
        let layer = section.packages.get(finding.package.index).and_then(|package| package.layer);
        finding.layer = layer.and_then(|index| {
            let layer = section.layers.get(index)?;
            Some(LayerOf {
                index,
                diff_id: layer.diff_id.clone(),
                created_by: layer.created_by.clone(),
                base: is_base(index),
            })
        });
    }
    for layer in evaluation.secrets.iter_mut().filter_map(|secret| secret.layer.as_mut()) {
        layer.base = is_base(layer.index);
    }
    for finding in &evaluation.findings {
        let layer = finding.layer.as_ref().and_then(|it| evaluation.layers.get_mut(it.index));
        if let Some(layer) = layer {
            layer.findings += 1;
            *layer.severity.entry(finding.severity.level).or_default() += 1;
        }
    }
    evaluation.counts = counts(judged, &left_out, evaluation);
    evaluation.verdict.not_counted = not_counted(evaluation);
}

fn counts(judged: usize, left_out: &LeftOut, evaluation: &Evaluation) -> Counts {
    let findings = &evaluation.findings;
    let number = |is: &dyn Fn(&Finding) -> bool| findings.iter().filter(|one| is(one)).count();
    let mut counts = Counts {
        findings: findings.len(),
        severity: Severity::ALL.into_iter().map(|level| (level, 0)).collect(),
        vulnerabilities: distinct(findings.iter().map(|one| one.id.as_str())),
        packages: distinct(findings.iter().map(|one| one.package.index)),
        fixable: number(&|one| !one.fixed_versions.is_empty()),
        kev: number(&|one| one.kev.is_some()),
        failing: number(&|one| one.fails),
        secrets: evaluation.secrets.len(),
        failing_secrets: evaluation.secrets.iter().filter(|one| one.fails).count(),
        new: (evaluation.gate.baseline.is_some()).then(|| number(&|one| one.new == Some(true))),
        not_shown: left_out.hidden,
        unrated: left_out.unrated,
        not_installed: left_out.not_installed,
        judged_packages: judged,
        uncovered_packages: distinct(
            evaluation.uncovered.iter().flat_map(|one| one.packages.iter().copied()),
        ),
        ..Counts::default()
    };
    for finding in findings {
        *counts.severity.entry(finding.severity.level).or_default() += 1;
    }
    for one in &evaluation.suppressed {
        *counts.suppressed.entry(one.by.code).or_default() += 1;
    }
    counts
}

/// In one line, for beside the verdict.
fn not_counted(evaluation: &Evaluation) -> Option<String> {
    let counts = &evaluation.counts;
    let parts = [
        (counts.unrated, "finding without a severity", "findings without a severity"),
        (counts.not_installed, "package of lock files", "packages of lock files"),
        (evaluation.suppressed.len(), "suppressed finding", "suppressed findings"),
        (
            counts.uncovered_packages,
            "package that could not be evaluated",
            "packages that could not be evaluated",
        ),
    ];
    let parts = parts.into_iter().filter(|(number, ..)| *number > 0);
    let parts: Vec<String> = parts
        .map(|(number, one, several)| {
            format!("{number} {}", if number == 1 { one } else { several })
        })
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn distinct<T: Ord>(all: impl Iterator<Item = T>) -> usize {
    all.collect::<BTreeSet<T>>().len()
}
