//! What VEX documents state about a finding: one that is said not to affect its
//! product, or to be fixed there, is not held against the image.

use super::evaluation::{Finding, Suppression, SuppressionCode, Warning};
use crate::vex::{Document, Subject};
use inscan_document::Section;

/// Of all statements that hold the latest decides.
pub(super) fn suppression(
    section: &Section,
    finding: &Finding,
    documents: &[Document],
) -> Option<Suppression> {
    let package = section.packages.get(finding.package.index)?;
    let owner = package.owned_by.and_then(|owner| section.packages.get(owner));
    let image = &section.image;
    let names: Vec<&str> =
        [&image.reference].into_iter().chain(&image.names).map(String::as_str).collect();
    let subject = Subject {
        purl: &package.purl,
        owner: owner.map(|owner| owner.purl.as_str()),
        image: &names,
        digests: &[&image.digest, &image.id],
    };
    // As for exceptions: whoever has looked at one CVE of several has not at the others.
    let is_cve = |name: &&String| name.starts_with("CVE-");
    let several = finding.aliases.iter().filter(is_cve).count() > 1;
    let meant: Vec<String> =
        finding.aliases.iter().filter(|name| !(several && is_cve(name))).cloned().collect();
    let (document, statement) = documents
        .iter()
        .filter_map(|document| Some((document, document.statement(&meant, &subject)?)))
        .max_by(|(_, a), (_, b)| a.timestamp.cmp(&b.timestamp))?;
    let why = statement.justification.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
    statement.status.is_settled().then(|| Suppression {
        code: SuppressionCode::Vex,
        reason: format!("a VEX statement in {}: {}{why}", document.source, statement.status.name()),
        source: Some(document.source.clone()),
        rule: meant.first().cloned(),
        note: statement.note.clone(),
        ..Suppression::default()
    })
}

/// Of products that nothing can be compared with.
pub(super) fn warnings(documents: &[Document]) -> impl Iterator<Item = Warning> {
    documents.iter().filter(|document| document.unnamed_products > 0).map(|document| Warning {
        code: "vex-products".to_owned(),
        message: format!(
            "{}: {} products are named by no package URL, and what is stated of them holds for nothing",
            document.source, document.unnamed_products
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
        suppression(&section, &Finding { aliases, ..Finding::default() }, documents)
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
        let document = Document { source: "v".into(), unnamed_products: 2, ..Document::default() };
        let said: Vec<_> = warnings(&[document]).map(|warning| warning.message).collect();
        assert!(said[0].starts_with("v: 2 products"), "{said:?}");
    }
}
