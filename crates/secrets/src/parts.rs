//! Large texts, a part after another: of a log or a dump of any size only some megabytes are
//! in memory.
//!
//! Each part is searched with some of what is before and behind it. What begins in the part is
//! found there; what begins beside it is found in the part that it begins in.

use std::cmp::Reverse;
use std::ops::Range;

use inscan_contract::{Content, Fact, Facts, Result, Secret};

use super::{MAX_SECRETS, Place, hits_within, stated, too_many, without_overlaps, worst};

/// Bytes of a part.
const PART: u64 = 4 << 20;
/// Bytes before it that are searched with it: what stands above a value.
const BEFORE: u64 = 32 << 10;
/// Bytes behind it: the longest secrets, which are keys in base64.
const BEHIND: u64 = 192 << 10;

/// Searches a text of which no more than a part is held at once.
pub(super) fn search(name: &[u8], content: &dyn Content, out: &mut Facts) -> Result<()> {
    search_in(name, content, PART, out)
}

fn search_in(name: &[u8], content: &dyn Content, part: u64, out: &mut Facts) -> Result<()> {
    let place = Place::of(name);
    let size = content.len();
    let (mut all, mut count, mut lines) = (Vec::new(), 0, 0);
    let mut begin = 0;
    while begin < size && !out.is_overworked() {
        let end = size.min(begin + part);
        let from = begin.saturating_sub(BEFORE);
        let text = read(content, from..size.min(end + BEHIND))?;
        let own = (begin - from) as usize..(end - from) as usize;
        let (mut found, listed) = secrets_in(&text, &own, place, out);
        found.iter_mut().for_each(|secret| secret.line += lines);
        count += listed;
        all.extend(found);
        let next = end.saturating_sub(BEFORE);
        lines += memchr::memchr_iter(b'\n', &text[..(next - from) as usize]).count() as u32;
        begin = end;
    }
    if all.len() > MAX_SECRETS {
        all.sort_by_key(|secret| Reverse(secret.severity));
        all.truncate(MAX_SECRETS);
        all.sort_by_key(|secret| (secret.line, secret.column));
    }
    all.into_iter().for_each(|secret| out.push(Fact::Secret(secret)));
    too_many(count, out);
    Ok(())
}

/// The worst of those that begin within a range, and how many there are.
fn secrets_in(
    text: &[u8],
    own: &Range<usize>,
    place: Place<'_>,
    out: &mut Facts,
) -> (Vec<Secret>, usize) {
    let all = hits_within(text, place, out);
    let mut kept = without_overlaps(all.clone());
    kept.retain(|hit| own.contains(&hit.secret.start));
    let count = kept.len();
    (stated(text, place, &worst(kept), &all), count)
}

fn read(content: &dyn Content, range: Range<u64>) -> Result<Vec<u8>> {
    let mut bytes = vec![0; (range.end - range.start) as usize];
    let mut filled = 0;
    while filled < bytes.len() {
        match content.read_at(range.start + filled as u64, &mut bytes[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Line, column and fingerprint of what is found, searched in parts of so many bytes.
    fn found(text: &[u8], part: u64) -> Vec<(u32, u32, String)> {
        let mut facts = Facts::default();
        search_in(b"var/app.log", &text, part, &mut facts).unwrap();
        let place = |fact| match fact {
            Fact::Secret(secret) => (secret.line, secret.column, secret.fingerprint),
            other => panic!("{other:?}"),
        };
        facts.facts.into_iter().map(place).collect()
    }

    #[test]
    fn a_text_in_parts_has_the_same_secrets_in_the_same_places() {
        let token = ["ghp", "_q8W7e6R5t4Y3u2I1o0P9a8S7d6F5g4H3j2K1"].concat();
        let line = format!(
            "2026-01-01 INFO a line of a log\nuser = a\npassword = tR8kQ2mZ9x\nuse {token}\n"
        );
        let text = line.repeat(900);
        let whole = found(text.as_bytes(), 1 << 20);
        assert_eq!(whole.len(), MAX_SECRETS);
        for part in [40_000, 40_001, 65_536, 99_999] {
            assert_eq!(found(text.as_bytes(), part), whole, "{part}");
        }
        let few = [&vec![b'x'; 100_000][..], b"\n", line.as_bytes(), &vec![b'\n'; 70_000]].concat();
        let whole = found(&few, 1 << 20);
        assert_eq!(whole.len(), 2);
        for part in (99_900..100_200).step_by(7) {
            assert_eq!(found(&few, part), whole, "{part}");
        }
    }
}
