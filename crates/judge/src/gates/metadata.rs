//! Attributes of the image: distribution, size, architecture, layers.

use std::cmp::Ordering;

use super::comparison::{order_holds, text_holds};
use crate::facts::{DocumentFacts, ImageFacts};
use crate::params::{Invalid, Params, ValueError};
use crate::spec::{Gate, Kind, Match, Param, Trigger, TriggerError};
use inscan_python_regex::text::Pattern;

pub(super) static GATE: Gate = Gate {
    name: "metadata",
    about: "What the image is: its distribution, size, architecture and number of layers",
    triggers: &[Trigger {
        name: "attribute",
        aliases: &[],
        about: "Fires where a check of an attribute holds; choose another base image, or a smaller \
                one",
        params: &[
            Param::required(
                "attribute",
                Kind::OneOf(&[
                    "size",
                    "architecture",
                    "os_type",
                    "distro",
                    "distro_version",
                    "like_distro",
                    "layer_count",
                ]),
                "size",
                "The attribute that is looked at; `size` is that of all files together",
            ),
            Param::required(
                "check",
                Kind::OneOf(&[
                    "=",
                    "!=",
                    ">",
                    "<",
                    ">=",
                    "<=",
                    "exists",
                    "not_exists",
                    "like",
                    "not_like",
                    "in",
                    "not_in",
                ]),
                ">",
                "How it is held against the value; `like` is a regular expression that matches at \
                 its start, `in` a list between commas",
            ),
            Param::optional(
                "value",
                Kind::Text,
                "1073741824",
                "What it is held against, for every check; a size may end in kb, mb, gb or tb",
            ),
        ],
        check: Some(check_value),
        fire: attribute,
    }],
};

/// The engine wants a value also where it is not used.
fn check_value(params: &Params) -> Result<(), Invalid> {
    let kind = match params.text("attribute") {
        Some("size") => Kind::Size,
        Some("layer_count") => Kind::Integer,
        _ => Kind::Text,
    };
    let invalid = |kind, error| Err(Invalid { param: "value", kind, error });
    let Some(value) = params.text("value") else {
        let what = "every check needs it, also `exists`".to_owned();
        return invalid(Some(kind), ValueError::Absent(what));
    };
    if let Err(error) = kind.parse(value) {
        return invalid(Some(kind), error);
    }
    match params.text("check") {
        Some("like" | "not_like") => {
            Pattern::new(value).map(drop).or_else(|error| invalid(None, ValueError::Pattern(error)))
        }
        _ => Ok(()),
    }
}

fn attribute(facts: &DocumentFacts<'_>, params: &Params) -> Result<Vec<Match>, TriggerError> {
    let attribute = params.text("attribute").unwrap_or_default();
    let check = params.text("check").unwrap_or_default();
    let value = params.text("value").unwrap_or_default();
    let of_image = Value::of(facts.image()?, attribute);
    let wanted = match attribute {
        "size" => Value::Number(Kind::Size.number(value)),
        "layer_count" => Value::Number(Kind::Integer.number(value)),
        _ => Value::Text(Some(value.to_owned())),
    };
    // The engine compares letters, in which 9 comes after 12.
    let order = match attribute {
        "distro_version" if !facts.is_of_engine() => version_order,
        _ => |left: &str, right: &str| left.cmp(right),
    };
    if !holds(attribute, check, &of_image, &wanted, order)? {
        return Ok(Vec::new());
    }
    let message = format!(
        "Attribute check for attribute: '{attribute}' check: '{check}' check_value: '{}' matched \
         image value: '{}'",
        wanted.shown(),
        of_image.shown()
    );
    Ok(vec![Match::of(message)])
}

/// Of an attribute, or what it is held against. `None`: the image does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Number(Option<u64>),
    Text(Option<String>),
}

impl Value {
    fn of(image: &ImageFacts, attribute: &str) -> Self {
        match attribute {
            "size" => Value::Number(image.size),
            "layer_count" => Value::Number(Some(image.layers as u64)),
            "architecture" => Value::Text(image.architecture.clone()),
            "os_type" => Value::Text(image.os.clone()),
            "distro" => Value::Text(image.distribution.clone()),
            "distro_version" => Value::Text(image.version.clone()),
            "like_distro" => Value::Text(image.like.clone()),
            _ => Value::Text(None),
        }
    }

    fn text(&self) -> Option<String> {
        match self {
            Value::Number(number) => number.map(|number| number.to_string()),
            Value::Text(text) => text.clone(),
        }
    }

    /// As Python shows it.
    fn shown(&self) -> String {
        self.text().unwrap_or_else(|| "None".to_owned())
    }
}

fn holds(
    attribute: &str,
    check: &str,
    of_image: &Value,
    wanted: &Value,
    of_texts: fn(&str, &str) -> Ordering,
) -> Result<bool, TriggerError> {
    let order = |text: &str| match (of_image, wanted) {
        (Value::Number(Some(number)), Value::Number(Some(wanted))) => number.cmp(wanted),
        _ => of_texts(text, &wanted.shown()),
    };
    match (check, of_image.text()) {
        ("exists", text) => Ok(text.is_some()),
        ("not_exists", text) => Ok(text.is_none()),
        // What is not said differs from everything, and is in no list.
        ("!=" | "not_in", None) => Ok(true),
        ("=" | "in", None) => Ok(false),
        (_, None) => Err(TriggerError::NotAnswerable(format!(
            "the document does not tell `{attribute}`: check with `exists` or `not_exists`"
        ))),
        ("<" | "<=" | ">" | ">=", Some(text)) => Ok(order_holds(check, order(&text))),
        (_, Some(text)) => text_holds(check, &text, &wanted.shown())
            .map_err(|error| TriggerError::Pattern { param: "value", error }),
    }
}

/// Numbers as numbers, part by part: 12 is above 9, and 3.10 above 3.7.0.
fn version_order(left: &str, right: &str) -> Ordering {
    let parts = |text: &str| -> Vec<(u64, String)> {
        text.trim()
            .split(['.', '-', '_'])
            .map(|part| {
                let digits = part.chars().take_while(char::is_ascii_digit).count();
                (part[..digits].parse().unwrap_or(0), part[digits..].to_owned())
            })
            .collect()
    };
    let (mut left, mut right) = (parts(left), parts(right));
    let length = left.len().max(right.len());
    left.resize(length, (0, String::new()));
    right.resize(length, (0, String::new()));
    left.cmp(&right)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::GATE;
    use crate::gates::testing::{failure, fired, with_outputs};
    use crate::spec::Kind;

    fn alpine() -> Value {
        let meta = json!({"DISTRO": "alpine", "DISTROVERS": "3.7.0", "LIKEDISTRO": "alpine"});
        with_outputs(&[("analyzer_meta/analyzer_meta", meta)])
    }

    fn params<'a>(attribute: &'a str, check: &'a str, value: &'a str) -> [(&'a str, &'a str); 3] {
        [("attribute", attribute), ("check", check), ("value", value)]
    }

    #[test]
    fn checks_hold_or_do_not() {
        for (attribute, check, value, expected) in [
            ("size", ">", "10kb", Some(("10240", "40960"))),
            ("size", ">", "1gb", None),
            ("size", "=", "40kb", Some(("40960", "40960"))),
            ("size", "exists", "1", Some(("1", "40960"))),
            ("layer_count", "<=", " 3 ", Some(("3", "3"))),
            ("layer_count", "!=", "3", None),
            ("architecture", "=", "arm64", Some(("arm64", "arm64"))),
            ("architecture", "not_in", "amd64", Some(("amd64", "arm64"))),
            ("distro", "in", " alpine ,x", Some((" alpine ,x", "alpine"))),
            ("distro", "not_exists", "1", None),
            ("distro_version", "like", "3.7.*", Some(("3.7.*", "3.7.0"))),
            ("distro_version", "not_like", "3.7.*", None),
            ("distro_version", ">", "3.10", None),
            ("distro_version", "<", "3.10", Some(("3.10", "3.7.0"))),
            ("distro_version", ">=", "3.7", Some(("3.7", "3.7.0"))),
            ("distro_version", "<", "12", Some(("12", "3.7.0"))),
            ("like_distro", "in", "debian, alpine", Some(("debian, alpine", "alpine"))),
            ("os_type", "!=", "linux", Some(("linux", "None"))),
            ("os_type", "not_exists", "1", Some(("1", "None"))),
            ("os_type", "exists", "1", None),
            ("os_type", "in", "None", None),
        ] {
            let expected = expected.map(|(wanted, found)| {
                format!(
                    "Attribute check for attribute: '{attribute}' check: '{check}' check_value: \
                     '{wanted}' matched image value: '{found}'"
                )
            });
            let found = fired(&GATE, "attribute", &params(attribute, check, value), &alpine());
            assert_eq!(found, Vec::from_iter(expected), "{attribute} {check} {value}");
        }
    }

    #[test]
    fn values_have_the_form_of_their_attribute() {
        for (attribute, check, value, expected) in [
            ("size", ">", "1.5gb", "a size in bytes"),
            ("size", "in", "1, 2", "a size in bytes"),
            ("layer_count", "in", "4,5", "a whole number"),
            ("distro", "like", "(", "not a regular expression"),
            ("distro", "exists", "", "also `exists`"),
            ("name", "=", "x", "has to be one of"),
            ("os_type", "like", "x", "does not tell `os_type`"),
            ("os_type", ">", "x", "does not tell `os_type`"),
        ] {
            let failure = failure(&GATE, "attribute", &params(attribute, check, value), &alpine());
            assert!(failure.contains(expected), "{attribute} {check} {value}: {failure}");
        }
    }

    #[test]
    fn units_are_powers_of_1024() {
        for (text, expected) in [
            ("0", Some(0)),
            ("3", Some(3)),
            ("2kb", Some(2048)),
            ("1mb", Some(1 << 20)),
            ("1tb", Some(1 << 40)),
            ("99999999tb", None),
            ("", None),
            ("kb", None),
            ("1 kb", None),
            ("1KB", None),
            ("1b", None),
        ] {
            assert_eq!(Kind::Size.number(text), expected, "{text}");
        }
    }
}
