//! OpenSSL: `1.0.2k` with letters for patches, and `3.0.1` from 3 on,
//! <https://openssl-library.org/policies/general/versioning-policy/>.

use std::cmp::Ordering;

use super::digits;

pub(super) struct Version<'a> {
    numbers: Vec<&'a str>,
    patch: &'a str,
    /// `alpha1`, `beta2`, `pre3`, `dev`. None: a release.
    pre: Option<&'a str>,
}

pub(super) fn read(text: &str) -> Result<Version<'_>, &'static str> {
    // `1.1.1w+quic`: who built it.
    let text = text.split_once('+').map_or(text, |(before, _)| before);
    let (text, behind) = text.split_once('-').map_or((text, None), |(a, b)| (a, Some(b)));
    let end = text.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(text.len());
    let (numbers, patch) = text.split_at(end);
    let numbers: Vec<_> = numbers.split('.').collect();
    if !numbers.iter().all(|number| digits::is_number(number)) {
        return Err("it does not begin with numbers and dots");
    }
    if !patch.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return Err("behind its numbers stand not only small letters");
    }
    // `1.0.2k-fips` is a build of 1.0.2k.
    let is_stage =
        |word: &&str| ["alpha", "beta", "pre", "dev"].iter().any(|it| word.starts_with(it));
    Ok(Version { numbers, patch, pre: behind.filter(is_stage) })
}

pub(super) fn order(a: &Version, b: &Version) -> Ordering {
    fn part<'a>(numbers: &[&'a str], at: usize) -> &'a [u8] {
        numbers.get(at).copied().unwrap_or_default().as_bytes()
    }
    let numbers = (0..a.numbers.len().max(b.numbers.len()))
        .map(|at| digits::order(part(&a.numbers, at), part(&b.numbers, at)))
        .find(|found| found.is_ne());
    let pre = || match (a.pre, b.pre) {
        (Some(a), Some(b)) => order_stages(a, b),
        (a, b) => a.is_none().cmp(&b.is_none()),
    };
    numbers.unwrap_or(Ordering::Equal).then_with(|| a.patch.cmp(b.patch)).then_with(pre)
}

/// `alpha`, `beta`, `dev`, `pre` are in the order of the alphabet.
fn order_stages(a: &str, b: &str) -> Ordering {
    let split =
        |stage: &'_ str| stage.find(|char: char| char.is_ascii_digit()).unwrap_or(stage.len());
    let ((word_a, a), (word_b, b)) = (a.split_at(split(a)), b.split_at(split(b)));
    word_a.cmp(word_b).then_with(|| digits::order(a.as_bytes(), b.as_bytes()))
}
