//! A rule, held against what gates there are.

use super::Action;
use super::fault::{Fault, FaultKind, parameter_details};
use super::problem::{Place, Problem, nearest};
use super::python;
use super::retired::{RETIRED, Retired, retired};
use crate::gates::gates;
use crate::params::{ParamError, Params, ValueError};
use crate::spec::{Gate, Trigger};

/// One rule of a policy.
#[derive(Debug)]
pub struct Rule {
    pub id: Option<String>,
    /// As written, as are trigger and parameters.
    pub gate: String,
    pub trigger: String,
    pub action: Action,
    pub given: Vec<Given>,
    /// None for a rule that does nothing: its gate is retired, or the rule is wrong.
    pub compiled: Option<Compiled>,
    pub faults: Vec<Fault>,
    /// Why it matters, for people. Only ours have it, as also the next: other engines ignore it.
    pub why: Option<String>,
    /// How what it finds is fixed.
    pub remedy: Option<String>,
    pub place: Place,
}

/// A parameter as written.
#[derive(Clone, Debug)]
pub struct Given {
    pub name: String,
    pub value: String,
    pub name_place: Place,
    pub value_place: Place,
}

/// What a rule asks.
#[derive(Debug)]
pub struct Compiled {
    pub gate: &'static Gate,
    pub trigger: &'static Trigger,
    pub params: Params,
}

/// What is written in a rule, before it is known whether it makes sense.
pub(super) struct Written {
    pub(super) id: Option<String>,
    pub(super) gate: (String, Place),
    pub(super) trigger: (String, Place),
    pub(super) action: Action,
    pub(super) given: Vec<Given>,
    pub(super) why: Option<String>,
    pub(super) remedy: Option<String>,
    pub(super) place: Place,
}

impl Rule {
    pub(super) fn compile(written: Written) -> Rule {
        let (compiled, faults) = match compiled(&written) {
            Ok(compiled) => (Some(compiled), Vec::new()),
            Err(fault) => (None, vec![*fault]),
        };
        Rule {
            id: written.id,
            gate: written.gate.0,
            trigger: written.trigger.0,
            action: written.action,
            given: written.given,
            compiled,
            faults,
            why: written.why,
            remedy: written.remedy,
            place: written.place,
        }
    }

    /// As in messages and in the ids of some matches: what the engine says where there is none.
    pub fn shown_id(&self) -> &str {
        self.id.as_deref().unwrap_or(NO_ID)
    }
}

const NO_ID: &str = "None";

fn compiled(written: &Written) -> Result<Compiled, Box<Fault>> {
    let (name, place) = &written.gate;
    let rule_id = written.id.as_deref().unwrap_or(NO_ID);
    let Some(gate) = gates().iter().find(|gate| gate.name.eq_ignore_ascii_case(name)) else {
        return Err(Box::new(match retired(name) {
            Some(retired) => of_retired(retired, written, rule_id),
            None => no_gate(name, place, rule_id),
        }));
    };
    let (name, place) = &written.trigger;
    let Some(trigger) = gate.triggers.iter().find(|trigger| trigger.is_called(name)) else {
        let names = || gate.triggers.iter().map(|trigger| trigger.name);
        return Err(Box::new(no_trigger(gate.name, names(), name, place, rule_id)));
    };
    let given: Vec<_> =
        written.given.iter().map(|given| (given.name.clone(), given.value.clone())).collect();
    match Params::of(trigger, rule_id, &given) {
        Ok(params) => Ok(Compiled { gate, trigger, params }),
        Err(errors) => Err(Box::new(of_params(&errors, gate, trigger, written, rule_id))),
    }
}

impl Trigger {
    pub fn is_called(&self, name: &str) -> bool {
        self.aliases.iter().chain([&self.name]).any(|known| known.eq_ignore_ascii_case(name))
    }
}

fn no_gate(name: &str, place: &Place, rule_id: &str) -> Fault {
    let live = || gates().iter().map(|gate| gate.name);
    let all = python::list(live().chain(RETIRED.iter().map(|retired| retired.name)));
    let details = format!(
        "The specified gate is not found in the policy engine as a valid gate name \
         (gate={name},trigger=None,rule_id={rule_id},valid_gates={all})"
    );
    let problem = Problem::new(place.clone(), format!("there is no gate `{name}`"));
    let problem = match nearest(name, live()) {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None => problem.hint(format!("the gates are {}", live().collect::<Vec<_>>().join(", "))),
    };
    Fault::new(FaultKind::GateNotFound, details, problem)
}

fn no_trigger(
    gate: &str,
    known: impl Iterator<Item = &'static str> + Clone,
    name: &str,
    place: &Place,
    rule_id: &str,
) -> Fault {
    let details = format!(
        "Trigger not found for specified gate. Valid triggers are: {} \
         (gate={gate},trigger={name},rule_id={rule_id})",
        python::list(known.clone())
    );
    let message = format!("the gate `{gate}` has no trigger `{name}`");
    let problem = Problem::new(place.clone(), message);
    let problem = match nearest(name, known.clone()) {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None => problem.hint(format!("its triggers are {}", known.collect::<Vec<_>>().join(", "))),
    };
    Fault::new(FaultKind::TriggerNotFound, details, problem)
}

fn of_retired(retired: &Retired, written: &Written, rule_id: &str) -> Fault {
    let (name, place) = &written.trigger;
    let known = retired.triggers.iter().copied();
    if !known.clone().any(|known| known.eq_ignore_ascii_case(name)) {
        return no_trigger(retired.name, known, name, place, rule_id);
    }
    let mut details = format!(
        "Gate {} has been End-of-Lifed. It will not be evaluated, and should be removed from policies",
        retired.name
    );
    let message = format!("the gate `{}` is no more: the rule does nothing", retired.name);
    let mut problem = Problem::new(written.gate.1.clone(), message);
    if let Some(instead) = retired.instead {
        details.push_str(&format!(" and replaced with '{instead}'"));
        let live = gates().iter().find(|gate| gate.name.ends_with(instead));
        problem = problem.hint(format!("use `{}`", live.map_or(instead, |gate| gate.name)));
    }
    Fault::new(FaultKind::EndOfLife, details, problem)
}

/// The engine names the first error of a rule; we name all.
fn of_params(
    errors: &[ParamError],
    gate: &Gate,
    trigger: &Trigger,
    written: &Written,
    rule_id: &str,
) -> Fault {
    let kind = errors.iter().map(kind).max_by_key(|kind| match kind {
        FaultKind::InvalidParameter => 2,
        FaultKind::ParameterValueInvalid => 1,
        _ => 0,
    });
    let kind = kind.unwrap_or(FaultKind::ParameterValueInvalid);
    let first = errors.iter().find(|error| self::kind(error) == kind);
    let names = python::list(trigger.params.iter().map(|param| param.name));
    let of = format!("gate={},trigger={},rule_id=", gate.name, trigger.name);
    let of = match kind {
        FaultKind::InvalidParameter => format!("{of}None,parameter=None,valid_parameters={names}"),
        _ => format!("{of}{rule_id}"),
    };
    let param = |error: &ParamError| match error {
        ParamError::Unknown { .. } => None,
        ParamError::Missing { name } | ParamError::Invalid { name, .. } => {
            trigger.params.iter().find(|param| param.name == *name)
        }
    };
    let details = first.map(|error| parameter_details(error, param(error), &of));
    let problem = |error: &ParamError| problem(error, trigger, written);
    Fault {
        kind,
        details: details.unwrap_or_default(),
        problems: errors.iter().map(problem).collect(),
    }
}

/// What the engine accepts and then fails on is an error of the bundle.
fn kind(error: &ParamError) -> FaultKind {
    match error {
        ParamError::Unknown { .. } => FaultKind::InvalidParameter,
        ParamError::Missing { .. } => FaultKind::ParameterValueInvalid,
        ParamError::Invalid { error: ValueError::Pattern(_) | ValueError::Unusable(_), .. } => {
            FaultKind::Unusable
        }
        ParamError::Invalid { .. } => FaultKind::ParameterValueInvalid,
    }
}

fn problem(error: &ParamError, trigger: &Trigger, written: &Written) -> Problem {
    let known = || trigger.params.iter().map(|param| param.name);
    let given = |index: &usize| written.given.get(*index);
    match error {
        ParamError::Unknown { index, name } => {
            let place = given(index).map_or(&written.place, |given| &given.name_place);
            let message = format!("the trigger `{}` has no parameter `{name}`", trigger.name);
            let problem = Problem::new(place.clone(), message);
            match nearest(name, known()) {
                Some(near) => problem.hint(format!("did you mean `{near}`?")),
                None if trigger.params.is_empty() => problem.hint("it has none"),
                None => problem.hint(format!("it has {}", known().collect::<Vec<_>>().join(", "))),
            }
        }
        ParamError::Missing { name } => {
            let param = trigger.params.iter().find(|param| param.name == *name);
            let message = format!("the trigger `{}` needs the parameter `{name}`", trigger.name);
            let problem = Problem::new(written.place.clone(), message);
            match param.map(|param| param.example).filter(|example| !example.is_empty()) {
                Some(example) => problem.hint(format!(
                    "add `{{\"name\": \"{name}\", \"value\": \"{example}\"}}` to `params`"
                )),
                None => problem,
            }
        }
        ParamError::Invalid { index, .. } => {
            let place = index.as_ref().and_then(given).map(|given| &given.value_place);
            let message = error.to_string();
            Problem::new(place.unwrap_or(&written.place).clone(), message)
        }
    }
}
