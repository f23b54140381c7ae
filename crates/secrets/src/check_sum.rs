//! Check sums within tokens, by which a token is told from what merely looks like one.

use flate2::Crc;

/// Whether the check sum of a token is right. `None`: its rule knows of none.
pub(super) fn is_right(rule: &str, token: &[u8]) -> Option<bool> {
    match rule {
        "github-token" | "npm-token" => of_github(token),
        "gitlab-token" => of_gitlab(token),
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
