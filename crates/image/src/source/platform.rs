//! Platforms: `os/architecture[/variant][:os.version]`, normalised and matched as containerd
//! does (<https://github.com/containerd/platforms>), which is what decides what runs.

use std::fmt;
use std::str::FromStr;

use inscan_facts::error::{shown, usage};

/// A normalised platform. An empty variant is the plain machine (amd64 v1, arm64 v8).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    pub os: String,
    pub architecture: String,
    pub variant: String,
    /// Of Windows, whose images are made for one version each: `10.0.20348.2700`.
    pub version: String,
    /// What the operating system must have, by `os.features`.
    pub features: Vec<String>,
}

/// Of `os.features`, what any machine has. Others are of special runtimes, whose layers are no tars
/// of files: the specification forbids to take such an image without them.
const KNOWN_FEATURES: [&str; 1] = ["win32k"];

impl Platform {
    pub fn new(os: &str, architecture: &str, variant: &str) -> Self {
        let (architecture, variant) = normal_architecture(architecture, variant);
        let os = match os.to_ascii_lowercase().as_str() {
            "macos" => "darwin".to_owned(),
            other => other.to_owned(),
        };
        Platform { os, architecture, variant, version: String::new(), features: Vec::new() }
    }

    /// The same, with what else an index or a configuration says of it.
    pub fn with(self, version: &str, features: &[String]) -> Self {
        let features = features.iter().filter(|it| !it.is_empty()).cloned().collect();
        Platform { version: version.to_owned(), features, ..self }
    }

    /// The same, with what another source says of version and features, where this one does not.
    pub fn completed(mut self, other: &Platform) -> Self {
        if self.version.is_empty() {
            self.version.clone_from(&other.version);
        }
        if self.features.is_empty() {
            self.features.clone_from(&other.features);
        }
        self
    }

    /// A feature of the operating system that images need and that is not known.
    pub fn unknown_feature(&self) -> Option<&str> {
        let features = self.features.iter().map(String::as_str);
        features.into_iter().find(|it| !KNOWN_FEATURES.contains(it))
    }

    /// Linux on the architecture of the running machine: containers are Linux also where we are not.
    pub fn of_this_machine() -> Self {
        let architecture = match std::env::consts::ARCH {
            "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
            "x86" => "386",
            "loongarch64" => "loong64",
            other => other,
        };
        Platform::new("linux", architecture, "")
    }

    /// What builders write on attestations: they run nowhere.
    pub fn is_unknown(&self) -> bool {
        self.os == "unknown" || self.architecture == "unknown"
    }

    /// How well an image of platform `have` runs here: 0 is best, `None` is not at all.
    pub fn rank(&self, have: &Platform) -> Option<u32> {
        let same = self.os == have.os && self.architecture == have.architecture;
        if !same || !self.is_version(&have.version) {
            return None;
        }
        if self.variant == have.variant {
            return Some(0);
        }
        // Newer machines run what was made for older ones.
        match self.architecture.as_str() {
            "arm" | "amd64" => {
                variant_number(&self.variant)?.checked_sub(variant_number(&have.variant)?)
            }
            _ => None,
        }
    }

    /// A version without its last numbers is any that begins so: `10.0.20348`.
    fn is_version(&self, have: &str) -> bool {
        match have.strip_prefix(self.version.as_str()) {
            Some(rest) => self.version.is_empty() || rest.is_empty() || rest.starts_with('.'),
            None => false,
        }
    }
}

fn variant_number(variant: &str) -> Option<u32> {
    match variant {
        "" => Some(1),
        other => other.strip_prefix('v')?.parse().ok(),
    }
}

fn normal_architecture(architecture: &str, variant: &str) -> (String, String) {
    let architecture = architecture.to_ascii_lowercase();
    let variant = variant.to_ascii_lowercase();
    let (architecture, variant) = match (architecture.as_str(), variant.as_str()) {
        ("i386", _) => ("386", ""),
        ("x86_64" | "x86-64" | "amd64", "v1") => ("amd64", ""),
        ("x86_64" | "x86-64" | "amd64", other) => ("amd64", other),
        ("aarch64" | "arm64", "8" | "v8") => ("arm64", ""),
        ("aarch64" | "arm64", other) => ("arm64", other),
        ("armhf", _) | ("arm", "" | "7") => ("arm", "v7"),
        ("armel", _) | ("arm", "6") => ("arm", "v6"),
        ("arm", "5") => ("arm", "v5"),
        ("arm", "8") => ("arm", "v8"),
        (other, variant) => (other, variant),
    };
    (architecture.to_owned(), variant.to_owned())
}

impl FromStr for Platform {
    type Err = anyhow::Error;

    fn from_str(typed: &str) -> anyhow::Result<Self> {
        let (text, version) = split_version(typed);
        let parts: Vec<&str> = text.split('/').collect();
        let word = |part: &&str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
        };
        if parts.iter().chain(&version).all(word) {
            let with_version = |plain: Platform| plain.with(version.unwrap_or_default(), &[]);
            match parts[..] {
                [os, architecture] => return Ok(with_version(Platform::new(os, architecture, ""))),
                [os, architecture, variant] => {
                    return Ok(with_version(Platform::new(os, architecture, variant)));
                }
                _ => {}
            }
        }
        Err(usage(format!(
            "`{}` is not a platform: expected os/architecture or os/architecture/variant, such as `linux/arm64` or `linux/arm/v7`, and for Windows perhaps a version: `windows/amd64:10.0.20348`",
            shown(typed)
        )))
    }
}

/// The version behind a colon, or in brackets behind the system as containerd writes it:
/// `windows(10.0.20348)/amd64`.
fn split_version(text: &str) -> (String, Option<&str>) {
    if let Some((plain, version)) = text.split_once(':') {
        return (plain.to_owned(), Some(version));
    }
    let bracketed = text.split_once('(').and_then(|(os, rest)| Some((os, rest.split_once(')')?)));
    match bracketed {
        Some((os, (version, rest))) => (format!("{os}{rest}"), Some(version)),
        None => (text.to_owned(), None),
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.os))?;
        f.write_str("/")?;
        f.write_str(&shown(&self.architecture))?;
        if !self.variant.is_empty() {
            f.write_str("/")?;
            f.write_str(&shown(&self.variant))?;
        }
        if !self.version.is_empty() {
            f.write_str(":")?;
            f.write_str(&shown(&self.version))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(text.parse::<Platform>().unwrap().to_string(), expected);
    }

    #[test]
    fn platforms_are_normalised_as_containerd_does() {
        check("linux/x86_64", "linux/amd64");
        check("Linux/AMD64/v1", "linux/amd64");
        check("linux/aarch64", "linux/arm64");
        check("linux/arm64/v8", "linux/arm64");
        check("linux/arm64/v9", "linux/arm64/v9");
        check("linux/arm", "linux/arm/v7");
        check("linux/arm/6", "linux/arm/v6");
        check("linux/armel", "linux/arm/v6");
        check("linux/i386", "linux/386");
        check("windows/amd64", "windows/amd64");
        check("windows/amd64:10.0.20348", "windows/amd64:10.0.20348");
        check("windows(10.0.20348)/x86_64", "windows/amd64:10.0.20348");
    }

    #[test]
    fn what_is_no_platform_is_refused() {
        for wrong in
            ["", "linux", "linux/", "/amd64", "linux/arm/v7/x", "linux/am d64", "windows/amd64:"]
        {
            assert!(wrong.parse::<Platform>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn newer_machines_run_images_of_older_ones() {
        let rank =
            |want: &str, have: &str| want.parse::<Platform>().unwrap().rank(&have.parse().unwrap());
        assert_eq!(rank("linux/arm/v7", "linux/arm/v7"), Some(0));
        assert_eq!(rank("linux/arm/v7", "linux/arm/v5"), Some(2));
        assert_eq!(rank("linux/arm/v6", "linux/arm/v7"), None);
        assert_eq!(rank("linux/amd64/v3", "linux/amd64"), Some(2));
        assert_eq!(rank("linux/amd64", "linux/amd64/v3"), None);
        assert_eq!(rank("linux/arm64", "linux/arm/v7"), None);
        assert_eq!(rank("linux/amd64", "windows/amd64"), None);
        assert_eq!(rank("windows/amd64:10.0.2", "windows/amd64:10.0.2.7"), Some(0));
        assert_eq!(rank("windows/amd64", "windows/amd64:10.0.2.7"), Some(0));
        assert_eq!(rank("windows/amd64:10.0.2", "windows/amd64:10.0.20"), None);
        assert_eq!(rank("windows/amd64:10.0.2", "windows/amd64"), None);
    }
}
