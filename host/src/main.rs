//! Parse, run, report once, exit.

use std::process::ExitCode;

fn main() -> ExitCode {
    loghost::main()
}
