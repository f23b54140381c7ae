//! What the engine finds wrong while it puts together the policies of one
//! image. It then answers with a result that stops, and names each fault: so
//! do we, in its form, beside our own words that say where it is.

use super::problem::Problem;
use super::python;
use crate::params::ParamError;
use crate::spec::{Kind, Param};

/// In the form of the engine's results, and in our own words.
#[derive(Clone, Debug)]
pub struct Fault {
    pub kind: FaultKind,
    /// The engine's `details`.
    pub details: String,
    pub problems: Vec<Problem>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    GateNotFound,
    TriggerNotFound,
    /// A parameter that the trigger does not have.
    InvalidParameter,
    ParameterValueInvalid,
    /// A gate that does nothing any more: the only one that does not stop.
    EndOfLife,
    UnsupportedVersion,
    Validation,
    DuplicateIdentifier,
    ReferencedObjectNotFound,
    /// The engine fails where this is used, and gives no result: nor do we.
    Unusable,
}

impl FaultKind {
    /// The engine's `problem_type`.
    pub fn name(self) -> &'static str {
        match self {
            FaultKind::GateNotFound => "GateNotFoundError",
            FaultKind::TriggerNotFound => "TriggerNotFoundError",
            FaultKind::InvalidParameter => "InvalidParameterError",
            FaultKind::ParameterValueInvalid => "ParameterValueInvalidError",
            FaultKind::EndOfLife => "EndOfLifedError",
            FaultKind::UnsupportedVersion => "UnsupportedVersionError",
            FaultKind::Validation => "ValidationError",
            FaultKind::DuplicateIdentifier => "DuplicateIdentifierFoundError",
            FaultKind::ReferencedObjectNotFound => "ReferencedObjectNotFoundError",
            FaultKind::Unusable => "PolicyEvaluationError",
        }
    }

    /// Whether the image fails by it.
    pub fn stops(self) -> bool {
        self != FaultKind::EndOfLife
    }
}

impl Fault {
    pub(super) fn new(kind: FaultKind, details: impl Into<String>, problem: Problem) -> Self {
        Fault { kind, details: details.into(), problems: vec![problem] }
    }

    pub(super) fn unsupported_version(found: &str, problem: Problem) -> Self {
        let versions = python::list(super::VERSIONS);
        let details = format!(
            "Found version {found}, expected one of supported versions {versions}. \
             Detail:\"Version not supported\" (supported_versions={versions},found_version={found})"
        );
        Fault::new(FaultKind::UnsupportedVersion, details, problem)
    }

    /// `kind` is `policy` or `whitelist`.
    pub(crate) fn duplicate(kind: &str, id: &str, problem: Problem) -> Self {
        let details = format!(
            "Object identifier found multiple times, not unique (identifier={id},identifier_type={kind})"
        );
        Fault::new(FaultKind::DuplicateIdentifier, details, problem)
    }

    pub(crate) fn not_found(kind: &str, id: &str, problem: Problem) -> Self {
        let details =
            format!("Referenced bundle object not found (reference_type={kind},reference_id={id})");
        Fault::new(FaultKind::ReferencedObjectNotFound, details, problem)
    }
}

/// What the engine says of a parameter: where, as `gate=…,trigger=…,rule_id=…`, is said by `of`.
pub(super) fn parameter_details(error: &ParamError, param: Option<&Param>, of: &str) -> String {
    match error {
        ParamError::Missing { .. } => format!("Required parameter ({of})"),
        ParamError::Unknown { .. } => format!("Rule validation error ({of})"),
        ParamError::Invalid { value, kind: asked, .. } => {
            let kind = asked.or(param.map(|param| param.kind)).unwrap_or(Kind::Text);
            let (schema, what) = schema(kind);
            let detail = match value {
                Some(value) if kind == Kind::Boolean => {
                    format!("{} {what}", python::text(&value.to_lowercase()))
                }
                Some(value) => format!("{} {what}", python::text(value)),
                None => "None is not of type 'string'".to_owned(),
            };
            let before = if asked.is_some() { "" } else { "Parameter validation failed: " };
            format!(
                "{before}JSON Schema validation failed. Schema={schema}, Detail={detail} ({of})"
            )
        }
    }
}

/// The schema that the engine holds a value against, and what it says where it does not hold.
pub(super) fn schema(kind: Kind) -> (String, String) {
    let words = |words: &[&str]| {
        let words = python::list(words.iter().copied());
        (format!("{{'type': 'string', 'enum': {words}}}"), format!("is not one of {words}"))
    };
    let pattern = |pattern: &str| {
        let pattern = python::text(pattern);
        let what = format!("does not match {pattern}");
        (format!("{{'type': 'string', 'pattern': {pattern}}}"), what)
    };
    match kind {
        Kind::OneOf(known) => words(known),
        Kind::Boolean => words(&["true", "false"]),
        Kind::Size => pattern(r"^([0-9]+)([kmgt]b)?$"),
        Kind::Integer => pattern(r"^\s*[\d]+\s*$"),
        Kind::Float => pattern(r"^\s*-*(\d)*(\.\d*)?\s*$"),
        Kind::List => pattern(r"^\s*(\s*([^,]+)\s*,)*\s*([^,]+){1}\s*$"),
        Kind::Numbers => pattern(r"^\s*(\s*(\d+)\s*,)*\s*(\d+){1}\s*$"),
        _ => ("{'type': 'string'}".to_owned(), "is not of type 'string'".to_owned()),
    }
}
