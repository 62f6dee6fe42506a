//! The tests of loghost from outside: the real binary, on the embedded broker and on private `RabbitMQ` nodes, 3.10 and 4.
//!
//! What a test needs and is not there is shown as the reason of its skip. `LOGHOST_REQUIRE` lists what must
//! not be skipped (`rabbitmq`, `rabbitmq4`, `wasm`, `python`, `node`, `faketime`, `root` or `all`), `LOGHOST_LONG=1` runs the long tests, and
//! `LOGHOST_BIN` names another binary to drive.

mod alarm;
mod authoring;
mod bench;
mod best_of;
mod cache;
mod clock;
mod closed;
mod cluster;
mod connect;
mod contract;
mod crash;
mod damage;
mod dead_letters;
mod demo;
mod drain;
mod foreign;
mod full;
mod hangup;
mod hostile;
mod house;
mod hygiene;
mod idle;
mod job;
mod journal;
mod limits;
mod long;
mod mistakes;
mod permissions;
mod poison;
mod processor;
mod publish;
mod queues;
mod reconnect;
mod refusals;
mod reload;
mod report;
mod run;
mod settings;
mod severed;
mod standby;
mod state;
mod support;
mod system;
mod tls;
mod topology;
mod trouble;
mod uncounted;
mod unread;
mod verify;
mod watch;

use libtest_mimic::{Arguments, Trial};

fn main() {
    let mut arguments = Arguments::from_args();
    // Most of what a test does is wait for other processes.
    arguments.test_threads.get_or_insert(4);
    let trials: Vec<Trial> = [
        authoring::trials(),
        cache::trials(),
        clock::trials(),
        damage::trials(),
        contract::trials(),
        limits::trials(),
        processor::trials(),
        permissions::trials(),
        poison::trials(),
        drain::trials(),
        reload::trials(),
        watch::trials(),
        standby::trials(),
        topology::trials(),
        dead_letters::trials(),
        demo::trials(),
        job::trials(),
        publish::trials(),
        queues::trials(),
        journal::trials(),
        reconnect::trials(),
        run::trials(),
        state::trials(),
        report::trials(),
        crash::trials(),
        verify::trials(),
        bench::trials(),
        connect::trials(),
        foreign::trials(),
        uncounted::trials(),
        unread::trials(),
        hygiene::trials(),
        trouble::trials(),
        tls::trials(),
        hostile::trials(),
        alarm::trials(),
        best_of::trials(),
        cluster::trials(),
        closed::trials(),
        refusals::trials(),
        system::trials(),
        full::trials(),
        hangup::trials(),
        idle::trials(),
        severed::trials(),
        house::trials(),
        long::trials(),
        mistakes::trials(),
        settings::trials(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    support::broker::stop();
    conclusion.exit()
}
