//! JSON as Go's encoder writes it.

use serde::{Deserialize, Deserializer};

/// Reads a field that may be `null`, as Go writes what is empty: then the default.
/// For `#[serde(deserialize_with = "…")]`.
///
/// # Errors
/// Where the value is neither `null` nor of the field's type.
pub fn or_empty<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}
