//! Addresses that packages state.

/// The address without the user and password that may stand in it: what is
/// written into a document must not hold a secret.
pub(crate) fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(authority_end);
    match authority.rsplit_once('@') {
        // `ssh://git@host`: a user alone is an account's name, not a secret, but with
        // http a token may stand in its place.
        Some((user, host))
            if user.contains(':') || scheme.ends_with("http") || scheme.ends_with("https") =>
        {
            format!("{scheme}://{host}{path}")
        }
        _ => url.to_owned(),
    }
}

/// The repository alone, without scheme, user and `.git`: `code.example/owner/name`.
pub(crate) fn repository(url: &str) -> String {
    let (rest, is_url) = match url.split_once("://") {
        Some((_, rest)) => (rest, true),
        None => (url, false),
    };
    let path = rest.find('/').unwrap_or(rest.len());
    let host = rest[..path].rfind('@').map_or(0, |at| at + 1);
    let rest = rest[host..].trim_end_matches('/');
    let rest = rest.strip_suffix(".git").unwrap_or(rest);
    // `git@code.example:owner/name`, as ssh writes it.
    if is_url { rest.to_owned() } else { rest.replacen(':', "/", 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_has_one_name_however_it_is_reached() {
        for url in [
            "https://code.example/a/b.git",
            "https://user:pass@code.example/a/b",
            "ssh://git@code.example/a/b.git",
            "git@code.example:a/b.git",
            "code.example/a/b/",
        ] {
            assert_eq!(repository(url), "code.example/a/b");
        }
        assert_eq!(repository("https://code.example:8443/a"), "code.example:8443/a");
        assert_eq!(repository(""), "");
    }

    #[test]
    fn drops_what_could_be_a_secret() {
        for (url, expected) in [
            ("https://user:pass@host/a@b", "https://host/a@b"),
            ("git+https://token@host/a", "git+https://host/a"),
            ("ssh://git@host/a", "ssh://git@host/a"),
            ("ssh://git:pw@host/a", "ssh://host/a"),
            ("https://host/a?b=c@d", "https://host/a?b=c@d"),
            ("git@host:a/b.git", "git@host:a/b.git"),
        ] {
            assert_eq!(without_credentials(url), expected);
        }
    }
}
