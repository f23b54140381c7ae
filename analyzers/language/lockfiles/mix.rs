//! Elixir's `mix.lock`: one line a dependency,
//! `"jason": {:hex, :jason, "1.2.0", "digest", …}`.
//! <https://hexdocs.pm/mix/Mix.Tasks.Deps.html>

use super::Locked;
use crate::Result;

pub(super) fn read(text: &str, out: &mut Locked<'_>) -> Result<()> {
    for line in text.lines() {
        let Some((key, value)) =
            line.trim().split_once("\": {:").or_else(|| line.trim().split_once("\" => {:"))
        else {
            continue;
        };
        let key = key.trim_start_matches('"');
        let mut parts = value.split(", ");
        if parts.next() == Some("hex") {
            // The package may have another name than the application.
            let name = parts.next().map(|name| name.trim_start_matches(':').trim_matches('"'));
            let version = parts.next().map(|version| version.trim_matches('"'));
            out.add(name.unwrap_or(key), version.unwrap_or_default());
        } else {
            out.add(key, "");
        }
    }
    Ok(())
}
