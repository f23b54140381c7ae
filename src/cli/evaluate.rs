use std::path::PathBuf;

use super::judging::{JudgeArgs, concluded, read_document};
use super::network::NetArgs;
use super::registry::RegistryFiles;
use super::template::TemplateArgs;
use super::{Result, Session, broken_output, open_outputs};
use crate::output::report::{self, Report};
use crate::output::{Output, Style};

/// Judge an analysis document: which packages are vulnerable, and does it pass
///
/// The same document, database and day give the same answer as `inscan scan IMAGE`, without
/// the image. Documents of the legacy engine are judged as well, the analysis archives that are
/// sent to backends, and SBOMs in JSON: CycloneDX, SPDX, Syft's own.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  What an image is vulnerable to, from the document that `inscan analyze` wrote:
      inscan evaluate image.json
  Fail on what is high or worse and can be mended, with exceptions that were agreed on:
      inscan evaluate image.json --fail-on high --only-fixed --ignore exceptions.yaml
  Fail only on what is new since the last release; the evaluation to a file:
      inscan evaluate image.json --baseline v1.json --fail-on medium -o table -o json=result.json
  With what the vendor states of its image:
      inscan evaluate image.json --vex vendor.openvex.json
  The packages of an SBOM that Syft or Trivy wrote:
      inscan evaluate sbom.cdx.json
  From another program:
      inscan analyze image.tar | inscan evaluate -")]
pub(super) struct Args {
    /// The document or archive, or `-` for standard input
    #[arg(value_name = "DOCUMENT")]
    document: PathBuf,

    /// What to write, and where to (standard output unless a file is named); may be repeated
    #[arg(short, long = "output", value_name = "FORMAT[=FILE]", default_value = "table")]
    output: Vec<Output<report::Format>>,

    #[command(flatten)]
    template: TemplateArgs,

    #[command(flatten)]
    judge: JudgeArgs,

    // For `--db-update`.
    #[command(flatten)]
    registry: RegistryFiles,

    #[command(flatten)]
    net: NetArgs,
}

pub(super) fn run(args: Args, session: &Session) -> Result<()> {
    let template = args.template.meant(args.output.iter().map(|output| output.format))?;
    let outputs = open_outputs(&args.output)?;
    let (net, registry) = (args.net.meant()?, args.registry.meant());
    args.judge.bring_up_to_date(&net, &registry, session)?;
    let judging = args.judge.meant()?;
    let section = read_document(&args.document)?;
    let evaluation = judging.judge(&section, session)?;
    for (format, to, sink) in outputs {
        let report = Report {
            evaluation: &evaluation,
            section: &section,
            style: &Style::new(session.colors(to)),
            show_suppressed: judging.show_suppressed,
            template: template.as_ref(),
        };
        sink.write(|out| report::write(format, &report, out))
            .map_err(|error| broken_output(to, error))?;
    }
    concluded(&evaluation)
}
