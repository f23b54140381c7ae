//! Where images come from. Each transport ends in one of the three forms of
//! [`Opened`]; what comes after does not know where the bytes came from.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use inscan_tar::Packing;

use crate::progress::Progress;
use inscan_facts::digest::{BlobDigest, Digest};
use inscan_net::NetOptions;

mod archive_index;
mod beneath;
mod choice;
mod config;
mod containerd;
mod containers_storage;
mod directory;
mod docker_archive;
mod documents;
mod engine;
mod environment;
mod known_names;
mod manifest;
mod members;
mod oci_layout;
mod places;
mod platform;
mod recognise;
mod reference;
mod registry;
mod regular;
mod stream;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod unpacked;

pub use choice::Choice;
pub use config::{HistoryItem, ImageConfig};
pub use directory::{Content, DirEntry, image as directory_image, walk};
pub use docker_archive::complete;
pub use environment::Environment;
pub use inscan_facts::error::{Error, Kind, shown};
pub use inscan_net::registry::{AuthFile, ConfigFiles, Credential, RegistryOptions};
pub use places::{NotFound, Transport};
pub use platform::Platform;
pub use reference::{ANY_ARCHIVE, Reference};
pub use stream::{ScanLayer, read as read_stream};

use crate::fault;
use archive_index::ArchiveIndex;
use documents::Documents;
use engine::EngineFacts;
use inscan_facts::error::usage;
use manifest::LAYERS_UNPAIRED;
use oci_layout::LayoutDirectory;
use recognise::Held;
use regular::open_regular;
use unpacked::{TransportDirectory, Unpacked};

/// The kind of any error of this module. One without a kind comes from the world: [`Kind::Broken`].
pub fn kind_of(error: &anyhow::Error) -> Kind {
    error.downcast_ref::<NotFound>().map_or_else(|| Error::kind_of(error), NotFound::kind)
}

/// An image whose configuration and layer list are known.
#[derive(Clone, Debug, Default)]
pub struct Image {
    /// What the user named, with its transport: `oci:/tmp/layout:latest`.
    pub source: String,
    /// The manifest as stored. `None` for a root file system, and for a Docker
    /// archive with compressed layers until [`complete`] has made it.
    pub manifest: Option<Vec<u8>>,
    /// Digest of `manifest`; where there is none, of what stands for it, or what an engine says it is.
    pub manifest_digest: Digest,
    /// Of an image made for several platforms: digest of the index that was asked for by name.
    pub index_digest: Option<Digest>,
    /// The configuration as stored (JSON), verified against its digest.
    pub config: Vec<u8>,
    /// The image id.
    pub config_digest: Digest,
    /// Base first.
    pub layers: Vec<LayerRef>,
    /// Names the image carries where it lies, full as written: `localhost/app:1.0`.
    pub names: Vec<String>,
}

/// One layer as the manifest and the configuration name it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LayerRef {
    /// Where its bytes are, in the words of its transport: a member's name, a path, a digest.
    pub location: String,
    /// Digest and size of the stored blob, where the transport knows them before reading.
    pub digest: Option<BlobDigest>,
    pub size: Option<u64>,
    /// Not to be believed about the compression.
    pub media_type: Option<String>,
    /// Digest of the uncompressed tar, from the configuration's `rootfs.diff_ids`.
    pub diff_id: BlobDigest,
}

/// Bytes of layers, in any order, from several threads at once.
pub trait Blobs: Send + Sync {
    fn open(&self, layer: &LayerRef) -> anyhow::Result<Box<dyn Read + Send + '_>>;
}

/// An image that can be read.
pub enum Opened {
    /// The layer list is known, and layers can be read in any order.
    Image { image: Image, blobs: Box<dyn Blobs> },
    /// An archive that can be read only once, from front to back.
    Stream(Stream),
    /// A root file system.
    Directory(PathBuf),
}

/// An archive on standard input, or a compressed one.
pub struct Stream {
    pub source: String,
    pub reader: Box<dyn Read + Send>,
    /// Said by the user; else what the archive turns out to be.
    form: Option<Form>,
    pub choice: Choice,
    /// Of an archive that an engine writes: what else it knows of the image.
    engine: Option<EngineFacts>,
    /// It is a root file system, and no archive of an image.
    is_root: bool,
}

impl Stream {
    /// An archive of either kind. `source` is `-` for standard input.
    pub fn new(source: String, reader: Box<dyn Read + Send>, choice: Choice) -> Self {
        Stream { source, reader, form: None, choice, engine: None, is_root: false }
    }
}

#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// `--platform`; without it the running machine's, where there is a choice.
    pub platform: Option<Platform>,
    /// For what is not on this machine.
    pub net: NetOptions,
    pub registry: RegistryOptions,
    /// Of containerd; without it `CONTAINERD_NAMESPACE`, else whichever has the image.
    pub containerd_namespace: Option<String>,
    /// Decides where engines, their stores and their sockets are looked for.
    pub environment: Environment,
}

/// Opens an image and reads everything but its layers. `progress` is told what the user should
/// know of where it was found.
pub fn open(
    reference: &Reference,
    options: &OpenOptions,
    progress: &dyn Progress,
) -> anyhow::Result<Opened> {
    let choice =
        |name: &Option<String>| Choice { name: name.clone(), platform: options.platform.clone() };
    match reference {
        Reference::DockerArchive { file, name } => {
            open_archive(file, Some(Form::Docker), choice(name))
                .context(could_not("docker-archive", file))
        }
        Reference::OciArchive { file, name } => open_archive(file, Some(Form::Oci), choice(name))
            .context(could_not("oci-archive", file)),
        Reference::OciLayout { directory, name } => {
            open_layout(directory, choice(name)).context(could_not("oci", directory))
        }
        Reference::Directory(path) => open_directory(path, choice(&None)),
        Reference::Path { path, name } => open_path(path, choice(name)),
        Reference::Stdin { form, name } => Ok(Opened::Stream(Stream {
            source: "-".to_owned(),
            reader: Box::new(std::io::stdin()),
            form: *form,
            choice: choice(name),
            engine: None,
            is_root: false,
        })),
        Reference::At { place, name } => {
            let opened = places::open_at(*place, name, options);
            match (opened, place.as_image(name)) {
                // `podman:v5` is an image, too.
                (Err(error), Some(image)) if kind_of(&error) == Kind::Absent => {
                    let opened = places::open(&image, options, progress);
                    opened
                        .inspect(|_| {
                            progress.note(&format!(
                                "`{image}` is read as the image of that name: {error:#}"
                            ))
                        })
                        .map_err(|_| error)
                }
                (opened, _) => opened,
            }
            .with_context(|| format!("could not open `{}{}`", place.prefix(), shown(name)))
        }
        Reference::Name(name) => places::open(name, options, progress),
    }
}

fn could_not(transport: &str, path: &Path) -> String {
    format!("could not open `{}`", source(transport, path, &Choice::default()))
}

fn source(transport: &str, path: &Path, choice: &Choice) -> String {
    let path = shown(path.as_os_str().as_encoded_bytes());
    match &choice.name {
        // As it is typed: a digest needs no colon before it.
        Some(name) if name.starts_with("@sha") => format!("{transport}:{path}{}", shown(name)),
        Some(name) => format!("{transport}:{path}:{}", shown(name)),
        None => format!("{transport}:{path}"),
    }
}

/// What is said to be a root file system: an image in some other form is none.
fn open_directory(path: &Path, choice: Choice) -> anyhow::Result<Opened> {
    if !path.is_dir() {
        return Err(usage(format!(
            "`{}` is not a directory; for an archive write docker-archive:FILE or oci-archive:FILE",
            shown(path.as_os_str().as_encoded_bytes())
        )));
    }
    let looked = recognise::look(path)?;
    match (looked.held, looked.is_root) {
        (Some(held), false) => open_held(held, path, choice),
        (None, false) => match looked.no_root(&shown(path.as_os_str().as_encoded_bytes())) {
            Some(error) => Err(error),
            None => Ok(Opened::Directory(path.to_owned())),
        },
        (_, true) => Ok(Opened::Directory(path.to_owned())),
    }
}

/// Recognises what lies at a path by looking at it.
fn open_path(path: &Path, choice: Choice) -> anyhow::Result<Opened> {
    if !path.is_dir() {
        return open_archive(path, None, choice).with_context(|| {
            format!("could not open `{}`", shown(path.as_os_str().as_encoded_bytes()))
        });
    }
    let looked = recognise::look(path)?;
    match (looked.held, looked.is_root, &choice.name) {
        (Some(held), true, _) => Err(looked.both(held, path)),
        (Some(held), false, _) => open_held(held, path, choice),
        (None, false, _) => Err(looked.unknown(path)),
        (None, true, None) => Ok(Opened::Directory(path.to_owned())),
        (None, true, Some(name)) => Err(usage(format!(
            "`{}` is a root file system, so there is no image `{}` in it",
            shown(path.as_os_str().as_encoded_bytes()),
            shown(name)
        ))),
    }
}

/// Opens the image that a directory holds.
fn open_held(held: Held, path: &Path, choice: Choice) -> anyhow::Result<Opened> {
    match held {
        Held::Transport => {
            let context = could_not("dir", path);
            let directory = TransportDirectory::read(path).with_context(|| context.clone())?;
            let source = source("dir", path, &choice);
            let image = oci_layout::read(&directory, &choice, &source).context(context)?;
            Ok(Opened::Image { image, blobs: Box::new(directory) })
        }
        Held::Layout if !path.join("manifest.json").exists() => {
            open_layout(path, choice).context(could_not("oci", path))
        }
        Held::Layout | Held::Saved => {
            let files = Unpacked::new(path);
            let source = |form| match form {
                Form::Docker => source("docker-archive", path, &choice),
                Form::Oci => source("oci", path, &choice),
            };
            let (_, image) = read_documents(&files, None, &choice, source)
                .with_context(|| could_not("docker-archive", path))?;
            Ok(Opened::Image { image, blobs: Box::new(files) })
        }
    }
}

fn open_layout(directory: &Path, choice: Choice) -> anyhow::Result<Opened> {
    if !directory.is_dir() {
        return Err(usage("it is not a directory; for a layout in a tar write oci-archive:FILE"));
    }
    let source = source("oci", directory, &choice);
    let layout = LayoutDirectory(directory.to_owned());
    let image = oci_layout::read(&layout, &choice, &source)?;
    Ok(Opened::Image { image, blobs: Box::new(layout) })
}

/// The two forms of an image in a tar. Archives of newer Dockers are both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Docker,
    Oci,
}

fn open_archive(path: &Path, form: Option<Form>, choice: Choice) -> anyhow::Result<Opened> {
    if path.is_dir() {
        return Err(usage(
            "it is a directory; for an OCI layout write oci:DIRECTORY, for a root file system dir:DIRECTORY",
        ));
    }
    let file = open_regular(path)?.ok_or_else(|| fault::not_found("there is no such file"))?;
    let name = form.map_or("archive", Form::transport);
    let streamed = |file, form, choice, is_root| {
        let source = source(name, path, &choice);
        Opened::Stream(Stream {
            source,
            reader: Box::new(file),
            form,
            choice,
            engine: None,
            is_root,
        })
    };
    let packing = packing(&file)?;
    match packing {
        Packing::Plain if is_json(&file)? => {
            return Err(fault::no_image(
                "it is JSON and no image; what is in an analysis document or an SBOM is judged by `inscan evaluate FILE`",
            ));
        }
        Packing::Plain => {}
        Packing::Gzip | Packing::Zstd => {
            return Ok(streamed(file, form, choice, false));
        }
        Packing::Bzip2 | Packing::Xz => {
            let program = packing.program().unwrap_or_default();
            return Err(fault::unsupported(format!(
                "it is compressed with {program}, which is not supported for archives; decompress it: {program} -dc FILE | inscan scan -"
            )));
        }
    }
    if form.is_none() {
        let top = ArchiveIndex::top(file.try_clone()?)?;
        match (recognise::has_root(top.roots()), recognise::holds_image(&top)) {
            (true, true) => return Err(image_and_root()),
            (true, false) => {
                return Ok(streamed(file, form, choice, true));
            }
            (false, _) => {}
        }
    }
    let index = ArchiveIndex::read(file)?;
    let (form, image) =
        read_documents(&index, form, &choice, |form| source(form.transport(), path, &choice))?;
    debug_assert!(image.source.starts_with(form.transport()));
    Ok(Opened::Image { image, blobs: Box::new(index) })
}

/// Whether a file begins as a JSON object: no tar does.
fn is_json(file: &File) -> anyhow::Result<bool> {
    let mut start = [0; 64];
    let read = std::os::unix::fs::FileExt::read_at(file, &mut start, 0)?;
    let start = start[..read].strip_prefix(b"\xef\xbb\xbf").unwrap_or(&start[..read]);
    Ok(start.trim_ascii_start().first() == Some(&b'{'))
}

/// Reads an archive as what it is, or as what it is said to be.
fn read_documents(
    documents: &dyn Documents,
    form: Option<Form>,
    choice: &Choice,
    source: impl Fn(Form) -> String,
) -> anyhow::Result<(Form, Image)> {
    let read = |form| match form {
        Form::Docker => docker_archive::read(documents, choice, &source(form)),
        Form::Oci => oci_layout::read(documents, choice, &source(form)),
    };
    if let Some(form) = form {
        return Ok((form, read(form)?));
    }
    // The index has digests for everything, `manifest.json` has not.
    let has_manifest = documents.size("manifest.json")?.is_some();
    match oci_layout::is_layout(documents) {
        true if has_manifest => reconciled(read(Form::Oci), || read(Form::Docker)),
        true => Ok((Form::Oci, read(Form::Oci)?)),
        false if has_manifest || documents.size("repositories")?.is_some() => {
            Ok((Form::Docker, read(Form::Docker)?))
        }
        false if documents.size("index.json")?.is_some() => Ok((Form::Oci, read(Form::Oci)?)),
        false => Err(fault::no_image(
            "it holds no image: it has neither `manifest.json` (docker save) nor `index.json` (OCI layout), nor is it a root file system (docker export)",
        )),
    }
}

/// An archive in both forms must say the same in both: engines differ in which they take. Docker
/// 25.0.0 wrote an index whose manifest has no layers, which no engine can use; it has `manifest.json`.
fn reconciled(
    index: anyhow::Result<Image>,
    manifest: impl Fn() -> anyhow::Result<Image>,
) -> anyhow::Result<(Form, Image)> {
    let image = match index {
        Ok(image) => image,
        Err(error) if Error::code_of(&error) == Some(LAYERS_UNPAIRED) => {
            return manifest().map(|image| (Form::Docker, image)).map_err(|_| error);
        }
        Err(error) => return Err(error),
    };
    match manifest() {
        Ok(other) if other.config_digest != image.config_digest => {
            Err(fault::contradictory(format!(
                "its `index.json` and its `manifest.json` say different images ({} and {}), and engines differ in which they take; say which with oci-archive: or docker-archive:",
                image.config_digest, other.config_digest
            )))
        }
        _ => Ok((Form::Oci, image)),
    }
}

impl Form {
    fn transport(self) -> &'static str {
        match self {
            Form::Docker => "docker-archive",
            Form::Oci => "oci-archive",
        }
    }
}

/// A tar that is unpacked as a root file system by one (`docker import`), and as an image by another.
fn image_and_root() -> anyhow::Error {
    usage(
        "it is, or may be, an archive of an image and a root file system at once; write docker-archive: or oci-archive: for the image, or unpack it and give the directory as dir:PATH",
    )
}

/// How a whole archive is compressed.
fn packing(file: &File) -> anyhow::Result<Packing> {
    let start = start(file, Packing::START_LEN)?;
    if start.is_empty() {
        return Err(fault::empty("the file is empty; make it again"));
    }
    Ok(Packing::of(&start))
}

/// The first bytes of a file, without moving its position.
fn start(file: &File, length: usize) -> anyhow::Result<Vec<u8>> {
    let mut start = vec![0; length];
    let mut filled = 0;
    loop {
        match FileExt::read_at(file, &mut start[filled..], filled as u64)? {
            0 => break,
            count => filled += count,
        }
    }
    start.truncate(filled);
    Ok(start)
}
