//! Bundles that are there without a file, by name: our own, with a reason and a
//! remedy at every rule, and those that the legacy products begin with.

use std::borrow::Cow;

use super::bundle::{Bundle, Mode};

/// A bundle that is part of the program.
#[derive(Debug)]
pub struct Builtin {
    pub name: &'static str,
    /// What the legacy product calls it.
    pub aliases: &'static [&'static str],
    /// One sentence.
    pub about: &'static str,
    text: &'static str,
    /// The policy that images are given to, where it is not the bundle's first choice.
    policy: Option<&'static str>,
}

/// The mapping of Sysdig's bundle, and its first choice.
const SYSDIG_CHOICE: &str = "policy_ids: [default]";
const SYSDIG: &str = include_str!("builtin/bundles/sysdig-default.yaml");

/// A beginning for bundles of one's own, with comments that teach.
pub const STARTER: &str = include_str!("builtin/bundles/starter.yaml");

static ALL: &[Builtin] = &[
    Builtin {
        name: "default",
        aliases: &[],
        about: "What nearly every image should live up to: severe vulnerabilities that an upgrade \
                fixes, credentials, malware, remote login",
        text: include_str!("builtin/bundles/default.yaml"),
        policy: None,
    },
    Builtin {
        name: "dockerfile-best-practices",
        aliases: &[],
        about: "How images are built: users, secrets, what is fetched and not verified",
        text: include_str!("builtin/bundles/dockerfile-best-practices.yaml"),
        policy: None,
    },
    Builtin {
        name: "nist-800-190",
        aliases: &[],
        about: "What NIST SP 800-190 recommends for images, by its sections",
        text: include_str!("builtin/bundles/nist-800-190.yaml"),
        policy: None,
    },
    Builtin {
        name: "pci",
        aliases: &[],
        about: "Requirements of PCI DSS 4.0 that an image can show, by their numbers",
        text: include_str!("builtin/bundles/pci.yaml"),
        policy: None,
    },
    Builtin {
        name: "anchore-default",
        aliases: &["2c53a13c-1765-11e8-82ef-23527761d060"],
        about: "The bundle that Anchore Engine 0.8 begins with, rule for rule",
        text: include_str!("builtin/bundles/anchore-default.yaml"),
        policy: None,
    },
    Builtin {
        name: "sysdig-default",
        aliases: &[],
        about: "The bundle that Sysdig Secure begins with, rule for rule: its policy `default`",
        text: SYSDIG,
        policy: None,
    },
    Builtin {
        name: "sysdig-dockerfile-best-practices",
        aliases: &["dockerfile_best_practices"],
        about: "The same bundle, with its policy `dockerfile_best_practices`",
        text: SYSDIG,
        policy: Some("dockerfile_best_practices"),
    },
    Builtin {
        name: "sysdig-nist-800-190",
        aliases: &["nist_800-190"],
        about: "The same bundle, with its policy `nist_800-190`",
        text: SYSDIG,
        policy: Some("nist_800-190"),
    },
    Builtin {
        name: "sysdig-pci",
        aliases: &[],
        about: "The same bundle, with its policy `pci`",
        text: SYSDIG,
        policy: Some("pci"),
    },
];

/// All of them, as they are listed to people.
pub fn all() -> &'static [Builtin] {
    ALL
}

/// The one of this name, or of this legacy id.
pub fn named(name: &str) -> Option<&'static Builtin> {
    ALL.iter().find(|builtin| builtin.name == name || builtin.aliases.contains(&name))
}

impl Builtin {
    /// As a file of YAML, with its comments.
    pub fn text(&self) -> Cow<'static, str> {
        match self.policy {
            None => Cow::Borrowed(self.text),
            Some(policy) => {
                let choice = format!("policy_ids: [{policy}]");
                Cow::Owned(self.text.replacen(SYSDIG_CHOICE, &choice, 1))
            }
        }
    }

    pub fn bundle(&self) -> Bundle {
        Bundle::read(self.text().as_bytes(), Mode::Strict).expect("a test reads each of them")
    }
}

#[cfg(test)]
mod tests;
