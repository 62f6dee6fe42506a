//! Logs that a consumer's filter does not want, as its queue is bound to more: they become dead letters, and are counted once
//! by a version that wants them.

use std::path::PathBuf;

use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::uncounted::{end, has, last, named, run, running, with_id};
use crate::support::broker::{Broker, Kind, on};
use crate::support::dead_letters::{dead_letters, list};
use crate::support::guest::{Guest, declare, guest};

pub(crate) fn trials() -> Vec<Trial> {
    [
        on(Kind::QUEUES, "unwanted::become_dead_letters", |broker| {
            become_dead_letters(broker, Guest::clone);
        }),
        on(Kind::QUEUES, "unwanted::are_not_shown_to_a_processor", |broker| {
            become_dead_letters(broker, |guest| guest.clone().processes());
        }),
        on(
            Kind::QUEUES,
            "unwanted::what_a_narrower_version_finds_in_its_queue",
            what_a_narrower_version_finds,
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The binding of an older version brings logs that the filter does not want; `kind` makes the plugin to test.
fn become_dead_letters(broker: &Broker, kind: fn(&Guest) -> Guest) {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    let narrow = kind(&guest("one").version("1").severities(&["error"])).write(folder.path());
    let start = |file: &PathBuf| running(run(broker, file).arg("--state").arg(&state));
    let outside = broker.outside();
    let (queue, info) = (broker.queue("one"), broker.exchange("info"));
    let publish = |n: u64| outside.publish(&info, "old.1", format!("unwanted {n}").as_bytes(), with_id(n));

    let first = start(&narrow);
    // A quorum queue may have to make dead letters by itself.
    let declared = broker.is_quorum() || kind(&guest("x")).has_processor();
    assert_eq!(outside.depth(&format!("{queue}.dead")).is_some(), declared);
    outside.bind_a_severity(&queue, &info, "old.*");
    publish(1);
    publish(1);
    publish(2);
    first.has_printed(|so_far| has(so_far, "unwanted", Some("info"), 2) && has(so_far, "repeated", None, 1));
    let (metric, output) = end(first);
    assert_eq!((&metric["counts"]["info"], &metric["rejected"]["info"]), (&json!(0), &json!(0)), "{output}");
    assert_eq!(metric["without_id"], 0, "{output}");
    output.says("does not want info logs from `old.1`").says("2 logs that its filter does not want");

    // It is remembered over a restart, and what is new goes the same way.
    let second = start(&narrow);
    publish(2);
    publish(3);
    second.has_printed(|so_far| has(so_far, "unwanted", Some("info"), 3) && has(so_far, "repeated", None, 2));
    end(second);
    let texts = ["unwanted 1", "unwanted 2", "unwanted 3"];
    let listed = list(broker, "one", &["--outcome", "unwanted", "--severity", "info", "--source", "old.#"]);
    assert_eq!(listed.iter().map(|dead_letter| &dead_letter["message"]).collect::<Vec<_>>(), texts);
    assert!(
        listed
            .iter()
            .all(|dead_letter| dead_letter["attempts"] == 0 && dead_letter["plugin"]["version"] == "1")
    );

    // While the filter does not want them, they come back, each once.
    dead_letters(broker, "replay", ["one", "--all"]).end().exits(0).prints("replayed 3  left 0");
    let third = start(&narrow);
    outside.wait_for_depth(&format!("{queue}.dead"), 3);
    let (metric, output) = end(third);
    assert_eq!(metric["unwanted"]["info"], 3, "the same ones: {output}");
    assert_eq!(list(broker, "one", &[]).len(), 3);

    // A version that wants them counts them, once.
    dead_letters(broker, "replay", ["one", "--all"]).end().exits(0).prints("replayed 3  left 0");
    let wide = kind(&guest("one").version("2")).write(folder.path());
    let fourth = start(&wide);
    publish(3);
    publish(4);
    fourth.has_printed(|so_far| has(so_far, "counts", Some("info"), 4) && has(so_far, "repeated", None, 3));
    let (metric, output) = end(fourth);
    assert_eq!(metric["unwanted"]["info"], 0, "{output}");
    assert_eq!((outside.depth(&queue), outside.depth(&format!("{queue}.dead"))), (Some(0), Some(0)));
}

/// What waits in the queue when a version comes that wants less.
fn what_a_narrower_version_finds(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let outside = broker.outside();
    let wide = guest("one").write(folder.path());
    declare(broker, std::slice::from_ref(&wide));
    outside.publish(&broker.exchange("info"), "web", b"too little", named("a"));
    outside.publish(&broker.exchange("error"), "db", b"from elsewhere", named("b"));
    outside.publish(&broker.exchange("error"), "web", b"right", named("c"));
    let narrow = guest("one").severities(&["error"]).sources(&["web"]).write(folder.path());
    // What is not counted does not count as one of them.
    let output = run(broker, &narrow).args(["--max-logs", "1"]).end().exits(0);
    let metric = last(&output.stdout).expect("a metric");
    assert_eq!((&metric["counts"]["error"], &metric["counts"]["info"]), (&json!(1), &json!(0)), "{output}");
    assert_eq!((&metric["unwanted"]["error"], &metric["unwanted"]["info"]), (&json!(1), &json!(1)));
    let listed = list(broker, "one", &["--outcome", "unwanted"]);
    let ids: Vec<&Value> = listed.iter().map(|dead_letter| &dead_letter["id"]).collect();
    assert_eq!(ids, ["a", "b"]);
    assert_eq!(listed[1]["reason"], "the filter does not want error logs from `db`");
    assert_eq!(outside.depth(&broker.queue("one")), Some(0));
}
