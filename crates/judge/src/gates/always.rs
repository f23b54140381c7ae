//! Fires for every image: to see that a policy is asked at all, and to forbid
//! whatever its mapping names.

use crate::facts::DocumentFacts;
use crate::params::Params;
use crate::spec::{Gate, Match, Trigger, TriggerError};

pub(super) static GATE: Gate = Gate {
    name: "always",
    about: "Fires for every image",
    triggers: &[Trigger {
        name: "always",
        aliases: &[],
        about: "Fires once, whatever the image is",
        params: &[],
        check: None,
        fire: always,
    }],
};

fn always(_: &DocumentFacts<'_>, _: &Params) -> Result<Vec<Match>, TriggerError> {
    Ok(vec![Match::with_id("always", "Unconditional trigger match")])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fires_once() {
        let params = Params::of(&GATE.triggers[0], "rule", &[]).unwrap();
        let matches = always(&DocumentFacts::default(), &params).unwrap();
        assert_eq!(matches, [Match::with_id("always", "Unconditional trigger match")]);
    }
}
