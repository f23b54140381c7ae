//! Coordinates that the place of a file states: in a Maven repository
//! `…/repository/org/x/y/artifact/1.0/artifact-1.0.jar`, in Gradle's cache
//! `…/files-2.1/org.x.y/artifact/1.0/DIGEST/artifact-1.0.jar`, in Ivy's
//! `…/.ivy2/cache/org.x.y/artifact/jars/artifact-1.0.jar`.
//! <https://maven.apache.org/repositories/layout.html>

use bstr::ByteSlice;

use super::groups;
use crate::path;

/// What the place says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Coordinates {
    pub(super) group: String,
    pub(super) artifact: String,
    pub(super) version: String,
    /// False where only the names of the directories tell where the repository begins.
    pub(super) is_certain: bool,
}

/// Directories that Maven repositories are: the names that Maven, Debian, Coursier and others give them.
const ROOTS: &[&str] = &[
    "local-repo",
    "local-repository",
    "m2repository",
    "maven-repo",
    "maven-repository",
    "maven2",
    "offline-repository",
    "repository",
];

/// Such names that other directories have as well: Karaf's, and many a project's.
const LIKELY_ROOTS: &[&str] = &["repo", "system"];

/// First parts of reversed domain names, with which most groups begin.
const DOMAINS: &[&str] = &["com", "dev", "edu", "gov", "io", "jakarta", "javax", "net", "org"];

/// `None` where the file does not lie in a repository.
pub(super) fn coordinates(location: &[u8]) -> Option<Coordinates> {
    // An archive in another one may be in a repository there.
    let inner = location.rsplit(|&byte| byte == b':').next().unwrap_or_default();
    let file = path::name(inner).to_str().ok()?;
    let parts: Vec<&str> =
        inner.split(|&byte| byte == b'/').map(|part| part.to_str().ok()).collect::<Option<_>>()?;
    of_gradle(&parts, file).or_else(|| of_ivy(&parts, file)).or_else(|| of_maven(&parts, file))
}

fn of_gradle(parts: &[&str], file: &str) -> Option<Coordinates> {
    let [.., root, group, artifact, version, digest, _] = parts else { return None };
    let is_digest = digest.bytes().all(|it| it.is_ascii_hexdigit()) && digest.len() > 30;
    let fits = root.starts_with("files-") && is_digest && belongs(file, artifact, version);
    fits.then(|| certain(group, artifact, version))
}

fn of_ivy(parts: &[&str], file: &str) -> Option<Coordinates> {
    let [.., ivy, "cache", group, artifact, "jars" | "bundles", _] = parts else { return None };
    let version = file.strip_prefix(artifact)?.strip_prefix('-')?.strip_suffix(".jar")?;
    let fits = ivy.contains("ivy") && version.starts_with(|it: char| it.is_ascii_digit());
    fits.then(|| certain(group, artifact, version))
}

fn of_maven(parts: &[&str], file: &str) -> Option<Coordinates> {
    let [before @ .., artifact, version, _] = parts else { return None };
    // Debian has a second name for each, whose version is `debian`.
    let is_version = version.contains(|it: char| it.is_ascii_digit());
    if before.is_empty() || !is_version || !belongs(file, artifact, version) {
        return None;
    }
    let at = |names: &[&str]| before.iter().rposition(|part| names.contains(part));
    let domain = before.iter().position(|part| DOMAINS.contains(part));
    let root = at(ROOTS).or_else(|| at(LIKELY_ROOTS).filter(|at| domain == Some(at + 1)));
    let begin = root.map(|at| at + 1).filter(|begin| *begin < before.len());
    let group = before.get(begin.or(domain)?..)?.join(".");
    let is_certain = begin.is_some();
    groups::is_group(&group)
        .then(|| Coordinates { is_certain, ..certain(&group, artifact, version) })
}

/// Whether the file is `artifact-version…`. A snapshot has a time in place of the word.
fn belongs(file: &str, artifact: &str, version: &str) -> bool {
    let stem = version.strip_suffix("SNAPSHOT").unwrap_or(version);
    let rest = file.strip_prefix(artifact).and_then(|rest| rest.strip_prefix('-'));
    rest.and_then(|rest| rest.strip_prefix(stem))
        .is_some_and(|rest| stem != version || rest.starts_with(['.', '-']))
}

fn certain(group: &str, artifact: &str, version: &str) -> Coordinates {
    Coordinates {
        group: group.to_owned(),
        artifact: artifact.to_owned(),
        version: version.to_owned(),
        is_certain: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(location: &str, expected: Option<&str>, is_certain: bool) {
        let found = coordinates(location.as_bytes());
        let text = found.as_ref().map(|it| format!("{}:{}:{}", it.group, it.artifact, it.version));
        assert_eq!(text.as_deref(), expected, "{location}");
        assert!(found.is_none_or(|it| it.is_certain == is_certain), "{location}");
    }

    #[test]
    fn repositories_state_coordinates() {
        let spring = Some("org.springframework:spring-beans:5.3.17");
        let file = "org/springframework/spring-beans/5.3.17/spring-beans-5.3.17.jar";
        for root in ["root/.m2/repository", "usr/share/maven-repo", "opt/karaf/system", "maven2"] {
            check(&format!("{root}/{file}"), spring, true);
        }
        check(&format!("app.war:WEB-INF/repository/{file}"), spring, true);
        check(&format!("opt/plugins/{file}"), spring, false);
        let digest = "1f4a2f4d8f1ab0b8e1a2b6a7d0f0f4f2a7d1f3a4";
        let gradle = "caches/modules-2/files-2.1/org.springframework/spring-beans/5.3.17";
        check(&format!("{gradle}/{digest}/spring-beans-5.3.17.jar"), spring, true);
        let ivy = "root/.ivy2/cache/org.springframework/spring-beans/jars/spring-beans-5.3.17.jar";
        check(ivy, spring, true);
        let snapshot = "repository/org/x/a/1.0-SNAPSHOT/a-1.0-20200101.101010-1.jar";
        check(snapshot, Some("org.x:a:1.0-SNAPSHOT"), true);
        check("repository/org/x/a/1.0/a-1.0-linux-x86_64.jar", Some("org.x:a:1.0"), true);
        check("repository/junit/junit/4.12/junit-4.12.jar", Some("junit:junit:4.12"), true);
    }

    #[test]
    fn other_places_state_nothing() {
        check("usr/share/java/a-1.0.jar", None, false);
        check("repository/a/1.0/a-1.0.jar", None, false);
        check("repository/org/x/a/1.0/b-1.0.jar", None, false);
        check("repository/org/x/a/1.0/a-1.01.jar", None, false);
        check("repository/org/x/a/debian/a-debian.jar", None, false);
        check("opt/a/1.0/a-1.0.jar", None, false);
        check("opt/system/a/1.0/a-1.0.jar", None, false);
        check("opt/repo/libs/a/1.0/a-1.0.jar", None, false);
        check("a-1.0.jar", None, false);
    }
}
