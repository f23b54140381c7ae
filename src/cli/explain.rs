use std::io::Write;

use super::judging::{Document, JudgeArgs, Judging};
use super::reading::{ImageArgs, scanned};
use super::{Result, Session, broken_output, source};
use crate::output::Destination;
use crate::output::file::Sink;
use inscan_document::{Run, Section};
use inscan_report::{Style, explain};

/// Explain why a vulnerability does or does not affect an image
///
/// Shows the package's file and layer, the name and version that were looked up, the affected
/// range of each advisory, and the fix; or why the package is not affected or not reported. Any
/// name of the vulnerability works.
#[derive(Debug, clap::Args)]
#[command(allow_missing_positional = true)]
#[command(after_help = "\
Examples:
  Why is an image affected:
      inscan explain CVE-2021-33203 image.tar
  Is one of its packages affected, from its document:
      inscan explain GHSA-68w8-qjq3-2gfm django image.json
  With its exceptions:
      inscan explain CVE-2024-3094 liblzma5 image.json --ignore exceptions.yaml")]
pub(super) struct Args {
    /// A name of the vulnerability or of an advisory
    #[arg(value_name = "ID")]
    id: String,

    /// Show only this package: its name, its source package's, or its package URL
    #[arg(value_name = "PACKAGE")]
    package: Option<String>,

    #[command(flatten)]
    image: ImageArgs,

    #[command(flatten)]
    judge: JudgeArgs,
}

pub(super) fn run(args: Args, session: &Session) -> Result<()> {
    let (net, registry) = args.image.network()?;
    args.judge.bring_up_to_date(&net, &registry, session)?;
    let judging = args.judge.resolve()?;
    let package = args.package.as_deref();
    let section = match source::document(args.image.place()) {
        Some(path) => Document::read(&path)?.section,
        None => scanned(args.image, session)?.section(&Run::default()),
    };
    tell(&args.id, package, &section, &judging, session)
}

fn tell(
    id: &str,
    package: Option<&str>,
    section: &Section,
    judging: &Judging,
    session: &Session,
) -> Result<()> {
    let (evaluation, explanation) = judging.explain(section, id, package)?;
    let to = Destination::Stdout;
    let style = Style::new(session.colors(&to));
    let text = explain::render(id, &explanation, &evaluation, section, &style);
    let write = |out: &mut dyn Write| out.write_all(text.as_bytes());
    Sink::Stdout.write(write).map_err(|error| broken_output(&to, error))
}
