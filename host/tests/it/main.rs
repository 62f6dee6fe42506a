//! The tests of loghost from outside: the real binary, on the embedded broker and on private `RabbitMQ` nodes, 3.10
//! and 4.
//!
//! A test that needs something that is not installed is skipped, and says what it needs. `LOGHOST_REQUIRE` lists
//! needs whose tests fail instead (`rabbitmq`, `rabbitmq4`, `wasm`, `python`, `node`, `faketime`, `promtool`, `systemd`,
//! `browser`, `producers`, `shells`, `root` or `all`), `LOGHOST_LONG=1` runs the long tests, `LOGHOST_LONG=full` with all the logs that they are made for, and
//! `LOGHOST_BIN` names another binary to test.

mod broker;
mod commands;
mod dead_letters;
mod faults;
mod plugins;
mod producers;
mod publish;
mod repository;
mod run;
mod support;

use libtest_mimic::{Arguments, Trial};

/// All tests.
const TRIALS: &[fn() -> Vec<Trial>] = &[
    run::beside::trials,
    run::bind::trials,
    run::bindings::trials,
    run::bound_again::trials,
    run::bound_formats::trials,
    run::bound_hostile::trials,
    run::bound_streams::trials,
    run::collector::trials,
    run::command::trials,
    run::configured::trials,
    run::drain::trials,
    run::hangup::trials,
    run::idle::trials,
    run::job::trials,
    run::listen::trials,
    run::reconfigured::trials,
    run::report::trials,
    run::restart::trials,
    run::rolling_upgrade::trials,
    run::service::trials,
    run::standby::trials,
    run::state::trials,
    run::stream_begin::trials,
    run::stream_cluster::trials,
    run::stream_compressions::trials,
    run::stream_credit::trials,
    run::stream_gaps::trials,
    run::stream_lies::trials,
    run::stream_protocol::trials,
    run::stream_retention::trials,
    run::damaged_chunks::trials,
    run::stream_restarts::trials,
    run::stream_stalls::trials,
    run::stream_trouble::trials,
    run::streams::trials,
    run::telemetry::trials,
    run::view::trials,
    publish::command::trials,
    publish::decode::trials,
    publish::full::trials,
    publish::journal::trials,
    publish::multiline::trials,
    publish::reconnect::trials,
    publish::streams::trials,
    publish::to::trials,
    producers::broker_log::trials,
    producers::captured::trials,
    producers::configurations::trials,
    producers::opentelemetry::trials,
    producers::others::trials,
    producers::sources::trials,
    plugins::authoring::trials,
    plugins::cache::trials,
    plugins::contract::trials,
    plugins::limits::trials,
    plugins::measures::trials,
    plugins::poison::trials,
    plugins::processor::trials,
    plugins::reload::trials,
    plugins::settings::trials,
    plugins::watch::trials,
    dead_letters::commands::trials,
    dead_letters::foreign::trials,
    dead_letters::hostile::trials,
    dead_letters::replay::trials,
    dead_letters::uncounted::trials,
    dead_letters::unwanted::trials,
    broker::alarm::trials,
    broker::best_of::trials,
    broker::cluster::trials,
    broker::connect::trials,
    broker::lost_permissions::trials,
    broker::permissions::trials,
    broker::queues::trials,
    broker::refusals::trials,
    broker::severed::trials,
    broker::stream_tls::trials,
    broker::streams::trials,
    broker::tls::trials,
    broker::topology::trials,
    commands::bench::trials,
    commands::config::trials,
    commands::demo::trials,
    commands::deploy::trials,
    commands::described::trials,
    commands::hygiene::trials,
    commands::log::trials,
    commands::mistakes::trials,
    commands::progress::trials,
    commands::record::trials,
    commands::replay::trials,
    commands::status::trials,
    commands::tail::trials,
    commands::verify::trials,
    commands::verify_bind::trials,
    faults::at_least_once::trials,
    faults::clock::trials,
    faults::closed::trials,
    faults::crash::trials,
    faults::damage::trials,
    faults::long::trials,
    faults::system::trials,
    faults::trouble::trials,
    faults::undeliverable::trials,
    faults::undeliverable_streams::trials,
    faults::unread::trials,
    repository::trials,
];

fn main() {
    let mut arguments = Arguments::from_args();
    // Tests mostly wait for other processes.
    arguments.test_threads.get_or_insert(4);
    let trials = TRIALS.iter().flat_map(|trials| trials()).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    producers::stop();
    support::broker::stop();
    conclusion.exit()
}
