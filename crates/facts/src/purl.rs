//! Package URLs, as SBOMs name packages: `pkg:TYPE/NAMESPACE/NAME@VERSION?KEY=VALUE#SUBPATH`.
//! <https://github.com/package-url/purl-spec/blob/main/PURL-SPECIFICATION.rst>

mod write;

use std::collections::BTreeMap;

use crate::percent::decoded as decode;

use crate::package_type;

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

impl Purl {
    /// Whether the namespaces of two package URLs of one type name the same. `pkg:rpm/rhel/…`
    /// is what inscan wrote once, and others still write, for `pkg:rpm/redhat/…`.
    pub fn has_namespace_of(&self, other: &Purl) -> bool {
        let of = |purl: &Purl| {
            let namespace = purl.namespace.as_deref().unwrap_or_default();
            package_type::namespace(&purl.kind, namespace).to_lowercase()
        };
        of(self) == of(other)
            // Arch's packages had no namespace.
            || self.kind == "alpm" && (self.namespace.is_none() || other.namespace.is_none())
    }
}

/// How inscan once wrote the URL of a package of a distribution, where that was otherwise:
/// `pkg:rpm/rhel/…`, `pkg:alpm/pacman@6.0.1-1`.
pub fn former(url: &str) -> Option<String> {
    let purl = parse(url)?;
    let namespace = purl.namespace.as_deref()?;
    let start = format!("pkg:{}/{namespace}/", purl.kind);
    let rest = url.strip_prefix(&start)?;
    match purl.kind.as_str() {
        "alpm" => Some(format!("pkg:alpm/{}", rest.split('?').next().unwrap_or_default())),
        "rpm" => {
            let (id, _version) = purl.qualifiers.get("distro")?.rsplit_once('-')?;
            let renamed = id != namespace && package_type::namespace("rpm", id) == namespace;
            renamed.then(|| format!("pkg:rpm/{id}/{rest}"))
        }
        _ => None,
    }
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
    fn a_former_namespace_names_the_same() {
        for (one, other, expected) in [
            ("pkg:rpm/rhel/a", "pkg:rpm/redhat/a", true),
            ("pkg:rpm/opensuse-leap/a", "pkg:rpm/opensuse/a", true),
            ("pkg:rpm/sles/a", "pkg:rpm/SUSE/a", true),
            ("pkg:alpm/a", "pkg:alpm/arch/a", true),
            ("pkg:rpm/fedora/a", "pkg:rpm/redhat/a", false),
            ("pkg:rpm/a", "pkg:rpm/redhat/a", false),
            ("pkg:npm/rhel/a", "pkg:npm/redhat/a", false),
        ] {
            let (one, other) = (parse(one).unwrap(), parse(other).unwrap());
            assert_eq!(one.has_namespace_of(&other), expected, "{one:?} {other:?}");
            assert_eq!(other.has_namespace_of(&one), expected, "{other:?} {one:?}");
        }
    }

    #[test]
    fn knows_how_it_was_written_before() {
        for (url, expected) in [
            (
                "pkg:rpm/redhat/a@1?arch=x&distro=rhel-9.4",
                "pkg:rpm/rhel/a@1?arch=x&distro=rhel-9.4",
            ),
            (
                "pkg:rpm/opensuse/a@1?distro=opensuse-leap-15.6",
                "pkg:rpm/opensuse-leap/a@1?distro=opensuse-leap-15.6",
            ),
            ("pkg:alpm/arch/pacman@6.0.1-1?arch=x86_64&distro=arch", "pkg:alpm/pacman@6.0.1-1"),
            ("pkg:rpm/fedora/a@1?distro=fedora-40", ""),
            ("pkg:npm/a@1", ""),
        ] {
            assert_eq!(former(url).unwrap_or_default(), expected, "{url}");
        }
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
