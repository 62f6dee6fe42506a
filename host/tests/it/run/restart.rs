//! `loghost run --from` and `--restart`: where consumers of streams begin, and which counts they begin with.

use std::path::PathBuf;

use libtest_mimic::Trial;
use serde_json::Value;
use tempfile::TempDir;

use crate::publish::streams::WITH_STREAMS;
use crate::support::broker::{Broker, Kind, on};
use crate::support::cli::{Loghost, Output, loghost};
use crate::support::guest::guest;
use crate::support::metrics::{errors, last_of};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = on(WITH_STREAMS, "restart::has_counts_of_zero", has_counts_of_zero);
    trials.extend(on(WITH_STREAMS, "restart::that_fails_changes_nothing", that_fails_changes_nothing));
    trials
}

/// A consumer of the stream of errors, and its state.
struct StreamFixture<'a> {
    broker: &'a Broker,
    plugin: PathBuf,
    folder: TempDir,
}

impl<'a> StreamFixture<'a> {
    fn new(broker: &'a Broker) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let plugin = guest("reader").severities(&["error"]).write(folder.path());
        Self { broker, plugin, folder }
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("counts")
    }

    fn publish(&self, text: &str) {
        let publish = self.broker.loghost(["publish", "error", text, "--queue-type", "stream"]);
        publish.end().exits(0);
    }

    fn run(&self, options: &[&str]) -> Loghost {
        let run = self.broker.loghost(["run", "--queue-type", "stream", "--until-idle", "1s"]);
        run.args(["--format", "json", "--state"]).arg(self.state()).args(options).arg(&self.plugin)
    }

    /// Runs it until everything is read, after which it has counted so many logs.
    #[track_caller]
    fn counts(&self, options: &[&str], logs: u64) -> Output {
        let output = self.run(options).end().exits(0);
        assert_eq!(errors(&last_of(&output.stdout, "reader")), [logs, 0], "{output}");
        output
    }

    /// What the state has counted, as its report says.
    #[track_caller]
    fn reported(&self) -> u64 {
        let output = loghost(["report", "--format", "json", "--state"]).arg(self.state()).end();
        let counted = |value: &Value| value["counts"]["error"].as_u64();
        output.json().iter().find_map(counted).unwrap_or_else(|| panic!("no count: {output}"))
    }
}

fn has_counts_of_zero(broker: &Broker) {
    let fixture = StreamFixture::new(broker);
    for text in ["one", "two", "three"] {
        fixture.publish(text);
    }
    fixture.counts(&["--from", "first"], 3).does_not_say("--restart");
    fixture.publish("four");
    fixture.counts(&[], 4);

    let refused = fixture.run(&["--from", "first"]).end().exits(2);
    refused
        .says("[reader] what --state has of it goes on from its position in the streams: leave out --from")
        .does_not_say("consuming from");
    fixture.counts(&[], 4);

    let anew = fixture.counts(&["--from", "1", "--restart"], 3);
    anew.says("[reader] begins anew at --from (--restart): its counts begin at zero")
        .says("4 logs were counted");
    fixture.counts(&[], 3).does_not_say("anew");
    fixture.counts(&["--from", "1h", "--restart"], 4).says("3 logs were counted");
    fixture.publish("five");
    fixture.counts(&[], 5);
}

/// The counts go with the first thing that is read, and not before.
fn that_fails_changes_nothing(broker: &Broker) {
    let fixture = StreamFixture::new(broker);
    fixture.publish("one");
    fixture.counts(&["--from", "first"], 1);
    let elsewhere = Broker::new(Kind::Embedded).expect("it needs nothing");
    let run = loghost(["run", "--queue-type", "stream", "--from", "first", "--restart"]);
    let run = run.args(["--broker", elsewhere.url(), "--prefix", broker.prefix(), "--state"]);
    let run = run.arg(fixture.state()).arg(&fixture.plugin);
    run.end().exits(78).says("RabbitMQ has streams, from 3.9 on");
    assert_eq!(fixture.reported(), 1);
    fixture.counts(&[], 1);
}
