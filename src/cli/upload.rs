use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::builder::BoolishValueParser;
use jiff::tz::TimeZone;

use super::archive::{ArchiveArgs, not_packed};
use super::backend::{BackendArgs, failed};
use super::reading::{ImageArgs, Scanned, scanned_unless};
use super::source::{self, Source};
use super::{Failure, Result, Session, broken_output, open_outputs};
use crate::backend::{Backend, Check, Deleted, ImageNames, Verdict};
use crate::cli::environment::Environment;
use crate::output::file::Sink;
use crate::output::upload::{self, UploadResult};
use crate::output::{Destination, Output};
use inscan_analyzers::Part;
use inscan_document::{Identity, Overrides};
use inscan_image::analyze::Analysis;
use inscan_image::document::archive;
use inscan_net::NetOptions;
use inscan_report::Style;

/// Get the verdict of a backend for an image: Sysdig's, or an Anchore engine
///
/// What the image has in it is analyzed here and sent as an archive; the image itself is not.
/// An image that the backend knows is not sent again. The exit code is the backend's verdict:
/// 0 pass, 1 fail, and 3 where there is none. IMAGE may also be an analysis document, or an
/// archive that `inscan archive` or the legacy scanner wrote.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  An image, judged by the backend's policies; the token is in the variable INSCAN_TOKEN:
      inscan upload image.tar --tag registry.example/app:1.0 --url https://secure.example
  With the token in a file, the backend's report as PDF, and its answer in a file:
      inscan upload app.tgz --url https://secure.example --token-file token --pdf report.pdf -o table -o anchore=check.json
  An Anchore engine, the password on standard input:
      inscan upload image.tar --backend anchore --url http://localhost:8228 --user admin --token-file - < password
  Analyzed here, sent from another machine:
      inscan archive image.tar -o archive=app.tgz
      inscan upload app.tgz --url https://secure.example")]
pub(super) struct Args {
    #[command(flatten)]
    image: ImageArgs,

    #[command(flatten)]
    backend: BackendArgs,

    #[command(flatten)]
    archive: ArchiveArgs,

    #[command(flatten)]
    after: AfterArgs,

    /// What to write, and where to (standard output unless a file is named); may be repeated
    #[arg(short, long = "output", value_name = "FORMAT[=FILE]", default_value = "table")]
    output: Vec<Output<upload::Format>>,
}

/// What is done on the backend beside judging.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Backend")]
struct AfterArgs {
    /// Keep the backend's report as PDF: a file, or a directory for one that is named by day and image
    #[arg(long, value_name = "PATH")]
    pdf: Option<PathBuf>,

    /// Remove the image from the backend if it fails
    #[arg(long, value_parser = BoolishValueParser::new())]
    remove_failed: bool,

    /// Remove the image from the backend first, and send it again
    #[arg(long, value_parser = BoolishValueParser::new())]
    replace: bool,
}

/// What a backend said.
struct Outcome {
    names: ImageNames,
    check: Check,
    was_sent: bool,
}

impl Outcome {
    /// For people, where standard output has something else.
    fn table(&self, backend: &Backend, asked: &BackendArgs) -> String {
        let mut text = Vec::new();
        let Outcome { names, check, was_sent } = self;
        let page = backend.page(&names.digest, &names.full_tag, asked.is_on_premises());
        let judged = UploadResult {
            backend: &backend.place(),
            names,
            check,
            was_sent: *was_sent,
            page: page.as_deref(),
            vulnerabilities: None,
        };
        // Writing to memory does not fail.
        let _ = upload::write(upload::Format::Table, &judged, &Style::plain(), &mut text);
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// The same beside a scan.
#[derive(Debug, clap::Args)]
pub(super) struct RemoteArgs {
    /// Also get the verdict of a backend: the image passes only if the backend passes it
    ///
    /// What the image has in it is sent as an archive, as `inscan upload` does. Without a
    /// verdict of the backend the exit code is 3.
    #[arg(long, help_heading = "Backend", value_parser = BoolishValueParser::new())]
    upload: bool,

    #[command(flatten)]
    backend: BackendArgs,

    #[command(flatten)]
    archive: ArchiveArgs,

    #[command(flatten)]
    after: AfterArgs,
}

/// A backend that was asked whether it is there.
pub(super) struct Remote {
    args: RemoteArgs,
    backend: Backend,
}

impl RemoteArgs {
    /// `None`: no backend is to judge.
    pub(super) fn resolve(
        self,
        net: &NetOptions,
        stdin_is_taken: bool,
        session: &Session,
    ) -> Result<Option<Remote>> {
        if !self.upload {
            return Ok(None);
        }
        let backend = self.backend.resolve(net, stdin_is_taken, session)?;
        self.archive.resolve(None)?;
        greet(&backend, session)?;
        Ok(Some(Remote { args: self, backend }))
    }
}

impl Remote {
    /// Sends the analysis, shows the verdict, and ends with it. `to_stdout`: nothing else has a
    /// better claim to standard output.
    pub(super) fn conclude(
        self,
        analysis: &Analysis<'_>,
        identity: &Identity,
        to_stdout: bool,
        session: &Session,
    ) -> Result<()> {
        let RemoteArgs { backend: asked, archive, after, .. } = &self.args;
        let outcome = after.judge(&self.backend, analysis, identity, archive, session)?;
        let to = Destination::Stdout;
        let mut outputs = Vec::new();
        if to_stdout {
            outputs.push((upload::Format::Table, &to, Sink::Stdout));
        } else if !session.quiet {
            session.table(&outcome.table(&self.backend, asked));
        }
        let told = after.tell(&self.backend, asked, &outcome, outputs, session);
        concluded(&outcome, told)
    }
}

pub(super) fn run(args: Args, session: &Session) -> Result<()> {
    let Args { image, backend: asked, archive, after, output } = args;
    image.needs(&Part::ALL, "an upload")?;
    let outputs = open_outputs(&output)?;
    let source = source::recognise(image.place());
    let overrides = image.overrides()?;
    let (net, _) = image.network()?;
    let backend = asked.resolve(&net, image.place() == "-", session)?;
    let options = |backend: &Backend| options(&archive, backend);
    // What is wrong here is wrong before anything is asked.
    archive.resolve(None)?;
    greet(&backend, session)?;
    let outcome = match source {
        Source::Archive(path) => {
            if archive.is_set() || overrides.is_set() {
                let error =
                    anyhow::anyhow!("`{}` is an archive, with names of its own", path.display());
                return Err(Failure::usage(error).hint(
                    "names and annotations are given when it is made: `inscan archive --help`",
                ));
            }
            let names = names(&source::archive_names(&path)?);
            let file = File::open(&path).map_err(|error| {
                let message = format!("could not read the archive `{}`: {error}", path.display());
                Failure::usage(anyhow::anyhow!(message))
            })?;
            let to_send = |_: &ImageNames| Ok(file);
            after.judged(&backend, names, session, to_send)?
        }
        Source::Document(path) => {
            let options = options(&backend)?;
            let (file, identity) = document_archive(&path, &overrides, &options)?;
            after.judged(&backend, names(&identity), session, |_| Ok(file))?
        }
        Source::Image => {
            let known = |identity: &Identity| after.known(&backend, &names(identity), session);
            match scanned_unless(image, session, known)? {
                Scanned::Known(outcome) => outcome,
                Scanned::Scan(scan) => {
                    let (analysis, identity) = (scan.analysis(), scan.identity());
                    after.judge(&backend, analysis, identity, &archive, session)?
                }
            }
        }
    };
    let told = after.tell(&backend, &asked, &outcome, outputs, session);
    concluded(&outcome, told)
}

/// The account is the backend's to say, unless it is said.
fn options(archive: &ArchiveArgs, backend: &Backend) -> Result<archive::Options> {
    let account = match archive.account() {
        Some(_) => None,
        None => Some(backend.account().map_err(failed)?.name),
    };
    archive.resolve(account.as_deref())
}

/// Whether the backend is there and knows us: better known now than after the analysis.
fn greet(backend: &Backend, session: &Session) -> Result<()> {
    let status = backend.status().map_err(failed)?;
    let version = status.version.map_or_else(String::new, |version| format!(" (engine {version})"));
    session.say(&format!("backend {}{version}", backend.place()));
    Ok(())
}

fn names(identity: &Identity) -> ImageNames {
    ImageNames {
        digest: identity.image_digest.clone(),
        id: identity.image_id.clone(),
        full_tag: identity.full_tag.clone(),
    }
}

impl AfterArgs {
    /// The verdict on an image that need not be sent.
    fn known(
        &self,
        backend: &Backend,
        names: &ImageNames,
        session: &Session,
    ) -> Result<Option<Outcome>> {
        if self.replace {
            return Ok(None);
        }
        let check = backend.known(names, &|text| session.say(text)).map_err(failed)?;
        Ok(check.map(|check| {
            session.say(&format!("the backend knows {}: it is not sent", names.digest));
            Outcome { names: names.clone(), check, was_sent: false }
        }))
    }

    /// From an analysis to the verdict.
    fn judge(
        &self,
        backend: &Backend,
        analysis: &Analysis<'_>,
        identity: &Identity,
        archive: &ArchiveArgs,
        session: &Session,
    ) -> Result<Outcome> {
        self.judged(backend, names(identity), session, |_| {
            let options = options(archive, backend)?;
            temporary(&analysis.image.source, |to| {
                archive::write_analysis(analysis, identity, &options, to)
            })
        })
    }

    /// Sends what `archive` makes, unless the backend knows the image.
    fn judged(
        &self,
        backend: &Backend,
        names: ImageNames,
        session: &Session,
        archive: impl FnOnce(&ImageNames) -> Result<File>,
    ) -> Result<Outcome> {
        // Analyzing has its own time.
        backend.begin();
        if let Some(known) = self.known(backend, &names, session)? {
            return Ok(known);
        }
        let file = archive(&names)?;
        if self.replace {
            backend.clear(&names.digest).map_err(failed)?;
        }
        session.say(&format!("sending the analysis of {}", names.full_tag));
        let (_, check) =
            backend.submit(&file, &names, &|text| session.say(text)).map_err(failed)?;
        Ok(Outcome { names, check, was_sent: true })
    }

    /// Writes what is to be written of the verdict, and does what is to be done.
    fn tell(
        &self,
        backend: &Backend,
        asked: &BackendArgs,
        outcome: &Outcome,
        outputs: Vec<(upload::Format, &Destination, Sink)>,
        session: &Session,
    ) -> Result<()> {
        let Outcome { names, check, was_sent } = outcome;
        let wants_list =
            outputs.iter().any(|(format, ..)| *format == upload::Format::Vulnerabilities);
        let vulnerabilities = match wants_list {
            true => Some(backend.vulnerabilities(&names.digest).map_err(failed)?),
            false => None,
        };
        let page = backend.page(&names.digest, &names.full_tag, asked.is_on_premises());
        let judged = UploadResult {
            backend: &backend.place(),
            names,
            check,
            was_sent: *was_sent,
            page: page.as_deref(),
            vulnerabilities: vulnerabilities.as_ref(),
        };
        for (format, to, sink) in outputs {
            let style = Style::new(session.colors(to));
            sink.write(|out| upload::write(format, &judged, &style, out))
                .map_err(|error| broken_output(to, error))?;
        }
        if let Some(path) = &self.pdf {
            self.keep_pdf(path, backend, names, session)?;
        }
        if self.remove_failed && check.verdict == Verdict::Fail {
            match backend.delete(&names.digest).map_err(failed)? {
                Deleted::Deleting => session.say("the image is removed from the backend"),
                Deleted::NotFound => session.say("the backend has no such image to remove"),
            }
        }
        Ok(())
    }

    fn keep_pdf(
        &self,
        path: &Path,
        backend: &Backend,
        names: &ImageNames,
        session: &Session,
    ) -> Result<()> {
        let path = match path.is_dir() {
            true => path.join(pdf_name(&names.full_tag)?),
            false => path.to_owned(),
        };
        let bytes = backend.pdf(&names.digest, &names.full_tag).map_err(failed)?;
        let to = Destination::File(path);
        let written = Sink::open(&to).and_then(|sink| sink.write(|out| out.write_all(&bytes)));
        written.map_err(|error| broken_output(&to, error))?;
        if let Destination::File(path) = to {
            session.say(&format!("the report is in `{}`", path.display()));
        }
        Ok(())
    }
}

/// As the legacy scanner calls it. The image's name is not trusted to be a file's name.
fn pdf_name(full_tag: &str) -> Result<String> {
    let now = Environment::get().now()?;
    let day = now.to_zoned(TimeZone::UTC).date();
    let name = full_tag.rsplit('/').next().unwrap_or_default().replace(['\\', '\0'], "_");
    Ok(format!("{day}-{name}-scan-result.pdf"))
}

/// A nameless file.
fn temporary(
    source: &str,
    write: impl FnOnce(&mut dyn Write) -> Result<(), archive::Error>,
) -> Result<File> {
    let make = || -> Result<File, archive::Error> {
        let mut file = BufWriter::with_capacity(256 << 10, tempfile::tempfile()?);
        write(&mut file)?;
        Ok(file.into_inner().map_err(std::io::IntoInnerError::into_error)?)
    };
    make().map_err(|error| match error {
        archive::Error::Content(why) => not_packed(source, anyhow::anyhow!(why)),
        error @ archive::Error::Io(_) => Failure::broken(
            anyhow::Error::new(error).context("could not write the archive to a temporary file"),
        ),
    })
}

fn document_archive(
    path: &Path,
    overrides: &Overrides,
    options: &archive::Options,
) -> Result<(File, Identity)> {
    let mut identity = Identity::default();
    let file = temporary(&path.display().to_string(), |to| {
        identity = source::pack_document(path, overrides, options, to)?;
        Ok(())
    })?;
    Ok((file, identity))
}

/// A verdict against the image stands above what could not be done after it.
fn concluded(outcome: &Outcome, told: Result<()>) -> Result<()> {
    match outcome.check.verdict {
        Verdict::Pass => told,
        Verdict::Fail => {
            let failure = Failure::fail(anyhow::anyhow!("the backend's policies say so"));
            Err(match told {
                Ok(()) => failure,
                Err(error) => failure.details(vec![error.to_string().trim_end().to_owned()]),
            })
        }
    }
}
