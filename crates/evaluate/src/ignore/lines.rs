//! On which lines of a file the entries of its lists begin.

use serde::Deserialize;
use serde::de::IgnoredAny;

/// From 1; of a list that was not found, none.
#[derive(Debug, Default)]
pub(super) struct Lines(Vec<usize>);

#[derive(Default, Deserialize)]
#[serde(default)]
struct Yaml {
    ignore: Vec<serde_saphyr::Spanned<IgnoredAny>>,
    items: Vec<serde_saphyr::Spanned<IgnoredAny>>,
    vulnerabilities: Vec<serde_saphyr::Spanned<IgnoredAny>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Toml {
    ignored_vulns: Vec<toml::Spanned<IgnoredAny>>,
    package_overrides: Vec<toml::Spanned<IgnoredAny>>,
}

impl Lines {
    pub(super) fn of_yaml(text: &str, list: &str) -> Lines {
        let file: Yaml = serde_saphyr::from_str(text).unwrap_or_default();
        let entries = match list {
            "ignore" => file.ignore,
            "items" => file.items,
            _ => file.vulnerabilities,
        };
        let line = |entry: &serde_saphyr::Spanned<IgnoredAny>| entry.referenced.line() as usize;
        Lines(entries.iter().map(line).collect())
    }

    pub(super) fn of_toml(text: &str, list: &str) -> Lines {
        let file: Toml = toml::from_str(text).unwrap_or_default();
        let entries = match list {
            "IgnoredVulns" => file.ignored_vulns,
            _ => file.package_overrides,
        };
        let line = |at: usize| text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
        Lines(entries.iter().map(|entry| line(entry.span().start)).collect())
    }

    pub(super) fn get(&self, entry: usize) -> Option<usize> {
        self.0.get(entry).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_begin_on_their_lines() {
        let yaml =
            "# x\nignore:\n  - id: a\n    reason: b\n  -\n    id: c\nitems: [{x: 1},\n {x: 2}]\n";
        assert_eq!(Lines::of_yaml(yaml, "ignore").0, [3, 6]);
        assert_eq!(Lines::of_yaml(yaml, "items").0, [7, 8]);
        let toml = "\n[[IgnoredVulns]]\nid = \"a\"\n\n[[PackageOverrides]]\nname = \"b\"\n\n[[IgnoredVulns]]\nid = \"c\"\n";
        assert_eq!(Lines::of_toml(toml, "IgnoredVulns").0, [2, 8]);
        assert_eq!(Lines::of_toml(toml, "PackageOverrides").0, [5]);
        assert_eq!(Lines::of_yaml("- a", "ignore").get(0), None);
    }
}
