//! The program: parse, run one command, turn its result into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    return_large_buffers();
    inscan::interrupt::handle();
    match inscan::cli::run(std::env::args_os()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Large buffers go back to the system when they are freed. Without this, glibc comes to
/// keep them for reuse in each thread's own heap: a quarter more peak memory, measured.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn return_large_buffers() {
    // SAFETY: sets a number in the allocator, before any other thread runs.
    unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, 256 << 10) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn return_large_buffers() {}
