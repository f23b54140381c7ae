//! Platforms: `os/architecture[/variant]`, normalised and matched as containerd
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
}

impl Platform {
    pub fn new(os: &str, architecture: &str, variant: &str) -> Self {
        let (architecture, variant) = normal_architecture(architecture, variant);
        let os = match os.to_ascii_lowercase().as_str() {
            "macos" => "darwin".to_owned(),
            other => other.to_owned(),
        };
        Platform { os, architecture, variant }
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
        if self.os != have.os || self.architecture != have.architecture {
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

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        let word = |part: &&str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
        };
        if parts.iter().all(word) {
            match parts[..] {
                [os, architecture] => return Ok(Platform::new(os, architecture, "")),
                [os, architecture, variant] => return Ok(Platform::new(os, architecture, variant)),
                _ => {}
            }
        }
        Err(usage(format!(
            "`{}` is not a platform: expected os/architecture or os/architecture/variant, such as `linux/arm64` or `linux/arm/v7`",
            shown(text)
        )))
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
    }

    #[test]
    fn what_is_no_platform_is_refused() {
        for wrong in ["", "linux", "linux/", "/amd64", "linux/arm/v7/x", "linux/am d64"] {
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
    }
}
