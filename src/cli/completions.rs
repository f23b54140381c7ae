use clap_complete::Shell;

use super::{Result, broken_output, definition};
use crate::output::Destination;
use crate::output::file::Sink;

/// Print the completions for a shell
///
/// The same files lie in `completions/` of the source.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  inscan completions bash > /etc/bash_completion.d/inscan
  inscan completions zsh > ~/.zfunc/_inscan
  inscan completions fish > ~/.config/fish/completions/inscan.fish")]
pub(super) struct Args {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

pub(super) fn run(args: Args) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut definition(), "inscan", &mut script);
    Sink::Stdout
        .write(|out| out.write_all(&script))
        .map_err(|error| broken_output(&Destination::Stdout, error))
}
