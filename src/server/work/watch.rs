//! Watched tags and repositories: what a registry has now is compared with what is known.

use inscan_store::values;
use serde_json::{Value as Json, json};

use crate::server::answer::{Problem, Result};
use crate::server::api::{self, Subscription, Wanted};
use crate::server::app::App;
use crate::server::model::images;
use crate::server::{clock, registry, tell};

/// Tags of one repository that are added in one round.
const MOST: usize = 1_000;

pub(super) fn run(app: &App) -> Result<()> {
    let watched = app.store.read(|tx| {
        api::read_subscriptions(
            tx,
            "WHERE active = 1 AND kind IN ('tag_update', 'repo_update') ORDER BY account, id",
            values![],
        )
    })?;
    for one in watched {
        let done = match one.kind.as_str() {
            "tag_update" => tag(app, &one.account, &one.key),
            _ => repository(app, &one),
        };
        // One that does not answer never blocks another.
        if let Err(problem) = done {
            tell::info(
                "a watched name could not be asked for",
                json!({"name": one.key, "problem": problem.message}),
            );
        }
        if app.bell.has_ended() {
            return Ok(());
        }
    }
    Ok(())
}

/// Adds the image that a tag means now, where that is another one.
fn tag(app: &App, account: &str, fulltag: &str) -> Result<()> {
    let wanted = Wanted { fulltag: fulltag.to_owned(), ..Wanted::default() };
    let resolved = registry::resolve(app, account, &wanted)?;
    let newest = app
        .store
        .read(|tx| Ok::<_, Problem>(images::by_tag(tx, account, fulltag)?.into_iter().next()))?;
    if newest.is_some_and(|image| image.digest == resolved.digest) {
        return Ok(());
    }
    app.store.write(|tx| api::queued(tx, account, &wanted, &resolved))?;
    app.bell.ring();
    Ok(())
}

/// Adds the tags of a repository that were not there before.
fn repository(app: &App, one: &Subscription) -> Result<()> {
    let mut value: Json = one
        .value
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_else(|| json!({}));
    let known: Vec<String> = value["repotags"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Json::as_str)
        .map(str::to_owned)
        .collect();
    let tags = registry::tags(app, &one.account, &one.key)?;
    let was_added = |fulltag: &str| {
        app.store
            .read(|tx| Ok::<_, Problem>(!images::by_tag(tx, &one.account, fulltag)?.is_empty()))
    };
    for name in tags.iter().take(MOST) {
        let fulltag = format!("{}:{name}", one.key);
        if known.contains(name) && was_added(&fulltag)? {
            continue;
        }
        if let Err(problem) = tag(app, &one.account, &fulltag) {
            tell::info(
                "a tag could not be added",
                json!({"name": fulltag, "problem": problem.message}),
            );
        }
    }
    value["tagcount"] = tags.len().into();
    value["repotags"] = tags.into();
    app.store.write(|tx| {
        tx.run(
            "UPDATE subscription SET value = $3, updated_at = $4 WHERE account = $1 AND id = $2",
            values![&one.account, &one.id, value.to_string(), clock::now()],
        )?;
        Ok::<_, Problem>(())
    })
}
