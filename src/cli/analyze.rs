use super::reading::ImageArgs;
use super::scan;
use super::{Result, Session};
use crate::output::Output;

/// Analyze an image, and write the analysis document
///
/// The document is JSON, and all that later steps need: the same image gives
/// the same document, byte for byte. Its parts are described by the schema in
/// the source, `docs/analysis-document.schema.json`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  An archive that `docker save` wrote, the document to a file:
      inscan analyze image.tar -o document=image.json
  An OCI layout, the document to another program:
      inscan analyze oci:build/layout | jq .inscan.packages
  With the name and the Dockerfile that the document shall carry:
      inscan analyze image.tar --tag registry.example/app:1.0 --dockerfile Dockerfile")]
pub(super) struct Args {
    #[command(flatten)]
    image: ImageArgs,

    /// What to write, and where to (standard output unless a file is named); may be repeated
    #[arg(short, long = "output", value_name = "FORMAT[=FILE]", default_value = "document")]
    output: Vec<Output<scan::ImageFormat>>,
}

pub(super) fn run(args: Args, session: &Session) -> Result<()> {
    scan::analyze(args.image, &args.output, session)
}
