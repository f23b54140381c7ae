use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

use super::environment::Environment;
use super::network::NetArgs;
use super::reading::failed;
use super::registry::RegistryArgs;
use super::{Failure, Result, Session};
use crate::output::file::refuse_links_of_checkout;
use inscan_image::layout;
use inscan_image::source::{self as image, OpenOptions, Opened, Platform, Reference};
use inscan_net::Listener;
use inscan_report::text;

/// Copy an image to an OCI layout, for other tools or for later
///
/// Every blob is verified before it has its name in the layout; those that are there already
/// are not fetched again.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  An image from a registry into a new layout:
      inscan pull registry.example/app:1.0 -o oci:app
      inscan scan oci:app
  Several images in one layout, each with a name of its own:
      inscan pull docker://alpine:3.20 -o oci:images:alpine
      skopeo inspect oci:images:alpine")]
pub(super) struct Args {
    /// The image: a name in a registry, or anything else whose layers are stored as blobs
    #[arg(value_name = "IMAGE")]
    image: String,

    /// Where to keep it; without REF it has its full name there
    #[arg(short, long, value_name = "oci:DIR[:REF]")]
    output: LayoutName,

    /// The platform to take from an image made for several, as OS/ARCH[/VARIANT][:VERSION]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,

    /// How many layers to fetch at once
    #[arg(long, value_name = "N", default_value = "4")]
    threads: NonZeroUsize,

    #[command(flatten)]
    registry: RegistryArgs,

    #[command(flatten)]
    net: NetArgs,
}

/// An OCI layout, and a name in it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct LayoutName {
    directory: PathBuf,
    name: Option<String>,
}

impl FromStr for LayoutName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("oci:").ok_or("expected `oci:DIRECTORY`")?;
        let (directory, name) = match rest.split_once(':') {
            Some((directory, name)) => (directory, Some(name)),
            None => (rest, None),
        };
        match (directory, name) {
            ("", _) => Err("no directory behind `oci:`".to_owned()),
            (_, Some("")) => Err("no name behind the last `:`".to_owned()),
            (directory, name) => {
                Ok(LayoutName { directory: directory.into(), name: name.map(str::to_owned) })
            }
        }
    }
}

pub(super) fn run(args: Args, session: &Session) -> Result<()> {
    let reference = Reference::parse(&args.image).map_err(failed)?;
    let stdin_is_taken = matches!(reference, Reference::Stdin { .. });
    let mut net = args.net.resolve()?;
    let registry = args.registry.resolve(stdin_is_taken)?;
    let progress = session.reporter();
    net.retry.listener = Listener::of(&progress);
    let environment = Environment::get().of_engines();
    let options = OpenOptions {
        platform: args.platform,
        net,
        registry,
        environment,
        containerd_namespace: None,
    };
    let opened = image::open(&reference, &options, &*progress).map_err(failed)?;
    let (image, blobs) = match opened {
        Opened::Image { image, blobs } if image.manifest.is_some() => (image, blobs),
        _ => {
            let error = anyhow::anyhow!("`{}` is not stored as blobs with a manifest", args.image);
            return Err(Failure::usage(error)
                .hint("name an image in a registry, an OCI archive or an OCI layout"));
        }
    };
    let LayoutName { directory, name } = args.output;
    for part in ["", "blobs", "blobs/sha256", "index.json", "oci-layout"] {
        refuse_links_of_checkout(&directory.join(part)).map_err(Failure::usage)?;
    }
    let name = name.or_else(|| image.names.first().cloned());
    let kept =
        layout::keep(&image, &*blobs, &directory, name.as_deref(), args.threads.get(), &*progress);
    drop(progress);
    let kept = kept.map_err(Failure::broken)?;
    if !session.quiet {
        let layers = image.layers.len();
        let line = format!(
            "kept {} as `{}`: {layers} layers, {} of them fetched ({})",
            image.manifest_digest,
            directory.display(),
            kept.read,
            text::size(kept.bytes)
        );
        let _ = writeln!(io::stderr(), "{}", text::printable(&line));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_directory_and_perhaps_a_name() {
        let place = |directory: &str, name: Option<&str>| {
            Ok(LayoutName { directory: directory.into(), name: name.map(str::to_owned) })
        };
        assert_eq!("oci:dir".parse(), place("dir", None));
        assert_eq!("oci:a/b:app:1.0".parse(), place("a/b", Some("app:1.0")));
        for wrong in ["dir", "oci:", "oci::x", "oci:dir:", "docker-archive:x"] {
            assert!(wrong.parse::<LayoutName>().is_err(), "{wrong}");
        }
    }
}
