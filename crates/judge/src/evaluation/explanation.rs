//! Rule by rule, why a bundle says of an image what it says.

use jiff::Timestamp;

use super::{Evaluation, Row, chosen, evaluate, found};
use crate::bundle::{Bundle, FaultKind, ImageRule, Mapping, Policy, Problem, Rule};
use crate::facts::DocumentFacts;
use crate::mapping::{Image, Mismatch};
use crate::whitelist::Exceptions;

#[derive(Debug)]
pub struct Explanation<'a> {
    /// In their order, up to the last.
    pub mappings: Vec<Tried<'a>>,
    /// Images that fail or pass anyway, the former first.
    pub images: Vec<Listed<'a>>,
    pub policies: Vec<Asked<'a>>,
    /// Policies of the bundle that this image is not asked about.
    pub not_asked: Vec<&'a Policy>,
    /// The evaluation itself, or why there is none.
    pub result: Result<Evaluation, Vec<Problem>>,
}

/// A mapping, and whether it is for the image.
#[derive(Debug)]
pub struct Tried<'a> {
    pub mapping: &'a Mapping,
    pub mismatch: Option<Mismatch>,
    /// It fits, and none before it does.
    pub chosen: bool,
}

/// An image of one of the two lists, and whether it is this one.
#[derive(Debug)]
pub struct Listed<'a> {
    pub rule: &'a ImageRule,
    /// Or else it passes.
    pub fails: bool,
    pub mismatch: Option<Mismatch>,
}

#[derive(Debug)]
pub struct Asked<'a> {
    pub policy: &'a Policy,
    /// In the order of the bundle.
    pub rules: Vec<(&'a Rule, RuleResult)>,
}

/// What a rule says.
#[derive(Debug)]
pub enum RuleResult {
    /// Each with the exception that holds for it; none: the rule did not fire.
    Found(Vec<Row>),
    /// The image, or what is known of it, is not such that the question makes sense.
    None(String),
    /// The rule does nothing: its gate is no more.
    Retired,
    /// The rule is wrong, and the image fails by that.
    Wrong(Vec<Problem>),
}

/// As [`evaluate`], and it says how that came.
pub fn explain<'a>(
    bundle: &'a Bundle,
    facts: &DocumentFacts<'_>,
    image: &Image,
    when: Timestamp,
    only: Option<&str>,
) -> Explanation<'a> {
    let used = chosen(bundle, image, only);
    let mut exceptions = Exceptions::new(&used.whitelists, when);
    let mut is_first = true;
    let tried = bundle.mappings.iter().map(|mapping| {
        let mismatch = mapping.selector.mismatch(image);
        let chosen = mismatch.is_none() && std::mem::take(&mut is_first);
        Tried { mapping, mismatch, chosen }
    });
    let mappings = tried.collect();
    let listed = |fails| {
        move |rule: &'a ImageRule| Listed { rule, fails, mismatch: rule.selector.mismatch(image) }
    };
    let failing = bundle.blacklisted_images.iter().map(listed(true));
    let images = failing.chain(bundle.whitelisted_images.iter().map(listed(false))).collect();
    let mut asked = Vec::new();
    for policy in &used.policies {
        let rules = policy.rules.iter();
        let rules = rules.map(|rule| (rule, answer(policy, rule, facts, &mut exceptions)));
        asked.push(Asked { policy, rules: rules.collect() });
    }
    let is_asked =
        |policy: &&Policy| used.policies.iter().any(|asked| std::ptr::eq(*asked, *policy));
    Explanation {
        mappings,
        images,
        policies: asked,
        not_asked: bundle.policies.iter().filter(|policy| !is_asked(policy)).collect(),
        result: evaluate(bundle, facts, image, when, only),
    }
}

fn answer(
    policy: &Policy,
    rule: &Rule,
    facts: &DocumentFacts<'_>,
    exceptions: &mut Exceptions<'_>,
) -> RuleResult {
    let retired = rule.faults.iter().all(|fault| fault.kind == FaultKind::EndOfLife);
    match &rule.compiled {
        Some(compiled) => match found(policy, rule, compiled, facts, exceptions) {
            Ok(rows) => RuleResult::Found(rows),
            Err(error) => RuleResult::None(error.to_string()),
        },
        None if retired => RuleResult::Retired,
        None => {
            RuleResult::Wrong(rule.faults.iter().flat_map(|fault| fault.problems.clone()).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mode;

    #[test]
    fn each_mapping_and_each_rule_says_why() {
        let bundle = br#"
id: b
version: "1_0"
policies:
  - {id: other, version: "1_0", rules: []}
  - id: p
    version: "1_0"
    rules:
      - {gate: always, trigger: always, action: STOP, params: []}
      - {gate: malware, trigger: scans, action: STOP, params: []}
      - {gate: pkgcheck, trigger: verify, action: STOP, params: []}
      - {gate: alway, trigger: always, action: STOP, params: []}
mappings:
  - {name: a, registry: quay.io, repository: "*", image: {type: tag, value: "*"}, policy_ids: [other], whitelist_ids: []}
  - {name: b, registry: "*", repository: "*", image: {type: tag, value: "1"}, policy_ids: [p], whitelist_ids: []}
  - {name: c, registry: "*", repository: "*", image: {type: tag, value: "*"}, policy_ids: [other], whitelist_ids: []}
"#;
        let bundle = Bundle::read(bundle, Mode::Tolerant).unwrap();
        let image = Image { tag: "docker.io/app:1".into(), ..Image::default() };
        let when = "2026-11-26T12:00:00Z".parse().unwrap();
        let explained = explain(&bundle, &DocumentFacts::default(), &image, when, None);
        let mappings = explained.mappings.iter();
        let mappings =
            mappings.map(|tried| (tried.mismatch.as_ref().map(|it| it.what), tried.chosen));
        assert_eq!(
            mappings.collect::<Vec<_>>(),
            [(Some("registry"), false), (None, true), (None, false)]
        );
        let [asked] = &explained.policies[..] else { panic!("one policy is asked") };
        let answers: Vec<_> = asked.rules.iter().map(|(_, answer)| answer).collect();
        let [
            RuleResult::Found(rows),
            RuleResult::None(_),
            RuleResult::Retired,
            RuleResult::Wrong(problems),
        ] = answers[..]
        else {
            panic!("{answers:?}")
        };
        assert_eq!((rows.len(), problems.len()), (1, 1));
        assert_eq!(explained.not_asked[0].id, "other");
        assert!(!explained.result.unwrap().passes(), "a rule that is wrong lets nothing pass");
    }
}
