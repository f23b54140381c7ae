//! Lists of exceptions as backends have them: Sysdig's vulnerability exceptions,
//! and the whitelists of the legacy engine's policy bundles.
//!
//! ```json
//! {"id": "vulnexception_1", "name": "…", "version": "1_0", "items": [
//!     {"id": "vulnexceptionitem_1", "gate": "vulnerabilities", "trigger_id": "CVE-2024-1234+*",
//!      "enabled": true, "expiration_date": 1798675200, "notes": "…"}]}
//! ```
//!
//! A `trigger_id` is the vulnerability's name and the package's, with `+` between;
//! `*` stands for any text. `expiration_date` is in seconds since 1970, `expires_on`
//! a date: from then on it no longer holds. What is not enabled is skipped.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::Exception;
use super::lines::Lines;

/// A file has one list or several.
pub(super) fn read(text: &str) -> Option<Result<Vec<Exception>, String>> {
    let has_items = |list: &serde_json::Value| list.get("items").is_some();
    let file: serde_json::Value = serde_saphyr::from_str(text).ok()?;
    let lists = match file {
        serde_json::Value::Array(lists) if lists.iter().any(has_items) => lists,
        list if has_items(&list) => vec![list],
        _ => return None,
    };
    // Of several lists the lines are not told.
    let lines = Lines::of_yaml(text, "items");
    Some(lists.into_iter().try_fold(Vec::new(), |mut all, list| {
        let list: List = serde_json::from_value(list).map_err(|error| error.to_string())?;
        for (number, item) in list.items.into_iter().enumerate() {
            let entry = number + 1;
            let name = item.id.clone().unwrap_or_default();
            let read =
                exception(item).map_err(|error| format!("item {entry} ({name}): {error}"))?;
            all.extend(read.map(|read| Exception { line: lines.get(number), ..read }));
        }
        Ok(all)
    }))
}

#[derive(Deserialize)]
struct List {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    id: Option<String>,
    gate: Option<String>,
    trigger_id: String,
    enabled: Option<bool>,
    expiration_date: Option<i64>,
    expires_on: Option<String>,
    notes: Option<String>,
    description: Option<String>,
}

/// None for what is not enabled.
fn exception(item: Item) -> Result<Option<Exception>, String> {
    if item.enabled == Some(false) {
        return Ok(None);
    }
    let gate = item.gate.as_deref().unwrap_or("vulnerabilities");
    if !gate.eq_ignore_ascii_case("vulnerabilities") {
        return Err(format!(
            "it is for the gate `{gate}`, and only vulnerabilities can be excepted here: \
             keep it in the policy bundle"
        ));
    }
    let pattern = |text: &str| Some(text.to_owned()).filter(|text| text != "*");
    let (id, package) = match item.trigger_id.split_once('+') {
        Some((id, package)) => (pattern(id), pattern(package)),
        None => (pattern(&item.trigger_id), None),
    };
    let last_day = last_day(item.expiration_date, item.expires_on.as_deref())?;
    let texts = [item.notes, item.description].into_iter().flatten();
    Ok(Some(Exception {
        id,
        package,
        reason: texts.map(|text| text.trim().to_owned()).find(|text| !text.is_empty()),
        expires: last_day.map(|day| day.to_string()),
        by_trigger: true,
        ..Exception::default()
    }))
}

/// It holds no more from a moment on: the day before that moment is the last.
fn last_day(seconds: Option<i64>, date: Option<&str>) -> Result<Option<Date>, String> {
    let from = match (seconds.filter(|seconds| *seconds != 0), date) {
        (Some(seconds), _) => Timestamp::from_second(seconds).ok(),
        (None, Some(text)) if !text.is_empty() => {
            let date = || text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok();
            text.parse().ok().or_else(|| Some(date()?.timestamp()))
        }
        _ => return Ok(None),
    };
    let wrong = || "when it ends cannot be read".to_owned();
    let from = from.ok_or_else(wrong)?;
    let before = Timestamp::from_second(from.as_second().saturating_sub(1)).map_err(|_| wrong())?;
    Ok(Some(before.to_zoned(TimeZone::UTC).date()))
}
