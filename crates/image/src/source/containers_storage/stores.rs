//! Where the storages of podman, buildah and CRI-O lie on this machine: as typed,
//! or as storage.conf says
//! (<https://github.com/containers/storage/blob/main/docs/containers-storage.conf.5.md>).

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Deserialize;

use crate::fault;
use crate::source::environment::Environment;
use crate::source::regular::open_regular;
use inscan_facts::error::{absent, broken, shown, usage};

const MAX_SETTINGS_BYTES: u64 = 1 << 20;

/// How layers lie in a storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Driver {
    /// Each layer's own files, in `overlay/ID/diff`.
    Overlay,
    /// Each layer with all that is below it, in `vfs/dir/ID`.
    Vfs,
}

/// A storage: of one driver, at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Store {
    pub(super) root: PathBuf,
    pub(super) driver: Driver,
}

impl Driver {
    fn name(self) -> &'static str {
        match self {
            Driver::Overlay => "overlay",
            Driver::Vfs => "vfs",
        }
    }

    fn parse(name: &str) -> anyhow::Result<Self> {
        match name {
            "overlay" | "overlay2" => Ok(Driver::Overlay),
            "vfs" => Ok(Driver::Vfs),
            _ => Err(fault::unsupported(format!(
                "the storage driver `{}` is not supported, only overlay and vfs are; save the image instead: podman save IMAGE | inscan scan -",
                shown(name)
            ))),
        }
    }
}

impl Store {
    /// `overlay-images/images.json`
    pub(super) fn images(&self) -> PathBuf {
        self.root.join(format!("{}-images", self.driver.name()))
    }

    pub(super) fn layers(&self) -> PathBuf {
        self.root.join(format!("{}-layers", self.driver.name()))
    }

    /// A layer's directory. Ids are checked where they are read: they cannot lead out.
    pub(super) fn layer(&self, id: &str) -> PathBuf {
        match self.driver {
            Driver::Overlay => self.root.join("overlay").join(id),
            Driver::Vfs => self.root.join("vfs/dir").join(id),
        }
    }

    /// The directory with a layer's files.
    pub(super) fn files(&self, id: &str) -> PathBuf {
        match self.driver {
            Driver::Overlay => self.layer(id).join("diff"),
            Driver::Vfs => self.layer(id),
        }
    }

    /// What lies at a place; `None` where there is no storage.
    fn at(root: &Path, driver: Option<Driver>) -> anyhow::Result<Option<Store>> {
        let drivers = match driver {
            Some(driver) => vec![driver],
            None => vec![Driver::Overlay, Driver::Vfs],
        };
        for driver in drivers {
            let store = Store { root: root.to_owned(), driver };
            match fs::symlink_metadata(store.images().join("images.json")) {
                Ok(_) => return Ok(Some(store)),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    return Err(no_permission(root));
                }
                Err(_) => {}
            }
        }
        let others = ["btrfs", "zfs", "aufs", "devicemapper"];
        match others.iter().find(|other| root.join(format!("{other}-images")).is_dir()) {
            Some(other) if driver.is_none() => Driver::parse(other).map(|_| None),
            _ => Ok(None),
        }
    }
}

pub(super) fn no_permission(place: &Path) -> anyhow::Error {
    fault::denied(format!(
        "no permission to read `{}`; run as its owner, or, where it is your own rootless storage: podman unshare inscan …",
        shown(place.as_os_str().as_encoded_bytes())
    ))
}

/// What stands in brackets before the name: `[driver@root+runroot:options]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Specifier {
    driver: Option<Driver>,
    root: PathBuf,
    image_store: Option<PathBuf>,
}

/// The storages where an image may be, nearest first, and the image's name.
pub(super) fn find<'a>(
    text: &'a str,
    environment: &Environment,
) -> anyhow::Result<(Vec<Store>, &'a str)> {
    let (specifier, name) = specified(text)?;
    let (settings, driver, roots) = match specifier {
        Some(Specifier { driver, root, image_store }) => {
            (Settings::default(), driver, image_store.into_iter().chain([root]).collect())
        }
        None => {
            let settings = Settings::find(environment)?;
            let driver = environment.text("STORAGE_DRIVER").map(str::to_owned);
            let driver = driver.or(Some(settings.driver.clone()).filter(|it| !it.is_empty()));
            let driver = driver.as_deref().map(Driver::parse).transpose()?;
            let roots: Vec<PathBuf> =
                settings.image_store.iter().cloned().chain(settings.root.clone()).collect();
            (settings, driver, roots)
        }
    };
    let mut stores = Vec::new();
    for root in &roots {
        stores.extend(Store::at(root, driver)?);
    }
    for root in &settings.additional {
        stores.extend(Store::at(root, None)?);
    }
    if stores.is_empty() {
        let places: Vec<String> = roots
            .iter()
            .chain(&settings.additional)
            .map(|root| format!("`{}`", shown(root.as_os_str().as_encoded_bytes())))
            .collect();
        return Err(absent(format!(
            "there is no storage in {}; name another one: containers-storage:[DRIVER@DIRECTORY]IMAGE",
            places.join(", ")
        )));
    }
    Ok((stores, name))
}

fn specified(text: &str) -> anyhow::Result<(Option<Specifier>, &str)> {
    let Some(rest) = text.strip_prefix('[') else { return Ok((None, text)) };
    let Some((inside, name)) = rest.split_once(']') else {
        return Err(usage(format!("there is no `]` in `{}`", shown(text))));
    };
    let (driver, rest) = match inside.split_once('@') {
        Some((driver, rest)) if !driver.contains('/') => (Some(driver), rest),
        _ => (None, inside),
    };
    let (root, options) = rest.split_once(':').unwrap_or((rest, ""));
    let root = root.split_once('+').map_or(root, |(root, _)| root);
    if !root.starts_with('/') {
        return Err(usage(format!(
            "the storage in `{}` must be an absolute path, as in [overlay@/var/lib/containers/storage]",
            shown(text)
        )));
    }
    let driver = driver.filter(|driver| !driver.is_empty()).map(Driver::parse).transpose()?;
    // Of the options, only this one moves images.
    let image_store = options.split(',').find_map(|option| {
        let (key, value) = option.split_once('=')?;
        key.ends_with("imagestore").then(|| PathBuf::from(value))
    });
    Ok((Some(Specifier { driver, root: root.into(), image_store }), name))
}

/// What we need of storage.conf.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Settings {
    driver: String,
    root: Option<PathBuf>,
    image_store: Option<PathBuf>,
    additional: Vec<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SettingsFile {
    storage: StorageTable,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct StorageTable {
    driver: String,
    graphroot: String,
    rootless_storage_path: String,
    imagestore: String,
    options: OptionsTable,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OptionsTable {
    additionalimagestores: Vec<String>,
}

const SYSTEM_ROOT: &str = "/var/lib/containers/storage";
const SYSTEM_FILES: [&str; 2] =
    ["/etc/containers/storage.conf", "/usr/share/containers/storage.conf"];

impl Settings {
    fn find(environment: &Environment) -> anyhow::Result<Self> {
        let named = environment.path("CONTAINERS_STORAGE_CONF");
        let own = environment
            .config_directory()
            .filter(|_| !environment.is_root())
            .map(|directory| directory.join("containers/storage.conf"));
        let system = SYSTEM_FILES.map(PathBuf::from);
        for path in named.iter().chain(&own).chain(&system) {
            if let Some(text) = read(path)? {
                let shared = system.contains(path);
                return Self::parse(&text, shared, environment).with_context(|| {
                    format!("could not understand `{}`", shown(path.as_os_str().as_encoded_bytes()))
                });
            }
            if named.as_ref() == Some(path) {
                return Err(usage(format!(
                    "there is no file `{}`, which CONTAINERS_STORAGE_CONF names",
                    shown(path.as_os_str().as_encoded_bytes())
                )));
            }
        }
        Self::parse("", true, environment)
    }

    /// `shared`: it is the system's file, whose root is not that of a user.
    fn parse(text: &str, shared: bool, environment: &Environment) -> anyhow::Result<Self> {
        let file: SettingsFile =
            toml::from_str(text).map_err(|error| broken(shown(error.message())))?;
        let table = file.storage;
        let path = |text: &str| Some(expanded(text, environment)).filter(|text| !text.is_empty());
        let own = || {
            path(&table.rootless_storage_path).map(PathBuf::from).or_else(|| {
                environment.data_directory().map(|data| data.join("containers/storage"))
            })
        };
        let as_written = path(&table.graphroot).map(PathBuf::from);
        let root = match (environment.is_root(), shared) {
            (true, _) => as_written.or_else(|| Some(SYSTEM_ROOT.into())),
            (false, true) => own(),
            (false, false) => as_written.or_else(own),
        };
        Ok(Settings {
            driver: table.driver,
            root,
            image_store: path(&table.imagestore).map(PathBuf::from),
            additional: table
                .options
                .additionalimagestores
                .iter()
                .filter_map(|text| path(text).map(PathBuf::from))
                .collect(),
        })
    }
}

/// The variables that storage.conf may have in paths.
fn expanded(text: &str, environment: &Environment) -> String {
    let home = environment.text("HOME").unwrap_or_default();
    let user = environment.text("USER").unwrap_or_default();
    text.replace("$HOME", home)
        .replace("$USER", user)
        .replace("$UID", &environment.user.to_string())
}

fn read(path: &Path) -> anyhow::Result<Option<String>> {
    let Some(file) = open_regular(path)? else { return Ok(None) };
    let mut text = String::new();
    file.take(MAX_SETTINGS_BYTES).read_to_string(&mut text).with_context(|| {
        format!("could not read `{}`", shown(path.as_os_str().as_encoded_bytes()))
    })?;
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storage_is_named_in_brackets_before_the_image() {
        let specifier = |driver, root: &str, image_store: Option<&str>| {
            Some(Specifier {
                driver,
                root: root.into(),
                image_store: image_store.map(PathBuf::from),
            })
        };
        let vfs = Some(Driver::Vfs);
        for (text, expected) in [
            ("app:1", (None, "app:1")),
            ("[/s]app", (specifier(None, "/s", None), "app")),
            ("[vfs@/s+/run/x]app:1", (specifier(vfs, "/s", None), "app:1")),
            (
                "[vfs@/s+/r:vfs.imagestore=/i,x=y]@sha256:00",
                (specifier(vfs, "/s", Some("/i")), "@sha256:00"),
            ),
            ("[/a@b]app", (specifier(None, "/a@b", None), "app")),
        ] {
            assert_eq!(specified(text).unwrap(), expected, "{text}");
        }
        for wrong in ["[vfs@/s", "[vfs@s]app", "[]app", "[btrfs@/s]app"] {
            assert!(specified(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn each_user_has_a_storage_of_their_own() {
        let file = "[storage]\ndriver = \"overlay\"\ngraphroot = \"/graph\"\n\
            [storage.options]\nadditionalimagestores = [\"/more\"]\n";
        let user = Environment::with(&[("HOME", "/home/u")], 1000);
        let root = Environment::with(&[("HOME", "/root")], 0);
        let check = |text: &str, shared, environment: &Environment, expected: &str| {
            let settings = Settings::parse(text, shared, environment).unwrap();
            assert_eq!(settings.root.unwrap(), Path::new(expected), "{text}");
        };
        check(file, true, &root, "/graph");
        check("", true, &root, "/var/lib/containers/storage");
        check(file, true, &user, "/home/u/.local/share/containers/storage");
        check(file, false, &user, "/graph");
        check("[storage]\nrootless_storage_path = \"/s/$UID\"", true, &user, "/s/1000");
        let settings = Settings::parse(file, true, &user).unwrap();
        assert_eq!((&*settings.driver, settings.additional), ("overlay", vec!["/more".into()]));
        assert!(Settings::parse("[storage", true, &user).is_err());
    }
}
