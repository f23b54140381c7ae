//! NuGet: semantic versions with a fourth number, in any case,
//! <https://learn.microsoft.com/nuget/concepts/package-versioning>.

use std::cmp::Ordering;

use super::digits;

pub(super) struct Version<'a> {
    numbers: [&'a str; 4],
    /// None: a release.
    pre: Option<&'a str>,
}

pub(super) fn read(text: &str) -> Result<Version<'_>, &'static str> {
    let text = text.trim();
    let text = text.split_once('+').map_or(text, |(before, _build)| before);
    let (parts, pre) = text.split_once('-').map_or((text, None), |(parts, pre)| (parts, Some(pre)));
    let mut numbers = ["0"; 4];
    for (at, part) in parts.split('.').enumerate() {
        match numbers.get_mut(at) {
            Some(place) if digits::is_number(part) => *place = part,
            Some(_) => return Err("its parts are not numbers with dots between them"),
            None => return Err("it has more than four numbers"),
        }
    }
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-')
    };
    if pre.is_some_and(|pre| !pre.split('.').all(is_label)) {
        return Err("behind `-` only letters, digits and `-` may stand between dots");
    }
    Ok(Version { numbers, pre })
}

pub(super) fn order(a: &Version, b: &Version) -> Ordering {
    let number = |(a, b): (&&str, &&str)| digits::order(a.as_bytes(), b.as_bytes());
    let numbers = a.numbers.iter().zip(&b.numbers).map(number).find(|found| found.is_ne());
    numbers.unwrap_or(Ordering::Equal).then_with(|| match (a.pre, b.pre) {
        (Some(a), Some(b)) => order_pre(a, b),
        (a, b) => a.is_none().cmp(&b.is_none()),
    })
}

fn order_pre(a: &str, b: &str) -> Ordering {
    let (mut labels_a, mut labels_b) = (a.split('.'), b.split('.'));
    loop {
        let (Some(a), Some(b)) = (labels_a.next(), labels_b.next()) else {
            return a.split('.').count().cmp(&b.split('.').count());
        };
        let found = match (digits::is_number(a), digits::is_number(b)) {
            (true, true) => digits::order(a.as_bytes(), b.as_bytes()),
            (false, false) => a.to_ascii_lowercase().cmp(&b.to_ascii_lowercase()),
            (number_a, number_b) => number_b.cmp(&number_a),
        };
        if found.is_ne() {
            return found;
        }
    }
}
