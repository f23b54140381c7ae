use crate::versions::{self, Scheme};

const OPERATORS: [&str; 9] = [">=", "<=", "==", "!=", ">", "<", "=", "~", "^"];

/// What no version has, but ranges of other languages do.
const FOREIGN: [char; 9] = ['[', ']', '(', ')', '<', '>', '=', '!', '*'];

pub(super) fn satisfies(scheme: Scheme, version: &str, range: &str) -> Result<bool, &'static str> {
    let mut any = false;
    for all in range.split("||") {
        let holds = holds_all(scheme, version, all.trim())?;
        any |= holds;
    }
    Ok(any)
}

fn holds_all(scheme: Scheme, version: &str, range: &str) -> Result<bool, &'static str> {
    if matches!(range, "*" | "all") {
        return Ok(true);
    }
    if range.is_empty() {
        return Err("a part of it is empty");
    }
    let mut all = true;
    for (operator, bound) in super::terms(range, &OPERATORS) {
        let bound = bound.trim_matches('"');
        let first = bound.strip_prefix('v').unwrap_or(bound).chars().next();
        // Some orders read any text: what belongs to another language must not become a version.
        let is_plain = first.is_some_and(|first| match operator {
            "" => first.is_ascii_digit(),
            _ => first.is_ascii_alphanumeric(),
        });
        if !is_plain || bound.contains(FOREIGN) {
            return Err("behind an operator does not stand a version");
        }
        versions::check(scheme, bound).map_err(|error| error.reason)?;
        let behind = match operator {
            "~" => Some(next(bound, |given, _| given.saturating_sub(1).max(1))),
            "^" => Some(next(bound, |given, zeros| (zeros + 1).min(given))),
            _ => None,
        };
        let Ok(order) = versions::compare(scheme, version, bound) else { return Ok(false) };
        all &= match operator {
            "<" => order.is_lt(),
            "<=" => order.is_le(),
            ">" => order.is_gt(),
            ">=" => order.is_ge(),
            "!=" => order.is_ne(),
            "~" | "^" => {
                let behind = behind.flatten().ok_or("`~` and `^` need numbers with dots")?;
                let end = versions::compare(scheme, version, &behind);
                order.is_ge() && end.is_ok_and(|end| end.is_lt())
            }
            _ => order.is_eq(),
        };
    }
    Ok(all)
}

/// The version with the number at `place` (from 1) one higher, and nothing behind it. The place
/// is chosen by how many numbers are given, and how many zeros are in front.
fn next(version: &str, place: impl Fn(usize, usize) -> usize) -> Option<String> {
    let end = version.find(|char: char| !char.is_ascii_digit() && char != '.');
    let numbers: Vec<u64> = version[..end.unwrap_or(version.len())]
        .split('.')
        .map(|number| number.parse().ok())
        .collect::<Option<_>>()?;
    let zeros = numbers.iter().take_while(|number| **number == 0).count();
    let mut kept: Vec<u64> = numbers.iter().copied().take(place(numbers.len(), zeros)).collect();
    let last = kept.last_mut()?;
    *last = last.checked_add(1)?;
    let text: Vec<String> = kept.iter().map(u64::to_string).collect();
    Some(text.join("."))
}
