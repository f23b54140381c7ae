use std::cmp::Ordering;

use crate::versions::semver;

/// An operator and the version it compares with.
struct Comparator<'a> {
    operator: Operator,
    numbers: [u64; 3],
    pre: Vec<&'a str>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    Less,
    AtMost,
    Equal,
    AtLeast,
    Greater,
}

/// Up to three numbers; those that are not there or `x` are open.
#[derive(Clone)]
struct Partial<'a> {
    major: Option<u64>,
    minor: Option<u64>,
    patch: Option<u64>,
    pre: Vec<&'a str>,
}

/// The largest number that node-semver takes.
const LARGEST: u64 = (1 << 53) - 1;

pub(super) fn satisfies(version: &str, range: &str) -> Result<bool, &'static str> {
    let alternatives = range.split("||").map(comparators).collect::<Result<Vec<_>, _>>()?;
    let Some((numbers, pre)) = read(version) else { return Ok(false) };
    Ok(alternatives.iter().any(|all| {
        let holds = all.iter().all(|comparator| comparator.holds(numbers, &pre));
        // A pre-release is meant only where the range speaks of pre-releases of that version.
        let is_meant = |it: &Comparator| !it.pre.is_empty() && it.numbers == numbers;
        holds && (pre.is_empty() || all.iter().any(is_meant))
    }))
}

fn read(version: &str) -> Option<([u64; 3], Vec<&str>)> {
    let version = semver::read_npm(version).ok()?;
    let mut numbers: Vec<_> = version.numbers.into_iter().map(number).collect::<Option<_>>()?;
    numbers.resize(3, 0);
    Some((numbers.try_into().ok()?, version.pre))
}

fn number(digits: &str) -> Option<u64> {
    digits.parse().ok().filter(|number| *number <= LARGEST)
}

impl Comparator<'_> {
    fn holds(&self, numbers: [u64; 3], pre: &[&str]) -> bool {
        let order = numbers.cmp(&self.numbers).then_with(|| semver::order_pre(pre, &self.pre));
        match self.operator {
            Operator::Less => order == Ordering::Less,
            Operator::AtMost => order != Ordering::Greater,
            Operator::Equal => order == Ordering::Equal,
            Operator::AtLeast => order != Ordering::Less,
            Operator::Greater => order == Ordering::Greater,
        }
    }
}

fn comparators(range: &str) -> Result<Vec<Comparator<'_>>, &'static str> {
    if let Some((from, to)) = range.split_once(" - ") {
        return Ok(hyphen(&partial(from)?, &partial(to)?));
    }
    let operators = ["~>", ">=", "<=", "~", "^", ">", "<", "="];
    let mut found = Vec::new();
    for (operator, text) in super::terms(range, &operators) {
        let partial = partial(text)?;
        match operator {
            "~" | "~>" => tilde(partial, &mut found),
            "^" => caret(partial, &mut found),
            _ => plain(operator, partial, &mut found),
        }
    }
    Ok(found)
}

/// `v1.2.x`, `1`, `*`, `1.2.3-pre+build`.
fn partial(text: &str) -> Result<Partial<'_>, &'static str> {
    let text = text.trim().trim_start_matches(['v', '=', ' ']);
    let text = text.split_once('+').map_or(text, |(before, _build)| before);
    let (numbers, pre) = text.split_once('-').map_or((text, None), |(a, b)| (a, Some(b)));
    let mut parts = [None; 3];
    let mut open = false;
    for (at, part) in numbers.split('.').enumerate() {
        let place = parts.get_mut(at).ok_or("a version in it has more than three numbers")?;
        if matches!(part, "x" | "X" | "*") || numbers.is_empty() {
            open = true;
        } else {
            let number = number(part).ok_or("a version in it is not of numbers")?;
            // What is behind an open part is open too.
            *place = Some(number).filter(|_| !open);
        }
    }
    let [major, minor, patch] = parts;
    let pre = pre.map_or(Ok(Vec::new()), semver::identifiers)?;
    Ok(Partial { major, minor, patch, pre })
}

fn at_least<'a>(numbers: [u64; 3], pre: &[&'a str]) -> Comparator<'a> {
    Comparator { operator: Operator::AtLeast, numbers, pre: pre.to_vec() }
}

/// Below every pre-release of it as well.
fn below(numbers: [u64; 3]) -> Comparator<'static> {
    Comparator { operator: Operator::Less, numbers, pre: vec!["0"] }
}

impl Partial<'_> {
    fn numbers(&self) -> [u64; 3] {
        [self.major, self.minor, self.patch].map(Option::unwrap_or_default)
    }

    /// The first version behind all that it may mean.
    fn end(&self) -> [u64; 3] {
        let [major, minor, patch] = self.numbers();
        match (self.minor, self.patch) {
            (None, _) => [major + 1, 0, 0],
            (_, None) => [major, minor + 1, 0],
            _ => [major, minor, patch + 1],
        }
    }

    fn is_open(&self) -> bool {
        self.patch.is_none()
    }
}

fn tilde<'a>(partial: Partial<'a>, found: &mut Vec<Comparator<'a>>) {
    let Some(major) = partial.major else { return };
    found.push(at_least(partial.numbers(), &partial.pre));
    found.push(below(partial.minor.map_or([major + 1, 0, 0], |minor| [major, minor + 1, 0])));
}

fn caret<'a>(partial: Partial<'a>, found: &mut Vec<Comparator<'a>>) {
    let Some(major) = partial.major else { return };
    found.push(at_least(partial.numbers(), &partial.pre));
    found.push(below(match (major, partial.minor, partial.patch) {
        (0, Some(0), Some(patch)) => [0, 0, patch + 1],
        (0, Some(minor), _) => [0, minor + 1, 0],
        _ => [major + 1, 0, 0],
    }));
}

fn plain<'a>(operator: &str, partial: Partial<'a>, found: &mut Vec<Comparator<'a>>) {
    if partial.major.is_none() {
        if matches!(operator, "<" | ">") {
            // Nothing is below or above everything.
            found.push(below([0, 0, 0]));
        }
        return;
    }
    let exact =
        |operator| Comparator { operator, numbers: partial.numbers(), pre: partial.pre.clone() };
    match (operator, partial.is_open()) {
        (">", true) => found.push(at_least(partial.end(), &[])),
        ("<=", true) => found.push(below(partial.end())),
        ("<", true) => found.push(below(partial.numbers())),
        (">=", true) => found.push(at_least(partial.numbers(), &[])),
        (_, true) => {
            found.push(at_least(partial.numbers(), &[]));
            found.push(below(partial.end()));
        }
        (">", false) => found.push(exact(Operator::Greater)),
        ("<=", false) => found.push(exact(Operator::AtMost)),
        ("<", false) => found.push(exact(Operator::Less)),
        (">=", false) => found.push(exact(Operator::AtLeast)),
        (_, false) => found.push(exact(Operator::Equal)),
    }
}

fn hyphen<'a>(from: &Partial<'a>, to: &Partial<'a>) -> Vec<Comparator<'a>> {
    let mut found = Vec::new();
    if from.major.is_some() {
        found.push(at_least(from.numbers(), &from.pre));
    }
    match to {
        Partial { major: None, .. } => {}
        open if open.is_open() => found.push(below(open.end())),
        to => found.push(Comparator {
            operator: Operator::AtMost,
            numbers: to.numbers(),
            pre: to.pre.clone(),
        }),
    }
    found
}
