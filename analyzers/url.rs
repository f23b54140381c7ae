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

#[cfg(test)]
mod tests {
    use super::*;

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
