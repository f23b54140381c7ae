//! The parameters of a rule, held against what its trigger takes when the
//! bundle is compiled: gates get values, never texts that may be wrong.

use std::collections::BTreeMap;

use super::spec::{Kind, Param, Trigger};
use inscan_python_regex::{PatternError, text::Pattern};

/// The values of one rule, by the parameters' names; with defaults filled in.
#[derive(Debug, Default)]
pub struct Params {
    rule_id: String,
    values: BTreeMap<&'static str, Value>,
}

#[derive(Debug)]
pub struct Value {
    /// As the bundle has it.
    text: String,
    parsed: Parsed,
}

#[derive(Debug)]
enum Parsed {
    Text,
    Flag(bool),
    Integer(u64),
    Float(f64),
    List(Vec<String>),
    Regex(Box<Pattern>),
}

/// Why the parameters of a rule cannot be used.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum ParamError {
    #[error("there is no parameter `{name}`")]
    Unknown {
        /// Which of those given.
        index: usize,
        name: String,
    },
    #[error("the parameter `{name}` is missing")]
    Missing { name: &'static str },
    #[error("the parameter `{name}` {error}")]
    Invalid {
        /// Which of those given; none where it is not given, and has to be.
        index: Option<usize>,
        name: &'static str,
        /// None where it is not given.
        value: Option<String>,
        /// What it has to be, where that is not the parameter's own kind.
        kind: Option<Kind>,
        error: ValueError,
    },
}

/// Two parameters that do not go together, or one that another asks for.
#[derive(Debug, PartialEq, Eq)]
pub struct Invalid {
    pub param: &'static str,
    /// What it has to be here; none where it cannot be used for another reason.
    pub kind: Option<Kind>,
    pub error: ValueError,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    #[error("has to be {0}")]
    Not(String),
    #[error("has to be there: {0}")]
    Absent(String),
    #[error("is {0}")]
    Pattern(PatternError),
    /// The engine takes it, and fails with an error when it is used.
    #[error("has to be {0}")]
    Unusable(String),
}

impl Params {
    /// The given texts by name, as `trigger` takes them. Of one given twice the last counts, as
    /// for the engine; an empty one is as good as none, unless it is required.
    pub fn of(
        trigger: &Trigger,
        rule_id: &str,
        given: &[(String, String)],
    ) -> Result<Self, Vec<ParamError>> {
        let mut params = Params { rule_id: rule_id.to_owned(), values: BTreeMap::new() };
        let mut errors = Vec::new();
        let mut indices = BTreeMap::new();
        for (index, (name, _)) in given.iter().enumerate() {
            match trigger.params.iter().find(|param| param.is_called(name)) {
                Some(param) => drop(indices.insert(param.name, index)),
                None => errors.push(ParamError::Unknown { index, name: name.clone() }),
            }
        }
        for param in trigger.params {
            let index = indices.get(param.name).copied();
            let text = index.map(|index| given[index].1.as_str());
            // The engine makes a number of it before it looks whether there is one.
            let is_some =
                |text: &&str| param.required || !text.is_empty() || param.kind == Kind::Float;
            let text = text.filter(is_some).or(param.default);
            match text.map(|text| (text, Self::value_of(param, text))) {
                Some((_, Ok(value))) => drop(params.values.insert(param.name, value)),
                Some((text, Err(error))) => errors.push(ParamError::Invalid {
                    index,
                    name: param.name,
                    value: Some(text.to_owned()),
                    kind: None,
                    error,
                }),
                None if param.required => errors.push(ParamError::Missing { name: param.name }),
                None => {}
            }
        }
        if errors.is_empty()
            && let Some(Err(Invalid { param, kind, error })) =
                trigger.check.map(|check| check(&params))
        {
            let index = indices.get(param).copied();
            let value = params.text(param).map(str::to_owned);
            errors.push(ParamError::Invalid { index, name: param, value, kind, error });
        }
        if errors.is_empty() { Ok(params) } else { Err(errors) }
    }

    /// A text as this parameter takes it.
    pub fn value_of(param: &Param, text: &str) -> Result<Value, ValueError> {
        param.kind.parse(text)
    }

    /// The rule's own id: part of the ids of some matches.
    pub fn rule_id(&self) -> &str {
        &self.rule_id
    }

    /// As the bundle has it, of a parameter of any kind.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|value| value.text.as_str())
    }

    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.values.get(name)?.parsed {
            Parsed::Flag(flag) => Some(flag),
            _ => None,
        }
    }

    pub fn integer(&self, name: &str) -> Option<u64> {
        match self.values.get(name)?.parsed {
            Parsed::Integer(integer) => Some(integer),
            _ => None,
        }
    }

    pub fn float(&self, name: &str) -> Option<f64> {
        match self.values.get(name)?.parsed {
            Parsed::Float(float) => Some(float),
            _ => None,
        }
    }

    /// Of a list of texts or of numbers.
    pub fn list(&self, name: &str) -> Option<&[String]> {
        match &self.values.get(name)?.parsed {
            Parsed::List(list) => Some(list),
            _ => None,
        }
    }

    pub fn regex(&self, name: &str) -> Option<&Pattern> {
        match &self.values.get(name)?.parsed {
            Parsed::Regex(pattern) => Some(pattern),
            _ => None,
        }
    }
}

impl Kind {
    pub fn parse(self, text: &str) -> Result<Value, ValueError> {
        let not = |what: &str| ValueError::Not(what.to_owned());
        let parsed = match self {
            Kind::Text => Parsed::Text,
            Kind::OneOf(words) if words.contains(&text) => Parsed::Text,
            Kind::OneOf(words) => {
                return Err(ValueError::Not(format!("one of `{}`", words.join("`, `"))));
            }
            Kind::Boolean => match text.to_lowercase().as_str() {
                "true" => Parsed::Flag(true),
                "false" => Parsed::Flag(false),
                _ => return Err(not("`true` or `false`")),
            },
            Kind::Integer => {
                Parsed::Integer(integer(text).ok_or_else(|| not("a whole number, as `30`"))?)
            }
            Kind::Float => Parsed::Float(float(text).ok_or_else(|| {
                let what = "a number, as `7.5`".to_owned();
                match text.bytes().all(|byte| b"-. 0123456789".contains(&byte)) {
                    true => ValueError::Unusable(what),
                    false => ValueError::Not(what),
                }
            })?),
            Kind::List => Parsed::List(list(text).ok_or_else(|| not("texts between commas"))?),
            Kind::Numbers => {
                let items = list(text);
                let items = items.filter(|items| items.iter().all(|item| integer(item).is_some()));
                Parsed::List(items.ok_or_else(|| not("whole numbers between commas, as `22,80`"))?)
            }
            Kind::Size => {
                let size = size(text).ok_or_else(|| not("a size in bytes, or as `10mb`"))?;
                Parsed::Integer(size)
            }
            Kind::Regex => {
                Parsed::Regex(Box::new(Pattern::new(text).map_err(ValueError::Pattern)?))
            }
        };
        Ok(Value { text: text.to_owned(), parsed })
    }

    /// Of a kind that is a whole number.
    pub fn number(self, text: &str) -> Option<u64> {
        match self.parse(text).ok()?.parsed {
            Parsed::Integer(number) => Some(number),
            _ => None,
        }
    }
}

impl Param {
    /// Names are the same in any case.
    pub fn is_called(&self, name: &str) -> bool {
        self.aliases.iter().chain([&self.name]).any(|known| known.eq_ignore_ascii_case(name))
    }
}

/// `500`, `10kb`, `1gb`: units are powers of 1024.
fn size(text: &str) -> Option<u64> {
    let end = text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    let power = match unit {
        "" => 0,
        "kb" => 1,
        "mb" => 2,
        "gb" => 3,
        "tb" => 4,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << (10 * power))
}

fn integer(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// `7`, `7.5`, `.5`, `7.`, and these with one minus.
fn float(text: &str) -> Option<f64> {
    let text = text.trim();
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let some = !whole.is_empty() || !fraction.is_empty();
    (some && are_digits(whole) && are_digits(fraction)).then(|| text.parse().ok()).flatten()
}

/// There has to be something between two commas, if only a blank.
fn list(text: &str) -> Option<Vec<String>> {
    let items = || text.split(',');
    items().all(|item| !item.is_empty()).then(|| items().map(|it| it.trim().to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn param(name: &'static str, kind: Kind, required: bool) -> Param {
        Param { name, aliases: &["other"], about: "", kind, required, default: None, example: "" }
    }

    static TRIGGER: Trigger = Trigger {
        name: "test",
        aliases: &[],
        about: "",
        params: &[
            Param { aliases: &[], ..param("ports", Kind::Numbers, true) },
            Param { default: Some("=="), ..param("check", Kind::OneOf(&["==", "!="]), false) },
        ],
        check: Some(|params| match params.text("ports") {
            Some("1") => Err(Invalid {
                param: "ports",
                kind: None,
                error: ValueError::Not("more than 1".into()),
            }),
            _ => Ok(()),
        }),
        fire: |_, _| Ok(Vec::new()),
    };

    fn of(given: &[(&str, &str)]) -> Result<Params, Vec<ParamError>> {
        let given = given.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Params::of(&TRIGGER, "rule-1", &given.collect::<Vec<_>>())
    }

    #[test]
    fn values_are_held_against_their_kind() {
        for (kind, good, bad) in [
            (Kind::Text, &["", "a, b"][..], &[][..]),
            (Kind::OneOf(&["a", "b"]), &["a"], &["A", "", "c"]),
            (Kind::Boolean, &["true", "FALSE"], &["yes", " true", ""]),
            (Kind::Integer, &["0", " 30 "], &["-1", "1.5", "", "99999999999999999999"]),
            (Kind::Float, &["7", "7.5", ".5", "7.", "-1", " 1 "], &["--3", "7,5", "", ".", "1e3"]),
            (Kind::Size, &["0", "10kb", "1gb"], &["", "kb", "1 kb", "1.5gb", "9999999999tb"]),
            (Kind::List, &["a", "a, b"], &["", "a,,b", "a,"]),
            (Kind::Numbers, &["22", "22, 80"], &["root", "22,", "-1"]),
            (Kind::Regex, &["a.*b", "", "(?!x)y"], &["(unclosed", "a{2,1}"]),
        ] {
            let param = param("it", kind, true);
            for text in good {
                assert!(Params::value_of(&param, text).is_ok(), "{kind:?}: {text:?}");
            }
            for text in bad {
                assert!(Params::value_of(&param, text).is_err(), "{kind:?}: {text:?}");
            }
        }
    }

    #[test]
    fn names_have_aliases_any_case_and_the_last_counts() {
        let params = of(&[("PORTS", "1"), ("ports", "22,80"), ("Other", "!=")]).unwrap();
        assert_eq!(params.list("ports").unwrap(), ["22", "80"]);
        assert_eq!(params.text("check"), Some("!="));
        assert_eq!(params.rule_id(), "rule-1");
        let params = of(&[("ports", "22"), ("check", "")]).unwrap();
        assert_eq!(params.text("check"), Some("=="), "an empty one is as good as none");
    }

    #[test]
    fn all_errors_are_told_together() {
        let told = |given: &[(&str, &str)]| -> Vec<String> {
            of(given).unwrap_err().iter().map(ToString::to_string).collect()
        };
        assert_eq!(
            told(&[("port", "1"), ("check", "=")]),
            [
                "there is no parameter `port`",
                "the parameter `ports` is missing",
                "the parameter `check` has to be one of `==`, `!=`"
            ]
        );
        assert_eq!(told(&[("ports", "1")]), ["the parameter `ports` has to be more than 1"]);
    }
}
