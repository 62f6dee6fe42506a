//! Mistakes that a newcomer makes: each message says what was probably meant.

mod newcomer;

use std::fs;

use libtest_mimic::Trial;

use crate::support::broker::{Broker, Kind};
use crate::support::cli::{Loghost, loghost};
use crate::support::guest::{declare, guest};
use crate::support::rabbitmq::managed;
use crate::support::{Skip, needing, repository, test};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        test("mistakes::slips_of_the_pen_are_understood", slips_of_the_pen_are_understood),
        test("mistakes::a_file_of_another_kind_is_recognised", a_file_of_another_kind_is_recognised),
        test("mistakes::of_a_newcomer_are_answered", newcomer::are_answered),
        needing("rabbitmq::mistakes::the_nearest_consumer_is_named", the_nearest_consumer_is_named),
    ]
}

fn in_the_repository<const N: usize>(arguments: [&str; N]) -> Loghost {
    loghost(arguments).folder(repository())
}

fn slips_of_the_pen_are_understood() {
    loghost(["rnu"]).end().exits(2).says("similar subcommand exists: 'run'");
    loghost(["veirfy", "a.txt"]).end().exits(2).says("'verify'");
    loghost(["rumpelstiltskin"]).end().exits(2).does_not_say("similar");
    in_the_repository(["run", "plugin"]).end().exits(65).says("(is plugins meant?)");
    in_the_repository(["run", "plugins/eror.wasm"]).end().exits(65).says("(is plugins/error.wasm meant?)");
    for command in [&["verify"][..], &["demo"], &["publish", "--file"]] {
        let output = loghost(command).arg("scenarios/1.tx").folder(repository()).end().exits(65);
        output.says("cannot read the scenario scenarios/1.tx").says("(is scenarios/1.txt meant?)");
    }
    in_the_repository(["run", "nothing-like-it"]).end().exits(65).does_not_say("meant");
}

fn a_file_of_another_kind_is_recognised() {
    for command in [&["verify"][..], &["demo"], &["publish", "--file"]] {
        let output = loghost(command).arg("plugins/error.wasm").folder(repository()).end().exits(65);
        output.says("plugins/error.wasm is WebAssembly, as plugins are").says("`loghost run`");
    }
    for command in [&["run"][..], &["plugin", "inspect"]] {
        let output = loghost(command).arg("scenarios/1.txt").folder(repository()).end().exits(65);
        output.says("it is a scenario: run it with `loghost verify scenarios/1.txt`");
        loghost(command).arg("Cargo.toml").folder(repository()).end().exits(65).does_not_say("scenario");
    }
    let build = "build the plugin first, with `loghost plugin build plugins/error`";
    in_the_repository(["run", "plugins/error"]).end().exits(65).says(build);
    let folder = tempfile::tempdir().expect("a folder");
    let empty = folder.path().join("empty.wasm");
    fs::write(&empty, "").expect("a file in a folder of ours");
    loghost(["run"]).arg(empty).end().exits(65).says("is no WebAssembly").does_not_say("scenario");
}

/// Where the management API tells which there are.
fn the_nearest_consumer_is_named() -> Result<(), Skip> {
    let (node, url) = managed(Kind::RabbitMq)?;
    let broker = Broker::on(Kind::RabbitMq, &node);
    let folder = tempfile::tempdir().expect("a folder");
    let plugins = ["disk-watch", "other"].map(|name| guest(name).processes().write(folder.path()));
    declare(&broker, &plugins);
    broker.outside().delete(&format!("{}.dead", broker.queue("other")));
    let list = |consumer: &str, arguments: &[&str]| {
        let connection = ["--broker", broker.url(), "--prefix", broker.prefix()];
        loghost(["dead-letters", "list", consumer]).args(connection).args(arguments).end().exits(0)
    };
    let known = ["--management-url", &url];
    list("disk-wach", &known).says("disk-wach has no dead letters (is `disk-watch` meant?)");
    list("something", &known).says("something has no dead letters:");
    list("other", &known).says("other has no dead letters:");
    list("disk-wach", &[]).says("disk-wach has no dead letters:");
    Ok(())
}
