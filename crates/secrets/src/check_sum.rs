//! Check sums within tokens, and other structure that a provider put there, by which a token
//! is told from what merely looks like one.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Crc;

/// Whether the check sum of a token is right. `None`: its rule knows of none.
pub(super) fn is_right(rule: &str, token: &[u8]) -> Option<bool> {
    match rule {
        "github-token" | "npm-token" => of_github(token),
        "gitlab-token" => of_gitlab(token),
        "pypi-token" => Some(is_macaroon(token).unwrap_or(false)),
        _ => None,
    }
}

/// Whether a wrong check sum shows that nobody was given the token. GitHub and npm say that
/// there is one, and not over what.
pub(super) fn is_documented(rule: &str) -> bool {
    rule == "gitlab-token"
}

/// A prefix of four letters, thirty letters and digits, and the CRC-32 of these in base 62.
/// <https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/>
fn of_github(token: &[u8]) -> Option<bool> {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let (random, sum) = token.get(4..)?.split_at_checked(30)?;
    (sum.len() == 6).then(|| sum == in_digits(crc32(random), DIGITS, 6))
}

/// A routable token: what it is for, `.`, a version, the length of it, and the CRC-32 of all
/// of that in base 36.
/// <https://handbook.gitlab.com/handbook/engineering/architecture/design-documents/cells/routable_tokens/>
fn of_gitlab(token: &[u8]) -> Option<bool> {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let last = token.rsplit(|&byte| byte == b'.').next()?;
    if last.len() != 9 || last.len() == token.len() {
        return None;
    }
    let (said, sum) = token.split_at(token.len() - 7);
    Some(sum == in_digits(crc32(said), DIGITS, 7))
}

/// `pypi-` and a macaroon of PyPI: its version, where it counts, what it is, what it may do,
/// each ended by a zero, and a signature of 32 bytes to the very end. That cannot be verified
/// without PyPI's key, but nobody types such a thing.
/// <https://github.com/rescrv/libmacaroons/blob/master/doc/format.txt>
fn is_macaroon(token: &[u8]) -> Option<bool> {
    const HOSTS: [&[u8]; 2] = [b"pypi\x2eorg", b"test.pypi\x2eorg"];
    const END: u8 = 0;
    const LOCATION: u8 = 1;
    const IDENTIFIER: u8 = 2;
    const SIGNATURE: u8 = 6;
    let bytes = URL_SAFE_NO_PAD.decode(token.strip_prefix(b"pypi-")?).ok()?;
    let mut rest = bytes.strip_prefix(&[2])?;
    let location = field(&mut rest, LOCATION)?;
    if !HOSTS.contains(&location) {
        return None;
    }
    field(&mut rest, IDENTIFIER)?;
    loop {
        rest = rest.strip_prefix(&[END])?;
        if rest.first() == Some(&END) {
            break;
        }
        field(&mut rest, IDENTIFIER)?;
    }
    rest = &rest[1..];
    let signature = field(&mut rest, SIGNATURE)?;
    Some(signature.len() == 32 && rest.is_empty())
}

/// A field of a macaroon: its kind, its length in seven bits a byte, its bytes.
fn field<'a>(rest: &mut &'a [u8], kind: u8) -> Option<&'a [u8]> {
    let (first, behind) = rest.split_first()?;
    let end = behind.iter().take(3).position(|byte| byte & 0x80 == 0)?;
    let length =
        behind[..=end].iter().rev().fold(0, |all, byte| all << 7 | usize::from(byte & 0x7f));
    let (value, behind) = behind[end + 1..].split_at_checked(length)?;
    *rest = behind;
    (*first == kind).then_some(value)
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = Crc::new();
    sum.update(bytes);
    sum.sum()
}

fn in_digits(mut number: u32, digits: &[u8], length: usize) -> Vec<u8> {
    let mut text = vec![digits[0]; length];
    for place in text.iter_mut().rev() {
        *place = digits[number as usize % digits.len()];
        number /= digits.len() as u32;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rule: &str, parts: [&str; 2], expected: Option<bool>) {
        assert_eq!(is_right(rule, parts.concat().as_bytes()), expected, "{parts:?}");
    }

    /// As the format of macaroons has it, written out by hand.
    #[test]
    fn a_token_of_pypi_is_a_whole_macaroon() {
        let fields = |host: &str, signature: usize| {
            let header =
                [&[2, 1, host.len() as u8], host.as_bytes(), &[2, 3], b"abc", &[0]].concat();
            let caveat = [&[2, 0x82, 1][..], &[b'c'; 130], &[0]].concat();
            [&header[..], &caveat, &[0, 6, signature as u8], &vec![7; signature]].concat()
        };
        let check = |bytes: &[u8], expected: bool| {
            let token = format!("pypi-{}", URL_SAFE_NO_PAD.encode(bytes));
            assert_eq!(is_right("pypi-token", token.as_bytes()), Some(expected), "{bytes:?}");
        };
        let whole = fields("pypi\x2eorg", 32);
        check(&whole, true);
        check(&fields("test.pypi\x2eorg", 32), true);
        check(&fields("pypi\x2eorg", 31), false);
        check(&fields("host.example", 32), false);
        check(&[&whole[..], &[0]].concat(), false);
        for length in 0..whole.len() {
            check(&whole[..length], false);
        }
    }

    /// Tokens that their owners published after they had been revoked.
    #[test]
    fn check_sums_are_those_of_the_providers() {
        check("github-token", ["ghp", "_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"], Some(true));
        check("github-token", ["ghp", "_zQWBuTSOoRi4A9spHcVY5ncnsDkxkK0mLq17"], Some(false));
        check("github-token", ["ghp", "_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17aa"], None);
        check("gitlab-token", ["glpat", "-bzox79Of-KE9FD2LjoXXF4CvyxA.0r03gxo7s"], Some(true));
        check("gitlab-token", ["glpat", "-bzox79Of-KE9FD2LjoXXF4CvyxA.01.0r0l8l6ir"], Some(true));
        check("gitlab-token", ["glpat", "-bzox79Of-KE9FD2LjoXXF4CvyxB.0r03gxo7s"], Some(false));
        check("gitlab-token", ["glpat", "-bzox79Of-KE9FD2LjoXX"], None);
        check("stripe-key", ["sk_live", "_4eC39HqLyjWDarjtT1zdp7dc"], None);
    }
}
