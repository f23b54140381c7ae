use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::ValueEnum;

use super::reading::{ImageArgs, scanned};
use super::source::{self, Source};
use super::{Failure, Result, Session, broken_output, open_outputs};
use crate::cli::environment::Environment;
use crate::output::{Destination, Output};
use inscan_analyzers::Part;
use inscan_facts::digest::Digest;
use inscan_image::document::archive::{self, Options};

/// Write the analysis archive for a later upload to a backend
///
/// It is what `inscan upload` sends, and can be sent from another machine. It holds what the
/// image has in it, not the image. IMAGE may also be the analysis document of an image in a file.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  An image's archive, under the name it will have on the backend:
      inscan archive image.tar --tag registry.example/app:1.0 -o archive=app.tgz
      inscan upload app.tgz --url https://secure.example
  Of a document that was written before:
      inscan analyze image.tar -o document=app.json
      inscan archive app.json --annotation build=17 -o archive=app.tgz
  What is in an archive is judged without a backend too:
      inscan evaluate app.tgz")]
pub(super) struct Args {
    #[command(flatten)]
    image: ImageArgs,

    #[command(flatten)]
    archive: ArchiveArgs,

    /// What to write, and where to (standard output unless a file is named)
    #[arg(short, long = "output", value_name = "FORMAT[=FILE]", default_value = "archive")]
    output: Vec<Output<Format>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The analysis archive: a gzip tar
    Archive,
}

/// What the archive says beside what is in the image.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Archive")]
pub(super) struct ArchiveArgs {
    /// Something the backend is to keep with the image; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    annotation: Vec<Annotation>,

    /// The account that the image will be of [default: the backend's answer, else admin]
    #[arg(long, value_name = "NAME")]
    account: Option<String>,

    /// Digest of the manifest list that the image is from [default: the image's own]
    #[arg(long, value_name = "DIGEST")]
    parent_digest: Option<Digest>,

    /// When the image was made, in seconds since 1970 [default: now]
    #[arg(long, value_name = "SECONDS")]
    created_at: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Annotation {
    key: String,
    value: String,
}

impl FromStr for Annotation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() && !value.is_empty() => {
                Ok(Annotation { key: key.to_owned(), value: value.to_owned() })
            }
            _ => Err("expected KEY=VALUE, neither of them empty".to_owned()),
        }
    }
}

impl ArchiveArgs {
    pub(super) fn account(&self) -> Option<&str> {
        self.account.as_deref()
    }

    /// Whether anything was said.
    pub(super) fn is_set(&self) -> bool {
        let ArchiveArgs { annotation, account, parent_digest, created_at } = self;
        let others = account.is_some() || parent_digest.is_some() || created_at.is_some();
        others || !annotation.is_empty()
    }

    pub(super) fn resolve(&self, account: Option<&str>) -> Result<Options> {
        let now = match Environment::get().source_date()? {
            Some(date) => u64::try_from(date.as_second()).unwrap_or_default(),
            None => SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs()),
        };
        if self.created_at.is_some_and(|created| created > now) {
            let error = anyhow::anyhow!("`--created-at` is in the future");
            return Err(Failure::usage(error).hint("it is in seconds, as in `$(date +%s)`"));
        }
        let account = self.account.as_deref().or(account).unwrap_or("admin");
        let annotations = self.annotation.iter().cloned();
        Ok(Options {
            account: account.to_owned(),
            parent_digest: self.parent_digest.as_ref().map(Digest::to_string),
            annotations: annotations.map(|it| (it.key, it.value)).collect::<BTreeMap<_, _>>(),
            created_at: self.created_at,
            now,
        })
    }
}

pub(super) fn run(args: Args, session: &Session) -> Result<()> {
    let options = args.archive.resolve(None)?;
    args.image.needs(&Part::ALL, "an archive")?;
    let to_terminal = args.output.iter().any(|output| output.to == Destination::Stdout);
    if to_terminal && io::stdout().is_terminal() {
        let error = anyhow::anyhow!("an archive is nothing for a terminal");
        return Err(Failure::usage(error).hint("name a file: `-o archive=FILE`"));
    }
    let outputs = open_outputs(&args.output)?;
    match source::recognise(args.image.place()) {
        Source::Archive(path) => {
            let error = anyhow::anyhow!("`{}` is an archive already", path.display());
            Err(Failure::usage(error).hint("send it with `inscan upload`"))
        }
        Source::Document(path) => {
            let overrides = args.image.overrides()?;
            for (_, to, sink) in outputs {
                let mut outcome = Ok(());
                let written = sink.write(|out| {
                    let packed = source::pack_document(&path, &overrides, &options, out);
                    outcome = packed.map(drop);
                    whole_or_none(&outcome)
                });
                said(outcome, &path.display().to_string())?;
                written.map_err(|error| broken_output(to, error))?;
            }
            Ok(())
        }
        Source::Image => {
            let scan = scanned(args.image, session)?;
            for (_, to, sink) in outputs {
                let mut outcome = Ok(());
                let written = sink.write(|out: &mut dyn Write| {
                    outcome =
                        archive::write_analysis(scan.analysis(), scan.identity(), &options, out);
                    whole_or_none(&outcome)
                });
                said(outcome, &scan.analysis().image.source)?;
                written.map_err(|error| broken_output(to, error))?;
            }
            Ok(())
        }
    }
}

/// A file is there whole or not at all.
fn whole_or_none(outcome: &Result<(), archive::Error>) -> io::Result<()> {
    match outcome {
        Ok(()) => Ok(()),
        Err(error) => Err(io::Error::other(error.to_string())),
    }
}

/// What is wrong with the source, in its own words. What is wrong with the output is told by
/// who writes it.
fn said(outcome: Result<(), archive::Error>, source: &str) -> Result<()> {
    match outcome {
        Err(archive::Error::Content(why)) => Err(not_packed(source, anyhow::anyhow!(why))),
        Ok(()) | Err(archive::Error::Io(_)) => Ok(()),
    }
}

pub(super) fn not_packed(source: &str, error: anyhow::Error) -> Failure {
    Failure::usage(error.context(format!("could not make an archive of `{source}`")))
        .hint("a document is what `inscan analyze IMAGE` writes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_annotation_is_a_key_and_a_value() {
        let parse = |text: &str| text.parse::<Annotation>();
        let annotation = |key: &str, value: &str| {
            Ok(Annotation { key: key.to_owned(), value: value.to_owned() })
        };
        assert_eq!(parse("a=b"), annotation("a", "b"));
        assert_eq!(parse("k=v=w"), annotation("k", "v=w"));
        for wrong in ["", "a", "=b", "a="] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
