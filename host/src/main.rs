//! Parse, run, report once, exit.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Deliveries are made on one thread and dropped on another, which this one is good at.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    loghost::main()
}
