use std::time::{Instant, SystemTime};

use clap::ValueEnum;

use super::reading::{ImageArgs, with_analysis};
use super::{Result, Session, broken_output, open_outputs};
use crate::document::{self, Run};
use crate::output::{Output, summary, timings};

/// Analyze an image, and show what it is and what was found
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  An archive that `docker save` wrote:
      inscan scan image.tar
  One of several images in an OCI layout, for a machine with an ARM processor:
      inscan scan oci:build/layout:app-1.0 --platform linux/arm64
  An image on standard input, with the analysis document beside the summary:
      docker save app:1.0 | inscan scan - -o summary -o document=app.json
  A root file system:
      inscan scan dir:/mnt/rootfs")]
pub(super) struct Args {
    #[command(flatten)]
    image: ImageArgs,

    /// What to write, and where to (standard output unless a file is named); may be repeated
    #[arg(short, long = "output", value_name = "FORMAT[=FILE]", default_value = "summary")]
    output: Vec<Output<Format>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// What the image is and what was found, for people
    Summary,
    /// The analysis document: JSON
    Document,
}

pub(super) fn run(args: Args, session: &Session) -> Result<()> {
    write(args.image, &args.output, session)
}

/// `scan` and `analyze` differ only in what they write by default.
pub(super) fn write(image: ImageArgs, outputs: &[Output<Format>], session: &Session) -> Result<()> {
    let outputs = open_outputs(outputs)?;
    let (started, clock) = (SystemTime::now(), Instant::now());
    let with_timings = image.timings();
    with_analysis(image, session, |analysis, identity| {
        let begun = Instant::now();
        for (format, to, sink) in outputs {
            sink.write(|out| match format {
                Format::Summary => {
                    let style = summary::Style::new(session.colors(to));
                    out.write_all(summary::render(analysis, identity, &style).as_bytes())
                }
                Format::Document => {
                    let threads = rayon::current_num_threads();
                    let run = Run::new(started, clock.elapsed(), threads, source_date_epoch());
                    document::write(analysis, identity, &run, out)
                }
            })
            .map_err(|error| broken_output(to, error))?;
        }
        if with_timings {
            let timings = document::Timings::of(analysis).ended(begun.elapsed());
            session.table(&timings::render(&timings, clock.elapsed()));
        }
        Ok(())
    })
}

/// For documents that come out the same at any time: <https://reproducible-builds.org/specs/source-date-epoch/>.
fn source_date_epoch() -> Option<u64> {
    std::env::var("SOURCE_DATE_EPOCH").ok()?.parse().ok()
}
