use std::path::{Path, PathBuf};

use clap::builder::NonEmptyStringValueParser;

use super::bundle::{POLICY, PolicyArgs};
use super::judging::{JudgeArgs, concluded, no_document, read_whole_document};
use super::network::NetArgs;
use super::registry::RegistryFiles;
use super::template::TemplateArgs;
use super::{Failure, Result, Session, broken_output, open_outputs};
use crate::output::{Output, ReportFormat};
use inscan_facts::digest::Digest;
use inscan_judge::Image;
use inscan_judge::facts::Facts;
use inscan_report::Style;
use inscan_report::report::{self, Report};

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
  By a bundle of policies, as an Anchore Engine would judge the image:
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
    let template = args.template.meant(args.output.iter().map(|output| output.format.0))?;
    let outputs = open_outputs(&args.output)?;
    let (net, registry) = (args.net.meant()?, args.registry.meant());
    args.judge.bring_up_to_date(&net, &registry, session)?;
    if args.policy.reads_stdin() && args.document == Path::new("-") {
        let error = anyhow::anyhow!("document and bundle cannot both be on standard input");
        return Err(Failure::usage(error).hint("write one of them to a file"));
    }
    let policies = args.policy.meant(args.output.iter().map(|output| output.format.0), session)?;
    let judging = args.judge.meant()?;
    let (section, text) = read_whole_document(&args.document)?;
    // Of a large image it has hundreds of megabytes.
    let text = if policies.is_some() { text } else { Vec::new() };
    let evaluation = judging.judge(&section, session)?;
    let of_policies = match &policies {
        None => None,
        Some(policies) => {
            let vulnerable = judging.vulnerable(policies, &section, Some(&evaluation))?;
            let facts = Facts::of_document(&text, &section)
                .map_err(|error| no_document(error, &args.document))?;
            let digest = args.image_digest.as_ref().map(ToString::to_string);
            let image = Image {
                tag: args.tag.unwrap_or_else(|| section.image.reference.clone()),
                digest: digest.unwrap_or_else(|| section.image.digest.clone()),
                id: section.image.id.clone(),
            };
            let facts = judging.facts(facts, vulnerable.as_ref());
            Some(policies.judge(&facts, &image, session)?)
        }
    };
    drop(text);
    for (format, to, sink) in outputs {
        let report = Report {
            evaluation: &evaluation,
            policy: of_policies.as_ref(),
            section: &section,
            style: &Style::new(session.colors(to)),
            show_suppressed: judging.show_suppressed,
            every_match: policies.as_ref().is_some_and(|policies| policies.every_match),
            template: template.as_ref(),
        };
        sink.write(|out| report::write(format.0, &report, out))
            .map_err(|error| broken_output(to, error))?;
    }
    concluded(&evaluation, of_policies.as_ref())
}
