//! Ruby: `Gem::Version`, <https://docs.ruby-lang.org/en/master/Gem/Version.html>.

use std::cmp::Ordering;

use super::digits;

/// Runs of digits and runs of letters, without the zeros that do not count.
pub(super) fn read(text: &str) -> Result<Vec<&str>, &'static str> {
    let text = text.trim_ascii();
    if text.is_empty() {
        // What RubyGems makes of nothing.
        return Ok(Vec::new());
    }
    let (first, _) = digits::split(text.as_bytes());
    let starts_well =
        !first.is_empty() && matches!(text.as_bytes().get(first.len()), None | Some(b'.' | b'-'));
    let (numbers, pre) = text.split_once('-').map_or((text, None), |(a, b)| (a, Some(b)));
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|it| it.is_ascii_alphanumeric());
    let is_pre = |word: &str| {
        !word.is_empty() && word.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-')
    };
    if !starts_well
        || !numbers.split('.').all(is_word)
        || !pre.is_none_or(|it| it.split('.').all(is_pre))
    {
        return Err("RubyGems wants a number, then letters and digits between dots");
    }
    let mut segments = runs(numbers);
    if let Some(pre) = pre {
        // A dash begins a pre-release.
        segments.push("pre");
        segments.extend(
            pre.split('-')
                .enumerate()
                .flat_map(|(at, part)| (at > 0).then_some("pre").into_iter().chain(runs(part))),
        );
    }
    Ok(canonical(&segments))
}

fn runs(text: &str) -> Vec<&str> {
    let mut runs = Vec::new();
    let mut start = 0;
    for (at, pair) in text.as_bytes().windows(2).enumerate() {
        if pair[0].is_ascii_digit() != pair[1].is_ascii_digit()
            || pair[1] == b'.'
            || pair[0] == b'.'
        {
            runs.push(&text[start..=at]);
            start = at + 1;
        }
    }
    runs.push(&text[start..]);
    runs.retain(|run| !run.is_empty() && *run != ".");
    runs
}

/// Zeros do not count at the end of the numbers in front, nor at the end of all.
fn canonical<'a>(segments: &[&'a str]) -> Vec<&'a str> {
    let words = segments.iter().position(|it| !digits::is_number(it)).unwrap_or(segments.len());
    let (numbers, rest) = segments.split_at(words);
    [numbers, rest].map(without_last_zeros).concat()
}

fn without_last_zeros<'a, 'b>(segments: &'b [&'a str]) -> &'b [&'a str] {
    let end = segments.iter().rposition(|it| !it.bytes().all(|digit| digit == b'0'));
    &segments[..end.map_or(0, |at| at + 1)]
}

/// A word is before a number, so also before the end, which is zero.
pub(super) fn order(a: &Vec<&str>, b: &Vec<&str>) -> Ordering {
    fn segment<'a>(segments: &[&'a str], at: usize) -> &'a str {
        segments.get(at).copied().unwrap_or("0")
    }
    (0..a.len().max(b.len()))
        .map(|at| order_segments(segment(a, at), segment(b, at)))
        .find(|found| found.is_ne())
        .unwrap_or(Ordering::Equal)
}

fn order_segments(a: &str, b: &str) -> Ordering {
    match (digits::is_number(a), digits::is_number(b)) {
        (true, true) => digits::order(a.as_bytes(), b.as_bytes()),
        (false, false) => a.cmp(b),
        (number_a, number_b) => number_a.cmp(&number_b),
    }
}
