//! Package URLs, as SBOMs name packages: `pkg:TYPE/NAMESPACE/NAME@VERSION?KEY=VALUE#SUBPATH`.
//! <https://github.com/package-url/purl-spec/blob/main/PURL-SPECIFICATION.rst>

mod write;

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

pub use write::written;

/// The parts of a package URL, with their percent-encoding decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purl {
    /// The type, in lower case: `deb`, `npm`.
    pub kind: String,
    /// `debian`, `@scope`, `org.apache.commons`; of several parts with `/` between them.
    pub namespace: Option<String>,
    /// Never empty.
    pub name: String,
    /// `None` where it is absent or empty.
    pub version: Option<String>,
    /// Keys are in lower case, no value is empty.
    pub qualifiers: BTreeMap<String, String>,
}

/// Reads a package URL; the subpath is dropped. `None` if the text is not a package URL.
pub fn parse(text: &str) -> Option<Purl> {
    let rest = text.trim().strip_prefix("pkg:")?.trim_start_matches('/');
    let rest = rest.split_once('#').map_or(rest, |(rest, _subpath)| rest);
    let (rest, qualifiers) = rest.split_once('?').unwrap_or((rest, ""));
    let (kind, path) = rest.split_once('/')?;
    // An npm scope may stand undecoded: the version is behind the last part's `@`.
    let (path, version) = match path.rsplit_once('@') {
        Some((path, version)) if !path.is_empty() && !version.contains('/') => {
            (path, Some(version))
        }
        _ => (path, None),
    };
    let path = path.trim_matches('/');
    let (namespace, name) =
        path.rsplit_once('/').map_or((None, path), |(namespace, name)| (Some(namespace), name));
    if kind.is_empty() || name.is_empty() {
        return None;
    }
    let qualifiers = qualifiers.split('&').filter_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        (!key.is_empty() && !value.is_empty()).then(|| (key.to_ascii_lowercase(), decode(value)))
    });
    Some(Purl {
        kind: kind.to_ascii_lowercase(),
        namespace: namespace.map(decode),
        name: decode(name),
        version: version.map(decode).filter(|version| !version.is_empty()),
        qualifiers: qualifiers.collect(),
    })
}

/// `%40` is `@`. What is not two hex digits stays as it is.
fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, Option<&str>, &str, Option<&str>)>) {
        let purl = parse(text);
        let found = purl.as_ref().map(|purl| {
            let (namespace, version) = (purl.namespace.as_deref(), purl.version.as_deref());
            (purl.kind.as_str(), namespace, purl.name.as_str(), version)
        });
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn takes_package_urls_apart() {
        check("pkg:pypi/django@1.11.1", Some(("pypi", None, "django", Some("1.11.1"))));
        let npm = Some(("npm", Some("@angular"), "animation", Some("12.3.1")));
        check("pkg:npm/%40angular/animation@12.3.1", npm);
        check("pkg:npm/@angular/animation@12.3.1", npm);
        check("pkg:npm/@angular/animation", Some(("npm", Some("@angular"), "animation", None)));
        let golang = Some(("golang", Some("google.golang.org"), "genproto", Some("abc")));
        check("pkg:golang/google.golang.org/genproto@abc#googleapis/api", golang);
        check(
            "pkg:DEB/debian/a@1%3A2%2b3?arch=x#y",
            Some(("deb", Some("debian"), "a", Some("1:2+3"))),
        );
        check("pkg://gem/ruby@", Some(("gem", None, "ruby", None)));
    }

    #[test]
    fn reads_qualifiers() {
        let qualifiers = parse("pkg:rpm/a@1?Arch=i386&distro=fedora-25&x&y=").unwrap().qualifiers;
        let qualifiers: Vec<_> = qualifiers.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(qualifiers, [("arch", "i386"), ("distro", "fedora-25")]);
    }

    #[test]
    fn nonsense_is_none() {
        for text in ["", "pkg:", "pkg:npm", "pkg:npm/", "npm/a@1", "pkg:/a"] {
            check(text, None);
        }
        check("pkg:a/%4", Some(("a", None, "%4", None)));
        check("pkg:a/%zz%ff@%", Some(("a", None, "%zz\u{fffd}", Some("%"))));
    }
}
