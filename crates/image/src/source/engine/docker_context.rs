//! Docker's contexts: named engines, of which one is current
//! (<https://docs.docker.com/engine/manage-resources/contexts/>).

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::endpoint::{Endpoint, Tls};
use crate::source::documents;
use crate::source::environment::Environment;
use crate::source::regular::open_regular;
use inscan_facts::digest::Sha256;
use inscan_facts::error::{shown, usage};
use inscan_facts::json::Form;

const MAX_BYTES: u64 = 4 << 20;

const CONFIGURATION: Form = Form::Object(&[("currentContext", Form::Text)]);
const META: Form = Form::Object(&[("Endpoints", Form::Object(&[("docker", DOCKER)]))]);
const DOCKER: Form = Form::Object(&[("Host", Form::Text), ("SkipTLSVerify", Form::Any)]);

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Configuration {
    current_context: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Meta {
    endpoints: Endpoints,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Endpoints {
    docker: Option<DockerEndpoint>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DockerEndpoint {
    #[serde(rename = "Host")]
    host: String,
    #[serde(rename = "SkipTLSVerify")]
    skip_tls_verify: bool,
}

/// Docker's directory of settings.
pub(super) fn configuration(environment: &Environment) -> Option<PathBuf> {
    environment.path("DOCKER_CONFIG").or_else(|| Some(environment.home()?.join(".docker")))
}

/// The engine of the current context; `None` where it is the default one.
pub(super) fn current(image: &str, environment: &Environment) -> anyhow::Result<Option<Endpoint>> {
    let Some(directory) = configuration(environment) else { return Ok(None) };
    let (name, named_by) = match environment.text("DOCKER_CONTEXT") {
        Some(name) => (name.to_owned(), "DOCKER_CONTEXT"),
        None => {
            let configuration: Option<Configuration> =
                read(&directory.join("config.json"), &CONFIGURATION)?;
            (configuration.unwrap_or_default().current_context, "the current context")
        }
    };
    if name.is_empty() || name == "default" {
        return Ok(None);
    }
    let below =
        |kind: &str| directory.join("contexts").join(kind).join(Sha256::of(name.as_bytes()).hex());
    let meta: Option<Meta> = read(&below("meta").join("meta.json"), &META)?;
    let endpoint = meta.and_then(|meta| meta.endpoints.docker).ok_or_else(|| {
        usage(format!(
            "{named_by} of Docker is `{0}`, and there is no such context; `docker context ls` shows what there is",
            shown(&name)
        ))
    })?;
    let files = below("tls").join("docker");
    let tls = (files.is_dir() || endpoint.skip_tls_verify)
        .then(|| Tls { not_verified: endpoint.skip_tls_verify, ..Tls::in_directory(&files) });
    let save = format!("docker --context {} save {image} | inscan scan -", shown(&name));
    let named_by = format!("Docker context `{}`", shown(&name));
    Endpoint::parse(&endpoint.host, &named_by, tls, &save).map(Some)
}

fn read<T: DeserializeOwned>(path: &Path, form: &Form) -> anyhow::Result<Option<T>> {
    let name = || shown(path.as_os_str().as_encoded_bytes());
    let Some(file) = open_regular(path)? else { return Ok(None) };
    let mut bytes = Vec::new();
    file.take(MAX_BYTES)
        .read_to_end(&mut bytes)
        .with_context(|| format!("could not read `{}`", name()))?;
    // Docker is silent of a file without anything in it.
    let is_empty = matches!(bytes.trim_ascii(), b"" | b"null");
    let read = || documents::parse_object(&bytes, form, format_args!("`{}`", name()));
    (!is_empty).then(read).transpose()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_current_context_says_where_the_engine_is() {
        let directory = tempfile::tempdir().unwrap();
        let docker = directory.path().join(".docker");
        let context = |name: &str, host: &str| {
            let meta = docker.join("contexts/meta").join(Sha256::of(name.as_bytes()).hex());
            fs::create_dir_all(&meta).unwrap();
            let json =
                format!(r#"{{"Name": "{name}", "Endpoints": {{"docker": {{"Host": "{host}"}}}}}}"#);
            fs::write(meta.join("meta.json"), json).unwrap();
        };
        context("colima", "unix:///colima.sock");
        context("far", "ssh://me@far.example");
        fs::write(docker.join("config.json"), r#"{"auths": {}, "currentContext": "colima"}"#)
            .unwrap();
        let home = directory.path().to_str().unwrap();
        let current = |more: &[(&str, &str)]| {
            let variables = [&[("HOME", home)], more].concat();
            let found = super::current("app", &Environment::with(&variables, 0));
            found.map(|endpoint| endpoint.map(|endpoint| endpoint.to_string()))
        };
        let expected = "`/colima.sock` (Docker context `colima`)";
        assert_eq!(current(&[]).unwrap().as_deref(), Some(expected));
        assert_eq!(current(&[("DOCKER_CONTEXT", "default")]).unwrap(), None);
        let far = current(&[("DOCKER_CONTEXT", "far")]).unwrap_err().to_string();
        assert!(far.contains("docker --context far save app | inscan scan -"), "{far}");
        let none = current(&[("DOCKER_CONTEXT", "none")]).unwrap_err().to_string();
        assert!(none.contains("`none`") && none.contains("docker context ls"), "{none}");
    }
}
