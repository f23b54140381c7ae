//! A repository as a whole: its tags, and whether its registry lets one in.

use inscan_facts::error::broken;
use serde::Deserialize;

use super::failure::Failed;
use super::mirrors::{Config, Endpoint};
use super::name::Name;
use super::session::Session;
use super::{MAX_DOCUMENT_BYTES, RegistryOptions, patiently};
use crate::{HeaderMap, Http, Method, NetOptions};

/// More tags of one repository are not listed.
const MAX_TAGS: usize = 100_000;
const PAGE: usize = 1_000;

#[derive(Deserialize)]
struct Tags {
    tags: Option<Vec<String>>,
}

/// The tags of `HOST/REPOSITORY`, in the order of its registry.
///
/// # Errors
/// As for [`super::open`].
pub fn tags(
    repository: &str,
    net: &NetOptions,
    options: &RegistryOptions,
) -> anyhow::Result<Vec<String>> {
    let name = Name::parse(repository)?;
    let session = named(&name, net, options)?;
    let mut all: Vec<String> = Vec::new();
    loop {
        let after = all.last().map(|last| format!("&last={last}")).unwrap_or_default();
        let path = format!("tags/list?n={PAGE}{after}");
        let asked = patiently(&net.retry, &session, || {
            session
                .ask(&Method::GET, &path, &HeaderMap::new())?
                .text(MAX_DOCUMENT_BYTES)
                .map_err(Failed::from)
        });
        let bytes = asked.map_err(Failed::told)?;
        let page: Tags = serde_json::from_slice(&bytes)
            .map_err(|error| broken(format!("the tags of `{name}` are not understood: {error}")))?;
        let page = page.tags.unwrap_or_default();
        // One that knows no pages answers the same again.
        let is_last = page.len() < PAGE || page.last() == all.last();
        all.extend(page);
        if is_last || all.len() >= MAX_TAGS {
            all.truncate(MAX_TAGS);
            return Ok(all);
        }
    }
}

/// Whether the registry of a host answers, and lets one in.
///
/// # Errors
/// As for [`super::open`].
pub fn ping(host: &str, net: &NetOptions, options: &RegistryOptions) -> anyhow::Result<()> {
    // The protocol names a repository wherever it asks for a token.
    let name = Name::parse(&format!("{host}/ping:latest"))?;
    let session = named(&name, net, options)?;
    session.ping().map_err(Failed::told)
}

/// The registry that a name says, and no mirror.
fn named(name: &Name, net: &NetOptions, options: &RegistryOptions) -> anyhow::Result<Session> {
    let endpoints = Config::read(&options.config)?.endpoints(name)?;
    let endpoint = endpoints.into_iter().last().unwrap_or_else(|| Endpoint {
        host: name.host.clone(),
        repository: name.repository.clone(),
        insecure: false,
        is_named: true,
    });
    let insecure = endpoint.insecure || options.insecure && endpoint.is_named;
    Ok(Session::new(Endpoint { insecure, ..endpoint }, &Http::new(net), options))
}
