//! What VEX documents state about a finding: one that is said not to affect its
//! product, or to be fixed there, is not held against the image.

use std::collections::BTreeSet;

use super::evaluation::{Finding, Suppression, SuppressionCode, Warning};
use crate::vex::{Document, Statement, Subject};
use inscan_document::Section;

/// The documents, and which of their statements held for anything.
pub(super) struct Statements<'a> {
    documents: &'a [Document],
    used: Vec<BTreeSet<usize>>,
}

impl<'a> Statements<'a> {
    pub(super) fn new(documents: &'a [Document]) -> Self {
        Statements { documents, used: vec![BTreeSet::new(); documents.len()] }
    }

    /// Of all statements that hold the latest decides.
    pub(super) fn suppression(
        &mut self,
        section: &Section,
        finding: &Finding,
    ) -> Option<Suppression> {
        let subject = Subject { section, index: finding.package.index };
        // As for exceptions: whoever has looked at one CVE of several has not at the others.
        let is_cve = |name: &&String| name.starts_with("CVE-");
        let several = finding.aliases.iter().filter(is_cve).count() > 1;
        let meant: Vec<String> =
            finding.aliases.iter().filter(|name| !(several && is_cve(name))).cloned().collect();
        let mut latest: Option<(&Document, &Statement)> = None;
        for (document, used) in self.documents.iter().zip(&mut self.used) {
            for position in document.holding(&meant, &subject) {
                used.insert(position);
            }
            if let Some((_, statement)) = document.statement(&meant, &subject)
                && latest.is_none_or(|(_, known)| known.timestamp <= statement.timestamp)
            {
                latest = Some((document, statement));
            }
        }
        let (document, statement) = latest?;
        let why =
            statement.justification.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
        let status = statement.status.name();
        statement.status.is_settled().then(|| Suppression {
            code: SuppressionCode::Vex,
            reason: format!("a VEX statement in {}: {status}{why}", document.source),
            source: Some(document.source.clone()),
            rule: meant.first().cloned(),
            note: statement.note.clone(),
            ..Suppression::default()
        })
    }

    /// Of products that nothing can be compared with, and of statements that hold for nothing.
    pub(super) fn warnings(&self) -> impl Iterator<Item = Warning> {
        let all = self.documents.iter().zip(&self.used);
        all.flat_map(|(document, used)| [unnamed(document), unused(document, used)]).flatten()
    }
}

fn unnamed(document: &Document) -> Option<Warning> {
    (document.unnamed_products > 0).then(|| Warning {
        code: "vex-products".to_owned(),
        message: format!(
            "{}: {} products are named by no package URL, and what is stated of them holds for nothing",
            document.source, document.unnamed_products
        ),
    })
}

/// How many vulnerabilities a warning names.
const EXAMPLES: usize = 3;

fn unused(document: &Document, used: &BTreeSet<usize>) -> Option<Warning> {
    let all = document.statements.iter().enumerate();
    let unused = all.filter(|(position, _)| !used.contains(position));
    let mut names: Vec<&str> =
        unused.clone().filter_map(|(_, it)| it.names.first()).map(String::as_str).collect();
    names.dedup();
    let more = if names.len() > EXAMPLES { " …" } else { "" };
    names.truncate(EXAMPLES);
    let number = unused.count();
    (number > 0).then(|| Warning {
        code: "vex-unused".to_owned(),
        message: format!(
            "{}: {number} of {} statements match no finding: {}{more}",
            document.source,
            document.statements.len(),
            names.join(", ")
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vex;
    use inscan_document::section::PackageRow;

    fn document(source: &str, day: &str, status: &str) -> Document {
        let text = format!(
            r#"{{"@context": "https://openvex.dev/ns/v0.2.0", "timestamp": "2026-{day}T00:00:00Z",
                "statements": [{{"vulnerability": "CVE-1", "status": "{status}",
                    "products": [{{"@id": "pkg:oci/app", "subcomponents": [{{"@id": "pkg:deb/debian/curl"}}]}}],
                    "justification": "inline_mitigations_already_exist", "impact_statement": "why"}}]}}"#
        );
        vex::read(source, text.as_bytes()).unwrap()
    }

    fn suppressed(documents: &[Document], aliases: &[&str]) -> Option<Suppression> {
        let mut section = Section::default();
        section.image.reference = "registry.example/app:1".into();
        section.packages = vec![PackageRow {
            purl: "pkg:deb/debian/curl@7?arch=amd64".into(),
            ..PackageRow::default()
        }];
        let aliases = aliases.iter().map(|name| (*name).to_owned()).collect();
        let finding = Finding { aliases, ..Finding::default() };
        Statements::new(documents).suppression(&section, &finding)
    }

    #[test]
    fn what_is_settled_is_not_held_against_the_image() {
        let found = suppressed(&[document("a.json", "01-01", "not_affected")], &["CVE-1"]).unwrap();
        assert_eq!(found.code, SuppressionCode::Vex);
        let reason = "a VEX statement in a.json: not_affected (inline_mitigations_already_exist)";
        assert_eq!((&*found.reason, found.note.as_deref()), (reason, Some("why")));
        assert!(suppressed(&[document("a", "01-01", "fixed")], &["CVE-1"]).is_some());
        assert!(suppressed(&[document("a", "01-01", "affected")], &["CVE-1"]).is_none());
        assert!(suppressed(&[document("a", "01-01", "fixed")], &["CVE-2"]).is_none());
        assert!(suppressed(&[document("a", "01-01", "fixed")], &["CVE-1", "CVE-2"]).is_none());
        assert!(suppressed(&[], &["CVE-1"]).is_none());
    }

    #[test]
    fn the_latest_document_decides() {
        let (old, new) = (document("a", "01-01", "fixed"), document("b", "02-01", "affected"));
        assert!(suppressed(&[new.clone(), old.clone()], &["CVE-1"]).is_none());
        assert!(suppressed(&[old, new], &["CVE-1"]).is_none());
    }

    #[test]
    fn products_that_hold_for_nothing_are_said() {
        let unnamed = Document { source: "v".into(), unnamed_products: 2, ..Document::default() };
        let documents = [unnamed, document("w", "01-01", "fixed")];
        let statements = Statements::new(&documents);
        let said: Vec<_> = statements.warnings().map(|warning| warning.message).collect();
        assert!(said[0].starts_with("v: 2 products"), "{said:?}");
        assert_eq!(said[1], "w: 1 of 1 statements match no finding: CVE-1");
    }
}
