//! Counts, and what each layer brought.

use std::collections::BTreeSet;

use super::evaluation::*;
use super::severity::Severity;
use inscan_document::Section;

/// Layers of the findings, then the counts.
pub(super) fn fill(section: &Section, judged: usize, hidden: usize, evaluation: &mut Evaluation) {
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
    evaluation.counts = counts(judged, hidden, evaluation);
}

fn counts(judged: usize, hidden: usize, evaluation: &Evaluation) -> Counts {
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
        not_shown: hidden,
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

fn distinct<T: Ord>(all: impl Iterator<Item = T>) -> usize {
    all.collect::<BTreeSet<T>>().len()
}
