//! Files of logins that are no list of settings: `.netrc` and the files of that form,
//! `.pgpass`, `vncpasswd`-like tables of words.

use std::ops::Range;

use super::password::stands_for_another;
use inscan_contract::path;

/// A file that has nothing but logins, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LoginFile {
    Netrc,
    PgPass,
    /// `chap-secrets`, `pap-secrets`: client, server, secret.
    PppSecrets,
    /// `.curlrc`: options of curl, a line each.
    Curlrc,
}

/// Logins of one file.
const MAX_LOGINS: usize = 100;

impl LoginFile {
    pub(super) fn of(file: &[u8]) -> Option<Self> {
        let name = path::name(file);
        let below = path::name(path::parent(file));
        match name {
            b".netrc" | b"_netrc" | b"netrc" | b".netrc.gpg" => Some(LoginFile::Netrc),
            b"auth.conf" if below == b"apt" => Some(LoginFile::Netrc),
            _ if below == b"auth.conf.d" => Some(LoginFile::Netrc),
            b".pgpass" | b"pgpass.conf" | b"pgpass" => Some(LoginFile::PgPass),
            b"chap-secrets" | b"pap-secrets" => Some(LoginFile::PppSecrets),
            b".curlrc" | b"_curlrc" | b"curlrc" => Some(LoginFile::Curlrc),
            _ => None,
        }
    }

    /// The passwords in it.
    pub(super) fn passwords(self, text: &[u8]) -> Vec<Range<usize>> {
        let found: Box<dyn Iterator<Item = Range<usize>> + '_> = match self {
            LoginFile::Netrc => Box::new(
                tokens(text, 0)
                    .filter(|token| matches!(&text[token.clone()], b"machine" | b"default"))
                    .flat_map(|token| netrc(text, token.start)),
            ),
            LoginFile::PgPass => Box::new(lines(text).filter_map(|line| pgpass(text, line))),
            LoginFile::PppSecrets => Box::new(lines(text).filter_map(|line| ppp(text, line))),
            LoginFile::Curlrc => Box::new(lines(text).filter_map(|line| curlrc(text, line))),
        };
        found.filter(|secret| !stands_for_another(&text[secret.clone()])).take(MAX_LOGINS).collect()
    }
}

/// The password of the entry whose word `machine` or `default` begins at an offset:
/// pairs of words in any order, over any number of lines.
/// <https://www.gnu.org/software/inetutils/manual/html_node/The-_002enetrc-file.html>
pub(super) fn netrc(text: &[u8], entry: usize) -> Option<Range<usize>> {
    let mut words = tokens(text, entry);
    let begin = words.next()?;
    let is_default = match &text[begin] {
        b"machine" => false,
        b"default" => true,
        _ => return None,
    };
    if !is_default {
        words.next()?;
    }
    let mut password = None;
    let (mut has_login, mut is_everyones) = (false, false);
    // Few words belong to an entry; a text that is no such file ends it at once.
    for _ in 0..5 {
        let Some(key) = words.next() else { break };
        match &text[key.clone()] {
            b"login" | b"user" => {
                let login = words.next()?;
                is_everyones = matches!(&text[login], b"anonymous" | b"ftp");
                has_login = true;
            }
            b"account" | b"port" => _ = words.next(),
            b"password" | b"passwd" => password = words.next(),
            _ => break,
        }
    }
    let password = unquoted(text, password?);
    (has_login && !is_everyones && password.len() >= 3).then_some(password)
}

/// Words between blanks and line feeds, from an offset on. Remarks are left out.
fn tokens(text: &[u8], from: usize) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut at = from;
    std::iter::from_fn(move || {
        loop {
            let rest = text.get(at..)?;
            at += rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let rest = text.get(at..)?;
            // `#` begins a remark at the begin of a line and before a blank: passwords have it too.
            let is_first = at == 0 || text[at - 1] == b'\n';
            let is_remark =
                matches!(rest, [b'#', next, ..] if is_first || next.is_ascii_whitespace());
            if !is_remark {
                break;
            }
            at += rest.iter().take_while(|&&byte| byte != b'\n').count();
        }
        let rest = text.get(at..)?;
        let length = rest.iter().take(4096).take_while(|byte| !byte.is_ascii_whitespace()).count();
        let token = at..at + length;
        at += length;
        (length > 0).then_some(token)
    })
}

fn unquoted(text: &[u8], word: Range<usize>) -> Range<usize> {
    match &text[word.clone()] {
        [b'"', .., b'"'] if word.len() > 2 => word.start + 1..word.end - 1,
        _ => word,
    }
}

fn lines(text: &[u8]) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut start = 0;
    text.split(|&byte| byte == b'\n').map(move |line| {
        let begin = start;
        start += line.len() + 1;
        begin..begin + line.strip_suffix(b"\r").unwrap_or(line).len()
    })
}

/// `host:port:database:user:password`, where `\:` is a colon of a value.
/// <https://www.postgresql.org/docs/current/libpq-pgpass.html>
fn pgpass(text: &[u8], line: Range<usize>) -> Option<Range<usize>> {
    let bytes = &text[line.clone()];
    if bytes.starts_with(b"#") {
        return None;
    }
    let mut colons = 0;
    let mut at = 0;
    while colons < 4 {
        match bytes.get(at)? {
            b'\\' => at += 1,
            b':' => colons += 1,
            _ => {}
        }
        at += 1;
    }
    let password = line.start + at..line.end;
    (!password.is_empty()).then_some(password)
}

/// The password of `user = "name:password"`, where the sign and the quotes may be missing.
/// <https://curl.se/docs/manpage.html#-K>
fn curlrc(text: &[u8], line: Range<usize>) -> Option<Range<usize>> {
    let whole = text[line.clone()].trim_ascii_end();
    let option = whole.trim_ascii_start();
    let dashes = option.iter().take_while(|&&byte| byte == b'-').count();
    let option = &option[dashes..];
    let length =
        option.iter().take_while(|byte| byte.is_ascii_alphabetic() || **byte == b'-').count();
    if !matches!(&option[..length], b"user" | b"u" | b"proxy-user" | b"U") {
        return None;
    }
    let signs = |byte: &&u8| b" \t=:\"".contains(byte);
    let value = &option[length..];
    let value = &value[value.iter().take_while(signs).count()..];
    let colon = value.iter().position(|&byte| byte == b':')?;
    let password = value[colon + 1..].strip_suffix(b"\"").unwrap_or(&value[colon + 1..]);
    let start = line.start + whole.len() - (value.len() - colon - 1);
    (password.len() >= 3).then_some(start..start + password.len())
}

/// The third word of a line.
fn ppp(text: &[u8], line: Range<usize>) -> Option<Range<usize>> {
    if text[line.clone()].trim_ascii_start().starts_with(b"#") {
        return None;
    }
    let word = tokens(text, line.start).nth(2).filter(|word| word.end <= line.end)?;
    Some(unquoted(text, word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, text: &str, expected: &[&str]) {
        let found =
            LoginFile::of(path.as_bytes()).expect("a file of logins").passwords(text.as_bytes());
        let found: Vec<_> = found.into_iter().map(|range| &text[range]).collect();
        assert_eq!(found, expected, "{path} {text:?}");
    }

    #[test]
    fn netrc_has_words_in_any_order() {
        for text in [
            "machine h login bob password q8W7e6",
            "default login bob password q8W7e6",
            "machine h\n  login bob\n  account dev\n  password q8W7e6\n",
            "machine h password q8W7e6 login bob",
            "# remark\nmachine https://h:8443/path/ login bob password \"q8W7e6\" # x",
        ] {
            check("root/.netrc", text, &["q8W7e6"]);
        }
        check("root/.netrc", "machine h login bob\nmachine g login a password $PW\n", &[]);
        check(
            "etc/apt/auth.conf.d/x.conf",
            "machine a login b password one1\nmachine c login d password two2",
            &["one1", "two2"],
        );
    }

    #[test]
    fn prose_about_a_machine_is_no_login() {
        let text = b"machine the login asks for a password twice.";
        assert_eq!(netrc(text, 0), None);
    }

    #[test]
    fn tables_of_logins_are_read_by_their_columns() {
        check("root/.pgpass", "# x\nh:5432:d:u:a\\:b:c\n*:*:*:u:q8W7e6\n", &["a\\:b:c", "q8W7e6"]);
        check("etc/ppp/chap-secrets", "# client server secret\nbob * \"q8W7e6\" *\n", &["q8W7e6"]);
    }
}
