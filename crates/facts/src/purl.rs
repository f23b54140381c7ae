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
    /// Of a part of the package. Of Go's, which may as well be a part of the module's path, the
    /// last parts of namespace and name are it.
    pub subpath: Option<String>,
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

/// Reads a package URL. `None` if the text is not a package URL.
///
/// Slashes that are percent-encoded part a path all the same. Syft cuts the path of a Go module
/// behind its third part and has the rest as the subpath, so that is taken as a part of the path.
pub fn parse(text: &str) -> Option<Purl> {
    let rest = text.trim().strip_prefix("pkg:")?.trim_start_matches('/');
    let (rest, subpath) = rest.split_once('#').unwrap_or((rest, ""));
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
    let kind = kind.to_ascii_lowercase();
    let subpath = plain_subpath(subpath);
    let (namespace, name) = match PATHS.contains(&kind.as_str()) {
        true => in_parts(&kind, path, &subpath),
        false => (namespace.map(decode), decode(name)),
    };
    Some(Purl {
        kind,
        namespace,
        name,
        version: version.map(decode).filter(|version| !version.is_empty()),
        qualifiers: qualifiers.collect(),
        subpath: Some(subpath).filter(|subpath| !subpath.is_empty()),
    })
}

/// The rule by which the path of a Go module is taken from path and subpath.
pub const SUBPATH: &str = "subpath";

/// Types whose names are paths.
const PATHS: [&str; 7] = ["composer", "docker", "github", "golang", "npm", "oci", "swift"];

/// Namespace and name, wherever the parts of the path are written.
fn in_parts(kind: &str, path: &str, subpath: &str) -> (Option<String>, String) {
    let mut path = decode(path);
    if kind == "golang" {
        path = unescaped(&[path.trim_matches('/'), subpath].join("/"));
    }
    let path = path.trim_matches('/');
    match path.rsplit_once('/') {
        Some((namespace, name)) => (Some(namespace.to_owned()), name.to_owned()),
        None => (None, path.to_owned()),
    }
}

/// Without empty parts, `.` and `..`.
fn plain_subpath(text: &str) -> String {
    let parts = text.split('/').map(decode);
    parts.filter(|part| !matches!(part.as_str(), "" | "." | "..")).collect::<Vec<_>>().join("/")
}

/// `!azure` is `Azure` where Go writes paths of modules into files and addresses.
/// <https://go.dev/ref/mod#goproxy-protocol>
fn unescaped(path: &str) -> String {
    let mut parts = path.split('!');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut chars = part.chars();
        plain.extend(chars.next().map(|first| first.to_ascii_uppercase()));
        plain.push_str(chars.as_str());
    }
    plain
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
        check("pkg:golang/google.golang.org/genproto@abc", golang);
        check(
            "pkg:DEB/debian/a@1%3A2%2b3?arch=x#y",
            Some(("deb", Some("debian"), "a", Some("1:2+3"))),
        );
        check("pkg://gem/ruby@", Some(("gem", None, "ruby", None)));
    }

    #[test]
    fn a_path_has_its_parts_wherever_they_are_written() {
        let net = Some(("golang", Some("golang.org/x"), "net", Some("v0.1.0")));
        check("pkg:golang/golang.org%2Fx%2Fnet@v0.1.0", net);
        check("pkg:golang/golang.org/x@v0.1.0#net", net);
        let azure = Some(("golang", Some("github.com/Azure/azure-sdk-for-go/sdk"), "azcore", None));
        check("pkg:golang/github.com/Azure/azure-sdk-for-go#sdk/azcore", azure);
        check("pkg:golang/github.com/%21azure/azure-sdk-for-go#/sdk/./azcore/", azure);
        check("pkg:npm/%40scope%2Fa@1", Some(("npm", Some("@scope"), "a", Some("1"))));
        check("pkg:generic/a%2Fb@1#c", Some(("generic", None, "a/b", Some("1"))));
        assert_eq!(parse("pkg:golang/x.org/a@1#b/c").unwrap().subpath.as_deref(), Some("b/c"));
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
