//! EPSS scores, as FIRST publishes them each day: a line with the date, a line
//! with the columns, and a line for each CVE. <https://www.first.org/epss/data_stats>

use jiff::Timestamp;

use super::json::time;
use super::schema::{SCORE_SCALE, cve_number};

/// The scores of one file: CVEs as numbers, and both shares as one number each.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Scores {
    pub date: Option<Timestamp>,
    pub scores: Vec<(i64, i64)>,
    /// The first line that is none of a score, and how many there are.
    pub wrong: Option<(usize, u64)>,
}

pub(super) fn is_scores(text: &str) -> bool {
    text.lines().take(5).any(|line| line.trim_start().starts_with("cve,epss"))
}

pub(super) fn scores(text: &str) -> Scores {
    let mut read = Scores::default();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(comment) = line.strip_prefix('#') {
            let date = comment.split(',').find_map(|part| part.trim().strip_prefix("score_date:"));
            read.date = read.date.or(date.and_then(time));
        } else if let Some(score) = score(line) {
            read.scores.push(score);
        } else if !line.is_empty() && !line.starts_with("cve,") {
            let (_, count) = read.wrong.get_or_insert((number + 1, 0));
            *count += 1;
        }
    }
    read
}

fn score(line: &str) -> Option<(i64, i64)> {
    let mut columns = line.split(',');
    let cve = cve_number(columns.next()?.trim())?;
    let mut share = || {
        let share: f64 = columns.next()?.trim().parse().ok()?;
        (0.0..=1.0).contains(&share).then(|| (share * SCORE_SCALE as f64).round() as i64)
    };
    let (probability, percentile) = (share()?, share().unwrap_or(0));
    Some((cve, probability * (SCORE_SCALE + 1) + percentile))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_scores_and_says_where_it_could_not() {
        let text = "#model_version:v2025.03.14,score_date:2026-08-16T00:00:00+0000\n\
                    cve,epss,percentile\nCVE-1999-0001,0.03351,0.8765\nCVE-1999-0002,1,1\n\
                    CVE-1999-0003,7,0\nnonsense\n";
        assert!(is_scores(text));
        let read = scores(text);
        assert_eq!(read.date.unwrap().to_string(), "2026-08-16T00:00:00Z");
        assert_eq!(read.scores[0], (19_990_000_000_001, 3351 * 100_001 + 87650));
        assert_eq!(read.scores[1].1, 100_000 * 100_001 + 100_000);
        assert_eq!(read.wrong, Some((5, 2)));
    }
}
