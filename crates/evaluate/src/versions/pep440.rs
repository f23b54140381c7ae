//! Python: PEP 440, <https://packaging.python.org/en/latest/specifications/version-specifiers/>.

use std::cmp::Ordering;

use super::digits;

#[derive(Default)]
pub(super) struct Version<'a> {
    pub(super) epoch: &'a [u8],
    pub(super) release: Vec<&'a [u8]>,
    pub(super) pre: Option<(Stage, &'a [u8])>,
    pub(super) post: Option<&'a [u8]>,
    pub(super) dev: Option<&'a [u8]>,
    /// As written: case and separators do not count.
    pub(super) local: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Alpha,
    Beta,
    Candidate,
}

/// Of two that begin the same, the longer first.
const STAGES: [(&[u8], Stage); 8] = [
    (b"alpha", Stage::Alpha),
    (b"a", Stage::Alpha),
    (b"beta", Stage::Beta),
    (b"b", Stage::Beta),
    (b"preview", Stage::Candidate),
    (b"pre", Stage::Candidate),
    (b"rc", Stage::Candidate),
    (b"c", Stage::Candidate),
];

impl Version<'_> {
    pub(super) fn is_pre_release(&self) -> bool {
        self.pre.is_some() || self.dev.is_some()
    }
}

pub(super) fn read(text: &str) -> Result<Version<'_>, &'static str> {
    let mut rest = text.trim().as_bytes();
    if let [b'v' | b'V', after @ ..] = rest {
        rest = after;
    }
    let epoch = match digits::split(rest) {
        (epoch @ [_, ..], [b'!', after @ ..]) => {
            rest = after;
            epoch
        }
        _ => &[],
    };
    let mut release = Vec::new();
    loop {
        let (number, after) = digits::split(rest);
        if number.is_empty() {
            return Err("no numbers with dots between them stand in front");
        }
        release.push(number);
        rest = after;
        match rest {
            [b'.', b'0'..=b'9', ..] => rest = &rest[1..],
            _ => break,
        }
    }
    let pre = STAGES.iter().find_map(|(word, stage)| Some((*stage, part(&mut rest, word)?)));
    let post = match rest {
        [b'-', b'0'..=b'9', ..] => {
            let number;
            (number, rest) = digits::split(&rest[1..]);
            Some(number)
        }
        _ => [&b"post"[..], b"rev", b"r"].iter().find_map(|word| part(&mut rest, word)),
    };
    let dev = part(&mut rest, b"dev");
    let local = match rest {
        [b'+', local @ ..] if local_parts(local).all(is_local) => local,
        [b'+', ..] => return Err("its local part is not of letters and digits"),
        [] => &[],
        _ => return Err("what follows its numbers is none of PEP 440's parts"),
    };
    Ok(Version { epoch, release, pre, post, dev, local })
}

/// `.word.7` with separators and number as one likes: the number, where the word is there.
fn part<'a>(rest: &mut &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    let after = without_separator(rest);
    let (start, after) = after.split_at_checked(word.len())?;
    if !start.eq_ignore_ascii_case(word) {
        return None;
    }
    // A separator belongs to it only if a number follows.
    let (number, after_number) = digits::split(without_separator(after));
    *rest = if number.is_empty() { after } else { after_number };
    Some(number)
}

fn without_separator(rest: &[u8]) -> &[u8] {
    match rest {
        [b'.' | b'-' | b'_', after @ ..] => after,
        _ => rest,
    }
}

pub(super) fn local_parts(local: &[u8]) -> impl Iterator<Item = &[u8]> {
    local.split(|byte| matches!(byte, b'.' | b'-' | b'_'))
}

fn is_local(part: &[u8]) -> bool {
    !part.is_empty() && part.iter().all(u8::is_ascii_alphanumeric)
}

pub(super) fn order(a: &Version, b: &Version) -> Ordering {
    order_public(a, b).then_with(|| order_local(a.local, b.local))
}

/// Without the local part.
pub(super) fn order_public(a: &Version, b: &Version) -> Ordering {
    order_epoch(a, b)
        .then_with(|| order_release(&a.release, &b.release))
        .then_with(|| order_pre(a, b))
        .then_with(|| order_option(a.post, b.post))
        .then_with(|| order_dev(a.dev, b.dev))
}

pub(super) fn order_epoch(a: &Version, b: &Version) -> Ordering {
    digits::order(a.epoch, b.epoch)
}

pub(super) fn order_release(a: &[&[u8]], b: &[&[u8]]) -> Ordering {
    fn part<'a>(release: &[&'a [u8]], at: usize) -> &'a [u8] {
        release.get(at).copied().unwrap_or_default()
    }
    (0..a.len().max(b.len()))
        .map(|at| digits::order(part(a, at), part(b, at)))
        .find(|found| found.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// 1.0.dev1 comes before 1.0a1, and that before 1.0.
fn order_pre(a: &Version, b: &Version) -> Ordering {
    let class = |version: &Version| match version {
        Version { pre: Some(_), .. } => 1,
        Version { post: None, dev: Some(_), .. } => 0,
        _ => 2,
    };
    match (a.pre, b.pre) {
        (Some((stage_a, a)), Some((stage_b, b))) => {
            stage_a.cmp(&stage_b).then_with(|| digits::order(a, b))
        }
        _ => class(a).cmp(&class(b)),
    }
}

fn order_option(a: Option<&[u8]>, b: Option<&[u8]>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => digits::order(a, b),
        _ => a.is_some().cmp(&b.is_some()),
    }
}

fn order_dev(a: Option<&[u8]>, b: Option<&[u8]>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => digits::order(a, b),
        _ => b.is_some().cmp(&a.is_some()),
    }
}

/// Numbers come after words, and a longer one after its start.
fn order_local(a: &[u8], b: &[u8]) -> Ordering {
    if a.is_empty() || b.is_empty() {
        return b.is_empty().cmp(&a.is_empty());
    }
    let (mut parts_a, mut parts_b) = (local_parts(a), local_parts(b));
    loop {
        let (a, b) = match (parts_a.next(), parts_b.next()) {
            (Some(a), Some(b)) => (a, b),
            (a, b) => return a.is_some().cmp(&b.is_some()),
        };
        let is_number = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
        let found = match (is_number(a), is_number(b)) {
            (true, true) => digits::order(a, b),
            (false, false) => a.to_ascii_lowercase().cmp(&b.to_ascii_lowercase()),
            (number_a, number_b) => number_a.cmp(&number_b),
        };
        if found.is_ne() {
            return found;
        }
    }
}
