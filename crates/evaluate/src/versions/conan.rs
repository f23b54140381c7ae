//! Conan: `1.2.3-pre+build` with words anywhere,
//! <https://docs.conan.io/2/tutorial/versioning/version_ranges.html>.

use std::cmp::Ordering;

use super::digits;

pub(super) struct Version<'a> {
    items: Vec<&'a str>,
    pre: Option<Vec<&'a str>>,
    build: Option<Vec<&'a str>>,
}

pub(super) fn read(text: &str) -> Result<Version<'_>, &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    let (text, build) = split(text, '+');
    let (text, pre) = split(text, '-');
    Ok(Version { items: items(text), pre: pre.map(items), build: build.map(items) })
}

fn split(text: &str, separator: char) -> (&str, Option<&str>) {
    text.rsplit_once(separator).map_or((text, None), |(text, behind)| (text, Some(behind)))
}

/// Zeros at the end do not count.
fn items(text: &str) -> Vec<&str> {
    let mut items: Vec<_> = text.split('.').collect();
    let is_zero = |item: &mut &str| digits::is_number(item) && item.bytes().all(|it| it == b'0');
    while items.pop_if(is_zero).is_some() {}
    items
}

pub(super) fn order(a: &Version, b: &Version) -> Ordering {
    let pre = || match (&a.pre, &b.pre) {
        (Some(a), Some(b)) => order_items(a, b),
        (a, b) => a.is_none().cmp(&b.is_none()),
    };
    let build = || match (&a.build, &b.build) {
        (Some(a), Some(b)) => order_items(a, b),
        (a, b) => a.is_some().cmp(&b.is_some()),
    };
    order_items(&a.items, &b.items).then_with(pre).then_with(build)
}

/// A number and a word are compared as text. So the order has circles: 2 < 10 < 1a < 2.
fn order_items(a: &[&str], b: &[&str]) -> Ordering {
    let one = |(a, b): (&&str, &&str)| {
        if digits::is_number(a) && digits::is_number(b) {
            digits::order(a.as_bytes(), b.as_bytes())
        } else {
            a.cmp(b)
        }
    };
    let found = a.iter().zip(b).map(one).find(|found| found.is_ne());
    found.unwrap_or_else(|| a.len().cmp(&b.len()))
}
