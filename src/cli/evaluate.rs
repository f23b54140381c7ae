use std::io::Write;
use std::path::{Path, PathBuf};

use clap::builder::NonEmptyStringValueParser;

use super::bundle::{POLICY, PolicyArgs};
use super::judging::{Document, JudgeArgs, Named, concluded};
use super::network::NetArgs;
use super::registry::RegistryFiles;
use super::template::TemplateArgs;
use super::{Failure, Result, Session, broken_output, open_outputs};
use crate::output::{Output, ReportFormat, packing};
use inscan_facts::digest::Digest;
use inscan_report::Style;
use inscan_report::report::{self, Report};

/// Evaluate an analysis document: show vulnerable packages and the verdict
///
/// The same document, database and day give the same result as `inscan scan IMAGE`, without
/// the image. It also reads documents of the legacy engine, analysis archives, and SBOMs in
/// JSON: CycloneDX, SPDX, Syft's own.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  The vulnerabilities of an image, from the document that `inscan analyze` wrote:
      inscan evaluate image.json
  Fail on high severity or worse with a fix, except for agreed exceptions:
      inscan evaluate image.json --fail-on high --only-fixed --ignore exceptions.yaml
  Fail only on findings that are new since the last release; write the evaluation to a file:
      inscan evaluate image.json --baseline v1.json --fail-on medium -o table -o json=result.json
  With the VEX statements of the vendor:
      inscan evaluate image.json --vex vendor.openvex.json
  The packages of an SBOM that Syft or Trivy wrote:
      inscan evaluate sbom.cdx.json
  With a bundle of policies, as Anchore Engine would evaluate it:
      inscan evaluate image.json --policy bundle.json --tag registry.example/team/app:1.0
      inscan evaluate image.json --policy bundle.json -o anchore
  From another program:
      inscan analyze image.tar | inscan evaluate -")]
pub(super) struct Args {
    /// The document or archive, or `-` for standard input
    #[arg(value_name = "DOCUMENT")]
    document: PathBuf,

    /// What to write, and where to (standard output unless a file is named); may be repeated
    #[arg(short, long = "output", value_name = "FORMAT[=FILE]", default_value = "table")]
    output: Vec<Output<ReportFormat>>,

    #[command(flatten)]
    template: TemplateArgs,

    #[command(flatten)]
    judge: JudgeArgs,

    #[command(flatten)]
    policy: PolicyArgs,

    /// The full name by which policies know the image [default: what the document says]
    #[arg(long, value_name = "FULLTAG", help_heading = POLICY, value_parser = NonEmptyStringValueParser::new())]
    tag: Option<String>,

    /// The manifest digest by which policies know the image [default: what the document says]
    #[arg(long, value_name = "DIGEST", help_heading = POLICY)]
    image_digest: Option<Digest>,

    // For `--db-update`.
    #[command(flatten)]
    registry: RegistryFiles,

    #[command(flatten)]
    net: NetArgs,
}

pub(super) fn run(args: Args, session: &Session) -> Result<()> {
    let formats = || args.output.iter().map(|output| output.format.0);
    let template = args.template.resolve(formats())?;
    let outputs = open_outputs(&args.output)?;
    let (net, registry) = (args.net.resolve()?, args.registry.resolve());
    args.judge.bring_up_to_date(&net, &registry, session)?;
    if args.policy.reads_stdin() && args.document == Path::new("-") {
        let error = anyhow::anyhow!("document and bundle cannot both be on standard input");
        return Err(Failure::usage(error).hint("write one of them to a file"));
    }
    let every_match = args.policy.every_match();
    let policies = args.policy.resolve(formats(), session)?;
    let judging = args.judge.resolve()?;
    let document = Document::read(&args.document)?;
    let said = Named { tag: args.tag, digest: args.image_digest, id: None };
    let request = policies.as_ref().map(|policies| document.asked(policies, &said)).transpose()?;
    let judgement = judging.judge(&document.section, request, session)?;
    for (format, to, sink) in outputs {
        let report = Report {
            evaluation: &judgement.evaluation,
            policy: judgement.policy.as_ref(),
            section: &document.section,
            style: &Style::new(session.colors(to)),
            show_suppressed: judging.show_suppressed,
            every_match,
            template: template.as_ref(),
        };
        let write = |out: &mut dyn Write| report::write(format.0, &report, out);
        sink.write(|out| packing::write(to, out, write))
            .map_err(|error| broken_output(to, error))?;
    }
    concluded(&judgement)
}
