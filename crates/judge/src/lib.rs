//! Policies: bundles of rules, each a trigger of a gate with its parameters,
//! that are held against what is known of an image.
//!
//! A bundle is read and compiled ([`params`] holds what a rule says against
//! [`spec`]), then its rules are asked of the [`facts`]. Everything here is
//! pure: files are read by others.

pub mod builtin;
pub mod bundle;
mod evaluation;
pub mod facts;
pub mod gates;
mod judge;
pub mod mapping;
pub mod params;
pub mod spec;
pub mod subjects;
pub mod vulnerable;
pub mod whitelist;

pub use bundle::{Action, Bundle, Mode, Problem};
pub use evaluation::{
    Asked, Evaluation, Explanation, Listed, PolicyResult, Reason, Row, RuleResult, RuleText, Tried,
    Whitelisted, asks, evaluate, explain, trigger_id,
};
pub use judge::{JudgeError, JudgeOptions, Judgement, Policies, PolicyRequest, judge};
pub use mapping::Image;
