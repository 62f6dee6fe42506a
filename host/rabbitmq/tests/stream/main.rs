//! Drives a connection to streams from outside: against `RabbitMQ` 4, and against servers that do not behave.
//!
//! What needs a `RabbitMQ` that cannot be started here is skipped, and fails if `LOGHOST_REQUIRE` names it or is `all`.

mod broker;
mod cluster;
mod fake;
mod fixture;
mod lost;
mod refused;
mod strangers;
mod support;
mod tls;

use std::process::ExitCode;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let trials = [
        broker::trials(),
        cluster::trials(),
        lost::trials(),
        refused::trials(),
        strangers::trials(),
        tls::trials(),
    ];
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials.into_iter().flatten().collect());
    fixture::stop();
    conclusion.exit_code()
}
