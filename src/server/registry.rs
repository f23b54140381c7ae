//! Registries as the server asks them: with the credentials that an account gave for them.

use inscan_net::registry::{self as net, Credential, RegistryOptions};
use inscan_net::{NetOptions, Secret};
use inscan_store::{Tx, values};
use serde_json::Value as Json;

use super::answer::{Problem, Result};
use super::api::Wanted;
use super::app::App;
use super::ids;
use super::model::images::FullTag;

/// Which image a name means right now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    pub(crate) digest: String,
    /// Of the list that it is in.
    pub(crate) parent: Option<String>,
    /// 64 hex digits.
    pub(crate) image_id: String,
}

/// A login for a registry.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) verify: bool,
}

/// What secrets of a registry are sealed for.
pub(crate) fn sealed_for(account: &str, name: &str) -> String {
    format!("registry/{account}/{name}")
}

/// What an account knows of a registry.
pub(crate) fn login(tx: &Tx<'_>, app: &App, account: &str, name: &str) -> Result<Option<Login>> {
    let row = tx.row(
        "SELECT username, secret, verify FROM registry WHERE account = $1 AND name = $2",
        values![account, name],
    )?;
    let Some(row) = row else { return Ok(None) };
    let mut fields = row.fields();
    let (user, secret, verify) = (fields.text()?, fields.bytes()?, fields.bool()?);
    let password = app.secrets.open_sealed(&sealed_for(account, name), &secret).unwrap_or_default();
    Ok(Some(Login { user, password, verify }))
}

/// How a registry is asked.
pub(crate) fn options(app: &App, login: Option<&Login>) -> (NetOptions, RegistryOptions) {
    let mut net = app.settings.net.clone();
    // Somebody waits for the answer.
    net.retry.attempts = net.retry.attempts.min(2);
    let mut registry = app.settings.registry.clone();
    if let Some(login) = login {
        registry.insecure |= !login.verify;
        if !login.user.is_empty() {
            registry.login = Some(Credential::Basic {
                user: login.user.clone(),
                password: Secret::new(login.password.as_str()),
            });
        }
    }
    (net, registry)
}

/// Asks the registry which image is meant. What cannot be found is the asker's to correct.
pub(crate) fn resolve(app: &App, account: &str, wanted: &Wanted) -> Result<Resolved> {
    let name = FullTag::parse(&wanted.fulltag);
    let login = app.store.read(|tx| login(tx, app, account, &name.registry))?;
    let (net, options) = options(app, login.as_ref());
    let asked = match &wanted.digest {
        Some(digest) => format!("{}/{}@{digest}", name.registry, name.repo),
        None => name.full(),
    };
    let refused = |error: anyhow::Error| {
        Problem::bad(format!("cannot fetch image digest/manifest from registry: {error:#}"))
    };
    let found = net::open(&asked, &net, &options).map_err(refused)?;
    let digest = format!("sha256:{}", ids::hashed_bytes(&found.manifest));
    let manifest: Json = serde_json::from_slice(&found.manifest).map_err(|error| {
        Problem::bad(format!("the manifest of {asked} is not understood: {error}"))
    })?;
    let Some(list) = manifest["manifests"].as_array() else {
        return Ok(Resolved { digest, parent: None, image_id: config_of(&manifest) });
    };
    let of_us = |one: &&Json| {
        one["platform"]["os"] == "linux" && one["platform"]["architecture"] == "amd64"
    };
    let one = list.iter().find(of_us).or(list.first());
    let chosen = one
        .and_then(|one| one["digest"].as_str())
        .ok_or_else(|| Problem::bad(format!("{asked} is an empty list")))?;
    let image = net::open(&format!("{}/{}@{chosen}", name.registry, name.repo), &net, &options)
        .map_err(refused)?;
    let manifest: Json = serde_json::from_slice(&image.manifest).map_err(|error| {
        Problem::bad(format!("the manifest of {asked} is not understood: {error}"))
    })?;
    Ok(Resolved { digest: chosen.to_owned(), parent: Some(digest), image_id: config_of(&manifest) })
}

fn config_of(manifest: &Json) -> String {
    let digest = manifest["config"]["digest"].as_str().unwrap_or_default();
    digest.strip_prefix("sha256:").unwrap_or_default().to_owned()
}

/// Asks whether a registry lets one in.
pub(crate) fn check(app: &App, name: &str, login: &Login) -> Result<()> {
    let (net, options) = options(app, Some(login));
    net::ping(name, &net, &options).map_err(|error| {
        let message = format!("cannot ping supplied registry with supplied credentials: {error:#}");
        Problem::new(axum::http::StatusCode::NOT_ACCEPTABLE, message)
    })
}

/// The tags of a repository.
pub(crate) fn tags(app: &App, account: &str, repository: &str) -> Result<Vec<String>> {
    let name = FullTag::parse(repository);
    let login = app.store.read(|tx| login(tx, app, account, &name.registry))?;
    let (net, options) = options(app, login.as_ref());
    let place = format!("{}/{}", name.registry, name.repo);
    net::tags(&place, &net, &options)
        .map_err(|error| Problem::bad(format!("cannot list the tags of {place}: {error:#}")))
}
