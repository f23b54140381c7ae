//! From the legacy options to a reading of the image: what inscan's own settings say of reading,
//! and above them what was typed.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::image_name;
use super::options::{Login, Options, Storage};
use crate::cli::reading::Reporter;
use crate::cli::{Command, Failure, Session, parse, scan};
use inscan_image::progress::{Progress, Silent};
use inscan_image::source::{AuthFile, Credential, Opened, Reference};
use inscan_image::{Malware, Request};
use inscan_python_regex::text::Pattern;

/// Where a container of the legacy scanner has credentials mounted.
const MOUNTED_AUTH: &str = "/config/auth.json";
/// Longer is no Dockerfile.
const MAX_DOCKERFILE_BYTES: u64 = 1 << 20;

/// How the image is read; and paths, and directories with all below them, in which malware does
/// not count.
pub(super) fn request(
    options: &Options,
    session: &Session,
) -> Result<(Request, Option<Pattern>), String> {
    let image = own_settings(options)?.image;
    let clamd = image.clamd().map(str::to_owned);
    let silent: Reporter = Arc::new(Silent);
    let mut request = image.resolve(session, &silent).map_err(said)?;
    request.reference = reference(options, None);
    let overrides = &mut request.overrides;
    overrides.tag = Some(image_name::full_tag(&options.image, &options.storage));
    overrides.image_digest.clone_from(&options.digest);
    overrides.image_id.clone_from(&options.image_id);
    if let Some(path) = &options.dockerfile {
        overrides.dockerfile = Some(dockerfile(path)?);
    }
    let registry = &mut request.options.registry;
    registry.insecure = options.registry_skip_tls;
    let named = |path: &Path| vec![AuthFile { path: path.to_owned(), named: true }];
    match &options.login {
        Some(Login::Basic { user, password }) => {
            registry.login =
                Some(Credential::Basic { user: user.clone(), password: password.clone() });
        }
        Some(Login::Token(token)) => registry.login = Some(Credential::Token(token.clone())),
        Some(Login::File(path) | Login::Dockercfg(path)) => registry.auth_files = named(path),
        None if Path::new(MOUNTED_AUTH).is_file() => {
            registry.auth_files = named(Path::new(MOUNTED_AUTH));
        }
        None => {}
    }
    let Some(malware) = &options.malware else { return Ok((request, None)) };
    request.malware = Some(Malware { clamd: malware.clamd.clone().or(clamd) });
    let exclude = malware.exclude.as_ref().map(|text| Pattern::new(text)).transpose();
    let exclude = exclude.map_err(|error| {
        format!("--malware-exclude is no regular expression that is understood: {error}")
    })?;
    Ok((request, exclude))
}

/// What `inscan scan` would be told by environment and settings file; and the database.
pub(super) fn own_settings(options: &Options) -> Result<scan::Args, String> {
    let image = format!("registry:{}", image_name::asked_for(&options.image));
    let mut typed = vec![OsString::from("inscan"), "scan".into()];
    if let Some(database) = &options.database {
        typed.extend(["--db".into(), database.into()]);
    }
    typed.extend(["--".into(), image.into()]);
    let (cli, _) = parse(typed).map_err(said)?;
    match cli.command {
        Command::Scan(args) => Ok(*args),
        _ => unreachable!("`scan` was typed"),
    }
}

/// `name`: of the image in an archive of several.
fn reference(options: &Options, name: Option<String>) -> Reference {
    use inscan_image::source::Transport;
    let at = |place| Reference::At { place, name: image_name::asked_for(&options.image) };
    match &options.storage {
        Storage::Registry => at(Transport::Registry),
        Storage::DockerDaemon => at(Transport::Docker),
        Storage::CriO => at(Transport::ContainersStorage),
        Storage::DockerArchive(file) => Reference::DockerArchive { file: file.clone(), name },
        Storage::OciArchive(file) => Reference::OciArchive { file: file.clone(), name },
        Storage::OciDir(directory) => Reference::OciLayout { directory: directory.clone(), name },
    }
}

/// Opens the image. An archive of several images is asked for the one of the name.
pub(super) fn open(
    options: &Options,
    request: &mut Request,
    progress: &dyn Progress,
) -> Result<Opened, String> {
    let first = match inscan_image::open(request, progress) {
        Ok(opened) => return Ok(opened),
        Err(error) => said(Failure::of(error)),
    };
    let named = reference(options, Some(options.image.clone()));
    if named == request.reference {
        return Err(first);
    }
    request.reference = named;
    inscan_image::open(request, progress).map_err(|_| first)
}

/// Without the word that the legacy scanner's own errors begin with.
pub(super) fn said(failure: Failure) -> String {
    let text = failure.to_string();
    text.strip_prefix("error: ").unwrap_or(&text).trim_end().to_owned()
}

/// How the place is called where the image is looked at.
pub(super) fn source(options: &Options) -> (&'static str, String) {
    let asked = || image_name::asked_for(&options.image);
    let shown = |path: &Path| path.display().to_string();
    match &options.storage {
        Storage::Registry => ("remote repository", asked()),
        Storage::DockerDaemon => ("Docker daemon", asked()),
        Storage::CriO => ("containers-storage", asked()),
        Storage::DockerArchive(path) => ("Docker archive file", shown(path)),
        Storage::OciArchive(path) => ("OCI archive file", shown(path)),
        Storage::OciDir(path) => ("OCI directory", shown(path)),
    }
}

fn dockerfile(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file);
    let metadata = metadata.ok_or_else(|| format!("Dockerfile {shown} does not exist"))?;
    if metadata.len() > MAX_DOCKERFILE_BYTES {
        return Err(format!("Dockerfile {shown} has more than {MAX_DOCKERFILE_BYTES} bytes"));
    }
    fs::read_to_string(path).map_err(|error| format!("Dockerfile {shown} cannot be read: {error}"))
}
