use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::builder::BoolishValueParser;

use super::show::unknown;
use crate::cli::{Failure, Result, Session, cannot_write};
use crate::output::Destination;
use crate::output::file::Sink;
use inscan_judge::builtin;

/// Write a template for your own bundle, with comments that say what to change
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  inscan policy init
  Begin with a bundle that is built in:
      inscan policy init team.yaml --from nist-800-190
  And then:
      inscan policy check team.yaml
      inscan scan image.tar --policy team.yaml")]
pub(super) struct Args {
    /// The file to write
    #[arg(value_name = "FILE", default_value = "policy.yaml")]
    file: PathBuf,

    /// Begin with this bundle, by a name that `inscan policy list` shows
    #[arg(long, value_name = "NAME")]
    from: Option<String>,

    /// Overwrite an existing file
    #[arg(long, value_parser = BoolishValueParser::new())]
    force: bool,
}

pub(super) fn run(args: Args, session: &Session) -> Result<()> {
    let text = match &args.from {
        None => builtin::STARTER.into(),
        Some(name) => builtin::named(name).ok_or_else(|| unknown(name))?.text(),
    };
    let failed = |error| cannot_write(&Destination::File(args.file.clone()), error);
    if args.force {
        let sink = Sink::open(&Destination::File(args.file.clone())).map_err(failed)?;
        sink.write(|out| out.write_all(text.as_bytes())).map_err(failed)?;
    } else {
        let file = OpenOptions::new().write(true).create_new(true).open(&args.file);
        let mut file = file.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => there_already(&args.file),
            _ => failed(error),
        })?;
        file.write_all(text.as_bytes()).map_err(failed)?;
    }
    let path = args.file.display();
    session.say(&format!(
        "wrote `{path}`: change it, see that it is right with `inscan policy check {path}`, \
         and judge with `inscan scan IMAGE --policy {path}`"
    ));
    Ok(())
}

fn there_already(file: &Path) -> Failure {
    Failure::usage(anyhow::anyhow!("`{}` is there already", file.display()))
        .hint("name another file, or write over it with `--force`")
}
