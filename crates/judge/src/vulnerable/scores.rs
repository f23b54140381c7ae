//! The three CVSS scores of versions 2 and 3: base, exploitability, impact.

use inscan_evaluate::cvss_parts;
use inscan_vulndb::{self as vulndb, Advisory, Database, Severity};

/// In place of a score that nobody states.
const NONE: f64 = -1.0;

/// What somebody says of one vulnerability.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    pub id: String,
    /// Base, exploitability, impact.
    pub v2: [f64; 3],
    pub v3: [f64; 3],
}

impl Scores {
    fn new(id: &str, severities: &[Severity]) -> Self {
        let three = |kind: &str, version| {
            let number = |suffix: &str| {
                let name = format!("{kind}{suffix}");
                let mut named = severities.iter().filter(|one| one.kind == name);
                named.find_map(|one| one.score.parse::<f64>().ok().filter(|it| it.is_finite()))
            };
            let stated = ["", "/exploitability", "/impact"].map(number);
            let mut vectors = severities.iter().filter_map(|one| cvss_parts(&one.score));
            let computed = vectors.find(|(of, _)| *of == version).map(|(_, three)| three);
            // Numbers that are stated stand above those that a vector gives.
            match (stated, computed) {
                ([None, ..], Some(computed)) => computed,
                (stated, _) => stated.map(|score| score.unwrap_or(NONE)),
            }
        };
        Scores { id: id.to_owned(), v2: three("CVSS_V2", 2), v3: three("CVSS_V3", 3) }
    }

    fn has_any(&self) -> bool {
        self.v2.iter().chain(&self.v3).any(|score| *score != NONE)
    }
}

/// What NVD says of CVEs; else others who rate them, and the advisory itself. Of an advisory of
/// the engine's feeds only NVD is asked.
pub(super) fn of_cves(
    cves: &[String],
    record: &Advisory,
    database: &Database,
) -> vulndb::Result<Vec<Scores>> {
    let is_feed = record.source.starts_with("feed:");
    let mut all = Vec::new();
    for cve in cves {
        let rated = database.rating(cve)?.map(|rating| Scores::new(cve, &rating.severities));
        match rated.filter(|scores| is_feed || scores.has_any()) {
            Some(scores) => all.push(scores),
            None if is_feed => {}
            None => {
                let head = database.head_of(cve)?.unwrap_or_default();
                let said = [&record.severities, &head.severities];
                let said = said.map(|severities| Scores::new(cve, severities));
                all.extend(said.into_iter().find(Scores::has_any));
            }
        }
    }
    Ok(all)
}

/// What the advisory itself says.
pub(super) fn of_advisory(record: &Advisory) -> Vec<Scores> {
    let scores = Scores::new(&record.id, &record.severities);
    scores.has_any().then_some(scores).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn severity(kind: &str, score: &str) -> Severity {
        Severity { kind: kind.into(), score: score.into() }
    }

    #[test]
    fn numbers_are_taken_as_stated_and_vectors_computed() {
        let stated = [severity("CVSS_V3", "9.8"), severity("CVSS_V3/impact", "5.9")];
        let scores = Scores::new("CVE-1", &stated);
        assert_eq!((scores.v2, scores.v3), ([-1.0; 3], [9.8, -1.0, 5.9]));
        // As the National Vulnerability Database publishes them for CVE-2014-0160.
        let vectors = [
            severity("CVSS_V3", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"),
            severity("CVSS_V2", "AV:N/AC:L/Au:N/C:P/I:N/A:N"),
        ];
        let scores = Scores::new("CVE-2014-0160", &vectors);
        assert_eq!((scores.v2, scores.v3), ([5.0, 10.0, 2.9], [7.5, 3.9, 3.6]));
        assert!(!Scores::new("CVE-1", &[severity("CVSS_V3", "CVSS")]).has_any());
    }
}
