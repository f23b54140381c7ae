//! JSON reports as text.

use inscan_facts::harmless::harmless;
use serde_json::Value;

/// Indented, with a line feed at its end; members that are `null` are left out.
pub(super) fn text(mut value: Value) -> String {
    drop_nulls(&mut value);
    let mut text = serde_json::to_string_pretty(&value).expect("a value can always be written");
    text.push('\n');
    harmless(&text)
}

/// Not deeper than the reports themselves are written.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// Absent where the list is empty.
pub(super) fn some<T: Into<Value>>(items: Vec<T>) -> Value {
    match items.is_empty() {
        true => Value::Null,
        false => items.into(),
    }
}
