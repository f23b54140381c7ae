//! What a registry asks for with status 401, in `WWW-Authenticate`
//! (<https://www.rfc-editor.org/rfc/rfc9110#field.www-authenticate>).

use crate::{HeaderMap, header};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// User and password with each request.
    Basic,
    /// A token that is fetched first, at `realm`
    /// (<https://distribution.github.io/distribution/spec/auth/token/>).
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
}

/// The challenge to meet: a token rather than the password with each request. Else the names of
/// the schemes that were offered.
pub(super) fn choose(headers: &HeaderMap) -> Result<Challenge, Vec<String>> {
    let values = headers.get_all(header::WWW_AUTHENTICATE).iter();
    let offered: Vec<(String, Vec<(String, String)>)> =
        values.filter_map(|value| value.to_str().ok()).flat_map(challenges).collect();
    let of = |scheme: &str| offered.iter().find(|(name, _)| name.eq_ignore_ascii_case(scheme));
    if let Some((_, parameters)) = of("bearer") {
        let parameter = |name: &str| {
            let found = parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
        };
        if let Some(realm) = parameter("realm") {
            let (service, scope) = (parameter("service"), parameter("scope"));
            return Ok(Challenge::Bearer { realm, service, scope });
        }
    }
    match of("basic") {
        Some(_) => Ok(Challenge::Basic),
        None => Err(offered.into_iter().map(|(scheme, _)| scheme).collect()),
    }
}

/// The challenges of one header: a scheme and its parameters each. A comma stands between
/// parameters as well as between challenges; a word without `=` begins a challenge.
fn challenges(header: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut found: Vec<(String, Vec<(String, String)>)> = Vec::new();
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let end = rest.find([' ', '\t', ',', '=']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if word.is_empty() {
            return found;
        }
        let after_blank = after.trim_start_matches([' ', '\t']);
        match (after_blank.strip_prefix('='), found.last_mut()) {
            (Some(value), Some((_, parameters))) => {
                let (value, after) = parameter(value.trim_start_matches([' ', '\t']));
                parameters.push((word.to_owned(), value));
                rest = after;
            }
            (Some(_), None) => return found,
            (None, _) => {
                found.push((word.to_owned(), Vec::new()));
                rest = after_blank;
            }
        }
    }
}

/// A value, quoted or not, and what follows it.
fn parameter(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            char => value.push(char),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(headers: &[&str], expected: Result<Challenge, &[&str]>) {
        let mut map = HeaderMap::new();
        for header in headers {
            map.append("www-authenticate", header.parse().unwrap());
        }
        let expected = expected.map_err(|names| names.iter().map(|&n| n.to_owned()).collect());
        assert_eq!(choose(&map), expected);
    }

    fn bearer(
        realm: &str,
        service: &str,
        scope: &str,
    ) -> Result<Challenge, &'static [&'static str]> {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Ok(Challenge::Bearer {
            realm: realm.to_owned(),
            service: some(service),
            scope: some(scope),
        })
    }

    #[test]
    fn a_token_is_asked_for_with_service_and_scope() {
        check(
            &[
                r#"Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push""#,
            ],
            bearer("https://auth.example/token", "registry.example", "repository:a/b:pull,push"),
        );
        check(&["bearer Realm = https://a/t , Service=x"], bearer("https://a/t", "x", ""));
        check(&[r#"Bearer realm="a\"b,c=d""#], bearer("a\"b,c=d", "", ""));
    }

    #[test]
    fn a_token_is_preferred_to_the_password() {
        let both = [r#"Basic realm="x", Bearer realm="https://a/t""#];
        check(&both, bearer("https://a/t", "", ""));
        check(&["Basic realm=x", "Bearer realm=\"https://a/t\""], bearer("https://a/t", "", ""));
        check(&["BASIC"], Ok(Challenge::Basic));
        check(&["Bearer service=x", "Basic"], Ok(Challenge::Basic));
    }

    #[test]
    fn what_is_offered_and_not_understood_is_named() {
        check(&["Negotiate", "NTLM abc"], Err(&["Negotiate", "NTLM", "abc"]));
        check(&[], Err(&[]));
        check(&["=x", ",,, ,"], Err(&[]));
    }

    #[test]
    fn a_challenge_cut_anywhere_is_read_without_panic() {
        let text = r#"Basic realm="ä\"", Bearer realm="https://a/t",service=x"#;
        for end in (0..text.len()).filter(|&end| text.is_char_boundary(end)) {
            let _ = challenges(&text[..end]);
        }
    }
}
