//! How bad a vulnerability is, in one scale for all sources.
//!
//! Of what is stated, the first that there is holds: for OS packages the word of
//! the distribution, which knows how it built the package; then the CVSS vectors
//! of the advisories that matched, version 4 before 3 before 2; their own word;
//! then the same of other advisories for the same vulnerability, and of who rates
//! it without naming packages. Scores are computed from the vector: the numbers
//! that stand beside vectors are often of another one.

use std::str::FromStr;

use cvss::Cvss;
use serde::{Deserialize, Serialize};

use super::evaluation::Rating;
use inscan_vulndb as vulndb;

/// From what nobody rated to the worst.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    #[default]
    Unknown,
    Negligible,
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    /// Worst first, as they are shown.
    pub const ALL: [Severity; 6] = [
        Severity::Critical,
        Severity::High,
        Severity::Medium,
        Severity::Low,
        Severity::Negligible,
        Severity::Unknown,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Severity::Unknown => "unknown",
            Severity::Negligible => "negligible",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }

    /// What a vendor's word means; `None` where it says nothing (`not yet assigned`).
    pub fn of_word(word: &str) -> Option<Severity> {
        // Debian marks what was derived automatically with asterisks: `low**`.
        let word = word.trim().trim_end_matches('*').to_ascii_lowercase();
        Some(match word.as_str() {
            "critical" | "emergency" => Severity::Critical,
            "high" | "important" => Severity::High,
            "medium" | "moderate" => Severity::Medium,
            "low" | "minor" => Severity::Low,
            "negligible" | "unimportant" | "none" | "informational" => Severity::Negligible,
            _ => return None,
        })
    }

    /// The scale of CVSS 3 and 4: <https://www.first.org/cvss/v3.1/specification-document#5-Qualitative-Severity-Rating-Scale>.
    fn of_score(score: f64) -> Severity {
        match score {
            score if score >= 9.0 => Severity::Critical,
            score if score >= 7.0 => Severity::High,
            score if score >= 4.0 => Severity::Medium,
            score if score > 0.0 => Severity::Low,
            _ => Severity::Negligible,
        }
    }
}

/// Of secrets.
impl From<inscan_facts::secret::Severity> for Severity {
    fn from(severity: inscan_facts::secret::Severity) -> Self {
        match severity {
            inscan_facts::secret::Severity::Low => Severity::Low,
            inscan_facts::secret::Severity::Medium => Severity::Medium,
            inscan_facts::secret::Severity::High => Severity::High,
            inscan_facts::secret::Severity::Critical => Severity::Critical,
        }
    }
}

impl FromStr for Severity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Severity::ALL.into_iter().find(|one| one.name() == text.to_ascii_lowercase());
        known.ok_or_else(|| {
            let names = Severity::ALL.map(Severity::name);
            format!("a severity is one of: {}", names.join(", "))
        })
    }
}

/// What one advisory says of severity, the closest to the package first.
pub(super) struct Stated<'a> {
    /// Its id, to name it.
    pub(super) source: &'a str,
    /// Words, each with what it is called there.
    pub(super) words: Vec<(&'static str, &'a str)>,
    pub(super) grades: Vec<&'a vulndb::Severity>,
}

impl<'a> Stated<'a> {
    /// By the advisory and its entry for the package.
    pub(super) fn by(
        advisory: &'a vulndb::Advisory,
        affected: Option<&'a vulndb::Affected>,
    ) -> Self {
        let mut words = Vec::new();
        if let Some(affected) = affected {
            words.extend(affected.urgency.as_deref().map(|word| ("urgency", word)));
            words.extend(affected.severity_word.as_deref().map(|word| ("severity", word)));
        }
        words.extend(advisory.severity_word.as_deref().map(|word| ("severity", word)));
        // `Important: openssl security update`
        let first = advisory.summary.split_once(": ").map(|(word, _)| word);
        words.extend(first.filter(|word| !word.contains(' ')).map(|word| ("title", word)));
        let own = affected.map_or(&[][..], |affected| &affected.severities);
        let grades: Vec<_> = own.iter().chain(&advisory.severities).collect();
        Stated { source: &advisory.id, words, grades }
    }

    /// By somebody who names no packages.
    pub(super) fn by_rating(source: &'a str, rating: &'a vulndb::Rating) -> Self {
        let words = rating.severity_word.as_deref().map(|word| ("severity", word));
        Stated {
            source,
            words: words.into_iter().collect(),
            grades: rating.severities.iter().collect(),
        }
    }

    fn word(&self) -> Option<Rating> {
        let grades = self.grades.iter().filter(|grade| !grade.kind.starts_with("CVSS"));
        let of_vendor = grades.map(|grade| (grade.kind.as_str(), grade.score.as_str()));
        let words = self.words.iter().copied().chain(of_vendor);
        let (what, level) =
            words.filter_map(|(what, word)| Some((what, Severity::of_word(word)?))).next()?;
        Some(Rating { level, source: format!("{} ({what})", self.source), ..Rating::default() })
    }

    /// Version and rating of each vector that can be computed, and of each base score that stands
    /// in place of one. What a score is made of (`CVSS_V3/impact`) is none.
    fn vectors(&self) -> impl Iterator<Item = (u8, Rating)> {
        let grades = self.grades.iter().filter(|grade| !grade.kind.contains('/'));
        grades.filter_map(|grade| {
            let (version, rating) = computed(self.source, &grade.score)?;
            match (version, grade.kind.as_str()) {
                (0, "CVSS_V3") => Some((3, rating)),
                (0, "CVSS_V2") => {
                    let level = rating.level.min(Severity::High);
                    Some((2, Rating { level, ..rating }))
                }
                _ => Some((version, rating)),
            }
        })
    }
}

/// The severity of a finding in a package of the operating system (or not), by
/// the advisories that matched and by the others of the same vulnerability.
pub(super) fn rating(of_os: bool, matched: &[Stated<'_>], others: &[Stated<'_>]) -> Rating {
    let word = |stated: &[Stated<'_>]| {
        let words = stated.iter().filter_map(Stated::word);
        // Of several words the worst; of equal ones the first.
        words.reduce(|known, next| if next.level > known.level { next } else { known })
    };
    let vector = |stated: &[Stated<'_>]| {
        let vectors = stated.iter().flat_map(Stated::vectors);
        let best = vectors.reduce(|known, next| {
            let order = |one: &(u8, Rating)| (one.0, one.1.score, one.1.vector.is_some());
            let better = order(&next) > order(&known);
            if better { next } else { known }
        });
        best.map(|(_, rating)| rating)
    };
    let computed = vector(matched).or_else(|| vector(others));
    if of_os && let Some(word) = word(matched) {
        // The vendor's level; the vector beside it for who wants to know more.
        let (score, vector) = computed.map_or((None, None), |it| (it.score, it.vector));
        return Rating { score, vector, ..word };
    }
    let own = vector(matched).or_else(|| word(matched));
    own.or(computed).or_else(|| word(others)).unwrap_or_default()
}

/// Base score of a vector, or a number that stands in its place.
fn computed(source: &str, text: &str) -> Option<(u8, Rating)> {
    let text = text.trim().trim_start_matches('(').trim_end_matches([')', '/']);
    if let Ok(score) = text.parse::<f64>() {
        let known = (0.0..=10.0).contains(&score);
        return known.then(|| {
            let level = Severity::of_score(score);
            (0, Rating { level, source: source.to_owned(), score: Some(score), vector: None })
        });
    }
    let vector: Cvss = text.parse().ok()?;
    // The base metrics alone of version 3: what is stated behind them is of one moment and place.
    let (version, name, required, score) = match &vector {
        Cvss::CvssV20(vector) => (2, "CVSS 2.0", &V2[..], vector.score().value()),
        Cvss::CvssV30(vector) => (3, "CVSS 3.0", &V3[..], vector.base_score().value()),
        Cvss::CvssV31(vector) => (3, "CVSS 3.1", &V3[..], vector.base_score().value()),
        Cvss::CvssV40(vector) => (4, "CVSS 4.0", &V4[..], vector.score().value()),
        _ => return None,
    };
    // A vector without one of them has no score.
    let stated = |metric: &&str| text.split('/').any(|part| part.split(':').next() == Some(metric));
    if !required.iter().all(stated) {
        return None;
    }
    let level = match version {
        // Version 2 has no critical: <https://nvd.nist.gov/vuln-metrics/cvss>.
        2 => Severity::of_score(score.min(8.9)),
        _ => Severity::of_score(score),
    };
    let rating = Rating {
        level,
        source: format!("{source} ({name})"),
        score: Some((score * 10.0).round() / 10.0),
        vector: Some(text.to_owned()),
    };
    Some((version, rating))
}

/// Version of a vector (2 or 3), and its scores: base, exploitability, impact.
pub fn cvss_parts(text: &str) -> Option<(u8, [f64; 3])> {
    let (version, rating) = computed("", text)?;
    let rounded = |score: f64| (score * 10.0).round() / 10.0;
    let (exploitability, impact) = match rating.vector.as_deref()?.parse().ok()? {
        Cvss::CvssV20(vector) => (vector.exploitability().value(), vector.impact().value()),
        Cvss::CvssV30(vector) | Cvss::CvssV31(vector) => {
            // The crate has the sum alone, and the scope makes the score of it:
            // <https://www.first.org/cvss/v3.1/specification-document#7-1-Base-Metrics-Equations>.
            let sum = vector.impact().value();
            let impact = match text.contains("/S:C") {
                true => 7.52 * (sum - 0.029) - 3.25 * (sum - 0.02).powi(15),
                false => 6.42 * sum,
            };
            (vector.exploitability().value(), impact.max(0.0))
        }
        _ => return None,
    };
    Some((version, [rating.score?, rounded(exploitability), rounded(impact)]))
}

const V2: [&str; 6] = ["AV", "AC", "Au", "C", "I", "A"];
const V3: [&str; 8] = ["AV", "AC", "PR", "UI", "S", "C", "I", "A"];
const V4: [&str; 11] = ["AV", "AC", "AT", "PR", "UI", "VC", "VI", "VA", "SC", "SI", "SA"];

#[cfg(test)]
mod tests {
    use super::*;

    // Vector and score as the National Vulnerability Database publishes them.
    const HEARTBLEED: &str = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N";
    const LOG4SHELL: &str = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H";

    #[test]
    fn a_vector_is_computed() {
        for (vector, level, score) in [
            (HEARTBLEED, Severity::High, 7.5),
            (LOG4SHELL, Severity::Critical, 10.0),
            ("AV:N/AC:L/Au:N/C:P/I:N/A:N", Severity::Medium, 5.0),
            ("(AV:N/AC:L/Au:N/C:C/I:C/A:C)", Severity::High, 10.0),
            (
                "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N",
                Severity::Critical,
                9.3,
            ),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", Severity::Negligible, 0.0),
            ("6.1", Severity::Medium, 6.1),
        ] {
            let (_, rating) = computed("X", vector).unwrap();
            assert_eq!((rating.level, rating.score), (level, Some(score)), "{vector}");
        }
        for wrong in ["", "high", "11", "CVSS:3.1/AV:N", "CVSS:9.0/AV:N/AC:L", "CVSS:3.1/AV:Q/AC:L"]
        {
            assert_eq!(computed("X", wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_vector_has_three_scores() {
        // As the National Vulnerability Database publishes them, again.
        for (vector, parts) in [
            (HEARTBLEED, (3, [7.5, 3.9, 3.6])),
            (LOG4SHELL, (3, [10.0, 3.9, 6.0])),
            ("AV:N/AC:L/Au:N/C:P/I:N/A:N", (2, [5.0, 10.0, 2.9])),
            ("AV:N/AC:M/Au:N/C:C/I:C/A:C", (2, [9.3, 8.6, 10.0])),
        ] {
            assert_eq!(cvss_parts(vector), Some(parts), "{vector}");
        }
        assert_eq!(cvss_parts("7.5"), None);
    }

    #[track_caller]
    fn check(of_os: bool, matched: &[Stated<'_>], others: &[Stated<'_>], expected: (&str, &str)) {
        let rating = rating(of_os, matched, others);
        assert_eq!((rating.level.name(), rating.source.as_str()), expected);
    }

    #[test]
    fn a_distribution_knows_better_and_a_vector_stands_above_a_word() {
        let grade = |kind: &str, score: &str| vulndb::Severity {
            kind: kind.to_owned(),
            score: score.to_owned(),
        };
        let (v2, v3) =
            (grade("CVSS_V2", "AV:N/AC:L/Au:N/C:C/I:C/A:C"), grade("CVSS_V3", HEARTBLEED));
        let vendor = grade("Ubuntu", "low");
        let stated = |source, words, grades| Stated { source, words, grades };
        let os = || [stated("D", vec![("urgency", "low**")], vec![&v3])];
        check(true, &os(), &[], ("low", "D (urgency)"));
        check(false, &os(), &[], ("high", "D (CVSS 3.1)"));
        check(true, &[stated("U", vec![], vec![&vendor])], &[], ("low", "U (Ubuntu)"));
        check(false, &[stated("G", vec![], vec![&v2, &v3])], &[], ("high", "G (CVSS 3.1)"));
        let silent = || [stated("D", vec![("urgency", "not yet assigned")], vec![])];
        let other = || [stated("O", vec![("severity", "MODERATE")], vec![])];
        check(true, &silent(), &other(), ("medium", "O (severity)"));
        check(true, &silent(), &[stated("O", vec![], vec![&v2])], ("high", "O (CVSS 2.0)"));
        check(false, &other(), &[stated("N", vec![], vec![&v3])], ("medium", "O (severity)"));
        check(true, &silent(), &[], ("unknown", ""));
    }

    #[test]
    fn what_a_score_is_made_of_is_no_score() {
        let grade = |kind: &str, score: &str| vulndb::Severity {
            kind: kind.to_owned(),
            score: score.to_owned(),
        };
        let grades = [
            grade("CVSS_V2", "9.3"),
            grade("CVSS_V2/impact", "10.0"),
            grade("CVSS_V3", "5.0"),
            grade("CVSS_V3/exploitability", "3.9"),
        ];
        let stated = |range: std::ops::Range<usize>| Stated {
            source: "N",
            words: vec![],
            grades: grades[range].iter().collect(),
        };
        check(false, &[stated(0..4)], &[], ("medium", "N"));
        check(false, &[stated(0..2)], &[], ("high", "N"));
    }

    #[test]
    fn the_title_of_an_erratum_is_a_word() {
        let advisory = vulndb::Advisory {
            id: "ALSA-1".into(),
            summary: "Important: openssl security update".into(),
            ..Default::default()
        };
        check(true, &[Stated::by(&advisory, None)], &[], ("high", "ALSA-1 (title)"));
    }
}
