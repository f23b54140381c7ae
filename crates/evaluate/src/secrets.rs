//! Secrets that lie in the image, as a gate and reports see them: which fail, which are
//! new, and which an exception lets pass.

use std::collections::BTreeSet;

use inscan_document::Section;
use inscan_document::section::SecretRow;

use super::evaluation::*;
use super::ignore::Ledger;

/// The analyzer that looks for them.
const ANALYZER: &str = "secrets";

/// Whether the document's image was searched: an SBOM was not.
pub(super) fn were_searched(section: &Section) -> bool {
    section.tool.analyzers.iter().any(|analyzer| analyzer == ANALYZER)
}

/// What is held against the image, and what an exception lets pass; the worst first.
pub(super) fn of(
    section: &Section,
    baseline: Option<&Section>,
    ledger: &mut Ledger<'_>,
) -> (Vec<SecretFinding>, Vec<SuppressedSecret>) {
    let known = baseline.map(known);
    let mut held = Vec::new();
    let mut suppressed = Vec::new();
    for row in &section.secrets {
        let secret = finding(row, section, known.as_ref());
        match ledger.secret_suppression(&secret) {
            Some(by) => suppressed.push(SuppressedSecret { secret, by }),
            None => held.push(secret),
        }
    }
    // What is in one place stays in its order.
    held.sort_by_key(|secret| std::cmp::Reverse(secret.severity));
    (held, suppressed)
}

/// All of a document, without exceptions and baseline. `None`: nobody looked for any.
pub fn secrets_of(section: &Section) -> Option<Vec<SecretFinding>> {
    let rows = section.secrets.iter();
    were_searched(section).then(|| rows.map(|row| finding(row, section, None)).collect())
}

type Key = (String, Option<String>, String);

/// By rule, path and fingerprint. Documents of earlier releases have lines in its place.
fn key(row: &SecretRow) -> [Key; 2] {
    let (rule, path) = (&row.rule, place(row));
    let line = format!("line {}", row.line);
    [&row.fingerprint, &line].map(|by| (rule.clone(), path.clone(), by.clone()))
}

fn known(baseline: &Section) -> BTreeSet<Key> {
    let keys = baseline.secrets.iter().map(|row| {
        let [by_text, by_line] = key(row);
        if row.fingerprint.is_empty() { by_line } else { by_text }
    });
    keys.collect()
}

/// Of a member of an archive both: `app.jar:application.yml`.
fn place(row: &SecretRow) -> Option<String> {
    let path = row.path.as_ref()?;
    Some(row.member.as_ref().map_or_else(|| path.clone(), |member| format!("{path}:{member}")))
}

fn finding(row: &SecretRow, section: &Section, known: Option<&BTreeSet<Key>>) -> SecretFinding {
    let layer = row.layer.and_then(|index| section.layers.get(index));
    SecretFinding {
        rule: row.rule.clone(),
        about: row.about.clone(),
        severity: row.severity.into(),
        path: place(row),
        layer: layer.map(|layer| LayerOf {
            index: layer.index,
            diff_id: layer.diff_id.clone(),
            created_by: layer.created_by.clone(),
            base: None,
        }),
        visible: row.visible,
        origin: row.origin.clone(),
        line: row.line,
        column: row.column,
        excerpt: row.excerpt.clone(),
        fingerprint: row.fingerprint.clone(),
        fails: false,
        new: known.map(|known| !key(row).iter().any(|key| known.contains(key))),
    }
}

#[cfg(test)]
mod tests {
    use inscan_facts::secret::Severity;

    use super::super::ignore::Exceptions;
    use super::*;

    fn row(rule: &str, path: &str, fingerprint: &str) -> SecretRow {
        SecretRow {
            rule: rule.into(),
            about: String::new(),
            severity: Severity::High,
            analyzer: ANALYZER.into(),
            path: Some(path.into()).filter(|path: &String| !path.is_empty()),
            path_bytes: None,
            member: None,
            layer: None,
            visible: true,
            origin: None,
            fingerprint: fingerprint.into(),
            line: 3,
            column: 1,
            excerpt: "a=********".into(),
        }
    }

    fn section(rows: Vec<SecretRow>) -> Section {
        Section { secrets: rows, ..Section::default() }
    }

    /// The paths of what is held against an image of these two secrets.
    #[track_caller]
    fn check(exceptions: &str, expected: &[&str]) {
        let files = [Exceptions::parse("f", exceptions).unwrap()];
        let mut ledger = Ledger::new(&files, "2026-06-01".parse().unwrap());
        let section =
            section(vec![row("token", "a/.env", "12345"), row("password", "b/.env", "54321")]);
        let (held, suppressed) = of(&section, None, &mut ledger);
        let held: Vec<_> = held.iter().filter_map(|one| one.path.as_deref()).collect();
        assert_eq!(held, expected, "{exceptions}");
        assert_eq!(suppressed.len() + held.len(), 2);
    }

    #[test]
    fn exceptions_are_of_rule_path_and_fingerprint() {
        check("", &["a/.env", "b/.env"]);
        check("ignore: [{secret: token}]", &["b/.env"]);
        check("ignore: [{secret: '*', path: /b/*, reason: x}]", &["a/.env"]);
        check("ignore: [{secret: token, path: a/.env, fingerprint: '12345'}]", &["b/.env"]);
        check("ignore: [{secret: token, fingerprint: '99999'}]", &["a/.env", "b/.env"]);
        check("ignore: [{secret: '*', expires: 2026-05-31}]", &["a/.env", "b/.env"]);
        // A path alone is of vulnerabilities.
        check("ignore: [{path: 'a/*'}]", &["a/.env", "b/.env"]);
    }

    #[test]
    fn what_the_baseline_has_is_not_new() {
        let baseline = section(vec![row("token", "a/.env", "12345"), row("old", "c", "")]);
        let rows = ["12345", "99999"].map(|print| row("token", "a/.env", print));
        let now = section([&rows[..], &[row("old", "c", "77777")]].concat());
        let (held, _) =
            of(&now, Some(&baseline), &mut Ledger::new(&[], "2026-06-01".parse().unwrap()));
        let new: Vec<_> = held.iter().map(|one| one.new).collect();
        assert_eq!(new, [Some(false), Some(true), Some(false)]);
    }
}
