//! RabbitMQ's own log, while it works.

use libtest_mimic::Trial;

use super::document::section;
use super::{node, start};
use crate::support::broker::{Broker, Kind};
use crate::support::cli::Signal;
use crate::support::metrics::{last_of, tally};
use crate::support::{Skip, needing};

/// What the page says of it.
pub(super) const SECTION: &str = "RabbitMQ's own log";

/// So many times a user tries to connect that the broker does not know.
const REFUSED: u64 = 3;

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |kind: Kind| {
        needing(format!("{}::producers::own_log_of_the_broker", kind.name()), move || is_counted(kind))
    };
    [Kind::RabbitMq, Kind::RabbitMq4].map(trial).into()
}

fn is_counted(kind: Kind) -> Result<(), Skip> {
    let (node, broker) = node::shared(kind)?;
    let commands = section(SECTION).commands;
    let [everything, selected] = &commands[..] else { panic!("two commands read it") };
    let everything = start(&broker, everything);
    let selected = start(&Broker::on(kind, &node.rabbitmq), selected);
    let nobody = format!("nobody-{}", broker.prefix());
    let tail = ["tail", "--format", "json", "--max-logs", "3", "--severity", "error", "--grep", &nobody];
    let tail = broker.loghost(tail).args(["--bind", "amq.rabbitmq.log"]).start();
    tail.says("looking at what comes through");

    for _ in 0..REFUSED {
        broker.as_user(&nobody, "wrong").loghost(["publish", "info", "text"]).end().exits(78);
    }
    node.rabbitmq.rabbitmqctl(&["eval", "logger:critical(\"disk full\", [], #{domain => [rabbitmq]})."]);

    // The broker has errors of others as well, which are other tests.
    let counted = |so_far: &str, consumer: &str, severity: &str| {
        last_of(so_far, consumer)["counts"][severity].as_u64().unwrap_or_default()
    };
    for run in [&everything, &selected] {
        run.has_printed(|so_far| {
            ["all", "error"].iter().all(|consumer| counted(so_far, consumer, "error") >= REFUSED)
                && ["all", "critical"].iter().all(|consumer| counted(so_far, consumer, "critical") == 1)
        });
    }
    for log in tail.end().exits(0).json() {
        assert_eq!(log["source"], node.rabbitmq.name(), "{log}");
    }
    let output = everything.end_by(Signal::Terminate).exits(0);
    for consumer in ["all", "debug-info"] {
        assert!(counted(&output.stdout, consumer, "info") >= REFUSED, "connections: {output}");
        assert_eq!(last_of(&output.stdout, consumer)["undetermined"], 0, "{output}");
    }
    let output = selected.end_by(Signal::Terminate).exits(0);
    assert_eq!(last_of(&output.stdout, "debug-info")["counts"], tally([0; 4]), "{output}");
    assert_eq!(counted(&output.stdout, "all", "info"), 0, "{output}");
    Ok(())
}
