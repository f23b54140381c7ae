//! The options of reading from registries: who we are to them, and where names lead.

use std::io::{self, Read};
use std::path::PathBuf;

use clap::builder::BoolishValueParser;

use super::environment::Environment;
use super::failure::{Failure, Result};
use inscan_image::source::{AuthFile, ConfigFiles, Credential, RegistryOptions};
use inscan_net::Secret;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Registry")]
pub(super) struct RegistryArgs {
    /// Log in to the image's registry as this user
    ///
    /// The password comes from `--registry-password-stdin`, or from the variable
    /// INSCAN_REGISTRY_PASSWORD. Without it, what `docker login` and `podman login` left behind
    /// counts.
    #[arg(long, value_name = "USER", conflicts_with = "registry_token")]
    registry_user: Option<String>,

    /// Read the password of `--registry-user` from standard input
    #[arg(long, value_parser = BoolishValueParser::new())]
    registry_password_stdin: bool,

    /// Show this token to the image's registry
    ///
    /// Others on this machine can see it in the list of processes: the variable
    /// INSCAN_REGISTRY_TOKEN is the better place for it.
    #[arg(long, value_name = "TOKEN")]
    registry_token: Option<Secret>,

    #[command(flatten)]
    files: RegistryFiles,

    /// Fetch layers that the registry lacks from the addresses in the manifest
    #[arg(long, value_parser = BoolishValueParser::new())]
    allow_foreign_layers: bool,
}

/// The files that say who we are, and where names lead.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Registry")]
pub(super) struct RegistryFiles {
    /// The file with credentials, as `podman login --authfile` and `docker login` write it
    /// [default: REGISTRY_AUTH_FILE, else the usual places of podman and docker]
    #[arg(long, value_name = "FILE")]
    authfile: Option<PathBuf>,

    /// The file with mirrors, other locations and blocked hosts
    /// [default: registries.conf and registries.conf.d where podman has them]
    #[arg(long, value_name = "FILE")]
    registries_conf: Option<PathBuf>,
}

impl RegistryFiles {
    /// Without what was typed for the image's registry alone.
    pub(super) fn resolve(&self) -> RegistryOptions {
        RegistryOptions {
            auth_files: auth_files(self.authfile.clone()),
            config: config_files(self.registries_conf.clone()),
            ..RegistryOptions::default()
        }
    }
}

impl RegistryArgs {
    /// For other registries than the image's.
    pub(super) fn for_others(&self) -> RegistryOptions {
        self.files.resolve()
    }

    /// `stdin_is_taken`: the image itself is read from it.
    pub(super) fn resolve(self, stdin_is_taken: bool) -> Result<RegistryOptions> {
        let from_stdin = self.registry_password_stdin;
        if from_stdin && stdin_is_taken {
            let error =
                anyhow::anyhow!("standard input has the image: it cannot have the password too");
            return Err(Failure::usage(error).hint("put the password in INSCAN_REGISTRY_PASSWORD"));
        }
        let password =
            if from_stdin { Some(password_from_stdin()?) } else { password_from_environment() };
        let login = match (self.registry_user, password, self.registry_token) {
            (_, _, Some(token)) => Some(Credential::Token(token)),
            (Some(user), Some(password), None) => Some(Credential::Basic { user, password }),
            (None, None, None) => None,
            (Some(_), None, None) => {
                let error = anyhow::anyhow!("`--registry-user` has no password");
                return Err(Failure::usage(error)
                    .hint("add `--registry-password-stdin`, or set INSCAN_REGISTRY_PASSWORD"));
            }
            (None, Some(_), None) => {
                let error = anyhow::anyhow!("there is a password for the registry, but no user");
                return Err(Failure::usage(error).hint("add `--registry-user USER`"));
            }
        };
        Ok(RegistryOptions {
            login,
            allow_foreign_layers: self.allow_foreign_layers,
            ..self.files.resolve()
        })
    }
}

/// Longer is no password.
const MAX_PASSWORD_BYTES: u64 = 64 << 10;

fn password_from_stdin() -> Result<Secret> {
    let mut text = String::new();
    io::stdin().take(MAX_PASSWORD_BYTES).read_to_string(&mut text).map_err(|error| {
        Failure::usage(anyhow::anyhow!("could not read the password from standard input: {error}"))
    })?;
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        let error = anyhow::anyhow!("there is no password on standard input");
        return Err(Failure::usage(error).hint(
            "as in `inscan scan IMAGE --registry-user me --registry-password-stdin < file`",
        ));
    }
    Ok(Secret::new(password))
}

fn password_from_environment() -> Option<Secret> {
    Environment::get().text("INSCAN_REGISTRY_PASSWORD").map(Secret::new)
}

fn variable(name: &str) -> Option<PathBuf> {
    Environment::get().path(name)
}

/// `~/.config`, or where the user has it instead.
fn user_config() -> Option<PathBuf> {
    Environment::get().config_directory()
}

/// The places of podman before that of docker, as podman, skopeo and buildah look.
fn auth_files(named: Option<PathBuf>) -> Vec<AuthFile> {
    if let Some(path) = named.or_else(|| variable("REGISTRY_AUTH_FILE")) {
        return vec![AuthFile { path, named: true }];
    }
    let docker = variable("DOCKER_CONFIG").or_else(|| Some(variable("HOME")?.join(".docker")));
    let usual = [
        variable("XDG_RUNTIME_DIR").map(|run| run.join("containers/auth.json")),
        user_config().map(|config| config.join("containers/auth.json")),
        docker.map(|docker| docker.join("config.json")),
    ];
    usual.into_iter().flatten().map(|path| AuthFile { path, named: false }).collect()
}

/// A user's own file stands in the place of the machine's.
fn config_files(named: Option<PathBuf>) -> ConfigFiles {
    if let Some(main) = named.or_else(|| variable("CONTAINERS_REGISTRIES_CONF")) {
        return ConfigFiles { main: Some(main), named: true, drop_ins: Vec::new() };
    }
    let machine = PathBuf::from("/etc/containers");
    let user = user_config().map(|config| config.join("containers"));
    let own = user.as_ref().map(|user| user.join("registries.conf")).filter(|own| own.is_file());
    let drop_ins = [Some(machine.clone()), user].into_iter().flatten();
    ConfigFiles {
        main: Some(own.unwrap_or_else(|| machine.join("registries.conf"))),
        named: false,
        drop_ins: drop_ins.map(|place| place.join("registries.conf.d")).collect(),
    }
}
