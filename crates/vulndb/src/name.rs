//! Under which key a package is kept and looked up: names that an ecosystem
//! takes for the same have the same key.

use std::borrow::Cow;

/// The key of a package's name in an ecosystem (`PyPI`, `Debian:12`, `github:python`).
pub fn key<'a>(ecosystem: &str, name: &'a str) -> Cow<'a, str> {
    let (family, rest) = ecosystem.split_once(':').unwrap_or((ecosystem, ""));
    match (family, rest) {
        // <https://packaging.python.org/en/latest/specifications/name-normalization/>
        ("PyPI", _) | ("Root", "PyPI") | ("github", "python") => python(name),
        // Compared without case: NuGet's and Composer's own rules, and those of CPE names.
        ("NuGet" | "Packagist" | "GitHub Actions" | "Bitnami" | "nvdv2", _)
        | ("github", "nuget" | "composer") => lower(name),
        ("SwiftURL", _) => {
            let name = name.trim_start_matches("https://").trim_start_matches("http://");
            lower(name.trim_end_matches('/').trim_end_matches(".git"))
        }
        _ => Cow::Borrowed(name),
    }
}

fn lower(name: &str) -> Cow<'_, str> {
    if name.chars().any(char::is_uppercase) {
        Cow::Owned(name.to_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

fn python(name: &str) -> Cow<'_, str> {
    let mut key = String::with_capacity(name.len());
    for char in name.chars() {
        match char {
            '-' | '_' | '.' if key.ends_with('-') => {}
            '-' | '_' | '.' => key.push('-'),
            char => key.extend(char.to_lowercase()),
        }
    }
    if key == name { Cow::Borrowed(name) } else { Cow::Owned(key) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_mean_the_same_package_have_one_key() {
        assert_eq!(key("PyPI", "Zope.Interface__x"), "zope-interface-x");
        assert_eq!(key("github:python", "PyYAML"), "pyyaml");
        assert_eq!(key("github:npm", "JSONStream"), "JSONStream");
        assert_eq!(key("NuGet", "Newtonsoft.Json"), "newtonsoft.json");
        assert_eq!(key("Packagist:https://packages.drupal.org/8", "Drupal/Core"), "drupal/core");
        let swift = ["https://github.com/Vapor/vapor.git", "github.com/vapor/vapor"];
        assert_eq!(swift.map(|name| key("SwiftURL", name)), [swift[1]; 2]);
        assert_eq!(key("npm", "@Types/Node"), "@Types/Node");
        assert_eq!(key("Go", "github.com/Azure/x"), "github.com/Azure/x");
        assert_eq!(key("Debian:12", "libstdc++6"), "libstdc++6");
    }
}
