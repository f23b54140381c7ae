//! What the name of a jar says: `artifact-version.jar` or `artifact-version-classifier.jar`.
//! <https://maven.apache.org/repositories/layout.html>

/// The name without its extension, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileName<'a> {
    pub(super) stem: &'a str,
    /// The whole name where it has no version.
    pub(super) artifact: &'a str,
    /// With the classifier, if there is one. `None` also for a placeholder: `3.x`.
    pub(super) version: Option<&'a str>,
    pub(super) has_placeholder: bool,
}

impl<'a> FileName<'a> {
    pub(super) fn new(stem: &'a str) -> Self {
        let whole = FileName { stem, artifact: stem, version: None, has_placeholder: false };
        match split(stem) {
            None => whole,
            Some((artifact, version)) if is_placeholder(version) => {
                FileName { artifact, has_placeholder: true, ..whole }
            }
            Some((artifact, version)) => FileName { artifact, version: Some(version), ..whole },
        }
    }

    /// The version without a classifier that is one by its own looks.
    pub(super) fn version_without_classifier(&self) -> Option<&'a str> {
        let version = self.version?;
        let cuts = version.match_indices('-').map(|(at, _)| at);
        cuts.into_iter()
            .find(|&at| at > 0 && version.get(at + 1..).is_some_and(is_classifier))
            .and_then(|at| version.get(..at))
            .or(Some(version))
    }

    /// Whether the version is this one with a classifier behind it.
    pub(super) fn has_version(&self, stated: &str) -> bool {
        let rest = self.version.and_then(|version| version.strip_prefix(stated));
        rest.is_some_and(|rest| {
            rest.strip_prefix('-').is_some_and(|rest| !is_qualifier(rest)) || rest.is_empty()
        })
    }
}

/// `spring-core` and `5.1.3.RELEASE` of `spring-core-5.1.3.RELEASE`.
///
/// A part between hyphens that begins with a digit begins the version: the
/// last one with a dot in it (`log4j-1.2-api-2.19.0`) and the numbers before it
/// (`x-1.0-20200101.120000-1`); without any dot, the last one (`x-20040616`).
fn split(stem: &str) -> Option<(&str, &str)> {
    let parts: Vec<&str> = stem.split('-').collect();
    let is_number = |part: &str| part.starts_with(|first: char| first.is_ascii_digit());
    let with_dot = parts.iter().rposition(|part| is_number(part) && part.contains('.'));
    let mut begin = with_dot.or_else(|| parts.iter().rposition(|part| is_number(part)))?;
    while begin > 1 && parts.get(begin - 1).is_some_and(|part| is_number(part)) {
        begin -= 1;
    }
    let artifact_len = parts[..begin].iter().map(|part| part.len() + 1).sum::<usize>();
    let artifact = stem.get(..artifact_len.checked_sub(1)?)?;
    (!artifact.is_empty()).then(|| (artifact, &stem[artifact_len..]))
}

/// `3.x`, `1.X.X`, Gradle's `3.+`: any version of a series.
fn is_placeholder(version: &str) -> bool {
    let mut parts =
        version.split('.').skip_while(|part| part.bytes().all(|it| it.is_ascii_digit()));
    let first = parts.next();
    first.is_some_and(is_wildcard) && parts.all(is_wildcard)
}

fn is_wildcard(part: &str) -> bool {
    matches!(part, "x" | "X" | "*" | "+")
}

/// What Maven's plugins and well-known projects put behind a version for another file of it.
fn is_classifier(text: &str) -> bool {
    const WHOLE: &[&str] = &[
        "all",
        "boot",
        "bundle",
        "exec",
        "fat",
        "jar-with-dependencies",
        "javadoc",
        "jdk15",
        "no_aop",
        "runner",
        "shaded",
        "shadow",
        "sources",
        "standalone",
        "test",
        "test-sources",
        "tests",
        "uber",
        "with-dependencies",
    ];
    const SYSTEMS: &[&str] =
        &["darwin", "freebsd", "linux", "mac", "macos", "natives", "osx", "win", "windows"];
    let first = text.split(['-', '_']).next().unwrap_or_default();
    WHOLE.contains(&text) || SYSTEMS.contains(&first)
}

/// Whether it belongs to a version: `beta-2`, `jre`, `RC1`, `20200101.1`. Manifests may leave it out.
fn is_qualifier(text: &str) -> bool {
    const WORDS: &[&str] = &[
        "alpha",
        "android",
        "b",
        "beta",
        "build",
        "cr",
        "dev",
        "ea",
        "final",
        "ga",
        "incubating",
        "jdk",
        "jre",
        "m",
        "milestone",
        "patch",
        "pre",
        "r",
        "rc",
        "release",
        "sec",
        "snapshot",
        "sp",
        "v",
    ];
    let word: String = text.chars().take_while(char::is_ascii_alphabetic).collect();
    let rest = text.get(word.len()..).unwrap_or_default();
    word.is_empty() || WORDS.contains(&&*word.to_ascii_lowercase()) && !rest.starts_with('_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_in_the_file_name_is_found() {
        for (stem, expected) in [
            ("spring-core-5.1.3.RELEASE", Some(("spring-core", "5.1.3.RELEASE"))),
            ("log4j-1.2-api-2.19.0", Some(("log4j-1.2-api", "2.19.0"))),
            ("guava-30.1-jre", Some(("guava", "30.1-jre"))),
            ("x-1.0-20200101.120000-1", Some(("x", "1.0-20200101.120000-1"))),
            ("x-1.0-beta-2", Some(("x", "1.0-beta-2"))),
            ("kafka_2.12-2.3.0", Some(("kafka_2.12", "2.3.0"))),
            ("x-20040616", Some(("x", "20040616"))),
            ("log4j-over-slf4j", None),
            ("2.0", None),
            ("-1.0", None),
            ("", None),
        ] {
            assert_eq!(split(stem), expected, "{stem}");
        }
    }

    #[test]
    fn a_series_is_no_version() {
        for (stem, version, has_placeholder) in [
            ("spring-web-4.x", None, true),
            ("a-1.2.X", None, true),
            ("a-1.x.x", None, true),
            ("a-3.+", None, true),
            ("activation-1.1.x1", Some("1.1.x1"), false),
            ("a-1.1", Some("1.1"), false),
        ] {
            let found = FileName::new(stem);
            assert_eq!((found.version, found.has_placeholder), (version, has_placeholder));
        }
    }

    #[test]
    fn a_classifier_is_no_part_of_the_version() {
        for (stem, expected) in [
            ("netty-tcnative-2.0.48.Final-linux-x86_64", "2.0.48.Final"),
            ("hadoop-common-3.3.1-tests", "3.3.1"),
            ("app-1.0-SNAPSHOT-jar-with-dependencies", "1.0-SNAPSHOT"),
            ("guava-30.1-jre", "30.1-jre"),
            ("x-1.0-beta-2", "1.0-beta-2"),
            ("x-1.0-incubating", "1.0-incubating"),
        ] {
            assert_eq!(FileName::new(stem).version_without_classifier(), Some(expected), "{stem}");
        }
    }

    #[test]
    fn a_stated_version_parts_any_classifier_but_no_qualifier() {
        for (stem, stated, expected) in [
            ("x-4.1.68.Final-linux-x86_64", "4.1.68.Final", true),
            ("x-2.1-hadoop2", "2.1", true),
            ("x-2.1", "2.1", true),
            ("guava-30.1-jre", "30.1", false),
            ("x-1.0-beta-2", "1.0", false),
            ("x-1.0-20200101", "1.0", false),
            ("x-1.01", "1.0", false),
        ] {
            assert_eq!(FileName::new(stem).has_version(stated), expected, "{stem}");
        }
    }
}
