//! What SBOMs are handed out in: in-toto statements, DSSE envelopes and Sigstore bundles
//! around them, what BuildKit attaches, and GitHub's export of a dependency graph. No signature
//! is checked, as of any other file.
//!
//! <https://github.com/in-toto/attestation/tree/main/spec>,
//! <https://github.com/secure-systems-lab/dsse/blob/master/envelope.md>,
//! <https://docs.docker.com/build/metadata/attestations/sbom/>

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::{Deserializer, Value};

use crate::Error;

/// Wrappers within wrappers.
const MAX_DEPTH: usize = 8;
/// Documents in one file: one attestation a line.
const MAX_DOCUMENTS: usize = 1000;

/// The JSON documents of a file: one, or one behind the other. `None` where it is no JSON.
pub(crate) fn documents(bytes: &[u8]) -> Option<Vec<Value>> {
    let all = Deserializer::from_slice(bytes).into_iter().take(MAX_DOCUMENTS);
    let all: Vec<Value> = all.collect::<Result<_, _>>().ok()?;
    let holds = |document: &Value| unwrapped(document).is_ok_and(|inner| !inner.is_empty());
    // Attestations of something else may lie beside it.
    match all.len() > 1 && all.iter().any(holds) {
        true => Some(all.into_iter().filter(holds).collect()),
        false => Some(all),
    }
}

/// The SBOMs in a document, itself where it is no wrapper. None: it is a wrapper of something
/// else, as of a provenance.
pub(crate) fn unwrapped(document: &Value) -> Result<Vec<Value>, Error> {
    let mut found = Vec::new();
    open(document, 0, &mut found, &is_sbom)?;
    Ok(found)
}

/// The documents of another form, by what tells it, that a file of attestations holds.
///
/// # Errors
/// Where an envelope cannot be opened.
pub fn attested(bytes: &[u8], is_wanted: &dyn Fn(&Value) -> bool) -> Result<Vec<Value>, Error> {
    let all = Deserializer::from_slice(bytes).into_iter().take(MAX_DOCUMENTS);
    let all: Vec<Value> = all.collect::<Result<_, _>>().map_err(|_| Error::None)?;
    let mut found = Vec::new();
    for document in &all {
        open(document, 0, &mut found, is_wanted)?;
    }
    found.retain(is_wanted);
    Ok(found)
}

fn open(
    document: &Value,
    depth: usize,
    found: &mut Vec<Value>,
    is_wanted: &dyn Fn(&Value) -> bool,
) -> Result<(), Error> {
    if depth > MAX_DEPTH {
        return Err(Error::Broken("it lies within too many wrappers".to_owned()));
    }
    let mut inner = |value: &Value| open(value, depth + 1, found, is_wanted);
    if let Some(all) = document.as_array() {
        return all.iter().take(MAX_DOCUMENTS).try_for_each(inner);
    }
    if let Some(payload) =
        document["payload"].as_str().filter(|_| document["payloadType"].is_string())
    {
        return inner(&decoded(payload)?);
    }
    for key in ["dsseEnvelope", "bundle", "sbom", "SBOM"] {
        if document[key].is_object() {
            return inner(&document[key]);
        }
    }
    if document["attestations"].is_array() && document.get("spdxVersion").is_none() {
        return inner(&document["attestations"]);
    }
    if document["SPDX"].is_object() {
        inner(&document["SPDX"])?;
        return inner(&document["AdditionalSPDXs"]);
    }
    if document["predicateType"].is_string() {
        return predicate(&document["predicate"], &mut inner, is_wanted);
    }
    if let Some(platforms) = platforms(document) {
        return match platforms.as_slice() {
            [(_, one)] => inner(one),
            several => {
                let names: Vec<&str> = several.iter().map(|(name, _)| name.as_str()).collect();
                Err(Error::Several(names.join(", ")))
            }
        };
    }
    let is_wrapper = document.is_null();
    found.extend((!is_wrapper).then(|| document.clone()));
    Ok(())
}

/// Cosign had the SBOM below `Data` once, as it is or as text. The predicate of something else (a
/// provenance) is no SBOM.
fn predicate(
    predicate: &Value,
    inner: &mut dyn FnMut(&Value) -> Result<(), Error>,
    is_wanted: &dyn Fn(&Value) -> bool,
) -> Result<(), Error> {
    let data = &predicate["Data"];
    if let Some(text) = data.as_str() {
        return match serde_json::from_str(text) {
            Ok(document) => inner(&document),
            Err(_) => match crate::tag_value::as_json(text.as_bytes()) {
                Some(document) => inner(&document),
                None => Ok(()),
            },
        };
    }
    let document = if data.is_object() { data } else { predicate };
    if is_wanted(document) { inner(document) } else { Ok(()) }
}

fn is_sbom(document: &Value) -> bool {
    document.get("spdxVersion").is_some()
        || document["bomFormat"] == "CycloneDX"
        || document["artifacts"].is_array()
        || crate::spdx3::is(document)
}

fn decoded(payload: &str) -> Result<Value, Error> {
    let bytes = STANDARD.decode(payload.trim()).or_else(|_| URL_SAFE.decode(payload.trim()));
    let bytes =
        bytes.map_err(|_| Error::Broken("the envelope's payload is not base64".to_owned()))?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Error::Broken(format!("the envelope's payload is not JSON: {error}")))
}

/// `{"linux/amd64": {"SPDX": …}, "linux/arm64": …}`.
fn platforms(document: &Value) -> Option<Vec<(String, &Value)>> {
    let all = document.as_object().filter(|all| !all.is_empty())?;
    let is_platform = |name: &str, value: &Value| {
        name.contains('/') && (value["SPDX"].is_object() || value["SBOM"].is_object())
    };
    let every = all.iter().all(|(name, value)| is_platform(name, value));
    every.then(|| all.iter().map(|(name, value)| (name.clone(), value)).collect())
}
