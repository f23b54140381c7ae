//! What reports say of an evaluation, in the same words in all formats.

use super::text::{counted, printable};
use inscan_evaluate::{Evaluation, Finding, LayerOf, Outcome, Severity, Status};

/// `https://…` of the advisory's own page, else of the first reference.
pub(super) fn page(finding: &Finding) -> Option<&str> {
    let advisories = finding.advisories.iter().filter_map(|advisory| advisory.url.as_deref());
    let references = finding.references.iter().map(|reference| reference.url.as_str());
    advisories.chain(references).find(|url| is_web(url))
}

/// An address that a reader may follow: nothing but http and https, and nothing that ends it early.
pub(super) fn is_web(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let plain = |char: char| char.is_ascii_graphic() && !"\"<>\\^`{|}".contains(char);
    rest.is_some_and(|rest| !rest.is_empty() && rest.len() < 2000 && rest.chars().all(plain))
}

/// `django 3.2.0`.
pub(super) fn package(finding: &Finding) -> String {
    let version = Some(finding.package.version.as_str()).filter(|version| !version.is_empty());
    printable(&format!("{} {}", finding.package.name, version.unwrap_or("of unknown version")))
}

/// What to do about it, in one sentence.
pub(super) fn advice(finding: &Finding) -> String {
    let sentence = match (&finding.upgrade, finding.status) {
        (Some(upgrade), _) => format!("Upgrade {} to {upgrade}.", finding.package.name),
        (None, Status::Affected) => "No version without it is known.".to_owned(),
        (None, Status::Fixed) => match finding.fixed_versions.is_empty() {
            true => "A later version is without it.".to_owned(),
            false => format!("Fixed in {}.", finding.fixed_versions.join(", ")),
        },
        (None, Status::WillNotFix) => "Its maintainers will not fix it.".to_owned(),
        (None, Status::FixDeferred) => "Its maintainers fix it later.".to_owned(),
        (None, Status::UnderInvestigation) => "Its maintainers look into it.".to_owned(),
        (None, Status::EndOfLife) => "The release gets no updates any more.".to_owned(),
    };
    let guess = match finding.cpe_only {
        true => {
            " Only a CPE name says that it is affected: it may be about something else of that name."
        }
        false => "",
    };
    printable(&format!("{sentence}{guess}"))
}

/// `layer 2 of 5 (RUN pip install …)`: counts from 1, as people do.
pub(super) fn layer(layer: &LayerOf, evaluation: &Evaluation) -> String {
    let of = match evaluation.layers.len() {
        0 => String::new(),
        all => format!(" of {all}"),
    };
    let base = if layer.base == Some(true) { ", base image" } else { "" };
    let made_by = Some(made_by(&layer.created_by)).filter(|line| !line.is_empty());
    let made_by = made_by.map(|line| format!(" ({})", shortened(&line, 200))).unwrap_or_default();
    format!("layer {}{of}{base}{made_by}", layer.index + 1)
}

/// A line of the image's history as its author wrote it: without the shell that builders put
/// before it, and without the arguments of the build (`|2 A=b C=d /bin/sh -c …`).
pub(super) fn made_by(line: &str) -> String {
    const SHELL: &str = "/bin/sh -c ";
    let line = match line.trim().starts_with('|') {
        true => line.split_once(SHELL).map_or(line, |(_, command)| command),
        false => line.trim().strip_prefix(SHELL).unwrap_or(line),
    };
    let line = line.trim().strip_prefix("#(nop) ").unwrap_or(line);
    printable(line.trim())
}

/// At most so many characters; what is cut off is an ellipsis.
pub(super) fn shortened(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        None => text.to_owned(),
        Some(_) => text.chars().take(characters - 1).chain(['…']).collect(),
    }
}

/// `fails: 3 vulnerabilities are high or worse`, without a full stop.
pub(super) fn verdict(evaluation: &Evaluation) -> String {
    let outcome = match evaluation.verdict.outcome {
        Outcome::Pass => "passes the gate",
        Outcome::Fail => "fails the gate",
        Outcome::NoGate if evaluation.database.is_none() => "not judged: no vulnerability database",
        Outcome::NoGate => "no gate was asked for",
        Outcome::NotJudged => "could not be judged",
    };
    let reasons = evaluation.verdict.reasons.iter();
    let reasons: Vec<_> = reasons.map(|reason| printable(&reason.message)).collect();
    match reasons.is_empty() {
        true => outcome.to_owned(),
        false => format!("{outcome}: {}", reasons.join("; ")),
    }
}

/// `2 critical, 5 high`; only those there are.
pub(super) fn severities(evaluation: &Evaluation) -> String {
    let count = |severity: &Severity| evaluation.counts.severity.get(severity).copied();
    let parts = Severity::ALL.iter().filter_map(|severity| {
        let number = count(severity).filter(|number| *number > 0)?;
        Some(format!("{number} {}", severity.name()))
    });
    parts.collect::<Vec<_>>().join(", ")
}

/// `12 vulnerabilities in 4 packages`.
pub(super) fn extent(evaluation: &Evaluation) -> String {
    let counts = &evaluation.counts;
    let vulnerabilities = counted(counts.vulnerabilities, "vulnerability", "vulnerabilities");
    format!("{vulnerabilities} in {}", counted(counts.packages, "package", "packages"))
}

/// The reference it is reported under, else what the user named.
pub(super) fn image(evaluation: &Evaluation) -> &str {
    match evaluation.image.reference.is_empty() {
        true => &evaluation.image.source,
        false => &evaluation.image.reference,
    }
}

/// The day of the evaluation at midnight: its only clock.
pub(super) fn timestamp(evaluation: &Evaluation) -> String {
    format!("{}T00:00:00Z", evaluation.date)
}

/// A time as RFC 3339 has it, in UTC; `None` for what is none.
pub(super) fn date_time(text: &str) -> Option<String> {
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(time.to_string());
    }
    let day: jiff::civil::Date = text.parse().ok()?;
    Some(format!("{day}T00:00:00Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_history_is_what_its_author_wrote() {
        for (line, expected) in [
            ("/bin/sh -c #(nop) ADD file:1 in / ", "ADD file:1 in /"),
            ("|2 A=b C=d /bin/sh -c pip install x", "pip install x"),
            (
                "RUN /bin/sh -c apt-get update # buildkit",
                "RUN /bin/sh -c apt-get update # buildkit",
            ),
            ("|odd", "|odd"),
            ("", ""),
        ] {
            assert_eq!(made_by(line), expected);
        }
    }

    #[test]
    fn only_addresses_of_the_web_are_links() {
        for good in ["https://example.org/a?b=c#d", "http://example.org"] {
            assert!(is_web(good), "{good}");
        }
        for bad in [
            "javascript:alert(1)",
            "https://",
            "https://a b",
            "https://a\"onclick",
            "//a",
            "https://a\u{202e}b",
        ] {
            assert!(!is_web(bad), "{bad}");
        }
    }

    #[test]
    fn times_are_of_rfc_3339_or_not_there() {
        assert_eq!(date_time("2024-01-02").unwrap(), "2024-01-02T00:00:00Z");
        assert_eq!(date_time("2024-01-02T03:04:05+02:00").unwrap(), "2024-01-02T01:04:05Z");
        assert_eq!(date_time("yesterday"), None);
    }
}
