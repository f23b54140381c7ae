//! The program: parse, run one command, turn its result into an exit code.

use std::io::{self, Write};
use std::process::ExitCode;
use std::thread;

use inscan_image::allocator;

#[global_allocator]
static ALLOCATOR: allocator::Ending = allocator::Ending;

/// In bytes, as the first thread usually has: `ulimit -s` may leave it less.
const STACK: usize = 8 << 20;
/// Could not finish.
const BROKEN: u8 = 3;

fn main() -> ExitCode {
    allocator::keep_little();
    match thread::Builder::new().name("inscan".into()).stack_size(STACK).spawn(run) {
        // A panic was told of by then.
        Ok(running) => running.join().unwrap_or(ExitCode::from(BROKEN)),
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: cannot start a thread: {error}");
            ExitCode::from(BROKEN)
        }
    }
}

fn run() -> ExitCode {
    inscan_image::interrupt::handle();
    match inscan::cli::run(std::env::args_os()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
