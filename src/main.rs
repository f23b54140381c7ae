//! The program: parse, run one command, turn its result into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    inscan::allocator::keep_little();
    inscan::interrupt::handle();
    match inscan::cli::run(std::env::args_os()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
