//! `META-INF/MANIFEST.MF`: lines `Name: value`; a line that begins with a blank
//! goes on with the line before it. The main section ends at an empty line.

use std::collections::BTreeMap;

#[derive(Debug)]
pub(super) struct Manifest {
    bytes: Vec<u8>,
    main: BTreeMap<String, String>,
}

impl Manifest {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        let text = String::from_utf8_lossy(&bytes);
        let mut main = BTreeMap::new();
        for line in unfolded(&text).take_while(|line| !line.is_empty()) {
            if let Some((name, value)) = line.split_once(':') {
                main.entry(name.to_ascii_lowercase()).or_insert_with(|| value.trim().into());
            }
        }
        Manifest { bytes, main }
    }

    /// An attribute of the main section; `None` if empty or an unfilled template. Names ignore case.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let value = self.main.get(&name.to_ascii_lowercase())?;
        // Unfilled templates: `${project.version}`, `@VERSION@`.
        let is_filled = !value.is_empty() && !value.contains("${") && !value.starts_with('@');
        is_filled.then_some(value)
    }

    /// The licences of `Bundle-License`: clauses between commas, each a name with parameters
    /// behind `;`. Names that contain commas without quotes are not taken apart.
    /// <https://docs.osgi.org/specification/osgi.core/8.0.0/framework.module.html#framework.module-bundle-license>
    pub(super) fn licences(&self) -> Vec<String> {
        let Some(header) = self.get("Bundle-License") else { return Vec::new() };
        let clauses = outside_quotes(header, ',');
        let is_clause = |clause: &&str| {
            let name = clause.split(';').next().unwrap_or_default().trim();
            clause.contains(';') || name.starts_with('"') || !name.contains(char::is_whitespace)
        };
        let clauses = match clauses.iter().all(is_clause) || clauses.len() == 1 {
            true => clauses,
            false => vec![header],
        };
        let name = |clause: &str| {
            let name = outside_quotes(clause, ';').first().copied().unwrap_or_default().trim();
            name.trim_matches('"').to_owned()
        };
        clauses.into_iter().map(name).filter(|name| !name.is_empty()).collect()
    }

    /// The whole text, for the legacy document; `None` where it is not UTF-8.
    pub(super) fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.bytes).ok()
    }
}

/// The parts between separators that are not between quotes.
fn outside_quotes(text: &str, separator: char) -> Vec<&str> {
    let mut is_quoted = false;
    text.split(|letter| {
        is_quoted ^= letter == '"';
        letter == separator && !is_quoted
    })
    .collect()
}

/// The lines with their continuations.
pub(super) fn unfolded(text: &str) -> impl Iterator<Item = String> {
    let mut lines = text.lines().peekable();
    std::iter::from_fn(move || {
        let mut line = lines.next()?.to_owned();
        while let Some(more) = lines.peek().and_then(|line| line.strip_prefix(' ')) {
            line.push_str(more);
            lines.next();
        }
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folded_lines_are_joined_and_named_sections_left_out() {
        let manifest = Manifest::new(
            b"Implementation-Version: 1.2\r\n .3\r\nEmpty: \r\n\r\nName: x\r\nOther: 1\r\n"
                .to_vec(),
        );
        assert_eq!(manifest.get("implementation-version"), Some("1.2.3"));
        assert_eq!(manifest.get("Empty"), None);
        assert_eq!(manifest.get("Other"), None);
    }

    #[test]
    fn bundle_licence_is_a_list_of_clauses() {
        let check = |header: &str, expected: &[&str]| {
            let manifest = Manifest::new(format!("Bundle-License: {header}\n").into_bytes());
            assert_eq!(manifest.licences(), expected, "{header}");
        };
        check(
            "http://a.example/A-2.0, https://b.example/b",
            &["http://a.example/A-2.0", "https://b.example/b"],
        );
        let parameters = r#"Apache-2.0;link="https://a.example",MIT;description="a, b""#;
        check(parameters, &["Apache-2.0", "MIT"]);
        check("The Apache License, Version 2.0", &["The Apache License, Version 2.0"]);
        check(r#""GPL 2; with, more";link=x, MIT"#, &["GPL 2; with, more", "MIT"]);
        check("MIT", &["MIT"]);
    }
}
