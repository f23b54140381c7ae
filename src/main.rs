//! The program: parse, run one command, turn its result into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    inscan_image::allocator::keep_little();
    inscan_image::interrupt::handle();
    match inscan::cli::run(std::env::args_os()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
