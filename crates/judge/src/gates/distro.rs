//! Releases of distributions that are denied: a gate of later versions of the engine.

use std::cmp::Ordering;

use super::comparison::{ORDERS, order_holds};
use crate::facts::DocumentFacts;
use crate::params::Params;
use crate::spec::{Gate, Kind, Match, Param, Trigger, TriggerError};
use inscan_evaluate::versions::{self, Scheme};

pub(super) static GATE: Gate = Gate {
    name: "distro",
    about: "The release of the distribution that the image is made of",
    triggers: &[Trigger {
        name: "deny",
        aliases: &[],
        about: "Fires where the image is of this distribution, and the check of its release holds; \
                build it on a release that is cared for",
        params: &[
            Param::required("distro", Kind::Text, "debian", "The distribution, as in os-release"),
            Param::required("version", Kind::Text, "11", "The release it is held against"),
            Param::required(
                "check",
                Kind::OneOf(ORDERS),
                "<",
                "How the image's release is held against it",
            ),
        ],
        check: None,
        fire: deny,
    }],
};

/// What the analysis writes where os-release tells no version.
const NO_VERSION: &str = "0";

fn deny(facts: &DocumentFacts<'_>, params: &Params) -> Result<Vec<Match>, TriggerError> {
    let [distro, version, check] =
        ["distro", "version", "check"].map(|name| params.text(name).unwrap_or_default());
    let image = facts.image()?;
    if image.distribution.as_deref() != Some(distro) {
        return Ok(Vec::new());
    }
    let release = image.version.as_deref().unwrap_or(NO_VERSION);
    if release == NO_VERSION {
        return Err(TriggerError::NotAnswerable(format!(
            "the image does not say which release of {distro} it is: deny it with \
             `metadata.attribute`, or allow it"
        )));
    }
    // Releases are numbers between points, which every order takes alike: 3.9 before 3.10.
    let order = versions::compare(Scheme::Rpm, release, version).unwrap_or(Ordering::Equal);
    Ok(match order_holds(check, order) {
        true => vec![Match::of(format!(
            "Image is of denied distro: {distro} {release} (denied: {check} {version})"
        ))],
        false => Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::GATE;
    use crate::gates::testing::{failure, fired, with_outputs};

    #[test]
    fn releases_are_compared_as_numbers() {
        let image = |version: &str| {
            let meta = json!({"DISTRO": "alpine", "DISTROVERS": version, "LIKEDISTRO": "alpine"});
            with_outputs(&[("analyzer_meta/analyzer_meta", meta)])
        };
        for (release, distro, check, version, fires) in [
            ("3.9.6", "alpine", "<", "3.10", true),
            ("3.10", "alpine", "<", "3.10", false),
            ("3.10", "alpine", "<=", "3.10", true),
            ("3.11", "alpine", ">", "3.9", true),
            ("3.11", "alpine", "!=", "3.9", true),
            ("3.11", "debian", "!=", "3.9", false),
            ("3.9", "alpine", "=", "3.9", true),
        ] {
            let params = [("distro", distro), ("check", check), ("version", version)];
            let expected = fires.then(|| {
                format!("Image is of denied distro: alpine {release} (denied: {check} {version})")
            });
            let found = fired(&GATE, "deny", &params, &image(release));
            assert_eq!(found, Vec::from_iter(expected), "{release} {check} {version}");
        }
        let params = [("distro", "alpine"), ("check", "<"), ("version", "3")];
        let failure = failure(&GATE, "deny", &params, &image("0"));
        assert!(failure.contains("does not say which release of alpine"), "{failure}");
    }
}
