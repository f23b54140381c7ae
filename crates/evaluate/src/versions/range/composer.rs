use crate::versions::packagist::{self, Version};

pub(super) fn satisfies(version: &str, range: &str) -> Result<bool, &'static str> {
    let range = range.to_ascii_lowercase();
    let version = version.to_ascii_lowercase();
    let version = packagist::read(&version).ok();
    let mut any = false;
    for all in range.split('|').filter(|part| !part.is_empty()) {
        let holds = holds_all(version.as_ref(), all)?;
        any |= holds;
    }
    Ok(any)
}

fn holds_all(version: Option<&Version>, range: &str) -> Result<bool, &'static str> {
    let mut bounds = Vec::new();
    if let Some((from, to)) = range.split_once(" - ") {
        let (from, to) = (Constrained::read(from)?, Constrained::read(to)?);
        bounds.push((">=", from.lower()));
        // What the upper one leaves open is in the range.
        if to.given < 3 && to.stage.is_empty() {
            bounds.push(("<", to.next(to.given)));
        } else {
            bounds.push(("<=", to.exact()));
        }
    } else {
        let operators = [">=", "<=", "<>", "!=", "==", "~", "^", ">", "<", "="];
        for (operator, text) in super::terms(range, &operators) {
            push_bounds(operator, text, &mut bounds)?;
        }
    }
    let Some(version) = version else { return Ok(false) };
    let mut all = true;
    for (operator, bound) in &bounds {
        let order = packagist::order(version, &packagist::read(bound)?);
        all &= match *operator {
            "<" => order.is_lt(),
            "<=" => order.is_le(),
            ">" => order.is_gt(),
            ">=" => order.is_ge(),
            "!=" => order.is_ne(),
            _ => order.is_eq(),
        };
    }
    Ok(all)
}

fn push_bounds(
    operator: &str,
    text: &str,
    bounds: &mut Vec<(&'static str, String)>,
) -> Result<(), &'static str> {
    // `@dev` and the like say what may be installed, not what is in the range.
    let text = text.split_once('@').map_or(text, |(before, _)| before);
    if text.is_empty() || matches!(text, "*" | "x") {
        return Ok(());
    }
    let wanted = Constrained::read(text)?;
    match operator {
        "~" => {
            bounds.push((">=", wanted.lower()));
            bounds.push(("<", wanted.next(wanted.given.saturating_sub(1).max(1))));
        }
        "^" => {
            let first = wanted.numbers.iter().take(wanted.given).position(|number| *number > 0);
            let place = first.map_or(wanted.given, |at| at + 1).min(3);
            bounds.push((">=", wanted.lower()));
            bounds.push(("<", wanted.next(place)));
        }
        _ if wanted.open => {
            bounds.push((">=", wanted.lower()));
            bounds.push(("<", wanted.next(wanted.given)));
        }
        "<" => bounds.push(("<", wanted.lower())),
        ">=" => bounds.push((">=", wanted.lower())),
        "<=" => bounds.push(("<=", wanted.exact())),
        ">" => bounds.push((">", wanted.exact())),
        "!=" | "<>" => bounds.push(("!=", wanted.exact())),
        _ => bounds.push(("=", wanted.exact())),
    }
    Ok(())
}

/// A version in a constraint.
struct Constrained {
    numbers: [u64; 4],
    /// How many of them are written.
    given: usize,
    /// `1.2.*`.
    open: bool,
    /// What follows them: `-beta2`.
    stage: String,
}

impl Constrained {
    fn read(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        let text = text.strip_prefix('v').unwrap_or(text);
        let text = text.split_once('+').map_or(text, |(before, _build)| before);
        let is_number = |char: char| char.is_ascii_digit() || matches!(char, '.' | '*' | 'x');
        let end = text.find(|char| !is_number(char)).unwrap_or(text.len());
        let (digits, stage) = text.split_at(end);
        let mut numbers = [0; 4];
        let mut given = 0;
        let mut open = false;
        for part in digits.split('.') {
            if matches!(part, "*" | "x") {
                open = true;
                continue;
            }
            let place = numbers.get_mut(given).filter(|_| !open);
            let number = part.parse().ok().filter(|number| *number < u64::MAX);
            match (place, number) {
                (Some(place), Some(number)) => *place = number,
                _ => return Err("a version in it is not of up to four numbers"),
            }
            given += 1;
        }
        if given == 0 {
            return Err("a version in it does not begin with a number");
        }
        Ok(Constrained { numbers, given, open, stage: stage.to_owned() })
    }

    fn exact(&self) -> String {
        let [a, b, c, d] = self.numbers;
        format!("{a}.{b}.{c}.{d}{}", self.stage)
    }

    /// With every pre-release of it, unless it is one.
    fn lower(&self) -> String {
        let exact = self.exact();
        if self.stage.is_empty() { exact + "-dev" } else { exact }
    }

    /// The first version in which the number at `place` (from 1) is higher.
    fn next(&self, place: usize) -> String {
        let mut numbers = self.numbers;
        let (before, behind) = numbers.split_at_mut(place.clamp(1, 4));
        if let Some(last) = before.last_mut() {
            *last += 1;
        }
        behind.fill(0);
        let [a, b, c, d] = numbers;
        format!("{a}.{b}.{c}.{d}-dev")
    }
}
